//! `/api/v1/sources`: the operators' queue.

use super::body::{Body, OptionalBody, Query};
use super::{App, Page, ReasonBody, actor, id, query, reason, send};
use crate::problem::ApiError;
use crate::wire::{Done, SourceList, SourceRow};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use pointsman_coordinator::{Reply, State as Known};
use pointsman_journal::{SourceFilter, SourceStatus};
use pointsman_model::SourceId;
use pointsman_model::command::Command;
use pointsman_model::run::{Run, Work};
use pointsman_model::source::{Lane, NewSource, Origin, TrainingParams};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Body of `POST /api/v1/sources`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceBody {
    pub title: String,
    #[serde(default)]
    pub body: String,
    #[serde(default)]
    pub host: Option<String>,
    /// Higher is earlier, if the policy heeds it.
    #[serde(default)]
    pub priority: i32,
    #[serde(default)]
    #[schema(value_type = Option<super::shapes::TrainingParams>)]
    pub params: Option<TrainingParams>,
    /// ui, api or cli.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub origin: Option<Origin>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// pending, waiting, running, failed, disabled, done or given_up.
    status: Option<String>,
    /// queue or curriculum.
    lane: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

pub(super) async fn list(State(app): State<App>, Query(filter): Query<Filter>) -> Result<Json<SourceList>, ApiError> {
    let Filter {
        status,
        lane,
        limit,
        cursor,
    } = filter;
    let page = Page::parse(limit.as_deref(), cursor.as_deref())?;
    let status: Option<SourceStatus> = super::word(
        "status",
        status.as_deref(),
        "pending, waiting, running, failed, disabled, done or given_up",
    )?;
    let lane: Option<Lane> = super::word("lane", lane.as_deref(), "queue or curriculum")?;
    let among = match status {
        Some(SourceStatus::Running) => Some(app.inbox.look(running_sources).await?),
        Some(_) | None => None,
    };
    let rows = query(&app, "listing sources", move |reader| {
        reader.sources(&SourceFilter {
            status,
            among,
            lane,
            campaign: None,
            before: page.before.map(SourceId),
            limit: page.limit,
        })
    })
    .await?;
    let next_cursor = super::next_cursor(&rows, page, |row| row.id.0);
    let sources = rows
        .into_iter()
        .map(|row| SourceRow {
            id: row.id.0,
            title: row.title,
            host: row.host,
            lane: super::slug(&row.lane),
            origin: super::slug(&row.origin),
            priority: row.priority,
            status: row.status.slug().to_string(),
            reason: row.reason,
            attempts: row.attempts,
            queued_at: row.queued_at,
            retry_at: row.retry_at,
            finished_at: row.finished_at,
        })
        .collect();
    Ok(Json(SourceList { sources, next_cursor }))
}

pub(super) async fn submit(
    State(app): State<App>,
    headers: HeaderMap,
    Body(body): Body<SourceBody>,
) -> Result<(StatusCode, Json<Done>), ApiError> {
    let SourceBody {
        title,
        body,
        host,
        priority,
        params,
        origin,
    } = body;
    let origin = match origin {
        Some(origin @ (Origin::Ui | Origin::Api | Origin::Cli)) => origin,
        Some(Origin::Campaign | Origin::Curriculum) => {
            return Err(
                ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_field", "a field of the body is wrong")
                    .field("/origin", "ui, api or cli"),
            );
        }
        None if headers.contains_key("origin") => Origin::Ui,
        None => Origin::Api,
    };
    let new = NewSource {
        title,
        body,
        host,
        lane: Lane::Queue,
        origin,
        priority,
        params,
    };
    match send(&app.inbox, Command::SubmitSource(new)).await? {
        Reply::Source(source) => Ok((
            StatusCode::CREATED,
            Json(Done {
                source: Some(source.0),
                ..Done::default()
            }),
        )),
        Reply::Done | Reply::Generation(_) | Reply::Generations(_) | Reply::Run(_) => Ok((StatusCode::CREATED, Json(Done::default()))),
    }
}

pub(super) async fn enable(State(app): State<App>, Path(path): Path<String>, headers: HeaderMap) -> Result<Json<Done>, ApiError> {
    let source = SourceId(id(&path, "source")?);
    send(
        &app.inbox,
        Command::EnableSource {
            source,
            actor: actor(&headers)?,
        },
    )
    .await?;
    Ok(Json(Done {
        source: Some(source.0),
        ..Done::default()
    }))
}

pub(super) async fn disable(
    State(app): State<App>,
    Path(path): Path<String>,
    headers: HeaderMap,
    OptionalBody(body): OptionalBody<ReasonBody>,
) -> Result<Json<Done>, ApiError> {
    let source = SourceId(id(&path, "source")?);
    send(
        &app.inbox,
        Command::DisableSource {
            source,
            actor: actor(&headers)?,
            reason: reason(body)?,
        },
    )
    .await?;
    Ok(Json(Done {
        source: Some(source.0),
        ..Done::default()
    }))
}

fn running_sources(state: &Known) -> Vec<SourceId> {
    let source_of = |run: &Run| match &run.work {
        Work::Train { source, .. } => Some(*source),
        Work::Bootstrap | Work::Evaluate { .. } => None,
    };
    state.runs.values().filter_map(source_of).collect()
}
