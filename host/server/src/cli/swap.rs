//! `pointsman policy activate` and what goes with it: swaps with their stages, replays, shadows, canaries.

use super::Activate;
use super::client::{Client, url_encoded};
use super::exit::Exit;
use super::policy::{read_budgets, read_settings, upload};
use super::text::{clock, printable, table};
use super::watch::problem_line;
use crate::http::{ActivateBody, CanaryBody, PolicyUpload};
use crate::wire::{Dashboard, Done, ReplayBudgets, ShadowCard, Swap, SwapList, SwapStage};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// How often a swap under way is asked about.
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(crate) fn activate(client: &Client, json: bool, order: Activate) -> Result<ExitCode, Exit> {
    let Activate {
        policies,
        settings,
        confirm_within,
        force,
        fresh_state,
        shadow_for,
        shadow_changed_max,
        budgets,
        last,
        trusted,
        reason,
    } = order;
    if policies.len() > 1 && settings.is_some() {
        return Err(Exit::usage(
            "--settings is for one file; beside each file of a set lies its NAME.settings.json",
        ));
    }
    let given = budgets.map(|path| read_budgets(&path, true)).transpose()?.flatten();
    let mut uploads = Vec::new();
    for policy in policies {
        let mut upload = upload_of(&policy, settings.as_deref())?;
        upload.trusted = trusted;
        upload.budgets = budgets_of(given.clone().or(upload.budgets), last);
        uploads.push(upload);
    }
    let body = ActivateBody {
        policies: uploads,
        reason,
        confirm_within_ms: confirm_within,
        force,
        fresh_state,
        shadow_for,
        shadow_changed_max,
        background: true,
        ..ActivateBody::default()
    };
    let done: Done = shaped(client.post("/api/v1/policies/activate", &json!(body))?)?;
    follow(client, json, &done)
}

pub(crate) fn start_canary(
    client: &Client,
    json: bool,
    policy: &str,
    settings: Option<&Path>,
    share: f64,
    force: bool,
    reason: &str,
) -> Result<ExitCode, Exit> {
    let body = CanaryBody {
        policy: Some(upload_of(policy, settings)?),
        stored: None,
        share,
        force,
        reason: reason.to_string(),
        background: true,
    };
    let done: Done = shaped(client.post("/api/v1/policies/canary", &json!(body))?)?;
    follow(client, json, &done)
}

/// A file, or the name of a version that the journal keeps.
pub(crate) fn upload_of(policy: &str, settings: Option<&Path>) -> Result<PolicyUpload, Exit> {
    let path = Path::new(policy);
    let looks_like_a_file = policy.ends_with(".rhai") || policy.ends_with(".wasm") || policy.contains('/');
    if path.is_file() || looks_like_a_file {
        return upload(path, settings, "", false);
    }
    Ok(PolicyUpload {
        stored: Some(policy.to_string()),
        // Without a file there is none beside it.
        settings: match settings {
            Some(_) => read_settings(path, settings)?,
            None => BTreeMap::new(),
        },
        ..PolicyUpload::default()
    })
}

pub(crate) fn budgets_of(budgets: Option<ReplayBudgets>, last: Option<u32>) -> Option<ReplayBudgets> {
    match last {
        None => budgets,
        Some(last) => Some(ReplayBudgets {
            last,
            ..budgets.unwrap_or_default()
        }),
    }
}

/// Tells the stages as they pass, until the swap is over.
fn follow(client: &Client, json: bool, done: &Done) -> Result<ExitCode, Exit> {
    let id = done.swap.ok_or_else(|| Exit::failed("the host did not number the swap"))?;
    let mut told = BTreeSet::new();
    let live = std::io::stderr().is_terminal();
    loop {
        let answer = client.fetch(&format!("/api/v1/policies/swaps/{id}"))?;
        let swap: Swap = shaped(answer.clone())?;
        if !json {
            tell(&swap, &mut told, live);
        }
        if swap.status == "running" {
            std::thread::sleep(LOOK_EVERY);
            continue;
        }
        if json {
            println!("{answer}");
        }
        return ended(&swap, json);
    }
}

