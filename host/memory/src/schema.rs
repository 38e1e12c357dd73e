//! The file: its tables, and how to tell that it is one of ours and whole.

use crate::store::MemoryError;
use rusqlite::Connection;
use std::path::Path;
use std::time::Duration;

/// `PMme` in ASCII.
const APPLICATION_ID: i32 = 0x504d_6d65;
/// Raised with every change of the tables, or of what is made of an outcome: an older file is then built anew.
const LAYOUT: i32 = 1;

const TABLES: &str = "
CREATE TABLE meta (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  -- Entries of the journal up to here are ingested; the hash of that entry tells one journal from another.
  seq INTEGER NOT NULL,
  hash BLOB NOT NULL,
  -- Outcomes ingested, also those of which the record is not kept any more.
  outcomes INTEGER NOT NULL
) STRICT;
INSERT INTO meta VALUES (1, 0, x'', 0);

CREATE TABLE items (
  run INTEGER PRIMARY KEY,
  source INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  at INTEGER NOT NULL,
  success INTEGER NOT NULL,
  host TEXT,
  title TEXT NOT NULL,
  summary TEXT NOT NULL,
  body TEXT NOT NULL
) STRICT;
CREATE INDEX items_host ON items (host, run) WHERE success = 1 AND host IS NOT NULL;
CREATE INDEX items_failures ON items (source, run) WHERE success = 0;

CREATE VIRTUAL TABLE words USING fts5 (title, summary, body, content = 'items', content_rowid = 'run', tokenize = \"unicode61 remove_diacritics 2\");
CREATE TRIGGER items_put AFTER INSERT ON items BEGIN
  INSERT INTO words (rowid, title, summary, body) VALUES (new.run, new.title, new.summary, new.body);
END;
CREATE TRIGGER items_taken AFTER DELETE ON items BEGIN
  INSERT INTO words (words, rowid, title, summary, body) VALUES ('delete', old.run, old.title, old.summary, old.body);
END;

-- When records came in, by minute of the host's clock: how busy the consumer is, and no part of what is remembered.
CREATE TABLE ingests (
  minute INTEGER PRIMARY KEY,
  records INTEGER NOT NULL
) STRICT;
";

/// Opens the file, or makes it. What is wrong with one that is there is said in words.
pub(crate) fn open(path: &Path) -> Result<Connection, MemoryError> {
    let sqlite = |source| MemoryError::Sqlite { path: path.into(), source };
    let damaged = |reason: String| MemoryError::Damaged { path: path.into(), reason };
    let mut connection = Connection::open(path).map_err(sqlite)?;
    connection.busy_timeout(Duration::from_secs(5)).map_err(sqlite)?;
    let number = |pragma: &str| connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i32>(0));
    let (owner, layout) = (number("application_id").map_err(sqlite)?, number("user_version").map_err(sqlite)?);
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(sqlite)?;
    if tables > 0 && owner != APPLICATION_ID {
        return Err(damaged("it is no learning memory of Pointsman".to_string()));
    }
    if tables > 0 && layout != LAYOUT {
        return Err(damaged(format!("its layout is {layout} and this version has {LAYOUT}")));
    }
    // Derived data: what a power cut takes is read from the journal again.
    connection
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;")
        .map_err(sqlite)?;
    if tables == 0 {
        let transaction = connection.transaction().map_err(sqlite)?;
        transaction.execute_batch(TABLES).map_err(sqlite)?;
        transaction
            .execute_batch(&format!(
                "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {LAYOUT};"
            ))
            .map_err(sqlite)?;
        transaction.commit().map_err(sqlite)?;
    } else {
        let found: String = connection
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(sqlite)?;
        if found != "ok" {
            return Err(damaged(found));
        }
        connection
            .execute("INSERT INTO words (words) VALUES ('integrity-check')", [])
            .map_err(|error| damaged(format!("its index of words is not that of its records: {error}")))?;
    }
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// The file and what SQLite puts beside it.
pub(crate) fn delete(path: &Path) -> std::io::Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_os_string();
        name.push(suffix);
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}
