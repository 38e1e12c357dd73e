//! Rhai scripts. The language is the crate `pointsman-script`; here are the two ways to run it.
//!
//! | file | concern |
//! | --- | --- |
//! | `sandbox` | in wasmtime, as every script that nobody vouches for: a parsed instance kept warm, each call within fuel, CPU time and memory |
//! | `interpreter` | the interpreter's component: embedded, compiled once per process |
//! | `covered` | natively, for tests alone, noting which lines are run |
//! | `native` | in the host itself, for scripts that an operator trusts: a third of the time, and what a hostile one can do is said there |

mod covered;
mod interpreter;
mod native;
mod sandbox;

use crate::component::Compiler;
use crate::component::cache::CompiledCache;
use crate::problem::{PolicyProblem, ProblemCode, Stage};
use crate::version::{Failure, Objection, Told};
use pointsman_model::context::Context;
use pointsman_model::decision::Answer;
use pointsman_model::policy::*;
use pointsman_script::{Mistake, Outcome, Refusal};
use std::time::Instant;

pub use covered::Covered;
pub use pointsman_script::{Completion, Entry, LinesRun, Place, completion};

/// A script, parsed. It may be called from any number of threads at a time.
pub(crate) enum Program {
    Sandboxed(sandbox::Program),
    Native(native::Program),
}

/// Parses and looks for names that do not exist. Runs nothing of the script.
pub(crate) fn load(
    file: &str,
    code: &[u8],
    trusted: bool,
    limits: PolicyLimits,
    cache: Option<&CompiledCache>,
    compiler: &Compiler,
) -> Result<Program, PolicyProblem> {
    if trusted {
        return native::load(code, limits)
            .map(Program::Native)
            .map_err(|refusal| problem(file, refusal));
    }
    let interpreter = interpreter::interpreter(cache, compiler).map_err(|reason| {
        PolicyProblem::new(ProblemCode::NoInterpreter, Stage::Compile, file, reason.to_string())
            .fix("run `make plugins` and build again, or vouch for the script: it then runs natively")
    })?;
    match sandbox::load(interpreter, code, limits) {
        Ok(Ok(program)) => Ok(Program::Sandboxed(program)),
        Ok(Err(refusal)) => Err(problem(file, refusal)),
        Err(failure) => Err(PolicyProblem::new(
            if failure.class == FaultClass::HostFault {
                ProblemCode::HostFailure
            } else {
                ProblemCode::TooLarge
            },
            Stage::Parse,
            file,
            format!("it cannot be parsed within the limits: {}", failure.message),
        )
        .fix("shorten the script")),
    }
}

impl Program {
    /// From now on: under which name it logs, and within which limits it runs.
    pub(crate) fn settle(&mut self, name: &str, limits: PolicyLimits) {
        match self {
            Program::Sandboxed(program) => program.settle(name, limits),
            Program::Native(program) => program.settle(name, limits),
        }
    }

    pub(crate) fn describe(&self) -> Result<Told, Failure> {
        match self {
            Program::Sandboxed(program) => program.describe(),
            Program::Native(program) => program.describe(),
        }
        .map(|(told, _)| told)
    }

    pub(crate) fn check_settings(&self, settings: &[Setting]) -> Result<Vec<Objection>, Failure> {
        match self {
            Program::Sandboxed(program) => program.check_settings(settings),
            Program::Native(program) => program.check_settings(settings),
        }
        .map(|(objections, _)| objections)
    }

    /// The answer has been checked for sizes and numbers.
    pub(crate) fn decide(&self, context: &Context) -> Result<Answer, Failure> {
        let ((verdict, advice), cost) = match self {
            Program::Sandboxed(program) => program.decide(context),
            Program::Native(program) => program.decide(context),
        }?;
        match crate::answer::check(&verdict, &advice) {
            Ok(()) => Ok(Answer { verdict, advice, cost }),
            Err(problem) => Err(Failure::new(FaultClass::InvalidOutput, problem).costing(cost)),
        }
    }

    /// State of an older version as this one reads it, and what that took.
    pub(crate) fn migrate(&self, from_version: u32, state: &[u8]) -> Result<(Vec<u8>, Cost), Failure> {
        match self {
            Program::Sandboxed(program) => program.migrate(from_version, state),
            Program::Native(program) => program.migrate(from_version, state),
        }
    }
}

/// Operations that the fuel of these limits pays for. They decide, on both engines alike.
fn operations(limits: PolicyLimits) -> u64 {
    limits.fuel / FUEL_PER_RHAI_OPERATION
}

/// With the cost, which both engines tell in operations.
fn settled<T>(outcome: Outcome<T>, limits: PolicyLimits, started: Instant) -> Result<(T, Cost), Failure> {
    let Outcome { operations, result } = outcome;
    let fuel = operations.saturating_mul(FUEL_PER_RHAI_OPERATION).min(limits.fuel);
    let cost = Cost {
        fuel: Some(fuel),
        micros: micros_since(started),
    };
    match result {
        Ok(value) => Ok((value, cost)),
        Err(failure) => Err(of_failure(failure).costing(cost)),
    }
}

fn micros_since(started: Instant) -> u32 {
    u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX)
}

fn of_failure(failure: pointsman_script::Failure) -> Failure {
    let pointsman_script::Failure {
        class,
        mistake,
        message,
        fix,
        line,
        column,
    } = failure;
    Failure {
        code: mistake.map(code),
        fix,
        line: line.map(|line| line as usize),
        column: column.map(|column| column as usize),
        ..Failure::new(class, message)
    }
}

fn problem(file: &str, refusal: Refusal) -> PolicyProblem {
    let Refusal {
        mistake,
        message,
        fix,
        line,
        column,
    } = refusal;
    let problem = PolicyProblem::new(code(mistake), Stage::Parse, file, message)
        .at(line.map(|line| line as usize), column.map(|column| column as usize));
    match fix {
        Some(fix) => problem.fix(fix),
        None => problem,
    }
}

fn code(mistake: Mistake) -> ProblemCode {
    match mistake {
        Mistake::TooLarge => ProblemCode::TooLarge,
        Mistake::Syntax => ProblemCode::Syntax,
        Mistake::Forbidden => ProblemCode::Forbidden,
        Mistake::MissingFunction => ProblemCode::MissingFunction,
        Mistake::UnknownField => ProblemCode::UnknownField,
        Mistake::UnknownFunction => ProblemCode::UnknownFunction,
        Mistake::UnknownVariable => ProblemCode::UnknownVariable,
        Mistake::RuntimeError => ProblemCode::RuntimeError,
    }
}
