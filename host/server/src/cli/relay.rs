//! `relay`, `memory`, `sinks`: the way from a queued source to what standard requests get of it.

use super::client::{Client, url_encoded};
use super::exit::Exit;
use super::show::print;
use super::text::{clock, duration, printable, table};
use crate::wire::{MemoryAnswer, MemoryStatus, SinkList};
use clap::Subcommand;
use serde_json::json;
use std::path::PathBuf;

#[derive(Subcommand, Debug)]
pub(crate) enum Relay {
    /// Four steps: queue intake, training execution, learning ingest, standard task reuse.
    Status,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Memory {
    /// How far it is, and what it holds.
    Status,
    /// Records that hold all of the words, best first.
    Search {
        #[arg(required = true, num_args = 1..)]
        text: Vec<String>,
        #[arg(long, default_value_t = 10)]
        limit: u32,
    },
    /// Throw it away and read it from the journal again: nothing is lost.
    Rebuild,
}

#[derive(Subcommand, Debug)]
pub(crate) enum SinkOrder {
    /// How far each is, and what keeps it.
    Status,
    /// Whether a file of sinks would be taken. Needs no host.
    Check { file: PathBuf },
}

pub(crate) fn status(client: &Client, json: bool) -> Result<(), Exit> {
    print(json, client.fetch("/api/v1/relay")?, |relay: crate::wire::Relay| {
        match relay.reason.as_str() {
            "" => println!("relay {}", relay.status),
            reason => println!("relay {}: {}", relay.status, printable(reason)),
        }
        let rows: Vec<Vec<String>> = relay
            .steps
            .into_iter()
            .map(|step| {
                let latest = match (step.latest_id, step.latest_at) {
                    (Some(id), Some(at)) => format!("{id} at {}", clock(at)),
                    (id, _) => id.unwrap_or_default(),
                };
                vec![
                    step.label,
                    step.state_label,
                    step.count_30m.to_string(),
                    step.backlog.to_string(),
                    latest,
                    printable(&step.detail),
                ]
            })
            .collect();
        table(&["step", "state", "30 min", "waits", "latest", ""], &rows);
        if let Some(wait) = relay.gate_blocked {
            println!("{} waits: {}; again at {}", wait.candidate, wait.reason, clock(wait.retry_at));
        }
        match relay.latest_success {
            Some(success) => println!(
                "latest success  run {} of source {} at {}: {}",
                success.run,
                success.source,
                clock(success.at),
                printable(&success.title)
            ),
            None => println!("latest success  none"),
        }
        let coverage = relay.trace_coverage;
        println!("traces          {} of {} recent outcomes", coverage.with_trace, coverage.outcomes);
    })
}

pub(crate) fn memory(client: &Client, json: bool, order: Memory) -> Result<(), Exit> {
    match order {
        Memory::Status => print(json, client.fetch("/api/v1/memory?limit=1")?, |answer: MemoryAnswer| {
            tell(&answer.status)
        }),
        Memory::Search { text, limit } => {
            let path = format!("/api/v1/memory?limit={limit}&q={}", url_encoded(&text.join(" ")));
            print(json, client.fetch(&path)?, |answer: MemoryAnswer| {
                if answer.records.is_empty() {
                    eprintln!("nothing that is remembered holds all of these words");
                }
                for record in answer.records {
                    let host = record.host.map(|host| format!(" ({})", printable(&host))).unwrap_or_default();
                    println!("run {}{host} {}", record.run, printable(&record.title));
                    println!("  {}", printable(&record.summary));
                    if let Some(line) = record.text.lines().find(|line| !line.trim().is_empty()) {
                        println!("  {}", printable(line.trim()));
                    }
                }
            })
        }
        Memory::Rebuild => print(json, client.post("/api/v1/memory/rebuild", &json!({}))?, |answer: MemoryAnswer| {
            println!("the learning memory is read from the journal again; `pointsman memory status` tells how far it is");
            tell(&answer.status);
        }),
    }
}

fn tell(status: &MemoryStatus) {
    println!("state       {}", status.state_label);
    if let Some(problem) = &status.problem {
        println!("problem     {}", printable(problem));
    }
    if let Some(why) = &status.rebuilt_because {
        println!("built anew  {}", printable(why));
    }
    println!("outcomes    {}; {} to come", status.outcomes, status.backlog);
    println!(
        "records     {} successes, {} failures, {} KiB",
        status.successes,
        status.failures,
        status.bytes >> 10
    );
    println!(
        "ingested    {} in 30 minutes, journal read up to {}",
        status.ingested_30m, status.cursor
    );
    if let (Some(run), Some(at)) = (status.latest_run, status.latest_at) {
        println!("latest      run {run}, ended at {}", clock(at));
    }
}

pub(crate) fn sinks(client: &Client, json: bool, order: SinkOrder) -> Result<(), Exit> {
    match order {
        SinkOrder::Status => print(json, client.fetch("/api/v1/sinks")?, |list: SinkList| {
            if list.sinks.is_empty() {
                eprintln!("there are no sinks; `pointsman up --sinks FILE` names some, and docs/learning.md tells how");
                return;
            }
            let now = crate::clock::now_ms();
            let rows: Vec<Vec<String>> = list
                .sinks
                .into_iter()
                .map(|sink| {
                    let more = if sink.lag_is_more { "+" } else { "" };
                    let problem = match (sink.problem, sink.next_try_at) {
                        (Some(problem), Some(at)) => {
                            format!("{}; again in {}", printable(&problem), duration(at.saturating_sub(now)))
                        }
                        (problem, _) => problem.unwrap_or_default(),
                    };
                    vec![
                        sink.name,
                        sink.kind,
                        printable(&sink.target),
                        sink.state_label,
                        format!("{}{more}", sink.lag),
                        sink.delivered.to_string(),
                        problem,
                    ]
                })
                .collect();
            table(&["sink", "kind", "to", "state", "lag", "delivered", ""], &rows);
        }),
        SinkOrder::Check { file } => {
            let sinks = crate::sinks::read(&file).map_err(|error| Exit::failed(format!("{:#}", anyhow::Error::new(error))))?;
            let told: Vec<_> = sinks
                .iter()
                .map(|sink| json!({ "name": sink.name, "kind": sink.kind.slug(), "target": sink.kind.target(), "events": sink.events }))
                .collect();
            if json {
                println!("{}", json!({ "sinks": told }));
            } else {
                for sink in &sinks {
                    println!("{} {} {}", sink.name, sink.kind.slug(), printable(&sink.kind.target()));
                }
                eprintln!("{} sinks; a host takes them at its start", sinks.len());
            }
            Ok(())
        }
    }
}
