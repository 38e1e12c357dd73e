//! Components: what is refused at load and with which code, what is contained at run and under which class, and that
//! the next decision is unharmed.

mod support;

use pointsman_coordinator::Policies;
use pointsman_model::context::Context;
use pointsman_model::decision::{RetryVerdict, Verdict};
use pointsman_model::policy::*;
use pointsman_policy::{Engines, Library, ProblemCode, Stage, canned_context};
use support::*;

/// Loads the guest beside a plain one, asks it, and then asks the plain one.
fn contained(guest: &[u8], class: FaultClass, detail: &str) {
    contained_within(guest, limits_for(class), class, detail);
}

fn contained_within(guest: &[u8], limits: PolicyLimits, class: FaultClass, detail: &str) {
    let library = Library::new();
    let hostile = load_unasked(&library, EngineKind::Component, PolicyKind::Retry, guest, limits);
    let plain = install(&library, "plain.wasm", plain_guest());
    let before = cpu_ms();
    let fault = ask(&library, &hostile, &canned_context(PolicyKind::Retry)).expect_err("it is contained");
    let took = cpu_ms() - before;
    assert_eq!(fault.class, class, "{}", fault.detail);
    assert!(fault.detail.contains(detail), "{}", fault.detail);
    assert!(fault.detail.len() <= FAULT_DETAIL_BYTES_MAX);
    assert!(took < 100.0, "took {took} ms of CPU time");
    let answer = ask(&library, &plain.policy, &question(&plain)).expect("the next decision is unharmed");
    assert_eq!(answer.verdict, Verdict::Retry(RetryVerdict::Retry(0)));
}

#[test]
fn a_plain_guest_decides_the_same_each_time() {
    let library = Library::new();
    let plain = install(&library, "plain.wasm", plain_guest());
    assert_eq!((plain.policy.name.as_str(), plain.policy.version.as_str()), ("wat-guest", "1.0.0"));
    assert_eq!((plain.kind, plain.policy.engine), (PolicyKind::Retry, EngineKind::Component));
    let first = ask(&library, &plain.policy, &question(&plain)).expect("it decides");
    let second = ask(&library, &plain.policy, &question(&plain)).expect("it decides");
    assert!(first.cost.fuel.is_some_and(|fuel| fuel > 0));
    assert_eq!(without_time(first), without_time(second));
}

#[test]
fn a_loop_ends_by_fuel() {
    contained(
        &guest("", "", "(loop $for_ever (br $for_ever)) unreachable"),
        FaultClass::Fuel,
        "fuel",
    );
}

#[test]
fn a_loop_with_fuel_to_spare_ends_by_its_cpu_time() {
    let limits = PolicyLimits {
        fuel: u64::MAX / 2,
        deadline_ms: 20,
        ..PolicyLimits::default()
    };
    contained_within(
        &guest("", "", "(loop $for_ever (br $for_ever)) unreachable"),
        limits,
        FaultClass::Deadline,
        "20 ms",
    );
}

#[test]
fn a_memory_eater_is_refused_more() {
    let body = "(loop $more (if (i32.ne (memory.grow (i32.const 64)) (i32.const -1)) (then (br $more)))) unreachable";
    contained(&guest("", "", body), FaultClass::Memory, "memory");
}

#[test]
fn a_trap_is_a_trap() {
    contained(&guest("", "", "unreachable"), FaultClass::Trap, "unreachable");
}

#[test]
fn recursion_ends_at_the_guest_s_own_stack() {
    let parts = "(func $deeper (param i32) (result i32) (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))";
    contained(&guest("", parts, "(call $deeper (i32.const 0))"), FaultClass::Trap, "stack");
}

#[test]
fn nan_is_not_an_answer() {
    // distribution: one number, at byte 76 of the result.
    let body = "(f64.store (i32.const 8192) (f64.const nan)) (i32.store (i32.const 4172) (i32.const 8192)) (i32.store (i32.const 4176) (i32.const 1)) (i32.const 4096)";
    contained(
        &guest("", "", body),
        FaultClass::InvalidOutput,
        "distribution: number 0 is not finite",
    );
}

