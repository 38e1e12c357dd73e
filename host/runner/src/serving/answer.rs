//! Answering one request, and what it tells about a candidate.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use pointsman_model::ModelTag;
use pointsman_model::promotion::ServedSample;
use pointsman_model::run::Pair;
use serde::{Deserialize, Serialize};

use super::{Loaded, ModelService, Stage, Trial, TrialKind};

/// Longest prompt that is taken.
pub const PROMPT_BYTES_MAX: usize = 64 << 10;
/// Longest answer; a token of the embedded model is a byte.
pub const MAX_TOKENS_MAX: u32 = 4_096;
/// A shorter prompt says too little about a model to be scored.
pub const SCORED_BYTES_MIN: usize = 64;
/// Of a long prompt only so much is scored.
const SCORED_BYTES_MAX: usize = 4_096;
const TEMPERATURE_MAX: f32 = 10.0;
/// Longest name of a host in a request.
const HOST_BYTES_MAX: usize = 200;
/// Host of a request that names none.
const STANDARD_HOST: &str = "standard";

/// A standard request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CompletionRequest {
    pub prompt: String,
    #[serde(default = "default_max_tokens")]
    pub max_tokens: u32,
    /// Zero takes the likeliest byte each time.
    #[serde(default = "default_temperature")]
    pub temperature: f32,
    /// The same request with the same seed gets the same text from the same model; none takes a new one each time.
    #[serde(default)]
    pub seed: Option<u64>,
    /// The domain the prompt belongs to, where the caller knows it.
    #[serde(default)]
    pub host: Option<String>,
    /// Made by the host itself to try a candidate; see [`super::probe_prompts`].
    #[serde(default)]
    pub probe: bool,
}

fn default_max_tokens() -> u32 {
    200
}

fn default_temperature() -> f32 {
    0.6
}

/// An answer, and what the request told about a candidate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Completion {
    pub text: String,
    /// Model that answered.
    pub model: ModelTag,
    pub by_candidate: bool,
    /// Time that the model took, without what the reader of a stream took.
    pub latency_ms: f64,
    pub probe: bool,
    /// For `ReportServed`: the candidate and how this request went. None while no candidate is on trial.
    pub sample: Option<(ModelTag, ServedSample)>,
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ServeError {
    #[error("no model is in service yet{}", .problem.as_ref().map(|problem| format!(": {problem}")).unwrap_or_default())]
    NoModel { problem: Option<String> },
    #[error("prompt: {bytes} bytes are more than {PROMPT_BYTES_MAX}; send its end")]
    PromptTooLong { bytes: usize },
    #[error("max_tokens: {given} is not between 1 and {MAX_TOKENS_MAX}")]
    MaxTokens { given: u32 },
    #[error("temperature: {given} is not between 0 and {TEMPERATURE_MAX}")]
    Temperature { given: f32 },
    #[error("host: {bytes} bytes are more than {HOST_BYTES_MAX}")]
    HostTooLong { bytes: usize },
    #[error("model {model} failed to answer")]
    Failed { model: ModelTag },
}

impl ModelService {
    /// Answers a request. Takes 20 microseconds or so per byte: not for the thread of an async runtime.
    pub fn complete(&self, request: &CompletionRequest) -> Result<Completion, ServeError> {
        self.complete_streaming(request, &mut |_| ControlFlow::Continue(()))
    }

