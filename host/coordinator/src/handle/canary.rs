//! A policy's canary: a version decides a share of its kind's questions before it may have them all.

use super::operate::checked_reason;
use super::swap::{awaits_confirmation, field_problem, pinned};
use super::{Turn, conflict, not_found};
use crate::coordinator::{Refusal, Reply};
use crate::state::PolicyCanary;
use pointsman_model::Actor;
use pointsman_model::command::Activation;
use pointsman_model::event::{Event, PolicyCanaryEnd, StateHandover};
use pointsman_model::policy::{PolicyKind, StageReport, SwapReport};

impl Turn<'_> {
    pub(super) fn start_policy_canary(
        &mut self,
        offer: Activation,
        share: f64,
        force: bool,
        actor: Actor,
        reason: String,
    ) -> Result<Reply, Refusal> {
        let reason = checked_reason(reason)?;
        if !(share > 0.0 && share <= 1.0) {
            return Err(field_problem("share", format!("{share} is not above 0 and at most 1")));
        }
        let Activation {
            description,
            fresh_state,
            report,
        } = offer;
        let kind = description.kind;
        let active = self.state.slot(kind).and_then(|slot| slot.active.as_ref());
        if active.is_some_and(|active| active.description.policy.digest == description.policy.digest) {
            let message = format!("{} is the active version of {kind} already", description.policy);
            return Err(conflict("policy_active", message).fix("offer another version"));
        }
        self.check_entry(&description, force)?;
        let state = self.handover(&description, fresh_state)?;
        self.emit(Event::PolicyCanaryStarted {
            description,
            share,
            state,
            actor,
            reason,
            report,
        });
        Ok(Reply::Generation(self.generation(kind)))
    }

    pub(super) fn end_policy_canary(&mut self, kind: PolicyKind, promote: bool, actor: Actor, reason: String) -> Result<Reply, Refusal> {
        let reason = checked_reason(reason)?;
        let slot = self.state.slot(kind);
        let Some((slot, canary)) = slot.and_then(|slot| Some((slot, slot.canary.as_ref()?))) else {
            let message = format!("no version of {kind} is in canary");
            return Err(not_found("no_policy_canary", message).fix("pointsman policy canary start FILE --share 0.1"));
        };
        let description = canary.installed.description.clone();
        let policy = description.policy.clone();
        let report = canary.report.clone().map(|report| self.tried(report, canary));
        if promote {
            // It can be pinned or on trial only where somebody went back to such a version while the canary ran.
            if slot.pin.is_some() {
                return Err(pinned(kind, slot));
            }
            if slot.confirm_by().is_some() {
                return Err(awaits_confirmation(kind));
            }
            let previous = slot.active.as_ref().map(|active| active.description.policy.clone());
            self.emit(Event::PolicyActivated {
                generation: self.generation(kind) + 1,
                description,
                previous,
                actor: actor.clone(),
                reason: reason.clone(),
                set: None,
                confirm_by: None,
                state: StateHandover::FromCanary,
                report,
            });
        }
        let end = if promote {
            PolicyCanaryEnd::Promoted
        } else {
            PolicyCanaryEnd::Withdrawn
        };
        self.emit(Event::PolicyCanaryEnded {
            kind,
            policy,
            end,
            actor,
            reason,
            tripped_until: None,
        });
        Ok(Reply::Generation(self.generation(kind)))
    }

    /// The report of the offer, with what came of the canary.
    fn tried(&self, mut report: SwapReport, canary: &PolicyCanary) -> SwapReport {
        let PolicyCanary {
            installed,
            share,
            report: _,
        } = canary;
        report.stages.push(StageReport {
            stage: "canary".into(),
            passed: true,
            ms: self.now.saturating_sub(installed.activated_at) as f64,
            detail: format!(
                "decided {} questions at a share of {:.0} %, {} faults",
                installed.decisions,
                share * 100.0,
                installed.faults
            ),
        });
        report
    }
}
