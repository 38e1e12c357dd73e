//! The supervisor: a small process of its own around one trainer.
//!
//! It holds the trainer's pipes, stores and caps what comes out of them, beats the heart, enforces the limits, ends the whole
//! tree of processes when it is time, and leaves the outcome on disk. It talks to the host only through the run's
//! directory, so the host may die and come back at any moment. One thread, one loop around `poll`.

use std::io::{self, Read};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{ChildStderr, ChildStdout, Command, ExitCode, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use pointsman_model::run::AttemptToken;

use crate::classify::{self, Ending};
use crate::directory::{DirectoryError, Exit, ExitEnd, Limits, RunDirectory, Sync, Task, Wanted, to_json, write_whole};
use crate::process::{self, ProcessId};
use crate::recorder::{Recorder, Stream, unix_ms};

const HEARTBEAT_EVERY: Duration = Duration::from_millis(500);
/// How long the loop sleeps when no pipe has anything to say.
const POLL: Duration = Duration::from_millis(50);
/// Pause between two rounds of killing, for processes to go away in.
const KILL_POLL: Duration = Duration::from_millis(2);
/// Pause between two looks at processes that have been asked to end.
const END_POLL: Duration = Duration::from_millis(20);
/// Bytes taken from one pipe before the other one, the limits and the clock have their turn.
const READ_AT_ONCE: usize = 1 << 20;
/// Passed on from the host's environment to every trainer; everything else is left out, secrets above all.
pub(crate) const PASSED_ENV: [&str; 4] = ["PATH", "HOME", "LANG", "POINTSMAN_DEMO_FAULTS"];
const NICENESS: i32 = 10;
/// Where memory runs out, a trainer dies before the host does.
const OOM_SCORE_ADJUSTMENT: &str = "500";

/// The hidden subcommand `pointsman supervise DIR`: runs what the directory asks for, to its end.
///
/// Does nothing when the directory has had a supervisor before, so it may be called again for a directory of which nobody knows
/// whether it was started.
pub fn supervise_main(run_dir: &Path) -> ExitCode {
    match supervise(&RunDirectory::at(run_dir)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error is the file supervisor.log.
            eprintln!("{}: {error}", run_dir.display());
            ExitCode::FAILURE
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum SuperviseError {
    #[error("the run's description cannot be used: {0}")]
    Wanted(#[from] DirectoryError),
    #[error("the directory cannot be claimed: {0}")]
    Claim(io::Error),
}

fn supervise(directory: &RunDirectory) -> Result<(), SuperviseError> {
    let wanted = directory.read_wanted()?;
    leave_the_host();
    let own = ProcessId::of(std::process::id() as i32).ok_or_else(|| SuperviseError::Claim(io::Error::other("/proc is not readable")))?;
    if !directory.claim(&own).map_err(SuperviseError::Claim)? {
        return Ok(());
    }
    let begun = Instant::now();
    let exit = if directory.is_asked_to_end() {
        classify::without_trainer(wanted.token, ExitEnd::Cancelled)
    } else {
        match Supervision::start(directory, &wanted) {
            Ok(supervision) => supervision.run(),
            Err(error) => classify::not_started(wanted.token, &error),
        }
    };
    let exit = Exit {
        duration_ms: begun.elapsed().as_millis() as u64,
        ended_at: unix_ms(),
        ..exit
    };
    // A full disk must not cost the outcome: the host waits as long as the heart beats.
    while let Err(error) = directory.write_exit(&exit) {
        if directory.is_gone() {
            break;
        }
        eprintln!("the outcome cannot be written: {error}");
        beat(directory);
        std::thread::sleep(HEARTBEAT_EVERY);
    }
    Ok(())
}

/// A session of its own, so that a signal to the host's terminal does not end the run, and the right to be the parent of whatever
/// the trainer leaves behind.
fn leave_the_host() {
    // SAFETY: plain system calls without memory of ours; the handler only sets a flag. A failing setsid means that we lead a
    // session already.
    unsafe {
        libc::setsid();
        libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
            libc::signal(signal, note_signal as *const () as libc::sighandler_t);
        }
    }
}

static ASKED_BY_SIGNAL: AtomicBool = AtomicBool::new(false);

extern "C" fn note_signal(_: libc::c_int) {
    ASKED_BY_SIGNAL.store(true, Ordering::Relaxed);
}

struct Supervision<'a> {
    directory: &'a RunDirectory,
    limits: Limits,
    task: Task,
    token: AttemptToken,
    trainer: i32,
    status: Option<ExitStatus>,
    out: Option<ChildStdout>,
    error: Option<ChildStderr>,
    recorder: Recorder,
    begun: Instant,
    beaten_at: Option<Instant>,
    processes: Vec<ProcessId>,
    stage: Stage,
    ending: Ending,
}

/// A run goes through these in order; a trainer that ends by itself and leaves nobody behind skips the last two.
#[derive(Clone, Copy)]
enum Stage {
    Running,
    /// Asked to end.
    Ending {
        since: Instant,
    },
    Killing,
}

impl<'a> Supervision<'a> {
    fn start(directory: &'a RunDirectory, wanted: &Wanted) -> io::Result<Supervision<'a>> {
        let recorder = Recorder::new(directory, &wanted.limits)?;
        let mut child = command(directory, wanted)?.spawn()?;
        let trainer = child.id() as i32;
        // Allowed to everybody, since it makes things worse only for the process itself.
        let _ = std::fs::write(format!("/proc/{trainer}/oom_score_adj"), OOM_SCORE_ADJUSTMENT);
        let (out, error) = (child.stdout.take(), child.stderr.take());
        for pipe in [out.as_ref().map(AsRawFd::as_raw_fd), error.as_ref().map(AsRawFd::as_raw_fd)]
            .into_iter()
            .flatten()
        {
            set_nonblocking(pipe)?;
        }
        // From here on only `reap` waits for children, the trainer among them.
        drop(child);
        Ok(Supervision {
            directory,
            limits: wanted.limits.clone(),
            task: wanted.task,
            token: wanted.token,
            trainer,
            status: None,
            out,
            error,
            recorder,
            begun: Instant::now(),
            beaten_at: None,
            processes: Vec::new(),
            stage: Stage::Running,
            ending: Ending::ByItself,
        })
    }

    fn run(mut self) -> Exit {
        loop {
            self.wait_for_output();
            let quiet = !self.drain();
            if quiet {
                self.recorder.idle();
            } else {
                self.recorder.flush();
            }
            self.reap();
            self.beat_if_due();
            if self.end_if_due() {
                break;
            }
        }
        // All writers are gone, so this reaches the end of both pipes.
        while self.drain() {}
        self.recorder.finish();
        classify::exit(self.token, self.task, &self.ending, self.status, &self.recorder)
    }

    fn wait_for_output(&self) {
        let timeout = match self.stage {
            Stage::Running => POLL,
            Stage::Ending { .. } => END_POLL,
            Stage::Killing => KILL_POLL,
        };
        let pipes = [
            self.out.as_ref().map(AsRawFd::as_raw_fd),
            self.error.as_ref().map(AsRawFd::as_raw_fd),
        ];
        let mut polled = pipes.map(|fd| libc::pollfd {
            fd: fd.unwrap_or(-1),
            events: libc::POLLIN,
            revents: 0,
        });
        // SAFETY: the array lives as long as the call; negative descriptors are passed over. A signal ends the wait early, which is
        // what we want.
        unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, timeout.as_millis() as i32) };
    }

    /// Takes what the pipes hold, up to a bound. False when they held nothing.
    fn drain(&mut self) -> bool {
        let out = drain_pipe(&mut self.out, Stream::Out, &mut self.recorder);
        let error = drain_pipe(&mut self.error, Stream::Error, &mut self.recorder);
        out || error
    }

    /// Waits for everything that has ended: the trainer, and what it left behind and we became the parent of.
    fn reap(&mut self) {
        loop {
            let mut status = 0;
            // SAFETY: the status lives as long as the call, and WNOHANG never blocks.
            let pid = unsafe { libc::waitpid(-1, &mut status, libc::WNOHANG) };
            if pid <= 0 {
                return;
            }
            if pid == self.trainer {
                self.status = Some(ExitStatus::from_raw(status));
            }
        }
    }

    fn beat_if_due(&mut self) {
        if self.beaten_at.is_some_and(|at| at.elapsed() < HEARTBEAT_EVERY) {
            return;
        }
        self.beaten_at = Some(Instant::now());
        beat(self.directory);
        let processes = self.living();
        if processes != self.processes {
            // For the host, should this process be killed. A full disk takes nothing but that.
            let _ = write_whole(&self.directory.processes(), &to_json(&processes), Sync::Fleeting);
            self.processes = processes;
        }
    }

    fn living(&self) -> Vec<ProcessId> {
        process::descendants(&[std::process::id() as i32])
    }

    /// Moves the end of the run on. True when no process is left.
    fn end_if_due(&mut self) -> bool {
        match self.stage {
            Stage::Running => {
                if self.status.is_none() {
                    self.ending = match self.reason_to_end() {
                        Some(reason) => reason,
                        None => return false,
                    };
                }
                let living = self.living();
                if living.is_empty() && self.status.is_some() {
                    return true;
                }
                self.signal(&living, libc::SIGTERM);
                // A stopped process would not notice.
                self.signal(&living, libc::SIGCONT);
                self.stage = Stage::Ending { since: Instant::now() };
                false
            }
            Stage::Ending { since } => {
                if self.status.is_some() && self.living().is_empty() {
                    return true;
                }
                if since.elapsed() >= Duration::from_millis(self.limits.grace_ms) {
                    self.stage = Stage::Killing;
                }
                false
            }
            Stage::Killing => {
                let living = self.living();
                self.signal(&living, libc::SIGKILL);
                self.status.is_some() && living.is_empty()
            }
        }
    }

    fn reason_to_end(&self) -> Option<Ending> {
        if self.directory.is_asked_to_end() || self.directory.is_gone() {
            Some(Ending::Cancelled)
        } else if ASKED_BY_SIGNAL.load(Ordering::Relaxed) {
            Some(Ending::Preempted)
        } else if self.begun.elapsed() >= Duration::from_millis(self.limits.wall_ms) {
            Some(Ending::OutOfTime {
                limit_ms: self.limits.wall_ms,
            })
        } else {
            None
        }
    }

    /// The group reaches children that are born at this moment; the list reaches those that left the group.
    fn signal(&self, living: &[ProcessId], signal: i32) {
        // While it has not been waited for, the number is still the trainer's.
        let group = self.status.is_none().then_some(self.trainer);
        if let Some(group) = group {
            process::send_to_group(group, signal);
        }
        for process in living {
            // Nobody is asked twice: some take the second request for an order.
            if group.is_none() || process.group() != group {
                process.signal(signal);
            }
        }
    }
}

fn command(directory: &RunDirectory, wanted: &Wanted) -> io::Result<Command> {
    let [program, arguments @ ..] = wanted.command.as_slice() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the trainer's command is empty"));
    };
    let mut command = Command::new(program);
    command.args(arguments).env_clear().current_dir(directory.out()).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in PASSED_ENV.into_iter().chain(wanted.pass_env.iter().map(String::as_str)) {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.envs(wanted.env.iter().map(|(name, value)| (name, value)));
    let memory = wanted.limits.memory_bytes_max;
    // SAFETY: between fork and exec only system calls are made.
    unsafe {
        command.pre_exec(move || {
            // If this supervisor is killed, so is the trainer; the host looks after the rest. The signal comes when
            // the thread that forked ends, and this process has one thread.
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0);
            libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS);
            let no_core = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            libc::setrlimit(libc::RLIMIT_CORE, &no_core);
            if let Some(bytes) = memory {
                let limit = libc::rlimit {
                    rlim_cur: bytes,
                    rlim_max: bytes,
                };
                if libc::setrlimit(libc::RLIMIT_AS, &limit) != 0 {
                    return Err(io::Error::last_os_error());
                }
            }
            // Nothing of ours but the three standard descriptors goes on. Where the kernel is too old for it, they are closed
            // on exec one by one already.
            libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
            Ok(())
        });
    }
    Ok(command)
}

fn drain_pipe(pipe: &mut Option<impl Read>, stream: Stream, recorder: &mut Recorder) -> bool {
    let Some(reader) = pipe else { return false };
    let mut buffer = [0; 64 << 10];
    let mut taken = 0;
    while taken < READ_AT_ONCE {
        match reader.read(&mut buffer) {
            Ok(0) => {
                *pipe = None;
                break;
            }
            Ok(count) => {
                recorder.take(stream, &buffer[..count]);
                taken += count;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(_) => {
                *pipe = None;
                break;
            }
        }
    }
    taken > 0
}

fn set_nonblocking(fd: RawFd) -> io::Result<()> {
    // SAFETY: plain system calls on a descriptor that we own.
    let done = unsafe {
        let flags = libc::fcntl(fd, libc::F_GETFL);
        flags != -1 && libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK) != -1
    };
    if done { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn beat(directory: &RunDirectory) {
    let touched = std::fs::File::options().create(true).append(true).open(directory.heartbeat());
    if let Ok(file) = touched {
        let _ = file.set_modified(SystemTime::now());
    }
}
