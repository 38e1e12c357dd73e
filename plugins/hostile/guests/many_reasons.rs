//! Gives a hundred thousand reasons, with control characters and markup in them.

use pointsman_policy_sdk::prelude::*;

pub struct ManyReasons;

impl SourceSelection for ManyReasons {
    fn describe() -> Description {
        hostile::innocent(
            "hostile-many-reasons",
            "Gives a hundred thousand reasons, with control characters and markup in them.",
        )
    }

    fn decide(context: &SelectionContext) -> Result<SelectionDecision, PolicyError> {
        // Past the SDK's builder, which would make the text plain.
        let reason = || Reason {
            text: "\u{1b}[31mred\u{7} <script>alert(1)</script>".to_string(),
            ..Reason::new("<b>many</b>")
        };
        Ok(hostile::first(context).reasons((0..100_000).map(|_| reason())))
    }
}

export_source_selection!(ManyReasons);
