//! `make swap-soak`: policies of all kinds and both engines are swapped ten thousand times under load.
//!
//! Everything is the product's own: driver, journal on disk, coordinator, engines, installer. Only the runner is a fake,
//! which ends each run at once, so that decisions and not training are what there is to do. First comes a calm stretch
//! without swaps, then the swaps; afterwards the journal is walked from its first entry. It fails if
//!
//! - a swap was refused, or a decision was answered by anything but the version active at its place in the journal, is
//!   missing, or is there twice;
//! - fewer than 2,000 decisions a second were made while swapping;
//! - the p99 of a decision while swapping is more than twice that of the calm stretch;
//! - resident memory in the last twentieth of the swaps is more than 5 % above that at half time.
//!
//! `SWAPS=n` sets the number of swaps.

use anyhow::{Context, Result, bail, ensure};
use pointsman::driver::{Driver, Setup};
use pointsman::health::Health;
use pointsman::hub::Hub;
use pointsman::inbox::Inbox;
use pointsman::policy_install::{Installer, Offer, Order, SwapEnd};
use pointsman::readers::Readers;
use pointsman::recovery;
use pointsman::shadow::Shadows;
use pointsman::signing::Trust;
use pointsman::swaps::Swaps;
use pointsman::wire::ReplayBudgets;
use pointsman_coordinator::{Policies, State};
use pointsman_end_to_end::check_journal;
use pointsman_journal::{Journal, OpenOptions};
use pointsman_model::command::Command;
use pointsman_model::context::Context as Question;
use pointsman_model::decision::Answer;
use pointsman_model::policy::{EngineKind, Fault, PolicyKind, PolicyLimits, PolicyRef, Setting, SettingSpec, Value};
use pointsman_model::promotion::ServedSample;
use pointsman_model::run::{AttemptToken, Completion, Failure, FailureClass, HostLoss, ModelFile, Pair, Run, RunEnd, RunReport, Work};
use pointsman_model::settings::Settings;
use pointsman_model::source::{Lane, NewSource, Origin};
use pointsman_model::wants::{Beside, Wants};
use pointsman_model::{Actor, Digest};
use pointsman_policy::{Engines, Library};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Hosts that sources are spread over.
const HOSTS: u64 = 12;
/// Sources kept waiting at least: candidates of a selection.
const BACKLOG: usize = 8;
/// Sources submitted at once. A group of commands is on the disk after some milliseconds; what is submitted for one must last
/// until the next.
const FEED: u32 = 16;
/// Decisions a second that the fake runner aims at. More than are asked for, and less than the thread that decides can
/// do: with a queue before it that never ends, every swap would wait for its turn, and not for what it does itself.
const LOAD_PER_SECOND: f64 = 2_600.0;
const CALM: Duration = Duration::from_secs(12);
/// Parts of the calm stretch, in turn on components and on scripts.
const ROUNDS: u32 = 6;
const DECISIONS_PER_SECOND_MIN: f64 = 2_000.0;
const P99_FACTOR_MAX: f64 = 2.0;
const MEMORY_FACTOR_MAX: f64 = 1.05;

