//! `pointsman policy verify`: recorded decisions made again by the versions that made them.

use super::parse_kind;
use super::past::{LAST_DEFAULT, all_threads, open, window_exit};
use crate::cli::client::Client;
use crate::cli::exit::Exit;
use crate::cli::progress::Progress;
use crate::cli::swap::shaped;
use crate::cli::text::printable;
use crate::dry_run::{self, WindowError};
use crate::http::VerifyBody;
use crate::policy_install::own_compiler;
use crate::problem::ApiError;
use crate::verification::{self, Asked, AskedError};
use crate::wire::{ReplayLine, VerificationReport, VerificationRow};
use clap::Args;
use pointsman_model::DecisionId;
use pointsman_model::policy::PolicyKind;
use pointsman_policy::Library;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// One decision, by its number.
    decision: Option<u64>,
    /// Of one kind only.
    #[arg(long, value_parser = parse_kind)]
    kind: Option<PolicyKind>,
    /// Of one version only: name@version, a name, or a digest.
    #[arg(long, value_name = "VERSION", conflicts_with_all = ["kind", "decision"])]
    policy: Option<String>,
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
            let wanted = Asked::of(asked.kind, asked.policy.clone()).ok_or_else(|| Exit::usage("either a kind or a version"))?;
            let mut window = wanted.window(&reader, last).map_err(asked_exit)?;
            let library = Library::with_compiler(own_compiler());
            let mut tell = |done, total| {
                progress.tell(done, total);
                true
            };
            verification::run(&reader, library, guards, &mut window, all_threads(), &mut tell).map_err(window_exit)?
        }
        None => {
            let body = VerifyBody {
                kind: asked.kind.map(|kind| kind.slug().to_string()),
                policy: asked.policy.clone(),
                last: Some(last),
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
        None => shaped(client.post(&format!("/api/v1/decisions/{id}/verify"), &json!({}))?)?,
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

fn asked_exit(error: AskedError) -> Exit {
    match error {
        AskedError::Version(error) => Exit::problem(*ApiError::from(error).0),
        AskedError::Window(error) => window_exit(error),
    }
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
