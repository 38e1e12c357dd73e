//! Policies propose, the coordinator disposes: a verdict is checked against its context before anything follows.

use pointsman_model::context::{Context, CurriculumContext, GateContext, GateStage, RetryContext, SelectionContext};
use pointsman_model::decision::{Advice, Answer, CurriculumVerdict, GateVerdict, RetryVerdict, Scores, SelectionVerdict, Verdict};
use pointsman_model::policy::STATE_BYTES_MAX;
use pointsman_model::settings::{LEARNING_RATE_MAX, LEARNING_RATE_MIN, REPLAY_SHARE_MAX, STEPS_MAX, STEPS_MIN};
use std::collections::{BTreeMap, BTreeSet};

/// Longest wait before a retry: seven days.
pub(crate) const RETRY_DELAY_MS_MAX: u64 = 7 * 24 * 3_600_000;
pub(crate) const REASONS_MAX: usize = 32;
pub(crate) const REASON_BYTES_MAX: usize = 1024;

/// Whether an answer fits the context it was given for; the error is one sentence. Who asks a policy takes
/// [`settle`](crate::settle()), which draws first what was left to chance.
pub(crate) fn check_verdict(context: &Context, answer: &Answer) -> Result<(), String> {
    let candidates = match (context, &answer.verdict) {
        (Context::Selection(context), Verdict::Selection(verdict)) => {
            selection(context, verdict)?;
            Some(context.candidates.len())
        }
        (Context::Retry(context), Verdict::Retry(verdict)) => retry(context, verdict).map(|()| None)?,
        (Context::Gate(context), Verdict::Gate(verdict)) => gate(context, verdict).map(|()| None)?,
        (Context::Curriculum(context), Verdict::Curriculum(verdict)) => {
            curriculum(context, verdict)?;
            Some(context.hosts.len())
        }
        (context, verdict) => return Err(format!("a {} verdict answers a {} question", verdict.kind(), context.kind())),
    };
    advice(&answer.advice, candidates)
}

pub(crate) fn selection(context: &SelectionContext, verdict: &SelectionVerdict) -> Result<(), String> {
    let picks = match verdict {
        SelectionVerdict::Pick(picks) => picks,
        SelectionVerdict::Idle => return Ok(()),
    };
    if picks.is_empty() {
        return Err("pick names no candidate; answer idle instead".into());
    }
    if picks.len() > context.free as usize {
        return Err(format!("pick names {} candidates, {} may be picked", picks.len(), context.free));
    }
    let mut seen = BTreeSet::new();
    let mut by_host: BTreeMap<u32, u32> = BTreeMap::new();
    for index in picks {
        let Some(candidate) = context.candidates.get(*index as usize) else {
            return Err(format!("pick names candidate {index}; there are {}", context.candidates.len()));
        };
        if !seen.insert(index) {
            return Err(format!("pick names candidate {index} twice"));
        }
        let Some(host) = candidate.host else { continue };
        if context.lock.is_some_and(|lock| lock != host) {
            return Err(format!("candidate {index} is not of the host that holds the lock"));
        }
        let picked = by_host.entry(host).or_default();
        *picked += 1;
        let running = context.host_loads.get(host as usize).map_or(0, |load| load.running);
        if running + *picked > context.same_host_cap {
            return Err(format!(
                "candidate {index} would put its host over the cap of {}",
                context.same_host_cap
            ));
        }
    }
    Ok(())
}

fn retry(context: &RetryContext, verdict: &RetryVerdict) -> Result<(), String> {
    match verdict {
        RetryVerdict::Retry(delay_ms) if *delay_ms > RETRY_DELAY_MS_MAX => Err(format!("a delay of {delay_ms} ms is over seven days")),
        RetryVerdict::Retry(_) | RetryVerdict::MoveLane(_) if context.budget_left == 0 => {
            Err(format!("the budget of {} failed attempts is spent", context.budget))
        }
        RetryVerdict::MoveLane(lane) if *lane == context.lane => Err("the source is in that lane already".into()),
        RetryVerdict::Retry(_) | RetryVerdict::MoveLane(_) | RetryVerdict::Disable | RetryVerdict::GiveUp => Ok(()),
    }
}

fn gate(context: &GateContext, verdict: &GateVerdict) -> Result<(), String> {
    match (verdict, context.stage) {
        (GateVerdict::Advance, _) if context.pairs.is_empty() => Err("advance without a single paired result".into()),
        (GateVerdict::Advance, _)
            if context
                .pairs
                .iter()
                .any(|pair| !pair.baseline.is_finite() || !pair.candidate.is_finite()) =>
        {
            Err("advance on results that are not numbers".into())
        }
        (GateVerdict::NeedMore(0), _) => Err("need-more asks for no pairs".into()),
        (GateVerdict::NeedMore(_), _) if context.pairs.len() >= context.cap as usize => {
            Err(format!("need-more at the cap of {} pairs", context.cap))
        }
        (GateVerdict::Reject, GateStage::Watch) => Err("reject in watch; a live model is rolled back".into()),
        (GateVerdict::RollBack, GateStage::Evaluate | GateStage::Canary) => Err("roll-back of a model that is not live".into()),
        (GateVerdict::Advance | GateVerdict::NeedMore(_) | GateVerdict::Reject | GateVerdict::Hold | GateVerdict::RollBack, _) => Ok(()),
    }
}

