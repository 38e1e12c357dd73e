//! Returns eight megabytes of state.

use pointsman_policy_sdk::prelude::*;

pub struct HugeState;

impl SourceSelection for HugeState {
    fn describe() -> Description {
        hostile::innocent("hostile-huge-state", "Returns eight megabytes of state.")
    }

    fn decide(context: &SelectionContext) -> Result<SelectionDecision, PolicyError> {
        Ok(hostile::first(context).state(vec![7; 8 << 20]))
    }
}

export_source_selection!(HugeState);
