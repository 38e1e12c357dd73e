//! Takes all the memory it can get.

use pointsman_policy_sdk::prelude::*;

pub struct MemoryEater;

impl SourceSelection for MemoryEater {
    fn describe() -> Description {
        hostile::innocent("hostile-memory-eater", "Takes all the memory it can get.")
    }

    fn decide(_context: &SelectionContext) -> Result<SelectionDecision, PolicyError> {
        let mut hoard: Vec<Vec<u8>> = Vec::new();
        loop {
            // Written to, so that the pages are really taken. When the host refuses more, the allocator aborts.
            hoard.push(std::hint::black_box(vec![1; 1 << 20]));
        }
    }
}

export_source_selection!(MemoryEater);
