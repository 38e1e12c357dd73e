//! The HTTP API under `/api/v1`, the live stream at `/ws`, and the page.

mod assets;
mod body;
mod campaigns;
mod completions;
mod decisions;
mod explain;
mod guard;
mod import;
mod jobs;
mod live;
mod models;
mod policies;
mod queue;
mod replays;
mod settings;
mod sources;
mod swaps;
mod training;
mod versions;

pub use campaigns::CampaignBody;
pub use guard::Guard;
pub(crate) use jobs::point;
pub use policies::{PolicyUpload, accepted, refused, settings_of, settings_rows};
pub use replays::{DryRunBody, ValueBody, VerifyBody};
pub use sources::{EditBody, SourceBody, source_page};
pub use swaps::{ActivateBody, CanaryBody};

use crate::host::Parts;
use crate::inbox::{Inbox, Rejected};
use crate::problem::ApiError;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use pointsman_model::Actor;
use pointsman_model::policy::PolicyKind;
use serde_json::json;
use std::sync::Arc;

/// Largest body of a request: a policy component in base64 is the largest thing that is sent.
pub const BODY_BYTES_MAX: usize = 48 << 20;
/// Rows of a list where the request names no number, and the most it may name.
pub const LIST_DEFAULT: u32 = 50;
pub const LIST_MAX: u32 = 500;

pub type App = Arc<Parts>;

/// Everything that answers requests.
pub fn router(app: App, guard: Guard) -> Router {
    let api = Router::new()
        .route("/state", get(state))
        .route("/jobs", get(jobs::list))
        .route("/jobs/{id}", get(jobs::show))
        .route("/jobs/{id}/log", get(jobs::log))
        .route("/jobs/{id}/cancel", post(jobs::cancel))
        .route("/sources", get(sources::list).post(sources::submit))
        .route("/sources/import", post(import::import))
        .route("/sources/next", get(queue::next))
        .route("/sources/{id}", get(sources::show).patch(sources::edit))
        .route("/sources/{id}/move", post(sources::move_lane))
        .route("/sources/{id}/cancel", post(sources::cancel))
        .route("/sources/{id}/run", post(sources::run))
        .route("/campaigns", get(campaigns::list).post(campaigns::submit))
        .route("/campaigns/{id}", get(campaigns::show))
        .route("/campaigns/{id}/cancel", post(campaigns::cancel))
        .route("/queue", get(queue::summary))
        .route("/queue/lock", post(queue::lock))
        .route("/queue/unlock", post(queue::unlock))
        .route("/sources/{id}/enable", post(sources::enable))
        .route("/sources/{id}/disable", post(sources::disable))
        .route("/decisions", get(decisions::list))
        .route("/decisions/window", get(replays::window))
        .route("/decisions/verify", post(replays::verify_many))
        .route("/decisions/{id}", get(decisions::show))
        .route("/decisions/{id}/verify", post(replays::verify_one))
        .route("/decisions/{id}/case", get(explain::case))
        .route("/decisions/{id}/flips", get(explain::flips))
        .route("/policies/definitions/{kind}", get(explain::definitions))
        .route("/policies", get(policies::list))
        .route("/policies/check", post(policies::check))
        .route("/policies/activate", post(swaps::activate))
        .route("/policies/dry-run", post(replays::dry_run))
        .route("/policies/value", post(replays::value))
        .route("/policies/shadow", post(swaps::start_shadow))
        .route("/policies/canary", post(swaps::start_canary))
        .route("/policies/swaps", get(swaps::list))
        .route("/policies/swaps/{id}", get(swaps::show))
        .route("/policies/swaps/{id}/cancel", post(swaps::cancel))
        .route("/policies/versions", get(versions::list))
        .route("/policies/versions/{version}", get(versions::show))
        .route("/policies/versions/{version}/code", get(versions::code))
        .route("/policies/diff", get(versions::diff))
        .route("/policies/decided-by", get(versions::decided_by))
        .route("/policies/{kind}/rollback", post(swaps::roll_back))
        .route("/policies/{kind}/confirm", post(swaps::confirm))
        .route("/policies/{kind}/pin", post(swaps::pin))
        .route("/policies/{kind}/unpin", post(swaps::unpin))
        .route("/policies/{kind}/shadow/stop", post(swaps::stop_shadow))
        .route("/policies/{kind}/canary/promote", post(swaps::promote_canary))
        .route("/policies/{kind}/canary/stop", post(swaps::stop_canary))
        .route("/policies/{kind}/quarantine/{key}/release", post(swaps::release))
        .route("/models", get(models::list))
        .route("/models/rollback", post(models::roll_back))
        .route("/models/{tag}/approve", post(models::approve))
        .route("/models/{tag}/reject", post(models::reject))
        .route("/settings", get(settings::show).put(settings::change))
        .route("/training", get(training::show))
        .route("/training/start", post(training::start))
        .route("/training/stop", post(training::stop))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method);
    Router::new()
        .nest("/api/v1", api)
        .route("/api/training/start", post(training::start))
        .route("/api/training/stop", post(training::stop))
        .route("/v1/completions", post(completions::complete))
        .route("/v1/models", get(completions::models))
        .route("/api/{*rest}", any(no_such_path))
        .route("/v1/{*rest}", any(no_such_path))
        .route("/api", any(no_such_path))
        .route("/ws", get(live::connect))
        .route("/livez", get(|| async { Json(json!({ "status": "ok" })) }))
        .route("/readyz", get(ready))
        .fallback(assets::serve)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(Arc::new(guard), guard::check))
        .with_state(app)
}

