//! Records of outcomes, and how far the journal has been read: written together.

use crate::question;
use crate::schema;
use pointsman_model::Millis;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params};
use std::path::{Path, PathBuf};

/// Records that are kept; the oldest outcomes go first.
pub const ITEMS_MAX: u64 = 200_000;
/// Characters of a source's text that are kept: as many as the largest slot holds.
pub const TEXT_CHARS_MAX: usize = pointsman_model::settings::MEMORY_SLOT_CHARS_MAX as usize;
const SUMMARY_CHARS_MAX: usize = 300;
/// Minutes of which the counters are kept.
const MINUTES_KEPT: u64 = 24 * 60;
pub(crate) const ITEM_COLUMNS: &str =
    "items.run, items.source, items.attempt, items.at, items.success, items.host, items.title, items.summary, items.body";

/// A place of the journal: a position and the hash of the entry there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    pub seq: u64,
    pub hash: Vec<u8>,
}

/// What came of a training run, as the journal tells. The run's number is the outcome's id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    pub run: u64,
    pub source: u64,
    pub attempt: u32,
    pub seq: u64,
    pub at: Millis,
    pub host: Option<String>,
    pub title: String,
    /// The text that was learnt from; of a failure nothing is kept but its words.
    pub body: String,
    pub end: End,
}

#[derive(Clone, Debug, PartialEq)]
pub enum End {
    Success {
        steps: Option<u32>,
        loss_before: Option<f64>,
        loss_after: Option<f64>,
        model: Option<String>,
    },
    Failure {
        class: String,
        error: String,
    },
}

impl Default for End {
    fn default() -> End {
        End::Success {
            steps: None,
            loss_before: None,
            loss_after: None,
            model: None,
        }
    }
}

/// One record.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub run: u64,
    pub source: u64,
    pub attempt: u32,
    pub at: Millis,
    pub success: bool,
    pub host: Option<String>,
    pub title: String,
    pub summary: String,
    pub body: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// How far the journal has been read.
    pub seq: u64,
    /// Outcomes ingested, also those of which the record is not kept any more.
    pub outcomes: u64,
    pub successes: u64,
    pub failures: u64,
    /// Records that came in within the last 30 minutes.
    pub ingested_30m: u64,
    pub latest: Option<Latest>,
    pub bytes: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Latest {
    pub run: u64,
    pub at: Millis,
}

#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    #[error("the learning memory {} cannot be used", .path.display())]
    Sqlite { path: PathBuf, source: rusqlite::Error },
    #[error("the learning memory {} is damaged: {reason}", .path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error("the learning memory {} cannot be removed", .path.display())]
    Remove { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    NoWords(#[from] question::NoWords),
}

impl MemoryError {
    /// Whether a new file is the cure: the journal has all of it.
    pub fn is_damage(&self) -> bool {
        match self {
            MemoryError::Damaged { .. } => true,
            MemoryError::Sqlite { source, .. } => matches!(
                source.sqlite_error_code(),
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::SchemaChanged)
            ),
            MemoryError::Remove { .. } | MemoryError::NoWords(_) => false,
        }
    }
}

/// A memory, and why it had to be begun anew, where it had to.
pub struct Started {
    pub memory: Memory,
    pub anew: Option<String>,
}

pub struct Memory {
    path: PathBuf,
    pub(crate) connection: Connection,
    items_max: u64,
}

impl Memory {
    /// Opens the memory; a damaged one is thrown away and begun anew, since the journal has all of it.
    pub fn open(path: &Path) -> Result<Started, MemoryError> {
        match schema::open(path) {
            Ok(connection) => Ok(Started {
                memory: Memory::of(path, connection),
                anew: None,
            }),
            Err(error) if error.is_damage() => {
                let memory = Memory::create(path)?;
                Ok(Started {
                    memory,
                    anew: Some(error.to_string()),
                })
            }
            Err(error) => Err(error),
        }
    }

    /// An empty memory, whatever was there.
    pub fn create(path: &Path) -> Result<Memory, MemoryError> {
        schema::delete(path).map_err(|source| MemoryError::Remove { path: path.into(), source })?;
        Ok(Memory::of(path, schema::open(path)?))
    }

