//! The stages of a swap, one after the other.

use super::trial::rehearse;
use super::{Goal, Installer, Offer, Order, SwapEnd, check};
use crate::dry_run::engines_of;
use crate::inbox::Rejected;
use crate::signing::Signed;
use crate::swaps::Progress;
use crate::wire::{PolicyProblem, ReplayReport};
use pointsman_coordinator::{Guards, Policies, Refusal, State};
use pointsman_model::Digest;
use pointsman_model::policy::{PolicyDescription, PolicyKind};
use pointsman_policy::{Checked, ProblemCode};
use std::time::Duration;

/// How often something that is waited for is looked at.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A version that has passed its checks, with what came of them.
pub(super) struct Passed {
    pub(super) checked: Checked,
    pub(super) signature: Option<String>,
    pub(super) signed_by: Option<String>,
    pub(super) replay: Option<ReplayReport>,
}

/// What a version would start with if it were activated now.
pub(super) struct Start {
    pub(super) state: Vec<u8>,
    pub(super) guards: Guards,
    /// The active version's name and state version, with the size of its state.
    pub(super) before: Option<(PolicyDescription, usize)>,
}

impl Start {
    /// The state that a version would begin with; none where it cannot take it over.
    pub(super) fn copy_for(&self, checked: &Checked) -> Vec<u8> {
        let description = &checked.description;
        match &self.before {
            Some((before, _)) if before.policy.name != description.policy.name => Vec::new(),
            Some((before, _)) if before.state_version != description.state_version && !self.state.is_empty() => {
                let migrated = engines_of(checked).migrate(&description.policy, before.state_version, &self.state);
                migrated.unwrap_or_default()
            }
            Some(_) | None => self.state.clone(),
        }
    }
}

/// Why a swap did not come to its end.
pub(super) enum Stop {
    Failed(usize, PolicyProblem),
    Refused(PolicyProblem, Option<Refusal>),
    WasActive(u32),
}

impl Installer {
    /// Puts a swap on the board, where it can be seen from now on; [`Installer::run`] carries it out.
    pub fn begin(&self, order: &Order) -> Progress {
        let files = order.offers.iter().map(|offer| offer.file.clone()).collect();
        self.swaps.begin(files, &order.actor.0, &order.reason)
    }

    /// Carries a swap out, to its end.
    pub fn swap(&self, order: Order) -> SwapEnd {
        let progress = self.begin(&order);
        self.run(order, &progress)
    }

    pub fn run(&self, order: Order, progress: &Progress) -> SwapEnd {
        match self.stages(&order, progress) {
            Ok(generation) => {
                progress.succeed();
                SwapEnd::Done { generation }
            }
            Err(Stop::WasActive(generation)) => {
                for part in 0..order.offers.len() {
                    for stage in ["replay", "state", "shadow", "activate", "drain", "retire"] {
                        progress.skip(part, stage, "it is active already");
                    }
                }
                progress.succeed();
                SwapEnd::WasActive { generation }
            }
            Err(Stop::Failed(part, problem)) => {
                progress.fail(part, problem.clone());
                SwapEnd::Failed(problem)
            }
            Err(Stop::Refused(problem, refusal)) => {
                progress.fail(0, problem.clone());
                SwapEnd::Refused(problem, refusal)
            }
        }
    }

    fn stages(&self, order: &Order, progress: &Progress) -> Result<Option<u32>, Stop> {
        let mut passed = Vec::with_capacity(order.offers.len());
        for (part, offer) in order.offers.iter().enumerate() {
            passed.push(self.checks(part, offer, progress).map_err(|problem| Stop::Failed(part, problem))?);
        }
        if let Some(generation) = self.all_active(order, &passed) {
            return Err(Stop::WasActive(generation));
        }
        for (part, offer) in order.offers.iter().enumerate() {
            let done = self.live_stages(part, offer, order, &mut passed[part], progress);
            done.map_err(|problem| Stop::Failed(part, problem))?;
        }
        let replaced: Vec<Digest> = passed
            .iter()
            .filter_map(|passed| self.active(passed.checked.description.kind))
            .collect();
        let parts = passed.len();
        let generation = self.put_into_service(order, passed, progress)?;
        self.drain(parts, &replaced, progress);
        Ok(generation)
    }

