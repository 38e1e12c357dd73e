//! Reading, beside the writer: a connection of its own that can only read.

use crate::fold::subject_word;
use crate::open::OpenError;
use crate::rows::{self, *};
use crate::schema;
use crate::words::Word;
use pointsman_model::decision::{Decision, Link, Subject};
use pointsman_model::event::{Event, Recorded, Recording};
use pointsman_model::policy::PolicyKind;
use pointsman_model::run::{RunClass, RunStatus};
use pointsman_model::source::{Lane, Origin};
use pointsman_model::{CampaignId, DecisionId, Digest, Millis, ModelTag, RunId, Seq, SourceId};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Params, Row, ToSql, params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Reads a journal. Give each thread its own: opening one takes well under a millisecond.
///
/// Each call sees what was committed when it began, whole transactions only.
pub struct Reader {
    pub(crate) path: PathBuf,
    pub(crate) connection: Connection,
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the journal could not be read")]
    Sqlite(#[from] rusqlite::Error),
    #[error(
        "entry {seq} of the journal cannot be read by this version: start the version of Pointsman that wrote it, or run `pointsman verify`"
    )]
    Entry { seq: Seq, source: serde_json::Error },
    #[error("the code of policy version {digest} is damaged: install that version again")]
    CodeDamaged { digest: Digest },
}

/// Most rows of one answer; a filter that asks for more gets so many.
pub const LIMIT_MAX: u32 = 1_000;

/// A page of decisions, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DecisionFilter {
    pub kind: Option<PolicyKind>,
    pub run: Option<RunId>,
    pub candidate: Option<ModelTag>,
    /// Version that answered. Read from the end of the table back to where that version appears first.
    pub policy: Option<Digest>,
    /// Name of the policy that answered, whatever its version.
    pub name: Option<String>,
    /// Generation that was active. With a kind only its own range of decisions is read.
    pub generation: Option<u32>,
    pub link: Option<Link>,
    /// Made at this time or later, and before that one. There is no index by time: it would cost each decision, and
    /// reading the table from its end is what people who look at recent decisions need.
    pub since: Option<Millis>,
    pub until: Option<Millis>,
    pub before: Option<DecisionId>,
    pub limit: u32,
}

/// What a policy version has decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionUse {
    pub decisions: u64,
    pub first: DecisionId,
    pub last: DecisionId,
    pub first_at: Millis,
    pub last_at: Millis,
}

/// A page of runs, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunFilter {
    pub status: Option<RunStatus>,
    /// These only. No index tells which runs are under way, but the state does: name them, where those are wanted.
    pub among: Option<Vec<RunId>>,
    pub class: Option<RunClass>,
    pub source: Option<SourceId>,
    pub before: Option<RunId>,
    pub limit: u32,
}

/// A page of sources, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceFilter {
    pub status: Option<SourceStatus>,
    /// Those that are not over.
    pub open: bool,
    /// These only, as in [`RunFilter`]: where the state knows which.
    pub among: Option<Vec<SourceId>>,
    pub lane: Option<Lane>,
    /// The empty name stands for no host.
    pub host: Option<String>,
    pub origin: Option<Origin>,
    /// Any but this origin.
    pub origin_not: Option<Origin>,
    pub campaign: Option<CampaignId>,
    /// In the title, whatever the case of its ASCII letters.
    pub text: Option<String>,
    pub before: Option<SourceId>,
    /// None older than this one. What is frequent is found at once; for the rest it bounds how many rows are looked at.
    pub from: Option<SourceId>,
    pub limit: u32,
}

/// A page of models, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelFilter {
    /// Only those that are retired, or only those that are kept.
    pub retired: Option<bool>,
    pub before: Option<Seq>,
    pub limit: u32,
}

/// How many rows there are. Counting reads whole tables: for reports and the command line; live figures come from the state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    pub last_seq: Seq,
    pub sources: BTreeMap<String, u64>,
    pub runs: BTreeMap<String, u64>,
    pub decisions: BTreeMap<String, u64>,
    pub models: u64,
    pub models_kept: u64,
    pub candidates: u64,
    pub activations: u64,
}

