//! What a dry run found, in the words of the API.

use super::Question;
use crate::view::verdict_words;
use crate::wire::{self, CostSummary, Counted, Divergence, ReplayGroup, ReplayTiming, TimeSummary};
use pointsman_model::context::Context;
use pointsman_model::decision::{Answer, Decision, Reason};
use pointsman_model::policy::{Fault, PolicyDescription};
use pointsman_sim::dry_run::{Dimension, Found};
use pointsman_sim::replay::{Change, CostSpread, Report};
use std::collections::BTreeMap;

/// Groups of one dimension that are shown, those with the most changes first.
const GROUPS_MAX: usize = 25;

pub(super) fn report(description: &PolicyDescription, found: &Found, question: &Question<'_>) -> wire::ReplayReport {
    let report = &found.report;
    let cases: Vec<Divergence> = found
        .cases
        .iter()
        .map(|case| diverged(case.at, case.change, &case.before, &case.after, &case.context))
        .collect();
    let different = report.classes.values().sum::<u64>();
    let (groups, groups_left_out) = if question.cases_max == 0 { (Vec::new(), 0) } else { groups(found) };
    wire::ReplayReport {
        kind: description.kind.slug().to_string(),
        policy: description.policy.to_string(),
        digest: description.policy.digest.to_string(),
        first_decision: found.span.map(|((id, _), _)| id.0),
        last_decision: found.span.map(|(_, (id, _))| id.0),
        from: found.span.map(|((_, at), _)| at),
        until: found.span.map(|(_, (_, at))| at),
        looked_at: report.looked_at(),
        replayed: report.replayed,
        not_replayable: report
            .not_replayable
            .iter()
            .map(|(why, count)| Counted {
                slug: why.slug().to_string(),
                label: why.label().to_string(),
                count: *count,
            })
            .collect(),
        same: report.same,
        changed: report.changed,
        changed_share: report.changed_share(),
        keeps_state: found.keeps_state,
        remembers: report.remembers,
        classes: counted(&report.classes),
        new_errors: report.new_errors(),
        errors_gone: report.errors_gone(),
        before: fuel(&report.before),
        after: fuel(&report.after),
        first_divergence: report
            .first_divergence
            .as_ref()
            .map(|first| diverged(first.at, first.change, &first.before, &first.after, &first.context)),
        groups,
        groups_left_out,
        cases_left_out: different - cases.len() as u64,
        cases,
        budgets: question.declared.clone(),
        broken: question.budgets.broken(report),
    }
}

/// Time is told apart: it is another at each run, and the report is not.
pub(super) fn timing(report: &Report) -> ReplayTiming {
    ReplayTiming {
        before: time(&report.before),
        after: time(&report.after),
    }
}

/// Most frequent first.
pub fn counted(classes: &BTreeMap<Change, u64>) -> Vec<Counted> {
    let mut counted: Vec<Counted> = classes
        .iter()
        .map(|(change, count)| Counted {
            slug: change.slug().to_string(),
            label: change.label().to_string(),
            count: *count,
        })
        .collect();
    counted.sort_by_key(|class| std::cmp::Reverse(class.count));
    counted
}

/// Those with changes, by dimension; and how many are not shown.
fn groups(found: &Found) -> (Vec<ReplayGroup>, u64) {
    let (mut shown, mut left_out) = (Vec::new(), 0);
    for dimension in Dimension::ALL {
        let mut of_this: Vec<_> = found
            .groups
            .iter()
            .filter(|((of, _), tally)| *of == dimension && tally.changed > 0)
            .collect();
        of_this.sort_by_key(|(_, tally)| std::cmp::Reverse(tally.changed));
        left_out += of_this.len().saturating_sub(GROUPS_MAX) as u64;
        shown.extend(of_this.into_iter().take(GROUPS_MAX).map(|((_, key), tally)| ReplayGroup {
            dimension: dimension.slug().to_string(),
            key: key.clone(),
            replayed: tally.replayed,
            changed: tally.changed,
            lost: tally.lost,
            gained: tally.gained,
        }));
    }
    (shown, left_out)
}

fn fuel(costs: &CostSpread) -> CostSummary {
    CostSummary {
        fuel_p50: costs.fuel(0.5),
        fuel_p99: costs.fuel(0.99),
    }
}

fn time(costs: &CostSpread) -> TimeSummary {
    TimeSummary {
        micros_p50: costs.micros(0.5),
        micros_p99: costs.micros(0.99),
    }
}

/// A difference in words.
pub fn diverged(at: u64, change: Change, before: &Decision, after: &Result<Answer, Fault>, context: &Context) -> Divergence {
    let fault_words = |fault: &Fault| format!("{}: {}", fault.class.slug(), fault.detail);
    Divergence {
        decision: before.id.0,
        at,
        class: change.slug().to_string(),
        class_label: change.label().to_string(),
        before: match before.ruling.declined.first() {
            Some(declined) => format!(
                "{} ({})",
                verdict_words(&before.ruling.verdict, Some(context)),
                fault_words(&declined.fault)
            ),
            None => verdict_words(&before.ruling.verdict, Some(context)),
        },
        after: match after {
            Ok(answer) => verdict_words(&answer.verdict, Some(context)),
            Err(fault) => fault_words(fault),
        },
        before_reasons: reasons(&before.ruling.advice.reasons),
        after_reasons: after.as_ref().map(|answer| reasons(&answer.advice.reasons)).unwrap_or_default(),
    }
}

fn reasons(reasons: &[Reason]) -> Vec<String> {
    let words = |reason: &Reason| match reason.text.is_empty() {
        true => reason.code.clone(),
        false => reason.text.clone(),
    };
    reasons.iter().map(words).collect()
}
