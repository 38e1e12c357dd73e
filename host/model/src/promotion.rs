//! Models, candidates and the way into service.

use crate::context::GateStage;
use crate::event::StageBy;
use crate::ids::{DecisionId, Digest, Millis, ModelTag, RunId};
use crate::run::{HostLoss, Pair};
use serde::{Deserialize, Serialize};

/// A trained model version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    pub tag: ModelTag,
    pub parent: Option<ModelTag>,
    pub run: RunId,
    pub digest: Digest,
    pub bytes: u64,
    /// Directory relative to the data directory.
    pub path: String,
    pub made_at: Millis,
    /// Host the last step of its making was trained on.
    pub host: Option<String>,
    /// Hosts it and its ancestors were trained on.
    pub hosts: Vec<String>,
}

/// Where a candidate is on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CandidateStage {
    /// An evaluation run is due or under way; `offset` is the next held-out block. After a failed one it waits until `not_before`.
    Evaluating {
        run: Option<RunId>,
        offset: u32,
        failures: u32,
        not_before: Millis,
    },
    /// It answers a share of the standard requests.
    Canary { started_at: Millis, wanted: u32 },
    /// It is live, and the model before it is ready to come back.
    Watching { started_at: Millis, wanted: u32 },
    /// A person has to decide. The pairs of the stage it is held at stay, so that what was seen can be looked at.
    Held {
        from: GateStage,
        reason: String,
        cause: HoldCause,
        since: Millis,
        /// The gate's decision that it was held with: who decides names it, so that a word on an older hold is no word on this one.
        decision: DecisionId,
    },
}

impl CandidateStage {
    pub fn slug(&self) -> &'static str {
        match self {
            CandidateStage::Evaluating { .. } => "evaluating",
            CandidateStage::Canary { .. } => "canary",
            CandidateStage::Watching { .. } => "watching",
            CandidateStage::Held { .. } => "held",
        }
    }
}

/// Why a candidate waits for a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldCause {
    /// The gate could not or would not decide.
    #[default]
    Gate,
    /// The gate accepts it, and the setting `promotion_hold` asks for a person's word before it goes live.
    Setting,
}

impl HoldCause {
    pub fn slug(self) -> &'static str {
        match self {
            HoldCause::Gate => "gate",
            HoldCause::Setting => "setting",
        }
    }
}

/// A named use that routes to a model. Promotion moves all of them at once: they are one entry of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelRole {
    /// What candidates are compared with, and what the first training run after a promotion or a rollback starts from.
    Controller,
    /// What answers standard requests.
    Standard,
}

impl ModelRole {
    pub const ALL: [ModelRole; 2] = [ModelRole::Controller, ModelRole::Standard];

    pub fn slug(self) -> &'static str {
        match self {
            ModelRole::Controller => "controller",
            ModelRole::Standard => "standard",
        }
    }
}

/// A model tag on its way into service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    pub tag: ModelTag,
    pub baseline: ModelTag,
    pub since: Millis,
    pub stage: CandidateStage,
    /// Looks taken and pairs seen in the present stage.
    pub looks: u32,
    pub pairs: Vec<Pair>,
    /// Served requests in the present stage.
    pub served: ServedTotals,
    /// Held-out losses of candidate and baseline, means over all pairs of the evaluation.
    pub evaluation: Vec<HostLoss>,
    /// What the evaluation saw of each host, enough for means and their uncertainty.
    pub compared: Vec<HostPairs>,
    pub decisions: Vec<DecisionId>,
}

/// The pairs of one host, summed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostPairs {
    pub host: String,
    pub pairs: u32,
    pub baseline_sum: f64,
    pub candidate_sum: f64,
    /// Sum of the squares of candidate less baseline.
    pub difference_squares: f64,
}

/// A candidate as it was when its way ended, without its pairs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndedCandidate {
    pub candidate: Candidate,
    pub end: CandidateEnd,
    pub reason: String,
    pub by: StageBy,
    pub at: Millis,
}

/// One standard request that both models took part in: one answered, both scored the prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServedSample {
    /// Whether the candidate's answer went out.
    pub by_candidate: bool,
    pub failed: bool,
    pub latency_ms: f64,
    /// Prompt scored by both; none where a model failed or the prompt is too short.
    pub pair: Option<Pair>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServedTotals {
    pub baseline: Served,
    pub candidate: Served,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Served {
    pub requests: u32,
    pub failed: u32,
    pub latency_ms_sum: f64,
}

/// How a candidate's way ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CandidateEnd {
    /// Applied, watched and kept.
    Kept,
    Rejected,
    RolledBack,
}

impl CandidateEnd {
    pub fn slug(self) -> &'static str {
        match self {
            CandidateEnd::Kept => "kept",
            CandidateEnd::Rejected => "rejected",
            CandidateEnd::RolledBack => "rolled_back",
        }
    }
}
