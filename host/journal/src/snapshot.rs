//! Snapshots: the coordinator's state after an entry, so that a start replays the tail only. A cache, never the truth.

use crate::append::AppendError;
use crate::open::Journal;
use crate::reader::{ReadError, Reader};
use crate::rows;
use pointsman_model::{Digest, Seq};
use rusqlite::{TransactionBehavior, params};

/// The one before the last stays, in case the last is damaged.
const SNAPSHOTS_KEPT: u32 = 2;

#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("a snapshot of entry {seq} is ahead of the journal, which ends with {last}")]
    AheadOfJournal { seq: Seq, last: Seq },
    #[error("the snapshot could not be written; the journal is complete without it")]
    Write(#[source] AppendError),
}

impl Journal {
    /// Keeps the state after entry `seq`, in a small transaction of its own.
    pub fn store_snapshot(&mut self, seq: Seq, bytes: &[u8]) -> Result<(), SnapshotError> {
        let last = self.last_seq();
        let Some(live) = &mut self.live else {
            return Err(SnapshotError::Write(AppendError::Closed));
        };
        if seq > last {
            return Err(SnapshotError::AheadOfJournal { seq, last });
        }
        let written = {
            let _writing = live.checkpointer.writing();
            live.connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .and_then(|transaction| {
                    let checksum = Digest::of(bytes).0;
                    transaction.execute(
                        "INSERT INTO snapshots (seq, checksum, bytes) VALUES (?1, ?2, ?3)
                     ON CONFLICT (seq) DO UPDATE SET checksum = excluded.checksum, bytes = excluded.bytes",
                        params![seq.0 as i64, checksum, bytes],
                    )?;
                    transaction.execute(
                        "DELETE FROM snapshots WHERE seq NOT IN (SELECT seq FROM snapshots ORDER BY seq DESC LIMIT ?1)",
                        [SNAPSHOTS_KEPT],
                    )?;
                    transaction.commit()
                })
        };
        match written {
            Ok(()) => {
                live.checkpointer.note(bytes.len() as u64, &self.options.checkpoints);
                Ok(())
            }
            Err(error) => {
                let error = AppendError::of(error);
                if !matches!(error, AppendError::Full(_)) || !live.connection.is_autocommit() {
                    self.close_live();
                }
                Err(SnapshotError::Write(error))
            }
        }
    }
}

impl Reader {
    /// The newest snapshot that is whole and not ahead of the journal.
    pub fn latest_snapshot(&self) -> Result<Option<(Seq, Vec<u8>)>, ReadError> {
        let last = self.last_seq()?;
        let positions = self.all(
            "SELECT seq FROM snapshots WHERE seq <= ?1 ORDER BY seq DESC",
            [last.0 as i64],
            |row| row.get::<_, i64>(0),
        )?;
        for position in positions {
            let found = self.maybe("SELECT seq, checksum, bytes FROM snapshots WHERE seq = ?1", [position], |row| {
                Ok((Seq(rows::number(row, 0)?), Digest(row.get(1)?), row.get::<_, Vec<u8>>(2)?))
            })?;
            match found {
                Some((seq, checksum, bytes)) if Digest::of(&bytes) == checksum => return Ok(Some((seq, bytes))),
                Some((seq, ..)) => tracing::warn!(%seq, "a snapshot is damaged; an older one is used, or the whole journal"),
                None => {}
            }
        }
        Ok(None)
    }
}
