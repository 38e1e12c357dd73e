//! A gate alone, on thousands of candidates whose true gain is known: how often does it promote what is no better, and
//! how soon does it find what is?
//!
//! The gate is looked at after every round of pairs, one of each host: as often as there is anything new. A test that was
//! made for one look is ruined by that, which [`t_test_trials`] shows on the same numbers.

use crate::dice::{Dice, normal_quantile};
use pointsman_coordinator::{Policies, settle};
use pointsman_model::context::{Context, Frame, GateContext, GatePair, GateStage, Guardrail};
use pointsman_model::decision::{GateVerdict, Verdict};
use pointsman_model::policy::PolicyDescription;
use pointsman_model::settings::Settings;
use serde::Serialize;
use std::ops::Range;

const HOSTS: [&str; 5] = ["novel", "speeches", "lexicon", "code", "events"];
/// Pairs before a t-test is looked at: fewer tell it nothing, and the gate asks for as many.
const T_TEST_PAIRS_MIN: usize = 20;
/// Virtual time of all questions.
const NOW_MS: u64 = 1_000_000;

/// Candidates to be tried.
#[derive(Clone, Debug)]
pub struct GateTrials {
    pub seed: u64,
    /// True fall of the loss, the same on each host.
    pub gain: f64,
    /// Deviation of a pair's difference.
    pub deviation: f64,
    /// Caps of evaluation and canary.
    pub settings: Settings,
}

/// How the candidates ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Tally {
    pub candidates: u64,
    /// Got past the evaluation.
    pub advanced: u64,
    /// Went live: past the canary, too.
    pub promoted: u64,
    pub rejected: u64,
    pub held: u64,
    pub faults: u64,
    pub evaluation_pairs: u64,
}

impl Tally {
    pub fn advanced_share(&self) -> f64 {
        self.advanced as f64 / self.candidates.max(1) as f64
    }

    pub fn promoted_share(&self) -> f64 {
        self.promoted as f64 / self.candidates.max(1) as f64
    }

    pub fn pairs_mean(&self) -> f64 {
        self.evaluation_pairs as f64 / self.candidates.max(1) as f64
    }

    pub fn add(&mut self, other: Tally) {
        let Tally {
            candidates,
            advanced,
            promoted,
            rejected,
            held,
            faults,
            evaluation_pairs,
        } = other;
        self.candidates += candidates;
        self.advanced += advanced;
        self.promoted += promoted;
        self.rejected += rejected;
        self.held += held;
        self.faults += faults;
        self.evaluation_pairs += evaluation_pairs;
    }
}

impl GateTrials {
    /// A pair's difference: the candidate's luck on one item.
    fn gain_of(&self, candidate: u64, stage: GateStage, index: usize) -> f64 {
        let key = [candidate, stage as u64, index as u64];
        self.gain + self.deviation * Dice::of(self.seed, &key).normal()
    }
}

/// Takes each candidate through evaluation and canary, as far as the gate lets it.
pub fn trials(policies: &mut dyn Policies, gate: &PolicyDescription, setup: &GateTrials, candidates: Range<u64>) -> Tally {
    let mut tally = Tally::default();
    for candidate in candidates {
        tally.candidates += 1;
        let (verdict, pairs) = stage_of(policies, gate, setup, candidate, GateStage::Evaluate);
        tally.evaluation_pairs += pairs;
        let last = match verdict {
            Some(GateVerdict::Advance) => {
                tally.advanced += 1;
                stage_of(policies, gate, setup, candidate, GateStage::Canary).0
            }
            other => other,
        };
        match last {
            Some(GateVerdict::Advance) => tally.promoted += 1,
            Some(GateVerdict::Hold) => tally.held += 1,
            Some(GateVerdict::Reject | GateVerdict::RollBack | GateVerdict::NeedMore(_)) => tally.rejected += 1,
            None => tally.faults += 1,
        }
    }
    tally
}