    /// The same, with the text handed on as it comes, in whole characters. A reader that breaks off gets a completion with the
    /// text so far.
    pub fn complete_streaming(
        &self,
        request: &CompletionRequest,
        on_text: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Completion, ServeError> {
        check(request)?;
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let stage = self.stage.load_full();
        let turn = Turn::of(&stage, number).ok_or_else(|| ServeError::NoModel {
            problem: stage.problem.clone(),
        })?;
        let seed = request.seed.unwrap_or_else(|| mix(number ^ 0x5EED));

        // The reader is ours and not part of the trial: what it has been handed stays handed, whoever goes on.
        let mut writer = Writer {
            text: String::new(),
            held: Vec::new(),
            on_text,
            broke_off: false,
        };
        let first = generate(turn.first, request, seed, &mut writer);
        let (model, failed, latency) = match first {
            Ok(latency) => (turn.first, false, latency),
            Err(latency) => {
                let second = turn.second.filter(|_| writer.text.is_empty());
                let Some(second) = second else {
                    return Err(ServeError::Failed {
                        model: turn.first.tag.clone(),
                    });
                };
                writer.held.clear();
                generate(second, request, seed, &mut writer).map_err(|_| ServeError::Failed { model: second.tag.clone() })?;
                (second, true, latency)
            }
        };
        writer.finish();
        let text = writer.text;

        let sample = stage.trial.as_ref().map(|trial| {
            let sample = ServedSample {
                by_candidate: turn.is_candidates,
                failed: failed || turn.is_absent,
                latency_ms: if turn.is_absent { 0.0 } else { ms(latency) },
                pair: pair(&stage, trial, request),
            };
            (trial.candidate.clone(), sample)
        });
        let by_candidate = turn.is_candidates && !turn.is_absent && !failed;
        Ok(Completion {
            text,
            model: model.tag.clone(),
            by_candidate,
            latency_ms: ms(latency),
            probe: request.probe,
            sample,
        })
    }
}

fn check(request: &CompletionRequest) -> Result<(), ServeError> {
    let CompletionRequest {
        prompt,
        max_tokens,
        temperature,
        seed: _,
        host,
        probe: _,
    } = request;
    if prompt.len() > PROMPT_BYTES_MAX {
        return Err(ServeError::PromptTooLong { bytes: prompt.len() });
    }
    if !(1..=MAX_TOKENS_MAX).contains(max_tokens) {
        return Err(ServeError::MaxTokens { given: *max_tokens });
    }
    if !(0.0..=TEMPERATURE_MAX).contains(temperature) {
        return Err(ServeError::Temperature { given: *temperature });
    }
    match host {
        Some(host) if host.len() > HOST_BYTES_MAX => Err(ServeError::HostTooLong { bytes: host.len() }),
        Some(_) | None => Ok(()),
    }
}

/// Whose turn it is, and who steps in.
struct Turn<'a> {
    first: &'a Loaded,
    second: Option<&'a Loaded>,
    is_candidates: bool,
    /// It is the candidate's turn, but it could not be loaded.
    is_absent: bool,
}

impl<'a> Turn<'a> {
    fn of(stage: &'a Stage, number: u64) -> Option<Turn<'a>> {
        let answering = stage.answering.as_ref()?;
        let turn = match stage.trial.as_ref().map(|trial| &trial.kind) {
            None => Turn {
                first: answering,
                second: None,
                is_candidates: false,
                is_absent: false,
            },
            Some(TrialKind::Canary { share, model }) => match (is_in_share(number, *share), model) {
                (true, Some(candidate)) => Turn {
                    first: candidate,
                    second: Some(answering),
                    is_candidates: true,
                    is_absent: false,
                },
                (true, None) => Turn {
                    first: answering,
                    second: None,
                    is_candidates: true,
                    is_absent: true,
                },
                (false, _) => Turn {
                    first: answering,
                    second: None,
                    is_candidates: false,
                    is_absent: false,
                },
            },
            Some(TrialKind::Watch { before }) => Turn {
                first: answering,
                second: before.as_ref(),
                is_candidates: true,
                is_absent: false,
            },
            Some(TrialKind::Absent) => Turn {
                first: answering,
                second: None,
                is_candidates: true,
                is_absent: true,
            },
        };
        Some(turn)
    }
}

/// Spreads the requests over the unit interval, evenly and the same each time.
fn is_in_share(number: u64, share: f64) -> bool {
    (mix(number) >> 11) as f64 / (1u64 << 53) as f64 > 1.0 - share
}

/// The finalizer of SplitMix64: neighbouring numbers come out unrelated.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Time that the model took, whether it came to an end or not.
fn generate(loaded: &Loaded, request: &CompletionRequest, seed: u64, writer: &mut Writer<'_>) -> Result<Duration, Duration> {
    let mut latency = Duration::ZERO;
    let mut since = Instant::now();
    // A model is data that a trainer made: a defect in it must not end more than this request.
    let done = catch_unwind(AssertUnwindSafe(|| {
        let bytes = loaded.model.completion(request.prompt.as_bytes(), request.temperature, seed);
        for byte in bytes.take(request.max_tokens as usize) {
            latency += since.elapsed();
            writer.push(byte);
            since = Instant::now();
            if writer.broke_off {
                break;
            }
        }
    }));
    match done {
        Ok(()) => Ok(latency),
        Err(_) => Err(latency + since.elapsed()),
    }
}

/// Makes text of bytes as they come.
struct Writer<'a> {
    text: String,
    /// The beginning of a character.
    held: Vec<u8>,
    on_text: &'a mut dyn FnMut(&str) -> ControlFlow<()>,
    broke_off: bool,
}

