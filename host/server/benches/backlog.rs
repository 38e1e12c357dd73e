//! A million pending sources over 2,000 hosts: what claims, pages, snapshots and a start cost, and how much memory they take.
//!
//! The real coordinator and journal, with the built-in selection: a policy's own time is measured by `make bench`. Says for each
//! promise whether it is kept, and ends with 1 if one is not. `SOURCES=n` for another number.

use pointsman::http::source_page;
use pointsman_coordinator::{Browse, BrowseFilter, Coordinator, Policies, Reply};
use pointsman_journal::{Journal, OpenOptions, Reader, SourceFilter};
use pointsman_model::command::{Command, ImportBatch};
use pointsman_model::context::Context;
use pointsman_model::decision::Answer;
use pointsman_model::event::Emitted;
use pointsman_model::policy::{Cost, EngineKind, Fault, FaultClass, PolicyRef};
use pointsman_model::run::{Completion, ModelFile, RunEnd, RunReport};
use pointsman_model::settings::Settings;
use pointsman_model::source::{Lane, NewSource, Origin};
use pointsman_model::{Actor, Digest, Seq, SourceId};
use std::time::{Duration, Instant};

const HOSTS: u64 = 2_000;
const BATCH: u64 = 500;
const BODY_BYTES: usize = 400;
const CLAIMS: usize = 2_000;
const PAGES: usize = 120;
const PAGE_LIMIT: u32 = 100;

const CLAIM_GOAL: Duration = Duration::from_millis(1);
const PAGE_GOAL: Duration = Duration::from_millis(50);

struct BuiltInOnly;

impl Policies for BuiltInOnly {
    fn ask(&mut self, policy: &PolicyRef, _: &Context) -> Result<Answer, Fault> {
        Err(Fault {
            class: FaultClass::HostFault,
            detail: format!("{policy} is not loaded"),
            cost: Cost::default(),
        })
    }

    fn migrate(&mut self, policy: &PolicyRef, _: u32, _: &[u8]) -> Result<Vec<u8>, Fault> {
        Err(Fault {
            class: FaultClass::HostFault,
            detail: format!("{policy} is not loaded"),
            cost: Cost::default(),
        })
    }

    fn fingerprint(&self, _: EngineKind) -> String {
        "built-in".into()
    }
}

struct Bench {
    coordinator: Coordinator,
    journal: Journal,
    now: u64,
    kept: bool,
}

impl Bench {
    /// As the driver does it: handle, then append. Answers what each took.
    fn tell(&mut self, command: Command) -> (Reply, Vec<Emitted>, Duration, Duration) {
        self.now += 1;
        let began = Instant::now();
        let handled = self.coordinator.handle(self.now, command, &mut BuiltInOnly).expect("taken");
        let thought = began.elapsed();
        let began = Instant::now();
        self.journal.append(self.now, &handled.events, &[]).expect("appended");
        (handled.reply, handled.events, thought, began.elapsed())
    }

    fn promise(&mut self, what: &str, took: Duration, goal: Duration) {
        let kept = took <= goal;
        self.kept &= kept;
        let verdict = if kept { "kept" } else { "BROKEN" };
        println!("{what:<52} {:>9.3} ms, goal {:>6.1} ms: {verdict}", ms(took), ms(goal));
    }
}

