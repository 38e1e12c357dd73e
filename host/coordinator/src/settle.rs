//! From what an engine answered to what counts: a pick that the policy left to chance is drawn, and the answer is checked.
//!
//! The host draws, not the policy: only then is the recorded probability the one that was used, and what another policy
//! would have earned can be told from the record (`pointsman-sim`, `off_policy`). The draw depends on the context's seed
//! and on nothing else, so that live, in a shadow, in a dry run and when it is verified it is the same one.

use crate::check::{check_distribution, check_verdict, selection};
use pointsman_model::Digest;
use pointsman_model::context::{Context, SelectionContext};
use pointsman_model::decision::{Answer, Reason, SelectionVerdict, Verdict};

/// Puts the drawn pick in the place of the policy's own where it gave a distribution, and checks the answer against its
/// context. Tells the probability of the drawn pick; the error is one sentence.
///
/// This is the one way from an answer to a verdict, live and wherever a recorded context is asked about again. To settle an
/// answer twice changes nothing.
pub fn settle(context: &Context, answer: &mut Answer) -> Result<Option<f64>, String> {
    let propensity = match context {
        Context::Selection(context) if !answer.advice.distribution.is_empty() => draw(context, answer)?,
        // What other kinds give is a description, and nothing is drawn from it.
        Context::Selection(_) | Context::Retry(_) | Context::Gate(_) | Context::Curriculum(_) => None,
    };
    check_verdict(context, answer)?;
    // A verdict without a word why is of little use to a person; say so rather than nothing.
    if answer.advice.reasons.is_empty() {
        answer.advice.reasons.push(Reason {
            code: "no_reason_given".into(),
            text: "The policy gave no reason.".into(),
            ..Reason::default()
        });
    }
    Ok(propensity)
}

/// Probability with which each candidate is picked by a settled answer: the shares that it was drawn from, or all for the
/// first pick. All zero where it picks nothing. One entry for each candidate.
pub fn chances(context: &SelectionContext, verdict: &Verdict, distribution: &[f64]) -> Vec<f64> {
    let count = context.candidates.len();
    if distribution.len() == count && count > 0 {
        let total: f64 = distribution.iter().sum();
        return distribution.iter().map(|share| share / total).collect();
    }
    let mut chances = vec![0.0; count];
    if let Verdict::Selection(SelectionVerdict::Pick(picks)) = verdict
        && let Some(chance) = picks.first().and_then(|first| chances.get_mut(*first as usize))
    {
        *chance = 1.0;
    }
    chances
}

fn draw(context: &SelectionContext, answer: &mut Answer) -> Result<Option<f64>, String> {
    let distribution = &answer.advice.distribution;
    match &answer.verdict {
        Verdict::Selection(SelectionVerdict::Pick(_)) => {}
        Verdict::Selection(SelectionVerdict::Idle) => {
            return Err("a distribution is given and the verdict is idle; a pick is drawn from it, or it is left empty".into());
        }
        // The check says that it answers another question.
        Verdict::Retry(_) | Verdict::Gate(_) | Verdict::Curriculum(_) => return Ok(None),
    }
    if distribution.len() != context.candidates.len() {
        return Err(format!(
            "the distribution has {} entries for {} candidates",
            distribution.len(),
            context.candidates.len()
        ));
    }
    check_distribution(distribution)?;
    // Each that may be drawn is looked at, so that whether an answer fits does not hang on the draw.
    for (index, share) in distribution.iter().enumerate() {
        if *share > 0.0 {
            let alone = SelectionVerdict::Pick(vec![index as u32]);
            selection(context, &alone).map_err(|problem| format!("the distribution gives candidate {index} a chance: {problem}"))?;
        }
    }
    let (index, propensity) = drawn(distribution, point(context.frame.seed));
    // One alone: where there is room for more, the question is asked again, with a seed of its own.
    answer.verdict = Verdict::Selection(SelectionVerdict::Pick(vec![index as u32]));
    Ok(Some(propensity))
}

/// The entry at this point of the running sum, and its share. Entries of zero take no room.
fn drawn(distribution: &[f64], point: f64) -> (usize, f64) {
    let total: f64 = distribution.iter().sum();
    let goal = point * total;
    let mut sum = 0.0;
    let mut last = (0, 0.0);
    for (index, share) in distribution.iter().enumerate().filter(|(_, share)| **share > 0.0) {
        sum += share;
        last = (index, share / total);
        if goal < sum {
            return last;
        }
    }
    // A product may be rounded up to the total.
    last
}

