//! What the entries tell about the past that no view keeps: changes of settings, and what was gained since a position.

use crate::reader::{LIMIT_MAX, ReadError, Reader, parse};
use crate::rows;
use pointsman_model::event::Recorded;
use pointsman_model::{Millis, Seq};
use rusqlite::params;
use serde::{Deserialize, Serialize};

/// Entries after a baseline that are looked at, at most: half a second of a slow disk.
pub const SINCE_MAX: u64 = 1_000_000;

/// What happened after an entry of the journal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gained {
    /// Outcomes of training runs, cancelled ones aside.
    pub outcomes: u64,
    pub successes: u64,
    /// Sources of the operators' queue that are done or given up.
    pub queue_consumed: u64,
    pub live_applies: u64,
    pub rolled_back: u64,
    pub decisions: u64,
    /// When another model went live last.
    pub last_switch: Option<Millis>,
}

impl Reader {
    /// Changes of settings, newest first: those before a position, or the newest.
    pub fn settings_changes(&self, before: Option<Seq>, limit: u32) -> Result<Vec<Recorded>, ReadError> {
        let sql = "SELECT seq, at, kind, payload, hash FROM events
                   WHERE kind = 'settings_changed' AND seq < ?1 ORDER BY seq DESC LIMIT ?2";
        let before = before.map_or(i64::MAX, |seq| seq.0 as i64);
        let entries = self.all(sql, params![before, limit.min(LIMIT_MAX)], rows::entry)?;
        entries.into_iter().map(parse).collect()
    }

    /// When an entry was made; none where there is no such entry.
    pub fn at(&self, seq: Seq) -> Result<Option<Millis>, ReadError> {
        Ok(self.entry(seq)?.map(|entry| entry.at))
    }

    /// What happened after an entry. Reads every entry after it: keep within [`SINCE_MAX`].
    pub fn gained_since(&self, since: Seq) -> Result<Gained, ReadError> {
        let mut gained = Gained::default();
        let counted = "SELECT kind, count(*), max(at) FROM events WHERE seq > ?1
                       AND kind IN ('decided', 'model_applied', 'model_bootstrapped', 'model_rolled_back') GROUP BY kind";
        let rows = self.all(counted, params![since.0 as i64], |row| {
            Ok((row.get::<_, String>(0)?, rows::number(row, 1)?, rows::number(row, 2)?))
        })?;
        for (kind, count, last) in rows {
            match kind.as_str() {
                "decided" => gained.decisions = count,
                "model_applied" => gained.live_applies = count,
                "model_rolled_back" => gained.rolled_back = count,
                _ => {}
            }
            if kind != "decided" {
                gained.last_switch = gained.last_switch.max(Some(last));
            }
        }
        let outcomes = "SELECT runs.status, coalesce(sources.lane, ''), count(*) FROM events
                        JOIN runs ON runs.id = json_extract(events.payload, '$.token.run')
                        LEFT JOIN sources ON sources.id = runs.source
                        WHERE events.seq > ?1 AND events.kind = 'run_finished' AND runs.work = 'train' GROUP BY 1, 2";
        let rows = self.all(outcomes, params![since.0 as i64], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, rows::number(row, 2)?))
        })?;
        for (status, lane, count) in rows {
            match status.as_str() {
                "completed" => {
                    gained.outcomes += count;
                    gained.successes += count;
                    if lane == "queue" {
                        gained.queue_consumed += count;
                    }
                }
                "failed" => gained.outcomes += count,
                _ => {}
            }
        }
        let given_up = "SELECT count(*) FROM events JOIN sources ON sources.id = json_extract(events.payload, '$.source')
                        WHERE events.seq > ?1 AND events.kind = 'source_given_up' AND sources.lane = 'queue'";
        let rows = self.all(given_up, params![since.0 as i64], |row| rows::number(row, 0))?;
        gained.queue_consumed += rows.first().copied().unwrap_or(0);
        Ok(gained)
    }
}
