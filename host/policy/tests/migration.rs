//! State of an older version, taken over by a newer one: components and scripts, within the limits of a decision.

mod support;

use pointsman_coordinator::Policies;
use pointsman_model::policy::*;
use pointsman_policy::{Engines, Library, ProblemCode};
use support::*;

/// A retry policy that also exports `migrate`; the body leaves the address of its result.
fn migrating(migrate: &str) -> Vec<u8> {
    let guest = Guest {
        parts: format!(
            r#"(data (i32.const 288) "it is no number")
            (func (export "migrate") (param $from i32) (param $state i32) (param $length i32) (result i32) {migrate})"#
        ),
        ..Guest::default()
    };
    component_of_worlds(
        &guest.core().expect("the text is valid"),
        "include pointsman:policy/retry@0.1.0; include pointsman:policy/state-migration@0.1.0;",
    )
    .expect("a component")
}

/// Writes the version it comes from over the first byte, and answers the rest as it was.
const MARKS: &str = "(i32.store8 (local.get $state) (local.get $from))
    (i32.store8 (i32.const 512) (i32.const 0))
    (i32.store (i32.const 516) (local.get $state))
    (i32.store (i32.const 520) (local.get $length))
    (i32.const 512)";

fn migrate(code: Vec<u8>, from_version: u32, state: &[u8]) -> Result<Vec<u8>, Fault> {
    let library = Library::new();
    let checked = check("guest.wasm", code).expect("it is accepted");
    let policy = checked.description.policy.clone();
    let rehearsed = library.rehearse_migration(&checked, from_version, state);
    library.install(checked);
    let live = Engines::new(library).migrate(&policy, from_version, state);
    assert_eq!(
        live.as_ref().map_err(|fault| fault.class),
        rehearsed.as_ref().map_err(|fault| fault.class),
        "the rehearsal is the same call"
    );
    live
}

#[test]
fn a_component_reads_older_state() {
    assert_eq!(migrate(migrating(MARKS), 7, b"-state").expect("migrated"), b"\x07state");
}

#[test]
fn a_component_may_refuse_older_state() {
    let refuses = "(i32.store8 (i32.const 512) (i32.const 1))
        (i32.store (i32.const 516) (i32.const 288))
        (i32.store (i32.const 520) (i32.const 15))
        (i32.const 512)";
    let fault = migrate(migrating(refuses), 1, b"x").expect_err("refused");
    assert_eq!(fault.class, FaultClass::Declined);
    assert!(fault.detail.contains("it is no number"), "{}", fault.detail);
}

#[test]
fn a_migration_runs_within_the_limits_of_a_decision() {
    let fault = migrate(migrating("unreachable"), 1, b"x").expect_err("a trap");
    assert_eq!(fault.class, FaultClass::Trap);
    let loops = migrating("(loop $for_ever (br $for_ever)) unreachable");
    let fault = migrate(loops, 1, b"x").expect_err("endless");
    assert!(matches!(fault.class, FaultClass::Fuel | FaultClass::Deadline), "{}", fault.detail);
    // 100 kB of zeroes from address 0: longer than a state may be.
    let long = "(i32.store8 (i32.const 512) (i32.const 0))
        (i32.store (i32.const 516) (i32.const 0))
        (i32.store (i32.const 520) (i32.const 100000))
        (i32.const 512)";
    let fault = migrate(migrating(long), 1, b"x").expect_err("too long");
    assert_eq!(fault.class, FaultClass::InvalidOutput);
    assert!(fault.detail.contains("100000 bytes; at most 65536"), "{}", fault.detail);
}

#[test]
fn a_component_without_a_migration_says_so() {
    let fault = migrate(plain_guest(), 1, b"x").expect_err("nothing to ask");
    assert_eq!(fault.class, FaultClass::Declined);
    assert!(fault.detail.contains("no `migrate`"), "{}", fault.detail);
}

#[test]
fn a_migration_of_another_type_is_refused_at_load() {
    let problem = problem("guest.wasm", wrongly_typed());
    assert_eq!(problem.code, ProblemCode::WrongExports);
    assert!(problem.message.contains("migrate"), "{}", problem.message);
}

fn wrongly_typed() -> Vec<u8> {
    let core = String::from_utf8_lossy(include_bytes!("wrong_migration.wat")).into_owned();
    component_of_worlds(
        &wat::parse_str(core).expect("the text is valid"),
        "include pointsman:policy/retry@0.1.0; export migrate: func() -> u32;",
    )
    .expect("a component")
}

const SCRIPT: &str = r#"
fn describe() { #{ name: "s", version: "2", kind: "retry", state_version: 2 } }
fn decide(ctx) { #{ verdict: "give_up", state: #{ tries: 1 } } }
fn migrate(from_version, state) {
    if from_version == 9 { throw "version 9 was never published" }
    if from_version == 8 { loop {} }
    #{ tries: state.count + from_version }
}"#;

#[test]
fn a_script_reads_older_state() {
    let library = Library::new();
    let policy = install(&library, "s.rhai", SCRIPT).policy;
    let mut engines = Engines::new(library);
    let mut migrate = |from, state: &[u8]| engines.migrate(&policy, from, state);
    assert_eq!(migrate(1, br#"{"count":4}"#).expect("migrated"), br#"{"tries":5}"#);
    let fault = migrate(9, br#"{"count":4}"#).expect_err("thrown");
    assert_eq!(fault.class, FaultClass::Declined);
    assert!(fault.detail.contains("never published"), "{}", fault.detail);
    let fault = migrate(8, br#"{"count":4}"#).expect_err("endless");
    assert!(matches!(fault.class, FaultClass::Fuel | FaultClass::Deadline), "{}", fault.detail);
    let fault = migrate(1, b"\xff").expect_err("no state of a script");
    assert_eq!(fault.class, FaultClass::Declined);
    let fault = migrate(1, br#"{"other":4}"#).expect_err("a field that is not there");
    assert_eq!(fault.class, FaultClass::Trap);
}

#[test]
fn a_script_without_a_migration_says_so() {
    let library = Library::new();
    let code = "fn describe() { #{ name: \"s\", version: \"1\", kind: \"retry\" } }\nfn decide(ctx) { #{ verdict: \"give_up\" } }";
    let policy = install(&library, "s.rhai", code).policy;
    let fault = Engines::new(library).migrate(&policy, 1, b"1").expect_err("nothing to ask");
    assert!(fault.detail.contains("no `fn migrate(from_version, state)`"), "{}", fault.detail);
}