#[test]
fn an_answer_that_cannot_be_read_is_invalid() {
    contained(
        &guest("", "", "(i32.store8 (i32.const 4096) (i32.const 9)) (i32.const 4096)"),
        FaultClass::InvalidOutput,
        "cannot be read",
    );
    contained(&guest("", "", "(i32.const 4097)"), FaultClass::InvalidOutput, "aligned");
    contained(&guest("", "", "(i32.const -8)"), FaultClass::InvalidOutput, "bounds");
    // reasons: a million, all at the same place.
    let body = "(i32.store (i32.const 4120) (i32.const 0)) (i32.store (i32.const 4124) (i32.const 1000000)) (i32.const 4096)";
    contained(&guest("", "", body), FaultClass::InvalidOutput, "cannot be read");
}

#[test]
fn a_log_flood_is_cut() {
    let log = r#"(import "pointsman:policy/log@0.1.0" "log" (func $log (param i32 i32 i32)))"#;
    let body = "(loop $more (call $log (i32.const 1) (i32.const 256) (i32.const 9)) (br $more)) unreachable";
    contained(&guest(log, "", body), FaultClass::Trap, "logged more than 1000 lines");
    let body = "(call $log (i32.const 1) (i32.const 131072) (i32.const 70000)) (i32.const 4096)";
    contained(&guest(log, "", body), FaultClass::Trap, "logged more than");
}

#[test]
fn a_start_function_is_held_to_the_same_limits() {
    let looping = guest(
        "",
        "(func $start (loop $for_ever (br $for_ever))) (start $start)",
        "(i32.const 4096)",
    );
    contained(&looping, FaultClass::Fuel, "fuel");
    let found = problem("start.wasm", looping);
    assert_eq!((found.code, found.stage), (ProblemCode::DescribeFailed, Stage::Describe));
}

#[test]
fn too_much_memory_at_the_start_is_refused() {
    let limits = PolicyLimits {
        memory_bytes: 3 * 65_536,
        ..PolicyLimits::default()
    };
    contained_within(&plain_guest(), limits, FaultClass::Memory, "memory");
}

#[test]
fn a_policy_that_says_it_cannot_decide_is_declined() {
    // Err(failed("wat-guest"))
    let body = "(i32.store8 (i32.const 4096) (i32.const 1)) (i32.store8 (i32.const 4104) (i32.const 2)) (i32.store (i32.const 4108) (i32.const 256)) (i32.store (i32.const 4112) (i32.const 9)) (i32.const 4096)";
    contained(&guest("", "", body), FaultClass::Declined, "wat-guest");
}

