//! Components written as text, down to the byte. Each is a retry policy that is lawful but for one thing.

#[path = "../../../../host/policy/tests/support/guest.rs"]
mod shared;

pub(super) use shared::{Guest, load_unasked};

use anyhow::{Context, Result};

/// What a guest may import.
pub(super) const LOG: &str = r#"(import "pointsman:policy/log@0.1.0" "log" (func $log (param i32 i32 i32)))"#;

/// `Err(failed(text))`, the text being `length` bytes at `at`.
pub(super) fn failed_with(at: u32, length: u32) -> String {
    format!(
        "(i32.store8 (i32.const 4096) (i32.const 1)) (i32.store8 (i32.const 4104) (i32.const 2))
        (i32.store (i32.const 4108) (i32.const {at})) (i32.store (i32.const 4112) (i32.const {length})) (i32.const 4096)"
    )
}

/// A distribution of one number.
pub(super) fn distribution_of(number: &str) -> String {
    format!(
        "(f64.store (i32.const 8192) (f64.const {number})) (i32.store (i32.const 4172) (i32.const 8192))
        (i32.store (i32.const 4176) (i32.const 1)) (i32.const 4096)"
    )
}

/// A component of plain text, with no policy's exports.
pub(super) fn plain(text: &str) -> Result<Vec<u8>> {
    wat::parse_str(text).context("the component's text")
}
