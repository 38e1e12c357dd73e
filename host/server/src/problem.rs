//! Errors as RFC 9457 problems: a stable code, the fields at fault, and the cure where there is one.

use crate::inbox::Rejected;
use crate::wire::{FieldError, PolicyProblem, Problem};
use axum::Json;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use axum::http::{StatusCode, header::HeaderMap};
use axum::response::{IntoResponse, Response};
use pointsman_coordinator::{Refusal, RefusalKind};
use std::sync::Arc;

/// A request that is answered with a problem.
#[derive(Debug, Clone)]
pub struct ApiError(pub Box<Problem>);

impl ApiError {
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> ApiError {
        ApiError(Box::new(Problem {
            kind: format!("urn:pointsman:problem:{code}"),
            title: status.canonical_reason().unwrap_or("Error").to_string(),
            status: status.as_u16(),
            detail: detail.into(),
            code: code.to_string(),
            errors: Vec::new(),
            fix: None,
            instance: None,
            trace_id: None,
        }))
    }

    pub fn bad_request(code: &str, detail: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, code, detail)
    }

    pub fn not_found(code: &str, detail: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// Our own failure; the chain of causes goes to the log, not to the caller.
    pub fn internal(what: &str, error: impl std::fmt::Display) -> ApiError {
        tracing::error!("{what}: {error:#}");
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            format!("{what} failed; the host's log says why"),
        )
    }

    pub fn fix(mut self, fix: impl Into<String>) -> ApiError {
        self.0.fix = Some(fix.into());
        self
    }

    /// Adds a field at fault; `pointer` is a JSON pointer.
    pub fn field(mut self, pointer: impl Into<String>, detail: impl Into<String>) -> ApiError {
        self.0.errors.push(FieldError {
            pointer: pointer.into(),
            detail: detail.into(),
        });
        self
    }
}

/// The problem that a response tells.
#[derive(Clone)]
pub(crate) struct Told(pub Arc<Problem>);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::SERVICE_UNAVAILABLE || status == StatusCode::INSUFFICIENT_STORAGE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        let mut response = (status, Json(&*self.0)).into_response();
        response.headers_mut().extend(headers);
        // The outermost layer writes it again, with what only that knows.
        response.extensions_mut().insert(Told(Arc::new(*self.0)));
        response
    }
}

/// A policy that did not pass: nothing live was touched.
impl From<PolicyProblem> for ApiError {
    fn from(problem: PolicyProblem) -> ApiError {
        let place = [problem.line, problem.column]
            .into_iter()
            .flatten()
            .map(|number| format!(":{number}"))
            .collect::<String>();
        let detail = format!(
            "{}{place}: {} The version before goes on serving.",
            problem.file,
            sentence(&problem.message)
        );
        let mut error = ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, &problem.code, detail);
        error.0.fix = problem.fix;
        error
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> ApiError {
        let Refusal {
            kind,
            code,
            message,
            fields,
            fix,
        } = refusal;
        let status = match kind {
            RefusalKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            RefusalKind::NotFound => StatusCode::NOT_FOUND,
            RefusalKind::Conflict => StatusCode::CONFLICT,
        };
        let mut error = ApiError::new(status, code, message);
        error.0.fix = fix;
        for field in fields {
            error = error.field(format!("/{}", field.field.replace('.', "/")), field.problem);
        }
        error
    }
}

impl From<Rejected> for ApiError {
    fn from(rejected: Rejected) -> ApiError {
        match rejected {
            Rejected::Refused(refusal) => refusal.into(),
            Rejected::Busy => ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "the host has more requests waiting than it takes at a time",
            )
            .fix("try again in a second"),
            Rejected::Full { reason } => ApiError::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "storage_full",
                format!("nothing was changed: the journal has no space ({reason})"),
            )
            .fix("free space in the data directory; the host goes on by itself"),
            Rejected::ReadOnly { reason } => ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "read_only",
                format!("nothing was changed: the journal cannot be written ({reason})"),
            )
            .fix("see to the disk under the data directory; the host goes on by itself"),
            Rejected::Stopping => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the host is shutting down")
                .fix("start it again with `pointsman up`"),
        }
    }
}

/// A message with a full stop, so that another sentence may follow.
pub(crate) fn sentence(text: &str) -> String {
    let text = text.trim_end();
    let is_closed = text.ends_with(['.', '!', '?', ':']);
    if is_closed { text.to_string() } else { format!("{text}.") }
}
