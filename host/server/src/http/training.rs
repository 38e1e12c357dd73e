//! Start and Stop of the automatic loop, and the slots it has. Stop drains: runs under way end by themselves.

use super::body::OptionalBody;
use super::{App, ReasonBody, actor, reason, send};
use crate::problem::ApiError;
use crate::view;
use crate::wire::{Capacity, Done};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use pointsman_model::command::Command;
use serde::Deserialize;
use utoipa::ToSchema;

#[derive(Deserialize, Default, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct StartBody {
    reason: String,
    /// For a program that only sees to it that training runs: refused where somebody has stopped it.
    automatic: bool,
}

/// What is wanted and what is, by whom, why and since when; slots and what is in them.
pub(super) async fn show(State(app): State<App>) -> Result<Json<Capacity>, ApiError> {
    Ok(Json(app.inbox.look(view::capacity).await?))
}

pub(super) async fn start(
    State(app): State<App>,
    headers: HeaderMap,
    OptionalBody(body): OptionalBody<StartBody>,
) -> Result<Json<Done>, ApiError> {
    let StartBody { reason: why, automatic } = body;
    let command = Command::StartTraining {
        actor: actor(&headers)?,
        reason: reason(ReasonBody { reason: why })?,
        automatic,
    };
    send(&app.inbox, command).await?;
    Ok(Json(Done::default()))
}

pub(super) async fn stop(
    State(app): State<App>,
    headers: HeaderMap,
    OptionalBody(body): OptionalBody<ReasonBody>,
) -> Result<Json<Done>, ApiError> {
    let command = Command::StopTraining {
        actor: actor(&headers)?,
        reason: reason(body)?,
    };
    send(&app.inbox, command).await?;
    Ok(Json(Done::default()))
}
