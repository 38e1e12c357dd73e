//! `POST /api/v1/sources/import`: a file of sources as the body, taken as it comes.
//!
//! Answers with JSON lines: the nonce first, then progress, at the end the lines that were not taken and a report. Those lines wait
//! until the file was read: a client that sends before it reads would otherwise stand still, and so would we.

use super::body::Query;
use super::{App, actor};
use crate::import::{self, Counts, Format, ImportError, Part, REFUSED_MAX, Refused, Sink, Taken};
use crate::inbox::{Inbox, Rejected};
use crate::problem::ApiError;
use crate::wire::{ImportLine, ImportProgress, ImportReport, RefusedLine};
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use pointsman_coordinator::Reply;
use pointsman_model::Actor;
use pointsman_model::command::{Command, ImportBatch};
use pointsman_model::source::Origin;
use serde::Deserialize;
use std::io::Read;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use utoipa::IntoParams;

/// Pieces of the body that wait for being read; then the sender waits.
const PIECES_WAITING: usize = 16;
const LINES_WAITING: usize = 64;
/// Longest pause between two pieces.
const PIECE_WITHIN: Duration = Duration::from_secs(60);
const PROGRESS_EVERY: Duration = Duration::from_millis(100);
/// How long a part is offered again while the host is busy.
const BUSY_FOR: Duration = Duration::from_secs(30);
const BUSY_PAUSE: Duration = Duration::from_millis(20);

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// jsonl or csv; told by the kind of content where it is left out.
    format: Option<String>,
    /// Names the import, so that a repeat doubles nothing; the host makes one where it is left out.
    nonce: Option<String>,
    /// ui, api or cli.
    #[param(value_type = Option<String>)]
    origin: Option<Origin>,
}

pub(super) async fn import(State(app): State<App>, Query(asked): Query<Asked>, request: Request) -> Result<Response, ApiError> {
    let Asked { format, nonce, origin } = asked;
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    // The kind of content is asked for all the same: a page of another site could send a form without asking.
    let of_kind = kind.and_then(Format::of_content_type).ok_or_else(|| {
        ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_a_list",
            "the body must be JSON lines or CSV",
        )
        .fix("send content-type: application/x-ndjson or text/csv")
    })?;
    let format = match format.as_deref() {
        None => of_kind,
        Some(word) => Format::parse(word)
            .ok_or_else(|| ApiError::bad_request("bad_format", "format: jsonl or csv").field("/format", "jsonl or csv"))?,
    };
    let origin = super::origin(origin, request.headers())
        .ok_or_else(|| ApiError::bad_request("bad_origin", "origin: ui, api or cli").field("/origin", "ui, api or cli"))?;
    let actor = actor(request.headers())?;
    let nonce = nonce.unwrap_or_else(|| {
        let mark = format!("{}-{}", crate::clock::now_ms(), app.hub.epoch());
        format!("import-{}", &blake3::hash(mark.as_bytes()).to_hex()[..16])
    });
    let settings = app.inbox.look(|state| state.settings.clone()).await?;

    let (pieces, received) = sync_channel::<std::io::Result<Bytes>>(PIECES_WAITING);
    let mut body = request.into_body().into_data_stream();
    tokio::spawn(async move {
        loop {
            let piece = match tokio::time::timeout(PIECE_WITHIN, body.next()).await {
                Ok(None) => return,
                Ok(Some(Ok(piece))) => Ok(piece),
                Ok(Some(Err(error))) => Err(std::io::Error::other(error)),
                Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
            };
            let is_over = piece.is_err();
            // The reader may be behind: waiting for it is what slows the sender down, and must not hold up an async thread.
            let pieces = pieces.clone();
            let sent = tokio::task::spawn_blocking(move || pieces.send(piece).is_ok()).await;
            if is_over || !sent.unwrap_or(false) {
                return;
            }
        }
    });

    let (sender, receiver) = mpsc::channel(LINES_WAITING);
    let inbox = app.inbox.clone();
    tokio::task::spawn_blocking(move || {
        let mut file = Pieces {
            received,
            rest: Bytes::new(),
        };
        let mut sink = Line {
            inbox,
            nonce: nonce.clone(),
            actor,
            sender,
            told: Instant::now(),
            refused: Vec::new(),
        };
        sink.line(&ImportLine::Started { nonce: nonce.clone() });
        let ended = import::run(&mut file, format, origin, &settings, &mut sink);
        // What is not read any more is taken off the line, so that a client that only sends comes to hear why.
        let mut rest = [0; 64 << 10];
        while matches!(file.read(&mut rest), Ok(read) if read > 0) {}
        for refused in std::mem::take(&mut sink.refused) {
            sink.line(&ImportLine::Refused(refused));
        }
        sink.line(&match ended {
            Ok(counts) => ImportLine::Report(report(nonce, &counts)),
            Err(error) => ImportLine::Problem(problem(error, &nonce).0),
        });
    });
    let stream = futures_util::stream::unfold(receiver, |mut receiver| async {
        let line = receiver.recv().await?;
        Some((Ok::<Bytes, std::convert::Infallible>(line), receiver))
    });
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(stream)).into_response())
}

