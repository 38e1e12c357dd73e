//! Sources: what may be trained on.

use crate::ids::{CampaignId, Millis, SourceId};
use crate::run::FailureCounts;
use serde::{Deserialize, Serialize};

/// Whether operators queued a source or the curriculum seeded it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    Queue,
    Curriculum,
}

impl Lane {
    pub const ALL: [Lane; 2] = [Lane::Queue, Lane::Curriculum];

    pub fn slug(self) -> &'static str {
        match self {
            Lane::Queue => "queue",
            Lane::Curriculum => "curriculum",
        }
    }
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

impl Origin {
    pub const ALL: [Origin; 5] = [Origin::Ui, Origin::Api, Origin::Cli, Origin::Campaign, Origin::Curriculum];

    pub fn slug(self) -> &'static str {
        match self {
            Origin::Ui => "ui",
            Origin::Api => "api",
            Origin::Cli => "cli",
            Origin::Campaign => "campaign",
            Origin::Curriculum => "curriculum",
        }
    }
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CampaignRow {
    pub campaign: CampaignId,
    /// From 1.
    pub row: u32,
}

impl CampaignRow {
    /// Tells the rows of all campaigns apart, so that none is taken for another: `c-3/12`.
    pub fn marker(self) -> String {
        format!("{}/{}", self.campaign.name(), self.row)
    }

    /// Title of a row, which has the marker in it: `Learn Latin [c-3/12]`.
    pub fn title(self, title: &str) -> String {
        format!("{title} [{}]", self.marker())
    }
}

/// Most rows of one campaign: one entry of the journal brings them all, and one transaction.
pub const CAMPAIGN_ROWS_MAX: u32 = 10_000;

/// What a person changes of a source; none stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourceEdit {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// An empty name takes the source away from its host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lane: Option<Lane>,
}

impl SourceEdit {
    pub fn is_empty(&self) -> bool {
        *self == SourceEdit::default()
    }
}

/// What a lock holds selection to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockKey {
    /// Sources of one host, whoever queued them.
    Host,
    /// Rows of one campaign: the label of a campaign that is of no host.
    Campaign,
}

impl LockKey {
    pub fn slug(self) -> &'static str {
        match self {
            LockKey::Host => "host",
            LockKey::Campaign => "campaign",
        }
    }
}

/// The one lock: while it is held, nothing else is picked, and what it names is picked in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    pub key: LockKey,
    /// The host, or the campaign's name.
    pub value: String,
    /// The campaign whose end releases it; none where a person took it.
    #[serde(default)]
    pub holder: Option<CampaignId>,
    pub since: Millis,
    pub actor: String,
    #[serde(default)]
    pub reason: String,
}

/// A source that is pending, waiting for a retry, running or disabled. One that is done leaves the state.
///
/// Its text is not here: a million of them are pending at times, and the journal has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    pub id: SourceId,
    pub title: String,
    pub body_bytes: u32,
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
