//! Writes to the log without end.

use pointsman_policy_sdk::prelude::*;

pub struct LogFlood;

impl SourceSelection for LogFlood {
    fn describe() -> Description {
        hostile::innocent("hostile-log-flood", "Writes to the log without end.")
    }

    fn decide(_context: &SelectionContext) -> Result<SelectionDecision, PolicyError> {
        let line = "x".repeat(1024);
        loop {
            log!("{line}");
        }
    }
}

export_source_selection!(LogFlood);