fn main() -> Result<()> {
    // `cargo test` runs this target, too, and there is nothing to test.
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    let swaps: u64 = match std::env::var("SWAPS") {
        Ok(text) => text.parse().context("SWAPS is a number")?,
        Err(_) => 10_000,
    };
    let directory = tempfile::tempdir()?;
    let soak = Soak::start(directory.path())?;
    println!(
        "load: {LOAD_PER_SECOND:.0} decisions/s aimed at, from {BACKLOG} candidates each selection, journal on {}",
        directory.path().display()
    );

    let mut swapper = Swapper::new(&soak)?;
    swapper.settle(0)?;
    soak.inbox.send_blocking(
        Command::StartTraining {
            actor: Actor::new("soak"),
            reason: String::new(),
            automatic: false,
        },
        Vec::new(),
    )?;
    soak.wait_until("the first decisions", |decided| decided > 2_000)?;

    // A script takes longer than a component: calm, each has its half of the time, as it has while swapping.
    let (mut took, mut worked, mut busy_us) = (Took::default(), Took::default(), 0);
    for round in 0..ROUNDS {
        swapper.settle(round)?;
        let begin = soak.take();
        std::thread::sleep(CALM / ROUNDS);
        let end = soak.take();
        took.add(&end.took);
        worked.add(&end.worked);
        busy_us += end.busy_us - begin.busy_us;
    }
    let calm = Stretch::of(&took, &worked, busy_us, CALM);
    println!("calm: {calm}");
    for ((kind, engine), worked) in &*soak.load.by_kind.lock().unwrap_or_else(PoisonError::into_inner) {
        println!(
            "  {:>7} x {kind} by {engine}: {:.0} us of CPU time (p50), {:.0} us (p99)",
            worked.count(),
            worked.at(0.5),
            worked.at(0.99)
        );
    }
    let begin = soak.take();

    let started = Instant::now();
    let mut memory = BTreeMap::new();
    for number in 1..=swaps {
        swapper.swap(PolicyKind::ALL[(number % 4) as usize])?;
        if number % (swaps / 20).max(1) == 0 {
            memory.insert(number, resident_kib()?);
            eprintln!(
                "{number} swaps after {:.0} s, {} decisions, {} MiB resident",
                started.elapsed().as_secs_f64(),
                soak.load.decisions.load(Ordering::Relaxed),
                memory[&number] / 1024,
            );
        }
    }
    let end = soak.take();
    let swapping = Stretch::of(&end.took, &end.worked, end.busy_us - begin.busy_us, started.elapsed());
    println!(
        "swapping: {swapping}; {swaps} swaps at {:.0}/s, each checked, installed and activated",
        swaps as f64 / started.elapsed().as_secs_f64()
    );

    let journal = soak.stop()?;
    let findings = check_journal(&journal)?;
    println!(
        "journal: {} events, {} decisions and {} swaps, {} outcomes; none lost, doubled or by another version than the active one",
        findings.events, findings.decisions, findings.swaps, findings.outcomes
    );
    ensure!(findings.swaps >= swaps, "{} swaps are in the journal", findings.swaps);
    ensure!(findings.fallbacks == 0, "{} decisions fell back", findings.fallbacks);

    let half = *memory.range(swaps / 2..).next().context("memory at half time")?.1 as f64;
    let end = *memory.last_key_value().context("memory at the end")?.1 as f64;
    let (slower, grown) = (swapping.p99_us / calm.p99_us, end / half);
    println!(
        "p99 of a decision while swapping: {slower:.2} times calm, {:.2} times in CPU time; resident memory over the second half: {grown:.3} times",
        swapping.p99_worked_us / calm.p99_worked_us
    );
    ensure!(
        swapping.per_second >= DECISIONS_PER_SECOND_MIN,
        "{:.0} decisions/s are fewer than {DECISIONS_PER_SECOND_MIN}",
        swapping.per_second
    );
    ensure!(slower <= P99_FACTOR_MAX, "p99 is {slower:.2} times that of the calm stretch");
    ensure!(
        grown <= MEMORY_FACTOR_MAX,
        "resident memory has grown {grown:.3} times over the second half"
    );
    Ok(())
}

/// A driver with everything around it, and a fake runner.
struct Soak {
    driver: Driver,
    inbox: Inbox,
    installer: Installer,
    load: Arc<Load>,
    journal: std::path::PathBuf,
    wants: Sender<Wants>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Load {
    decisions: AtomicU64,
    stopping: AtomicBool,
    took: Mutex<Took>,
    /// The same in CPU time, which does not depend on who else uses the machine.
    worked: Mutex<Took>,
    /// Decisions and their CPU time by kind and engine.
    by_kind: Mutex<BTreeMap<(PolicyKind, &'static str), Took>>,
    /// CPU time of the thread that decides, all that it does, in microseconds.
    busy_us: AtomicU64,
}

/// What decisions took on the deciding thread: counts by time, in steps of 2 %, so that it takes the same memory however
/// long the load runs.
struct Took {
    counts: Vec<u64>,
}

/// Times above `STEP^STEPS` microseconds, three minutes, count as that.
const STEPS: usize = 960;
const STEP: f64 = 1.02;

impl Default for Took {
    fn default() -> Took {
        Took {
            counts: vec![0; STEPS + 1],
        }
    }
}

impl Took {
    fn note(&mut self, micros: f64) {
        let step = micros.max(1.0).ln() / STEP.ln();
        self.counts[(step as usize).min(STEPS)] += 1;
    }

    fn add(&mut self, other: &Took) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
    }

    fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Upper end of the step that this share of the decisions does not exceed.
    fn at(&self, share: f64) -> f64 {
        let wanted = (self.count() as f64 * share).ceil() as u64;
        let mut seen = 0;
        let reached = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted.max(1)
        });
        reached.map_or(f64::NAN, |step| STEP.powi(step as i32 + 1))
    }
}

