//! The estimates and their intervals, from decisions that are weighed already.
//!
//! | estimate | is | after |
//! | --- | --- | --- |
//! | IPS | the mean of weight times reward: right on average, and wide | Horvitz and Thompson, 1952 |
//! | SNIPS | the same over the weights' own sum: a little off where decisions are few, and narrower | self-normalised importance sampling |
//! | doubly robust | a model of the rewards, put right by the weighted differences from it: right if either is | Dudik, Langford and Li, 2011 |
//!
//! A weight is the probability of the recorded pick under the version over the one that it was drawn with; how many equal
//! decisions the weights are worth is after Kish, 1965. The reward of a run is 1 where it succeeded and 0 where it failed.
//! Where the version picks nothing it earns nothing.
//!
//! Intervals are normal ones, of 95 %, from each decision's influence on the estimate: its own value for IPS and doubly
//! robust, `w (r - v) / mean(w)` for SNIPS. They take decisions for independent of one another, and they are not cut to
//! 0..1, so that one that is too wide to be of use shows it.

use super::Support;
use pointsman_model::DecisionId;
use std::collections::BTreeMap;

/// Of the normal distribution, on both sides.
const Z: f64 = 1.959_963_984_540_054;
/// The model of a decision's reward is made from the decisions of the other folds, so that none is judged by itself.
const FOLDS: usize = 5;
/// Runs at the overall share of successes that each host is lent: what is known of a host with few runs is little.
const LENT_RUNS: f64 = 5.0;

/// A value and the interval of 95 % about it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// Expected successes for each decision, had the version decided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimates {
    pub ips: Estimate,
    pub snips: Estimate,
    pub doubly_robust: Estimate,
    /// By how much the doubly robust value is above what was earned; from the differences of each decision, and so narrower
    /// than the two intervals side by side.
    pub gain: Estimate,
}

/// One decision, as its log and the version have it.
pub(super) struct Sampled {
    pub(super) decision: DecisionId,
    pub(super) succeeded: bool,
    pub(super) weight: f64,
    /// Of the recorded pick.
    pub(super) host: Option<String>,
    /// The version's chances above zero, by host.
    pub(super) chances: Vec<(Option<String>, f64)>,
    /// Of them, on candidates that the recorded policy gave no chance.
    pub(super) unsupported: f64,
}

struct Sample {
    fold: usize,
    reward: f64,
    weight: f64,
    host: usize,
    /// By host, each once.
    chances: Vec<(usize, f64)>,
    /// Their sum: 1, or 0 where the version picks nothing.
    picks: f64,
    unsupported: f64,
}

#[derive(Default)]
pub(super) struct Samples {
    hosts: BTreeMap<Option<String>, usize>,
    samples: Vec<Sample>,
}

impl Samples {
    pub(super) fn add(&mut self, sampled: Sampled) {
        let Sampled {
            decision,
            succeeded,
            weight,
            host,
            chances,
            unsupported,
        } = sampled;
        let mut by_host: BTreeMap<usize, f64> = BTreeMap::new();
        for (host, chance) in chances {
            *by_host.entry(self.number_of(host)).or_default() += chance;
        }
        let host = self.number_of(host);
        self.samples.push(Sample {
            fold: (decision.0 % FOLDS as u64) as usize,
            reward: if succeeded { 1.0 } else { 0.0 },
            weight,
            host,
            picks: by_host.values().sum(),
            chances: by_host.into_iter().collect(),
            unsupported,
        });
    }

    fn number_of(&mut self, host: Option<String>) -> usize {
        let next = self.hosts.len();
        *self.hosts.entry(host).or_insert(next)
    }

    pub(super) fn support(&self) -> Support {
        let sum: f64 = self.samples.iter().map(|sample| sample.weight).sum();
        let squares: f64 = self.samples.iter().map(|sample| sample.weight * sample.weight).sum();
        let picks: f64 = self.samples.iter().map(|sample| sample.picks).sum();
        let unsupported: f64 = self.samples.iter().map(|sample| sample.unsupported).sum();
        // A sum of nothing is a negative zero.
        let share = |part: f64, whole: f64| if part > 0.0 && whole > 0.0 { part / whole } else { 0.0 };
        Support {
            effective_n: share(sum * sum, squares),
            weight_max: self.samples.iter().map(|sample| sample.weight).fold(0.0, f64::max),
            unsupported_share: share(unsupported, picks),
            matched: self.samples.iter().filter(|sample| sample.weight > 0.0).count() as u64,
        }
    }

    /// What was earned.
    pub(super) fn recorded(&self) -> Option<Estimate> {
        estimate(self.samples.iter().map(|sample| sample.reward))
    }

    /// Whether all runs succeeded, or all failed.
    pub(super) fn all_alike(&self) -> Option<bool> {
        let first = self.samples.first()?.reward;
        self.samples.iter().all(|sample| sample.reward == first).then_some(first > 0.0)
    }

    /// None where there are fewer than two decisions, or the version makes none of their picks.
    pub(super) fn estimates(&self) -> Option<Estimates> {
        let model = Model::of(self);
        let doubly_robust = |sample: &Sample| {
            let expected: f64 = sample
                .chances
                .iter()
                .map(|(host, chance)| chance * model.reward(sample.fold, *host))
                .sum();
            expected + sample.weight * (sample.reward - model.reward(sample.fold, sample.host))
        };
        Some(Estimates {
            ips: estimate(self.samples.iter().map(|sample| sample.weight * sample.reward))?,
            snips: self.snips()?,
            doubly_robust: estimate(self.samples.iter().map(doubly_robust))?,
            gain: estimate(self.samples.iter().map(|sample| doubly_robust(sample) - sample.reward))?,
        })
    }

