//! Rows as readers get them.

use crate::words::Word;
use pointsman_model::context::Context;
use pointsman_model::decision::{Decision, Link, Scores};
use pointsman_model::encoded::DecodeError;
use pointsman_model::event::{PolicyCanaryEnd, Recording};
use pointsman_model::policy::{EngineKind, PolicyDescription, PolicyKind, PolicyRef};
use pointsman_model::promotion::CandidateEnd;
use pointsman_model::run::{AttemptToken, FailureClass, RunClass, RunStatus};
use pointsman_model::source::{CampaignRow, Lane, Origin};
use pointsman_model::{CampaignId, DecisionId, Digest, Millis, ModelTag, RunId, Seq, SourceId};
use rusqlite::Row;
use rusqlite::types::Type;
use serde::{Deserialize, Serialize};

/// An entry of the journal as it stands there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub seq: Seq,
    pub at: Millis,
    pub kind: String,
    /// The event as JSON.
    pub payload: String,
    pub hash: Digest,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceRow {
    pub id: SourceId,
    pub title: String,
    pub host: Option<String>,
    pub lane: Lane,
    pub origin: Origin,
    pub campaign: Option<CampaignRow>,
    pub priority: i32,
    pub status: SourceStatus,
    pub status_label: String,
    /// Why it failed last, or was disabled.
    pub reason: Option<String>,
    pub attempts: u32,
    pub queued_at: Millis,
    pub retry_at: Option<Millis>,
    pub finished_at: Option<Millis>,
    /// The curriculum's decision that seeded it.
    pub decision: Option<DecisionId>,
}

/// A campaign as it was queued, and how it ended. How far an open one is, the state counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CampaignView {
    pub id: CampaignId,
    pub seq: Seq,
    pub title: String,
    pub host: Option<String>,
    pub lane: Lane,
    pub rows: u32,
    pub first_source: SourceId,
    pub queued_at: Millis,
    pub actor: String,
    pub reason: String,
    pub cancelled_at: Option<Millis>,
    pub cancelled_by: Option<String>,
    pub cancel_reason: Option<String>,
    pub ended_at: Option<Millis>,
    pub done: Option<u32>,
    pub failed: Option<u32>,
    pub cancelled: Option<u32>,
}

/// Where a source is, as lists show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceStatus {
    Pending,
    /// To be tried again at `retry_at`.
    Waiting,
    Running,
    /// Not run until a person enables it.
    Disabled,
    Done,
    GivenUp,
    /// A person wanted it no more.
    Cancelled,
}

impl SourceStatus {
    pub fn slug(self) -> &'static str {
        self.word()
    }

    pub fn label(self) -> &'static str {
        match self {
            SourceStatus::Pending => "Pending",
            SourceStatus::Waiting => "Waiting to retry",
            SourceStatus::Running => "Running",
            SourceStatus::Disabled => "Disabled",
            SourceStatus::Done => "Done",
            SourceStatus::GivenUp => "Given up",
            SourceStatus::Cancelled => "Cancelled",
        }
    }
}