impl Soak {
    fn start(data: &Path) -> Result<Soak> {
        let journal = Journal::open(data.join("journal.sqlite"), OpenOptions::default())?;
        let path = journal.path().to_path_buf();
        let reader = journal.reader()?;
        let restored = recovery::restore(&reader)?;
        let mut view = recovery::view(&reader, restored.last_seq)?;
        let hub = Hub::start("soak".to_string(), view.dashboard(restored.coordinator.state()));
        let library = Library::with_cache(&data.join("cache"))?;
        let load = Arc::new(Load::default());
        let (events, _) = tokio::sync::broadcast::channel(1024);
        let (wants, wanted) = channel::<Wants>();
        let told = wants.clone();
        let driver = Driver::start(Setup {
            journal,
            reader,
            restored,
            view,
            policies: Box::new(Timed {
                engines: Engines::new(library.clone()),
                load: load.clone(),
            }),
            hub: hub.clone(),
            on_wants: Box::new(move |wants| {
                // Fails only when the runner has ended.
                let _ = told.send(wants);
            }),
            events: events.clone(),
            health: Arc::new(Health::default()),
            check_replay: false,
        })?;
        let inbox = driver.inbox.clone();
        inbox.send_blocking(
            Command::StartHost {
                version: "soak".to_string(),
                paused: false,
            },
            Vec::new(),
        )?;
        let settings = Settings {
            training_max_active: 24,
            global_max: 32,
            reserved_slots: 4,
            same_host_cap: 8,
            retry_budget: 2,
            promotion_window: 400,
            curriculum_interval_s: 1,
            ..Settings::default()
        };
        inbox.send_blocking(
            Command::ChangeSettings {
                settings,
                actor: Actor::new("soak"),
            },
            Vec::new(),
        )?;
        let runner = Runner {
            inbox: inbox.clone(),
            seen: BTreeSet::new(),
            pace: Pace::new(load.clone()),
        };
        let feeder = Feeder {
            inbox: inbox.clone(),
            load: load.clone(),
        };
        let threads = vec![
            std::thread::Builder::new()
                .name("fake-runner".into())
                .spawn(move || runner.run(&wanted))?,
            std::thread::Builder::new().name("feeder".into()).spawn(move || feeder.run())?,
        ];
        let installer = Installer::new(
            library,
            inbox.clone(),
            Arc::new(Readers::new(path.clone())),
            Swaps::new(hub.clone()),
            Shadows::start(hub, events.subscribe(), None)?,
            Trust {
                keys: data.join("trusted-keys"),
                required: false,
            },
            PolicyLimits::default(),
        );
        Ok(Soak {
            driver,
            inbox,
            installer,
            load,
            journal: path,
            wants,
            threads,
        })
    }

