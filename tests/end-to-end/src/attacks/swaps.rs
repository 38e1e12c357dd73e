//! W40 to W42: a policy that behaves until it is live, and swaps while calls are under way.

use super::guest::Guest;
use super::play::{self, Course};
use super::rig::{Rig, memory_bytes, ms_since, question, source};
use super::table::{Seen, Table, seen};
use anyhow::{Context as _, Result, anyhow, ensure};
use pointsman_coordinator::Policies;
use pointsman_model::decision::{Link, RetryVerdict, Verdict};
use pointsman_model::policy::{FaultClass, PolicyDescription, PolicyLimits};
use pointsman_policy::{Engines, ProblemCode};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

pub(super) fn play(rig: &Rig, table: &mut Table) {
    table.case(
        "W40a",
        "counts its calls, to misbehave at the third",
        "nothing is kept from call to call",
        || counts(rig),
    );
    table.case(
        "W40b",
        "behaves in the self-test, traps on live seeds",
        "T, fallback; the same context gives the same again",
        || two_faced(rig),
    );
    table.case(
        "W41",
        "swap while 64 calls are in flight",
        "each answers of the version it was asked of",
        || swap_in_flight(rig),
    );
    table.case(
        "W42a",
        "swaps of scripts, one after the other",
        "at least 200 a second, none left behind",
        || swap_spam(rig),
    );
    table.case(
        "W42b",
        "64 components offered at once",
        "two are compiled at a time, a long line is turned away",
        || offered_at_once(rig),
    );
    table.case(
        "W42c",
        "300 artifacts stored",
        "compiled code on disk stays within its quota",
        || stored(rig),
    );
}

fn install(rig: &Rig, file: &str, code: Vec<u8>) -> Result<PolicyDescription> {
    let checked = rig.library.check(source(file, code), PolicyLimits::default())?;
    let description = checked.description.clone();
    rig.library.install(checked);
    Ok(description)
}

fn counts(rig: &Rig) -> Result<Seen> {
    // What it counts stands in a global and in memory; after two calls it would trap.
    let guest = Guest {
        parts: "(global $calls (mut i32) (i32.const 0))".into(),
        ..Guest::deciding(
            "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
            (i32.store (i32.const 512) (i32.add (i32.load (i32.const 512)) (i32.const 1)))
            (if (i32.gt_u (i32.add (global.get $calls) (i32.load (i32.const 512))) (i32.const 4)) (then unreachable))
            (i64.store (i32.const 4112) (i64.extend_i32_u (global.get $calls))) (i32.const 4096)",
        )
    };
    let began = Instant::now();
    let counting = install(rig, "counting.wasm", guest.component()?)?;
    for call in 0..100 {
        let answer = rig.ask(&counting.policy, &question(&counting));
        let answer = answer.map_err(|fault| anyhow!("call {call} ended by {fault:?}"))?;
        ensure!(
            answer.verdict == Verdict::Retry(RetryVerdict::Retry(1)),
            "call {call} remembers: {:?}",
            answer.verdict
        );
    }
    rig.library.remove(&counting.policy.digest);
    rig.unharmed()?;
    Ok(seen("100 calls, each its first", ms_since(began)))
}

fn two_faced(rig: &Rig) -> Result<Seen> {
    // The seed stands at byte 8 of the context; the self-test's is 7.
    let guest = Guest::deciding("(if (i64.ne (i64.load offset=8 (local.get 0)) (i64.const 7)) (then unreachable)) (i32.const 4096)");
    let two_faced = install(rig, "two-faced.wasm", guest.component()?)?;
    let mut engines = Engines::new(rig.library.clone());
    let asked = play::ask(two_faced.clone(), &mut engines, Course::plain())?;
    let ruling = &asked.decision.ruling;
    let declined = ruling.declined.first().context("it behaved with a live seed, too")?;
    ensure!(declined.fault.class == FaultClass::Trap, "ended by {:?}", declined.fault);
    ensure!(ruling.link == Link::BuiltIn && play::is_fallback(&ruling.verdict), "{ruling:?}");
    // Nothing but the context tells the calls apart, so that a replay sees what was seen live.
    let mut live = question(&two_faced);
    live.frame_mut().seed = 8;
    for _ in 0..10 {
        let fault = engines
            .ask(&two_faced.policy, &live)
            .err()
            .context("the same context, another outcome")?;
        ensure!(fault.class == FaultClass::Trap, "{fault:?}");
    }
    rig.library.remove(&two_faced.policy.digest);
    rig.unharmed()?;
    Ok(seen("accepted, T trap when live; 10 replays of that context trap", asked.cpu_ms))
}

