//! The coordinator's port over a library of loaded versions.

use crate::library::Library;
use crate::version::Failure;
use pointsman_coordinator::Policies;
use pointsman_model::context::Context;
use pointsman_model::decision::Answer;
use pointsman_model::policy::{EngineKind, Fault, FaultClass, PolicyRef};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Versions as they are locked; a test holds them to `Cargo.lock`.
const WASMTIME_VERSION: &str = "48.0.8";
const RHAI_VERSION: &str = "1.27.0";

/// Asks loaded versions. One per thread that asks; all see the same library.
#[derive(Clone)]
pub struct Engines {
    library: Library,
    live: bool,
}

impl Engines {
    /// Each component decides in a fresh instance, which is what tests, replays and shadows need.
    pub fn new(library: Library) -> Engines {
        Engines { library, live: false }
    }

    /// For the thread that decides live: versions that an operator allows it ([`Library::keep_warm`]) may answer from an
    /// instance that has decided before.
    pub fn live(library: Library) -> Engines {
        Engines { library, live: true }
    }

    pub fn library(&self) -> &Library {
        &self.library
    }
}

impl Policies for Engines {
    fn ask(&mut self, policy: &PolicyRef, context: &Context) -> Result<Answer, Fault> {
        let Some(version) = self.library.version(&policy.digest) else {
            let detail = format!("{policy} ({}) is not loaded", policy.digest.short());
            return Err(Failure::new(FaultClass::HostFault, detail).into_fault());
        };
        let kind = version.description.kind;
        if kind != context.kind() {
            let detail = format!("{policy} is a {kind} policy and was asked a {} question", context.kind());
            return Err(Failure::new(FaultClass::HostFault, detail).into_fault());
        }
        // A panic in an engine is our fault or the interpreter's; it must not end the host.
        let decide = || {
            if self.live {
                version.program.decide_live(context)
            } else {
                version.program.decide(context)
            }
        };
        match catch_unwind(AssertUnwindSafe(decide)) {
            Ok(result) => result.map_err(Failure::into_fault),
            Err(_) => Err(Failure::new(FaultClass::HostFault, "the engine panicked while it ran this policy").into_fault()),
        }
    }

    fn migrate(&mut self, policy: &PolicyRef, from_version: u32, state: &[u8]) -> Result<Vec<u8>, Fault> {
        let Some(version) = self.library.version(&policy.digest) else {
            let detail = format!("{policy} ({}) is not loaded", policy.digest.short());
            return Err(Failure::new(FaultClass::HostFault, detail).into_fault());
        };
        match catch_unwind(AssertUnwindSafe(|| version.program.migrate(from_version, state))) {
            Ok(result) => result.map_err(Failure::into_fault),
            Err(_) => Err(Failure::new(FaultClass::HostFault, "the engine panicked while it ran this policy").into_fault()),
        }
    }

    fn fingerprint(&self, engine: EngineKind) -> String {
        match engine {
            EngineKind::Component => format!("wasmtime {WASMTIME_VERSION}"),
            EngineKind::WarmComponent => format!("wasmtime {WASMTIME_VERSION}, instances kept"),
            EngineKind::Rhai => format!("rhai {RHAI_VERSION} in wasmtime {WASMTIME_VERSION}"),
            EngineKind::TrustedRhai => format!("rhai {RHAI_VERSION}"),
            EngineKind::BuiltIn => format!("pointsman {}", env!("CARGO_PKG_VERSION")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprints_are_those_of_the_lock_file() {
        let lock =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock")).expect("the workspace has a lock file");
        for (name, version) in [("wasmtime", WASMTIME_VERSION), ("rhai", RHAI_VERSION)] {
            assert!(
                lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"\n")),
                "{name} {version} is locked"
            );
        }
    }
}
