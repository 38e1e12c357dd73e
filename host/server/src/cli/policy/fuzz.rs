//! `policy fuzz` and `policy bench`: where a policy fails, and what it costs.

use super::{offline, print_refused};
use crate::cli::exit::Exit;
use crate::cli::progress::Progress;
use crate::cli::text::{printable, table};
use crate::dry_run::FileWindow;
use clap::Args;
use pointsman_authoring::{Finding, fuzz as find_flaws, read_cases, sized_contexts};
use pointsman_coordinator::Policies;
use pointsman_model::context::Context;
use pointsman_model::policy::PolicyDescription;
use pointsman_policy::{Engines, canned_context};
use pointsman_sim::dry_run::Window;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Recorded contexts that a fuzz begins with.
const BEGINNINGS_MAX: usize = 256;
/// Questions of one row of a bench, at least and at most.
const ROUNDS_MIN: usize = 50;
const ROUNDS_MAX: usize = 200_000;

#[derive(Args, Debug)]
pub(crate) struct Fuzz {
    /// A policy's file or project.
    #[arg(default_value = ".")]
    file: PathBuf,
    #[arg(long)]
    settings: Option<PathBuf>,
    /// The same number finds the same.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Contexts that are tried.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    runs: u64,
    /// Begin with recorded decisions, too: a file that `pointsman policy export` wrote.
    #[arg(long, value_name = "FILE")]
    window: Option<PathBuf>,
    /// Folder for a case of each flaw; default: cases/ beside the file.
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
    #[command(flatten)]
    ceilings: offline::Ceilings,
}

pub(crate) fn fuzz(json: bool, asked: &Fuzz) -> Result<ExitCode, Exit> {
    let file = offline::file_of(&asked.file)?;
    let (checked, library) = match offline::load(&file, asked.settings.as_deref(), false, asked.ceilings)? {
        Ok(loaded) => loaded,
        Err(problem) => return Ok(print_refused(json, &crate::http::refused(problem))),
    };
    let description = &checked.description;
    let plain = canned_context(description.kind);
    let mut beginnings = vec![plain.clone()];
    beginnings.extend(sized_contexts(&plain).into_iter().map(|(_, context)| context));
    if let Some(window) = &asked.window {
        beginnings.extend(recorded(window, description)?);
    }
    let mut progress = Progress::new("contexts");
    let mut engines = Engines::new(library);
    let fuzzed = find_flaws(&mut engines, description, &beginnings, asked.seed, asked.runs, &mut |done| {
        progress.tell(done, asked.runs);
        true
    });
    progress.end();
    let folder = asked
        .save
        .clone()
        .unwrap_or_else(|| file.parent().unwrap_or(Path::new(".")).join("cases"));
    let mut saved = Vec::new();
    for finding in &fuzzed.findings {
        saved.push(save(&folder, &plain, finding, description)?);
    }
    if json {
        let findings: Vec<_> = fuzzed
            .findings
            .iter()
            .zip(&saved)
            .map(|(finding, path)| {
                json!({ "flaw": finding.flaw.slug(), "detail": finding.detail, "times": finding.times, "case": path, "context": finding.case(&plain)["context"] })
            })
            .collect();
        println!(
            "{}",
            json!({ "policy": description.policy.to_string(), "seed": asked.seed, "asked": fuzzed.asked, "verdicts": fuzzed.verdicts, "findings": findings })
        );
    } else {
        for (finding, path) in fuzzed.findings.iter().zip(&saved) {
            println!("{} ({} times): {}", finding.flaw.slug(), finding.times, printable(&finding.detail));
            println!("  smallest: {}", printable(&finding.case(&plain)["context"].to_string()));
            println!("  saved as {}", path.display());
        }
        let verdicts: Vec<String> = fuzzed.verdicts.iter().map(|(word, count)| format!("{word} {count}")).collect();
        println!(
            "{}: {} contexts, seed {}: {} flaws; answered {}",
            description.policy,
            fuzzed.asked,
            asked.seed,
            fuzzed.findings.len(),
            verdicts.join(", ")
        );
    }
    if fuzzed.findings.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!(
        "next: correct the policy, then pointsman policy test {} --cases {}",
        file.display(),
        folder.display()
    );
    Ok(ExitCode::from(Exit::NEGATIVE))
}

/// Contexts of a window file, those of the newest decisions last.
fn recorded(path: &Path, description: &PolicyDescription) -> Result<Vec<Context>, Exit> {
    let failed = |error: crate::dry_run::WindowError| Exit::usage(error.to_string());
    let mut window = FileWindow::open(path).map_err(failed)?;
    let mut contexts = Vec::new();
    while contexts.len() < BEGINNINGS_MAX {
        let page = window.next_page().map_err(failed)?;
        if page.is_empty() {
            break;
        }
        for row in page {
            let recorded = FileWindow::read(row).map_err(failed)?;
            let context = recorded.context.as_deref().and_then(|bytes| Context::decode(bytes).ok());
            contexts.extend(context.filter(|context| context.kind() == description.kind));
        }
    }
    contexts.truncate(BEGINNINGS_MAX);
    Ok(contexts)
}

