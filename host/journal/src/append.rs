//! Appending: a batch is encoded and chained first, and then written, views and all, in one transaction.

use crate::chain;
use crate::checkpoint::CheckpointOptions;
use crate::fold::fold;
use crate::json;
use crate::open::{Head, Journal, Live};
use pointsman_model::event::{Emitted, Event, Recording};
use pointsman_model::{Digest, Millis, Seq};
use rusqlite::{CachedStatement, Connection, ErrorCode, OptionalExtension, Params, Row, ToSql, ffi, params};
use std::ops::Range;
use std::sync::Arc;

/// The code of a policy version, under the version's digest.
pub type PolicyCode = (Digest, Arc<[u8]>);

/// Nothing of the batch is in the journal, whichever it is. (A process that dies right after a sync has failed, before
/// it has written anything else, may find the batch at its next start: it was not acknowledged, and it is whole.)
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    #[error("the disk is full: free some space, the journal goes on by itself")]
    Full(#[source] rusqlite::Error),
    /// The system did not do what it was asked: a write or sync failed, the file is read-only now, someone else holds it.
    #[error("the journal could not be written: look at the disk of the data directory")]
    Io(#[source] rusqlite::Error),
    #[error("an earlier append failed: the journal has to be reopened first")]
    Closed,
    /// Our own mistake: what can be emitted must be writable.
    #[error("event {index} of the batch ({kind}) cannot be written: {problem}")]
    Unwritable { index: usize, kind: &'static str, problem: String },
    /// A damaged file, a row that is there already: not to be carried on with.
    #[error("the journal refused a write that must succeed: run `pointsman verify`")]
    Broken(#[source] rusqlite::Error),
}

impl AppendError {
    /// Whether it may work later without anyone's doing: the batch is refused, the state rebuilt, and an append tried again.
    pub fn may_pass(&self) -> bool {
        match self {
            AppendError::Full(_) | AppendError::Io(_) | AppendError::Closed => true,
            AppendError::Unwritable { .. } | AppendError::Broken(_) => false,
        }
    }

    pub(crate) fn of(error: rusqlite::Error) -> AppendError {
        match (error.sqlite_error_code(), error.sqlite_error().map(|error| error.extended_code)) {
            // The index of the log is a file, too, and grows by truncation: that fails for want of space only.
            (Some(ErrorCode::DiskFull), _) | (_, Some(ffi::SQLITE_IOERR_SHMSIZE)) => AppendError::Full(error),
            (Some(ErrorCode::SystemIoFailure | ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::DatabaseBusy), _) => {
                AppendError::Io(error)
            }
            _ => AppendError::Broken(error),
        }
    }
}

impl Journal {
    /// Writes a batch and what follows from it. When this returns, all of it is on disk; the first event's position is
    /// the answer, the others follow it. `codes` are written with it, so that no version is active whose code is not kept.
    ///
    /// After [`AppendError::Full`] the journal may be used on; after [`AppendError::Io`] and [`AppendError::Broken`] it
    /// is closed until [`Journal::reopen`].
    pub fn append(&mut self, at: Millis, batch: &[Emitted], codes: &[PolicyCode]) -> Result<Seq, AppendError> {
        let Some(live) = &mut self.live else {
            return Err(AppendError::Closed);
        };
        let written = live.write(&self.options.checkpoints, at, batch, &mut self.batch, codes);
        if let Err(error) = &written {
            let goes_on = matches!(error, AppendError::Full(_) | AppendError::Unwritable { .. });
            if !goes_on || !live.connection.is_autocommit() {
                self.close_live();
            }
        }
        written
    }

    /// The events of the last append as they stand in the journal, so that nobody has to serialise them again.
    pub fn appended(&self) -> impl Iterator<Item = (Seq, &str)> {
        self.batch.entries.iter().map(|entry| (entry.seq, self.batch.payload(entry)))
    }
}

impl Live {
    fn write(
        &mut self,
        checkpoints: &CheckpointOptions,
        at: Millis,
        batch: &[Emitted],
        encoded: &mut Batch,
        codes: &[PolicyCode],
    ) -> Result<Seq, AppendError> {
        let first = Seq(self.head.seq.0 + 1);
        encoded.clear();
        if batch.is_empty() && codes.is_empty() {
            return Ok(first);
        }
        let writing = self.checkpointer.writing();
        let mut statements = Statements::new(&self.connection);
        statements.run(Sql::Begin, []).map_err(AppendError::of)?;
        let written = write_all(&self.encoder, &mut statements, self.head, at, batch, encoded, codes)
            .and_then(|()| statements.run(Sql::Commit, []).map_err(AppendError::of));
        if let Err(error) = written {
            // Some errors have rolled back already. If this fails, too, the caller sees that a transaction is still open.
            if !self.connection.is_autocommit() {
                let _ = statements.run(Sql::Rollback, []);
            }
            return Err(error);
        }
        drop(statements);
        drop(writing);
        if let Some(last) = encoded.entries.last() {
            self.head = Head {
                seq: last.seq,
                hash: last.hash,
            };
        }
        self.checkpointer.note(encoded.bytes.len() as u64 * VIEW_SHARE, checkpoints);
        Ok(first)
    }
}

/// Bytes that reach the log for each byte of payload, roughly: view rows, indexes and half-filled pages.
const VIEW_SHARE: u64 = 3;

fn write_all(
    encoder: &rayon::ThreadPool,
    statements: &mut Statements<'_>,
    head: Head,
    at: Millis,
    batch: &[Emitted],
    encoded: &mut Batch,
    codes: &[PolicyCode],
) -> Result<(), AppendError> {
    // What follows from the events does not wait for their bytes: a large batch is encoded beside it.
    if batch.len() < ENCODED_APART {
        encoded.encode(head, at, batch)?;
        write_beside(statements, head, at, batch, codes).map_err(AppendError::of)?;
    } else {
        let mut encoding = Ok(());
        let written = encoder.in_place_scope(|scope| {
            scope.spawn(|_| encoding = encoded.encode(head, at, batch));
            write_beside(statements, head, at, batch, codes).map_err(AppendError::of)
        });
        encoding.and(written)?;
    }
    write_events(statements, at, batch, encoded).map_err(AppendError::of)
}

/// Batches of fewer events are encoded before they are written: to wake a thread would take longer.
const ENCODED_APART: usize = 24;

/// All that a batch writes but the entries.
fn write_beside(statements: &mut Statements<'_>, head: Head, at: Millis, batch: &[Emitted], codes: &[PolicyCode]) -> rusqlite::Result<()> {
    for (digest, code) in codes {
        let checksum = *blake3::hash(code).as_bytes();
        statements.run(Sql::InsertCode, params![checksum, &code[..]])?;
        statements.run(Sql::InsertVersionCode, params![digest.0, at as i64, checksum])?;
    }
    for (seq, Emitted { event, recording }) in (head.seq.0 + 1..).zip(batch) {
        fold(statements, Seq(seq), at, event)?;
        if let (Event::Decided(decision), Some(Recording { context, scores })) = (event, recording) {
            statements.run(Sql::InsertRecording, params![decision.id.0 as i64, context, scores])?;
        }
    }
    Ok(())
}

/// The first event is put at its place, and the others follow it. Many rows a statement where there are many: a third
/// of what SQLite does for a row alone it does for the statement.
fn write_events(statements: &mut Statements<'_>, at: Millis, batch: &[Emitted], encoded: &Batch) -> rusqlite::Result<()> {
    let (Some(first), Some(last)) = (encoded.entries.first(), encoded.entries.last()) else {
        return Ok(());
    };
    let mut rows = batch.iter().zip(&encoded.entries);
    while rows.len() > 0 {
        let (sql, count) = match rows.len() {
            left if left == batch.len() => (Sql::InsertFirstEvent, 1),
            left if left < EVENTS_TOGETHER => (Sql::InsertEvent, 1),
            _ => (Sql::InsertEvents, EVENTS_TOGETHER),
        };
        let statement = statements.prepared(sql)?;
        let mut number = 0;
        let mut bind = |value: &dyn ToSql| {
            number += 1;
            statement.raw_bind_parameter(number, value)
        };
        for (emitted, entry) in rows.by_ref().take(count) {
            bind(&(at as i64))?;
            bind(&emitted.event.slug())?;
            bind(&encoded.payload(entry))?;
            bind(&entry.hash.0)?;
        }
        if matches!(sql, Sql::InsertFirstEvent) {
            bind(&(first.seq.0 as i64))?;
        }
        statement.raw_execute()?;
    }
    if statements.connection.last_insert_rowid() != last.seq.0 as i64 {
        let taken = format!("entries after {} are there already", first.seq);
        return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CONSTRAINT), Some(taken)));
    }
    statements.run(Sql::SetHead, params![last.seq.0 as i64, last.hash.0])?;
    Ok(())
}

