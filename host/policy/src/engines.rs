//! The coordinator's port over a library of loaded versions.

use crate::component::KeptInstance;
use crate::library::Library;
use crate::version::Failure;
use pointsman_coordinator::Policies;
use pointsman_model::context::Context;
use pointsman_model::decision::Answer;
use pointsman_model::ids::Digest;
use pointsman_model::policy::{EngineKind, Fault, FaultClass, PolicyRef};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Versions as they are locked; a test holds them to `Cargo.lock`.
const WASMTIME_VERSION: &str = "48.0.8";
const RHAI_VERSION: &str = "1.27.0";

/// Asks loaded versions. One per thread that asks; all see the same library.
pub struct Engines {
    library: Library,
    instances: Instances,
}

/// In which instance of a component a decision is made.
enum Instances {
    Fresh,
    /// In one that the version keeps, where an operator allows it ([`Library::keep_warm`]).
    AsAllowed,
    /// In one that is kept here, of the version that was asked last.
    Kept(Digest, KeptInstance),
}

impl Engines {
    /// Each component decides in a fresh instance, which is what tests, verification and shadows need.
    pub fn new(library: Library) -> Engines {
        Engines {
            library,
            instances: Instances::Fresh,
        }
    }

    /// For the thread that decides live: versions that an operator allows it ([`Library::keep_warm`]) may answer from an
    /// instance that has decided before.
    pub fn live(library: Library) -> Engines {
        Engines {
            library,
            instances: Instances::AsAllowed,
        }
    }

    /// For many decisions by one version, whose answers count only where a fresh instance gives them, too: a component
    /// answers from an instance that has decided before.
    pub fn quick(library: Library) -> Engines {
        Engines {
            library,
            instances: Instances::Kept(Digest::default(), KeptInstance::default()),
        }
    }

    pub fn library(&self) -> &Library {
        &self.library
    }
}

impl Clone for Engines {
    /// Over the same library; an instance is not shared.
    fn clone(&self) -> Engines {
        match self.instances {
            Instances::Fresh => Engines::new(self.library.clone()),
            Instances::AsAllowed => Engines::live(self.library.clone()),
            Instances::Kept(..) => Engines::quick(self.library.clone()),
        }
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
        let decide = || match &mut self.instances {
            Instances::Fresh => version.program.decide(context),
            Instances::AsAllowed => version.program.decide_live(context),
            Instances::Kept(of, kept) => {
                if *of != policy.digest {
                    (*of, *kept) = (policy.digest, KeptInstance::default());
                }
                version.program.decide_kept(kept, context)
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