/// `GET /api/v1/state`: the read model, with the epoch and position to resume the stream from.
async fn state(State(app): State<App>) -> Response {
    let value = app.hub.dashboard();
    let mut response = Json(&*value).into_response();
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

async fn no_such_method(method: axum::http::Method, uri: Uri) -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "no_such_method",
        format!("{} does not answer {method}", uri.path()),
    )
}

/// Who asks, for the record: the header `x-pointsman-actor`, else `web` for a browser, else `api`.
fn actor(headers: &HeaderMap) -> Result<Actor, ApiError> {
    let Some(name) = headers.get("x-pointsman-actor") else {
        return Ok(Actor::new(if headers.contains_key("origin") { "web" } else { "api" }));
    };
    let ok =
        |name: &&str| (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte));
    match name.to_str().ok().filter(ok) {
        Some(name) => Ok(Actor::new(name)),
        None => Err(ApiError::bad_request(
            "bad_actor",
            "the header x-pointsman-actor is 1 to 64 letters, digits, '-', '_', '.' or '@'",
        )),
    }
}

/// Limit and cursor of a list, parsed.
#[derive(Debug, Clone, Copy)]
struct Page {
    limit: u32,
    /// Rows before this id.
    before: Option<u64>,
}

impl Page {
    fn parse(limit: Option<&str>, cursor: Option<&str>) -> Result<Page, ApiError> {
        let limit = match limit {
            None => LIST_DEFAULT,
            Some(text) => match text.parse() {
                Ok(limit) if (1..=LIST_MAX).contains(&limit) => limit,
                Ok(_) | Err(_) => {
                    return Err(ApiError::bad_request("bad_limit", format!("limit is '{text}'"))
                        .field("/limit", format!("a whole number from 1 to {LIST_MAX}")));
                }
            },
        };
        let before = match cursor {
            None => None,
            Some(text) => match text.parse() {
                Ok(before) if before > 0 && before <= i64::MAX as u64 => Some(before),
                Ok(_) | Err(_) => {
                    return Err(ApiError::bad_request("bad_cursor", "this cursor was not given out by this list")
                        .field("/cursor", "use next_cursor of the page before, unchanged"));
                }
            },
        };
        Ok(Page { limit, before })
    }
}

/// A path segment that is a number.
fn id(text: &str, what: &str) -> Result<u64, ApiError> {
    match text.parse() {
        Ok(id) if id <= i64::MAX as u64 => Ok(id),
        Ok(_) | Err(_) => Err(ApiError::bad_request(
            "bad_id",
            format!("'{}' is not the number of a {what}", text.chars().take(40).collect::<String>()),
        )),
    }
}

/// Cursor of the page after these rows, if it may hold any.
fn next_cursor<T>(rows: &[T], page: Page, id: impl Fn(&T) -> u64) -> Option<String> {
    rows.last()
        .filter(|_| rows.len() as u64 >= u64::from(page.limit))
        .map(|row| id(row).to_string())
}

/// A query parameter that is one of a few words.
fn word<T: serde::de::DeserializeOwned>(name: &str, text: Option<&str>, words: &str) -> Result<Option<T>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    serde_json::from_value(serde_json::Value::String(text.to_string()))
        .map(Some)
        .map_err(|_| {
            ApiError::bad_request("bad_filter", format!("{name} is '{}'", text.chars().take(40).collect::<String>()))
                .field(format!("/{name}"), words)
        })
}

/// The word of a plain enum, as in JSON.
fn slug(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(slug)) => slug,
        _ => String::new(),
    }
}

fn kind(slug: &str) -> Result<PolicyKind, ApiError> {
    PolicyKind::parse(slug).ok_or_else(|| {
        ApiError::not_found(
            "no_such_kind",
            format!("there is no policy kind '{}'", slug.chars().take(40).collect::<String>()),
        )
        .fix(format!("the kinds are {}", PolicyKind::ALL.map(PolicyKind::slug).join(", ")))
    })
}

/// Runs a query of the journal off the async threads.
async fn query<T: Send + 'static>(
    app: &App,
    what: &'static str,
    run: impl FnOnce(&pointsman_journal::Reader) -> Result<T, pointsman_journal::ReadError> + Send + 'static,
) -> Result<T, ApiError> {
    let app = app.clone();
    match tokio::task::spawn_blocking(move || app.readers.with(run)).await {
        Ok(Ok(Ok(answer))) => Ok(answer),
        Ok(Ok(Err(error))) => Err(ApiError::internal(what, error)),
        Ok(Err(error)) => Err(ApiError::internal(what, error)),
        Err(error) => Err(ApiError::internal(what, error)),
    }
}

/// Optional words with a command: who needs a reason gives one.
#[derive(serde::Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct ReasonBody {
    reason: String,
}

/// Longest reason that is kept.
const REASON_BYTES_MAX: usize = 1000;

fn reason(body: ReasonBody) -> Result<String, ApiError> {
    if body.reason.len() > REASON_BYTES_MAX {
        return Err(
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_reason", "the reason is too long")
                .field("/reason", format!("at most {REASON_BYTES_MAX} bytes")),
        );
    }
    Ok(body.reason)
}

async fn send(inbox: &Inbox, command: pointsman_model::command::Command) -> Result<pointsman_coordinator::Reply, ApiError> {
    inbox.send(command).await.map_err(ApiError::from)
}
