//! WebAssembly components in wasmtime.
//!
//! | file | concern |
//! | --- | --- |
//! | `engine` | the one engine of this process, its configuration and its ticker |
//! | `parse` | what is refused before anything is compiled |
//! | `compile`, `cache` | from bytes to machine code, kept on disk under a key of our own |
//! | `child` | the process that compiles, with limits and killable |
//! | `link` | the one import, and the exports with their types |
//! | `call` | a fresh store per call with every limit armed before the first instruction |
//! | `decide` | the calls of the contract, each in a fresh instance |
//! | `warm` | the same decision by an instance that was kept, where an operator allows it |
//! | `ask` | the export `decide` of an instance |
//! | `convert` | the model's words to the generated types and back |
//! | `contexts`, `rows` | questions with long lists, which cross the boundary as blocks |
//! | `fault` | what an error of the engine means |

mod ask;
pub mod bindings;
pub(crate) mod cache;
pub(crate) mod call;
mod child;
mod compile;
mod contexts;
mod convert;
mod decide;
pub(crate) mod engine;
pub(crate) mod fault;
mod link;
mod parse;
mod rows;
mod warm;

pub use cache::{COMPILED_BYTES_MAX, COMPILED_FILES_MAX};
pub use child::{CompileChild, CompileLimits, compile_from_stdin};
pub use compile::Compiler;
pub(crate) use decide::Program;
pub use engine::engine;
pub(crate) use warm::KeptInstance;

use crate::problem::{PolicyProblem, Stage};
use cache::CompiledCache;
use pointsman_model::ids::Digest;
use pointsman_model::policy::PolicyLimits;

/// From bytes to a program that has not yet run, and the SHA-256 of the bytes. Runs nothing of the guest.
pub(crate) fn load(
    file: &str,
    code: &[u8],
    limits: PolicyLimits,
    cache: Option<&CompiledCache>,
    compiler: &Compiler,
    on_stage: &mut dyn FnMut(Stage),
) -> Result<(Program, Digest), PolicyProblem> {
    parse::check(file, code)?;
    on_stage(Stage::Compile);
    let (component, sha256) = compile::compile(file, code, cache, compiler)?;
    on_stage(Stage::Link);
    let linked = link::link(file, &component)?;
    Ok((Program::new(linked, limits), sha256))
}
