//! Shapes of the policy platform: swaps and their stages, replays, shadows, canaries, versions.

use super::{Activation, DecisionRow, PolicyProblem, PolicySetting, Problem};
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

/// The way of one policy, or of a set of them, into service. Newest first in the read model, the last 20 of this host process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Swap {
    /// Of this host process, from 1.
    pub id: u64,
    pub actor: String,
    pub reason: String,
    /// running, active, failed
    pub status: String,
    /// When it began.
    pub started_at: u64,
    /// When it ended; none while it goes on.
    pub finished_at: Option<u64>,
    /// One for each policy of the set; most swaps have one.
    pub parts: Vec<SwapPart>,
    /// Journal position of the activation.
    pub seq: Option<u64>,
    /// To be confirmed by this time, or it is taken back.
    pub confirm_by: Option<u64>,
    /// Why it failed. What was active before goes on serving.
    pub problem: Option<PolicyProblem>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct SwapPart {
    pub file: String,
    /// Known once the policy has described itself.
    pub kind: Option<String>,
    /// `name@version`
    pub policy: Option<String>,
    pub digest: Option<String>,
    /// The generation it became.
    pub generation: Option<u32>,
    pub stages: Vec<SwapStage>,
    pub replay: Option<ReplayReport>,
    pub replay_timing: Option<ReplayTiming>,
    /// Name of the key that signed the code.
    pub signed_by: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct SwapStage {
    /// fetch, digest, signature, parse, compile, link, describe, settings, self_test, replay, state, shadow, activate, drain, retire
    pub slug: String,
    pub label: String,
    /// waiting, running, passed, failed, skipped
    pub status: String,
    /// How long it took; none while it waits.
    pub ms: Option<f64>,
    /// One line: what was found, or why it failed or was skipped.
    pub detail: String,
    /// Progress of a stage that counts: decisions replayed or seen in shadow.
    pub done: Option<u32>,
    /// Of how many.
    pub total: Option<u32>,
}

/// What a version would have decided on the recorded contexts, beside what was decided.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct ReplayReport {
    pub kind: String,
    pub policy: String,
    pub digest: String,
    /// The window: its first and last decision, and when they were made.
    pub first_decision: Option<u64>,
    /// Last decision of the window.
    pub last_decision: Option<u64>,
    /// When the first of them was made.
    pub from: Option<u64>,
    /// When the last of them was made.
    pub until: Option<u64>,
    /// Recorded decisions looked at: those replayed and those that cannot be.
    pub looked_at: u64,
    /// Recorded decisions that were asked again.
    pub replayed: u64,
    pub not_replayable: Vec<Counted>,
    /// Decisions with the verdict that was recorded.
    pub same: u64,
    /// Another verdict, or an error where there was none, or none where there was one.
    pub changed: u64,
    /// `changed / replayed`; 0 where nothing was replayed.
    pub changed_share: f64,
    /// The version answered with state: each answer stands on the ones before.
    pub keeps_state: bool,
    /// It answered otherwise in an instance that had decided before: it keeps something in its memory, where it must not.
    /// What is told here are the answers of fresh instances, as live.
    pub remembers: bool,
    /// By class, most frequent first; `reason_only` is not a change of the verdict.
    pub classes: Vec<Counted>,
    /// Decisions that fail now and did not.
    pub new_errors: u64,
    /// Decisions that failed and do not now.
    pub errors_gone: u64,
    /// Of the recorded decisions, and of the replay: of the first some hundred, of those that change and of one in sixteen.
    pub before: CostSummary,
    pub after: CostSummary,
    /// Up to here the recorded course is the one this version would have taken. What comes after is each recorded question
    /// asked by itself, not a forecast: the version would have been asked other questions.
    pub first_divergence: Option<Divergence>,
    /// Hosts, campaigns, sources and models whose decisions change, most changes first in each dimension.
    pub groups: Vec<ReplayGroup>,
    /// Groups that are not shown.
    pub groups_left_out: u64,
    /// Each change, oldest first, as many as were asked for.
    pub cases: Vec<Divergence>,
    /// Changes that are not shown.
    pub cases_left_out: u64,
    pub budgets: ReplayBudgets,
    /// Budgets that are broken, a sentence each with its numbers.
    pub broken: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Counted {
    pub slug: String,
    pub label: String,
    /// How many there are.
    pub count: u64,
}

/// Decisions that touch one host, campaign, source or model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct ReplayGroup {
    /// host, campaign, source, model
    pub dimension: String,
    pub key: String,
    /// Replayed decisions that touch it.
    pub replayed: u64,
    /// Of these, those that change.
    pub changed: u64,
    /// Decided for it before and not after, and the other way round.
    pub lost: u64,
    /// Decided for it after and not before.
    pub gained: u64,
}

