//! JSON bodies and queries, with an error that names the field.

use crate::problem::ApiError;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// A JSON body. A form or plain text is refused: a page of another site could send those without asking.
pub(super) struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Body<T>, ApiError> {
        let is_json = |kind: &str| {
            kind.split(';').next().is_some_and(|kind| {
                ["application/json", "application/merge-patch+json"]
                    .iter()
                    .any(|json| kind.trim().eq_ignore_ascii_case(json))
            })
        };
        if !request
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(is_json)
        {
            return Err(
                ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", "the body must be JSON")
                    .fix("send content-type: application/json"),
            );
        }
        let bytes = bytes(request, state).await?;
        parse(&bytes).map(Body)
    }
}

/// A JSON body that may be left out.
pub(super) struct OptionalBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<OptionalBody<T>, ApiError> {
        let bytes = bytes(request, state).await?;
        if bytes.is_empty() {
            Ok(OptionalBody(T::default()))
        } else {
            parse(&bytes).map(OptionalBody)
        }
    }
}

/// A query of which every part is known and well formed: a misspelt filter must not list everything.
pub(super) struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Query<T>, ApiError> {
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(query)| Query(query))
            .map_err(|rejection| query_problem(&rejection.body_text()))
    }
}

fn query_problem(text: &str) -> ApiError {
    let said = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(text);
    // Either the part stands before its complaint, or the complaint quotes it.
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    let (name, detail) = match said.split_once(": ") {
        Some((name, detail)) if is_name(name) => (name, detail),
        Some(_) | None => (said.split('`').nth(1).unwrap_or_default(), said),
    };
    ApiError::bad_request("bad_query", "a part of the query is wrong").field(format!("/{name}"), detail)
}

/// Time that a body may take to come in.
const BODY_WITHIN: Duration = Duration::from_secs(30);

pub(super) async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    let too_large = || {
        let detail = format!("a body has at most {} bytes", super::BODY_BYTES_MAX);
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
    };
    let announced = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > super::BODY_BYTES_MAX as u64) {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_WITHIN, Bytes::from_request(request, state)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(too_large()),
        Ok(Err(_)) => Err(ApiError::bad_request("bad_request", "the body could not be read")),
        Err(_) => {
            let detail = format!("the body did not come in within {} s", BODY_WITHIN.as_secs());
            Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", detail))
        }
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let pointer: String = error
            .path()
            .iter()
            .filter_map(|segment| match segment {
                serde_path_to_error::Segment::Seq { index } => Some(format!("/{index}")),
                serde_path_to_error::Segment::Map { key } => Some(format!("/{}", key.replace('~', "~0").replace('/', "~1"))),
                serde_path_to_error::Segment::Enum { .. } | serde_path_to_error::Segment::Unknown => None,
            })
            .collect();
        let inner = error.inner();
        if inner.is_data() {
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_field", "a field of the body is wrong").field(pointer, inner.to_string())
        } else {
            ApiError::bad_request("bad_json", format!("the body is not JSON: {inner}"))
        }
    })?;
    reader
        .end()
        .map_err(|error| ApiError::bad_request("bad_json", format!("something follows the JSON value: {error}")))?;
    Ok(value)
}
