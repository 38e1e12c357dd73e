//! The way of a policy into service, off the thread that decides: check, install, activate at a journal position.

use crate::inbox::{Inbox, Rejected};
use crate::problem::ApiError;
use crate::readers::Readers;
use crate::wire;
use pointsman_coordinator::{Reply, State};
use pointsman_model::command::Command;
use pointsman_model::policy::{PolicyDescription, PolicyKind, PolicyLimits, Setting};
use pointsman_model::{Actor, Digest};
use pointsman_policy::{Checked, Library, PolicySource};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A policy as it is offered: a file's name and bytes, and the settings that differ from its defaults.
#[derive(Clone, Debug)]
pub struct Offer {
    pub file: String,
    pub code: Vec<u8>,
    pub settings: Vec<Setting>,
}

/// Checks, installs and activates policy versions. Its calls block: not for async threads.
pub struct Installer {
    library: Library,
    inbox: Inbox,
    readers: Arc<Readers>,
    /// What a policy may use at most per decision.
    ceilings: PolicyLimits,
    /// One check at a time: compiling takes a core and much memory.
    checking: Mutex<()>,
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
    pub fn new(library: Library, inbox: Inbox, readers: Arc<Readers>, ceilings: PolicyLimits) -> Installer {
        Installer {
            library,
            inbox,
            readers,
            ceilings,
            checking: Mutex::default(),
            loaded: Mutex::default(),
        }
    }

    /// Takes an offer through every stage; nothing live is touched.
    pub fn check(&self, offer: &Offer) -> Result<Checked, wire::PolicyProblem> {
        let _one_at_a_time = lock(&self.checking);
        check(&self.library, offer, self.ceilings)
    }

    /// The same without a host, for the command line.
    pub fn check_offline(library: &Library, offer: &Offer, ceilings: PolicyLimits) -> Result<Checked, wire::PolicyProblem> {
        check(library, offer, ceilings)
    }

    /// Makes a checked version the active one of its kind.
    pub fn activate(&self, checked: Checked, actor: Actor, reason: String) -> Result<Reply, Rejected> {
        let mut loaded = lock(&self.loaded);
        let description = checked.description.clone();
        let digest = description.policy.digest;
        let code = checked.code.clone();
        self.library.install(checked);
        loaded.insert(digest);
        let sent = self.inbox.send_blocking(
            Command::ActivatePolicy {
                description,
                actor,
                reason,
            },
            vec![(digest, code)],
        );
        self.sweep(&mut loaded);
        sent
    }

    /// Back to the version before.
    pub fn roll_back(&self, kind: PolicyKind, actor: Actor, reason: String) -> Result<Reply, ApiError> {
        let reply = self
            .inbox
            .send_blocking(Command::RollBackPolicy { kind, actor, reason }, Vec::new())?;
        for not_loaded in self.load_recorded()? {
            tracing::warn!("{} cannot be loaded: {}", not_loaded.policy, not_loaded.reason);
        }
        Ok(reply)
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

    /// Loads what may be asked from the journal: of each kind the active version and the last good one. A version that
    /// does not load never stops the host: the chain goes on to the next link.
    pub fn load_recorded(&self) -> Result<Vec<NotLoaded>, Rejected> {
        let wanted: Vec<PolicyDescription> = self.inbox.look_blocking(|state| {
            state
                .policies
                .values()
                .flat_map(|slot| slot.active.iter().chain(slot.history.last()))
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

    /// Drops versions that no slot remembers.
    fn sweep(&self, loaded: &mut BTreeSet<Digest>) {
        let remembered = self.inbox.look_blocking(|state| -> BTreeSet<Digest> {
            state
                .policies
                .values()
                .flat_map(|slot| slot.active.iter().chain(&slot.history))
                .map(|installed| installed.description.policy.digest)
                .collect()
        });
        // Without an answer the host is stopping, and memory does not matter.
        let Ok(remembered) = remembered else { return };
        loaded.retain(|digest| remembered.contains(digest) || !self.library.remove(digest));
    }
}

fn check(library: &Library, offer: &Offer, ceilings: PolicyLimits) -> Result<Checked, wire::PolicyProblem> {
    let Offer { file, code, settings } = offer.clone();
    library
        .check(
            PolicySource {
                file,
                bytes: code,
                settings,
            },
            ceilings,
        )
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
