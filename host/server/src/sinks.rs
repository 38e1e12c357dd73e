//! Sinks: entries of the journal for those outside, to a webhook or into a file.
//!
//! Each sink has a thread and a cursor of its own and reads the journal from it, so a sink that is slow or gone delays nothing and
//! loses nothing: the journal is the queue. An entry is delivered at least once; its id is the same each time.

mod config;
mod cursor;
mod jsonl;
mod webhook;

pub use config::{ConfigError, SinkConfig, SinkKind, read};

use crate::clock::now_ms;
use crate::hub::Hub;
use crate::readers::Readers;
use crate::wire::{Alert, SinkCard};
use anyhow::Context as _;
use cursor::Cursor;
use pointsman_journal::Entry;
use pointsman_model::Seq;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Pause between two looks at the journal.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Entries that are looked at together.
const SPAN: u64 = 1_000;
/// Entries after the cursor among which the lag is counted; beyond it, it is told as at least that.
const LAG_SPAN: u64 = 100_000;
/// A cursor that only entries of no interest have moved is written so seldom.
const CURSOR_SPAN: u64 = 5_000;
/// First and longest pause after a failed delivery.
const BACKOFF_FIRST: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(60);
/// Failures in a row after which an alert says so.
const ALERT_AFTER: u32 = 3;

/// One entry on its way.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) seq: u64,
    /// Names the entry, of all journals: the same each time it is delivered.
    pub(crate) id: String,
    /// A JSON object on one line, without its end.
    pub(crate) line: String,
}

impl Message {
    fn of(journal: &str, entry: &Entry) -> Message {
        let seq = entry.seq.0;
        let id = format!("pm-{journal}-{seq}");
        // The payload is JSON on one line as the journal wrote it.
        let line = format!(
            r#"{{"id":"{id}","seq":{seq},"at":{},"type":"{}","event":{}}}"#,
            entry.at, entry.kind, entry.payload
        );
        Message { seq, id, line }
    }
}

/// Why a delivery failed.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) problem: String,
    /// How long the receiver asked to be left alone.
    pub(crate) wait: Option<Duration>,
}

/// Where messages go.
pub(crate) trait Deliver: Send {
    /// Where to go on, given where the cursor stands: what a file holds, it need not be given again.
    fn resume(&mut self, cursor: &Cursor) -> Result<u64, Failed>;

    /// Hands some messages over, in order. Answers how many of them have arrived for good, and what stopped it.
    fn deliver(&mut self, messages: &[Message]) -> (usize, Option<Failed>);

    /// Position before the first entry of what is being written, where that is a file.
    fn begun_at(&self) -> Option<u64> {
        None
    }
}

/// All sinks of a host.
pub struct Sinks {
    readers: Arc<Readers>,
    sinks: Vec<Arc<Sink>>,
}

struct Sink {
    config: SinkConfig,
    told: Mutex<Told>,
}

#[derive(Clone, Debug, Default)]
struct Told {
    cursor: u64,
    delivered: u64,
    last_at: Option<u64>,
    failures: u32,
    problem: Option<String>,
    next_try_at: Option<u64>,
    started: bool,
}