    fn wait_until(&self, what: &str, reached: impl Fn(u64) -> bool) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !reached(self.load.decisions.load(Ordering::Relaxed)) {
            if Instant::now() > deadline {
                bail!("{what} did not come within a minute");
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        Ok(())
    }

    /// What was measured since it was taken last.
    fn take(&self) -> Measured {
        let take = |counts: &Mutex<Took>| std::mem::take(&mut *counts.lock().unwrap_or_else(PoisonError::into_inner));
        Measured {
            took: take(&self.load.took),
            worked: take(&self.load.worked),
            busy_us: self.load.busy_us.load(Ordering::Relaxed),
        }
    }

    fn stop(self) -> Result<std::path::PathBuf> {
        let Soak {
            driver,
            inbox: _,
            installer: _,
            load,
            journal,
            wants,
            threads,
        } = self;
        load.stopping.store(true, Ordering::Relaxed);
        drop(wants);
        driver.stop()?;
        for thread in threads {
            if thread.join().is_err() {
                bail!("a thread of the load has panicked");
            }
        }
        Ok(journal)
    }
}

struct Measured {
    took: Took,
    worked: Took,
    /// The clock of the thread that decides.
    busy_us: u64,
}

/// What was measured in a stretch of time.
struct Stretch {
    per_second: f64,
    p50_us: f64,
    p99_us: f64,
    p99_worked_us: f64,
    /// Share of the time in which the thread that decides had a core.
    busy: f64,
}

impl Stretch {
    fn of(took: &Took, worked: &Took, busy_us: u64, time: Duration) -> Stretch {
        Stretch {
            per_second: took.count() as f64 / time.as_secs_f64(),
            p50_us: took.at(0.5),
            p99_us: took.at(0.99),
            p99_worked_us: worked.at(0.99),
            busy: busy_us as f64 / time.as_micros() as f64,
        }
    }
}

impl std::fmt::Display for Stretch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:.0} decisions/s; one takes {:.0} us (p50), {:.0} us (p99; {:.0} us of CPU time); the thread that decides had a core for {:.0} % of the time",
            self.per_second,
            self.p50_us,
            self.p99_us,
            self.p99_worked_us,
            self.busy * 100.0
        )
    }
}

/// The engines with a clock around each question.
struct Timed {
    engines: Engines,
    load: Arc<Load>,
}

impl Policies for Timed {
    fn ask(&mut self, policy: &PolicyRef, context: &Question) -> Result<Answer, Fault> {
        let started = Instant::now();
        let before = thread_cpu_time();
        let answer = self.engines.ask(policy, context);
        let (took, now) = (started.elapsed(), thread_cpu_time());
        let note = |counts: &Mutex<Took>, time: Duration| {
            counts.lock().unwrap_or_else(PoisonError::into_inner).note(time.as_secs_f64() * 1e6);
        };
        note(&self.load.took, took);
        note(&self.load.worked, now - before);
        let mut by_kind = self.load.by_kind.lock().unwrap_or_else(PoisonError::into_inner);
        let of_kind = by_kind.entry((context.kind(), policy.engine.slug())).or_default();
        of_kind.note((now - before).as_secs_f64() * 1e6);
        drop(by_kind);
        self.load.busy_us.store(now.as_micros() as u64, Ordering::Relaxed);
        self.load.decisions.fetch_add(1, Ordering::Relaxed);
        answer
    }

    fn migrate(&mut self, policy: &PolicyRef, from_version: u32, state: &[u8]) -> Result<Vec<u8>, Fault> {
        self.engines.migrate(policy, from_version, state)
    }

    fn fingerprint(&self, engine: EngineKind) -> String {
        self.engines.fingerprint(engine)
    }
}

fn thread_cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists on every Linux, and `time` outlives the call.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(result, 0, "the thread CPU clock can be read");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Offers the shipped policies in turn, each time with another setting, so that each is a version of its own.
struct Swapper<'a> {
    soak: &'a Soak,
    files: BTreeMap<PolicyKind, Vec<(Offer, Vec<SettingSpec>)>>,
    number: u64,
}

impl<'a> Swapper<'a> {
    fn new(soak: &'a Soak) -> Result<Swapper<'a>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut files: BTreeMap<PolicyKind, Vec<(Offer, Vec<SettingSpec>)>> = BTreeMap::new();
        for name in [
            "plugins/dist/host_diverse.wasm",
            "plugins/dist/retry_backoff.wasm",
            "plugins/dist/eprocess_gate.wasm",
            "policies/source-selection.rhai",
            "policies/retry.rhai",
            "policies/curriculum.rhai",
        ] {
            let code = std::fs::read(root.join(name)).with_context(|| format!("read {name}; `make plugins` builds what is missing"))?;
            let offer = Offer {
                file: name.rsplit('/').next().unwrap_or(name).to_string(),
                code,
                // A replay of recorded decisions takes longer than all other stages together, and is measured elsewhere.
                budgets: ReplayBudgets {
                    last: 0,
                    ..ReplayBudgets::default()
                },
                ..Offer::default()
            };
            let checked = soak
                .installer
                .check(&offer)
                .map_err(|problem| anyhow::anyhow!("{name}: {}", problem.message))?;
            let schema = checked.description.settings_schema.clone();
            files.entry(checked.description.kind).or_default().push((offer, schema));
        }
        Ok(Swapper { soak, files, number: 0 })
    }

