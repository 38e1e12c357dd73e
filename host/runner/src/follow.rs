//! One run as the host sees it: started or found, followed, ended, reported.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use pointsman_model::protocol::{RUN_SPEC_ENV, RunSpec, Slice, SpecClass, SpecSource, TrainParams};
use pointsman_model::run::{AttemptToken, FailureClass, RunReport, Work};
use pointsman_model::wants::{RecallBudget, WantedRun};

use crate::classify::{failed, without_trainer};
use crate::directory::{Exit, ExitEnd, RunDirectory, Task, Wanted};
use crate::models;
use crate::output::{Follower, Output};
use crate::process::{EnvMark, ProcessId, left_behind};
use crate::recorder::unix_ms;
use crate::report::{Report, report};
use crate::runner::RunnerConfig;
use crate::serving::inside;
use crate::supervisor::PASSED_ENV;

/// A report that has had no effect on what is wanted is told again.
const REPORT_AGAIN_AFTER: Duration = Duration::from_secs(5);

pub(crate) struct Followed {
    pub(crate) token: AttemptToken,
    directory: RunDirectory,
    /// A training run leaves a model.
    makes_model: bool,
    stage: Stage,
    follower: Follower,
    /// Why it should end, once it should.
    end_reason: Option<String>,
    asked_to_end_at: Option<Instant>,
    started_told: bool,
    told_at: Option<Instant>,
}

enum Stage {
    /// A supervisor is on its way; its number tells when it has given up.
    Starting {
        child: i32,
    },
    Running {
        supervisor: ProcessId,
    },
    /// The supervisor is gone and has left no outcome. First of all, nothing of the run may live on.
    Abandoned,
    Finished {
        report: RunReport,
    },
}

/// What looking at a run brought.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) outputs: Vec<Output>,
    pub(crate) reports: Vec<Report>,
    /// Children of this process that will have to be waited for.
    pub(crate) children: Vec<i32>,
}

impl Followed {
    /// Makes the run's directory and starts a supervisor in it.
    pub(crate) fn start(config: &RunnerConfig, wanted: &WantedRun, budget: &RecallBudget, seen: &mut Seen) -> Followed {
        let run = &wanted.run;
        let directory = RunDirectory::of(&config.data_dir, run.token.run);
        let follower = Follower::from_start(run.token.run, directory.clone());
        let made = describe(config, wanted, budget, &directory).and_then(|(what, spec)| Ok(directory.create(&what, &spec)?));
        let stage = match made {
            Ok(()) => spawn(config, &directory, run.token, seen),
            Err(error) => {
                // Nothing ran, and nothing is on disk: the report is all there is.
                let end = failed(FailureClass::Infra, &format!("the run's directory could not be made: {error}"), "");
                finished(&without_trainer(run.token, end))
            }
        };
        Followed::new(run.token, makes_model(&run.work), directory, stage, follower)
    }

    /// Takes up a run that has a directory: under way, ended, or never begun because the host died.
    pub(crate) fn attach(config: &RunnerConfig, token: AttemptToken, makes_model: bool, seen: &mut Seen) -> Followed {
        let directory = RunDirectory::of(&config.data_dir, token.run);
        let follower = Follower::from_now(token.run, directory.clone());
        let stage = match (directory.read_exit(), directory.read_supervisor()) {
            (Ok(Some(_)), _) => Stage::Abandoned,
            (Ok(None), Ok(Some(supervisor))) => Stage::Running { supervisor },
            // Either nobody started a supervisor, or one is about to claim the directory; only one can.
            (Ok(None), Ok(None)) => spawn(config, &directory, token, seen),
            (Err(error), _) | (_, Err(error)) => {
                tracing::error!(run = %token.run, %error, "a run's directory is damaged");
                Stage::Abandoned
            }
        };
        Followed::new(token, makes_model, directory, stage, follower)
    }

    /// A run that was cancelled before anything was done for it.
    pub(crate) fn never_started(config: &RunnerConfig, token: AttemptToken, end: ExitEnd) -> Followed {
        let directory = RunDirectory::of(&config.data_dir, token.run);
        let follower = Follower::from_start(token.run, directory.clone());
        Followed::new(token, false, directory, finished(&without_trainer(token, end)), follower)
    }

