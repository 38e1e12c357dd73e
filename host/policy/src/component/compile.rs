//! From the bytes of a component to machine code.
//!
//! Compiling is where wasmtime does not contain an attacker: a component of 0.7 MB can keep it busy for minutes, and one
//! of a few megabytes can take all memory. So a host compiles in a child process that can be killed ([`CompileChild`]).

use super::cache::CompiledCache;
use super::child::CompileChild;
use super::engine::engine;
use crate::problem::{PolicyProblem, ProblemCode, Stage};
use crate::version::sha256;
use pointsman_model::ids::Digest;
use std::panic::catch_unwind;
use wasmtime::component::Component;

/// Where components are compiled.
#[derive(Clone, Debug)]
pub enum Compiler {
    /// Here, without limits: for tests and benches, whose components are known.
    InThisProcess,
    /// In a child process with limits, killed when it goes over them.
    Child(CompileChild),
}

/// The code compiled, and its SHA-256.
pub(super) fn compile(
    file: &str,
    code: &[u8],
    cache: Option<&CompiledCache>,
    compiler: &Compiler,
) -> Result<(Component, Digest), PolicyProblem> {
    if let Some(compiled) = cache.and_then(|cache| cache.load(engine(), code)) {
        return Ok(compiled);
    }
    validate(file, code)?;
    let compiled = match compiler {
        Compiler::InThisProcess => engine()
            .precompile_component(code)
            .map_err(|error| uncompilable(file, &format!("{error:#}")))?,
        Compiler::Child(child) => child.compile(file, code)?,
    };
    // SAFETY: the bytes were made a moment ago by `Engine::precompile_component` of this program, here or in a child
    // process that we started and that nobody else could write for.
    let component = unsafe { Component::deserialize(engine(), &compiled) }.map_err(|error| uncompilable(file, &format!("{error:#}")))?;
    let sha256 = sha256(code);
    if let Some(cache) = cache {
        cache.keep(engine(), code, sha256, &compiled);
    }
    Ok((component, sha256))
}

/// Damaged files are most of what is refused, and need no process to be refused by. Validation takes time in proportion
/// to the file's size, unlike compilation. What it accepts and the engine does not is refused by the compiler.
fn validate(file: &str, code: &[u8]) -> Result<(), PolicyProblem> {
    let refuse = |message: String| {
        PolicyProblem::new(ProblemCode::Malformed, Stage::Parse, file, message).fix("build it again; the file may be damaged")
    };
    match catch_unwind(|| wasmparser::Validator::new().validate_all(code).map(drop)) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(refuse(format!(
            "not a valid component: {} at byte {}",
            error.message(),
            error.offset()
        ))),
        Err(_) => Err(refuse("not a valid component: its validation failed".to_string())),
    }
}

pub(super) fn uncompilable(file: &str, error: &str) -> PolicyProblem {
    PolicyProblem::new(
        ProblemCode::Uncompilable,
        Stage::Compile,
        file,
        format!("it does not compile: {error}"),
    )
    .fix("build for wasm32-unknown-unknown without threads, memory64, GC or relaxed SIMD")
}
