//! The same coordinator under a virtual clock, with a scripted outside.
//!
//! [`World`] holds a coordinator, a clock that only moves when told, and the journal as a list. After every command it
//! checks what must always hold: the replayed journal is the live state, and a restored snapshot is, too.
//! [`scenario`] runs text scripts against a world and answers with a transcript that tests compare with a checked-in one.
//!
//! [`replay`] asks a version about recorded decisions, through the port that decides live; [`dry_run`] does it over a
//! whole window, [`verify`] makes a decision again with the version that made it, and [`flip`] finds what would have made
//! it another one.
//!
//! Absent on purpose: processes, files, SQLite.

pub mod dry_run;
pub mod flip;
pub mod replay;
pub mod scenario;
mod scripted;
pub mod verify;
mod world;

pub use scripted::Scripted;
pub use world::{Broken, World};
