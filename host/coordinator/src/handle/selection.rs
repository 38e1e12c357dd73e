//! What runs next.

use super::{Turn, frame};
use crate::guards::Guards;
use crate::input::StickyKey;
use crate::state::{Only, State};
use pointsman_model::context::{Context, HostLoad, SelectionContext, SourceCandidate};
use pointsman_model::decision::{SelectionVerdict, Subject, Verdict};
use pointsman_model::policy::PolicyKind;
use pointsman_model::run::{RunClass, Work};
use pointsman_model::source::{Lane, Source, TrainingParams};
use pointsman_model::{DecisionId, Millis, SourceId};
use std::collections::BTreeMap;

/// After "idle", selection is asked again when something changes, or after this long.
pub(crate) const IDLE_RETRY_MS: Millis = 10_000;

/// Hosts that a run replays from.
const REPLAY_HOSTS_MAX: usize = 256;

/// Candidates in one question. More make a decision dearer and hardly better, since each host has its turn in the list.
const SHORTLIST_MAX: usize = 64;

impl Turn<'_> {
    pub(super) fn select_sources(&mut self) {
        // Each round plans at least one run or ends the loop, and slots are few.
        while self.state.active.is_some() && self.state.training_free() > 0 && !self.selection_idle() && !self.too_soon() {
            let Some(Question { context, ids }) = Question::of(self.state, self.now, self.state.training_free()) else {
                return;
            };
            let sticky = sticky_key(&context);
            let decision = self.decide(Subject::Selection, sticky, Context::Selection(context));
            match &decision.ruling.verdict {
                Verdict::Selection(SelectionVerdict::Pick(picks)) => {
                    for pick in picks {
                        self.plan_training(ids[*pick as usize], RunClass::Training, Some(decision.id));
                    }
                }
                Verdict::Selection(SelectionVerdict::Idle) => return,
                other => unreachable!("a checked answer to a selection question is a selection verdict, not {other:?}"),
            }
        }
    }

    fn selection_idle(&self) -> bool {
        self.state
            .selection_idle_since
            .is_some_and(|since| self.now < since + IDLE_RETRY_MS)
    }

    fn too_soon(&self) -> bool {
        pick_not_before(self.state).is_some_and(|at| self.now < at)
    }

    pub(super) fn plan_training(&mut self, id: SourceId, class: RunClass, decision: Option<DecisionId>) {
        let Some(source) = self.state.sources.get(&id) else { return };
        let settings = &self.state.settings;
        let params = source.params.clone().unwrap_or(TrainingParams {
            steps: settings.default_steps,
            learning_rate: settings.default_learning_rate,
            replay_share: settings.default_replay_share,
        });
        let base = self.state.line.clone();
        let learnt = base.as_ref().and_then(|base| self.state.models.get(base));
        let learnt = learnt.map(|model| model.hosts.as_slice()).unwrap_or_default();
        let others = learnt.iter().filter(|host| Some(*host) != source.host.as_ref());
        // The latest that were learnt: a list of thousands would be most of the run's entry, and no batch holds so many.
        let skipped = learnt.len().saturating_sub(REPLAY_HOSTS_MAX);
        let replay_hosts = others.skip(skipped).cloned().collect();
        let work = Work::Train {
            source: id,
            host: source.host.clone(),
            params,
            replay_hosts,
        };
        let (title, attempt) = (source.title.clone(), source.attempts + 1);
        self.plan_run(class, title, attempt, work, base, decision);
    }
}

/// When the next pick may come by the loop's interval; none where there is no interval or was no pick.
pub(crate) fn pick_not_before(state: &State) -> Option<Millis> {
    let interval_ms = Millis::from(state.settings.loop_interval_s) * 1000;
    state.picked_at.filter(|_| interval_ms > 0).map(|at| at + interval_ms)
}

/// What selection is asked, with the ids behind its candidates.
pub(super) struct Question {
    pub(super) context: SelectionContext,
    pub(super) ids: Vec<SourceId>,
}

