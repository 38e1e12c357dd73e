//! `/ws`: the live stream. Frames are those of [`crate::wire::Frame`]; the viewer sends nothing that matters.

use super::App;
use super::body::Query;
use crate::hub::Hub;
use crate::problem::ApiError;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use utoipa::IntoParams;

/// Most viewers at a time.
const VIEWERS_MAX: usize = 2_000;
const PING_EVERY: Duration = Duration::from_secs(20);
/// A viewer that takes no byte for so long is let go; it may come back and resume.
const SEND_WITHIN: Duration = Duration::from_secs(30);
/// A viewer that says nothing for so long, not even a pong, is gone.
const HEARD_WITHIN: Duration = Duration::from_secs(65);
/// Frames of samples that are put into one flush.
const SAMPLES_AT_ONCE: usize = 64;

static VIEWERS: AtomicUsize = AtomicUsize::new(0);

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Resume {
    /// The last position that the viewer has.
    since: Option<String>,
    /// The epoch that this position is of.
    epoch: Option<String>,
}

pub(super) async fn connect(
    State(app): State<App>,
    Query(resume): Query<Resume>,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(_) => {
            return ApiError::new(StatusCode::UPGRADE_REQUIRED, "websocket_only", "/ws speaks WebSocket")
                .fix("open it with a WebSocket client")
                .into_response();
        }
    };
    let since = match (&resume.since, resume.epoch) {
        (Some(since), Some(epoch)) => match since.parse::<u64>() {
            Ok(since) => Some((epoch, since)),
            Err(_) => {
                return ApiError::bad_request("bad_since", "since is not a journal position")
                    .field("/since", "a whole number")
                    .into_response();
            }
        },
        (None, _) | (_, None) => None,
    };
    if VIEWERS.fetch_add(1, Ordering::Relaxed) >= VIEWERS_MAX {
        VIEWERS.fetch_sub(1, Ordering::Relaxed);
        return ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_many_viewers",
            format!("{VIEWERS_MAX} viewers are connected"),
        )
        .into_response();
    }
    let seat = Seat;
    let stopping = app.stopping.clone();
    let hub = app.hub.clone();
    upgrade
        .write_buffer_size(64 << 10)
        .max_write_buffer_size(16 << 20)
        .max_message_size(4 << 10)
        .on_upgrade(move |socket| async move {
            feed(socket, hub, since, stopping).await;
            drop(seat);
        })
}

/// A viewer's place in the count, given back however the connection ends.
struct Seat;

impl Drop for Seat {
    fn drop(&mut self) {
        VIEWERS.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn feed(socket: WebSocket, hub: Hub, since: Option<(String, u64)>, mut stopping: watch::Receiver<bool>) {
    let (mut sink, mut stream) = socket.split();
    let mut versions = hub.versions();
    let mut samples = hub.samples();
    let (mut frames, mut place) = hub.join(since.as_ref().map(|(epoch, seq)| (epoch.as_str(), *seq)));
    let mut ping = tokio::time::interval_at(tokio::time::Instant::now() + PING_EVERY, PING_EVERY);
    let mut heard = Instant::now();
    loop {
        let mut waiting: Vec<Message> = frames.drain(..).map(Message::Text).collect();
        if waiting.is_empty() {
            tokio::select! {
                changed = versions.changed() => match changed {
                    Ok(()) => waiting.extend(hub.take(&mut place).into_iter().map(Message::Text)),
                    Err(_) => return,
                },
                sample = samples.recv() => match sample {
                    Ok(frame) => {
                        waiting.push(Message::Text(frame));
                        waiting.extend(std::iter::from_fn(|| samples.try_recv().ok()).take(SAMPLES_AT_ONCE).map(Message::Text));
                    }
                    // Points that were missed stand in the job itself.
                    Err(RecvError::Lagged(_)) => continue,
                    Err(RecvError::Closed) => return,
                },
                _ = ping.tick() => {
                    if heard.elapsed() > HEARD_WITHIN {
                        return;
                    }
                    waiting.push(Message::Ping(Default::default()));
                }
                message = stream.next() => match message {
                    Some(Ok(Message::Close(_))) | Some(Err(_)) | None => return,
                    Some(Ok(Message::Text(_) | Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => {
                        heard = Instant::now();
                        continue;
                    }
                },
                _ = stopping.changed() => {
                    let goodbye = CloseFrame { code: 1001, reason: Utf8Bytes::from_static("the host is shutting down") };
                    let _ = tokio::time::timeout(Duration::from_secs(1), sink.send(Message::Close(Some(goodbye)))).await;
                    return;
                }
            }
        }
        let sent = tokio::time::timeout(SEND_WITHIN, async {
            for message in waiting {
                sink.feed(message).await?;
            }
            sink.flush().await
        });
        if !matches!(sent.await, Ok(Ok(()))) {
            return;
        }
    }
}