/// Rows of [`Sql::InsertEvents`].
const EVENTS_TOGETHER: usize = 16;

/// A batch as bytes. Kept from append to append, so that its memory is.
#[derive(Default)]
pub(crate) struct Batch {
    /// Entry after entry, each the bytes that are hashed: header and payload.
    bytes: Vec<u8>,
    entries: Vec<BatchEntry>,
}

struct BatchEntry {
    seq: Seq,
    payload: Range<usize>,
    hash: Digest,
}

/// A batch that was larger than this gives its memory back.
const BATCH_BYTES_KEPT: usize = 8 << 20;

impl Batch {
    fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(BATCH_BYTES_KEPT);
        self.entries.clear();
    }

    fn encode(&mut self, head: Head, at: Millis, batch: &[Emitted]) -> Result<(), AppendError> {
        let Head { mut seq, mut hash } = head;
        for (index, Emitted { event, recording }) in batch.iter().enumerate() {
            let unwritable = |problem: String| AppendError::Unwritable {
                index,
                kind: event.slug(),
                problem,
            };
            if recording.is_some() && !matches!(event, Event::Decided(_)) {
                return Err(unwritable("only a decision has a recording".into()));
            }
            seq.0 += 1;
            let start = self.bytes.len();
            self.bytes.extend_from_slice(&chain::header(hash, seq, at));
            let payload = self.bytes.len();
            json::write(&mut self.bytes, event).map_err(|error| unwritable(error.to_string()))?;
            hash = Digest(*blake3::hash(&self.bytes[start..]).as_bytes());
            self.entries.push(BatchEntry {
                seq,
                payload: payload..self.bytes.len(),
                hash,
            });
        }
        Ok(())
    }

    fn payload(&self, entry: &BatchEntry) -> &str {
        std::str::from_utf8(&self.bytes[entry.payload.clone()]).expect("serde_json writes text")
    }
}

