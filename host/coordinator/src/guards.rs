//! Guards: what operators forbid, whatever a policy says. Policies are not told of them. They are checked after each
//! verdict, live as well as wherever a recorded context is decided again.

use pointsman_model::context::{Context, GateContext, SelectionContext};
use pointsman_model::decision::{GateVerdict, SelectionVerdict, Verdict};
use pointsman_model::run::Pair;
use pointsman_model::settings::Settings;
use std::collections::BTreeMap;

/// The guards as the settings have them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Guards {
    /// Most that the mean loss of a candidate may be above its baseline's, on each host.
    pub host_loss_max: Option<f64>,
    /// Most runs under way of one host; 0 is no guard.
    pub runs_per_host_max: u32,
}

/// A verdict does what a guard forbids.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{guard}: {what} {about} would be {}, at most {} is allowed", plain(*value), plain(*bound))]
pub struct GuardViolation {
    /// The setting's name.
    pub guard: &'static str,
    /// What is bounded: `loss over the baseline on host`.
    pub what: &'static str,
    /// The host.
    pub about: String,
    pub value: f64,
    pub bound: f64,
}

impl Guards {
    pub fn of(settings: &Settings) -> Guards {
        Guards {
            host_loss_max: settings.guard_host_loss_max,
            runs_per_host_max: settings.guard_runs_per_host_max,
        }
    }

    /// Whether a verdict that fits its context keeps to the guards. Any answer to the same context is judged the same.
    pub fn check(&self, context: &Context, verdict: &Verdict) -> Result<(), GuardViolation> {
        match (context, verdict) {
            (Context::Gate(context), Verdict::Gate(GateVerdict::Advance)) => self.check_advance(context),
            (Context::Selection(context), Verdict::Selection(SelectionVerdict::Pick(picks))) => self.check_picks(context, picks),
            // Nothing else goes into service or takes a slot.
            (Context::Gate(_) | Context::Selection(_) | Context::Retry(_) | Context::Curriculum(_), _) => Ok(()),
        }
    }

    /// Most runs of one host that may be under way, where there is such a guard.
    pub(crate) fn runs_per_host(&self) -> Option<u32> {
        (self.runs_per_host_max > 0).then_some(self.runs_per_host_max)
    }

    /// Whether a candidate with these pairs may go on.
    pub fn check_pairs(&self, pairs: &[Pair]) -> Result<(), GuardViolation> {
        let mut hosts: Vec<&str> = Vec::new();
        let differences = pairs.iter().map(|pair| {
            let known = hosts.iter().position(|host| *host == pair.host);
            let index = known.unwrap_or_else(|| {
                hosts.push(&pair.host);
                hosts.len() - 1
            });
            (index as u32, pair.candidate - pair.baseline)
        });
        let differences: Vec<(u32, f64)> = differences.collect();
        self.check_differences(differences.into_iter(), |host| hosts[host as usize].to_string())
    }

    fn check_advance(&self, context: &GateContext) -> Result<(), GuardViolation> {
        let differences = context.pairs.iter().map(|pair| (pair.host, pair.candidate - pair.baseline));
        self.check_differences(differences, |host| host_name(&context.hosts, host))
    }

    fn check_differences(&self, differences: impl Iterator<Item = (u32, f64)>, name: impl Fn(u32) -> String) -> Result<(), GuardViolation> {
        let Some(bound) = self.host_loss_max else { return Ok(()) };
        let mut sums: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
        for (host, difference) in differences {
            let (sum, count) = sums.entry(host).or_default();
            *sum += difference;
            *count += 1.0;
        }
        for (host, (sum, count)) in sums {
            let value = sum / count;
            // A mean that is no number is no proof of anything.
            if value.is_nan() || value > bound {
                return Err(GuardViolation {
                    guard: "guard_host_loss_max",
                    what: "loss over the baseline on host",
                    about: name(host),
                    value,
                    bound,
                });
            }
        }
        Ok(())
    }

    fn check_picks(&self, context: &SelectionContext, picks: &[u32]) -> Result<(), GuardViolation> {
        let Some(bound) = self.runs_per_host() else { return Ok(()) };
        let mut under_way: BTreeMap<u32, u32> = BTreeMap::new();
        let hosts = picks.iter().filter_map(|pick| context.candidates.get(*pick as usize)?.host);
        for host in hosts {
            let running = context.host_loads.get(host as usize).map_or(0, |load| load.running);
            let count = under_way.entry(host).or_insert(running);
            *count += 1;
            if *count > bound {
                return Err(GuardViolation {
                    guard: "guard_runs_per_host_max",
                    what: "runs under way of host",
                    about: host_name(&context.hosts, host),
                    value: f64::from(*count),
                    bound: f64::from(bound),
                });
            }
        }
        Ok(())
    }
}

/// A number for a sentence: six places, and none that say nothing.
fn plain(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

fn host_name(hosts: &[String], index: u32) -> String {
    hosts.get(index as usize).cloned().unwrap_or_else(|| format!("number {index}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_model::context::{Frame, GatePair, GateStage};

    fn gate(pairs: &[(u32, f64, f64)]) -> Context {
        Context::Gate(GateContext {
            frame: Frame::default(),
            stage: GateStage::Evaluate,
            candidate: "m-2".into(),
            baseline: "m-1".into(),
            hosts: vec!["novel".into(), "news".into()],
            pairs: pairs
                .iter()
                .map(|(host, baseline, candidate)| GatePair {
                    host: *host,
                    baseline: *baseline,
                    candidate: *candidate,
                })
                .collect(),
            guardrails: Vec::new(),
            looks: 0,
            cap: 100,
            ingest_lag: None,
        })
    }

    #[test]
    fn a_loss_on_one_host_is_not_made_up_for_by_another() {
        let guards = Guards {
            host_loss_max: Some(0.1),
            ..Guards::default()
        };
        let context = gate(&[(0, 3.0, 1.0), (1, 3.0, 3.2), (1, 3.0, 3.1)]);
        let advance = Verdict::Gate(GateVerdict::Advance);
        let violation = guards.check(&context, &advance).expect_err("news is worse");
        assert_eq!((violation.guard, violation.about.as_str()), ("guard_host_loss_max", "news"));
        assert!((violation.value - 0.15).abs() < 1e-9 && violation.bound == 0.1, "{violation}");
        assert_eq!(
            violation.to_string(),
            "guard_host_loss_max: loss over the baseline on host news would be 0.15, at most 0.1 is allowed"
        );
        assert_eq!(Guards::default().check(&context, &advance), Ok(()), "no guard");
        assert_eq!(
            guards.check(&context, &Verdict::Gate(GateVerdict::Hold)),
            Ok(()),
            "only an advance is guarded"
        );
        assert_eq!(guards.check(&gate(&[(1, 3.0, 3.05)]), &advance), Ok(()));
        assert!(guards.check(&gate(&[(1, 3.0, f64::NAN)]), &advance).is_err());
    }
}
