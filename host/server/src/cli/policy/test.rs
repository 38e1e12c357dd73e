//! `policy test`: a policy's cases, answered by the function that decides live.

use super::{offline, print_refused};
use crate::cli::client::Client;
use crate::cli::exit::Exit;
use crate::cli::text::printable;
use pointsman_authoring::{CaseOutcome, read_cases, run_case};
use pointsman_policy::{Engines, canned_context};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(super) fn test(
    json: bool,
    file: &Path,
    cases: Option<&Path>,
    settings: Option<&Path>,
    ceilings: offline::Ceilings,
) -> Result<ExitCode, Exit> {
    let cases_at = cases.map_or_else(|| cases_beside(file), Path::to_path_buf);
    if !cases_at.exists() {
        return Err(Exit::usage(format!(
            "there are no cases: {} does not exist; name a file or folder by --cases",
            cases_at.display()
        )));
    }
    let cases = read_cases(&cases_at).map_err(|error| Exit::usage(error.to_string()))?;
    let (checked, library) = match offline::load(file, settings, false, ceilings)? {
        Ok(loaded) => loaded,
        Err(problem) => return Ok(print_refused(json, &crate::http::refused(problem))),
    };
    let description = &checked.description;
    let plain = canned_context(description.kind);
    let mut engines = Engines::new(library);
    let outcomes: Vec<CaseOutcome> = cases.iter().map(|case| run_case(case, &plain, description, &mut engines)).collect();
    let failed = outcomes.iter().filter(|outcome| !outcome.passed).count();
    if json {
        println!(
            "{}",
            json!({ "policy": description.policy.to_string(), "digest": description.policy.digest, "passed": outcomes.len() - failed, "failed": failed, "cases": outcomes })
        );
    } else {
        for outcome in &outcomes {
            println!("{}  {}", if outcome.passed { "ok    " } else { "FAILED" }, printable(&outcome.name));
            for problem in &outcome.problems {
                println!("        {}", printable(problem));
            }
        }
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
    if failed > 0 {
        return Ok(ExitCode::from(Exit::NEGATIVE));
    }
    eprintln!("next: pointsman policy activate {} --reason \"why\"", file.display());
    Ok(ExitCode::SUCCESS)
}

/// A recorded decision as a case, to put among the others.
pub(crate) fn case(client: &Client, decision: u64) -> Result<(), Exit> {
    let case = client.fetch(&format!("/api/v1/decisions/{decision}/case"))?;
    let text = serde_json::to_string_pretty(&case).map_err(|error| Exit::failed(error.to_string()))?;
    println!("{text}");
    Ok(())
}

/// The context that cases differ from, as JSON to copy from.
pub(super) fn plain(file: &Path, settings: Option<&Path>, ceilings: offline::Ceilings) -> Result<ExitCode, Exit> {
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
