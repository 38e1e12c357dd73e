//! The way of a policy into service, off the thread that decides: every stage of a swap, told as it goes.
//!
//! A failure at any stage leaves what was active serving: until the activation, which is one place in the journal,
//! nothing live has been touched.

mod order;
mod service;
mod stages;
mod trial;

pub use order::{Goal, Offer, Order, ShadowStage, SwapEnd};

use crate::inbox::{Inbox, Rejected};
use crate::problem::ApiError;
use crate::readers::Readers;
use crate::shadow::Shadows;
use crate::signing::Trust;
use crate::swaps::Swaps;
use crate::{versions, wire};
use pointsman_coordinator::{Reply, State};
use pointsman_journal::ReadError;
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
    /// What helps, where that is known.
    pub fix: Option<String>,
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

    /// The library that decides live: for a question of which nothing follows.
    pub fn library_for_preview(&self) -> Library {
        self.library.clone()
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
        self.load_what_is_missing()?;
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
        self.load_what_is_missing()?;
        self.sweep(&mut lock(&self.loaded));
        Ok(reply)
    }

    /// Starts a shadow of a policy that passes its checks. It begins with a copy of the active version's state, where it
    /// can read that, and comes back at a restart.
    pub fn start_shadow(&self, offer: &Offer, actor: &Actor) -> Result<wire::ShadowCard, ApiError> {
        let card = self.watch_shadow(offer, actor)?;
        if let Some(kept) = &self.shadows.kept
            && let Err(error) = kept.keep(&card, offer, actor)
        {
            tracing::warn!("the shadow of {} will not come back at a restart: {error}", card.kind);
        }
        Ok(card)
    }

    fn watch_shadow(&self, offer: &Offer, actor: &Actor) -> Result<wire::ShadowCard, ApiError> {
        let checked = self.check(offer).map_err(ApiError::from)?;
        let start = self.start_of(&checked.description)?;
        self.shadows
            .watch(&checked, &offer.file, &actor.0, start.copy_for(&checked), start.guards)
            .map_err(|occupied| ApiError::new(axum::http::StatusCode::CONFLICT, "shadow_runs", occupied.to_string()).fix(occupied.fix()))
    }

    /// Ends a shadow and tells what it has seen. `version` is a digest or `NAME@VERSION`; it need not be said where a kind
    /// has one shadow alone.
    pub fn stop_shadow(&self, kind: PolicyKind, version: Option<&str>) -> Result<wire::ShadowCard, ApiError> {
        let cards = self.shadows.cards(kind);
        let named = |card: &&wire::ShadowCard| {
            version.is_none_or(|version| card.digest == version || format!("{}@{}", card.name, card.version) == version)
        };
        let meant: Vec<&wire::ShadowCard> = cards.iter().filter(named).collect();
        let no_shadow = |detail: String| {
            ApiError::not_found("no_shadow", detail)
                .fix("`pointsman policies` lists shadows, `pointsman policy shadow start FILE` starts one")
        };
        let card = match (meant.as_slice(), version) {
            ([card], _) => *card,
            ([], None) => return Err(no_shadow(format!("no version is in shadow for {kind}"))),
            ([], Some(version)) => return Err(no_shadow(format!("{version} is not in shadow for {kind}"))),
            (several, _) => {
                let digests: Vec<String> = several
                    .iter()
                    .map(|card| format!("{}@{} ({})", card.name, card.version, card.digest))
                    .collect();
                return Err(ApiError::new(
                    axum::http::StatusCode::CONFLICT,
                    "several_shadows",
                    format!("{kind} has {} shadows: {}", several.len(), digests.join(", ")),
                )
                .fix("Say which one by its digest: `version` of the body, or the last word of the command"));
            }
        };
        if let Some(kept) = &self.shadows.kept
            && let Err(error) = kept.forget(card)
        {
            tracing::warn!("the shadow of {kind} will come back at a restart: {error}");
        }
        let ended = Digest::parse(&card.digest).and_then(|digest| self.shadows.stop(kind, &digest));
        ended.ok_or_else(|| no_shadow(format!("{}@{} is not in shadow for {kind}", card.name, card.version)))
    }

    /// Starts the shadows again that ran when the host ended. Answers which could not be, and why.
    pub fn bring_shadows_back(&self) -> Vec<(String, String)> {
        let Some(kept) = &self.shadows.kept else { return Vec::new() };
        let back = |(name, found): (String, std::io::Result<(Offer, Actor)>)| match found {
            Ok((offer, actor)) => match self.watch_shadow(&offer, &actor) {
                Ok(_) => None,
                Err(error) => Some((offer.file, error.0.detail.clone())),
            },
            Err(error) => Some((name, error.to_string())),
        };
        match kept.all() {
            Ok(all) => all.into_iter().filter_map(back).collect(),
            Err(error) => vec![("shadows".to_string(), error.to_string())],
        }
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

    /// Loads from the journal what should be at hand: of each kind the canary, the active version and the last good ones.
    /// A version that does not load never stops the host: the chain goes on to the next link.
    ///
    /// Where signatures are required, that holds for versions that were recorded before they were: one that no trusted
    /// key has signed, and that is no part of this program, is not loaded.
    pub fn load_recorded(&self) -> Result<Vec<NotLoaded>, Rejected> {
        let wanted: Vec<PolicyDescription> = self.inbox.look_blocking(|state| {
            let slots = state.policies.values();
            slots
                .flat_map(|slot| slot.at_hand())
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
            match self.load_one(&description) {
                Ok(()) => {
                    loaded.insert(digest);
                }
                Err((reason, fix)) => not_loaded.push(NotLoaded {
                    kind: description.kind,
                    policy: description.policy.to_string(),
                    reason,
                    fix,
                }),
            }
        }
        Ok(not_loaded)
    }

    /// The error is a reason and, where there is one, the cure.
    fn load_one(&self, description: &PolicyDescription) -> Result<(), (String, Option<String>)> {
        let plain = |error: &dyn std::fmt::Display| (error.to_string(), None);
        let digest = description.policy.digest;
        let (code, signature) = self
            .readers
            .with(|reader| {
                let signature = match self.trust.required {
                    true => versions::signature_of(reader, digest)?,
                    false => None,
                };
                Ok::<_, ReadError>((reader.policy_code(digest)?, signature))
            })
            .map_err(|error| plain(&error))?
            .map_err(|error| plain(&error))?;
        let code = code.ok_or_else(|| plain(&"its code is not in the journal"))?.code;
        if self.trust.required {
            self.trust
                .check(&description.policy.to_string(), pointsman_policy::sha256(&code), signature.as_deref())
                .map_err(|problem| {
                    let fix = format!("sign its file, and activate it: `pointsman policy sign FILE --key KEYFILE`, `pointsman policy activate FILE`; or roll {} back", description.kind);
                    (problem.message, Some(fix))
                })?;
        }
        self.library
            .load_recorded(description, &code)
            .map_err(|problem| (problem.message, problem.fix))
    }

    fn load_what_is_missing(&self) -> Result<(), Rejected> {
        for not_loaded in self.load_recorded()? {
            tracing::warn!("{} cannot be loaded: {}", not_loaded.policy, not_loaded.reason);
        }
        Ok(())
    }

    /// Drops versions that need not be at hand.
    fn sweep(&self, loaded: &mut BTreeSet<Digest>) -> usize {
        let remembered = self.inbox.look_blocking(|state| -> BTreeSet<Digest> {
            let slots = state.policies.values();
            slots
                .flat_map(|slot| slot.at_hand())
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

fn check(
    library: &Library,
    offer: &Offer,
    ceilings: PolicyLimits,
    on_stage: &mut dyn FnMut(Stage),
) -> Result<Checked, wire::PolicyProblem> {
    let source = PolicySource {
        file: offer.file.clone(),
        bytes: offer.code.clone(),
        settings: offer.settings.clone(),
        trusted: offer.trusted,
    };
    library.check_watched(source, ceilings, on_stage).map_err(wire_problem)
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
