//! `/api/v1/models`: what was trained, and which one was live when.

use super::body::{OptionalBody, Query};
use super::{App, Page, ReasonBody, actor, query, reason, send};
use crate::problem::ApiError;
use crate::wire::{Done, LiveChange, ModelList, ModelRow};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use pointsman_journal::ModelFilter;
use pointsman_model::command::Command;
use pointsman_model::{ModelTag, Seq};
use serde::Deserialize;
use utoipa::IntoParams;

/// Changes of the live model that the list tells.
const CHANGES: u32 = 50;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    limit: Option<String>,
    cursor: Option<String>,
}

pub(super) async fn list(State(app): State<App>, Query(filter): Query<Filter>) -> Result<Json<ModelList>, ApiError> {
    let page = Page::parse(filter.limit.as_deref(), filter.cursor.as_deref())?;
    let (rows, roles) = query(&app, "listing models", move |reader| {
        let rows = reader.models(&ModelFilter {
            retired: None,
            before: page.before.map(Seq),
            limit: page.limit,
        })?;
        Ok((rows, reader.model_roles(CHANGES)?))
    })
    .await?;
    let next_cursor = super::next_cursor(&rows, page, |row| row.seq.0);
    let now_live = roles.first().map(|role| role.model.clone());
    let models = rows
        .into_iter()
        .map(|row| ModelRow {
            live: now_live.as_ref() == Some(&row.tag),
            tag: row.tag.0,
            parent: row.parent.map(|ModelTag(tag)| tag),
            run: row.run.0,
            digest: row.digest.to_string(),
            bytes: row.bytes,
            made_at: row.made_at,
            host: row.host,
            retired_at: row.retired_at,
        })
        .collect();
    let live = roles
        .into_iter()
        .map(|role| LiveChange {
            seq: role.seq.0,
            at: role.at,
            model: role.model.0,
            before: role.before.map(|ModelTag(tag)| tag),
            cause: super::slug(&role.cause),
            decision: role.decision.map(|decision| decision.0),
            actor: role.actor,
            reason: role.reason,
        })
        .collect();
    Ok(Json(ModelList { models, next_cursor, live }))
}

pub(super) async fn roll_back(
    State(app): State<App>,
    headers: HeaderMap,
    OptionalBody(body): OptionalBody<ReasonBody>,
) -> Result<Json<Done>, ApiError> {
    send(
        &app.inbox,
        Command::RollBackModel {
            actor: actor(&headers)?,
            reason: reason(body)?,
        },
    )
    .await?;
    Ok(Json(Done::default()))
}

pub(super) async fn approve(
    State(app): State<App>,
    Path(tag): Path<String>,
    headers: HeaderMap,
    OptionalBody(body): OptionalBody<ReasonBody>,
) -> Result<Json<Done>, ApiError> {
    decide(app, tag, true, headers, body).await
}

pub(super) async fn reject(
    State(app): State<App>,
    Path(tag): Path<String>,
    headers: HeaderMap,
    OptionalBody(body): OptionalBody<ReasonBody>,
) -> Result<Json<Done>, ApiError> {
    decide(app, tag, false, headers, body).await
}

async fn decide(app: App, tag: String, approve: bool, headers: HeaderMap, body: ReasonBody) -> Result<Json<Done>, ApiError> {
    let command = Command::DecideHeld {
        candidate: ModelTag(tag),
        approve,
        actor: actor(&headers)?,
        reason: reason(body)?,
    };
    send(&app.inbox, command).await?;
    Ok(Json(Done::default()))
}
