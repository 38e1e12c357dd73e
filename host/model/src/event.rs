//! Events: past facts in the journal. A journaled event is never changed; its shape only grows by fields with a default.

use crate::context::GateStage;
use crate::decision::Decision;
use crate::ids::{Actor, CampaignId, DecisionId, Digest, Millis, ModelTag, RunId, Seq, SourceId};
use crate::policy::{Fault, PolicyDescription, PolicyKind, PolicyRef, SwapReport};
use crate::promotion::{CandidateEnd, HoldCause, ServedSample};
use crate::run::{AttemptToken, Run, RunReport};
use crate::settings::{Settings, SettingsCause, SettingsPreset};
use crate::source::{Lane, Lock, NewSource, SourceEdit};
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
    /// Rows 1 to `rows` of a campaign, sources from `first` on: each as `new` says, with the row's own title.
    CampaignQueued {
        campaign: CampaignId,
        new: NewSource,
        rows: u32,
        first: SourceId,
        actor: Actor,
        #[serde(default)]
        reason: String,
    },
    /// What was neither done nor running of it has left.
    CampaignCancelled {
        campaign: CampaignId,
        /// Sources that left.
        left: u32,
        actor: Actor,
        #[serde(default)]
        reason: String,
    },
    /// Nothing of it waits or runs any more. Comes again where a disabled row is brought back and ends.
    CampaignEnded {
        campaign: CampaignId,
        done: u32,
        failed: u32,
        cancelled: u32,
    },
    /// One stretch of an imported file: sources from `first` on.
    SourcesImported {
        import: String,
        batch: u32,
        digest: u64,
        first: SourceId,
        rows: Vec<NewSource>,
        #[serde(default)]
        refused: u32,
        actor: Actor,
    },
    SourceEdited {
        source: SourceId,
        edit: SourceEdit,
        actor: Actor,
        #[serde(default)]
        reason: String,
    },
    /// A source leaves: somebody wants it no more.
    SourceCancelled {
        source: SourceId,
        actor: Actor,
        #[serde(default)]
        reason: String,
    },
    LockTaken {
        lock: Lock,
    },
    LockReleased {
        lock: Lock,
        actor: Actor,
        reason: String,
    },
    SourceEnabled {
        source: SourceId,
        actor: Actor,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
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
        #[serde(default)]
        reason: String,
        #[serde(default)]
        cause: SettingsCause,
    },
    /// Values of settings under a name, to be applied at will; one of the same name before it is replaced.
    PresetSaved {
        name: String,
        preset: SettingsPreset,
        actor: Actor,
    },
    PresetDeleted {
        name: String,
        actor: Actor,
    },
    /// How many outcomes the learning memory holds, by its own word. Told at a bounded rate, and less than before where it was
    /// built anew.
    IngestReported {
        outcomes: u64,
    },
    /// The gate is not asked, or the evaluation not planned, since the learning memory is too far behind.
    GateBlocked {
        candidate: ModelTag,
        stage: GateStage,
        /// The pairs are there and only the answer waits; else the evaluation itself does.
        answer_due: bool,
        lag: u64,
        limit: u32,
        /// It is looked at again then, or as soon as the memory has caught up.
        until: Millis,
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
        #[serde(default)]
        cause: HoldCause,
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
        /// The gate's decision, or the person; older entries do not say.
        #[serde(default)]
        by: Option<StageBy>,
    },
    /// Their files go.
    ModelsRetired {
        models: Vec<ModelTag>,
        /// Who pruned; none where the host kept to `keep_models` by itself.
        #[serde(default)]
        actor: Option<Actor>,
        #[serde(default)]
        reason: String,
    },
    /// A pinned model is never retired.
    ModelPinned {
        model: ModelTag,
        pinned: bool,
        actor: Actor,
        #[serde(default)]
        reason: String,
    },
    PolicyActivated {
        generation: u32,
        description: PolicyDescription,
        previous: Option<PolicyRef>,
        actor: Actor,
        reason: String,
        /// Number of the set that it was activated in; none where it was activated alone.
        #[serde(default)]
        set: Option<u64>,
        /// It goes back then, unless it is confirmed before.
        #[serde(default)]
        confirm_by: Option<Millis>,
        #[serde(default)]
        state: StateHandover,
        /// What was found on its way into service.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        report: Option<SwapReport>,
    },
    /// What waited for a confirmation stays.
    PolicyConfirmed {
        kinds: Vec<PolicyKind>,
        #[serde(default)]
        set: Option<u64>,
        actor: Actor,
    },
    /// The version before is active again, with the state that it had; the built-in where there was none before.
    PolicyRolledBack {
        kind: PolicyKind,
        generation: u32,
        to: PolicyDescription,
        from: PolicyRef,
        actor: Actor,
        reason: String,
        /// The set that was taken back, where more than this kind went.
        #[serde(default)]
        set: Option<u64>,
        /// Set by the breaker: until then `from` is activated again by force only.
        #[serde(default)]
        tripped_until: Option<Millis>,
    },
    PolicyPinned {
        kind: PolicyKind,
        pinned: bool,
        actor: Actor,
        reason: String,
    },
    /// A version decides a share of its kind's questions beside the active one.
    PolicyCanaryStarted {
        description: PolicyDescription,
        share: f64,
        #[serde(default)]
        state: StateHandover,
        actor: Actor,
        reason: String,
        /// What the stages before it found.
        #[serde(default)]
        report: Option<SwapReport>,
    },
    /// Comes after the activation where the version was promoted.
    PolicyCanaryEnded {
        kind: PolicyKind,
        policy: PolicyRef,
        end: PolicyCanaryEnd,
        actor: Actor,
        reason: String,
        #[serde(default)]
        tripped_until: Option<Millis>,
    },
    /// A version failed on one input again: it is not asked about that input any more.
    InputQuarantined {
        kind: PolicyKind,
        /// Names the input: what a question is about, without its time, seed, settings and state.
        key: Digest,
        /// The same in words.
        about: String,
        policy: PolicyRef,
        fault: Fault,
    },
    InputReleased {
        kind: PolicyKind,
        key: Digest,
        actor: Actor,
    },
}

