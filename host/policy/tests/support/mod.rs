//! Components written as text, the library they are loaded into, and contexts to ask with.
#![allow(dead_code, unreachable_pub)]

use pointsman_coordinator::Policies;
use pointsman_model::context::Context;
use pointsman_model::decision::Answer;
use pointsman_model::policy::*;
use pointsman_policy::{Checked, Engines, Library, PolicyProblem, PolicySource, ProblemCode, canned_context, version_digest};
use std::path::PathBuf;
use std::sync::OnceLock;

/// A retry policy in core WebAssembly, made into a component with the types of the contract. `parts` may add imports,
/// functions and data; `decide` is the body of that export and leaves the address of its result. 4096 and what follows
/// is zero, which reads as "retry at once, with no advice".
pub fn guest(imports: &str, parts: &str, decide: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
            {imports}
            (memory (export "memory") 4)
            (global $next (mut i32) (i32.const 65536))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
                (global.set $next (i32.add (local.get $at) (local.get 3)))
                (if (i32.gt_u (global.get $next) (i32.const 262144)) (then unreachable))
                (local.get $at))
            (data (i32.const 256) "wat-guest")
            (data (i32.const 272) "1.0.0")
            (func (export "describe") (result i32)
                (i32.store (i32.const 1024) (i32.const 256))
                (i32.store (i32.const 1028) (i32.const 9))
                (i32.store (i32.const 1032) (i32.const 272))
                (i32.store (i32.const 1036) (i32.const 5))
                (i32.store8 (i32.const 1040) (i32.const 1))
                (i32.const 1024))
            (func (export "check-settings") (param i32 i32) (result i32) (i32.const 2048))
            {parts}
            (func (export "decide") (param i32) (result i32) {decide}))"#
    );
    component_of(&wat::parse_str(text).expect("the text is valid"), "retry")
}

pub fn component_of(core: &[u8], world: &str) -> Vec<u8> {
    let mut resolve = wit_parser::Resolve::default();
    let wit = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit/policy-0.1.0");
    let (package, _) = resolve.push_dir(wit).expect("the contract parses");
    let world = resolve.select_world(&[package], Some(world)).expect("the contract has this world");
    encoded(core, &resolve, world)
}

/// Of a world of its own that includes worlds of the contract.
pub fn component_of_worlds(core: &[u8], items: &str) -> Vec<u8> {
    let mut resolve = wit_parser::Resolve::default();
    let wit = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit/policy-0.1.0");
    resolve.push_dir(wit).expect("the contract parses");
    let text = format!("package test:guest; world guest {{ {items} }}");
    let package = resolve.push_str("guest.wit", &text).expect("the world parses");
    let world = resolve.select_world(&[package], Some("guest")).expect("it is there");
    encoded(core, &resolve, world)
}

fn encoded(core: &[u8], resolve: &wit_parser::Resolve, world: wit_parser::WorldId) -> Vec<u8> {
    let mut core = core.to_vec();
    wit_component::embed_component_metadata(&mut core, resolve, world, wit_component::StringEncoding::UTF8).expect("types embed");
    wit_component::ComponentEncoder::default()
        .module(&core)
        .expect("the module fits the world")
        .encode()
        .expect("a component")
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
    let digest = version_digest(engine, kind, pointsman_policy::sha256(code), &[], limits);
    let policy = PolicyRef {
        name: "hostile".into(),
        version: "1".into(),
        digest,
        engine,
    };
    let description = PolicyDescription {
        policy: policy.clone(),
        kind,
        summary: String::new(),
        settings_schema: Vec::new(),
        settings: Vec::new(),
        limits,
        state_version: 0,
        code_bytes: code.len() as u64,
    };
    library.load_recorded(&description, code).expect("it loads");
    policy
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
