//! Shapes of the promotion proof: how far the window is, what is on its way, what is live where and why, what is kept.

use super::{CandidateCard, DecisionRow, EvaluationAttempt, LastError, LiveChange, RecentOutcomes, ViewStamp};
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

/// `GET /api/v1/promotion`: whether successes reach live models, step by step, each claim with the entry that proves it.
/// When the proof was made, how old it is and how long it may be shown is its view stamp.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Promotion {
    pub view: ViewStamp,
    /// none, collecting, eval_due, evaluating, canary, applying, applied, rolled_back, blocked, held
    pub state: String,
    pub state_label: String,
    /// What the state means, in one sentence.
    pub phase: String,
    /// What happens next, or what somebody may do.
    pub next_action: String,
    pub worker: PromotionWorker,
    pub window: PromotionWindow,
    /// The latest attempt to evaluate a candidate: when, with what result, why, and when it is tried again.
    pub evaluation: EvaluationAttempt,
    /// The latest thing that went wrong, of whatever class.
    pub last_error: Option<LastError>,
    /// Whether accepted candidates wait for a person; the setting promotion_hold.
    pub hold: bool,
    /// The named uses that route to a model.
    pub roles: Vec<RoleCard>,
    /// Models that went live after they passed their evaluation and canary.
    pub live_applies: u64,
    /// The latest of them.
    pub last_apply: Option<LiveChange>,
    /// The latest change of the live model, also by a rollback.
    pub last_switch: Option<LiveChange>,
    /// The candidate's stage, or none: none, evaluating, canary, watching, held
    pub candidate_state: String,
    /// The candidate under way.
    pub candidate: Option<PromotionCandidate>,
    /// The latest candidate of which the way is over.
    pub ended: Option<PromotionCandidate>,
    /// Models that something routes to or works with, use by use.
    pub routing: Vec<RoutedModel>,
    pub unused: UnusedModels,
    pub retention: RetentionCard,
    pub outcomes: OutcomeCounters,
}

/// Whether promotion goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct PromotionWorker {
    /// idle, running, blocked, down
    pub status: String,
    pub status_label: String,
    /// What it does, or what it waits for.
    pub text: String,
    /// The cure.
    pub fix: Option<String>,
}

/// Successes toward the next evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct PromotionWindow {
    /// Which window this is, from 1.
    pub ordinal: u64,
    /// Successes that make an evaluation due; a live setting.
    pub size: u64,
    /// Successes since the watermark, at most the size.
    pub done: u64,
    /// Successes that are missing until the next evaluation is due.
    pub remaining: u64,
    /// The done part of the window as a percentage.
    pub percent: f64,
    /// All successful outcomes so far.
    pub successes: u64,
    /// Successes that evaluations have used up already.
    pub watermark: u64,
    /// Successes since the watermark; above the size where a candidate is under way while the window is full.
    pub delta: u64,
    /// Successes in all at which the next evaluation is due: the watermark plus the size.
    pub next_target: u64,
    /// When a window was full last; none before the first.
    pub reached_at: Option<u64>,
    /// Mean time between the latest successes, stretched while the next is late; none before two of them.
    pub interval_ms: Option<u64>,
    /// When the window will be full at that rate; none where nothing runs, too few successes tell a rate, or it is full.
    pub eta_at: Option<u64>,
    pub recent: RecentOutcomes,
}

/// A named use of models.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct RoleCard {
    /// controller, standard
    pub slug: String,
    pub label: String,
    /// What routes to it.
    pub text: String,
    /// The tag that is live in this role; none before the first model.
    pub tag: Option<String>,
    /// Since when.
    pub since: Option<u64>,
    /// The tag that really answers now, where the role answers requests: another one while a model is being loaded.
    pub answering: Option<String>,
    /// The latest switch of this role.
    pub last_switch: Option<LiveChange>,
    /// Promotions that went live in this role.
    pub live_applies: u64,
    /// When the latest of them did.
    pub last_apply_at: Option<u64>,
}

/// A candidate with its proof.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct PromotionCandidate {
    pub card: CandidateCard,
    /// Position in the journal of the entry that raised it.
    pub raised_seq: Option<u64>,
    pub canary: CanaryProgress,
    /// None before its evaluation has compared anything.
    pub quality: Option<Quality>,
    /// Its latest decisions, newest first; at most 20.
    pub decisions: Vec<DecisionRow>,
    /// How many decisions there were about it in all.
    pub decision_count: u64,
    /// Where a person has to decide.
    pub held: Option<HeldCard>,
    /// Where its way is over.
    pub ended: Option<CandidateEnding>,
}

/// A share of the standard requests on trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct CanaryProgress {
    /// none, running, passed, failed, inconclusive
    pub status: String,
    pub status_label: String,
    /// Pairs seen so far: requests that both models scored; none where no canary runs.
    pub have: Option<u32>,
    /// Pairs at which the gate looks next; none where no canary runs.
    pub wanted: Option<u32>,
    /// Most pairs of a canary; then it is over, proven or not.
    pub cap: u32,
    /// Share of standard requests that the candidate answers while in canary.
    pub share: f64,
    /// What the candidate served in its present stage.
    pub candidate: ServedCard,
    /// What the baseline served beside it.
    pub baseline: ServedCard,
}

/// Standard requests served on trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct ServedCard {
    /// Requests served.
    pub requests: u32,
    /// Those among them that failed.
    pub failed: u32,
    /// Their mean latency; none without requests.
    pub latency_ms: Option<f64>,
}

