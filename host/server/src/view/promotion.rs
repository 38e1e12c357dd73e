//! Promotion in figures and sentences, derived here and nowhere else: the state of the way into service, the window, the
//! candidate's card, roles, what models are used for and what keeps them.

use super::{percent, policy, recent};
use crate::wire::{
    CanaryProgress, CandidateCard, CandidateEnding, HeldCard, HostComparison, KeptForRow, OutcomeCounters, PromotionWindow, PrunePlan,
    Quality, RetainedModel, RetentionCard, RoutedModel, ServedCard, UnusedModels, ViewStamp,
};
use pointsman_coordinator::{Guards, KeptFor, Retained, State, prune_plan};
use pointsman_model::ModelTag;
use pointsman_model::context::GateStage;
use pointsman_model::event::StageBy;
use pointsman_model::promotion::{Candidate, CandidateEnd, CandidateStage, EndedCandidate, HoldCause, HostPairs, ModelRole, Served};
use pointsman_model::settings::Settings;

/// Unused models that are listed.
const UNUSED_MAX: usize = 20;
/// Models that a plan lists of each kind.
const PLAN_ROWS_MAX: usize = 500;
/// Standard errors to each side of a mean that hold it 95 times of 100.
const INTERVAL_95: f64 = 1.96;

/// Where promotion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    None,
    Collecting,
    EvalDue,
    Evaluating,
    Canary,
    Applying,
    Applied,
    RolledBack,
    Blocked,
    Held,
}

impl Phase {
    /// `answering` is the model that really answers; none where that is not known.
    pub fn of(state: &State, now: u64, answering: Option<&ModelTag>) -> Phase {
        match (&state.candidate, &state.active) {
            (Some(candidate), _) => match &candidate.stage {
                CandidateStage::Evaluating { run: Some(_), .. } => Phase::Evaluating,
                CandidateStage::Evaluating { run: None, not_before, .. } if *not_before > now => Phase::Blocked,
                CandidateStage::Evaluating { run: None, .. } => Phase::EvalDue,
                CandidateStage::Canary { .. } => Phase::Canary,
                CandidateStage::Watching { .. } if answering.is_some_and(|tag| *tag != candidate.tag) => Phase::Applying,
                CandidateStage::Watching { .. } => Phase::Applied,
                CandidateStage::Held { .. } => Phase::Held,
            },
            (None, None) => Phase::None,
            (None, Some(_)) if state.window.rolled_back_at.is_some() => Phase::RolledBack,
            (None, Some(_)) if state.window.full => Phase::EvalDue,
            (None, Some(_)) => Phase::Collecting,
        }
    }

    pub fn slug(self) -> &'static str {
        match self {
            Phase::None => "none",
            Phase::Collecting => "collecting",
            Phase::EvalDue => "eval_due",
            Phase::Evaluating => "evaluating",
            Phase::Canary => "canary",
            Phase::Applying => "applying",
            Phase::Applied => "applied",
            Phase::RolledBack => "rolled_back",
            Phase::Blocked => "blocked",
            Phase::Held => "held",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Phase::None => "No model yet",
            Phase::Collecting => "Collecting",
            Phase::EvalDue => "Evaluation due",
            Phase::Evaluating => "Evaluating",
            Phase::Canary => "Canary",
            Phase::Applying => "Going live",
            Phase::Applied => "Live, watched",
            Phase::RolledBack => "Rolled back",
            Phase::Blocked => "Blocked",
            Phase::Held => "Held for a person",
        }
    }

    /// What it means, in one sentence.
    pub fn sentence(self, state: &State) -> String {
        let candidate = state.candidate.as_ref();
        let (tag, baseline) = candidate.map_or((String::new(), String::new()), |candidate| {
            (candidate.tag.0.clone(), candidate.baseline.0.clone())
        });
        match self {
            Phase::None => "There is no model yet.".to_string(),
            Phase::Collecting => "The window collects successful outcomes.".to_string(),
            Phase::EvalDue if candidate.is_none() => "The window is full.".to_string(),
            Phase::EvalDue => format!("The window is full: the evaluation of {tag} waits for a slot."),
            Phase::Evaluating => format!("{tag} is compared with {baseline} on held-out text."),
            Phase::Canary => format!("{tag} answers a share of the standard requests beside {baseline}."),
            Phase::Applying => format!("{tag} is live by the journal; the serving process still loads it."),
            Phase::Applied => format!("{tag} is live and watched; {baseline} is ready to come back."),
            Phase::RolledBack => {
                let active = state.active.as_ref().map_or(String::new(), |tag| tag.0.clone());
                format!("{active} is live again after a rollback; nothing has succeeded since.")
            }
            Phase::Blocked => match candidate.map(|candidate| &candidate.stage) {
                Some(CandidateStage::Evaluating { failures, .. }) => {
                    format!("The evaluation of {tag} failed {failures} times and is tried again.")
                }
                _ => format!("{tag} is blocked."),
            },
            Phase::Held => match candidate.map(|candidate| &candidate.stage) {
                Some(CandidateStage::Held { reason, .. }) => format!("{tag} waits for a person: {reason}"),
                _ => format!("{tag} waits for a person."),
            },
        }
    }
}

