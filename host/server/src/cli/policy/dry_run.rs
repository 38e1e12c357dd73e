//! `pointsman policy dry-run`: recorded decisions asked about again, by a host or without one.

use super::past::{LAST_DEFAULT, all_threads, open, window_exit};
use super::{read_budgets, read_offer};
use crate::cli::client::Client;
use crate::cli::exit::Exit;
use crate::cli::junit;
use crate::cli::progress::Progress;
use crate::cli::swap::{budgets_of, parse_time_ms, upload_of};
use crate::cli::text::{clock, printable, table};
use crate::cli::watch::problem_line;
use crate::clock::now_ms;
use crate::dry_run::{self, FileWindow, JournalWindow, Question, Span};
use crate::http::DryRunBody;
use crate::policy_install::{Installer, own_compiler};
use crate::wire::{Divergence, ReplayLine, ReplayReport, ReplayTiming};
use clap::Args;
use pointsman_coordinator::Guards;
use pointsman_model::DecisionId;
use pointsman_model::policy::PolicyLimits;
use pointsman_policy::Library;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

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
    if report.remembers {
        println!("it remembers between decisions what it must not: what is told here are answers of fresh instances");
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
