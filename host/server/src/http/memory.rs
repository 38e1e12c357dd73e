//! `/api/v1/memory`: what is remembered of outcomes.

use super::body::Query;
use super::overview::{stamp, stamped};
use super::{App, Page};
use crate::memory::Progress;
use crate::problem::ApiError;
use crate::wire::{JobMemory, JobMemoryItem, JobMemorySlot, MemoryAnswer, MemoryRecord, MemoryStatus};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use pointsman_memory::{Found, MemoryError, Status};
use pointsman_model::protocol::{MemoryItem, MemorySlot, RunSpec, SpecMemory};
use pointsman_model::{RunId, Seq};
use pointsman_runner::RunDirectory;
use serde::Deserialize;
use std::path::Path;
use utoipa::IntoParams;

/// Longest question.
const QUESTION_BYTES_MAX: usize = 2_000;
/// Characters of a record's text that a list shows.
const TEXT_CHARS: usize = 400;
/// Largest description of a run that is read back.
const SPEC_BYTES_MAX: u64 = 4 << 20;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Words; records with all of them are found.
    q: Option<String>,
    limit: Option<String>,
}

pub(super) async fn show(State(app): State<App>, Query(asked): Query<Asked>) -> Result<Response, ApiError> {
    let Asked { q, limit } = asked;
    let page = Page::parse(limit.as_deref(), None)?;
    if q.as_ref().is_some_and(|q| q.len() > QUESTION_BYTES_MAX) {
        return Err(
            ApiError::bad_request("bad_question", "the question is too long").field("/q", format!("at most {QUESTION_BYTES_MAX} bytes"))
        );
    }
    answer(app, q, page.limit).await
}

pub(super) async fn rebuild(State(app): State<App>) -> Result<Response, ApiError> {
    app.memory.ask_to_rebuild();
    answer(app, None, 0).await
}

async fn answer(app: App, q: Option<String>, limit: u32) -> Result<Response, ApiError> {
    let committed = app.inbox.look(|state| state.totals.outcomes).await?;
    let asked = app.clone();
    let read = tokio::task::spawn_blocking(move || (asked.memory.progress(), asked.memory.search(q.as_deref(), limit)));
    let (progress, found) = match read.await {
        Ok(read) => read,
        Err(error) => return Err(ApiError::internal("asking the learning memory", error)),
    };
    let found = match found {
        Some(Ok(found)) => found,
        None => Vec::new(),
        Some(Err(MemoryError::NoWords(error))) => {
            return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_question", error.to_string())
                .field("/q", "at least one letter or digit")
                .fix("leave q out for the newest records"));
        }
        Some(Err(error)) => return Err(ApiError::internal("asking the learning memory", error)),
    };
    let status = status(progress, committed, app.memory.is_being_rebuilt());
    let records: Vec<MemoryRecord> = found.into_iter().map(record).collect();
    let view = stamp(Seq(app.hub.latest().seq), &(&status, &records));
    let answer = MemoryAnswer { view, status, records };
    Ok(stamped(&answer.view.fingerprint.clone(), Json(answer)))
}

pub(super) fn status(progress: Progress, committed: u64, is_rebuilding: bool) -> MemoryStatus {
    let Progress {
        status,
        problem,
        anew,
    } = progress;
    let is_open = status.is_some();
    let Status {
        seq,
        outcomes,
        successes,
        failures,
        ingested_30m,
        latest,
        bytes,
    } = status.unwrap_or_default();
    let backlog = committed.saturating_sub(outcomes);
    let (state, label) = match (&problem, is_rebuilding, is_open, backlog) {
        (Some(_), _, _, _) => ("failing", "Failing"),
        (None, true, _, _) => ("rebuilding", "Built anew"),
        (None, false, false, _) => ("starting", "Starting"),
        (None, false, true, 0) => ("ready", "All is ingested"),
        (None, false, true, _) => ("catching_up", "Catching up"),
    };
    MemoryStatus {
        state: state.to_string(),
        state_label: label.to_string(),
        problem,
        rebuilt_because: anew,
        cursor: seq,
        outcomes,
        successes,
        failures,
        backlog,
        ingested_30m,
        latest_run: latest.as_ref().map(|latest| latest.run),
        latest_at: latest.map(|latest| latest.at),
        bytes,
    }
}

fn record(found: Found) -> MemoryRecord {
    let Found {
        run,
        source,
        attempt: _,
        at,
        success,
        host,
        title,
        summary,
        body,
    } = found;
    MemoryRecord {
        run,
        source,
        title,
        host,
        success,
        summary,
        text: body.chars().take(TEXT_CHARS).collect(),
        at,
    }
}

/// What a run was given, from the description that its trainer was handed: none where that is not kept, or says nothing.
pub(super) fn given(data: &Path, run: RunId) -> Option<JobMemory> {
    let path = RunDirectory::of(data, run).spec();
    if std::fs::metadata(&path).ok()?.len() > SPEC_BYTES_MAX {
        return None;
    }
    let spec: RunSpec = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
    let SpecMemory { slots, gaps } = spec.memory?;
    let filled = slots.iter().filter(|slot| !slot.items.is_empty()).count();
    Some(JobMemory {
        items: slots.iter().map(|slot| slot.items.len() as u64).sum(),
        coverage_percent: crate::view::percent(filled as u64, slots.len() as u64),
        slots: slots.into_iter().map(slot).collect(),
        gaps,
    })
}

fn slot(slot: MemorySlot) -> JobMemorySlot {
    let MemorySlot {
        slot,
        budget_chars,
        used_chars,
        items,
    } = slot;
    let label = match slot.as_str() {
        pointsman_memory::SAME_HOST => "Successes of the same host",
        pointsman_memory::SIMILAR => "Successes about the like",
        pointsman_memory::FAILURES => "Failures of this source",
        other => other,
    };
    JobMemorySlot {
        label: label.to_string(),
        budget_chars,
        used_chars,
        items: items.into_iter().map(item).collect(),
        slot,
    }
}

fn item(item: MemoryItem) -> JobMemoryItem {
    let MemoryItem {
        run,
        source,
        title,
        host,
        success,
        summary,
        text,
        cut,
    } = item;
    JobMemoryItem {
        run,
        source,
        title,
        host,
        success,
        summary,
        text_chars: text.chars().count() as u64,
        cut,
    }
}