    /// Everything that needs the code alone.
    fn checks(&self, part: usize, offer: &Offer, progress: &Progress) -> Result<Passed, PolicyProblem> {
        progress.enter(part, "fetch");
        progress.pass(part, "fetch", format!("{} bytes", offer.code.len()));
        progress.enter(part, "digest");
        let digest = pointsman_policy::sha256(&offer.code);
        progress.pass(part, "digest", format!("sha256:{digest}"));
        progress.enter(part, "signature");
        let signed_by = match self.trust.check(&offer.file, digest, offer.signature.as_deref())? {
            Signed::By(name) => {
                progress.pass(part, "signature", format!("signed by {name}"));
                Some(name)
            }
            Signed::ByStranger(key) => {
                progress.pass(part, "signature", format!("signed by {key}, a key that is not trusted here"));
                None
            }
            Signed::Shipped => {
                progress.skip(part, "signature", "part of this program");
                None
            }
            Signed::No => {
                progress.skip(part, "signature", "not signed, and none is required");
                None
            }
        };
        let checked = check(&self.library, offer, self.ceilings, &mut |stage| {
            let slug = stage.to_string().replace('-', "_");
            // These two were told above, with what was found.
            if slug != "fetch" && slug != "digest" {
                progress.enter(part, &slug);
            }
        })?;
        let description = &checked.description;
        progress.pass(part, "self_test", "");
        progress.edit_part(part, |part| {
            part.kind = Some(description.kind.slug().to_string());
            part.policy = Some(description.policy.to_string());
            part.digest = Some(description.policy.digest.to_string());
            part.signed_by.clone_from(&signed_by);
        });
        progress.say(part, "describe", format!("{} is a {} policy", description.policy, description.kind));
        Ok(Passed {
            signature: offer.signature.clone().filter(|_| signed_by.is_some()),
            signed_by,
            checked,
            replay: None,
        })
    }

    /// The generation, where there is nothing to do.
    fn all_active(&self, order: &Order, passed: &[Passed]) -> Option<u32> {
        if !matches!(order.goal, Goal::Activate { .. }) {
            return None;
        }
        let wanted: Vec<(PolicyKind, Digest)> = passed
            .iter()
            .map(|passed| (passed.checked.description.kind, passed.checked.description.policy.digest))
            .collect();
        let look = move |state: &State| {
            let generation = |(kind, digest): &(PolicyKind, Digest)| {
                let slot = state.slot(*kind)?;
                (slot.active.as_ref()?.description.policy.digest == *digest).then_some(slot.generation)
            };
            wanted.iter().map(generation).collect::<Option<Vec<u32>>>()?.first().copied()
        };
        self.inbox.look_blocking(look).ok().flatten()
    }

    /// What needs the past or the present: replay, state, shadow.
    fn live_stages(
        &self,
        part: usize,
        offer: &Offer,
        order: &Order,
        passed: &mut Passed,
        progress: &Progress,
    ) -> Result<(), PolicyProblem> {
        let description = passed.checked.description.clone();
        let start = self
            .start_of(&description)
            .map_err(|rejected| refused(ProblemCode::NotActivated, "activate", &offer.file, rejected.to_string(), None))?;
        passed.replay = self.replay_gate(part, offer, order.force, &passed.checked, start.guards, progress)?;
        let state = rehearse(part, &offer.file, order.fresh_state, &passed.checked, &start, progress)?;
        self.shadow_stage(part, &offer.file, order, &passed.checked, &start, state, progress)
    }

    /// What a version would start with.
    pub(super) fn start_of(&self, description: &PolicyDescription) -> Result<Start, Rejected> {
        let kind = description.kind;
        let (guards, before) = self.inbox.look_blocking(move |state| {
            let active = state.slot(kind).and_then(|slot| slot.active.as_ref());
            (
                Guards::of(&state.settings),
                active.map(|active| (active.description.clone(), active.state.clone())),
            )
        })?;
        let state = match &before {
            Some((before, state)) if before.policy.name == description.policy.name => state.clone(),
            Some(_) | None => Vec::new(),
        };
        let before = before.map(|(before, state)| (before, state.len()));
        Ok(Start { state, guards, before })
    }

    pub(super) fn go_on(&self, file: &str, stage: &str, progress: &Progress) -> Result<(), PolicyProblem> {
        if progress.is_cancelled() {
            return Err(refused(
                ProblemCode::Cancelled,
                stage,
                file,
                "the swap was ended before it was activated".into(),
                None,
            ));
        }
        Ok(())
    }
}

pub(super) fn refused(code: ProblemCode, stage: &str, file: &str, message: String, fix: Option<String>) -> PolicyProblem {
    PolicyProblem {
        code: code.code().to_string(),
        stage: stage.to_string(),
        file: file.to_string(),
        line: None,
        column: None,
        message,
        fix,
    }
}
