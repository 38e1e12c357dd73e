//! Shapes of what an operator looks at to see whether all is well: health, live snapshot, improvement, the pipeline.

use super::ViewStamp;
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

/// `GET /api/v1/health`: whether the host works, part by part. The same derivation everywhere it is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct HealthReport {
    pub view: ViewStamp,
    /// The worst of its parts: ok, degraded, down
    pub status: String,
    pub status_label: String,
    /// Sources of both lanes that wait to be run.
    pub queue_depth: u64,
    /// worker, scheduler, model_server, journal
    pub components: Vec<HealthPart>,
}

/// One part of the host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct HealthPart {
    /// worker, scheduler, model_server, journal
    pub slug: String,
    pub label: String,
    /// ok, idle, degraded, down
    pub status: String,
    /// What it does, or what is wrong with it.
    pub text: String,
    /// The cure.
    pub fix: Option<String>,
}

/// `GET /api/v1/snapshot`: whether settings took effect and training goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct LiveSnapshot {
    pub view: ViewStamp,
    pub health: HealthReport,
    pub heartbeat: Heartbeat,
    /// When the journal got its last entry.
    pub last_updated: u64,
    /// none, collecting, eval_due, evaluating, canary, applied, rolled_back, blocked, held
    pub promotion: String,
    pub promotion_label: String,
    /// The newest training run.
    pub latest_cycle: Option<Cycle>,
    /// All successful outcomes so far.
    pub successes: u64,
    /// Successes at which the next evaluation is due: the watermark plus the promotion window.
    pub next_eval_due: u64,
    pub evaluation: EvaluationAttempt,
    pub last_error: Option<LastError>,
    pub oldest_pending: Option<OldestPending>,
    pub trace_coverage: Coverage,
    pub recent: RecentOutcomes,
    pub pipeline: Vec<PipelineStage>,
}

/// The loop's sign of life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Heartbeat {
    /// When the coordinator's loop last turned; none before its first turn.
    pub at: Option<u64>,
    /// Time since then.
    pub age_ms: Option<u64>,
    /// At this age the loop may be stuck.
    pub stale_after_ms: u64,
    pub stale: bool,
}

/// One source, its run and its outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Cycle {
    /// Number of the run.
    pub run: u64,
    /// Number of its source.
    pub source: Option<u64>,
    pub title: String,
    /// queued, warming, running, completed, failed, cancelled
    pub status_slug: String,
    pub status_label: String,
    /// Whether it has ended: completed, failed and cancelled are terminal, queued and running are not.
    pub terminal: bool,
    /// When it reached this status.
    pub at: u64,
}

/// The latest attempt to evaluate a candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct EvaluationAttempt {
    /// When it was planned; none where there was none.
    pub at: Option<u64>,
    /// none, triggered, blocked, completed, failed
    pub result: String,
    /// The gate's words, or why the attempt failed.
    pub reason: String,
    /// The gate's decision.
    pub decision: Option<u64>,
    /// When it is tried again; none where it need not be.
    pub retry_at: Option<u64>,
}

/// The latest thing that went wrong. It need not be a run: a gate that rejects says so here, too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct LastError {
    /// When it went wrong.
    pub at: u64,
    /// run, gate, policy, storage
    pub class: String,
    /// A word for scripts: the failure's class, how the candidate ended, the kind of policy, read_only.
    pub code: String,
    pub text: String,
    /// Number of the run, where it is one that failed.
    pub run: Option<u64>,
    /// Number of the gate's decision, where that is what went wrong.
    pub decision: Option<u64>,
}

/// The source that has waited longest; its age tells of a backlog.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct OldestPending {
    /// Number of the source.
    pub source: u64,
    pub title: String,
    /// When it was submitted.
    pub queued_at: u64,
    /// How long it has waited.
    pub age_ms: u64,
}

/// Share of recent outcomes that left a loss curve or events to look into.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Coverage {
    /// Recent outcomes with a usable trace.
    pub with_trace: u64,
    /// Recent outcomes looked at.
    pub outcomes: u64,
    /// The first as a percentage of the second; none where there are no outcomes.
    pub percent: Option<f64>,
}

/// The rolling success rate, always with its count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct RecentOutcomes {
    /// Successes among them.
    pub successes: u64,
    /// Outcomes in the window.
    pub outcomes: u64,
    /// Most outcomes that the window holds.
    pub window: u64,
    /// The first as a percentage of the second; none where there are no outcomes.
    pub percent: Option<f64>,
}

/// `GET /api/v1/pipeline`: queued, executing, success rate, live applies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct PipelineStrip {
    pub view: ViewStamp,
    pub stages: Vec<PipelineStage>,
}

/// One stage of the way from a source to a live model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct PipelineStage {
    /// queued, executing, success_rate, live_applies
    pub slug: String,
    pub label: String,
    /// The stage's number: sources, runs, recent successes, applies.
    pub count: u64,
    /// The same as it is to be shown: `12`, `80 %`, or `-` where nothing is known yet.
    pub value: String,
    /// One short line under it.
    pub detail: String,
}

/// `GET /api/v1/evidence?since=SEQ`: what has become better since a position of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Evidence {
    pub view: ViewStamp,
    /// The baseline: figures are about the entries after it.
    pub since: u64,
    /// When the baseline's entry was made; none for the journal's beginning.
    pub baseline_at: Option<u64>,
    /// Outcomes of training runs since the baseline, cancelled ones aside.
    pub outcomes_gained: u64,
    /// Successful outcomes since the baseline.
    pub successes_gained: u64,
    /// Models that went live after their evaluation and canary since the baseline.
    pub live_applies_gained: u64,
    /// Times since the baseline at which the model before came back.
    pub rolled_back_gained: u64,
    /// Sources of the operators' queue that were done or given up since the baseline.
    pub queue_consumed: u64,
    /// Decisions of policies since the baseline.
    pub decisions_gained: u64,
    /// When another model went live last since the baseline, by promotion or by a rollback.
    pub last_model_switch: Option<u64>,
    /// What each figure is counted from.
    pub provenance: Vec<Provenance>,
}

/// Where a figure comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Provenance {
    pub field: String,
    /// The journal's entries that are counted.
    pub counted: String,
}
