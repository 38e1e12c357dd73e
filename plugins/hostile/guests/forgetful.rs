//! Answers by what it remembers from call to call, in memory that no one recorded.

use pointsman_policy_sdk::prelude::*;

pub struct Forgetful;

impl SourceSelection for Forgetful {
    fn describe() -> Description {
        hostile::innocent(
            "hostile-forgetful",
            "Answers by what it remembers from call to call, in memory that no one recorded.",
        )
    }

    fn decide(context: &SelectionContext) -> Result<SelectionDecision, PolicyError> {
        use std::sync::atomic::{AtomicU32, Ordering};
        // A fresh instance for each decision forgets this; a warm one would make replays differ.
        static CALLS: AtomicU32 = AtomicU32::new(0);
        let calls = CALLS.fetch_add(1, Ordering::Relaxed);
        Ok(hostile::first(context).reason(
            Reason::new("calls_remembered")
                .feature("calls")
                .value(f64::from(calls))
                .text("Counted in secret."),
        ))
    }
}

export_source_selection!(Forgetful);
