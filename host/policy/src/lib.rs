//! Runs policies: WebAssembly components in wasmtime, and Rhai scripts in an interpreter that is itself a component there.
//!
//! A policy decides one small question (what runs next, whether to retry, whether a model may go live, what to practise)
//! from a context and nothing else. This crate checks a policy before it may serve, keeps the versions that were
//! accepted, and runs one decision at a time within fuel, a deadline, memory and sizes. Whatever a policy does, the
//! caller gets an [`Answer`](pointsman_model::decision::Answer) or a classed [`Fault`](pointsman_model::policy::Fault).
//!
//! | look at | for |
//! | --- | --- |
//! | [`Library`] | `check` a file, `install`, `remove`, `load_recorded` at a start; cheap to clone, shared by all threads |
//! | [`Engines`] | the coordinator's port [`Policies`](pointsman_coordinator::Policies) over a library |
//! | [`PolicyProblem`] | what is wrong with a policy, where, and the cure; [`ProblemCode::explain`] is its page |
//! | `component` | one file per concern: engine, compile and cache, link, conversions, limits, faults |
//! | `script` | Rhai, in the sandbox or, where an operator trusts it, natively; the language is the crate `pointsman-script` |
//! | `answer` | what both engines' answers must keep to: sizes, finite numbers, plain text |
//!
//! Deliberately absent: the fallback chain, the built-in policies and the check of a verdict against its context (the
//! coordinator's); storage of versions (the journal's); and trust in a policy. A component is compiled in a child process
//! with limits ([`CompileChild`]) and then contained by wasmtime; so is a script, by way of the interpreter. Only scripts
//! that an operator vouches for run in the host itself, contained by the interpreter's limits and a function set in which
//! every call is bounded; what that leaves open is said in `script/native.rs`.

mod answer;
mod clock;
pub mod component;
mod engines;
mod library;
mod limits;
mod log;
mod problem;
pub mod script;
mod self_test;
mod settings;
mod version;

pub use component::{COMPILED_BYTES_MAX, COMPILED_FILES_MAX, CompileChild, CompileLimits, Compiler, compile_from_stdin};
pub use engines::Engines;
pub use library::{Checked, Library, LibraryError, PolicySource};
pub use limits::*;
pub use problem::{PolicyProblem, ProblemCode, Stage};
pub use self_test::canned_context;
pub use version::{CONTRACT, digest as version_digest, sha256};
