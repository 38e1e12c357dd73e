//! The learning memory of a host: a thread that reads outcomes from the journal into it, and tells the coordinator how far it is.
//!
//! It is derived: where its file is damaged or missing, or belongs to another journal, it is built anew from the journal, and an
//! alert says so. Nothing waits for it but the gate, and that only where it is further behind than the settings allow.

use crate::clock::now_ms;
use crate::hub::Hub;
use crate::inbox::{Inbox, Rejected};
use crate::readers::Readers;
use crate::wire::Alert;
use anyhow::Context as _;
use pointsman_journal::RunRow;
use pointsman_memory::{Cue, End, Found, Mark, Memory, MemoryError, Outcome, Started, Status};
use pointsman_model::command::Command;
use pointsman_model::protocol::SpecMemory;
use pointsman_model::run::RunStatus;
use pointsman_model::wants::{RecallBudget, WantedRun};
use pointsman_model::{Digest, Millis, ModelTag, Seq, SourceId};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Pause between two looks at the journal.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Entries of one stretch: one transaction of the memory.
const SPAN: u64 = 2_000;
/// Least time between two reports: each is an entry of the journal.
const REPORT_EVERY: Duration = Duration::from_millis(250);
/// After a problem it is tried again so late.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// A gap that a run is told of where nothing can be recalled at all.
const UNAVAILABLE: &str = "memory_unavailable";

pub fn memory_path(data: &Path) -> PathBuf {
    data.join("memory.sqlite")
}

/// What the memory is doing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    pub status: Option<Status>,
    /// Why it does not get on.
    pub problem: Option<String>,
    /// Why it was last built anew by this host process.
    pub anew: Option<String>,
}

/// Reads outcomes into the memory, and answers from it.
pub struct MemoryService {
    path: PathBuf,
    memory: Mutex<Option<Memory>>,
    told: Mutex<Told>,
    rebuild: AtomicBool,
    stopping: AtomicBool,
}

#[derive(Default)]
struct Told {
    problem: Option<String>,
    anew: Option<String>,
}

pub struct MemoryThread {
    service: Arc<MemoryService>,
    thread: JoinHandle<()>,
}

impl MemoryService {
    pub fn new(data: &Path) -> Arc<MemoryService> {
        Arc::new(MemoryService {
            path: memory_path(data),
            memory: Mutex::default(),
            told: Mutex::default(),
            rebuild: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
        })
    }

    pub fn start(self: &Arc<Self>, inbox: Inbox, readers: Arc<Readers>, hub: Hub) -> std::io::Result<MemoryThread> {
        let service = self.clone();
        let mut consumer = Consumer {
            service: self.clone(),
            inbox,
            readers,
            hub,
            reported: None,
        };
        let thread = std::thread::Builder::new().name("memory".into()).spawn(move || consumer.run())?;
        Ok(MemoryThread { service, thread })
    }

    /// Throws the memory away; it is read from the journal again.
    pub fn ask_to_rebuild(&self) {
        self.rebuild.store(true, Ordering::Relaxed);
    }

    pub fn is_being_rebuilt(&self) -> bool {
        self.rebuild.load(Ordering::Relaxed)
    }

    /// Blocks: not for async threads.
    pub fn progress(&self) -> Progress {
        let status = self.lock().as_ref().map(|memory| memory.status(now_ms()));
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let (status, problem) = match status {
            Some(Ok(status)) => (Some(status), None),
            Some(Err(error)) => (None, Some(chain(&error))),
            None => (None, None),
        };
        Progress {
            status,
            problem: told.problem.clone().or(problem),
            anew: told.anew.clone(),
        }
    }

    /// Records with all of the words, best first; the newest where no words are given. None while the memory is being opened.
    pub fn search(&self, text: Option<&str>, limit: u32) -> Option<Result<Vec<Found>, MemoryError>> {
        let memory = self.lock();
        let memory = memory.as_ref()?;
        Some(match text {
            Some(text) => memory.search(text, limit),
            None => memory.newest(limit),
        })
    }

