//! The built-in fallbacks: what happens when no policy can be asked. They are part of the core, so that nothing that
//! breaks an engine can break them.

use crate::guards::Guards;
use pointsman_model::context::{Context, RetryContext, SelectionContext};
use pointsman_model::decision::{Advice, Answer, CurriculumVerdict, Declined, GateVerdict, Reason, RetryVerdict, SelectionVerdict, Verdict};
use pointsman_model::policy::{Cost, FaultClass};
use pointsman_model::source::Lane;

/// What the built-in fallback of the context's kind answers. `declined` says why it came to this.
pub fn built_in(context: &Context, guards: &Guards, declined: &[Declined]) -> Answer {
    let (verdict, advice) = decide(context, guards, declined);
    Answer {
        verdict,
        advice,
        cost: Cost::default(),
    }
}

fn decide(context: &Context, guards: &Guards, declined: &[Declined]) -> (Verdict, Advice) {
    match context {
        Context::Selection(context) => select(context, guards),
        Context::Retry(context) => retry(context),
        Context::Gate(_) => (Verdict::Gate(GateVerdict::Hold), reason("built_in_hold", &why_held(declined))),
        Context::Curriculum(_) => (
            Verdict::Curriculum(CurriculumVerdict::Nothing),
            reason("built_in_nothing", "No curriculum policy could be asked, so nothing is seeded."),
        ),
    }
}

/// A policy that was asked and proposed what a guard forbids is another case than one that could not be asked.
fn why_held(declined: &[Declined]) -> String {
    match declined.iter().find(|declined| declined.fault.class == FaultClass::Guard) {
        Some(Declined { policy, fault, .. }) => format!(
            "A guard forbids what {policy} proposed, so a person has to decide: {}.",
            fault.detail
        ),
        None => "No gate policy could be asked, so a person has to decide.".into(),
    }
}

/// Host-diverse first in, first out: sources of hosts that were not picked lately come first, then the oldest.
fn select(context: &SelectionContext, guards: &Guards) -> (Verdict, Advice) {
    let mut order: Vec<u32> = (0..context.candidates.len() as u32).collect();
    order.sort_by_key(|index| {
        let candidate = &context.candidates[*index as usize];
        let recent = candidate.host.is_some_and(|host| context.recent_hosts.contains(&host));
        (candidate.lane != Lane::Queue, recent, candidate.id)
    });
    let cap = guards
        .runs_per_host()
        .map_or(context.same_host_cap, |guard| guard.min(context.same_host_cap));
    let mut running: Vec<u32> = context.host_loads.iter().map(|load| load.running).collect();
    running.resize(context.hosts.len(), 0);
    let fits = |index: &u32| match context.candidates[*index as usize].host {
        Some(host) => {
            let Some(count) = running.get_mut(host as usize) else {
                return false;
            };
            let fits = context.lock.is_none_or(|lock| lock == host) && *count < cap;
            *count += u32::from(fits);
            fits
        }
        None => true,
    };
    let picks: Vec<u32> = order.into_iter().filter(fits).take(context.free as usize).collect();
    if picks.is_empty() {
        (
            Verdict::Selection(SelectionVerdict::Idle),
            reason("built_in_idle", "No candidate's host has room."),
        )
    } else {
        let text = "Oldest first, hosts that were not picked lately before others.";
        (
            Verdict::Selection(SelectionVerdict::Pick(picks)),
            reason("built_in_host_diverse", text),
        )
    }
}

/// Capped exponential backoff with full jitter, until the budget is spent.
fn retry(context: &RetryContext) -> (Verdict, Advice) {
    if context.budget_left == 0 {
        let text = format!("All {} failed attempts of the budget are used.", context.budget);
        return (Verdict::Retry(RetryVerdict::Disable), reason("built_in_budget_spent", &text));
    }
    let cap_ms = 1_000u64.saturating_mul(1 << context.failures.total().min(9)).min(300_000);
    let delay_ms = 500 + context.frame.seed % cap_ms;
    let text = format!("Again in {delay_ms} ms, drawn from up to {cap_ms} ms.");
    (Verdict::Retry(RetryVerdict::Retry(delay_ms)), reason("built_in_backoff", &text))
}

fn reason(code: &str, text: &str) -> Advice {
    Advice {
        reasons: vec![Reason {
            code: code.into(),
            text: text.into(),
            ..Reason::default()
        }],
        ..Advice::default()
    }
}
