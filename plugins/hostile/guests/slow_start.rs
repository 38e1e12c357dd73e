//! Loops while it is instantiated, before any export is called.

use pointsman_policy_sdk::prelude::*;

pub struct SlowStart;

impl SourceSelection for SlowStart {
    fn describe() -> Description {
        hostile::innocent("hostile-slow-start", "Loops while it is instantiated.")
    }

    fn decide(context: &SelectionContext) -> Result<SelectionDecision, PolicyError> {
        Ok(hostile::first(context))
    }
}

export_source_selection!(SlowStart);

/// Called by the component while it is instantiated, as a start function is.
#[cfg(target_arch = "wasm32")]
#[unsafe(no_mangle)]
pub extern "C" fn _initialize() {
    let mut spins = 0u64;
    loop {
        spins = std::hint::black_box(spins.wrapping_add(1));
    }
}
