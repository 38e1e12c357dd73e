//! Long looks at recorded decisions: dry runs, verification, windows to take along.
//!
//! They answer with JSON lines: `{"progress": {done, total}}` while they work, then what was found, or `{"problem": ...}`.
//! Whoever stops listening ends them.

use super::body::{Body, Query};
use super::policies::{PolicyUpload, blocking, offer_of};
use super::swaps::wrong;
use super::{App, query};
use crate::dry_run::{self, CASES_MAX, JournalWindow, LAST_MAX, Question, Span, WindowError, threads_beside_a_host};
use crate::off_policy;
use crate::policy_install::Offer;
use crate::problem::ApiError;
use crate::verification::{self, Asked, AskedError};
use crate::wire::{ReplayLine, ReplayProgress, VerificationRow};
use axum::Json;
use axum::body::{Body as Stream, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use pointsman_coordinator::Guards;
use pointsman_model::DecisionId;
use pointsman_model::policy::PolicyKind;
use pointsman_policy::Checked;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use utoipa::{IntoParams, ToSchema};

/// Decisions of a dry run or verification that names no number.
const LAST_DEFAULT: u32 = 1_000;
const CASES_DEFAULT: u32 = 100;
/// Lines that wait for a slow reader; then the work waits.
const LINES_WAITING: usize = 64;
const PROGRESS_EVERY: Duration = Duration::from_millis(50);

/// Body of `dry-run`: one policy, a file or a version that the journal keeps, and which decisions.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DryRunBody {
    pub policy: Option<PolicyUpload>,
    /// The latest decisions of its kind; 1000 where nothing is named.
    pub last: Option<u32>,
    /// Those made at this time or later, in milliseconds since 1970.
    pub since: Option<u64>,
    /// One.
    pub decision: Option<u64>,
    /// Changed decisions that are shown one by one.
    pub cases: Option<u32>,
}

/// Body of `value`: one policy of source selection, and which decisions.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ValueBody {
    pub policy: Option<PolicyUpload>,
    /// The latest decisions of its kind; 10000 where nothing is named.
    pub last: Option<u32>,
    /// Those made at this time or later, in milliseconds since 1970.
    pub since: Option<u64>,
}

/// Which decisions to verify.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VerifyBody {
    pub kind: Option<String>,
    /// Instead of a kind: a version, by `name@version`, by its name or by its digest.
    pub policy: Option<String>,
    /// The latest decisions of its kind; 1000 where nothing is named.
    pub last: Option<u32>,
}

/// Which decisions to take along.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WindowQuery {
    /// source-selection, retry, promotion-gate or curriculum.
    pub kind: Option<String>,
    /// The latest decisions of the kind; 1000 where nothing is named.
    pub last: Option<u32>,
    /// Those made at this time or later, in milliseconds since 1970.
    pub since: Option<u64>,
}

fn span(last: Option<u32>, since: Option<u64>, decision: Option<u64>) -> Result<Span, ApiError> {
    match (last, since, decision) {
        (Some(last), None, None) if !(1..=LAST_MAX).contains(&last) => Err(wrong("/last", format!("from 1 to {LAST_MAX} decisions"))),
        (Some(last), None, None) => Ok(Span::Last(last)),
        (None, Some(since), None) => Ok(Span::Since(since)),
        (None, None, Some(id)) => Ok(Span::One(DecisionId(id))),
        (None, None, None) => Ok(Span::Last(LAST_DEFAULT)),
        (_, _, _) => Err(wrong("/last", "one of last, since and decision")),
    }
}

pub(super) async fn dry_run(State(app): State<App>, Body(body): Body<DryRunBody>) -> Result<Response, ApiError> {
    let DryRunBody {
        policy,
        last,
        since,
        decision,
        cases,
    } = body;
    let span = span(last, since, decision)?;
    let cases = cases.unwrap_or(CASES_DEFAULT) as usize;
    if cases > CASES_MAX {
        return Err(wrong("/cases", format!("at most {CASES_MAX}")));
    }
    let (offer, checked, guards) = checked(&app, policy).await?;
    Ok(lines(move |lines| {
        let budgets = dry_run::budgets(&offer.budgets).map_err(|(field, problem)| wrong(&format!("/budgets/{field}"), problem))?;
        let read = app.readers.with(|reader| {
            let question = Question {
                declared: &offer.budgets,
                budgets: &budgets,
                guards,
                reads_state_of: dry_run::reads_state_of(reader, &checked.description)?,
                cases_max: cases,
                threads: threads_beside_a_host(),
            };
            let mut window = JournalWindow::open(reader, checked.description.kind, span)?;
            dry_run::run(&checked, &mut window, &question, &mut lines.progress())
        });
        let found = read
            .map_err(|error| ApiError::internal("reading decisions", error))?
            .map_err(window_error)?;
        if let Some((report, timing)) = found {
            lines.line(&ReplayLine::Report(Box::new(report)));
            lines.line(&ReplayLine::Timing(timing));
        }
        Ok(())
    }))
}

