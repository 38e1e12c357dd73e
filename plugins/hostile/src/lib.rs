//! Guests that misbehave, each in one way. The host's tests load them and see that it stays up, asks the next link of
//! its chain, and records the right class of fault.
//!
//! Each file in `guests/` is one component, `plugins/dist/hostile_<name>.wasm`, of kind source-selection. Their
//! descriptions are lawful, so that they pass the checks at load and do their harm when they decide.

use pointsman_policy_sdk::prelude::*;

/// A description that gives nothing away.
pub fn innocent(name: &str, summary: &str) -> Description {
    Description::new(name, env!("CARGO_PKG_VERSION")).summary(summary)
}

/// What a policy of good will would answer: the first candidate, or nothing.
pub fn first(context: &SelectionContext) -> SelectionDecision {
    let decision = if context.candidates.is_empty() {
        SelectionDecision::idle()
    } else {
        SelectionDecision::pick(vec![0])
    };
    decision.reason(Reason::new("first").text("The first is as good as any."))
}
