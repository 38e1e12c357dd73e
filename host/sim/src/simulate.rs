//! What a policy would do over hours and days: the real coordinator and the real policies under a virtual clock, with a
//! modelled outside.
//!
//! | file | concern |
//! | --- | --- |
//! | `model` | the outside as data: arrivals, luck, durations, learning curves, comparisons |
//! | `fit` | such a model from what a journal has seen |
//! | `outside` | the modelled trainer, and what is true of each model it makes |
//! | `course` | one simulated course, from deadline to deadline |
//! | `figures` | what was found |
//! | `gate_trials` | a gate alone, on thousands of candidates |
//!
//! Luck is keyed by what it is about (see [`Dice`](crate::Dice)): two policies in one question meet the same arrivals,
//! the same attempt of the same source ends the same way, and so a difference is the policy's.

mod course;
mod figures;
mod fit;
mod gate_trials;
mod model;
mod outside;

pub use course::{HOURS_MAX, Question, SimulateError, simulate, simulate_watched};
pub use figures::*;
pub use fit::{Fit, FitError, Fitted};
pub use gate_trials::{GateTrials, Tally, t_test_trials, trials};
pub use model::*;
