//! The versions of each kind, and how events change them.

use super::State;
use pointsman_model::decision::{Declined, Link, Ruling};
use pointsman_model::event::StateHandover;
use pointsman_model::policy::{FaultClass, PolicyDescription, PolicyKind, PolicyRef, SwapReport};
use pointsman_model::{Digest, Millis};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Versions of a kind that can be rolled back to, one after the other.
pub const POLICY_HISTORY_MAX: usize = 16;
/// Faults in a row after which a version is taken out of service.
pub const FAULTS_IN_A_ROW_MAX: u32 = 3;
/// Faults within [`FAULT_WINDOW_MS`] after which it is, whatever it answered between them.
pub const FAULTS_IN_WINDOW_MAX: usize = 5;
pub const FAULT_WINDOW_MS: Millis = 10 * 60_000;
/// Time after the breaker took a version out of service in which it comes back by force only.
pub const COOL_DOWN_MS: Millis = 15 * 60_000;
/// Versions of a kind whose cool-down is remembered.
pub const TRIPPED_MAX: usize = 16;
/// Faults of one version on one input after which it is not asked about that input any more.
pub const INPUT_FAULTS_MAX: u32 = 2;
/// Inputs of a kind on which a version failed that are remembered; the oldest are forgotten first.
pub const INPUTS_MAX: usize = 256;

/// The versions of one kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PolicySlot {
    pub generation: u32,
    pub active: Option<Installed>,
    /// Versions active before, latest last, each with the state it had.
    pub history: Vec<Installed>,
    /// A version that decides a share of the questions.
    pub canary: Option<PolicyCanary>,
    pub pin: Option<Pin>,
    /// Versions that the breaker took out of service lately, latest last; at most [`TRIPPED_MAX`].
    pub tripped: VecDeque<Trip>,
    /// Inputs on which a version failed, latest last; at most [`INPUTS_MAX`].
    pub inputs: VecDeque<FailedInput>,
}

/// A version in a slot, with its state and its record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Installed {
    pub description: PolicyDescription,
    pub activated_at: Millis,
    pub actor: String,
    pub reason: String,
    /// What it returned as state the last time it was active.
    pub state: Vec<u8>,
    pub decisions: u64,
    pub faults: u64,
    /// These two count for the breaker: a fault on an input on which it had failed before does not.
    pub faults_in_a_row: u32,
    /// Times of the latest faults, latest last; at most [`FAULTS_IN_WINDOW_MAX`].
    pub recent_faults: VecDeque<Millis>,
    /// The set that it was activated in.
    pub set: Option<u64>,
    /// It goes back then, unless somebody confirms it before.
    pub confirm_by: Option<Millis>,
}

/// A version that decides a share of its kind's questions beside the active one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyCanary {
    pub installed: Installed,
    pub share: f64,
    /// What its offer passed.
    pub report: Option<SwapReport>,
}

/// Somebody holds the kind at its active version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pin {
    pub since: Millis,
    pub actor: String,
    pub reason: String,
}

/// The breaker took a version out of service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trip {
    pub policy: PolicyRef,
    pub until: Millis,
    pub why: String,
}

/// A version failed on an input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailedInput {
    pub key: Digest,
    /// Version that failed.
    pub digest: Digest,
    pub faults: u32,
    pub since: Millis,
    /// None while it is asked all the same.
    pub quarantine: Option<Quarantine>,
}

/// Why a version is not asked about an input any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quarantine {
    pub at: Millis,
    /// The input in words.
    pub about: String,
    pub policy: PolicyRef,
    pub class: FaultClass,
    pub detail: String,
}

impl PolicySlot {
    /// Versions that should be loaded: those that a question may be put to, and the one that is the last good one after
    /// a rollback, which a breaker does at any moment. Older ones can be loaded again before their turn comes.
    pub fn at_hand(&self) -> impl Iterator<Item = &Installed> {
        let canary = self.canary.iter().map(|canary| &canary.installed);
        canary.chain(&self.active).chain(self.history.iter().rev().take(2))
    }

    /// Whether an activation waits for its confirmation.
    pub fn confirm_by(&self) -> Option<Millis> {
        self.active.as_ref().and_then(|active| active.confirm_by)
    }

    /// The cool-down of a version, if it is not over.
    pub fn cooling_down(&self, digest: &Digest, now: Millis) -> Option<&Trip> {
        self.tripped.iter().find(|trip| trip.policy.digest == *digest && trip.until > now)
    }

    /// The inputs that a version is not asked about.
    pub fn quarantined(&self) -> impl Iterator<Item = (&FailedInput, &Quarantine)> {
        self.inputs.iter().filter_map(|input| Some((input, input.quarantine.as_ref()?)))
    }

