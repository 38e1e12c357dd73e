//! `pointsman watch`: a viewer like the page, in lines. It keeps what it holds and resumes after a lost connection.

use super::exit::Exit;
use super::show::decision_line;
use super::text::{bits, clock, printable};
use crate::wire::{Dashboard, Frame, JobRow};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use std::process::ExitCode;
use std::time::Duration;
use tokio_tungstenite::tungstenite::{self, Message};

/// Pauses between tries to connect again; the last one is kept.
const PAUSES_MS: [u64; 5] = [250, 500, 1_000, 2_000, 5_000];
/// A host that says nothing for so long, not even a ping, is gone.
const SILENCE_MAX: Duration = Duration::from_secs(60);

pub(crate) fn watch(url: &str, json: bool) -> Result<ExitCode, Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Exit::failed(error.to_string()))?;
    runtime.block_on(async {
        tokio::select! {
            ended = follow(url, json) => ended,
            _ = tokio::signal::ctrl_c() => Ok(ExitCode::from(130)),
        }
    })
}

/// What a viewer holds: the read model with its epoch and position.
#[derive(Default)]
pub struct Held {
    epoch: String,
    seq: u64,
    state: Option<Value>,
}

/// A frame that does not fit what is held: the viewer starts over.
#[derive(Debug, PartialEq)]
pub struct Misfit(pub String);

impl Held {
    /// Query of the next connection.
    pub fn resume(&self) -> String {
        match &self.state {
            Some(_) => format!("?since={}&epoch={}", self.seq, self.epoch),
            None => String::new(),
        }
    }

    pub fn seq(&self) -> u64 {
        self.seq
    }

    pub fn state(&self) -> Option<&Value> {
        self.state.as_ref()
    }

    /// Takes one frame in.
    pub fn take(&mut self, frame: Frame) -> Result<(), Misfit> {
        match frame {
            Frame::Hello { epoch, .. } => {
                if epoch != self.epoch {
                    *self = Held { epoch, ..Held::default() };
                }
            }
            Frame::Snapshot { seq, state, .. } => {
                self.seq = seq;
                self.state = Some(serde_json::to_value(&*state).map_err(|error| Misfit(error.to_string()))?);
            }
            Frame::Patch { from, seq, patch, .. } => {
                let state = self
                    .state
                    .as_mut()
                    .ok_or_else(|| Misfit("a patch came before the first snapshot".to_string()))?;
                if from != self.seq {
                    return Err(Misfit(format!("a patch from {from} came while {} is held", self.seq)));
                }
                let patch: json_patch::Patch = serde_json::from_value(patch).map_err(|error| Misfit(error.to_string()))?;
                json_patch::patch(state, &patch).map_err(|error| Misfit(error.to_string()))?;
                self.seq = seq;
            }
            Frame::Gap { .. } | Frame::Samples { .. } => {}
        }
        Ok(())
    }
}