/// The window as of `now`.
pub(crate) fn promotion_window(state: &State, now: u64) -> PromotionWindow {
    let super::Window {
        size,
        done,
        remaining,
        watermark,
        ..
    } = super::window(state);
    let interval = state.success_interval_ms(now);
    let goes_on = state.training.enabled || state.training_runs() > 0;
    PromotionWindow {
        ordinal: state.window.passed + 1,
        size,
        done,
        remaining,
        percent: percent(done, size).unwrap_or(0.0),
        successes: state.totals.successes,
        watermark,
        delta: state.window_done(),
        next_target: watermark.saturating_add(size),
        reached_at: state.window.reached_at,
        interval_ms: interval.map(|interval| interval as u64),
        eta_at: interval
            .filter(|_| goes_on && remaining > 0)
            .map(|interval| now.saturating_add((interval * remaining as f64) as u64)),
        recent: recent(state),
    }
}

/// A candidate's card. `gate` is its latest decision with the words.
pub(crate) fn candidate_card(settings: &Settings, candidate: &Candidate, gate: Option<(u64, String)>) -> CandidateCard {
    let cap_of = |stage: GateStage| match stage {
        GateStage::Evaluate => settings.eval_pairs_max,
        GateStage::Canary => settings.canary_pairs_max,
        GateStage::Watch => settings.watch_pairs_max,
    };
    let (label, cap) = match &candidate.stage {
        CandidateStage::Evaluating { .. } => ("Evaluating".to_string(), cap_of(GateStage::Evaluate)),
        CandidateStage::Canary { .. } => (
            format!("Canary on {:.0} % of requests", settings.canary_share * 100.0),
            cap_of(GateStage::Canary),
        ),
        CandidateStage::Watching { .. } => ("Live, being watched".to_string(), cap_of(GateStage::Watch)),
        CandidateStage::Held { from, .. } => (format!("Held for a person at {}", from.slug()), cap_of(*from)),
    };
    let hosts: Vec<HostComparison> = candidate
        .compared
        .iter()
        .map(|host| HostComparison {
            host: host.host.clone(),
            baseline: host.baseline_sum / f64::from(host.pairs),
            candidate: host.candidate_sum / f64::from(host.pairs),
            pairs: host.pairs,
        })
        .collect();
    let mean = |value: fn(&HostComparison) -> f64| (!hosts.is_empty()).then(|| hosts.iter().map(value).sum::<f64>() / hosts.len() as f64);
    let (latest_decision, latest_reason) = match gate {
        Some((id, text)) => (Some(id), text),
        None => (candidate.decisions.last().map(|id| id.0), String::new()),
    };
    CandidateCard {
        tag: candidate.tag.0.clone(),
        baseline: candidate.baseline.0.clone(),
        stage: candidate.stage.slug().to_string(),
        stage_label: label,
        since: candidate.since,
        looks: candidate.looks,
        pairs: candidate.pairs.len() as u32,
        pairs_cap: cap,
        baseline_mean: mean(|host| host.baseline),
        candidate_mean: mean(|host| host.candidate),
        hosts,
        latest_reason,
        latest_decision,
    }
}

