//! Queue, lanes, campaigns and capacity, as the API tells them.

use super::{Alert, DecisionRow, Problem, SourceRow};
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

/// Slots and what is in them. What is wanted and what is are apart: a stopped loop drains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Capacity {
    /// What was asked for: started, stopped
    pub desired: String,
    /// What is: running, stopped, draining
    pub actual: String,
    /// Who asked for it, why, and since when; no time where nobody ever did.
    pub by: String,
    pub reason: String,
    pub since: Option<u64>,
    /// Setting: most training runs.
    pub training_max: u32,
    /// Setting: most runs of all classes.
    pub global_max: u32,
    /// Setting: slots of these that evaluations and canaries alone may take.
    pub reserved_slots: u32,
    /// `global_max` less `reserved_slots`.
    pub training_ceiling: u32,
    /// Most training runs: the lesser of `training_max` and `training_ceiling`.
    pub training_cap: u32,
    /// Training runs that may start now.
    pub training_free: u32,
    /// Runs under way of each class.
    pub training: u32,
    pub eval: u32,
    pub canary: u32,
    pub manual: u32,
    /// All of them, and all but training.
    pub total: u32,
    pub non_training: u32,
    /// Why the total may be above the training cap, and what the cap is the lesser of, in one sentence.
    pub explanation: String,
}

/// The headline of queue and lanes; the page computes none of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct QueueCard {
    pub queue: LaneCard,
    pub curriculum: LaneCard,
    /// Distinct hosts among what is pending.
    pub pending_hosts: u32,
    /// Those of both lanes that wait for another attempt, and those that wait for a person.
    pub waiting: u32,
    pub disabled: u32,
    /// hybrid, queued_only, automatic_only
    pub lane_mode: String,
    pub lane_mode_label: String,
    /// The value that the coordinator works with.
    pub curriculum_fallback: bool,
    /// What the fallback does now, in one sentence.
    pub fallback_text: String,
    pub campaign_lock: bool,
    pub lock: Option<LockCard>,
    /// How hosts are chosen, in one sentence.
    pub host_policy: String,
    pub same_host_cap: u32,
    pub recent_host_window: u32,
    pub recent_hosts: Vec<String>,
    /// none, queue_pending, curriculum_fallback: where the newest training run under way comes from
    pub selection_mode: String,
    /// Training runs under way, newest first.
    pub now: Vec<NowRow>,
    /// Why nothing runs and nothing is eligible; none where something does or is.
    pub idle_reason: Option<String>,
    /// Lane mode, loop and selection mode, in one sentence.
    pub sentence: String,
    /// Share of what is pending in the queue that came from the page, in one sentence.
    pub ui_share: String,
    pub campaigns_open: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct LaneCard {
    /// Pending and waiting sources, and of these by the door they came in.
    pub pending: u32,
    pub ui: u32,
    pub other: u32,
    pub origins: Vec<OriginCount>,
    /// Whether sources of this lane may be picked now.
    pub open: bool,
    /// The oldest one that is pending, and since when.
    pub oldest: Option<u64>,
    pub oldest_queued_at: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct OriginCount {
    pub origin: String,
    pub pending: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct LockCard {
    /// host, campaign
    pub key: String,
    pub value: String,
    /// The campaign whose end releases it; none where a person holds it.
    pub holder: Option<u64>,
    pub since: u64,
    pub by: String,
    pub reason: String,
}

/// A source that is executing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct NowRow {
    pub run: u64,
    pub source: u64,
    pub title: String,
    pub host: Option<String>,
    pub lane: String,
    pub origin: String,
    pub campaign: Option<u64>,
    pub class: String,
    pub attempt: u32,
    pub since: u64,
}

/// `GET /api/v1/campaigns/{id}`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct CampaignRow {
    pub id: u64,
    /// `c-3`
    pub name: String,
    pub title: String,
    pub host: Option<String>,
    pub lane: String,
    pub total: u32,
    pub done: u32,
    /// Of `total`, in percent.
    pub percent: f64,
    pub queued: u32,
    pub running: u32,
    /// Given up or disabled.
    pub failed: u32,
    pub cancelled: u32,
    /// queued, running, cancelled, ended
    pub state: String,
    pub first_source: u64,
    pub queued_at: u64,
    pub started_at: Option<u64>,
    pub finished_at: Option<u64>,
    pub by: String,
    pub reason: String,
    pub cancelled_by: Option<String>,
    pub cancel_reason: Option<String>,
    pub holds_lock: bool,
}