const CALLS: usize = 64;
const SECOND_CALLS_WITHIN: Duration = Duration::from_secs(20);

/// Answers `retry(number)` after some millions of instructions.
fn slow_guest(number: u32) -> Guest {
    Guest {
        parts: "(global $turns (mut i32) (i32.const 4000000))".into(),
        ..Guest::deciding(&format!(
            "(loop $more (global.set $turns (i32.sub (global.get $turns) (i32.const 1))) (br_if $more (global.get $turns)))
            (i64.store (i32.const 4112) (i64.const {number})) (i32.const 4096)"
        ))
    }
}

fn swap_in_flight(rig: &Rig) -> Result<Seen> {
    let before = install(rig, "before.wasm", slow_guest(1).component()?)?;
    let library = &rig.library;
    let after = library.check(source("after.wasm", slow_guest(2).component()?), PolicyLimits::default())?;
    let after_description = after.description.clone();
    let began = Instant::now();
    let (second_calls, swapped) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (mut in_flight, mut old, mut wrong) = (0, 0, Vec::new());
    std::thread::scope(|scope| {
        let calls: Vec<_> = (0..CALLS)
            .map(|_| {
                scope.spawn(|| {
                    let mut engines = Engines::new(library.clone());
                    let (mut in_flight, mut old, mut wrong) = (0, 0, Vec::new());
                    // Ends when the version is gone: then the next is asked, as the coordinator does.
                    loop {
                        if old == 1 {
                            second_calls.fetch_add(1, Ordering::SeqCst);
                        }
                        let before_swap = !swapped.load(Ordering::SeqCst);
                        match engines.ask(&before.policy, &question(&before)) {
                            Ok(answer) if answer.verdict == Verdict::Retry(RetryVerdict::Retry(1)) => {
                                old += 1;
                                in_flight += usize::from(before_swap && swapped.load(Ordering::SeqCst));
                            }
                            Err(fault) if fault.class == FaultClass::HostFault && fault.detail.contains("not loaded") => break,
                            other => {
                                wrong.push(format!("{other:?}"));
                                break;
                            }
                        }
                    }
                    match engines.ask(&after_description.policy, &question(&after_description)) {
                        Ok(answer) if answer.verdict == Verdict::Retry(RetryVerdict::Retry(2)) => {}
                        other => wrong.push(format!("{other:?}")),
                    }
                    (in_flight, old, wrong)
                })
            })
            .collect();
        // Each is in its second call, or has failed: that is seen below.
        while second_calls.load(Ordering::SeqCst) < CALLS && began.elapsed() < SECOND_CALLS_WITHIN {
            std::thread::yield_now();
        }
        library.install(after);
        library.remove(&before.policy.digest);
        swapped.store(true, Ordering::SeqCst);
        for call in calls {
            match call.join() {
                Ok((late, answers, problems)) => {
                    in_flight += late;
                    old += answers;
                    wrong.extend(problems);
                }
                Err(_) => wrong.push("a panic".to_string()),
            }
        }
    });
    library.remove(&after_description.policy.digest);
    ensure!(wrong.is_empty(), "{} of {CALLS}: {}", wrong.len(), wrong[0]);
    ensure!(in_flight >= CALLS * 3 / 4, "only {in_flight} calls were in flight");
    rig.unharmed()?;
    Ok(seen(
        format!("{in_flight} in flight at the swap; {old} answered by the old, {CALLS} by the new, none mixed"),
        ms_since(began),
    ))
}

fn script(number: usize) -> String {
    format!(
        "fn describe() {{ #{{ name: \"spam\", version: \"{number}\", kind: \"retry\" }} }}\nfn decide(ctx) {{ #{{ verdict: #{{ retry: {number} }} }} }}\n"
    )
}

