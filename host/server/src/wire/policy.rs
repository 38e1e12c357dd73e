//! Shapes of the policy platform: swaps and their stages, replays, shadows, canaries, versions.

use super::{Activation, DecisionRow, PolicyProblem, PolicySetting};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The way of one policy, or of a set of them, into service. Newest first in the read model, the last 20 of this host process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Swap {
    /// Of this host process, from 1.
    pub id: u64,
    pub actor: String,
    pub reason: String,
    /// running, active, failed
    pub status: String,
    pub started_at: u64,
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

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
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
    /// Name of the key that signed the code.
    pub signed_by: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
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
    pub total: Option<u32>,
}

/// What a version would have decided on the recorded contexts, beside what was decided.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
pub struct ReplayReport {
    pub kind: String,
    pub policy: String,
    pub digest: String,
    /// Recorded decisions looked at: those replayed and those that cannot be.
    pub looked_at: u64,
    pub replayed: u64,
    pub not_replayable: Vec<Counted>,
    pub same: u64,
    /// Another verdict, or an error where there was none, or none where there was one.
    pub changed: u64,
    /// `changed / replayed`; 0 where nothing was replayed.
    pub changed_share: f64,
    /// By class, most frequent first; `reason_only` is not a change of the verdict.
    pub classes: Vec<Counted>,
    pub new_errors: u64,
    pub errors_gone: u64,
    /// Of the recorded decisions, and of the replay.
    pub before: CostSummary,
    pub after: CostSummary,
    pub first_divergence: Option<Divergence>,
    pub budgets: ReplayBudgets,
    /// Budgets that are broken, a sentence each with its numbers.
    pub broken: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Counted {
    pub slug: String,
    pub label: String,
    pub count: u64,
}

/// Fuel and time of decisions, by rank; none where nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
pub struct CostSummary {
    pub fuel_p50: Option<u64>,
    pub fuel_p99: Option<u64>,
    pub micros_p50: Option<u64>,
    pub micros_p99: Option<u64>,
}

/// A recorded decision that would have been another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Divergence {
    pub decision: u64,
    pub at: u64,
    /// Its class: `picks_other`, `retries_later`, `new_error_trap` ...
    pub class: String,
    pub class_label: String,
    /// In words: what was decided, and what would be.
    pub before: String,
    pub after: String,
}

/// What a replay may find and still pass. Given with an activation or in `NAME.budgets.json` beside the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(default, deny_unknown_fields)]
pub struct ReplayBudgets {
    /// Newest recorded decisions that are replayed; 0 skips the gate.
    pub last: u32,
    /// Largest share of changed verdicts.
    pub changed_share_max: Option<f64>,
    pub new_errors_max: u64,
    /// Most that the median fuel may grow by, as a factor.
    pub fuel_factor_max: Option<f64>,
    /// Classes of change that must not occur.
    pub forbidden: Vec<String>,
}

/// A version that sees what is decided, and decides nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct ShadowCard {
    pub kind: String,
    pub name: String,
    pub version: String,
    pub digest: String,
    pub engine: String,
    pub file: String,
    pub actor: String,
    pub since: u64,
    /// Decisions it was asked about after they were made.
    pub asked: u64,
    pub agreed: u64,
    pub disagreed: u64,
    pub faults: u64,
    /// Decisions that it did not see: it was too slow.
    pub dropped: u64,
    /// By class, most frequent first.
    pub classes: Vec<Counted>,
    /// The latest first; at most 10.
    pub disagreements: Vec<Divergence>,
}

/// A version that decides a share of the questions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct CanaryCard {
    pub name: String,
    pub version: String,
    pub digest: String,
    pub engine: String,
    pub share: f64,
    pub actor: String,
    pub reason: String,
    pub since: u64,
    pub decisions: u64,
    pub faults: u64,
    pub faults_in_a_row: u32,
}

/// Faults of the active version, and versions that were taken out of service for theirs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
pub struct BreakerCard {
    pub faults_in_a_row: u32,
    pub faults_in_a_row_max: u32,
    pub faults_in_window: u32,
    pub faults_in_window_max: u32,
    pub window_ms: u64,
    pub tripped: Vec<TrippedCard>,
}

/// Cannot be activated again before `until`, except by force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct TrippedCard {
    pub digest: String,
    pub until: u64,
    pub why: String,
}

/// An input on which policies failed again and again: the built-in answers it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct QuarantineCard {
    /// To be handed back to release it.
    pub key: String,
    pub since: u64,
    pub faults: u32,
    /// What it is about, and the last fault.
    pub detail: String,
}

/// `GET /api/v1/policies/swaps`, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct SwapList {
    pub swaps: Vec<Swap>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct VersionRow {
    pub name: String,
    pub version: String,
    pub kind: String,
    pub engine: String,
    /// SHA-256 over code, settings and limits: names the version.
    pub digest: String,
    /// SHA-256 of the code alone, as `sha256sum FILE` prints it; in the detail of a version, where its code is kept.
    pub code_digest: Option<String>,
    pub code_bytes: u64,
    pub first_seen: u64,
    /// Time at which it was active last: the end of that time, or its begin if it still is.
    pub last_active_at: Option<u64>,
    /// Whether it is active now.
    pub active: bool,
    pub decisions: u64,
    pub signed_by: Option<String>,
}

/// `GET /api/v1/policies/versions`, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct VersionList {
    pub versions: Vec<VersionRow>,
}

/// `GET /api/v1/policies/versions/{digest or name@version}`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct VersionDetail {
    pub row: VersionRow,
    pub summary: String,
    pub settings: Vec<PolicySetting>,
    pub fuel: u64,
    pub deadline_ms: u32,
    pub memory_bytes: u64,
    pub state_version: u32,
    /// Times at which it became active, latest first.
    pub activations: Vec<Activation>,
}

/// `GET /api/v1/policies/diff?a=&b=`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
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

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct FieldDiff {
    pub name: String,
    /// As text; none where it is not there.
    pub before: Option<String>,
    pub after: Option<String>,
}

/// `GET /api/v1/policies/decided-by?policy=DIGEST|NAME`: when it was active, and a page of what it decided, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
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
