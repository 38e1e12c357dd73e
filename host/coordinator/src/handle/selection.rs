//! What runs next.

use super::Turn;
use crate::guards::Guards;
use crate::input::StickyKey;
use crate::state::State;
use pointsman_model::context::{Context, HostLoad, SelectionContext, SourceCandidate};
use pointsman_model::decision::{SelectionVerdict, Subject, Verdict};
use pointsman_model::policy::PolicyKind;
use pointsman_model::run::{RunClass, Work};
use pointsman_model::source::{Lane, Source, TrainingParams};
use pointsman_model::{Millis, SourceId};
use std::collections::BTreeMap;

/// After "idle", selection is asked again when something changes, or after this long.
pub(crate) const IDLE_RETRY_MS: Millis = 10_000;

/// Candidates in one question. More make a decision dearer and hardly better, since each host has its turn in the list.
const SHORTLIST_MAX: usize = 64;

impl Turn<'_> {
    pub(super) fn select_sources(&mut self) {
        // Each round plans at least one run or ends the loop, and slots are few.
        while self.state.active.is_some() && self.state.training_free() > 0 && !self.selection_idle() {
            let Some((context, ids)) = self.selection_context() else { return };
            let sticky = sticky_key(&context);
            let decision = self.decide(Subject::Selection, sticky, Context::Selection(context));
            match &decision.ruling.verdict {
                Verdict::Selection(SelectionVerdict::Pick(picks)) => {
                    for pick in picks {
                        self.plan_training(ids[*pick as usize], decision.id);
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

    /// The question, with the ids behind its candidates; none where nothing is eligible.
    fn selection_context(&self) -> Option<(SelectionContext, Vec<SourceId>)> {
        let state = &*self.state;
        let cap = state.settings.same_host_cap;
        // A host at the guard's bound is not offered: a policy that picked it would only be refused.
        let room_of_host = Guards::of(&state.settings).runs_per_host().map_or(cap, |guard| guard.min(cap));
        let room = |host: &str| host.is_empty() || state.index.running_of_host(host) < room_of_host;
        let mut ids = Vec::new();
        let mut left_out = 0;
        for lane in [Lane::Queue, Lane::Curriculum] {
            if state.lane_open(lane, self.now) {
                let (found, more) = state.index.shortlist(lane, self.now, SHORTLIST_MAX - ids.len(), room);
                ids.extend(found);
                left_out += more;
            }
        }
        if ids.is_empty() {
            return None;
        }
        let sources: Vec<&Source> = ids.iter().filter_map(|id| state.sources.get(id)).collect();
        let hosts = HostTable::of(state, &sources);
        let candidates = sources.iter().map(|source| self.candidate(source, &hosts)).collect();
        let recent = state.recent_hosts.iter().take(state.settings.recent_host_window as usize);
        let context = SelectionContext {
            frame: self.frame(PolicyKind::SourceSelection),
            free: state.training_free(),
            lane_mode: state.settings.lane_mode,
            curriculum_fallback: state.settings.curriculum_fallback,
            lock: None,
            same_host_cap: cap,
            host_loads: hosts.names.iter().map(|host| self.host_load(host)).collect(),
            recent_hosts: recent.filter_map(|host| hosts.index.get(host.as_str()).copied()).collect(),
            hosts: hosts.names,
            campaigns: Vec::new(),
            candidates,
            left_out,
        };
        Some((context, ids))
    }

    fn candidate(&self, source: &Source, hosts: &HostTable) -> SourceCandidate {
        SourceCandidate {
            id: source.id.0,
            lane: source.lane,
            origin: source.origin,
            host: source.host.as_deref().and_then(|host| hosts.index.get(host).copied()),
            campaign: None,
            row: source.campaign.as_ref().map_or(0, |campaign| campaign.row),
            age_s: seconds(self.now.saturating_sub(source.queued_at)),
            attempts: source.attempts,
            failures: source.failures,
            difficulty: source
                .host
                .as_ref()
                .and_then(|host| self.state.hosts.get(host))
                .map_or(0.5, difficulty),
            priority: source.priority,
        }
    }

    fn host_load(&self, host: &str) -> HostLoad {
        let record = self.state.hosts.get(host);
        HostLoad {
            running: self.state.index.running_of_host(host),
            pending: self.state.index.pending_of_host(host),
            successes: record.map_or(0, |record| record.successes),
            failures: record.map_or(0, |record| record.failures),
            since_picked_s: record
                .and_then(|record| record.picked_at)
                .map(|at| seconds(self.now.saturating_sub(at))),
        }
    }

    fn plan_training(&mut self, id: SourceId, decision: pointsman_model::DecisionId) {
        let Some(source) = self.state.sources.get(&id) else { return };
        let settings = &self.state.settings;
        let params = source.params.clone().unwrap_or(TrainingParams {
            steps: settings.default_steps,
            learning_rate: settings.default_learning_rate,
            replay_share: settings.default_replay_share,
        });
        let base = self.state.line.clone();
        let learnt = base
            .as_ref()
            .and_then(|base| self.state.models.get(base))
            .map(|model| model.hosts.clone())
            .unwrap_or_default();
        let replay_hosts = learnt.into_iter().filter(|host| Some(host) != source.host.as_ref()).collect();
        let work = Work::Train {
            source: id,
            host: source.host.clone(),
            params,
            replay_hosts,
        };
        let (title, attempt) = (source.title.clone(), source.attempts + 1);
        self.plan_run(RunClass::Training, title, attempt, work, base, Some(decision));
    }
}

/// The host that holds the lock, or else the oldest source: while it waits, its question stays on one side of a canary.
fn sticky_key(context: &SelectionContext) -> StickyKey {
    let locked = context.lock.and_then(|host| context.hosts.get(host as usize));
    match locked {
        Some(host) => StickyKey::Host(host.clone()),
        None => StickyKey::Source(context.candidates.iter().map(|candidate| candidate.id).min().unwrap_or(0)),
    }
}

/// Hosts of the candidates, each once.
struct HostTable {
    names: Vec<String>,
    index: BTreeMap<String, u32>,
}

impl HostTable {
    fn of(state: &State, sources: &[&Source]) -> HostTable {
        let mut table = HostTable {
            names: Vec::new(),
            index: BTreeMap::new(),
        };
        let recent = state.recent_hosts.iter().filter(|host| !host.is_empty());
        for host in sources.iter().filter_map(|source| source.host.as_ref()).chain(recent) {
            if !table.index.contains_key(host) {
                table.index.insert(host.clone(), table.names.len() as u32);
                table.names.push(host.clone());
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