impl Writer<'_> {
    fn push(&mut self, byte: u8) {
        self.held.push(byte);
        match std::str::from_utf8(&self.held) {
            Ok(_) => {}
            // May still become a character.
            Err(error) if error.error_len().is_none() => return,
            Err(_) => {}
        }
        self.hand_on();
    }

    fn finish(&mut self) {
        if !self.held.is_empty() && !self.broke_off {
            self.hand_on();
        }
    }

    fn hand_on(&mut self) {
        let piece = String::from_utf8_lossy(&self.held).into_owned();
        self.held.clear();
        self.text.push_str(&piece);
        self.broke_off = (self.on_text)(&piece).is_break();
    }
}

/// The prompt scored by both models.
fn pair(stage: &Stage, trial: &Trial, request: &CompletionRequest) -> Option<Pair> {
    let prompt = request.prompt.as_bytes();
    if prompt.len() < SCORED_BYTES_MIN {
        return None;
    }
    let text = &prompt[..prompt.len().min(SCORED_BYTES_MAX)];
    let (baseline, candidate) = match &trial.kind {
        TrialKind::Canary { model, .. } => (stage.answering.as_ref()?, model.as_ref()?),
        TrialKind::Watch { before } => (before.as_ref()?, stage.answering.as_ref()?),
        TrialKind::Absent => return None,
    };
    let score = |loaded: &Loaded| {
        let score = catch_unwind(AssertUnwindSafe(|| loaded.model.bits_per_byte(text))).ok()?;
        score.is_finite().then_some(score)
    };
    let host = request.host.clone().unwrap_or_else(|| STANDARD_HOST.to_string());
    Some(Pair {
        host,
        baseline: score(baseline)?,
        candidate: score(candidate)?,
    })
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_a_candidate_is_kept_and_repeats() {
        for share in [0.0, 0.1, 0.25, 0.9, 1.0] {
            let taken = (0..20_000).filter(|number| is_in_share(*number, share)).count() as f64 / 20_000.0;
            assert!((taken - share).abs() < 0.01, "{share}: {taken}");
        }
    }

    #[test]
    fn text_is_handed_on_in_whole_characters() {
        let mut pieces = Vec::new();
        let mut on_text = |piece: &str| {
            pieces.push(piece.to_string());
            ControlFlow::Continue(())
        };
        let mut writer = Writer {
            text: String::new(),
            held: Vec::new(),
            on_text: &mut on_text,
            broke_off: false,
        };
        for byte in [b'a', 0xC3, 0xA9, 0xFF, b'b', 0xE2, 0x82] {
            writer.push(byte);
        }
        writer.finish();
        assert_eq!(writer.text, "a\u{e9}\u{fffd}b\u{fffd}");
        assert_eq!(pieces, ["a", "\u{e9}", "\u{fffd}", "b", "\u{fffd}"]);
    }
}