fn save(folder: &Path, plain: &Context, finding: &Finding, description: &PolicyDescription) -> Result<PathBuf, Exit> {
    let path = folder.join(format!("fuzz-{}-{}.json", description.policy.name, finding.flaw.slug()));
    let text = serde_json::to_string_pretty(&finding.case(plain)).map_err(|error| Exit::failed(error.to_string()))?;
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, text + "\n"));
    written.map_err(|error| Exit::failed(format!("{} cannot be written: {error}", path.display())))?;
    Ok(path)
}

#[derive(Args, Debug)]
pub(crate) struct Bench {
    /// A policy's file or project.
    #[arg(default_value = ".")]
    file: PathBuf,
    #[arg(long)]
    settings: Option<PathBuf>,
    /// Also the contexts of these cases.
    #[arg(long)]
    cases: Option<PathBuf>,
    /// How long each context is asked about: 200ms, 1s, 10s.
    #[arg(long, default_value = "500ms", value_parser = crate::cli::swap::parse_time_ms)]
    time: u64,
    /// Run a script natively, as one that an operator trusts.
    #[arg(long)]
    trusted: bool,
    #[command(flatten)]
    ceilings: offline::Ceilings,
}

struct Timed {
    name: String,
    asked: usize,
    /// Microseconds, sorted.
    micros: Vec<f64>,
    fuel: Option<u64>,
    fault: Option<String>,
}

impl Timed {
    fn at(&self, share: f64) -> f64 {
        let index = ((self.micros.len() as f64 * share).ceil() as usize).clamp(1, self.micros.len().max(1)) - 1;
        self.micros.get(index).copied().unwrap_or_default()
    }
}

pub(crate) fn bench(json: bool, asked: &Bench) -> Result<ExitCode, Exit> {
    let file = offline::file_of(&asked.file)?;
    let (checked, library) = match offline::load(&file, asked.settings.as_deref(), asked.trusted, asked.ceilings)? {
        Ok(loaded) => loaded,
        Err(problem) => return Ok(print_refused(json, &crate::http::refused(problem))),
    };
    let description = &checked.description;
    let plain = canned_context(description.kind);
    let mut contexts: Vec<(String, Context)> = sized_contexts(&plain)
        .into_iter()
        .map(|(size, context)| (format!("{size} entries"), context))
        .collect();
    if let Some(path) = &asked.cases {
        for case in read_cases(path).map_err(|error| Exit::usage(error.to_string()))? {
            let context = case
                .context(&plain, description)
                .map_err(|problem| Exit::usage(format!("case '{}': {problem}", case.name)))?;
            contexts.push((case.name, context));
        }
    }
    let mut engines = Engines::new(library);
    let rows: Vec<Timed> = contexts
        .into_iter()
        .map(|(name, mut context)| {
            context.frame_mut().settings.clone_from(&description.settings);
            time(&mut engines, description, name, &context, Duration::from_millis(asked.time))
        })
        .collect();
    if json {
        let told: Vec<_> = rows
            .iter()
            .map(|row| json!({ "name": row.name, "asked": row.asked, "micros_p50": row.at(0.5), "micros_p90": row.at(0.9), "micros_p99": row.at(0.99), "micros_max": row.at(1.0), "fuel": row.fuel, "fault": row.fault }))
            .collect();
        println!("{}", json!({ "policy": description.policy.to_string(), "rows": told }));
    } else {
        let told: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                let mut cells = vec![printable(&row.name), row.asked.to_string()];
                cells.extend([0.5, 0.9, 0.99, 1.0].map(|share| format!("{:.1}", row.at(share))));
                cells.push(row.fuel.map(|fuel| fuel.to_string()).unwrap_or_default());
                cells.push(row.fault.as_deref().map(printable).unwrap_or_default());
                cells
            })
            .collect();
        println!("{}: microseconds a decision", description.policy);
        table(&["context", "asked", "p50", "p90", "p99", "max", "fuel", ""], &told);
    }
    let failed = rows.iter().any(|row| row.fault.is_some());
    Ok(if failed {
        ExitCode::from(Exit::NEGATIVE)
    } else {
        ExitCode::SUCCESS
    })
}

fn time(engines: &mut Engines, description: &PolicyDescription, name: String, context: &Context, within: Duration) -> Timed {
    let mut timed = Timed {
        name,
        asked: 0,
        micros: Vec::new(),
        fuel: None,
        fault: None,
    };
    let began = Instant::now();
    while timed.asked < ROUNDS_MIN || (began.elapsed() < within && timed.asked < ROUNDS_MAX) {
        let asked = Instant::now();
        let answer = engines.ask(&description.policy, context);
        timed.micros.push(asked.elapsed().as_secs_f64() * 1e6);
        timed.asked += 1;
        match answer {
            Ok(answer) => timed.fuel = answer.cost.fuel,
            Err(fault) => {
                timed.fault = Some(format!("{}: {}", fault.class.slug(), fault.detail));
                break;
            }
        }
    }
    timed.micros.sort_by(f64::total_cmp);
    timed
}