    pub(crate) fn failed_input(&self, key: &Digest, digest: &Digest) -> Option<&FailedInput> {
        self.inputs.iter().find(|input| input.key == *key && input.digest == *digest)
    }

    fn trip(&mut self, at: Millis, policy: &PolicyRef, until: Millis, why: &str) {
        self.tripped.retain(|trip| trip.until > at && trip.policy.digest != policy.digest);
        if self.tripped.len() >= TRIPPED_MAX {
            self.tripped.pop_front();
        }
        self.tripped.push_back(Trip {
            policy: policy.clone(),
            until,
            why: why.to_string(),
        });
    }

    /// Counts a fault on an input; whether it is the version's first on it.
    fn fail_input(&mut self, at: Millis, key: Digest, digest: Digest) -> bool {
        let found = self.inputs.iter().position(|input| input.key == key && input.digest == digest);
        let known = found.and_then(|index| self.inputs.remove(index));
        let first = known.is_none();
        let mut input = known.unwrap_or(FailedInput {
            key,
            digest,
            faults: 0,
            since: at,
            quarantine: None,
        });
        input.faults = input.faults.saturating_add(1);
        if self.inputs.len() >= INPUTS_MAX {
            self.inputs.pop_front();
        }
        self.inputs.push_back(input);
        first
    }

    fn apply_fault(&mut self, at: Millis, input: Option<Digest>, declined: &Declined) {
        let Declined { link, policy, fault } = declined;
        if fault.class == FaultClass::Quarantined {
            return;
        }
        let counts = input.is_none_or(|key| self.fail_input(at, key, policy.digest));
        let installed = match link {
            Link::Candidate => self.canary.as_mut().map(|canary| &mut canary.installed),
            Link::Active => self.active.as_mut(),
            // Its record is closed until it is active again; the built-in has none.
            Link::LastGood | Link::BuiltIn => None,
        };
        if let Some(installed) = installed {
            installed.faults += 1;
            if counts {
                installed.faults_in_a_row = installed.faults_in_a_row.saturating_add(1);
                if installed.recent_faults.len() >= FAULTS_IN_WINDOW_MAX {
                    installed.recent_faults.pop_front();
                }
                installed.recent_faults.push_back(at);
            }
        }
    }

    fn apply_ruling(&mut self, ruling: &Ruling) {
        let answered = match ruling.link {
            Link::Candidate => self.canary.as_mut().map(|canary| &mut canary.installed),
            Link::Active => self.active.as_mut(),
            Link::LastGood => self.history.last_mut(),
            Link::BuiltIn => None,
        };
        let Some(installed) = answered else { return };
        if let Some(state) = &ruling.advice.state {
            installed.state.clone_from(state);
        }
        match ruling.link {
            Link::Candidate | Link::Active => {
                installed.decisions += 1;
                installed.faults_in_a_row = 0;
            }
            Link::LastGood | Link::BuiltIn => {}
        }
    }
}

impl Installed {
    /// Why the breaker takes it out of service now, if it does.
    pub(crate) fn tripped_by(&self, now: Millis) -> Option<String> {
        let window_full = self.recent_faults.len() >= FAULTS_IN_WINDOW_MAX;
        let first = self.recent_faults.front().copied().unwrap_or(0);
        if self.faults_in_a_row >= FAULTS_IN_A_ROW_MAX {
            Some(format!(
                "{} failed {} times in a row",
                self.description.policy, self.faults_in_a_row
            ))
        } else if window_full && now.saturating_sub(first) <= FAULT_WINDOW_MS {
            let minutes = FAULT_WINDOW_MS / 60_000;
            Some(format!(
                "{} failed {} times within {minutes} minutes",
                self.description.policy,
                self.recent_faults.len()
            ))
        } else {
            None
        }
    }
}

/// What an activation says of a version, but for its state.
pub(super) struct Entered<'e> {
    pub(super) description: &'e PolicyDescription,
    pub(super) actor: &'e str,
    pub(super) reason: &'e str,
    pub(super) set: Option<u64>,
    pub(super) confirm_by: Option<Millis>,
}

impl Entered<'_> {
    fn install(self, at: Millis, state: Vec<u8>) -> Installed {
        Installed {
            description: self.description.clone(),
            activated_at: at,
            actor: self.actor.to_string(),
            reason: self.reason.to_string(),
            state,
            decisions: 0,
            faults: 0,
            faults_in_a_row: 0,
            recent_faults: VecDeque::new(),
            set: self.set,
            confirm_by: self.confirm_by,
        }
    }
}

impl State {
    /// The state that a version would have to migrate if it were activated now, and the state version that it is of: for
    /// a rehearsal on a copy. None where it starts empty or takes the bytes as they are.
    pub fn state_to_migrate(&self, description: &PolicyDescription) -> Option<(u32, &[u8])> {
        let active = self.inherited(description)?;
        let from_version = active.description.state_version;
        (from_version != description.state_version).then_some((from_version, active.state.as_slice()))
    }

