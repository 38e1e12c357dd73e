//! Where the recorded decisions of a dry run come from: the journal, or a file that was written from one.
//!
//! A window file is JSON lines. The first is a [`Header`]; each further one is a decision with its context, whose bytes
//! are those that were recorded.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pointsman_coordinator::Guards;
use pointsman_journal::{ReadError, Reader, StoredDecision};
use pointsman_model::decision::Decision;
use pointsman_model::policy::{PolicyDescription, PolicyKind};
use pointsman_model::run::RunStatus;
use pointsman_model::{DecisionId, Digest, Millis};
use pointsman_sim::dry_run::Window;
use pointsman_sim::off_policy::Logged;
use pointsman_sim::replay::RecordedDecision;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Decisions that are asked about at a time by one thread. An expensive script takes a second for so many, and nobody
/// who ends a dry run should wait longer.
const PAGE: usize = 64;
/// Versions that a window file names.
const VERSIONS_MAX: u32 = 1_000;
/// Longest line of a window file: the largest context, its rulings, and room.
const LINE_BYTES_MAX: u64 = 8 << 20;
const FILE_VERSION: u32 = 1;

/// Which of the recorded decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// The latest.
    Last(u32),
    /// Those made at this time or later.
    Since(Millis),
    One(DecisionId),
}

/// Whose decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which<'w> {
    All,
    OfKind(PolicyKind),
    /// Answered by one of these versions.
    OfVersions(&'w [Digest]),
}

#[derive(Debug, thiserror::Error)]
pub enum WindowError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("there is no decision {0}")]
    NoDecision(DecisionId),
    #[error("decision {id} is of {found}, and the policy is of {asked}")]
    OtherKind {
        id: DecisionId,
        found: PolicyKind,
        asked: PolicyKind,
    },
    #[error("{path}, line {line}: {problem}")]
    File { path: String, line: u64, problem: String },
    #[error("{path}: {source}")]
    Io { path: String, source: std::io::Error },
}

/// A window of the journal.
pub struct JournalWindow<'r> {
    reader: &'r Reader,
    ids: Vec<DecisionId>,
    next: usize,
}

impl<'r> JournalWindow<'r> {
    pub fn open(reader: &'r Reader, kind: PolicyKind, span: Span) -> Result<JournalWindow<'r>, WindowError> {
        let ids = match span {
            Span::Last(last) => reader.latest_decisions(Some(kind), Some(last), None)?,
            Span::Since(since) => reader.latest_decisions(Some(kind), Some(super::LAST_MAX), Some(since))?,
            Span::One(id) => {
                let stored = reader.stored_decision(id)?.ok_or(WindowError::NoDecision(id))?;
                let found = stored.decision()?.kind;
                if found != kind {
                    return Err(WindowError::OtherKind { id, found, asked: kind });
                }
                vec![id]
            }
        };
        Ok(JournalWindow { reader, ids, next: 0 })
    }

    /// The oldest decision.
    pub fn first(&self) -> Option<DecisionId> {
        self.ids.first().copied()
    }

    /// Of all kinds.
    pub fn all(reader: &'r Reader, which: Which<'_>, last: u32) -> Result<JournalWindow<'r>, WindowError> {
        let ids = match which {
            Which::All => reader.latest_decisions(None, Some(last), None)?,
            Which::OfKind(kind) => reader.latest_decisions(Some(kind), Some(last), None)?,
            Which::OfVersions(versions) => reader.latest_decisions_of(versions, last)?,
        };
        Ok(JournalWindow { reader, ids, next: 0 })
    }
}

