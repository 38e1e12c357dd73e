//! Many recorded decisions at once, for dry runs and verification: found by number, read one by one, parsed by whoever
//! asked, on a thread of their own.

use crate::reader::{ReadError, Reader};
use crate::rows;
use crate::words::Word;
use pointsman_model::decision::Decision;
use pointsman_model::policy::{PolicyDescription, PolicyKind};
use pointsman_model::run::{RunClass, RunStatus};
use pointsman_model::{DecisionId, Digest, Millis, Seq};
use rusqlite::Row;
use std::collections::BTreeMap;

/// A decision as it is stored.
#[derive(Clone, Debug)]
pub struct StoredDecision {
    pub seq: Seq,
    pub at: Millis,
    /// The decision as JSON.
    pub payload: String,
    /// The context as the answering link saw it; none where it is no longer kept.
    pub context: Option<Vec<u8>>,
}

impl StoredDecision {
    pub fn decision(&self) -> Result<Decision, ReadError> {
        serde_json::from_str(&self.payload).map_err(|source| ReadError::Entry { seq: self.seq, source })
    }
}

impl Reader {
    /// The latest decisions, oldest first: of one kind or all, at most so many, none made before a time.
    pub fn latest_decisions(
        &self,
        kind: Option<PolicyKind>,
        last: Option<u32>,
        since: Option<Millis>,
    ) -> Result<Vec<DecisionId>, ReadError> {
        let most = last.map_or(usize::MAX, |last| last as usize);
        // A literal word, as in pages: rare kinds have an index of their own.
        let of_kind = kind.map_or(String::new(), |kind| format!("WHERE kind = '{}'", kind.word()));
        let sql = format!("SELECT id, at FROM decisions {of_kind} ORDER BY id DESC");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut found = statement.query([])?;
        let mut ids = Vec::new();
        while ids.len() < most
            && let Some(row) = found.next()?
        {
            let at: Millis = rows::number(row, 1)?;
            // Numbers and times rise together.
            if since.is_some_and(|since| at < since) {
                break;
            }
            ids.push(DecisionId(rows::number(row, 0)?));
        }
        ids.reverse();
        Ok(ids)
    }

    /// The latest decisions that one of these versions made, oldest first. Read from the end back to where each came into
    /// service first.
    pub fn latest_decisions_of(&self, versions: &[Digest], last: u32) -> Result<Vec<DecisionId>, ReadError> {
        let sql = "SELECT id FROM decisions WHERE digest = ?1 AND id > coalesce((SELECT min(decisions_before) FROM \
                   (SELECT decisions_before FROM activations WHERE digest = ?1 \
                   UNION ALL SELECT decisions_before FROM policy_canaries WHERE digest = ?1)), 0) ORDER BY id DESC LIMIT ?2";
        let mut ids = Vec::new();
        for digest in versions {
            let found = self.all(sql, (digest.0, last), |row| Ok(DecisionId(rows::number(row, 0)?)))?;
            ids.extend(found);
        }
        ids.sort_unstable();
        let older = ids.len().saturating_sub(last as usize);
        Ok(ids.split_off(older))
    }

    /// A decision with its context, not parsed.
    pub fn stored_decision(&self, id: DecisionId) -> Result<Option<StoredDecision>, ReadError> {
        let sql = "SELECT events.seq, events.at, events.payload, recordings.context FROM decisions
                   JOIN events ON events.seq = decisions.seq LEFT JOIN recordings ON recordings.decision = decisions.id WHERE decisions.id = ?1";
        self.maybe(sql, [id.0 as i64], |row: &Row<'_>| {
            Ok(StoredDecision {
                seq: Seq(rows::number(row, 0)?),
                at: rows::number(row, 1)?,
                payload: row.get(2)?,
                context: row.get(3)?,
            })
        })
    }

    /// How the training runs stand that decisions began, from this decision on; of one that began several, the first.
    pub fn runs_begun(&self, first: DecisionId) -> Result<BTreeMap<DecisionId, RunStatus>, ReadError> {
        // Literal words, as in pages. A run is planned in the turn that decides, so that both numbers rise together.
        let sql = format!(
            "SELECT decision, status FROM runs WHERE class = '{}' AND decision IS NOT NULL ORDER BY id DESC",
            RunClass::Training.word()
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut found = statement.query([])?;
        let mut runs = BTreeMap::new();
        while let Some(row) = found.next()? {
            let decision = DecisionId(rows::number(row, 0)?);
            if decision < first {
                break;
            }
            runs.insert(decision, rows::word(row, 1)?);
        }
        Ok(runs)
    }

    /// What a version says of itself, where it has ever been active, in canary or in a set.
    pub fn policy_description(&self, digest: Digest) -> Result<Option<PolicyDescription>, ReadError> {
        let text: Option<String> = self.maybe("SELECT description FROM policy_versions WHERE digest = ?1", [digest.0], |row| {
            row.get(0)
        })?;
        text.map(|text| {
            serde_json::from_str(&text)
                .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into()).into())
        })
        .transpose()
    }
}
