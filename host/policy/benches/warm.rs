//! A decision of the size of a retry where an operator allows that an instance is kept: the product's path beside the bare
//! engine with a warm instance. Once with the shipped policy, which writes a sentence for its reason, and once with one
//! that answers without words: what is left is what the engine and the host cost.

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
}

/// Hands over its context in a bump of memory that starts anew with each call, and answers "retry at once".
fn wordless() -> Vec<u8> {
    let guest = Guest::deciding("(global.set $next (i32.const 65536)) (i32.const 4096)");
    guest.component().expect("a component")
}
