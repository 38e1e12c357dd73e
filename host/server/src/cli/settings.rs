//! Live settings on the command line: shown with their words and bounds, changed as a whole, undone, kept as presets.

use super::client::{Client, url_encoded};
use super::exit::Exit;
use super::show::{print, typed};
use super::text::{clock, printable, table};
use crate::wire::{PresetList, PresetRow, SettingDiff, SettingRow, SettingsAnswer, SettingsForm, SettingsHistory};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

const SETTINGS: &str = "/api/v1/settings";

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Settings {
    /// Changes, such as promotion_window=5. Without any, the settings are shown.
    #[arg(value_name = "NAME=VALUE")]
    changes: Vec<String>,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Change settings, all at once or not at all. `none` turns off what may be off.
    Set {
        #[arg(required = true, value_name = "NAME=VALUE")]
        changes: Vec<String>,
        /// The tag that the settings had when they were read; without one, they are read now.
        #[arg(long, value_name = "ETAG")]
        if_match: Option<String>,
        /// Say what would be changed, and change nothing.
        #[arg(long)]
        dry_run: bool,
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Every setting with its words, bounds and default, and the ceilings that follow.
    Form,
    /// Who changed what, when and why; newest first.
    History {
        #[arg(long, default_value_t = 30)]
        limit: u32,
        /// The answer's next_cursor, for the changes before these.
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Take a change back, as a change of its own.
    Undo {
        /// Its number in the history.
        #[arg(value_name = "SEQ")]
        change: u64,
        #[arg(long)]
        dry_run: bool,
        /// Also where a value has been changed again since.
        #[arg(long)]
        force: bool,
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Values of settings under a name.
    #[command(subcommand)]
    Preset(Preset),
}

#[derive(Subcommand, Debug)]
enum Preset {
    List,
    /// Keep values under a name; without any, all live ones that may be changed.
    Save {
        name: String,
        #[arg(value_name = "NAME=VALUE")]
        values: Vec<String>,
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Make its values the live ones.
    Apply {
        name: String,
        #[arg(long)]
        dry_run: bool,
        #[arg(long, default_value = "")]
        reason: String,
    },
    Delete {
        name: String,
    },
}

pub(crate) fn run(client: &Client, json: bool, order: Settings) -> Result<(), Exit> {
    let Settings { changes, action } = order;
    match action {
        None if changes.is_empty() => print(json, client.fetch(SETTINGS)?, |values: Map<String, Value>| {
            for (name, value) in values {
                println!("{name} = {}", shown(&value));
            }
        }),
        None => set(client, json, &changes, None, false, ""),
        Some(Action::Set {
            changes,
            if_match,
            dry_run,
            reason,
        }) => set(client, json, &changes, if_match, dry_run, &reason),
        Some(Action::Form) => print(json, client.fetch(&format!("{SETTINGS}/form"))?, form),
        Some(Action::History { limit, cursor }) => {
            let cursor = cursor.map(|cursor| format!("&cursor={}", url_encoded(&cursor))).unwrap_or_default();
            print(json, client.fetch(&format!("{SETTINGS}/history?limit={limit}{cursor}"))?, history)
        }
        Some(Action::Undo {
            change,
            dry_run,
            force,
            reason,
        }) => {
            let path = format!("{SETTINGS}/history/{change}/undo?dry_run={dry_run}&force={force}");
            print(json, client.post(&path, &json!({ "reason": reason }))?, changed)
        }
        Some(Action::Preset(Preset::List)) => print(json, client.fetch(&format!("{SETTINGS}/presets"))?, presets),
        Some(Action::Preset(Preset::Save { name, values, note })) => {
            let mut body = json!({ "note": note });
            if !values.is_empty() {
                body["values"] = Value::Object(parsed(&values)?);
            }
            print(json, client.put(&preset(&name), &body)?, |row: PresetRow| {
                eprintln!("preset {} holds {} settings", row.name, row.values.len());
            })
        }
        Some(Action::Preset(Preset::Apply { name, dry_run, reason })) => {
            let path = format!("{}/apply?dry_run={dry_run}&reason={}", preset(&name), url_encoded(&reason));
            print(json, client.post(&path, &json!({}))?, changed)
        }
        Some(Action::Preset(Preset::Delete { name })) => {
            client.delete(&preset(&name))?;
            if json {
                println!("{}", json!({ "deleted": name }));
            } else {
                eprintln!("preset {name} is gone");
            }
            Ok(())
        }
    }
}

fn preset(name: &str) -> String {
    format!("{SETTINGS}/presets/{}", url_encoded(name))
}

fn set(client: &Client, json: bool, changes: &[String], if_match: Option<String>, dry_run: bool, reason: &str) -> Result<(), Exit> {
    let patch = Value::Object(parsed(changes)?);
    let tag = match if_match {
        // As it is printed, or with the quotation marks it has in the header.
        Some(tag) if tag == "*" || tag.starts_with('"') => tag,
        Some(tag) => format!("\"{tag}\""),
        None => client.fetch_tag(SETTINGS)?,
    };
    let path = format!("{SETTINGS}?dry_run={dry_run}&reason={}", url_encoded(reason));
    print(json, client.patch_matching(&path, &patch, &tag)?, changed)
}

/// `NAME=VALUE` as JSON: a number, true, false or a word; `none` is null.
fn parsed(changes: &[String]) -> Result<Map<String, Value>, Exit> {
    let mut patch = Map::new();
    for change in changes {
        let (name, value) = change
            .split_once('=')
            .ok_or_else(|| Exit::usage(format!("'{change}' is not NAME=VALUE")))?;
        let value = match value {
            "none" => Value::Null,
            value => serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_string())),
        };
        if patch.insert(name.to_string(), value).is_some() {
            return Err(Exit::usage(format!("{name} is given twice")));
        }
    }
    Ok(patch)
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "none".to_string(),
        Value::String(text) => printable(text),
        other => other.to_string(),
    }
}

fn differences(changes: &[SettingDiff]) -> String {
    let one = |change: &SettingDiff| format!("{}: {} -> {}", change.name, shown(&change.before), shown(&change.after));
    changes.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn changed(answer: SettingsAnswer) {
    let SettingsAnswer {
        dry_run,
        changes,
        seq,
        etag,
        settings: _,
        ceiling,
    } = answer;
    if changes.is_empty() {
        println!("nothing to change: the live values are these already");
        return;
    }
    for change in &changes {
        println!(
            "{} {}: {} -> {}",
            change.label,
            change.name,
            shown(&change.before),
            shown(&change.after)
        );
    }
    println!("{}", ceiling.words);
    match (dry_run, seq) {
        (true, _) => eprintln!("nothing was changed: this is a dry run"),
        (false, Some(seq)) => eprintln!("changed at {seq} ({etag}); take it back by `pointsman settings undo {seq}`"),
        (false, None) => eprintln!("changed ({etag})"),
    }
}

fn form(form: SettingsForm) {
    for group in form.groups {
        println!("{}{}", group.label, if group.writable { "" } else { " [not changed here]" });
        println!("  {}", group.help);
        let row = |row: SettingRow| {
            let range = match (row.minimum, row.maximum) {
                (Some(minimum), Some(maximum)) => format!("{minimum} to {maximum}"),
                _ => row.choices.join(", "),
            };
            vec![
                format!("  {}", row.name),
                format!("{} {}", shown(&row.value), row.unit).trim_end().to_string(),
                shown(&row.default),
                range,
                row.label,
            ]
        };
        let rows: Vec<Vec<String>> = group.settings.into_iter().map(row).collect();
        table(&["  setting", "live", "default", "range", ""], &rows);
        println!();
    }
    println!("{}", form.capacity.ceiling.words);
    println!("{}", form.capacity.explanation);
    eprintln!("etag {}; `pointsman explain NAME` tells what one means", form.etag);
}

fn history(history: SettingsHistory) {
    let rows: Vec<Vec<String>> = history
        .changes
        .into_iter()
        .map(|change| {
            let cause = match (change.undoes, change.preset) {
                (Some(undone), _) => format!("undoes {undone}"),
                (None, Some(preset)) => format!("preset {preset}"),
                (None, None) => change.cause,
            };
            vec![
                change.seq.to_string(),
                clock(change.at),
                change.actor,
                cause,
                differences(&change.changes),
                printable(&change.reason),
            ]
        })
        .collect();
    table(&["seq", "at", "by", "how", "what", "why"], &rows);
    if let Some(cursor) = history.next_cursor {
        eprintln!("more: --cursor {cursor}");
    }
}

fn presets(list: PresetList) {
    let rows: Vec<Vec<String>> = list
        .presets
        .into_iter()
        .map(|row| {
            let values: Vec<String> = row.values.iter().map(|(name, value)| format!("{name}={}", shown(value))).collect();
            let live = if row.is_live { "live" } else { "" };
            vec![row.name, live.to_string(), row.actor, values.join(" "), printable(&row.note)]
        })
        .collect();
    table(&["preset", "", "by", "values", "note"], &rows);
}

/// `explain NAME`: what a field or a setting means, from the same words as the document. Needs no host.
pub(crate) fn explain(json: bool, name: Option<&str>) -> Result<(), Exit> {
    let fields = crate::http::help_fields();
    let found = match name {
        Some(name) => crate::http::find_help(fields, name),
        None => fields,
    };
    if found.is_empty() {
        let name = name.unwrap_or_default();
        return Err(Exit::not_found(format!(
            "no field of the API is called '{name}'; `pointsman explain` lists all, and `pointsman policy explain CODE` has the codes"
        )));
    }
    if json {
        let list = crate::wire::HelpList { fields: found };
        println!("{}", json!(list));
        return Ok(());
    }
    for field in found {
        println!("{} ({})\n  {}", field.name, field.kind, field.help.replace('\n', "\n  "));
    }
    Ok(())
}

pub(crate) fn health(client: &Client, json: bool) -> Result<(), Exit> {
    let answer = client.fetch("/api/v1/health")?;
    let report: crate::wire::HealthReport = typed(answer.clone())?;
    print(json, answer, |report: crate::wire::HealthReport| {
        println!("{}; {} sources wait", report.status_label, report.queue_depth);
        for part in report.components {
            println!("{:<13} {:<9} {}", part.label, part.status, printable(&part.text));
            if let Some(fix) = part.fix {
                println!("{:<23} fix: {fix}", "");
            }
        }
    })?;
    match report.status.as_str() {
        "down" => Err(Exit::negative("the host is not well")),
        _ => Ok(()),
    }
}

pub(crate) fn snapshot(client: &Client, json: bool) -> Result<(), Exit> {
    print(json, client.fetch("/api/v1/snapshot")?, |snapshot: crate::wire::LiveSnapshot| {
        let age = snapshot.heartbeat.age_ms.map_or("none".to_string(), |age| format!("{age} ms ago"));
        let stale = if snapshot.heartbeat.stale { " STALE" } else { "" };
        println!("heartbeat     {age}{stale}");
        println!("health        {}", snapshot.health.status_label);
        println!("last entry    {}", clock(snapshot.last_updated));
        match snapshot.latest_cycle {
            Some(cycle) => println!("latest cycle  run {} {}: {}", cycle.run, cycle.status_slug, printable(&cycle.title)),
            None => println!("latest cycle  none"),
        }
        println!("promotion     {}", snapshot.promotion_label);
        println!(
            "next eval     at {} successes; {} so far",
            snapshot.next_eval_due, snapshot.successes
        );
        let evaluation = snapshot.evaluation;
        println!(
            "last eval     {}{} {}",
            evaluation.result,
            evaluation.at.map(|at| format!(" at {}", clock(at))).unwrap_or_default(),
            printable(&evaluation.reason)
        );
        if let Some(at) = evaluation.retry_at {
            println!("eval retry    at {}", clock(at));
        }
        match snapshot.last_error {
            Some(error) => println!(
                "last error    {} {} {}: {}",
                clock(error.at),
                error.class,
                error.code,
                printable(&error.text)
            ),
            None => println!("last error    none"),
        }
        match snapshot.oldest_pending {
            Some(oldest) => println!("oldest        source {} for {} s", oldest.source, oldest.age_ms / 1000),
            None => println!("oldest        nothing waits"),
        }
        let percent = |percent: Option<f64>| percent.map_or("-".to_string(), |percent| format!("{percent:.0} %"));
        let (recent, traces) = (snapshot.recent, snapshot.trace_coverage);
        println!(
            "success       {} ({}/{})",
            percent(recent.percent),
            recent.successes,
            recent.outcomes
        );
        println!(
            "traces        {} ({}/{})",
            percent(traces.percent),
            traces.with_trace,
            traces.outcomes
        );
    })
}

pub(crate) fn evidence(client: &Client, json: bool, since: u64) -> Result<(), Exit> {
    print(
        json,
        client.fetch(&format!("/api/v1/evidence?since={since}"))?,
        |evidence: crate::wire::Evidence| {
            let from = evidence.baseline_at.map_or("the beginning".to_string(), clock);
            println!("since {} ({from}), up to {}", evidence.since, evidence.view.seq);
            println!(
                "successes        +{} of {} outcomes",
                evidence.successes_gained, evidence.outcomes_gained
            );
            println!("live applies     +{}", evidence.live_applies_gained);
            println!("rolled back      +{}", evidence.rolled_back_gained);
            println!("queue consumed   +{}", evidence.queue_consumed);
            println!("decisions        +{}", evidence.decisions_gained);
            println!("last switch      {}", evidence.last_model_switch.map_or("none".to_string(), clock));
        },
    )
}
