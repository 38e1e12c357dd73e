//! Panics.

use pointsman_policy_sdk::prelude::*;

pub struct Trap;

impl SourceSelection for Trap {
    fn describe() -> Description {
        hostile::innocent("hostile-trap", "Panics.")
    }

    fn decide(context: &SelectionContext) -> Result<SelectionDecision, PolicyError> {
        panic!(
            "this policy was written to fail, with {} candidates before it",
            context.candidates.len()
        )
    }
}

export_source_selection!(Trap);