impl Word for SourceStatus {
    const ALL: &'static [SourceStatus] = &[
        SourceStatus::Pending,
        SourceStatus::Waiting,
        SourceStatus::Running,
        SourceStatus::Disabled,
        SourceStatus::Done,
        SourceStatus::GivenUp,
        SourceStatus::Cancelled,
    ];

    fn word(self) -> &'static str {
        match self {
            SourceStatus::Pending => "pending",
            SourceStatus::Waiting => "waiting",
            SourceStatus::Running => "running",
            SourceStatus::Disabled => "disabled",
            SourceStatus::Done => "done",
            SourceStatus::GivenUp => "given_up",
            SourceStatus::Cancelled => "cancelled",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRow {
    pub id: RunId,
    pub source: Option<SourceId>,
    pub attempt: u32,
    /// Start of the host during which it was planned.
    pub term: u32,
    pub class: RunClass,
    /// `bootstrap`, `train` or `evaluate`.
    pub work: String,
    pub title: String,
    pub host: Option<String>,
    /// The model an evaluation is about.
    pub candidate: Option<ModelTag>,
    pub base: Option<ModelTag>,
    pub seed: u64,
    /// The decision that picked it.
    pub decision: Option<DecisionId>,
    pub planned_at: Millis,
    pub status: RunStatus,
    pub status_label: String,
    pub started_at: Option<Millis>,
    pub finished_at: Option<Millis>,
    pub duration_ms: Option<u64>,
    pub steps: Option<u32>,
    pub loss_before: Option<f64>,
    pub loss_after: Option<f64>,
    pub failure_class: Option<FailureClass>,
    pub error: Option<String>,
    pub exit_code: Option<i32>,
    pub cancel_reason: Option<String>,
    /// The model it made.
    pub model: Option<ModelTag>,
}

impl RunRow {
    pub fn token(&self) -> AttemptToken {
        AttemptToken {
            run: self.id,
            attempt: self.attempt,
            term: self.term,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelRow {
    /// Entry of its making; pages of the list begin before one.
    pub seq: Seq,
    pub tag: ModelTag,
    pub parent: Option<ModelTag>,
    pub run: RunId,
    pub digest: Digest,
    pub bytes: u64,
    pub path: String,
    pub made_at: Millis,
    pub host: Option<String>,
    /// When its files were given free.
    pub retired_at: Option<Millis>,
}

/// A model went live.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoleRow {
    pub seq: Seq,
    pub at: Millis,
    pub model: ModelTag,
    pub before: Option<ModelTag>,
    pub cause: RoleCause,
    pub decision: Option<DecisionId>,
    pub actor: Option<String>,
    pub reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleCause {
    Bootstrapped,
    Applied,
    RolledBack,
}

impl Word for RoleCause {
    const ALL: &'static [RoleCause] = &[RoleCause::Bootstrapped, RoleCause::Applied, RoleCause::RolledBack];

    fn word(self) -> &'static str {
        match self {
            RoleCause::Bootstrapped => "bootstrapped",
            RoleCause::Applied => "applied",
            RoleCause::RolledBack => "rolled_back",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CandidateRow {
    /// Entry that raised it.
    pub seq: Seq,
    pub tag: ModelTag,
    pub baseline: ModelTag,
    pub watermark: u64,
    pub raised_at: Millis,
    /// `evaluating`, `canary`, `watching`, `held` or `ended`.
    pub stage: String,
    pub stage_at: Millis,
    pub applied_at: Option<Millis>,
    pub ended_at: Option<Millis>,
    pub end: Option<CandidateEnd>,
    pub reason: Option<String>,
    pub actor: Option<String>,
    pub decision: Option<DecisionId>,
}

/// A change of the active policy of a kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActivationRow {
    pub seq: Seq,
    pub at: Millis,
    pub kind: PolicyKind,
    pub generation: u32,
    pub policy: PolicyRef,
    pub previous: Option<PreviousPolicy>,
    pub actor: String,
    pub reason: String,
    pub rolled_back: bool,
    /// Number of the set that it was activated in, or taken back in.
    pub set: Option<u64>,
    /// Which state it began with: `empty`, `carried`, `migrated`, `from_canary`; of a rollback, `restored`.
    pub state: String,
    pub confirm_by: Option<Millis>,
    pub confirmed_at: Option<Millis>,
    pub confirmed_by: Option<String>,
    /// None while it is active.
    pub ended_at: Option<Millis>,
    pub outcome: Option<ActivationEnd>,
    /// Decisions of all kinds that were made before it, and before its end: its own are among the numbers between.
    pub decisions_before: DecisionId,
    pub decisions_until: Option<DecisionId>,
}

/// What ended the time of an active version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActivationEnd {
    /// Another version was activated.
    Replaced,
    /// Somebody took it back.
    RolledBack,
    /// Nobody confirmed it.
    TimedOut,
    /// The breaker took it out of service.
    Tripped,
}

impl ActivationEnd {
    pub fn slug(self) -> &'static str {
        self.word()
    }
}

impl Word for ActivationEnd {
    const ALL: &'static [ActivationEnd] = &[
        ActivationEnd::Replaced,
        ActivationEnd::RolledBack,
        ActivationEnd::TimedOut,
        ActivationEnd::Tripped,
    ];

    fn word(self) -> &'static str {
        match self {
            ActivationEnd::Replaced => "replaced",
            ActivationEnd::RolledBack => "rolled_back",
            ActivationEnd::TimedOut => "timed_out",
            ActivationEnd::Tripped => "tripped",
        }
    }
}

/// A version decided a share of its kind's questions beside the active one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyCanaryRow {
    pub seq: Seq,
    pub at: Millis,
    pub kind: PolicyKind,
    pub policy: PolicyRef,
    pub share: f64,
    pub state: String,
    pub actor: String,
    pub reason: String,
    pub decisions_before: DecisionId,
    pub decisions_until: Option<DecisionId>,
    /// None while it runs.
    pub ended_at: Option<Millis>,
    pub end: Option<PolicyCanaryEnd>,
    pub end_actor: Option<String>,
    pub end_reason: Option<String>,
}