    /// What a run that begins is given. A memory that cannot be asked holds no run up.
    pub fn recall(&self, wanted: &WantedRun, budget: &RecallBudget) -> Option<SpecMemory> {
        if *budget == RecallBudget::default() {
            return None;
        }
        let source = wanted.source.as_ref()?;
        let host = match &wanted.run.work {
            pointsman_model::run::Work::Train { host, .. } => host.as_deref(),
            pointsman_model::run::Work::Bootstrap | pointsman_model::run::Work::Evaluate { .. } => None,
        };
        let cue = Cue {
            source: source.id,
            attempt: wanted.run.token.attempt,
            host,
            title: &source.title,
            body: &source.body,
        };
        let recalled = self.lock().as_ref().map(|memory| memory.recall(&cue, budget));
        Some(match recalled {
            Some(Ok(memory)) => memory,
            Some(Err(error)) => {
                tracing::warn!("run {} is given no memory: {}", wanted.run.token.run, chain(&error));
                unavailable()
            }
            None => unavailable(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Memory>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unavailable() -> SpecMemory {
    SpecMemory {
        slots: Vec::new(),
        gaps: vec![UNAVAILABLE.to_string()],
    }
}

impl MemoryThread {
    pub fn stop(self) {
        self.service.stopping.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        let _ = self.thread.join();
    }
}

struct Consumer {
    service: Arc<MemoryService>,
    inbox: Inbox,
    readers: Arc<Readers>,
    hub: Hub,
    /// What the coordinator was told last, and when.
    reported: Option<(u64, Instant)>,
}

/// Whether there is more to read at once.
#[derive(PartialEq)]
enum Step {
    More,
    Done,
}

impl Consumer {
    fn run(&mut self) {
        while !self.is_stopping() {
            match self.step() {
                Ok(Step::More) => {}
                Ok(Step::Done) => {
                    self.set_problem(None);
                    std::thread::park_timeout(LOOK_EVERY);
                }
                Err(error) => {
                    if error.downcast_ref::<MemoryError>().is_some_and(MemoryError::is_damage) {
                        self.begin_anew(format!("{error:#}"));
                    } else {
                        self.set_problem(Some(format!("{error:#}")));
                        self.pause(RETRY_AFTER);
                    }
                }
            }
        }
    }

    fn is_stopping(&self) -> bool {
        self.service.stopping.load(Ordering::Relaxed)
    }

    fn pause(&self, time: Duration) {
        let end = Instant::now() + time;
        while !self.is_stopping() && Instant::now() < end {
            std::thread::park_timeout(end.saturating_duration_since(Instant::now()));
        }
    }

    fn step(&mut self) -> anyhow::Result<Step> {
        if self.service.rebuild.load(Ordering::Relaxed) {
            self.begin_anew("somebody asked for it".to_string());
            self.service.rebuild.store(false, Ordering::Relaxed);
        }
        let cursor = self.opened()?;
        let stretch = self
            .readers
            .with(|reader| reader.outcomes_after(Seq(cursor.seq), SPAN))
            .context("open the journal")?
            .context("read outcomes")?;
        let is_end = stretch.through >= stretch.last;
        if stretch.through.0 > cursor.seq {
            let mut outcomes = Vec::with_capacity(stretch.outcomes.len());
            for (seq, at, run) in stretch.outcomes {
                outcomes.extend(self.outcome(seq, at, run)?);
            }
            let through = Mark {
                seq: stretch.through.0,
                hash: stretch.hash.map(bytes).unwrap_or_default(),
            };
            // Entries without an outcome move the cursor, too, but that alone is not worth a write each time.
            if !outcomes.is_empty() || through.seq - cursor.seq >= SPAN {
                if let Some(memory) = self.service.lock().as_mut() {
                    memory.ingest(now_ms(), &outcomes, &through)?;
                }
            }
        }
        self.report()?;
        Ok(if is_end { Step::Done } else { Step::More })
    }

    /// Opens the memory where it is not open yet. Answers how far it is.
    fn opened(&mut self) -> anyhow::Result<Mark> {
        if let Some(memory) = self.service.lock().as_ref() {
            return Ok(memory.cursor()?);
        }
        // Looking a large file over takes its time: not while others wait for the lock.
        let Started { memory, anew } = Memory::open(&self.service.path)?;
        let cursor = memory.cursor()?;
        let entry = self
            .readers
            .with(|reader| reader.entry(Seq(cursor.seq)))
            .context("open the journal")?
            .context("read the journal at the memory's cursor")?;
        let is_ours = cursor.seq == 0 || entry.is_some_and(|entry| bytes(entry.hash) == cursor.hash);
        *self.service.lock() = Some(memory);
        match anew {
            Some(why) => self.tell_anew(&why),
            None if cursor.seq == 0 && self.was_told_of_some() => self.tell_anew("its file was gone"),
            None => {}
        }
        if !is_ours {
            self.begin_anew("it was made from another journal than this one".to_string());
            return Ok(Mark::default());
        }
        Ok(cursor)
    }

    /// Whether a memory of this journal had ingested anything before.
    fn was_told_of_some(&self) -> bool {
        let told = self.inbox.look_blocking(|state| state.ingest.map_or(0, |ingest| ingest.outcomes));
        told.is_ok_and(|outcomes| outcomes > 0)
    }

    /// All of it is in the journal: it is read again.
    fn begin_anew(&mut self, why: String) {
        let mut held = self.service.lock();
        // Closed before its file goes.
        *held = None;
        match Memory::create(&self.service.path) {
            Ok(memory) => {
                *held = Some(memory);
                drop(held);
                self.tell_anew(&why);
            }
            Err(error) => {
                drop(held);
                self.set_problem(Some(chain(&error)));
                self.pause(RETRY_AFTER);
            }
        }
    }

    fn tell_anew(&self, why: &str) {
        tracing::warn!("the learning memory is built anew from the journal: {why}");
        self.service.told.lock().unwrap_or_else(PoisonError::into_inner).anew = Some(why.to_string());
    }

    fn set_problem(&self, problem: Option<String>) {
        let mut told = self.service.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.problem == problem {
            return;
        }
        if let Some(problem) = &problem {
            tracing::warn!("outcomes are not ingested: {problem}");
        }
        told.problem.clone_from(&problem);
        drop(told);
        let alert = problem.map(|problem| Alert {
            level: "warning".to_string(),
            code: "ingest_stopped".to_string(),
            text: format!("Outcomes do not get into the learning memory, and it is tried again: {problem}."),
            fix: Some("See that the data directory can be written; `pointsman memory rebuild` makes the memory anew.".to_string()),
        });
        self.hub.alert("1-ingest", alert);
    }

    fn outcome(&self, seq: Seq, at: Millis, run: RunRow) -> anyhow::Result<Option<Outcome>> {
        let RunRow {
            id,
            source,
            attempt,
            title,
            host,
            status,
            steps,
            loss_before,
            loss_after,
            failure_class,
            error,
            model,
            ..
        } = run;
        let Some(source) = source else { return Ok(None) };
        let (end, body) = match status {
            RunStatus::Completed => {
                let end = End::Success {
                    steps,
                    loss_before,
                    loss_after,
                    model: model.map(|ModelTag(tag)| tag),
                };
                (end, self.body(source)?)
            }
            // Its text may still be edited, so what is kept of a failure does not depend on it.
            _ => {
                let end = End::Failure {
                    class: failure_class.map_or("failed", |class| class.slug()).to_string(),
                    error: error.unwrap_or_default(),
                };
                (end, String::new())
            }
        };
        Ok(Some(Outcome {
            run: id.0,
            source: source.0,
            attempt,
            seq: seq.0,
            at,
            host,
            title,
            body,
            end,
        }))
    }

    fn body(&self, source: SourceId) -> anyhow::Result<String> {
        let body = self
            .readers
            .with(|reader| reader.source_body(source))
            .context("open the journal")?
            .context("read a source's text")?;
        Ok(body.unwrap_or_default())
    }

    /// Tells the coordinator how many outcomes are ingested, where that is news.
    fn report(&mut self) -> anyhow::Result<()> {
        let outcomes = match self.service.lock().as_ref() {
            Some(memory) => memory.outcomes()?,
            None => return Ok(()),
        };
        let is_news = match self.reported {
            Some((told, when)) => told != outcomes && when.elapsed() >= REPORT_EVERY,
            None => true,
        };
        if !is_news {
            return Ok(());
        }
        match self.inbox.send_blocking(Command::ReportIngest { outcomes }, Vec::new()) {
            Ok(_) => self.reported = Some((outcomes, Instant::now())),
            Err(Rejected::Refused(refusal)) => {
                self.begin_anew(refusal.to_string());
            }
            // Busy, full or read-only: told again with the next look.
            Err(rejected) => tracing::debug!("the learning memory's progress was not taken: {rejected}"),
        }
        Ok(())
    }
}

fn bytes(digest: Digest) -> Vec<u8> {
    digest.0.to_vec()
}

/// An error and its causes as one line.
fn chain(error: &MemoryError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}
