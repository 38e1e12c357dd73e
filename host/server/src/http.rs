//! The HTTP API under `/api/v1`, the live stream at `/ws`, and the page.

mod assets;
mod body;
mod campaigns;
mod completions;
mod decisions;
mod document;
mod explain;
mod fresh;
mod guard;
mod import;
mod jobs;
mod live;
mod metrics;
mod models;
mod once;
mod operations;
mod overview;
mod policies;
mod promotion;
mod queue;
mod replays;
mod request;
mod routes;
mod settings;
mod shapes;
mod sources;
mod swaps;
mod training;
mod versions;

pub use campaigns::CampaignBody;
pub(crate) use document::{fields as help_fields, find as find_help};
pub use guard::Guard;
pub(crate) use jobs::point;
pub use policies::{PolicyUpload, accepted, refused, settings_of, settings_rows};
pub use replays::{DryRunBody, ValueBody, VerifyBody};
pub use sources::{EditBody, SourceBody, source_page};
pub use swaps::{ActivateBody, CanaryBody};

use crate::host::Parts;
use crate::inbox::Rejected;
use crate::problem::ApiError;
use axum::extract::{DefaultBodyLimit, MatchedPath, State};
use axum::http::{StatusCode, Uri};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use once::Once;
use request::{Page, ReasonBody, actor, covered, id, kind, next_cursor, origin, query, reason, send, slug, word};
use serde_json::json;
use std::sync::{Arc, OnceLock};

/// Largest body of a request: a policy component in base64 is the largest thing that is sent.
pub const BODY_BYTES_MAX: usize = 48 << 20;
/// Rows of a list where the request names no number, and the most it may name.
pub const LIST_DEFAULT: u32 = 50;
pub const LIST_MAX: u32 = 500;

pub type App = Arc<Parts>;

/// Everything that answers requests.
pub fn router(app: App, guard: Guard) -> Router {
    let routes = operations::all();
    let once = Once {
        app: app.clone(),
        changes: Arc::new(routes.changes().clone()),
    };
    let (router, _) = routes.into_parts();
    router
        .route("/api/{*rest}", any(no_such_path))
        .route("/v1/{*rest}", any(no_such_path))
        .route("/api", any(no_such_path))
        .fallback(assets::serve)
        .method_not_allowed_fallback(no_such_method)
        .route_layer(middleware::from_fn_with_state(once, once::carry_out))
        .route_layer(middleware::from_fn(fresh::tag))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(Arc::new(guard), guard::check))
        .with_state(app)
}

/// The OpenAPI document, made once.
pub fn openapi() -> &'static serde_json::Value {
    static DOCUMENT: OnceLock<serde_json::Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| operations::all().into_parts().1)
}

/// `GET /api/v1/state`: the read model, with the epoch and position to resume the stream from.
async fn state(State(app): State<App>) -> Response {
    app.hub.caught_up().await;
    let value = app.hub.dashboard();
    let made = value["view"]["generated_at"].as_u64().unwrap_or(0);
    let tag = format!("\"{}\"", value["view"]["fingerprint"].as_str().unwrap_or_default());
    // The body is what viewers of the stream hold, to the byte: its age goes beside it.
    let age = crate::clock::now_ms().saturating_sub(made) / 1000;
    let headers = [(axum::http::header::ETAG, tag), (axum::http::header::AGE, age.to_string())];
    let mut response = (headers, Json(&*value)).into_response();
    if let Ok(epoch) = app.hub.epoch().parse() {
        response.headers_mut().insert("x-pointsman-epoch", epoch);
    }
    response
}

async fn ready(State(app): State<App>) -> Response {
    match app.inbox.look(|state| state.last_at).await {
        Ok(_) => match app.health.trouble() {
            None => Json(json!({ "status": "ready" })).into_response(),
            Some(reason) => ApiError::from(Rejected::ReadOnly { reason }).into_response(),
        },
        Err(rejected) => ApiError::from(rejected).into_response(),
    }
}

async fn no_such_path(uri: Uri) -> ApiError {
    ApiError::not_found("no_such_path", format!("there is nothing at {}", uri.path())).fix("the API's paths start with /api/v1")
}

async fn no_such_method(method: axum::http::Method, path: Option<MatchedPath>, uri: Uri) -> Response {
    let error = ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "no_such_method",
        format!("{} does not answer {method}", uri.path()),
    );
    let known = path.and_then(|path| openapi()["paths"][path.as_str()].as_object().cloned());
    match known {
        Some(methods) => {
            let methods: Vec<String> = methods.keys().map(|method| method.to_uppercase()).collect();
            let mut response = error.fix(format!("it answers {}", methods.join(" and "))).into_response();
            if let Ok(methods) = methods.join(", ").parse() {
                response.headers_mut().insert(axum::http::header::ALLOW, methods);
            }
            response
        }
        None => error.into_response(),
    }
}
