//! Verifying: is every entry the one that was written, in its place, and do the views say what the entries say?

use crate::append::AppendError;
use crate::append::Statements;
use crate::chain;
use crate::fold::fold;
use crate::open::Journal;
use crate::reader::{ReadError, Reader, parse};
use crate::rows;
use crate::schema;
use pointsman_model::decision::Decision;
use pointsman_model::event::Event;
use pointsman_model::{DecisionId, Digest, Millis, Seq};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, TransactionBehavior};
use serde::Serialize;
use std::collections::BTreeSet;

#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// Fold all entries anew and compare every row of every view. Takes about as long again as the rest, and space for temporary tables.
    pub views: bool,
    /// An entry and its hash, noted elsewhere: even a chain that was made anew from there on is found out.
    pub anchor: Option<(Seq, Digest)>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct VerifyReport {
    pub entries: u64,
    pub last_seq: Seq,
    /// Keep it elsewhere, as an anchor for later.
    pub last_hash: Digest,
    pub decisions: u64,
    /// Recordings that are there, and decisions whose recording is no longer kept.
    pub recordings: u64,
    pub recordings_absent: u64,
    pub view_rows: u64,
    /// The first [`PROBLEMS_MAX`].
    pub problems: Vec<Problem>,
    pub problem_count: u64,
}

/// Most problems that a report names.
pub const PROBLEMS_MAX: usize = 100;

impl VerifyReport {
    pub fn is_sound(&self) -> bool {
        self.problem_count == 0
    }

