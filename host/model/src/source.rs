//! Sources: what may be trained on.

use crate::ids::{Millis, SourceId};
use crate::run::FailureCounts;
use serde::{Deserialize, Serialize};

/// Whether operators queued a source or the curriculum seeded it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    Queue,
    Curriculum,
}

/// Through which door a source came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    Ui,
    Api,
    Cli,
    Campaign,
    Curriculum,
}

/// Parameters of a training run. Every field has a default in the live settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingParams {
    pub steps: u32,
    pub learning_rate: f64,
    /// Share of each batch taken from hosts learnt before: keeps the model from forgetting.
    pub replay_share: f64,
}

/// A source as it is submitted. Lengths and numbers are checked by the coordinator, which names the field at fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewSource {
    pub title: String,
    /// Text to train on; where it is short, the host's own corpus is used.
    #[serde(default)]
    pub body: String,
    #[serde(default)]
    pub host: Option<String>,
    pub lane: Lane,
    pub origin: Origin,
    #[serde(default)]
    pub priority: i32,
    #[serde(default)]
    pub params: Option<TrainingParams>,
}

/// Row of a campaign: N sources made from one definition, each with its own marker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignRow {
    pub campaign: String,
    pub row: u32,
}

/// A source that is pending, waiting for a retry, running or disabled. One that is done leaves the state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    pub id: SourceId,
    pub title: String,
    pub body: String,
    pub host: Option<String>,
    pub lane: Lane,
    pub origin: Origin,
    pub campaign: Option<CampaignRow>,
    pub priority: i32,
    pub params: Option<TrainingParams>,
    pub queued_at: Millis,
    pub attempts: u32,
    pub failures: FailureCounts,
    pub last_error_digest: Option<u64>,
    pub same_error: u32,
    pub stage: SourceStage,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceStage {
    Pending,
    /// Failed, and to be tried again at this time.
    Waiting {
        until: Millis,
    },
    Running {
        run: crate::RunId,
    },
    /// Not run until a person enables it.
    Disabled {
        reason: String,
    },
}
