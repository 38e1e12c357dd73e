//! The host's side: compares what is wanted with what there is, and acts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use pointsman_model::RunId;
use pointsman_model::protocol::SpecMemory;
use pointsman_model::run::{AttemptToken, FailureClass};
use pointsman_model::wants::{Beside, RecallBudget, Serving, WantedRun, Wants};

use crate::classify::failed;
use crate::directory::{ExitEnd, Limits, RunDirectory, remove_dir_if_any, runs_dir, runs_on_disk};
use crate::follow::{Followed, Seen, made_model};
use crate::models;
use crate::output::Output;
use crate::report::Report;
use crate::serving::ModelService;

/// How the runner goes about its work.
#[derive(Clone, Debug)]
pub struct RunnerConfig {
    /// Where runs and models lie.
    pub data_dir: PathBuf,
    /// The program that holds [`supervise_main`](crate::supervise_main), usually this one.
    pub exe: PathBuf,
    /// Its arguments before the run's directory: the hidden subcommand.
    pub supervise_args: Vec<String>,
    /// The trainer's program, absolute or found in `PATH`, and its arguments. It starts in the run's output directory.
    pub trainer: Vec<String>,
    pub limits: Limits,
    /// Names of variables that trainers get from the host's environment, beside `PATH`, `HOME` and `LANG`.
    pub pass_env: Vec<String>,
    /// Runs that are over whose log and loss curve are kept, and how many bytes these may have in all. The oldest go first.
    pub keep_runs: usize,
    pub keep_bytes: u64,
    /// Pause between two looks at the runs under way.
    pub poll: Duration,
    /// A supervisor that was asked to end its run, and has not done so this long after the grace, is killed; so is the run.
    pub stuck_after: Duration,
    /// Models in service, if this runner is to look after them.
    pub service: Option<Arc<ModelService>>,
    /// What a training run is given of earlier ones, if anything remembers them.
    pub recall: Option<Recall>,
}

/// Finds what is remembered for a run that begins; asked once for each, by the runner's thread.
#[derive(Clone)]
pub struct Recall(pub Arc<RecallFn>);

type RecallFn = dyn Fn(&WantedRun, &RecallBudget) -> Option<SpecMemory> + Send + Sync;

impl std::fmt::Debug for Recall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Recall")
    }
}

