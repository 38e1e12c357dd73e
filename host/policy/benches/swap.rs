//! What a swap costs before its first decision: from a `.wasm` that is compiled in a child process, from one that is
//! compiled here, and from compiled code in the cache. The child is this very program.

use pointsman_coordinator::Policies;
use pointsman_model::policy::PolicyLimits;
use pointsman_policy::{CompileChild, Compiler, Engines, Library, PolicySource, canned_context, compile_from_stdin};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

const COLD_ROUNDS: usize = 15;
const CACHED_ROUNDS: usize = 201;
/// Promises for a policy of ordinary size.
const COLD_MS_MAX: f64 = 250.0;
const CACHED_MS_MAX: f64 = 1.0;

fn main() -> ExitCode {
    let asked_for = |word: &str| std::env::args().any(|argument| argument == word);
    if asked_for("compile") {
        return compile_from_stdin();
    }
    // The test runner asks with `--test`; there is nothing to test here.
    if asked_for("--test") {
        return ExitCode::SUCCESS;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let this_program = std::env::current_exe().expect("this program has a path");
    let child = || Compiler::Child(CompileChild::new(&this_program, ["compile"]));
    println!("ms from bytes to the first decision: offered, compiled, linked, tested, installed, asked");
    println!(
        "{:>24} {:>8} {:>10} {:>10} {:>12} {:>8}",
        "", "KiB", "in child", "in process", "from cache", "(CPU)"
    );
    for name in ["retry_backoff", "host_diverse", "eprocess_gate"] {
        let Some(code) = plugin(name) else {
            println!("plugins/dist is empty: run `cargo run --release -p xtask -- plugins` first");
            return ExitCode::SUCCESS;
        };
        let cache = directory.path().join(name);
        let cached = || Library::with_compiler_and_cache(child(), &cache).expect("the cache opens");
        first_decision(&cached(), name, &code);
        let in_child = median(COLD_ROUNDS, || first_decision(&Library::with_compiler(child()), name, &code));
        let in_process = median(COLD_ROUNDS, || first_decision(&Library::new(), name, &code));
        let library = cached();
        let from_cache = median(CACHED_ROUNDS, || first_decision(&library, name, &code));
        // All of it runs on this thread: what is left when a busy machine is taken away.
        let cpu = median(CACHED_ROUNDS, || {
            let before = cpu_ms();
            first_decision(&library, name, &code);
            cpu_ms() - before
        });
        println!(
            "{name:>24} {:>8} {in_child:>10.1} {in_process:>10.1} {from_cache:>12.3} {cpu:>8.3}",
            code.len() >> 10
        );
        println!(
            "{:>24} {:>8} {:>10} {:>10} {:>12}",
            "",
            "limit",
            verdict(in_child, COLD_MS_MAX),
            "",
            verdict(from_cache, CACHED_MS_MAX)
        );
    }
    ExitCode::SUCCESS
}

fn verdict(measured: f64, limit: f64) -> String {
    format!("{limit} {}", if measured <= limit { "ok" } else { "MISSED" })
}

fn first_decision(library: &Library, name: &str, code: &[u8]) -> f64 {
    let source = PolicySource {
        file: format!("{name}.wasm"),
        bytes: code.to_vec(),
        settings: Vec::new(),
        trusted: false,
    };
    let began = Instant::now();
    let checked = library
        .check(source, PolicyLimits::default())
        .unwrap_or_else(|problem| panic!("{problem}"));
    let description = checked.description.clone();
    library.install(checked);
    let mut context = canned_context(description.kind);
    context.frame_mut().settings.clone_from(&description.settings);
    let answer = Engines::new(library.clone()).ask(&description.policy, &context);
    black_box(answer.expect("it decides"));
    let ms = began.elapsed().as_secs_f64() * 1e3;
    library.remove(&description.policy.digest);
    ms
}

fn median(rounds: usize, mut once: impl FnMut() -> f64) -> f64 {
    let mut times: Vec<f64> = (0..rounds).map(|_| once()).collect();
    times.sort_by(f64::total_cmp);
    times[rounds / 2]
}

/// CPU time of this thread.
fn cpu_ms() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists, and `time` outlives the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

fn plugin(name: &str) -> Option<Vec<u8>> {
    let directory: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/dist");
    std::fs::read(directory.join(format!("{name}.wasm"))).ok()
}
