//! A policy's way into service and back: activated alone or as a set, confirmed or taken back, pinned.

use super::operate::checked_reason;
use super::{Turn, conflict, invalid};
use crate::coordinator::{Refusal, Reply};
use crate::state::PolicySlot;
use pointsman_model::command::Activation;
use pointsman_model::event::{Event, StateHandover};
use pointsman_model::policy::{PolicyDescription, PolicyKind, STATE_BYTES_MAX, SwapReport};
use pointsman_model::settings::SettingProblem;
use pointsman_model::{Actor, Digest, Millis};

/// Shortest and longest time to confirm in: less cannot be kept by a person, more is no trial any more.
pub const CONFIRM_MS_MIN: Millis = 1_000;
pub const CONFIRM_MS_MAX: Millis = 7 * 24 * 3_600_000;

/// An activation that may happen, worked out before the first event.
struct Entry {
    description: PolicyDescription,
    state: StateHandover,
    report: Option<SwapReport>,
}

impl Turn<'_> {
    pub(super) fn activate_policies(
        &mut self,
        policies: Vec<Activation>,
        confirm_within_ms: Option<u64>,
        force: bool,
        actor: Actor,
        reason: String,
    ) -> Result<Reply, Refusal> {
        let reason = checked_reason(reason)?;
        check_confirmation(confirm_within_ms)?;
        let mut kinds: Vec<PolicyKind> = Vec::new();
        let mut entries = Vec::new();
        for Activation {
            description,
            fresh_state,
            report,
        } in policies
        {
            let kind = description.kind;
            if kinds.contains(&kind) {
                return Err(field_problem(
                    "policies",
                    format!("{kind} is there twice; a set holds a kind once at most"),
                ));
            }
            kinds.push(kind);
            if self.is_active(&description) {
                // Nothing to do for this one, and nothing to try out.
                continue;
            }
            self.check_entry(&description, force)?;
            let state = self.handover(&description, fresh_state)?;
            entries.push(Entry {
                description,
                state,
                report,
            });
        }
        if kinds.is_empty() {
            return Err(field_problem("policies", "names no policy".into()));
        }
        let set = (entries.len() > 1).then_some(self.state.next.policy_set + 1);
        let confirm_by = confirm_within_ms.map(|within| self.now + within);
        for Entry {
            description,
            state,
            report,
        } in entries
        {
            let kind = description.kind;
            let slot = self.state.slot(kind);
            let event = Event::PolicyActivated {
                generation: self.generation(kind) + 1,
                previous: slot
                    .and_then(|slot| slot.active.as_ref())
                    .map(|active| active.description.policy.clone()),
                description,
                actor: actor.clone(),
                reason: reason.clone(),
                set,
                confirm_by,
                state,
                report,
            };
            self.emit(event);
        }
        Ok(self.generations(&kinds))
    }

    pub(super) fn confirm_policy(&mut self, kind: PolicyKind, actor: Actor) -> Result<Reply, Refusal> {
        let Some(confirm_by) = self.state.slot(kind).and_then(PolicySlot::confirm_by) else {
            // Confirmed twice by somebody who does not know whether he was heard: a fact already.
            if self.state.slot(kind).is_some_and(|slot| slot.active.is_some()) {
                return Ok(self.generations(&[kind]));
            }
            return Err(conflict("nothing_to_confirm", format!("no version of {kind} is active")).fix("pointsman policy activate FILE"));
        };
        if self.now >= confirm_by {
            let message = format!("the time to confirm {kind} is over; it goes back to the version before");
            return Err(conflict("confirmed_too_late", message).fix("pointsman policy activate FILE --confirm-within 10m"));
        }
        let kinds = self.kinds_of_set(kind);
        let set = self.set_of(kind);
        self.emit(Event::PolicyConfirmed {
            kinds: kinds.clone(),
            set,
            actor,
        });
        Ok(self.generations(&kinds))
    }

    pub(super) fn roll_back_policy(&mut self, kind: PolicyKind, whole_set: bool, actor: Actor, reason: String) -> Result<Reply, Refusal> {
        let reason = checked_reason(reason)?;
        let kinds = if whole_set { self.kinds_of_set(kind) } else { vec![kind] };
        for kind in &kinds {
            if !self.can_go_back(*kind) {
                return Err(conflict(
                    "nothing_to_roll_back_to",
                    format!("{kind} has had no version before the active one"),
                )
                .fix("pointsman policy activate FILE"));
            }
        }
        self.go_back(&kinds, &actor, &reason, None);
        Ok(self.generations(&kinds))
    }

    pub(super) fn pin_policy(&mut self, kind: PolicyKind, pinned: bool, actor: Actor, reason: String) -> Result<Reply, Refusal> {
        let reason = checked_reason(reason)?;
        let slot = self.state.slot(kind);
        if slot.is_some_and(|slot| slot.pin.is_some()) == pinned {
            return Ok(Reply::Done);
        }
        if pinned && slot.is_some_and(|slot| slot.confirm_by().is_some()) {
            return Err(awaits_confirmation(kind));
        }
        if pinned && let Some(canary) = slot.and_then(|slot| slot.canary.as_ref()) {
            return Err(in_canary(kind, &canary.installed.description));
        }
        self.emit(Event::PolicyPinned {
            kind,
            pinned,
            actor,
            reason,
        });
        Ok(Reply::Done)
    }

    /// What nobody confirmed in time goes back.
    pub(super) fn roll_back_unconfirmed(&mut self) {
        // Each round takes one set back, and a version that was restored waits for nobody.
        while let Some((kind, by)) = self.overdue() {
            let kinds = self.kinds_of_set(kind);
            let since = self
                .state
                .slot(kind)
                .and_then(|slot| slot.active.as_ref())
                .map_or(by, |active| active.activated_at);
            let reason = format!("nobody confirmed it within {} s", (by.saturating_sub(since)) as f64 / 1000.0);
            self.go_back(&kinds, &Actor::new(Actor::CONFIRM_TIMEOUT), &reason, None);
        }
    }

    fn overdue(&self) -> Option<(PolicyKind, Millis)> {
        let waiting = self
            .state
            .policies
            .iter()
            .filter_map(|(kind, slot)| Some((*kind, slot.confirm_by()?)));
        waiting.filter(|(_, by)| self.now >= *by).min_by_key(|(_, by)| *by)
    }

    /// Takes kinds back that can go back. `tripped` is the kind, and the end of its cool-down, where the breaker does it.
    pub(super) fn go_back(&mut self, kinds: &[PolicyKind], actor: &Actor, reason: &str, tripped: Option<(PolicyKind, Millis)>) {
        let set = if kinds.len() > 1 {
            kinds.first().and_then(|kind| self.set_of(*kind))
        } else {
            None
        };
        for kind in kinds {
            let Some(slot) = self.state.slot(*kind) else { continue };
            let Some(active) = &slot.active else { continue };
            let to = slot.history.last().map(|last| last.description.clone());
            let event = Event::PolicyRolledBack {
                kind: *kind,
                generation: slot.generation + 1,
                to: to.unwrap_or_else(|| PolicyDescription::built_in(*kind)),
                from: active.description.policy.clone(),
                actor: actor.clone(),
                reason: reason.to_string(),
                set,
                tripped_until: tripped.filter(|(tripped, _)| tripped == kind).map(|(_, until)| until),
            };
            self.emit(event);
        }
    }

    /// A first version has nothing before it; while it is on trial it leaves to the built-in all the same.
    pub(super) fn can_go_back(&self, kind: PolicyKind) -> bool {
        self.state
            .slot(kind)
            .is_some_and(|slot| slot.active.is_some() && (!slot.history.is_empty() || slot.confirm_by().is_some()))
    }

    /// The kinds that were activated as one with this one and are still active so; this one alone if it was alone.
    pub(super) fn kinds_of_set(&self, kind: PolicyKind) -> Vec<PolicyKind> {
        let Some(set) = self.set_of(kind) else { return vec![kind] };
        let of_set = |slot: &PolicySlot| slot.active.as_ref().is_some_and(|active| active.set == Some(set));
        let kinds = self.state.policies.iter().filter(|(_, slot)| of_set(slot));
        kinds.map(|(kind, _)| *kind).collect()
    }

    fn set_of(&self, kind: PolicyKind) -> Option<u64> {
        self.state.slot(kind)?.active.as_ref()?.set
    }

    fn is_active(&self, description: &PolicyDescription) -> bool {
        let active = self.state.slot(description.kind).and_then(|slot| slot.active.as_ref());
        active.is_some_and(|active| active.description.policy.digest == description.policy.digest)
    }

    /// Whether a version may enter its kind now, as the active one or as a canary.
    pub(super) fn check_entry(&self, description: &PolicyDescription, force: bool) -> Result<(), Refusal> {
        let kind = description.kind;
        let Some(slot) = self.state.slot(kind) else { return Ok(()) };
        if slot.pin.is_some() {
            return Err(pinned(kind, slot));
        }
        if slot.confirm_by().is_some() {
            return Err(awaits_confirmation(kind));
        }
        if let Some(canary) = &slot.canary {
            return Err(in_canary(kind, &canary.installed.description));
        }
        match self.cooling_down(kind, &description.policy.digest) {
            Some(refusal) if !force => Err(refusal),
            Some(_) | None => Ok(()),
        }
    }

    fn cooling_down(&self, kind: PolicyKind, digest: &Digest) -> Option<Refusal> {
        let trip = self.state.slot(kind)?.cooling_down(digest, self.now)?;
        let seconds = (trip.until - self.now).div_ceil(1000);
        let message = format!(
            "the breaker took {} out of service, and it stays out for another {seconds} s: {}",
            trip.policy, trip.why
        );
        Some(conflict("policy_cooling_down", message).fix("correct the policy, or activate it with --force"))
    }

    /// The state that a version starts with: that of the version before, if it is the same policy.
    pub(super) fn handover(&mut self, description: &PolicyDescription, fresh_state: bool) -> Result<StateHandover, Refusal> {
        let Some(active) = self.state.inherited(description).filter(|_| !fresh_state) else {
            return Ok(StateHandover::Empty);
        };
        let from_version = active.description.state_version;
        if from_version == description.state_version {
            return Ok(StateHandover::Carried);
        }
        let policy = &description.policy;
        let migrated = self.policies.migrate(policy, from_version, &active.state);
        let problem = match migrated {
            Ok(state) if state.len() <= STATE_BYTES_MAX => return Ok(StateHandover::Migrated { from_version, state }),
            Ok(state) => format!("it has {} bytes, at most {STATE_BYTES_MAX} are kept", state.len()),
            Err(fault) => format!("{}: {}", fault.class.slug(), fault.detail),
        };
        let message = format!(
            "{policy} reads state of version {}, and could not take over that of {} in version {from_version}: {problem}",
            description.state_version, active.description.policy
        );
        Err(conflict("state_migration_failed", message).fix("correct `migrate`, or activate it with --fresh-state"))
    }

    pub(super) fn generation(&self, kind: PolicyKind) -> u32 {
        self.state.slot(kind).map_or(0, |slot| slot.generation)
    }

    fn generations(&self, kinds: &[PolicyKind]) -> Reply {
        match kinds {
            [kind] => Reply::Generation(self.generation(*kind)),
            kinds => Reply::Generations(kinds.iter().map(|kind| (*kind, self.generation(*kind))).collect()),
        }
    }
}

