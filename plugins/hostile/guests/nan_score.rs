//! Scores its candidates with numbers that are none.

use pointsman_policy_sdk::prelude::*;

pub struct NanScore;

impl SourceSelection for NanScore {
    fn describe() -> Description {
        hostile::innocent("hostile-nan-score", "Scores its candidates with numbers that are none.")
    }

    fn decide(context: &SelectionContext) -> Result<SelectionDecision, PolicyError> {
        let mut scores = Scores::new(&["charm"]);
        for candidate in context.candidates() {
            scores.row(&[[f64::NAN, f64::INFINITY, f64::NEG_INFINITY][candidate.index as usize % 3]]);
        }
        Ok(hostile::first(context).scores(scores))
    }
}

export_source_selection!(NanScore);
