//! What the entries tell about the past that no view keeps: changes of settings, and what was gained since a position.

use crate::reader::{LIMIT_MAX, ReadError, Reader, parse};
use crate::rows::{self, Entry, RunRow};
use pointsman_model::event::Recorded;
use pointsman_model::run::RunStatus;
use pointsman_model::{Digest, Millis, RunId, Seq};
use rusqlite::params;
use serde::{Deserialize, Serialize};

/// Entries after a baseline that are looked at, at most: half a second of a slow disk.
pub const SINCE_MAX: u64 = 1_000_000;

/// Outcomes of training runs in a stretch of the journal, and where the stretch ends.
#[derive(Clone, Debug, PartialEq)]
pub struct OutcomeStretch {
    /// With the position and the time of the entry that brought the outcome.
    pub outcomes: Vec<(Seq, Millis, RunRow)>,
    pub through: Seq,
    /// The chain's hash of the entry there; none in an empty journal.
    pub hash: Option<Digest>,
    /// The journal's end.
    pub last: Seq,
}

/// Entries of some kinds in a stretch of the journal, and where the stretch ends.
#[derive(Clone, Debug, PartialEq)]
pub struct EntryStretch {
    pub entries: Vec<Entry>,
    pub through: Seq,
    pub last: Seq,
}

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

    /// Outcomes of training runs, completed and failed, among the next `span` entries. What feeds the learning memory: the
    /// coordinator counts the same ones.
    pub fn outcomes_after(&self, after: Seq, span: u64) -> Result<OutcomeStretch, ReadError> {
        let last = self.last_seq()?;
        let through = last.min(Seq(after.0.saturating_add(span))).max(after);
        let sql = "SELECT seq, at, json_extract(payload, '$.token.run') FROM events
                   WHERE seq > ?1 AND seq <= ?2 AND kind = 'run_finished' ORDER BY seq";
        let found = self.all(sql, params![after.0 as i64, through.0 as i64], |row| {
            Ok((Seq(rows::number(row, 0)?), rows::number(row, 1)?, RunId(rows::number(row, 2)?)))
        })?;
        let mut outcomes = Vec::new();
        for (seq, at, run) in found {
            let is_outcome = |run: &RunRow| run.work == "train" && matches!(run.status, RunStatus::Completed | RunStatus::Failed);
            outcomes.extend(self.run(run)?.filter(is_outcome).map(|run| (seq, at, run)));
        }
        Ok(OutcomeStretch {
            outcomes,
            through,
            hash: self.entry(through)?.map(|entry| entry.hash),
            last,
        })
    }

    /// Entries of these kinds among the next `span` entries; of every kind where none is named.
    pub fn entries_of(&self, after: Seq, span: u64, kinds: &[String]) -> Result<EntryStretch, ReadError> {
        let last = self.last_seq()?;
        let through = last.min(Seq(after.0.saturating_add(span))).max(after);
        let kinds = serde_json::to_string(kinds).unwrap_or_default();
        let sql = "SELECT seq, at, kind, payload, hash FROM events
                   WHERE seq > ?1 AND seq <= ?2 AND (?3 = '[]' OR kind IN (SELECT value FROM json_each(?3))) ORDER BY seq";
        let entries = self.all(sql, params![after.0 as i64, through.0 as i64, kinds], rows::entry)?;
        Ok(EntryStretch { entries, through, last })
    }

    /// How many such entries there are after a position, among the next `span` entries.
    pub fn count_of(&self, after: Seq, span: u64, kinds: &[String]) -> Result<u64, ReadError> {
        let kinds = serde_json::to_string(kinds).unwrap_or_default();
        let sql = "SELECT count(*) FROM events
                   WHERE seq > ?1 AND seq <= ?2 AND (?3 = '[]' OR kind IN (SELECT value FROM json_each(?3)))";
        let end = after.0.saturating_add(span).min(i64::MAX as u64);
        let found = self.maybe(sql, params![after.0 as i64, end as i64, kinds], |row| rows::number(row, 0))?;
        Ok(found.unwrap_or(0))
    }

    /// The last entry before a time. Entries are in the order of their times, so few of them are looked at.
    pub fn seq_before(&self, at: Millis) -> Result<Seq, ReadError> {
        let (mut low, mut high) = (0, self.last_seq()?.0);
        while low < high {
            let middle = high - (high - low) / 2;
            match self.at(Seq(middle))? {
                Some(found) if found >= at => high = middle - 1,
                Some(_) | None => low = middle,
            }
        }
        Ok(Seq(low))
    }

    /// When an entry was made; none where there is no such entry.
    pub fn at(&self, seq: Seq) -> Result<Option<Millis>, ReadError> {
        Ok(self.entry(seq)?.map(|entry| entry.at))
    }

    /// Sources of any lane that were given up after an entry.
    pub fn given_up_since(&self, since: Seq) -> Result<u64, ReadError> {
        let sql = "SELECT count(*) FROM events WHERE seq > ?1 AND kind = 'source_given_up'";
        Ok(self.maybe(sql, [since.0 as i64], |row| rows::number(row, 0))?.unwrap_or(0))
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
