//! The mathematics of the gate: evidence as the wealth of a gambler who bets against a claim.
//!
//! A bet of stake `s` on an observation `x` between -1 and 1 multiplies the wealth by `1 + s * x`. If the claim
//! "the mean of `x` is at most 0" is true, no betting scheme makes wealth grow on average, so that a wealth of
//! `1 / alpha` is reached at any time with a probability of at most `alpha` (Ville's inequality), however often one
//! looks and whenever one stops. The wealth is therefore called an e-value, and what it passes through an e-process. No
//! distribution is assumed, only that observations are bounded, which [`bounded`] sees to.
//!
//! Since the best stake is not known before, the wealth is split over [`STAKES`] once, at the start; the mean of their
//! wealths is the e-value. Splitting costs at most a factor of `STAKES.len()` against having known the best one.
//!
//! **Strata.** Hosts differ in their means, and a host with a large gain must not buy the others' losses by being seen
//! more often. Observations are counted in rounds of one per host ([`rounds`]). Within a round the stake is
//! the same for each host, and then the product of the expected factors is largest when all means are equal (the
//! inequality of the means): under the claim "the mean over hosts is at most 0" a round does not make wealth grow on
//! average either. What hosts differ by adds no noise.

/// Stakes from timid to bold. Timid ones find small gains in much noise; bold ones find large gains in few pairs. The
/// boldest is below 1, so that a single loss never ruins it.
const STAKES: [f64; 6] = [0.1, 0.2, 0.4, 0.6, 0.8, 0.95];

/// Beyond this a float would soon overflow, and more evidence changes nothing.
const WEALTH_MAX: f64 = 1e300;

/// A bet against the claim that the mean of what is observed is at most 0.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    wealths: [f64; STAKES.len()],
    observed: u32,
}

impl Evidence {
    pub(crate) fn new() -> Evidence {
        Evidence {
            wealths: [1.0; STAKES.len()],
            observed: 0,
        }
    }

    /// All of these observations, each between -1 and 1.
    pub(crate) fn of(observations: impl IntoIterator<Item = f64>) -> Evidence {
        let mut evidence = Evidence::new();
        for observation in observations {
            evidence.observe(observation);
        }
        evidence
    }

    /// One more observation; beyond -1 and 1 it counts as -1 and 1.
    pub(crate) fn observe(&mut self, x: f64) {
        let x = x.clamp(-1.0, 1.0);
        for (wealth, stake) in self.wealths.iter_mut().zip(STAKES) {
            *wealth = (*wealth * (1.0 + stake * x)).min(WEALTH_MAX);
        }
        self.observed += 1;
    }

    /// Evidence against the claim: 1 is none, 20 refutes it at a level of 0.05.
    pub(crate) fn e_value(&self) -> f64 {
        self.wealths.iter().sum::<f64>() / STAKES.len() as f64
    }

    /// How many more observations would reach `threshold` at the pace so far; none if it goes nowhere.
    pub(crate) fn observations_to(&self, threshold: f64) -> Option<u32> {
        // The best stake sets the pace. Its own wealth counts, for the others fall behind.
        let best = self.wealths.iter().copied().fold(0.0, f64::max);
        if best <= 1.0 || self.observed == 0 {
            return None;
        }
        let pace = best.ln() / f64::from(self.observed);
        let missing = (threshold * STAKES.len() as f64).ln() - best.ln();
        Some((missing / pace).ceil().clamp(0.0, 1e6) as u32)
    }
}

/// A difference seen from a boundary, in units of `scale`, held between -1 and 1: what counts as much counts no more.
pub(crate) fn bounded(difference: f64, boundary: f64, scale: f64) -> f64 {
    ((difference - boundary) / scale).clamp(-1.0, 1.0)
}

/// Indexes of the items that form whole rounds, one item of each host that occurs; the rest waits for its round.
pub(crate) fn rounds(hosts: &[u32], host_count: usize) -> Vec<usize> {
    let mut seen = vec![0u32; host_count];
    for host in hosts {
        seen[*host as usize] += 1;
    }
    let whole = seen.iter().copied().filter(|count| *count > 0).min().unwrap_or(0);
    let mut taken = vec![0u32; host_count];
    let mut indexes = Vec::with_capacity(hosts.len());
    for (index, host) in hosts.iter().enumerate() {
        let taken = &mut taken[*host as usize];
        if *taken < whole {
            *taken += 1;
            indexes.push(index);
        }
    }
    indexes
}

/// How far the difference of two means may be off by chance, but for a probability of `alpha`.
///
/// The context gives counts and means of a metric, not its spread. For shares (of failed requests) the spread follows from
/// the mean. For others (latency) a standard deviation as large as the mean is assumed, as if waiting times were
/// exponential; that is wide for a service and so careful in accusing the candidate.
pub(crate) fn mean_radius(baseline: (u32, f64), candidate: (u32, f64), is_share: bool, alpha: f64) -> f64 {
    let (baseline_n, candidate_n) = (f64::from(baseline.0), f64::from(candidate.0));
    let pooled = (baseline_n * baseline.1 + candidate_n * candidate.1) / (baseline_n + candidate_n);
    let deviation = if is_share {
        (pooled * (1.0 - pooled)).max(0.0).sqrt()
    } else {
        pooled.abs()
    };
    deviation * (2.0 * (1.0 / alpha).ln() * (1.0 / baseline_n + 1.0 / candidate_n)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_difference_is_no_evidence() {
        assert_eq!(Evidence::of([0.0; 500]).e_value(), 1.0);
        assert_eq!(Evidence::of([0.0; 500]).observations_to(20.0), None);
    }

    #[test]
    fn evidence_is_the_mean_wealth_of_the_stakes() {
        let by_hand: f64 = STAKES.iter().map(|stake| (1.0 + stake * 0.5) * (1.0 - stake * 0.25)).sum::<f64>() / 6.0;
        assert!((Evidence::of([0.5, -0.25]).e_value() - by_hand).abs() < 1e-12);
    }

    #[test]
    fn order_does_not_matter_and_extremes_stay_finite() {
        let forward = Evidence::of([0.9, -0.4, 0.1, 0.7]).e_value();
        let backward = Evidence::of([0.7, 0.1, -0.4, 0.9]).e_value();
        assert!((forward - backward).abs() < 1e-12);
        assert!(Evidence::of([1.0; 5000]).e_value().is_finite());
        assert!(Evidence::of([-1.0; 5000]).e_value() >= 0.0);
    }

    #[test]
    fn the_forecast_holds_where_the_pace_does() {
        let mut evidence = Evidence::of([0.25; 10]);
        let more = evidence.observations_to(20.0).expect("it goes somewhere");
        for _ in 0..more {
            evidence.observe(0.25);
        }
        assert!(evidence.e_value() >= 20.0, "{more} more gave {}", evidence.e_value());
    }

    #[test]
    fn rounds_hold_one_of_each_host() {
        assert_eq!(rounds(&[0, 1, 0, 0, 1, 2], 4), [0, 1, 5]);
        assert_eq!(rounds(&[0, 0, 0], 2), [0, 1, 2]);
        assert!(rounds(&[], 3).is_empty());
    }

    #[test]
    fn a_share_that_is_zero_on_both_sides_has_no_spread() {
        assert_eq!(mean_radius((20, 0.0), (20, 0.0), true, 0.05), 0.0);
        assert!(mean_radius((20, 0.1), (20, 0.1), true, 0.05) > mean_radius((200, 0.1), (200, 0.1), true, 0.05));
    }
}
