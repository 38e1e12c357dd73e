//! From the bytes of a component to machine code.
//!
//! Compiling is where wasmtime does not contain an attacker: a component of 0.7 MB can keep it busy for minutes. All of
//! it stands behind this one function, so that it can move into a child process with limits of its own.

use super::cache::CompiledCache;
use super::engine::engine;
use crate::problem::{PolicyProblem, ProblemCode, Stage};
use pointsman_model::ids::Digest;
use wasmtime::component::Component;

pub(super) fn compile(file: &str, code: &[u8], digest: Digest, cache: Option<&CompiledCache>) -> Result<Component, PolicyProblem> {
    if let Some(compiled) = cache.and_then(|cache| cache.load(engine(), digest)) {
        return Ok(compiled);
    }
    let component = Component::from_binary(engine(), code).map_err(|error| {
        PolicyProblem::new(
            ProblemCode::Uncompilable,
            Stage::Compile,
            file,
            format!("it does not compile: {error:#}"),
        )
        .fix("build for wasm32-unknown-unknown without threads, memory64, GC or relaxed SIMD")
    })?;
    if let Some(cache) = cache {
        cache.keep(engine(), digest, &component);
    }
    Ok(component)
}
