//! Holds the thinking part to invariant 1: no IO, no clock, no randomness.
//!
//! The linker keeps only what an export reaches, so [`think`] has to reach what is to be held: whatever it does not
//! call is not checked. `cargo xtask purity` builds this crate and fails if the module imports anything.

use pointsman_model::context::Context;
use pointsman_model::decision::{SelectionVerdict, Verdict};
use pointsman_model::settings::Settings;

/// Reads a recorded context, thinks a little, and writes it again. Returns how many bytes it came to, 0 if it was damaged.
///
/// # Safety
/// `bytes` points to `length` bytes that may be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn think(bytes: *const u8, length: usize) -> usize {
    // SAFETY: promised by the caller.
    let bytes = unsafe { std::slice::from_raw_parts(bytes, length) };
    let Ok(context) = Context::decode(bytes) else { return 0 };
    if !Settings::default().problems().is_empty() || Verdict::Selection(SelectionVerdict::Idle).kind() == context.kind() {
        return 0;
    }
    context.encode().bytes.len()
}
