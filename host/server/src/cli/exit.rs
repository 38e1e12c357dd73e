//! Exit codes that scripts can use.

use crate::wire::Problem;
use std::process::ExitCode;

/// Why a command did not do what was asked: a sentence for people, a code for scripts.
#[derive(Debug)]
pub struct Exit {
    pub code: u8,
    pub message: String,
    /// The host's own words, for `--json`.
    pub problem: Option<Box<Problem>>,
}

impl Exit {
    pub const FAILED: u8 = 1;
    pub const USAGE: u8 = 2;
    /// A negative verdict: a policy was refused, a check found something.
    pub const NEGATIVE: u8 = 3;
    pub const NOT_FOUND: u8 = 4;
    pub const CONFLICT: u8 = 5;
    pub const NOT_PERMITTED: u8 = 6;
    pub const UNREACHABLE: u8 = 7;
    pub const TIMED_OUT: u8 = 8;

    fn new(code: u8, message: impl Into<String>) -> Exit {
        Exit {
            code,
            message: message.into(),
            problem: None,
        }
    }

    pub fn failed(message: impl Into<String>) -> Exit {
        Exit::new(Exit::FAILED, message)
    }

    pub fn usage(message: impl Into<String>) -> Exit {
        Exit::new(Exit::USAGE, message)
    }

    pub fn negative(message: impl Into<String>) -> Exit {
        Exit::new(Exit::NEGATIVE, message)
    }

    pub fn not_found(message: impl Into<String>) -> Exit {
        Exit::new(Exit::NOT_FOUND, message)
    }

    pub fn unreachable(message: impl Into<String>) -> Exit {
        Exit::new(Exit::UNREACHABLE, message)
    }

    pub fn timed_out(message: impl Into<String>) -> Exit {
        Exit::new(Exit::TIMED_OUT, message)
    }

    pub fn problem(problem: Problem) -> Exit {
        let code = match problem.status {
            404 => Exit::NOT_FOUND,
            409 | 412 | 428 => Exit::CONFLICT,
            401 | 403 => Exit::NOT_PERMITTED,
            _ => Exit::FAILED,
        };
        let mut message = format!("{} [{}]", problem.detail, problem.code);
        for error in &problem.errors {
            message.push_str(&format!(
                "\n  {}: {}",
                error.pointer.trim_start_matches('/').replace('/', "."),
                error.detail
            ));
        }
        if let Some(fix) = &problem.fix {
            message.push_str(&format!("\n  fix: {fix}"));
        }
        Exit {
            code,
            message,
            problem: Some(Box::new(problem)),
        }
    }

    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl From<anyhow::Error> for Exit {
    fn from(error: anyhow::Error) -> Exit {
        Exit::failed(format!("{error:#}"))
    }
}
