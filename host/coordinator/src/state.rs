//! The state and the one place where it changes.

mod apply;
pub(crate) use apply::{error_digest, gate_stage};
mod browse;
mod campaigns;
mod index;
mod policies;
mod retention;
mod window;

pub use browse::{Browse, BrowseFilter, STATE_LIST_MAX};
pub use campaigns::*;
pub use index::{Index, Only};
pub use policies::*;
pub use retention::{KeptFor, Retained, prune_plan};
pub use window::{SUCCESS_TIMES_MAX, WindowRecord};

use pointsman_model::policy::PolicyKind;
use pointsman_model::promotion::{Candidate, EndedCandidate, Model};
use pointsman_model::run::{FailureCounts, Run, RunClass};
use pointsman_model::settings::{LaneMode, Settings, SettingsPreset};
use pointsman_model::source::{Lane, Lock, LockKey, Source};
use pointsman_model::{CampaignId, Millis, ModelTag, RunId, SourceId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Everything the coordinator knows: a fold of the journal, and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Starts of the host so far.
    pub term: u32,
    pub last_at: Millis,
    pub settings: Settings,
    pub presets: BTreeMap<String, Preset>,
    pub training: Training,
    pub next: NextIds,
    /// Sources that are not done: pending, waiting, running or disabled.
    pub sources: BTreeMap<SourceId, Source>,
    /// Campaigns under way, and the latest of those that are over.
    pub campaigns: BTreeMap<CampaignId, Campaign>,
    /// Those of which the end is not in the journal yet, and of these the ones of which nothing waits or runs any more.
    pub open_campaigns: BTreeSet<CampaignId>,
    pub emptied_campaigns: BTreeSet<CampaignId>,
    pub lock: Option<Lock>,
    /// What was taken of which import.
    pub imports: BTreeMap<String, ImportRecord>,
    /// When selection last picked.
    pub picked_at: Option<Millis>,
    /// Runs that are wanted or under way.
    pub runs: BTreeMap<RunId, Run>,
    pub hosts: BTreeMap<String, HostRecord>,
    /// Hosts of the last picks, latest first.
    pub recent_hosts: VecDeque<String>,
    pub models: BTreeMap<ModelTag, Model>,
    /// Those that somebody keeps.
    pub model_pins: BTreeMap<ModelTag, Pin>,
    /// Newest model that training continues from.
    pub line: Option<ModelTag>,
    /// Model that answers standard requests, and the one before it.
    pub active: Option<ModelTag>,
    pub active_since: Millis,
    pub previous: Option<ModelTag>,
    pub candidate: Option<Candidate>,
    /// The latest candidate of which the way is over.
    pub ended_candidate: Option<EndedCandidate>,
    /// Failed attempts at the very first model, and when the next one may start.
    pub bootstrap: BootstrapRecord,
    pub totals: Totals,
    /// The latest outcomes, latest last; at most [`RECENT_OUTCOMES_MAX`].
    pub recent_outcomes: VecDeque<bool>,
    /// Success total already consumed by evaluations.
    pub watermark: u64,
    pub window: WindowRecord,
    pub policies: BTreeMap<PolicyKind, PolicySlot>,
    /// Selection said "idle" at this time, and nothing that matters to it has happened since.
    pub selection_idle_since: Option<Millis>,
    pub curriculum_asked_at: Option<Millis>,
    /// It said "nothing", and no run has ended since.
    pub curriculum_resting: bool,
    /// Lookups by lane, host and time; rebuilt, never stored.
    #[serde(skip)]
    pub index: Index,
}

/// Outcomes that the rolling success rate looks back upon.
pub const RECENT_OUTCOMES_MAX: usize = 100;
/// Picks of which the host is remembered; the setting's upper bound.
pub const RECENT_HOSTS_MAX: usize = 64;

/// The automatic loop: what is wanted, by whom and why.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Training {
    pub enabled: bool,
    pub actor: String,
    pub reason: String,
    pub since: Option<Millis>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextIds {
    pub source: u64,
    pub campaign: u64,
    pub run: u64,
    pub decision: u64,
    pub model: u64,
    pub policy_set: u64,
}

