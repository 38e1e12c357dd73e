//! The embedded trainer: real training and inference on one core, without a download.
//!
//! The model is a small network over bytes. It learns from texts that the program carries, in
//! seconds; it forgets what it does not practise, gets worse on bad sources, and flies apart when the
//! learning rate is absurd. So everything Pointsman decides about training can be seen at work on a
//! laptop, with nothing staged.
//!
//! - [`main_from_env`] is the trainer as a process: it reads the [`RunSpec`] that the environment
//!   names, trains or evaluates, and speaks the trainer protocol on stdout. [`run`] is the same without a
//!   process.
//! - [`Model`] is a trained model in service: [`Model::complete`], [`Model::bits_per_byte`].
//! - [`corpora`] are the texts, cut into what is trained on and what is held out.
//!
//! Absent on purpose: threads, since training must leave the machine usable and repeat bit by bit; time limits,
//! since the supervisor has them and a budget in steps repeats; and checkpoints on the way, since a run
//! takes seconds and half a model helps nobody. The same specification gives the same file on the same
//! kind of CPU; another kind may round differently.

mod adam;
mod checkpoint;
pub mod corpora;
mod failure;
mod judge;
mod model;
mod network;
mod report;
mod rng;
mod run;
mod train;

use std::io::Write;
use std::process::ExitCode;

use pointsman_model::protocol::{RUN_SPEC_ENV, RunSpec};

pub use checkpoint::{Card, LoadError, MODEL_FILE};
pub use failure::Failure;
pub use model::{Completion, Model};
pub use run::{Faults, TEXT_BYTES_MIN, run};

/// Set to `1`, lets marks in a source's title make a run fail on purpose.
pub const DEMO_FAULTS_ENV: &str = "POINTSMAN_DEMO_FAULTS";

/// The hidden subcommand `pointsman trainer`.
pub fn main_from_env() -> ExitCode {
    let faults = match std::env::var(DEMO_FAULTS_ENV).as_deref() {
        Ok("1") => Faults::Demo,
        _ => Faults::Off,
    };
    let mut out = std::io::stdout().lock();
    match spec_from_env().and_then(|spec| run(&spec, faults, &mut out)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let line = serde_json::json!(failure.event());
            // If nobody listens any more, the exit status still tells.
            let _ = writeln!(out, "{line}").and_then(|()| out.flush());
            ExitCode::from(failure.exit_code())
        }
    }
}

fn spec_from_env() -> Result<RunSpec, Failure> {
    let path = std::env::var_os(RUN_SPEC_ENV).ok_or_else(|| Failure::Spec(format!("{RUN_SPEC_ENV} is not set")))?;
    let text = std::fs::read(&path).map_err(|error| Failure::Spec(format!("{}: {error}", path.to_string_lossy())))?;
    serde_json::from_slice(&text).map_err(|error| Failure::Spec(error.to_string()))
}
