//! Promotion gate by betting: goes on when the gain is proven, goes back when harm is, and says *inconclusive* when
//! neither is by the time the cap is reached.
//!
//! The test may be looked at after any number of pairs without inflating its error: see [`evidence`]. What is tested is
//! the mean of the differences `baseline - candidate`, each counted up to `margin` plus or minus `scale`. Clipping makes
//! single wild results harmless in both directions; that a host may not pay for the others' gain is seen to by
//! `host_loss_max`, and nothing advances while the plain mean is not above the margin.
//!
//! | claim | refuted when its e-value reaches | and then |
//! | --- | --- | --- |
//! | the mean gain is at most `margin` | `1 / alpha` | advance, if nothing below stands against it |
//! | the mean gain is at least `min(margin, 0)` | `2 / alpha` | reject; in watch roll back |
//! | host h loses at most `host_loss_max` | `2 * hosts / alpha` | reject; in watch roll back |
//! | a guardrail is kept | one-sided bound at `alpha / guardrails`, spent over the looks | reject; in watch roll back |
//!
//! A gain proven while a host or a guardrail is in doubt waits for more pairs. Numbers that are none hold; no pairs,
//! too few, or outcomes that have not been ingested never advance.
//!
//! This policy keeps no state: all pairs of the stage are in its context.

mod evidence;
mod judgement;

use judgement::{Bounds, Guard, GuardState, Judgement};
use pointsman_policy_sdk::prelude::*;

pub struct EprocessGate;

impl PromotionGate for EprocessGate {
    fn describe() -> Description {
        Description::new("eprocess-gate", env!("CARGO_PKG_VERSION"))
            .summary(
                "Advances when a betting e-process has proven the gain, goes back when it has proven harm; valid however often it looks.",
            )
            .number(
                "alpha",
                0.05,
                0.0001..=0.5,
                "Probability of promoting a candidate that is no better; also of accusing one that does no harm.",
            )
            .number(
                "margin",
                0.0,
                -1.0..=1.0,
                "Least gain over the baseline, in the unit of the scores (bits per byte). Negative: may be worse by that much.",
            )
            .number(
                "scale",
                0.2,
                0.001..=100.0,
                "Difference from the margin that counts fully, in the unit of the scores; larger ones count no more.",
            )
            .number("pairs_min", 20.0, 1.0..=10_000.0, "Pairs needed before anything advances.")
            .number(
                "host_loss_max",
                0.2,
                0.0..=100.0,
                "Most that a single host may lose, in the unit of the scores.",
            )
            .number(
                "host_pairs_min",
                6.0,
                1.0..=1_000.0,
                "Pairs of a host needed before its mean alone keeps a candidate from advancing.",
            )
            .number(
                "ingest_lag_max",
                100.0,
                0.0..=1_000_000.0,
                "Outcomes that may be missing from the learning memory; with more, nothing advances.",
            )
    }

    fn decide(context: &GateContext) -> Result<GateDecision, PolicyError> {
        let bounds = Bounds::read(&context.settings())?;
        if let Some(pair) = context.pairs.iter().find(|pair| pair.host as usize >= context.hosts.len()) {
            return Err(PolicyError::failed(format!(
                "a pair names host {}, and there are {}",
                pair.host,
                context.hosts.len()
            )));
        }
        if let Some(reason) = not_a_number(context) {
            return Ok(GateDecision::hold().reason(reason));
        }
        let judgement = Judgement::of(context, &bounds);
        let decision = verdict(context, &bounds, &judgement);
        Ok(decision.reasons(records(context, &bounds, &judgement)))
    }
}

export_promotion_gate!(EprocessGate);

/// Something that scores no number is broken in a way that no average may cover up.
fn not_a_number(context: &GateContext) -> Option<Reason> {
    if let Some(position) = context
        .pairs
        .iter()
        .position(|pair| !pair.baseline.is_finite() || !pair.candidate.is_finite())
    {
        let pair = &context.pairs[position];
        let whose = if pair.candidate.is_finite() {
            &context.baseline
        } else {
            &context.candidate
        };
        let host = context.host(pair.host).unwrap_or_default();
        let text = format!("Pair {position}, on {host}: the score of {whose} is not a number. A person has to look at it.");
        return Some(Reason::new("not_a_number").feature("pair").value(position as f64).text(text));
    }
    let guard = context.guardrails.iter().find(|guard| {
        ![guard.baseline_mean, guard.candidate_mean, guard.limit]
            .iter()
            .all(|n| n.is_finite())
    })?;
    Some(Reason::new("not_a_number").text(format!(
        "Guardrail {}: a mean or its limit is not a number. A person has to look at it.",
        guard.name
    )))
}

