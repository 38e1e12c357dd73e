//! What is asked of a swap, and how it ended.

use crate::wire::{PolicyProblem, ReplayBudgets};
use pointsman_coordinator::Refusal;
use pointsman_model::Actor;
use pointsman_model::policy::Setting;

/// A policy as it is offered: a file's name and bytes, the settings that differ from its defaults, and what lay beside it.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    pub file: String,
    pub code: Vec<u8>,
    pub settings: Vec<Setting>,
    /// The operator vouches for it: a script then runs natively.
    pub trusted: bool,
    /// Text of `FILE.sig`.
    pub signature: Option<String>,
    pub budgets: ReplayBudgets,
}

/// A swap as it is asked for.
#[derive(Clone, Debug)]
pub struct Order {
    /// One of each kind; all of them become active at one place of the journal, or none.
    pub offers: Vec<Offer>,
    pub goal: Goal,
    /// Also where the replay breaks a budget, and a version that the breaker took out of service a short while ago.
    pub force: bool,
    /// Start with no state, though the version before has one that could be taken over.
    pub fresh_state: bool,
    pub shadow: Option<ShadowStage>,
    pub actor: Actor,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Goal {
    Activate {
        confirm_within_ms: Option<u64>,
    },
    /// A share of its kind's questions, beside the active version.
    Canary {
        share: f64,
    },
}

/// A look at live decisions before the activation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShadowStage {
    /// Decisions that it must have seen.
    pub decisions: u32,
    /// Largest share of them in which it may have disagreed; faults count.
    pub changed_max: f64,
}

impl Order {
    /// The plainest: one policy, active from now on.
    pub fn activate(offer: Offer, actor: Actor, reason: impl Into<String>) -> Order {
        Order {
            offers: vec![offer],
            goal: Goal::Activate { confirm_within_ms: None },
            force: false,
            fresh_state: false,
            shadow: None,
            actor,
            reason: reason.into(),
        }
    }
}

/// How a swap ended.
#[derive(Clone, Debug)]
pub enum SwapEnd {
    /// In service; of the first offer, for a set. The generation is none for a canary.
    Done {
        generation: Option<u32>,
    },
    /// All of them were active already.
    WasActive {
        generation: u32,
    },
    Failed(PolicyProblem),
    /// The coordinator or the disk said no.
    Refused(PolicyProblem, Option<Refusal>),
}
