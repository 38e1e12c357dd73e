//! Kills the host with SIGKILL at random moments of the demo and starts it again each time. Judged by the journal: no
//! outcome lost or doubled, and the loop reaches its live apply. `SEED=n` repeats a course; `KILLS=n` sets the number.

use anyhow::{Context, Result, ensure};
use pointsman_end_to_end::{Host, Kit, check_journal};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

fn main() -> Result<()> {
    let kit = Kit::new()?;
    check(&kit).inspect_err(|_| eprintln!("--- the host's last words\n{}\n---", kit.log_tail()))
}

fn check(kit: &Kit) -> Result<()> {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH)?.subsec_nanos();
    let mut random = from_environment("SEED").unwrap_or(u64::from(clock)).max(1);
    let kills = from_environment("KILLS").unwrap_or(20);
    eprintln!("crash-check: SEED={random} KILLS={kills}");
    let started = Instant::now();
    let mut seen = Seen::default();
    for kill in 1..=kills {
        let mut host = kit.start()?;
        // From before the first byte of the API to well within a run, at any place.
        let moment = Duration::from_millis(100 + next(&mut random) % 3_500);
        let end = Instant::now() + moment;
        while Instant::now() < end {
            ensure!(host.is_running()?, "the host ended by itself after start {kill}");
            seen.look(&host);
            std::thread::park_timeout(Duration::from_millis(25));
        }
        host.kill()?;
        eprintln!("[{:>5.1} s] kill {kill} after {moment:?}: {} outcomes seen so far", started.elapsed().as_secs_f64(), seen.outcomes);
    }
    let mut host = kit.start()?;
    host.wait_ready(Duration::from_secs(30))?;
    let state = wait_for_apply(&mut host)?;
    let told = state["totals"]["outcomes"].as_u64().context("totals.outcomes")?;
    ensure!(told >= seen.outcomes, "the host told of {} outcomes before a crash and of {told} now", seen.outcomes);
    host.stop()?;

    let findings = check_journal(&kit.data().join("journal.sqlite"))?;
    ensure!(u64::from(findings.starts) > 1, "the journal holds one start");
    ensure!(!findings.applies.is_empty(), "the journal holds a live apply");
    let unfinished = directories_without_end(&kit.data().join("runs"))?;
    println!(
        "crash-check: {kills} kills, {} starts reached the journal; {} events, {} decisions, {} outcomes, none lost or doubled; \
         {} fallbacks; live apply reached after {} s; {} run directories still under way",
        findings.starts,
        findings.events,
        findings.decisions,
        findings.outcomes,
        findings.fallbacks,
        started.elapsed().as_secs(),
        unfinished.len()
    );
    Ok(())
}

/// The most that a host has told of before it was killed: that much must be in the journal afterwards.
#[derive(Default)]
struct Seen {
    outcomes: u64,
}

impl Seen {
    fn look(&mut self, host: &Host) {
        // A host that is not up yet, or is just being killed, tells nothing.
        if let Ok(state) = host.get("/api/v1/state") {
            self.outcomes = self.outcomes.max(state["totals"]["outcomes"].as_u64().unwrap_or(0));
        }
    }
}

fn wait_for_apply(host: &mut Host) -> Result<Value> {
    let (agent, url) = (host.agent.clone(), format!("{}/api/v1/state", host.url));
    host.wait("the first live apply", Duration::from_secs(300), || {
        let state: Value = agent.get(&url).call()?.body_mut().read_json()?;
        Ok((state["totals"]["live_applies"].as_u64() >= Some(1)).then_some(state))
    })
}

fn directories_without_end(runs: &Path) -> Result<Vec<PathBuf>> {
    let mut unfinished = Vec::new();
    for entry in std::fs::read_dir(runs)? {
        let path = entry?.path();
        if path.is_dir() && !path.join("exit.json").exists() {
            unfinished.push(path);
        }
    }
    Ok(unfinished)
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// xorshift64: moments need to be spread, not secret.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}
