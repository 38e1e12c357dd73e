//! What the numbers of a stage say, before anything is decided on them.

use crate::evidence::{Evidence, bounded, mean_radius, rounds};
use pointsman_policy_sdk::prelude::*;

/// The settings, read once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Probability of promoting a candidate whose gain is not above `margin`.
    pub(crate) alpha: f64,
    pub(crate) margin: f64,
    /// A difference this far from the boundary counts fully; a larger one counts no more.
    pub(crate) scale: f64,
    pub(crate) pairs_min: u32,
    pub(crate) host_loss_max: f64,
    pub(crate) host_pairs_min: u32,
    pub(crate) ingest_lag_max: u32,
}

impl Bounds {
    pub(crate) fn read(settings: &Settings<'_>) -> Result<Bounds, SettingError> {
        Ok(Bounds {
            alpha: settings.number("alpha")?,
            margin: settings.number("margin")?,
            scale: settings.number("scale")?,
            pairs_min: settings.count("pairs_min")?,
            host_loss_max: settings.number("host_loss_max")?,
            host_pairs_min: settings.count("host_pairs_min")?,
            ingest_lag_max: settings.count("ingest_lag_max")?,
        })
    }

    /// Evidence that proves a gain.
    pub(crate) fn gain_threshold(&self) -> f64 {
        1.0 / self.alpha
    }

    /// Evidence that proves harm over all hosts. Half of `alpha` is spent here, half on the single hosts.
    pub(crate) fn harm_threshold(&self) -> f64 {
        2.0 / self.alpha
    }
}

/// One host's pairs.
#[derive(Clone, Debug)]
pub(crate) struct HostGain {
    pub(crate) host: u32,
    pub(crate) pairs: u32,
    pub(crate) mean: f64,
    /// Evidence that this host loses more than it may.
    pub(crate) loss_evidence: f64,
}

/// One guardrail's standing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum GuardState {
    /// Within its limit.
    Kept,
    /// Beyond its limit, but that may be chance.
    Doubtful,
    /// Beyond its limit by more than chance.
    Broken,
    /// No requests on one side.
    NoData,
}

#[derive(Clone, Debug)]
pub(crate) struct Guard {
    pub(crate) name: String,
    pub(crate) rise: f64,
    pub(crate) limit: f64,
    pub(crate) radius: f64,
    pub(crate) state: GuardState,
}

/// All that a verdict is made of.
#[derive(Clone, Debug)]
pub(crate) struct Judgement {
    /// Mean over hosts of their mean gains in `evaluate`; mean over requests in `canary` and `watch`.
    pub(crate) mean_gain: f64,
    pub(crate) gain: Evidence,
    pub(crate) harm: Evidence,
    pub(crate) harm_boundary: f64,
    pub(crate) hosts: Vec<HostGain>,
    pub(crate) host_threshold: f64,
    pub(crate) guards: Vec<Guard>,
}

impl Judgement {
    /// Of a context whose numbers are finite and whose hosts are in their table.
    pub(crate) fn of(context: &GateContext, bounds: &Bounds) -> Judgement {
        let gains: Vec<f64> = context.pairs.iter().map(|pair| pair.baseline - pair.candidate).collect();
        let host_of: Vec<u32> = context.pairs.iter().map(|pair| pair.host).collect();
        // Held-out items come evenly by host, and each host is to weigh the same. Requests come as they come, and
        // what counts is the traffic as it is.
        let counted: Vec<usize> = match context.stage {
            GateStage::Evaluate => rounds(&host_of, context.hosts.len()),
            GateStage::Canary | GateStage::Watch => (0..gains.len()).collect(),
        };
        let harm_boundary = bounds.margin.min(0.0);
        let gain = Evidence::of(counted.iter().map(|index| bounded(gains[*index], bounds.margin, bounds.scale)));
        let harm = Evidence::of(counted.iter().map(|index| -bounded(gains[*index], harm_boundary, bounds.scale)));
        let hosts = host_gains(context, &gains, bounds);
        let mean_gain = match context.stage {
            GateStage::Evaluate => mean(hosts.iter().map(|host| host.mean)),
            GateStage::Canary | GateStage::Watch => mean(gains.iter().copied()),
        };
        let host_threshold = bounds.harm_threshold() * hosts.len().max(1) as f64;
        Judgement {
            mean_gain,
            gain,
            harm,
            harm_boundary,
            hosts,
            host_threshold,
            guards: guards(context, bounds),
        }
    }

