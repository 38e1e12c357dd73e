//! `policy test`: a policy's cases, answered by the function that decides live.

use super::{offline, print_refused};
use crate::cli::client::Client;
use crate::cli::exit::Exit;
use crate::cli::junit;
use crate::cli::text::printable;
use clap::Args;
use pointsman_authoring::{CaseOutcome, read_cases, run_case};
use pointsman_coordinator::Policies;
use pointsman_policy::script::{Covered, LinesRun};
use pointsman_policy::{Checked, Engines, Library, canned_context};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(crate) struct Test {
    #[arg(default_value = ".")]
    file: PathBuf,
    /// File or folder with cases; default: cases/ beside the file.
    #[arg(long)]
    cases: Option<PathBuf>,
    #[arg(long)]
    settings: Option<PathBuf>,
    /// Show the plain context that cases differ from, and ask nothing.
    #[arg(long)]
    plain: bool,
    /// Tell which lines of a script the cases run. For that it also runs natively, outside the sandbox.
    #[arg(long)]
    coverage: bool,
    /// Fail where fewer of the lines were run, in percent.
    #[arg(long, value_name = "PERCENT", requires = "coverage", value_parser = parse_percent)]
    coverage_min: Option<f64>,
    /// Write the cases as JUnit test cases to this file.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    #[command(flatten)]
    ceilings: offline::Ceilings,
}

pub(super) fn test(json: bool, asked: &Test) -> Result<ExitCode, Exit> {
    let file = &offline::file_of(&asked.file)?;
    if asked.plain {
        return plain(file, asked.settings.as_deref(), asked.ceilings);
    }
    let cases_at = asked.cases.clone().unwrap_or_else(|| cases_beside(file));
    if !cases_at.exists() {
        return Err(Exit::usage(format!(
            "there are no cases: {} does not exist; name a file or folder by --cases",
            cases_at.display()
        )));
    }
    let cases = read_cases(&cases_at).map_err(|error| Exit::usage(error.to_string()))?;
    let (checked, library) = match offline::load(file, asked.settings.as_deref(), false, asked.ceilings)? {
        Ok(loaded) => loaded,
        Err(problem) => return Ok(print_refused(json, &crate::http::refused(problem))),
    };
    let description = &checked.description;
    let plain = canned_context(description.kind);
    let run = |policies: &mut dyn Policies| -> Vec<CaseOutcome> {
        cases.iter().map(|case| run_case(case, &plain, description, policies)).collect()
    };
    let (outcomes, lines_run) = if asked.coverage {
        let mut covered = covered(file, &checked, library)?;
        let outcomes = run(&mut covered);
        if let Some(difference) = covered.differences().first() {
            let message =
                format!("the lines that were run cannot be told, because the script decides otherwise while they are noted: {difference}");
            return Err(Exit::failed(message));
        }
        (outcomes, Some(covered.lines_run()))
    } else {
        (run(&mut Engines::new(library)), None)
    };
    let failed = outcomes.iter().filter(|outcome| !outcome.passed).count();
    if json {
        let mut told = json!({ "policy": description.policy.to_string(), "digest": description.policy.digest, "passed": outcomes.len() - failed, "failed": failed, "cases": outcomes });
        if let Some(lines_run) = &lines_run {
            told["coverage"] = coverage_json(file, lines_run);
        }
        println!("{told}");
    } else {
        for outcome in &outcomes {
            println!("{}  {}", if outcome.passed { "ok    " } else { "FAILED" }, printable(&outcome.name));
            for problem in &outcome.problems {
                println!("        {}", printable(problem));
            }
        }
        if let Some(lines_run) = &lines_run {
            println!("{}: {lines_run}", file.display());
        }
    }
    if let Some(path) = &asked.junit {
        let text = junit::of_cases(&description.policy.to_string(), &outcomes);
        std::fs::write(path, text).map_err(|error| Exit::failed(format!("{} cannot be written: {error}", path.display())))?;
    }
    let fuel = outcomes.iter().filter_map(|outcome| outcome.cost.fuel).max().unwrap_or(0);
    let micros = outcomes.iter().map(|outcome| outcome.cost.micros).max().unwrap_or(0);
    eprintln!(
        "{}: {} of {} cases passed; at most {fuel} fuel and {:.2} ms a decision",
        description.policy,
        outcomes.len() - failed,
        outcomes.len(),
        f64::from(micros) / 1000.0
    );
    let too_few = match (&lines_run, asked.coverage_min) {
        (Some(lines_run), Some(least)) if lines_run.percent() < least => {
            eprintln!(
                "the cases run {} of {} lines, {:.1} %; at least {least} % are asked for (--coverage-min)",
                lines_run.run,
                lines_run.lines,
                lines_run.percent()
            );
            true
        }
        (_, _) => false,
    };
    if failed > 0 || too_few {
        return Ok(ExitCode::from(Exit::NEGATIVE));
    }
    eprintln!("next: pointsman policy activate {} --reason \"why\"", file.display());
    Ok(ExitCode::SUCCESS)
}

fn covered(file: &Path, checked: &Checked, library: Library) -> Result<Covered, Exit> {
    let shown = file.display().to_string();
    let covered = Covered::over(Engines::new(library), &shown, checked)
        .map_err(|problem| Exit::failed(format!("{shown} was taken, and not with its lines noted: {}", problem.message)))?;
    covered.ok_or_else(|| {
        Exit::usage(format!(
            "{shown} is a component: lines are told of scripts; the tools of its language tell them of components"
        ))
    })
}

fn coverage_json(file: &Path, lines_run: &LinesRun) -> serde_json::Value {
    let mut told = json!(lines_run);
    told["file"] = json!(file.display().to_string());
    told["percent"] = json!(lines_run.percent());
    told
}

fn parse_percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').trim_end().parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent),
        Ok(_) | Err(_) => Err(format!("'{text}' is no percentage from 0 to 100")),
    }
}

/// A recorded decision as a case, to put among the others.
pub(crate) fn case(client: &Client, decision: u64) -> Result<(), Exit> {
    let case = client.fetch(&format!("/api/v1/decisions/{decision}/case"))?;
    let text = serde_json::to_string_pretty(&case).map_err(|error| Exit::failed(error.to_string()))?;
    println!("{text}");
    Ok(())
}

/// The context that cases differ from, as JSON to copy from.
fn plain(file: &Path, settings: Option<&Path>, ceilings: offline::Ceilings) -> Result<ExitCode, Exit> {
    let (checked, _) = match offline::load(file, settings, false, ceilings)? {
        Ok(loaded) => loaded,
        Err(problem) => return Ok(print_refused(false, &crate::http::refused(problem))),
    };
    let mut context = serde_json::to_value(canned_context(checked.description.kind)).map_err(|error| Exit::failed(error.to_string()))?;
    let fields = context.as_object_mut().and_then(|map| map.values_mut().next());
    if let Some(frame) = fields
        .and_then(|fields| fields.get_mut("frame"))
        .and_then(|frame| frame.as_object_mut())
    {
        // They stand beside the context in a case.
        frame.remove("settings");
        frame.remove("state");
    }
    let text = serde_json::to_string_pretty(&context).map_err(|error| Exit::failed(error.to_string()))?;
    println!("{text}");
    Ok(ExitCode::SUCCESS)
}

/// `cases/` beside the file, or `NAME.cases.json`, where a policy has no folder of its own.
fn cases_beside(file: &Path) -> PathBuf {
    let one = file.with_extension("cases.json");
    if one.is_file() {
        return one;
    }
    file.parent().unwrap_or(Path::new(".")).join("cases")
}
