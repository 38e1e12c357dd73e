//! What follows from faults: versions that fail again and again go, inputs that a version fails on are set aside.

use super::{Turn, not_found};
use crate::coordinator::{Refusal, Reply};
use crate::input::input_in_words;
use crate::state::{COOL_DOWN_MS, INPUT_FAULTS_MAX, PolicySlot};
use pointsman_model::context::Context;
use pointsman_model::decision::{Decision, Declined, Link};
use pointsman_model::event::{Event, PolicyCanaryEnd};
use pointsman_model::policy::{Fault, FaultClass, PolicyKind};
use pointsman_model::{Actor, Digest};

impl Turn<'_> {
    /// Looks at a decision that is a fact already. `about` is what was asked.
    pub(super) fn follow_faults(&mut self, decision: &Decision, about: &Context) {
        for declined in &decision.ruling.declined {
            if declined.fault.class == FaultClass::Quarantined {
                continue;
            }
            self.quarantine_input(decision, declined, about);
            match declined.link {
                Link::Candidate => self.end_tripped_canary(decision.kind, &declined.fault),
                Link::Active => self.trip_breaker(decision.kind, &declined.fault),
                Link::LastGood | Link::BuiltIn => {}
            }
        }
    }

    fn quarantine_input(&mut self, decision: &Decision, declined: &Declined, about: &Context) {
        let (kind, policy) = (decision.kind, &declined.policy);
        let Some(key) = decision.input else { return };
        let failed = self.state.slot(kind).and_then(|slot| slot.failed_input(&key, &policy.digest));
        if failed.is_some_and(|failed| failed.faults >= INPUT_FAULTS_MAX && failed.quarantine.is_none()) {
            self.emit(Event::InputQuarantined {
                kind,
                key,
                about: input_in_words(about),
                policy: policy.clone(),
                fault: declined.fault.clone(),
            });
        }
    }

    /// The last good version comes back, and for a set on trial those of all its kinds: until it is confirmed, it is one.
    fn trip_breaker(&mut self, kind: PolicyKind, fault: &Fault) {
        let Some(slot) = self.state.slot(kind) else { return };
        let Some(why) = slot.active.as_ref().and_then(|active| active.tripped_by(self.now)) else {
            return;
        };
        if slot.pin.is_some() || !self.can_go_back(kind) {
            return;
        }
        let kinds = if slot.confirm_by().is_some() {
            self.kinds_of_set(kind)
        } else {
            vec![kind]
        };
        let until = self.now + COOL_DOWN_MS;
        self.go_back(&kinds, &Actor::new(Actor::BREAKER), &reason(&why, fault), Some((kind, until)));
    }

    fn end_tripped_canary(&mut self, kind: PolicyKind, fault: &Fault) {
        let canary = self.state.slot(kind).and_then(|slot| slot.canary.as_ref());
        let Some(installed) = canary.map(|canary| &canary.installed) else {
            return;
        };
        let Some(why) = installed.tripped_by(self.now) else { return };
        let event = Event::PolicyCanaryEnded {
            kind,
            policy: installed.description.policy.clone(),
            end: PolicyCanaryEnd::Tripped,
            actor: Actor::new(Actor::BREAKER),
            reason: reason(&why, fault),
            tripped_until: Some(self.now + COOL_DOWN_MS),
        };
        self.emit(event);
    }

    pub(super) fn release_quarantine(&mut self, kind: PolicyKind, key: Digest, actor: Actor) -> Result<Reply, Refusal> {
        let held = |slot: &PolicySlot| slot.quarantined().any(|(input, _)| input.key == key);
        if !self.state.slot(kind).is_some_and(held) {
            let message = format!("no input {} of {kind} is in quarantine", key.short());
            return Err(not_found("input_not_quarantined", message).fix("pointsman policy quarantine"));
        }
        self.emit(Event::InputReleased { kind, key, actor });
        Ok(Reply::Done)
    }
}

fn reason(why: &str, fault: &Fault) -> String {
    format!("{why}, last with {}: {}", fault.class.slug(), fault.detail)
}