impl RunnerConfig {
    /// The program `exe` as supervisor (`exe supervise DIR`) and as embedded trainer (`exe trainer`).
    pub fn new(data_dir: impl Into<PathBuf>, exe: impl Into<PathBuf>) -> RunnerConfig {
        let exe = exe.into();
        RunnerConfig {
            data_dir: data_dir.into(),
            supervise_args: vec!["supervise".to_string()],
            trainer: vec![exe.to_string_lossy().into_owned(), "trainer".to_string()],
            exe,
            limits: Limits::default(),
            pass_env: Vec::new(),
            keep_runs: 200,
            keep_bytes: 2 << 30,
            poll: Duration::from_millis(75),
            stuck_after: Duration::from_secs(10),
            service: None,
            recall: None,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    #[error("{} cannot be used as data directory", .path.display())]
    DataDir { path: PathBuf, source: io::Error },
    #[error("the trainer's command is empty")]
    NoTrainer,
    #[error("a thread cannot be started")]
    Thread(#[source] io::Error),
}

/// Makes the world match what is wanted, in a thread of its own. Dropping it ends the thread and no run.
pub struct Runner {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

type Listener = Box<dyn Fn(&[Output]) + Send + Sync>;

#[derive(Default)]
struct Shared {
    inbox: Mutex<Inbox>,
    bell: Condvar,
    listeners: Mutex<Vec<Listener>>,
}

#[derive(Default)]
struct Inbox {
    /// The latest word; an earlier one that was not looked at yet is void.
    wants: Option<Wants>,
    /// The same for the models in service, which have a thread of their own: loading takes a while.
    serving: Option<Option<Serving>>,
    stop: bool,
}

/// Time without news after which threads look around all the same: to tell a report again, to try a model again.
const IDLE: Duration = Duration::from_secs(1);

impl Runner {
    /// `reports` is called from the runner's thread and should hand on quickly. While it blocks, nothing is started or followed;
    /// runs under way go on all the same.
    pub fn new(config: RunnerConfig, reports: Box<dyn Fn(Report) + Send + Sync>) -> Result<Runner, RunnerError> {
        let config = prepare(config)?;
        let shared = Arc::new(Shared::default());
        let mut runner = Runner {
            shared: shared.clone(),
            threads: Vec::new(),
        };
        if let Some(service) = config.service.clone() {
            let shared = shared.clone();
            runner.spawn("pointsman-serving", move || serve(&shared, &service))?;
        }
        let mut work = Work {
            config,
            shared,
            reports,
            wants: None,
            runs: BTreeMap::new(),
            children: Vec::new(),
            forgotten: BTreeSet::new(),
        };
        runner.spawn("pointsman-runner", move || work.go_on())?;
        Ok(runner)
    }

    fn spawn(&mut self, name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), RunnerError> {
        let thread = std::thread::Builder::new()
            .name(name.to_string())
            .spawn(body)
            .map_err(RunnerError::Thread)?;
        self.threads.push(thread);
        Ok(())
    }

    /// Says what is wanted from now on. Returns at once; the same value may be said any number of times.
    pub fn reconcile(&self, wants: &Wants) {
        let mut inbox = self.shared.inbox();
        inbox.wants = Some(wants.clone());
        inbox.serving = Some(wants.serving.clone());
        drop(inbox);
        self.shared.bell.notify_all();
    }

    /// Has `listener` called with what runs put out, in batches, a few times a second. It is called from the runner's thread and must
    /// not block.
    pub fn subscribe(&self, listener: impl Fn(&[Output]) + Send + Sync + 'static) {
        self.shared
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Box::new(listener));
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.shared.inbox().stop = true;
        self.shared.bell.notify_all();
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so already.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for news, but no longer than `timeout`.
    fn wait(&self, timeout: Duration, is_news: impl Fn(&Inbox) -> bool) -> MutexGuard<'_, Inbox> {
        let waited = self
            .bell
            .wait_timeout_while(self.inbox(), timeout, |inbox| !inbox.stop && !is_news(inbox));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

fn prepare(mut config: RunnerConfig) -> Result<RunnerConfig, RunnerError> {
    if config.trainer.is_empty() {
        return Err(RunnerError::NoTrainer);
    }
    let unusable = |source| RunnerError::DataDir {
        path: config.data_dir.clone(),
        source,
    };
    fs::create_dir_all(runs_dir(&config.data_dir)).map_err(unusable)?;
    fs::create_dir_all(models::models_dir(&config.data_dir)).map_err(unusable)?;
    // Supervisors and trainers have other working directories.
    config.data_dir = config.data_dir.canonicalize().map_err(unusable)?;
    Ok(config)
}

fn serve(shared: &Shared, service: &ModelService) {
    let mut serving = None;
    loop {
        let mut inbox = shared.wait(IDLE, |inbox| inbox.serving.is_some());
        if inbox.stop {
            return;
        }
        if let Some(latest) = inbox.serving.take() {
            serving = Some(latest);
        }
        drop(inbox);
        // Until the first word nothing is known, which is not the same as nothing wanted.
        if let Some(serving) = &serving {
            service.apply(serving);
        }
    }
}

/// What the runner's thread owns.
struct Work {
    config: RunnerConfig,
    shared: Arc<Shared>,
    reports: Box<dyn Fn(Report) + Send + Sync>,
    wants: Option<Wants>,
    runs: BTreeMap<RunId, Followed>,
    /// Supervisors that this process started and has to wait for.
    children: Vec<i32>,
    /// Attempts that were settled while this process lived. A late want must not start them again.
    forgotten: BTreeSet<AttemptToken>,
}

/// Settled attempts that are remembered; a want that is later than so many runs cannot be.
const FORGOTTEN_MAX: usize = 10_000;

impl Work {
    fn go_on(&mut self) {
        // A run that was forgotten may make room for another attempt of the same number.
        let mut has_forgotten = false;
        loop {
            let is_idle = self.runs.values().all(Followed::is_finished) && !has_forgotten;
            let pause = if is_idle { IDLE } else { self.config.poll };
            let mut inbox = self.shared.wait(pause, |inbox| inbox.wants.is_some());
            if inbox.stop {
                return;
            }
            let news = inbox.wants.take();
            drop(inbox);
            let is_news = news.is_some();
            let is_first = self.wants.is_none();
            if let Some(wants) = news {
                self.wants = Some(wants);
            }
            // Until the first word nothing is known, which is not the same as nothing wanted.
            let Some(wants) = self.wants.take() else { continue };
            if is_first {
                self.take_up_strays(&wants);
            }
            self.compare(&wants);
            self.look();
            has_forgotten = self.forget_unwanted(&wants);
            if is_news {
                self.sweep_models(&wants);
            }
            self.wants = Some(wants);
        }
    }

    /// Runs of an earlier host that nobody wants any more are followed to their end, which is ordered by [`Work::compare`].
    fn take_up_strays(&mut self, wants: &Wants) {
        let on_disk = runs_on_disk(&self.config.data_dir).unwrap_or_else(|error| {
            tracing::error!(%error, "the runs on disk cannot be listed");
            Vec::new()
        });
        let mut seen = Seen::default();
        for run in on_disk {
            let directory = RunDirectory::of(&self.config.data_dir, run);
            let is_wanted = wants.runs.iter().any(|wanted| wanted.run.token.run == run);
            // Only what was put away has no output directory any more.
            if is_wanted || !directory.out().exists() {
                continue;
            }
            match directory.read_wanted() {
                Ok(what) => {
                    // One that never began is not begun now.
                    if matches!(directory.read_supervisor(), Ok(None)) {
                        let _ = directory.ask_to_end("no longer wanted");
                    }
                    let followed = Followed::attach(&self.config, what.token, made_model(what.task), &mut seen);
                    self.runs.insert(run, followed);
                }
                Err(error) => tracing::warn!(%run, %error, "a run's directory is left alone"),
            }
        }
        self.take(seen);
    }

    fn compare(&mut self, wants: &Wants) {
        let mut seen = Seen::default();
        for wanted in &wants.runs {
            let token = wanted.run.token;
            let followed = match self.runs.get_mut(&token.run) {
                Some(followed) if followed.token == token => followed,
                // Another attempt holds the directory: it has to go first.
                Some(other) => {
                    other.end("replaced by another attempt");
                    continue;
                }
                None => {
                    let followed = self.take_up(wanted, &wants.recall, &mut seen);
                    self.runs.entry(token.run).or_insert(followed)
                }
            };
            if wanted.run.started_at.is_some() {
                followed.start_is_known();
            }
            if let Some(reason) = &wanted.run.cancelled {
                followed.end(reason);
            }
        }
        let wanted: BTreeSet<AttemptToken> = wants.runs.iter().map(|wanted| wanted.run.token).collect();
        for followed in self.runs.values_mut().filter(|followed| !wanted.contains(&followed.token)) {
            followed.end("no longer wanted");
        }
        self.take(seen);
    }

    fn take_up(&self, wanted: &WantedRun, budget: &RecallBudget, seen: &mut Seen) -> Followed {
        let token = wanted.run.token;
        let directory = RunDirectory::of(&self.config.data_dir, token.run);
        if directory.path().exists() {
            return match directory.read_wanted() {
                // Its own, or another attempt's that `compare` will end.
                Ok(what) => Followed::attach(&self.config, what.token, made_model(what.task), seen),
                Err(error) => {
                    let end = failed(FailureClass::Infra, &format!("the run's directory is damaged: {error}"), "");
                    Followed::never_started(&self.config, token, end)
                }
            };
        }
        if wanted.run.cancelled.is_some() {
            Followed::never_started(&self.config, token, ExitEnd::Cancelled)
        } else if self.forgotten.contains(&token) {
            let end = failed(FailureClass::Infra, "the run is over, and its outcome is no longer kept", "");
            Followed::never_started(&self.config, token, end)
        } else {
            Followed::start(&self.config, wanted, budget, seen)
        }
    }

    fn look(&mut self) {
        self.children.retain(|child| {
            // SAFETY: a null status is allowed, and WNOHANG never blocks.
            unsafe { libc::waitpid(*child, std::ptr::null_mut(), libc::WNOHANG) == 0 }
        });
        let mut seen = Seen::default();
        for followed in self.runs.values_mut() {
            followed.look(&self.config, &self.children, &mut seen);
        }
        self.take(seen);
    }

    fn take(&mut self, seen: Seen) {
        let Seen {
            outputs,
            reports,
            children,
        } = seen;
        self.children.extend(children);
        if !outputs.is_empty() {
            let listeners = self.shared.listeners.lock().unwrap_or_else(PoisonError::into_inner);
            listeners.iter().for_each(|listener| listener(&outputs));
        }
        reports.into_iter().for_each(|report| (self.reports)(report));
    }

    /// A finished run that is no longer wanted has been taken by the coordinator. What viewers may ask for is kept for a while.
    fn forget_unwanted(&mut self, wants: &Wants) -> bool {
        let wanted: BTreeSet<AttemptToken> = wants.runs.iter().map(|wanted| wanted.run.token).collect();
        let done: Vec<RunId> = self
            .runs
            .iter()
            .filter(|(_, run)| run.is_finished() && !wanted.contains(&run.token))
            .map(|(id, _)| *id)
            .collect();
        if done.is_empty() {
            return false;
        }
        for run in done {
            let Some(followed) = self.runs.remove(&run) else { continue };
            self.forgotten.insert(followed.token);
            let directory = RunDirectory::of(&self.config.data_dir, run);
            let is_replaced = wants.runs.iter().any(|wanted| wanted.run.token.run == run);
            let cleaned = if is_replaced {
                remove_dir_if_any(directory.path())
            } else {
                put_away(&directory)
            };
            if let Err(error) = cleaned {
                tracing::warn!(%run, %error, "a run's directory cannot be cleaned");
            }
        }
        while self.forgotten.len() > FORGOTTEN_MAX {
            self.forgotten.pop_first();
        }
        if let Err(error) = self.delete_oldest() {
            tracing::warn!(%error, "old runs cannot be deleted");
        }
        true
    }

    fn delete_oldest(&self) -> io::Result<()> {
        let mut kept = 0;
        let mut bytes = 0;
        for run in runs_on_disk(&self.config.data_dir)?
            .into_iter()
            .rev()
            .filter(|run| !self.runs.contains_key(run))
        {
            let directory = RunDirectory::of(&self.config.data_dir, run);
            kept += 1;
            bytes += size_of(directory.path())?;
            if kept > self.config.keep_runs || bytes > self.config.keep_bytes {
                remove_dir_if_any(directory.path())?;
            }
        }
        Ok(())
    }

    fn sweep_models(&self, wants: &Wants) {
        // A journal that knows a model keeps one; a host that wants none at all has not read its journal.
        if wants.keep.is_empty() {
            return;
        }
        let mut paths = wants.keep.clone();
        paths.extend(
            wants
                .runs
                .iter()
                .flat_map(|wanted| [&wanted.base, &wanted.candidate])
                .flatten()
                .cloned(),
        );
        if let Some(Serving { active, beside }) = &wants.serving {
            paths.insert(active.path.clone());
            match beside {
                Some(Beside::Canary { candidate: other, .. } | Beside::Watch { before: other }) => paths.insert(other.path.clone()),
                None => false,
            };
        }
        let unsettled: BTreeSet<RunId> = self.runs.keys().copied().collect();
        if let Err(error) = models::sweep(&self.config.data_dir, &paths, &unsettled) {
            tracing::warn!(%error, "models that are not kept cannot be deleted");
        }
    }
}

/// Leaves of a run what viewers may ask for: output, events, curve and outcome.
fn put_away(directory: &RunDirectory) -> io::Result<()> {
    for file in [directory.cancel(), directory.processes(), directory.heartbeat()] {
        match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    // Last, since its absence says that all of this is done.
    remove_dir_if_any(&directory.out())
}

fn size_of(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let metadata = entry?.metadata()?;
        if metadata.is_file() {
            bytes += metadata.len();
        }
    }
    Ok(bytes)
}
