//! Recorded decisions asked again: how many a second and core a dry run looks at, and whether a hundred thousand of them
//! verify.
//!
//! The journal is one on disk, written by the product; each decision was made by the shipped policy on a question of its
//! own. A dry run is the product's, from the row on disk to the report, on one thread. CPU time of the whole process is
//! told, so that a thread beside it would not be for free.

#[path = "../../policy/benches/support/common.rs"]
mod support;

use anyhow::{Context as _, Result, ensure};
use pointsman::dry_run::{self, JournalWindow, Question, Span};
use pointsman::verification::{self, Asked};
use pointsman::wire::ReplayBudgets;
use pointsman_coordinator::{Guards, Policies, settle};
use pointsman_journal::{Journal, OpenOptions, PolicyCode, Reader};
use pointsman_model::context::Context;
use pointsman_model::decision::{Decision, Link, Ruling, Subject};
use pointsman_model::event::{Emitted, Event, Recording, StateHandover};
use pointsman_model::policy::{EngineKind, PolicyDescription, PolicyKind, PolicyLimits, Setting, Value};
use pointsman_model::{Actor, DecisionId};
use pointsman_policy::{Checked, Engines, Library, PolicySource};
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Instant;
use support::{plugin, promise, script, selection_context};

const REPLAYS_PER_SECOND_MIN: f64 = 40_000.0;
/// Recorded for each number of candidates.
const DECISIONS: u32 = 20_000;
const VERIFIED: u32 = 100_000;
const ROUNDS: usize = 5;
const START: u64 = 1_790_000_000_000;

fn main() -> Result<()> {
    // The test runner asks with `--test`; there is nothing to test here.
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    let Some(diverse) = plugin("host_diverse") else {
        println!("plugins/dist is empty: run `make plugins` first");
        return Ok(());
    };
    let live = checked("host_diverse.wasm", diverse.clone(), Vec::new())?;
    let other = Setting {
        name: "recent_weight".into(),
        value: Value::Number(0.0),
    };
    let changed = checked("host_diverse.wasm", diverse, vec![other])?;
    let twin = checked("source-selection.rhai", script("source-selection.rhai"), Vec::new())?;

    println!("recorded decisions asked again a second of CPU time, median of {ROUNDS} dry runs of the whole window");
    println!(
        "{:>12} {:>10} {:>16} {:>22} {:>10}",
        "candidates", "decisions", "the same policy", "other weight, changes", "a script"
    );
    for candidates in [8, 64] {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("journal.db");
        record(&path, &live, candidates, DECISIONS)?;
        let reader = Reader::open(&path)?;
        let (same, none) = replays(&reader, &live, DECISIONS, ROUNDS)?;
        ensure!(none == 0.0, "the recorded policy decides otherwise: {none}");
        let (different, share) = replays(&reader, &changed, DECISIONS, ROUNDS)?;
        let (scripted, _) = replays(&reader, &twin, 1_000, 1)?;
        println!(
            "{candidates:>12} {DECISIONS:>10} {same:>16.0} {different:>13.0}, {:>4.1} % {scripted:>10.0}",
            share * 100.0
        );
        if candidates == 64 {
            let us = 1e6 / same;
            promise(
                "microseconds of CPU time for a replay of 64 candidates",
                us,
                1e6 / REPLAYS_PER_SECOND_MIN,
                "us",
            );
        }
    }
    verifies(&live)
}

fn verifies(live: &Checked) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("journal.db");
    record(&path, live, 8, VERIFIED)?;
    let reader = Reader::open(&path)?;
    let mut window = Asked::OfKind(PolicyKind::SourceSelection).window(&reader, VERIFIED)?;
    let threads = std::thread::available_parallelism()?;
    let (started, cpu) = (Instant::now(), process_cpu_s());
    let report = verification::run(&reader, Library::new(), Guards::default(), &mut window, threads, &mut |_, _| true)?
        .context("nobody ended it")?;
    println!(
        "verify: {} of {} decisions identical; {:.1} s on {threads} threads, {:.0} a second of CPU time",
        report.identical,
        report.looked_at,
        started.elapsed().as_secs_f64(),
        f64::from(VERIFIED) / (process_cpu_s() - cpu)
    );
    ensure!(report.identical == u64::from(VERIFIED), "not all are identical: {report:?}");
    Ok(())
}

