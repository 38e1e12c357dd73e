//! `/api/v1/queue`: the headline of queue and lanes, the lock, and `/api/v1/sources/next`: what would be picked.

use super::body::{Body, OptionalBody, Query};
use super::policies::blocking;
use super::{App, ReasonBody, actor, query, reason, send};
use crate::clock::now_ms;
use crate::problem::ApiError;
use crate::view;
use crate::wire::{Done, Excluded, NextCandidate, NextPick, OutcomeStorage, QueueSummary, ScoreTerm, WhyNot};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use pointsman_coordinator::{Excluded as Rule, Preview, PreviewAnswer, Previewed, SelectionMode, chances};
use pointsman_model::command::Command;
use pointsman_model::decision::{SelectionVerdict, Verdict};
use pointsman_model::source::LockKey;
use pointsman_model::{Seq, SourceId};
use pointsman_policy::Engines;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub(super) async fn summary(State(app): State<App>) -> Result<Json<QueueSummary>, ApiError> {
    let at = now_ms();
    let (queue, capacity, outcomes) = app
        .inbox
        .look(move |state| (view::queue_card(state, at), view::capacity(state), state.totals.outcomes))
        .await?;
    let (entries, bytes) = query(&app, "reading the journal", |reader| {
        let entries = reader.last_seq()?;
        let bytes = std::fs::metadata(reader.path()).map_or(0, |file| file.len());
        Ok((entries, bytes))
    })
    .await?;
    let trouble = app.health.trouble();
    Ok(Json(QueueSummary {
        at,
        queue,
        capacity,
        outcomes: OutcomeStorage {
            status: if trouble.is_some() { "read_only" } else { "ok" }.to_string(),
            outcomes,
            entries: entries.0,
            bytes,
        },
        alerts: app.hub.latest().alerts,
    }))
}

/// Body of `POST /api/v1/queue/lock`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LockBody {
    /// host or campaign
    #[schema(value_type = String)]
    key: LockKey,
    value: String,
    #[serde(default)]
    reason: String,
}

pub(super) async fn lock(State(app): State<App>, headers: HeaderMap, Body(body): Body<LockBody>) -> Result<Json<Done>, ApiError> {
    let LockBody { key, value, reason } = body;
    let actor = actor(&headers)?;
    send(&app.inbox, Command::TakeLock { key, value, actor, reason }).await?;
    Ok(Json(Done::default()))
}