    fn new(token: AttemptToken, makes_model: bool, directory: RunDirectory, stage: Stage, follower: Follower) -> Followed {
        Followed {
            token,
            directory,
            makes_model,
            stage,
            follower,
            end_reason: None,
            asked_to_end_at: None,
            started_told: false,
            told_at: None,
        }
    }

    /// Ends the run; said once or many times.
    pub(crate) fn end(&mut self, reason: &str) {
        self.end_reason.get_or_insert_with(|| reason.to_string());
    }

    pub(crate) fn is_finished(&self) -> bool {
        match self.stage {
            Stage::Starting { .. } | Stage::Running { .. } | Stage::Abandoned => false,
            Stage::Finished { .. } => true,
        }
    }

    /// The run's start is known to the coordinator.
    pub(crate) fn start_is_known(&mut self) {
        self.started_told = true;
    }

    /// Looks at the directory and moves on. `children` are those of this process that still live.
    pub(crate) fn look(&mut self, config: &RunnerConfig, children: &[i32], seen: &mut Seen) {
        match &self.stage {
            Stage::Starting { child } => {
                let gone = !children.contains(child);
                match self.directory.read_supervisor() {
                    Ok(Some(supervisor)) => self.stage = Stage::Running { supervisor },
                    Ok(None) if gone => {
                        let log = std::fs::read(self.directory.supervisor_log()).unwrap_or_default();
                        let words = String::from_utf8_lossy(&log).into_owned();
                        self.settle(config, failed(FailureClass::Infra, "the supervisor did not start", &words), seen);
                    }
                    Ok(None) => {}
                    Err(_) => self.stage = Stage::Abandoned,
                }
            }
            Stage::Running { supervisor } => {
                let supervisor = supervisor.clone();
                self.tell_started(seen);
                self.ask_to_end(&supervisor, config);
                // In this order: an outcome is written before the supervisor ends.
                let gone = !supervisor.is_alive();
                match self.directory.read_exit() {
                    Ok(Some(exit)) => self.finish(config, &exit, seen),
                    Ok(None) if gone => self.stage = Stage::Abandoned,
                    Ok(None) => self.hand_on_output(false, seen),
                    Err(error) => {
                        tracing::error!(run = %self.token.run, %error, "an outcome is damaged");
                        self.stage = Stage::Abandoned;
                    }
                }
                if gone {
                    supervisor.reap();
                }
            }
            Stage::Abandoned => self.clear_up(config, seen),
            Stage::Finished { .. } => {}
        }
        self.tell_finished(seen);
    }

    /// Reports are told while they are wanted; the runner stops asking when the run is no longer wanted.
    fn tell_finished(&mut self, seen: &mut Seen) {
        let Stage::Finished { report } = &self.stage else { return };
        if self.told_at.is_none_or(|at| at.elapsed() >= REPORT_AGAIN_AFTER) {
            self.told_at = Some(Instant::now());
            seen.reports.push(Report::Finished {
                token: self.token,
                report: report.clone(),
            });
        }
    }

    fn tell_started(&mut self, seen: &mut Seen) {
        if !self.started_told {
            self.started_told = true;
            seen.reports.push(Report::Started { token: self.token });
        }
    }

    fn hand_on_output(&mut self, at_end: bool, seen: &mut Seen) {
        match self.follower.poll(at_end) {
            Ok(outputs) => seen.outputs.extend(outputs),
            Err(error) => tracing::debug!(run = %self.token.run, %error, "output cannot be read"),
        }
    }

    fn ask_to_end(&mut self, supervisor: &ProcessId, config: &RunnerConfig) {
        let Some(reason) = &self.end_reason else { return };
        match self.asked_to_end_at {
            None => match self.directory.ask_to_end(reason) {
                Ok(()) => self.asked_to_end_at = Some(Instant::now()),
                // Tried again at the next look; a full disk may have room then.
                Err(error) => tracing::warn!(run = %self.token.run, %error, "a run cannot be asked to end"),
            },
            Some(at) => {
                let grace = Duration::from_millis(config.limits.grace_ms);
                if at.elapsed() > grace * 2 + config.stuck_after {
                    tracing::warn!(run = %self.token.run, "a supervisor is stuck and is killed");
                    supervisor.signal(libc::SIGKILL);
                }
            }
        }
    }

