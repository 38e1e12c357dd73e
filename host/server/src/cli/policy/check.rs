//! `policy check`: what was looked at, what was found, and how far a decision is from its limits.

use super::author::kilobytes;
use super::{offline, print_refused};
use crate::cli::exit::Exit;
use crate::cli::text::printable;
use pointsman_authoring::Inspection;
use pointsman_coordinator::{Policies, settle};
use pointsman_model::policy::{Cost, Value};
use pointsman_policy::{CONTRACT, Checked, Engines, Library, canned_context};
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;

pub(super) fn check(
    json: bool,
    file: &Path,
    settings: Option<&Path>,
    trusted: bool,
    ceilings: offline::Ceilings,
) -> Result<ExitCode, Exit> {
    let (checked, library) = match offline::load(file, settings, trusted, ceilings)? {
        Ok(loaded) => loaded,
        Err(problem) => return Ok(print_refused(json, &crate::http::refused(problem))),
    };
    let description = &checked.description;
    let (cost, misfit) = self_test(&checked, library);
    let inspection = Inspection::of(&checked.code).ok();
    let answer = crate::http::accepted(description);
    let given = ceilings.limits();
    let asked = description.limits;
    if json {
        let mut answer = json!(answer);
        answer["component"] = json!(inspection);
        answer["limits"] = json!(asked);
        answer["ceilings"] = json!(given);
        answer["self_test"] = json!({ "fuel": cost.fuel, "micros": cost.micros, "misfit": misfit });
        println!("{answer}");
    } else {
        println!(
            "{} is a {} policy ({}): {}",
            description.policy,
            description.kind,
            description.policy.digest.short(),
            printable(&description.summary)
        );
        match &inspection {
            Some(inspection) => {
                println!("  contract   {CONTRACT}, {}", kilobytes(inspection.bytes));
                println!("  imports    {}", list(&inspection.imports));
                println!("  exports    {}", list(&inspection.exports));
            }
            None => println!("  contract   {CONTRACT}, a script of {}", kilobytes(description.code_bytes)),
        }
        let settings: Vec<String> = description
            .settings
            .iter()
            .map(|setting| format!("{}={}", setting.name, plain(&setting.value)))
            .collect();
        println!("  settings   {}", list(&settings));
        println!(
            "  limits     fuel {} of {}, {} of {} ms, {} of {} MiB",
            asked.fuel,
            given.fuel,
            asked.deadline_ms,
            given.deadline_ms,
            asked.memory_bytes >> 20,
            given.memory_bytes >> 20
        );
        let share = cost.fuel.map_or(0.0, |fuel| fuel as f64 / asked.fuel as f64 * 100.0);
        println!(
            "  self-test  answered in {:.2} ms with {} fuel, {share:.1} % of its limit",
            f64::from(cost.micros) / 1000.0,
            cost.fuel.unwrap_or(0)
        );
    }
    if let Some(problem) = misfit {
        eprintln!(
            "its answer to a plain context would be thrown away: {}; write a case for it and run `pointsman policy test`",
            printable(&problem)
        );
        return Ok(ExitCode::from(Exit::NEGATIVE));
    }
    Ok(ExitCode::SUCCESS)
}

/// The installer's own self-test asks whether it answers; here also at what cost, and whether the answer fits.
fn self_test(checked: &Checked, library: Library) -> (Cost, Option<String>) {
    let mut context = canned_context(checked.description.kind);
    context.frame_mut().settings.clone_from(&checked.description.settings);
    match Engines::new(library).ask(&checked.description.policy, &context) {
        Ok(mut answer) => (answer.cost, settle(&context, &mut answer).err()),
        Err(fault) => (fault.cost, Some(fault.detail)),
    }
}

pub(super) fn list(names: &[String]) -> String {
    if names.is_empty() {
        "none".to_string()
    } else {
        printable(&names.join(", "))
    }
}

pub(super) fn plain(value: &Value) -> serde_json::Value {
    match value {
        Value::Flag(flag) => json!(flag),
        Value::Number(number) => json!(number),
        Value::Text(text) => json!(text),
    }
}