    fn of(path: &Path, connection: Connection) -> Memory {
        Memory {
            path: path.into(),
            connection,
            items_max: ITEMS_MAX,
        }
    }

    /// The same with another bound, for tests.
    pub fn keeping(mut self, items_max: u64) -> Memory {
        self.items_max = items_max;
        self
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How far the journal has been read.
    pub fn cursor(&self) -> Result<Mark, MemoryError> {
        let read = |row: &Row<'_>| {
            Ok(Mark {
                seq: number(row, 0)?,
                hash: row.get(1)?,
            })
        };
        self.one("SELECT seq, hash FROM meta", [], read)
    }

    /// Writes the records of a stretch of the journal and the place where it ends: all of it, or nothing. A record that is there
    /// already is written over.
    pub fn ingest(&mut self, now: Millis, outcomes: &[Outcome], through: &Mark) -> Result<(), MemoryError> {
        let path = self.path.clone();
        self.write(now, outcomes, through)
            .map_err(|source| MemoryError::Sqlite { path, source })
    }

    fn write(&mut self, now: Millis, outcomes: &[Outcome], through: &Mark) -> rusqlite::Result<()> {
        let items_max = self.items_max as i64;
        let transaction = self.connection.transaction()?;
        let mut new = 0;
        for outcome in outcomes {
            let Outcome {
                run,
                source,
                attempt,
                seq,
                at,
                host,
                title,
                body,
                end,
            } = outcome;
            // An external index of words must be told of what goes: an upsert would not.
            let gone = transaction
                .prepare_cached("DELETE FROM items WHERE run = ?1")?
                .execute([*run as i64])?;
            new += u64::from(gone == 0);
            let (success, summary, body) = match end {
                End::Success { .. } => (true, summary(end), cut(body, TEXT_CHARS_MAX)),
                End::Failure { .. } => (false, summary(end), ""),
            };
            transaction
                .prepare_cached("INSERT INTO items (run, source, attempt, seq, at, success, host, title, summary, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?
                .execute(params![
                    *run as i64,
                    *source as i64,
                    attempt,
                    *seq as i64,
                    *at as i64,
                    success,
                    host,
                    title,
                    cut(&summary, SUMMARY_CHARS_MAX),
                    body
                ])?;
        }
        if new > 0 {
            transaction
                .prepare_cached("DELETE FROM items WHERE run <= (SELECT run FROM items ORDER BY run DESC LIMIT 1 OFFSET ?1)")?
                .execute([items_max])?;
            let minute = now / 60_000;
            transaction
                .prepare_cached(
                    "INSERT INTO ingests VALUES (?1, ?2) ON CONFLICT (minute) DO UPDATE SET records = records + excluded.records",
                )?
                .execute(params![minute as i64, new as i64])?;
            transaction
                .prepare_cached("DELETE FROM ingests WHERE minute < ?1")?
                .execute([minute.saturating_sub(MINUTES_KEPT) as i64])?;
        }
        transaction
            .prepare_cached("UPDATE meta SET seq = ?1, hash = ?2, outcomes = outcomes + ?3")?
            .execute(params![through.seq as i64, through.hash, new as i64])?;
        transaction.commit()
    }

    /// What holds all of the words, best first.
    pub fn search(&self, text: &str, limit: u32) -> Result<Vec<Found>, MemoryError> {
        let question = question::all_of(text)?;
        // A title says more than a text: its words count for more.
        let sql = format!(
            "SELECT {ITEM_COLUMNS} FROM words JOIN items ON items.run = words.rowid WHERE words MATCH ?1
             ORDER BY bm25(words, 4.0, 2.0, 1.0), items.run DESC LIMIT ?2"
        );
        self.all(&sql, params![question, limit], found)
    }

    /// The newest records.
    pub fn newest(&self, limit: u32) -> Result<Vec<Found>, MemoryError> {
        let sql = format!("SELECT {ITEM_COLUMNS} FROM items ORDER BY run DESC LIMIT ?1");
        self.all(&sql, [limit], found)
    }

    /// Outcomes ingested, also those of which the record is not kept any more.
    pub fn outcomes(&self) -> Result<u64, MemoryError> {
        self.one("SELECT outcomes FROM meta", [], |row| number(row, 0))
    }

    pub fn status(&self, now: Millis) -> Result<Status, MemoryError> {
        let count = |success: bool| self.one("SELECT count(*) FROM items WHERE success = ?1", [success], |row| number(row, 0));
        let since = (now / 60_000).saturating_sub(29) as i64;
        let latest = self.all("SELECT run, at FROM items ORDER BY seq DESC LIMIT 1", [], |row| {
            Ok(Latest {
                run: number(row, 0)?,
                at: number(row, 1)?,
            })
        })?;
        Ok(Status {
            seq: self.cursor()?.seq,
            outcomes: self.outcomes()?,
            successes: count(true)?,
            failures: count(false)?,
            ingested_30m: self.one("SELECT coalesce(sum(records), 0) FROM ingests WHERE minute >= ?1", [since], |row| {
                number(row, 0)
            })?,
            latest: latest.into_iter().next(),
            bytes: std::fs::metadata(&self.path).map_or(0, |file| file.len()),
        })
    }

    /// Names all that is remembered: equal for equal content, however it came to be.
    pub fn digest(&self) -> Result<String, MemoryError> {
        let mut hasher = blake3::Hasher::new();
        for sql in [
            "SELECT outcomes FROM meta",
            "SELECT run, source, attempt, seq, at, success, host, title, summary, body FROM items ORDER BY run",
        ] {
            let mut statement = self.connection.prepare(sql).map_err(|source| self.failed(source))?;
            let columns = statement.column_count();
            let mut rows = statement.query([]).map_err(|source| self.failed(source))?;
            while let Some(row) = rows.next().map_err(|source| self.failed(source))? {
                for column in 0..columns {
                    match row.get_ref(column).map_err(|source| self.failed(source))? {
                        ValueRef::Null => hasher.update(b"-"),
                        ValueRef::Integer(value) => hasher.update(&value.to_le_bytes()),
                        ValueRef::Real(value) => hasher.update(&value.to_le_bytes()),
                        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes),
                    };
                }
            }
        }
        Ok(hasher.finalize().to_hex().to_string())
    }