/// What the evaluation measured; `verdict` is the gate's latest word.
pub(crate) fn quality(card: &CandidateCard, compared: &[HostPairs], verdict: Option<String>) -> Option<Quality> {
    let (candidate, baseline) = (card.candidate_mean?, card.baseline_mean?);
    let delta = candidate - baseline;
    let half = half_interval(compared);
    let (low, high) = (half.map(|half| delta - half), half.map(|half| delta + half));
    let reading = match (low, high) {
        (_, Some(high)) if high < 0.0 => "better",
        (Some(low), _) if low > 0.0 => "worse",
        (Some(_), Some(_)) => "no_difference_shown",
        _ => "unknown",
    };
    Some(Quality {
        candidate,
        baseline,
        delta,
        low,
        high,
        pairs: compared.iter().map(|host| host.pairs).sum(),
        reading: reading.to_string(),
        verdict: verdict.unwrap_or_else(|| "none".to_string()),
    })
}

/// Half the interval of the mean over hosts of the mean differences: each host is a sample of its own.
fn half_interval(compared: &[HostPairs]) -> Option<f64> {
    let mut variance = 0.0;
    for host in compared {
        if host.pairs < 2 {
            return None;
        }
        let pairs = f64::from(host.pairs);
        let sum = host.candidate_sum - host.baseline_sum;
        // Rounding may take it below zero where all differences are the same.
        let spread = ((host.difference_squares - sum * sum / pairs) / (pairs - 1.0)).max(0.0);
        variance += spread / pairs;
    }
    let hosts = compared.len() as f64;
    (hosts > 0.0).then(|| INTERVAL_95 * variance.sqrt() / hosts)
}

/// How the canary stands; `is_over` where the candidate's way has ended at this stage.
pub(crate) fn canary_progress(settings: &Settings, candidate: &Candidate, is_over: bool) -> CanaryProgress {
    let (status, label) = match &candidate.stage {
        CandidateStage::Evaluating { .. }
        | CandidateStage::Held {
            from: GateStage::Evaluate, ..
        } => ("none", "Not begun"),
        CandidateStage::Canary { .. } if is_over => ("failed", "Failed"),
        CandidateStage::Canary { .. } => ("running", "Running"),
        CandidateStage::Held {
            from: GateStage::Canary,
            cause: HoldCause::Gate,
            ..
        } => ("inconclusive", "Inconclusive"),
        CandidateStage::Held { .. } | CandidateStage::Watching { .. } => ("passed", "Passed"),
    };
    let (have, wanted) = match &candidate.stage {
        CandidateStage::Canary { wanted, .. } if !is_over => (Some(candidate.pairs.len() as u32), Some(*wanted)),
        _ => (None, None),
    };
    let served = |served: &Served| ServedCard {
        requests: served.requests,
        failed: served.failed,
        latency_ms: (served.requests > 0).then(|| served.latency_ms_sum / f64::from(served.requests)),
    };
    CanaryProgress {
        status: status.to_string(),
        status_label: label.to_string(),
        have,
        wanted,
        cap: settings.canary_pairs_max,
        share: settings.canary_share,
        candidate: served(&candidate.served.candidate),
        baseline: served(&candidate.served.baseline),
    }
}

