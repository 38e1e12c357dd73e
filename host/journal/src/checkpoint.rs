//! Moves what was committed from the write-ahead log into the database, in a thread of its own.
//!
//! A checkpoint syncs twice and would be the slowest append of thousands if an append did it. It runs beside the
//! writer, on its own connection. The log starts over only when all of it has been moved, and under steady load the
//! tail of it never is: once the log is larger than [`CheckpointOptions::log_bytes_max`] the thread moves the bulk
//! first and then holds the writer back for the few pages that are left.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;

#[derive(Clone, Copy, Debug)]
pub struct CheckpointOptions {
    /// Longest that a commit waits in the log alone.
    pub interval: Duration,
    /// A checkpoint begins early when so much was written since the last one.
    pub bytes: u64,
    /// Above this size of the log the writer is held back until all of the log is moved.
    pub log_bytes_max: u64,
}

impl Default for CheckpointOptions {
    fn default() -> CheckpointOptions {
        CheckpointOptions {
            interval: Duration::from_secs(1),
            bytes: 16 << 20,
            log_bytes_max: 64 << 20,
        }
    }
}

/// What the checkpoints did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checkpoints {
    pub done: u64,
    /// How often the writer was held back, and the longest time.
    pub held_back: u64,
    pub held_back_longest: Duration,
    pub failed: u64,
    /// Size of the log at the last checkpoint, and how much of it is not yet in the database.
    pub log_bytes: u64,
    pub log_bytes_left: u64,
    /// A checkpoint is due or under way.
    pub pending: bool,
}

pub(crate) struct Checkpointer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    /// Held by the writer during a transaction, and by the thread to move the tail of the log.
    writing: Mutex<()>,
}

#[derive(Default)]
struct State {
    stop: bool,
    /// Bytes committed since the last checkpoint began.
    bytes: u64,
    under_way: bool,
    report: Checkpoints,
}

impl Checkpointer {
    /// `connection` must have the same sync settings as the writer: the thread syncs for both.
    pub(crate) fn start(connection: Connection, path: &Path, options: CheckpointOptions) -> std::io::Result<Checkpointer> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State::default()),
            wake: Condvar::new(),
            writing: Mutex::new(()),
        });
        let worker = Worker {
            shared: shared.clone(),
            connection,
            path: path.into(),
            options,
        };
        let thread = std::thread::Builder::new().name("checkpoints".into()).spawn(move || worker.run())?;
        Ok(Checkpointer {
            shared,
            thread: Some(thread),
        })
    }

    /// To be held from before a transaction begins until it has ended.
    pub(crate) fn writing(&self) -> MutexGuard<'_, ()> {
        lock(&self.shared.writing)
    }

    /// Tells the thread that there is something to move.
    pub(crate) fn note(&self, bytes: u64, options: &CheckpointOptions) {
        let mut state = lock(&self.shared.state);
        let before = state.bytes;
        state.bytes += bytes.max(1);
        if before == 0 || (before < options.bytes && state.bytes >= options.bytes) {
            self.shared.wake.notify_one();
        }
    }

    pub(crate) fn report(&self) -> Checkpoints {
        let state = lock(&self.shared.state);
        Checkpoints {
            pending: state.bytes > 0 || state.under_way,
            ..state.report
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        lock(&self.shared.state).stop = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Worker {
    shared: Arc<Shared>,
    connection: Connection,
    path: PathBuf,
    options: CheckpointOptions,
}

impl Worker {
    /// Ends when the checkpointer is dropped.
    fn run(self) {
        while self.wait_for_work() {
            match self.checkpoint() {
                Ok(()) => {}
                // Nothing is lost: the log keeps what was not moved, and the next round writes those pages anew before it syncs.
                Err(error) => {
                    lock(&self.shared.state).report.failed += 1;
                    tracing::warn!(path = %self.path.display(), %error, "the journal's log could not be moved into its database; will try again");
                }
            }
        }
    }

    /// Waits for a commit, and then until enough has gathered.
    fn wait_for_work(&self) -> bool {
        let mut state = lock(&self.shared.state);
        state.under_way = false;
        while state.bytes == 0 && !state.stop {
            state = self.shared.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let until = Instant::now() + self.options.interval;
        while state.bytes < self.options.bytes && !state.stop {
            let now = Instant::now();
            if now >= until {
                break;
            }
            state = self
                .shared
                .wake
                .wait_timeout(state, until - now)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        state.bytes = 0;
        state.under_way = true;
        !state.stop
    }

    fn checkpoint(&self) -> rusqlite::Result<()> {
        let mut log = self.move_pages()?;
        // Whether something is left is not known here: what was committed during the checkpoint is not counted.
        if log.bytes > self.options.log_bytes_max {
            let began = Instant::now();
            let writing = lock(&self.shared.writing);
            log = self.move_pages()?;
            drop(writing);
            let report = &mut lock(&self.shared.state).report;
            report.held_back += 1;
            report.held_back_longest = report.held_back_longest.max(began.elapsed());
            if log.left > 0 {
                tracing::warn!(path = %self.path.display(), log_bytes = log.bytes, "a reader keeps the journal's log from starting over");
            }
        }
        let report = &mut lock(&self.shared.state).report;
        report.done += 1;
        report.log_bytes = log.bytes;
        report.log_bytes_left = log.left;
        Ok(())
    }

    fn move_pages(&self) -> rusqlite::Result<Log> {
        let page_bytes: i64 = self.connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
            let (pages, moved): (i64, i64) = (row.get(1)?, row.get(2)?);
            let bytes = |pages: i64| (pages.max(0) * page_bytes) as u64;
            Ok(Log {
                bytes: bytes(pages),
                left: bytes(pages - moved),
            })
        })
    }
}

struct Log {
    bytes: u64,
    left: u64,
}

/// A panic elsewhere leaves plain numbers behind, which are as good as before.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use crate::{CheckpointOptions, Journal, OpenOptions};
    use pointsman_model::event::{Emitted, Event};
    use std::time::{Duration, Instant};

    #[test]
    fn the_log_starts_over_under_steady_load() {
        let directory = tempfile::tempdir().expect("a directory");
        let checkpoints = CheckpointOptions {
            interval: Duration::from_millis(5),
            bytes: 64 << 10,
            log_bytes_max: 1 << 20,
        };
        let options = OpenOptions {
            checkpoints,
            ..OpenOptions::default()
        };
        let mut journal = Journal::open(directory.path().join("journal.db"), options).expect("a journal");
        let event = Emitted {
            event: Event::HostStarted {
                version: "v".repeat(50_000),
                term: 1,
            },
            recording: None,
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut written: u64 = 0;
        let log_bytes = || std::fs::metadata(directory.path().join("journal.db-wal")).expect("a log").len();
        // However slow the disk is: at some time far more was written than the log has ever grown to.
        while journal.checkpoints().held_back == 0 || written < 20 << 20 || log_bytes() >= written / 2 {
            assert!(
                Instant::now() < deadline,
                "{} of {written}: {:?}",
                log_bytes(),
                journal.checkpoints()
            );
            journal.append(1, std::slice::from_ref(&event), &[]).expect("appended");
            written += 50_000;
        }
        // Left alone, all of it ends up in the database.
        while journal.checkpoints().log_bytes_left > 0 || journal.checkpoints().pending {
            assert!(Instant::now() < deadline, "{:?}", journal.checkpoints());
            std::thread::yield_now();
        }
    }
}
