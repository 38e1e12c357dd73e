//! The journal's append against bare rusqlite, side by side in one run.
//!
//! `cargo bench -p pointsman-journal`; `POINTSMAN_BENCH_DIR` names a directory on the disk to be measured.
//!
//! The journal serialises, checks, chains and folds; its tables have their indexes. Bare rusqlite writes the same bytes,
//! serialised beforehand, by prepared statements to the same rows of the same tables, without indexes. Both run in WAL
//! mode with `synchronous=FULL`, have their checkpoints made by a thread, and commit the same groups in turn; the medians
//! of rounds are told.

#[path = "../tests/common/mod.rs"]
mod common;

use common::*;
use pointsman_journal::{Journal, OpenOptions};
use pointsman_model::event::{Emitted, Event};
use pointsman_model::run::RunEnd;
use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection, ToSql, params_from_iter};
use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

const ROUNDS: usize = 11;

fn main() {
    let directory = std::env::var_os("POINTSMAN_BENCH_DIR").map_or_else(std::env::temp_dir, Into::into);
    for candidates in [8, 64] {
        let directory = tempfile::tempdir_in(&directory).expect("a directory");
        let sizes: Vec<_> = cycle(1, candidates)
            .iter()
            .map(|e| {
                json(e).len()
                    + e.recording
                        .as_ref()
                        .map_or(0, |r| r.context.len() + r.scores.as_ref().map_or(0, Vec::len))
            })
            .collect();
        println!("\nselection over {candidates} candidates; bytes of an event with its context: {sizes:?}");
        println!("{:<34} {:>12} {:>12} {:>7}", "events/s", "journal", "bare", "ratio");
        let mut bench = Bench::new(directory.path(), candidates);
        for (group, batches) in [(1, 300), (64, 160), (512, 32)] {
            bench.compare(group, batches);
        }
        bench.run_cycles();
        println!("{:?}", bench.journal.checkpoints());
    }
}

struct Bench {
    journal: Journal,
    bare: Bare,
    probe: File,
    candidates: usize,
    next: u64,
    /// Events made and not yet used, so that groups may cut through cycles.
    made: VecDeque<Emitted>,
}

impl Bench {
    fn new(directory: &Path, candidates: usize) -> Bench {
        let mut options = OpenOptions::default();
        options.checkpoints.interval = CHECKPOINT_INTERVAL;
        std::fs::create_dir(directory.join("journal")).expect("a directory");
        let journal = Journal::open(directory.join("journal/journal.db"), options).expect("a journal");
        let probe = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(directory.join("probe"))
            .expect("a file");
        probe.write_all_at(&vec![0; 1 << 20], 0).expect("written");
        probe.sync_all().expect("synced");
        Bench {
            journal,
            bare: Bare::new(&directory.join("bare.db")),
            probe,
            candidates,
            next: 1,
            made: VecDeque::new(),
        }
    }

    fn batch(&mut self, group: usize) -> Vec<Emitted> {
        while self.made.len() < group {
            self.made.extend(cycle(self.next, self.candidates));
            self.next += 1;
        }
        self.made.drain(..group).collect()
    }

    fn compare(&mut self, group: usize, batches: usize) {
        let [mut ours, mut bares, mut ratios, mut cpu_ours, mut cpu_bares, mut syncs] = [const { Vec::new() }; 6];
        let mut latencies = Vec::new();
        for _ in 0..ROUNDS {
            self.settle();
            let mut spent = [Spent::default(); 2];
            for number in 0..batches {
                let batch = self.batch(group);
                let prepared: Vec<Write> = batch.iter().flat_map(writes).collect();
                for side in [number % 2, 1 - number % 2] {
                    let began = Spent::now();
                    if side == 0 {
                        self.journal.append(START, &batch, &[]).expect("appended");
                    } else {
                        self.bare.commit(&prepared);
                    }
                    let took = began.elapsed();
                    spent[side].wall_s += took.wall_s;
                    spent[side].cpu_s += took.cpu_s;
                    if side == 0 {
                        latencies.push(took.wall_s);
                    }
                }
            }
            let events = (group * batches) as f64;
            ours.push(events / spent[0].wall_s);
            bares.push(events / spent[1].wall_s);
            ratios.push(spent[1].wall_s / spent[0].wall_s);
            cpu_ours.push(spent[0].cpu_s * 1e6 / events);
            cpu_bares.push(spent[1].cpu_s * 1e6 / events);
            syncs.push(self.syncs_per_second(100));
        }
        latencies.sort_by(f64::total_cmp);
        let at = |share: f64| latencies[(latencies.len() as f64 * share) as usize] * 1e3;
        println!(
            "{:<34} {:>12.0} {:>12.0} {:>7.2}   append p50 {:.3} ms, p99 {:.3} ms, max {:.3} ms; disk {:.0} syncs/s; CPU {:.1} and {:.1} us an event",
            format!("group of {group}"),
            median(&mut ours),
            median(&mut bares),
            median(&mut ratios),
            at(0.5),
            at(0.99),
            at(0.999_999),
            median(&mut syncs),
            median(&mut cpu_ours),
            median(&mut cpu_bares),
        );
    }