    fn one<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, MemoryError> {
        let row = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row(params, read).optional())
            .map_err(|source| self.failed(source))?;
        row.ok_or_else(|| MemoryError::Damaged {
            path: self.path.clone(),
            reason: "its one row of marks is gone".to_string(),
        })
    }

    pub(crate) fn all<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, MemoryError> {
        let rows = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_map(params, read)?.collect::<rusqlite::Result<Vec<T>>>());
        rows.map_err(|source| self.failed(source))
    }

    fn failed(&self, source: rusqlite::Error) -> MemoryError {
        MemoryError::Sqlite {
            path: self.path.clone(),
            source,
        }
    }
}

pub(crate) fn found(row: &Row<'_>) -> rusqlite::Result<Found> {
    Ok(Found {
        run: number(row, 0)?,
        source: number(row, 1)?,
        attempt: row.get(2)?,
        at: number(row, 3)?,
        success: row.get(4)?,
        host: row.get(5)?,
        title: row.get(6)?,
        summary: row.get(7)?,
        body: row.get(8)?,
    })
}

/// SQLite's integers are signed; ours of the journal never reach their sign.
fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|value| value.max(0) as u64)
}

/// What came of it, in a sentence.
fn summary(end: &End) -> String {
    match end {
        End::Success {
            steps,
            loss_before,
            loss_after,
            model,
        } => {
            let made = model.as_ref().map(|model| format!("made {model}")).unwrap_or("done".to_string());
            let steps = steps.map(|steps| format!(" in {steps} steps")).unwrap_or_default();
            let loss = match (loss_before, loss_after) {
                (Some(before), Some(after)) => format!(": {before:.3} to {after:.3} bits per byte"),
                (None, Some(after)) => format!(": {after:.3} bits per byte"),
                (_, None) => String::new(),
            };
            format!("{made}{steps}{loss}")
        }
        End::Failure { class, error } => {
            let line = error.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
            format!("failed ({class}): {}", line.trim())
        }
    }
}

/// The first characters of a text.
pub(crate) fn cut(text: &str, chars: usize) -> &str {
    match text.char_indices().nth(chars) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}
