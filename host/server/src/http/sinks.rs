//! `/api/v1/sinks`: who is sent entries of the journal, and how far each is.

use super::App;
use super::overview::{stamp, stamped};
use crate::problem::ApiError;
use crate::wire::SinkList;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use pointsman_model::Seq;

pub(super) async fn show(State(app): State<App>) -> Result<Response, ApiError> {
    let asked = app.clone();
    let read = tokio::task::spawn_blocking(move || asked.sinks.cards());
    let sinks = match read.await {
        Ok(Ok(sinks)) => sinks,
        Ok(Err(error)) => return Err(ApiError::internal("looking at the sinks", format!("{error:#}"))),
        Err(error) => return Err(ApiError::internal("looking at the sinks", error)),
    };
    let view = stamp(Seq(app.hub.latest().seq), &sinks);
    Ok(stamped(&view.fingerprint.clone(), Json(SinkList { view, sinks })))
}