    /// The active version, if another one takes its state over: it is the same policy, and has a state.
    pub(crate) fn inherited(&self, description: &PolicyDescription) -> Option<&Installed> {
        let active = self.slot(description.kind)?.active.as_ref()?;
        let same = active.description.policy.name == description.policy.name;
        (same && !active.state.is_empty()).then_some(active)
    }

    pub(super) fn apply_policy_activated(&mut self, at: Millis, generation: u32, entered: Entered<'_>, handover: &StateHandover) {
        self.next.policy_set = self.next.policy_set.max(entered.set.unwrap_or(0));
        let kind = entered.description.kind;
        let slot = self.policies.entry(kind).or_default();
        slot.generation = generation;
        let state = slot.handed_over(handover);
        let replaced = slot.active.replace(entered.install(at, state));
        if let Some(replaced) = replaced {
            self.totals.swaps += 1;
            slot.history.push(replaced);
            if slot.history.len() > POLICY_HISTORY_MAX {
                slot.history.remove(0);
            }
        }
        slot.inputs.clear();
        self.forget_idle(kind);
    }

    pub(super) fn apply_policy_rolled_back(
        &mut self,
        at: Millis,
        kind: PolicyKind,
        generation: u32,
        actor: &str,
        reason: &str,
        trip: Option<(&PolicyRef, Millis)>,
    ) {
        let slot = self.policies.entry(kind).or_default();
        slot.generation = generation;
        slot.active = slot.history.pop();
        if let Some(restored) = &mut slot.active {
            restored.activated_at = at;
            restored.actor = actor.to_string();
            restored.reason = reason.to_string();
            restored.faults_in_a_row = 0;
            restored.recent_faults.clear();
        }
        if let Some((policy, until)) = trip {
            slot.trip(at, policy, until, reason);
        }
        slot.inputs.clear();
        self.totals.swaps += 1;
        self.forget_idle(kind);
    }

    pub(super) fn apply_policies_confirmed(&mut self, kinds: &[PolicyKind]) {
        for kind in kinds {
            if let Some(active) = self.policies.get_mut(kind).and_then(|slot| slot.active.as_mut()) {
                active.confirm_by = None;
            }
        }
    }

    pub(super) fn apply_policy_canary_started(
        &mut self,
        at: Millis,
        share: f64,
        entered: Entered<'_>,
        handover: &StateHandover,
        report: Option<SwapReport>,
    ) {
        let slot = self.policies.entry(entered.description.kind).or_default();
        let state = slot.handed_over(handover);
        slot.canary = Some(PolicyCanary {
            installed: entered.install(at, state),
            share,
            report,
        });
    }

    pub(super) fn apply_policy_canary_ended(
        &mut self,
        at: Millis,
        kind: PolicyKind,
        policy: &PolicyRef,
        reason: &str,
        tripped_until: Option<Millis>,
    ) {
        let slot = self.policies.entry(kind).or_default();
        slot.canary = None;
        if let Some(until) = tripped_until {
            slot.trip(at, policy, until, reason);
        }
    }

    pub(super) fn apply_input_quarantined(&mut self, kind: PolicyKind, key: &Digest, quarantine: Quarantine) {
        let slot = self.policies.entry(kind).or_default();
        let digest = quarantine.policy.digest;
        let found = slot.inputs.iter_mut().find(|input| input.key == *key && input.digest == digest);
        if let Some(input) = found {
            input.quarantine = Some(quarantine);
        }
    }

    pub(super) fn apply_input_released(&mut self, kind: PolicyKind, key: &Digest) {
        self.policies.entry(kind).or_default().inputs.retain(|input| input.key != *key);
    }

    pub(super) fn apply_policy_ruling(&mut self, at: Millis, kind: PolicyKind, input: Option<Digest>, ruling: &Ruling) {
        let Some(slot) = self.policies.get_mut(&kind) else { return };
        for declined in &ruling.declined {
            slot.apply_fault(at, input, declined);
        }
        slot.apply_ruling(ruling);
    }
}

impl PolicySlot {
    fn handed_over(&self, handover: &StateHandover) -> Vec<u8> {
        let state_of = |installed: Option<&Installed>| installed.map(|installed| installed.state.clone()).unwrap_or_default();
        match handover {
            StateHandover::Empty => Vec::new(),
            StateHandover::Carried => state_of(self.active.as_ref()),
            StateHandover::Migrated { from_version: _, state } => state.clone(),
            StateHandover::FromCanary => state_of(self.canary.as_ref().map(|canary| &canary.installed)),
        }
    }
}