/// Somebody pinned a kind, or let it go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PinRow {
    pub seq: Seq,
    pub at: Millis,
    pub kind: PolicyKind,
    pub pinned: bool,
    pub actor: String,
    pub reason: String,
}

/// An input that a version was not asked about any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuarantineRow {
    pub seq: Seq,
    pub at: Millis,
    pub kind: PolicyKind,
    pub key: Digest,
    pub about: String,
    pub name: String,
    pub version: String,
    pub digest: Digest,
    /// Class and detail of its last fault.
    pub class: String,
    pub detail: String,
    pub released_at: Option<Millis>,
    /// None where a new generation released it.
    pub released_by: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PreviousPolicy {
    pub name: String,
    pub version: String,
    pub digest: Digest,
}

/// A policy version that has been active or in canary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyVersionRow {
    pub description: PolicyDescription,
    pub first_seen: Millis,
    /// Whether it is the active one of its kind.
    pub active: bool,
    /// When it was active last: the end of that time, or its begin if it still is. None if it was in canary only.
    pub last_active: Option<Millis>,
    /// Whether its code is kept here, so that it can be loaded again.
    pub code_kept: bool,
}

/// The code of a policy version.
#[derive(Clone, Debug, PartialEq)]
pub struct CodeRow {
    pub digest: Digest,
    pub stored_at: Millis,
    pub code: Vec<u8>,
}

/// A decision as a list shows it; the whole ruling is in [`DecisionRecord`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecisionRow {
    pub id: DecisionId,
    pub seq: Seq,
    pub at: Millis,
    pub kind: PolicyKind,
    pub verdict: String,
    /// What it was about, if that has a name: `run:12`, `candidate:m-3`.
    pub subject: Option<String>,
    pub generation: u32,
    pub name: String,
    pub version: String,
    pub digest: Digest,
    pub link: Link,
    /// Engine and version that ran it.
    pub engine: String,
    pub fuel: Option<u64>,
    pub micros: u32,
    /// Links that were asked before and did not answer.
    pub declined: u32,
    /// The first reason's text.
    pub reason: Option<String>,
    pub context_digest: Digest,
}

/// A decision that explains and replays itself.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionRecord {
    pub seq: Seq,
    pub at: Millis,
    pub decision: Decision,
    /// None if it is not kept any more, or was not asked for.
    pub recording: Option<Recording>,
}

impl DecisionRecord {
    /// The context as data, if it was kept.
    pub fn decode_context(&self) -> Option<Result<Context, DecodeError>> {
        self.recording.as_ref().map(|recording| Context::decode(&recording.context))
    }

    /// The scores as data, if some were given and kept. Version 0.1 wrote them into the event at first.
    pub fn decode_scores(&self) -> Option<Result<Scores, DecodeError>> {
        let recorded = self.recording.as_ref().and_then(|recording| recording.scores.as_deref());
        recorded
            .map(Scores::decode)
            .or_else(|| self.decision.ruling.advice.scores.clone().map(Ok))
    }
}