fn tell(swap: &Swap, told: &mut BTreeSet<(usize, String)>, live: bool) {
    for (index, part) in swap.parts.iter().enumerate() {
        let of = if swap.parts.len() > 1 {
            format!("{}  ", part.file)
        } else {
            String::new()
        };
        for stage in &part.stages {
            match stage.status.as_str() {
                "passed" | "failed" | "skipped" => {
                    if told.insert((index, stage.slug.clone())) && (stage.status != "skipped" || !stage.detail.is_empty()) {
                        eprintln!("{}{}", if live { "\r\x1b[K" } else { "" }, stage_line(&of, stage));
                    }
                }
                "running" if live => {
                    let count = match (stage.done, stage.total) {
                        (Some(done), Some(total)) => format!(" {done} of {total}"),
                        _ => String::new(),
                    };
                    eprint!("\r\x1b[K  ..      {of}{}{count}", stage.label);
                    let _ = std::io::stderr().flush();
                }
                _ => {}
            }
        }
    }
}

fn stage_line(of: &str, stage: &SwapStage) -> String {
    let word = match stage.status.as_str() {
        "passed" => "ok",
        "failed" => "FAILED",
        _ => "skipped",
    };
    let ms = stage.ms.map(|ms| format!("{ms:.1} ms")).unwrap_or_default();
    let line = format!("  {word:<7} {of}{:<28} {ms:>10}  {}", stage.label, printable(&stage.detail));
    line.trim_end().to_string()
}

