//! Opening: whose file it is, who else has it, and how SQLite is set.

use crate::append::Batch;
use crate::chain;
use crate::checkpoint::{CheckpointOptions, Checkpointer, Checkpoints};
use crate::reader::Reader;
use crate::schema;
use pointsman_model::{Digest, Seq};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The one writer of a journal.
pub struct Journal {
    pub(crate) path: PathBuf,
    pub(crate) options: OpenOptions,
    /// None after a failed append, until [`Journal::reopen`].
    pub(crate) live: Option<Live>,
    pub(crate) batch: Batch,
    /// Reads and writes nothing. While it is there, the index of the log stays, which knows where the last good commit
    /// ended. Were the last connection closed after a failed sync, the next one would find the refused batch in the log,
    /// take it for good, and build on pages that may never have reached the disk.
    _anchor: Connection,
    /// Released by the system when the process ends, however it ends.
    _lock: File,
}

/// A connection that works, and what it takes to use it. Dropped in this order: the checkpoints end before the connection does.
pub(crate) struct Live {
    pub(crate) checkpointer: Checkpointer,
    pub(crate) connection: Connection,
    pub(crate) head: Head,
    /// One thread that encodes large batches while their rows are written.
    pub(crate) encoder: rayon::ThreadPool,
}

/// The last entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) seq: Seq,
    pub(crate) hash: Digest,
}

#[derive(Clone, Copy, Debug)]
pub struct OpenOptions {
    /// How long to wait for someone else's transaction, such as a person's with the sqlite3 shell.
    pub busy_timeout: Duration,
    /// Pages kept in memory by the writer.
    pub cache_bytes: u64,
    pub checkpoints: CheckpointOptions,
    /// Go on although the last entry is not the one that was written last. The operator's word, after `verify`.
    pub accept_changed_end: bool,
}

impl Default for OpenOptions {
    fn default() -> OpenOptions {
        OpenOptions {
            busy_timeout: Duration::from_secs(5),
            cache_bytes: 32 << 20,
            checkpoints: CheckpointOptions::default(),
            accept_changed_end: false,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("there is no journal at {path}: name the data directory of a host that has run, or start one there with `pointsman up`")]
    Missing { path: PathBuf },
    #[error("the journal's directory {path} cannot be used: create it, or make it writable for this user")]
    Directory { path: PathBuf, source: std::io::Error },
    #[error("another host{} uses this data directory (lock {path}): stop that one, or name another directory", holder.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    Locked { path: PathBuf, holder: Option<u32> },
    #[error("{path} {what}, not a journal of Pointsman: name another data directory, or move that file away")]
    NotPointsman { path: PathBuf, what: String },
    #[error("{path} has schema {found} and this version knows up to {known}: start the newer version of Pointsman that wrote it")]
    NewerSchema { path: PathBuf, found: u32, known: u32 },
    #[error("{path} has schema {found} and this version reads {known}: start the host once, it brings the file up to date")]
    OlderSchema { path: PathBuf, found: u32, known: u32 },
    #[error("{path} was made by a build whose migration {number} ({name}) is not this one's: start the version of Pointsman that wrote it")]
    ForeignMigration { path: PathBuf, number: u32, name: &'static str },
    #[error(
        "{path} ends with entry {last}, but entry {named} was written last: someone changed the file. Bring back a copy of it, or look at what \
         `pointsman verify` finds and start once with the changed end accepted"
    )]
    ChangedEnd { path: PathBuf, named: Seq, last: Seq },
    #[error("{path} does not keep a write-ahead log (mode {mode}): put the data directory on a local file system")]
    NoLog { path: PathBuf, mode: String },
    #[error("could not {step} of the journal {path}")]
    Sqlite {
        path: PathBuf,
        step: &'static str,
        source: rusqlite::Error,
    },
    #[error("could not start a thread of the journal")]
    Thread(#[source] std::io::Error),
}

impl OpenError {
    /// Whether it may work later without anyone's doing: the disk was full, failing or slow.
    pub fn may_pass(&self) -> bool {
        match self {
            OpenError::Sqlite { source, .. } => matches!(
                source.sqlite_error_code(),
                Some(
                    ErrorCode::DiskFull
                        | ErrorCode::SystemIoFailure
                        | ErrorCode::CannotOpen
                        | ErrorCode::ReadOnly
                        | ErrorCode::DatabaseBusy
                )
            ),
            OpenError::Directory { .. } | OpenError::Thread(_) => true,
            OpenError::Missing { .. }
            | OpenError::Locked { .. }
            | OpenError::NotPointsman { .. }
            | OpenError::NewerSchema { .. }
            | OpenError::OlderSchema { .. }
            | OpenError::ForeignMigration { .. }
            | OpenError::ChangedEnd { .. }
            | OpenError::NoLog { .. } => false,
        }
    }
}

impl Journal {
    /// Opens the journal, or makes a new one where there is none; its directory must exist.
    pub fn open(path: impl AsRef<Path>, options: OpenOptions) -> Result<Journal, OpenError> {
        let path = path.as_ref();
        let lock = take_lock(path)?;
        let live = Live::open(path, &options)?;
        let anchor = connect(path, &options)?;
        // Whatever a host that died has left in the log, nothing is built on it before it is in the database. With a
        // reader in the way it takes until the next checkpoint.
        anchor
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(|source| OpenError::Sqlite {
                path: path.into(),
                step: "move the log into the database",
                source,
            })?;
        Ok(Journal {
            _anchor: anchor,
            path: path.into(),
            options,
            live: Some(live),
            batch: Batch::default(),
            _lock: lock,
        })
    }

