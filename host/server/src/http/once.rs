//! `Idempotency-Key` on every POST that changes something: the same request is carried out once.

use super::App;
use super::body::bytes;
use crate::clock::now_ms;
use crate::idempotency::{Answer, Begun, IdempotencyError, KEY_BYTES_MAX, Token};
use crate::problem::ApiError;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use pointsman_model::Digest;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Tells an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// Headers that are part of an answer.
const KEPT: [HeaderName; 3] = [CONTENT_TYPE, LOCATION, ETAG];
/// Longest answer that is kept; those of commands have some hundred bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// What the layer works with: the host, and path templates of which a POST changes something.
#[derive(Clone)]
pub(super) struct Once {
    pub app: App,
    pub changes: Arc<BTreeSet<String>>,
}

pub(super) async fn carry_out(State(once): State<Once>, request: Request, next: Next) -> Response {
    let is_change = |path: &MatchedPath| once.changes.contains(path.as_str());
    let concerns = request.method() == Method::POST && request.extensions().get::<MatchedPath>().is_some_and(is_change);
    let key = match request.headers().get("idempotency-key") {
        Some(key) if concerns => key.clone(),
        Some(_) | None => return next.run(request).await,
    };
    match with_key(once.app, &key, request, next).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

async fn with_key(app: App, key: &HeaderValue, request: Request, next: Next) -> Result<Response, ApiError> {
    let key = key
        .to_str()
        .ok()
        .map(|key| key.trim_matches('"').to_string())
        .filter(|key| (1..=KEY_BYTES_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()))
        .ok_or_else(|| {
            ApiError::bad_request(
                "bad_idempotency_key",
                format!("an Idempotency-Key is 1 to {KEY_BYTES_MAX} visible ASCII characters"),
            )
            .fix("a UUID is one")
        })?;
    let (parts, body) = request.into_parts();
    let body = bytes(Request::from_parts(parts.clone(), body), &app).await?;
    let mut named = parts.uri.to_string().into_bytes();
    named.push(b'\n');
    named.extend_from_slice(&body);
    let digest = Digest::of(&named);

    let (keys, name) = (app.clone(), key.clone());
    let begun = tokio::task::spawn_blocking(move || keys.idempotency.begin(&name, digest, now_ms()))
        .await
        .map_err(|error| ApiError::internal("keeping an Idempotency-Key", error))?
        .map_err(storage)?;
    match begun {
        Begun::CarryOut(token) => {
            let request = Request::from_parts(parts, Body::from(body));
            // A task of its own: a caller that goes away leaves no request half done, and its answer is kept.
            let carried_out = tokio::spawn(carry_out_once(app.clone(), token, request, next)).await;
            carried_out.map_err(|error| {
                app.idempotency.lose(&key);
                ApiError::internal("carrying out a request", error)
            })
        }
        Begun::Again(answer) => Ok(given_before(&answer)),
        Begun::UnderWay => Err(ApiError::new(
            StatusCode::CONFLICT,
            "idempotency_under_way",
            "a request with this Idempotency-Key is being carried out",
        )
        .fix("send it again in a moment: the answer will be the same")),
        Begun::OtherRequest => Err(ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "this Idempotency-Key stands for another request of the last 24 hours",
        )
        .fix("give each new request a key of its own")),
        Begun::Unknown => Err(ApiError::new(
            StatusCode::CONFLICT,
            "idempotency_outcome_unknown",
            "the host ended while it carried this request out: it may or may not have been done, and is not done again",
        )
        .fix("look whether it was done; if not, send it with a new key")),
    }
}

async fn carry_out_once(app: App, token: Token, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if !response.status().is_success() {
        finish(app, token, None).await;
        return response;
    }
    let (parts, body) = response.into_parts();
    let headers = KEPT
        .iter()
        .filter_map(|name| Some((name.to_string(), parts.headers.get(name)?.to_str().ok()?.to_string())))
        .collect();
    // The answers of changes are short JSON. Were one not, it could not be given again: then the outcome is the status alone.
    let bytes = axum::body::to_bytes(body, ANSWER_BYTES_MAX).await.unwrap_or_default();
    let answer = Answer {
        status: parts.status.as_u16(),
        headers,
        body: String::from_utf8_lossy(&bytes).into_owned(),
    };
    finish(app, token, Some(answer)).await;
    Response::from_parts(parts, Body::from(bytes))
}

async fn finish(app: App, token: Token, answer: Option<Answer>) {
    // It was done: the caller is told so, even where its answer could not be kept for a start to come.
    match tokio::task::spawn_blocking(move || app.idempotency.finish(token, answer)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!("an answer was not kept: {error}"),
        Err(error) => tracing::warn!("an answer was not kept: {error}"),
    }
}

fn given_before(answer: &Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body.clone()));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    for (name, value) in &answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

fn storage(error: IdempotencyError) -> ApiError {
    match error {
        IdempotencyError::Io { .. } => {
            tracing::error!("{error}");
            ApiError::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "idempotency_not_kept",
                "nothing was changed: the Idempotency-Key could not be written down",
            )
            .fix("see to the disk under the data directory")
        }
        IdempotencyError::TooMany => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "idempotency_too_many", error.to_string())
            .fix("send requests that need no key without one"),
    }
}
