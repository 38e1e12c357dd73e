//! Never answers.

use pointsman_policy_sdk::prelude::*;

pub struct LoopForever;

impl SourceSelection for LoopForever {
    fn describe() -> Description {
        hostile::innocent("hostile-loop-forever", "Never answers.")
    }

    fn decide(_context: &SelectionContext) -> Result<SelectionDecision, PolicyError> {
        let mut spins = 0u64;
        loop {
            // Opaque, so that the loop is not optimised away.
            spins = std::hint::black_box(spins.wrapping_add(1));
        }
    }
}

export_source_selection!(LoopForever);
