//! `pointsman policy dry-run`, `verify` and `export`: recorded decisions asked about again, by a host or without one.

use super::read_offer;
use crate::cli::client::{Client, url_encoded};
use crate::cli::exit::Exit;
use crate::cli::junit;
use crate::cli::policy::read_budgets;
use crate::cli::progress::Progress;
use crate::cli::swap::{budgets_of, parse_time_ms, upload_of};
use crate::cli::text::{clock, printable, table};
use crate::cli::watch::problem_line;
use crate::clock::now_ms;
use crate::dry_run::{self, FileWindow, JournalWindow, Question, Span, WindowError};
use crate::host::journal_path;
use crate::http::{DryRunBody, WindowQuery};
use crate::policy_install::{Installer, own_compiler};
use crate::wire::{Divergence, ReplayLine, ReplayReport, ReplayTiming, VerificationReport, VerificationRow};
use crate::{recovery, verification};
use clap::Args;
use pointsman_coordinator::Guards;
use pointsman_journal::Reader;
use pointsman_model::DecisionId;
use pointsman_model::policy::{PolicyKind, PolicyLimits};
use pointsman_policy::Library;
use pointsman_sim::dry_run::Window;
use serde_json::json;
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Decisions where nothing is named.
const LAST_DEFAULT: u32 = 1_000;
/// Changes that are printed one by one.
const CASES_DEFAULT: u32 = 20;

#[derive(Args, Debug)]
pub(crate) struct DryRun {
    /// A policy's file, or a version that was active before: name@version or a digest.
    policy: String,
    /// JSON file with settings; default: NAME.settings.json beside the file, where there is one.
    #[arg(long)]
    settings: Option<PathBuf>,
    /// The latest decisions of its kind [default: 1000].
    #[arg(long, conflicts_with_all = ["since", "decision"], value_parser = clap::value_parser!(u32).range(1..=i64::from(dry_run::LAST_MAX)))]
    last: Option<u32>,
    /// Decisions of the last while: 90s, 10m, 24h, 7d.
    #[arg(long, value_parser = parse_time_ms, conflicts_with = "decision")]
    since: Option<u64>,
    /// One decision, by its number.
    #[arg(long)]
    decision: Option<u64>,
    /// JSON file with budgets; default: NAME.budgets.json beside the file, where there is one.
    #[arg(long)]
    budgets: Option<PathBuf>,
    /// Changed decisions that are told one by one.
    #[arg(long, default_value_t = CASES_DEFAULT, value_parser = clap::value_parser!(u32).range(0..=dry_run::CASES_MAX as i64))]
    cases: u32,
    /// Write the budgets as JUnit test cases to this file.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Read this data directory instead of asking a host.
    #[arg(long, conflicts_with = "window")]
    data: Option<PathBuf>,
    /// Read a file that `pointsman policy export` wrote.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["last", "since", "decision"])]
    window: Option<PathBuf>,
}

pub(crate) fn dry_run(client: &Client, json: bool, asked: &DryRun) -> Result<ExitCode, Exit> {
    let (report, timing) = if asked.data.is_some() || asked.window.is_some() {
        offline(asked)?
    } else {
        by_host(client, asked)?
    };
    if json {
        println!("{}", json!(report));
    } else {
        print_report(&report);
    }
    print_timing(&timing);
    if let Some(path) = &asked.junit {
        let text = junit::of_replay(&report);
        std::fs::write(path, text).map_err(|error| Exit::failed(format!("{} cannot be written: {error}", path.display())))?;
    }
    if report.broken.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    for broken in &report.broken {
        eprintln!("broken: {broken}");
    }
    Ok(ExitCode::from(Exit::NEGATIVE))
}

fn by_host(client: &Client, asked: &DryRun) -> Result<(ReplayReport, ReplayTiming), Exit> {
    let given = asked.budgets.as_ref().map(|path| read_budgets(path, true)).transpose()?.flatten();
    let mut upload = upload_of(&asked.policy, asked.settings.as_deref())?;
    let budgets = budgets_of(given.or(upload.budgets.take()), asked.last);
    // Without a span of its own, a dry run looks at what its budgets name.
    let last = match (asked.since, asked.decision) {
        (None, None) => asked.last.or(budgets.as_ref().map(|budgets| budgets.last).filter(|last| *last > 0)),
        (_, _) => None,
    };
    upload.budgets = budgets;
    let body = DryRunBody {
        policy: Some(upload),
        stored: None,
        last,
        since: asked.since.map(|ago| now_ms().saturating_sub(ago)),
        decision: asked.decision,
        cases: Some(asked.cases),
    };
    let (mut report, mut timing) = (None, ReplayTiming::default());
    let mut progress = Progress::new("decisions");
    client.post_lines("/api/v1/policies/dry-run", &json!(body), |line| match line {
        ReplayLine::Progress(at) => progress.tell(at.done, at.total),
        ReplayLine::Report(found) => report = Some(*found),
        ReplayLine::Timing(found) => timing = found,
        ReplayLine::Verification(_) | ReplayLine::Value(_) | ReplayLine::Problem(_) => {}
    })?;
    progress.end();
    let report = report.ok_or_else(|| Exit::failed("the host ended the dry run; it is shutting down, or the journal is gone"))?;
    Ok((report, timing))
}

