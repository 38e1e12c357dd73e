//! What the browser and the command line see: the shapes of the API. Each fact is derived once, in `view.rs`; the page
//! folds snapshot and patches and computes no headline number of its own.
//!
//! `web/src/wire.ts` is generated from these types by a test; do not edit it by hand.

mod overview;
mod policy;
mod promotion;
mod queue;
mod settings;

pub use overview::*;
pub use policy::*;
pub use promotion::*;
pub use queue::*;
pub use settings::*;

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

/// The read model `dashboard`: everything the first screen shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Dashboard {
    /// Journal position this was taken at.
    pub seq: u64,
    /// Time of the journal's last entry, in milliseconds since 1970.
    pub at: u64,
    /// What this was made from and when.
    pub view: ViewStamp,
    pub version: String,
    pub training: TrainingState,
    pub capacity: Capacity,
    pub queue: QueueCard,
    /// Queue, Execute, Outcome, Promotion.
    pub pipeline: Vec<Stage>,
    pub window: Window,
    pub totals: Totals,
    pub active: Option<ModelCard>,
    pub candidate: Option<CandidateCard>,
    pub last_apply: Option<Apply>,
    /// In the order source-selection, retry, promotion-gate, curriculum.
    pub policies: Vec<PolicyCard>,
    /// Swaps of this host process with their stages, newest first; the 20 newest.
    pub swaps: Vec<Swap>,
    /// Latest first; the 30 newest.
    pub jobs: Vec<JobRow>,
    /// Latest first; the 50 newest.
    pub decisions: Vec<DecisionRow>,
    /// What happens next, in one sentence.
    pub next_action: String,
    /// What is wrong, most urgent first; empty when all is well.
    pub alerts: Vec<Alert>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct TrainingState {
    /// stopped, running, draining
    pub slug: String,
    pub label: String,
    /// What is wanted.
    pub enabled: bool,
    /// Training runs under way, and the most there may be.
    pub running: u32,
    /// Most training runs that there may be: the effective ceiling.
    pub cap: u32,
    pub by: String,
    pub reason: String,
    /// When it was started or stopped.
    pub since: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Stage {
    pub slug: String,
    pub label: String,
    /// The stage's number: sources that wait, runs under way, outcomes so far, applies so far.
    pub count: u64,
    /// One short line under the count: `+2 curriculum`.
    pub detail: String,
}

/// Successes toward the next evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Window {
    /// Successes that make an evaluation due; a live setting.
    pub size: u64,
    /// Successes since the watermark, at most the size.
    pub done: u64,
    /// Successes that are missing until the next evaluation is due.
    pub remaining: u64,
    /// Successes that evaluations have used up already.
    pub watermark: u64,
    /// none, collecting, eval_due, evaluating, canary, applied, rolled_back, blocked, held
    pub state: String,
    pub state_label: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Totals {
    /// Training runs that have succeeded or failed; cancelled ones do not count.
    pub outcomes: u64,
    /// Training runs that have succeeded.
    pub successes: u64,
    /// Training runs that have failed, each attempt by itself.
    pub failures: u64,
    /// Over the latest 100 outcomes.
    pub recent_successes: u64,
    /// Outcomes that the rolling rate is over: at most 100.
    pub recent_outcomes: u64,
    /// Models that went live after they passed their evaluation and canary.
    pub live_applies: u64,
    /// Candidates that were turned down.
    pub rejected: u64,
    /// Times that the model before came back, by hand or by rule.
    pub rolled_back: u64,
    /// Decisions made, by whomever.
    pub decisions: u64,
    /// Decisions that the active policy did not answer: one further down the chain did.
    pub fallbacks: u64,
    /// Times that another policy version became active.
    pub swaps: u64,
}

/// Held-out loss of one host in bits per byte.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct HostBits {
    pub host: String,
    /// Held-out loss in bits per byte; lower is better.
    pub bits: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct ModelCard {
    pub tag: String,
    pub digest: String,
    pub parent: Option<String>,
    /// When it went live.
    pub live_since: Option<u64>,
    /// Mean over hosts; none before the first evaluation.
    pub mean: Option<f64>,
    pub hosts: Vec<HostBits>,
    /// Standard requests answered since this host process started.
    pub answered: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct HostComparison {
    pub host: String,
    /// The baseline's mean loss on this host, in bits per byte.
    pub baseline: f64,
    /// The candidate's mean loss on this host, in bits per byte.
    pub candidate: f64,
    /// Held-out blocks of this host that both were scored on.
    pub pairs: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct CandidateCard {
    pub tag: String,
    pub baseline: String,
    /// evaluating, canary, watching, held
    pub stage: String,
    pub stage_label: String,
    /// When it was raised.
    pub since: u64,
    /// Looks that the gate has taken in this stage.
    pub looks: u32,
    /// Pairs seen in this stage: each is one text that both models were scored on.
    pub pairs: u32,
    /// Most pairs of this stage; then it is over, proven or not.
    pub pairs_cap: u32,
    /// Means over the hosts of the evaluation.
    pub baseline_mean: Option<f64>,
    /// Mean over the hosts of the candidate's held-out loss.
    pub candidate_mean: Option<f64>,
    pub hosts: Vec<HostComparison>,
    /// The gate's latest words.
    pub latest_reason: String,
    /// Number of the gate's latest decision about it.
    pub latest_decision: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Apply {
    /// When the model went live.
    pub at: u64,
    pub model: String,
    pub before: String,
    /// Held-out loss of the model before, in bits per byte, as the evaluation measured it.
    pub bits_before: Option<f64>,
    /// Held-out loss of the new model, in bits per byte, as the evaluation measured it.
    pub bits_after: Option<f64>,
    /// Number of the gate's decision; none where a person decided.
    pub decision: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct PolicyCard {
    pub kind: String,
    /// Counts the activations and rollbacks of this kind.
    pub generation: u32,
    pub name: String,
    pub version: String,
    pub digest: String,
    /// component, rhai, built-in
    pub engine: String,
    pub summary: String,
    /// Journal position since which it is active.
    pub since_seq: u64,
    /// The last decision before it: it is asked since the next.
    pub since_decision: Option<u64>,
    /// When it became active.
    pub since: u64,
    pub actor: String,
    pub reason: String,
    /// Decisions this generation has answered, and its faults.
    pub decisions: u64,
    /// Questions that it was asked and did not answer.
    pub faults: u64,
    /// Version a rollback would bring back.
    pub previous: Option<String>,
    /// Kinds that were activated together have the same number.
    pub set: Option<u64>,
    /// Not confirmed yet: at this time it is taken back.
    pub confirm_by: Option<u64>,
    /// Refuses activations and canaries until it is unpinned; says by whom and why.
    pub pinned: Option<String>,
    /// Name of the key that signed its code.
    pub signed_by: Option<String>,
    pub canary: Option<CanaryCard>,
    /// Versions that see what is decided and decide nothing, the oldest first.
    pub shadows: Vec<ShadowCard>,
    pub breaker: BreakerCard,
    pub quarantine: Vec<QuarantineCard>,
    /// The latest refused file of this kind since the last activation.
    pub problem: Option<PolicyProblem>,
}

/// Why a policy file was refused. The version before it goes on serving.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct PolicyProblem {
    /// Stable: `PM2104`.
    pub code: String,
    pub stage: String,
    pub file: String,
    /// Line of the file, from 1.
    pub line: Option<u32>,
    /// Column of the line, from 1.
    pub column: Option<u32>,
    pub message: String,
    /// The cure.
    pub fix: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct JobRow {
    /// Its number.
    pub id: u64,
    pub name: String,
    pub class: String,
    pub host: Option<String>,
    /// Number of its source.
    pub source: Option<u64>,
    /// 1 for the first try of its source.
    pub attempt: u32,
    /// queued, warming, running, completed, failed, cancelled
    pub status_slug: String,
    pub status_label: String,
    /// When it was planned.
    pub created_at: u64,
    /// When it began.
    pub started_at: Option<u64>,
    /// When it ended; none while it goes on.
    pub finished_at: Option<u64>,
    /// Steps made so far.
    pub steps: Option<u32>,
    /// Latest loss in bits per byte.
    pub loss: Option<f64>,
    pub model: Option<String>,
    pub base: Option<String>,
    pub error: Option<String>,
    pub failure_class: Option<String>,
    /// Number of the decision that picked it.
    pub decision: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct DecisionRow {
    /// Its number.
    pub id: u64,
    /// Its position in the journal.
    pub seq: u64,
    /// When it happened.
    pub at: u64,
    pub kind: String,
    /// The verdict's word: pick, retry, advance ...
    pub verdict: String,
    /// The verdict in words: `picks #12 novel`.
    pub summary: String,
    pub subject: String,
    pub reasons: Vec<ReasonRow>,
    pub policy: String,
    pub digest: String,
    pub engine: String,
    /// Generation of its kind that was active.
    pub generation: u32,
    /// candidate, active, last_good, built_in
    pub link: String,
    /// Instructions that the answer took, as the sandbox counts them; none for what runs natively.
    pub fuel: Option<u64>,
    /// Time from question to checked answer, in microseconds of CPU.
    pub micros: u32,
    /// Links asked before, and why they did not answer.
    pub declined: Vec<DeclinedRow>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct ReasonRow {
    pub code: String,
    pub text: String,
    pub feature: Option<String>,
    /// The number that was looked at.
    pub value: Option<f64>,
    /// What it was compared with.
    pub threshold: Option<f64>,
    /// How far the one was from the other.
    pub margin: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct DeclinedRow {
    pub link: String,
    pub policy: String,
    pub class: String,
    pub detail: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Alert {
    /// info, warning, error
    pub level: String,
    pub code: String,
    pub text: String,
    pub fix: Option<String>,
}

/// `GET /api/v1/decisions/{id}`: the row with everything the ledger holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct DecisionDetail {
    pub row: DecisionRow,
    /// The context as the answering link saw it.
    #[ts(type = "unknown")]
    pub context: serde_json::Value,
    #[ts(type = "unknown")]
    pub ruling: serde_json::Value,
    pub context_digest: String,
}

/// A point of a loss curve: step, training loss, held-out loss.
pub type Point = (u64, Option<f64>, Option<f64>);

/// `GET /api/v1/jobs/{id}`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct JobDetail {
    pub row: JobRow,
    #[schema(value_type = Vec<Vec<Option<f64>>>)]
    pub points: Vec<Point>,
    /// The last lines of its output.
    pub log: Vec<String>,
    pub artifacts: Vec<String>,
}

/// A frame from server to viewer on `/ws`. Connect with `?since=SEQ&epoch=EPOCH` to resume.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Frame {
    /// First frame. Another epoch than the viewer's means that it must drop what it holds.
    Hello { epoch: String, version: String, seq: u64 },
    /// The whole read model; replaces what the viewer holds.
    Snapshot { model: String, seq: u64, state: Box<Dashboard> },
    /// RFC 6902 operations that lead from the state at `from` to the state at `seq`. Where the two are equal it is an aside:
    /// something that is not in the journal has changed. It holds replacements only, and may come a second time after a resume.
    #[serde(rename = "state.read.model.patch")]
    Patch {
        model: String,
        from: u64,
        seq: u64,
        #[ts(type = "Array<{ op: string; path: string; from?: string; value?: unknown }>")]
        patch: serde_json::Value,
    },
    /// New points of a run's loss curve. Not part of the sequence; `GET /api/v1/jobs/{id}` has them all.
    Samples {
        run: u64,
        #[schema(value_type = Vec<Vec<Option<f64>>>)]
        points: Vec<Point>,
    },
    /// The viewer was too slow: these positions are not sent; a snapshot follows.
    Gap { from: u64, to: u64 },
}

/// RFC 9457.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Problem {
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    pub detail: String,
    /// Stable, for scripts; `pointsman policy explain` has a page on those that start with PM.
    pub code: String,
    /// Fields at fault.
    pub errors: Vec<FieldError>,
    /// The cure.
    pub fix: Option<String>,
    /// Path of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub instance: Option<String>,
    /// To be quoted when asking for help: the host's log names it, too. It is the caller's, where the request has a traceparent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub trace_id: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct FieldError {
    /// JSON pointer of the field.
    pub pointer: String,
    pub detail: String,
}

/// `GET /api/v1/help`: what fields mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct HelpList {
    /// In the order of their names.
    pub fields: Vec<FieldHelp>,
}

/// What one field of the API means: the same words on the page, on the command line and in the document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct FieldHelp {
    /// `Type.field`, or a type by itself; a live setting is `Settings.name`.
    pub name: String,
    pub help: String,
    /// number, text, flag, list, object; with a `?` where it may be none.
    pub kind: String,
}

/// `GET /api/v1/jobs`, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct JobList {
    pub jobs: Vec<JobRow>,
    /// To be handed back as `cursor` for the rows after these; none at the end.
    pub next_cursor: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct SourceRow {
    /// Its number.
    pub id: u64,
    pub title: String,
    pub host: Option<String>,
    /// queue, curriculum
    pub lane: String,
    pub origin: String,
    /// Higher is earlier, if the policy heeds it.
    pub priority: i32,
    /// Number of its campaign, and its row there.
    pub campaign: Option<u64>,
    /// Its row in the campaign, from 1.
    pub campaign_row: Option<u32>,
    /// pending, running, waiting, disabled, done, given_up, cancelled
    pub status: String,
    pub status_label: String,
    pub reason: Option<String>,
    /// Runs that it has had.
    pub attempts: u32,
    /// When it was submitted.
    pub queued_at: u64,
    /// When it may be tried again; none where it does not wait.
    pub retry_at: Option<u64>,
    /// When it ended; none while it goes on.
    pub finished_at: Option<u64>,
}

/// `GET /api/v1/sources`, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct SourceList {
    pub sources: Vec<SourceRow>,
    /// For the page after this one. There may be one after a page that is not full: the search has a bound per page.
    pub next_cursor: Option<String>,
    /// Pending and waiting sources of the lanes that were asked for, whatever else was.
    pub pending_total: u64,
}

/// `GET /api/v1/decisions`, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct DecisionList {
    pub decisions: Vec<DecisionRow>,
    pub next_cursor: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct ModelRow {
    pub tag: String,
    pub parent: Option<String>,
    /// Number of the run that made it.
    pub run: u64,
    pub digest: String,
    /// Size of its file.
    pub bytes: u64,
    /// When it was made.
    pub made_at: u64,
    pub host: Option<String>,
    /// When it was retired; none while it is kept.
    pub retired_at: Option<u64>,
    pub live: bool,
    /// By whom and why it is pinned: then it is never pruned.
    pub pinned: Option<String>,
}

/// A time at which another model went live, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct LiveChange {
    /// Its position in the journal.
    pub seq: u64,
    /// When it happened.
    pub at: u64,
    pub model: String,
    pub before: Option<String>,
    /// bootstrapped, applied, rolled_back
    pub cause: String,
    /// Number of the gate's decision, where one led to it.
    pub decision: Option<u64>,
    pub actor: Option<String>,
    pub reason: Option<String>,
}

/// `GET /api/v1/models`, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct ModelList {
    pub models: Vec<ModelRow>,
    pub next_cursor: Option<String>,
    /// Which model was live when; newest first.
    pub live: Vec<LiveChange>,
}

