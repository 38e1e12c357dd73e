//! `pointsman policy`: what an author does works without a host, the rest asks one.

mod author;
mod check;
mod dry_run;
mod export;
mod fuzz;
mod inspect;
mod offline;
mod past;
mod test;
mod value;
mod verify;

pub(crate) use author::{Author, author, parse_kind};
pub(crate) use dry_run::{DryRun, dry_run};
pub(crate) use export::{Export, export};
pub(crate) use fuzz::{Bench, Fuzz, bench, fuzz};
pub(crate) use offline::{Ceilings, library};
pub(crate) use test::case;
pub(crate) use value::{Value, value};
pub(crate) use verify::{Verify, verify};

use super::client::Client;
use super::exit::Exit;
use super::text::{clock, printable, table};
use super::watch::problem_line;
use crate::http::PolicyUpload;
use crate::policy_install::Offer;
use crate::wire::{PolicyCheck, PolicyList, ReplayBudgets};
use base64::Engine as _;
use pointsman_model::policy::PolicyKind;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

pub(crate) fn list(client: &Client, json: bool) -> Result<(), Exit> {
    let answer = client.fetch("/api/v1/policies")?;
    if json {
        println!("{answer}");
        return Ok(());
    }
    let list: PolicyList =
        serde_json::from_value(answer).map_err(|error| Exit::failed(format!("the host's answer has another shape: {error}")))?;
    let rows: Vec<Vec<String>> = list
        .policies
        .iter()
        .map(|detail| {
            let card = &detail.card;
            vec![
                card.kind.clone(),
                format!("{}@{}", card.name, card.version),
                card.engine.clone(),
                card.generation.to_string(),
                card.decisions.to_string(),
                card.faults.to_string(),
                clock(card.since),
                card.actor.clone(),
                card.previous.clone().unwrap_or_default(),
            ]
        })
        .collect();
    table(
        &[
            "kind",
            "policy",
            "engine",
            "generation",
            "decisions",
            "faults",
            "since",
            "by",
            "before it",
        ],
        &rows,
    );
    for detail in &list.policies {
        if let Some(problem) = &detail.card.problem {
            println!("refused for {}: {}", detail.card.kind, printable(&problem_line(problem)));
        }
    }
    Ok(())
}

fn print_refused(json: bool, answer: &PolicyCheck) -> ExitCode {
    if json {
        println!("{}", json!(answer));
    }
    if let Some(problem) = &answer.problem {
        eprintln!("{}", printable(&problem_line(problem)));
        eprintln!("more: pointsman policy explain {}", problem.code);
    }
    ExitCode::from(Exit::NEGATIVE)
}

pub(crate) fn read_settings(file: &Path, settings: Option<&Path>) -> Result<BTreeMap<String, serde_json::Value>, Exit> {
    let path = match settings {
        Some(path) => path.to_path_buf(),
        None => crate::policy_watch::settings_file(file),
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && settings.is_none() => return Ok(BTreeMap::new()),
        Err(error) => return Err(Exit::failed(format!("{} cannot be read: {error}", path.display()))),
    };
    serde_json::from_str(&text).map_err(|error| Exit::usage(format!("{} is not a JSON object of settings: {error}", path.display())))
}

/// Budgets of a replay; where the file need not be there, none.
pub(crate) fn read_budgets(path: &Path, required: bool) -> Result<Option<ReplayBudgets>, Exit> {
    match std::fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| Exit::usage(format!("{} holds no budgets: {error}", path.display()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => Ok(None),
        Err(error) => Err(Exit::failed(format!("{} cannot be read: {error}", path.display()))),
    }
}

pub(crate) fn upload(file: &Path, settings: Option<&Path>, reason: &str, trusted: bool) -> Result<PolicyUpload, Exit> {
    let code = std::fs::read(file).map_err(|error| Exit::failed(format!("{} cannot be read: {error}", file.display())))?;
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (text, code_base64) = match String::from_utf8(code) {
        Ok(text) => (Some(text), None),
        Err(error) => (None, Some(base64::engine::general_purpose::STANDARD.encode(error.as_bytes()))),
    };
    Ok(PolicyUpload {
        file: name,
        text,
        code_base64,
        settings: read_settings(file, settings)?,
        reason: reason.to_string(),
        signature: crate::signing::read_signature(file)
            .map_err(|error| Exit::failed(format!("the signature of {} cannot be read: {error}", file.display())))?,
        budgets: read_budgets(&crate::policy_watch::budgets_file(file), false)?,
        trusted,
        ..PolicyUpload::default()
    })
}

pub(crate) fn read_offer(file: &Path, settings: Option<&Path>) -> Result<Offer, Exit> {
    upload(file, settings, "", false)?.offer().map_err(|error| Exit::problem(*error.0))
}

/// What a script of this kind may name, for editors: from the definitions that the interpreter runs with.
pub(crate) fn definitions(json: bool, kind: &str) -> Result<(), Exit> {
    let Some(kind) = PolicyKind::parse(kind) else {
        let kinds = PolicyKind::ALL.map(PolicyKind::slug).join(", ");
        return Err(Exit::usage(format!("'{kind}' is not a kind of policy; there are {kinds}")));
    };
    let definitions = pointsman_policy::script::completion(kind);
    if json {
        println!("{}", json!(definitions));
        return Ok(());
    }
    let rows: Vec<Vec<String>> = definitions
        .entries
        .into_iter()
        .map(|entry| vec![entry.place.word().to_string(), entry.name, entry.signatures.join("; ")])
        .collect();
    table(&["where", "name", "called"], &rows);
    Ok(())
}