/// What recorded decisions are asked about again with, checked. Before the first line: a policy that is refused is an answer
/// of its own.
async fn checked(app: &App, policy: Option<PolicyUpload>) -> Result<(Offer, Checked, Guards), ApiError> {
    let Some(upload) = policy else {
        return Err(wrong(
            "/policy",
            "a policy is missing: a file's name with its text, or the name of a stored version",
        ));
    };
    let offer = offer_of(app, upload).await?;
    let guards = app.inbox.look(|state| Guards::of(&state.settings)).await?;
    let checking = app.clone();
    blocking(move || {
        let checked = checking.policies.check(&offer)?;
        Ok((offer, checked, guards))
    })
    .await?
}

/// `POST /api/v1/policies/value`: what a version would have been worth.
pub(super) async fn value(State(app): State<App>, Body(body): Body<ValueBody>) -> Result<Response, ApiError> {
    let ValueBody { policy, last, since } = body;
    let span = match (last, since) {
        (None, None) => Span::Last(off_policy::LAST_DEFAULT),
        (last, since) => span(last, since, None)?,
    };
    let (_, checked, guards) = checked(&app, policy).await?;
    if let Some(problem) = off_policy::refused(&checked.description) {
        return Err(wrong("/policy", problem));
    }
    Ok(lines(move |lines| {
        let read = app.readers.with(|reader| {
            let reads_state_of = dry_run::reads_state_of(reader, &checked.description)?;
            let mut log = off_policy::JournalLog::open(reader, span)?;
            off_policy::run(&checked, &mut log, guards, reads_state_of, &mut lines.progress())
        });
        let found = read
            .map_err(|error| ApiError::internal("reading decisions", error))?
            .map_err(window_error)?;
        if let Some(report) = found {
            lines.line(&ReplayLine::Value(Box::new(report)));
        }
        Ok(())
    }))
}

pub(super) async fn verify_many(State(app): State<App>, Body(body): Body<VerifyBody>) -> Result<Response, ApiError> {
    let VerifyBody { kind, policy, last } = body;
    let kind = kind.map(|slug| super::kind(&slug)).transpose()?;
    let asked = Asked::of(kind, policy).ok_or_else(|| wrong("/policy", "either a kind or a version, which has its kind"))?;
    let last = last.unwrap_or(LAST_DEFAULT);
    span(Some(last), None, None)?;
    let guards = app.inbox.look(|state| Guards::of(&state.settings)).await?;
    // A version that is not there is an answer of its own, before the first line.
    let asked = query(&app, "reading decisions", move |reader| {
        Ok(asked.window(reader, 1).map(drop).map(|()| asked))
    })
    .await?
    .map_err(asked_error)?;
    Ok(lines(move |lines| {
        let read = app.readers.with(|reader| {
            let mut window = asked.window(reader, last)?;
            let library = app.policies.library_for_verification();
            let found = verification::run(reader, library, guards, &mut window, threads_beside_a_host(), &mut lines.progress());
            found.map_err(AskedError::from)
        });
        let found = read
            .map_err(|error| ApiError::internal("reading decisions", error))?
            .map_err(asked_error)?;
        if let Some(report) = found {
            lines.line(&ReplayLine::Verification(Box::new(report)));
        }
        Ok(())
    }))
}

