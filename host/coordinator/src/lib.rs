//! The thinking part of Pointsman: one struct that owns the state, a closed list of commands in, events and wants out.
//!
//! [`Coordinator::handle`] takes a command and the time, asks policies through the port [`Policies`] where a decision is
//! due, and answers with the events that follow. [`State::apply`] is the only place where state changes; it decides
//! nothing and cannot fail, so that a replayed journal is the live state. [`Coordinator::wants`] says what should be
//! true outside, [`Coordinator::next_deadline`] when to send the next `Tick`.
//!
//! Absent on purpose: async, clocks, randomness, files, processes, engines. `now` and seeds come in.

mod chain;
mod check;
mod coordinator;
mod fallback;
mod guards;
mod handle;
mod input;
mod plausible;
mod port;
mod settle;
mod state;

pub use coordinator::{Coordinator, Handled, Refusal, RefusalKind, Reply, SnapshotError};
pub use fallback::built_in;
pub use guards::{GuardViolation, Guards};
pub use handle::{
    CONFIRM_MS_MAX, CONFIRM_MS_MIN, Excluded, MODEL_PINS_MAX, Preview, PreviewAnswer, Previewed, SelectionMode, source_problems,
};
pub use input::{input_in_words, input_key};
pub use plausible::plausible;
pub use port::Policies;
pub use settle::{chances, settle};
pub use state::*;
