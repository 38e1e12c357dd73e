//! Shapes of the document for values that other crates own and that know nothing of documents.

use utoipa::ToSchema;

/// Parameters of a training run; what is left out comes from the live settings.
#[derive(ToSchema)]
#[allow(dead_code, reason = "a shape, never made")]
pub(super) struct TrainingParams {
    /// Steps that a run trains for.
    pub steps: u32,
    /// How far a step goes.
    pub learning_rate: f64,
    /// Share of each batch taken from hosts learnt before: keeps the model from forgetting.
    pub replay_share: f64,
}

/// The answer is an object that grows; its fields are told where they are made.
#[derive(ToSchema)]
#[allow(dead_code, reason = "a shape, never made")]
pub(super) struct Status {
    /// ok, ready
    pub status: String,
}

/// A request as OpenAI's clients send it; fields that are not named here are taken and ignored.
#[derive(ToSchema)]
#[allow(dead_code, reason = "a shape, never made")]
pub(super) struct CompletionRequest {
    /// The text to go on from.
    pub prompt: String,
    /// Most bytes of the answer.
    pub max_tokens: Option<u32>,
    /// How much chance there is in the answer; 0 for none.
    pub temperature: Option<f64>,
    /// The same seed, prompt and model give the same answer.
    pub seed: Option<u64>,
    /// Answer piece by piece, as server-sent events.
    pub stream: Option<bool>,
    /// The domain of the prompt, where the caller knows it.
    pub host: Option<String>,
}