fn main() {
    let sources: u64 = std::env::var("SOURCES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1_000_000);
    let directory = std::env::temp_dir().join(format!("pointsman-backlog-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let path = directory.join("journal.db");
    let mut bench = Bench {
        coordinator: Coordinator::new(),
        journal: Journal::open(&path, OpenOptions::default()).expect("a journal"),
        now: 1_760_000_000_000,
        kept: true,
    };
    run(&mut bench, sources);
    let kept = bench.kept;
    drop(bench);
    let _ = std::fs::remove_dir_all(&directory);
    if !kept {
        std::process::exit(1);
    }
}

fn run(bench: &mut Bench, sources: u64) {
    let actor = || Actor::new("bench");
    bench.tell(Command::StartHost {
        version: "bench".into(),
        paused: false,
    });
    let settings = Settings {
        curriculum_fallback: false,
        training_max_active: 4,
        global_max: 8,
        reserved_slots: 2,
        promotion_window: 100_000,
        ..Settings::default()
    };
    bench.tell(Command::ChangeSettings { settings, actor: actor() });

    let empty = resident_bytes();
    let began = Instant::now();
    let mut slowest = Duration::ZERO;
    for batch in 0..sources.div_ceil(BATCH) {
        let rows = (batch * BATCH..((batch + 1) * BATCH).min(sources)).map(source).collect();
        let (_, _, thought, appended) = bench.tell(Command::ImportSources(ImportBatch {
            import: "bench".into(),
            batch: batch as u32,
            digest: batch,
            rows,
            refused: 0,
            actor: actor(),
        }));
        slowest = slowest.max(thought + appended);
    }
    let took = began.elapsed();
    let used = resident_bytes().saturating_sub(empty);
    println!(
        "{sources} sources of {HOSTS} hosts enqueued in {:.1} s ({:.0} a second, durable); the host was busy for {:.1} ms at most at a time",
        took.as_secs_f64(),
        sources as f64 / took.as_secs_f64(),
        ms(slowest)
    );
    println!(
        "memory: {:.0} MB more resident, {:.0} bytes for each pending source, whose text of {BODY_BYTES} bytes is in the journal ({:.0} MB)",
        used as f64 / 1e6,
        used as f64 / sources as f64,
        std::fs::metadata(bench.journal.path()).map_or(0, |file| file.len()) as f64 / 1e6
    );

    claims(bench);
    let reader = bench.journal.reader().expect("a reader");
    pages(bench, &reader, sources);

    let began = Instant::now();
    let snapshot = bench.coordinator.snapshot();
    let taken = began.elapsed();
    let began = Instant::now();
    bench.journal.store_snapshot(Seq(1), &snapshot).expect("stored");
    let stored = began.elapsed();
    let began = Instant::now();
    let restored = Coordinator::restore(&snapshot).expect("restored");
    println!(
        "snapshot: {:.0} MB, taken in {:.0} ms, stored in {:.0} ms, restored in {:.0} ms",
        snapshot.len() as f64 / 1e6,
        ms(taken),
        ms(stored),
        ms(began.elapsed())
    );
    assert!(restored.state() == bench.coordinator.state(), "a restored state is the state");
    drop((restored, snapshot));
    println!(
        "memory: {:.0} MB resident at the end, {:.0} MB at most",
        resident_bytes() as f64 / 1e6,
        peak_bytes() as f64 / 1e6
    );
}

fn source(n: u64) -> NewSource {
    let title = if n % 200_000 == 77 {
        format!("Rarity {n}")
    } else {
        format!("Source {n}: practise what is said here")
    };
    NewSource {
        title,
        body: "word ".repeat(BODY_BYTES / 5),
        host: Some(format!("host-{}", n * 7_919 % HOSTS)),
        lane: Lane::Queue,
        origin: if n % 1_000 == 0 { Origin::Ui } else { Origin::Cli },
        priority: 0,
        params: None,
    }
}

/// A claim: an outcome comes in, and what runs next is chosen, planned and durable.
fn claims(bench: &mut Bench) {
    let actor = || Actor::new("bench");
    let (_, mut events, _, _) = bench.tell(Command::StartTraining {
        actor: actor(),
        reason: String::new(),
        automatic: false,
    });
    let (mut thinking, mut durable, mut choosing) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..CLAIMS {
        let planned = events.iter().find_map(|emitted| match &emitted.event {
            pointsman_model::event::Event::RunPlanned { run, .. } => Some(run.token),
            _ => None,
        });
        let token = planned.expect("each outcome frees a slot, and the next run takes it");
        let report = RunReport {
            duration_ms: 1,
            end: RunEnd::Completed(Completion {
                model: Some(ModelFile {
                    digest: Digest::of(&n.to_le_bytes()),
                    bytes: 1,
                    path: format!("models/{n}"),
                }),
                ..Completion::default()
            }),
        };
        let (_, followed, thought, appended) = bench.tell(Command::ReportFinished { token, report });
        events = followed;
        thinking.push(thought);
        durable.push(thought + appended);
        let began = Instant::now();
        let (ids, _) = bench.coordinator.state().index.shortlist(Lane::Queue, bench.now, 64, |_| true);
        assert_eq!(ids.len(), 64);
        choosing.push(began.elapsed());
    }
    let choosing = percentile(&mut choosing, 0.99);
    println!("shortlist of 64 out of the backlog: p99 {:.3} ms", ms(choosing));
    let (half, most) = (percentile(&mut thinking, 0.5), percentile(&mut thinking, 0.99));
    println!("claim, in memory: p50 {:.3} ms", ms(half));
    bench.promise("claim, in memory: p99", most, CLAIM_GOAL);
    let durable_half = percentile(&mut durable, 0.5);
    bench.promise("claim with its commit on disk: p50", durable_half, CLAIM_GOAL);
    println!("claim with its commit on disk: p99 {:.3} ms", ms(percentile(&mut durable, 0.99)));
}

fn pages(bench: &mut Bench, reader: &Reader, sources: u64) {
    let open = |change: fn(&mut SourceFilter)| {
        let mut filter = SourceFilter {
            open: true,
            limit: PAGE_LIMIT,
            ..SourceFilter::default()
        };
        change(&mut filter);
        filter
    };
    let cases: Vec<(&str, SourceFilter)> = vec![
        ("page: all that is open", open(|_| {})),
        ("page: of the queue lane", open(|filter| filter.lane = Some(Lane::Queue))),
        (
            "page: of the curriculum lane (empty)",
            open(|filter| filter.lane = Some(Lane::Curriculum)),
        ),
        ("page: of one host", open(|filter| filter.host = Some("host-42".into()))),
        (
            "page: from the page (one in a thousand)",
            open(|filter| filter.origin = Some(Origin::Ui)),
        ),
        ("page: frequent text", open(|filter| filter.text = Some("practise".into()))),
        (
            "page: rare text (one in 200,000)",
            open(|filter| filter.text = Some("rarity".into())),
        ),
        (
            "page: text that is nowhere",
            open(|filter| filter.text = Some("no such text".into())),
        ),
    ];
    for (what, filter) in cases {
        let (mut slowest, mut looked) = (Duration::ZERO, Duration::ZERO);
        let (mut before, mut rows, mut count) = (None, 0, 0);
        while count < PAGES {
            let mut wanted = filter.clone();
            wanted.before = before;
            let began = Instant::now();
            let found = bench.coordinator.state().browse(&browse(&wanted));
            looked = looked.max(began.elapsed());
            let scanned = matches!(found, Browse::Scan { .. });
            let (page, next) = source_page(reader, wanted, Some(found)).expect("a page");
            slowest = slowest.max(began.elapsed());
            count += 1;
            rows += page.len();
            assert!(!scanned || next.is_some() || before.is_none() || sources > 0, "a scan ends");
            match next {
                Some(next) => before = Some(SourceId(next)),
                None => break,
            }
        }
        let words = format!("{what}: {rows} rows in {count} pages");
        bench.promise(&words, slowest, PAGE_GOAL);
        println!("    of which the host itself was held up by {:.3} ms at most", ms(looked));
    }
}

fn browse(wanted: &SourceFilter) -> BrowseFilter {
    BrowseFilter {
        lane: wanted.lane,
        stage: None,
        host: wanted.host.clone(),
        origin: wanted.origin,
        origin_not: wanted.origin_not,
        campaign: wanted.campaign,
        text: wanted.text.clone(),
        before: wanted.before,
        limit: wanted.limit as usize,
    }
}

fn percentile(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    let at = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
    times.get(at).copied().unwrap_or_default()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn resident_bytes() -> u64 {
    status_bytes("VmRSS:")
}

fn peak_bytes() -> u64 {
    status_bytes("VmHWM:")
}

fn status_bytes(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes: u64 = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0);
    kilobytes << 10
}
