//! Commands: what is asked of the coordinator. Each is handled whole or refused whole.

use crate::ids::{Actor, CampaignId, DecisionId, Digest, ModelTag, RunId, SourceId};
use crate::policy::{PolicyDescription, PolicyKind, SwapReport};
use crate::promotion::ServedSample;
use crate::run::{AttemptToken, RunReport};
use crate::settings::{Settings, SettingsCause, SettingsPreset};
use crate::source::{LockKey, NewSource, SourceEdit};

#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// The host has started. Comes first, once per start; `policies_loaded` names the generations whose code could be loaded.
    StartHost {
        version: String,
        /// The automatic loop is stopped from the start, whatever it was before.
        paused: bool,
    },
    SubmitSource(NewSource),
    /// N sources of one definition at once, none merged with another.
    SubmitCampaign {
        new: NewSource,
        rows: u32,
        actor: Actor,
        reason: String,
    },
    /// What is left of a campaign leaves; its runs go on unless they are to be ended, too.
    CancelCampaign {
        campaign: CampaignId,
        end_runs: bool,
        actor: Actor,
        reason: String,
    },
    /// One batch of an import. A batch that was taken before is answered and not taken again.
    ImportSources(ImportBatch),
    /// Bring a disabled source back.
    EnableSource {
        source: SourceId,
        actor: Actor,
        reason: String,
    },
    /// Change a source that is not running.
    EditSource {
        source: SourceId,
        edit: SourceEdit,
        actor: Actor,
        reason: String,
    },
    /// A source leaves without having been done.
    CancelSource {
        source: SourceId,
        actor: Actor,
        reason: String,
    },
    /// Run a source now, beside the automatic loop, whether that is on or off.
    RunSource {
        source: SourceId,
        actor: Actor,
        reason: String,
    },
    /// Hold selection to one host or campaign until somebody releases it.
    TakeLock {
        key: LockKey,
        value: String,
        actor: Actor,
        reason: String,
    },
    /// Let the lock go. A campaign that held it does not take it again.
    ReleaseLock {
        actor: Actor,
        reason: String,
    },
    DisableSource {
        source: SourceId,
        actor: Actor,
        reason: String,
    },
    /// Let the automatic loop pick sources.
    StartTraining {
        actor: Actor,
        reason: String,
        /// Asked by a program that only sees to it that training runs: refused where somebody has stopped it.
        automatic: bool,
    },
    /// No new picks; runs under way end by themselves.
    StopTraining {
        actor: Actor,
        reason: String,
    },
    CancelRun {
        run: RunId,
        actor: Actor,
        reason: String,
    },
    ChangeSettings {
        settings: Settings,
        actor: Actor,
    },
    /// The same, unless they have been changed since they were `expected`.
    ReviseSettings {
        expected: Settings,
        settings: Settings,
        cause: SettingsCause,
        actor: Actor,
        reason: String,
    },
    /// Keep values of settings under a name.
    SavePreset {
        name: String,
        preset: SettingsPreset,
        actor: Actor,
    },
    DeletePreset {
        name: String,
        actor: Actor,
    },
    /// Make checked versions the active ones of their kinds: all of them at one place of the journal, or none.
    ActivatePolicies {
        /// A kind once at most.
        policies: Vec<Activation>,
        /// Unless somebody confirms within this time, all of them go back.
        confirm_within_ms: Option<u64>,
        /// Also a version that the breaker took out of service, before its cool-down is over.
        force: bool,
        actor: Actor,
        reason: String,
    },
    /// Keep what was activated until confirmed, the whole set that it belongs to.
    ConfirmPolicy {
        kind: PolicyKind,
        actor: Actor,
    },
    /// Back to the version active before, with the state that it had.
    RollBackPolicy {
        kind: PolicyKind,
        /// And the other kinds that were activated with it, as far as they are still active.
        whole_set: bool,
        actor: Actor,
        reason: String,
    },
    /// Hold a kind at its active version: no activation, no canary, and the breaker leaves it alone.
    PinPolicy {
        kind: PolicyKind,
        pinned: bool,
        actor: Actor,
        reason: String,
    },
    /// Let a checked version decide a share of its kind's questions beside the active one.
    StartPolicyCanary {
        description: PolicyDescription,
        /// Above 0, at most 1.
        share: f64,
        /// What was found on the way; recorded with the canary, and with the activation if it is promoted.
        report: Option<SwapReport>,
        force: bool,
        actor: Actor,
        reason: String,
    },
    /// The version in canary becomes the active one with the state it has, or leaves.
    EndPolicyCanary {
        kind: PolicyKind,
        promote: bool,
        actor: Actor,
        reason: String,
    },
    /// Ask policies again about an input that was set aside.
    ReleaseQuarantine {
        kind: PolicyKind,
        key: Digest,
        actor: Actor,
    },
    /// A person's word on a candidate that is held.
    DecideHeld {
        candidate: ModelTag,
        /// The decision it is held with, as the person saw it; refused where it is held with another by now.
        decision: Option<DecisionId>,
        approve: bool,
        /// Approve, although a guard forbids it.
        despite_guards: bool,
        actor: Actor,
        reason: String,
    },
    /// Keep a model whatever its age, or let retention have it again.
    PinModel {
        model: ModelTag,
        pinned: bool,
        actor: Actor,
        reason: String,
    },
    /// Retire now what retention lets go.
    PruneModels {
        /// Newest models kept besides those in use; none for the setting `keep_models`.
        keep: Option<u32>,
        /// Names the models that may go, as a dry run has told; refused where others would go by now.
        plan: Option<Digest>,
        actor: Actor,
        reason: String,
    },
    /// Back to the model live before.
    RollBackModel {
        actor: Actor,
        reason: String,
    },
    /// From the runner: the process runs.
    ReportStarted {
        token: AttemptToken,
    },
    /// From the runner: the attempt has ended. Taken once per token.
    ReportFinished {
        token: AttemptToken,
        report: RunReport,
    },
    /// From serving: standard requests that candidate and baseline took part in.
    ReportServed {
        candidate: ModelTag,
        samples: Vec<ServedSample>,
    },
    /// A deadline has come.
    Tick,
}

/// Sources of one stretch of an imported file.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportBatch {
    /// Names the import, from repeat to repeat.
    pub import: String,
    /// From 0, without a gap.
    pub batch: u32,
    /// Of the stretch as it stands in the file, so that another file under the same name is found out.
    pub digest: u64,
    pub rows: Vec<NewSource>,
    /// Lines of the stretch that were not taken, for the record.
    pub refused: u32,
    pub actor: Actor,
}

/// One version of an activation.
#[derive(Clone, Debug, PartialEq)]
pub struct Activation {
    pub description: PolicyDescription,
    /// Start with an empty state, though the version before has one that could be taken over.
    pub fresh_state: bool,
    /// What was found on the way; recorded with the activation.
    pub report: Option<SwapReport>,
}

impl Activation {
    /// Takes over the state of the version before, where that has the same name.
    pub fn of(description: PolicyDescription) -> Activation {
        Activation {
            description,
            fresh_state: false,
            report: None,
        }
    }
}

impl Command {
    /// Activates a single version that need not be confirmed.
    pub fn activate(description: PolicyDescription, actor: Actor, reason: impl Into<String>) -> Command {
        Command::ActivatePolicies {
            policies: vec![Activation::of(description)],
            confirm_within_ms: None,
            force: false,
            actor,
            reason: reason.into(),
        }
    }
}
