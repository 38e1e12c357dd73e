//! Verdicts, rulings and the decision that is recorded.

use crate::encoded::{DecodeError, Encoded};
use crate::ids::{DecisionId, Digest, ModelTag, RunId};
use crate::policy::{Cost, Fault, PolicyKind, PolicyRef, Setting};
use crate::source::Lane;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SelectionVerdict {
    /// Indexes into the context's candidates, best first.
    Pick(Vec<u32>),
    Idle,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryVerdict {
    /// Again after so many milliseconds.
    Retry(u64),
    MoveLane(Lane),
    Disable,
    GiveUp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateVerdict {
    Advance,
    NeedMore(u32),
    Reject,
    Hold,
    RollBack,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seed {
    pub host: u32,
    pub steps: u32,
    pub learning_rate: f64,
    pub replay_share: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CurriculumVerdict {
    Plant(Vec<Seed>),
    Park(Vec<u32>),
    Nothing,
}

/// What a policy answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Selection(SelectionVerdict),
    Retry(RetryVerdict),
    Gate(GateVerdict),
    Curriculum(CurriculumVerdict),
}

impl Verdict {
    pub fn kind(&self) -> PolicyKind {
        match self {
            Verdict::Selection(_) => PolicyKind::SourceSelection,
            Verdict::Retry(_) => PolicyKind::Retry,
            Verdict::Gate(_) => PolicyKind::PromotionGate,
            Verdict::Curriculum(_) => PolicyKind::Curriculum,
        }
    }

    /// The verdict's word, for filters and counters.
    pub fn slug(&self) -> &'static str {
        match self {
            Verdict::Selection(SelectionVerdict::Pick(_)) => "pick",
            Verdict::Selection(SelectionVerdict::Idle) => "idle",
            Verdict::Retry(RetryVerdict::Retry(_)) => "retry",
            Verdict::Retry(RetryVerdict::MoveLane(_)) => "move_lane",
            Verdict::Retry(RetryVerdict::Disable) => "disable",
            Verdict::Retry(RetryVerdict::GiveUp) => "give_up",
            Verdict::Gate(GateVerdict::Advance) => "advance",
            Verdict::Gate(GateVerdict::NeedMore(_)) => "need_more",
            Verdict::Gate(GateVerdict::Reject) => "reject",
            Verdict::Gate(GateVerdict::Hold) => "hold",
            Verdict::Gate(GateVerdict::RollBack) => "roll_back",
            Verdict::Curriculum(CurriculumVerdict::Plant(_)) => "plant",
            Verdict::Curriculum(CurriculumVerdict::Park(_)) => "park",
            Verdict::Curriculum(CurriculumVerdict::Nothing) => "nothing",
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reason {
    pub code: String,
    pub feature: Option<String>,
    pub value: Option<f64>,
    pub threshold: Option<f64>,
    pub margin: Option<f64>,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    pub candidate: u32,
    /// Index into [`Scores::rules`].
    pub rule: u32,
}

/// A score per candidate with the terms it is the sum of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scores {
    pub totals: Vec<f64>,
    pub term_names: Vec<String>,
    /// Row by row: `terms[candidate * term_names.len() + term]`.
    pub terms: Vec<f64>,
    pub rules: Vec<String>,
    pub blocked: Vec<Block>,
}

impl Scores {
    /// The bytes that are recorded beside the context. The first byte names the layout.
    pub fn encode(&self) -> Encoded {
        Encoded::of(postcard::to_extend(self, vec![SCORES_LAYOUT]).expect("scores are plain data"))
    }

    pub fn decode(bytes: &[u8]) -> Result<Scores, DecodeError> {
        match bytes.split_first() {
            Some((&SCORES_LAYOUT, rest)) => postcard::from_bytes(rest).map_err(|_| DecodeError::Damaged),
            Some((&layout, _)) => Err(DecodeError::UnknownLayout(layout)),
            None => Err(DecodeError::Damaged),
        }
    }
}

const SCORES_LAYOUT: u8 = 1;

/// What a decision carries beside its verdict.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Advice {
    pub reasons: Vec<Reason>,
    /// In a journaled decision they stand beside the context, and [`Decision::scores`] is their digest.
    pub scores: Option<Scores>,
    /// Of source selection: what the host draws the pick from, one share for each candidate. Of other kinds: a description.
    pub distribution: Vec<f64>,
    pub state: Option<Vec<u8>>,
    pub suggestions: Vec<Setting>,
    pub extras: Vec<Setting>,
}

/// An engine's answer, not yet checked against its context.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub verdict: Verdict,
    pub advice: Advice,
    pub cost: Cost,
}

/// Which link of the fallback chain was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// The version in canary, for its share of the questions.
    Candidate,
    Active,
    LastGood,
    BuiltIn,
}

impl Link {
    pub fn slug(self) -> &'static str {
        match self {
            Link::Candidate => "candidate",
            Link::Active => "active",
            Link::LastGood => "last_good",
            Link::BuiltIn => "built_in",
        }
    }
}

/// A link that was asked first and did not answer, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Declined {
    pub link: Link,
    pub policy: PolicyRef,
    pub fault: Fault,
}

/// Verdict, reasons, who answered and at what cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ruling {
    pub verdict: Verdict,
    pub advice: Advice,
    pub link: Link,
    pub policy: PolicyRef,
    /// Engine and version that ran it: a replay on another fingerprint says so.
    pub engine: String,
    pub cost: Cost,
    pub declined: Vec<Declined>,
    /// Probability with which the host drew this pick, where the policy left it to chance by a distribution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propensity: Option<f64>,
}

/// What a decision was about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    Selection,
    Run(RunId),
    Candidate(ModelTag),
    Curriculum,
}

/// A recorded decision: with its context it explains and replays itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    pub id: DecisionId,
    pub kind: PolicyKind,
    pub subject: Subject,
    /// Generation of the kind that was active.
    pub generation: u32,
    /// Digest of the context as the answering link saw it.
    pub context: Digest,
    /// Digest of the scores that were given.
    #[serde(default)]
    pub scores: Option<Digest>,
    /// Names the input where a link failed on it: what the question is about, without its time, seed, settings and state.
    #[serde(default)]
    pub input: Option<Digest>,
    pub ruling: Ruling,
}
