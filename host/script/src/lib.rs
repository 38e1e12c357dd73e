//! The language of scripts: Rhai with a function set of our own, for policies that a team writes in an afternoon and
//! changes while everything runs.
//!
//! A script defines `fn describe()`, which returns a map (`name`, `version`, `kind`, `summary`, `settings`,
//! `state_version`, `limits`), `fn decide(ctx)`, which returns `#{ verdict, reasons, scores, distribution, state,
//! suggestions, extras }`, and if it likes `fn check_settings(settings)`, which returns a list of `#{ name, problem }`,
//! and `fn migrate(from_version, state)`, which returns the state of an older version as this one wants it.
//! `throw` in `decide` declines: the next link of the fallback chain is asked.
//!
//! This crate is what both engines for scripts have in common, to the byte: the host runs it natively for scripts that an
//! operator trusts, and `plugins/rhai` wraps it into a component that runs all others inside wasmtime. So it reads no
//! clock and no memory figures; what a machine can add to the count of operations comes in as [`Hooks`]. Nothing in it
//! depends on the width of a pointer or on the system's mathematics, because a decision must be the same on both.
//!
//! The interpreter is a raw engine with a function set of our own in which each call is bounded, with every limit set,
//! without `eval`, `import`, closures, clock or `sleep`. What that leaves open where nothing else contains it: memory is
//! bounded by counts and sizes (variables, calls, arrays, strings) and not by bytes, and between two operations one
//! bounded native call (a sort of 4,096 numbers) is not interrupted.
//!
//! | file | concern |
//! | --- | --- |
//! | `engine` | the interpreter with its limits |
//! | `functions` | what scripts may call |
//! | `context` | what they see, in the words of `wit/` with `_` for `-` |
//! | `answer` | what they return, told precisely where it is wrong |
//! | `lint` | names that do not exist, found before the script runs |
//! | `meter` | operations and log of the call under way, and the hooks |
//! | `coverage` | which lines were run, for tests |
//! | `fault` | what an error of the interpreter means, with line and column |
//! | `completion` | functions and fields, for an editor |
//! | `nearest` | the name that was meant |

mod answer;
mod completion;
mod context;
mod coverage;
mod engine;
mod fault;
mod functions;
mod lint;
mod meter;
pub mod nearest;
mod outcome;
mod text;

pub use completion::{Completion, Entry, Place, completion};
pub use coverage::{COVERED_OPERATIONS_FACTOR, Coverage, LinesRun};
pub use meter::{Ended, Hooks, LOG_BYTES_MAX, LOG_CALLS_MAX, OPERATIONS_PER_LOOK};
pub use outcome::{AskedLimits, Failure, Mistake, Objection, Outcome, Refusal, Told};

use pointsman_model::context::Context;
use pointsman_model::decision::{Advice, Verdict};
use pointsman_model::policy::*;
use rhai::{AST, CallFnOptions, Dynamic, Engine, OptimizationLevel, Scope};

/// Largest script. Parsing takes time that grows faster than its size: 0.33 s at this one at worst.
pub const SCRIPT_BYTES_MAX: usize = 64 << 10;

/// Names the sources of this crate and of the records that cross the sandbox's wall. Host and interpreter are built
/// apart, and data that one writes is read by the other: they must have been built from the same ones.
pub const SOURCES: &str = env!("POINTSMAN_SCRIPT_SOURCES");

/// A script, parsed once. It may be called from any number of threads at a time.
pub struct Script {
    engine: Engine,
    ast: AST,
    /// Properties and their places, for the lint that follows `describe`.
    properties: lint::Properties,
    checks_settings: bool,
    migrates: bool,
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Script").finish_non_exhaustive()
    }
}

impl Script {
    /// Parses and looks for names that do not exist. Runs nothing.
    pub fn load(code: &[u8], hooks: Hooks) -> Result<Script, Refusal> {
        let source = source_of(code)?;
        let engine = engine::engine(hooks);
        let ast = engine.compile(source).map_err(|error| fault::of_parse_error(source, &error))?;
        let properties = lint::check(&ast)?;
        Ok(Script::of(engine, ast, properties))
    }

    /// The same script, noting which of its lines are run. It takes more operations for that; see
    /// [`COVERED_OPERATIONS_FACTOR`].
    pub fn load_covered(code: &[u8], hooks: Hooks) -> Result<(Script, Coverage), Refusal> {
        let source = source_of(code)?;
        let mut engine = engine::engine(hooks);
        let parsed = engine.compile(source).map_err(|error| fault::of_parse_error(source, &error))?;
        let properties = lint::check(&parsed)?;
        let (ast, coverage) = coverage::instrumented(&mut engine, source, &parsed);
        Ok((Script::of(engine, ast, properties), coverage))
    }

