//! The replay gate: what a version would have decided on the journal's latest decisions, within declared budgets.
//!
//! The comparing itself is [`pointsman_sim::replay`]; here are its input from the journal and its words for people.

use crate::view::verdict_words;
use crate::wire::{self, CostSummary, Counted, Divergence};
use pointsman_coordinator::Guards;
use pointsman_journal::{DecisionFilter, ReadError, Reader};
use pointsman_model::DecisionId;
use pointsman_model::context::Context;
use pointsman_model::decision::{Answer, Decision};
use pointsman_model::policy::{Fault, FaultClass, PolicyDescription, PolicyKind};
use pointsman_policy::{Checked, Engines, Library};
use pointsman_sim::replay::{Budgets, Change, CostSpread, FirstDivergence, RecordedDecision, Replay, Report};
use std::collections::{BTreeMap, BTreeSet};

/// Most decisions of one replay.
pub const LAST_MAX: u32 = 100_000;
/// Rows that are read at a time.
const PAGE: u32 = 1_000;
/// Versions whose state is known to be readable.
const VERSIONS_MAX: u32 = 1_000;

/// Budgets as they were declared, checked: the error names the field and what may stand there.
pub fn budgets(declared: &wire::ReplayBudgets) -> Result<Budgets, (&'static str, String)> {
    let wire::ReplayBudgets {
        last,
        changed_share_max,
        new_errors_max,
        fuel_factor_max,
        forbidden,
    } = declared;
    if *last > LAST_MAX {
        return Err(("last", format!("{last} is more than {LAST_MAX} decisions")));
    }
    if let Some(share) = changed_share_max
        && !(0.0..=1.0).contains(share)
    {
        return Err(("changed_share_max", format!("{share} is no share between 0 and 1")));
    }
    if let Some(factor) = fuel_factor_max
        && !(*factor > 0.0 && factor.is_finite())
    {
        return Err(("fuel_factor_max", format!("{factor} is not above 0")));
    }
    let forbidden = forbidden
        .iter()
        .map(|slug| {
            Change::parse(slug).ok_or_else(|| {
                let known: Vec<&str> = Change::all().map(Change::slug).collect();
                (
                    "forbidden",
                    format!("'{slug}' is no class of change; there are {}", known.join(", ")),
                )
            })
        })
        .collect::<Result<Vec<Change>, _>>()?;
    Ok(Budgets {
        changed_share_max: *changed_share_max,
        new_errors_max: *new_errors_max,
        fuel_factor_max: *fuel_factor_max,
        forbidden,
    })
}

/// What is asked of a replay beside the version.
pub struct Question<'q> {
    pub declared: &'q wire::ReplayBudgets,
    pub budgets: &'q Budgets,
    pub guards: Guards,
}

/// Asks a checked version about the latest recorded decisions of its kind. Nothing live is touched: the version is asked
/// in a library of its own. `on_progress` is told how far it is, and ends the replay by answering false.
pub fn replay(
    reader: &Reader,
    checked: &Checked,
    question: &Question<'_>,
    on_progress: &mut dyn FnMut(u32, u32) -> bool,
) -> Result<wire::ReplayReport, ReadError> {
    let description = &checked.description;
    let ids = latest(reader, description.kind, question.declared.last)?;
    let total = u32::try_from(ids.len()).unwrap_or(u32::MAX);
    let mut engines = engines_of(checked);
    let mut replay = Replay::new(description, reads_state_of(reader, description)?);
    for (done, id) in (0..).zip(ids) {
        if !on_progress(done, total) {
            break;
        }
        let Some(record) = reader.decision(id)? else { continue };
        let recorded = RecordedDecision {
            at: record.at,
            decision: record.decision,
            context: record.recording.map(|recording| recording.context),
        };
        let guards = question.guards;
        replay.feed(&mut engines, &recorded, &mut |context, answer| guarded(guards, context, answer));
    }
    on_progress(total, total);
    Ok(told(description, &replay.into_report(), question))
}

/// Engines over a library that holds this version alone.
pub fn engines_of(checked: &Checked) -> Engines {
    let library = Library::new();
    library.install(checked.clone());
    Engines::new(library)
}

/// What the operators' guards say to an answer.
pub fn guarded(guards: Guards, context: &Context, answer: &Answer) -> Result<(), Fault> {
    guards.check(context, &answer.verdict).map_err(|violation| Fault {
        class: FaultClass::Guard,
        detail: violation.to_string(),
        cost: answer.cost,
    })
}

/// The latest decisions of a kind, oldest first.
fn latest(reader: &Reader, kind: PolicyKind, last: u32) -> Result<Vec<DecisionId>, ReadError> {
    let mut ids: Vec<DecisionId> = Vec::new();
    while (ids.len() as u32) < last {
        let filter = DecisionFilter {
            kind: Some(kind),
            before: ids.last().copied(),
            limit: PAGE.min(last - ids.len() as u32),
            ..DecisionFilter::default()
        };
        let rows = reader.decisions(&filter)?;
        if rows.is_empty() {
            break;
        }
        ids.extend(rows.iter().map(|row| row.id));
    }
    ids.reverse();
    Ok(ids)
}

/// Recorded versions whose state a version can read as it is: those of its own name with its own state version.
fn reads_state_of(reader: &Reader, description: &PolicyDescription) -> Result<BTreeSet<pointsman_model::Digest>, ReadError> {
    let versions = reader.policy_versions(Some(description.kind), VERSIONS_MAX)?;
    Ok(versions
        .into_iter()
        .map(|row| row.description)
        .filter(|known| known.policy.name == description.policy.name && known.state_version == description.state_version)
        .map(|known| known.policy.digest)
        .collect())
}

fn told(description: &PolicyDescription, report: &Report, question: &Question<'_>) -> wire::ReplayReport {
    wire::ReplayReport {
        kind: description.kind.slug().to_string(),
        policy: description.policy.to_string(),
        digest: description.policy.digest.to_string(),
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
        classes: counted(&report.classes),
        new_errors: report.new_errors(),
        errors_gone: report.errors_gone(),
        before: spread(&report.before),
        after: spread(&report.after),
        first_divergence: report.first_divergence.as_ref().map(first),
        budgets: question.declared.clone(),
        broken: question.budgets.broken(report),
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

fn spread(costs: &CostSpread) -> CostSummary {
    CostSummary {
        fuel_p50: costs.fuel(0.5),
        fuel_p99: costs.fuel(0.99),
        micros_p50: costs.micros(0.5),
        micros_p99: costs.micros(0.99),
    }
}

fn first(divergence: &FirstDivergence) -> Divergence {
    let FirstDivergence {
        decision,
        at,
        change,
        before,
        after,
        context,
    } = divergence;
    debug_assert_eq!(*decision, before.id);
    diverged(*at, *change, before, after, context)
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
    }
}