fn offline(asked: &DryRun) -> Result<(ReplayReport, ReplayTiming), Exit> {
    if upload_of(&asked.policy, None)?.stored.is_some() {
        return Err(Exit::usage(format!(
            "{} is no file; without a host a policy is named by its file",
            asked.policy
        )));
    }
    let mut offer = read_offer(Path::new(&asked.policy), asked.settings.as_deref())?;
    let given = asked.budgets.as_ref().map(|path| read_budgets(path, true)).transpose()?.flatten();
    offer.budgets = budgets_of(given, asked.last).unwrap_or(offer.budgets);
    let checked = Installer::check_offline(&Library::with_compiler(own_compiler()), &offer, PolicyLimits::default())
        .map_err(|problem| Exit::negative(problem_line(&problem)))?;
    let budgets = dry_run::budgets(&offer.budgets).map_err(|(field, problem)| Exit::usage(format!("budget {field}: {problem}")))?;
    let question = |guards: Guards, reads_state_of: BTreeSet<_>| Question {
        declared: &offer.budgets,
        budgets: &budgets,
        guards,
        reads_state_of,
        cases_max: asked.cases as usize,
        threads: all_threads(),
    };
    let description = &checked.description;
    let mut progress = Progress::new("decisions");
    let mut tell = |done, total| {
        progress.tell(done, total);
        true
    };
    let found = if let Some(path) = &asked.window {
        let mut window = FileWindow::open(path).map_err(window_exit)?;
        if window.header.kind != description.kind {
            return Err(Exit::usage(format!(
                "{} holds decisions of {}, and {} is a policy of {}",
                path.display(),
                window.header.kind,
                asked.policy,
                description.kind
            )));
        }
        let question = question(window.header.guards(), window.header.reads_state_of(description));
        dry_run::run(&checked, &mut window, &question, &mut tell)
    } else {
        let (reader, guards) = open(asked.data.as_deref().unwrap_or(Path::new(".pointsman")))?;
        let span = match (asked.last, asked.since, asked.decision) {
            (_, Some(ago), _) => Span::Since(now_ms().saturating_sub(ago)),
            (_, _, Some(id)) => Span::One(DecisionId(id)),
            (Some(last), _, _) => Span::Last(last),
            (None, None, None) if offer.budgets.last > 0 => Span::Last(offer.budgets.last),
            (None, None, None) => Span::Last(LAST_DEFAULT),
        };
        let question = question(
            guards,
            dry_run::reads_state_of(&reader, description).map_err(|error| window_exit(error.into()))?,
        );
        let mut window = JournalWindow::open(&reader, description.kind, span).map_err(window_exit)?;
        dry_run::run(&checked, &mut window, &question, &mut tell)
    };
    progress.end();
    found.map_err(window_exit)?.ok_or_else(|| Exit::failed("the dry run was ended"))
}

/// A journal that no host has to be up for, and the guards that its settings have.
pub(super) fn open(data: &Path) -> Result<(Reader, Guards), Exit> {
    let reader = Reader::open(journal_path(data)).map_err(|error| Exit::from(anyhow::Error::new(error)))?;
    let restored = recovery::restore(&reader)?;
    let guards = Guards::of(&restored.coordinator.state().settings);
    Ok((reader, guards))
}

fn all_threads() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

pub(super) fn window_exit(error: WindowError) -> Exit {
    let mut exit = Exit::from(anyhow::Error::new(error));
    if exit.message.starts_with("there is no decision") {
        exit.code = Exit::NOT_FOUND;
    }
    exit
}