    /// The policies of one round of the calm stretch: of each kind the component or the script, where there are both.
    fn settle(&mut self, round: u32) -> Result<()> {
        for kind in PolicyKind::ALL {
            self.swap_to(kind, u64::from(round))?;
        }
        Ok(())
    }

    fn swap(&mut self, kind: PolicyKind) -> Result<()> {
        self.swap_to(kind, self.number / 4)
    }

    fn swap_to(&mut self, kind: PolicyKind, choice: u64) -> Result<()> {
        self.number += 1;
        let choices = self.files.get(&kind).with_context(|| format!("a policy of kind {kind}"))?;
        let (offer, schema) = &choices[(choice % choices.len() as u64) as usize];
        let mut offer = offer.clone();
        offer.settings = vec![varied(schema, self.number).with_context(|| format!("{} has a number among its settings", offer.file))?];
        let file = offer.file.clone();
        let order = Order::activate(offer, Actor::new("soak"), format!("swap {}", self.number));
        match self.soak.installer.swap(order) {
            SwapEnd::Done { generation: _ } => Ok(()),
            SwapEnd::WasActive { generation: _ } => bail!("{file} was active already"),
            SwapEnd::Failed(problem) | SwapEnd::Refused(problem, _) => bail!("{file}: {}", problem.message),
        }
    }
}

/// The first setting that is a number, moved a little: enough for another version, too little to matter.
fn varied(schema: &[SettingSpec], number: u64) -> Option<Setting> {
    schema.iter().find_map(|spec| {
        let Value::Number(default) = spec.default else { return None };
        let step = default.abs().max(1e-3) * 1e-9 * number as f64;
        let value = if spec.maximum.is_some_and(|most| default + step > most) {
            default - step
        } else {
            default + step
        };
        Some(Setting {
            name: spec.name.clone(),
            value: Value::Number(value),
        })
    })
}

/// Keeps sources waiting.
struct Feeder {
    inbox: Inbox,
    load: Arc<Load>,
}

impl Feeder {
    fn run(self) {
        let mut submitted = 0;
        while !self.load.stopping.load(Ordering::Relaxed) {
            // Those that wait for a retry are no candidates.
            let pending = |state: &State| {
                let (now, all) = (state.last_at, BACKLOG as usize);
                state.index.shortlist(Lane::Queue, now, all, |_| true).0.len()
            };
            // An error says that the driver has ended.
            let Ok(pending) = self.inbox.look_blocking(pending) else { return };
            for _ in 0..if pending < BACKLOG { FEED } else { 0 } {
                submitted += 1;
                self.inbox.report(Command::SubmitSource(NewSource {
                    title: format!("source {submitted}"),
                    body: String::new(),
                    host: Some(format!("host-{}", submitted % HOSTS)),
                    lane: Lane::Queue,
                    origin: Origin::Api,
                    priority: 0,
                    params: None,
                }));
            }
            std::thread::park_timeout(Duration::from_millis(2));
        }
    }
}

/// One run in so many fails at its first attempt. A retry waits for seconds: with more of them, a thousand sources wait,
/// and come back all at once as candidates whenever the load is slower for a while.
const FAILS_EVERY: u64 = 40;

/// Ends each run as soon as it is wanted. The attempt after a failed one works, for sources that are given up stay with
/// the host until somebody sees to them.
struct Runner {
    inbox: Inbox,
    seen: BTreeSet<AttemptToken>,
    pace: Pace,
}

/// Keeps the load at [`LOAD_PER_SECOND`].
struct Pace {
    load: Arc<Load>,
    since: Instant,
    decided: u64,
}

/// What was not done in this time is not made up for.
const LAG_MAX: Duration = Duration::from_millis(50);