fn checked(file: &str, bytes: Vec<u8>, settings: Vec<Setting>) -> Result<Checked> {
    let source = PolicySource {
        file: file.to_string(),
        bytes,
        settings,
        trusted: false,
    };
    Library::new()
        .check(source, PolicyLimits::default())
        .map_err(|problem| anyhow::anyhow!("{problem}"))
}

/// A journal of decisions by one version, each on another question.
fn record(path: &Path, live: &Checked, candidates: u32, decisions: u32) -> Result<()> {
    let mut journal = Journal::open(path, OpenOptions::default())?;
    let library = Library::new();
    let description = live.description.clone();
    library.install(live.clone());
    let mut engines = Engines::new(library);
    let code: PolicyCode = (description.policy.digest, live.code.as_ref().into());
    let activated = Event::PolicyActivated {
        generation: 1,
        description: description.clone(),
        previous: None,
        actor: Actor::new("bench"),
        reason: String::new(),
        set: None,
        confirm_by: None,
        state: StateHandover::Empty,
        report: None,
    };
    let activated = Emitted {
        event: activated,
        recording: None,
    };
    journal.append(START, &[activated], &[code])?;
    let engine = engines.fingerprint(EngineKind::Component);
    for first in (0..decisions).step_by(512) {
        let batch: Vec<Emitted> = (first..(first + 512).min(decisions))
            .map(|number| decided(&mut engines, &description, &engine, number, candidates))
            .collect::<Result<_>>()?;
        journal.append(START + u64::from(first), &batch, &[])?;
    }
    Ok(())
}

fn decided(engines: &mut Engines, description: &PolicyDescription, engine: &str, number: u32, candidates: u32) -> Result<Emitted> {
    let mut question = selection_context(candidates, &description.settings);
    question.frame.now_ms = START + u64::from(number);
    question.frame.seed = u64::from(number);
    question.recent_hosts = (0..8).map(|back| (number * 5 + back * 3) % 16).collect();
    for (index, candidate) in question.candidates.iter_mut().enumerate() {
        candidate.id += u64::from(number);
        candidate.age_s += f64::from((number * 31 + index as u32 * 17) % 1_000);
    }
    let context = Context::Selection(question);
    let mut answer = engines
        .ask(&description.policy, &context)
        .map_err(|fault| anyhow::anyhow!("{}", fault.detail))?;
    let propensity = settle(&context, &mut answer).map_err(anyhow::Error::msg)?;
    let encoded = context.encode();
    let scores = answer.advice.scores.take().map(|scores| scores.encode());
    let decision = Decision {
        id: DecisionId(u64::from(number) + 1),
        kind: PolicyKind::SourceSelection,
        subject: Subject::Selection,
        generation: 1,
        context: encoded.digest,
        scores: scores.as_ref().map(|scores| scores.digest),
        input: None,
        ruling: Ruling {
            verdict: answer.verdict,
            advice: answer.advice,
            link: Link::Active,
            policy: description.policy.clone(),
            engine: engine.to_string(),
            cost: answer.cost,
            declined: Vec::new(),
            propensity,
        },
    };
    Ok(Emitted {
        event: Event::Decided(Box::new(decision)),
        recording: Some(Recording {
            context: encoded.bytes,
            scores: scores.map(|scores| scores.bytes),
        }),
    })
}

/// Decisions a second of CPU time, and the share that changes.
fn replays(reader: &Reader, version: &Checked, decisions: u32, rounds: usize) -> Result<(f64, f64)> {
    let declared = ReplayBudgets::default();
    let budgets = dry_run::budgets(&declared).map_err(|(field, problem)| anyhow::anyhow!("{field}: {problem}"))?;
    let mut rates = Vec::new();
    let mut share = 0.0;
    for _ in 0..rounds {
        let mut window = JournalWindow::open(reader, PolicyKind::SourceSelection, Span::Last(decisions))?;
        let question = Question {
            declared: &declared,
            budgets: &budgets,
            guards: Guards::default(),
            reads_state_of: BTreeSet::new(),
            cases_max: 100,
            threads: NonZeroUsize::MIN,
        };
        let cpu = process_cpu_s();
        let (report, _) = dry_run::run(version, &mut window, &question, &mut |_, _| true)?.context("nobody ended it")?;
        rates.push(f64::from(decisions) / (process_cpu_s() - cpu));
        ensure!(report.replayed == u64::from(decisions), "{} were replayed", report.replayed);
        share = report.changed_share;
    }
    Ok((support::median(rates), share))
}

fn process_cpu_s() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure is ours.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
