//! The clock of the host process.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970. A clock that is set before 1970 reads as 0.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}