impl Reader {
    pub fn open(path: impl AsRef<Path>) -> Result<Reader, OpenError> {
        let path = path.as_ref();
        let sqlite = |step| {
            move |source| OpenError::Sqlite {
                path: path.into(),
                step,
                source,
            }
        };
        if !path.exists() {
            return Err(OpenError::Missing { path: path.into() });
        }
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(sqlite("open the file"))?;
        connection
            .busy_timeout(Duration::from_secs(5))
            .map_err(sqlite("set the time to wait"))?;
        let found = schema::check_ownership(&connection, path)?;
        if found < schema::SCHEMA_VERSION {
            return Err(OpenError::OlderSchema {
                path: path.into(),
                found,
                known: schema::SCHEMA_VERSION,
            });
        }
        connection
            .execute_batch(
                "PRAGMA query_only = ON; PRAGMA mmap_size = 0; PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;",
            )
            .map_err(sqlite("set the connection"))?;
        connection
            // As for the writer: else a statement is compiled anew at each execution.
            .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
            .map_err(sqlite("set the connection"))?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(Reader {
            path: path.into(),
            connection,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The last entry's position; 0 in an empty journal.
    pub fn last_seq(&self) -> Result<Seq, ReadError> {
        Ok(self
            .maybe("SELECT seq FROM events ORDER BY seq DESC LIMIT 1", [], |row| {
                Ok(Seq(rows::number(row, 0)?))
            })?
            .unwrap_or(Seq(0)))
    }

    /// Entries after a position, in order: what a start replays and a viewer catches up with.
    pub fn events_after(&self, after: Seq, limit: u32) -> Result<Vec<Recorded>, ReadError> {
        self.entries_after(after, limit)?.into_iter().map(parse).collect()
    }

    /// The same, not parsed: for passing on.
    pub fn entries_after(&self, after: Seq, limit: u32) -> Result<Vec<Entry>, ReadError> {
        let sql = format!("SELECT {ENTRY_COLUMNS} FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2");
        self.all(&sql, params![after.0 as i64, limit], rows::entry)
    }

    /// The last entries, in order.
    pub fn tail(&self, limit: u32) -> Result<Vec<Recorded>, ReadError> {
        let sql = format!("SELECT {ENTRY_COLUMNS} FROM events ORDER BY seq DESC LIMIT ?1");
        self.all(&sql, [limit.min(LIMIT_MAX)], rows::entry)?
            .into_iter()
            .rev()
            .map(parse)
            .collect()
    }

    pub fn entry(&self, seq: Seq) -> Result<Option<Entry>, ReadError> {
        self.maybe(
            &format!("SELECT {ENTRY_COLUMNS} FROM events WHERE seq = ?1"),
            [seq.0 as i64],
            rows::entry,
        )
    }

    /// A decision whole: ruling and recording.
    pub fn decision(&self, id: DecisionId) -> Result<Option<DecisionRecord>, ReadError> {
        let sql = "SELECT events.seq, events.at, events.payload, recordings.context, recordings.scores FROM decisions
                   JOIN events ON events.seq = decisions.seq LEFT JOIN recordings ON recordings.decision = decisions.id WHERE decisions.id = ?1";
        let found = self.maybe(sql, [id.0 as i64], |row| {
            let scores = row.get(4)?;
            let recording = row.get::<_, Option<_>>(3)?.map(|context| Recording { context, scores });
            Ok((
                Seq(rows::number(row, 0)?),
                rows::number(row, 1)?,
                row.get::<_, String>(2)?,
                recording,
            ))
        })?;
        found
            .map(|(seq, at, payload, recording)| decision_record(seq, at, &payload, recording))
            .transpose()
    }

    pub fn decisions(&self, filter: &DecisionFilter) -> Result<Vec<DecisionRow>, ReadError> {
        filter.page(DECISION_COLUMNS).read(self, filter.limit, rows::decision)
    }

    /// The same with the whole rulings, without the recordings.
    pub fn rulings(&self, filter: &DecisionFilter) -> Result<Vec<DecisionRecord>, ReadError> {
        let columns = "seq, at, (SELECT payload FROM events WHERE events.seq = decisions.seq)";
        let read = |row: &Row<'_>| Ok((Seq(rows::number(row, 0)?), rows::number(row, 1)?, row.get::<_, String>(2)?));
        let found = filter.page(columns).read(self, filter.limit, read)?;
        found
            .into_iter()
            .map(|(seq, at, payload)| decision_record(seq, at, &payload, None))
            .collect()
    }

    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>, ReadError> {
        let RunFilter {
            status,
            among,
            class,
            source,
            before,
            limit,
        } = filter;
        let mut page = Page::new(RUN_COLUMNS, "runs", "id");
        match status {
            Some(RunStatus::Failed | RunStatus::Cancelled) => page.few("runs_unsuccessful", "unsuccessful = 1"),
            Some(RunStatus::Queued | RunStatus::Warming | RunStatus::Running | RunStatus::Completed) | None => {}
        }
        page.among(among.iter().flatten().map(|run| run.0), among.is_some());
        page.word("status", *status);
        page.word("class", *class);
        page.value(RUNS_OF_SOURCE, source.map(|source| source.0 as i64));
        page.value("id < ?", before.map(|id| id.0 as i64));
        page.read(self, *limit, rows::run)
    }

    pub fn run(&self, id: RunId) -> Result<Option<RunRow>, ReadError> {
        self.maybe(&format!("SELECT {RUN_COLUMNS} FROM runs WHERE id = ?1"), [id.0 as i64], rows::run)
    }

    pub fn sources(&self, filter: &SourceFilter) -> Result<Vec<SourceRow>, ReadError> {
        let SourceFilter {
            status,
            open,
            among,
            lane,
            host,
            origin,
            origin_not,
            campaign,
            text,
            before,
            from,
            limit,
        } = filter;
        let mut page = Page::new(SOURCE_COLUMNS, "sources", "id");
        match (status, among) {
            (Some(SourceStatus::Waiting | SourceStatus::Disabled), None) => page.few("sources_held", "held = 1"),
            _ => {}
        }
        match host.as_deref() {
            Some("") => page.fixed(Some("host IS NULL")),
            host => page.value("host = ?", host.map(String::from)),
        }
        page.fixed(open.then_some("status IN ('pending', 'waiting', 'running', 'disabled')"));
        page.word("origin", *origin);
        page.value("origin <> ?", origin_not.map(Word::word));
        page.value("instr(lower(title), lower(?)) > 0", text.clone());
        page.value("id >= ?", from.map(|id| id.0 as i64));
        page.among(among.iter().flatten().map(|source| source.0), among.is_some());
        page.word("status", *status);
        page.word("lane", *lane);
        page.value("campaign = ?", campaign.map(CampaignId::name));
        page.value("id < ?", before.map(|id| id.0 as i64));
        page.read(self, *limit, rows::source)
    }

    pub fn source(&self, id: SourceId) -> Result<Option<SourceRow>, ReadError> {
        self.maybe(
            &format!("SELECT {SOURCE_COLUMNS} FROM sources WHERE id = ?1"),
            [id.0 as i64],
            rows::source,
        )
    }

    /// The text of a source, from the entry that brought it; none for a source that is not there.
    pub fn source_body(&self, id: SourceId) -> Result<Option<String>, ReadError> {
        let sql = format!("SELECT {ENTRY_COLUMNS} FROM events WHERE seq = (SELECT text_seq FROM sources WHERE id = ?1)");
        let Some(entry) = self.maybe(&sql, [id.0 as i64], rows::entry)? else {
            return Ok(None);
        };
        Ok(match parse(entry)?.event {
            Event::SourceQueued { new, .. } | Event::CampaignQueued { new, .. } => Some(new.body),
            Event::SourcesImported { first, mut rows, .. } => {
                let offset = id.0.checked_sub(first.0).and_then(|offset| usize::try_from(offset).ok());
                offset
                    .filter(|offset| *offset < rows.len())
                    .map(|offset| rows.swap_remove(offset).body)
            }
            Event::SourceEdited { edit, .. } => edit.body,
            _ => None,
        })
    }

    /// The newest source's number; 0 without any.
    pub fn last_source(&self) -> Result<SourceId, ReadError> {
        let last = self.maybe("SELECT id FROM sources ORDER BY id DESC LIMIT 1", [], |row| rows::number(row, 0))?;
        Ok(SourceId(last.unwrap_or(0)))
    }

    /// Campaigns, newest first.
    pub fn campaigns(&self, before: Option<CampaignId>, limit: u32) -> Result<Vec<CampaignView>, ReadError> {
        let mut page = Page::new(CAMPAIGN_COLUMNS, "campaigns", "id");
        page.value("id < ?", before.map(|id| id.0 as i64));
        page.read(self, limit, rows::campaign)
    }

    pub fn campaign(&self, id: CampaignId) -> Result<Option<CampaignView>, ReadError> {
        let sql = format!("SELECT {CAMPAIGN_COLUMNS} FROM campaigns WHERE id = ?1");
        self.maybe(&sql, [id.0 as i64], rows::campaign)
    }

    pub fn models(&self, filter: &ModelFilter) -> Result<Vec<ModelRow>, ReadError> {
        let ModelFilter { retired, before, limit } = filter;
        let mut page = Page::new(MODEL_COLUMNS, "models", "seq");
        page.fixed(retired.map(|retired| if retired { "retired_at IS NOT NULL" } else { "retired_at IS NULL" }));
        page.value("seq < ?", before.map(|seq| seq.0 as i64));
        page.read(self, *limit, rows::model)
    }

    pub fn model(&self, tag: &ModelTag) -> Result<Option<ModelRow>, ReadError> {
        self.maybe(&format!("SELECT {MODEL_COLUMNS} FROM models WHERE tag = ?1"), [&tag.0], rows::model)
    }

    /// Which model was live at a time, since when, and why; none before the first.
    pub fn model_live_at(&self, at: Millis) -> Result<Option<RoleRow>, ReadError> {
        let sql = format!("SELECT {ROLE_COLUMNS} FROM model_roles WHERE at <= ?1 ORDER BY seq DESC LIMIT 1");
        self.maybe(&sql, [at.min(i64::MAX as u64) as i64], rows::role)
    }

    /// The first time after this one at which another model went live; none where there was none.
    pub fn model_switch_after(&self, at: Millis) -> Result<Option<RoleRow>, ReadError> {
        let sql = format!("SELECT {ROLE_COLUMNS} FROM model_roles WHERE at > ?1 ORDER BY seq LIMIT 1");
        self.maybe(&sql, [at.min(i64::MAX as u64) as i64], rows::role)
    }

    /// Every time a model went live, newest first.
    pub fn model_roles(&self, limit: u32) -> Result<Vec<RoleRow>, ReadError> {
        Page::new(ROLE_COLUMNS, "model_roles", "seq").read(self, limit, rows::role)
    }

    /// Candidates, newest first.
    pub fn candidates(&self, before: Option<Seq>, limit: u32) -> Result<Vec<CandidateRow>, ReadError> {
        let mut page = Page::new(CANDIDATE_COLUMNS, "candidates", "seq");
        page.value("seq < ?", before.map(|seq| seq.0 as i64));
        page.read(self, limit, rows::candidate)
    }

    /// Changes of the active policy, of one kind or all, newest first.
    pub fn activations(&self, kind: Option<PolicyKind>, limit: u32) -> Result<Vec<ActivationRow>, ReadError> {
        let mut page = Page::new(ACTIVATION_COLUMNS, "activations", "seq");
        page.word("kind", kind);
        page.read(self, limit, rows::activation)
    }

    /// The generations of a kind, newest first: what was active, from when until when, which state it began with, how it
    /// ended, and among which decisions its own are.
    pub fn generations(&self, kind: PolicyKind) -> Result<Vec<ActivationRow>, ReadError> {
        self.activations(Some(kind), LIMIT_MAX)
    }

    /// What was active of a kind at a time; none before the first activation.
    pub fn policy_active_at(&self, kind: PolicyKind, at: Millis) -> Result<Option<ActivationRow>, ReadError> {
        let sql = format!("SELECT {ACTIVATION_COLUMNS} FROM activations WHERE kind = ?1 AND at <= ?2 ORDER BY seq DESC LIMIT 1");
        self.maybe(&sql, params![kind.word(), at.min(i64::MAX as u64) as i64], rows::activation)
    }

    /// Canaries of policies, of one kind or all, newest first.
    pub fn policy_canaries(&self, kind: Option<PolicyKind>, limit: u32) -> Result<Vec<PolicyCanaryRow>, ReadError> {
        let mut page = Page::new(POLICY_CANARY_COLUMNS, "policy_canaries", "seq");
        page.word("kind", kind);
        page.read(self, limit, rows::policy_canary)
    }

    /// Pins set and lifted, of one kind or all, newest first.
    pub fn policy_pins(&self, kind: Option<PolicyKind>, limit: u32) -> Result<Vec<PinRow>, ReadError> {
        let mut page = Page::new(PIN_COLUMNS, "policy_pins", "seq");
        page.word("kind", kind);
        page.read(self, limit, rows::pin)
    }

    /// Inputs that were set aside, of one kind or all, newest first.
    pub fn policy_quarantines(&self, kind: Option<PolicyKind>, limit: u32) -> Result<Vec<QuarantineRow>, ReadError> {
        let mut page = Page::new(QUARANTINE_COLUMNS, "policy_quarantines", "seq");
        page.word("kind", kind);
        page.read(self, limit, rows::quarantine)
    }

    /// How much each version has decided. Reads all decisions, so that a decision need not pay for it: for a person who
    /// looks at the list of versions, not for a loop.
    pub fn version_uses(&self) -> Result<BTreeMap<Digest, VersionUse>, ReadError> {
        let sql = "SELECT digest, count(*), min(id), max(id), min(at), max(at) FROM decisions GROUP BY digest";
        let uses = self.all(sql, [], |row| {
            let version = VersionUse {
                decisions: rows::number(row, 1)?,
                first: DecisionId(rows::number(row, 2)?),
                last: DecisionId(rows::number(row, 3)?),
                first_at: rows::number(row, 4)?,
                last_at: rows::number(row, 5)?,
            };
            Ok((Digest(row.get(0)?), version))
        })?;
        Ok(uses.into_iter().collect())
    }

    /// Versions that have been active or in canary, newest first.
    pub fn policy_versions(&self, kind: Option<PolicyKind>, limit: u32) -> Result<Vec<PolicyVersionRow>, ReadError> {
        self.versions_where(limit, |page| page.word("kind", kind))
    }

    /// The version of this digest.
    pub fn policy_version(&self, digest: Digest) -> Result<Option<PolicyVersionRow>, ReadError> {
        let found = self.versions_where(1, |page| page.value("digest = ?", Some(digest.0)))?;
        Ok(found.into_iter().next())
    }

    fn versions_where(&self, limit: u32, condition: impl FnOnce(&mut Page)) -> Result<Vec<PolicyVersionRow>, ReadError> {
        let mut page = Page::new(
            "description, first_seen, EXISTS (SELECT 1 FROM policy_codes WHERE policy_codes.digest = policy_versions.digest), \
             EXISTS (SELECT 1 FROM activations WHERE activations.digest = policy_versions.digest AND ended_at IS NULL), \
             (SELECT max(coalesce(ended_at, at)) FROM activations WHERE activations.digest = policy_versions.digest)",
            "policy_versions",
            "rowid",
        );
        condition(&mut page);
        page.read(self, limit, |row| {
            let text: String = row.get(0)?;
            let description = serde_json::from_str(&text)
                .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into()))?;
            Ok(PolicyVersionRow {
                description,
                first_seen: rows::number(row, 1)?,
                code_kept: row.get(2)?,
                active: row.get(3)?,
                last_active: row.get::<_, Option<i64>>(4)?.map(|at| at as u64),
            })
        })
    }

    /// The entries by which a version came into service or into canary, newest first; a rollback is none.
    pub fn entries_into_service(&self, digest: Digest) -> Result<Vec<Seq>, ReadError> {
        self.all(
            "SELECT seq FROM activations WHERE digest = ?1 AND rolled_back = 0 \
             UNION ALL SELECT seq FROM policy_canaries WHERE digest = ?1 ORDER BY seq DESC LIMIT 1000",
            [digest.0],
            |row| Ok(Seq(rows::number(row, 0)?)),
        )
    }

    /// The code that was stored under a version's digest, checked.
    pub fn policy_code(&self, digest: Digest) -> Result<Option<CodeRow>, ReadError> {
        let found = self.maybe(
            "SELECT stored_at, checksum, code FROM policy_codes JOIN codes USING (checksum) WHERE digest = ?1",
            [digest.0],
            |row| {
                Ok((
                    Digest(row.get(1)?),
                    CodeRow {
                        digest,
                        stored_at: rows::number(row, 0)?,
                        code: row.get(2)?,
                    },
                ))
            },
        )?;
        match found {
            Some((checksum, row)) if Digest::of(&row.code) != checksum => Err(ReadError::CodeDamaged { digest: row.digest }),
            found => Ok(found.map(|(_, row)| row)),
        }
    }

    pub fn counts(&self) -> Result<Counts, ReadError> {
        let by_word = |sql: &str| -> Result<BTreeMap<String, u64>, ReadError> {
            let pairs = self.all(sql, [], |row| Ok((row.get(0)?, rows::number(row, 1)?)))?;
            Ok(pairs.into_iter().collect())
        };
        let count = |sql: &str| -> Result<u64, ReadError> { Ok(self.maybe(sql, [], |row| rows::number(row, 0))?.unwrap_or(0)) };
        Ok(Counts {
            last_seq: self.last_seq()?,
            sources: by_word("SELECT status, count(*) FROM sources GROUP BY status")?,
            runs: by_word("SELECT status, count(*) FROM runs GROUP BY status")?,
            decisions: by_word("SELECT kind, count(*) FROM decisions GROUP BY kind")?,
            models: count("SELECT count(*) FROM models")?,
            models_kept: count("SELECT count(*) FROM models WHERE retired_at IS NULL")?,
            candidates: count("SELECT count(*) FROM candidates")?,
            activations: count("SELECT count(*) FROM activations")?,
        })
    }

    pub(crate) fn maybe<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, ReadError> {
        Ok(self.connection.prepare_cached(sql)?.query_row(params, read).optional()?)
    }

    pub(crate) fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, ReadError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params, read)?;
        Ok(rows.collect::<rusqlite::Result<Vec<T>>>()?)
    }
}

