//! Whether all is well: health, live snapshot, improvement since a baseline, the pipeline. Each fact is derived once, here or
//! in the view, whoever shows it.

use super::body::Query;
use super::promotion::{Attempts, PolicyFault};
use super::{App, fresh, query};
use crate::clock::now_ms;
use crate::health::STALE_AFTER_MS;
use crate::problem::ApiError;
use crate::view;
use crate::wire::{
    Coverage, Cycle, Evidence, HealthPart, HealthReport, Heartbeat, LiveSnapshot, OldestPending, PipelineStage, PipelineStrip, Provenance,
    RecentOutcomes, ViewStamp,
};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::ETAG;
use axum::response::{IntoResponse, Response};
use pointsman_coordinator::{RECENT_OUTCOMES_MAX, State as Known};
use pointsman_journal::{Reader, RunFilter, RunRow, SINCE_MAX};
use pointsman_model::promotion::CandidateStage;
use pointsman_model::run::{RunClass, RunStatus};
use pointsman_model::source::Lane;
use pointsman_model::{RunId, Seq};
use pointsman_runner::{RunDirectory, heartbeat_age};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Duration;
use utoipa::IntoParams;

/// How long one of these views may be shown before it is read again.
const TTL_MS: u64 = 5_000;
/// A loop that does not answer for so long is not waited for: that is what health has to tell.
const LOOK_WITHIN: Duration = Duration::from_secs(2);
/// A run that was planned and has not begun for so long waits for something that does not come.
const PLANNED_LATE_MS: u64 = 60_000;
/// A run whose supervisor gives no sign of life for so long hangs.
const RUN_SILENT: Duration = Duration::from_secs(60);

pub(super) async fn health(State(app): State<App>) -> Response {
    let report = report(&app).await;
    stamped(&report.view.fingerprint.clone(), Json(report))
}

pub(super) async fn snapshot(State(app): State<App>) -> Result<Response, ApiError> {
    let health = report(&app).await;
    let facts = app.inbox.look(Facts::of).await?;
    let data = app.data.clone();
    let past = query(&app, "reading the recent past", move |reader| Past::read(reader, &data)).await?;
    let heartbeat = heartbeat(&app);
    let mut snapshot = LiveSnapshot {
        last_updated: facts.last_at,
        promotion: facts.window.state.clone(),
        promotion_label: facts.window.state_label.clone(),
        latest_cycle: past.cycle.as_ref().map(cycle),
        successes: facts.successes,
        next_eval_due: facts.window.watermark + facts.window.size,
        evaluation: past.attempts.evaluation(facts.stage.as_ref(), now_ms()),
        last_error: past.attempts.last_error(&app, facts.fault.as_ref()),
        oldest_pending: facts.oldest,
        trace_coverage: past.coverage,
        recent: facts.recent,
        pipeline: facts.pipeline,
        view: stamp(past.seq, &()),
        health,
        heartbeat,
    };
    // What moves with the clock alone is not content.
    let content = (
        (
            &snapshot.promotion,
            &snapshot.latest_cycle,
            snapshot.successes,
            snapshot.next_eval_due,
        ),
        (
            &snapshot.evaluation,
            &snapshot.last_error,
            &snapshot.trace_coverage,
            &snapshot.recent,
        ),
        (&snapshot.pipeline, &snapshot.health.components, snapshot.heartbeat.stale),
        snapshot.oldest_pending.as_ref().map(|oldest| oldest.source),
    );
    snapshot.view = stamp(past.seq, &content);
    Ok(stamped(&snapshot.view.fingerprint.clone(), Json(snapshot)))
}

pub(super) async fn pipeline(State(app): State<App>) -> Result<Response, ApiError> {
    let stages = app.inbox.look(view::strip).await?;
    let seq = query(&app, "reading the journal's end", |reader| reader.last_seq()).await?;
    let view = stamp(seq, &stages);
    Ok(stamped(&view.fingerprint.clone(), Json(PipelineStrip { view, stages })))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Since {
    /// A position of the journal, such as the seq of a view that was read before; 0 for everything.
    since: u64,
}

pub(super) async fn evidence(State(app): State<App>, Query(Since { since }): Query<Since>) -> Result<Response, ApiError> {
    let found = query(&app, "counting what was gained", move |reader| {
        let last = reader.last_seq()?;
        if since > last.0 || last.0 - since > SINCE_MAX {
            return Ok((last, None));
        }
        Ok((last, Some((reader.at(Seq(since))?, reader.gained_since(Seq(since))?))))
    });
    let (last, found) = found.await?;
    let Some((baseline_at, gained)) = found else {
        let error = ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "bad_since",
            "this baseline cannot be counted from",
        );
        return Err(if since > last.0 {
            error.field("/since", format!("the journal ends at {}", last.0))
        } else {
            error.field(
                "/since",
                format!("at least {}: {SINCE_MAX} entries are counted at most", last.0 - SINCE_MAX),
            )
        });
    };
    let counted = |field: &str, counted: &str| Provenance {
        field: field.to_string(),
        counted: counted.to_string(),
    };
    let mut evidence = Evidence {
        since,
        baseline_at,
        outcomes_gained: gained.outcomes,
        successes_gained: gained.successes,
        live_applies_gained: gained.live_applies,
        rolled_back_gained: gained.rolled_back,
        queue_consumed: gained.queue_consumed,
        decisions_gained: gained.decisions,
        last_model_switch: gained.last_switch,
        provenance: vec![
            counted("outcomes_gained", "run_finished of training runs, completed or failed"),
            counted("successes_gained", "run_finished of training runs, completed"),
            counted("live_applies_gained", "model_applied"),
            counted("rolled_back_gained", "model_rolled_back"),
            counted(
                "queue_consumed",
                "run_finished, completed, and source_given_up, of sources of the operators' queue",
            ),
            counted("decisions_gained", "decided"),
            counted("last_model_switch", "model_bootstrapped, model_applied, model_rolled_back"),
        ],
        view: stamp(last, &()),
    };
    evidence.view = stamp(last, &(since, &gained));
    Ok(stamped(&evidence.view.fingerprint.clone(), Json(evidence)))
}