/// Fuel of decisions, by rank; none where nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct CostSummary {
    /// Median of the fuel.
    pub fuel_p50: Option<u64>,
    /// The fuel that 99 of 100 decisions keep within.
    pub fuel_p99: Option<u64>,
}

/// Time of the recorded decisions and of the replay. Beside the report, which is the same each time; this is not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct ReplayTiming {
    pub before: TimeSummary,
    pub after: TimeSummary,
}

/// Time of decisions in microseconds, by rank; none where nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct TimeSummary {
    /// Median of the time.
    pub micros_p50: Option<u64>,
    /// The time that 99 of 100 decisions keep within.
    pub micros_p99: Option<u64>,
}

/// A recorded decision that would have been another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Divergence {
    /// Number of the recorded decision.
    pub decision: u64,
    /// When it happened.
    pub at: u64,
    /// Its class: `picks_other`, `retries_later`, `new_error_trap` ...
    pub class: String,
    pub class_label: String,
    /// In words: what was decided, and what would be.
    pub before: String,
    pub after: String,
    pub before_reasons: Vec<String>,
    pub after_reasons: Vec<String>,
}

/// What a version of source selection would have been worth on recorded decisions whose picks were left to chance. The
/// reward of a decision is 1 where the run that it began succeeded and 0 where it failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct ValueReport {
    pub kind: String,
    pub policy: String,
    pub digest: String,
    /// The window: its first and last decision, and when they were made.
    pub first_decision: Option<u64>,
    /// Last decision of the window.
    pub last_decision: Option<u64>,
    /// When the first of them was made.
    pub from: Option<u64>,
    /// When the last of them was made.
    pub until: Option<u64>,
    /// Recorded decisions looked at.
    pub looked_at: u64,
    /// Decisions that were left to chance and whose run's end is known. All other figures are about these.
    pub used: u64,
    /// Why the others were left out, most frequent first.
    pub left_out: Vec<Counted>,
    /// Where the version fails, and where it idles; both earn nothing.
    pub errors: u64,
    /// Where it picks nothing, though there is something to pick.
    pub idles: u64,
    /// The version answered with state: each answer stands on its own answers before, which were never carried out.
    pub keeps_state: bool,
    /// Whether there is a value. If not, `cannot_know` says why, and the four estimates are none.
    pub known: bool,
    pub cannot_know: Vec<CannotKnow>,
    /// What the recorded policies earned: share of successes.
    pub recorded: Option<ValueEstimate>,
    pub ips: Option<ValueEstimate>,
    pub snips: Option<ValueEstimate>,
    pub doubly_robust: Option<ValueEstimate>,
    /// The doubly robust value less what was earned.
    pub gain: Option<ValueEstimate>,
    /// Which interval the estimates have.
    pub interval: String,
    /// As many equally weighted decisions as these weigh.
    pub effective_n: f64,
    /// Largest weight of a single decision.
    pub weight_max: f64,
    /// Of the version's picks, on candidates that the recorded policy gave no chance.
    pub unsupported_share: f64,
    /// Decisions whose recorded pick the version might have made, too.
    pub matched: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct ValueEstimate {
    /// The estimate: a share of successes, or a difference of two.
    pub value: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end of its interval.
    pub high: f64,
}

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct CannotKnow {
    /// nothing_drawn, nothing_used, picks_nothing, all_alike, few_effective, unsupported
    pub slug: String,
    /// One sentence with its numbers.
    pub words: String,
}

