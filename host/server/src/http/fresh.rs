//! `ETag` and `If-None-Match` on everything that is read: who holds what still holds is sent no body.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Answers that are larger are streams in spirit: they go out as they are.
const BYTES_MAX: usize = 32 << 20;

/// Gives each JSON answer of a GET a strong tag: the digest of its bytes, unless its maker knows better.
pub(super) async fn tag(request: Request, next: Next) -> Response {
    let is_read = request.method() == Method::GET;
    let known = request.headers().get(IF_NONE_MATCH).cloned();
    let response = next.run(request).await;
    if !is_read || response.status() != StatusCode::OK {
        return response;
    }
    let response = match response.headers().contains_key(ETAG) {
        true => response,
        false if is_json(response.headers()) => match tagged(response).await {
            Ok(response) => response,
            Err(error) => return error,
        },
        false => return response,
    };
    let holds = |tag: &HeaderValue| known.as_ref().is_some_and(|known| matches(known, tag));
    match response.headers().get(ETAG) {
        Some(tag) if holds(tag) => unchanged(response),
        Some(_) | None => response,
    }
}

async fn tagged(response: Response) -> Result<Response, Response> {
    let (mut parts, body) = response.into_parts();
    let bytes = match to_bytes(body, BYTES_MAX).await {
        Ok(bytes) => bytes,
        Err(error) => return Err(crate::problem::ApiError::internal("reading an answer", error).into_response()),
    };
    if let Ok(tag) = HeaderValue::try_from(tag_of(&bytes)) {
        parts.headers.insert(ETAG, tag);
    }
    parts.headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

/// A short digest of content: equal for equal content.
pub(super) fn fingerprint(content: &[u8]) -> String {
    blake3::hash(content).to_hex()[..16].to_string()
}

/// The tag of an answer with these bytes.
pub(super) fn tag_of(bytes: &[u8]) -> String {
    format!("\"{}\"", fingerprint(bytes))
}

/// Whether a header of tags names this one. A weak form of it will do.
pub(super) fn matches(known: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(known), Ok(tag)) = (known.to_str(), tag.to_str()) else {
        return false;
    };
    known
        .split(',')
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

fn unchanged(response: Response) -> Response {
    let (mut parts, _) = response.into_parts();
    parts.status = StatusCode::NOT_MODIFIED;
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.remove(CONTENT_TYPE);
    Response::from_parts(parts, Body::empty())
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json")
}
