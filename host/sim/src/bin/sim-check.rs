//! `sim-check`: thousands of fault scenarios, and simulated promotions, on all cores.
//!
//! `SEEDS=n` plays fewer or more, `SEED=n` a single one and tells what happened in it.

#[path = "../../tests/support/mod.rs"]
mod support;

use pointsman_model::policy::{PolicyDescription, PolicyKind};
use pointsman_model::settings::Settings;
use pointsman_policy::{Engines, Library};
use pointsman_sim::faults::{Policies, Seen, Violation, play};
use pointsman_sim::simulate::{GateTrials, Tally, t_test_trials, trials};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

const SEEDS: u64 = 10_000;
/// Every so many scenarios are played with the real engines.
const REAL_EVERY: u64 = 50;
const CANDIDATES: u64 = 10_000;
const ALPHA: f64 = 0.05;
const GAIN: f64 = 0.05;

fn main() -> ExitCode {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let library = Library::new();
    let versions = support::all_shipped(&library);
    if let Some(seed) = number("SEED") {
        return match scenario(seed, &library, &versions) {
            Ok(seen) => {
                println!("{seen:#?}\nseed {seed}: all promises hold");
                ExitCode::SUCCESS
            }
            Err(violation) => {
                println!("{violation}");
                ExitCode::FAILURE
            }
        };
    }
    let sound = scenarios(number("SEEDS").unwrap_or(SEEDS), &library, &versions);
    let kept = gates(&library);
    if sound && kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn scenario(seed: u64, library: &Library, versions: &[PolicyDescription]) -> Result<Seen, Violation> {
    let policies = if seed % REAL_EVERY == REAL_EVERY - 1 {
        support::real_cast(library, versions)
    } else {
        Policies::whims(seed)
    };
    play(seed, policies, None)
}

fn cores() -> u64 {
    std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64)
}

fn scenarios(seeds: u64, library: &Library, versions: &[PolicyDescription]) -> bool {
    let started = Instant::now();
    let (next, failed) = (AtomicU64::new(0), AtomicBool::new(false));
    let worker = || {
        let mut seen = Seen::default();
        while !failed.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                break;
            }
            if seed > 0 && seed % 1_000 == 0 {
                eprintln!("{seed} scenarios, {:.0} s", started.elapsed().as_secs_f64());
            }
            match scenario(seed, library, versions) {
                Ok(one) => seen.add(&one),
                Err(violation) => {
                    failed.store(true, Ordering::Relaxed);
                    println!("{violation}\nSEED={seed} replays it");
                }
            }
        }
        seen
    };
    let mut all = Seen::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores()).map(|_| scope.spawn(worker)).collect();
        for worker in workers {
            match worker.join() {
                Ok(seen) => all.add(&seen),
                Err(_) => failed.store(true, Ordering::Relaxed),
            }
        }
    });
    if failed.load(Ordering::Relaxed) {
        return false;
    }
    println!(
        "{seeds} fault scenarios in {:.0} s, every promise kept:\n{all}",
        started.elapsed().as_secs_f64()
    );
    true
}

/// All candidates, over the cores.
fn tried(gate: &PolicyDescription, library: &Library, setup: &GateTrials) -> Tally {
    let cores = cores();
    let mut all = Tally::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores)
            .map(|core| {
                let (first, last) = (CANDIDATES * core / cores, CANDIDATES * (core + 1) / cores);
                scope.spawn(move || trials(&mut Engines::new(library.clone()), gate, setup, first..last))
            })
            .collect();
        for worker in workers {
            all.add(worker.join().unwrap_or_default());
        }
    });
    all
}

fn gates(library: &Library) -> bool {
    let Some(gate) = support::shipped(library, PolicyKind::PromotionGate) else {
        println!("the gate is not built: `make plugins`");
        return false;
    };
    let started = Instant::now();
    let setup = |gain: f64| GateTrials {
        seed: 5,
        gain,
        deviation: 0.1,
        settings: Settings::default(),
    };
    let same = tried(&gate, library, &setup(0.0));
    let better = tried(&gate, library, &setup(GAIN));
    println!("\n{CANDIDATES} simulated candidates each, looked at after every round of 5 pairs, deviation of a pair 0.1:");
    println!("{:44} {:>12} {:>12} {:>12}", "", "no gain", format!("gain {GAIN}"), "pairs then");
    let row = |name: &str, same: f64, better: f64, pairs: f64| {
        println!("{name:44} {:>10.2} % {:>10.2} % {pairs:>12.1}", same * 100.0, better * 100.0);
    };
    row(
        &format!("{} past the evaluation", gate.policy),
        same.advanced_share(),
        better.advanced_share(),
        better.pairs_mean(),
    );
    row(
        &format!("{} in service, past the canary", gate.policy),
        same.promoted_share(),
        better.promoted_share(),
        better.pairs_mean(),
    );
    for (name, keeps_looking) in [
        ("t-test at 5 % that keeps looking", true),
        ("t-test at 5 %, one look at the cap", false),
    ] {
        let same = t_test_trials(&setup(0.0), ALPHA, keeps_looking, 0..CANDIDATES);
        let better = t_test_trials(&setup(GAIN), ALPHA, keeps_looking, 0..CANDIDATES);
        row(name, same.promoted_share(), better.promoted_share(), better.pairs_mean());
    }
    println!("in {:.0} s", started.elapsed().as_secs_f64());
    let complete = same.candidates == CANDIDATES && better.candidates == CANDIDATES && same.faults + better.faults == 0;
    let kept = complete && same.advanced_share() <= ALPHA;
    if !kept {
        println!("the gate does NOT keep its alpha of {ALPHA}: {same:?} {better:?}");
    }
    kept
}
