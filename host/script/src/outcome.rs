//! What a script told, and what went wrong. The same records leave the interpreter's component as bytes.

use crate::text::{escaped, truncated};
use pointsman_model::policy::{FAULT_DETAIL_BYTES_MAX, FaultClass, PolicyKind, SettingSpec};
use serde::{Deserialize, Serialize};

/// A call that was made: what came of it, and how many operations it took. The count is the same on every machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome<T> {
    pub operations: u64,
    pub result: Result<T, Failure>,
}

/// What `describe` answered, before anything of it is believed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    pub name: String,
    pub version: String,
    pub kind: PolicyKind,
    pub summary: String,
    pub settings: Vec<SettingSpec>,
    pub limits: AskedLimits,
    pub state_version: u32,
}

/// What a policy asks for; `None` takes the ceiling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedLimits {
    pub fuel: Option<u64>,
    pub deadline_ms: Option<u32>,
    pub memory_bytes: Option<u64>,
}

/// A setting that the policy itself refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Objection {
    pub name: String,
    pub problem: String,
}

/// What an author did that does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mistake {
    TooLarge,
    Syntax,
    Forbidden,
    MissingFunction,
    UnknownField,
    UnknownFunction,
    UnknownVariable,
    RuntimeError,
}

/// Why a script was not taken, and where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    pub mistake: Mistake,
    pub message: String,
    pub fix: Option<String>,
    pub line: Option<u32>,
    pub column: Option<u32>,
}

impl Refusal {
    pub(crate) fn new(mistake: Mistake, message: impl Into<String>) -> Refusal {
        Refusal {
            mistake,
            message: truncated(escaped(&message.into()), FAULT_DETAIL_BYTES_MAX),
            fix: None,
            line: None,
            column: None,
        }
    }

    pub(crate) fn at(self, line: Option<u32>, column: Option<u32>) -> Refusal {
        Refusal { line, column, ..self }
    }

    pub(crate) fn fix(self, fix: impl Into<String>) -> Refusal {
        Refusal {
            fix: Some(truncated(escaped(&fix.into()), FAULT_DETAIL_BYTES_MAX)),
            ..self
        }
    }
}

/// A call that gave no answer, with the place in the script where that is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    pub class: FaultClass,
    pub mistake: Option<Mistake>,
    pub message: String,
    pub fix: Option<String>,
    pub line: Option<u32>,
    pub column: Option<u32>,
}

impl Failure {
    pub(crate) fn new(class: FaultClass, message: impl Into<String>) -> Failure {
        Failure {
            class,
            mistake: None,
            message: truncated(message.into(), FAULT_DETAIL_BYTES_MAX),
            fix: None,
            line: None,
            column: None,
        }
    }
}