pub(crate) const SOURCE_COLUMNS: &str = "id, title, host, lane, origin, campaign, campaign_row, priority, status, reason, attempts, queued_at, \
    retry_at, finished_at, decision";

pub(crate) fn source(row: &Row<'_>) -> rusqlite::Result<SourceRow> {
    let campaign: Option<String> = row.get(5)?;
    let campaign_row: Option<u32> = row.get(6)?;
    let status: SourceStatus = word(row, 8)?;
    Ok(SourceRow {
        id: SourceId(number(row, 0)?),
        title: row.get(1)?,
        host: row.get(2)?,
        lane: word(row, 3)?,
        origin: word(row, 4)?,
        campaign: campaign.as_deref().and_then(CampaignId::parse).map(|campaign| CampaignRow {
            campaign,
            row: campaign_row.unwrap_or(0),
        }),
        priority: row.get(7)?,
        status,
        status_label: status.label().into(),
        reason: row.get(9)?,
        attempts: row.get(10)?,
        queued_at: number(row, 11)?,
        retry_at: maybe_number(row, 12)?,
        finished_at: maybe_number(row, 13)?,
        decision: maybe_number(row, 14)?.map(DecisionId),
    })
}

pub(crate) const CAMPAIGN_COLUMNS: &str = "id, seq, title, host, lane, rows, first_source, queued_at, actor, reason, cancelled_at, \
    cancelled_by, cancel_reason, ended_at, done, failed, cancelled";

pub(crate) fn campaign(row: &Row<'_>) -> rusqlite::Result<CampaignView> {
    Ok(CampaignView {
        id: CampaignId(number(row, 0)?),
        seq: Seq(number(row, 1)?),
        title: row.get(2)?,
        host: row.get(3)?,
        lane: word(row, 4)?,
        rows: row.get(5)?,
        first_source: SourceId(number(row, 6)?),
        queued_at: number(row, 7)?,
        actor: row.get(8)?,
        reason: row.get(9)?,
        cancelled_at: maybe_number(row, 10)?,
        cancelled_by: row.get(11)?,
        cancel_reason: row.get(12)?,
        ended_at: maybe_number(row, 13)?,
        done: row.get(14)?,
        failed: row.get(15)?,
        cancelled: row.get(16)?,
    })
}

pub(crate) const RUN_COLUMNS: &str = "id, source, attempt, term, class, work, title, host, candidate, base, seed, decision, planned_at, status, \
    started_at, finished_at, duration_ms, steps, loss_before, loss_after, failure_class, error, exit_code, cancel_reason, model";

pub(crate) fn run(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    let status: RunStatus = word(row, 13)?;
    Ok(RunRow {
        id: RunId(number(row, 0)?),
        source: maybe_number(row, 1)?.map(SourceId),
        attempt: row.get(2)?,
        term: row.get(3)?,
        class: word(row, 4)?,
        work: row.get(5)?,
        title: row.get(6)?,
        host: row.get(7)?,
        candidate: tag(row, 8)?,
        base: tag(row, 9)?,
        seed: number(row, 10)?,
        decision: maybe_number(row, 11)?.map(DecisionId),
        planned_at: number(row, 12)?,
        status,
        status_label: status.label().into(),
        started_at: maybe_number(row, 14)?,
        finished_at: maybe_number(row, 15)?,
        duration_ms: maybe_number(row, 16)?,
        steps: row.get(17)?,
        loss_before: row.get(18)?,
        loss_after: row.get(19)?,
        failure_class: maybe_word(row, 20)?,
        error: row.get(21)?,
        exit_code: row.get(22)?,
        cancel_reason: row.get(23)?,
        model: tag(row, 24)?,
    })
}

pub(crate) const MODEL_COLUMNS: &str = "seq, tag, parent, run, digest, bytes, path, made_at, host, retired_at";