    fn found(&mut self, problem: Problem) {
        self.problem_count += 1;
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum Problem {
    #[error("entries {first} to {last} are missing")]
    Missing { first: Seq, last: Seq },
    #[error("entry {seq} is not the one that was written, or does not follow the one before")]
    Altered { seq: Seq },
    #[error("entry {seq} cannot be read: {error}")]
    Unreadable { seq: Seq, error: String },
    #[error("entry {seq} is listed as {listed}, but is {actual}")]
    Mislabelled { seq: Seq, listed: String, actual: String },
    #[error("the journal ends with entry {last}, but entry {named} was written last")]
    ChangedEnd { last: Seq, named: Seq },
    #[error("entry {seq} does not have the hash that was noted")]
    NotTheAnchor { seq: Seq },
    #[error("the context or the scores of decision {decision} are not the ones recorded with it")]
    RecordingAltered { decision: DecisionId },
    #[error("{rows} recordings belong to no decision")]
    RecordingsAdded { rows: u64 },
    #[error("the code of policy version {digest} is not what was stored")]
    CodeAltered { digest: Digest },
    #[error("the list of decisions has {rows} rows, the journal {events}: rebuild the views")]
    DecisionCount { rows: u64, events: u64 },
    #[error("view {view} differs from its events at row {row}: rebuild the views")]
    ViewDiffers { view: String, row: i64 },
}

/// Entries read in one go; between two the writer's log may start over.
const CHUNK: u32 = 4_096;

impl Reader {
    /// Reads all of the journal up to its present end. The writer goes on meanwhile, except that with
    /// [`VerifyOptions::views`] its log cannot start over until the end.
    pub fn verify(&self, options: &VerifyOptions) -> Result<VerifyReport, ReadError> {
        let mut report = VerifyReport::default();
        let end = if options.views {
            self.connection.execute_batch("BEGIN")?;
            let outcome = self
                .verify_entries(options, &mut report)
                .and_then(|()| self.verify_views(&mut report));
            self.connection.execute_batch("COMMIT")?;
            outcome
        } else {
            self.verify_entries(options, &mut report)
        };
        end.map(|()| report)
    }

    fn verify_entries(&self, options: &VerifyOptions, report: &mut VerifyReport) -> Result<(), ReadError> {
        // One statement, so that both are of one moment.
        let (end, end_hash, named, decision_rows, recording_rows, decided_end) = self
            .maybe(
                "SELECT ifnull((SELECT max(seq) FROM events), 0), ifnull((SELECT hash FROM events ORDER BY seq DESC LIMIT 1), zeroblob(32)),
                        ifnull((SELECT seq FROM head), 0), (SELECT count(*) FROM decisions), (SELECT count(*) FROM recordings),
                        (SELECT hash FROM head)",
                [],
                |row| {
                    Ok((
                        Seq(rows::number(row, 0)?),
                        Digest(row.get(1)?),
                        Seq(rows::number(row, 2)?),
                        rows::number(row, 3)?,
                        rows::number(row, 4)?,
                        row.get::<_, Option<[u8; 32]>>(5)?.map(Digest),
                    ))
                },
            )?
            .unwrap_or_default();
        let mut last = Seq(0);
        let mut hash = chain::GENESIS;
        while last < end {
            let limit = CHUNK.min((end.0 - last.0).min(u64::from(u32::MAX)) as u32);
            let entries = self.entries_after(last, limit)?;
            if entries.is_empty() {
                break;
            }
            for entry in entries {
                let seq = entry.seq;
                if seq > end {
                    break;
                }
                let follows = seq.0 == last.0 + 1;
                if !follows {
                    report.found(Problem::Missing {
                        first: Seq(last.0 + 1),
                        last: Seq(seq.0 - 1),
                    });
                }
                // After a gap the hash before is not known: the gap is the finding.
                if follows && chain::link(hash, seq, entry.at, entry.payload.as_bytes()) != entry.hash {
                    report.found(Problem::Altered { seq });
                }
                if options.anchor.is_some_and(|(anchor, noted)| anchor == seq && noted != entry.hash) {
                    report.found(Problem::NotTheAnchor { seq });
                }
                last = seq;
                hash = entry.hash;
                report.entries += 1;
                let kind = entry.kind.clone();
                match parse(entry) {
                    Ok(recorded) => {
                        if recorded.event.slug() != kind {
                            report.found(Problem::Mislabelled {
                                seq,
                                listed: kind,
                                actual: recorded.event.slug().into(),
                            });
                        }
                        if let Event::Decided(decision) = &recorded.event {
                            report.decisions += 1;
                            self.verify_recording(decision, report)?;
                        }
                    }
                    Err(ReadError::Entry { source, .. }) => report.found(Problem::Unreadable {
                        seq,
                        error: source.to_string(),
                    }),
                    Err(error) => return Err(error),
                }
            }
        }
        report.last_seq = last;
        report.last_hash = hash;
        if options.anchor.is_some_and(|(anchor, _)| anchor > last) {
            report.found(Problem::NotTheAnchor {
                seq: options.anchor.map_or(last, |(anchor, _)| anchor),
            });
        }
        if named != end || decided_end.is_some_and(|head| head != end_hash) {
            report.found(Problem::ChangedEnd { last: end, named });
        }
        if decision_rows != report.decisions {
            report.found(Problem::DecisionCount {
                rows: decision_rows,
                events: report.decisions,
            });
        }
        if recording_rows > report.recordings {
            report.found(Problem::RecordingsAdded {
                rows: recording_rows - report.recordings,
            });
        }
        self.verify_codes(report)
    }

    fn verify_recording(&self, decision: &Decision, report: &mut VerifyReport) -> Result<(), ReadError> {
        let matches = self.maybe(
            "SELECT context, scores FROM recordings WHERE decision = ?1",
            [decision.id.0 as i64],
            |row| {
                let scores = row.get_ref(1)?.as_blob_or_null()?.map(Digest::of);
                Ok(Digest::of(row.get_ref(0)?.as_blob()?) == decision.context && scores == decision.scores)
            },
        )?;
        let Some(matches) = matches else {
            report.recordings_absent += 1;
            return Ok(());
        };
        report.recordings += 1;
        if !matches {
            report.found(Problem::RecordingAltered { decision: decision.id });
        }
        Ok(())
    }

    /// Each code is read once, however many versions run it.
    fn verify_codes(&self, report: &mut VerifyReport) -> Result<(), ReadError> {
        let whole: BTreeSet<Digest> = self
            .all("SELECT checksum, code FROM codes", [], |row| {
                let checksum = Digest(row.get(0)?);
                Ok((Digest::of(row.get_ref(1)?.as_blob()?) == checksum).then_some(checksum))
            })?
            .into_iter()
            .flatten()
            .collect();
        let versions = self.all("SELECT digest, checksum FROM policy_codes ORDER BY digest", [], |row| {
            Ok((Digest(row.get(0)?), Digest(row.get(1)?)))
        })?;
        for (digest, checksum) in versions {
            if !whole.contains(&checksum) {
                report.found(Problem::CodeAltered { digest });
            }
        }
        Ok(())
    }

    /// Folds the entries into temporary tables and compares.
    fn verify_views(&self, report: &mut VerifyReport) -> Result<(), ReadError> {
        // A file without a name: it goes to disk if it grows, and away when closed.
        let fresh = Connection::open("")?;
        schema::create_tables(&fresh)?;
        fresh.execute_batch("BEGIN")?;
        refold(&fresh, report.last_seq, |after| self.entries_after(after, CHUNK))?;
        for &(view, key) in VIEWS {
            match first_difference(&self.connection, &fresh, view, key)? {
                Comparison::Same { rows } => report.view_rows += rows,
                Comparison::DiffersAt { row } => report.found(Problem::ViewDiffers { view: view.into(), row }),
            }
        }
        Ok(())
    }
}

impl Journal {
    /// Throws the views away and folds them anew from the entries, in one transaction. For a view found wrong.
    pub fn rebuild_views(&mut self) -> Result<(), RebuildError> {
        let last = self.last_seq();
        let Some(live) = &mut self.live else {
            return Err(RebuildError::Write(AppendError::Closed));
        };
        let _writing = live.checkpointer.writing();
        let write = |error| RebuildError::Write(AppendError::of(error));
        let transaction = live
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(write)?;
        for (view, _) in VIEWS {
            transaction.execute(&format!("DELETE FROM {view}"), []).map_err(write)?;
        }
        let sql = format!(
            "SELECT {} FROM events WHERE seq > ?1 ORDER BY seq LIMIT {CHUNK}",
            rows::ENTRY_COLUMNS
        );
        let entries = |after: Seq| -> Result<Vec<rows::Entry>, ReadError> {
            let mut statement = transaction.prepare_cached(&sql)?;
            let entries = statement.query_map([after.0 as i64], rows::entry)?;
            Ok(entries.collect::<rusqlite::Result<_>>()?)
        };
        refold(&transaction, last, entries).map_err(RebuildError::Read)?;
        transaction.commit().map_err(write)
    }
}

/// Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    #[error("the entries could not be read")]
    Read(#[source] ReadError),
    #[error("the views could not be written")]
    Write(#[source] AppendError),
}

fn refold(into: &Connection, last: Seq, mut entries: impl FnMut(Seq) -> Result<Vec<rows::Entry>, ReadError>) -> Result<(), ReadError> {
    let mut statements = Statements::new(into);
    let mut done = Seq(0);
    while done < last {
        let chunk = entries(done)?;
        if chunk.is_empty() {
            break;
        }
        for entry in chunk {
            let seq = entry.seq;
            done = seq;
            if seq > last {
                break;
            }
            // One that cannot be read is reported where the chain is walked.
            let Ok(recorded) = parse(entry) else { continue };
            fold(&mut statements, seq, recorded.at as Millis, &recorded.event)?;
        }
    }
    Ok(())
}

/// Every view and the column its rows are ordered by.
const VIEWS: &[(&str, &str)] = &[
    ("sources", "id"),
    ("runs", "id"),
    ("models", "seq"),
    ("model_roles", "seq"),
    ("candidates", "seq"),
    ("policy_versions", "digest"),
    ("activations", "seq"),
    ("policy_canaries", "seq"),
    ("campaigns", "id"),
    ("imports", "seq"),
    ("locks", "seq"),
    ("policy_pins", "seq"),
    ("policy_quarantines", "seq"),
    ("decisions", "id"),
];

enum Comparison {
    Same { rows: u64 },
    DiffersAt { row: i64 },
}

fn first_difference(left: &Connection, right: &Connection, view: &str, key: &str) -> rusqlite::Result<Comparison> {
    let sql = format!("SELECT * FROM {view} ORDER BY {key}");
    let (mut left, mut right) = (left.prepare(&sql)?, right.prepare(&sql)?);
    let columns = left.column_count();
    let (mut left, mut right) = (left.query([])?, right.query([])?);
    let mut rows = 0;
    loop {
        let (left, right) = (left.next()?, right.next()?);
        let (Some(left), Some(right)) = (left, right) else {
            let Some(row) = left.or(right) else {
                return Ok(Comparison::Same { rows });
            };
            return Ok(Comparison::DiffersAt { row: row_number(row)? });
        };
        for column in 0..columns {
            if left.get_ref(column)? != right.get_ref(column)? {
                return Ok(Comparison::DiffersAt { row: row_number(right)? });
            }
        }
        rows += 1;
    }
}

/// The first column, which is a number in all views but one.
fn row_number(row: &rusqlite::Row<'_>) -> rusqlite::Result<i64> {
    Ok(match row.get_ref(0)? {
        ValueRef::Integer(number) => number,
        _ => 0,
    })
}
