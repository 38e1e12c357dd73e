//! Who may speak to us from where: `Host` and `Origin` are checked on every route, every method and the WebSocket
//! upgrade, so that a page of another site, or a name that was pointed at this machine, gets nothing.

use crate::problem::ApiError;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::SocketAddr;
use std::sync::Arc;

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
    let mut response = match guard.refusal(request.headers(), authority.as_deref()) {
        Some(refusal) => refusal.into_response(),
        None => next.run(request).await,
    };
    // The framework's own refusals (a body too large, say) are plain text: give them the shape of all others.
    if response.status().is_client_error() && !is_problem(&response) {
        let status = response.status();
        let code = match status {
            StatusCode::PAYLOAD_TOO_LARGE => "body_too_large",
            StatusCode::BAD_REQUEST => "bad_request",
            _ => "refused",
        };
        response = ApiError::new(status, code, status.canonical_reason().unwrap_or("the request was refused")).into_response();
    }
    for (name, value) in SECURITY_HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

fn is_problem(response: &Response) -> bool {
    response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind == "application/problem+json")
}
