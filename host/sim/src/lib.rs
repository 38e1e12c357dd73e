//! The same coordinator under a virtual clock.
//!
//! | look at | for |
//! | --- | --- |
//! | [`World`] | a coordinator, a clock that only moves when told, and the journal as a list; after every append it checks what must always hold |
//! | [`scenario`] | text scripts against a world, with a transcript that tests compare with a checked-in one |
//! | [`faults`] | thousands of scenarios from seeds, in which everything outside goes wrong |
//! | [`replay`] | a version asked about recorded decisions, through the port that decides live |
//! | [`dry_run`], [`verify`], [`flip`] | the same over a whole window; a decision made again by the version that made it; what would have made it another |
//! | [`mod@off_policy`] | what another version would have been worth, from picks that were left to chance |
//! | [`mod@simulate`] | hours and days of the real coordinator and real policies, with a modelled outside |
//! | [`report`] | what a simulation found, as text and as one page with charts |
//!
//! Absent on purpose: processes, files, SQLite, clocks. Nothing here can reach a journal: what it reads is handed to it,
//! and what it finds is an answer.

mod dice;
pub mod dry_run;
pub mod faults;
pub mod flip;
pub mod off_policy;
pub mod replay;
pub mod report;
pub mod scenario;
mod scripted;
pub mod simulate;
pub mod verify;
mod world;

pub use dice::Dice;
pub use scripted::Scripted;
pub use world::{Broken, World};
