//! The learning memory: what came of earlier runs, to be found again by what it was about.
//!
//! One SQLite file beside the journal, and derived from it: whoever reads the journal hands [`Memory::ingest`] the outcomes after
//! [`Memory::cursor`], and the records and the new cursor are written in one transaction. So a crash doubles and loses nothing,
//! a damaged file is thrown away and read anew, and the same journal always makes the same memory ([`Memory::digest`]).
//!
//! [`Memory::recall`] finds what a run is given, slot by slot within budgets; [`Memory::search`] is for people. Both go by
//! SQLite's full-text index (FTS5). A question is words and nothing else: what a person or a source wrote is never syntax.
//!
//! Absent on purpose: clocks (the time comes in), the journal (its reader hands outcomes over), threads, and any truth of its own.

mod question;
mod recall;
mod schema;
mod store;

pub use question::{NoWords, WORDS_MAX};
pub use recall::{Cue, FAILURES, SAME_HOST, SIMILAR};
pub use store::{End, Found, ITEMS_MAX, Latest, Mark, Memory, MemoryError, Outcome, Started, Status, TEXT_CHARS_MAX};