pub(crate) fn model(row: &Row<'_>) -> rusqlite::Result<ModelRow> {
    Ok(ModelRow {
        seq: Seq(number(row, 0)?),
        tag: ModelTag(row.get(1)?),
        parent: tag(row, 2)?,
        run: RunId(number(row, 3)?),
        digest: Digest(row.get(4)?),
        bytes: number(row, 5)?,
        path: row.get(6)?,
        made_at: number(row, 7)?,
        host: row.get(8)?,
        retired_at: maybe_number(row, 9)?,
    })
}

pub(crate) const ROLE_COLUMNS: &str = "seq, at, model, before, cause, decision, actor, reason";

pub(crate) fn role(row: &Row<'_>) -> rusqlite::Result<RoleRow> {
    Ok(RoleRow {
        seq: Seq(number(row, 0)?),
        at: number(row, 1)?,
        model: ModelTag(row.get(2)?),
        before: tag(row, 3)?,
        cause: word(row, 4)?,
        decision: maybe_number(row, 5)?.map(DecisionId),
        actor: row.get(6)?,
        reason: row.get(7)?,
    })
}

pub(crate) const CANDIDATE_COLUMNS: &str =
    "seq, tag, baseline, watermark, raised_at, stage, stage_at, applied_at, ended_at, end, reason, actor, decision";

pub(crate) fn candidate(row: &Row<'_>) -> rusqlite::Result<CandidateRow> {
    Ok(CandidateRow {
        seq: Seq(number(row, 0)?),
        tag: ModelTag(row.get(1)?),
        baseline: ModelTag(row.get(2)?),
        watermark: number(row, 3)?,
        raised_at: number(row, 4)?,
        stage: row.get(5)?,
        stage_at: number(row, 6)?,
        applied_at: maybe_number(row, 7)?,
        ended_at: maybe_number(row, 8)?,
        end: maybe_word(row, 9)?,
        reason: row.get(10)?,
        actor: row.get(11)?,
        decision: maybe_number(row, 12)?.map(DecisionId),
    })
}

pub(crate) const ACTIVATION_COLUMNS: &str = "seq, at, kind, generation, name, version, digest, engine, previous_name, previous_version, \
    previous_digest, actor, reason, rolled_back, set_number, state, confirm_by, confirmed_at, confirmed_by, ended_at, outcome, \
    decisions_before, decisions_until";

pub(crate) fn activation(row: &Row<'_>) -> rusqlite::Result<ActivationRow> {
    let previous: (Option<String>, Option<String>, Option<[u8; 32]>) = (row.get(8)?, row.get(9)?, row.get(10)?);
    Ok(ActivationRow {
        seq: Seq(number(row, 0)?),
        at: number(row, 1)?,
        kind: word(row, 2)?,
        generation: row.get(3)?,
        policy: PolicyRef {
            name: row.get(4)?,
            version: row.get(5)?,
            digest: Digest(row.get(6)?),
            engine: word::<EngineKind>(row, 7)?,
        },
        previous: match previous {
            (Some(name), Some(version), Some(digest)) => Some(PreviousPolicy {
                name,
                version,
                digest: Digest(digest),
            }),
            _ => None,
        },
        actor: row.get(11)?,
        reason: row.get(12)?,
        rolled_back: row.get(13)?,
        set: maybe_number(row, 14)?,
        state: row.get(15)?,
        confirm_by: maybe_number(row, 16)?,
        confirmed_at: maybe_number(row, 17)?,
        confirmed_by: row.get(18)?,
        ended_at: maybe_number(row, 19)?,
        outcome: maybe_word(row, 20)?,
        decisions_before: DecisionId(number(row, 21)?),
        decisions_until: maybe_number(row, 22)?.map(DecisionId),
    })
}

pub(crate) const POLICY_CANARY_COLUMNS: &str = "seq, at, kind, name, version, digest, engine, share, state, actor, reason, decisions_before, \
    decisions_until, ended_at, end, end_actor, end_reason";

