//! `pointsman queue` and `pointsman campaign`: what waits, in which order, and why.

use super::client::{Client, url_encoded};
use super::exit::Exit;
use super::progress::Progress;
use super::show::print;
use super::text::{clock, duration, printable, table};
use crate::import::Format;
use crate::wire::{
    CampaignList, CampaignRow, Capacity, Excluded, ImportLine, LaneCard, NextPick, QueueSummary, RefusedLine, SourceDetail, SourceList,
};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Subcommand, Debug)]
pub(crate) enum Queue {
    /// Put a source into the queue.
    Add {
        #[arg(long)]
        title: String,
        #[arg(long)]
        host: Option<String>,
        /// The text to train on; without one, the host's own corpus.
        #[arg(long, conflicts_with = "file")]
        body: Option<String>,
        #[arg(long)]
        file: Option<PathBuf>,
        #[arg(long, default_value_t = 0, allow_hyphen_values = true)]
        priority: i32,
    },
    /// Lanes, lock, capacity and what is executing, in figures.
    Status,
    /// Sources, newest first.
    List(List),
    /// One source with its text.
    Show { id: u64 },
    /// What would be picked now, and why not another.
    Next {
        /// Why this source, or why not.
        #[arg(long, value_name = "ID")]
        about: Option<u64>,
    },
    /// Put all sources of a file into the queue. Exit code 3 where lines were refused.
    Import(Import),
    /// Change a source that is not running.
    Edit {
        id: u64,
        #[arg(long)]
        title: Option<String>,
        /// An empty name takes it away from its host.
        #[arg(long)]
        host: Option<String>,
        #[arg(long, conflicts_with = "file")]
        body: Option<String>,
        #[arg(long)]
        file: Option<PathBuf>,
        #[arg(long, allow_hyphen_values = true)]
        priority: Option<i32>,
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Into the other lane.
    Move {
        id: u64,
        /// queue or curriculum
        #[arg(long)]
        lane: String,
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Keep a source from being picked until it is enabled again.
    Disable {
        id: u64,
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Bring a disabled source back.
    Enable {
        id: u64,
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Take a source out of the queue for good.
    Cancel {
        id: u64,
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Run a source now, as a manual run beside the automatic loop.
    Run {
        id: u64,
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Hold selection to one host, or to a campaign (c-3).
    Lock {
        #[arg(value_name = "HOST|CAMPAIGN")]
        value: String,
        /// It is a campaign's name and no host's.
        #[arg(long)]
        campaign: bool,
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Let the lock go.
    Unlock {
        #[arg(long, default_value = "")]
        reason: String,
    },
}

#[derive(Args, Debug)]
pub(crate) struct List {
    /// open, pending, waiting, running, disabled, done, given_up or cancelled
    #[arg(long)]
    status: Option<String>,
    /// queue or curriculum
    #[arg(long)]
    lane: Option<String>,
    /// An empty one stands for no host.
    #[arg(long)]
    host: Option<String>,
    /// ui, api, cli, campaign, curriculum, or other for any but ui
    #[arg(long)]
    origin: Option<String>,
    #[arg(long)]
    campaign: Option<String>,
    /// Text in the title.
    #[arg(long)]
    text: Option<String>,
    #[arg(long, default_value_t = 30)]
    limit: u32,
    /// The answer's next_cursor, for the sources before these.
    #[arg(long)]
    cursor: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Import {
    /// A .jsonl or .csv file.
    file: PathBuf,
    /// jsonl or csv; default: by the file's name.
    #[arg(long)]
    format: Option<String>,
    /// Names the import: what was taken under it is not taken again. Default: made from the file's content.
    #[arg(long)]
    nonce: Option<String>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Campaign {
    /// Put N sources of one definition into the queue.
    Start {
        #[arg(long)]
        title: String,
        /// Sources to be made.
        #[arg(long)]
        size: u32,
        #[arg(long)]
        host: Option<String>,
        #[arg(long, conflicts_with = "file")]
        body: Option<String>,
        #[arg(long)]
        file: Option<PathBuf>,
        #[arg(long, default_value_t = 0, allow_hyphen_values = true)]
        priority: i32,
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Campaigns, newest first.
    List {
        #[arg(long, default_value_t = 30)]
        limit: u32,
    },
    /// One campaign: how far it is.
    Show {
        #[arg(value_name = "ID")]
        campaign: String,
    },
    /// Take out what is left of it; its runs go on to their end.
    Cancel {
        #[arg(value_name = "ID")]
        campaign: String,
        /// End its runs, too.
        #[arg(long)]
        end_runs: bool,
        #[arg(long, default_value = "")]
        reason: String,
    },
}

fn text_of(body: Option<String>, file: Option<PathBuf>) -> Result<Option<String>, Exit> {
    match (body, file) {
        (Some(body), _) => Ok(Some(body)),
        (None, Some(file)) => std::fs::read_to_string(&file)
            .map(Some)
            .map_err(|error| Exit::failed(format!("{} cannot be read: {error}", file.display()))),
        (None, None) => Ok(None),
    }
}

pub(crate) fn queue(client: &Client, json: bool, order: Queue) -> Result<ExitCode, Exit> {
    let verb = |id: u64, verb: &str, reason: &str, said: &str| {
        let path = format!("/api/v1/sources/{id}/{verb}");
        super::show::post(client, json, &path, reason, &format!("source {id} {said}"))
    };
    match order {
        Queue::Add {
            title,
            host,
            body,
            file,
            priority,
        } => {
            let body = text_of(body, file)?.unwrap_or_default();
            let body = json!({ "title": title, "host": host, "body": body, "priority": priority, "origin": "cli" });
            said(json, client.post("/api/v1/sources", &body)?, |answer| {
                format!("source {}", answer["source"])
            });
        }
        Queue::Status => print(json, client.fetch("/api/v1/queue")?, |summary: QueueSummary| status(&summary))?,
        Queue::List(asked) => list(client, json, &asked)?,
        Queue::Show { id } => print(json, client.fetch(&format!("/api/v1/sources/{id}"))?, |detail: SourceDetail| {
            show(&detail)
        })?,
        Queue::Next { about } => {
            let about = about.map(|id| format!("?source={id}")).unwrap_or_default();
            print(json, client.fetch(&format!("/api/v1/sources/next{about}"))?, |next: NextPick| {
                tell_next(&next)
            })?;
        }
        Queue::Import(asked) => return import(client, json, &asked),
        Queue::Edit {
            id,
            title,
            host,
            body,
            file,
            priority,
            reason,
        } => {
            let mut edit = json!({ "reason": reason });
            let body = text_of(body, file)?;
            let changes = [
                ("title", title.map(Value::from)),
                ("host", host.map(Value::from)),
                ("body", body.map(Value::from)),
                ("priority", priority.map(Value::from)),
            ];
            for (name, value) in changes {
                if let Some(value) = value {
                    edit[name] = value;
                }
            }
            let answer = client.patch(&format!("/api/v1/sources/{id}"), &edit)?;
            said(json, answer, |_| format!("source {id} is changed"));
        }
        Queue::Move { id, lane, reason } => {
            let body = json!({ "lane": lane, "reason": reason });
            let answer = client.post(&format!("/api/v1/sources/{id}/move"), &body)?;
            said(json, answer, |_| format!("source {id} is in the lane {lane}"));
        }
        Queue::Disable { id, reason } => verb(id, "disable", &reason, "is disabled")?,
        Queue::Enable { id, reason } => verb(id, "enable", &reason, "is enabled")?,
        Queue::Cancel { id, reason } => verb(id, "cancel", &reason, "has left")?,
        Queue::Run { id, reason } => {
            let answer = client.post(&format!("/api/v1/sources/{id}/run"), &json!({ "reason": reason }))?;
            said(json, answer, |answer| format!("source {id} runs as run {}", answer["run"]));
        }
        Queue::Lock { value, campaign, reason } => {
            let key = if campaign { "campaign" } else { "host" };
            let body = json!({ "key": key, "value": value, "reason": reason });
            said(json, client.post("/api/v1/queue/lock", &body)?, |_| {
                format!("selection is held to {key} {value}")
            });
        }
        Queue::Unlock { reason } => {
            let answer = client.post("/api/v1/queue/unlock", &json!({ "reason": reason }))?;
            said(json, answer, |_| "the lock is free".to_string());
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn campaign(client: &Client, json: bool, order: Campaign) -> Result<(), Exit> {
    match order {
        Campaign::Start {
            title,
            size,
            host,
            body,
            file,
            priority,
            reason,
        } => {
            let body = text_of(body, file)?.unwrap_or_default();
            let body = json!({ "title": title, "size": size, "host": host, "body": body, "priority": priority, "reason": reason });
            let answer = client.post("/api/v1/campaigns", &body)?;
            said(json, answer, |answer| {
                format!("campaign {} with {size} sources", answer["campaign"])
            });
            Ok(())
        }
        Campaign::List { limit } => print(
            json,
            client.fetch(&format!("/api/v1/campaigns?limit={limit}"))?,
            |list: CampaignList| {
                let rows: Vec<Vec<String>> = list.campaigns.iter().map(campaign_line).collect();
                table(
                    &["id", "state", "done", "queued", "running", "failed", "cancelled", "host", "title"],
                    &rows,
                );
            },
        ),
        Campaign::Show { campaign } => {
            let path = format!("/api/v1/campaigns/{}", url_encoded(&campaign));
            print(json, client.fetch(&path)?, |row: CampaignRow| {
                table(
                    &["id", "state", "done", "queued", "running", "failed", "cancelled", "host", "title"],
                    &[campaign_line(&row)],
                );
                println!("queued     {} by {} {}", clock(row.queued_at), row.by, printable(&row.reason));
                for (what, at) in [("started", row.started_at), ("finished", row.finished_at)] {
                    println!("{what:<10} {}", at.map(clock).unwrap_or_else(|| "-".to_string()));
                }
                if row.holds_lock {
                    println!("holds the lock");
                }
            })
        }
        Campaign::Cancel {
            campaign,
            end_runs,
            reason,
        } => {
            let path = format!("/api/v1/campaigns/{}/cancel", url_encoded(&campaign));
            let answer = client.post(&path, &json!({ "reason": reason, "end_runs": end_runs }))?;
            said(json, answer, |_| format!("what was left of campaign {campaign} is taken out"));
            Ok(())
        }
    }
}

fn campaign_line(row: &CampaignRow) -> Vec<String> {
    vec![
        row.name.clone(),
        row.state.clone(),
        format!("{}/{} ({:.0} %)", row.done, row.total, row.percent),
        row.queued.to_string(),
        row.running.to_string(),
        row.failed.to_string(),
        row.cancelled.to_string(),
        row.host.clone().unwrap_or_default(),
        printable(&row.title),
    ]
}

fn said(json: bool, answer: Value, words: impl FnOnce(&Value) -> String) {
    if json {
        println!("{answer}");
    } else {
        println!("{}", words(&answer));
    }
}

fn list(client: &Client, json: bool, asked: &List) -> Result<(), Exit> {
    let mut query = String::new();
    let parts = [
        ("status", &asked.status),
        ("lane", &asked.lane),
        ("host", &asked.host),
        ("origin", &asked.origin),
        ("campaign", &asked.campaign),
        ("text", &asked.text),
    ];
    for (name, value) in parts {
        if let Some(value) = value {
            query += &format!("&{name}={}", url_encoded(value));
        }
    }
    let mut cursor = asked.cursor.clone();
    let mut found: Option<Value> = None;
    // A page of what is rare may be short: its cursor goes on. Each page starts below the one before, so this ends.
    loop {
        let have = found.as_ref().and_then(|found| found["sources"].as_array()).map_or(0, Vec::len) as u32;
        let at = cursor
            .as_ref()
            .map(|cursor| format!("&cursor={}", url_encoded(cursor)))
            .unwrap_or_default();
        let page = client.fetch(&format!("/api/v1/sources?limit={}{query}{at}", asked.limit - have))?;
        cursor = page["next_cursor"].as_str().map(String::from);
        let found = match &mut found {
            None => found.insert(page),
            Some(found) => {
                let more = page["sources"].as_array().cloned().unwrap_or_default();
                if let Some(rows) = found["sources"].as_array_mut() {
                    rows.extend(more);
                }
                found["next_cursor"] = page["next_cursor"].clone();
                found
            }
        };
        let have = found["sources"].as_array().map_or(0, Vec::len) as u32;
        if cursor.is_none() || have >= asked.limit {
            break;
        }
    }
    print(json, found.unwrap_or_default(), |list: SourceList| {
        let next = list.next_cursor.clone();
        let rows: Vec<Vec<String>> = list
            .sources
            .into_iter()
            .map(|row| {
                vec![
                    row.id.to_string(),
                    row.status,
                    row.lane,
                    row.origin,
                    row.host.unwrap_or_default(),
                    row.priority.to_string(),
                    row.attempts.to_string(),
                    printable(&row.title),
                ]
            })
            .collect();
        table(&["id", "status", "lane", "origin", "host", "priority", "attempts", "title"], &rows);
        if let Some(next) = next {
            eprintln!("more: --cursor {next}");
        }
    })
}

fn show(detail: &SourceDetail) {
    let row = &detail.row;
    println!("source     {} {}", row.id, printable(&row.title));
    let why = row
        .reason
        .as_deref()
        .map(|reason| format!(": {}", printable(reason)))
        .unwrap_or_default();
    println!("status     {}{why}", row.status_label);
    println!("lane       {} from {}, priority {}", row.lane, row.origin, row.priority);
    println!("host       {}", row.host.as_deref().unwrap_or("-"));
    println!("queued     {}, {} attempts", clock(row.queued_at), row.attempts);
    if let Some(marker) = &detail.marker {
        println!("marker     {marker}");
    }
    if !detail.runs.is_empty() {
        let runs: Vec<String> = detail.runs.iter().map(u64::to_string).collect();
        println!("runs       {}", runs.join(" "));
    }
    if !detail.body.is_empty() {
        println!("\n{}", detail.body.lines().map(printable).collect::<Vec<_>>().join("\n"));
    }
}

fn status(summary: &QueueSummary) {
    let QueueSummary {
        at,
        queue,
        capacity,
        outcomes,
        alerts: _,
    } = summary;
    let lane = |name: &str, lane: &LaneCard| {
        let oldest = match (lane.oldest, lane.oldest_queued_at) {
            (Some(id), Some(since)) => format!(", oldest {id} for {}", duration(at.saturating_sub(since))),
            _ => String::new(),
        };
        let shut = if lane.open { "" } else { ", shut" };
        println!(
            "{name:<10} {} pending ({} ui, {} other{oldest}){shut}",
            lane.pending, lane.ui, lane.other
        );
    };
    println!("{}", queue.sentence);
    lane("queue", &queue.queue);
    lane("curriculum", &queue.curriculum);
    println!(
        "backlog    {} hosts, {} waiting for another attempt, {} disabled, {} campaigns under way",
        queue.pending_hosts, queue.waiting, queue.disabled, queue.campaigns_open
    );
    println!("fallback   {}", queue.fallback_text);
    println!("hosts      {}", queue.host_policy);
    if let Some(lock) = &queue.lock {
        let holder = lock.holder.map(|holder| format!(" for c-{holder}")).unwrap_or_default();
        println!(
            "lock       {} {}{holder} since {} by {}",
            lock.key,
            lock.value,
            clock(lock.since),
            lock.by
        );
    }
    tell_capacity(capacity);
    for row in &queue.now {
        let host = row.host.as_deref().unwrap_or("-");
        println!(
            "now        run {} ({}, {}): source {} {} on {host}, attempt {}",
            row.run,
            row.class,
            row.lane,
            row.source,
            printable(&row.title),
            row.attempt
        );
    }
    if let Some(reason) = &queue.idle_reason {
        println!("idle       {reason}");
    }
    println!(
        "outcomes   {} ({}; {} entries in {:.1} MB)",
        outcomes.outcomes,
        outcomes.status,
        outcomes.entries,
        outcomes.bytes as f64 / 1e6
    );
}

pub(crate) fn tell_capacity(capacity: &Capacity) {
    let since = capacity.since.map(|since| format!(" since {}", clock(since))).unwrap_or_default();
    let by = match (capacity.by.is_empty(), capacity.reason.is_empty()) {
        (true, _) => String::new(),
        (false, true) => format!(" by {}", capacity.by),
        (false, false) => format!(" by {}: {}", capacity.by, printable(&capacity.reason)),
    };
    println!("training   wanted {}, is {}{since}{by}", capacity.desired, capacity.actual);
    println!("slots      {}", capacity.explanation);
}

fn tell_next(next: &NextPick) {
    println!("{}", next.sentence);
    for hold in &next.holds {
        println!("held       {}{}", hold.text, cure(hold));
    }
    let line = |what: &str, row: &crate::wire::NextCandidate| {
        let score = row.score.map(|score| format!(", score {score:.3}")).unwrap_or_default();
        let terms: Vec<String> = row.terms.iter().map(|term| format!("{} {:.3}", term.name, term.value)).collect();
        let terms = if terms.is_empty() {
            String::new()
        } else {
            format!(" = {}", terms.join(" + "))
        };
        let blocked = if row.blocked.is_empty() {
            String::new()
        } else {
            format!(", kept out by {}", row.blocked.join(", "))
        };
        println!(
            "{what:<10} {} {} [{} {}]{score}{terms}{blocked}",
            row.source,
            printable(&row.title),
            row.lane,
            row.host.as_deref().unwrap_or("-")
        );
    };
    next.picks.iter().for_each(|row| line("picks", row));
    next.others.iter().take(10).for_each(|row| line("not", row));
    let more = next.others.len().saturating_sub(10) + next.left_out as usize;
    if more > 0 {
        println!("           and {more} more");
    }
    for rule in &next.excluded {
        let sources = rule.sources.map(|sources| format!("{sources} sources: ")).unwrap_or_default();
        println!("out        {sources}{}{}", rule.text, cure(rule));
    }
    if let Some(decision) = &next.decision {
        for reason in &decision.reasons {
            println!("why        {} ({})", printable(&reason.text), decision.policy);
        }
    }
    if let Some(about) = &next.about {
        let word = match (about.picked, about.candidate) {
            (true, _) => "is picked",
            (false, true) => "is a candidate and not picked",
            (false, false) => "is no candidate",
        };
        println!("source {} {word}", about.source);
        for reason in &about.reasons {
            println!("           {}", reason.text);
        }
    }
}

fn cure(rule: &Excluded) -> String {
    rule.fix.as_ref().map(|fix| format!(" Fix: {fix}")).unwrap_or_default()
}

fn import(client: &Client, json: bool, asked: &Import) -> Result<ExitCode, Exit> {
    let Import { file, format, nonce } = asked;
    let format = format_of(file, format.as_deref())?;
    let unreadable = |error: std::io::Error| Exit::failed(format!("{} cannot be read: {error}", file.display()));
    let total = std::fs::metadata(file).map_err(unreadable)?.len();
    let nonce = match nonce {
        Some(nonce) => nonce.clone(),
        None => {
            let mut hasher = blake3::Hasher::new();
            std::io::copy(&mut std::fs::File::open(file).map_err(unreadable)?, &mut hasher).map_err(unreadable)?;
            format!("file-{}", &hasher.finalize().to_hex()[..32])
        }
    };
    let path = format!("/api/v1/sources/import?origin=cli&nonce={}", url_encoded(&nonce));
    let mut progress = Progress::new("bytes");
    let mut source = Counted {
        file: std::io::BufReader::new(std::fs::File::open(file).map_err(unreadable)?),
        read: 0,
        total,
        progress: &mut progress,
    };
    let mut refused: Vec<RefusedLine> = Vec::new();
    let mut report = None;
    let sent = client.send_lines(&path, format.content_type(), &mut source, |line| match line {
        ImportLine::Started { .. } | ImportLine::Progress(_) => Ok(()),
        ImportLine::Refused(line) => {
            refused.push(line);
            Ok(())
        }
        ImportLine::Report(found) => {
            report = Some(found);
            Ok(())
        }
        ImportLine::Problem(problem) => Err(Exit::problem(*problem)),
    });
    progress.end();
    for line in refused.iter().filter(|_| !json) {
        let field = if line.field.is_empty() {
            String::new()
        } else {
            format!("{}: ", line.field)
        };
        eprintln!(
            "{}:{}: {field}{}. Fix: {}",
            file.display(),
            line.line,
            printable(&line.problem),
            line.fix
        );
    }
    sent?;
    let report = report.ok_or_else(|| Exit::failed("the host ended without a report: send the same file again"))?;
    if json {
        println!("{}", json!({ "report": report, "refused": refused }));
    } else {
        let known = if report.known > 0 {
            format!(", {} were there already", report.known)
        } else {
            String::new()
        };
        println!(
            "{} sources queued{known}; {} of {} lines refused",
            report.queued, report.refused, report.lines
        );
    }
    Ok(if report.refused > 0 {
        ExitCode::from(Exit::NEGATIVE)
    } else {
        ExitCode::SUCCESS
    })
}

fn format_of(file: &Path, named: Option<&str>) -> Result<Format, Exit> {
    let word = match named {
        Some(word) => word.to_string(),
        None => file
            .extension()
            .map(|word| word.to_string_lossy().to_ascii_lowercase())
            .unwrap_or_default(),
    };
    Format::parse(&word).ok_or_else(|| {
        Exit::usage(format!(
            "{}: it cannot be told whether this is jsonl or csv; say --format",
            file.display()
        ))
    })
}

/// A file that tells how much of it has been read.
struct Counted<'p, R> {
    file: R,
    read: u64,
    total: u64,
    progress: &'p mut Progress,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.read += read as u64;
        self.progress.tell(self.read, self.total);
        Ok(read)
    }
}
