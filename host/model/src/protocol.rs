//! What a trainer is told and what it answers: the wire shapes of the trainer protocol.
//!
//! A trainer is any command. The host names a JSON file in the environment variable
//! [`RUN_SPEC_ENV`]; it holds a [`RunSpec`]. The trainer prints what it likes on stdout. A line
//! that is a JSON object with a `type` this protocol knows is a [`TrainerEvent`]; every other line is
//! log text. [`parse_line`] tells the two apart.
//!
//! Losses are in bits per byte (lower is better), so that figures of different hosts and
//! tokenisers compare. Field names are camelCase; the snake_case spelling that Python programs
//! prefer is read as well. Fields nobody knows are ignored, or kept in `extra` where a chart
//! could use them, so an older host can run a newer trainer.
//!
//! Absent on purpose: reading the file, reading the stream, and clocks. The runner does those.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use crate::run::FailureClass;

/// The environment variable that names the file with the [`RunSpec`].
pub const RUN_SPEC_ENV: &str = "POINTSMAN_RUN_SPEC";

/// Everything a trainer needs to know about one attempt of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSpec {
    pub run: u64,
    /// 1 for the first try; a retry of the same run counts up.
    pub attempt: u32,
    pub class: SpecClass,
    pub source: SpecSource,
    pub params: TrainParams,
    /// All chance of the attempt comes from here: the same spec gives the same bytes.
    pub seed: u64,
    /// Directory of the model to continue from (training) or to compare with (eval).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Directory of the model under evaluation. Only for [`SpecClass::Eval`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<String>,
    /// Directory that receives what the run makes; a trained model is `model.safetensors` in it.
    pub out_dir: String,
    /// Which held-out blocks to look at. Only for [`SpecClass::Eval`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<Slice>,
    /// What the host remembers of earlier runs. A trainer may use it or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<SpecMemory>,
}

/// What a run is given of the learning memory, slot by slot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SpecMemory {
    pub slots: Vec<MemorySlot>,
    /// What is missing: `slot_underfilled:SLOT` for each slot that found less than half of what it might have held.
    #[serde(default)]
    pub gaps: Vec<String>,
}

impl SpecMemory {
    pub fn items(&self) -> usize {
        self.slots.iter().map(|slot| slot.items.len()).sum()
    }
}

/// One slot and what was found for it, best first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MemorySlot {
    /// `same_host`, `similar` or `failures`.
    pub slot: String,
    pub budget_chars: u32,
    /// Characters of its items' texts.
    pub used_chars: u32,
    pub items: Vec<MemoryItem>,
}

/// What is remembered of one outcome.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MemoryItem {
    /// The run whose outcome it is.
    pub run: u64,
    pub source: u64,
    pub title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    pub success: bool,
    /// What came of it, in a sentence.
    pub summary: String,
    /// The source's text, cut to what the slot had left; empty where the outcome was a failure.
    #[serde(default)]
    pub text: String,
    /// Whether the text was cut.
    #[serde(default)]
    pub cut: bool,
}

/// The kind of work a [`RunSpec`] asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpecClass {
    /// Continue the base model on the source.
    #[serde(alias = "manual")]
    Training,
    /// Score candidate and base on the same held-out blocks. Changes no model.
    Eval,
    /// Make the first model of an installation from nothing.
    Bootstrap,
}

/// What to learn from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpecSource {
    pub id: u64,
    pub title: String,
    /// The training text itself when it is long enough to be one; otherwise a description.
    #[serde(default)]
    pub body: String,
    /// The domain the source belongs to. The embedded trainer has a corpus for each it knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// How to learn. The budget is in steps, never in seconds, so that a run repeats exactly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainParams {
    pub steps: u32,
    pub learning_rate: f64,
    /// Share of each batch, 0 to 1, that comes from `replay_hosts`: practice of what is already
    /// known, without which a narrow source makes the model forget the rest.
    pub replay_share: f64,
    pub replay_hosts: Vec<String>,
}

impl Default for TrainParams {
    fn default() -> Self {
        TrainParams {
            steps: 800,
            learning_rate: 1e-3,
            replay_share: 0.5,
            replay_hosts: Vec::new(),
        }
    }
}