async fn follow(url: &str, json: bool) -> Result<ExitCode, Exit> {
    let base = match url.split_once("://") {
        Some(("http", rest)) => format!("ws://{}/ws", rest.trim_end_matches('/')),
        _ => return Err(Exit::usage(format!("'{url}' does not start with http://"))),
    };
    let mut held = Held::default();
    let mut told = Told::default();
    let mut tries = 0;
    loop {
        let connected = match tokio_tungstenite::connect_async(format!("{base}{}", held.resume())).await {
            Ok((socket, _)) => {
                if tries > 0 {
                    eprintln!("connected again");
                }
                tries = 0;
                listen(socket, &mut held, &mut told, json).await
            }
            Err(tungstenite::Error::Http(answer)) => {
                return Err(Exit::failed(format!("{base} answered {}", answer.status())));
            }
            Err(error) if held.state.is_none() && tries == 0 => {
                return Err(Exit::unreachable(format!(
                    "no host answers at {url}: {error}. Start one with `pointsman up`, or name it by --url"
                )));
            }
            Err(error) => error.to_string(),
        };
        let pause = PAUSES_MS[tries.min(PAUSES_MS.len() - 1)];
        tries += 1;
        eprintln!("{connected}; trying again in {pause} ms");
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

/// Listens until the connection ends, and says how it did.
async fn listen<S>(mut socket: tokio_tungstenite::WebSocketStream<S>, held: &mut Held, told: &mut Told, json: bool) -> String
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    loop {
        let message = match tokio::time::timeout(SILENCE_MAX, socket.next()).await {
            Ok(Some(Ok(message))) => message,
            Ok(Some(Err(error))) => return format!("the connection was lost ({error})"),
            Ok(None) => return "the host has closed the connection".to_string(),
            Err(_) => return "the host has gone quiet".to_string(),
        };
        match message {
            Message::Text(text) => {
                if json {
                    println!("{text}");
                }
                let taken = serde_json::from_str::<Frame>(&text)
                    .map_err(|error| Misfit(error.to_string()))
                    .and_then(|frame| {
                        if let (Frame::Gap { from, to }, false) = (&frame, json) {
                            println!("(not told: journal positions {from} to {to})");
                        }
                        held.take(frame)
                    });
                if let Err(Misfit(reason)) = taken {
                    *held = Held::default();
                    return format!("starting over: {reason}");
                }
                if !json && let Some(state) = held.state() {
                    match serde_json::from_value::<Dashboard>(state.clone()) {
                        Ok(state) => told.tell(state),
                        Err(error) => return format!("this host's read model has another shape than expected ({error})"),
                    }
                }
            }
            Message::Close(frame) => {
                return frame
                    .map(|frame| frame.reason.to_string())
                    .filter(|reason| !reason.is_empty())
                    .unwrap_or("the host has closed the connection".into());
            }
            Message::Ping(_) => {
                // Answered by the library; the flush sends it.
                let _ = socket.flush().await;
            }
            Message::Binary(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
}

/// What has been told, to tell only what is new.
#[derive(Default)]
struct Told {
    before: Option<Dashboard>,
}

impl Told {
    fn tell(&mut self, now: Dashboard) {
        let Some(before) = &self.before else {
            println!("{} {} (journal position {})", clock(now.at), now.training.label, now.seq);
            println!("{} next: {}", clock(now.at), now.next_action);
            self.before = Some(now);
            return;
        };
        let at = clock(now.at);
        let last = before.decisions.first().map_or(0, |row| row.id);
        let fresh: Vec<_> = now.decisions.iter().filter(|row| row.id > last).collect();
        if let Some(oldest) = fresh.last()
            && oldest.id > last + 1
        {
            println!("({} decisions not shown)", oldest.id - last - 1);
        }
        for row in fresh.iter().rev() {
            println!("{}", decision_line(row));
        }
        for job in now.jobs.iter().rev() {
            let was = before.jobs.iter().find(|was| was.id == job.id).map(|was| was.status_slug.as_str());
            if was != Some(job.status_slug.as_str()) {
                println!("{at} {}", job_line(job));
            }
        }
        if (&now.training.slug, &now.training.reason) != (&before.training.slug, &before.training.reason) {
            println!(
                "{at} training {} by {}{}",
                now.training.slug,
                now.training.by,
                reason(&now.training.reason)
            );
        }
        if now.window.done != before.window.done && now.candidate.is_none() {
            println!("{at} window {} of {}", now.window.done, now.window.size);
        }
        match (&before.candidate, &now.candidate) {
            (was, Some(candidate))
                if was
                    .as_ref()
                    .is_none_or(|was| was.tag != candidate.tag || was.stage != candidate.stage) =>
            {
                println!(
                    "{at} candidate {} against {}: {} ({} bits per byte, was {})",
                    candidate.tag,
                    candidate.baseline,
                    candidate.stage_label.to_lowercase(),
                    bits(candidate.candidate_mean),
                    bits(candidate.baseline_mean)
                );
            }
            (Some(was), None) => println!("{at} candidate {}: over{}", was.tag, reason(&was.latest_reason)),
            _ => {}
        }
        if now.last_apply != before.last_apply
            && let Some(apply) = &now.last_apply
        {
            println!(
                "{at} LIVE {} replaced {}: {} bits per byte, was {}",
                apply.model,
                apply.before,
                bits(apply.bits_after),
                bits(apply.bits_before)
            );
        }
        for card in &now.policies {
            let was = before.policies.iter().find(|was| was.kind == card.kind);
            if was.is_none_or(|was| was.generation != card.generation) {
                println!(
                    "{at} policy {}: {}@{} is generation {}, by {}{}",
                    card.kind,
                    card.name,
                    card.version,
                    card.generation,
                    card.actor,
                    reason(&card.reason)
                );
            }
            if let Some(problem) = &card.problem
                && was.is_none_or(|was| was.problem.as_ref() != Some(problem))
            {
                println!("{at} policy {} refused: {}", card.kind, printable(&problem_line(problem)));
            }
        }
        for alert in &now.alerts {
            if !before.alerts.contains(alert) {
                println!("{at} {}: {}", alert.level, printable(&alert.text));
            }
        }
        self.before = Some(now);
    }
}

/// `PM2104 retry.rhai:12:9 message; fix`
pub(crate) fn problem_line(problem: &crate::wire::PolicyProblem) -> String {
    let mut text = format!("{} {}", problem.code, problem.file);
    for number in [problem.line, problem.column].into_iter().flatten() {
        text.push_str(&format!(":{number}"));
    }
    text.push(' ');
    text.push_str(&problem.message);
    if let Some(fix) = &problem.fix {
        text.push_str("; ");
        text.push_str(fix);
    }
    text
}

fn job_line(job: &JobRow) -> String {
    let end = match (job.status_slug.as_str(), &job.error) {
        ("completed", _) => format!(
            "{}{}",
            job.loss.map(|loss| format!(" at {loss:.3} bits per byte")).unwrap_or_default(),
            job.model.as_ref().map(|tag| format!(", made {tag}")).unwrap_or_default()
        ),
        (_, Some(error)) => format!(
            " ({}): {}",
            job.failure_class.as_deref().unwrap_or("cancelled"),
            printable(error.lines().next().unwrap_or_default())
        ),
        _ => String::new(),
    };
    format!("run {} {}: {}{end}", job.id, job.status_slug, printable(&job.name))
}

fn reason(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!(": {}", printable(text))
    }
}