impl Question {
    /// None where nothing is eligible. A look at the state alone, so that it can be asked for a preview, too.
    pub(super) fn of(state: &State, now: Millis, free: u32) -> Option<Question> {
        let room_of_host = room_of_host(state);
        let room = |host: &str| host.is_empty() || state.index.running_of_host(host) < room_of_host;
        let mut ids = Vec::new();
        let mut left_out = 0;
        for lane in Lane::ALL {
            if !state.lane_open(lane, now) {
                continue;
            }
            let (found, more) = match state.locked_to() {
                // In strict order: no more than may run now, so that the order is the same whatever the policy prefers.
                Some(only) => {
                    let room = match only {
                        Only::Host(host) => room_of_host.saturating_sub(state.index.running_of_host(host)).min(free),
                        Only::Campaign { .. } => free,
                    };
                    state
                        .index
                        .shortlist_of(only, lane, now, (room as usize).saturating_sub(ids.len()), &state.sources)
                }
                None => state.index.shortlist(lane, now, SHORTLIST_MAX - ids.len(), room),
            };
            ids.extend(found);
            left_out += more;
        }
        if ids.is_empty() {
            return None;
        }
        let sources: Vec<&Source> = ids.iter().filter_map(|id| state.sources.get(id)).collect();
        let hosts = Table::of(
            sources
                .iter()
                .filter_map(|source| source.host.as_deref())
                .chain(state.recent_hosts.iter().map(String::as_str).filter(|host| !host.is_empty())),
        );
        let names: Vec<Option<String>> = sources
            .iter()
            .map(|source| source.campaign.map(|row| row.campaign.name()))
            .collect();
        let campaigns = Table::of(names.iter().flatten().map(String::as_str));
        let candidates = sources.iter().zip(&names).map(|(source, campaign)| SourceCandidate {
            campaign: campaign.as_deref().and_then(|name| campaigns.index.get(name).copied()),
            ..candidate(state, now, source, &hosts)
        });
        let recent = state.recent_hosts.iter().take(state.settings.recent_host_window as usize);
        let lock = match state.locked_to() {
            Some(Only::Host(host)) => hosts.index.get(host).copied(),
            Some(Only::Campaign { .. }) | None => None,
        };
        let context = SelectionContext {
            frame: frame(state, now, PolicyKind::SourceSelection),
            free,
            lane_mode: state.settings.lane_mode,
            curriculum_fallback: state.settings.curriculum_fallback,
            lock,
            same_host_cap: state.settings.same_host_cap,
            candidates: candidates.collect(),
            host_loads: hosts.names.iter().map(|host| host_load(state, now, host)).collect(),
            recent_hosts: recent.filter_map(|host| hosts.index.get(host.as_str()).copied()).collect(),
            hosts: hosts.names,
            campaigns: campaigns.names,
            left_out,
        };
        Some(Question { context, ids })
    }
}

/// Runs that a host may have. A host at the guard's bound is not offered: a policy that picked it would only be refused.
pub(super) fn room_of_host(state: &State) -> u32 {
    let cap = state.settings.same_host_cap;
    Guards::of(&state.settings).runs_per_host().map_or(cap, |guard| guard.min(cap))
}

fn candidate(state: &State, now: Millis, source: &Source, hosts: &Table) -> SourceCandidate {
    SourceCandidate {
        id: source.id.0,
        lane: source.lane,
        origin: source.origin,
        host: source.host.as_deref().and_then(|host| hosts.index.get(host).copied()),
        campaign: None,
        row: source.campaign.map_or(0, |campaign| campaign.row),
        age_s: seconds(now.saturating_sub(source.queued_at)),
        attempts: source.attempts,
        failures: source.failures,
        difficulty: source.host.as_ref().and_then(|host| state.hosts.get(host)).map_or(0.5, difficulty),
        priority: source.priority,
    }
}

fn host_load(state: &State, now: Millis, host: &str) -> HostLoad {
    let record = state.hosts.get(host);
    HostLoad {
        running: state.index.running_of_host(host),
        pending: state.index.pending_of_host(host),
        successes: record.map_or(0, |record| record.successes),
        failures: record.map_or(0, |record| record.failures),
        since_picked_s: record.and_then(|record| record.picked_at).map(|at| seconds(now.saturating_sub(at))),
    }
}

/// The host that holds the lock, or else the oldest source: while it waits, its question stays on one side of a canary.
pub(super) fn sticky_key(context: &SelectionContext) -> StickyKey {
    let locked = context.lock.and_then(|host| context.hosts.get(host as usize));
    match locked {
        Some(host) => StickyKey::Host(host.clone()),
        None => StickyKey::Source(context.candidates.iter().map(|candidate| candidate.id).min().unwrap_or(0)),
    }
}

/// Names, each once, by their place.
struct Table {
    names: Vec<String>,
    index: BTreeMap<String, u32>,
}

impl Table {
    fn of<'n>(names: impl Iterator<Item = &'n str>) -> Table {
        let mut table = Table {
            names: Vec::new(),
            index: BTreeMap::new(),
        };
        for name in names {
            if !table.index.contains_key(name) {
                table.index.insert(name.to_string(), table.names.len() as u32);
                table.names.push(name.to_string());
            }
        }
        table
    }
}

/// How hard a host's sources are to get through: failures among tries, drawn towards one half while tries are few.
fn difficulty(record: &crate::state::HostRecord) -> f64 {
    (f64::from(record.failures) + 1.0) / (f64::from(record.failures) + f64::from(record.successes) + 2.0)
}

pub(super) fn seconds(ms: Millis) -> f64 {
    ms as f64 / 1000.0
}
