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
        let reason = || Reason::new("<b>many</b>").text("\u{1b}[31mred\u{7} <script>alert(1)</script>");
        Ok(hostile::first(context).reasons((0..100_000).map(|_| reason())))
    }
}

export_source_selection!(ManyReasons);