/// What the evaluation measured: held-out loss in bits per byte, lower is better.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Quality {
    /// The candidate's mean over hosts.
    pub candidate: f64,
    /// The baseline's mean over hosts, on the same texts.
    pub baseline: f64,
    /// Candidate less baseline: below zero the candidate is better.
    pub delta: f64,
    /// Lower end of the 95 % interval of the delta for the pairs as they are; none where a host has fewer than two. The gate
    /// decides by its own test, which also holds for repeated looks.
    pub low: Option<f64>,
    /// Upper end of that interval.
    pub high: Option<f64>,
    /// Held-out texts that both models were scored on.
    pub pairs: u32,
    /// What the interval shows: better, worse, no_difference_shown, unknown
    pub reading: String,
    /// The gate's latest verdict: advance, need_more, reject, hold, roll_back, none
    pub verdict: String,
}

/// A candidate waits for a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct HeldCard {
    /// The stage that it leaves when it is approved: evaluate, canary, watch
    pub from: String,
    /// gate: the gate would not decide; setting: the gate accepts it, and promotion_hold is on
    pub cause: String,
    pub cause_label: String,
    pub reason: String,
    /// Since when it waits.
    pub since: u64,
    /// The decision that it is held with. Sent back with approve or reject, it makes a late click do nothing.
    pub decision: u64,
    /// What a guard forbids as the settings are now; then an approval has to say that it is despite the guard.
    pub forbidden: Option<String>,
    /// What approving does.
    pub approving: String,
    /// What rejecting does.
    pub rejecting: String,
}

/// How a candidate's way ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct CandidateEnding {
    /// kept, rejected, rolled_back
    pub end: String,
    pub end_label: String,
    /// When it ended.
    pub at: u64,
    pub reason: String,
    /// Number of the gate's decision, where one ended it.
    pub decision: Option<u64>,
    /// The person, where one ended it.
    pub actor: Option<String>,
}

/// A model that something routes to or works with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct RoutedModel {
    pub tag: String,
    /// live, candidate, baseline, rollback_target, line, run
    pub slug: String,
    pub label: String,
    /// Share of the standard requests that it answers, where it answers any.
    pub share: Option<f64>,
}

/// Installed models that nothing uses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct UnusedModels {
    /// How many there are, exactly.
    pub count: u64,
    /// What they take on disk.
    pub bytes: u64,
    /// The newest of them; at most 20.
    pub sample: Vec<RetainedModel>,
}

/// How models are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct RetentionCard {
    /// Newest models kept besides those in use; the setting keep_models.
    pub keep: u32,
    /// Installed models.
    pub installed: u64,
    /// What they take on disk.
    pub installed_bytes: u64,
    /// Pinned models: never pruned.
    pub pinned: u64,
    /// Models that a prune would retire now.
    pub prunable: u64,
    /// What that would free.
    pub prunable_bytes: u64,
    /// The rule in words.
    pub text: String,
}

/// The outcome log, counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct OutcomeCounters {
    /// Training runs that have succeeded or failed.
    pub outcomes: u64,
    /// Those that have succeeded.
    pub successes: u64,
    /// Those that have failed, each attempt by itself.
    pub failures: u64,
    /// Training runs that were cancelled; no outcome.
    pub cancelled: u64,
    /// Candidates raised so far.
    pub candidates: u64,
    /// Candidates that were turned down.
    pub rejected: u64,
    /// Candidates that were live and were taken back.
    pub rolled_back: u64,
}

/// A model with what keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct RetainedModel {
    pub tag: String,
    /// Size of its file.
    pub bytes: u64,
    /// When it was made.
    pub made_at: u64,
    /// Host that it was trained on last.
    pub host: Option<String>,
    /// All that keeps it; empty where it goes.
    pub kept_for: Vec<KeptForRow>,
    /// By whom and why it is pinned.
    pub pinned: Option<String>,
}

/// A reason to keep a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct KeptForRow {
    /// live, candidate, baseline, rollback_target, line, run, pinned, newest
    pub slug: String,
    pub label: String,
}

/// `GET /api/v1/models/prune`: what a prune would do now. Nothing is changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct PrunePlan {
    pub view: ViewStamp,
    /// Newest models kept besides those in use.
    pub keep: u32,
    /// Names what would go: sent with the prune, it is refused where something else would go by then.
    pub plan: String,
    /// What would go, oldest first; at most 500 are listed.
    pub go: Vec<RetainedModel>,
    /// How many would go, exactly.
    pub go_count: u64,
    /// What that would free.
    pub go_bytes: u64,
    /// What would stay and why, newest first; at most 500 are listed.
    pub stay: Vec<RetainedModel>,
    /// How many would stay, exactly.
    pub stay_count: u64,
    /// What they take.
    pub stay_bytes: u64,
}

/// What a prune did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Pruned {
    /// Tags that went, oldest first; empty where nothing had to.
    pub models: Vec<String>,
    /// What that frees.
    pub bytes: u64,
}

/// `GET /api/v1/models/live-at?at=TIME`: which model was live in each role then, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct LiveAt {
    /// The time that was asked about.
    pub at: u64,
    /// One for each role.
    pub roles: Vec<LiveRole>,
}

/// What was live in a role at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct LiveRole {
    /// controller, standard
    pub role: String,
    pub role_label: String,
    /// The entry that made it live: model, time, cause, decision or person, reason; none before the first model.
    pub change: Option<LiveChange>,
    /// When the next model went live in this role; none while it is still live.
    pub until: Option<u64>,
    /// Why it was live, in one sentence.
    pub why: String,
}
