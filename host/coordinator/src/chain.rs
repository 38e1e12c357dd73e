//! The fallback chain: the version in canary for its share, then active, then last good, then built-in. Every decision
//! says which link answered and why the earlier ones did not.

use crate::fallback::built_in;
use crate::guards::Guards;
use crate::input::{StickyKey, input_key};
use crate::port::Policies;
use crate::settle::settle;
use crate::state::{Installed, PolicySlot, State};
use pointsman_model::context::Context;
use pointsman_model::decision::{Answer, Decision, Declined, Link, Ruling, Subject};
use pointsman_model::event::Recording;
use pointsman_model::policy::{Cost, EngineKind, FAULT_DETAIL_BYTES_MAX, Fault, FaultClass, PolicyRef};
use pointsman_model::{DecisionId, Digest};

/// Asks down the chain until a link answers something that fits the context and the guards. The built-in always does.
pub(crate) fn rule(
    state: &State,
    policies: &mut dyn Policies,
    subject: Subject,
    sticky: &StickyKey,
    context: &mut Context,
) -> (Decision, Recording) {
    let kind = context.kind();
    let slot = state.slot(kind);
    let guards = Guards::of(&state.settings);
    // Most slots have no quarantine, and most questions no fault: then nobody asks for the key.
    let mut input = slot.filter(|slot| slot.quarantined().next().is_some()).map(|_| input_key(context));
    let mut declined = Vec::new();
    let links = [
        (Link::Candidate, slot.and_then(|slot| candidate(slot, sticky))),
        (Link::Active, slot.and_then(|slot| slot.active.as_ref())),
        (Link::LastGood, slot.and_then(|slot| slot.history.last())),
    ];
    let mut ruling = None;
    for (link, installed) in links {
        let Some(installed) = installed else { continue };
        lend(context, installed);
        let policy = &installed.description.policy;
        let asked = match slot.and_then(|slot| quarantine(slot, input.as_ref(), policy)) {
            Some(fault) => Err(fault),
            None => ask(policies, &guards, policy, context),
        };
        match asked {
            Ok((answer, propensity)) => {
                let engine = policies.fingerprint(policy.engine);
                ruling = Some((link, policy.clone(), engine, answer, propensity));
                break;
            }
            Err(fault) => declined.push(Declined {
                link,
                policy: policy.clone(),
                fault,
            }),
        }
    }
    if declined.is_empty() {
        input = None;
    } else if input.is_none() {
        input = Some(input_key(context));
    }
    let (link, policy, engine, mut answer, propensity) = ruling.unwrap_or_else(|| {
        let frame = context.frame_mut();
        frame.settings.clear();
        frame.state.clear();
        let mut answer = built_in(context, &guards, &declined);
        debug_assert!(
            settle(context, &mut answer) == Ok(None),
            "the built-in answers what fits and leaves nothing to chance"
        );
        debug_assert!(guards.check(context, &answer.verdict).is_ok(), "the built-in keeps to the guards");
        (
            Link::BuiltIn,
            PolicyRef::built_in(kind),
            policies.fingerprint(EngineKind::BuiltIn),
            answer,
            None,
        )
    });
    let recorded = context.encode();
    let scores = answer.advice.scores.take().map(|scores| scores.encode());
    let decision = Decision {
        id: DecisionId(state.next.decision + 1),
        kind,
        subject,
        generation: slot.map_or(0, |slot| slot.generation),
        context: recorded.digest,
        scores: scores.as_ref().map(|scores| scores.digest),
        input,
        ruling: Ruling {
            verdict: answer.verdict,
            advice: answer.advice,
            link,
            policy,
            engine,
            cost: answer.cost,
            declined,
            propensity,
        },
    };
    let recording = Recording {
        context: recorded.bytes,
        scores: scores.map(|scores| scores.bytes),
    };
    (decision, recording)
}

/// The version in canary, where the question falls into its share.
fn candidate<'s>(slot: &'s PolicySlot, sticky: &StickyKey) -> Option<&'s Installed> {
    let canary = slot.canary.as_ref()?;
    let installed = &canary.installed;
    (sticky.point(&installed.description.policy.digest) < canary.share).then_some(installed)
}

/// Why a version is not asked about this input, if it is not.
fn quarantine(slot: &PolicySlot, input: Option<&Digest>, policy: &PolicyRef) -> Option<Fault> {
    let failed = slot.failed_input(input?, &policy.digest)?;
    let quarantine = failed.quarantine.as_ref()?;
    let detail = format!(
        "it failed {} times on {}, last with {}: {}",
        failed.faults,
        quarantine.about,
        quarantine.class.slug(),
        quarantine.detail
    );
    Some(Fault {
        class: FaultClass::Quarantined,
        detail: clip(detail),
        cost: Cost::default(),
    })
}

/// Puts a link's own settings and state into the context.
fn lend(context: &mut Context, installed: &Installed) {
    let frame = context.frame_mut();
    frame.settings.clone_from(&installed.description.settings);
    frame.state.clone_from(&installed.state);
}

/// An answer that fits its context and keeps to the guards, with the probability of a drawn pick.
fn ask(policies: &mut dyn Policies, guards: &Guards, policy: &PolicyRef, context: &Context) -> Result<(Answer, Option<f64>), Fault> {
    let mut answer = policies.ask(policy, context)?;
    let cost = answer.cost;
    let refused = |class, problem: String| Fault {
        class,
        detail: clip(problem),
        cost,
    };
    let propensity = settle(context, &mut answer).map_err(|problem| refused(FaultClass::InvalidOutput, problem))?;
    guards
        .check(context, &answer.verdict)
        .map_err(|violation| refused(FaultClass::Guard, violation.to_string()))?;
    Ok((answer, propensity))
}

fn clip(mut text: String) -> String {
    if text.len() > FAULT_DETAIL_BYTES_MAX {
        let end = (0..=FAULT_DETAIL_BYTES_MAX)
            .rev()
            .find(|end| text.is_char_boundary(*end))
            .unwrap_or(0);
        text.truncate(end);
    }
    text
}
