//! What handlers of requests have in common: who asks, pages of lists, words and numbers of a path, and the way to the
//! journal and the coordinator.

use super::{App, LIST_DEFAULT, LIST_MAX};
use crate::inbox::Inbox;
use crate::problem::ApiError;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pointsman_model::Actor;
use pointsman_model::policy::PolicyKind;
use pointsman_model::source::Origin;
use utoipa::ToSchema;

/// Who asks, for the record: the header `x-pointsman-actor`, else `web` for a browser, else `api`.
pub(super) fn actor(headers: &HeaderMap) -> Result<Actor, ApiError> {
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

/// Through which door a source came in: as it was said, else by whether a browser asks. None where nobody may say so.
pub(super) fn origin(said: Option<Origin>, headers: &HeaderMap) -> Option<Origin> {
    match said {
        Some(Origin::Campaign | Origin::Curriculum) => None,
        Some(said @ (Origin::Ui | Origin::Api | Origin::Cli)) => Some(said),
        None if headers.contains_key("origin") => Some(Origin::Ui),
        None => Some(Origin::Api),
    }
}

/// Limit and cursor of a list, parsed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    pub(super) limit: u32,
    /// Rows before this id.
    pub(super) before: Option<u64>,
}

impl Page {
    pub(super) fn parse(limit: Option<&str>, cursor: Option<&str>) -> Result<Page, ApiError> {
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
            Some(text) => match uncovered(text) {
                Some(before) if before > 0 && before <= i64::MAX as u64 => Some(before),
                Some(_) | None => {
                    return Err(ApiError::bad_request("bad_cursor", "this cursor was not given out by this list")
                        .field("/cursor", "use next_cursor of the page before, unchanged"));
                }
            },
        };
        Ok(Page { limit, before })
    }
}

/// A path segment that is a number.
pub(super) fn id(text: &str, what: &str) -> Result<u64, ApiError> {
    match text.parse() {
        Ok(id) if id <= i64::MAX as u64 => Ok(id),
        Ok(_) | Err(_) => Err(ApiError::bad_request(
            "bad_id",
            format!("'{}' is not the number of a {what}", text.chars().take(40).collect::<String>()),
        )),
    }
}

/// Cursor of the page after these rows, if it may hold any.
pub(super) fn next_cursor<T>(rows: &[T], page: Page, id: impl Fn(&T) -> u64) -> Option<String> {
    rows.last()
        .filter(|_| rows.len() as u64 >= u64::from(page.limit))
        .map(|row| covered(id(row)))
}

/// Bytes of a cursor's checksum: what was not given out as a cursor is not taken for one.
const CURSOR_CHECK_BYTES: usize = 4;

/// A row's number as a cursor. What it holds is nobody's business: a list may order its rows otherwise one day.
pub(super) fn covered(id: u64) -> String {
    let mut bytes = id.to_be_bytes().to_vec();
    bytes.extend_from_slice(&blake3::hash(&bytes).as_bytes()[..CURSOR_CHECK_BYTES]);
    URL_SAFE_NO_PAD.encode(bytes)
}

fn uncovered(cursor: &str) -> Option<u64> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (id, check) = bytes.split_at_checked(size_of::<u64>())?;
    let is_ours = blake3::hash(id).as_bytes()[..CURSOR_CHECK_BYTES] == *check;
    is_ours.then(|| u64::from_be_bytes(id.try_into().expect("eight bytes")))
}

/// A query parameter that is one of a few words.
pub(super) fn word<T: serde::de::DeserializeOwned>(name: &str, text: Option<&str>, words: &str) -> Result<Option<T>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    serde_json::from_value(serde_json::Value::String(text.to_string()))
        .map(Some)
        .map_err(|_| {
            ApiError::bad_request("bad_filter", format!("{name} is '{}'", text.chars().take(40).collect::<String>()))
                .field(format!("/{name}"), words)
        })
}

/// The word of a plain enum, as in JSON.
pub(super) fn slug(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(slug)) => slug,
        _ => String::new(),
    }
}

pub(super) fn kind(slug: &str) -> Result<PolicyKind, ApiError> {
    PolicyKind::parse(slug).ok_or_else(|| {
        ApiError::not_found(
            "no_such_kind",
            format!("there is no policy kind '{}'", slug.chars().take(40).collect::<String>()),
        )
        .fix(format!("the kinds are {}", PolicyKind::ALL.map(PolicyKind::slug).join(", ")))
    })
}

/// Runs a query of the journal off the async threads.
pub(super) async fn query<T: Send + 'static>(
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
#[derive(serde::Deserialize, Default, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ReasonBody {
    /// Why, for the record; at most 1000 bytes.
    pub(super) reason: String,
}

/// Longest reason that is kept.
const REASON_BYTES_MAX: usize = 1000;

pub(super) fn reason(body: ReasonBody) -> Result<String, ApiError> {
    if body.reason.len() > REASON_BYTES_MAX {
        return Err(
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_reason", "the reason is too long")
                .field("/reason", format!("at most {REASON_BYTES_MAX} bytes")),
        );
    }
    Ok(body.reason)
}

pub(super) async fn send(inbox: &Inbox, command: pointsman_model::command::Command) -> Result<pointsman_coordinator::Reply, ApiError> {
    inbox.send(command).await.map_err(ApiError::from)
}