pub(super) fn pinned(kind: PolicyKind, slot: &PolicySlot) -> Refusal {
    let by = slot
        .pin
        .as_ref()
        .map(|pin| format!(" by {}: {}", pin.actor, pin.reason))
        .unwrap_or_default();
    conflict("policy_pinned", format!("{kind} is pinned to its active version{by}")).fix(format!("pointsman policy unpin {kind}"))
}

pub(super) fn awaits_confirmation(kind: PolicyKind) -> Refusal {
    conflict(
        "policy_unconfirmed",
        format!("the active version of {kind} waits for its confirmation"),
    )
    .fix(format!("pointsman policy confirm {kind}, or pointsman policy rollback {kind}"))
}

fn in_canary(kind: PolicyKind, description: &PolicyDescription) -> Refusal {
    let message = format!("{} is in canary beside the active version of {kind}", description.policy);
    conflict("policy_in_canary", message).fix(format!(
        "pointsman policy canary promote {kind}, or pointsman policy canary end {kind}"
    ))
}

fn check_confirmation(within: Option<Millis>) -> Result<(), Refusal> {
    match within {
        Some(within) if !(CONFIRM_MS_MIN..=CONFIRM_MS_MAX).contains(&within) => Err(field_problem(
            "confirm_within_ms",
            format!("{within} is not between {CONFIRM_MS_MIN} and {CONFIRM_MS_MAX}"),
        )),
        Some(_) | None => Ok(()),
    }
}

pub(super) fn field_problem(field: &str, problem: String) -> Refusal {
    let mut refusal = invalid("policy_change_invalid", format!("{field}: {problem}"));
    refusal.fields = vec![SettingProblem {
        field: field.into(),
        problem,
    }];
    refusal
}
