//! `/v1/completions` and `/v1/models`, in the shape that OpenAI's clients expect.

use super::App;
use super::body::Body;
use crate::clock::now_ms;
use crate::problem::ApiError;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use pointsman_runner::{Completion, CompletionRequest, ServeError};
use serde::Deserialize;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

/// Pieces of a streamed answer that wait for a slow reader; the model waits beyond that.
const PIECES_WAITING: usize = 64;

static REQUESTS: AtomicU64 = AtomicU64::new(1);

/// What of OpenAI's request is honoured; other fields are taken and ignored, as clients send many.
#[derive(Deserialize)]
pub(super) struct CompletionBody {
    prompt: Prompt,
    max_tokens: Option<u32>,
    temperature: Option<f64>,
    seed: Option<u64>,
    #[serde(default)]
    stream: bool,
    /// The domain of the prompt, where the caller knows it.
    host: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Prompt {
    One(String),
    Several(Vec<String>),
}

pub(super) async fn complete(State(app): State<App>, Body(body): Body<CompletionBody>) -> Result<Response, ApiError> {
    let CompletionBody {
        prompt,
        max_tokens,
        temperature,
        seed,
        stream,
        host,
    } = body;
    let prompt = match prompt {
        Prompt::One(prompt) => prompt,
        Prompt::Several(mut prompts) => match (prompts.pop(), prompts.is_empty()) {
            (Some(prompt), true) => prompt,
            _ => {
                return Err(
                    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_field", "a field of the body is wrong")
                        .field("/prompt", "one prompt per request"),
                );
            }
        },
    };
    let request = CompletionRequest {
        prompt,
        max_tokens: max_tokens.unwrap_or(120),
        temperature: temperature.unwrap_or(0.7) as f32,
        seed,
        host,
        probe: false,
    };
    let id = format!("cmpl-{}", REQUESTS.fetch_add(1, Ordering::Relaxed));
    let created = now_ms() / 1000;
    // Held until the model has ended: the seats are what keeps requests from taking the machine.
    let seat = match app.completions.clone().try_acquire_owned() {
        Ok(seat) => seat,
        Err(_) => {
            return Err(ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "the model has more requests than it takes at a time",
            )
            .fix("try again in a second"));
        }
    };
    if !stream {
        let answered = tokio::task::spawn_blocking(move || {
            let _seat = seat;
            app.standard.complete(&request, &mut |_| ControlFlow::Continue(()))
        });
        let completion = match answered.await {
            Ok(Ok(completion)) => completion,
            Ok(Err(error)) => return Err(problem(error)),
            Err(error) => return Err(ApiError::internal("answering a request", error)),
        };
        return Ok(Json(whole(&id, created, &completion)).into_response());
    }
    let (sender, mut pieces) = mpsc::channel::<String>(PIECES_WAITING);
    let (started, first) = tokio::sync::oneshot::channel();
    tokio::task::spawn_blocking(move || {
        let _seat = seat;
        let mut started = Some(started);
        let mut on_text = |text: &str| {
            if let Some(started) = started.take() {
                let _ = started.send(Ok(()));
            }
            let piece = json!({ "id": id, "object": "text_completion", "created": created, "choices": [{ "index": 0, "text": text, "finish_reason": null }] });
            match sender.blocking_send(format!("data: {piece}\n\n")) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        };
        match app.standard.complete(&request, &mut on_text) {
            Ok(completion) => {
                let end = json!({
                    "id": id, "object": "text_completion", "created": created, "model": completion.model,
                    "choices": [{ "index": 0, "text": "", "finish_reason": "length" }],
                });
                let _ = sender.blocking_send(format!("data: {end}\n\ndata: [DONE]\n\n"));
                if let Some(started) = started.take() {
                    let _ = started.send(Ok(()));
                }
            }
            Err(error) => match started.take() {
                Some(started) => {
                    let _ = started.send(Err(error));
                }
                None => {
                    let _ = sender.blocking_send(format!("data: {}\n\n", json!({ "error": { "message": error.to_string() } })));
                }
            },
        }
    });
    match first.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(problem(error)),
        Err(error) => return Err(ApiError::internal("answering a request", error)),
    }
    let stream = futures_util::stream::poll_fn(move |context| pieces.poll_recv(context).map(|piece| piece.map(Ok::<String, Infallible>)));
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, axum::body::Body::from_stream(stream)).into_response())
}

pub(super) async fn models(State(app): State<App>) -> Json<Value> {
    let data: Vec<Value> = app
        .hub
        .latest()
        .active
        .into_iter()
        .map(
            |model| json!({ "id": model.tag, "object": "model", "created": model.live_since.unwrap_or(0) / 1000, "owned_by": "pointsman" }),
        )
        .collect();
    Json(json!({ "object": "list", "data": data }))
}

fn whole(id: &str, created: u64, completion: &Completion) -> Value {
    json!({
        "id": id,
        "object": "text_completion",
        "created": created,
        "model": completion.model,
        "choices": [{ "index": 0, "text": completion.text, "finish_reason": "length", "logprobs": null }],
        "usage": { "completion_tokens": completion.text.len() },
    })
}

fn problem(error: ServeError) -> ApiError {
    let field = |pointer: &str| {
        let text = error.to_string();
        let detail = text.split_once(": ").map_or(text.as_str(), |(_, detail)| detail).to_string();
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_field", "a field of the body is wrong").field(pointer, detail)
    };
    match &error {
        ServeError::NoModel { .. } => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "no_model", error.to_string())
            .fix("start training: the first model is made in under a minute"),
        ServeError::PromptTooLong { .. } => field("/prompt"),
        ServeError::MaxTokens { .. } => field("/max_tokens"),
        ServeError::Temperature { .. } => field("/temperature"),
        ServeError::HostTooLong { .. } => field("/host"),
        ServeError::Failed { .. } => ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "model_failed", error.to_string()),
    }
}