fn swap_spam(rig: &Rig) -> Result<Seen> {
    const SWAPS: usize = 1_000;
    const RATE_MIN: f64 = 200.0;
    let loaded = rig.library.len();
    let memory = memory_bytes("VmRSS")?;
    let began = Instant::now();
    let mut active: Option<PolicyDescription> = None;
    for number in 0..SWAPS {
        let next = install(rig, "spam.rhai", script(number).into_bytes())?;
        if let Some(before) = active.replace(next.clone()) {
            ensure!(
                rig.library.remove(&before.policy.digest),
                "swap {number}: the version before was gone"
            );
        }
        let answer = rig
            .ask(&next.policy, &question(&next))
            .map_err(|fault| anyhow!("swap {number}: {fault:?}"))?;
        ensure!(
            answer.verdict == Verdict::Retry(RetryVerdict::Retry(number as u64)),
            "swap {number} is mixed: {answer:?}"
        );
    }
    let ms = ms_since(began);
    if let Some(last) = active {
        rig.library.remove(&last.policy.digest);
    }
    ensure!(
        rig.library.len() == loaded,
        "{} versions are left behind",
        rig.library.len() - loaded
    );
    let rate = SWAPS as f64 / ms * 1e3;
    ensure!(rate >= RATE_MIN, "{rate:.0} swaps a second");
    let growth_mib = memory_bytes("VmRSS")?.saturating_sub(memory) >> 20;
    rig.unharmed()?;
    Ok(seen(
        format!("{SWAPS} swaps, {rate:.0} a second, none left loaded, {growth_mib} MiB more memory"),
        ms,
    ))
}

fn offered_at_once(rig: &Rig) -> Result<Seen> {
    const OFFERS: usize = 64;
    let began = Instant::now();
    let library = rig.library_within(Default::default());
    let codes = (0..OFFERS)
        .map(|number| Guest::deciding(&format!("(i64.store (i32.const 4112) (i64.const {number})) (i32.const 4096)")).component())
        .collect::<Result<Vec<_>, _>>()?;
    let start = Barrier::new(OFFERS);
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let offers: Vec<_> = codes
            .into_iter()
            .map(|code| {
                let (library, start) = (&library, &start);
                scope.spawn(move || {
                    start.wait();
                    library.check(source("offer.wasm", code), PolicyLimits::default()).map(drop)
                })
            })
            .collect();
        offers.into_iter().map(|offer| offer.join()).collect()
    });
    let (mut accepted, mut turned_away) = (0, 0);
    for outcome in outcomes {
        match outcome.map_err(|_| anyhow!("a panic"))? {
            Ok(()) => accepted += 1,
            Err(problem) if problem.code == ProblemCode::CompileBusy => turned_away += 1,
            Err(problem) => return Err(anyhow!("{problem}")),
        }
    }
    ensure!(turned_away > 0, "all {OFFERS} were taken into the line");
    ensure!(accepted >= 32, "only {accepted} were accepted");
    rig.unharmed()?;
    Ok(seen(
        format!(
            "{accepted} accepted in turn, {turned_away} turned away with {}",
            ProblemCode::CompileBusy
        ),
        ms_since(began),
    ))
}

fn stored(rig: &Rig) -> Result<Seen> {
    const ARTIFACTS: usize = 300;
    let began = Instant::now();
    for number in 0..ARTIFACTS {
        let guest = Guest::deciding(&format!(
            "(i64.store (i32.const 4112) (i64.const {})) (i32.const 4096)",
            number + 1_000
        ));
        let checked = rig.check("stored.wasm", guest.component()?)?;
        drop(checked);
    }
    let mut files = 0;
    let mut bytes = 0;
    for entry in std::fs::read_dir(rig.directory.path().join("cache"))? {
        let metadata = entry?.metadata()?;
        files += 1;
        bytes += metadata.len();
    }
    // The key beside them.
    ensure!(files <= pointsman_policy::COMPILED_FILES_MAX + 1, "{files} files are kept");
    ensure!(bytes <= pointsman_policy::COMPILED_BYTES_MAX, "{bytes} bytes are kept");
    rig.unharmed()?;
    Ok(seen(
        format!("{ARTIFACTS} compiled, {} files of {} KiB kept", files - 1, bytes >> 10),
        ms_since(began),
    ))
}
