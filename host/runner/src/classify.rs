//! What the end of a trainer means: its exit status, its last events and who ended it, made into one outcome.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use pointsman_model::protocol::TrainerEvent;
use pointsman_model::run::{AttemptToken, ERROR_BYTES_MAX, FailureClass};

use crate::directory::{Exit, ExitEnd, Findings, Task};
use crate::recorder::{Recorder, end_of, plain};

/// By convention of sysexits.h a temporary failure: another try may work.
const EXIT_TEMPORARY: i32 = 75;

/// Why a run came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    ByItself,
    Cancelled,
    /// The supervisor got a signal, as at a shutdown of the machine.
    Preempted,
    OutOfTime {
        limit_ms: u64,
    },
}

pub(crate) fn exit(token: AttemptToken, task: Task, ending: &Ending, status: Option<ExitStatus>, recorder: &Recorder) -> Exit {
    let signal = status.and_then(|status| status.signal());
    let exit_code = status.and_then(|status| status.code());
    let end = match ending {
        Ending::Cancelled => ExitEnd::Cancelled,
        Ending::Preempted => failed(FailureClass::Preempted, "the supervisor was asked to end by a signal", ""),
        Ending::OutOfTime { limit_ms } => {
            let seconds = *limit_ms as f64 / 1000.0;
            failed(
                FailureClass::Timeout,
                &format!("ended after its time limit of {seconds} s"),
                &recorder.last_words(),
            )
        }
        Ending::ByItself => by_itself(task, exit_code, signal, recorder),
    };
    Exit {
        token,
        end,
        exit_code,
        signal,
        duration_ms: 0,
        ended_at: 0,
        dropped_bytes: recorder.dropped_bytes(),
        dropped_events: recorder.dropped_events(),
        findings: recorder.findings().clone(),
    }
}

fn by_itself(task: Task, exit_code: Option<i32>, signal: Option<i32>, recorder: &Recorder) -> ExitEnd {
    let (by_status, complaint) = match (exit_code, signal) {
        (_, Some(signal)) => (Some(FailureClass::Crash), format!("ended by signal {}", signal_name(signal))),
        (Some(0), None) => (None, format!("ended without {}", task.completion_event())),
        (Some(EXIT_TEMPORARY), None) => (Some(FailureClass::Transient), "exit status 75 (temporary failure)".to_string()),
        // Shells tell a signal to their child in this way.
        (Some(code), None) if (129..=192).contains(&code) => (
            Some(FailureClass::Crash),
            format!("exit status {code}, as of signal {}", signal_name(code - 128)),
        ),
        (Some(code), None) => (Some(FailureClass::Deterministic), format!("exit status {code}")),
        (None, None) => (Some(FailureClass::Infra), "the exit status was lost".to_string()),
    };
    if let Some(TrainerEvent::TrainingFailed { error, class }) = recorder.failed() {
        let class = class.or(by_status).unwrap_or(FailureClass::Deterministic);
        return failed(class, "", error);
    }
    let completed = match task {
        Task::Train => recorder.findings().completed.is_some(),
        Task::Evaluate => recorder.findings().evaluation.is_some(),
    };
    match by_status {
        None if completed => ExitEnd::Completed,
        None => failed(FailureClass::Deterministic, &complaint, &recorder.last_words()),
        Some(class) => failed(class, &complaint, &recorder.last_words()),
    }
}

/// The trainer never ran: the machine lacks something, be it the program itself.
pub(crate) fn not_started(token: AttemptToken, error: &io::Error) -> Exit {
    without_trainer(
        token,
        failed(FailureClass::Infra, &format!("the trainer could not be started: {error}"), ""),
    )
}

/// An outcome that no supervisor left.
pub(crate) fn without_trainer(token: AttemptToken, end: ExitEnd) -> Exit {
    Exit {
        token,
        end,
        exit_code: None,
        signal: None,
        duration_ms: 0,
        ended_at: 0,
        dropped_bytes: 0,
        dropped_events: 0,
        findings: Findings::default(),
    }
}

/// A failure whose text starts with what we know and ends with the trainer's last words.
pub(crate) fn failed(class: FailureClass, complaint: &str, last_words: &str) -> ExitEnd {
    let last_words = plain(last_words);
    let error = match (complaint, last_words.trim()) {
        ("", "") => "failed without a word".to_string(),
        ("", words) => end_of(words, ERROR_BYTES_MAX).trim_start().to_string(),
        (complaint, "") => end_of(complaint, ERROR_BYTES_MAX).to_string(),
        (complaint, words) => {
            let room = ERROR_BYTES_MAX.saturating_sub(complaint.len() + 2);
            format!("{complaint}:\n{}", end_of(words, room).trim_start())
        }
    };
    ExitEnd::Failed { class, error }
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        libc::SIGHUP => "HUP",
        libc::SIGINT => "INT",
        libc::SIGILL => "ILL",
        libc::SIGABRT => "ABRT",
        libc::SIGFPE => "FPE",
        // Nobody here kills a trainer that was not asked to end.
        libc::SIGKILL => "KILL; the system may have run out of memory",
        libc::SIGBUS => "BUS",
        libc::SIGSEGV => "SEGV",
        libc::SIGPIPE => "PIPE",
        libc::SIGTERM => "TERM",
        libc::SIGXCPU => "XCPU",
        libc::SIGXFSZ => "XFSZ",
        _ => return signal.to_string(),
    };
    format!("{signal} ({name})")
}