/// The first reason says what decided.
fn verdict(context: &GateContext, bounds: &Bounds, judgement: &Judgement) -> GateDecision {
    let watching = context.stage == GateStage::Watch;
    if let Some(reason) = harm(context, bounds, judgement) {
        let decision = if watching {
            GateDecision::roll_back()
        } else {
            GateDecision::reject()
        };
        return decision.reason(reason);
    }
    let blocked = blocker(context, bounds, judgement);
    let e_value = judgement.gain.e_value();
    let proven = e_value >= bounds.gain_threshold();
    let (pairs, room) = (context.pairs.len(), context.room());
    if proven && blocked.is_none() {
        let text = format!("{pairs} pairs prove a gain: {:+.4} on average.", judgement.mean_gain);
        return GateDecision::advance()
            .reason(compared(Reason::new("gain_proven"), "e_value", e_value, bounds.gain_threshold()).text(text));
    }
    if room > 0 {
        let more = more_pairs(context, bounds, judgement).clamp(1, room);
        let open = || {
            let text = format!(
                "After {pairs} pairs neither gain nor harm is proven: {:+.4} on average; {more} more.",
                judgement.mean_gain
            );
            compared(Reason::new("not_yet_proven"), "e_value", e_value, bounds.gain_threshold()).text(text)
        };
        return GateDecision::need_more(more).reason(blocked.map_or_else(open, Blocker::into_reason));
    }
    match blocked {
        // Nothing that more pairs could change: somebody has to see to the data.
        Some(Blocker::NoData(reason)) => GateDecision::hold().reason(reason),
        _ if watching => {
            let text = format!(
                "{pairs} pairs under watch show no harm: {:+.4} on average. The model stays.",
                judgement.mean_gain
            );
            let harm = judgement.harm.e_value();
            let reason = Reason::new("no_harm_seen")
                .feature("harm_e_value")
                .value(shown(harm))
                .threshold(bounds.harm_threshold());
            GateDecision::advance()
                .reason(reason.margin(bounds.harm_threshold() - shown(harm)).text(text))
                .reasons(blocked.map(Blocker::into_reason))
        }
        _ => {
            let text = format!(
                "The cap of {} pairs is reached and no gain is proven: {:+.4} on average.",
                context.cap, judgement.mean_gain
            );
            let reason = Reason::new("inconclusive")
                .feature("e_value")
                .value(shown(e_value))
                .threshold(bounds.gain_threshold());
            let reason = reason.margin(bounds.gain_threshold() - shown(e_value)).text(text);
            GateDecision::reject().reason(reason).reasons(blocked.map(Blocker::into_reason))
        }
    }
}

/// Harm that is proven, whatever else is still open.
fn harm(context: &GateContext, bounds: &Bounds, judgement: &Judgement) -> Option<Reason> {
    let harm = judgement.harm.e_value();
    if harm >= bounds.harm_threshold() {
        let text = format!(
            "{} pairs prove a loss: {:+.4} on average.",
            context.pairs.len(),
            judgement.mean_gain
        );
        return Some(compared(Reason::new("loss_proven"), "harm_e_value", harm, bounds.harm_threshold()).text(text));
    }
    if let Some(host) = judgement.hosts_harmed().next() {
        let name = context.host(host.host).unwrap_or_default();
        let text = format!(
            "{name} loses {:.4} on average over {} pairs; at most {} is allowed.",
            -host.mean, host.pairs, bounds.host_loss_max
        );
        return Some(
            compared(
                Reason::new("host_loss_proven"),
                "host_loss_e_value",
                host.loss_evidence,
                judgement.host_threshold,
            )
            .text(text),
        );
    }
    judgement
        .guard(GuardState::Broken)
        .map(|guard| guard_reason("guardrail_broken", guard, "rises by more than it may"))
}

/// What keeps a proven gain from advancing.
enum Blocker {
    /// More pairs may lift it.
    Doubt(Reason),
    /// The data are not there; pairs alone do not bring them.
    NoData(Reason),
}

impl Blocker {
    fn into_reason(self) -> Reason {
        match self {
            Blocker::Doubt(reason) | Blocker::NoData(reason) => reason,
        }
    }
}