/// One line of a long answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReplayLine {
    Progress(ReplayProgress),
    Report(Box<ReplayReport>),
    Timing(ReplayTiming),
    Verification(Box<VerificationReport>),
    Value(Box<ValueReport>),
    Problem(Box<Problem>),
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct ReplayProgress {
    /// Decisions done.
    pub done: u64,
    /// Decisions to do.
    pub total: u64,
}

/// Recorded decisions made again by the versions that made them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct VerificationReport {
    /// Recorded decisions looked at.
    pub looked_at: u64,
    /// Verdict, reasons, scores, state and fuel.
    pub identical: u64,
    /// The verdict, and not all of the rest.
    pub same_verdict: u64,
    /// Decisions with another verdict than was recorded.
    pub diverged: u64,
    /// Decisions that cannot be made again; why_not says why.
    pub not_replayable: u64,
    pub why_not: Vec<Counted>,
    /// Engines that the decisions were made by.
    pub engines: Vec<String>,
    /// The oldest that are not identical.
    pub rows: Vec<VerificationRow>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct VerificationRow {
    /// Number of the decision.
    pub decision: u64,
    pub kind: String,
    pub policy: String,
    /// identical, same_verdict, diverged, not_replayable
    pub result: String,
    /// The verdict that was recorded, in words.
    pub recorded: String,
    pub detail: String,
}

/// What would have had to be different for another decision, nearest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct FlipReport {
    /// Number of the decision.
    pub decision: u64,
    pub policy: String,
    pub flips: Vec<FlipRow>,
    /// Numbers of the context that were moved, and questions that were asked.
    pub fields: u64,
    /// Questions that were asked.
    pub asked: u64,
    /// Whether every number was moved, or the questions ran out first.
    pub complete: bool,
    /// Why nothing can be told, if nothing can.
    pub why_not: Option<String>,
}

/// One number that makes another decision when it alone is moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct FlipRow {
    /// Where it stands in the context: `candidates[3].age_s`.
    pub field: String,
    /// The number as it was.
    pub from: f64,
    /// The nearest number that makes another decision.
    pub to: f64,
    /// The verdict's word, and the whole of it in words.
    pub verdict: String,
    pub becomes: String,
}

/// What a script of a kind may name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Definitions {
    pub kind: String,
    pub entries: Vec<Definition>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Definition {
    /// function, context, answer ...
    pub place: String,
    pub name: String,
    pub signatures: Vec<String>,
}

/// What a replay may find and still pass. Given with an activation or in `NAME.budgets.json` beside the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReplayBudgets {
    /// Newest recorded decisions that are replayed; 0 skips the gate.
    pub last: u32,
    /// Largest share of changed verdicts.
    pub changed_share_max: Option<f64>,
    /// Most decisions that may fail now and did not.
    pub new_errors_max: u64,
    /// Most that the median fuel may grow by, as a factor.
    pub fuel_factor_max: Option<f64>,
    /// Classes of change that must not occur.
    pub forbidden: Vec<String>,
}

/// A version that sees what is decided, and decides nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct ShadowCard {
    pub kind: String,
    pub name: String,
    pub version: String,
    pub digest: String,
    pub engine: String,
    pub file: String,
    pub actor: String,
    /// When it began.
    pub since: u64,
    /// Decisions it was asked about after they were made.
    pub asked: u64,
    /// Of these, those with the same verdict.
    pub agreed: u64,
    /// Of these, those with another verdict.
    pub disagreed: u64,
    /// Of these, those it did not answer.
    pub faults: u64,
    /// Decisions that it did not see: it was too slow.
    pub dropped: u64,
    /// By class, most frequent first.
    pub classes: Vec<Counted>,
    /// The latest first; at most 10.
    pub disagreements: Vec<Divergence>,
}

