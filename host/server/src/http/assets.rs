//! The page: built by `make build`, embedded at compile time.

use crate::problem::ApiError;
use axum::http::header::{self, HeaderMap};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// What is shown where the page was not built.
const NOT_BUILT: &str = include_str!("not_built.html");

pub(super) async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return ApiError::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "no_such_method",
            format!("{} does not answer {method}", uri.path()),
        )
        .into_response();
    }
    let name = uri.path().trim_start_matches('/');
    if let Some((name, bytes)) = PAGE.iter().find(|(known, _)| *known == name && *known != "index.html") {
        // Vite puts a digest into the names under assets/, so those never change.
        let caching = if name.starts_with("assets/") {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        };
        return file(&headers, media_type(name), caching, bytes);
    }
    if name.starts_with("assets/") {
        return ApiError::not_found("no_such_path", format!("there is nothing at {}", uri.path())).into_response();
    }
    let index = PAGE
        .iter()
        .find(|(known, _)| *known == "index.html")
        .map_or(NOT_BUILT.as_bytes(), |(_, bytes)| bytes);
    file(&headers, "text/html; charset=utf-8", "no-cache", index)
}

fn file(headers: &HeaderMap, media_type: &'static str, caching: &'static str, bytes: &'static [u8]) -> Response {
    let tag = format!("\"{}\"", &blake3::hash(bytes).to_hex()[..16]);
    let fresh = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|tags| tags.to_str().ok())
        .is_some_and(|tags| tags.split(',').any(|one| one.trim() == tag));
    let headers = [
        (header::CACHE_CONTROL, caching.to_string()),
        (header::ETAG, tag),
        (header::CONTENT_TYPE, media_type.to_string()),
    ];
    if fresh {
        (StatusCode::NOT_MODIFIED, headers).into_response()
    } else {
        (headers, bytes).into_response()
    }
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, end)| end) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("json" | "map" | "webmanifest") => "application/json",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
