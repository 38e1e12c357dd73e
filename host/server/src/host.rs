//! A host: everything put together, started and ended in order.

use crate::clock::now_ms;
use crate::driver::{Driver, Setup};
use crate::health::Health;
use crate::http::{self, Guard};
use crate::hub::Hub;
use crate::idempotency::Idempotency;
use crate::inbox::{Inbox, Rejected};
use crate::memory::{MemoryService, MemoryThread};
use crate::policy_install::{Installer, NotLoaded, compiler};
use crate::policy_watch::PolicyWatch;
use crate::problem::sentence;
use crate::readers::Readers;
use crate::shadow::{KeptShadows, Shadows};
use crate::signing::Trust;
use crate::sinks::{SinkThreads, Sinks};
use crate::standard::{StandardRequests, StandardThreads};
use crate::swaps::Swaps;
use crate::view::Batch;
use crate::wire::{Alert, Point};
use crate::{recovery, shipped};
use anyhow::Context as _;
use pointsman_journal::{Journal, OpenOptions};
use pointsman_model::Actor;
use pointsman_model::command::Command;
use pointsman_model::event::Event;
use pointsman_model::policy::{PolicyKind, PolicyLimits};
use pointsman_model::protocol::{Phase, TrainerEvent};
use pointsman_model::settings::SettingsCause;
use pointsman_model::wants::Wants;
use pointsman_policy::{Engines, Library};
use pointsman_runner::{ModelService, Output, OutputKind, Recall, Report, RunEvent, Runner, RunnerConfig};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Semaphore, broadcast, watch};

/// Completions answered at a time; the embedded model takes a core each.
const COMPLETIONS_MAX: usize = 16;
/// Batches that wait for a slow teller of stories.
const EVENTS_WAITING: usize = 1_024;
/// Time that open requests get at a shutdown.
const GOODBYE: Duration = Duration::from_secs(2);

/// What to start.
#[derive(Clone, Debug)]
pub struct HostOptions {
    pub data: PathBuf,
    pub listen: SocketAddr,
    /// Watched for policies.
    pub policies: Option<PathBuf>,
    /// Refuse policies that are not signed by a trusted key.
    pub require_signatures: bool,
    /// Directory of the public keys that are trusted; `trusted-keys` in the data directory, where none is named.
    pub trusted_keys: Option<PathBuf>,
    /// The operator vouches for every script: they run natively.
    pub trust_scripts: bool,
    /// Kinds whose components may answer from an instance that has decided before.
    pub warm: Vec<PolicyKind>,
    /// Program with the hidden subcommands `supervise` and `trainer`: this one, except in tests.
    pub exe: PathBuf,
    /// Variables that trainers get from the host's environment.
    pub pass_env: Vec<String>,
    /// Ask the candidate something while it is on trial, so that it is tried even where nobody asks.
    pub probes: bool,
    /// What a policy may use at most per decision.
    pub ceilings: PolicyLimits,
    /// Most runs of all classes, and slots of these that training never takes: settings that are not changed while the host runs.
    pub global_max: Option<u32>,
    pub reserved_slots: Option<u32>,
    /// At the end, replay the whole journal and compare it with the state.
    pub check_replay: bool,
    /// Start with the automatic loop stopped, whatever it was before.
    pub paused: bool,
    /// What sinks there are; `sinks.json` in the data directory, where there is one and none is named.
    pub sinks: Option<PathBuf>,
    pub journal: OpenOptions,
}

impl HostOptions {
    pub fn new(data: impl Into<PathBuf>, listen: SocketAddr, exe: impl Into<PathBuf>) -> HostOptions {
        HostOptions {
            data: data.into(),
            listen,
            policies: None,
            require_signatures: false,
            trusted_keys: None,
            trust_scripts: false,
            warm: Vec::new(),
            exe: exe.into(),
            pass_env: Vec::new(),
            probes: true,
            ceilings: PolicyLimits::default(),
            global_max: None,
            reserved_slots: None,
            check_replay: false,
            paused: false,
            sinks: None,
            journal: OpenOptions::default(),
        }
    }
}

/// What answers requests.
pub struct Parts {
    pub inbox: Inbox,
    pub hub: Hub,
    pub readers: Arc<Readers>,
    pub policies: Arc<Installer>,
    pub standard: Arc<StandardRequests>,
    pub health: Arc<Health>,
    pub idempotency: Idempotency,
    pub memory: Arc<MemoryService>,
    pub sinks: Sinks,
    pub data: PathBuf,
    pub completions: Arc<Semaphore>,
    /// Turns true when the host shuts down.
    pub stopping: watch::Receiver<bool>,
}