#[test]
fn what_is_not_a_policy_is_refused_with_the_cure() {
    let core = wat::parse_str("(module)").expect("a module");
    let found = problem("core.wasm", core);
    assert_eq!((found.code, found.stage), (ProblemCode::CoreModule, Stage::Parse));
    assert!(found.fix.is_some_and(|fix| fix.contains("wasm-tools component new")));

    let wasi = wat::parse_str(r#"(component (import "wasi:clocks/monotonic-clock@0.2.0" (instance)))"#).expect("a component");
    let found = problem("wasi.wasm", wasi);
    assert_eq!((found.code, found.stage), (ProblemCode::RefusedImport, Stage::Parse));
    assert!(found.message.contains("wasi:clocks/monotonic-clock@0.2.0"), "{found}");
    assert!(found.fix.is_some_and(|fix| fix.contains("wasm32-unknown-unknown")));

    let empty = wat::parse_str("(component)").expect("a component");
    let found = problem("empty.wasm", empty);
    assert_eq!((found.code, found.stage), (ProblemCode::WrongExports, Stage::Link));
    assert!(found.message.contains("`describe`"), "{found}");

    assert_eq!(problem("readme.md", "hello").code, ProblemCode::UnknownFormat);
    assert_eq!(
        problem("big.wasm", [b"\0asm\x0d\0\x01\0".to_vec(), vec![0; 33 << 20]].concat()).code,
        ProblemCode::TooLarge
    );
    let whole = plain_guest();
    assert_eq!(problem("cut.wasm", &whole[..whole.len() / 2]).code, ProblemCode::Malformed);
}

#[test]
fn proposals_that_widen_the_trust_are_off() {
    for module in [
        "(module (memory i64 1))",
        "(module (memory 1 1 shared))",
        "(module (func (result v128) (i32x4.relaxed_trunc_f32x4_s (v128.const i32x4 0 0 0 0))))",
    ] {
        let text = format!("(component (core {}", module.trim_start_matches('(')) + ")";
        let found = problem("proposal.wasm", wat::parse_str(&text).expect("valid text"));
        assert_eq!((found.code, found.stage), (ProblemCode::Uncompilable, Stage::Compile), "{module}");
    }
}

#[test]
fn damaged_components_are_refused_without_a_panic() {
    let whole = plain_guest();
    let mut seed = 1u64;
    let mut accepted = 0;
    for _ in 0..100 {
        let mut mutant = whole.clone();
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = (seed >> 33) as usize % mutant.len();
        mutant[at] ^= 1 << ((seed >> 8) % 8);
        accepted += usize::from(check("mutant.wasm", mutant).is_ok());
    }
    assert!(accepted < 100, "some bits matter");
}

#[test]
fn a_version_that_is_not_there_is_our_fault_and_a_wrong_kind_too() {
    let library = Library::new();
    let plain = install(&library, "plain.wasm", plain_guest());
    let fault = ask(&library, &plain.policy, &canned_context(PolicyKind::Curriculum)).expect_err("a retry policy");
    assert_eq!(fault.class, FaultClass::HostFault);
    assert!(library.remove(&plain.policy.digest));
    assert!(!library.contains(&plain.policy.digest) && !library.remove(&plain.policy.digest));
    let fault = ask(&library, &plain.policy, &question(&plain)).expect_err("removed");
    assert_eq!(fault.class, FaultClass::HostFault);
    assert!(fault.detail.contains("not loaded"), "{}", fault.detail);
}

#[test]
fn a_recorded_version_must_have_its_digest() {
    let library = Library::new();
    let checked = check("plain.wasm", plain_guest()).expect("it is accepted");
    library
        .load_recorded(&checked.description, &checked.code)
        .expect("as it was recorded");
    assert!(library.contains(&checked.description.policy.digest));
    let mut altered = checked.description.clone();
    altered.limits.fuel += 1;
    let other = Library::new();
    let problem = other.load_recorded(&altered, &checked.code).expect_err("other limits");
    assert_eq!((problem.code, problem.stage), (ProblemCode::DigestMismatch, Stage::Digest));
    assert!(!other.contains(&altered.policy.digest));
}

#[test]
fn compiled_code_is_kept_and_what_was_altered_is_compiled_anew() {
    let directory = tempfile::tempdir().expect("a directory");
    let cache = directory.path().join("compiled");
    let open = || Library::with_cache(&cache).expect("the cache opens");
    let check = |library: &Library| {
        library
            .check(source("plain.wasm", plain_guest()), PolicyLimits::default())
            .expect("accepted")
    };
    check(&open());
    let compiled = || {
        let mut files: Vec<_> = std::fs::read_dir(&cache)
            .expect("the cache is there")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "cwasm"));
        assert_eq!(files.len(), 1);
        files.remove(0)
    };
    let path = compiled();
    let written = std::fs::read(&path).expect("compiled code");
    check(&open());
    assert_eq!(std::fs::read(&path).expect("compiled code"), written, "read, not written again");

    // One bit of the code, of the authentication, and a file that is too short.
    let mut code = written.clone();
    *code.last_mut().expect("not empty") ^= 1;
    let mut mac = written.clone();
    mac[3] ^= 1;
    for altered in [code, mac, written[..20].to_vec(), Vec::new()] {
        std::fs::write(&path, &altered).expect("altered");
        let library = open();
        let checked = check(&library);
        let description = checked.description.clone();
        library.install(checked);
        ask(&library, &description.policy, &question(&description)).expect("it decides");
        let anew = std::fs::read(&path).expect("compiled code");
        assert!(anew != altered && anew.len() == written.len(), "replaced by code of our own");
    }

    // Under another key, nothing is accepted that was there before.
    std::fs::write(cache.join("key"), [7; 32]).expect("another key");
    check(&open());
    assert_ne!(std::fs::read(compiled()).expect("compiled code"), written);
    // A key that others can read is replaced.
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(cache.join("key"), std::fs::Permissions::from_mode(0o644)).expect("opened up");
    check(&open());
    assert_ne!(std::fs::read(cache.join("key")).expect("a key"), [7; 32]);
    assert_eq!(
        std::fs::metadata(cache.join("key")).expect("a key").permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn many_threads_ask_while_versions_come_and_go() {
    let library = Library::new();
    let plain = install(&library, "plain.wasm", plain_guest());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut engines = Engines::new(library.clone());
                for _ in 0..500 {
                    engines.ask(&plain.policy, &question(&plain)).expect("always there");
                }
            });
        }
        let other = guest("", "", "(i32.const 4104)");
        for _ in 0..20 {
            let digest = install(&library, "other.wasm", other.clone()).policy.digest;
            assert!(library.remove(&digest));
        }
    });
}