/// What a person has to know to decide.
pub(crate) fn held_card(state: &State, candidate: &Candidate) -> Option<HeldCard> {
    let CandidateStage::Held {
        from,
        reason,
        cause,
        since,
        decision,
    } = &candidate.stage
    else {
        return None;
    };
    let (tag, baseline) = (&candidate.tag, &candidate.baseline);
    let (approving, rejecting) = match from {
        GateStage::Evaluate => (
            format!("{tag} answers a share of the requests in a canary."),
            format!("{tag} is dropped for good; {baseline} stays live and training goes on from it."),
        ),
        GateStage::Canary => (
            format!("{tag} goes live and is watched."),
            format!("{tag} is dropped for good; {baseline} stays live and training goes on from it."),
        ),
        GateStage::Watch => (
            format!("{tag} stays live."),
            format!("{baseline} comes back; {tag} is dropped for good."),
        ),
    };
    Some(HeldCard {
        from: from.slug().to_string(),
        cause: cause.slug().to_string(),
        cause_label: match cause {
            HoldCause::Gate => "The gate leaves it to a person",
            HoldCause::Setting => "The gate accepts it; promotion_hold is on",
        }
        .to_string(),
        reason: reason.clone(),
        since: *since,
        decision: decision.0,
        forbidden: Guards::of(&state.settings)
            .check_pairs(&candidate.pairs)
            .err()
            .map(|violation| violation.to_string()),
        approving,
        rejecting,
    })
}

pub(crate) fn ending(ended: &EndedCandidate) -> CandidateEnding {
    let (decision, actor) = match &ended.by {
        StageBy::Decision(decision) => (Some(decision.0), None),
        StageBy::Person { actor, .. } => (None, Some(actor.0.clone())),
        StageBy::Host => (None, None),
    };
    CandidateEnding {
        end: ended.end.slug().to_string(),
        end_label: match ended.end {
            CandidateEnd::Kept => "Stays live",
            CandidateEnd::Rejected => "Rejected",
            CandidateEnd::RolledBack => "Rolled back",
        }
        .to_string(),
        at: ended.at,
        reason: ended.reason.clone(),
        decision,
        actor,
    }
}

/// A role's name and what routes to it.
pub(crate) fn role_words(role: ModelRole) -> (&'static str, &'static str) {
    match role {
        ModelRole::Controller => (
            "Controller",
            "Candidates are compared with it, and training goes on from it after a rejection or a rollback.",
        ),
        ModelRole::Standard => ("Standard tasks", "It answers standard requests."),
    }
}

