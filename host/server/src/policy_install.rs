//! The way of a policy into service, off the thread that decides: every stage of a swap, told as it goes.
//!
//! A failure at any stage leaves what was active serving: until the activation, which is one place in the journal,
//! nothing live has been touched.

mod order;
mod stages;

pub use order::{Goal, Offer, Order, ShadowStage, SwapEnd};

use crate::inbox::{Inbox, Rejected};
use crate::problem::ApiError;
use crate::readers::Readers;
use crate::shadow::Shadows;
use crate::signing::Trust;
use crate::swaps::Swaps;
use crate::wire;
use pointsman_coordinator::{Reply, State};
use pointsman_model::command::Command;
use pointsman_model::policy::{PolicyDescription, PolicyKind, PolicyLimits};
use pointsman_model::{Actor, Digest};
use pointsman_policy::{Checked, CompileChild, Compiler, Library, PolicySource, Stage};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Checks, installs and activates policy versions. Its calls block: not for async threads.
pub struct Installer {
    library: Library,
    inbox: Inbox,
    readers: Arc<Readers>,
    pub swaps: Arc<Swaps>,
    pub shadows: Arc<Shadows>,
    trust: Trust,
    /// What a policy may use at most per decision.
    ceilings: PolicyLimits,
    /// Versions that are loaded. Locked from install to activation, so that nothing is swept between.
    loaded: Mutex<BTreeSet<Digest>>,
}

/// A recorded version that could not be loaded at a start.
#[derive(Debug)]
pub struct NotLoaded {
    pub kind: PolicyKind,
    pub policy: String,
    pub reason: String,
}

impl Installer {
    pub fn new(
        library: Library,
        inbox: Inbox,
        readers: Arc<Readers>,
        swaps: Arc<Swaps>,
        shadows: Arc<Shadows>,
        trust: Trust,
        ceilings: PolicyLimits,
    ) -> Installer {
        Installer {
            library,
            inbox,
            readers,
            swaps,
            shadows,
            trust,
            ceilings,
            loaded: Mutex::default(),
        }
    }

    /// Takes an offer through the stages that need nothing live.
    pub fn check(&self, offer: &Offer) -> Result<Checked, wire::PolicyProblem> {
        self.trust
            .check(&offer.file, pointsman_policy::sha256(&offer.code), offer.signature.as_deref())?;
        check(&self.library, offer, self.ceilings, &mut |_| {})
    }

    /// An empty library that compiles as this host does, from the same cache.
    pub fn library_for_verification(&self) -> Library {
        self.library.empty()
    }

    /// The same without a host, for the command line.
    pub fn check_offline(library: &Library, offer: &Offer, ceilings: PolicyLimits) -> Result<Checked, wire::PolicyProblem> {
        check(library, offer, ceilings, &mut |_| {})
    }

    /// Back to the version before, with the state that it had.
    pub fn roll_back(&self, kind: PolicyKind, whole_set: bool, actor: Actor, reason: String) -> Result<Reply, ApiError> {
        let command = Command::RollBackPolicy {
            kind,
            whole_set,
            actor,
            reason,
        };
        let reply = self.inbox.send_blocking(command, Vec::new())?;
        self.load_what_may_be_asked()?;
        Ok(reply)
    }

    /// The version in canary becomes the active one, or leaves.
    pub fn end_canary(&self, kind: PolicyKind, promote: bool, actor: Actor, reason: String) -> Result<Reply, ApiError> {
        let command = Command::EndPolicyCanary {
            kind,
            promote,
            actor,
            reason,
        };
        let reply = self.inbox.send_blocking(command, Vec::new())?;
        self.load_what_may_be_asked()?;
        self.sweep(&mut lock(&self.loaded));
        Ok(reply)
    }

    /// Starts a shadow of a checked version. It begins with a copy of the active version's state, where it can read that.
    pub fn start_shadow(&self, checked: &Checked, file: &str, actor: &Actor) -> Result<(), ApiError> {
        let start = self.start_of(&checked.description)?;
        self.shadows
            .watch(checked, file, &actor.0, start.copy_for(checked), start.guards)
            .map_err(|occupied| {
                ApiError::new(axum::http::StatusCode::CONFLICT, "shadow_runs", occupied.to_string())
                    .fix(format!("`pointsman policy shadow stop {}` ends it", occupied.kind))
            })
    }

