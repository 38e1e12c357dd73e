//! What the tests stand on: a data directory, a runner with a script as trainer, and waiting for states.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pointsman_model::run::{AttemptToken, Failure, FailureClass, Run, RunClass, RunEnd, RunReport, Work};
use pointsman_model::source::TrainingParams;
use pointsman_model::wants::{WantedRun, WantedSource, Wants};
use pointsman_model::{RunId, SourceId};
use pointsman_runner::{EnvMark, Output, ProcessId, Report, RunDirectory, Runner, RunnerConfig, Task, Wanted, left_behind};

/// No test takes so long unless something is wrong.
const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) struct Bench {
    pub(crate) config: RunnerConfig,
    runner: Option<Runner>,
    reports: Receiver<Report>,
    /// Reports that came while another one was waited for.
    early: RefCell<Vec<Report>>,
    pub(crate) outputs: Arc<Mutex<Vec<Output>>>,
}

impl Bench {
    /// A runner whose trainer is this shell script. The script finds the data directory in `$1`.
    pub(crate) fn new(name: &str, script: &str) -> Bench {
        Bench::with(name, script, |_| {})
    }

    pub(crate) fn with(name: &str, script: &str, change: impl FnOnce(&mut RunnerConfig)) -> Bench {
        let data_dir = std::env::temp_dir().join(format!("pointsman-runner-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&data_dir);
        fs::create_dir_all(&data_dir).unwrap();
        let mut config = config(&data_dir, script);
        change(&mut config);
        Bench::start(config)
    }

    fn start(config: RunnerConfig) -> Bench {
        let (sender, reports) = channel();
        let sender = Mutex::new(sender);
        let report = move |report| {
            // A bench that is gone asks for nothing.
            let _ = sender.lock().unwrap().send(report);
        };
        let runner = Runner::new(config.clone(), Box::new(report)).unwrap();
        let outputs = Arc::new(Mutex::new(Vec::new()));
        let feed = outputs.clone();
        runner.subscribe(move |batch| feed.lock().unwrap().extend_from_slice(batch));
        Bench {
            config,
            runner: Some(runner),
            reports,
            early: RefCell::default(),
            outputs,
        }
    }

    /// The host goes away without a word to its runs, and another one comes.
    pub(crate) fn restart(mut self) -> Bench {
        let config = self.config.clone();
        self.runner = None;
        // The directory stays.
        std::mem::forget(self);
        Bench::start(config)
    }

    /// The host is gone and its runs go on.
    pub(crate) fn stop_host(&mut self) {
        self.runner = None;
    }

    pub(crate) fn want(&self, runs: &[WantedRun]) {
        self.reconcile(&Wants {
            runs: runs.to_vec(),
            ..Wants::default()
        });
    }

    pub(crate) fn reconcile(&self, wants: &Wants) {
        self.runner.as_ref().unwrap().reconcile(wants);
    }

    /// Runs one training run to its end.
    pub(crate) fn finish(&self, run: u64) -> RunReport {
        self.want(&[training(run)]);
        self.finished(run)
    }

    pub(crate) fn finished(&self, run: u64) -> RunReport {
        let token = token(run);
        let report = self.report(|report| matches!(report, Report::Finished { token: of, .. } if *of == token));
        let Report::Finished { report, .. } = report else { unreachable!() };
        report
    }

    pub(crate) fn started(&self, run: u64) {
        let token = token(run);
        self.report(|report| matches!(report, Report::Started { token: of } if *of == token));
    }

    fn report(&self, is_it: impl Fn(&Report) -> bool) -> Report {
        let mut early = self.early.borrow_mut();
        if let Some(at) = early.iter().position(&is_it) {
            return early.remove(at);
        }
        let end = Instant::now() + DEADLINE;
        loop {
            let report = self.reports.recv_timeout(end - Instant::now()).expect("a report in time");
            if is_it(&report) {
                return report;
            }
            early.push(report);
        }
    }

    /// Reports so far of this kind.
    pub(crate) fn count_reports(&self, is_it: impl Fn(&Report) -> bool) -> usize {
        let mut early = self.early.borrow_mut();
        early.extend(self.reports.try_iter());
        early.iter().filter(|report| is_it(report)).count()
    }

    /// As the runner makes it, with no supervisor in it.
    pub(crate) fn make_directory(&self, run: u64) {
        let directory = self.directory(run);
        let what = Wanted {
            token: token(run),
            title: String::new(),
            task: Task::Train,
            command: self.config.trainer.clone(),
            env: vec![("POINTSMAN_RUN_SPEC".into(), directory.spec().to_string_lossy().into_owned())],
            pass_env: Vec::new(),
            limits: self.config.limits.clone(),
        };
        let spec = serde_json::json!({
            "run": run, "attempt": 1, "class": "training", "source": {"id": 0, "title": ""}, "params": {}, "seed": 0,
            "out_dir": directory.out(),
        });
        directory.create(&what, &serde_json::from_value(spec).unwrap()).unwrap();
    }

    pub(crate) fn directory(&self, run: u64) -> RunDirectory {
        RunDirectory::of(&self.config.data_dir, RunId(run))
    }

    pub(crate) fn log(&self, run: u64) -> Vec<u8> {
        fs::read(self.directory(run).log()).unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.config.data_dir.join(name)
    }

    /// Waits until a script has written a whole line to a file of the data directory.
    pub(crate) fn line(&self, name: &str) -> String {
        let path = self.path(name);
        wait_for(name, || fs::read_to_string(&path).ok().filter(|text| text.ends_with('\n')))
            .trim_end()
            .to_string()
    }

    /// Lets go a script that waits for the file; see [`wait_script`].
    pub(crate) fn go(&self) {
        fs::write(self.path("go"), "").unwrap();
    }

    pub(crate) fn processes(&self, run: u64) -> Vec<ProcessId> {
        processes(&self.directory(run))
    }

    pub(crate) fn supervisor(&self, run: u64) -> ProcessId {
        wait_for("a supervisor", || self.directory(run).read_supervisor().ok().flatten())
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.runner = None;
        // A test that failed may leave its runs going.
        for run in pointsman_runner::runs_on_disk(&self.config.data_dir).unwrap_or_default() {
            let directory = RunDirectory::of(&self.config.data_dir, run);
            if let Ok(Some(supervisor)) = directory.read_supervisor() {
                supervisor.signal(9);
            }
            processes(&directory).iter().for_each(|process| process.signal(9));
        }
        let _ = fs::remove_dir_all(&self.config.data_dir);
    }
}

pub(crate) fn processes(directory: &RunDirectory) -> Vec<ProcessId> {
    let path = directory
        .path()
        .canonicalize()
        .map(|path| RunDirectory::at(&path))
        .unwrap_or(directory.clone());
    left_behind(&EnvMark::new("POINTSMAN_RUN_SPEC", &path.spec()), &directory.read_processes())
}

pub(crate) fn config(data_dir: &Path, script: &str) -> RunnerConfig {
    let mut config = RunnerConfig::new(data_dir, std::env::current_exe().unwrap());
    config.trainer = ["/bin/sh", "-c", script, "trainer", data_dir.to_str().unwrap()]
        .map(String::from)
        .to_vec();
    config.limits.grace_ms = 200;
    config.poll = Duration::from_millis(10);
    config.stuck_after = Duration::from_millis(500);
    config
}

/// A script's wait for [`Bench::go`].
pub(crate) const WAIT: &str = r#"while [ ! -e "$1/go" ]; do sleep 0.02; done"#;
/// What a script prints to have done its work.
pub(crate) const COMPLETED: &str = r#"echo '{"type":"training.completed","artifacts":[]}'"#;

pub(crate) fn token(run: u64) -> AttemptToken {
    AttemptToken {
        run: RunId(run),
        attempt: 1,
        term: 1,
    }
}

pub(crate) fn training(run: u64) -> WantedRun {
    let params = TrainingParams {
        steps: 10,
        learning_rate: 1e-3,
        replay_share: 0.5,
    };
    let work = Work::Train {
        source: SourceId(7),
        host: Some("code".into()),
        params,
        replay_hosts: vec!["novel".into()],
    };
    let source = WantedSource {
        id: 7,
        title: "A title".into(),
        body: String::new(),
    };
    WantedRun {
        run: run_of(run, RunClass::Training, work),
        base: None,
        candidate: None,
        source: Some(source),
    }
}

pub(crate) fn run_of(run: u64, class: RunClass, work: Work) -> Run {
    Run {
        token: token(run),
        class,
        title: "A title".into(),
        work,
        base: None,
        seed: 11,
        planned_at: 0,
        started_at: None,
        cancelled: None,
    }
}

pub(crate) fn cancelled(mut wanted: WantedRun) -> WantedRun {
    wanted.run.cancelled = Some("a person said so".into());
    wanted
}

#[track_caller]
pub(crate) fn failure(report: &RunReport) -> &Failure {
    match &report.end {
        RunEnd::Failed(failure) => failure,
        other => panic!("not a failure: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn check_failed(report: &RunReport, class: FailureClass, text: &str) {
    let failure = failure(report);
    assert_eq!(failure.class, class, "{failure:?}");
    assert!(failure.error.contains(text), "{:?} is not in {:?}", text, failure.error);
    assert!(failure.error.len() <= 1024);
}

/// Waits for a state. There is no event to wait for in another process's files, so we look often.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut state: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(state) = state() {
            return state;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(3));
    }
}

#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    wait_for(what, || is_so().then_some(()));
}

pub(crate) fn process(pid: &str) -> ProcessId {
    ProcessId::of(pid.parse().unwrap()).expect("a living process")
}
