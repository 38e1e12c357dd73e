//! The fallback chain: active, then last good, then built-in. Every decision says which link answered and why the
//! earlier ones did not.

use crate::check::check_verdict;
use crate::fallback;
use crate::port::Policies;
use crate::state::{Installed, State};
use pointsman_model::DecisionId;
use pointsman_model::context::Context;
use pointsman_model::decision::{Answer, Decision, Declined, Link, Ruling, Subject};
use pointsman_model::event::Recording;
use pointsman_model::policy::{Cost, EngineKind, FAULT_DETAIL_BYTES_MAX, Fault, FaultClass, PolicyRef};

/// Faults in a row after which a version is taken out of service.
pub(crate) const FAULTS_IN_A_ROW_MAX: u32 = 3;

/// Asks down the chain until a link answers something that fits the context. The built-in always does.
pub(crate) fn rule(state: &State, policies: &mut dyn Policies, subject: Subject, mut context: Context) -> (Decision, Recording) {
    let kind = context.kind();
    let slot = state.slot(kind);
    let mut declined = Vec::new();
    let links = [
        (Link::Active, slot.and_then(|slot| slot.active.as_ref())),
        (Link::LastGood, slot.and_then(|slot| slot.history.last())),
    ];
    let mut ruling = None;
    for (link, installed) in links {
        let Some(installed) = installed else { continue };
        lend(&mut context, installed);
        let policy = &installed.description.policy;
        match ask(policies, policy, &context) {
            Ok(answer) => {
                let engine = policies.fingerprint(policy.engine);
                ruling = Some((link, policy.clone(), engine, answer));
                break;
            }
            Err(fault) => declined.push(Declined {
                link,
                policy: policy.clone(),
                fault,
            }),
        }
    }
    let (link, policy, engine, mut answer) = ruling.unwrap_or_else(|| {
        let frame = context.frame_mut();
        frame.settings.clear();
        frame.state.clear();
        let (verdict, advice) = fallback::decide(&context);
        let answer = Answer {
            verdict,
            advice,
            cost: Cost::default(),
        };
        debug_assert!(check_verdict(&context, &answer).is_ok(), "the built-in answers what fits");
        (
            Link::BuiltIn,
            PolicyRef::built_in(kind),
            policies.fingerprint(EngineKind::BuiltIn),
            answer,
        )
    });
    let context = context.encode();
    let scores = answer.advice.scores.take().map(|scores| scores.encode());
    let decision = Decision {
        id: DecisionId(state.next.decision + 1),
        kind,
        subject,
        generation: slot.map_or(0, |slot| slot.generation),
        context: context.digest,
        scores: scores.as_ref().map(|scores| scores.digest),
        ruling: Ruling {
            verdict: answer.verdict,
            advice: answer.advice,
            link,
            policy,
            engine,
            cost: answer.cost,
            declined,
        },
    };
    let recording = Recording {
        context: context.bytes,
        scores: scores.map(|scores| scores.bytes),
    };
    (decision, recording)
}

/// Puts a link's own settings and state into the context.
fn lend(context: &mut Context, installed: &Installed) {
    let frame = context.frame_mut();
    frame.settings.clone_from(&installed.description.settings);
    frame.state.clone_from(&installed.state);
}

fn ask(policies: &mut dyn Policies, policy: &PolicyRef, context: &Context) -> Result<Answer, Fault> {
    let mut answer = policies.ask(policy, context)?;
    if let Err(problem) = check_verdict(context, &answer) {
        return Err(Fault {
            class: FaultClass::InvalidOutput,
            detail: clip(problem),
            cost: answer.cost,
        });
    }
    // A verdict without a word why is of little use to a person; say so rather than nothing.
    if answer.advice.reasons.is_empty() {
        answer.advice.reasons.push(pointsman_model::decision::Reason {
            code: "no_reason_given".into(),
            text: format!("{policy} gave no reason."),
            ..Default::default()
        });
    }
    Ok(answer)
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