    /// Hosts that have lost more than they may, by more than chance, worst first.
    pub(crate) fn hosts_harmed(&self) -> impl Iterator<Item = &HostGain> {
        self.hosts.iter().filter(|host| host.loss_evidence >= self.host_threshold)
    }

    /// Hosts that seem to lose more than they may.
    pub(crate) fn hosts_doubtful(&self, bounds: &Bounds) -> impl Iterator<Item = &HostGain> {
        self.hosts
            .iter()
            .filter(|host| host.pairs >= bounds.host_pairs_min && host.mean < -bounds.host_loss_max)
    }

    pub(crate) fn guard(&self, state: GuardState) -> Option<&Guard> {
        self.guards.iter().find(|guard| guard.state == state)
    }
}

/// Worst first.
fn host_gains(context: &GateContext, gains: &[f64], bounds: &Bounds) -> Vec<HostGain> {
    let mut hosts: Vec<HostGain> = (0..context.hosts.len() as u32)
        .filter_map(|host| {
            let of_host = || {
                context
                    .pairs
                    .iter()
                    .zip(gains)
                    .filter(move |(pair, _)| pair.host == host)
                    .map(|(_, gain)| *gain)
            };
            let pairs = of_host().count() as u32;
            let loss = Evidence::of(of_host().map(|gain| -bounded(gain, -bounds.host_loss_max, bounds.scale)));
            (pairs > 0).then(|| HostGain {
                host,
                pairs,
                mean: mean(of_host()),
                loss_evidence: loss.e_value(),
            })
        })
        .collect();
    hosts.sort_by(|a, b| a.mean.total_cmp(&b.mean));
    hosts
}

/// Each guardrail has its share of `alpha`, and of that less at each further look, so that looking often does not
/// make an alarm more likely: the shares `1 / (k (k + 1))` of all looks add up to 1.
fn guards(context: &GateContext, bounds: &Bounds) -> Vec<Guard> {
    let look = f64::from(context.looks) + 1.0;
    let alpha = bounds.alpha / context.guardrails.len().max(1) as f64 / (look * (look + 1.0));
    let guard = |guardrail: &Guardrail| {
        let Guardrail {
            name,
            baseline_n,
            baseline_mean,
            candidate_n,
            candidate_mean,
            limit,
        } = guardrail;
        let rise = candidate_mean - baseline_mean;
        let both_shares = [baseline_mean, candidate_mean, limit]
            .into_iter()
            .all(|number| (0.0..=1.0).contains(number));
        let is_share = both_shares && !name.ends_with("_ms") && !name.ends_with("_s");
        if *baseline_n == 0 || *candidate_n == 0 {
            return Guard {
                name: name.clone(),
                rise: 0.0,
                limit: *limit,
                radius: 0.0,
                state: GuardState::NoData,
            };
        }
        let radius = mean_radius((*baseline_n, *baseline_mean), (*candidate_n, *candidate_mean), is_share, alpha);
        let state = if rise <= *limit {
            GuardState::Kept
        } else if rise - radius <= *limit {
            GuardState::Doubtful
        } else {
            GuardState::Broken
        };
        Guard {
            name: name.clone(),
            rise,
            limit: *limit,
            radius,
            state,
        }
    };
    context.guardrails.iter().map(guard).collect()
}

fn mean(numbers: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0u32);
    for number in numbers {
        sum += number;
        count += 1;
    }
    if count == 0 { 0.0 } else { sum / f64::from(count) }
}
