//! Runs, attempts and outcomes.

use crate::ids::{Digest, Millis, ModelTag, RunId, SourceId};
use crate::source::TrainingParams;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunClass {
    Training,
    Eval,
    Canary,
    Manual,
}

/// Fences one attempt: a report that carries another token is refused, so an outcome is taken once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AttemptToken {
    pub run: RunId,
    /// Attempts of the source, this one included.
    pub attempt: u32,
    /// Start of the host during which the run was planned.
    pub term: u32,
}

/// What a run is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// The very first model, where there is none to start from.
    Bootstrap,
    Train {
        source: SourceId,
        host: Option<String>,
        params: TrainingParams,
        replay_hosts: Vec<String>,
    },
    /// Candidate against baseline on held-out blocks, from `offset` on.
    Evaluate {
        candidate: ModelTag,
        offset: u32,
        blocks_per_host: u32,
    },
}

/// A run that is wanted or under way. A finished one leaves the state; its row stays in the views.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    pub token: AttemptToken,
    pub class: RunClass,
    pub title: String,
    pub work: Work,
    /// Model the work starts from or is measured against.
    pub base: Option<ModelTag>,
    pub seed: u64,
    pub planned_at: Millis,
    pub started_at: Option<Millis>,
    pub cancelled: Option<String>,
}

/// The status of a run, with its words for people; the browser maps nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    Queued,
    Warming,
    Running,
    Completed,
    Failed,
    Cancelled,
}

impl RunStatus {
    pub fn slug(self) -> &'static str {
        match self {
            RunStatus::Queued => "queued",
            RunStatus::Warming => "warming",
            RunStatus::Running => "running",
            RunStatus::Completed => "completed",
            RunStatus::Failed => "failed",
            RunStatus::Cancelled => "cancelled",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            RunStatus::Queued => "Queued",
            RunStatus::Warming => "Warming up",
            RunStatus::Running => "Running",
            RunStatus::Completed => "Completed",
            RunStatus::Failed => "Failed",
            RunStatus::Cancelled => "Cancelled",
        }
    }
}

/// Why an attempt failed, as far as it matters for trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    Infra,
    Preempted,
    Timeout,
    Transient,
    Deterministic,
    Crash,
    Policy,
}

impl FailureClass {
    pub const ALL: [FailureClass; 7] = [
        FailureClass::Infra,
        FailureClass::Preempted,
        FailureClass::Timeout,
        FailureClass::Transient,
        FailureClass::Deterministic,
        FailureClass::Crash,
        FailureClass::Policy,
    ];

    pub fn slug(self) -> &'static str {
        match self {
            FailureClass::Infra => "infra",
            FailureClass::Preempted => "preempted",
            FailureClass::Timeout => "timeout",
            FailureClass::Transient => "transient",
            FailureClass::Deterministic => "deterministic",
            FailureClass::Crash => "crash",
            FailureClass::Policy => "policy",
        }
    }
}

/// Failures so far, by class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureCounts {
    pub infra: u32,
    pub preempted: u32,
    pub timeout: u32,
    pub transient: u32,
    pub deterministic: u32,
    pub crash: u32,
    pub policy: u32,
}

impl FailureCounts {
    pub fn count(&mut self, class: FailureClass) {
        let slot = match class {
            FailureClass::Infra => &mut self.infra,
            FailureClass::Preempted => &mut self.preempted,
            FailureClass::Timeout => &mut self.timeout,
            FailureClass::Transient => &mut self.transient,
            FailureClass::Deterministic => &mut self.deterministic,
            FailureClass::Crash => &mut self.crash,
            FailureClass::Policy => &mut self.policy,
        };
        *slot = slot.saturating_add(1);
    }

    pub fn total(&self) -> u32 {
        let FailureCounts {
            infra,
            preempted,
            timeout,
            transient,
            deterministic,
            crash,
            policy,
        } = *self;
        [infra, preempted, timeout, transient, deterministic, crash, policy]
            .iter()
            .fold(0, |sum: u32, n| sum.saturating_add(*n))
    }
}

/// What the runner reports at the end of an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    pub duration_ms: u64,
    pub end: RunEnd,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEnd {
    Completed(Completion),
    Failed(Failure),
    Cancelled,
}

/// What a run that ended well brought.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Completion {
    pub steps: u32,
    /// Held-out loss over all hosts before and after, where it was measured.
    pub loss_before: Option<f64>,
    pub loss_after: Option<f64>,
    /// Held-out loss by host, at the end.
    pub losses: Vec<HostLoss>,
    /// Hosts that the run trained on, as the trainer tells.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// The model that a training run left in its output directory.
    pub model: Option<ModelFile>,
    /// Paired results of an evaluation.
    pub pairs: Vec<Pair>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostLoss {
    pub host: String,
    pub before: Option<f64>,
    pub after: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelFile {
    pub digest: Digest,
    pub bytes: u64,
    /// Directory relative to the data directory.
    pub path: String,
}

/// One held-out item, or one standard request, scored by both models; less is better.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    pub host: String,
    pub baseline: f64,
    pub candidate: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    pub class: FailureClass,
    /// The end of the error text, at most [`ERROR_BYTES_MAX`].
    pub error: String,
    pub exit_code: Option<i32>,
}

/// Longest error text that is kept with an outcome.
pub const ERROR_BYTES_MAX: usize = 1024;
