//! Scores fewer candidates than there are, and breaks the shape of the terms.

use pointsman_policy_sdk::prelude::*;

pub struct ShortScores;

impl SourceSelection for ShortScores {
    fn describe() -> Description {
        hostile::innocent(
            "hostile-short-scores",
            "Scores fewer candidates than there are, and breaks the shape of the terms.",
        )
    }

    fn decide(context: &SelectionContext) -> Result<SelectionDecision, PolicyError> {
        let mut scores = Scores::new(&["charm", "wit"]);
        for _ in context.candidates().skip(1) {
            scores.row(&[1.0, 2.0]);
        }
        scores.terms.pop();
        scores.block(u32::MAX, "no_such_candidate");
        Ok(hostile::first(context).scores(scores))
    }
}

export_source_selection!(ShortScores);