/// An entry as an event.
pub(crate) fn parse(entry: Entry) -> Result<Recorded, ReadError> {
    let Entry {
        seq,
        at,
        kind: _,
        payload,
        hash: _,
    } = entry;
    let event: Event = serde_json::from_str(&payload).map_err(|source| ReadError::Entry { seq, source })?;
    Ok(Recorded { seq, at, event })
}

/// A source knows its first run; the others have an index.
const RUNS_OF_SOURCE: &str = "id IN (SELECT first_run FROM sources WHERE id = ? UNION ALL \
    SELECT id FROM runs INDEXED BY runs_again WHERE source = ? AND attempt > 1)";

/// But for its `type`, a decision's event is the decision.
fn decision_record(seq: Seq, at: Millis, payload: &str, recording: Option<Recording>) -> Result<DecisionRecord, ReadError> {
    let decision: Decision = serde_json::from_str(payload).map_err(|source| ReadError::Entry { seq, source })?;
    Ok(DecisionRecord {
        seq,
        at,
        decision,
        recording,
    })
}

impl DecisionFilter {
    fn page(&self, columns: &'static str) -> Page {
        let DecisionFilter {
            kind,
            run,
            candidate,
            policy,
            name,
            generation,
            link,
            since,
            until,
            before,
            limit: _,
        } = self;
        let mut page = Page::new(columns, "decisions", "id");
        page.word("kind", *kind);
        page.value("generation = ?", *generation);
        if let (Some(kind), Some(generation)) = (kind, generation) {
            let of = format!("FROM activations WHERE kind = '{}' AND generation = {generation}", kind.word());
            // Before the first generation nothing was active, and no row tells.
            page.fixed(Some(&format!("id > coalesce((SELECT decisions_before {of}), 0)")));
            page.fixed(Some(&format!("id <= coalesce((SELECT decisions_until {of}), {})", i64::MAX)));
        }
        page.word("link", *link);
        page.value("name = ?", name.clone());
        page.value("at >= ?", since.map(clamped));
        page.value("at < ?", until.map(clamped));
        page.value("subject = ?", run.and_then(|run| subject_word(&Subject::Run(run))));
        page.value(
            "subject = ?",
            candidate.clone().and_then(|tag| subject_word(&Subject::Candidate(tag))),
        );
        page.value("digest = ?", policy.map(|digest| digest.0));
        // A version decides nothing before it is in service or in canary; the built-in is in neither list.
        page.value(
            "id > coalesce((SELECT min(decisions_before) FROM (SELECT decisions_before FROM activations WHERE digest = ? \
             UNION ALL SELECT decisions_before FROM policy_canaries WHERE digest = ?)), 0)",
            policy.map(|digest| digest.0),
        );
        page.value("id < ?", before.map(|id| id.0 as i64));
        page
    }
}