/// The roll-up: one derivation, for the API and the metrics.
pub(super) async fn report(app: &App) -> HealthReport {
    let heartbeat = heartbeat(app);
    let looked = tokio::time::timeout(LOOK_WITHIN, app.inbox.look(Facts::of)).await;
    let facts = match looked {
        Ok(Ok(facts)) => Some(facts),
        Ok(Err(_)) | Err(_) => None,
    };
    let part = |slug: &str, label: &str, (status, text, fix): (&str, String, Option<&str>)| HealthPart {
        slug: slug.to_string(),
        label: label.to_string(),
        status: status.to_string(),
        text,
        fix: fix.map(str::to_string),
    };
    let components = vec![
        part("worker", "Worker", worker(app, facts.as_ref())),
        part("scheduler", "Scheduler", scheduler(facts.as_ref(), &heartbeat)),
        part("model_server", "Model server", model_server(app, facts.as_ref())),
        part("journal", "Journal", journal(app)),
    ];
    let has = |status: &str| components.iter().any(|part| part.status == status);
    let (status, label) = if has("down") {
        ("down", "Down")
    } else if has("degraded") {
        ("degraded", "Degraded")
    } else {
        ("ok", "All is well")
    };
    let queue_depth = facts.as_ref().map_or(0, |facts| facts.waiting);
    HealthReport {
        view: stamp(Seq(app.hub.latest().seq), &(&components, queue_depth)),
        status: status.to_string(),
        status_label: label.to_string(),
        queue_depth,
        components,
    }
}

type Finding = (&'static str, String, Option<&'static str>);

fn worker(app: &App, facts: Option<&Facts>) -> Finding {
    let Some(facts) = facts else {
        return (
            "down",
            "Nothing is known of the runs: the loop does not answer.".to_string(),
            Some("See the host's log."),
        );
    };
    let now = now_ms();
    if let Some((run, planned_at)) = facts.planned.first().filter(|(_, at)| now.saturating_sub(*at) > PLANNED_LATE_MS) {
        return (
            "degraded",
            format!("Run {run} has waited {} s to be started.", now.saturating_sub(*planned_at) / 1000),
            Some("See the host's log: a supervisor could not be started."),
        );
    }
    let silent = facts
        .started
        .iter()
        .find(|run| heartbeat_age(&app.data, **run).is_some_and(|age| age > RUN_SILENT));
    match (silent, facts.started.len()) {
        (Some(run), _) => (
            "degraded",
            format!("The supervisor of run {run} gives no sign of life."),
            Some("`pointsman cancel` ends a run with all its processes."),
        ),
        (None, 0) => ("idle", "No run is under way.".to_string(), None),
        (None, 1) => ("ok", "1 run is under way.".to_string(), None),
        (None, runs) => ("ok", format!("{runs} runs are under way."), None),
    }
}

fn scheduler(facts: Option<&Facts>, heartbeat: &Heartbeat) -> Finding {
    let Some(facts) = facts.filter(|_| !heartbeat.stale) else {
        return (
            "down",
            "The coordinator's loop does not turn: nothing is decided.".to_string(),
            Some("See the host's log; `pointsman up` starts it again, and runs under way go on."),
        );
    };
    match facts.enabled {
        true => ("ok", "Training is on: sources are picked as there is room.".to_string(), None),
        false => ("idle", "Training is off: nothing new is picked.".to_string(), None),
    }
}

fn model_server(app: &App, facts: Option<&Facts>) -> Finding {
    let status = app.standard.status();
    match (status.problem, status.answering) {
        (Some(problem), Some(model)) => (
            "degraded",
            format!("{model} answers, but: {problem}."),
            Some("`pointsman models rollback` brings the model before back."),
        ),
        (Some(problem), None) => (
            "down",
            format!("No model answers: {problem}."),
            Some("`pointsman models rollback` brings the model before back."),
        ),
        (None, Some(model)) => ("ok", format!("{model} answers requests."), None),
        (None, None) => match facts.is_some_and(|facts| facts.has_model) {
            true => ("degraded", "The model is being loaded.".to_string(), None),
            false => (
                "idle",
                "There is no model yet.".to_string(),
                Some("`pointsman train start` makes the first one."),
            ),
        },
    }
}