pub(super) async fn unlock(
    State(app): State<App>,
    headers: HeaderMap,
    OptionalBody(body): OptionalBody<ReasonBody>,
) -> Result<Json<Done>, ApiError> {
    let (actor, reason) = (actor(&headers)?, reason(body)?);
    send(&app.inbox, Command::ReleaseLock { actor, reason }).await?;
    Ok(Json(Done::default()))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct About {
    /// Why this one, or why not.
    source: Option<String>,
}

/// The question is made between two steps of the host and asked on a thread of its own: nobody waits for a preview.
pub(super) async fn next(State(app): State<App>, Query(about): Query<About>) -> Result<Json<NextPick>, ApiError> {
    let about = about.source.map(|text| super::id(&text, "source").map(SourceId)).transpose()?;
    let at = now_ms();
    let preview = app
        .inbox
        .look(move |state| Preview::of(state, at.max(state.last_at), about))
        .await?;
    let library = app.policies.library_for_preview();
    let previewed = blocking(move || preview.ask(&mut Engines::new(library))).await?;
    Ok(Json(next_pick(at, previewed)))
}

fn next_pick(at: u64, previewed: Previewed) -> NextPick {
    let Previewed {
        answer,
        holds,
        excluded,
        about,
    } = previewed;
    let rows = |rules: Vec<Rule>| rules.into_iter().map(rule).collect::<Vec<_>>();
    let mut next = NextPick {
        at,
        selection_mode: SelectionMode::None.slug().to_string(),
        now: false,
        holds: rows(holds),
        picks: Vec::new(),
        others: Vec::new(),
        left_out: 0,
        excluded: rows(excluded),
        decision: None,
        about: None,
        sentence: String::new(),
    };
    if let Some(answer) = answer {
        take_answer(&mut next, at, &answer);
    }
    next.about = about.map(|(id, reasons)| {
        let picked = next.picks.iter().any(|row| row.source == id.0);
        let other = next.others.iter().find(|row| row.source == id.0);
        let mut reasons = rows(reasons);
        reasons.extend(other.map(|row| not_picked(row, &next)));
        WhyNot {
            source: id.0,
            picked,
            candidate: picked || other.is_some(),
            reasons,
        }
    });
    next.now = next.holds.is_empty() && !next.picks.is_empty();
    next.sentence = sentence(&next);
    next
}

fn take_answer(next: &mut NextPick, at: u64, answer: &PreviewAnswer) {
    let PreviewAnswer {
        context,
        titles,
        decision,
        scores,
    } = answer;
    let picked: &[u32] = match &decision.ruling.verdict {
        Verdict::Selection(SelectionVerdict::Pick(picked)) => picked,
        _ => &[],
    };
    let distribution = &decision.ruling.advice.distribution;
    let drawn = (!distribution.is_empty()).then(|| chances(context, &decision.ruling.verdict, distribution));
    let row = |index: usize| {
        let candidate = &context.candidates[index];
        let name = |table: &[String], at: Option<u32>| at.and_then(|at| table.get(at as usize).cloned());
        let width = scores.as_ref().map_or(0, |scores| scores.term_names.len());
        let terms = scores.iter().flat_map(|scores| {
            let values = scores.terms.get(index * width..(index + 1) * width).unwrap_or_default();
            scores.term_names.iter().zip(values).map(|(name, value)| ScoreTerm {
                name: name.clone(),
                value: *value,
            })
        });
        let blocked = scores.iter().flat_map(|scores| {
            let of_it = scores.blocked.iter().filter(|block| block.candidate as usize == index);
            of_it.filter_map(|block| scores.rules.get(block.rule as usize).cloned())
        });
        NextCandidate {
            source: candidate.id,
            title: titles.get(index).cloned().unwrap_or_default(),
            host: name(&context.hosts, candidate.host),
            lane: candidate.lane.slug().to_string(),
            origin: candidate.origin.slug().to_string(),
            campaign: name(&context.campaigns, candidate.campaign),
            age_s: candidate.age_s,
            attempts: candidate.attempts,
            priority: candidate.priority,
            score: scores.as_ref().and_then(|scores| scores.totals.get(index).copied()),
            terms: terms.collect(),
            blocked: blocked.collect(),
            chance: drawn.as_ref().and_then(|drawn| drawn.get(index).copied()),
        }
    };
    next.picks = picked.iter().map(|index| row(*index as usize)).collect();
    let others = (0..context.candidates.len()).filter(|index| !picked.contains(&(*index as u32)));
    next.others = others.map(row).collect();
    next.left_out = context.left_out;
    let lane = picked.first().map(|index| context.candidates[*index as usize].lane);
    next.selection_mode = SelectionMode::of(lane).slug().to_string();
    let bytes = pointsman_model::context::Context::Selection(context.clone()).bytes();
    next.decision = Some(view::decision_row(Seq(0), at, decision, Some(&bytes)));
}

fn rule(rule: Rule) -> Excluded {
    let Rule { code, sources, text, fix } = rule;
    Excluded {
        code: code.to_string(),
        sources,
        text,
        fix,
    }
}

/// A candidate that the policy knew of and did not take.
fn not_picked(row: &NextCandidate, next: &NextPick) -> Excluded {
    let blocked = row.blocked.join(", ");
    let best = next.picks.first();
    let text = match (blocked.is_empty(), row.score, best.and_then(|best| best.score)) {
        (false, ..) => format!("The policy's rules kept it out: {blocked}."),
        (true, Some(score), Some(other)) => format!(
            "The policy scored it {score:.4}, and {other:.4} source {}, which it picks first.",
            best.map_or(0, |best| best.source)
        ),
        (true, ..) => match best {
            Some(best) => format!("The policy was asked about it and picks source {} first.", best.source),
            None => "The policy was asked about it and picks nothing.".to_string(),
        },
    };
    Excluded {
        code: if blocked.is_empty() { "not_first" } else { "blocked" }.to_string(),
        sources: Some(1),
        text,
        fix: None,
    }
}

fn sentence(next: &NextPick) -> String {
    let what = match next.picks.as_slice() {
        [] if next.decision.is_some() => "The policy picks nothing for now".to_string(),
        [] => match next.excluded.first() {
            Some(rule) => format!("Nothing is eligible: {}", rule.text.trim_end_matches('.')),
            None => "Nothing is pending".to_string(),
        },
        [first] => format!("Next comes source {}, '{}'", first.source, first.title),
        [first, rest @ ..] => format!("Next come source {}, '{}', and {} more", first.source, first.title, rest.len()),
    };
    match next.holds.first() {
        Some(hold) if !next.picks.is_empty() => format!("{what}, but not yet: {}", hold.text),
        Some(hold) => format!("{what}. {}", hold.text),
        None => format!("{what}."),
    }
}
