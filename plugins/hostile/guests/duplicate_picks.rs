//! Picks the same candidate twice.

use pointsman_policy_sdk::prelude::*;

pub struct DuplicatePicks;

impl SourceSelection for DuplicatePicks {
    fn describe() -> Description {
        hostile::innocent("hostile-duplicate-picks", "Picks the same candidate twice.")
    }

    fn decide(_context: &SelectionContext) -> Result<SelectionDecision, PolicyError> {
        Ok(SelectionDecision::pick(vec![0, 0]).reason(Reason::new("twice").text("So good that it is picked twice.")))
    }
}

export_source_selection!(DuplicatePicks);
