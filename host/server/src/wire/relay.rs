//! Shapes of the way from a queued source to what standard requests get of it: relay, learning memory, sinks.

use super::{Coverage, RecentOutcomes, ViewStamp};
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

/// `GET /api/v1/relay`: the four steps, and whether each keeps up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Relay {
    pub view: ViewStamp,
    /// healthy; degraded where a step is over its limit
    pub status: String,
    pub status_label: String,
    /// Which step is over its limit, and by how much; empty where none is.
    pub reason: String,
    /// Queue Intake, Training Execution, Learning Ingest, Standard Task Reuse.
    pub steps: Vec<RelayStep>,
    pub pulse: RelayPulse,
    /// Sources of both lanes that were done or given up within 30 minutes.
    pub sources_consumed_30m: u64,
    /// Outcomes that got into the learning memory within 30 minutes.
    pub records_ingested_30m: u64,
    /// Outcomes that are committed and not in the learning memory yet.
    pub ingest_backlog: u64,
    /// Beyond it evaluations wait: the setting ingest_lag_max.
    pub ingest_lag_max: u32,
    /// The gate waits for the learning memory; none where it does not.
    pub gate_blocked: Option<GateWait>,
    pub latest_success: Option<LatestSuccess>,
    pub trace_coverage: Coverage,
    pub recent: RecentOutcomes,
    /// False where so much happened that only the newest million entries were counted: then the 30-minute figures are the least it can be.
    pub counted_whole: bool,
}

/// One step of the relay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct RelayStep {
    /// intake, execution, ingest, reuse
    pub slug: String,
    pub label: String,
    /// idle, active, waiting, stopped, degraded
    pub state: String,
    pub state_label: String,
    /// What it did within 30 minutes.
    pub count_30m: u64,
    /// What is counted.
    pub counted: String,
    /// What waits for it.
    pub backlog: u64,
    /// How far it is behind, in `lag_unit`.
    pub lag: u64,
    /// Above it the step is degraded; none where it has no limit of its own.
    pub lag_max: Option<u64>,
    /// ms, outcomes, successes
    pub lag_unit: String,
    /// Number of the newest that it dealt with: a source, a run; the model's tag at the last step.
    pub latest_id: Option<String>,
    /// When it did.
    pub latest_at: Option<u64>,
    pub detail: String,
}

/// Queue pressure, use of capacity and the model's momentum at a glance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct RelayPulse {
    /// Sources of both lanes that wait to be run.
    pub queue_pending: u64,
    /// Training runs under way.
    pub training_running: u32,
    /// Most training runs at a time, as the slots allow.
    pub training_cap: u32,
    /// The first of the second in percent; none without a cap.
    pub utilisation_percent: Option<f64>,
    /// Runs under way that are not training: evaluations, canaries, manual runs.
    pub other_running: u32,
    /// Successes since the last evaluation.
    pub window_done: u64,
    /// Successes that make the next one due: the setting promotion_window.
    pub window_size: u64,
    /// Times that a model went live in place of another.
    pub live_applies: u64,
    /// Tag of the model that answers standard requests.
    pub standard_model: Option<String>,
    /// When another model went live last.
    pub last_model_switch: Option<u64>,
}

/// A gate that is not asked, since the learning memory is too far behind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct GateWait {
    pub candidate: String,
    /// evaluate, canary
    pub stage: String,
    pub reason: String,
    /// Since when it waits.
    pub since: u64,
    /// It is looked at again then, or as soon as the memory has caught up.
    pub retry_at: u64,
}

/// The newest training run that ended well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct LatestSuccess {
    /// Number of the run.
    pub run: u64,
    /// Number of its source.
    pub source: u64,
    pub title: String,
    pub host: Option<String>,
    /// When it ended.
    pub at: u64,
}

/// `GET /api/v1/memory`: how far the learning memory is, and records of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct MemoryAnswer {
    pub view: ViewStamp,
    pub status: MemoryStatus,
    /// Records with all of the words, best first; the newest where none were asked for.
    pub records: Vec<MemoryRecord>,
}

/// How far the learning memory is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct MemoryStatus {
    /// starting, ready, catching_up, rebuilding, failing
    pub state: String,
    pub state_label: String,
    /// Why outcomes do not get into it; none where they do.
    pub problem: Option<String>,
    /// Why this host process built it anew; none where it did not.
    pub rebuilt_because: Option<String>,
    /// How far the journal has been read; entries without an outcome move it now and then only.
    pub cursor: u64,
    /// Outcomes ingested so far, also those of which the record is not kept any more.
    pub outcomes: u64,
    /// Records of runs that ended well.
    pub successes: u64,
    /// Records of runs that failed.
    pub failures: u64,
    /// Outcomes that are committed and not ingested.
    pub backlog: u64,
    /// Outcomes that got in within 30 minutes.
    pub ingested_30m: u64,
    /// Number of the newest outcome's run.
    pub latest_run: Option<u64>,
    /// When that run ended.
    pub latest_at: Option<u64>,
    /// Size of its file.
    pub bytes: u64,
}

/// What is remembered of one outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct MemoryRecord {
    /// Number of the run; each has one outcome.
    pub run: u64,
    /// Number of its source.
    pub source: u64,
    pub title: String,
    pub host: Option<String>,
    pub success: bool,
    /// What came of it, in a sentence.
    pub summary: String,
    /// The beginning of the source's text.
    pub text: String,
    /// When the run ended.
    pub at: u64,
}

/// What a run was given of the learning memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct JobMemory {
    /// Records in all slots.
    pub items: u64,
    /// Slots that hold something, in percent of those that might; none without any slot.
    pub coverage_percent: Option<f64>,
    pub slots: Vec<JobMemorySlot>,
    /// slot_underfilled:SLOT where less was found than half of what there was room for; memory_unavailable where nothing could be asked
    pub gaps: Vec<String>,
}

/// One slot of what a run was given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct JobMemorySlot {
    /// same_host, similar, failures
    pub slot: String,
    pub label: String,
    /// Characters that it might hold: a setting.
    pub budget_chars: u32,
    /// Characters that it holds.
    pub used_chars: u32,
    pub items: Vec<JobMemoryItem>,
}

/// One record as a run was given it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct JobMemoryItem {
    /// Number of the run that it is the outcome of.
    pub run: u64,
    /// Number of that run's source.
    pub source: u64,
    pub title: String,
    pub host: Option<String>,
    pub success: bool,
    pub summary: String,
    /// Characters of text that were given.
    pub text_chars: u64,
    /// Whether the text was cut to the room there was.
    pub cut: bool,
}

/// `GET /api/v1/sinks`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct SinkList {
    pub view: ViewStamp,
    pub sinks: Vec<SinkCard>,
}

/// A webhook or a file that entries of the journal are sent to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct SinkCard {
    pub name: String,
    /// webhook, jsonl
    pub kind: String,
    /// Its address without the query, or its file.
    pub target: String,
    /// Kinds of entries that it is sent; empty for all.
    pub events: Vec<String>,
    /// starting, idle, delivering, retrying
    pub state: String,
    pub state_label: String,
    /// All entries up to here have been delivered or are of no interest.
    pub cursor: u64,
    /// Entries that are not delivered yet.
    pub lag: u64,
    /// There may be more than that: only so many were counted.
    pub lag_is_more: bool,
    /// Entries delivered by this host process.
    pub delivered: u64,
    /// When something was delivered last.
    pub last_at: Option<u64>,
    /// Failed deliveries in a row.
    pub failures: u32,
    /// Why the last one failed.
    pub problem: Option<String>,
    /// When it is tried again.
    pub next_try_at: Option<u64>,
}
