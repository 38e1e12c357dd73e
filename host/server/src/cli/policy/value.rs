//! `pointsman policy value`: what a policy would have been worth, from picks that were left to chance.

use super::past::{open, window_exit};
use crate::cli::client::Client;
use crate::cli::exit::Exit;
use crate::cli::progress::Progress;
use crate::cli::swap::{parse_time_ms, upload_of};
use crate::cli::text::{clock, table};
use crate::cli::watch::problem_line;
use crate::clock::now_ms;
use crate::dry_run::{self, FileWindow, LAST_MAX, Span};
use crate::http::{PolicyUpload, ValueBody};
use crate::off_policy::{self, FileLog, JournalLog, LAST_DEFAULT};
use crate::policy_install::{Installer, own_compiler};
use crate::wire::{ReplayLine, ValueEstimate, ValueReport};
use clap::Args;
use pointsman_model::policy::PolicyLimits;
use pointsman_policy::Library;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(crate) struct Value {
    /// A policy's file, or a version that was active before: name@version or a digest.
    policy: String,
    /// JSON file with settings; default: NAME.settings.json beside the file, where there is one.
    #[arg(long)]
    settings: Option<PathBuf>,
    /// One setting of the policy; may be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = parse_setting)]
    set: Vec<(String, serde_json::Value)>,
    /// The latest decisions of source selection [default: 10000].
    #[arg(long, conflicts_with = "since", value_parser = clap::value_parser!(u32).range(1..=i64::from(LAST_MAX)))]
    last: Option<u32>,
    /// Decisions of the last while: 90s, 10m, 24h, 7d.
    #[arg(long, value_parser = parse_time_ms)]
    since: Option<u64>,
    /// Read this data directory instead of asking a host.
    #[arg(long, conflicts_with = "window")]
    data: Option<PathBuf>,
    /// Read a file that `pointsman policy export` wrote.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["last", "since"])]
    window: Option<PathBuf>,
}

pub(crate) fn value(client: &Client, json: bool, asked: &Value) -> Result<ExitCode, Exit> {
    let mut upload = upload_of(&asked.policy, asked.settings.as_deref())?;
    upload.settings.extend(asked.set.iter().cloned());
    let report = if asked.data.is_some() || asked.window.is_some() {
        offline(asked, upload)?
    } else {
        by_host(client, asked, upload)?
    };
    if json {
        println!("{}", json!(report));
    } else {
        print_report(&report);
    }
    Ok(match report.known {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(Exit::NEGATIVE),
    })
}

fn parse_setting(text: &str) -> Result<(String, serde_json::Value), String> {
    let (name, value) = text.split_once('=').ok_or("not NAME=VALUE")?;
    // What is no JSON is a text.
    let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
    Ok((name.to_string(), value))
}

fn by_host(client: &Client, asked: &Value, upload: PolicyUpload) -> Result<ValueReport, Exit> {
    let body = ValueBody {
        policy: Some(upload),
        last: asked.last,
        since: asked.since.map(|ago| now_ms().saturating_sub(ago)),
    };
    let mut report = None;
    let mut progress = Progress::new("decisions");
    client.post_lines("/api/v1/policies/value", &json!(body), |line| match line {
        ReplayLine::Progress(at) => progress.tell(at.done, at.total),
        ReplayLine::Value(found) => report = Some(*found),
        ReplayLine::Report(_) | ReplayLine::Timing(_) | ReplayLine::Verification(_) | ReplayLine::Problem(_) => {}
    })?;
    progress.end();
    report.ok_or_else(|| Exit::failed("the host ended the valuation; it is shutting down, or the journal is gone"))
}

fn offline(asked: &Value, upload: PolicyUpload) -> Result<ValueReport, Exit> {
    if upload.stored.is_some() {
        return Err(Exit::usage(format!(
            "{} is no file; without a host a policy is named by its file",
            asked.policy
        )));
    }
    let offer = upload.offer().map_err(|error| Exit::problem(*error.0))?;
    let checked = Installer::check_offline(&Library::with_compiler(own_compiler()), &offer, PolicyLimits::default())
        .map_err(|problem| Exit::negative(problem_line(&problem)))?;
    let description = &checked.description;
    if let Some(problem) = off_policy::refused(description) {
        return Err(Exit::usage(problem));
    }
    let mut progress = Progress::new("decisions");
    let mut tell = |done, total| {
        progress.tell(done, total);
        true
    };
    let found = if let Some(path) = &asked.window {
        let window = FileWindow::open(path).map_err(window_exit)?;
        let header = &window.header;
        if header.kind != description.kind {
            return Err(Exit::usage(format!(
                "{} holds decisions of {}, and a value is told of {}",
                path.display(),
                header.kind,
                description.kind
            )));
        }
        let (guards, reads_state_of) = (header.guards(), header.reads_state_of(description));
        off_policy::run(&checked, &mut FileLog(window), guards, reads_state_of, &mut tell)
    } else {
        let (reader, guards) = open(asked.data.as_deref().unwrap_or(Path::new(".pointsman")))?;
        let span = match (asked.last, asked.since) {
            (_, Some(ago)) => Span::Since(now_ms().saturating_sub(ago)),
            (last, None) => Span::Last(last.unwrap_or(LAST_DEFAULT)),
        };
        let reads_state_of = dry_run::reads_state_of(&reader, description).map_err(|error| window_exit(error.into()))?;
        let mut log = JournalLog::open(&reader, span).map_err(window_exit)?;
        off_policy::run(&checked, &mut log, guards, reads_state_of, &mut tell)
    };
    progress.end();
    found.map_err(window_exit)?.ok_or_else(|| Exit::failed("the valuation was ended"))
}

fn print_report(report: &ValueReport) {
    let span = match (report.first_decision, report.last_decision, report.from, report.until) {
        (Some(first), Some(last), Some(from), Some(until)) => {
            format!(" ({first} to {last}, {} to {})", clock(from), clock(until))
        }
        _ => String::new(),
    };
    println!(
        "{} on {} decisions of {}{span}: {} used",
        report.policy, report.looked_at, report.kind, report.used
    );
    for why in &report.left_out {
        println!("  {:>6}  left out: {}", why.count, why.label);
    }
    if report.errors + report.idles > 0 {
        println!(
            "it fails on {} and idles on {} of those used, and earns nothing there",
            report.errors, report.idles
        );
    }
    if report.keeps_state {
        println!("it keeps state: each answer stands on its own answers before, which were never carried out");
    }
    let rows: Vec<Vec<String>> = [
        ("recorded policy", report.recorded),
        ("doubly robust", report.doubly_robust),
        ("SNIPS", report.snips),
        ("IPS", report.ips),
        ("gain", report.gain),
    ]
    .into_iter()
    .filter_map(|(name, estimate)| {
        let ValueEstimate { value, low, high } = estimate?;
        Some(vec![
            name.to_string(),
            format!("{value:.4}"),
            format!("{low:.4}"),
            format!("{high:.4}"),
        ])
    })
    .collect();
    if !rows.is_empty() {
        table(&["share of successes", "value", "from", "to"], &rows);
        println!("bounds: {}", report.interval);
    }
    println!(
        "effective decisions {:.1} of {}, largest weight {:.2}, {:.1} % of its picks without support, {} picks it might have made",
        report.effective_n,
        report.used,
        report.weight_max,
        report.unsupported_share * 100.0,
        report.matched
    );
    for why in &report.cannot_know {
        println!("cannot know: {}", why.words);
    }
    if report.known {
        println!("No forecast: each recorded question by itself. With other picks other questions would have come.");
    }
}
