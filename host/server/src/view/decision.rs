//! Rows of the decision list, and a verdict in words.

use crate::wire::{DecisionRow, DeclinedRow, ReasonRow};
use pointsman_model::context::Context;
use pointsman_model::decision::{CurriculumVerdict, Decision, GateVerdict, Reason, RetryVerdict, SelectionVerdict, Subject, Verdict};
use pointsman_model::source::Lane;
use pointsman_model::{Millis, ModelTag, RunId, Seq};

/// Items of a verdict that its summary names; the rest are counted.
const NAMED_MAX: usize = 3;

/// The row of a decision; `context` is what the ledger keeps, so that indexes can be told by name.
pub fn decision_row(seq: Seq, at: Millis, decision: &Decision, context: Option<&[u8]>) -> DecisionRow {
    let context = context.and_then(|bytes| Context::decode(bytes).ok());
    let Decision {
        id,
        kind,
        subject,
        generation,
        context: _,
        scores: _,
        input: _,
        ruling,
    } = decision;
    DecisionRow {
        id: id.0,
        seq: seq.0,
        at,
        kind: kind.slug().to_string(),
        verdict: ruling.verdict.slug().to_string(),
        summary: match ruling.propensity {
            Some(propensity) => format!(
                "{}, drawn with {:.1} %",
                verdict_words(&ruling.verdict, context.as_ref()),
                propensity * 100.0
            ),
            None => verdict_words(&ruling.verdict, context.as_ref()),
        },
        subject: subject_text(subject),
        reasons: ruling.advice.reasons.iter().map(reason_row).collect(),
        policy: ruling.policy.to_string(),
        digest: ruling.policy.digest.to_string(),
        engine: ruling.engine.clone(),
        generation: *generation,
        link: ruling.link.slug().to_string(),
        fuel: ruling.cost.fuel,
        micros: ruling.cost.micros,
        declined: ruling
            .declined
            .iter()
            .map(|declined| DeclinedRow {
                link: declined.link.slug().to_string(),
                policy: declined.policy.to_string(),
                class: declined.fault.class.slug().to_string(),
                detail: declined.fault.detail.clone(),
            })
            .collect(),
    }
}

pub fn subject_text(subject: &Subject) -> String {
    match subject {
        Subject::Selection => "what runs next".to_string(),
        Subject::Run(RunId(run)) => format!("run {run}"),
        Subject::Candidate(ModelTag(tag)) => tag.clone(),
        Subject::Curriculum => "what to practise".to_string(),
    }
}

fn reason_row(reason: &Reason) -> ReasonRow {
    let Reason {
        code,
        feature,
        value,
        threshold,
        margin,
        text,
    } = reason.clone();
    // JSON has no infinity; a number that is not finite is told by the text alone.
    let finite = |number: Option<f64>| number.filter(|number| number.is_finite());
    ReasonRow {
        code,
        text,
        feature,
        value: finite(value),
        threshold: finite(threshold),
        margin: finite(margin),
    }
}

/// A verdict in words; with its context, things are told by name.
pub fn verdict_words(verdict: &Verdict, context: Option<&Context>) -> String {
    match (verdict, context) {
        (Verdict::Selection(SelectionVerdict::Pick(picked)), Some(Context::Selection(context))) => {
            let name = |index: &u32| {
                let candidate = context.candidates.get(*index as usize)?;
                let host = candidate.host.and_then(|host| context.hosts.get(host as usize));
                Some(match host {
                    Some(host) => format!("#{} {host}", candidate.id),
                    None => format!("#{}", candidate.id),
                })
            };
            format!(
                "picks {} of {}",
                list(picked.iter().filter_map(name)),
                context.candidates.len() + context.left_out as usize
            )
        }
        (Verdict::Selection(SelectionVerdict::Pick(picked)), _) => format!("picks {}", count(picked.len(), "source")),
        (Verdict::Selection(SelectionVerdict::Idle), _) => "picks nothing for now".to_string(),
        (Verdict::Retry(verdict), context) => {
            let of = match context {
                Some(Context::Retry(context)) => format!(" (attempt {} of {}, {})", context.attempt, context.budget, context.class.slug()),
                _ => String::new(),
            };
            match verdict {
                RetryVerdict::Retry(after_ms) => format!("tries again in {}{of}", duration(*after_ms)),
                RetryVerdict::MoveLane(Lane::Queue) => format!("moves it to the queue{of}"),
                RetryVerdict::MoveLane(Lane::Curriculum) => format!("moves it to the curriculum{of}"),
                RetryVerdict::Disable => format!("disables the source{of}"),
                RetryVerdict::GiveUp => format!("gives up{of}"),
            }
        }
        (Verdict::Gate(verdict), context) => {
            let stage = match context {
                Some(Context::Gate(context)) => format!("{} after {}", context.stage.slug(), count(context.pairs.len(), "pair")),
                _ => "this stage".to_string(),
            };
            match verdict {
                GateVerdict::Advance => format!("passes {stage}"),
                GateVerdict::NeedMore(n) => format!("wants {n} more: {stage}"),
                GateVerdict::Reject => format!("rejects at {stage}"),
                GateVerdict::Hold => format!("holds for a person at {stage}"),
                GateVerdict::RollBack => format!("rolls back at {stage}"),
            }
        }
        (Verdict::Curriculum(verdict), context) => {
            let host = |index: u32| match context {
                Some(Context::Curriculum(context)) => context.hosts.get(index as usize).cloned(),
                _ => None,
            };
            match verdict {
                CurriculumVerdict::Plant(seeds) => format!(
                    "seeds {}",
                    list(seeds.iter().map(|seed| host(seed.host).unwrap_or_else(|| "a host".into())))
                ),
                CurriculumVerdict::Park(hosts) => format!(
                    "parks {}",
                    list(hosts.iter().map(|index| host(*index).unwrap_or_else(|| "a host".into())))
                ),
                CurriculumVerdict::Nothing => "seeds nothing for now".to_string(),
            }
        }
    }
}

fn list(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    match names.len() {
        0..=NAMED_MAX => names.join(", "),
        n => format!("{} and {} more", names[..NAMED_MAX].join(", "), n - NAMED_MAX),
    }
}

fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

fn duration(ms: u64) -> String {
    match ms {
        0..=999 => format!("{ms} ms"),
        1_000..=59_999 => format!("{:.1} s", ms as f64 / 1e3),
        60_000..=3_599_999 => format!("{:.0} min", ms as f64 / 6e4),
        _ => format!("{:.1} h", ms as f64 / 3.6e6),
    }
}
