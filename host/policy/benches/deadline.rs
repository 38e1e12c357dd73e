//! Whether a deadline ends what must be ended, and nothing else: endless loops on a calm machine and beside threads that
//! spin, and a million harmless calls beside them. The deadline is the product's default, counted in the CPU time of the
//! thread that asks; fuel is so plentiful that it never ends anything.
//!
//! `LOOPS=n` and `CALLS=n` in the environment ask for other numbers.

mod support;

use pointsman_coordinator::Policies;
use pointsman_model::policy::*;
use pointsman_policy::{Engines, Library, canned_context};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::guest::load_unasked;
use support::*;

const LOOPS: usize = 300;
const CALLS: usize = 1_000_000;
const SPINNERS: usize = 8;
const OVER_MS_MAX: f64 = 2.0;
/// Ticks are short for a while after one that was about to end: the next loop is to meet ordinary ones.
const BETWEEN: Duration = Duration::from_millis(100);

fn main() {
    // The test runner asks with `--test`; there is nothing to test here.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let (Some(endless), Some(harmless)) = (plugin("hostile_loop_forever"), plugin("retry_backoff")) else {
        println!("plugins/dist is empty: run `cargo run --release -p xtask -- plugins` first");
        return;
    };
    let count = |name: &str, otherwise: usize| std::env::var(name).ok().and_then(|count| count.parse().ok()).unwrap_or(otherwise);
    let (loops, calls) = (count("LOOPS", LOOPS), count("CALLS", CALLS));
    let limits = PolicyLimits {
        fuel: 1 << 60,
        ..PolicyLimits::default()
    };
    let library = Library::new();
    let endless = load_unasked(&library, EngineKind::Component, PolicyKind::SourceSelection, &endless, limits)
        .expect("it loads")
        .policy;
    println!(
        "an endless loop under the default deadline of {} ms, ms of CPU time beyond it, {loops} times each",
        limits.deadline_ms
    );
    println!("{:>16} {:>8} {:>8} {:>8} {:>8}", "", "p50", "p90", "p99", "worst");
    let calm = over_ms(&library, &endless, limits, loops);
    row("calm", &calm);
    let beside = spinning(|| over_ms(&library, &endless, limits, loops));
    row("beside spinners", &beside);
    promise(
        "an endless loop, beyond its deadline at p99, calm",
        percentile(&calm, 0.99),
        OVER_MS_MAX,
        "ms",
    );
    let what = format!("an endless loop, beyond its deadline at p99, beside {SPINNERS} threads that spin");
    promise(&what, percentile(&beside, 0.99), OVER_MS_MAX, "ms");

    let harmless = install(&library, "retry_backoff.wasm", harmless, false);
    let mut question = canned_context(harmless.kind);
    question.frame_mut().settings.clone_from(&harmless.settings);
    let began = Instant::now();
    let killed = spinning(|| {
        let mut engines = Engines::new(library.clone());
        (0..calls)
            .filter(|_| black_box(engines.ask(&harmless.policy, &question)).is_err())
            .count()
    });
    println!(
        "{calls} harmless calls in fresh instances beside {SPINNERS} threads that spin took {:.0} s",
        began.elapsed().as_secs_f64()
    );
    promise(&format!("harmless calls killed, of {calls}"), killed as f64, 0.0, "");
}

/// CPU time of each decision beyond its deadline, in ascending order.
fn over_ms(library: &Library, policy: &PolicyRef, limits: PolicyLimits, count: usize) -> Vec<f64> {
    let context = canned_context(PolicyKind::SourceSelection);
    let mut engines = Engines::new(library.clone());
    let mut over: Vec<f64> = (0..count)
        .map(|_| {
            std::thread::sleep(BETWEEN);
            let before = cpu_ms();
            let fault = engines.ask(policy, &context).expect_err("it never ends by itself");
            let took = cpu_ms() - before;
            assert_eq!(fault.class, FaultClass::Deadline, "{}", fault.detail);
            took - f64::from(limits.deadline_ms)
        })
        .collect();
    over.sort_by(f64::total_cmp);
    over
}

fn percentile(sorted: &[f64], share: f64) -> f64 {
    let at = (sorted.len() as f64 * share).ceil() as usize;
    sorted[at.clamp(1, sorted.len()) - 1]
}

fn row(name: &str, sorted: &[f64]) {
    let [p50, p90, p99, worst] = [0.5, 0.9, 0.99, 1.0].map(|share| percentile(sorted, share));
    println!("{name:>16} {p50:>8.2} {p90:>8.2} {p99:>8.2} {worst:>8.2}");
}

/// Beside threads that do nothing but take the processors.
fn spinning<T>(work: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..SPINNERS {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let result = work();
        done.store(true, Ordering::Relaxed);
        result
    })
}
