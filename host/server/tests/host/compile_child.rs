//! Compilation in a child of the real program: lawful components come back as code that runs here, and what would not end
//! is ended.

use pointsman_coordinator::Policies;
use pointsman_model::policy::PolicyLimits;
use pointsman_policy::{
    Checked, CompileChild, CompileLimits, Compiler, Engines, Library, PolicyProblem, PolicySource, ProblemCode, Stage, canned_context,
};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

fn child() -> CompileChild {
    CompileChild::new(env!("CARGO_BIN_EXE_pointsman"), ["compile"])
}

fn check(child: CompileChild, bytes: Vec<u8>) -> Result<Checked, PolicyProblem> {
    let source = PolicySource {
        file: "policy.wasm".into(),
        bytes,
        settings: Vec::new(),
        trusted: false,
    };
    Library::with_compiler(Compiler::Child(child)).check(source, PolicyLimits::default())
}

fn plugin(name: &str) -> Option<Vec<u8>> {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/dist").join(name);
    let bytes = std::fs::read(&path).ok();
    if bytes.is_none() {
        assert!(
            std::env::var_os("POINTSMAN_REQUIRE_PLUGINS").is_none(),
            "{} is not built",
            path.display()
        );
        eprintln!("{} is not built; `make plugins` builds it", path.display());
    }
    bytes
}

#[test]
fn what_a_child_compiles_runs_here() {
    let Some(code) = plugin("retry_backoff.wasm") else { return };
    let library = Library::with_compiler(Compiler::Child(child()));
    let source = PolicySource {
        file: "retry_backoff.wasm".into(),
        bytes: code,
        settings: Vec::new(),
        trusted: false,
    };
    let checked = library
        .check(source, PolicyLimits::default())
        .unwrap_or_else(|problem| panic!("{problem}"));
    let description = checked.description.clone();
    library.install(checked);
    let mut context = canned_context(description.kind);
    context.frame_mut().settings.clone_from(&description.settings);
    Engines::new(library).ask(&description.policy, &context).expect("it decides");
}

/// Sections of a component, written by hand: a core module of one function with this body.
fn component_with_function(body: &[u8]) -> Vec<u8> {
    let section = |id: u8, content: Vec<u8>| [vec![id], leb(content.len()), content].concat();
    let code = [leb(body.len() + 2), vec![0], body.to_vec(), vec![0x0b]].concat();
    let module = [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, vec![1, 0x60, 1, 0x7f, 0]),
        section(3, vec![1, 0]),
        section(10, [vec![1], code].concat()),
    ]
    .concat();
    [b"\0asm\x0d\0\x01\0".to_vec(), section(1, module)].concat()
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (number & 0x7f) as u8;
        number >>= 7;
        bytes.push(if number == 0 { byte } else { byte | 0x80 });
        if number == 0 {
            return bytes;
        }
    }
}

/// A hundred thousand blocks, each in the one before, each left by a branch: a minute and more of compilation.
fn nested_blocks() -> Vec<u8> {
    let depth = 100_000;
    component_with_function(&[[0x02, 0x40].repeat(depth), [0x20, 0, 0x0d, 0, 0x0b].repeat(depth)].concat())
}

#[test]
fn compilation_that_does_not_end_is_ended() {
    let limits = CompileLimits {
        cpu_s: 1,
        ..CompileLimits::default()
    };
    let began = Instant::now();
    let problem = check(child().within(limits), nested_blocks()).expect_err("it does not compile in time");
    assert_eq!(
        (problem.code, problem.stage),
        (ProblemCode::CompileTime, Stage::Compile),
        "{problem}"
    );
    assert!(problem.message.contains("1 s of CPU time"), "{problem}");
    assert!(problem.fix.is_some());
    assert!(began.elapsed() < Duration::from_secs(60));

    let limits = CompileLimits {
        wall: Duration::from_millis(300),
        ..CompileLimits::default()
    };
    let problem = check(child().within(limits), nested_blocks()).expect_err("it does not compile in time");
    assert_eq!(problem.code, ProblemCode::CompileTime, "{problem}");
    assert!(problem.message.contains("0.3 s by the clock"), "{problem}");
}

#[test]
fn compilation_that_takes_too_much_memory_is_ended() {
    let limits = CompileLimits {
        address_space_bytes: 64 << 20,
        ..CompileLimits::default()
    };
    let problem = check(child().within(limits), nested_blocks()).expect_err("it does not fit");
    // By the allocator's word or by a thread that could not be started: both are ends of the child, and not of the host.
    assert!(
        matches!(problem.code, ProblemCode::CompileMemory | ProblemCode::CompileCrashed),
        "{problem}"
    );
    let limits = CompileLimits {
        compiled_bytes_max: 1 << 10,
        ..CompileLimits::default()
    };
    let Some(code) = plugin("retry_backoff.wasm") else { return };
    let problem = check(child().within(limits), code).expect_err("its code is larger than that");
    assert_eq!(problem.code, ProblemCode::CompileMemory, "{problem}");
}

#[test]
fn what_the_engine_refuses_the_child_tells_in_its_words() {
    // memory64: valid, and off here.
    let module = b"\0asm\x01\0\0\0\x05\x03\x01\x04\x01";
    let component = [b"\0asm\x0d\0\x01\0\x01".as_slice(), &[module.len() as u8], module].concat();
    let problem = check(child(), component).expect_err("memory64 is off");
    assert_eq!(
        (problem.code, problem.stage),
        (ProblemCode::Uncompilable, Stage::Compile),
        "{problem}"
    );
    assert!(problem.message.contains("memory"), "{problem}");
    // Damaged ones are not worth a process: this program does not exist.
    let nobody = CompileChild::new("/nowhere/pointsman", ["compile"]);
    let problem = check(nobody, component_with_function(&[0x41])).expect_err("it is damaged");
    assert_eq!((problem.code, problem.stage), (ProblemCode::Malformed, Stage::Parse), "{problem}");
}
