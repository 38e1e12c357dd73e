//! `pointsman up`: starts the host and tells what happens until it is asked to end.

use super::UpOptions;
use super::exit::Exit;
use super::text::{colours, printable};
use crate::clock;
use crate::demo::{self, Demo};
use crate::host::{Host, HostOptions};
use crate::story::{Line, Story};
use anyhow::Context as _;
use pointsman_model::event::Event;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::broadcast::error::RecvError;

pub(crate) fn supervise(directory: &Path) -> ExitCode {
    pointsman_runner::supervise_main(directory)
}

pub(crate) fn up(options: UpOptions, json: bool) -> Result<ExitCode, Exit> {
    if !options.listen.ip().is_loopback() {
        return Err(Exit::usage(format!(
            "{} is not a loopback address. Whoever reaches this port may run trainers and change policies, so until there are tokens only this \
             machine may: use 127.0.0.1 or [::1], and forward the port if it is needed elsewhere (ssh -L 8420:127.0.0.1:8420 HOST)",
            options.listen
        )));
    }
    let policies = match &options.policies {
        Some(directory) if directory.is_dir() => Some(directory.clone()),
        Some(directory) => return Err(Exit::usage(format!("{} is not a directory", directory.display()))),
        None => Some(PathBuf::from("policies")).filter(|directory| directory.is_dir()),
    };
    let filter =
        tracing_subscriber::EnvFilter::try_from_env("POINTSMAN_LOG").unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours())
        .with_target(false)
        .init();
    let exe = std::env::current_exe().context("find this program")?;
    if let Some(directory) = &options.trusted_keys
        && !directory.is_dir()
    {
        return Err(Exit::usage(format!("{} is not a directory", directory.display())));
    }
    let host = HostOptions {
        policies,
        require_signatures: options.require_signatures,
        trusted_keys: options.trusted_keys.clone(),
        trust_scripts: options.trust_scripts,
        warm: options.warm.clone(),
        pass_env: if options.demo {
            vec![demo::FAULTS_ENV.to_string()]
        } else {
            Vec::new()
        },
        ceilings: options.ceilings.limits(),
        global_max: options.global_max,
        reserved_slots: options.reserved_slots,
        check_replay: std::env::var_os("POINTSMAN_CHECK_REPLAY").is_some_and(|value| value == "1"),
        paused: options.paused,
        sinks: options.sinks.clone(),
        ..HostOptions::new(&options.data, options.listen, exe)
    };
    if options.demo {
        // SAFETY: no other thread has been started yet.
        unsafe {
            std::env::set_var(demo::FAULTS_ENV, "1");
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("start the runtime")?;
    let ended = runtime.block_on(run(host, options, json));
    // A completion that still writes does not hold up the end.
    runtime.shutdown_background();
    ended.map_err(Exit::from)
}

async fn run(options: HostOptions, up: UpOptions, json: bool) -> anyhow::Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let started = clock::now_ms();
    let watched = options.policies.clone();
    let host = Host::start(options).await?;
    let inbox = host.parts.inbox.clone();
    let mut events = host.events();
    let mut failed = host.parts.health.failed();
    let mut story = inbox.look(move |state| Story::new(started, state)).await?;
    if json {
        println!(
            "{}",
            json!({ "url": host.url(), "data": host.parts.data, "epoch": host.parts.hub.epoch(), "pid": std::process::id() })
        );
    }
    say(&format!("Pointsman {} is up: {}", env!("CARGO_PKG_VERSION"), host.url()), true);
    say(&format!("data in {}", host.parts.data.display()), false);
    if let Some(directory) = watched {
        say(&format!("a policy saved in {} goes live", directory.display()), false);
    }
    let mut demo = None;
    if up.demo {
        let (begun, told) = Demo::start(inbox.clone(), &host.parts.readers).await?;
        say(told, false);
        demo = Some(begun);
    }
    let code = loop {
        tokio::select! {
            _ = interrupt.recv() => break ExitCode::SUCCESS,
            _ = terminate.recv() => break ExitCode::SUCCESS,
            _ = failed.changed() => {
                let reason = failed.borrow().clone().unwrap_or_default();
                eprintln!("pointsman: the host ends: {reason}");
                // The order of a normal end needs the driver; without it nothing more can be made true.
                std::process::exit(i32::from(Exit::FAILED));
            }
            batch = events.recv() => match batch {
                Ok(batch) => {
                    for Line { text, is_live } in story.tell(&batch) {
                        say(&text, is_live);
                    }
                    let applied = batch.entries.iter().any(|entry| matches!(entry.event, Event::ModelApplied { .. }));
                    if let Some(demo) = demo.as_mut().filter(|_| applied)
                        && let Some(told) = demo.go_on().await?
                    {
                        say(told, false);
                    }
                }
                Err(RecvError::Lagged(missed)) => say(&format!("({missed} steps not told)"), false),
                Err(RecvError::Closed) => break ExitCode::FAILURE,
            },
        }
    };
    let going_on = inbox.look(|state| state.runs.len()).await.unwrap_or(0);
    say("shutting down", false);
    host.stop().await?;
    match going_on {
        0 => say("down", false),
        1 => say("down; 1 run goes on, the next start finds it", false),
        n => say(&format!("down; {n} runs go on, the next start finds them"), false),
    }
    Ok(code)
}

fn say(text: &str, is_strong: bool) {
    let time = super::text::clock(clock::now_ms());
    let text = printable(text);
    if is_strong && colours() {
        eprintln!("{time} \x1b[1;32m{text}\x1b[0m");
    } else {
        eprintln!("{time} {text}");
    }
}