impl Window for JournalWindow<'_> {
    type Row = StoredDecision;
    type Error = WindowError;

    fn total(&self) -> u64 {
        self.ids.len() as u64
    }

    fn rewind(&mut self) {
        self.next = 0;
    }

    fn next_page(&mut self) -> Result<Vec<StoredDecision>, WindowError> {
        let end = (self.next + PAGE).min(self.ids.len());
        let mut page = Vec::with_capacity(end - self.next);
        for id in &self.ids[self.next..end] {
            page.extend(self.reader.stored_decision(*id)?);
        }
        self.next = end;
        Ok(page)
    }

    fn read(row: StoredDecision) -> Result<RecordedDecision, WindowError> {
        Ok(RecordedDecision {
            at: row.at,
            decision: row.decision()?,
            context: row.context,
        })
    }
}

/// First line of a window file: what the decisions do not say themselves.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Header {
    /// Version of the file's layout.
    pub pointsman_window: u32,
    pub kind: PolicyKind,
    pub decisions: u64,
    /// The guards of the host it was written on.
    pub guard_host_loss_max: Option<f64>,
    pub guard_runs_per_host_max: u32,
    pub versions: Vec<Version>,
}

/// A version whose state may be in the contexts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Version {
    pub digest: Digest,
    pub name: String,
    pub state_version: u32,
}

#[derive(Serialize, Deserialize)]
struct Line {
    at: Millis,
    decision: Decision,
    context: Option<String>,
    /// How the run stood that it began, when the file was written; of source selection only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<RunStatus>,
}

impl Header {
    pub fn guards(&self) -> Guards {
        Guards {
            host_loss_max: self.guard_host_loss_max,
            runs_per_host_max: self.guard_runs_per_host_max,
        }
    }

    /// As for a journal: versions of the same name and state version.
    pub fn reads_state_of(&self, description: &PolicyDescription) -> BTreeSet<Digest> {
        let same = |known: &&Version| known.name == description.policy.name && known.state_version == description.state_version;
        self.versions.iter().filter(same).map(|known| known.digest).collect()
    }
}

/// Writes a window file; answers how many decisions are in it.
pub fn export(reader: &Reader, kind: PolicyKind, span: Span, guards: Guards, out: &mut dyn Write) -> Result<u64, WindowError> {
    let mut window = JournalWindow::open(reader, kind, span)?;
    let versions = reader.policy_versions(Some(kind), VERSIONS_MAX)?;
    let io = |source| WindowError::Io {
        path: "the window".to_string(),
        source,
    };
    let header = Header {
        pointsman_window: FILE_VERSION,
        kind,
        decisions: window.total(),
        guard_host_loss_max: guards.host_loss_max,
        guard_runs_per_host_max: guards.runs_per_host_max,
        versions: versions
            .into_iter()
            .map(|row| Version {
                digest: row.description.policy.digest,
                name: row.description.policy.name,
                state_version: row.description.state_version,
            })
            .collect(),
    };
    line(out, &header).map_err(io)?;
    let runs = match window.first() {
        Some(first) if kind == PolicyKind::SourceSelection => reader.runs_begun(first)?,
        Some(_) | None => BTreeMap::new(),
    };
    loop {
        let page = window.next_page()?;
        if page.is_empty() {
            return Ok(header.decisions);
        }
        for stored in page {
            let decision = stored.decision()?;
            let context = stored.context.map(|bytes| STANDARD.encode(bytes));
            let run = runs.get(&decision.id).copied();
            line(
                out,
                &Line {
                    at: stored.at,
                    decision,
                    context,
                    run,
                },
            )
            .map_err(io)?;
        }
    }
}

fn line(out: &mut dyn Write, value: &impl Serialize) -> std::io::Result<()> {
    let mut text = serde_json::to_vec(value).map_err(std::io::Error::other)?;
    text.push(b'\n');
    out.write_all(&text)
}

/// A window file.
pub struct FileWindow {
    path: PathBuf,
    pub header: Header,
    lines: BufReader<File>,
    /// Number of the line that is read next.
    number: u64,
    /// Where the first decision stands.
    first: u64,
}

/// One line and where it stands.
pub struct FileRow {
    path: String,
    number: u64,
    text: String,
}

