//! `/api/v1/settings`: live settings. A change is whole; `If-Match` keeps two people from undoing each other.

use super::body::Body;
use super::{App, actor, send};
use crate::problem::ApiError;
use axum::Json;
use axum::extract::State;
use axum::http::header::{ETAG, IF_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use pointsman_model::command::Command;
use pointsman_model::settings::Settings;

pub(super) async fn show(State(app): State<App>) -> Result<Response, ApiError> {
    Ok(answer(current(&app).await?))
}

pub(super) async fn change(State(app): State<App>, headers: HeaderMap, Body(settings): Body<Settings>) -> Result<Response, ApiError> {
    if let Some(expected) = headers.get(IF_MATCH) {
        let now = current(&app).await?;
        if expected.as_bytes() != tag(&now).as_bytes() && expected.as_bytes() != b"*" {
            return Err(ApiError::new(
                StatusCode::PRECONDITION_FAILED,
                "settings_changed",
                "the settings have been changed since they were read",
            )
            .fix("read them again, and send the new ETag as If-Match"));
        }
    }
    send(
        &app.inbox,
        Command::ChangeSettings {
            settings,
            actor: actor(&headers)?,
        },
    )
    .await?;
    Ok(answer(current(&app).await?))
}

async fn current(app: &App) -> Result<Settings, ApiError> {
    Ok(app.inbox.look(|state| state.settings.clone()).await?)
}

fn tag(settings: &Settings) -> String {
    let text = serde_json::to_string(settings).expect("settings are plain data");
    format!("\"{}\"", &blake3::hash(text.as_bytes()).to_hex()[..16])
}

fn answer(settings: Settings) -> Response {
    ([(ETAG, tag(&settings))], Json(settings)).into_response()
}