/// `GET /api/v1/campaigns`, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct CampaignList {
    pub campaigns: Vec<CampaignRow>,
    pub next_cursor: Option<String>,
}

/// `GET /api/v1/queue`: the headline, and where outcomes are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct QueueSummary {
    pub at: u64,
    pub queue: QueueCard,
    pub capacity: Capacity,
    pub outcomes: OutcomeStorage,
    pub alerts: Vec<Alert>,
}

/// Outcomes are appended and never rewritten.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct OutcomeStorage {
    /// ok, read_only
    pub status: String,
    pub outcomes: u64,
    pub entries: u64,
    pub bytes: u64,
}

/// `GET /api/v1/sources/next`: the live question on the live state, asked without anything following from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct NextPick {
    pub at: u64,
    /// none, queue_pending, curriculum_fallback
    pub selection_mode: String,
    /// Whether it would be picked at this moment; what stands in the way is in `holds`.
    pub now: bool,
    pub holds: Vec<Excluded>,
    /// What the policy picks, best first.
    pub picks: Vec<NextCandidate>,
    /// The others that it was asked about.
    pub others: Vec<NextCandidate>,
    /// Eligible, and not in the question.
    pub left_out: u32,
    /// Not eligible, by the rule that keeps them out.
    pub excluded: Vec<Excluded>,
    /// The decision as it would be recorded; none where nothing is eligible.
    pub decision: Option<DecisionRow>,
    /// The source that was asked about.
    pub about: Option<WhyNot>,
    /// The whole in one sentence.
    pub sentence: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct NextCandidate {
    pub source: u64,
    pub title: String,
    pub host: Option<String>,
    pub lane: String,
    pub origin: String,
    pub campaign: Option<String>,
    pub age_s: f64,
    pub attempts: u32,
    pub priority: i32,
    /// What the policy gave it, and what that is the sum of.
    pub score: Option<f64>,
    pub terms: Vec<ScoreTerm>,
    /// Rules of the policy that kept it out.
    pub blocked: Vec<String>,
    /// Chance of being drawn, where the policy leaves the pick to chance.
    pub chance: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct ScoreTerm {
    pub name: String,
    pub value: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Excluded {
    pub code: String,
    /// Sources that it keeps out; none where it is all of them, for the time being.
    pub sources: Option<u32>,
    pub text: String,
    pub fix: Option<String>,
}

/// Why one source is not picked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct WhyNot {
    pub source: u64,
    pub picked: bool,
    /// It is among those that the policy is asked about.
    pub candidate: bool,
    pub reasons: Vec<Excluded>,
}

/// `GET /api/v1/sources/{id}`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct SourceDetail {
    pub row: SourceRow,
    pub body: String,
    /// Tells it apart from every other row: `c-3/12`.
    pub marker: Option<String>,
    pub runs: Vec<u64>,
}

/// One line of the answer to `POST /api/v1/sources/import`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImportLine {
    /// First: the name under which a repeat goes on.
    Started {
        nonce: String,
    },
    Progress(ImportProgress),
    /// A line that was not taken.
    Refused(RefusedLine),
    /// Last, where the whole file was read.
    Report(ImportReport),
    /// Last, where it was not: what came before stands.
    Problem(Box<Problem>),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct ImportProgress {
    pub lines: u64,
    pub bytes: u64,
    pub queued: u64,
    pub known: u64,
    pub refused: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct RefusedLine {
    /// From 1.
    pub line: u64,
    /// Empty where the line as a whole is wrong.
    pub field: String,
    pub problem: String,
    pub fix: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct ImportReport {
    pub nonce: String,
    pub lines: u64,
    pub bytes: u64,
    /// Sources that are new.
    pub queued: u64,
    /// Lines that were taken by an earlier try of the same import.
    pub known: u64,
    /// Lines that were not taken; each was told on a line of its own.
    pub refused: u64,
    /// Empty ones.
    pub blank: u64,
}
