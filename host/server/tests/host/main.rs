//! Whole hosts, asked over HTTP, WebSocket and the command line. One program for all of them: each of its own would be
//! linked with the engines once more.
//!
//! `read_only` stands beside it, because it takes the disk away from its whole process.

mod api_document;
mod bad_input;
mod command_line;
#[path = "../common/mod.rs"]
mod common;
mod compile_child;
mod dry_run;
mod first_model;
mod guard;
mod idempotency;
mod live_settings;
mod off_policy;
mod overview;
mod policy_swaps;
mod policy_watch;
mod promotion;
mod queue;
mod resume;
mod simulate;
mod swap_stages;
mod wire_types;
