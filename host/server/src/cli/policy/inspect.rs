//! `policy inspect`: what a file is, by its bytes and by its own words.

use super::author::kilobytes;
use super::check::{list, plain};
use super::offline;
use crate::cli::exit::Exit;
use crate::cli::text::printable;
use crate::cli::watch::problem_line;
use pointsman_authoring::{InspectError, Inspection};
use pointsman_model::Digest;
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;

pub(super) fn inspect(json: bool, file: &Path, quick: bool, ceilings: offline::Ceilings) -> Result<ExitCode, Exit> {
    let bytes = std::fs::read(file).map_err(|error| Exit::failed(format!("{} cannot be read: {error}", file.display())))?;
    let is_script = file.extension().is_some_and(|ending| ending == "rhai");
    let inspection = match Inspection::of(&bytes) {
        Ok(inspection) => Some(inspection),
        Err(InspectError::NotWasm) if is_script => None,
        Err(error) => return Err(Exit::negative(format!("{}: {error}", file.display()))),
    };
    let code_digest = Digest::of(&bytes);
    if !json {
        print_bytes(file, &bytes, inspection.as_ref(), code_digest);
    }
    let told = match quick {
        true => None,
        false => Some(offline::load_plain(file, bytes.clone(), ceilings)?),
    };
    let (description, problem) = match &told {
        Some(Ok((checked, _))) => (Some(&checked.description), None),
        Some(Err(problem)) => (None, Some(problem)),
        None => (None, None),
    };
    if json {
        println!(
            "{}",
            json!({
                "file": file, "bytes": bytes.len(), "code_digest": code_digest, "component": inspection,
                "description": description, "problem": problem,
            })
        );
    } else if let Some(description) = description {
        println!(
            "policy      {} ({}), digest {}",
            description.policy, description.kind, description.policy.digest
        );
        println!("summary     {}", printable(&description.summary));
        for spec in &description.settings_schema {
            let bounds = match (spec.minimum, spec.maximum) {
                (Some(minimum), Some(maximum)) => format!(" [{minimum} to {maximum}]"),
                (Some(minimum), None) => format!(" [from {minimum}]"),
                (None, Some(maximum)) => format!(" [to {maximum}]"),
                (None, None) => String::new(),
            };
            println!(
                "setting     {} = {}{bounds}: {}",
                spec.name,
                plain(&spec.default),
                printable(&spec.help)
            );
        }
        let limits = description.limits;
        println!(
            "limits      fuel {}, {} ms, {} MiB; state version {}",
            limits.fuel,
            limits.deadline_ms,
            limits.memory_bytes >> 20,
            description.state_version
        );
    }
    if let Some(problem) = problem {
        eprintln!("{}", printable(&problem_line(problem)));
        return Ok(ExitCode::from(Exit::NEGATIVE));
    }
    Ok(ExitCode::SUCCESS)
}

fn print_bytes(file: &Path, bytes: &[u8], inspection: Option<&Inspection>, code_digest: Digest) {
    println!(
        "file        {}, {}",
        printable(&file.display().to_string()),
        kilobytes(bytes.len() as u64)
    );
    println!("code        {code_digest}");
    let Some(inspection) = inspection else {
        println!(
            "engine      Rhai script of {} lines",
            String::from_utf8_lossy(bytes).lines().count()
        );
        return;
    };
    let Inspection {
        bytes: _,
        kind,
        contract,
        imports,
        type_imports,
        exports,
        exports_missing,
        core_modules,
        producers,
    } = inspection;
    println!("engine      WebAssembly component of {core_modules} core modules");
    println!("kind        {}", kind.map_or("not to be told from its types", |kind| kind.slug()));
    println!("contract    pointsman:policy@{}", list(contract));
    println!("imports     {}", list(imports));
    println!("types of    {}", list(type_imports));
    println!("exports     {}", list(exports));
    if !exports_missing.is_empty() {
        println!("missing     {}", list(exports_missing));
    }
    println!("producers   {}", list(producers));
}