    /// Kills what is left of a run without supervisor, and writes down how it ended when nothing is left.
    fn clear_up(&mut self, config: &RunnerConfig, seen: &mut Seen) {
        if let Ok(Some(supervisor)) = self.directory.read_supervisor() {
            supervisor.reap();
        }
        let mark = EnvMark::new(RUN_SPEC_ENV, &self.directory.spec());
        let left = left_behind(&mark, &self.directory.read_processes());
        if !left.is_empty() {
            left.iter().for_each(|process| process.signal(libc::SIGKILL));
            return;
        }
        match self.directory.read_exit() {
            Ok(Some(exit)) => self.finish(config, &exit, seen),
            Ok(None) if self.directory.is_asked_to_end() => self.settle(config, ExitEnd::Cancelled, seen),
            Ok(None) => self.settle(config, failed(FailureClass::Infra, "the supervisor vanished", ""), seen),
            Err(error) => self.settle(
                config,
                failed(FailureClass::Infra, &format!("the outcome was lost: {error}"), ""),
                seen,
            ),
        }
    }

    /// Writes the outcome that no supervisor wrote.
    fn settle(&mut self, config: &RunnerConfig, end: ExitEnd, seen: &mut Seen) {
        let exit = Exit {
            duration_ms: self.last_seen_ms(),
            ended_at: unix_ms(),
            ..without_trainer(self.token, end)
        };
        if let Err(error) = self.directory.write_exit(&exit) {
            // After a restart it will be found out anew.
            tracing::warn!(run = %self.token.run, %error, "an outcome cannot be written");
        }
        self.finish(config, &exit, seen);
    }

    fn finish(&mut self, config: &RunnerConfig, exit: &Exit, seen: &mut Seen) {
        if self.directory.supervisor().exists() {
            self.tell_started(seen);
        }
        // Ends because the files have ended.
        loop {
            let before = seen.outputs.len();
            self.hand_on_output(true, seen);
            if seen.outputs.len() == before {
                break;
            }
        }
        let is_model_due = self.makes_model && exit.end == ExitEnd::Completed;
        let adopted = if is_model_due {
            models::adopt(&config.data_dir, self.token.run)
        } else {
            Ok(None)
        };
        let report = match adopted {
            Ok(model) => report(exit, model),
            Err(error) => {
                let end = failed(FailureClass::Infra, &error.to_string(), "");
                report(&Exit { end, ..exit.clone() }, None)
            }
        };
        self.stage = Stage::Finished { report };
    }

    /// Time from the making of the directory to the last heartbeat.
    fn last_seen_ms(&self) -> u64 {
        let modified = |path: &Path| -> Option<SystemTime> { std::fs::metadata(path).ok()?.modified().ok() };
        let lived = modified(&self.directory.heartbeat())
            .zip(modified(&self.directory.wanted()))
            .and_then(|(beaten, made)| beaten.duration_since(made).ok());
        lived.unwrap_or_default().as_millis() as u64
    }
}

fn finished(exit: &Exit) -> Stage {
    Stage::Finished {
        report: report(exit, None),
    }
}

fn makes_model(work: &Work) -> bool {
    match work {
        Work::Bootstrap | Work::Train { .. } => true,
        Work::Evaluate { .. } => false,
    }
}

/// Whether a run that was found on disk was to make a model.
pub(crate) fn made_model(task: Task) -> bool {
    match task {
        Task::Train => true,
        Task::Evaluate => false,
    }
}

fn spawn(config: &RunnerConfig, directory: &RunDirectory, token: AttemptToken, seen: &mut Seen) -> Stage {
    match spawn_supervisor(config, directory) {
        Ok(child) => {
            seen.children.push(child);
            Stage::Starting { child }
        }
        Err(error) => {
            let end = failed(FailureClass::Infra, &format!("the supervisor could not be started: {error}"), "");
            let exit = Exit {
                ended_at: unix_ms(),
                ..without_trainer(token, end)
            };
            if let Err(error) = directory.write_exit(&exit) {
                tracing::warn!(run = %token.run, %error, "an outcome cannot be written");
            }
            finished(&exit)
        }
    }
}