/// A running host.
pub struct Host {
    pub address: SocketAddr,
    pub parts: Arc<Parts>,
    events: broadcast::Sender<Arc<Batch>>,
    stop: watch::Sender<bool>,
    server: tokio::task::JoinHandle<std::io::Result<()>>,
    driver: Driver,
    runner: Arc<Runner>,
    standard: StandardThreads,
    watch: Option<PolicyWatch>,
    memory: MemoryThread,
    sinks: SinkThreads,
}

pub fn journal_path(data: &Path) -> PathBuf {
    data.join("journal.sqlite")
}

impl Host {
    /// Starts everything. When this returns, requests are answered.
    pub async fn start(options: HostOptions) -> anyhow::Result<Host> {
        // The address first: a second host says so before it touches anything.
        let listener = tokio::net::TcpListener::bind(options.listen)
            .await
            .with_context(|| format!("{} cannot be listened on; name another address by --listen", options.listen))?;
        let address = listener.local_addr().context("ask for the address")?;
        let (stop, stopping) = watch::channel(false);
        let started = tokio::task::spawn_blocking(move || start_parts(options, stopping))
            .await
            .context("start the host")??;
        let Started {
            parts,
            events,
            driver,
            runner,
            standard,
            watch,
            memory,
            sinks,
        } = started;
        let mut ended = stop.subscribe();
        let router = http::router(parts.clone(), Guard::for_address(address));
        let server = tokio::spawn(async move {
            axum::serve(listener, router)
                .with_graceful_shutdown(async move {
                    // An error says that the host is gone, which is the same.
                    let _ = ended.wait_for(|stopping| *stopping).await;
                })
                .await
        });
        Ok(Host {
            address,
            parts,
            events,
            stop,
            server,
            driver,
            runner,
            standard,
            watch,
            memory,
            sinks,
        })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Entries of the journal as they become true. A reader that is too slow misses some.
    pub fn events(&self) -> broadcast::Receiver<Arc<Batch>> {
        self.events.subscribe()
    }

    /// Ends in order: no new requests, what was asked is done, a snapshot is written. Runs under way go on; the next start finds them.
    pub async fn stop(self) -> anyhow::Result<()> {
        let Host {
            address: _,
            parts,
            events: _,
            stop,
            server,
            driver,
            runner,
            standard,
            watch,
            memory,
            sinks,
        } = self;
        stop.send_replace(true);
        parts.policies.swaps.cancel_all();
        // Viewers close by themselves; a request that takes long is cut off.
        let mut server = server;
        if tokio::time::timeout(GOODBYE, &mut server).await.is_err() {
            server.abort();
        }
        let hub = parts.hub.clone();
        tokio::task::spawn_blocking(move || {
            drop(watch);
            sinks.stop();
            memory.stop();
            standard.stop();
            let ended = driver.stop();
            drop(runner);
            hub.stop();
            ended
        })
        .await
        .context("end the host")?
    }
}

struct Started {
    parts: Arc<Parts>,
    events: broadcast::Sender<Arc<Batch>>,
    driver: Driver,
    runner: Arc<Runner>,
    standard: StandardThreads,
    watch: Option<PolicyWatch>,
    memory: MemoryThread,
    sinks: SinkThreads,
}

fn start_parts(options: HostOptions, stopping: watch::Receiver<bool>) -> anyhow::Result<Started> {
    let HostOptions {
        data,
        listen: _,
        policies,
        require_signatures,
        trusted_keys,
        trust_scripts,
        warm,
        exe,
        pass_env,
        probes,
        ceilings,
        global_max,
        reserved_slots,
        check_replay,
        paused,
        sinks,
        journal,
    } = options;
    let is_named = sinks.is_some();
    std::fs::create_dir_all(&data).with_context(|| format!("the data directory {} cannot be made", data.display()))?;
    let data = data.canonicalize().with_context(|| format!("find {}", data.display()))?;
    // Before anything is touched: what is wrong with it is said at once.
    let named = sinks.unwrap_or_else(|| data.join("sinks.json"));
    let sinks = match is_named || named.exists() {
        true => crate::sinks::read(&named)?,
        false => Vec::new(),
    };
    let journal = Journal::open(journal_path(&data), journal)?;
    let reader = journal.reader()?;
    let restored = recovery::restore(&reader)?;
    let mut view = recovery::view(&reader, restored.last_seq)?;
    let hub = Hub::start(epoch(), view.dashboard(restored.coordinator.state()));
    let readers = Arc::new(Readers::new(journal.path().to_path_buf()));
    let compiler = compiler(&exe);
    let library = Library::with_compiler_and_cache(compiler.clone(), &data.join("cache")).unwrap_or_else(|error| {
        tracing::warn!("compiled policies are not kept: {error}");
        Library::with_compiler(compiler)
    });
    library.trust_scripts(trust_scripts);
    library.keep_warm(&warm);
    let health = Arc::new(Health::default());
    let (events, _) = broadcast::channel(EVENTS_WAITING);

    // The runner reports to the driver and the driver tells the runner: the second arrow is set once both are there.
    let runner_slot: Arc<OnceLock<Arc<Runner>>> = Arc::default();
    let told = runner_slot.clone();
    let driver = Driver::start(Setup {
        journal,
        reader,
        restored,
        view,
        policies: Box::new(Engines::live(library.clone())),
        hub: hub.clone(),
        on_wants: Box::new(move |wants: Wants| {
            if let Some(runner) = told.get() {
                runner.reconcile(&wants);
            }
        }),
        events: events.clone(),
        health: health.clone(),
        check_replay,
    })?;
    let inbox = driver.inbox.clone();
    let trust = Trust {
        keys: trusted_keys.unwrap_or_else(|| data.join("trusted-keys")),
        required: require_signatures,
    };
    let kept = KeptShadows::new(data.join("shadows"));
    let shadows = Shadows::start(hub.clone(), events.subscribe(), Some(kept))?;
    let swaps = Swaps::new(hub.clone());
    let installer = Arc::new(Installer::new(
        library,
        inbox.clone(),
        readers.clone(),
        swaps,
        shadows,
        trust,
        ceilings,
    ));

    // Recorded policies are loaded before anything is decided.
    let mut loading = Loading {
        installer: installer.clone(),
        hub: hub.clone(),
        told: BTreeSet::new(),
    };
    loading.load()?;
    inbox
        .send_blocking(
            Command::StartHost {
                version: env!("CARGO_PKG_VERSION").to_string(),
                paused,
            },
            Vec::new(),
        )
        .context("start the host")?;
    configure(&inbox, global_max, reserved_slots)?;
    for (number, alert) in shipped::activate_where_none(&installer)
        .context("activate the shipped policies")?
        .into_iter()
        .enumerate()
    {
        tracing::warn!("{}", alert.text);
        hub.alert(&format!("2-shipped-{number}"), Some(alert));
    }
    for (file, why) in installer.bring_shadows_back() {
        let text = format!("The shadow {file} was not brought back: {}", sentence(&why));
        tracing::warn!("{text}");
        let alert = Alert {
            level: "warning".to_string(),
            code: "shadow_not_back".to_string(),
            text,
            fix: Some("`pointsman policy shadow start FILE` starts one.".to_string()),
        };
        hub.alert(&format!("2-shadow-{file}"), Some(alert));
    }

    let service = Arc::new(ModelService::new(&data));
    let mut config = RunnerConfig::new(&data, &exe);
    config.pass_env = pass_env;
    config.service = Some(service.clone());
    let memory = MemoryService::new(&data);
    let remembers = memory.clone();
    config.recall = Some(Recall(Arc::new(move |wanted, budget| remembers.recall(wanted, budget))));
    let reports = inbox.clone();
    let runner = Arc::new(Runner::new(
        config,
        Box::new(move |report| {
            reports.report(match report {
                Report::Started { token } => Command::ReportStarted { token },
                Report::Finished { token, report } => Command::ReportFinished { token, report },
            });
        }),
    )?);
    let viewers = hub.clone();
    runner.subscribe(move |outputs| show(&viewers, outputs));
    let _ = runner_slot.set(runner.clone());
    // What was wanted before the runner was there.
    inbox.refresh();

    loading.follow(events.subscribe())?;
    let standard = StandardRequests::new(service, probes);
    let threads = standard.start(inbox.clone(), hub.clone())?;
    let watch = match policies {
        Some(directory) => Some(PolicyWatch::start(directory, installer.clone(), hub.clone())?),
        None => None,
    };
    let memory_thread = memory.start(inbox.clone(), readers.clone(), hub.clone())?;
    let (sinks, sink_threads) = Sinks::start(sinks, &data, readers.clone(), hub.clone())?;
    let idempotency = Idempotency::open(&data, now_ms()).context("read the keys of earlier requests")?;
    let completions = Arc::new(Semaphore::new(COMPLETIONS_MAX));
    let parts = Arc::new(Parts {
        inbox,
        hub,
        readers,
        policies: installer,
        standard,
        health,
        idempotency,
        memory,
        sinks,
        data,
        completions,
        stopping,
    });
    Ok(Started {
        parts,
        events,
        driver,
        runner,
        standard: threads,
        watch,
        memory: memory_thread,
        sinks: sink_threads,
    })
}

/// The settings that are given at the start. Left out, they stay what they were.
fn configure(inbox: &Inbox, global_max: Option<u32>, reserved_slots: Option<u32>) -> anyhow::Result<()> {
    let live = inbox.look_blocking(|state| state.settings.clone()).context("read the settings")?;
    let mut wanted = live.clone();
    wanted.global_max = global_max.unwrap_or(live.global_max);
    wanted.reserved_slots = reserved_slots.unwrap_or(live.reserved_slots);
    if wanted == live {
        return Ok(());
    }
    let command = Command::ReviseSettings {
        expected: live,
        settings: wanted,
        cause: SettingsCause::Configured,
        actor: Actor::new("config"),
        reason: "given at the start of the host".to_string(),
    };
    inbox
        .send_blocking(command, Vec::new())
        .context("--global-max and --reserved-slots do not fit the other settings")?;
    Ok(())
}

/// What runs put out, as viewers see it.
fn show(hub: &Hub, outputs: &[Output]) {
    for Output { run, kind } in outputs {
        match kind {
            OutputKind::Samples(samples) => {
                let points: Vec<Point> = samples
                    .iter()
                    .map(|sample| http::point(sample.step, sample.loss, sample.eval_loss))
                    .collect();
                hub.points(run.0, &points);
            }
            OutputKind::Event(line) => {
                if let RunEvent::Event(TrainerEvent::Phase { phase }) = &line.event {
                    hub.aside(|asides| match phase {
                        Phase::Warming => {
                            asides.warming.insert(run.0);
                        }
                        Phase::Running => {
                            asides.warming.remove(&run.0);
                        }
                    });
                }
            }
            // Log lines are read from the file by those who look at a run.
            OutputKind::Log { .. } => {}
        }
    }
}

/// Loads recorded versions, and tells which of them cannot be.
struct Loading {
    installer: Arc<Installer>,
    hub: Hub,
    /// Alerts that stand.
    told: BTreeSet<String>,
}

impl Loading {
    fn load(&mut self) -> Result<(), Rejected> {
        let mut stands = BTreeSet::new();
        for NotLoaded { kind, policy, reason, fix } in self.installer.load_recorded()? {
            let key = format!("0-not-loaded-{kind}-{policy}");
            let text = format!("{policy} cannot be loaded, so where it should decide on {kind} the next in line does: {reason}");
            if !self.told.contains(&key) {
                tracing::warn!("{text}");
            }
            let again = format!("Activate a policy for {kind} again: `pointsman policy activate FILE`.");
            let alert = Alert {
                level: "error".to_string(),
                code: "policy_not_loaded".to_string(),
                text: sentence(&text),
                fix: Some(fix.map_or(again, |fix| sentence(&fix))),
            };
            self.hub.alert(&key, Some(alert));
            stands.insert(key);
        }
        for over in self.told.difference(&stands) {
            self.hub.alert(over, None);
        }
        self.told = stands;
        Ok(())
    }

    /// A breaker rolls back by itself: what is the last good version then must be loaded, too. And what could not be
    /// loaded may be wanted no more.
    fn follow(mut self, mut events: broadcast::Receiver<Arc<Batch>>) -> std::io::Result<()> {
        std::thread::Builder::new().name("policy-reload".into()).spawn(move || {
            loop {
                let changed = match events.blocking_recv() {
                    Ok(batch) => batch.entries.iter().any(|entry| match entry.event {
                        Event::PolicyRolledBack { .. } => true,
                        Event::PolicyActivated { .. } | Event::PolicyCanaryEnded { .. } => !self.told.is_empty(),
                        _ => false,
                    }),
                    // Among what was missed there may have been one.
                    Err(broadcast::error::RecvError::Lagged(_)) => true,
                    Err(broadcast::error::RecvError::Closed) => return,
                };
                // Refused only by a host that stops.
                if changed && self.load().is_err() {
                    tracing::debug!("recorded policies were not loaded: the host stops");
                }
            }
        })?;
        Ok(())
    }
}

/// Tells one start of the host from another.
fn epoch() -> String {
    let mark = format!("{}-{}", now_ms(), std::process::id());
    blake3::hash(mark.as_bytes()).to_hex()[..16].to_string()
}
