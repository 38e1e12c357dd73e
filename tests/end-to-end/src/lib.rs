//! The real program from outside: a host process, its API, and its journal read afterwards.
//!
//! `demo-check` watches one whole run up to the first live apply; `crash-check` kills the host again and again on the
//! way. Both judge by the journal, not by what the host says of itself. `attack-check` plays the corpus of attacks.

pub mod attacks;
mod host;
mod journal_check;

pub use host::{Host, Kit, program_and_repository};
pub use journal_check::{Findings, check_journal};