#[test]
fn hostile_plugins_are_contained() {
    let cases = [
        ("hostile_declines", FaultClass::Declined),
        ("hostile_deep_recursion", FaultClass::Trap),
        ("hostile_huge_state", FaultClass::InvalidOutput),
        ("hostile_log_flood", FaultClass::Trap),
        ("hostile_long_reason", FaultClass::InvalidOutput),
        ("hostile_loop_forever", FaultClass::Fuel),
        ("hostile_many_reasons", FaultClass::InvalidOutput),
        ("hostile_memory_eater", FaultClass::Memory),
        ("hostile_nan_score", FaultClass::InvalidOutput),
        ("hostile_slow_start", FaultClass::Fuel),
        ("hostile_trap", FaultClass::Trap),
    ];
    for (name, class) in cases {
        let Some(code) = plugin(name) else { return };
        let library = Library::new();
        let limits = limits_for(class);
        let policy = load_unasked(&library, EngineKind::Component, PolicyKind::SourceSelection, &code, limits);
        let before = cpu_ms();
        let fault = ask(&library, &policy, &canned_context(PolicyKind::SourceSelection)).expect_err(name);
        let took = cpu_ms() - before;
        assert_eq!(fault.class, class, "{name}: {}", fault.detail);
        assert!(took < 150.0, "{name} took {took} ms of CPU time");
        assert!(check(&format!("{name}.wasm"), code).is_err(), "{name} does not pass the self-test");
    }
    let Some(code) = plugin("hostile_undeclared_import") else { return };
    let problem = problem("hostile_undeclared_import.wasm", code);
    assert_eq!(problem.code, ProblemCode::RefusedImport);
    assert!(problem.message.contains("wasi:filesystem/preopens@0.2.0"), "{problem}");
    let Some(code) = plugin("hostile_forgetful") else { return };
    let library = Library::new();
    let forgetful = install(&library, "hostile_forgetful.wasm", code);
    let answers = [(); 3].map(|()| without_time(ask(&library, &forgetful.policy, &question(&forgetful)).expect("it decides")));
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "nothing is remembered from call to call"
    );
}

/// Carried to a guest and back: the guest's answer holds what the context held.
#[test]
fn a_context_arrives_as_it_was_sent() {
    // decide(ptr): retry after what stands in `elapsed-ms`, at byte 152 of the context.
    let body = "(i64.store (i32.const 4112) (i64.load offset=152 (local.get 0))) (i32.const 4096)";
    let library = Library::new();
    let echo = install(&library, "echo.wasm", guest("", "", body));
    let mut context = question(&echo);
    let Context::Retry(retry) = &mut context else {
        panic!("a retry question")
    };
    retry.elapsed_ms = 0x0123_4567_89ab_cdef;
    let answer = ask(&library, &echo.policy, &context).expect("it decides");
    assert_eq!(answer.verdict, Verdict::Retry(RetryVerdict::Retry(0x0123_4567_89ab_cdef)));
}
