//! The directory of a run: the only thing that host and supervisor share.
//!
//! Everything that must outlive either process stands here. Files that are read by the other side are made whole
//! under another name and put in place in one step; the rest are append files that may end in half a record.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pointsman_model::RunId;
use pointsman_model::protocol::{Evaluation, RunSpec, TrainerEvent};
use pointsman_model::run::{AttemptToken, FailureClass};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::process::ProcessId;

/// A run's directory under `<data>/runs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDirectory {
    path: PathBuf,
}

impl RunDirectory {
    /// The directory of `run`, whether it exists or not.
    pub fn of(data_dir: &Path, run: RunId) -> RunDirectory {
        RunDirectory {
            path: runs_dir(data_dir).join(run.to_string()),
        }
    }

    pub fn at(path: &Path) -> RunDirectory {
        RunDirectory { path: path.to_path_buf() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is to run: [`Wanted`]. Its presence makes the directory one of ours.
    pub fn wanted(&self) -> PathBuf {
        self.path.join("wanted.json")
    }

    /// What the trainer is told: a [`RunSpec`].
    pub fn spec(&self) -> PathBuf {
        self.path.join("spec.json")
    }

    /// Standard output and error of the trainer, byte for byte.
    pub fn log(&self) -> PathBuf {
        self.path.join("output.log")
    }

    /// The trainer's events, one [`EventLine`] per line.
    pub fn events(&self) -> PathBuf {
        self.path.join("events.jsonl")
    }

    /// The loss curve in records of fixed size; see [`crate::samples`].
    pub fn samples(&self) -> PathBuf {
        self.path.join("samples.bin")
    }

    /// An empty file that the supervisor touches while it lives.
    pub fn heartbeat(&self) -> PathBuf {
        self.path.join("heartbeat")
    }

    /// Who supervises: a [`ProcessId`]. Made once per directory, so that the trainer is started at most once.
    pub fn supervisor(&self) -> PathBuf {
        self.path.join("supervisor.json")
    }

    /// What the supervisor itself complains about.
    pub fn supervisor_log(&self) -> PathBuf {
        self.path.join("supervisor.log")
    }

    /// The processes of the run as last seen, for the case that the supervisor is killed.
    pub fn processes(&self) -> PathBuf {
        self.path.join("processes.json")
    }

    /// How it ended: an [`Exit`].
    pub fn exit(&self) -> PathBuf {
        self.path.join("exit.json")
    }

    /// Its presence asks the supervisor to end the run; the content says why.
    pub fn cancel(&self) -> PathBuf {
        self.path.join("cancel")
    }

    /// Receives what the run makes.
    pub fn out(&self) -> PathBuf {
        self.path.join("out")
    }

    pub fn read_wanted(&self) -> Result<Wanted, DirectoryError> {
        read_json(&self.wanted())
    }

    /// None while there is no such file.
    pub fn read_supervisor(&self) -> Result<Option<ProcessId>, DirectoryError> {
        read_json_if_any(&self.supervisor())
    }

    /// None while there is no such file.
    pub fn read_exit(&self) -> Result<Option<Exit>, DirectoryError> {
        read_json_if_any(&self.exit())
    }

    /// Last seen processes; a file that is missing or unreadable names none.
    pub fn read_processes(&self) -> Vec<ProcessId> {
        read_json(&self.processes()).unwrap_or_default()
    }

    pub fn write_exit(&self, exit: &Exit) -> io::Result<()> {
        write_whole(&self.exit(), &to_json(exit), Sync::Durable)
    }

    pub fn ask_to_end(&self, reason: &str) -> io::Result<()> {
        write_whole(&self.cancel(), reason.as_bytes(), Sync::Durable)
    }

    pub fn is_asked_to_end(&self) -> bool {
        self.cancel().exists()
    }

    /// Whether somebody has deleted it: then nobody can read what comes of the run.
    pub fn is_gone(&self) -> bool {
        matches!(self.path().try_exists(), Ok(false))
    }

    /// Makes the directory with its first two files, whole or not at all. Fails with
    /// [`io::ErrorKind::AlreadyExists`] or [`io::ErrorKind::DirectoryNotEmpty`] where there is one already.
    pub fn create(&self, wanted: &Wanted, spec: &RunSpec) -> io::Result<()> {
        let runs = self.path.parent().expect("a run's directory lies in the runs directory");
        let name = self.path.file_name().expect("a run's directory has a name").to_string_lossy();
        let draft = RunDirectory::at(&runs.join(format!(".new-{name}-{}", std::process::id())));
        // A draft of an earlier try that failed half-way.
        remove_dir_if_any(&draft.path)?;
        let made = (|| {
            fs::create_dir(&draft.path)?;
            fs::create_dir(draft.out())?;
            write_new(&draft.wanted(), &to_json(wanted))?;
            write_new(&draft.spec(), &to_json(spec))?;
            sync_dir(&draft.path)?;
            fs::rename(&draft.path, &self.path)?;
            sync_dir(runs)
        })();
        if made.is_err() {
            let _ = fs::remove_dir_all(&draft.path);
        }
        made
    }

    /// Claims the directory for this process, once and for all. False where another process was first.
    pub fn claim(&self, supervisor: &ProcessId) -> io::Result<bool> {
        let draft = self.path.join(format!("supervisor.json.{}", supervisor.pid));
        let _ = fs::remove_file(&draft);
        write_new(&draft, &to_json(supervisor))?;
        let claimed = match fs::hard_link(&draft, self.supervisor()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        };
        let _ = fs::remove_file(&draft);
        sync_dir(&self.path)?;
        claimed
    }
}

/// Where all runs lie.
pub(crate) fn runs_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("runs")
}

/// Ids of the runs that have a directory, ascending.
pub fn runs_on_disk(data_dir: &Path) -> io::Result<Vec<RunId>> {
    let mut runs = Vec::new();
    for entry in fs::read_dir(runs_dir(data_dir))? {
        if let Some(id) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) {
            runs.push(RunId(id));
        }
    }
    runs.sort();
    Ok(runs)
}