    /// The digest of the version that is active, if any.
    pub fn active(&self, kind: PolicyKind) -> Option<Digest> {
        let look = move |state: &State| Some(state.slot(kind)?.active.as_ref()?.description.policy.digest);
        self.inbox.look_blocking(look).ok().flatten()
    }

    /// Kinds for which no version is active.
    pub fn kinds_without_policy(&self) -> Result<Vec<PolicyKind>, Rejected> {
        self.inbox.look_blocking(|state| {
            PolicyKind::ALL
                .into_iter()
                .filter(|kind| state.slot(*kind).is_none_or(|slot| slot.active.is_none()))
                .collect()
        })
    }

    /// Loads what may be asked from the journal: of each kind the canary, the active version and the last good one. A
    /// version that does not load never stops the host: the chain goes on to the next link.
    pub fn load_recorded(&self) -> Result<Vec<NotLoaded>, Rejected> {
        let wanted: Vec<PolicyDescription> = self.inbox.look_blocking(|state| {
            let slots = state.policies.values();
            slots
                .flat_map(|slot| slot.may_be_asked())
                .map(|installed| installed.description.clone())
                .collect()
        })?;
        let mut loaded = lock(&self.loaded);
        let mut not_loaded = Vec::new();
        for description in wanted {
            let digest = description.policy.digest;
            if self.library.contains(&digest) {
                continue;
            }
            let code = self.readers.with(|reader| reader.policy_code(digest));
            let result = match code {
                Ok(Ok(Some(row))) => self
                    .library
                    .load_recorded(&description, &row.code)
                    .map_err(|problem| problem.to_string()),
                Ok(Ok(None)) => Err("its code is not in the journal".to_string()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            match result {
                Ok(()) => {
                    loaded.insert(digest);
                }
                Err(reason) => not_loaded.push(NotLoaded {
                    kind: description.kind,
                    policy: description.policy.to_string(),
                    reason,
                }),
            }
        }
        Ok(not_loaded)
    }

    fn load_what_may_be_asked(&self) -> Result<(), Rejected> {
        for not_loaded in self.load_recorded()? {
            tracing::warn!("{} cannot be loaded: {}", not_loaded.policy, not_loaded.reason);
        }
        Ok(())
    }

    /// Drops versions that no slot remembers.
    fn sweep(&self, loaded: &mut BTreeSet<Digest>) -> usize {
        let remembered = self.inbox.look_blocking(|state| -> BTreeSet<Digest> {
            let slots = state.policies.values();
            slots
                .flat_map(|slot| slot.remembered())
                .map(|installed| installed.description.policy.digest)
                .collect()
        });
        // Without an answer the host is stopping, and memory does not matter.
        let Ok(remembered) = remembered else { return 0 };
        let before = loaded.len();
        loaded.retain(|digest| remembered.contains(digest) || !self.library.remove(digest));
        before - loaded.len()
    }
}

/// Finds the program that runs also when its file was replaced meanwhile: code of another build would not fit.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// Compiles in children of the program `exe`, which is this one but in tests.
pub(crate) fn compiler(exe: &Path) -> Compiler {
    let program = match std::env::current_exe() {
        Ok(this) if this == exe => Path::new(THIS_PROGRAM),
        Ok(_) | Err(_) => exe,
    };
    Compiler::Child(CompileChild::new(program, ["compile"]))
}

/// The same for a command without a host.
pub(crate) fn own_compiler() -> Compiler {
    compiler(Path::new(THIS_PROGRAM))
}

fn check(library: &Library, offer: &Offer, ceilings: PolicyLimits, on_stage: &mut dyn FnMut(Stage)) -> Result<Checked, wire::PolicyProblem> {
    let source = PolicySource {
        file: offer.file.clone(),
        bytes: offer.code.clone(),
        settings: offer.settings.clone(),
        trusted: offer.trusted,
    };
    library
        .check_watched(source, ceilings, on_stage)
        .map_err(wire_problem)
}

fn wire_problem(problem: pointsman_policy::PolicyProblem) -> wire::PolicyProblem {
    let pointsman_policy::PolicyProblem {
        code,
        stage,
        file,
        line,
        column,
        message,
        fix,
    } = problem;
    wire::PolicyProblem {
        code: code.code().to_string(),
        stage: stage.to_string(),
        file,
        line,
        column,
        message,
        fix,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
