//! The public face: state in one hand, commands in, events and wants out.

use crate::handle::Turn;
use crate::port::Policies;
use crate::state::{Index, PolicySlot, State};
use pointsman_model::command::Command;
use pointsman_model::event::{Emitted, Recorded};
use pointsman_model::policy::PolicyKind;
use pointsman_model::promotion::CandidateStage;
use pointsman_model::run::Work;
use pointsman_model::settings::SettingProblem;
use pointsman_model::wants::{Beside, Serving, WantedRun, WantedSource, Wants};
use pointsman_model::{CampaignId, Millis, ModelTag, RunId, SourceId};

/// The thinking part of Pointsman. See the crate's page.
#[derive(Clone, Debug, Default)]
pub struct Coordinator {
    state: State,
}

/// What a command led to. The events are already part of the state; they become true for everybody else once they
/// are in the journal.
#[must_use]
#[derive(Debug)]
pub struct Handled {
    pub reply: Reply,
    pub events: Vec<Emitted>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Done,
    Source(SourceId),
    /// The policy generation that is active now.
    Generation(u32),
    /// The same of several kinds.
    Generations(Vec<(PolicyKind, u32)>),
    Run(RunId),
    Campaign(CampaignId),
    /// The models that were retired.
    Models(Vec<ModelTag>),
    /// Sources that a batch of an import brought; none of them new where it had been taken before.
    Imported {
        queued: u32,
        known: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The command itself is wrong.
    Invalid,
    /// It names something that is not there.
    NotFound,
    /// It does not fit the present state.
    Conflict,
}

/// A command that was refused whole: nothing changed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    pub kind: RefusalKind,
    /// Stable, for scripts.
    pub code: &'static str,
    pub message: String,
    pub fields: Vec<SettingProblem>,
    /// The cure, where there is one.
    pub fix: Option<String>,
}

#[derive(Debug, thiserror::Error)]
#[error("the snapshot cannot be read: {0}")]
pub struct SnapshotError(String);

/// First byte of a snapshot. Raised with every change of the state's shape: an older snapshot is then not read, and
/// the journal is replayed instead.
const SNAPSHOT_LAYOUT: u8 = 7;

impl Coordinator {
    pub fn new() -> Coordinator {
        Coordinator { state: State::empty() }
    }

    /// A coordinator as it was when [`Coordinator::snapshot`] was taken.
    pub fn restore(snapshot: &[u8]) -> Result<Coordinator, SnapshotError> {
        match snapshot.split_first() {
            Some((&SNAPSHOT_LAYOUT, bytes)) => {
                let mut state: State = postcard::from_bytes(bytes).map_err(|error| SnapshotError(error.to_string()))?;
                state.index = Index::of(state.sources.values(), &state.hosts);
                Ok(Coordinator { state })
            }
            Some((layout, _)) => Err(SnapshotError(format!("layout {layout} is not {SNAPSHOT_LAYOUT}"))),
            None => Err(SnapshotError("it is empty".into())),
        }
    }

    pub fn snapshot(&self) -> Vec<u8> {
        postcard::to_extend(&self.state, vec![SNAPSHOT_LAYOUT]).expect("the state is plain data")
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    /// Replays one journal entry.
    pub fn apply_recorded(&mut self, recorded: &Recorded) {
        self.state.apply(recorded.at, &recorded.event);
    }

    /// Takes one command whole, or refuses it whole.
    pub fn handle(&mut self, now: Millis, command: Command, policies: &mut dyn Policies) -> Result<Handled, Refusal> {
        // Time does not run backwards in a journal, whatever the clock does.
        let now = now.max(self.state.last_at);
        let mut turn = Turn::new(&mut self.state, now, policies);
        let reply = turn.command(command)?;
        turn.settle();
        Ok(Handled {
            reply,
            events: turn.into_events(),
        })
    }

    /// What should be true outside, in full.
    pub fn wants(&self) -> Wants {
        let state = &self.state;
        let path = |tag: &ModelTag| state.models.get(tag).map(|model| model.path.clone());
        let runs = state.runs.values().map(|run| WantedRun {
            run: run.clone(),
            base: run.base.as_ref().and_then(path),
            candidate: match &run.work {
                Work::Evaluate { candidate, .. } => path(candidate),
                Work::Bootstrap | Work::Train { .. } => None,
            },
            source: match &run.work {
                Work::Train { source, .. } => state.sources.get(source).map(|source| WantedSource {
                    id: source.id.0,
                    title: source.title.clone(),
                    body: String::new(),
                }),
                Work::Bootstrap | Work::Evaluate { .. } => None,
            },
        });
        Wants {
            runs: runs.collect(),
            serving: self.serving(),
            keep: state.models.values().map(|model| model.path.clone()).collect(),
        }
    }

    fn serving(&self) -> Option<Serving> {
        let state = &self.state;
        let active = state.active_model()?.clone();
        let beside = state.candidate.as_ref().and_then(|candidate| match candidate.stage {
            CandidateStage::Canary { .. } => {
                let model = state.models.get(&candidate.tag)?.clone();
                Some(Beside::Canary {
                    candidate: model,
                    share: state.settings.canary_share,
                })
            }
            CandidateStage::Watching { .. } => {
                let before = state.models.get(&candidate.baseline)?.clone();
                Some(Beside::Watch { before })
            }
            CandidateStage::Evaluating { .. } | CandidateStage::Held { .. } => None,
        });
        Some(Serving { active, beside })
    }

    /// When the next `Tick` should come, strictly after `now`; none while nothing waits for time alone.
    pub fn next_deadline(&self, now: Millis) -> Option<Millis> {
        let state = &self.state;
        let mut deadlines: Vec<Millis> = state.policies.values().filter_map(PolicySlot::confirm_by).collect();
        if state.training.enabled {
            deadlines.extend(state.index.next_due(now));
            if state.active.is_none() {
                deadlines.push(state.bootstrap.not_before);
            }
            deadlines.extend(state.selection_idle_since.map(|since| since + crate::handle::IDLE_RETRY_MS));
            deadlines.extend(crate::handle::pick_not_before(state));
            deadlines.extend(crate::handle::curriculum_due_at(state));
        }
        if let Some(candidate) = &state.candidate
            && let CandidateStage::Evaluating { not_before, .. } = candidate.stage
        {
            deadlines.push(not_before);
        }
        deadlines.into_iter().filter(|deadline| *deadline > now).min()
    }
}