pub(crate) fn policy_canary(row: &Row<'_>) -> rusqlite::Result<PolicyCanaryRow> {
    Ok(PolicyCanaryRow {
        seq: Seq(number(row, 0)?),
        at: number(row, 1)?,
        kind: word(row, 2)?,
        policy: PolicyRef {
            name: row.get(3)?,
            version: row.get(4)?,
            digest: Digest(row.get(5)?),
            engine: word::<EngineKind>(row, 6)?,
        },
        share: row.get(7)?,
        state: row.get(8)?,
        actor: row.get(9)?,
        reason: row.get(10)?,
        decisions_before: DecisionId(number(row, 11)?),
        decisions_until: maybe_number(row, 12)?.map(DecisionId),
        ended_at: maybe_number(row, 13)?,
        end: maybe_word(row, 14)?,
        end_actor: row.get(15)?,
        end_reason: row.get(16)?,
    })
}

pub(crate) const PIN_COLUMNS: &str = "seq, at, kind, pinned, actor, reason";

pub(crate) fn pin(row: &Row<'_>) -> rusqlite::Result<PinRow> {
    Ok(PinRow {
        seq: Seq(number(row, 0)?),
        at: number(row, 1)?,
        kind: word(row, 2)?,
        pinned: row.get(3)?,
        actor: row.get(4)?,
        reason: row.get(5)?,
    })
}

pub(crate) const QUARANTINE_COLUMNS: &str = "seq, at, kind, key, about, name, version, digest, class, detail, released_at, released_by";

pub(crate) fn quarantine(row: &Row<'_>) -> rusqlite::Result<QuarantineRow> {
    Ok(QuarantineRow {
        seq: Seq(number(row, 0)?),
        at: number(row, 1)?,
        kind: word(row, 2)?,
        key: Digest(row.get(3)?),
        about: row.get(4)?,
        name: row.get(5)?,
        version: row.get(6)?,
        digest: Digest(row.get(7)?),
        class: row.get(8)?,
        detail: row.get(9)?,
        released_at: maybe_number(row, 10)?,
        released_by: row.get(11)?,
    })
}

pub(crate) const DECISION_COLUMNS: &str = "id, seq, at, kind, verdict, subject, generation, name, version, digest, link, engine, fuel, \
    micros, declined, reason, context_digest";

pub(crate) fn decision(row: &Row<'_>) -> rusqlite::Result<DecisionRow> {
    Ok(DecisionRow {
        id: DecisionId(number(row, 0)?),
        seq: Seq(number(row, 1)?),
        at: number(row, 2)?,
        kind: word(row, 3)?,
        verdict: row.get(4)?,
        subject: row.get(5)?,
        generation: row.get(6)?,
        name: row.get(7)?,
        version: row.get(8)?,
        digest: Digest(row.get(9)?),
        link: word(row, 10)?,
        engine: row.get(11)?,
        fuel: maybe_number(row, 12)?,
        micros: row.get(13)?,
        declined: row.get(14)?,
        reason: row.get(15)?,
        context_digest: Digest(row.get(16)?),
    })
}

pub(crate) const ENTRY_COLUMNS: &str = "seq, at, kind, payload, hash";

pub(crate) fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        seq: Seq(number(row, 0)?),
        at: number(row, 1)?,
        kind: row.get(2)?,
        payload: row.get(3)?,
        hash: Digest(row.get(4)?),
    })
}

/// SQLite's integers are signed; ours go in and come out bit by bit.
pub(crate) fn number(row: &Row<'_>, index: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(index)? as u64)
}

fn maybe_number(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<u64>> {
    Ok(row.get::<_, Option<i64>>(index)?.map(|number| number as u64))
}

fn tag(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<ModelTag>> {
    Ok(row.get::<_, Option<String>>(index)?.map(ModelTag))
}

pub(crate) fn word<T: Word>(row: &Row<'_>, index: usize) -> rusqlite::Result<T> {
    maybe_word(row, index)?.ok_or_else(|| unknown_word(index, "nothing"))
}

fn maybe_word<T: Word>(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<T>> {
    match row.get_ref(index)?.as_str_or_null()? {
        None => Ok(None),
        Some(text) => T::parse(text).map(Some).ok_or_else(|| unknown_word(index, text)),
    }
}

fn unknown_word(index: usize, text: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(index, Type::Text, format!("a word this version does not know: {text:.40}").into())
}