/// Asks after each round of pairs until a verdict ends the stage; none where the gate failed.
fn stage_of(
    policies: &mut dyn Policies,
    gate: &PolicyDescription,
    setup: &GateTrials,
    candidate: u64,
    stage: GateStage,
) -> (Option<GateVerdict>, u64) {
    let cap = match stage {
        GateStage::Evaluate => setup.settings.eval_pairs_max,
        GateStage::Canary | GateStage::Watch => setup.settings.canary_pairs_max,
    };
    let mut context = GateContext {
        frame: Frame {
            now_ms: NOW_MS,
            seed: candidate,
            settings: gate.settings.clone(),
            state: Vec::new(),
        },
        stage,
        candidate: format!("m-{candidate}"),
        baseline: "m-0".into(),
        hosts: HOSTS.map(String::from).to_vec(),
        pairs: Vec::with_capacity(cap as usize),
        guardrails: Vec::new(),
        looks: 0,
        cap,
        ingest_lag: None,
    };
    while context.pairs.len() < cap as usize {
        for host in 0..(HOSTS.len()).min(cap as usize - context.pairs.len()) {
            let gain = setup.gain_of(candidate, stage, context.pairs.len());
            context.pairs.push(GatePair {
                host: host as u32,
                baseline: 3.0,
                candidate: 3.0 - gain,
            });
        }
        if stage == GateStage::Canary {
            context.guardrails = guardrails(context.pairs.len() as u32, &setup.settings);
        }
        let question = Context::Gate(context);
        let verdict = policies.ask(&gate.policy, &question).ok().and_then(|mut answer| {
            settle(&question, &mut answer).ok()?;
            match answer.verdict {
                Verdict::Gate(verdict) => Some(verdict),
                _ => None,
            }
        });
        let Context::Gate(asked) = question else {
            unreachable!("it was put in above")
        };
        context = asked;
        context.looks += 1;
        match verdict {
            Some(GateVerdict::NeedMore(_)) => {}
            ended => return (ended, context.pairs.len() as u64),
        }
    }
    (Some(GateVerdict::Reject), context.pairs.len() as u64)
}

/// Requests that went no better and no worse on either side: the guardrails are not what is tried here.
fn guardrails(pairs: u32, settings: &Settings) -> Vec<Guardrail> {
    let candidate_n = (f64::from(pairs) * settings.canary_share).ceil() as u32;
    let guardrail = |name: &str, mean: f64, limit: f64| Guardrail {
        name: name.into(),
        baseline_n: pairs.saturating_sub(candidate_n).max(1),
        baseline_mean: mean,
        candidate_n: candidate_n.max(1),
        candidate_mean: mean,
        limit,
    };
    vec![
        guardrail("errors", 0.01, settings.guard_error_rise),
        guardrail("latency_ms", 120.0, settings.guard_latency_rise_ms),
    ]
}

/// A one-sided t-test at `alpha` on the same pairs of the evaluation: looked at after every round, or once at the cap.
pub fn t_test_trials(setup: &GateTrials, alpha: f64, keeps_looking: bool, candidates: Range<u64>) -> Tally {
    let cap = setup.settings.eval_pairs_max as usize;
    let mut tally = Tally::default();
    for candidate in candidates {
        tally.candidates += 1;
        let (mut sum, mut squares, mut pairs) = (0.0, 0.0, 0usize);
        let mut passed = false;
        while pairs < cap && !passed {
            let gain = setup.gain_of(candidate, GateStage::Evaluate, pairs);
            sum += gain;
            squares += gain * gain;
            pairs += 1;
            let looked_at = pairs == cap || keeps_looking && pairs >= T_TEST_PAIRS_MIN && pairs % HOSTS.len() == 0;
            passed = looked_at && {
                let n = pairs as f64;
                let variance = (squares - sum * sum / n) / (n - 1.0);
                sum / n > t_quantile(1.0 - alpha, n - 1.0) * libm::sqrt(variance / n)
            };
        }
        tally.evaluation_pairs += pairs as u64;
        tally.advanced += u64::from(passed);
        tally.promoted += u64::from(passed);
        tally.rejected += u64::from(!passed);
    }
    tally
}

/// Student's quantile by its expansion around the normal one: good to a thousandth from ten degrees of freedom on.
fn t_quantile(p: f64, degrees: f64) -> f64 {
    let z = normal_quantile(p);
    let (z3, z5) = (z * z * z, z * z * z * z * z);
    z + (z3 + z) / (4.0 * degrees) + (5.0 * z5 + 16.0 * z3 + 3.0 * z) / (96.0 * degrees * degrees)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_t_quantiles_are_those_of_the_tables() {
        for (degrees, t) in [(10.0, 1.812), (19.0, 1.729), (119.0, 1.658)] {
            assert!(
                (t_quantile(0.95, degrees) - t).abs() < 2e-3,
                "{degrees}: {}",
                t_quantile(0.95, degrees)
            );
        }
    }

    #[test]
    fn one_look_keeps_its_level_and_many_do_not() {
        let setup = GateTrials {
            seed: 1,
            gain: 0.0,
            deviation: 0.1,
            settings: Settings::default(),
        };
        let once = t_test_trials(&setup, 0.05, false, 0..4_000).promoted_share();
        let always = t_test_trials(&setup, 0.05, true, 0..4_000).promoted_share();
        assert!((0.04..0.06).contains(&once) && always > 0.12, "{once} {always}");
    }
}