fn journal(app: &App) -> Finding {
    match app.health.trouble() {
        None => ("ok", "Every entry is on disk before it is told.".to_string(), None),
        Some(reason) => (
            "down",
            format!("It cannot be written, so nothing can be changed: {reason}."),
            Some("Free space on the disk of the data directory; the host goes on by itself."),
        ),
    }
}

pub(super) fn heartbeat(app: &App) -> Heartbeat {
    let at = app.health.beat_at();
    let age_ms = at.map(|at| now_ms().saturating_sub(at));
    Heartbeat {
        at,
        age_ms,
        stale_after_ms: STALE_AFTER_MS,
        stale: age_ms.is_some_and(|age| age > STALE_AFTER_MS),
    }
}

/// What the state tells, taken in one look.
struct Facts {
    last_at: u64,
    enabled: bool,
    has_model: bool,
    waiting: u64,
    successes: u64,
    window: crate::wire::Window,
    recent: RecentOutcomes,
    pipeline: Vec<PipelineStage>,
    oldest: Option<OldestPending>,
    /// Runs that are planned and not begun, oldest first, and those under way.
    planned: Vec<(RunId, u64)>,
    started: Vec<RunId>,
    stage: Option<CandidateStage>,
    fault: Option<PolicyFault>,
}

impl Facts {
    fn of(state: &Known) -> Facts {
        let now = now_ms();
        let oldest = [Lane::Queue, Lane::Curriculum]
            .into_iter()
            .filter_map(|lane| state.index.oldest(lane))
            .min();
        let oldest = oldest.and_then(|id| state.sources.get(&id)).map(|source| OldestPending {
            source: source.id.0,
            title: source.title.clone(),
            queued_at: source.queued_at,
            age_ms: now.saturating_sub(source.queued_at),
        });
        Facts {
            last_at: state.last_at,
            enabled: state.training.enabled,
            has_model: state.active.is_some(),
            waiting: u64::from(state.index.pending(Lane::Queue)) + u64::from(state.index.pending(Lane::Curriculum)),
            successes: state.totals.successes,
            window: view::window(state),
            recent: view::recent(state),
            pipeline: view::strip(state),
            oldest,
            planned: state
                .runs
                .iter()
                .filter(|(_, run)| run.started_at.is_none())
                .map(|(id, run)| (*id, run.planned_at))
                .collect(),
            started: state
                .runs
                .iter()
                .filter(|(_, run)| run.started_at.is_some())
                .map(|(id, _)| *id)
                .collect(),
            stage: state.candidate.as_ref().map(|candidate| candidate.stage.clone()),
            fault: PolicyFault::latest(state),
        }
    }
}

/// What the journal tells.
struct Past {
    seq: Seq,
    cycle: Option<RunRow>,
    attempts: Attempts,
    coverage: Coverage,
}

impl Past {
    fn read(reader: &Reader, data: &Path) -> Result<Past, pointsman_journal::ReadError> {
        let mut recent = reader.runs(&RunFilter {
            class: Some(RunClass::Training),
            limit: RECENT_OUTCOMES_MAX as u32,
            ..RunFilter::default()
        })?;
        // The first model is made by a run of its own, which has no source and no outcome.
        recent.retain(|run| run.source.is_some());
        let (mut with_trace, mut outcomes) = (0, 0);
        for run in recent
            .iter()
            .filter(|run| matches!(run.status, RunStatus::Completed | RunStatus::Failed))
        {
            let directory = RunDirectory::of(data, run.id);
            let is_usable = |path: &Path| std::fs::metadata(path).is_ok_and(|file| file.len() > 0);
            outcomes += 1;
            with_trace += u64::from(is_usable(&directory.samples()) || is_usable(&directory.events()));
        }
        Ok(Past {
            seq: reader.last_seq()?,
            cycle: recent.into_iter().next(),
            attempts: Attempts::read(reader)?,
            coverage: Coverage {
                with_trace,
                outcomes,
                percent: view::percent(with_trace, outcomes),
            },
        })
    }
}

fn cycle(run: &RunRow) -> Cycle {
    Cycle {
        run: run.id.0,
        source: run.source.map(|source| source.0),
        title: run.title.clone(),
        status_slug: run.status.slug().to_string(),
        status_label: run.status_label.clone(),
        terminal: run.finished_at.is_some(),
        at: run.finished_at.or(run.started_at).unwrap_or(run.planned_at),
    }
}

pub(super) fn stamp(seq: Seq, content: &impl Serialize) -> ViewStamp {
    ViewStamp {
        fingerprint: fresh::fingerprint(&serde_json::to_vec(content).unwrap_or_default()),
        seq: seq.0,
        generated_at: now_ms(),
        age_ms: 0,
        ttl_ms: TTL_MS,
    }
}

pub(super) fn stamped(fingerprint: &str, body: impl IntoResponse) -> Response {
    ([(ETAG, format!("\"{fingerprint}\""))], body).into_response()
}