/// What a supervisor is to run, and within which limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    pub token: AttemptToken,
    pub title: String,
    pub task: Task,
    /// The trainer's program and arguments.
    pub command: Vec<String>,
    /// Variables of the run, beside the few that are passed on.
    pub env: Vec<(String, String)>,
    /// Names of variables that are passed on from the host, beside `PATH`, `HOME` and `LANG`.
    pub pass_env: Vec<String>,
    pub limits: Limits,
}

/// What the run must bring to count as completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// A model, told by `training.completed`.
    Train,
    /// Pairs, told by `evaluation.completed`.
    Evaluate,
}

impl Task {
    pub fn completion_event(self) -> &'static str {
        match self {
            Task::Train => "training.completed",
            Task::Evaluate => "evaluation.completed",
        }
    }
}

/// Bounds of one run; what goes beyond is cut off and counted, or ends the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The run is ended after this time.
    pub wall_ms: u64,
    /// Time between asking a process tree to end and killing it.
    pub grace_ms: u64,
    /// Longest line that is kept in the log.
    pub line_bytes_max: usize,
    /// Size of the log.
    pub log_bytes_max: u64,
    /// Address space of each of the run's processes; none sets no limit.
    pub memory_bytes_max: Option<u64>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            wall_ms: Duration::from_secs(24 * 3600).as_millis() as u64,
            grace_ms: 2_000,
            line_bytes_max: 64 << 10,
            log_bytes_max: 64 << 20,
            memory_bytes_max: None,
        }
    }
}

/// One line of `events.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventLine {
    /// Milliseconds since 1970 at which the line was read.
    pub at: u64,
    /// Where the line starts in `output.log`.
    pub offset: u64,
    #[serde(flatten)]
    pub event: RunEvent,
}

/// What a trainer said, as far as it meant something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEvent {
    Event(TrainerEvent),
    /// The line names an event of the protocol but cannot be one.
    Malformed {
        field: String,
        reason: String,
    },
}

/// How a run ended, with all that its report is made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exit {
    pub token: AttemptToken,
    pub end: ExitEnd,
    pub exit_code: Option<i32>,
    pub signal: Option<i32>,
    pub duration_ms: u64,
    /// Milliseconds since 1970.
    pub ended_at: u64,
    /// Bytes of output and number of events that were not kept.
    #[serde(default)]
    pub dropped_bytes: u64,
    #[serde(default)]
    pub dropped_events: u64,
    #[serde(default)]
    pub findings: Findings,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitEnd {
    Completed,
    Failed { class: FailureClass, error: String },
    Cancelled,
}

/// What the trainer's events said about the run as a whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Findings {
    pub last_step: u64,
    /// Hosts that it trained on, as its start said.
    pub hosts: Vec<String>,
    pub first_eval_loss: Option<f64>,
    pub last_eval_loss: Option<f64>,
    /// The `training.completed` event.
    pub completed: Option<TrainerEvent>,
    pub evaluation: Option<Evaluation>,
}

#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    #[error("{path} cannot be read")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path} is damaged")]
    Parse { path: PathBuf, source: serde_json::Error },
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, DirectoryError> {
    let text = fs::read(path).map_err(|source| DirectoryError::Read {
        path: path.to_path_buf(),
        source,
    })?;
    serde_json::from_slice(&text).map_err(|source| DirectoryError::Parse {
        path: path.to_path_buf(),
        source,
    })
}

fn read_json_if_any<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, DirectoryError> {
    match read_json(path) {
        Ok(value) => Ok(Some(value)),
        Err(DirectoryError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

pub(crate) fn to_json(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec(value).expect("our own records have text keys and can be written as JSON");
    text.push(b'\n');
    text
}

/// Whether a file must survive a loss of power.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sync {
    Durable,
    Fleeting,
}

/// Puts a file in place in one step; readers see the old one or the new one.
pub(crate) fn write_whole(path: &Path, bytes: &[u8], sync: Sync) -> io::Result<()> {
    let mut name = path.file_name().expect("a file has a name").to_os_string();
    // Host and supervisor may both write the same file; each has a draft of its own.
    name.push(format!(".{}.tmp", std::process::id()));
    let draft = path.with_file_name(name);
    let written = (|| {
        let mut file = File::create(&draft)?;
        file.write_all(bytes)?;
        if sync == Sync::Durable {
            file.sync_all()?;
        }
        fs::rename(&draft, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&draft);
        return written;
    }
    match (sync, path.parent()) {
        (Sync::Durable, Some(parent)) => sync_dir(parent),
        (Sync::Durable, None) | (Sync::Fleeting, _) => Ok(()),
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the names in a directory survive a loss of power.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

pub(crate) fn remove_dir_if_any(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
