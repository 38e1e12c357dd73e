//! Verifying a decision: it is made again from its record alone and compared with what the record says.

use crate::replay::RecordedDecision;
use pointsman_coordinator::{Guards, Policies, built_in, settle};
use pointsman_model::Digest;
use pointsman_model::context::Context;
use pointsman_model::decision::{Advice, Answer, Link};
use pointsman_model::policy::{Fault, FaultClass};

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Verification {
    /// Verdict, reasons, scores, state and fuel, all of it.
    Identical,
    /// The verdict is the same, something beside it is not: which.
    SameVerdict {
        differs: &'static str,
    },
    /// Another verdict, or none.
    Diverged {
        after: Result<Answer, Fault>,
    },
    NotReplayable(WhyNot),
}

/// Why a decision cannot be made again.
#[derive(Clone, Debug, PartialEq)]
pub enum WhyNot {
    ContextGone,
    ContextUnreadable,
    /// The record is not what was recorded: its bytes have another digest.
    ContextAltered,
    /// A link of the chain ran out of time, which is the machine's doing and not the policy's.
    Deadline,
    /// Made by another engine, or another version of it.
    OtherEngine {
        recorded: String,
        here: String,
    },
    /// A fallback answered under other guards than those that hold now, and a record does not say under which.
    OtherGuards,
    /// The code of the version is not kept, or does not load.
    NoVersion {
        why: String,
    },
}

impl Verification {
    pub fn slug(&self) -> &'static str {
        match self {
            Verification::Identical => "identical",
            Verification::SameVerdict { .. } => "same_verdict",
            Verification::Diverged { .. } => "diverged",
            Verification::NotReplayable(_) => "not_replayable",
        }
    }
}

impl WhyNot {
    pub fn words(&self) -> String {
        match self {
            WhyNot::ContextGone => "its context is no longer kept".to_string(),
            WhyNot::ContextUnreadable => "its context cannot be read by this version of Pointsman".to_string(),
            WhyNot::ContextAltered => "its context is not the one that was decided on: the bytes have another digest".to_string(),
            WhyNot::Deadline => "a policy ran out of time, which depends on the machine".to_string(),
            WhyNot::OtherEngine { recorded, here } => format!("it was made by {recorded}, and here is {here}"),
            WhyNot::OtherGuards => "the built-in fallback answered under other guards than the settings have now".to_string(),
            WhyNot::NoVersion { why } => why.clone(),
        }
    }
}

/// Makes a decision again. The version that answered has to be loaded; the built-in fallbacks are asked under these guards.
pub fn verify(policies: &mut dyn Policies, guards: &Guards, recorded: &RecordedDecision) -> Verification {
    let ruling = &recorded.decision.ruling;
    let Some(bytes) = &recorded.context else {
        return Verification::NotReplayable(WhyNot::ContextGone);
    };
    if Digest::of(bytes) != recorded.decision.context {
        return Verification::NotReplayable(WhyNot::ContextAltered);
    }
    let Ok(context) = Context::decode(bytes) else {
        return Verification::NotReplayable(WhyNot::ContextUnreadable);
    };
    if ruling.declined.iter().any(|declined| declined.fault.class == FaultClass::Deadline) {
        return Verification::NotReplayable(WhyNot::Deadline);
    }
    let here = policies.fingerprint(ruling.policy.engine);
    if here != ruling.engine {
        return Verification::NotReplayable(WhyNot::OtherEngine {
            recorded: ruling.engine.clone(),
            here,
        });
    }
    let mut after = match ruling.link {
        Link::BuiltIn => Ok(built_in(&context, guards, &ruling.declined)),
        Link::Candidate | Link::Active | Link::LastGood => policies.ask(&ruling.policy, &context),
    };
    let settled = match &mut after {
        Ok(answer) => settle(&context, answer),
        Err(_) => Ok(None),
    };
    let (answer, propensity) = match (after, settled) {
        (Ok(answer), Ok(propensity)) if answer.verdict == ruling.verdict => (answer, propensity),
        (Ok(_), _) if ruling.link == Link::BuiltIn => return Verification::NotReplayable(WhyNot::OtherGuards),
        (after, _) => return Verification::Diverged { after },
    };
    match differs(recorded, &answer, propensity) {
        None => Verification::Identical,
        Some(differs) => Verification::SameVerdict { differs },
    }
}

/// The first part of the advice that is not as recorded.
fn differs(recorded: &RecordedDecision, answer: &Answer, propensity: Option<f64>) -> Option<&'static str> {
    let ruling = &recorded.decision.ruling;
    let Advice {
        reasons,
        scores,
        distribution,
        state,
        suggestions,
        extras,
    } = &answer.advice;
    let before = &ruling.advice;
    // Scores stand beside the context, and the decision has their digest.
    let scores = scores.as_ref().map(|scores| scores.encode().digest);
    [
        (*reasons == before.reasons, "reasons"),
        (scores == recorded.decision.scores, "scores"),
        (*distribution == before.distribution, "distribution"),
        (propensity == ruling.propensity, "propensity"),
        (*state == before.state, "state"),
        (*suggestions == before.suggestions, "suggestions"),
        (*extras == before.extras, "extras"),
        (answer.cost.fuel == ruling.cost.fuel, "fuel"),
    ]
    .into_iter()
    .find_map(|(same, what)| (!same).then_some(what))
}

#[cfg(test)]
mod tests;