/// `POST /api/v1/decisions/{id}/verify`
pub(super) async fn verify_one(State(app): State<App>, Path(path): Path<String>) -> Result<Json<VerificationRow>, ApiError> {
    let id = DecisionId(super::id(&path, "decision")?);
    let guards = app.inbox.look(|state| Guards::of(&state.settings)).await?;
    let answered = blocking(move || {
        let library = app.policies.library_for_verification();
        app.readers.with(|reader| verification::one(reader, library, guards, id))
    });
    let found = answered.await?.map_err(|error| ApiError::internal("reading a decision", error))?;
    found
        .map_err(|error| ApiError::internal("verifying a decision", error))?
        .map(Json)
        .ok_or_else(|| ApiError::not_found("no_such_decision", format!("there is no decision {id}")))
}

/// `GET /api/v1/decisions/window`: a window file.
pub(super) async fn window(State(app): State<App>, Query(asked): Query<WindowQuery>) -> Result<Response, ApiError> {
    let WindowQuery { kind, last, since } = asked;
    let slugs = PolicyKind::ALL.map(PolicyKind::slug).join(", ");
    let kind = kind.ok_or_else(|| wrong("/kind", format!("a window is of one kind: {slugs}")))?;
    let kind = super::kind(&kind)?;
    let span = span(last, since, None)?;
    let guards = app.inbox.look(|state| Guards::of(&state.settings)).await?;
    // Nobody waits for long to hear that the journal cannot be read.
    query(&app, "reading decisions", |reader| reader.last_seq()).await?;
    let mut response = lines(move |lines| {
        let written = app
            .readers
            .with(|reader| dry_run::export(reader, kind, span, guards, &mut lines.writer()));
        written
            .map_err(|error| ApiError::internal("reading decisions", error))?
            .map_err(window_error)?;
        Ok(())
    });
    let name = format!("attachment; filename=\"{kind}.window.jsonl\"");
    if let Ok(value) = name.parse() {
        response.headers_mut().insert(CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

fn asked_error(error: AskedError) -> ApiError {
    match error {
        AskedError::Version(error) => error.into(),
        AskedError::Window(error) => window_error(error),
    }
}

fn window_error(error: WindowError) -> ApiError {
    match error {
        WindowError::NoDecision(_) => ApiError::not_found("no_such_decision", error.to_string()),
        WindowError::OtherKind { .. } => wrong("/decision", error.to_string()),
        WindowError::Read(_) | WindowError::File { .. } | WindowError::Io { .. } => ApiError::internal("reading decisions", error),
    }
}

/// Where the lines of one answer go.
struct Lines {
    sender: mpsc::Sender<Bytes>,
}

impl Lines {
    /// False where nobody listens any more.
    fn bytes(&self, bytes: Bytes) -> bool {
        self.sender.blocking_send(bytes).is_ok()
    }

    fn line(&self, line: &ReplayLine) -> bool {
        let mut text = serde_json::to_vec(line).unwrap_or_default();
        text.push(b'\n');
        self.bytes(text.into())
    }

    /// Tells how far it is, not more often than a person can see.
    fn progress(&self) -> impl FnMut(u64, u64) -> bool {
        let mut told: Option<Instant> = None;
        move |done, total| {
            let is_due = told.is_none_or(|told| told.elapsed() >= PROGRESS_EVERY) || done == total;
            if !is_due {
                return !self.sender.is_closed();
            }
            told = Some(Instant::now());
            self.line(&ReplayLine::Progress(ReplayProgress { done, total }))
        }
    }

    fn writer(&self) -> impl Write {
        std::io::BufWriter::with_capacity(64 << 10, LineWriter { lines: self })
    }
}

struct LineWriter<'l> {
    lines: &'l Lines,
}

impl Write for LineWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self.lines.bytes(Bytes::copy_from_slice(bytes)) {
            true => Ok(bytes.len()),
            false => Err(std::io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Answers with the lines that the work writes, as it writes them.
fn lines(work: impl FnOnce(&Lines) -> Result<(), ApiError> + Send + 'static) -> Response {
    let (sender, receiver) = mpsc::channel(LINES_WAITING);
    tokio::task::spawn_blocking(move || {
        let lines = Lines { sender };
        if let Err(ApiError(problem)) = work(&lines) {
            lines.line(&ReplayLine::Problem(problem));
        }
    });
    let stream = futures_util::stream::unfold(receiver, |mut receiver| async {
        receiver
            .recv()
            .await
            .map(|bytes| (Ok::<_, std::convert::Infallible>(bytes), receiver))
    });
    ([(CONTENT_TYPE, "application/x-ndjson")], Stream::from_stream(stream)).into_response()
}
