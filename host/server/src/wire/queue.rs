//! Queue, lanes, campaigns and capacity, as the API tells them.

use super::{Alert, Ceiling, DecisionRow, Problem, SourceRow};
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
    /// When it was asked for; none where nobody ever did.
    pub since: Option<u64>,
    /// Most training runs, and what that follows from.
    pub ceiling: Ceiling,
    /// Training runs that may start now.
    pub training_free: u32,
    /// Runs under way of each class.
    pub training: u32,
    /// Evaluations under way.
    pub eval: u32,
    /// Canaries under way.
    pub canary: u32,
    /// Runs under way that a person began.
    pub manual: u32,
    /// All of them, and all but training.
    pub total: u32,
    /// Runs under way of all classes but training.
    pub non_training: u32,
    /// Why the total may be above the training ceiling, in words.
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
    /// Sources that wait for a person.
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
    /// Setting: most runs of one host at a time.
    pub same_host_cap: u32,
    /// Setting: picks for which a host counts as lately picked.
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
    /// Campaigns with sources that have not ended.
    pub campaigns_open: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct LaneCard {
    /// Pending and waiting sources, and of these by the door they came in.
    pub pending: u32,
    /// Those that the page queued.
    pub ui: u32,
    /// Those that came in otherwise than by the page.
    pub other: u32,
    pub origins: Vec<OriginCount>,
    /// Whether sources of this lane may be picked now.
    pub open: bool,
    /// The oldest one that is pending, and since when.
    pub oldest: Option<u64>,
    /// When the oldest pending one was queued.
    pub oldest_queued_at: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct OriginCount {
    pub origin: String,
    /// Pending and waiting sources that came in this way.
    pub pending: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct LockCard {
    /// host, campaign
    pub key: String,
    pub value: String,
    /// The campaign whose end releases it; none where a person holds it.
    pub holder: Option<u64>,
    /// When it was taken.
    pub since: u64,
    pub by: String,
    pub reason: String,
}

/// A source that is executing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct NowRow {
    /// Its number.
    pub run: u64,
    /// What it trains on.
    pub source: u64,
    pub title: String,
    pub host: Option<String>,
    pub lane: String,
    pub origin: String,
    /// The campaign that its source belongs to.
    pub campaign: Option<u64>,
    pub class: String,
    /// Which attempt of its source it is.
    pub attempt: u32,
    /// When it began.
    pub since: u64,
}

/// `GET /api/v1/campaigns/{id}`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct CampaignRow {
    /// Its number.
    pub id: u64,
    /// `c-3`
    pub name: String,
    pub title: String,
    pub host: Option<String>,
    pub lane: String,
    /// Sources that it was queued with.
    pub total: u32,
    /// Sources that succeeded.
    pub done: u32,
    /// Of `total`, in percent.
    pub percent: f64,
    /// Sources that wait.
    pub queued: u32,
    /// Sources that run.
    pub running: u32,
    /// Given up or disabled.
    pub failed: u32,
    /// Sources that were taken out before they ran to an end.
    pub cancelled: u32,
    /// queued, running, cancelled, ended
    pub state: String,
    /// Number of its first source; the others follow it.
    pub first_source: u64,
    /// When it was queued.
    pub queued_at: u64,
    /// When its first run began; none before.
    pub started_at: Option<u64>,
    /// When its last source ended; none while some are open.
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
    /// Server time at which it was read.
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
    /// Runs whose outcome is kept.
    pub outcomes: u64,
    /// Entries of the journal.
    pub entries: u64,
    /// Size of the journal on disk.
    pub bytes: u64,
}

/// `GET /api/v1/sources/next`: the live question on the live state, asked without anything following from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct NextPick {
    /// Server time at which it was asked.
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
    /// Its number.
    pub source: u64,
    pub title: String,
    pub host: Option<String>,
    pub lane: String,
    pub origin: String,
    pub campaign: Option<String>,
    /// Seconds since it was queued.
    pub age_s: f64,
    /// Attempts made so far.
    pub attempts: u32,
    /// Higher is earlier, if the policy heeds it.
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
    /// What it adds to the score.
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
    /// The source that was asked about.
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
    /// Lines that were read.
    pub lines: u64,
    /// Bytes of the file that were read.
    pub bytes: u64,
    /// Sources that are new.
    pub queued: u64,
    /// Lines that an earlier try of the same import took.
    pub known: u64,
    /// Lines that were not taken.
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
    /// Lines of the file.
    pub lines: u64,
    /// Bytes of the file.
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
