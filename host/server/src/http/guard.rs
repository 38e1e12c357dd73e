//! Who may speak to us from where: `Host` and `Origin` are checked on every route, every method and the WebSocket
//! upgrade, so that a page of another site, or a name that was pointed at this machine, gets nothing.

use crate::clock::now_ms;
use crate::problem::{ApiError, Told};
use crate::wire::Problem;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The names under which this host may be spoken to.
#[derive(Clone, Debug)]
pub struct Guard {
    hosts: Vec<String>,
}

impl Guard {
    /// Loopback names with the bound port, and the bound address itself.
    pub fn for_address(bound: SocketAddr) -> Guard {
        let port = bound.port();
        let mut hosts: Vec<String> = ["localhost", "127.0.0.1", "[::1]"]
            .iter()
            .map(|name| format!("{name}:{port}"))
            .collect();
        hosts.push(bound.to_string());
        if port == 80 {
            hosts.extend(["localhost", "127.0.0.1", "[::1]"].map(str::to_string));
        }
        Guard { hosts }
    }

    fn refusal(&self, headers: &HeaderMap, authority: Option<&str>) -> Option<ApiError> {
        let mut named = headers.get_all(header::HOST).iter();
        let host = match (named.next(), named.next()) {
            (Some(host), None) => host.to_str().ok(),
            (None, None) => authority,
            _ => None,
        };
        let allowed = |host: &str| self.hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host));
        if !host.is_some_and(allowed) {
            return Some(
                ApiError::new(StatusCode::FORBIDDEN, "host_not_allowed", "the Host header does not name this host")
                    .fix(format!("use http://{}", self.hosts[0])),
            );
        }
        for origin in headers.get_all(header::ORIGIN) {
            let ours = origin
                .to_str()
                .ok()
                .and_then(|origin| origin.strip_prefix("http://"))
                .is_some_and(allowed);
            if !ours {
                return Some(
                    ApiError::new(
                        StatusCode::FORBIDDEN,
                        "origin_not_allowed",
                        "a page of another origin may not speak to this host",
                    )
                    .fix(format!("open http://{} instead", self.hosts[0])),
                );
            }
        }
        None
    }
}

const SECURITY_HEADERS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

pub(super) async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let authority = request.uri().authority().map(|authority| authority.as_str().to_string());
    let instance = request.uri().path().to_string();
    let trace = trace_id(request.headers());
    let mut response = match guard.refusal(request.headers(), authority.as_deref()) {
        Some(refusal) => refusal.into_response(),
        None => next.run(request).await,
    };
    // The framework's own refusals (a path that is no text, say) are plain text: give them the shape of all others.
    if response.status().is_client_error() && !is_problem(&response) {
        let status = response.status();
        let (code, fix) = match status {
            StatusCode::PAYLOAD_TOO_LARGE => ("body_too_large", None),
            StatusCode::BAD_REQUEST => ("bad_request", Some("/api/openapi.json says what this path takes")),
            _ => ("refused", None),
        };
        let mut error = ApiError::new(status, code, status.canonical_reason().unwrap_or("the request was refused"));
        error.0.fix = fix.map(str::to_string);
        response = error.into_response();
    }
    if let Some(Told(problem)) = response.extensions_mut().remove::<Told>() {
        response = told_whole(response, &problem, instance, trace);
    }
    for (name, value) in SECURITY_HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// The same problem with the request's path, and the number by which the log knows it.
fn told_whole(response: Response, problem: &Problem, instance: String, trace: String) -> Response {
    if response.status().is_server_error() {
        tracing::warn!(trace, code = problem.code, "{instance}: {}", problem.detail);
    } else {
        tracing::debug!(trace, code = problem.code, "{instance}: {}", problem.detail);
    }
    let whole = Problem {
        instance: Some(instance),
        trace_id: Some(trace),
        ..problem.clone()
    };
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    match serde_json::to_vec(&whole) {
        Ok(bytes) => Response::from_parts(parts, Body::from(bytes)),
        Err(_) => Response::from_parts(parts, Body::empty()),
    }
}

/// The caller's, from a `traceparent` as W3C's Trace Context has it; else one of our own.
fn trace_id(headers: &HeaderMap) -> String {
    let theirs = headers.get("traceparent").and_then(|value| {
        let mut parts = value.to_str().ok()?.split('-');
        let (_version, trace) = (parts.next()?, parts.next()?);
        let is_one = trace.len() == 32 && trace.bytes().all(|byte| byte.is_ascii_hexdigit()) && trace.bytes().any(|byte| byte != b'0');
        is_one.then(|| trace.to_ascii_lowercase())
    });
    static REQUESTS: AtomicU64 = AtomicU64::new(0);
    theirs.unwrap_or_else(|| {
        let mark = format!("{}-{}-{}", now_ms(), std::process::id(), REQUESTS.fetch_add(1, Ordering::Relaxed));
        blake3::hash(mark.as_bytes()).to_hex()[..32].to_string()
    })
}

fn is_problem(response: &Response) -> bool {
    response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind == "application/problem+json")
}