fn spawn_supervisor(config: &RunnerConfig, directory: &RunDirectory) -> io::Result<i32> {
    let log = File::options().create(true).append(true).open(directory.supervisor_log())?;
    let mut command = Command::new(&config.exe);
    command
        .args(&config.supervise_args)
        .arg(directory.path())
        .current_dir(directory.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).env_clear();
    // A trainer may read its supervisor's environment, so that holds no more than its own.
    for name in PASSED_ENV.into_iter().chain(config.pass_env.iter().map(String::as_str)) {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    // SAFETY: setsid is a plain system call. The supervisor does this itself, too; here it comes before a signal to the
    // host's terminal can.
    unsafe {
        command.pre_exec(|| {
            libc::setsid();
            Ok(())
        });
    }
    Ok(command.spawn()?.id() as i32)
}

#[derive(Debug, thiserror::Error)]
enum DescribeError {
    #[error("{0:?} is not a directory inside the data directory")]
    Outside(String),
    #[error(transparent)]
    Write(#[from] io::Error),
}

/// What the supervisor and the trainer are told.
fn describe(
    config: &RunnerConfig,
    wanted: &WantedRun,
    budget: &RecallBudget,
    directory: &RunDirectory,
) -> Result<(Wanted, RunSpec), DescribeError> {
    let WantedRun {
        run,
        base,
        candidate,
        source,
    } = wanted;
    let absolute = |path: &Option<String>| match path {
        Some(path) => match inside(&config.data_dir, path) {
            Some(dir) => Ok(Some(dir.to_string_lossy().into_owned())),
            None => Err(DescribeError::Outside(path.clone())),
        },
        None => Ok(None),
    };
    let (class, task, params, host, slice) = match &run.work {
        Work::Bootstrap => (SpecClass::Bootstrap, Task::Train, TrainParams::default(), None, None),
        Work::Train {
            source: _,
            host,
            params,
            replay_hosts,
        } => {
            let params = TrainParams {
                steps: params.steps,
                learning_rate: params.learning_rate,
                replay_share: params.replay_share,
                replay_hosts: replay_hosts.clone(),
            };
            (SpecClass::Training, Task::Train, params, host.clone(), None)
        }
        Work::Evaluate {
            candidate: _,
            offset,
            blocks_per_host,
        } => {
            let slice = Slice {
                offset: *offset,
                blocks_per_host: *blocks_per_host,
            };
            (SpecClass::Eval, Task::Evaluate, TrainParams::default(), None, Some(slice))
        }
    };
    let source = match source {
        Some(source) => SpecSource {
            id: source.id,
            title: source.title.clone(),
            body: source.body.clone(),
            host: host.clone(),
        },
        None => SpecSource {
            id: 0,
            title: run.title.clone(),
            body: String::new(),
            host: host.clone(),
        },
    };
    let spec = RunSpec {
        run: run.token.run.0,
        attempt: run.token.attempt,
        class,
        source,
        params,
        seed: run.seed,
        base: absolute(base)?,
        candidate: absolute(candidate)?,
        out_dir: directory.out().to_string_lossy().into_owned(),
        slice,
        memory: match (&run.work, &config.recall) {
            (Work::Train { .. }, Some(recall)) => recall.0(wanted, budget),
            (Work::Train { .. } | Work::Bootstrap | Work::Evaluate { .. }, _) => None,
        },
    };
    let mut env = vec![
        (RUN_SPEC_ENV.to_string(), directory.spec().to_string_lossy().into_owned()),
        ("POINTSMAN_JOB_ID".to_string(), run.token.run.to_string()),
        ("POINTSMAN_SOURCE".to_string(), spec.source.id.to_string()),
        ("POINTSMAN_OUT_DIR".to_string(), spec.out_dir.clone()),
        ("POINTSMAN_SEED".to_string(), run.seed.to_string()),
    ];
    if let Some(host) = host {
        // A user's word; the environment cannot hold a zero byte.
        env.push(("POINTSMAN_HOST".to_string(), host.replace('\0', "")));
    }
    if let Some(base) = &spec.base {
        env.push(("POINTSMAN_BASE_CHECKPOINT".to_string(), base.clone()));
    }
    let what = Wanted {
        token: run.token,
        title: run.title.clone(),
        task,
        command: config.trainer.clone(),
        env,
        pass_env: config.pass_env.clone(),
        limits: config.limits.clone(),
    };
    Ok((what, spec))
}
