//! Commands that ask the host and print the answer.

use super::client::{Client, url_encoded};
use super::exit::Exit;
use super::text::{bits, clock, duration, printable, table};
use crate::wire::{Capacity, Dashboard, DecisionDetail, DecisionList, DecisionRow, JobDetail, JobList, ModelList};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::io::Write;

pub(super) fn typed<T: DeserializeOwned>(value: Value) -> Result<T, Exit> {
    serde_json::from_value(value).map_err(|error| {
        Exit::failed(format!(
            "this host's answer has another shape than expected ({error}): are both of one version?"
        ))
    })
}

/// Prints JSON as it came, or in words.
pub(crate) fn print<T: DeserializeOwned>(json: bool, value: Value, words: impl FnOnce(T)) -> Result<(), Exit> {
    if json {
        println!("{value}");
        return Ok(());
    }
    words(typed(value)?);
    Ok(())
}

pub(crate) fn status(client: &Client, json: bool) -> Result<(), Exit> {
    print(json, client.fetch("/api/v1/state")?, |state: Dashboard| {
        let Dashboard {
            training,
            window,
            totals,
            active,
            candidate,
            policies,
            next_action,
            alerts,
            pipeline,
            ..
        } = state;
        println!(
            "training   {}{}",
            training.label,
            if training.reason.is_empty() {
                String::new()
            } else {
                format!(" ({}: {})", training.by, printable(&training.reason))
            }
        );
        for stage in pipeline {
            println!("{:<10} {} {}", stage.label.to_lowercase(), stage.count, stage.detail);
        }
        println!("window     {} of {}: {}", window.done, window.size, window.state_label);
        match active {
            Some(model) => println!("live       {} at {} bits per byte", model.tag, bits(model.mean)),
            None => println!("live       no model yet"),
        }
        if let Some(candidate) = candidate {
            println!(
                "candidate  {} {}: {} bits per byte, {} has {}",
                candidate.tag,
                candidate.stage_label.to_lowercase(),
                bits(candidate.candidate_mean),
                candidate.baseline,
                bits(candidate.baseline_mean)
            );
        }
        println!(
            "so far     {} applied, {} rejected, {} rolled back; {} decisions, {} by a fallback; {} policy swaps",
            totals.live_applies, totals.rejected, totals.rolled_back, totals.decisions, totals.fallbacks, totals.swaps
        );
        for card in policies {
            println!(
                "policy     {:<17} {}@{} ({}, generation {})",
                card.kind, card.name, card.version, card.engine, card.generation
            );
        }
        for alert in alerts {
            println!(
                "{:<10} {}{}",
                alert.level,
                printable(&alert.text),
                alert.fix.map(|fix| format!(" Fix: {fix}")).unwrap_or_default()
            );
        }
        println!("next       {next_action}");
    })
}

pub(crate) fn capacity(client: &Client, json: bool) -> Result<(), Exit> {
    print(json, client.fetch("/api/v1/training")?, |capacity: Capacity| {
        super::queue::tell_capacity(&capacity)
    })
}

pub(crate) fn train_start(client: &Client, json: bool, reason: &str, automatic: bool) -> Result<(), Exit> {
    let answer = client.post("/api/v1/training/start", &json!({ "reason": reason, "automatic": automatic }))?;
    println!("{}", if json { answer.to_string() } else { "training is on".to_string() });
    Ok(())
}

pub(crate) fn jobs(client: &Client, json: bool, status: Option<&str>, limit: u32) -> Result<(), Exit> {
    let status = status.map(|status| format!("&status={}", url_encoded(status))).unwrap_or_default();
    print(
        json,
        client.fetch(&format!("/api/v1/jobs?limit={limit}{status}"))?,
        |list: JobList| {
            let rows: Vec<Vec<String>> = list
                .jobs
                .into_iter()
                .map(|job| {
                    vec![
                        job.id.to_string(),
                        job.status_slug,
                        job.class,
                        job.host.unwrap_or_default(),
                        job.attempt.to_string(),
                        job.started_at
                            .zip(job.finished_at)
                            .map(|(from, to)| duration(to.saturating_sub(from)))
                            .unwrap_or_default(),
                        bits(job.loss),
                        job.model.unwrap_or_default(),
                        printable(
                            &job.error
                                .map_or(job.name, |error| error.lines().next().unwrap_or_default().to_string()),
                        ),
                    ]
                })
                .collect();
            table(
                &["id", "status", "class", "host", "try", "took", "loss", "model", "name or error"],
                &rows,
            );
        },
    )
}

pub(crate) fn job(client: &Client, json: bool, id: u64) -> Result<(), Exit> {
    print(json, client.fetch(&format!("/api/v1/jobs/{id}"))?, |detail: JobDetail| {
        let JobDetail {
            row,
            points,
            log,
            artifacts,
        } = detail;
        println!(
            "run {} {}: {} ({}, attempt {})",
            row.id,
            row.status_label.to_lowercase(),
            printable(&row.name),
            row.class,
            row.attempt
        );
        if let Some(error) = row.error {
            println!("{}: {}", row.failure_class.unwrap_or_default(), printable(&error));
        }
        if let Some((step, loss, held_out)) = points.last() {
            println!(
                "{} points; step {step}: loss {}, held out {}",
                points.len(),
                bits(*loss),
                bits(*held_out)
            );
        }
        for artifact in artifacts {
            println!("made {}", printable(&artifact));
        }
        for line in log {
            println!("  {}", printable(&line));
        }
    })
}

