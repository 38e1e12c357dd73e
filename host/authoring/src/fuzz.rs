//! Fuzzing a policy: contexts that a host could make, and that its author did not think of.
//!
//! Contexts begin as recorded or plain ones and are changed number by number, word by word and entry by entry, always
//! within what a host may ask. A policy that traps, hits a limit, answers what does not fit or answers the same question
//! differently is told with the smallest context that still shows it.

mod mutate;

use crate::case::{difference_from, fields_of};
use mutate::Random;
use pointsman_coordinator::{Policies, settle};
use pointsman_model::context::Context;
use pointsman_model::decision::Answer;
use pointsman_model::policy::{Fault, FaultClass, PolicyDescription};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Changes on top of one another before a new beginning.
const CHANGES_MAX: u64 = 6;
/// Tries to make a finding smaller.
const SHRINK_MAX: usize = 4_000;

/// What is wrong with an answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Flaw {
    /// It failed: trap, fuel, memory, time.
    Fails(FaultClass),
    /// Its answer does not fit the context.
    Misfit,
    /// The same question was answered in two ways.
    Fickle,
}

impl Flaw {
    pub fn slug(&self) -> String {
        match self {
            Flaw::Fails(class) => class.slug().to_string(),
            Flaw::Misfit => "misfit".to_string(),
            Flaw::Fickle => "fickle".to_string(),
        }
    }
}

/// A flaw with the smallest context that shows it.
#[derive(Clone, Debug)]
pub struct Finding {
    pub flaw: Flaw,
    pub detail: String,
    pub context: Context,
    /// Contexts that showed it.
    pub times: u64,
}

impl Finding {
    /// As a case that passes once the policy answers.
    pub fn case(&self, plain: &Context) -> Value {
        let mut fields = fields_of(&self.context);
        if let Some(frame) = fields.get_mut("frame").and_then(Value::as_object_mut) {
            frame.remove("settings");
            frame.remove("state");
        }
        json!({
            "name": format!("fuzz: {}: {}", self.flaw.slug(), self.detail),
            "context": difference_from(&fields, &fields_of(plain)),
            "expect": { "answers": true },
        })
    }
}

/// What fuzzing found.
#[derive(Clone, Debug, Default)]
pub struct Fuzzed {
    pub asked: u64,
    pub findings: Vec<Finding>,
    /// Verdicts by their word: a fuzz that only ever sees one has not gone far.
    pub verdicts: BTreeMap<&'static str, u64>,
}

/// Asks about `runs` contexts that come of `beginnings`, which are of the policy's kind. The same seed finds the same.
/// `on_progress` is told how many were asked, and ends it by answering false.
pub fn fuzz(
    policies: &mut dyn Policies,
    description: &PolicyDescription,
    beginnings: &[Context],
    seed: u64,
    runs: u64,
    on_progress: &mut dyn FnMut(u64) -> bool,
) -> Fuzzed {
    let mut random = Random::new(seed);
    let mut fuzzed = Fuzzed::default();
    let mut found: BTreeMap<Flaw, Finding> = BTreeMap::new();
    for run in 0..runs {
        if !on_progress(run) {
            break;
        }
        let Some(beginning) = beginnings.get(random.below(beginnings.len() as u64) as usize) else {
            break;
        };
        let mut context = beginning.clone();
        context.frame_mut().settings.clone_from(&description.settings);
        context.frame_mut().state.clear();
        for _ in 0..=random.below(CHANGES_MAX) {
            context = mutate::changed(&context, &mut random);
        }
        fuzzed.asked += 1;
        match judge(policies, description, &context) {
            Ok(answer) => *fuzzed.verdicts.entry(answer.verdict.slug()).or_default() += 1,
            Err((flaw, detail)) => {
                let finding = found.entry(flaw.clone()).or_insert(Finding {
                    flaw,
                    detail,
                    context,
                    times: 0,
                });
                finding.times += 1;
            }
        }
    }
    for mut finding in found.into_values() {
        shrink(policies, description, &beginnings[0], &mut finding);
        fuzzed.findings.push(finding);
    }
    fuzzed
}

/// Asks twice: the same version and context have to answer the same.
fn judge(policies: &mut dyn Policies, description: &PolicyDescription, context: &Context) -> Result<Answer, (Flaw, String)> {
    let answer = ask(policies, description, context)?;
    let again = ask(policies, description, context)?;
    if answer.verdict != again.verdict || answer.advice != again.advice {
        return Err((
            Flaw::Fickle,
            format!("first {}, then {}", answer.verdict.slug(), again.verdict.slug()),
        ));
    }
    Ok(answer)
}

fn ask(policies: &mut dyn Policies, description: &PolicyDescription, context: &Context) -> Result<Answer, (Flaw, String)> {
    let mut answer = policies
        .ask(&description.policy, context)
        .map_err(|Fault { class, detail, .. }| (Flaw::Fails(class), detail))?;
    settle(context, &mut answer).map_err(|problem| (Flaw::Misfit, problem))?;
    Ok(answer)
}

/// Puts back what need not differ from a plain beginning, and drops entries that need not be there.
fn shrink(policies: &mut dyn Policies, description: &PolicyDescription, plain: &Context, finding: &mut Finding) {
    let mut plain = plain.clone();
    plain.frame_mut().settings.clone_from(&finding.context.frame().settings);
    let mut tries = 0;
    loop {
        let smaller = mutate::simpler(&finding.context, &plain);
        let mut shrunk = false;
        for context in smaller {
            tries += 1;
            if tries > SHRINK_MAX {
                return;
            }
            if let Err((flaw, detail)) = judge(policies, description, &context)
                && flaw == finding.flaw
            {
                finding.context = context;
                finding.detail = detail;
                shrunk = true;
                break;
            }
        }
        if !shrunk {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