    fn snips(&self) -> Option<Estimate> {
        // Where the version picks nothing, it earns nothing for certain: such a decision counts whole among the weights.
        let nothing = |sample: &Sample| (1.0 - sample.picks).max(0.0);
        let sum: f64 = self.samples.iter().map(|sample| sample.weight + nothing(sample)).sum();
        let earned: f64 = self.samples.iter().map(|sample| sample.weight * sample.reward).sum();
        if sum <= 0.0 {
            return None;
        }
        let value = earned / sum;
        let scale = self.samples.len() as f64 / sum;
        let influence = |sample: &Sample| (sample.weight * (sample.reward - value) - nothing(sample) * value) * scale;
        let around = estimate(self.samples.iter().map(influence))?;
        Some(Estimate {
            value,
            low: value + (around.low - around.value),
            high: value + (around.high - around.value),
        })
    }
}

/// The mean of independent values.
fn estimate(values: impl Iterator<Item = f64> + Clone) -> Option<Estimate> {
    let count = values.clone().count() as f64;
    if count < 2.0 {
        return None;
    }
    let mean = values.clone().sum::<f64>() / count;
    let variance = values.map(|value| (value - mean) * (value - mean)).sum::<f64>() / (count - 1.0);
    let half = Z * (variance / count).sqrt();
    Some(Estimate {
        value: mean,
        low: mean - half,
        high: mean + half,
    })
}

/// Expected reward of a pick by its host: the host's share of successes in the other folds, drawn towards that of all.
struct Model {
    /// By fold and host.
    rewards: Vec<Vec<f64>>,
}

impl Model {
    fn of(samples: &Samples) -> Model {
        let hosts = samples.hosts.len();
        // Runs and successes by fold and host.
        let mut seen = vec![vec![(0.0, 0.0); hosts]; FOLDS];
        for sample in &samples.samples {
            let (runs, successes) = &mut seen[sample.fold][sample.host];
            *runs += 1.0;
            *successes += sample.reward;
        }
        let add = |a: (f64, f64), b: &(f64, f64)| (a.0 + b.0, a.1 + b.1);
        let without = |fold: usize| {
            let others = || (0..FOLDS).filter(move |other| *other != fold).map(|other| &seen[other]);
            let (runs, successes) = others().flatten().fold((0.0, 0.0), add);
            // Where the other folds are empty nothing is known.
            let overall = if runs > 0.0 { successes / runs } else { 0.5 };
            let of_host = |host: usize| {
                let (runs, successes) = others().map(|hosts| &hosts[host]).fold((0.0, 0.0), add);
                (successes + LENT_RUNS * overall) / (runs + LENT_RUNS)
            };
            (0..hosts).map(of_host).collect()
        };
        Model {
            rewards: (0..FOLDS).map(without).collect(),
        }
    }

    fn reward(&self, fold: usize, host: usize) -> f64 {
        self.rewards[fold][host]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampled(decision: u64, succeeded: bool, host: &str) -> Sampled {
        Sampled {
            decision: DecisionId(decision),
            succeeded,
            weight: 1.0,
            host: Some(host.into()),
            chances: vec![(Some(host.into()), 1.0)],
            unsupported: 0.0,
        }
    }

    #[test]
    fn no_decision_is_judged_by_its_own_outcome() {
        let rewards = |own: bool| {
            let mut samples = Samples::default();
            (1..40).for_each(|id| samples.add(sampled(id, id % 3 == 0, ["novel", "code"][id as usize % 2])));
            samples.add(sampled(40, own, "rare"));
            let model = Model::of(&samples);
            (model.reward(0, 2), model.reward(1, 2))
        };
        let (failed, succeeded) = (rewards(false), rewards(true));
        assert_eq!(failed.0, succeeded.0, "in its own fold it makes no difference");
        assert!(failed.1 < succeeded.1, "in the others it does");
        let overall =
            (1..40u64).filter(|id| id % 5 != 0 && id % 3 == 0).count() as f64 / (1..40u64).filter(|id| id % 5 != 0).count() as f64;
        assert!(
            (failed.0 - overall).abs() < 1e-12,
            "of a host that was never seen the share of all is expected"
        );
    }

    #[test]
    fn where_the_version_is_the_recorded_one_all_estimates_are_what_was_earned() {
        let mut samples = Samples::default();
        (1..=100).for_each(|id| samples.add(sampled(id, id % 4 != 0, "novel")));
        let earned = samples.recorded().expect("a hundred runs");
        let estimates = samples.estimates().expect("a hundred runs");
        for estimate in [estimates.ips, estimates.snips, estimates.doubly_robust] {
            assert!(
                (estimate.value - 0.75).abs() < 1e-12 && (estimate.low - earned.low).abs() < 1e-9,
                "{estimates:?}"
            );
        }
        assert!(estimates.gain.value.abs() < 1e-12 && estimates.gain.high < 1e-9, "{estimates:?}");
        assert_eq!(samples.support().effective_n, 100.0);
    }

    #[test]
    fn what_picks_nothing_earns_nothing() {
        let mut samples = Samples::default();
        for id in 1..=200 {
            let idle = id % 2 == 0;
            samples.add(Sampled {
                weight: if idle { 0.0 } else { 1.0 },
                chances: if idle { Vec::new() } else { vec![(None, 1.0)] },
                host: None,
                ..sampled(id, id % 4 != 3, "")
            });
        }
        let estimates = samples.estimates().expect("two hundred runs");
        for estimate in [estimates.ips, estimates.snips, estimates.doubly_robust] {
            assert!(
                (estimate.value - 0.25).abs() < 0.02,
                "half of the half that succeeds: {estimates:?}"
            );
        }
    }
}
