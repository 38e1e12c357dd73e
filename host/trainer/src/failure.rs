//! The ways a run can fail, as the host should understand them.

use std::error::Error;
use std::io;

use pointsman_model::protocol::{FailureClass, TrainerEvent};

use crate::checkpoint::LoadError;
use crate::corpora;

#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("the run's specification cannot be used: {0}")]
    Spec(String),
    #[error("the run names no {0} model")]
    NoModel(&'static str),
    #[error("the {role} model cannot be loaded")]
    Model { role: &'static str, source: LoadError },
    #[error(
        "there is no corpus for host {host:?} and the source brings no text of its own; known hosts: {}",
        corpora::training_hosts().join(", ")
    )]
    UnknownHost { host: String },
    #[error(
        "the source names no host and brings no text of its own; known hosts: {}",
        corpora::training_hosts().join(", ")
    )]
    NoText,
    #[error("training diverged at step {step}: loss {loss} bits per byte with a learning rate of {learning_rate}")]
    Diverged { step: u32, loss: f64, learning_rate: f64 },
    #[error("the trained model cannot be saved")]
    Save(#[source] io::Error),
    #[error("events cannot be written")]
    Output(#[from] io::Error),
    #[error("failing on purpose, as the source's title asks; the next attempt will work")]
    Injected,
}

impl Failure {
    pub fn class(&self) -> FailureClass {
        match self {
            Failure::Spec(_)
            | Failure::NoModel(_)
            | Failure::Model { .. }
            | Failure::UnknownHost { .. }
            | Failure::NoText
            | Failure::Diverged { .. } => FailureClass::Deterministic,
            Failure::Save(_) | Failure::Output(_) => FailureClass::Infra,
            Failure::Injected => FailureClass::Transient,
        }
    }

    /// After sysexits.h: usage, data, no input, input or output, temporary.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Diverged { .. } => 1,
            Failure::Spec(_) => 64,
            Failure::NoModel(_) | Failure::Model { .. } => 65,
            Failure::UnknownHost { .. } | Failure::NoText => 66,
            Failure::Save(_) | Failure::Output(_) => 74,
            Failure::Injected => 75,
        }
    }

    /// The last line of a failed run. It leaves the process, so it carries the whole chain of causes.
    pub fn event(&self) -> TrainerEvent {
        let mut error = self.to_string();
        let mut cause = self.source();
        while let Some(source) = cause {
            error.push_str(": ");
            error.push_str(&source.to_string());
            cause = source.source();
        }
        TrainerEvent::TrainingFailed {
            error,
            class: Some(self.class()),
        }
    }
}