fn curriculum(context: &CurriculumContext, verdict: &CurriculumVerdict) -> Result<(), String> {
    let known = |host: u32| {
        if (host as usize) < context.hosts.len() {
            Ok(())
        } else {
            Err(format!("host {host} is named; there are {}", context.hosts.len()))
        }
    };
    match verdict {
        CurriculumVerdict::Plant(seeds) => {
            if seeds.is_empty() {
                return Err("plant names no seed; answer nothing instead".into());
            }
            if seeds.len() > context.budget as usize {
                return Err(format!("plant names {} seeds, the budget is {}", seeds.len(), context.budget));
            }
            for seed in seeds {
                known(seed.host)?;
                if !(STEPS_MIN..=STEPS_MAX).contains(&seed.steps) {
                    return Err(format!("a seed has {} steps, allowed are {STEPS_MIN} to {STEPS_MAX}", seed.steps));
                }
                if !(LEARNING_RATE_MIN..=LEARNING_RATE_MAX).contains(&seed.learning_rate) {
                    return Err(format!("a seed has the learning rate {}", seed.learning_rate));
                }
                if !(0.0..=REPLAY_SHARE_MAX).contains(&seed.replay_share) {
                    return Err(format!(
                        "a seed has the replay share {}, allowed are 0 to {REPLAY_SHARE_MAX}",
                        seed.replay_share
                    ));
                }
            }
            Ok(())
        }
        CurriculumVerdict::Park(hosts) if hosts.is_empty() => Err("park names no host; answer nothing instead".into()),
        CurriculumVerdict::Park(hosts) => hosts.iter().try_for_each(|host| known(*host)),
        CurriculumVerdict::Nothing => Ok(()),
    }
}

fn advice(advice: &Advice, candidates: Option<usize>) -> Result<(), String> {
    if advice.reasons.len() > REASONS_MAX {
        return Err(format!(
            "{} reasons are given, at most {REASONS_MAX} are kept",
            advice.reasons.len()
        ));
    }
    for reason in &advice.reasons {
        if reason.text.len() > REASON_BYTES_MAX || reason.code.len() > 64 {
            return Err(format!("a reason is longer than {REASON_BYTES_MAX} bytes"));
        }
        if reason.text.chars().chain(reason.code.chars()).any(|c| c.is_control() && c != '\n') {
            return Err("a reason holds control characters".into());
        }
        if [reason.value, reason.threshold, reason.margin]
            .iter()
            .flatten()
            .any(|number| !number.is_finite())
        {
            return Err(format!("reason {:?} holds a number that is not finite", reason.code));
        }
    }
    if advice.state.as_ref().is_some_and(|state| state.len() > STATE_BYTES_MAX) {
        return Err(format!("the state is longer than {STATE_BYTES_MAX} bytes"));
    }
    check_distribution(&advice.distribution)?;
    match (&advice.scores, candidates) {
        (Some(scores), Some(candidates)) => check_scores(scores, candidates),
        (Some(scores), None) => check_scores(scores, scores.totals.len()),
        (None, _) => Ok(()),
    }
}

pub(crate) fn check_distribution(distribution: &[f64]) -> Result<(), String> {
    if distribution.iter().any(|share| !(0.0..=1.0).contains(share)) {
        return Err("the distribution holds a number outside 0 to 1".into());
    }
    if !distribution.is_empty() && distribution.iter().sum::<f64>() <= 0.0 {
        return Err("the distribution sums to nothing".into());
    }
    Ok(())
}

fn check_scores(scores: &Scores, candidates: usize) -> Result<(), String> {
    if scores.totals.len() != candidates {
        return Err(format!("{} scores are given for {candidates} candidates", scores.totals.len()));
    }
    if scores.totals.iter().chain(&scores.terms).any(|number| !number.is_finite()) {
        return Err("a score is not a finite number".into());
    }
    if scores.terms.len() != scores.term_names.len() * candidates {
        return Err(format!(
            "{} terms are given, {} names for {candidates} candidates",
            scores.terms.len(),
            scores.term_names.len()
        ));
    }
    if scores
        .blocked
        .iter()
        .any(|block| block.candidate as usize >= candidates || block.rule as usize >= scores.rules.len())
    {
        return Err("a blocked candidate or its rule is not in the lists".into());
    }
    Ok(())
}
