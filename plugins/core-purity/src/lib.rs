//! Holds the thinking part to invariant 1: no IO, no clock, no randomness.
//!
//! The linker keeps only what an export reaches, so [`think`] has to reach what is to be held: it restores a
//! coordinator, handles a command with policies that do not answer, and asks for wants, deadline and snapshot.
//! `handle` reaches every command and every event. `cargo xtask purity` builds this crate and fails if the module
//! imports anything.

use pointsman_coordinator::{Coordinator, Policies};
use pointsman_model::command::Command;
use pointsman_model::context::Context;
use pointsman_model::decision::Answer;
use pointsman_model::policy::{Cost, EngineKind, Fault, FaultClass, PolicyRef};

struct Silent;

impl Policies for Silent {
    fn ask(&mut self, _: &PolicyRef, context: &Context) -> Result<Answer, Fault> {
        let detail = format!("nobody answers {} questions here", context.kind());
        Err(Fault { class: FaultClass::HostFault, detail, cost: Cost::default() })
    }

    fn migrate(&mut self, _: &PolicyRef, from_version: u32, _: &[u8]) -> Result<Vec<u8>, Fault> {
        let detail = format!("nobody reads state of version {from_version} here");
        Err(Fault { class: FaultClass::HostFault, detail, cost: Cost::default() })
    }

    fn fingerprint(&self, engine: EngineKind) -> String {
        engine.slug().to_string()
    }
}

/// Takes a snapshot and a time, lets a tick happen, and answers how long the next snapshot is; 0 if it was damaged.
///
/// # Safety
/// `bytes` points to `length` bytes that may be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn think(bytes: *const u8, length: usize, now: u64) -> usize {
    // SAFETY: promised by the caller.
    let bytes = unsafe { std::slice::from_raw_parts(bytes, length) };
    let Ok(mut coordinator) = Coordinator::restore(bytes) else { return 0 };
    let Ok(handled) = coordinator.handle(now, Command::Tick, &mut Silent) else { return 0 };
    let _ = handled.events.len();
    let wanted = coordinator.wants().runs.len() as u64 + coordinator.next_deadline(now).unwrap_or(0);
    coordinator.snapshot().len() + usize::from(wanted == 0)
}