fn blocker(context: &GateContext, bounds: &Bounds, judgement: &Judgement) -> Option<Blocker> {
    let pairs = context.pairs.len() as f64;
    if context.pairs.is_empty() {
        return Some(Blocker::NoData(
            Reason::new("no_pairs")
                .feature("pairs")
                .value(0.0)
                .text("There are no paired results yet."),
        ));
    }
    if let Some(lag) = context.ingest_lag.filter(|lag| *lag > bounds.ingest_lag_max) {
        let text = format!(
            "{lag} outcomes are missing from the learning memory; at most {} may be.",
            bounds.ingest_lag_max
        );
        let reason = Reason::new("ingest_lag")
            .feature("ingest_lag")
            .value(f64::from(lag))
            .threshold(f64::from(bounds.ingest_lag_max));
        return Some(Blocker::NoData(reason.text(text)));
    }
    if let Some(guard) = judgement.guard(GuardState::NoData) {
        let text = format!("Guardrail {} has no requests on one side yet.", guard.name);
        return Some(Blocker::NoData(Reason::new("guardrail_without_data").text(text)));
    }
    if pairs < f64::from(bounds.pairs_min) {
        let text = format!("{pairs} pairs are too few to go on; {} are needed.", bounds.pairs_min);
        let reason = Reason::new("too_few_pairs")
            .feature("pairs")
            .value(pairs)
            .threshold(f64::from(bounds.pairs_min));
        return Some(Blocker::Doubt(reason.text(text)));
    }
    if let Some(host) = judgement.hosts_doubtful(bounds).next() {
        let name = context.host(host.host).unwrap_or_default();
        let text = format!(
            "{name} seems to lose {:.4} over {} pairs; at most {} is allowed.",
            -host.mean, host.pairs, bounds.host_loss_max
        );
        let reason = Reason::new("host_loss_doubtful")
            .feature("host_mean_gain")
            .value(host.mean)
            .threshold(-bounds.host_loss_max);
        return Some(Blocker::Doubt(reason.text(text)));
    }
    if judgement.mean_gain <= bounds.margin {
        let reason = compared(
            Reason::new("mean_not_above_margin"),
            "mean_gain",
            judgement.mean_gain,
            bounds.margin,
        );
        let text = "Most pairs gain, but a few lose so much that the plain mean is not above the margin.";
        // Only said where the evidence speaks for a gain: otherwise it is the ordinary case of not yet proven.
        if judgement.gain.e_value() >= bounds.gain_threshold() {
            return Some(Blocker::Doubt(reason.text(text)));
        }
    }
    judgement
        .guard(GuardState::Doubtful)
        .map(|guard| Blocker::Doubt(guard_reason("guardrail_doubtful", guard, "seems to rise by more than it may")))
}

/// As many as the present pace needs, in steps that are worth asking again.
fn more_pairs(context: &GateContext, bounds: &Bounds, judgement: &Judgement) -> u32 {
    const STEP_MIN: u32 = 10;
    const STEP_MAX: u32 = 40;
    let lacking = bounds.pairs_min.saturating_sub(context.pairs.len() as u32);
    let gain = judgement.gain.observations_to(bounds.gain_threshold());
    let harm = judgement.harm.observations_to(bounds.harm_threshold());
    let pace = gain.into_iter().chain(harm).min().unwrap_or(STEP_MAX / 2);
    pace.clamp(STEP_MIN, STEP_MAX).max(lacking)
}

/// The numbers of this look, whatever was decided.
fn records(context: &GateContext, bounds: &Bounds, judgement: &Judgement) -> Vec<Reason> {
    const GUARDS_MAX: usize = 8;
    let mut records = vec![
        Reason::new("pairs_seen")
            .feature("pairs")
            .value(context.pairs.len() as f64)
            .threshold(f64::from(context.cap))
            .text(format!(
                "Look {}, {} of at most {} pairs.",
                context.looks + 1,
                context.pairs.len(),
                context.cap
            )),
        compared(
            Reason::new("gain_evidence"),
            "e_value",
            judgement.gain.e_value(),
            bounds.gain_threshold(),
        )
        .text(format!("Evidence that the mean gain is above {}.", bounds.margin)),
        compared(
            Reason::new("harm_evidence"),
            "harm_e_value",
            judgement.harm.e_value(),
            bounds.harm_threshold(),
        )
        .text(format!("Evidence that the mean gain is below {}.", judgement.harm_boundary)),
        compared(Reason::new("mean_gain"), "mean_gain", judgement.mean_gain, bounds.margin).text("Mean of baseline minus candidate."),
    ];
    if let Some(worst) = judgement.hosts.first() {
        let name = context.host(worst.host).unwrap_or_default();
        let reason = compared(Reason::new("worst_host"), "host_mean_gain", worst.mean, -bounds.host_loss_max);
        records.push(reason.text(format!("{name} fares worst, over {} pairs.", worst.pairs)));
    }
    records.extend(
        judgement
            .guards
            .iter()
            .take(GUARDS_MAX)
            .map(|guard| guard_reason("guardrail", guard, "was looked at")),
    );
    records
}

fn guard_reason(code: &str, guard: &Guard, says: &str) -> Reason {
    let Guard {
        name,
        rise,
        limit,
        radius,
        state: _,
    } = guard;
    let text = format!("Guardrail {name} {says}: {rise:+.4} against a limit of {limit}, give or take {radius:.4}.");
    Reason::new(code)
        .feature(name)
        .value(*rise)
        .threshold(*limit)
        .margin(rise - limit)
        .text(text)
}

fn compared(reason: Reason, feature: &str, value: f64, threshold: f64) -> Reason {
    reason
        .feature(feature)
        .value(shown(value))
        .threshold(threshold)
        .margin(shown(value) - threshold)
}

/// More digits of overwhelming evidence help nobody.
fn shown(value: f64) -> f64 {
    value.min(1e12)
}

#[cfg(test)]
mod tests;
