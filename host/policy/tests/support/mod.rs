//! Components written as text, the library they are loaded into, and contexts to ask with.
#![allow(dead_code, unreachable_pub)]

pub mod guest;

#[allow(unused_imports, reason = "not each test writes components of its own")]
pub use guest::{Guest, component_of_worlds};

use pointsman_coordinator::Policies;
use pointsman_model::context::Context;
use pointsman_model::decision::Answer;
use pointsman_model::policy::*;
use pointsman_policy::{Checked, Engines, Library, PolicyProblem, PolicySource, ProblemCode, canned_context};
use std::path::PathBuf;
use std::sync::OnceLock;

/// A retry policy in core WebAssembly, made into a component with the types of the contract. `parts` may add imports,
/// functions and data; `decide` is the body of that export and leaves the address of its result.
pub fn guest(imports: &str, parts: &str, decide: &str) -> Vec<u8> {
    let guest = Guest {
        imports: imports.into(),
        parts: parts.into(),
        ..Guest::deciding(decide)
    };
    guest.component().expect("a component")
}

/// Answers "retry at once".
pub fn plain_guest() -> Vec<u8> {
    guest("", "", "(i32.const 4096)")
}

pub fn source(file: &str, bytes: impl Into<Vec<u8>>) -> PolicySource {
    PolicySource {
        file: file.to_string(),
        bytes: bytes.into(),
        settings: Vec::new(),
        trusted: false,
    }
}

/// Both ways to run a script; the sandbox only where its interpreter is part of this build.
pub fn script_engines() -> Vec<EngineKind> {
    static SANDBOXED: OnceLock<bool> = OnceLock::new();
    let sandboxed = SANDBOXED.get_or_init(|| {
        let plain = "fn describe() { #{ name: \"plain\", version: \"1\", kind: \"retry\" } } fn decide(ctx) { #{ verdict: \"give_up\" } }";
        match Library::new().check(source("plain.rhai", plain), PolicyLimits::default()) {
            Ok(_) => true,
            Err(problem) if problem.code == ProblemCode::NoInterpreter && std::env::var_os("POINTSMAN_REQUIRE_PLUGINS").is_none() => {
                eprintln!("{problem}");
                false
            }
            Err(problem) => panic!("{problem}"),
        }
    });
    if *sandboxed {
        vec![EngineKind::Rhai, EngineKind::TrustedRhai]
    } else {
        vec![EngineKind::TrustedRhai]
    }
}

/// A script as it is offered for one of the two.
pub fn source_as(engine: EngineKind, file: &str, bytes: impl Into<Vec<u8>>) -> PolicySource {
    PolicySource {
        trusted: engine == EngineKind::TrustedRhai,
        ..source(file, bytes)
    }
}

pub fn install_as(library: &Library, engine: EngineKind, file: &str, bytes: impl Into<Vec<u8>>) -> PolicyDescription {
    let checked = library
        .check(source_as(engine, file, bytes), PolicyLimits::default())
        .unwrap_or_else(|problem| panic!("{problem}"));
    let description = checked.description.clone();
    assert_eq!(description.policy.engine, engine);
    library.install(checked);
    description
}

pub fn check(file: &str, bytes: impl Into<Vec<u8>>) -> Result<Checked, PolicyProblem> {
    Library::new().check(source(file, bytes), PolicyLimits::default())
}

pub fn problem(file: &str, bytes: impl Into<Vec<u8>>) -> PolicyProblem {
    match check(file, bytes) {
        Ok(checked) => panic!("{} was accepted", checked.description.policy),
        Err(problem) => problem,
    }
}

/// Limits under which that class comes first on a slow machine too: little fuel where fuel is to end it, and time to spare
/// where memory is.
pub fn limits_for(class: FaultClass) -> PolicyLimits {
    let default = PolicyLimits::default();
    match class {
        FaultClass::Fuel => PolicyLimits {
            fuel: 10_000_000,
            ..default
        },
        FaultClass::Memory => PolicyLimits {
            deadline_ms: 1_000,
            ..default
        },
        _ => default,
    }
}

/// Loads code as a start of the host does: without asking it anything, as it was once accepted.
pub fn load_unasked(library: &Library, engine: EngineKind, kind: PolicyKind, code: &[u8], limits: PolicyLimits) -> PolicyRef {
    guest::load_unasked(library, engine, kind, code, limits).expect("it loads").policy
}

pub fn install(library: &Library, file: &str, bytes: impl Into<Vec<u8>>) -> PolicyDescription {
    let checked = library
        .check(source(file, bytes), PolicyLimits::default())
        .unwrap_or_else(|problem| panic!("{problem}"));
    let description = checked.description.clone();
    library.install(checked);
    description
}

/// The canned context of a kind, with the version's settings.
pub fn question(description: &PolicyDescription) -> Context {
    let mut context = canned_context(description.kind);
    context.frame_mut().settings = description.settings.clone();
    context
}

pub fn ask(library: &Library, policy: &PolicyRef, context: &Context) -> Result<Answer, Fault> {
    Engines::new(library.clone()).ask(policy, context)
}

/// Two answers to one question are equal but for the time they took.
pub fn without_time(mut answer: Answer) -> Answer {
    answer.cost.micros = 0;
    answer
}

/// A component from plugins/, where they have been built.
pub fn plugin(name: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../plugins/dist")
        .join(format!("{name}.wasm"));
    let bytes = std::fs::read(&path).ok();
    if bytes.is_none() {
        assert!(
            std::env::var_os("POINTSMAN_REQUIRE_PLUGINS").is_none(),
            "{} is not built",
            path.display()
        );
        eprintln!(
            "{} is not built; `cargo run --release -p xtask -- plugins` builds it",
            path.display()
        );
    }
    bytes
}

pub fn script(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../policies").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// CPU time of this thread in milliseconds.
pub fn cpu_ms() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists, and `time` outlives the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}