/// A window of the held-out blocks. Repeated looks at one set select for luck, so the host moves
/// `offset` on from evaluation to evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// First block of each host, counted modulo the blocks that host has.
    pub offset: u32,
    pub blocks_per_host: u32,
}

/// One line of a trainer's stdout that means something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum TrainerEvent {
    /// The model is loaded and the first step is about to be made.
    #[serde(rename = "training.started")]
    TrainingStarted {
        /// Number of trainable parameters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        params: Option<u64>,
        /// The hosts that will be trained on, the source's own first.
        #[serde(default)]
        hosts: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        steps: Option<u64>,
        /// Held-out loss before the first step.
        #[serde(default, alias = "eval_loss", skip_serializing_if = "Option::is_none")]
        eval_loss: Option<f64>,
    },
    /// The attempt moved to another phase of its life.
    #[serde(rename = "phase")]
    Phase { phase: Phase },
    /// One point of the loss curve.
    #[serde(rename = "training.log")]
    TrainingLog {
        step: u64,
        /// Mean training loss since the last such line.
        loss: f64,
        /// Loss on a held-out text, when it was measured at this step.
        #[serde(default, alias = "eval_loss", skip_serializing_if = "Option::is_none")]
        eval_loss: Option<f64>,
        #[serde(default, alias = "bytes_per_second", skip_serializing_if = "Option::is_none")]
        bytes_per_second: Option<f64>,
        /// What else the line carried, such as a learning rate or a gradient norm.
        #[serde(flatten)]
        extra: BTreeMap<String, Value>,
    },
    /// How far the work is, in whatever unit the trainer counts.
    #[serde(rename = "progress")]
    Progress { step: u64, total: u64 },
    /// A checkpoint is complete on disk: it will not change any more.
    #[serde(rename = "checkpoint.saved")]
    CheckpointSaved {
        step: u64,
        path: String,
        /// blake3 of the file, in hex.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<u64>,
    },
    /// The answer of an evaluation run.
    #[serde(rename = "evaluation.completed")]
    EvaluationCompleted(Evaluation),
    /// The run did its work; its artifacts may be used.
    #[serde(rename = "training.completed")]
    TrainingCompleted {
        #[serde(default)]
        artifacts: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        steps: Option<u64>,
        /// Held-out loss by host, after the last step.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        eval: Vec<HostBits>,
        #[serde(default, alias = "eval_loss", skip_serializing_if = "Option::is_none")]
        eval_loss: Option<f64>,
        #[serde(default, alias = "eval_loss_before", skip_serializing_if = "Option::is_none")]
        eval_loss_before: Option<f64>,
    },
    /// The run gives up and says why. Without a class the exit status decides.
    #[serde(rename = "training.failed")]
    TrainingFailed {
        error: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        class: Option<FailureClass>,
    },
    /// Nothing new, but alive.
    #[serde(rename = "heartbeat")]
    Heartbeat {},
}

/// The phases a trainer reports about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Loading, allocating, compiling: no step was made yet.
    Warming,
    /// Making steps.
    Running,
}

/// A paired comparison of two models on the same held-out blocks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evaluation {
    /// One entry per block, grouped by host: what a paired test stratified by host needs.
    pub pairs: Vec<BlockPair>,
    #[serde(alias = "per_host")]
    pub per_host: Vec<HostPair>,
    /// Mean over the hosts' means, so that every host counts the same.
    #[serde(alias = "baseline_mean")]
    pub baseline_mean: f64,
    #[serde(alias = "candidate_mean")]
    pub candidate_mean: f64,
}

/// The loss of both models on one block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockPair {
    pub host: String,
    /// The block's number among the host's held-out blocks.
    pub block: u32,
    pub baseline: f64,
    pub candidate: f64,
}

/// The mean loss of both models on the blocks of one host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostPair {
    pub host: String,
    pub baseline: f64,
    pub candidate: f64,
    /// Number of blocks behind the means.
    pub n: u32,
}

/// The loss on one host's held-out text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostBits {
    pub host: String,
    pub bits: f64,
}

/// What one line of a trainer's stdout turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub enum ParsedLine {
    Event(TrainerEvent),
    /// Log text: not a JSON object, or one without a `type` of this protocol.
    Text,
    /// It names an event of this protocol but cannot be one. Worth a warning with the run: a
    /// silently dropped loss looks like a run that stands still.
    Malformed {
        field: String,
        reason: String,
    },
}