impl Pace {
    /// From now on.
    fn new(load: Arc<Load>) -> Pace {
        Pace {
            decided: load.decisions.load(Ordering::Relaxed),
            load,
            since: Instant::now(),
        }
    }

    /// Waits while more was decided than should have been by now.
    fn wait(&mut self) {
        while !self.load.stopping.load(Ordering::Relaxed) {
            let decided = self.load.decisions.load(Ordering::Relaxed) - self.decided;
            let due = Duration::from_secs_f64(decided as f64 / LOAD_PER_SECOND);
            let passed = self.since.elapsed();
            if due <= passed {
                if passed - due > LAG_MAX {
                    *self = Pace::new(self.load.clone());
                }
                return;
            }
            std::thread::park_timeout((due - passed).min(Duration::from_millis(5)));
        }
    }
}

impl Runner {
    fn run(mut self, wanted: &Receiver<Wants>) {
        // Of several wants that wait only the last counts: they are level-triggered.
        while let Ok(mut wants) = wanted.recv() {
            while let Ok(newer) = wanted.try_recv() {
                wants = newer;
            }
            let present: BTreeSet<AttemptToken> = wants.runs.iter().map(|wanted| wanted.run.token).collect();
            self.seen.retain(|token| present.contains(token));
            for wanted in &wants.runs {
                let token = wanted.run.token;
                if self.seen.insert(token) {
                    self.pace.wait();
                    self.inbox.report(Command::ReportStarted { token });
                    let report = outcome(&wanted.run);
                    self.inbox.report(Command::ReportFinished { token, report });
                }
            }
            let beside = wants.serving.and_then(|serving| Some((serving.active.tag, serving.beside?)));
            if let Some((active, beside)) = beside {
                let candidate = match beside {
                    Beside::Canary { candidate, share: _ } => candidate.tag,
                    Beside::Watch { before: _ } => active,
                };
                self.inbox.report(Command::ReportServed {
                    candidate,
                    samples: (0..8).map(sample).collect(),
                });
            }
        }
    }
}

fn outcome(run: &Run) -> RunReport {
    let id = run.token.run.0;
    let host = |n: u64| format!("host-{}", n % HOSTS);
    let model = Some(ModelFile {
        digest: Digest::of(&id.to_le_bytes()),
        bytes: 1_000,
        path: format!("runs/{id}/model"),
    });
    let end = match &run.work {
        Work::Train { host, .. } if id.is_multiple_of(FAILS_EVERY) && run.token.attempt == 1 => RunEnd::Failed(Failure {
            class: FailureClass::Transient,
            error: format!("connection to {} reset", host.as_deref().unwrap_or("somewhere")),
            exit_code: Some(75),
        }),
        Work::Train { host, .. } => RunEnd::Completed(Completion {
            steps: 10,
            loss_before: Some(4.0),
            loss_after: Some(3.9),
            losses: host
                .iter()
                .map(|host| HostLoss {
                    host: host.clone(),
                    before: Some(4.0),
                    after: 3.9,
                })
                .collect(),
            model,
            ..Completion::default()
        }),
        Work::Bootstrap => RunEnd::Completed(Completion {
            steps: 10,
            loss_after: Some(4.0),
            hosts: (0..HOSTS).map(host).collect(),
            losses: (0..HOSTS)
                .map(|n| HostLoss {
                    host: host(n),
                    before: None,
                    after: 4.0,
                })
                .collect(),
            model,
            ..Completion::default()
        }),
        Work::Evaluate { .. } => RunEnd::Completed(Completion {
            pairs: (0..64)
                .map(|n| Pair {
                    host: host(n),
                    baseline: 4.0,
                    candidate: 3.8 - (n % 7) as f64 * 0.01,
                })
                .collect(),
            ..Completion::default()
        }),
    };
    RunReport { duration_ms: 5, end }
}

fn sample(n: u64) -> ServedSample {
    ServedSample {
        by_candidate: n.is_multiple_of(4),
        failed: false,
        latency_ms: 12.0,
        pair: Some(Pair {
            host: format!("host-{n}"),
            baseline: 4.0,
            candidate: 3.8,
        }),
    }
}

fn resident_kib() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}
