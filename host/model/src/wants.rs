//! Wants: what should be true outside. Level-triggered: the runner compares and acts, and may be told twice.

use crate::promotion::Model;
use crate::run::Run;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Wants {
    /// Runs that should be under way; one that is cancelled should be ended.
    pub runs: Vec<WantedRun>,
    pub serving: Option<Serving>,
    /// Directories, relative to the data directory, of the models whose files must stay; all others may be deleted.
    pub keep: BTreeSet<String>,
    /// What a run that begins may be given of the learning memory.
    pub recall: RecallBudget,
}

/// Characters of each slot of memory; 0 leaves a slot out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecallBudget {
    pub same_host_chars: u32,
    pub similar_chars: u32,
    pub failures_chars: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WantedRun {
    pub run: Run,
    /// Directories, relative to the data directory, of the models that the work names.
    pub base: Option<String>,
    pub candidate: Option<String>,
    /// The source's title and text, for the trainer.
    pub source: Option<WantedSource>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WantedSource {
    pub id: u64,
    pub title: String,
    /// Not part of the state: whoever tells the wants reads it from the journal.
    pub body: String,
}

/// Which model answers standard requests, and which one stands beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Serving {
    pub active: Model,
    pub beside: Option<Beside>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Beside {
    /// The candidate answers this share of the requests; both score every prompt.
    Canary { candidate: Model, share: f64 },
    /// The active model is the candidate; the model before it scores every prompt, too.
    Watch { before: Model },
}