fn report(nonce: String, counts: &Counts) -> ImportReport {
    let Counts {
        lines,
        bytes,
        queued,
        known,
        refused,
        blank,
    } = *counts;
    ImportReport {
        nonce,
        lines,
        bytes,
        queued,
        known,
        refused,
        blank,
    }
}

fn problem(error: ImportError<Rejected>, nonce: &str) -> ApiError {
    let again = format!("send the same file again with nonce={nonce}: what was taken is not taken twice");
    match error {
        ImportError::Read { line, source } => ApiError::bad_request(
            "body_broke_off",
            format!("the body broke off; nothing after line {line} was taken: {source}"),
        )
        .fix(again),
        ImportError::Header { line, problem } => {
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_header", format!("line {line}: {problem}")).fix("mend the header")
        }
        ImportError::TooManyRefused { line } => ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "too_many_refused",
            format!("{REFUSED_MAX} lines were refused, so the rest was not read; nothing after line {line} was taken"),
        )
        .fix("look at the first of them: is the file of this format?"),
        ImportError::Take(rejected) => {
            let mut error = ApiError::from(rejected);
            error.0.fix = error.0.fix.map(|fix| format!("{fix}; then {again}")).or(Some(again));
            error
        }
    }
}

/// The body as a file.
struct Pieces {
    received: Receiver<std::io::Result<Bytes>>,
    rest: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.rest.is_empty() {
            match self.received.recv() {
                Ok(piece) => self.rest = piece?,
                Err(_) => return Ok(0),
            }
        }
        let taken = self.rest.split_to(self.rest.len().min(buffer.len()));
        buffer[..taken.len()].copy_from_slice(&taken);
        Ok(taken.len())
    }
}

struct Line {
    inbox: Inbox,
    nonce: String,
    actor: Actor,
    sender: mpsc::Sender<Bytes>,
    told: Instant,
    refused: Vec<RefusedLine>,
}

impl Line {
    fn line(&self, line: &ImportLine) {
        // Nobody listening is no reason to stop: what was sent is taken, and a repeat tells so.
        let _ = self.sender.blocking_send(bytes(line));
    }
}

fn bytes(line: &ImportLine) -> Bytes {
    let mut text = serde_json::to_vec(line).unwrap_or_default();
    text.push(b'\n');
    text.into()
}

impl Sink for Line {
    type Error = Rejected;

    fn take(&mut self, part: Part) -> Result<Taken, Rejected> {
        let Part {
            number,
            digest,
            rows,
            refused,
        } = part;
        let began = Instant::now();
        loop {
            let batch = ImportBatch {
                import: self.nonce.clone(),
                batch: number,
                digest,
                rows: rows.clone(),
                refused,
                actor: self.actor.clone(),
            };
            match self.inbox.send_blocking(Command::ImportSources(batch), Vec::new()) {
                Ok(Reply::Imported { queued, known }) => return Ok(Taken { queued, known }),
                Ok(_) => return Ok(Taken { queued: 0, known: false }),
                // The inbox tells nobody when it has room again; this thread is the import's own.
                Err(Rejected::Busy) if began.elapsed() < BUSY_FOR => std::thread::sleep(BUSY_PAUSE),
                Err(rejected) => return Err(rejected),
            }
        }
    }

    fn refused(&mut self, refused: Refused) {
        let Refused { line, field, problem, fix } = refused;
        self.refused.push(RefusedLine { line, field, problem, fix });
    }

    fn progress(&mut self, counts: &Counts) {
        if self.told.elapsed() < PROGRESS_EVERY {
            return;
        }
        self.told = Instant::now();
        let Counts {
            lines,
            bytes: read,
            queued,
            known,
            refused,
            blank: _,
        } = *counts;
        // A client that does not read yet misses some of it.
        let _ = self.sender.try_send(bytes(&ImportLine::Progress(ImportProgress {
            lines,
            bytes: read,
            queued,
            known,
            refused,
        })));
    }
}