/// The state that a version starts with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateHandover {
    /// None: another policy was active before, or one that had none.
    #[default]
    Empty,
    /// The bytes of the version before, as they are.
    Carried,
    /// What the version made of the bytes of the one before.
    Migrated { from_version: u32, state: Vec<u8> },
    /// What it had in its canary.
    FromCanary,
}

impl StateHandover {
    pub fn slug(&self) -> &'static str {
        match self {
            StateHandover::Empty => "empty",
            StateHandover::Carried => "carried",
            StateHandover::Migrated { .. } => "migrated",
            StateHandover::FromCanary => "from_canary",
        }
    }
}

/// How a policy's canary ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyCanaryEnd {
    /// It is the active version now.
    Promoted,
    /// Somebody ended it.
    Withdrawn,
    /// It failed too often.
    Tripped,
}

impl PolicyCanaryEnd {
    pub fn slug(self) -> &'static str {
        match self {
            PolicyCanaryEnd::Promoted => "promoted",
            PolicyCanaryEnd::Withdrawn => "withdrawn",
            PolicyCanaryEnd::Tripped => "tripped",
        }
    }
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
    /// Every word that there is; a test of the journal holds this against the variants.
    pub const SLUGS: [&str; 48] = [
        "host_started",
        "source_queued",
        "campaign_queued",
        "campaign_cancelled",
        "campaign_ended",
        "sources_imported",
        "source_edited",
        "source_cancelled",
        "lock_taken",
        "lock_released",
        "source_enabled",
        "source_disabled",
        "retry_scheduled",
        "source_moved",
        "source_given_up",
        "hosts_parked",
        "training_started",
        "training_stopped",
        "settings_changed",
        "preset_saved",
        "preset_deleted",
        "ingest_reported",
        "gate_blocked",
        "decided",
        "run_planned",
        "run_started",
        "run_cancel_requested",
        "run_finished",
        "model_bootstrapped",
        "candidate_raised",
        "window_passed",
        "candidate_advanced",
        "candidate_served",
        "more_pairs_wanted",
        "candidate_held",
        "model_applied",
        "candidate_ended",
        "model_rolled_back",
        "models_retired",
        "model_pinned",
        "policy_activated",
        "policy_confirmed",
        "policy_rolled_back",
        "policy_pinned",
        "policy_canary_started",
        "policy_canary_ended",
        "input_quarantined",
        "input_released",
    ];

    /// The event's word, as in its JSON `type`.
    pub fn slug(&self) -> &'static str {
        match self {
            Event::HostStarted { .. } => "host_started",
            Event::SourceQueued { .. } => "source_queued",
            Event::CampaignQueued { .. } => "campaign_queued",
            Event::CampaignCancelled { .. } => "campaign_cancelled",
            Event::CampaignEnded { .. } => "campaign_ended",
            Event::SourcesImported { .. } => "sources_imported",
            Event::SourceEdited { .. } => "source_edited",
            Event::SourceCancelled { .. } => "source_cancelled",
            Event::LockTaken { .. } => "lock_taken",
            Event::LockReleased { .. } => "lock_released",
            Event::SourceEnabled { .. } => "source_enabled",
            Event::SourceDisabled { .. } => "source_disabled",
            Event::RetryScheduled { .. } => "retry_scheduled",
            Event::SourceMoved { .. } => "source_moved",
            Event::SourceGivenUp { .. } => "source_given_up",
            Event::HostsParked { .. } => "hosts_parked",
            Event::TrainingStarted { .. } => "training_started",
            Event::TrainingStopped { .. } => "training_stopped",
            Event::SettingsChanged { .. } => "settings_changed",
            Event::PresetSaved { .. } => "preset_saved",
            Event::PresetDeleted { .. } => "preset_deleted",
            Event::IngestReported { .. } => "ingest_reported",
            Event::GateBlocked { .. } => "gate_blocked",
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
            Event::ModelPinned { .. } => "model_pinned",
            Event::PolicyActivated { .. } => "policy_activated",
            Event::PolicyConfirmed { .. } => "policy_confirmed",
            Event::PolicyRolledBack { .. } => "policy_rolled_back",
            Event::PolicyPinned { .. } => "policy_pinned",
            Event::PolicyCanaryStarted { .. } => "policy_canary_started",
            Event::PolicyCanaryEnded { .. } => "policy_canary_ended",
            Event::InputQuarantined { .. } => "input_quarantined",
            Event::InputReleased { .. } => "input_released",
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
