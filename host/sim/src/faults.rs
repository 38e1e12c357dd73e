//! Scenarios full of faults, from a seed, against the promises of the coordinator.
//!
//! A [`World`] checks after each append that the replayed journal is the live state, that a snapshot is, that caps hold
//! and that exactly one generation per kind is active. Here is everything around it that may go wrong: messages of the
//! runner and wants that are lost, doubled or late; a disk that is slow or full; a host that dies before, in or after an
//! append and starts again from its snapshot and what came after it; trainers that hang; operators who do anything at any
//! time; policies that answer nonsense. A ledger follows the journal apart from any state and knows how the runs really
//! ended. When the faults stop, everything that waited must come to an end.
//!
//! [`Sabotage`] breaks a promise on purpose, so that a test can see that the checks notice.

//!
//! | file | concern |
//! | --- | --- |
//! | `stage` | one scenario, step by step |
//! | `promises` | what must hold after each step and at the end |
//! | `operator`, `runner`, `whims` | the people, the runs and the policies around the host |
//! | `ledger` | what the journal says, followed apart from any state |
//! | `sabotage` | promises broken on purpose |
//! | `seen` | what scenarios went through |

mod ledger;
mod operator;
mod promises;
mod runner;
mod sabotage;
mod seen;
mod shelf;
mod stage;
mod whims;

pub use sabotage::Sabotage;
pub use seen::Seen;
pub use whims::{Cast, Whims};

use crate::world::Broken;
use pointsman_model::policy::PolicyDescription;
use stage::Stage;

/// Who decides, and which versions operators may activate.
pub struct Policies {
    pub cast: Cast,
    pub versions: Vec<PolicyDescription>,
}

impl Policies {
    /// Versions of all kinds that answer as chance will have it.
    pub fn whims(seed: u64) -> Policies {
        Policies {
            cast: Cast::Whims(Whims::new(seed)),
            versions: operator::whimsical_versions(),
        }
    }
}

/// A promise that was not kept.
#[derive(Clone, Debug, thiserror::Error)]
#[error("seed {seed}, step {step}: {problem}\n{}", story.join("\n"))]
pub struct Violation {
    pub seed: u64,
    pub step: u32,
    pub problem: String,
    /// What happened last.
    pub story: Vec<String>,
}

/// Plays the scenario of a seed.
pub fn play(seed: u64, policies: Policies, sabotage: Option<Sabotage>) -> Result<Seen, Violation> {
    let mut stage = Stage::new(seed, policies, sabotage);
    match stage.play() {
        Ok(()) => Ok(stage.into_seen()),
        Err(problem) => Err(Violation {
            seed,
            step: stage.step,
            problem: problem.0,
            story: stage.story.into(),
        }),
    }
}

/// A sentence.
struct Problem(String);

impl From<Broken> for Problem {
    fn from(broken: Broken) -> Problem {
        Problem(broken.to_string())
    }
}

impl From<String> for Problem {
    fn from(problem: String) -> Problem {
        Problem(problem)
    }
}