    fn of(engine: Engine, ast: AST, properties: lint::Properties) -> Script {
        let defines = |name: &str| ast.iter_functions().any(|function| function.name == name);
        let (checks_settings, migrates) = (defines("check_settings"), defines("migrate"));
        let ast = engine.optimize_ast(&Scope::new(), ast, OptimizationLevel::Simple);
        Script {
            engine,
            ast,
            properties,
            checks_settings,
            migrates,
        }
    }

    /// For each call from now on; without it there is no limit.
    pub fn limit_operations(&mut self, operations: u64) {
        // To the interpreter, none means that there is no limit.
        self.engine.set_max_operations(operations.max(1));
    }

    pub fn describe(&self) -> Outcome<Told> {
        self.call("describe", (), |value| {
            let told = answer::told(value).map_err(|problem| invalid("describe", problem))?;
            self.properties.check(told.kind, &told.settings)?;
            Ok(told)
        })
    }

    pub fn check_settings(&self, settings: &[Setting]) -> Outcome<Vec<Objection>> {
        if !self.checks_settings {
            return Outcome {
                operations: 0,
                result: Ok(Vec::new()),
            };
        }
        self.call("check_settings", (context::settings(settings),), |value| {
            answer::objections(value).map_err(|problem| invalid("check_settings", problem))
        })
    }

    pub fn decide(&self, context: &Context) -> Outcome<(Verdict, Advice)> {
        match context::context(context) {
            Ok(map) => self.call("decide", (map,), |value| {
                answer::decision(context.kind(), value).map_err(|problem| Failure::new(FaultClass::InvalidOutput, problem))
            }),
            Err(problem) => unreadable_state(problem),
        }
    }

    /// The state that a version with another `state_version` left, as this version wants it.
    pub fn migrate(&self, from_version: u32, state: &[u8]) -> Outcome<Vec<u8>> {
        if !self.migrates {
            let message = "it has no `fn migrate(from_version, state)`";
            return Outcome {
                operations: 0,
                result: Err(Failure::new(FaultClass::Declined, message)),
            };
        }
        match context::state_value(state) {
            Ok(state) => self.call("migrate", (i64::from(from_version), state), |value| {
                answer::state(value, "the state").map_err(|problem| invalid("migrate", problem))
            }),
            Err(problem) => unreadable_state(problem),
        }
    }

    fn call<T>(&self, function: &str, arguments: impl rhai::FuncArgs, read: impl FnOnce(Dynamic) -> Result<T, Failure>) -> Outcome<T> {
        let metered = meter::start();
        // Statements outside functions are refused at load, so there is nothing to evaluate first.
        let options = CallFnOptions::new().eval_ast(false);
        // A scope of its own for each call: nothing that a script names outlives it.
        let result = self
            .engine
            .call_fn_with_options::<Dynamic>(options, &mut Scope::new(), &self.ast, function, arguments);
        let operations = metered.operations();
        drop(metered);
        Outcome {
            operations,
            result: result.map_err(|error| fault::of_error(*error)).and_then(read),
        }
    }
}

/// The text of a script, where it is one.
fn source_of(code: &[u8]) -> Result<&str, Refusal> {
    if code.len() > SCRIPT_BYTES_MAX {
        let message = format!("{} bytes; at most {SCRIPT_BYTES_MAX} are allowed", code.len());
        return Err(Refusal::new(Mistake::TooLarge, message).fix("shorten the script, or write it in Rust"));
    }
    let source = std::str::from_utf8(code)
        .map_err(|error| Refusal::new(Mistake::Syntax, format!("it is not UTF-8 text: {error}")).fix("save it as UTF-8"))?;
    // A mark of byte order is what some editors leave; anything else that cannot be seen has no place in code.
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    if let Some(at) = source.find(text::is_hidden) {
        let line = source[..at].matches('\n').count() as u32 + 1;
        let column = source[..at].chars().rev().take_while(|character| *character != '\n').count() as u32 + 1;
        let character = source[at..].chars().next().unwrap_or('\0').escape_unicode();
        let message = format!("it holds the character {character}, which cannot be seen");
        return Err(Refusal::new(Mistake::Syntax, message).at(Some(line), Some(column)).fix("remove it"));
    }
    Ok(source)
}

fn unreadable_state<T>(problem: String) -> Outcome<T> {
    Outcome {
        operations: 0,
        result: Err(Failure::new(FaultClass::Declined, format!("it cannot read its state: {problem}"))),
    }
}

fn invalid(function: &str, problem: String) -> Failure {
    Failure::new(FaultClass::InvalidOutput, format!("{function}: {problem}"))
}
