//! Picks a candidate that is not there.

use pointsman_policy_sdk::prelude::*;

pub struct WrongCandidate;

impl SourceSelection for WrongCandidate {
    fn describe() -> Description {
        hostile::innocent("hostile-wrong-candidate", "Picks a candidate that is not there.")
    }

    fn decide(context: &SelectionContext) -> Result<SelectionDecision, PolicyError> {
        Ok(SelectionDecision::pick(vec![context.candidates.len() as u32 + 7]).reason(Reason::new("made_up").text("No such candidate.")))
    }
}

export_source_selection!(WrongCandidate);
