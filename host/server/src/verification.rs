//! Decisions made again from their records: each by the version that made it, from the code that the journal keeps.

use crate::dry_run::{JournalWindow, Which, WindowError};
use crate::versions::{self, VersionError};
use crate::view::verdict_words;
use crate::wire::{Counted, VerificationReport, VerificationRow};
use pointsman_coordinator::Guards;
use pointsman_journal::{ReadError, Reader};
use pointsman_model::context::Context;
use pointsman_model::decision::Link;
use pointsman_model::policy::{PolicyKind, PolicyRef};
use pointsman_model::{DecisionId, Digest};
use pointsman_policy::{Engines, Library};
use pointsman_sim::dry_run::Window;
use pointsman_sim::replay::RecordedDecision;
use pointsman_sim::verify::{Verification, WhyNot, verify};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};

/// Decisions that are not identical and are shown one by one, at most.
const ROWS_MAX: usize = 100;

/// Verifies the latest decisions of all kinds, of one, or of a version: `name@version`, a name or a digest.
pub enum Asked {
    All,
    OfKind(PolicyKind),
    OfVersion(String),
}

impl Asked {
    /// A version has one kind: naming both is one word too many.
    pub fn of(kind: Option<PolicyKind>, policy: Option<String>) -> Option<Asked> {
        match (kind, policy) {
            (None, None) => Some(Asked::All),
            (Some(kind), None) => Some(Asked::OfKind(kind)),
            (None, Some(policy)) => Some(Asked::OfVersion(policy)),
            (Some(_), Some(_)) => None,
        }
    }

    pub fn window<'r>(&self, reader: &'r Reader, last: u32) -> Result<JournalWindow<'r>, AskedError> {
        let window = match self {
            Asked::All => JournalWindow::all(reader, Which::All, last),
            Asked::OfKind(kind) => JournalWindow::all(reader, Which::OfKind(*kind), last),
            Asked::OfVersion(text) => {
                let versions = versions::find_all(reader, text)?;
                let digests: Vec<Digest> = versions.iter().map(|version| version.description.policy.digest).collect();
                JournalWindow::all(reader, Which::OfVersions(&digests), last)
            }
        };
        Ok(window?)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum AskedError {
    #[error(transparent)]
    Version(#[from] VersionError),
    #[error(transparent)]
    Window(#[from] WindowError),
}

/// Loads versions from the journal as they are needed. Each keeps what it needs for as long as the verification runs.
struct Versions<'r> {
    library: Library,
    reader: &'r Reader,
    /// Why a version is not there; none where it is.
    known: BTreeMap<Digest, Option<String>>,
}

impl Versions<'_> {
    fn load(&mut self, policy: &PolicyRef) -> Result<Option<String>, ReadError> {
        if let Some(known) = self.known.get(&policy.digest) {
            return Ok(known.clone());
        }
        let why_not = match (
            self.reader.policy_description(policy.digest)?,
            self.reader.policy_code(policy.digest)?,
        ) {
            (Some(description), Some(row)) => match self.library.load_recorded(&description, &row.code) {
                Ok(()) => None,
                Err(problem) => Some(format!("{policy} does not load: {problem}")),
            },
            (None, _) | (_, None) => Some(format!("the code of {policy} is not kept in the journal")),
        };
        self.known.insert(policy.digest, why_not.clone());
        Ok(why_not)
    }
}

/// Loads a version from the journal; answers why it cannot be asked, if it cannot.
pub fn load_version(reader: &Reader, library: &Library, policy: &PolicyRef) -> Result<Option<String>, ReadError> {
    let (description, code) = (reader.policy_description(policy.digest)?, reader.policy_code(policy.digest)?);
    let (Some(description), Some(code)) = (description, code) else {
        return Ok(Some(format!("the code of {policy} is not kept in the journal")));
    };
    let loaded = library.load_recorded(&description, &code.code);
    Ok(loaded.err().map(|problem| format!("{policy} does not load: {problem}")))
}