impl FileWindow {
    pub fn open(path: &Path) -> Result<FileWindow, WindowError> {
        let shown = path.display().to_string();
        let io = |source| WindowError::Io {
            path: shown.clone(),
            source,
        };
        let mut lines = BufReader::new(File::open(path).map_err(io)?);
        let wrong = |problem: String| WindowError::File {
            path: shown.clone(),
            line: 1,
            problem,
        };
        let text = read_line(&mut lines)
            .map_err(io)?
            .ok_or_else(|| wrong("it is empty; `pointsman policy export` writes a window".to_string()))?;
        let header: Header = serde_json::from_str(&text).map_err(|error| wrong(format!("not the first line of a window file: {error}")))?;
        if header.pointsman_window != FILE_VERSION {
            return Err(wrong(format!(
                "the file has layout {}, and this version of Pointsman reads {FILE_VERSION}",
                header.pointsman_window
            )));
        }
        let first = lines.stream_position().map_err(io)?;
        Ok(FileWindow {
            path: path.to_path_buf(),
            header,
            lines,
            number: 2,
            first,
        })
    }
}

/// A line without its end; none at the end of the file. One that is too long or no text is an error.
fn read_line(lines: &mut BufReader<File>) -> std::io::Result<Option<String>> {
    let mut text = String::new();
    let read = lines.take(LINE_BYTES_MAX).read_line(&mut text)?;
    if read as u64 == LINE_BYTES_MAX && !text.ends_with('\n') {
        return Err(std::io::Error::other(format!("a line is longer than {LINE_BYTES_MAX} bytes")));
    }
    Ok((read > 0).then(|| text.trim_end().to_string()))
}

impl Window for FileWindow {
    type Row = FileRow;
    type Error = WindowError;

    fn total(&self) -> u64 {
        self.header.decisions
    }

    fn rewind(&mut self) {
        // A failure shows at the next read: the position is wrong, and so is the line.
        let _ = self.lines.seek(SeekFrom::Start(self.first));
        self.number = 2;
    }

    fn next_page(&mut self) -> Result<Vec<FileRow>, WindowError> {
        let path = self.path.display().to_string();
        let mut page = Vec::with_capacity(PAGE);
        while page.len() < PAGE {
            let line = read_line(&mut self.lines).map_err(|source| WindowError::Io {
                path: format!("{path}, line {}", self.number),
                source,
            })?;
            let Some(text) = line else { break };
            page.push(FileRow {
                path: path.clone(),
                number: self.number,
                text,
            });
            self.number += 1;
        }
        let decisions = self.number - 2;
        if page.is_empty() && decisions != self.header.decisions {
            return Err(WindowError::File {
                path,
                line: self.number,
                problem: format!(
                    "the file ends after {decisions} of {} decisions: it was cut off",
                    self.header.decisions
                ),
            });
        }
        Ok(page)
    }

    fn read(row: FileRow) -> Result<RecordedDecision, WindowError> {
        Ok(row.logged()?.recorded)
    }
}

impl FileRow {
    /// The decision with how its run stood.
    pub fn logged(self) -> Result<Logged, WindowError> {
        let wrong = |problem: String| WindowError::File {
            path: self.path.clone(),
            line: self.number,
            problem,
        };
        let Line {
            at,
            decision,
            context,
            run,
        } = serde_json::from_str(&self.text).map_err(|error| wrong(format!("not a decision: {error}")))?;
        let context = context
            .map(|text| STANDARD.decode(text))
            .transpose()
            .map_err(|error| wrong(format!("the context is not base64: {error}")))?;
        if let Some(bytes) = &context
            && Digest::of(bytes) != decision.context
        {
            return Err(wrong(
                "the context is not the one that was decided on: its digest differs".to_string(),
            ));
        }
        let recorded = RecordedDecision { at, decision, context };
        Ok(Logged { recorded, run })
    }
}
