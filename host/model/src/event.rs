//! Events: past facts in the journal. A journaled event is never changed; its shape only grows by fields with a default.

use crate::decision::Decision;
use crate::ids::{Actor, DecisionId, Millis, ModelTag, RunId, Seq, SourceId};
use crate::policy::{PolicyDescription, PolicyKind, PolicyRef};
use crate::promotion::{CandidateEnd, ServedSample};
use crate::run::{AttemptToken, Run, RunReport};
use crate::settings::Settings;
use crate::source::{Lane, NewSource};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    HostStarted {
        version: String,
        term: u32,
    },
    SourceQueued {
        source: SourceId,
        new: NewSource,
        #[serde(default)]
        decision: Option<DecisionId>,
    },
    SourceEnabled {
        source: SourceId,
        actor: Actor,
    },
    SourceDisabled {
        source: SourceId,
        actor: Actor,
        reason: String,
        #[serde(default)]
        decision: Option<DecisionId>,
    },
    /// A failed source waits for its next attempt.
    RetryScheduled {
        source: SourceId,
        at: Millis,
        decision: DecisionId,
    },
    SourceMoved {
        source: SourceId,
        lane: Lane,
        decision: DecisionId,
    },
    /// A source leaves, unsuccessfully.
    SourceGivenUp {
        source: SourceId,
        decision: DecisionId,
    },
    HostsParked {
        hosts: Vec<String>,
        decision: DecisionId,
    },
    TrainingStarted {
        actor: Actor,
        reason: String,
    },
    TrainingStopped {
        actor: Actor,
        reason: String,
    },
    SettingsChanged {
        settings: Settings,
        actor: Actor,
    },
    /// A policy was asked. Comes before the events that follow from its verdict.
    Decided(Box<Decision>),
    RunPlanned {
        run: Run,
        #[serde(default)]
        decision: Option<DecisionId>,
    },
    RunStarted {
        token: AttemptToken,
    },
    RunCancelRequested {
        run: RunId,
        actor: Actor,
        reason: String,
    },
    /// The one outcome of a run. `model` is the tag given to what it made.
    RunFinished {
        token: AttemptToken,
        report: RunReport,
        #[serde(default)]
        model: Option<ModelTag>,
    },
    /// The first model goes into service: there is nothing to compare it with.
    ModelBootstrapped {
        model: ModelTag,
    },
    /// A window of successes is full: the newest model of the line is compared with the active one.
    CandidateRaised {
        candidate: ModelTag,
        baseline: ModelTag,
        watermark: u64,
    },
    /// A window was full, but the line holds no model newer than the active one.
    WindowPassed {
        watermark: u64,
    },
    CandidateAdvanced {
        candidate: ModelTag,
        to: CandidateStep,
        by: StageBy,
    },
    CandidateServed {
        candidate: ModelTag,
        samples: Vec<ServedSample>,
    },
    MorePairsWanted {
        candidate: ModelTag,
        pairs: u32,
        decision: DecisionId,
    },
    CandidateHeld {
        candidate: ModelTag,
        reason: String,
        decision: DecisionId,
    },
    /// Goes live without a restart.
    ModelApplied {
        model: ModelTag,
        before: ModelTag,
        by: StageBy,
    },
    CandidateEnded {
        candidate: ModelTag,
        end: CandidateEnd,
        reason: String,
        by: StageBy,
    },
    ModelRolledBack {
        from: ModelTag,
        to: ModelTag,
        reason: String,
    },
    ModelsRetired {
        models: Vec<ModelTag>,
    },
    PolicyActivated {
        generation: u32,
        description: PolicyDescription,
        previous: Option<PolicyRef>,
        actor: Actor,
        reason: String,
    },
    PolicyRolledBack {
        kind: PolicyKind,
        generation: u32,
        to: PolicyDescription,
        from: PolicyRef,
        actor: Actor,
        reason: String,
    },
}

/// The stage a candidate moves to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CandidateStep {
    Evaluate,
    Canary,
    Watch,
}

/// What moved a candidate: a gate's decision, or a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageBy {
    Decision(DecisionId),
    Person { actor: Actor, reason: String },
    Host,
}

impl Event {
    /// The event's word, as in its JSON `type`.
    pub fn slug(&self) -> &'static str {
        match self {
            Event::HostStarted { .. } => "host_started",
            Event::SourceQueued { .. } => "source_queued",
            Event::SourceEnabled { .. } => "source_enabled",
            Event::SourceDisabled { .. } => "source_disabled",
            Event::RetryScheduled { .. } => "retry_scheduled",
            Event::SourceMoved { .. } => "source_moved",
            Event::SourceGivenUp { .. } => "source_given_up",
            Event::HostsParked { .. } => "hosts_parked",
            Event::TrainingStarted { .. } => "training_started",
            Event::TrainingStopped { .. } => "training_stopped",
            Event::SettingsChanged { .. } => "settings_changed",
            Event::Decided(_) => "decided",
            Event::RunPlanned { .. } => "run_planned",
            Event::RunStarted { .. } => "run_started",
            Event::RunCancelRequested { .. } => "run_cancel_requested",
            Event::RunFinished { .. } => "run_finished",
            Event::ModelBootstrapped { .. } => "model_bootstrapped",
            Event::CandidateRaised { .. } => "candidate_raised",
            Event::WindowPassed { .. } => "window_passed",
            Event::CandidateAdvanced { .. } => "candidate_advanced",
            Event::CandidateServed { .. } => "candidate_served",
            Event::MorePairsWanted { .. } => "more_pairs_wanted",
            Event::CandidateHeld { .. } => "candidate_held",
            Event::ModelApplied { .. } => "model_applied",
            Event::CandidateEnded { .. } => "candidate_ended",
            Event::ModelRolledBack { .. } => "model_rolled_back",
            Event::ModelsRetired { .. } => "models_retired",
            Event::PolicyActivated { .. } => "policy_activated",
            Event::PolicyRolledBack { .. } => "policy_rolled_back",
        }
    }
}

/// An event as it leaves the coordinator, with the bytes that only the ledger keeps.
#[derive(Clone, Debug, PartialEq)]
pub struct Emitted {
    pub event: Event,
    /// For [`Event::Decided`].
    pub recording: Option<Recording>,
}

/// What the ledger keeps of a decision beside its event, which holds the digests.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// The context as the answering link saw it.
    pub context: Vec<u8>,
    pub scores: Option<Vec<u8>>,
}

/// An event at its place in the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    pub seq: Seq,
    pub at: Millis,
    pub event: Event,
}