fn print_report(report: &ReplayReport) {
    if report.looked_at == 0 {
        println!("{}: no decision of {} is in the window", report.policy, report.kind);
        return;
    }
    println!(
        "{} on {} decisions of {}{}: {} replayed, {} changed ({:.1} %), {} new errors, {} errors gone",
        report.policy,
        report.looked_at,
        report.kind,
        span_words(report),
        report.replayed,
        report.changed,
        report.changed_share * 100.0,
        report.new_errors,
        report.errors_gone
    );
    for class in &report.classes {
        println!("  {:>6}  {:<24} it {}", class.count, class.slug, class.label);
    }
    for why in &report.not_replayable {
        println!("  {:>6}  not replayable: {}", why.count, why.label);
    }
    let number = |value: Option<u64>| value.map_or_else(|| "-".to_string(), |value| value.to_string());
    println!(
        "fuel: p50 {} -> {}, p99 {} -> {}",
        number(report.before.fuel_p50),
        number(report.after.fuel_p50),
        number(report.before.fuel_p99),
        number(report.after.fuel_p99)
    );
    if report.keeps_state {
        println!("it keeps state: each answer stands on its own answers before");
    }
    print_groups(report);
    if let Some(first) = &report.first_divergence {
        println!("\nfirst divergence:");
        print_case(first);
        println!(
            "What comes after is each recorded question asked by itself. It is no forecast: from here on this version would have been asked other questions."
        );
    }
    let first = report.first_divergence.as_ref().map(|first| first.decision);
    let rest = report.cases.iter().filter(|case| Some(case.decision) != first);
    for (index, case) in rest.enumerate() {
        if index == 0 {
            println!("\nchanged decisions:");
        }
        print_case(case);
    }
    if report.cases_left_out > 0 {
        println!("{} more; --cases tells more of them", report.cases_left_out);
    }
}

fn span_words(report: &ReplayReport) -> String {
    match (report.first_decision, report.last_decision, report.from, report.until) {
        (Some(first), Some(last), Some(from), Some(until)) => {
            format!(" ({first} to {last}, {} to {})", clock(from), clock(until))
        }
        _ => String::new(),
    }
}

fn print_groups(report: &ReplayReport) {
    let rows: Vec<Vec<String>> = report
        .groups
        .iter()
        .map(|group| {
            vec![
                group.dimension.clone(),
                printable(&group.key),
                group.changed.to_string(),
                group.replayed.to_string(),
                format!("-{}", group.lost),
                format!("+{}", group.gained),
            ]
        })
        .collect();
    if !rows.is_empty() {
        println!();
        table(&["changes for", "", "changed", "of", "lost", "gained"], &rows);
    }
    if report.groups_left_out > 0 {
        println!("{} more with fewer changes", report.groups_left_out);
    }
}

fn print_case(case: &Divergence) {
    println!("  decision {} at {} [{}]", case.decision, clock(case.at), case.class);
    for (who, what, reasons) in [
        ("decided", &case.before, &case.before_reasons),
        ("it", &case.after, &case.after_reasons),
    ] {
        let because = reasons
            .first()
            .map(|reason| format!("  ({})", printable(reason)))
            .unwrap_or_default();
        println!("    {who:<8} {}{because}", printable(what));
    }
}

/// On standard error: time is another at each run, and the report is not.
fn print_timing(timing: &ReplayTiming) {
    let number = |value: Option<u64>| value.map_or_else(|| "-".to_string(), |value| value.to_string());
    let ReplayTiming { before, after } = timing;
    eprintln!(
        "microseconds a decision: p50 {} -> {}, p99 {} -> {}",
        number(before.micros_p50),
        number(after.micros_p50),
        number(before.micros_p99),
        number(after.micros_p99)
    );
}

#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// One decision, by its number.
    decision: Option<u64>,
    /// Of one kind only.
    #[arg(long, value_parser = parse_kind)]
    kind: Option<PolicyKind>,
    /// The latest decisions [default: 1000].
    #[arg(long, conflicts_with = "decision", value_parser = clap::value_parser!(u32).range(1..=i64::from(dry_run::LAST_MAX)))]
    last: Option<u32>,
    /// Read this data directory instead of asking a host.
    #[arg(long)]
    data: Option<PathBuf>,
}

pub(crate) fn verify(client: &Client, json: bool, asked: &Verify) -> Result<ExitCode, Exit> {
    if let Some(id) = asked.decision {
        return verify_one(client, json, asked, id);
    }
    let last = asked.last.unwrap_or(LAST_DEFAULT);
    let mut progress = Progress::new("decisions");
    let report = match &asked.data {
        Some(data) => {
            let (reader, guards) = open(data)?;
            let mut window = JournalWindow::all(&reader, asked.kind, last).map_err(window_exit)?;
            let library = Library::with_compiler(own_compiler());
            let mut tell = |done, total| {
                progress.tell(done, total);
                true
            };
            verification::run(&reader, library, guards, &mut window, all_threads(), &mut tell).map_err(window_exit)?
        }
        None => {
            let body = WindowQuery {
                kind: asked.kind.map(|kind| kind.slug().to_string()),
                last: Some(last),
                since: None,
            };
            let mut report = None;
            client.post_lines("/api/v1/decisions/verify", &json!(body), |line| match line {
                ReplayLine::Progress(at) => progress.tell(at.done, at.total),
                ReplayLine::Verification(found) => report = Some(*found),
                ReplayLine::Report(_) | ReplayLine::Timing(_) | ReplayLine::Value(_) | ReplayLine::Problem(_) => {}
            })?;
            report
        }
    };
    progress.end();
    let report = report.ok_or_else(|| Exit::failed("the verification was ended"))?;
    if json {
        println!("{}", json!(report));
    } else {
        print_verification(&report);
    }
    Ok(match report.diverged + report.same_verdict {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(Exit::NEGATIVE),
    })
}

