//! Why long lists of the contract hold scalars only: a fresh call of source selection beside the same call with records
//! that carry their strings. Both run bare, in one engine; batches are interleaved, and ratios are of neighbours.

mod support;

use pointsman_policy::component::bindings::{log, selection, types};
use pointsman_policy::{Library, component};
use std::hint::black_box;
use support::questions::*;
use support::*;
use wasmtime::component::{Component, HasSelf, Linker};

#[allow(missing_debug_implementations, unreachable_pub, unused_variables)]
mod strings {
    wasmtime::component::bindgen!({
        path: ["../../wit/policy-0.1.0", "../../plugins/bench-strings/wit"],
        world: "pointsman:bench-strings/strings",
        ownership: Borrowing { duplicate_if_necessary: true },
        with: {
            "pointsman:policy/types": pointsman_policy::component::bindings::types,
            "pointsman:policy/source-selection-types":
                pointsman_policy::component::bindings::selection::pointsman::policy::source_selection_types,
        },
    });
}

use strings::pointsman::bench_strings::string_records as twin;

/// By how many candidates, and the share of the twin's time that ours may take.
const LIMITS: [(u32, f64); 2] = [(64, 0.7), (512, 0.45)];
const ERROR: &str = "connection reset by peer while shard 7 of 12 was being read";

fn main() {
    // The test runner asks with `--test`; there is nothing to test here.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let (Some(diverse), Some(with_strings)) = (plugin("host_diverse"), plugin("bench_strings")) else {
        println!("plugins/dist is empty: run `cargo run --release -p xtask -- plugins` first");
        return;
    };
    let settings = install(&Library::new(), "host_diverse.wasm", diverse.clone(), false).settings;
    let engine = component::engine();
    let mut linker: Linker<Bare> = Linker::new(engine);
    log::add_to_linker::<Bare, HasSelf<Bare>>(&mut linker, |bare| bare).expect("the log links");
    let pre_of = |code: &[u8]| {
        let component = Component::from_binary(engine, code).expect("it compiles");
        linker.instantiate_pre(&component).expect("it links")
    };
    let ours = selection::SourceSelectionPre::new(pre_of(&diverse)).expect("it has its exports");
    let theirs = strings::StringsPre::new(pre_of(&with_strings)).expect("it has its exports");

    println!("us per fresh call, medians of {ROUNDS} interleaved batches");
    println!(
        "{:>16} {:>14} {:>16} {:>24}",
        "", "by index", "hosts as text", "hosts, titles, errors"
    );
    for (count, limit) in LIMITS {
        let context = selection_context(count, &settings);
        let wit_settings = wit_settings(&settings);
        let hosts: Vec<&str> = context.hosts.iter().map(String::as_str).collect();
        let loads: Vec<_> = context.host_loads.iter().map(wit_load).collect();
        let candidates: Vec<_> = context.candidates.iter().map(wit_candidate).collect();
        let question = || wit_selection(&context, &wit_settings, &hosts, &loads, &candidates);

        let titles: Vec<String> = (0..count).map(|id| format!("Source code, reading {id}")).collect();
        let twin_loads: Vec<_> = loads.iter().zip(&hosts).map(|(load, host)| twin_load(load, host)).collect();
        let no_titles = vec![String::new(); titles.len()];
        let carrying = |titles, error| carrying(&candidates, &hosts, titles, error);
        let recent: Vec<&str> = context.recent_hosts.iter().map(|host| hosts[*host as usize]).collect();
        let twin_question = |candidates| twin::Context {
            frame: frame(&context, &wit_settings),
            free: context.free,
            lane_mode: wit::LaneMode::Hybrid,
            curriculum_fallback: context.curriculum_fallback,
            lock: None,
            same_host_cap: context.same_host_cap,
            host_loads: &twin_loads,
            recent_hosts: &recent,
            candidates,
            left_out: context.left_out,
        };
        let (hosts_alone, all) = (carrying(&no_titles, ""), carrying(&titles, ERROR));
        let ask_ours = || {
            let mut store = bare_store();
            let instance = ours.instantiate(&mut store).expect("it starts");
            instance.call_decide(&mut store, question()).expect("it ends").expect("it decides")
        };
        let ask_twin = |candidates| {
            let mut store = bare_store();
            let instance = theirs.instantiate(&mut store).expect("it starts");
            let answer = instance.call_decide(&mut store, twin_question(candidates));
            answer.expect("it ends").expect("it decides")
        };
        // Else the two did different work.
        let (one, other) = (ask_ours(), ask_twin(&all));
        assert_eq!(format!("{:?}", one.verdict), format!("{:?}", other.verdict), "both pick the same");
        let texts = |reasons: &[types::Reason]| reasons.iter().map(|reason| reason.text.clone()).collect::<Vec<_>>();
        assert_eq!(texts(&one.advice.reasons), texts(&other.advice.reasons), "for the same reasons");
        assert_eq!(
            one.advice.scores.expect("scores").terms,
            other.advice.scores.expect("scores").terms,
            "with the same scores"
        );

        let batches = measure(&mut [
            &mut || drop(black_box(ask_ours())),
            &mut || drop(black_box(ask_twin(&hosts_alone))),
            &mut || drop(black_box(ask_twin(&all))),
        ]);
        let us = [0, 1, 2].map(|way| median(batches[way].clone()));
        println!(
            "{:>16} {:>14.2} {:>16.2} {:>24.2}",
            format!("{count} candidates"),
            us[0],
            us[1],
            us[2]
        );
        let alone = ratio(&batches[0], &batches[1]);
        println!("{:>16} of the call whose records carry their host's name alone: {alone:.3}", "");
        let what = format!("fresh call, {count} candidates, of the call whose records carry host, title and error");
        promise(&what, ratio(&batches[0], &batches[2]), limit, "");
    }
}

/// The error stands with those that failed.
fn carrying<'a>(candidates: &[wit::Candidate], hosts: &[&'a str], titles: &'a [String], error: &'a str) -> Vec<twin::Candidate<'a>> {
    let of = |(candidate, title): (&wit::Candidate, &'a String)| {
        let error = if candidate.attempts > 0 { error } else { "" };
        twin_candidate(candidate, hosts, title, error)
    };
    candidates.iter().zip(titles).map(of).collect()
}

fn frame<'a>(context: &'a pointsman_model::context::SelectionContext, settings: &'a [types::SettingParam<'a>]) -> types::Frame<'a> {
    types::Frame {
        now_ms: context.frame.now_ms,
        seed: context.frame.seed,
        settings,
        state: &[],
    }
}

fn twin_load<'a>(load: &wit::HostLoad, host: &'a str) -> twin::HostLoad<'a> {
    let wit::HostLoad {
        running,
        pending,
        successes,
        failures,
        since_picked_s,
    } = *load;
    twin::HostLoad {
        host,
        running,
        pending,
        successes,
        failures,
        since_picked_s,
    }
}

fn twin_candidate<'a>(candidate: &wit::Candidate, hosts: &[&'a str], title: &'a str, error: &'a str) -> twin::Candidate<'a> {
    let wit::Candidate {
        id,
        lane,
        origin,
        host,
        campaign: _,
        row,
        age_s,
        attempts,
        failures,
        difficulty,
        priority,
    } = *candidate;
    twin::Candidate {
        id,
        title,
        lane,
        origin,
        host: host.map(|host| hosts[host as usize]),
        campaign: None,
        row,
        age_s,
        attempts,
        failures,
        error,
        difficulty,
        priority,
    }
}
