//! A decision of the size of a retry where an operator allows that an instance is kept: the product's path beside the bare
//! engine with a warm instance. Once with the shipped policy, which writes a sentence for its reason, and once with one
//! that answers without words: what is left is what the engine and the host cost. Beside them the least that a decision
//! of this size can be: eight numbers in, one out, no strings, in the same engine under the same limits.

mod support;

use pointsman_coordinator::Policies;
use pointsman_model::context::Context;
use pointsman_model::policy::PolicyKind;
use pointsman_policy::component::bindings::{log, retry};
use pointsman_policy::{Engines, Library, canned_context, component};
use std::hint::black_box;
use support::guest::Guest;
use support::questions::*;
use support::*;
use wasmtime::component::{Component, HasSelf, Linker};

const LIMIT_US: f64 = 0.25;

fn main() {
    // The test runner asks with `--test`; there is nothing to test here.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let Some(backoff) = plugin("retry_backoff") else {
        println!("plugins/dist is empty: run `cargo run --release -p xtask -- plugins` first");
        return;
    };
    let engine = component::engine();
    let mut linker: Linker<Bare> = Linker::new(engine);
    log::add_to_linker::<Bare, HasSelf<Bare>>(&mut linker, |bare| bare).expect("the log links");
    println!("us per decision of one retry, instances kept, medians of {ROUNDS} interleaved batches");
    println!("{:>16} {:>10} {:>10} {:>8} {:>10}", "", "bare warm", "product", "/ bare", "fresh");
    for (name, code) in [("shipped", backoff), ("without words", wordless())] {
        let library = Library::new();
        library.keep_warm(&[PolicyKind::Retry]);
        let version = install(&library, "retry.wasm", code.clone(), false);
        let mut question = canned_context(PolicyKind::Retry);
        question.frame_mut().settings.clone_from(&version.settings);
        let Context::Retry(context) = &question else {
            unreachable!("a retry policy has a retry context")
        };
        let compiled = Component::from_binary(engine, &code).expect("it compiles");
        let pre = retry::RetryPre::new(linker.instantiate_pre(&compiled).expect("it links")).expect("it has its exports");
        let settings = wit_settings(&version.settings);
        let mut store = bare_store();
        let bare = pre.instantiate(&mut store).expect("it starts");
        let (mut live, mut fresh) = (Engines::live(library.clone()), Engines::new(library.clone()));
        let (kept, anew) = (live.ask(&version.policy, &question), fresh.ask(&version.policy, &question));
        assert_eq!(kept.expect("it decides").verdict, anew.expect("it decides").verdict);
        let batches = measure(&mut [
            &mut || {
                store.set_fuel(100_000_000).expect("fuel is on");
                let answer = bare.call_decide(&mut store, wit_retry(context, &settings));
                black_box(answer.expect("it ends").is_ok());
            },
            &mut || {
                black_box(live.ask(&version.policy, &question).expect("it decides"));
            },
            &mut || {
                black_box(fresh.ask(&version.policy, &question).expect("it decides"));
            },
        ]);
        let us = [0, 1, 2].map(|way| median(batches[way].clone()));
        println!(
            "{name:>16} {:>10.3} {:>10.3} {:>8.2} {:>10.2}",
            us[0],
            us[1],
            ratio(&batches[1], &batches[0]),
            us[2]
        );
        promise(&format!("a retry decision, instance kept, {name}"), us[1], LIMIT_US, "us");
    }
    scalars_alone();
}

/// The numbers of a retry that a backoff depends on.
const SCALARS: &str = "record failed-run { class: u32, attempt: u32, failures: u32, budget-left: u32, same-error-before: u32, \
                       seed: u64, base-s: f64, cap-s: f64 } export decide: func(run: failed-run) -> u64;";

#[allow(missing_debug_implementations, unreachable_pub)]
mod scalars {
    wasmtime::component::bindgen!({
        inline: "package test:guest; world guest { record failed-run { class: u32, attempt: u32, failures: u32, budget-left: u32, \
                 same-error-before: u32, seed: u64, base-s: f64, cap-s: f64 } export decide: func(run: failed-run) -> u64; }",
    });
}

/// `base_s * 2 ^ (failures - 1)`, at most `cap_s`, in milliseconds.
const BACKOFF: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
    (func (export "decide") (param i32 i32 i32 i32 i32 i64 f64 f64) (result i64) (local $wait f64)
        (local.set $wait (local.get 6))
        (block $end (loop $double
            (local.set 2 (i32.sub (local.get 2) (i32.const 1)))
            (br_if $end (i32.le_s (local.get 2) (i32.const 0)))
            (local.set $wait (f64.mul (local.get $wait) (f64.const 2)))
            (br $double)))
        (i64.trunc_f64_u (f64.mul (f64.min (local.get $wait) (local.get 7)) (f64.const 1000)))))"#;

fn scalars_alone() {
    let core = wat::parse_str(BACKOFF).expect("it is WebAssembly");
    let code = support::guest::component_of_worlds(&core, SCALARS).expect("a component");
    let engine = component::engine();
    let compiled = Component::from_binary(engine, &code).expect("it compiles");
    let mut store = bare_store();
    let linker: Linker<Bare> = Linker::new(engine);
    let instance = scalars::Guest::instantiate(&mut store, &compiled, &linker).expect("it starts");
    let run = || scalars::FailedRun {
        class: 3,
        attempt: 3,
        failures: black_box(3),
        budget_left: 2,
        same_error_before: 0,
        seed: 7,
        base_s: 2.0,
        cap_s: 300.0,
    };
    assert_eq!(instance.call_decide(&mut store, run()).expect("it ends"), 8_000);
    let batches = measure(&mut [&mut || {
        store.set_fuel(100_000_000).expect("fuel is on");
        black_box(instance.call_decide(&mut store, run()).expect("it ends"));
    }]);
    let us = median(batches[0].clone());
    promise("eight numbers in and one out, instance kept", us, LIMIT_US, "us");
}

/// Hands over its context in a bump of memory that starts anew with each call, and answers "retry at once".
fn wordless() -> Vec<u8> {
    let guest = Guest::deciding("(global.set $next (i32.const 65536)) (i32.const 4096)");
    guest.component().expect("a component")
}
