//! `pointsman policy versions`, `show`, `diff`, `code`, `decided-by`.

use super::client::{Client, url_encoded};
use super::exit::Exit;
use super::show::decision_line;
use super::swap::shaped;
use super::text::{clock, printable, table};
use crate::wire::{DecidedBy, FieldDiff, VersionDetail, VersionDiff, VersionList};
use pointsman_model::policy::PolicyKind;
use std::io::Write;

pub(crate) fn list(client: &Client, json: bool, of: Option<&str>) -> Result<(), Exit> {
    let query = match of {
        Some(kind) if PolicyKind::parse(kind).is_some() => format!("?kind={kind}"),
        Some(name) => format!("?name={}", url_encoded(name)),
        None => String::new(),
    };
    let answer = client.fetch(&format!("/api/v1/policies/versions{query}"))?;
    if json {
        println!("{answer}");
        return Ok(());
    }
    let list: VersionList = shaped(answer)?;
    let rows: Vec<Vec<String>> = list
        .versions
        .iter()
        .map(|row| {
            vec![
                if row.active { "*".to_string() } else { String::new() },
                row.kind.clone(),
                format!("{}@{}", row.name, row.version),
                short(&row.digest),
                row.engine.clone(),
                row.code_bytes.to_string(),
                clock(row.first_seen),
                row.last_active_at.map(clock).unwrap_or_default(),
                row.decisions.to_string(),
                row.signed_by.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let head = [
        "",
        "kind",
        "policy",
        "digest",
        "engine",
        "bytes",
        "first seen",
        "last active",
        "decisions",
        "signed by",
    ];
    table(&head, &rows);
    Ok(())
}

pub(crate) fn show(client: &Client, json: bool, version: &str) -> Result<(), Exit> {
    let answer = client.fetch(&format!("/api/v1/policies/versions/{}", url_encoded(version)))?;
    if json {
        println!("{answer}");
        return Ok(());
    }
    let VersionDetail {
        row,
        summary,
        settings,
        fuel,
        deadline_ms,
        memory_bytes,
        state_version,
        activations,
    } = shaped(answer)?;
    println!("{}@{}, a {} policy ({})", row.name, row.version, row.kind, row.engine);
    println!("{}", printable(&summary));
    println!("digest     {}", row.digest);
    println!("code       sha256:{}", row.code_digest.as_deref().unwrap_or("not kept"));
    println!(
        "           {} bytes, signed by {}",
        row.code_bytes,
        row.signed_by.as_deref().unwrap_or("nobody")
    );
    println!("limits     {fuel} fuel, {deadline_ms} ms, {memory_bytes} bytes; state version {state_version}");
    println!("decisions  {}", row.decisions);
    for setting in &settings {
        println!("setting    {} = {} (default {})", setting.name, setting.value, setting.default);
    }
    for activation in &activations {
        println!(
            "active     generation {} from position {} at {}, by {}{}",
            activation.generation,
            activation.seq,
            clock(activation.at),
            activation.actor,
            if activation.reason.is_empty() {
                String::new()
            } else {
                format!(": {}", printable(&activation.reason))
            }
        );
    }
    Ok(())
}

pub(crate) fn diff(client: &Client, json: bool, a: &str, b: &str) -> Result<(), Exit> {
    let answer = client.fetch(&format!("/api/v1/policies/diff?a={}&b={}", url_encoded(a), url_encoded(b)))?;
    if json {
        println!("{answer}");
        return Ok(());
    }
    let diff: VersionDiff = shaped(answer)?;
    for (what, fields) in [("", &diff.metadata), ("setting ", &diff.settings), ("limit ", &diff.limits)] {
        for FieldDiff { name, before, after } in fields {
            let word = |value: &Option<String>| value.as_ref().map_or_else(|| "-".to_string(), |value| printable(value));
            println!("{what}{name}: {} -> {}", word(before), word(after));
        }
    }
    for line in diff.code.as_deref().unwrap_or_default().lines() {
        println!("{}", printable(line));
    }
    Ok(())
}

pub(crate) fn code(client: &Client, version: &str) -> Result<(), Exit> {
    let bytes = client.fetch_bytes(&format!("/api/v1/policies/versions/{}/code", url_encoded(version)))?;
    std::io::stdout()
        .write_all(&bytes)
        .map_err(|error| Exit::failed(format!("standard output: {error}")))
}

pub(crate) fn decided_by(client: &Client, json: bool, policy: &str, limit: u32, cursor: Option<&str>) -> Result<(), Exit> {
    let cursor = cursor.map(|cursor| format!("&cursor={}", url_encoded(cursor))).unwrap_or_default();
    let path = format!("/api/v1/policies/decided-by?policy={}&limit={limit}{cursor}", url_encoded(policy));
    let answer = client.fetch(&path)?;
    if json {
        println!("{answer}");
        return Ok(());
    }
    let DecidedBy {
        activations,
        decisions,
        next_cursor,
    } = shaped(answer)?;
    for activation in &activations {
        println!(
            "generation {} of {} from position {} at {}: {} ({})",
            activation.generation,
            activation.kind,
            activation.seq,
            clock(activation.at),
            activation.policy,
            short(&activation.digest)
        );
    }
    for decision in &decisions {
        println!("{}", decision_line(decision));
    }
    if let Some(cursor) = next_cursor {
        println!("more: --cursor {cursor}");
    }
    Ok(())
}

fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}