/// Every use of a model, and what share of the requests goes to it. This and the next two take what retention says.
pub(crate) fn routing(state: &State, retention: &[Retained<'_>]) -> Vec<RoutedModel> {
    let canary_share = state.candidate.as_ref().and_then(|candidate| match candidate.stage {
        CandidateStage::Canary { .. } => Some(state.settings.canary_share),
        CandidateStage::Evaluating { .. } | CandidateStage::Watching { .. } | CandidateStage::Held { .. } => None,
    });
    let mut rows = Vec::new();
    for retained in retention {
        for kept in retained.kept_for.iter().filter(|kept| kept.is_use()) {
            rows.push(RoutedModel {
                tag: retained.model.tag.0.clone(),
                slug: kept.slug().to_string(),
                label: kept_words(*kept),
                share: match kept {
                    KeptFor::Live => Some(1.0 - canary_share.unwrap_or(0.0)),
                    KeptFor::Candidate => canary_share,
                    KeptFor::Baseline | KeptFor::RollbackTarget | KeptFor::Line | KeptFor::Run(_) | KeptFor::Pinned | KeptFor::Newest => {
                        None
                    }
                },
            });
        }
    }
    rows
}

fn kept_words(kept: KeptFor) -> String {
    match kept {
        KeptFor::Live => "live".to_string(),
        KeptFor::Candidate => "on its way into service".to_string(),
        KeptFor::Baseline => "the candidate is compared with it".to_string(),
        KeptFor::RollbackTarget => "a rollback brings it back".to_string(),
        KeptFor::Line => "training goes on from it".to_string(),
        KeptFor::Run(run) => format!("run {run} needs it"),
        KeptFor::Pinned => "pinned".to_string(),
        KeptFor::Newest => "among the newest that are kept".to_string(),
    }
}

pub(crate) fn unused(state: &State, retention: &[Retained<'_>]) -> UnusedModels {
    let unused: Vec<&Retained<'_>> = retention.iter().filter(|retained| !retained.is_used()).collect();
    UnusedModels {
        count: unused.len() as u64,
        bytes: unused.iter().map(|retained| retained.model.bytes).sum(),
        sample: unused
            .iter()
            .take(UNUSED_MAX)
            .map(|retained| retained_row(state, retained))
            .collect(),
    }
}

pub(crate) fn retention_card(state: &State, retention: &[Retained<'_>]) -> RetentionCard {
    let keep = state.settings.keep_models;
    let goes = || retention.iter().filter(|retained| retained.goes());
    RetentionCard {
        keep,
        installed: retention.len() as u64,
        installed_bytes: retention.iter().map(|retained| retained.model.bytes).sum(),
        pinned: state.model_pins.len() as u64,
        prunable: goes().count() as u64,
        prunable_bytes: goes().map(|retained| retained.model.bytes).sum(),
        text: format!(
            "Kept are models in use, those that a rollback brings back, pinned ones, and the newest {keep} of the others. All roles share them."
        ),
    }
}

/// What a prune would do that keeps so many; none for the setting. Its stamp is filled in where it is sent.
pub(crate) fn plan(state: &State, keep: Option<u32>) -> PrunePlan {
    let keep = keep.unwrap_or(state.settings.keep_models);
    let retention = state.retention(keep);
    let (mut go, stay): (Vec<&Retained<'_>>, Vec<&Retained<'_>>) = retention.iter().partition(|retained| retained.goes());
    go.reverse();
    let bytes = |models: &[&Retained<'_>]| models.iter().map(|retained| retained.model.bytes).sum();
    let rows = |models: &[&Retained<'_>]| {
        let listed = models.iter().take(PLAN_ROWS_MAX);
        listed.map(|retained| retained_row(state, retained)).collect()
    };
    PrunePlan {
        view: ViewStamp::default(),
        keep,
        plan: prune_plan(go.iter().map(|retained| &retained.model.tag)).to_string(),
        go: rows(&go),
        go_count: go.len() as u64,
        go_bytes: bytes(&go),
        stay: rows(&stay),
        stay_count: stay.len() as u64,
        stay_bytes: bytes(&stay),
    }
}

fn retained_row(state: &State, retained: &Retained<'_>) -> RetainedModel {
    let model = retained.model;
    RetainedModel {
        tag: model.tag.0.clone(),
        bytes: model.bytes,
        made_at: model.made_at,
        host: model.host.clone(),
        kept_for: retained
            .kept_for
            .iter()
            .map(|kept| KeptForRow {
                slug: kept.slug().to_string(),
                label: kept_words(*kept),
            })
            .collect(),
        pinned: pinned_model(state, &model.tag),
    }
}

/// By whom and why a model is pinned.
pub(crate) fn pinned_model(state: &State, tag: &ModelTag) -> Option<String> {
    state.model_pins.get(tag).map(policy::pin_words)
}

pub(crate) fn outcome_counters(state: &State) -> OutcomeCounters {
    let totals = &state.totals;
    OutcomeCounters {
        outcomes: totals.outcomes,
        successes: totals.successes,
        failures: totals.failures,
        cancelled: totals.cancelled,
        candidates: totals.candidates,
        rejected: totals.rejected,
        rolled_back: totals.rolled_back,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(host: &str, differences: &[f64]) -> HostPairs {
        HostPairs {
            host: host.into(),
            pairs: differences.len() as u32,
            baseline_sum: 3.0 * differences.len() as f64,
            candidate_sum: differences.iter().map(|difference| 3.0 + difference).sum(),
            difference_squares: differences.iter().map(|difference| difference * difference).sum(),
        }
    }

    #[test]
    fn an_interval_is_that_of_the_mean_over_hosts() {
        // Spreads 0.02 and 0: the variance of the mean over two hosts is (0.02 / 2) / 4.
        let half = half_interval(&[pairs("novel", &[-0.1, -0.3]), pairs("code", &[-0.1, -0.1, -0.1])]).expect("known");
        assert!((half - 1.96 * 0.05).abs() < 1e-9, "{half}");
        assert_eq!(half_interval(&[pairs("novel", &[-0.1])]), None, "one pair tells no spread");
        assert_eq!(half_interval(&[]), None);
    }
}