/// Reads one line. Never fails: what is not an event is text.
pub fn parse_line(line: &str) -> ParsedLine {
    let line = line.trim();
    if !line.starts_with('{') {
        return ParsedLine::Text;
    }
    let (object, non_finite) = match serde_json::from_str(line) {
        Ok(Value::Object(object)) => (object, None),
        Ok(_) => return ParsedLine::Text,
        // Python writes NaN and Infinity although JSON has neither. A run that diverges must be
        // told apart from one that prints braces.
        Err(_) => match without_non_finite(line) {
            Some((object, field)) => (object, Some(field)),
            None => return ParsedLine::Text,
        },
    };
    match object.get("type") {
        Some(Value::String(name)) if EVENT_TYPES.contains(&name.as_str()) => {}
        Some(_) | None => return ParsedLine::Text,
    }
    if let Some(field) = non_finite {
        return ParsedLine::Malformed {
            field,
            reason: "not a finite number".to_string(),
        };
    }
    match TrainerEvent::deserialize(&Value::Object(object.clone())) {
        Ok(event) => ParsedLine::Event(event),
        Err(error) => ParsedLine::Malformed {
            field: field_at_fault(&object, &error),
            reason: error.to_string(),
        },
    }
}

const EVENT_TYPES: [&str; 9] = [
    "training.started",
    "phase",
    "training.log",
    "progress",
    "checkpoint.saved",
    "evaluation.completed",
    "training.completed",
    "training.failed",
    "heartbeat",
];

type Object = serde_json::Map<String, Value>;

/// Serde says what was expected but not where. The field at fault is the one whose absence
/// changes the complaint.
fn field_at_fault(object: &Object, error: &serde_json::Error) -> String {
    let complaint = error.to_string();
    if let Some(missing) = complaint
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split('`').next())
        .filter(|name| !object.contains_key(*name))
    {
        return missing.to_string();
    }
    object
        .keys()
        .filter(|key| *key != "type")
        .find(|key| {
            let mut rest = object.clone();
            rest.remove(*key);
            match TrainerEvent::deserialize(&Value::Object(rest)) {
                Ok(_) => true,
                Err(other) => other.to_string() != complaint,
            }
        })
        .cloned()
        .unwrap_or_else(|| "type".to_string())
}

/// Reads a JSON object in which some numbers are not finite: `NaN`, `Infinity`, or too large for
/// a double. Returns it with nulls in their place, and the name of the first such field.
fn without_non_finite(line: &str) -> Option<(Object, String)> {
    let mut repaired = String::with_capacity(line.len());
    let mut last_string = "";
    let mut field = None;
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_length(rest)?,
            '-' | '+' | '0'..='9' | 'A'..='Z' | 'a'..='z' => rest
                .find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c))
                .unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        if first == '"' {
            // A value string is followed by no number before the next key, so the last string
            // is always the key.
            last_string = &token[1..token.len() - 1];
        }
        // Rust reads `NaN`, `Infinity` and `1e999` as doubles, and words such as `true` not.
        if token.parse().is_ok_and(|number: f64| !number.is_finite()) {
            field.get_or_insert_with(|| last_string.to_string());
            repaired.push_str("null");
        } else {
            repaired.push_str(token);
        }
        rest = after;
    }
    let object = serde_json::from_str(&repaired).ok()?;
    Some((object, field?))
}