pub struct SinkThreads {
    stopping: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Sinks {
    pub fn start(configs: Vec<SinkConfig>, data: &Path, readers: Arc<Readers>, hub: Hub) -> anyhow::Result<(Sinks, SinkThreads)> {
        let stopping = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        let mut sinks = Vec::new();
        let home = data.join("sinks");
        if !configs.is_empty() {
            std::fs::create_dir_all(&home).with_context(|| format!("{} cannot be made", home.display()))?;
        }
        for config in configs {
            let deliver = config.open()?;
            let sink = Arc::new(Sink {
                config,
                told: Mutex::default(),
            });
            let mut loop_ = Loop {
                cursor_path: home.join(format!("{}.json", sink.config.name)),
                sink: sink.clone(),
                readers: readers.clone(),
                hub: hub.clone(),
                stopping: stopping.clone(),
                deliver,
            };
            threads.push(
                std::thread::Builder::new()
                    .name(format!("sink-{}", sink.config.name))
                    .spawn(move || loop_.run())?,
            );
            sinks.push(sink);
        }
        Ok((Sinks { readers, sinks }, SinkThreads { stopping, threads }))
    }

    /// Blocks: not for async threads.
    pub fn cards(&self) -> anyhow::Result<Vec<SinkCard>> {
        let last = self.readers.with(|reader| reader.last_seq())??;
        self.sinks.iter().map(|sink| sink.card(&self.readers, last)).collect()
    }
}

impl SinkThreads {
    pub fn stop(self) {
        self.stopping.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

impl Sink {
    fn card(&self, readers: &Readers, last: Seq) -> anyhow::Result<SinkCard> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let lag = match told.started {
            true => readers.with(|reader| reader.count_of(Seq(told.cursor), LAG_SPAN, &self.config.events))??,
            false => 0,
        };
        let (state, label) = match (&told.problem, told.started, lag) {
            (Some(_), _, _) => ("retrying", "Tries again"),
            (None, false, _) => ("starting", "Starting"),
            (None, true, 0) => ("idle", "All is delivered"),
            (None, true, _) => ("delivering", "Delivering"),
        };
        Ok(SinkCard {
            name: self.config.name.clone(),
            kind: self.config.kind.slug().to_string(),
            target: self.config.kind.target(),
            events: self.config.events.clone(),
            state: state.to_string(),
            state_label: label.to_string(),
            cursor: told.cursor,
            lag,
            lag_is_more: told.started && last.0.saturating_sub(told.cursor) > LAG_SPAN,
            delivered: told.delivered,
            last_at: told.last_at,
            failures: told.failures,
            problem: told.problem,
            next_try_at: told.next_try_at,
        })
    }

    fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

struct Loop {
    sink: Arc<Sink>,
    cursor_path: PathBuf,
    readers: Arc<Readers>,
    hub: Hub,
    stopping: Arc<AtomicBool>,
    deliver: Box<dyn Deliver>,
}

impl Loop {
    fn run(&mut self) {
        let mut failures = 0;
        while !self.is_stopping() {
            match self.follow(&mut failures) {
                Ok(()) => return,
                Err(failed) => {
                    failures += 1;
                    self.fail(failures, failed);
                }
            }
        }
    }

    /// From the cursor on, until the host stops or something fails.
    fn follow(&mut self, failures: &mut u32) -> Result<(), Failed> {
        let journal = self.journal()?;
        let mut cursor = match Cursor::read(&self.cursor_path, &journal).map_err(failed)? {
            Some(cursor) => cursor,
            None => self.first_cursor(&journal)?,
        };
        cursor.seq = self.deliver.resume(&cursor)?;
        let mut written = cursor.seq;
        self.sink.tell(|told| {
            told.cursor = cursor.seq;
            told.started = true;
        });
        while !self.is_stopping() {
            let kinds = &self.sink.config.events;
            let stretch = self
                .readers
                .with(|reader| reader.entries_of(Seq(cursor.seq), SPAN, kinds))
                .map_err(failed)?
                .map_err(failed)?;
            let messages: Vec<Message> = stretch.entries.iter().map(|entry| Message::of(&journal, entry)).collect();
            let mut rest = &messages[..];
            while !rest.is_empty() && !self.is_stopping() {
                let (arrived, stopped) = self.deliver.deliver(rest);
                if let Some(last) = arrived.checked_sub(1).and_then(|last| rest.get(last)) {
                    cursor.seq = last.seq;
                    cursor.begun_at = self.deliver.begun_at().unwrap_or(cursor.begun_at);
                    cursor.write(&self.cursor_path).map_err(failed)?;
                    written = cursor.seq;
                    *failures = 0;
                    self.arrived(cursor.seq, arrived as u64);
                }
                if let Some(stopped) = stopped {
                    return Err(stopped);
                }
                rest = &rest[arrived.min(rest.len())..];
            }
            if !rest.is_empty() {
                return Ok(());
            }
            cursor.seq = stretch.through.0;
            self.sink.tell(|told| told.cursor = cursor.seq);
            if cursor.seq - written >= CURSOR_SPAN {
                cursor.write(&self.cursor_path).map_err(failed)?;
                written = cursor.seq;
            }
            if stretch.through >= stretch.last {
                std::thread::park_timeout(LOOK_EVERY);
            }
        }
        Ok(())
    }

    /// A sink that is new begins where it was told to. That is kept at once: a host that dies before the first delivery goes on there.
    fn first_cursor(&self, journal: &str) -> Result<Cursor, Failed> {
        let seq = match self.sink.config.from_beginning {
            true => 0,
            false => self.readers.with(|reader| reader.last_seq()).map_err(failed)?.map_err(failed)?.0,
        };
        let cursor = Cursor {
            journal: journal.to_string(),
            seq,
            begun_at: seq,
        };
        cursor.write(&self.cursor_path).map_err(failed)?;
        Ok(cursor)
    }

    /// Names the journal: by the hash of its first entry, which holds the time.
    fn journal(&self) -> Result<String, Failed> {
        let first = self.readers.with(|reader| reader.entry(Seq(1))).map_err(failed)?.map_err(failed)?;
        match first {
            Some(entry) => Ok(entry.hash.to_string().chars().take(16).collect()),
            None => Err(Failed {
                problem: "the journal is empty".to_string(),
                wait: Some(LOOK_EVERY),
            }),
        }
    }

    fn arrived(&self, cursor: u64, count: u64) {
        let was_failing = {
            let mut told = self.sink.told.lock().unwrap_or_else(PoisonError::into_inner);
            let was_failing = told.problem.is_some();
            told.cursor = cursor;
            told.delivered += count;
            told.last_at = Some(now_ms());
            told.failures = 0;
            told.problem = None;
            told.next_try_at = None;
            was_failing
        };
        if was_failing {
            self.hub.alert(&self.alert_key(), None);
        }
    }

    fn fail(&mut self, failures: u32, Failed { problem, wait }: Failed) {
        let name = &self.sink.config.name;
        let wait = wait.unwrap_or_else(|| backoff(name, failures));
        tracing::debug!("sink {name}: {problem}; again in {} ms", wait.as_millis());
        self.sink.tell(|told| {
            told.failures = failures;
            told.problem = Some(problem.clone());
            told.next_try_at = Some(now_ms() + wait.as_millis() as u64);
        });
        if failures == ALERT_AFTER {
            tracing::warn!("sink {name}: {problem}");
            let alert = Alert {
                level: "warning".to_string(),
                code: "sink_failing".to_string(),
                text: format!("Nothing arrives at the sink {name}, and it is tried again: {problem}."),
                fix: Some("`pointsman sinks status` tells how far it is; nothing is lost meanwhile.".to_string()),
            };
            self.hub.alert(&self.alert_key(), Some(alert));
        }
        let end = Instant::now() + wait;
        while !self.is_stopping() && Instant::now() < end {
            std::thread::park_timeout(end.saturating_duration_since(Instant::now()));
        }
    }

    fn alert_key(&self) -> String {
        format!("2-sink-{}", self.sink.config.name)
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

/// Twice as long after each failure, and a little apart from sink to sink, so that several do not come at once.
fn backoff(name: &str, failures: u32) -> Duration {
    let wait = BACKOFF_FIRST
        .saturating_mul(1 << failures.saturating_sub(1).min(10))
        .min(BACKOFF_MAX);
    let spread = blake3::hash(format!("{name} {failures}").as_bytes()).as_bytes()[0];
    wait.mul_f64(0.8 + 0.4 * f64::from(spread) / 255.0)
}

pub(crate) fn failed(error: impl std::fmt::Display) -> Failed {
    Failed {
        problem: format!("{error:#}"),
        wait: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_have_an_end() {
        let pauses: Vec<u128> = (1..20).map(|failures| backoff("audit", failures).as_millis()).collect();
        assert!((800..=1_200).contains(&pauses[0]), "{pauses:?}");
        assert!(pauses[..6].windows(2).all(|pair| pair[1] > pair[0]), "{pauses:?}");
        assert!(pauses.iter().all(|pause| *pause <= 72_000), "{pauses:?}");
    }
}
