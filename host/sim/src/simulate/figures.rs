//! What a simulation found.

use pointsman_model::Millis;
use pointsman_model::policy::PolicyKind;
use serde::Serialize;
use std::collections::BTreeMap;

/// Points of a curve over the simulated time.
pub const CURVE_POINTS: usize = 96;

/// All that is told of one simulated course. The same question makes the same figures, to the last digit.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    pub label: String,
    pub hours: f64,
    pub seed: u64,
    /// Which version serves each kind at the start, and what was taken out of service on the way.
    pub policies: Vec<ServingPolicy>,
    pub runs: RunFigures,
    pub hosts: Vec<HostFigures>,
    pub sources: SourceFigures,
    pub promotions: PromotionFigures,
    pub decisions: BTreeMap<PolicyKind, DecisionFigures>,
    pub breaker_trips: Vec<String>,
    pub journal_entries: u64,
    pub curves: Curves,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ServingPolicy {
    pub kind: String,
    pub policy: String,
    pub digest: String,
    pub at_the_end: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RunFigures {
    pub finished: u64,
    pub succeeded: u64,
    pub failed: u64,
    pub success_rate: f64,
    pub successes_per_hour: f64,
    pub failures_by_class: BTreeMap<String, u64>,
    pub evaluations: u64,
    /// Share of the training slots' time that was used, and the part of it that ended in failure.
    pub busy_share: f64,
    pub failed_time_share: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HostFigures {
    pub host: String,
    pub queued: u64,
    pub seeded: u64,
    pub runs: u64,
    pub succeeded: u64,
    /// From queued to the first attempt, over the queue's sources of this host, those that wait at the end included.
    pub wait_p50_s: f64,
    pub wait_p95_s: f64,
    pub wait_max_s: f64,
    pub waiting_at_end: u64,
    pub starved: bool,
    /// True loss of the first model and of the live one at the end.
    pub loss_start: f64,
    pub loss_end: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SourceFigures {
    pub retries: u64,
    pub moved: u64,
    pub disabled: u64,
    pub given_up: u64,
    pub attempts_most: u32,
    /// Attempts after a deterministic failure: each of them was bound to fail.
    pub hopeless_attempts: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PromotionFigures {
    pub candidates: u64,
    pub applied: u64,
    pub kept: u64,
    pub rejected: u64,
    pub rolled_back: u64,
    pub held: u64,
    /// Errors, by the truth that only the model knows: the mean over hosts of the loss.
    pub applied_not_better: u64,
    pub rejected_better: u64,
    /// Of those, by 0.05 or more.
    pub rejected_better_by_005: u64,
    pub rolled_back_better: u64,
    pub pairs_mean: f64,
    /// True mean loss at the start and of the model that is live at the end.
    pub loss_start: f64,
    pub loss_end: f64,
    pub each: Vec<CandidateFigures>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CandidateFigures {
    pub candidate: String,
    pub hour: f64,
    pub true_gain: f64,
    pub applied: bool,
    pub end: String,
    pub pairs: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DecisionFigures {
    pub asked: u64,
    pub verdicts: BTreeMap<String, u64>,
    /// Questions that an earlier link of the chain did not answer.
    pub fallbacks: u64,
    pub faults: BTreeMap<String, u64>,
    pub fuel_mean: f64,
}

/// Values at evenly spaced times; the last one is the end.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Curves {
    pub hours: Vec<f64>,
    pub successes: Vec<f64>,
    pub waiting: Vec<f64>,
    /// True mean loss of the live model; before there is one, that of the first.
    pub loss: Vec<f64>,
}

/// The value below which a share of the sorted values lies; 0 where there is none.
pub(crate) fn quantile(sorted: &[Millis], share: f64) -> f64 {
    match sorted.len() {
        0 => 0.0,
        n => sorted[((n as f64 * share).ceil() as usize).clamp(1, n) - 1] as f64 / 1000.0,
    }
}