/// SQLite's integers are signed.
fn clamped(at: Millis) -> i64 {
    at.min(i64::MAX as u64) as i64
}

/// A query for one page of a list, newest first.
struct Page {
    columns: &'static str,
    table: &'static str,
    key: &'static str,
    index: Option<&'static str>,
    conditions: String,
    values: Vec<Box<dyn ToSql>>,
}

impl Page {
    fn new(columns: &'static str, table: &'static str, key: &'static str) -> Page {
        Page {
            columns,
            table,
            key,
            index: None,
            conditions: String::new(),
            values: Vec::new(),
        }
    }

    /// The rows asked for are among a few, which have an index of their own. Without being told, the planner may read
    /// the whole table in the order that is wanted.
    fn few(&mut self, index: &'static str, condition: &str) {
        self.index = Some(index);
        self.fixed(Some(condition));
    }

    fn fixed(&mut self, condition: Option<&str>) {
        let Some(condition) = condition else { return };
        self.conditions += if self.conditions.is_empty() { " WHERE " } else { " AND " };
        self.conditions += condition;
    }

    /// Words of our enums stand in the text of the query: partial indexes are considered for literals only.
    fn word(&mut self, column: &str, word: Option<impl Word>) {
        self.fixed(word.map(|word| format!("{column} = '{}'", word.word())).as_deref());
    }

    fn among(&mut self, keys: impl Iterator<Item = u64>, only: bool) {
        let keys: Vec<String> = keys.map(|key| (key as i64).to_string()).collect();
        self.fixed(only.then(|| format!("{} IN ({})", self.key, keys.join(", "))).as_deref());
    }

    /// `condition` has a question mark wherever the value goes.
    fn value(&mut self, condition: &str, value: Option<impl ToSql + 'static>) {
        let Some(value) = value else { return };
        self.values.push(Box::new(value));
        let number = format!("?{}", self.values.len());
        self.fixed(Some(&condition.replace('?', &number)));
    }

    fn read<T>(self, reader: &Reader, limit: u32, read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>) -> Result<Vec<T>, ReadError> {
        let Page {
            columns,
            table,
            key,
            index,
            conditions,
            values,
        } = self;
        let indexed = index.map(|index| format!(" INDEXED BY {index}")).unwrap_or_default();
        let limit = limit.min(LIMIT_MAX);
        let sql = format!("SELECT {columns} FROM {table}{indexed}{conditions} ORDER BY {key} DESC LIMIT {limit}");
        reader.all(&sql, rusqlite::params_from_iter(values), read)
    }
}
