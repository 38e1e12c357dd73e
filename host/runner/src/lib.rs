//! Makes the world match what the coordinator wants: trainers run or end, models stand in service, and what comes of it is told.
//!
//! # The two processes
//!
//! A run is a directory under `<data>/runs`, and nothing else passes between the two sides:
//!
//! ```text
//! host process                          supervisor process, one per run         trainer, any command
//! Runner: one thread, looks at    -->   supervise_main: holds the pipes,   -->  own process group,
//! directories a few times a second      caps and stores the output, beats       clean environment
//!        ^                              the heart, keeps the limits
//!        |                                        |
//!        +------ wanted.json, spec.json, cancel --+--> output.log, events.jsonl, samples.bin,
//!                                                      heartbeat, processes.json, exit.json, out/
//! ```
//!
//! So the host may be killed at any moment: the run goes on, its outcome is on disk, and the next [`Runner`] finds it.
//!
//! # The promises
//!
//! - [`Runner::reconcile`] is level-triggered: say what is wanted as often as you like.
//! - A trainer is started at most once per attempt: the directory is made in one step, and claimed once.
//! - An outcome is told until the run is no longer wanted, and only when no process of the run is left.
//! - Whatever a trainer prints, memory and disk stay within [`Limits`], and it never blocks on a full pipe.
//!
//! # Where to look
//!
//! | type | what |
//! | --- | --- |
//! | [`Runner`], [`RunnerConfig`], [`Report`] | the host's side |
//! | [`supervise_main`] | the supervisor, behind a hidden subcommand |
//! | [`Output`], [`read_log`], [`read_samples`], [`read_events`] | what viewers see of a run |
//! | [`ModelService`], [`probe_prompts`] | the models in service |
//!
//! Absent on purpose: deciding anything (the coordinator does), retrying (a policy does), and async: everything here waits
//! for processes and files, and one thread that polls is easier to trust. Linux only: processes are told apart by `/proc`.

mod classify;
mod directory;
mod follow;
mod models;
mod output;
mod process;
mod recorder;
mod report;
mod runner;
mod samples;
mod serving;
mod supervisor;

pub use directory::{EventLine, Exit, ExitEnd, Findings, Limits, RunDirectory, RunEvent, Task, Wanted, runs_on_disk};
pub use output::{
    EVENTS_READ_MAX, LOG_READ_MAX, LogLine, LogSlice, Output, OutputKind, heartbeat_age, read_events, read_log, read_log_end,
};
pub use process::{EnvMark, ProcessId, left_behind};
pub use report::Report;
pub use runner::{Recall, Runner, RunnerConfig, RunnerError};
pub use samples::{SAMPLES_KEPT_MAX, SAMPLES_READ_MAX, Sample, read_samples};
pub use serving::{
    Completion, CompletionRequest, MAX_TOKENS_MAX, ModelService, PROMPT_BYTES_MAX, SCORED_BYTES_MIN, ServeError, ServingStatus,
    probe_prompts,
};
pub use supervisor::supervise_main;
