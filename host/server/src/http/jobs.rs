//! `/api/v1/jobs`: runs, their curves and their output.

use super::body::{OptionalBody, Query};
use super::{App, Page, ReasonBody, actor, id, query, reason, send};
use crate::problem::ApiError;
use crate::view::class_slug;
use crate::wire::{Done, JobDetail, JobList, JobMemory, JobRow, Point};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use pointsman_journal::{RunFilter, RunRow};
use pointsman_model::command::Command;
use pointsman_model::run::{RunClass, RunStatus};
use pointsman_model::{ModelTag, RunId, SourceId};
use pointsman_runner::LOG_READ_MAX;
use serde::Deserialize;
use utoipa::IntoParams;

/// Lines of output that a job's page shows.
const LOG_LINES: usize = 200;
const LOG_TAIL_BYTES: usize = 256 << 10;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// queued, warming, running, completed, failed or cancelled.
    status: Option<String>,
    /// training, eval, canary or manual.
    class: Option<String>,
    /// Number of the source.
    source: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

pub(super) async fn list(State(app): State<App>, Query(filter): Query<Filter>) -> Result<Json<JobList>, ApiError> {
    let Filter {
        status,
        class,
        source,
        limit,
        cursor,
    } = filter;
    let page = Page::parse(limit.as_deref(), cursor.as_deref())?;
    let status: Option<RunStatus> = super::word(
        "status",
        status.as_deref(),
        "queued, warming, running, completed, failed or cancelled",
    )?;
    let class: Option<RunClass> = super::word("class", class.as_deref(), "training, eval, canary or manual")?;
    let source = source.map(|text| id(&text, "source")).transpose()?.map(SourceId);
    let among = match status {
        Some(RunStatus::Queued | RunStatus::Warming | RunStatus::Running) => {
            Some(app.inbox.look(|state| state.runs.keys().copied().collect()).await?)
        }
        Some(RunStatus::Completed | RunStatus::Failed | RunStatus::Cancelled) | None => None,
    };
    let rows = query(&app, "listing runs", move |reader| {
        reader.runs(&RunFilter {
            status,
            among,
            class,
            source,
            before: page.before.map(RunId),
            limit: page.limit,
        })
    })
    .await?;
    let next_cursor = super::next_cursor(&rows, page, |row| row.id.0);
    Ok(Json(JobList {
        jobs: live(&app, rows.into_iter().map(job_row).collect()),
        next_cursor,
    }))
}

pub(super) async fn show(State(app): State<App>, Path(path): Path<String>) -> Result<Json<JobDetail>, ApiError> {
    let run = RunId(id(&path, "job")?);
    let row = find(&app, run).await?;
    let data = app.data.clone();
    let read = tokio::task::spawn_blocking(move || {
        let samples = pointsman_runner::read_samples(&data, run)?;
        let log = pointsman_runner::read_log_end(&data, run, LOG_TAIL_BYTES)?.bytes;
        let memory = super::memory::given(&data, run);
        Ok::<_, std::io::Error>((samples, log, memory, live(&app, vec![row.clone()]).pop().unwrap_or(row)))
    });
    let (samples, log, memory, row): (_, _, Option<JobMemory>, _) = match read.await {
        Ok(Ok(read)) => read,
        Ok(Err(error)) => return Err(ApiError::internal("reading the run's output", error)),
        Err(error) => return Err(ApiError::internal("reading the run's output", error)),
    };
    let points: Vec<Point> = samples
        .iter()
        .map(|sample| point(sample.step, sample.loss, sample.eval_loss))
        .collect();
    let text = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = text.lines().collect();
    let log = lines[lines.len().saturating_sub(LOG_LINES)..]
        .iter()
        .map(|line| line.to_string())
        .collect();
    let artifacts = row.model.iter().cloned().collect();
    Ok(Json(JobDetail {
        row,
        points,
        log,
        artifacts,
        memory,
    }))
}

/// The output byte for byte. It is the trainer's: never shown as anything but plain text.
pub(super) async fn log(State(app): State<App>, Path(path): Path<String>) -> Result<Response, ApiError> {
    let run = RunId(id(&path, "job")?);
    find(&app, run).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    let data = app.data.clone();
    // Piece by piece: a log has up to 64 MB.
    let pieces = futures_util::stream::try_unfold(0, move |offset| {
        let data = data.clone();
        async move {
            let read = tokio::task::spawn_blocking(move || pointsman_runner::read_log(&data, run, offset, LOG_READ_MAX));
            let slice = read.await.map_err(std::io::Error::other)??;
            let next = slice.next_offset();
            Ok::<_, std::io::Error>((!slice.bytes.is_empty()).then_some((slice.bytes, next)))
        }
    });
    Ok((headers, Body::from_stream(pieces)).into_response())
}

pub(super) async fn cancel(
    State(app): State<App>,
    Path(path): Path<String>,
    headers: HeaderMap,
    OptionalBody(body): OptionalBody<ReasonBody>,
) -> Result<Json<Done>, ApiError> {
    let run = RunId(id(&path, "job")?);
    let command = Command::CancelRun {
        run,
        actor: actor(&headers)?,
        reason: reason(body)?,
    };
    match send(&app.inbox, command).await {
        Ok(_) => Ok(Json(Done {
            run: Some(run.0),
            ..Done::default()
        })),
        // The coordinator has forgotten finished runs; the journal tells what became of this one.
        Err(error) if error.0.status == 404 => {
            let row = find(&app, run).await?;
            Err(ApiError::new(
                axum::http::StatusCode::CONFLICT,
                "run_is_over",
                format!("run {run} is over: it {}", row.status_slug),
            ))
        }
        Err(error) => Err(error),
    }
}

async fn find(app: &App, run: RunId) -> Result<JobRow, ApiError> {
    match query(app, "reading a run", move |reader| reader.run(run)).await? {
        Some(row) => Ok(job_row(row)),
        None => Err(ApiError::not_found("no_such_job", format!("there is no job {run}"))),
    }
}

/// A point; what is not finite is a gap.
pub(crate) fn point(step: u64, loss: f64, held_out: Option<f64>) -> Point {
    (
        step,
        Some(loss).filter(|loss| loss.is_finite()),
        held_out.filter(|loss| loss.is_finite()),
    )
}

fn job_row(row: RunRow) -> JobRow {
    let class = if row.work == "bootstrap" {
        "bootstrap"
    } else {
        class_slug(row.class)
    };
    JobRow {
        id: row.id.0,
        name: row.title,
        class: class.to_string(),
        host: row.host,
        source: row.source.map(|source| source.0),
        attempt: row.attempt,
        status_slug: row.status.slug().to_string(),
        status_label: row.status_label,
        created_at: row.planned_at,
        started_at: row.started_at,
        finished_at: row.finished_at,
        steps: row.steps,
        loss: row.loss_after,
        model: row.model.map(|ModelTag(tag)| tag),
        base: row.base.map(|ModelTag(tag)| tag),
        error: row.error.or(row.cancel_reason),
        failure_class: row.failure_class.map(|class| class.slug().to_string()),
        decision: row.decision.map(|decision| decision.0),
    }
}

/// Runs under way, with what the live stream knows of them.
fn live(app: &App, rows: Vec<JobRow>) -> Vec<JobRow> {
    if rows.iter().all(|row| row.finished_at.is_some()) {
        return rows;
    }
    let known = app.hub.latest().jobs;
    let told = |row: JobRow| match known.iter().find(|job| job.id == row.id) {
        Some(job) if row.finished_at.is_none() => job.clone(),
        Some(_) | None => row,
    };
    rows.into_iter().map(told).collect()
}
