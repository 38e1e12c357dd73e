//! The port through which the coordinator asks policies. `policy` implements it.

use pointsman_model::context::Context;
use pointsman_model::decision::Answer;
use pointsman_model::policy::{EngineKind, Fault, PolicyRef};

/// Asks loaded policy versions.
///
/// The coordinator walks the fallback chain itself: which link is asked, what a fault means and whether an answer
/// fits its context are its own thinking, and the built-in fallbacks are part of it. An engine does one thing:
/// run this version on this context, within its limits, and never panic, hang or touch anything outside.
pub trait Policies {
    /// The same version and context give the same verdict and advice; only the cost's time may differ.
    /// A version that is not loaded is a [`FaultClass::HostFault`](pointsman_model::policy::FaultClass::HostFault).
    fn ask(&mut self, policy: &PolicyRef, context: &Context) -> Result<Answer, Fault>;

    /// State of an older version of the same policy as this version reads it. Asked once, in the turn that activates the
    /// version; what it answers is recorded, so that a replay does not ask. A version without a migration declines.
    fn migrate(&mut self, policy: &PolicyRef, from_version: u32, state: &[u8]) -> Result<Vec<u8>, Fault>;

    /// Engine and version, for the record: `wasmtime 48.0.8`.
    fn fingerprint(&self, engine: EngineKind) -> String;
}