    /// Opens the file anew after a failed append. The lock is kept meanwhile.
    ///
    /// A sync that failed is never tried again: the system may have dropped the pages and would report success. The next
    /// batch is written where the refused one was, pages and all, and synced with them.
    pub fn reopen(&mut self) -> Result<(), OpenError> {
        self.close_live();
        self.live = Some(Live::open(&self.path, &self.options)?);
        Ok(())
    }

    /// Ends the connection without moving its log: what failed once is left to the next connection.
    pub(crate) fn close_live(&mut self) {
        if let Some(live) = self.live.take() {
            let _ = live.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        }
    }

    /// Whether a failed append closed the connection, so that [`Journal::reopen`] has to come first.
    pub fn must_reopen(&self) -> bool {
        self.live.is_none()
    }

    /// The last entry's position; 0 in an empty journal. While [`Journal::must_reopen`], it is not known and 0.
    pub fn last_seq(&self) -> Seq {
        self.live.as_ref().map_or(Seq(0), |live| live.head.seq)
    }

    /// The last entry's hash. Kept elsewhere, it proves later that nothing before it was changed.
    pub fn last_hash(&self) -> Digest {
        self.live.as_ref().map_or(chain::GENESIS, |live| live.head.hash)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A reader on a connection of its own.
    pub fn reader(&self) -> Result<Reader, OpenError> {
        Reader::open(&self.path)
    }

    pub fn checkpoints(&self) -> Checkpoints {
        self.live.as_ref().map(|live| live.checkpointer.report()).unwrap_or_default()
    }
}

impl Live {
    fn open(path: &Path, options: &OpenOptions) -> Result<Live, OpenError> {
        let mut connection = connect(path, options)?;
        let version = schema::check_ownership(&connection, path)?;
        let sqlite = |step| {
            move |source| OpenError::Sqlite {
                path: path.into(),
                step,
                source,
            }
        };
        let mode: String = connection
            .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
            .map_err(sqlite("start the write-ahead log"))?;
        if mode != "wal" {
            return Err(OpenError::NoLog { path: path.into(), mode });
        }
        schema::migrate(&mut connection, path, version)?;
        let (named, last) = read_head(&connection).map_err(sqlite("read the last entry"))?;
        if named != last && !options.accept_changed_end {
            return Err(OpenError::ChangedEnd {
                path: path.into(),
                named: named.seq,
                last: last.seq,
            });
        }
        // Going on after the entry that is named leaves a gap where entries were cut off: `verify` finds it for ever.
        let head = if named.seq >= last.seq { named } else { last };
        connection.set_prepared_statement_cache_capacity(64);
        // Else a statement whose parameter might fit a partial index is compiled anew at each execution. All statements of
        // the writer go by primary key.
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
            .map_err(|source| OpenError::Sqlite {
                path: path.into(),
                step: "keep statements compiled",
                source,
            })?;
        let checkpointer = Checkpointer::start(connect(path, options)?, path, options.checkpoints).map_err(OpenError::Thread)?;
        let encoder = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .thread_name(|_| "encoder".into())
            .build()
            .map_err(|error| OpenError::Thread(std::io::Error::other(error)))?;
        Ok(Live {
            checkpointer,
            connection,
            head,
            encoder,
        })
    }
}

/// The last entry as `head` names it, and as it is. They differ only if someone changed the file.
fn read_head(connection: &Connection) -> rusqlite::Result<(Head, Head)> {
    let read = |sql: &str| {
        let row = connection.query_row(sql, [], |row| {
            Ok(Head {
                seq: Seq(row.get::<_, i64>(0)? as u64),
                hash: Digest(row.get(1)?),
            })
        });
        Ok::<Head, rusqlite::Error>(row.optional()?.unwrap_or(Head {
            seq: Seq(0),
            hash: chain::GENESIS,
        }))
    };
    Ok((
        read("SELECT seq, hash FROM head")?,
        read("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1")?,
    ))
}

/// A connection that may write, with everything set that a connection can be set to.
fn connect(path: &Path, options: &OpenOptions) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let sqlite = |step| {
        move |source| OpenError::Sqlite {
            path: path.into(),
            step,
            source,
        }
    };
    let connection = Connection::open_with_flags(path, flags).map_err(sqlite("open the file"))?;
    connection
        .busy_timeout(options.busy_timeout)
        .map_err(sqlite("set the time to wait"))?;
    let cache_kib = options.cache_bytes / 1024;
    connection
        .execute_batch(&format!(
            "PRAGMA synchronous = FULL;
             PRAGMA wal_autocheckpoint = 0;
             PRAGMA mmap_size = 0;
             PRAGMA cell_size_check = ON;
             PRAGMA trusted_schema = OFF;
             PRAGMA foreign_keys = ON;
             PRAGMA temp_store = MEMORY;
             PRAGMA cache_size = -{cache_kib};"
        ))
        .or_else(|error| match error.sqlite_error_code() {
            // Told apart with a clearer message by `check_ownership`.
            Some(ErrorCode::NotADatabase) => Ok(()),
            _ => Err(error),
        })
        .map_err(sqlite("set the connection"))?;
    Ok(connection)
}

/// One host per directory, whatever the journal's name is.
fn take_lock(path: &Path) -> Result<File, OpenError> {
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let lock_path = directory.join("pointsman.lock");
    let io = |source| OpenError::Directory {
        path: directory.into(),
        source,
    };
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&lock_path)
        .map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            return Err(OpenError::Locked {
                path: lock_path,
                holder: holder.trim().parse().ok(),
            });
        }
        Err(TryLockError::Error(source)) => return Err(io(source)),
    }
    // For the message above only: a disk too full for it is no reason to stay away.
    let _ = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(file)
}
