//! Gives a reason of 32 megabytes.

use pointsman_policy_sdk::prelude::*;

pub struct LongReason;

impl SourceSelection for LongReason {
    fn describe() -> Description {
        hostile::innocent("hostile-long-reason", "Gives a reason of 32 megabytes.")
    }

    fn decide(context: &SelectionContext) -> Result<SelectionDecision, PolicyError> {
        let text = "because ".repeat(4 << 20);
        Ok(hostile::first(context).reason(Reason {
            text,
            ..Reason::new("long_story")
        }))
    }
}

export_source_selection!(LongReason);
