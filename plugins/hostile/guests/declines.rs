//! Says that it cannot decide.

use pointsman_policy_sdk::prelude::*;

pub struct Declines;

impl SourceSelection for Declines {
    fn describe() -> Description {
        hostile::innocent("hostile-declines", "Says that it cannot decide.")
    }

    fn decide(_context: &SelectionContext) -> Result<SelectionDecision, PolicyError> {
        Err(PolicyError::failed("this policy never decides"))
    }
}

export_source_selection!(Declines);