/// A version that decides a share of the questions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct CanaryCard {
    pub name: String,
    pub version: String,
    pub digest: String,
    pub engine: String,
    /// Share of the questions that it decides.
    pub share: f64,
    pub actor: String,
    pub reason: String,
    /// When it began.
    pub since: u64,
    /// Questions that it has decided.
    pub decisions: u64,
    /// Questions that it was asked and did not answer.
    pub faults: u64,
    /// Of these, the latest in a row.
    pub faults_in_a_row: u32,
}

/// Faults of the active version, and versions that were taken out of service for theirs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct BreakerCard {
    /// Latest questions in a row that it did not answer.
    pub faults_in_a_row: u32,
    /// At so many it is taken out of service.
    pub faults_in_a_row_max: u32,
    /// Questions of the window that it did not answer.
    pub faults_in_window: u32,
    /// At so many it is taken out of service.
    pub faults_in_window_max: u32,
    /// Length of the window.
    pub window_ms: u64,
    pub tripped: Vec<TrippedCard>,
}

/// Cannot be activated again before `until`, except by force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct TrippedCard {
    pub digest: String,
    /// When it may be activated again.
    pub until: u64,
    pub why: String,
}

/// An input on which policies failed again and again: the built-in answers it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct QuarantineCard {
    /// To be handed back to release it.
    pub key: String,
    /// When it began.
    pub since: u64,
    /// Times that policies failed on it.
    pub faults: u32,
    /// What it is about, and the last fault.
    pub detail: String,
}

/// `GET /api/v1/policies/swaps`, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct SwapList {
    pub swaps: Vec<Swap>,
    pub next_cursor: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct VersionRow {
    pub name: String,
    pub version: String,
    pub kind: String,
    pub engine: String,
    /// SHA-256 over code, settings and limits: names the version.
    pub digest: String,
    /// SHA-256 of the code alone, as `sha256sum FILE` prints it; in the detail of a version, where its code is kept.
    pub code_digest: Option<String>,
    /// Size of its code.
    pub code_bytes: u64,
    /// When it came to this host.
    pub first_seen: u64,
    /// Time at which it was active last: the end of that time, or its begin if it still is.
    pub last_active_at: Option<u64>,
    /// Whether it is active now.
    pub active: bool,
    /// Decisions that it has answered.
    pub decisions: u64,
    pub signed_by: Option<String>,
}

/// `GET /api/v1/policies/versions`, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct VersionList {
    pub versions: Vec<VersionRow>,
    pub next_cursor: Option<String>,
}

/// `GET /api/v1/policies/versions/{digest or name@version}`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct VersionDetail {
    pub row: VersionRow,
    pub summary: String,
    pub settings: Vec<PolicySetting>,
    /// Instructions that one decision may take.
    pub fuel: u64,
    /// CPU time that one decision may take.
    pub deadline_ms: u32,
    /// Memory that one decision may take.
    pub memory_bytes: u64,
    /// Version of the shape of its state.
    pub state_version: u32,
    /// Times at which it became active, latest first.
    pub activations: Vec<Activation>,
}

/// `GET /api/v1/policies/diff?a=&b=`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct VersionDiff {
    pub a: VersionRow,
    pub b: VersionRow,
    /// Only what differs.
    pub metadata: Vec<FieldDiff>,
    pub settings: Vec<FieldDiff>,
    pub limits: Vec<FieldDiff>,
    /// Unified diff; none for components and where the code is the same.
    pub code: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct FieldDiff {
    pub name: String,
    /// As text; none where it is not there.
    pub before: Option<String>,
    pub after: Option<String>,
}

/// `GET /api/v1/policies/decided-by?policy=DIGEST|NAME`: when it was active, and a page of what it decided, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct DecidedBy {
    pub activations: Vec<Activation>,
    pub decisions: Vec<DecisionRow>,
    pub next_cursor: Option<String>,
}

impl Default for ReplayBudgets {
    fn default() -> ReplayBudgets {
        ReplayBudgets {
            last: 200,
            changed_share_max: None,
            new_errors_max: 0,
            fuel_factor_max: None,
            forbidden: Vec::new(),
        }
    }
}
