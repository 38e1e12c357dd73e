//! Components whose instances are kept between live decisions, because an operator allows it.

mod support;

use pointsman_coordinator::Policies;
use pointsman_model::decision::{RetryVerdict, Verdict};
use pointsman_model::policy::*;
use pointsman_policy::{Engines, Library};
use support::*;

/// Retries after as many milliseconds as it has decided before in the same instance; `then` may end it instead.
fn counting(then: &str) -> Vec<u8> {
    let parts = "(global $decided (mut i64) (i64.const 0))";
    // The context is read nowhere, so it may always be written to the same place.
    let body = format!(
        "(global.set $next (i32.const 65536))
        (i64.store (i32.const 4112) (global.get $decided))
        (global.set $decided (i64.add (global.get $decided) (i64.const 1)))
        {then}
        (i32.const 4096)"
    );
    guest("", parts, &body)
}

fn warm_library() -> Library {
    let library = Library::new();
    library.keep_warm(&[PolicyKind::Retry]);
    library
}

fn delays(engines: &mut Engines, version: &PolicyDescription, times: usize) -> Vec<u64> {
    let delay = |_| match engines.ask(&version.policy, &question(version)).expect("it decides").verdict {
        Verdict::Retry(RetryVerdict::Retry(after_ms)) => after_ms,
        other => panic!("{other:?}"),
    };
    (0..times).map(delay).collect()
}

#[test]
fn without_an_operators_word_every_decision_is_fresh() {
    let library = Library::new();
    library.keep_warm(&[PolicyKind::Curriculum]);
    let version = install(&library, "counting.wasm", counting(""));
    assert_eq!(version.policy.engine, EngineKind::Component);
    assert_eq!(delays(&mut Engines::live(library), &version, 4), [0, 0, 0, 0]);
}

#[test]
fn only_live_decisions_are_asked_of_a_kept_instance() {
    let library = warm_library();
    let version = install(&library, "counting.wasm", counting(""));
    assert_eq!(version.policy.engine, EngineKind::WarmComponent);
    let cold = install(&Library::new(), "counting.wasm", counting(""));
    assert_ne!(version.policy.digest, cold.policy.digest, "it is another version");
    let (mut live, mut replay) = (Engines::live(library.clone()), Engines::new(library.clone()));
    assert_eq!(delays(&mut live, &version, 3), [0, 1, 2]);
    assert_eq!(
        delays(&mut replay, &version, 3),
        [0, 0, 0],
        "a replay finds what it was recorded with: nothing"
    );
    assert_eq!(delays(&mut live, &version, 2), [3, 4], "and leaves nothing");

    // As a start of the host loads it.
    let restarted = Library::new();
    restarted.load_recorded(&version, &counting("")).expect("it loads");
    assert_eq!(delays(&mut Engines::live(restarted), &version, 2), [0, 1]);
}

#[test]
fn an_instance_ends_after_its_share_of_calls() {
    let library = warm_library();
    let version = install(&library, "counting.wasm", counting(""));
    let delays = delays(&mut Engines::live(library), &version, 10_000);
    let instances = delays.iter().filter(|delay| **delay == 0).count();
    assert!((2..=10).contains(&instances), "{instances}");
}

#[test]
fn what_a_kept_instance_cannot_answer_a_fresh_one_does() {
    for end in ["unreachable", "(return (i32.const 4097))"] {
        let library = warm_library();
        let then = format!("(if (i64.eq (global.get $decided) (i64.const 3)) (then {end}))");
        let version = install(&library, "third.wasm", counting(&then));
        // The third call ends badly and is answered by a fresh instance; the instance is gone, and the next starts anew.
        assert_eq!(delays(&mut Engines::live(library), &version, 5), [0, 1, 0, 0, 1], "{end}");
    }
}

#[test]
fn a_fault_of_its_own_is_a_fault_and_the_next_decision_is_unharmed() {
    let library = warm_library();
    let plain = install(&library, "counting.wasm", counting(""));
    let limits = PolicyLimits {
        fuel: 1_000_000,
        ..PolicyLimits::default()
    };
    let endless = counting("(loop $for_ever (br $for_ever))");
    let endless = load_unasked(&library, EngineKind::WarmComponent, PolicyKind::Retry, &endless, limits);
    let trapping = load_unasked(
        &library,
        EngineKind::WarmComponent,
        PolicyKind::Retry,
        &counting("unreachable"),
        limits,
    );
    let mut live = Engines::live(library);
    for turn in 0..3 {
        let fault = live.ask(&endless, &question(&plain)).expect_err("it never ends");
        assert_eq!(fault.class, FaultClass::Fuel, "{}", fault.detail);
        let fault = live.ask(&trapping, &question(&plain)).expect_err("it traps");
        assert_eq!(fault.class, FaultClass::Trap, "{}", fault.detail);
        assert_eq!(delays(&mut live, &plain, 1), [turn]);
    }
}

#[test]
fn limits_are_armed_for_each_call() {
    let library = warm_library();
    // Most of the fuel, again and again.
    let busy = "(local.set $left (i32.const 100000))
        (loop $more (local.set $left (i32.sub (local.get $left) (i32.const 1))) (br_if $more (local.get $left)))";
    let body = format!("(local $left i32) (global.set $next (i32.const 65536)) {busy} (i32.const 4096)");
    let code = guest("", "", &body);
    let limits = PolicyLimits {
        fuel: 900_000,
        ..PolicyLimits::default()
    };
    let policy = load_unasked(&library, EngineKind::WarmComponent, PolicyKind::Retry, &code, limits);
    let mut live = Engines::live(library);
    let context = pointsman_policy::canned_context(PolicyKind::Retry);
    let fuel: Vec<_> = (0..5)
        .map(|_| live.ask(&policy, &context).expect("within its fuel").cost.fuel)
        .collect();
    assert!(fuel[0] > Some(450_000) && fuel.iter().all(|each| *each == fuel[0]), "{fuel:?}");
}

#[test]
fn threads_that_ask_at_the_same_time_do_not_wait_for_one_instance() {
    let library = warm_library();
    let version = install(&library, "counting.wasm", counting(""));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| delays(&mut Engines::live(library.clone()), &version, 2_000));
        }
    });
}