    /// Enqueue, claim, outcome: one commit for each phase, of one source or of 64 together.
    fn run_cycles(&mut self) {
        for (together, repeats) in [(1, 150), (64, 30)] {
            let (mut rates, mut syncs) = (vec![], vec![]);
            for _ in 0..ROUNDS {
                let mut work: Vec<[Vec<Emitted>; 3]> = Vec::new();
                for _ in 0..repeats {
                    let mut phases = [vec![], vec![], vec![]];
                    for _ in 0..together {
                        // Past those that were made for the groups.
                        let [queued, picked, planned, started, finished] = cycle(self.next, self.candidates);
                        self.next += 1;
                        phases[0].push(queued);
                        phases[1].extend([picked, planned, started]);
                        phases[2].push(finished);
                    }
                    work.push(phases);
                }
                self.settle();
                let began = Instant::now();
                for phase in work.iter().flatten() {
                    self.journal.append(START, phase, &[]).expect("appended");
                }
                rates.push((together * repeats) as f64 / began.elapsed().as_secs_f64());
                syncs.push(self.syncs_per_second(200));
            }
            let (rate, syncs) = (median(&mut rates), median(&mut syncs));
            println!(
                "run cycles/s, {:<20} {rate:>12.0}   {:.2} of the disk's {syncs:.0} syncs/s at 3 commits each",
                if together == 1 {
                    "alone".to_string()
                } else {
                    format!("{together} together")
                },
                rate * 3.0 / together as f64 / syncs,
            );
        }
    }

    /// Both logs moved into their databases and nothing under way, so that both sides start alike.
    fn settle(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.journal.checkpoints().log_bytes_left > 0 || self.journal.checkpoints().pending {
            assert!(Instant::now() < deadline, "{:?}", self.journal.checkpoints());
            std::thread::sleep(Duration::from_millis(5));
        }
        checkpoint(&self.bare.connection);
    }

    fn syncs_per_second(&self, count: u64) -> f64 {
        let began = Instant::now();
        for n in 0..count {
            self.probe.write_all_at(&[n as u8; 4096], n % 256 * 4096).expect("written");
            self.probe.sync_data().expect("synced");
        }
        count as f64 / began.elapsed().as_secs_f64()
    }
}

#[derive(Clone, Copy, Default)]
struct Spent {
    wall_s: f64,
    /// Time this thread has been on a CPU: what others do to the disk and the other cores does not show in it.
    cpu_s: f64,
}

impl Spent {
    fn now() -> Began {
        let cpu_s = thread_cpu_s();
        Began {
            wall: Instant::now(),
            cpu_s,
        }
    }
}

struct Began {
    wall: Instant,
    cpu_s: f64,
}

impl Began {
    fn elapsed(&self) -> Spent {
        Spent {
            wall_s: self.wall.elapsed().as_secs_f64(),
            cpu_s: thread_cpu_s() - self.cpu_s,
        }
    }
}

fn thread_cpu_s() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live timespec, which is all that the call writes to.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn json(emitted: &Emitted) -> String {
    serde_json::to_string(&emitted.event).expect("an event is JSON")
}

/// Rows written by prepared statements, and nothing else. Checkpoints are made by a thread, as often as the journal's.
struct Bare {
    connection: Connection,
    _stop: mpsc::Sender<()>,
}

const CHECKPOINT_INTERVAL: Duration = Duration::from_millis(300);

type Write = (usize, Vec<Value>);

impl Bare {
    fn new(path: &Path) -> Bare {
        let connection = Connection::open(path).expect("opened");
        let mode: String = connection
            .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
            .expect("set");
        assert_eq!(mode, "wal");
        connection
            .execute_batch(
                "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -32768; PRAGMA temp_store = MEMORY",
            )
            .expect("set");
        for sql in [
            include_str!("../src/migrations/0001-first.sql"),
            include_str!("../src/migrations/0002-recordings.sql"),
        ] {
            connection.execute_batch(sql).expect("tables");
        }
        let indexes: Vec<String> = connection
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL")
            .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
            .expect("indexes");
        indexes
            .iter()
            .for_each(|name| connection.execute_batch(&format!("DROP INDEX {name}")).expect("dropped"));
        connection.set_prepared_statement_cache_capacity(64);
        let (stop, stopped) = mpsc::channel();
        let beside = Connection::open(path).expect("opened");
        std::thread::spawn(move || {
            while stopped.recv_timeout(CHECKPOINT_INTERVAL) == Err(mpsc::RecvTimeoutError::Timeout) {
                checkpoint(&beside);
            }
        });
        Bare { connection, _stop: stop }
    }

