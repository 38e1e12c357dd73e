//! What to practise next when the queue has nothing.

use super::Turn;
use super::selection::seconds;
use crate::input::StickyKey;
use crate::state::State;
use pointsman_model::Millis;
use pointsman_model::context::{Context, CurriculumContext, Skill};
use pointsman_model::decision::{CurriculumVerdict, Subject, Verdict};
use pointsman_model::event::Event;
use pointsman_model::policy::PolicyKind;
use pointsman_model::settings::LaneMode;
use pointsman_model::source::{Lane, NewSource, Origin, TrainingParams};

/// After "nothing", the curriculum is asked again when a run has ended, or after this long.
const REST_MS: Millis = 30_000;

/// When the curriculum may be asked next; none while it has nothing to say.
pub(crate) fn due_at(state: &State) -> Option<Millis> {
    let interval_ms = Millis::from(state.settings.curriculum_interval_s) * 1000;
    let pause_ms = if state.curriculum_resting {
        interval_ms.max(REST_MS)
    } else {
        interval_ms
    };
    let wanted = match state.settings.lane_mode {
        LaneMode::QueuedOnly => false,
        LaneMode::AutomaticOnly => true,
        // Waiting sources count as a queue that is not empty: they are somebody's, and come back.
        LaneMode::Hybrid => state.settings.curriculum_fallback && state.index.pending(Lane::Queue) == 0,
    };
    let room = state.index.pending(Lane::Curriculum) < state.settings.curriculum_pending_max;
    let due = wanted && room && state.active.is_some() && state.hosts.values().any(|host| !host.parked);
    due.then(|| state.curriculum_asked_at.map_or(0, |at| at + pause_ms))
}

impl Turn<'_> {
    pub(super) fn ask_curriculum(&mut self) {
        if due_at(self.state).is_none_or(|due| self.now < due) {
            return;
        }
        let state = &*self.state;
        let hosts: Vec<String> = state.hosts.keys().cloned().collect();
        let context = CurriculumContext {
            frame: self.frame(PolicyKind::Curriculum),
            budget: state.settings.curriculum_pending_max - state.index.pending(Lane::Curriculum),
            pending_queue: state.index.pending(Lane::Queue),
            pending_curriculum: state.index.pending(Lane::Curriculum),
            skills: hosts.iter().map(|host| self.skill(host)).collect(),
            hosts,
        };
        let hosts = context.hosts.clone();
        // Nothing about it comes back in the same shape, so each question is drawn anew.
        let sticky = StickyKey::Turn(self.state.next.decision + 1);
        let decision = self.decide(Subject::Curriculum, sticky, Context::Curriculum(context));
        match &decision.ruling.verdict {
            Verdict::Curriculum(CurriculumVerdict::Plant(seeds)) => {
                for seed in seeds {
                    let host = hosts[seed.host as usize].clone();
                    let new = NewSource {
                        title: format!("Practise {host}"),
                        body: String::new(),
                        host: Some(host),
                        lane: Lane::Curriculum,
                        origin: Origin::Curriculum,
                        priority: 0,
                        params: Some(TrainingParams {
                            steps: seed.steps,
                            learning_rate: seed.learning_rate,
                            replay_share: seed.replay_share,
                        }),
                    };
                    let source = pointsman_model::SourceId(self.state.next.source + 1);
                    self.emit(Event::SourceQueued {
                        source,
                        new,
                        decision: Some(decision.id),
                    });
                }
            }
            Verdict::Curriculum(CurriculumVerdict::Park(parked)) => {
                let hosts = parked.iter().map(|host| hosts[*host as usize].clone()).collect();
                self.emit(Event::HostsParked {
                    hosts,
                    decision: decision.id,
                });
            }
            Verdict::Curriculum(CurriculumVerdict::Nothing) => {}
            other => unreachable!("a checked answer to a curriculum question is a curriculum verdict, not {other:?}"),
        }
    }

    fn skill(&self, host: &str) -> Skill {
        let Some(record) = self.state.hosts.get(host) else {
            return Skill::default();
        };
        Skill {
            tries: record.successes + record.failures,
            successes: record.successes,
            failures: record.failures,
            pending: self.state.index.pending_of_host(host),
            loss: record.loss_active,
            loss_before: record.loss_before,
            loss_after: record.loss_after,
            progress: record.progress,
            stale_s: record.picked_at.map(|at| seconds(self.now.saturating_sub(at))),
            parked: record.parked,
        }
    }
}