/// A time at which another policy version became the active one of its kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Activation {
    /// Its position in the journal.
    pub seq: u64,
    /// When it happened.
    pub at: u64,
    pub kind: String,
    /// The generation it became.
    pub generation: u32,
    pub policy: String,
    pub digest: String,
    pub engine: String,
    pub previous: Option<String>,
    pub actor: String,
    pub reason: String,
    pub rolled_back: bool,
    /// Kinds that were activated together have the same number.
    pub set: Option<u64>,
    /// To be confirmed by this time, or it was taken back.
    pub confirm_by: Option<u64>,
    /// When somebody confirmed it.
    pub confirmed_at: Option<u64>,
    /// None while it is active.
    pub ended_at: Option<u64>,
    /// replaced, rolled_back, timed_out, tripped
    pub outcome: Option<String>,
    /// The state it began with: empty, carried, migrated, from_canary, restored
    pub state: String,
    /// Its decisions are among those after this one, up to `last_decision` where it is over.
    pub after_decision: u64,
    /// The last decision of its time; none while it is active.
    pub last_decision: Option<u64>,
    /// What the swap's stages found, as it was recorded.
    #[ts(type = "unknown")]
    pub report: serde_json::Value,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct PolicySetting {
    pub name: String,
    pub help: String,
    #[ts(type = "boolean | number | string")]
    pub value: serde_json::Value,
    #[ts(type = "boolean | number | string")]
    pub default: serde_json::Value,
    /// Least value that is taken.
    pub minimum: Option<f64>,
    /// Largest value that is taken.
    pub maximum: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct PolicyDetail {
    pub card: PolicyCard,
    pub settings: Vec<PolicySetting>,
    /// Instructions that one decision may take.
    pub fuel: u64,
    /// CPU time that one decision may take.
    pub deadline_ms: u32,
    /// Memory that one decision may take.
    pub memory_bytes: u64,
    /// Size of its code.
    pub code_bytes: u64,
    /// Most recent first.
    pub activations: Vec<Activation>,
}

/// `GET /api/v1/policies`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct PolicyList {
    pub policies: Vec<PolicyDetail>,
}

/// Answer of `POST /api/v1/policies/check`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct PolicyCheck {
    pub ok: bool,
    pub kind: Option<String>,
    pub policy: Option<String>,
    pub digest: Option<String>,
    pub summary: Option<String>,
    /// Its settings with the values it would run with; none where it was refused.
    pub settings: Vec<PolicySetting>,
    pub problem: Option<PolicyProblem>,
}

/// Answer of a command.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Done {
    /// Number of the source it was about.
    pub source: Option<u64>,
    /// Number of the run it was about.
    pub run: Option<u64>,
    /// Generation that is active now.
    pub generation: Option<u32>,
    /// The campaign that was queued.
    pub campaign: Option<u64>,
    /// A swap that was started; `GET /api/v1/policies/swaps/{id}` tells how it goes.
    pub swap: Option<u64>,
}
