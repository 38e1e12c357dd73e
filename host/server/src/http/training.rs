//! Start and Stop of the automatic loop. Stop drains: runs under way end by themselves.

use super::body::OptionalBody;
use super::{App, ReasonBody, actor, reason, send};
use crate::problem::ApiError;
use crate::wire::Done;
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use pointsman_model::command::Command;

pub(super) async fn start(
    State(app): State<App>,
    headers: HeaderMap,
    OptionalBody(body): OptionalBody<ReasonBody>,
) -> Result<Json<Done>, ApiError> {
    send(
        &app.inbox,
        Command::StartTraining {
            actor: actor(&headers)?,
            reason: reason(body)?,
        },
    )
    .await?;
    Ok(Json(Done::default()))
}

pub(super) async fn stop(
    State(app): State<App>,
    headers: HeaderMap,
    OptionalBody(body): OptionalBody<ReasonBody>,
) -> Result<Json<Done>, ApiError> {
    send(
        &app.inbox,
        Command::StopTraining {
            actor: actor(&headers)?,
            reason: reason(body)?,
        },
    )
    .await?;
    Ok(Json(Done::default()))
}