fn verify_one(client: &Client, json: bool, asked: &Verify, id: u64) -> Result<ExitCode, Exit> {
    let row: VerificationRow = match &asked.data {
        Some(data) => {
            let (reader, guards) = open(data)?;
            let library = Library::with_compiler(own_compiler());
            let found = verification::one(&reader, library, guards, DecisionId(id)).map_err(|error| window_exit(error.into()))?;
            found.ok_or_else(|| window_exit(WindowError::NoDecision(DecisionId(id))))?
        }
        None => crate::cli::swap::shaped(client.post(&format!("/api/v1/decisions/{id}/verify"), &json!({}))?)?,
    };
    if json {
        println!("{}", json!(row));
    } else {
        print_row(&row);
    }
    Ok(match row.result.as_str() {
        "diverged" | "same_verdict" => ExitCode::from(Exit::NEGATIVE),
        _ => ExitCode::SUCCESS,
    })
}

fn print_row(row: &VerificationRow) {
    println!(
        "decision {} of {} by {}: {}: {}",
        row.decision,
        row.kind,
        row.policy,
        printable(&row.recorded),
        row.result
    );
    println!("  {}", printable(&row.detail));
}

fn print_verification(report: &VerificationReport) {
    println!(
        "{} decisions made again: {} identical, {} of the same verdict, {} diverged, {} not replayable",
        report.looked_at, report.identical, report.same_verdict, report.diverged, report.not_replayable
    );
    for why in &report.why_not {
        println!("  {:>6}  not replayable: {}", why.count, printable(&why.label));
    }
    for row in report.rows.iter().filter(|row| row.result != "not_replayable") {
        print_row(row);
    }
}

#[derive(Args, Debug)]
pub(crate) struct Export {
    /// File to write; `-` is standard output.
    out: PathBuf,
    #[arg(long, value_parser = parse_kind)]
    kind: PolicyKind,
    /// The latest decisions [default: 1000].
    #[arg(long, conflicts_with = "since", value_parser = clap::value_parser!(u32).range(1..=i64::from(dry_run::LAST_MAX)))]
    last: Option<u32>,
    /// Decisions of the last while: 90s, 10m, 24h, 7d.
    #[arg(long, value_parser = parse_time_ms)]
    since: Option<u64>,
    /// Read this data directory instead of asking a host.
    #[arg(long)]
    data: Option<PathBuf>,
}

pub(crate) fn export(client: &Client, asked: &Export) -> Result<ExitCode, Exit> {
    let since = asked.since.map(|ago| now_ms().saturating_sub(ago));
    let mut written: Vec<u8> = Vec::new();
    match &asked.data {
        Some(data) => {
            let (reader, guards) = open(data)?;
            let span = match since {
                Some(since) => Span::Since(since),
                None => Span::Last(asked.last.unwrap_or(LAST_DEFAULT)),
            };
            dry_run::export(&reader, asked.kind, span, guards, &mut written).map_err(window_exit)?;
        }
        None => {
            let span = match since {
                Some(since) => format!("since={since}"),
                None => format!("last={}", asked.last.unwrap_or(LAST_DEFAULT)),
            };
            let path = format!("/api/v1/decisions/window?kind={}&{span}", url_encoded(asked.kind.slug()));
            client.copy(&path, &mut written)?;
        }
    }
    if asked.out == Path::new("-") {
        return std::io::Write::write_all(&mut std::io::stdout(), &written)
            .map(|()| ExitCode::SUCCESS)
            .map_err(|error| Exit::failed(format!("standard output: {error}")));
    }
    // Whole or not at all: a window that was cut off would be refused when it is read.
    let shown = asked.out.display();
    let temporary = asked.out.with_extension("partial");
    let put = std::fs::write(&temporary, &written).and_then(|()| std::fs::rename(&temporary, &asked.out));
    put.map_err(|error| Exit::failed(format!("{shown} cannot be written: {error}")))?;
    let window = FileWindow::open(&asked.out).map_err(window_exit)?;
    eprintln!("{shown}: {} decisions of {}", window.total(), asked.kind);
    eprintln!("next: pointsman policy dry-run FILE --window {shown}");
    Ok(ExitCode::SUCCESS)
}

fn parse_kind(text: &str) -> Result<PolicyKind, String> {
    PolicyKind::parse(text).ok_or_else(|| format!("there are {}", PolicyKind::ALL.map(PolicyKind::slug).join(", ")))
}