/// Statements of one transaction: each is looked up once, however often it runs.
pub(crate) struct Statements<'c> {
    connection: &'c Connection,
    prepared: [Option<CachedStatement<'c>>; Sql::COUNT],
}

impl<'c> Statements<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Statements<'c> {
        Statements {
            connection,
            prepared: [const { None }; Sql::COUNT],
        }
    }

    /// Answers how many rows were changed.
    pub(crate) fn run(&mut self, sql: Sql, params: impl Params) -> rusqlite::Result<usize> {
        self.prepared(sql)?.execute(params)
    }

    /// The one row that is asked for, if it is there.
    pub(crate) fn find<T>(
        &mut self,
        sql: Sql,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>> {
        self.prepared(sql)?.query_row(params, read).optional()
    }

    fn prepared(&mut self, sql: Sql) -> rusqlite::Result<&mut CachedStatement<'c>> {
        let slot = &mut self.prepared[sql as usize];
        Ok(match slot {
            Some(statement) => statement,
            None => slot.insert(self.connection.prepare_cached(sql.text())?),
        })
    }
}

macro_rules! statements {
    ($($name:ident: $text:expr;)*) => {
        /// Every statement that writes.
        #[derive(Clone, Copy, Debug)]
        pub(crate) enum Sql { $($name),* }

        impl Sql {
            pub(crate) const COUNT: usize = [$(Sql::$name),*].len();

            pub(crate) fn text(self) -> &'static str {
                match self { $(Sql::$name => $text),* }
            }
        }
    };
}