/// Values of settings that are kept under a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preset {
    pub values: SettingsPreset,
    pub actor: String,
    pub saved_at: Millis,
}

/// What is remembered of a host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostRecord {
    pub successes: u32,
    pub failures: u32,
    pub failures_by_class: FailureCounts,
    pub picked_at: Option<Millis>,
    /// Held-out loss of the active model, and of the newest model of the line.
    pub loss_active: Option<f64>,
    pub loss_line: Option<f64>,
    /// Held-out loss around the latest run on this host.
    pub loss_before: Option<f64>,
    pub loss_after: Option<f64>,
    /// Smoothed fall of the loss per run; negative where practice did harm.
    pub progress: f64,
    pub parked: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootstrapRecord {
    pub failures: u32,
    pub not_before: Millis,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub outcomes: u64,
    pub successes: u64,
    pub failures: u64,
    pub cancelled: u64,
    pub candidates: u64,
    pub live_applies: u64,
    pub rejected: u64,
    pub rolled_back: u64,
    pub decisions: u64,
    pub fallbacks: u64,
    pub swaps: u64,
}

impl State {
    /// A state before the first journal entry.
    pub fn empty() -> State {
        State::default()
    }

    pub fn active_model(&self) -> Option<&Model> {
        self.active.as_ref().and_then(|tag| self.models.get(tag))
    }

    pub fn training_runs(&self) -> u32 {
        self.runs_of(RunClass::Training)
    }

    pub fn runs_of(&self, class: RunClass) -> u32 {
        self.runs.values().filter(|run| run.class == class).count() as u32
    }

    /// Runs that may be planned now outside the reserved slots, which evaluations and canaries alone may take.
    pub fn unreserved_free(&self) -> u32 {
        let all = self.settings.global_max.saturating_sub(self.runs.len() as u32);
        let taken = self.training_runs() + self.runs_of(RunClass::Manual);
        self.settings.training_ceiling().saturating_sub(taken).min(all)
    }

    /// Training runs that may be planned now.
    pub fn training_free(&self) -> u32 {
        self.settings
            .training_cap()
            .saturating_sub(self.training_runs())
            .min(self.unreserved_free())
    }

    /// What the lock holds selection to; none where there is no lock.
    pub fn locked_to(&self) -> Option<Only<'_>> {
        let lock = self.lock.as_ref()?;
        Some(match lock.key {
            LockKey::Host => Only::Host(&lock.value),
            LockKey::Campaign => {
                let id = CampaignId::parse(&lock.value).unwrap_or_default();
                let (first, rows) = self.campaigns.get(&id).map_or((SourceId(0), 0), |found| (found.first, found.rows));
                Only::Campaign { campaign: id, first, rows }
            }
        })
    }

    /// Whether the lane mode lets sources of this lane be picked at all, whatever the lanes hold.
    pub fn lane_allowed(&self, lane: Lane) -> bool {
        match (self.settings.lane_mode, lane) {
            (LaneMode::Hybrid | LaneMode::QueuedOnly, Lane::Queue) | (LaneMode::AutomaticOnly, Lane::Curriculum) => true,
            (LaneMode::QueuedOnly, Lane::Curriculum) | (LaneMode::AutomaticOnly, Lane::Queue) => false,
            (LaneMode::Hybrid, Lane::Curriculum) => self.settings.curriculum_fallback,
        }
    }

    /// Whether sources of this lane may be picked, given what the lanes hold.
    pub fn lane_open(&self, lane: Lane, now: Millis) -> bool {
        match (self.settings.lane_mode, lane) {
            (LaneMode::Hybrid | LaneMode::QueuedOnly, Lane::Queue) | (LaneMode::AutomaticOnly, Lane::Curriculum) => true,
            (LaneMode::QueuedOnly, Lane::Curriculum) | (LaneMode::AutomaticOnly, Lane::Queue) => false,
            (LaneMode::Hybrid, Lane::Curriculum) => self.settings.curriculum_fallback && !self.index.any_ready(Lane::Queue, now),
        }
    }

    pub fn slot(&self, kind: PolicyKind) -> Option<&PolicySlot> {
        self.policies.get(&kind)
    }
}