/// Verifies a window, on several threads: each decision stands for itself. None where `on_progress` answered false.
pub fn run<W: Window<Error = WindowError>>(
    reader: &Reader,
    library: Library,
    guards: Guards,
    window: &mut W,
    threads: NonZeroUsize,
    on_progress: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<Option<VerificationReport>, WindowError> {
    let mut versions = Versions {
        library: library.clone(),
        reader,
        known: BTreeMap::new(),
    };
    let total = window.total();
    let threads = threads.get();
    let (pages, waiting) = sync_channel::<Vec<(RecordedDecision, Option<String>)>>(threads);
    let waiting = Mutex::new(waiting);
    let tally = Mutex::new(Tally::default());
    let ended = std::thread::scope(|scope| {
        for _ in 0..threads {
            let (waiting, tally, library) = (&waiting, &tally, library.clone());
            scope.spawn(move || {
                let mut engines = Engines::new(library);
                loop {
                    let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(page) = next else { return };
                    for (recorded, why_not) in page {
                        let verified = match why_not {
                            Some(why) => Verification::NotReplayable(WhyNot::NoVersion { why }),
                            None => verify(&mut engines, &guards, &recorded),
                        };
                        tally.lock().unwrap_or_else(PoisonError::into_inner).add(&recorded, verified);
                    }
                }
            });
        }
        let mut done = 0;
        loop {
            if !on_progress(done, total) {
                return Ok(true);
            }
            let page = window.next_page()?;
            if page.is_empty() {
                break;
            }
            done += page.len() as u64;
            let mut ready = Vec::with_capacity(page.len());
            for row in page {
                let recorded = W::read(row)?;
                let ruling = &recorded.decision.ruling;
                let why_not = match ruling.link {
                    Link::BuiltIn => None,
                    Link::Candidate | Link::Active | Link::LastGood => versions.load(&ruling.policy)?,
                };
                ready.push((recorded, why_not));
            }
            if pages.send(ready).is_err() {
                break;
            }
        }
        drop(pages);
        Ok::<bool, WindowError>(false)
    });
    if ended? || !on_progress(total, total) {
        return Ok(None);
    }
    Ok(Some(tally.into_inner().unwrap_or_else(PoisonError::into_inner).report()))
}

/// Verifies one decision; none where there is no such decision.
pub fn one(reader: &Reader, library: Library, guards: Guards, id: DecisionId) -> Result<Option<VerificationRow>, ReadError> {
    let Some(stored) = reader.stored_decision(id)? else {
        return Ok(None);
    };
    let recorded = RecordedDecision {
        at: stored.at,
        decision: stored.decision()?,
        context: stored.context,
    };
    let mut versions = Versions {
        library: library.clone(),
        reader,
        known: BTreeMap::new(),
    };
    let ruling = &recorded.decision.ruling;
    let why_not = match ruling.link {
        Link::BuiltIn => None,
        Link::Candidate | Link::Active | Link::LastGood => versions.load(&ruling.policy)?,
    };
    let verified = match why_not {
        Some(why) => Verification::NotReplayable(WhyNot::NoVersion { why }),
        None => verify(&mut Engines::new(library), &guards, &recorded),
    };
    Ok(Some(row(&recorded, &verified)))
}

#[derive(Default)]
struct Tally {
    looked_at: u64,
    counts: BTreeMap<&'static str, u64>,
    why_not: BTreeMap<String, u64>,
    rows: BTreeMap<u64, VerificationRow>,
    engines: BTreeSet<String>,
}

impl Tally {
    fn add(&mut self, recorded: &RecordedDecision, verified: Verification) {
        self.looked_at += 1;
        *self.counts.entry(verified.slug()).or_default() += 1;
        self.engines.insert(recorded.decision.ruling.engine.clone());
        if let Verification::NotReplayable(why) = &verified {
            *self.why_not.entry(why.words()).or_default() += 1;
        }
        if verified != Verification::Identical {
            self.rows.insert(recorded.decision.id.0, row(recorded, &verified));
            // The oldest are shown: what went wrong first says more.
            while self.rows.len() > ROWS_MAX {
                self.rows.pop_last();
            }
        }
    }

    fn report(self) -> VerificationReport {
        let count = |slug: &str| self.counts.get(slug).copied().unwrap_or_default();
        VerificationReport {
            looked_at: self.looked_at,
            identical: count("identical"),
            same_verdict: count("same_verdict"),
            diverged: count("diverged"),
            not_replayable: count("not_replayable"),
            why_not: self
                .why_not
                .iter()
                .map(|(label, count)| Counted {
                    slug: "not_replayable".to_string(),
                    label: label.clone(),
                    count: *count,
                })
                .collect(),
            engines: self.engines.iter().cloned().collect(),
            rows: self.rows.into_values().collect(),
        }
    }
}

/// One decision's verification in words.
pub fn row(recorded: &RecordedDecision, verified: &Verification) -> VerificationRow {
    let decision = &recorded.decision;
    let context = recorded.context.as_deref().and_then(|bytes| Context::decode(bytes).ok());
    let words = |verdict| verdict_words(verdict, context.as_ref());
    let detail = match verified {
        Verification::Identical => "verdict, reasons, scores, state and fuel are the same".to_string(),
        Verification::SameVerdict { differs } => format!("the verdict is the same, the {differs} are not"),
        Verification::Diverged { after: Ok(answer) } => format!("it answers now: {}", words(&answer.verdict)),
        Verification::Diverged { after: Err(fault) } => format!("it fails now: {}: {}", fault.class.slug(), fault.detail),
        Verification::NotReplayable(why) => why.words(),
    };
    VerificationRow {
        decision: decision.id.0,
        kind: decision.kind.slug().to_string(),
        policy: decision.ruling.policy.to_string(),
        result: verified.slug().to_string(),
        recorded: words(&decision.ruling.verdict),
        detail,
    }
}
