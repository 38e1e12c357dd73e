//! Commands: what is asked of the coordinator. Each is handled whole or refused whole.

use crate::ids::{Actor, ModelTag, RunId, SourceId};
use crate::policy::{PolicyDescription, PolicyKind};
use crate::promotion::ServedSample;
use crate::run::{AttemptToken, RunReport};
use crate::settings::Settings;
use crate::source::NewSource;

#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// The host has started. Comes first, once per start; `policies_loaded` names the generations whose code could be loaded.
    StartHost {
        version: String,
    },
    SubmitSource(NewSource),
    /// Bring a disabled source back.
    EnableSource {
        source: SourceId,
        actor: Actor,
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
    /// Make a checked version the active one of its kind.
    ActivatePolicy {
        description: PolicyDescription,
        actor: Actor,
        reason: String,
    },
    /// Back to the version active before.
    RollBackPolicy {
        kind: PolicyKind,
        actor: Actor,
        reason: String,
    },
    /// A person's word on a candidate that a gate holds.
    DecideHeld {
        candidate: ModelTag,
        approve: bool,
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