/// From 0 up to, not including, 1. A hash under a name of its own: the policy has the seed, too, and what it makes of it
/// must not go along with the draw.
fn point(seed: u64) -> f64 {
    let mut bytes = b"pointsman: draw".to_vec();
    bytes.extend_from_slice(&seed.to_le_bytes());
    let digest = Digest::of(&bytes);
    let high = u64::from_le_bytes(digest.0[..8].try_into().expect("a digest has 32 bytes"));
    // 53 bits are what a float holds exactly.
    (high >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_model::context::{Frame, HostLoad, SourceCandidate};
    use pointsman_model::decision::{Advice, RetryVerdict};
    use pointsman_model::policy::Cost;
    use pointsman_model::run::FailureCounts;
    use pointsman_model::settings::LaneMode;
    use pointsman_model::source::{Lane, Origin};

    /// So many candidates, each of a host of its own.
    fn question(candidates: u32, seed: u64) -> SelectionContext {
        let candidate = |index: u32| SourceCandidate {
            id: u64::from(index) + 1,
            lane: Lane::Queue,
            origin: Origin::Api,
            host: Some(index),
            campaign: None,
            row: 0,
            age_s: 1.0,
            attempts: 0,
            failures: FailureCounts::default(),
            difficulty: 0.5,
            priority: 0,
        };
        SelectionContext {
            frame: Frame { seed, ..Frame::default() },
            free: 2,
            lane_mode: LaneMode::Hybrid,
            curriculum_fallback: true,
            lock: None,
            same_host_cap: 1,
            hosts: (0..candidates).map(|host| format!("host-{host}")).collect(),
            campaigns: Vec::new(),
            host_loads: (0..candidates).map(|_| HostLoad::default()).collect(),
            recent_hosts: Vec::new(),
            candidates: (0..candidates).map(candidate).collect(),
            left_out: 0,
        }
    }

    fn answer(verdict: SelectionVerdict, distribution: &[f64]) -> Answer {
        Answer {
            verdict: Verdict::Selection(verdict),
            advice: Advice {
                distribution: distribution.to_vec(),
                ..Advice::default()
            },
            cost: Cost::default(),
        }
    }

    fn settled(context: SelectionContext, mut answer: Answer) -> Result<(u32, Option<f64>), String> {
        let propensity = settle(&Context::Selection(context), &mut answer)?;
        match answer.verdict {
            Verdict::Selection(SelectionVerdict::Pick(picks)) if picks.len() == 1 => Ok((picks[0], propensity)),
            other => panic!("one is drawn, and not {other:?}"),
        }
    }

    #[test]
    fn picks_come_as_often_as_the_distribution_says_and_never_where_it_says_zero() {
        let mut counts = [0u32; 4];
        for seed in 0..20_000 {
            let given = answer(SelectionVerdict::Pick(vec![1, 0]), &[0.5, 0.0, 0.25, 0.05]);
            let (index, propensity) = settled(question(4, seed), given).expect("it fits");
            counts[index as usize] += 1;
            let share = [0.625, 0.0, 0.3125, 0.0625][index as usize];
            assert!(propensity.is_some_and(|propensity| (propensity - share).abs() < 1e-12));
        }
        let shares = counts.map(|count| f64::from(count) / 20_000.0);
        assert_eq!(counts[1], 0, "the policy's own pick, which it gave no chance");
        assert!(
            [(0, 0.625), (2, 0.3125), (3, 0.0625)]
                .iter()
                .all(|(index, share): &(usize, f64)| (shares[*index] - share).abs() < 0.015),
            "{shares:?}"
        );
    }

    #[test]
    fn a_draw_is_the_same_for_the_same_seed_and_settling_twice_changes_nothing() {
        for seed in 0..200 {
            let mut given = answer(SelectionVerdict::Pick(vec![0]), &[0.1, 0.2, 0.7]);
            let context = Context::Selection(question(3, seed));
            let first = settle(&context, &mut given).expect("it fits");
            let once = given.clone();
            assert_eq!(settle(&context, &mut given), Ok(first));
            assert_eq!(given, once);
        }
    }

    #[test]
    fn without_a_distribution_the_pick_is_the_policys_own() {
        let mut plain = answer(SelectionVerdict::Pick(vec![1, 0]), &[]);
        assert_eq!(settle(&Context::Selection(question(2, 7)), &mut plain), Ok(None));
        assert_eq!(plain.verdict, Verdict::Selection(SelectionVerdict::Pick(vec![1, 0])));
        let context = question(2, 7);
        assert_eq!(chances(&context, &plain.verdict, &[]), [0.0, 1.0]);
        assert_eq!(chances(&context, &plain.verdict, &[0.5, 0.0]), [1.0, 0.0]);
        assert_eq!(chances(&context, &Verdict::Selection(SelectionVerdict::Idle), &[]), [0.0, 0.0]);
    }

    #[test]
    fn a_distribution_that_cannot_be_drawn_from_says_why() {
        let pick = || SelectionVerdict::Pick(vec![0]);
        let mut busy = question(2, 7);
        busy.host_loads[1].running = 1;
        for (context, given, told) in [
            (question(3, 7), answer(pick(), &[0.5, 0.5]), "2 entries for 3 candidates"),
            (question(2, 7), answer(SelectionVerdict::Idle, &[0.5, 0.5]), "the verdict is idle"),
            (question(2, 7), answer(pick(), &[0.5, f64::NAN]), "outside 0 to 1"),
            (question(2, 7), answer(pick(), &[0.0, 0.0]), "sums to nothing"),
            (
                busy.clone(),
                answer(pick(), &[1.0, 1e-9]),
                "candidate 1 a chance: candidate 1 would put its host over the cap",
            ),
        ] {
            let problem = settled(context, given).expect_err(told);
            assert!(problem.contains(told), "{problem}");
        }
        assert_eq!(settled(busy, answer(pick(), &[1.0, 0.0])), Ok((0, Some(1.0))));
        let mut other = Answer {
            verdict: Verdict::Retry(RetryVerdict::GiveUp),
            ..answer(pick(), &[1.0])
        };
        let problem = settle(&Context::Selection(question(1, 7)), &mut other).expect_err("of another kind");
        assert!(problem.contains("retry"), "{problem}");
    }

    #[test]
    fn the_smallest_shares_are_drawn_without_harm() {
        assert_eq!(drawn(&[0.0, 5e-324, 0.0], 0.999), (1, 1.0));
        assert_eq!(drawn(&[1.0, 1.0, 0.0], 1.0), (1, 0.5), "rounded up to the total");
        assert!((0..10_000).all(|seed| (0.0..1.0).contains(&point(seed))));
    }
}