fn ended(swap: &Swap, json: bool) -> Result<ExitCode, Exit> {
    if let Some(problem) = &swap.problem {
        eprintln!("{}", printable(&problem_line(problem)));
        eprintln!("What was active before goes on serving.");
        // The checks said no, or the host did.
        let code = if problem.code == "PM2154" { Exit::CONFLICT } else { Exit::NEGATIVE };
        return Ok(ExitCode::from(code));
    }
    if !json {
        for part in &swap.parts {
            let policy = part.policy.as_deref().unwrap_or(&part.file);
            let kind = part.kind.as_deref().unwrap_or_default();
            match (part.generation, swap.seq) {
                (Some(generation), Some(seq)) => eprintln!("{policy} is generation {generation} of {kind}, from journal position {seq}"),
                (Some(generation), None) => eprintln!("{policy} is generation {generation} of {kind}"),
                (None, _) => {
                    let last = part.stages.iter().find(|stage| stage.slug == "activate");
                    let detail = last.map(|stage| stage.detail.clone()).unwrap_or_default();
                    eprintln!("{policy}: {detail} ({kind})");
                }
            }
        }
        if let (Some(by), Some(part)) = (swap.confirm_by, swap.parts.first()) {
            eprintln!(
                "on trial until {}: `pointsman policy confirm {}`, or it is taken back",
                clock(by),
                part.kind.as_deref().unwrap_or_default()
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn list(client: &Client, json: bool, id: Option<u64>) -> Result<(), Exit> {
    if let Some(id) = id {
        let answer = client.fetch(&format!("/api/v1/policies/swaps/{id}"))?;
        if json {
            println!("{answer}");
            return Ok(());
        }
        let swap: Swap = shaped(answer)?;
        println!("swap {} by {}: {}", swap.id, swap.actor, swap.status);
        for part in &swap.parts {
            println!("{}", part.file);
            for stage in &part.stages {
                println!("{}", stage_line("", stage));
            }
        }
        return Ok(());
    }
    let answer = client.fetch("/api/v1/policies/swaps")?;
    if json {
        println!("{answer}");
        return Ok(());
    }
    let list: SwapList = shaped(answer)?;
    let rows: Vec<Vec<String>> = list
        .swaps
        .iter()
        .map(|swap| {
            let names: Vec<&str> = swap.parts.iter().map(|part| part.policy.as_deref().unwrap_or(&part.file)).collect();
            let at = swap
                .parts
                .iter()
                .flat_map(|part| &part.stages)
                .find(|stage| stage.status == "running" || stage.status == "failed");
            vec![
                swap.id.to_string(),
                clock(swap.started_at),
                swap.status.clone(),
                names.join(" + "),
                at.map(|stage| stage.slug.clone()).unwrap_or_default(),
                swap.seq.map(|seq| seq.to_string()).unwrap_or_default(),
                swap.actor.clone(),
                swap.problem.as_ref().map(|problem| problem.code.clone()).unwrap_or_default(),
            ]
        })
        .collect();
    table(&["swap", "at", "status", "policies", "stage", "position", "by", "problem"], &rows);
    Ok(())
}

/// One of the short commands on a kind.
pub(crate) fn change(client: &Client, json: bool, kind: &str, action: &str, reason: &str, what: &str) -> Result<(), Exit> {
    let path = format!("/api/v1/policies/{}/{action}", url_encoded(kind));
    super::show::post(client, json, &path, reason, &format!("{kind} {what}"))
}

pub(crate) fn roll_back(client: &Client, json: bool, kind: &str, whole_set: bool, reason: &str) -> Result<(), Exit> {
    let path = format!("/api/v1/policies/{}/rollback", url_encoded(kind));
    let answer = client.post(&path, &json!({ "reason": reason, "whole_set": whole_set }))?;
    if json {
        println!("{answer}");
    } else {
        eprintln!("{kind} is back at the version before");
    }
    Ok(())
}

pub(crate) fn start_shadow(client: &Client, json: bool, policy: &str, settings: Option<&Path>) -> Result<(), Exit> {
    let answer = client.post("/api/v1/policies/shadow", &json!(upload_of(policy, settings)?))?;
    if json {
        println!("{answer}");
        return Ok(());
    }
    let card: ShadowCard = shaped(answer)?;
    eprintln!(
        "{}@{} sees what is decided for {}, and decides nothing",
        card.name, card.version, card.kind
    );
    Ok(())
}

pub(crate) fn stop_shadow(client: &Client, json: bool, kind: &str, version: Option<&str>) -> Result<(), Exit> {
    let path = format!("/api/v1/policies/{}/shadow/stop", url_encoded(kind));
    let answer = client.post(&path, &json!({ "version": version }))?;
    if json {
        println!("{answer}");
        return Ok(());
    }
    let card: ShadowCard = shaped(answer)?;
    println!(
        "{}@{} saw {} decisions: {} agreed, {} disagreed, {} faults, {} missed",
        card.name, card.version, card.asked, card.agreed, card.disagreed, card.faults, card.dropped
    );
    for first in &card.disagreements {
        println!(
            "  decision {}: it {} where the host {}",
            first.decision,
            printable(&first.after),
            printable(&first.before)
        );
    }
    Ok(())
}

pub(crate) fn quarantine(client: &Client, json: bool, release: Option<&str>) -> Result<(), Exit> {
    let answer = client.fetch("/api/v1/state")?;
    let dashboard: Dashboard = shaped(answer)?;
    let cards = || {
        let kinds = dashboard.policies.iter();
        kinds.flat_map(|card| card.quarantine.iter().map(|input| (card.kind.clone(), input)))
    };
    if let Some(key) = release {
        let Some((kind, input)) = cards().find(|(_, input)| input.key.starts_with(key)) else {
            let mut exit = Exit::failed(format!("no input {key} is quarantined"));
            exit.code = Exit::NOT_FOUND;
            return Err(exit);
        };
        let path = format!("/api/v1/policies/{kind}/quarantine/{}/release", input.key);
        return super::show::post(client, json, &path, "", &format!("policies are asked about input {key} again"));
    }
    if json {
        let listed: Vec<Value> = cards().map(|(kind, input)| json!({ "kind": kind, "input": input })).collect();
        println!("{}", Value::Array(listed));
        return Ok(());
    }
    let rows: Vec<Vec<String>> = cards()
        .map(|(kind, input)| {
            vec![
                kind,
                input.key.chars().take(12).collect(),
                clock(input.since),
                input.faults.to_string(),
                printable(&input.detail),
            ]
        })
        .collect();
    table(&["kind", "input", "since", "faults", "what"], &rows);
    Ok(())
}

/// `90s`, `10m`, `2h`, `1d`, in milliseconds.
pub(crate) fn parse_time_ms(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 24 * 3_600_000,
        _ => return Err("a number and a unit: 90s, 10m, 2h".to_string()),
    };
    let number: u64 = digits.parse().map_err(|_| "a number and a unit: 90s, 10m, 2h".to_string())?;
    number.checked_mul(unit).ok_or_else(|| "that is too long".to_string())
}

pub(crate) fn shaped<T: DeserializeOwned>(answer: Value) -> Result<T, Exit> {
    serde_json::from_value(answer).map_err(|error| Exit::failed(format!("the host's answer has another shape: {error}")))
}

#[cfg(test)]
mod tests {
    use super::parse_time_ms;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(parse_time_ms("10m"), Ok(600_000));
        assert_eq!(parse_time_ms("90s"), Ok(90_000));
        assert_eq!(parse_time_ms("2h"), Ok(7_200_000));
        for wrong in ["10", "m", "-1s", "1.5h", "99999999999999999999d", "18446744073709551615d"] {
            assert!(parse_time_ms(wrong).is_err(), "{wrong}");
        }
    }
}