pub(crate) fn job_log(client: &Client, id: u64) -> Result<(), Exit> {
    let bytes = client.fetch_bytes(&format!("/api/v1/jobs/{id}/log"))?;
    std::io::stdout().write_all(&bytes).map_err(|error| Exit::failed(error.to_string()))
}

pub(crate) fn post(client: &Client, json: bool, path: &str, reason: &str, done: &str) -> Result<(), Exit> {
    let answer = client.post(path, &json!({ "reason": reason }))?;
    if json {
        println!("{answer}")
    } else {
        eprintln!("{done}")
    }
    Ok(())
}

pub(crate) fn models(client: &Client, json: bool) -> Result<(), Exit> {
    print(json, client.fetch("/api/v1/models")?, |list: ModelList| {
        let rows: Vec<Vec<String>> = list
            .models
            .into_iter()
            .map(|model| {
                vec![
                    model.tag,
                    if model.live {
                        "live"
                    } else if model.retired_at.is_some() {
                        "retired"
                    } else if model.pinned.is_some() {
                        "pinned"
                    } else {
                        ""
                    }
                    .to_string(),
                    model.parent.unwrap_or_default(),
                    model.host.unwrap_or_default(),
                    model.run.to_string(),
                    clock(model.made_at),
                    model.digest[..12.min(model.digest.len())].to_string(),
                ]
            })
            .collect();
        table(&["model", "", "parent", "host", "run", "made", "digest"], &rows);
        for change in list.live {
            println!(
                "{} {} {}{}",
                clock(change.at),
                change.model,
                change.cause.replace('_', " "),
                change.before.map(|before| format!(", before it {before}")).unwrap_or_default()
            );
        }
    })
}

pub(crate) fn complete(client: &Client, json: bool, body: Value) -> Result<(), Exit> {
    let prompt = body["prompt"].as_str().unwrap_or_default().to_string();
    let answer = client.post("/v1/completions", &body)?;
    if json {
        println!("{answer}");
    } else {
        let text = answer["choices"][0]["text"].as_str().unwrap_or_default();
        println!("{prompt}{}", text.split('\n').map(printable).collect::<Vec<_>>().join("\n"));
        eprintln!("[{}]", answer["model"].as_str().unwrap_or_default());
    }
    Ok(())
}

pub(crate) fn decisions(client: &Client, json: bool, kind: Option<&str>, limit: u32) -> Result<(), Exit> {
    let kind = kind.map(|kind| format!("&kind={}", url_encoded(kind))).unwrap_or_default();
    print(
        json,
        client.fetch(&format!("/api/v1/decisions?limit={limit}{kind}"))?,
        |list: DecisionList| {
            for row in list.decisions {
                println!("{}", decision_line(&row));
            }
        },
    )
}

/// A decision in one line.
pub(crate) fn decision_line(row: &DecisionRow) -> String {
    let reason = row
        .reasons
        .first()
        .map(|reason| format!(": {}", printable(&reason.text)))
        .unwrap_or_default();
    let link = if row.link == "active" {
        String::new()
    } else {
        format!(" [{}]", row.link)
    };
    format!(
        "{} d{} {} {}{reason} ({}{link}, {} us)",
        clock(row.at),
        row.id,
        row.kind,
        printable(&row.summary),
        printable(&row.policy),
        row.micros
    )
}

pub(crate) fn decision(client: &Client, json: bool, id: u64) -> Result<(), Exit> {
    print(json, client.fetch(&format!("/api/v1/decisions/{id}"))?, |detail: DecisionDetail| {
        let row = &detail.row;
        println!(
            "decision {} at {} (journal {}): {} {}",
            row.id,
            clock(row.at),
            row.seq,
            row.kind,
            printable(&row.summary)
        );
        println!("subject  {}", printable(&row.subject));
        println!(
            "policy   {} {} generation {}, {} on {}",
            printable(&row.policy),
            &row.digest[..12.min(row.digest.len())],
            row.generation,
            row.link,
            printable(&row.engine)
        );
        println!(
            "cost     {} us{}",
            row.micros,
            row.fuel.map(|fuel| format!(", {fuel} fuel")).unwrap_or_default()
        );
        for reason in &row.reasons {
            let numbers = [("value", reason.value), ("threshold", reason.threshold), ("margin", reason.margin)];
            let numbers: Vec<String> = numbers
                .iter()
                .filter_map(|(name, number)| number.map(|number| format!("{name} {number:.4}")))
                .collect();
            println!(
                "reason   {}: {}{}",
                printable(&reason.code),
                printable(&reason.text),
                if numbers.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", numbers.join(", "))
                }
            );
        }
        for declined in &row.declined {
            println!(
                "asked before: {} {} did not answer: {} {}",
                declined.link,
                printable(&declined.policy),
                declined.class,
                printable(&declined.detail)
            );
        }
        println!("context  {}", detail.context_digest);
        println!("{:#}", detail.context);
    })
}