/// Length of the JSON string that `text` starts with, both quotes included.
fn string_length(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read() {
        let line = r#"{"type":"training.log","step":25,"loss":3.5,"evalLoss":4.25,"gradNorm":0.5}"#;
        let ParsedLine::Event(TrainerEvent::TrainingLog {
            step,
            loss,
            eval_loss,
            bytes_per_second,
            extra,
        }) = parse_line(line)
        else {
            panic!("{:?}", parse_line(line))
        };
        assert_eq!((step, loss, eval_loss, bytes_per_second), (25, 3.5, Some(4.25), None));
        assert_eq!(extra["gradNorm"], 0.5);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let pair = BlockPair {
            host: "novel".into(),
            block: 3,
            baseline: 2.5,
            candidate: 2.25,
        };
        let events = [
            TrainerEvent::TrainingStarted {
                params: Some(1),
                hosts: vec!["novel".into()],
                steps: Some(2),
                eval_loss: Some(4.5),
            },
            TrainerEvent::Phase { phase: Phase::Warming },
            TrainerEvent::TrainingLog {
                step: 1,
                loss: 2.0,
                eval_loss: None,
                bytes_per_second: Some(1e5),
                extra: BTreeMap::new(),
            },
            TrainerEvent::Progress { step: 1, total: 2 },
            TrainerEvent::CheckpointSaved {
                step: 2,
                path: "out/model.safetensors".into(),
                digest: Some("00ff".into()),
                bytes: Some(8),
            },
            TrainerEvent::EvaluationCompleted(Evaluation {
                pairs: vec![pair],
                per_host: Vec::new(),
                baseline_mean: 2.5,
                candidate_mean: 2.25,
            }),
            TrainerEvent::TrainingCompleted {
                artifacts: vec!["out/model.safetensors".into()],
                steps: Some(2),
                eval: vec![HostBits {
                    host: "novel".into(),
                    bits: 2.25,
                }],
                eval_loss: Some(2.25),
                eval_loss_before: Some(2.5),
            },
            TrainerEvent::TrainingFailed {
                error: "diverged".into(),
                class: Some(FailureClass::Deterministic),
            },
            TrainerEvent::Heartbeat {},
        ];
        assert_eq!(events.len(), EVENT_TYPES.len());
        for event in events {
            let line = serde_json::to_string(&event).unwrap();
            assert_eq!(parse_line(&line), ParsedLine::Event(event), "{line}");
        }
    }

    #[test]
    fn python_spelling_and_unknown_fields_are_accepted() {
        for line in [
            r#"{"type":"training.started","eval_loss":4.5,"device":"cpu"}"#,
            r#"  {"type": "heartbeat", "pid": 7}"#,
            r#"{"type":"evaluation.completed","pairs":[],"per_host":[],"baseline_mean":1,"candidate_mean":1}"#,
            r#"{"type":"training.failed","error":"no disk","retryable":true}"#,
            r#"{"type":"training.completed"}"#,
        ] {
            assert!(matches!(parse_line(line), ParsedLine::Event(_)), "{line}");
        }
    }

    #[test]
    fn everything_else_is_text() {
        for line in [
            "",
            "loading weights",
            "{'loss': '5.403', 'epoch': '0.051'}",
            "{",
            "[1, 2]",
            r#"{"step": 3}"#,
            r#"{"type": 3}"#,
            r#"{"type": "somebody.elses", "loss": NaN}"#,
            r#"{"type": "training.log", "step": 3, "loss": 2.0"#,
            r#"{"type": "training.log", "step": 3, "loss": NaN"#,
            "{\"\u{e9}",
        ] {
            assert_eq!(parse_line(line), ParsedLine::Text, "{line}");
        }
    }

    #[test]
    fn the_field_at_fault_is_named() {
        for (line, expected) in [
            (r#"{"type":"training.log","step":3}"#, "loss"),
            (r#"{"type":"training.log","step":-3,"loss":2}"#, "step"),
            (r#"{"type":"training.log","step":3,"loss":"2.0"}"#, "loss"),
            (r#"{"type":"training.log","step":3,"loss":null}"#, "loss"),
            (r#"{"type":"training.log","step":3,"loss":NaN}"#, "loss"),
            (r#"{"type":"training.log","step":3,"loss":1,"evalLoss":-Infinity}"#, "evalLoss"),
            (r#"{"type":"training.log","step":3,"note":"a \"NaN\"","loss":1e999}"#, "loss"),
            (r#"{"type":"phase","phase":"asleep"}"#, "phase"),
            (r#"{"type":"training.completed","eval":[{"host":"novel"}]}"#, "bits"),
            (r#"{"type":"training.completed","eval":[{"host":"novel","bits":NaN}]}"#, "bits"),
            (r#"{"type":"checkpoint.saved","step":3,"path":7}"#, "path"),
        ] {
            match parse_line(line) {
                ParsedLine::Malformed { field, .. } => assert_eq!(field, expected, "{line}"),
                other => panic!("{line}: {other:?}"),
            }
        }
    }
}
