//! Contexts: all that a policy may know. They mirror `wit/`, where each field is explained to policy authors.

use crate::encoded::{DecodeError, Encoded};
use crate::ids::Millis;
use crate::policy::{PolicyKind, Setting};
use crate::run::{FailureClass, FailureCounts};
use crate::settings::LaneMode;
use crate::source::{Lane, Origin};
use serde::{Deserialize, Serialize};

/// What every context carries. `settings` and `state` belong to the link that is asked and are filled in per link.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    pub now_ms: Millis,
    pub seed: u64,
    pub settings: Vec<Setting>,
    pub state: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelectionContext {
    pub frame: Frame,
    pub free: u32,
    pub lane_mode: LaneMode,
    pub curriculum_fallback: bool,
    pub lock: Option<u32>,
    pub same_host_cap: u32,
    pub hosts: Vec<String>,
    pub campaigns: Vec<String>,
    pub host_loads: Vec<HostLoad>,
    pub recent_hosts: Vec<u32>,
    pub candidates: Vec<SourceCandidate>,
    pub left_out: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceCandidate {
    pub id: u64,
    pub lane: Lane,
    pub origin: Origin,
    pub host: Option<u32>,
    pub campaign: Option<u32>,
    pub row: u32,
    pub age_s: f64,
    pub attempts: u32,
    pub failures: FailureCounts,
    pub difficulty: f64,
    pub priority: i32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostLoad {
    pub running: u32,
    pub pending: u32,
    pub successes: u32,
    pub failures: u32,
    pub since_picked_s: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetryContext {
    pub frame: Frame,
    pub source: u64,
    pub run: u64,
    pub title: String,
    pub lane: Lane,
    pub origin: Origin,
    pub host: Option<String>,
    pub attempt: u32,
    pub class: FailureClass,
    pub failures: FailureCounts,
    pub budget: u32,
    pub budget_left: u32,
    pub exit_code: Option<i32>,
    pub error: String,
    pub error_digest: u64,
    pub same_error_before: u32,
    pub elapsed_ms: u64,
    pub host_successes: u32,
    pub host_failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateStage {
    Evaluate,
    Canary,
    Watch,
}

impl GateStage {
    pub fn slug(self) -> &'static str {
        match self {
            GateStage::Evaluate => "evaluate",
            GateStage::Canary => "canary",
            GateStage::Watch => "watch",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GatePair {
    pub host: u32,
    pub baseline: f64,
    pub candidate: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Guardrail {
    pub name: String,
    pub baseline_n: u32,
    pub baseline_mean: f64,
    pub candidate_n: u32,
    pub candidate_mean: f64,
    pub limit: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateContext {
    pub frame: Frame,
    pub stage: GateStage,
    pub candidate: String,
    pub baseline: String,
    pub hosts: Vec<String>,
    pub pairs: Vec<GatePair>,
    pub guardrails: Vec<Guardrail>,
    pub looks: u32,
    pub cap: u32,
    pub ingest_lag: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Skill {
    pub tries: u32,
    pub successes: u32,
    pub failures: u32,
    pub pending: u32,
    pub loss: Option<f64>,
    pub loss_before: Option<f64>,
    pub loss_after: Option<f64>,
    pub progress: f64,
    pub stale_s: Option<f64>,
    pub parked: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurriculumContext {
    pub frame: Frame,
    pub budget: u32,
    pub pending_queue: u32,
    pub pending_curriculum: u32,
    pub hosts: Vec<String>,
    pub skills: Vec<Skill>,
}

/// A question to a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Context {
    Selection(SelectionContext),
    Retry(RetryContext),
    Gate(GateContext),
    Curriculum(CurriculumContext),
}

impl Context {
    pub fn kind(&self) -> PolicyKind {
        match self {
            Context::Selection(_) => PolicyKind::SourceSelection,
            Context::Retry(_) => PolicyKind::Retry,
            Context::Gate(_) => PolicyKind::PromotionGate,
            Context::Curriculum(_) => PolicyKind::Curriculum,
        }
    }

    pub fn frame(&self) -> &Frame {
        match self {
            Context::Selection(context) => &context.frame,
            Context::Retry(context) => &context.frame,
            Context::Gate(context) => &context.frame,
            Context::Curriculum(context) => &context.frame,
        }
    }

    pub fn frame_mut(&mut self) -> &mut Frame {
        match self {
            Context::Selection(context) => &mut context.frame,
            Context::Retry(context) => &mut context.frame,
            Context::Gate(context) => &mut context.frame,
            Context::Curriculum(context) => &mut context.frame,
        }
    }

    /// The bytes that are recorded and replayed. The first byte names the layout, so that a later one can be told apart.
    pub fn encode(&self) -> Encoded {
        Encoded::of(self.bytes())
    }

    /// The same bytes without their digest.
    pub fn bytes(&self) -> Vec<u8> {
        postcard::to_extend(self, vec![CONTEXT_LAYOUT]).expect("a context is plain data")
    }

    pub fn decode(bytes: &[u8]) -> Result<Context, DecodeError> {
        match bytes.split_first() {
            Some((&CONTEXT_LAYOUT, rest)) => postcard::from_bytes(rest).map_err(|_| DecodeError::Damaged),
            Some((&layout, _)) => Err(DecodeError::UnknownLayout(layout)),
            None => Err(DecodeError::Damaged),
        }
    }
}

const CONTEXT_LAYOUT: u8 = 1;

/// Most candidates in a selection context; the rest are counted as left out.
pub const CANDIDATES_MAX: usize = 512;