// `OR FAIL` throughout: a statement that fails ends its transaction, so SQLite need not keep a journal per statement.
// For the same reason the statement of many events leaves their numbers to SQLite.
statements! {
    Begin: "BEGIN IMMEDIATE";
    Commit: "COMMIT";
    Rollback: "ROLLBACK";
    InsertFirstEvent: "INSERT OR FAIL INTO events (at, kind, payload, hash, seq) VALUES (?, ?, ?, ?, ?)";
    InsertEvent: "INSERT OR FAIL INTO events (at, kind, payload, hash) VALUES (?, ?, ?, ?)";
    InsertEvents: "INSERT OR FAIL INTO events (at, kind, payload, hash) VALUES (?, ?, ?, ?), (?, ?, ?, ?), (?, ?, ?, ?), (?, ?, ?, ?), \
        (?, ?, ?, ?), (?, ?, ?, ?), (?, ?, ?, ?), (?, ?, ?, ?), (?, ?, ?, ?), (?, ?, ?, ?), (?, ?, ?, ?), (?, ?, ?, ?), (?, ?, ?, ?), \
        (?, ?, ?, ?), (?, ?, ?, ?), (?, ?, ?, ?)";
    SetHead: "UPDATE OR FAIL head SET seq = ?1, hash = ?2 WHERE one = 1";
    InsertRecording: "INSERT OR FAIL INTO recordings (decision, context, scores) VALUES (?1, ?2, ?3)";
    InsertCode: "INSERT INTO codes (checksum, code) VALUES (?1, ?2) ON CONFLICT (checksum) DO NOTHING";
    InsertVersionCode: "INSERT INTO policy_codes (digest, stored_at, checksum) VALUES (?1, ?2, ?3) ON CONFLICT (digest) DO NOTHING";
    InsertSource: "INSERT OR FAIL INTO sources (id, title, host, lane, origin, campaign, campaign_row, priority, status, attempts, queued_at, \
        decision, text_seq) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'pending', 0, ?9, ?10, ?11)";
    EditSource: "UPDATE OR FAIL sources SET title = coalesce(?2, title), host = CASE WHEN ?3 IS NULL THEN host ELSE nullif(?3, '') END, \
        priority = coalesce(?4, priority), lane = coalesce(?5, lane), text_seq = coalesce(?6, text_seq) WHERE id = ?1";
    CancelSource: "UPDATE OR FAIL sources SET status = 'cancelled', held = NULL, reason = ?3, finished_at = ?2, retry_at = NULL WHERE id = ?1";
    InsertCampaign: "INSERT OR FAIL INTO campaigns (id, seq, title, host, lane, rows, first_source, queued_at, actor, reason) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    CancelCampaign: "UPDATE OR FAIL campaigns SET cancelled_at = ?2, cancelled_by = ?3, cancel_reason = ?4 WHERE id = ?1";
    CancelRows: "UPDATE OR FAIL sources SET status = 'cancelled', held = NULL, reason = ?3, finished_at = ?2, retry_at = NULL \
        WHERE id >= (SELECT first_source FROM campaigns WHERE campaigns.id = ?1) \
        AND id < (SELECT first_source + rows FROM campaigns WHERE campaigns.id = ?1) \
        AND status IN ('pending', 'waiting', 'disabled')";
    EndCampaign: "UPDATE OR FAIL campaigns SET ended_at = ?2, done = ?3, failed = ?4, cancelled = ?5 WHERE id = ?1";
    InsertImport: "INSERT OR FAIL INTO imports (seq, at, import, batch, first_source, queued, refused, actor) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    TakeLock: "INSERT OR FAIL INTO locks (seq, at, key, value, campaign, actor, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    ReleaseLock: "UPDATE OR FAIL locks SET released_at = ?1, released_by = ?2, release_reason = ?3 WHERE released_at IS NULL";
    EnableSource: "UPDATE OR FAIL sources SET status = 'pending', held = NULL, reason = NULL, retry_at = NULL WHERE id = ?1";
    DisableSource: "UPDATE OR FAIL sources SET status = 'disabled', held = 1, reason = ?2, retry_at = NULL WHERE id = ?1";
    DelaySource: "UPDATE OR FAIL sources SET status = 'waiting', held = 1, retry_at = ?2 WHERE id = ?1";
    MoveSource: "UPDATE OR FAIL sources SET status = 'pending', held = NULL, lane = ?2, retry_at = NULL WHERE id = ?1";
    GiveSourceUp: "UPDATE OR FAIL sources SET status = 'given_up', held = NULL, finished_at = ?2, retry_at = NULL WHERE id = ?1";
    RunSource: "UPDATE OR FAIL sources SET status = 'running', attempts = ?2, first_run = ?3 WHERE id = ?1";
    RunSourceAgain: "UPDATE OR FAIL sources SET status = 'running', attempts = ?2, held = NULL, retry_at = NULL WHERE id = ?1";
    FinishSource: "UPDATE OR FAIL sources SET status = 'done', finished_at = ?2, reason = NULL WHERE id = ?1";
    ReturnSource: "UPDATE OR FAIL sources SET status = ?2, held = ?3, reason = ?4 WHERE id = ?1";
    PlanRun: "INSERT OR FAIL INTO runs (id, source, attempt, term, class, work, title, host, candidate, base, seed, decision, planned_at, status) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 'queued')";
    StartRun: "UPDATE OR FAIL runs SET status = 'running', started_at = ?2 WHERE id = ?1";
    FindRun: "SELECT source, base, host FROM runs WHERE id = ?1";
    CancelRun: "UPDATE OR FAIL runs SET cancel_reason = ?2 WHERE id = ?1";
    CompleteRun: "UPDATE OR FAIL runs SET status = 'completed', finished_at = ?2, duration_ms = ?3, steps = ?4, loss_before = ?5, \
        loss_after = ?6, model = ?7 WHERE id = ?1";
    FailRun: "UPDATE OR FAIL runs SET status = 'failed', unsuccessful = 1, finished_at = ?2, duration_ms = ?3, failure_class = ?4, error = ?5, \
        exit_code = ?6 WHERE id = ?1";
    EndCancelledRun: "UPDATE OR FAIL runs SET status = 'cancelled', unsuccessful = 1, finished_at = ?2, duration_ms = ?3 WHERE id = ?1";
    InsertModel: "INSERT OR FAIL INTO models (seq, tag, parent, run, digest, bytes, path, made_at, host) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    RetireModel: "UPDATE OR FAIL models SET retired_at = ?2 WHERE tag = ?1";
    InsertRole: "INSERT OR FAIL INTO model_roles (seq, at, model, before, cause, decision, actor, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    RaiseCandidate: "INSERT OR FAIL INTO candidates (seq, tag, baseline, watermark, raised_at, stage, stage_at) \
        VALUES (?1, ?3, ?4, ?5, ?2, 'evaluating', ?2)";
    MoveCandidate: "UPDATE OR FAIL candidates SET stage = ?2, stage_at = ?3, reason = ?4, actor = ?5, decision = ?6 \
        WHERE tag = ?1 AND ended_at IS NULL";
    ApplyCandidate: "UPDATE OR FAIL candidates SET applied_at = ?2 WHERE tag = ?1 AND ended_at IS NULL";
    EndCandidate: "UPDATE OR FAIL candidates SET stage = 'ended', stage_at = ?2, ended_at = ?2, end = ?3, reason = ?4, actor = ?5, \
        decision = ?6 WHERE tag = ?1 AND ended_at IS NULL";
    InsertVersion: "INSERT INTO policy_versions (digest, name, version, kind, engine, description, first_seen) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
        ON CONFLICT (digest) DO NOTHING";
    InsertActivation: "INSERT OR FAIL INTO activations (seq, at, kind, generation, name, version, digest, engine, previous_name, \
        previous_version, previous_digest, actor, reason, rolled_back, set_number, state, confirm_by, decisions_before) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, (SELECT coalesce(max(id), 0) FROM decisions))";
    EndActivation: "UPDATE OR FAIL activations SET ended_at = ?2, outcome = ?3, decisions_until = (SELECT coalesce(max(id), 0) FROM decisions) \
        WHERE kind = ?1 AND ended_at IS NULL";
    ConfirmActivation: "UPDATE OR FAIL activations SET confirmed_at = ?2, confirmed_by = ?3 WHERE kind = ?1 AND ended_at IS NULL";
    InsertPin: "INSERT OR FAIL INTO policy_pins (seq, at, kind, pinned, actor, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    InsertPolicyCanary: "INSERT OR FAIL INTO policy_canaries (seq, at, kind, name, version, digest, engine, share, state, actor, reason, \
        decisions_before) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, (SELECT coalesce(max(id), 0) FROM decisions))";
    EndPolicyCanary: "UPDATE OR FAIL policy_canaries SET ended_at = ?2, end = ?3, end_actor = ?4, end_reason = ?5, \
        decisions_until = (SELECT coalesce(max(id), 0) FROM decisions) WHERE kind = ?1 AND ended_at IS NULL";
    InsertQuarantine: "INSERT OR FAIL INTO policy_quarantines (seq, at, kind, key, about, name, version, digest, class, detail) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    ReleaseQuarantine: "UPDATE OR FAIL policy_quarantines SET released_at = ?3, released_by = ?4 \
        WHERE kind = ?1 AND key = ?2 AND released_at IS NULL";
    ReleaseQuarantines: "UPDATE OR FAIL policy_quarantines SET released_at = ?2 WHERE kind = ?1 AND released_at IS NULL";
    InsertDecision: "INSERT OR FAIL INTO decisions (id, seq, at, kind, verdict, subject, generation, name, version, digest, link, engine, fuel, \
        micros, declined, reason, context_digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::OpenOptions;
    use crate::verify::VerifyOptions;

    fn large(n: u32) -> Emitted {
        Emitted {
            event: Event::HostStarted {
                version: "v".repeat(20_000),
                term: n,
            },
            recording: None,
        }
    }

    fn journal() -> (tempfile::TempDir, Journal) {
        let directory = tempfile::tempdir().expect("a directory");
        let journal = Journal::open(directory.path().join("journal.db"), OpenOptions::default()).expect("a journal");
        (directory, journal)
    }

    fn set_page_limit(journal: &Journal, pages: i64) {
        let connection = &journal.live.as_ref().expect("open").connection;
        connection
            .query_row("SELECT page_count FROM pragma_page_count", [], |row| row.get::<_, i64>(0))
            .expect("a count");
        connection
            .query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| row.get::<_, i64>(0))
            .expect("set");
    }

    #[test]
    fn a_full_disk_is_told_apart_and_passes() {
        let (_directory, mut journal) = journal();
        journal.append(1, &[large(1)], &[]).expect("there is room");
        set_page_limit(&journal, 40);
        let mut last = journal.last_seq();
        let error = loop {
            match journal.append(2, &[large(2), large(3)], &[]) {
                Ok(_) => last = journal.last_seq(),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, AppendError::Full(_)), "{error:?}");
        assert!(error.may_pass() && !journal.must_reopen());
        // None of the batch is there, not even its first event.
        let reader = journal.reader().expect("a reader");
        assert_eq!((reader.last_seq().expect("read"), journal.last_seq()), (last, last));
        assert!(matches!(
            journal.store_snapshot(last, &[0; 100_000]),
            Err(crate::SnapshotError::Write(AppendError::Full(_)))
        ));

        set_page_limit(&journal, 1_000_000);
        assert_eq!(journal.append(3, &[large(4)], &[]).expect("there is room again"), Seq(last.0 + 1));
        let report = reader.verify(&VerifyOptions::default()).expect("verified");
        assert_eq!((report.problems, report.entries), (vec![], last.0 + 1));
    }

    #[test]
    fn after_a_broken_append_the_journal_is_closed_until_reopened() {
        let (_directory, mut journal) = journal();
        journal.append(1, &[large(1)], &[]).expect("appended");
        // Someone else's row stands where the next entry goes.
        let other = Connection::open(&journal.path).expect("opened");
        other
            .execute("INSERT INTO events VALUES (3, 1, 'host_started', '{}', x'')", [])
            .expect("inserted");
        let error = journal.append(2, &[large(2), large(3)], &[]).expect_err("refused");
        assert!(matches!(error, AppendError::Broken(_)), "{error:?}");
        assert!(journal.must_reopen());
        assert!(matches!(journal.append(2, &[large(2)], &[]), Err(AppendError::Closed)));
        other.execute("DELETE FROM events WHERE seq = 3", []).expect("deleted");
        journal.reopen().expect("reopened");
        assert_eq!(journal.append(2, &[large(2)], &[]).expect("appended"), Seq(2));
    }

    #[test]
    fn someone_elses_transaction_is_waited_for_and_then_told() {
        let directory = tempfile::tempdir().expect("a directory");
        let options = OpenOptions {
            busy_timeout: std::time::Duration::from_millis(1),
            ..OpenOptions::default()
        };
        let mut journal = Journal::open(directory.path().join("journal.db"), options).expect("a journal");
        let other = Connection::open(&journal.path).expect("opened");
        other.execute_batch("BEGIN IMMEDIATE").expect("begun");
        let error = journal.append(1, &[large(1)], &[]).expect_err("refused");
        assert!(matches!(error, AppendError::Io(_)) && error.may_pass(), "{error:?}");
        other.execute_batch("ROLLBACK").expect("ended");
        journal.reopen().expect("reopened");
        assert_eq!(journal.append(1, &[large(1)], &[]).expect("appended"), Seq(1));
    }
}