    fn commit(&self, writes: &[Write]) {
        let prepare = |sql: &str| self.connection.prepare_cached(sql).expect("prepared");
        let mut statements: Vec<Option<CachedStatement<'_>>> = STATEMENTS.iter().map(|_| None).collect();
        prepare("BEGIN IMMEDIATE").execute([]).expect("begun");
        for (number, values) in writes {
            let statement = statements[*number].get_or_insert_with(|| prepare(STATEMENTS[*number]));
            statement
                .execute(params_from_iter(values.iter().map(|value| value as &dyn ToSql)))
                .expect("written");
        }
        prepare("COMMIT").execute([]).expect("committed");
    }
}

fn checkpoint(connection: &Connection) {
    connection
        .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
        .expect("moved");
}

const STATEMENTS: &[&str] = &[
    "INSERT INTO events (at, kind, payload, hash) VALUES (?1, ?2, ?3, ?4)",
    "INSERT INTO sources (id, title, host, lane, origin, priority, status, attempts, queued_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    "INSERT INTO decisions (id, seq, at, kind, verdict, generation, name, version, digest, link, engine, fuel, micros, declined, reason, \
     context_digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    "INSERT INTO recordings (decision, context, scores) VALUES (?1, ?2, ?3)",
    "INSERT INTO runs (id, source, attempt, term, class, work, title, host, base, seed, decision, planned_at, status) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    "UPDATE sources SET status = ?2, attempts = ?3 WHERE id = ?1",
    "UPDATE runs SET status = ?2, started_at = ?3 WHERE id = ?1",
    "UPDATE runs SET status = ?2, finished_at = ?3, duration_ms = ?4, steps = ?5, loss_before = ?6, loss_after = ?7, model = ?8 WHERE id = ?1",
    "UPDATE sources SET status = ?2, finished_at = ?3 WHERE id = ?1",
    "INSERT INTO models (tag, parent, run, digest, bytes, path, made_at, host) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
];

/// The rows of one event, as the journal writes them.
fn writes(emitted: &Emitted) -> Vec<Write> {
    let text = |text: &str| Value::Text(text.into());
    let number = |number: u64| Value::Integer(number as i64);
    let blob = |bytes: &[u8]| Value::Blob(bytes.into());
    let start = || number(START);
    let entry = (
        0,
        vec![start(), text(emitted.event.slug()), text(&json(emitted)), blob(&[0xA5; 32])],
    );
    let rows = match &emitted.event {
        Event::SourceQueued { source, new, decision: _ } => {
            let host = text(new.host.as_deref().unwrap_or_default());
            let row = [
                number(source.0),
                text(&new.title),
                host,
                text("queue"),
                text("api"),
                number(0),
                text("pending"),
                number(0),
                start(),
            ];
            vec![(1, row.to_vec())]
        }
        Event::Decided(decision) => {
            let ruling = &decision.ruling;
            let id = || number(decision.id.0);
            let row = [
                id(),
                number(1_000_000),
                start(),
                text(decision.kind.slug()),
                text(ruling.verdict.slug()),
                number(1),
                text(&ruling.policy.name),
                text(&ruling.policy.version),
                blob(&ruling.policy.digest.0),
                text(ruling.link.slug()),
                text(&ruling.engine),
                number(ruling.cost.fuel.unwrap_or(0)),
                number(ruling.cost.micros.into()),
                number(0),
                text(&ruling.advice.reasons[0].text),
                blob(&decision.context.0),
            ];
            let recording = emitted.recording.as_ref().expect("a decision has one");
            let scores = recording.scores.as_deref().map_or(Value::Null, blob);
            vec![(2, row.to_vec()), (3, vec![id(), blob(&recording.context), scores])]
        }
        Event::RunPlanned { run, decision } => {
            let id = run.token.run.0;
            let row = [
                number(id),
                number(id),
                number(1),
                number(1),
                text("training"),
                text("train"),
                text(&run.title),
                text("host-1"),
                text("m-1"),
                number(run.seed),
                number(decision.map_or(0, |id| id.0)),
                start(),
                text("queued"),
            ];
            vec![(4, row.to_vec()), (5, vec![number(id), text("running"), number(1)])]
        }
        Event::RunStarted { token } => vec![(6, vec![number(token.run.0), text("running"), start()])],
        Event::RunFinished { token, report, model } => {
            let RunEnd::Completed(completion) = &report.end else {
                panic!("cycles succeed")
            };
            let (tag, file) = (model.as_ref().expect("a model"), completion.model.as_ref().expect("a file"));
            let id = || number(token.run.0);
            let loss = |loss: Option<f64>| Value::Real(loss.unwrap_or_default());
            let run = [
                id(),
                text("completed"),
                start(),
                number(report.duration_ms),
                number(completion.steps.into()),
                loss(completion.loss_before),
                loss(completion.loss_after),
                text(&tag.0),
            ];
            let model = [
                text(&tag.0),
                text("m-1"),
                id(),
                blob(&file.digest.0),
                number(file.bytes),
                text(&file.path),
                start(),
                text("host-1"),
            ];
            vec![(7, run.to_vec()), (8, vec![id(), text("done"), start()]), (9, model.to_vec())]
        }
        other => panic!("no part of a cycle: {}", other.slug()),
    };
    [vec![entry], rows].concat()
}
