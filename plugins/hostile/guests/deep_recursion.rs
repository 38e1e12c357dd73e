//! Calls itself until the stack is spent.

use pointsman_policy_sdk::prelude::*;

pub struct DeepRecursion;

impl SourceSelection for DeepRecursion {
    fn describe() -> Description {
        hostile::innocent("hostile-deep-recursion", "Calls itself until the stack is spent.")
    }

    fn decide(context: &SelectionContext) -> Result<SelectionDecision, PolicyError> {
        fn descend(depth: u64) -> u64 {
            // The sum after the call keeps this from becoming a loop.
            if std::hint::black_box(depth) == u64::MAX {
                0
            } else {
                descend(depth + 1) + std::hint::black_box(1)
            }
        }
        log!("came back from {}", descend(0));
        Ok(hostile::first(context))
    }
}

export_source_selection!(DeepRecursion);
