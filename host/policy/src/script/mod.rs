//! Rhai scripts, for policies that a team writes in an afternoon and changes while everything runs.
//!
//! A script defines `fn describe()`, which returns a map (`name`, `version`, `kind`, `summary`, `settings`,
//! `state_version`, `limits`), `fn decide(ctx)`, which returns `#{ verdict, reasons, scores, distribution, state,
//! suggestions, extras }`, and if it likes `fn check_settings(settings)`, which returns a list of `#{ name, problem }`.
//! A script whose
//! `state_version` was raised may define `fn migrate(from_version, state)`, which returns the new state.
//! `throw` in `decide` declines: the next link of the fallback chain is asked.
//!
//! The interpreter is a raw engine with a function set of our own in which each call is bounded, with every limit set,
//! without `eval`, `import`, closures, clock or `sleep`, and with a check of CPU time between operations. What that
//! leaves open, and a component does not: memory is bounded by counts and sizes (variables, calls, arrays, strings) and
//! not by bytes, and between two operations one bounded native call (a sort of 4,096 numbers) is not interrupted.
//!
//! | file | concern |
//! | --- | --- |
//! | `engine` | the interpreter with its limits |
//! | `functions` | what scripts may call |
//! | `context` | what they see, in the words of `wit/` with `_` for `-` |
//! | `answer` | what they return, told precisely where it is wrong |
//! | `lint` | names that do not exist, found before the script runs |
//! | `meter` | operations, CPU time and log of the call under way |
//! | `fault` | what an error of the interpreter means, with line and column |

mod answer;
mod context;
mod engine;
mod fault;
mod functions;
mod lint;
mod meter;

use crate::limits::AskedLimits;
use crate::problem::{PolicyProblem, ProblemCode, Stage};
use crate::version::{Failure, Objection, Told};
use pointsman_model::context::Context;
use pointsman_model::decision::Answer;
use pointsman_model::policy::*;
use rhai::{AST, CallFnOptions, Dynamic, Engine, Map, OptimizationLevel, Scope};
use std::sync::Arc;
use std::time::Instant;

/// A script, parsed once. It may be called from any number of threads at a time.
pub(crate) struct Program {
    engine: Engine,
    ast: AST,
    /// Properties and their places, for the lint that follows `describe`.
    properties: lint::Properties,
    checks_settings: bool,
    migrates: bool,
    policy: Arc<str>,
    limits: PolicyLimits,
}

/// Parses and looks for names that do not exist. Runs nothing.
pub(crate) fn load(file: &str, code: &[u8], limits: PolicyLimits) -> Result<Program, PolicyProblem> {
    let source = std::str::from_utf8(code).map_err(|error| {
        PolicyProblem::new(ProblemCode::Syntax, Stage::Parse, file, format!("it is not UTF-8 text: {error}")).fix("save it as UTF-8")
    })?;
    if let Some(at) = source.find('\0') {
        let line = source[..at].matches('\n').count() + 1;
        return Err(PolicyProblem::new(ProblemCode::Syntax, Stage::Parse, file, "it holds a NUL character").at(Some(line), None));
    }
    let engine = engine::engine(limits);
    let ast = engine
        .compile(source)
        .map_err(|error| fault::of_parse_error(file, source, &error))?;
    let properties = lint::check(file, &ast)?;
    let checks_settings = ast.iter_functions().any(|function| function.name == "check_settings");
    let migrates = ast
        .iter_functions()
        .any(|function| function.name == "migrate" && function.params.len() == 2);
    let ast = engine.optimize_ast(&Scope::new(), ast, OptimizationLevel::Simple);
    Ok(Program {
        engine,
        ast,
        properties,
        checks_settings,
        migrates,
        policy: "unnamed".into(),
        limits,
    })
}

impl Program {
    pub(crate) fn settle(&mut self, name: &str, limits: PolicyLimits) {
        self.policy = name.into();
        self.limits = limits;
        engine::limit_operations(&mut self.engine, limits);
    }

    pub(crate) fn describe(&self) -> Result<Told, Failure> {
        let (told, cost) = self.call("describe", ())?;
        let told = answer::told(told).map_err(|problem| invalid("describe", problem).costing(cost))?;
        self.properties.check(told.kind, &told.settings)?;
        Ok(told)
    }

    pub(crate) fn check_settings(&self, settings: &[Setting]) -> Result<Vec<Objection>, Failure> {
        if !self.checks_settings {
            return Ok(Vec::new());
        }
        let (objections, cost) = self.call("check_settings", (context::settings(settings),))?;
        answer::objections(objections).map_err(|problem| invalid("check_settings", problem).costing(cost))
    }

    pub(crate) fn decide(&self, context: &Context) -> Result<Answer, Failure> {
        let kind = context.kind();
        let context = context::context(context)
            .map_err(|problem| Failure::new(FaultClass::Declined, format!("it cannot read its state: {problem}")))?;
        let (decision, cost) = self.call("decide", (context,))?;
        let (verdict, advice) =
            answer::decision(kind, decision).map_err(|problem| Failure::new(FaultClass::InvalidOutput, problem).costing(cost))?;
        Ok(Answer { verdict, advice, cost })
    }

    /// State of an older version as this one reads it, and what that took.
    pub(crate) fn migrate(&self, from_version: u32, state: &[u8]) -> Result<(Vec<u8>, Cost), Failure> {
        if !self.migrates {
            return Err(Failure::new(FaultClass::Declined, crate::version::NO_MIGRATION));
        }
        let state = context::state_value(state)
            .map_err(|problem| Failure::new(FaultClass::Declined, format!("the older state cannot be read: {problem}")))?;
        let (migrated, cost) = self.call("migrate", (i64::from(from_version), state))?;
        let migrated = answer::migrated(migrated).map_err(|problem| invalid("migrate", problem).costing(cost))?;
        Ok((migrated, cost))
    }

    fn call(&self, function: &str, arguments: impl rhai::FuncArgs) -> Result<(Map, Cost), Failure> {
        let started = Instant::now();
        let metered = meter::start(&self.policy, self.limits);
        // Statements outside functions are refused at load, so there is nothing to evaluate first.
        let options = CallFnOptions::new().eval_ast(false);
        let result = self
            .engine
            .call_fn_with_options::<Dynamic>(options, &mut Scope::new(), &self.ast, function, arguments);
        let micros = u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX);
        let fuel = metered.operations().saturating_mul(FUEL_PER_RHAI_OPERATION).min(self.limits.fuel);
        let cost = Cost { fuel: Some(fuel), micros };
        drop(metered);
        let value = result.map_err(|error| fault::of_error(*error).costing(cost))?;
        let value = answer::as_result_map(function, value).map_err(|problem| invalid(function, problem).costing(cost))?;
        Ok((value, cost))
    }
}

/// What a script may call, for an editor's completion.
pub fn function_names() -> &'static [&'static str] {
    functions::NAMES
}

/// What a script of this kind may read from its context and the items in it, for an editor's completion.
pub fn field_names(kind: PolicyKind) -> Vec<&'static str> {
    context::fields(kind)
}

fn invalid(function: &str, problem: String) -> Failure {
    Failure::new(FaultClass::InvalidOutput, format!("{function}: {problem}"))
}

/// What a script asks for, from the `limits` of its description.
fn asked_limits(fuel: Option<u64>, deadline_ms: Option<u64>, memory_bytes: Option<u64>) -> AskedLimits {
    AskedLimits {
        fuel,
        deadline_ms: deadline_ms.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX)),
        memory_bytes,
    }
}
