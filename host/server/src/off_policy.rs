//! What a version would have been worth on recorded picks that were left to chance. The estimating is
//! [`pointsman_sim::off_policy`]; here are its input, from the journal or a file, and its words.

use crate::dry_run::{FileRow, FileWindow, JournalWindow, Span, WindowError, engines_of};
use crate::wire::{CannotKnow, Counted, ValueEstimate, ValueReport};
use pointsman_coordinator::Guards;
use pointsman_journal::Reader;
use pointsman_model::policy::{PolicyDescription, PolicyKind};
use pointsman_model::run::RunStatus;
use pointsman_model::{DecisionId, Digest};
use pointsman_policy::Checked;
use pointsman_sim::dry_run::Window;
use pointsman_sim::off_policy::{Asked, Estimate, Found, Log, Logged, off_policy};
use pointsman_sim::replay::guarded;
use std::collections::{BTreeMap, BTreeSet};

/// Decisions where nothing is named: a value needs more of them than a dry run.
pub const LAST_DEFAULT: u32 = 10_000;
/// What the bounds of an estimate are.
const INTERVAL: &str = "95 %, normal, from each decision's influence on the estimate";

/// Why there is no value of such a policy, if there is none.
pub fn refused(description: &PolicyDescription) -> Option<String> {
    (description.kind != PolicyKind::SourceSelection).then(|| {
        format!(
            "{} is a policy of {}; only picks of {} are drawn, and so only theirs can be valued",
            description.policy,
            description.kind,
            PolicyKind::SourceSelection
        )
    })
}

/// Decisions of source selection from the journal, with how their runs stand.
pub struct JournalLog<'r> {
    window: JournalWindow<'r>,
    runs: BTreeMap<DecisionId, RunStatus>,
}

impl<'r> JournalLog<'r> {
    pub fn open(reader: &'r Reader, span: Span) -> Result<JournalLog<'r>, WindowError> {
        let window = JournalWindow::open(reader, PolicyKind::SourceSelection, span)?;
        let runs = match window.first() {
            Some(first) => reader.runs_begun(first)?,
            None => BTreeMap::new(),
        };
        Ok(JournalLog { window, runs })
    }
}

impl Log for JournalLog<'_> {
    type Error = WindowError;

    fn total(&self) -> u64 {
        self.window.total()
    }

    fn next_page(&mut self) -> Result<Vec<Logged>, WindowError> {
        let page = self.window.next_page()?;
        let logged = page.into_iter().map(|row| {
            let recorded = JournalWindow::read(row)?;
            let run = self.runs.get(&recorded.decision.id).copied();
            Ok(Logged { recorded, run })
        });
        logged.collect()
    }
}

/// Those of a window file.
pub struct FileLog(pub FileWindow);

impl Log for FileLog {
    type Error = WindowError;

    fn total(&self) -> u64 {
        self.0.total()
    }

    fn next_page(&mut self) -> Result<Vec<Logged>, WindowError> {
        self.0.next_page()?.into_iter().map(FileRow::logged).collect()
    }
}

/// Values a checked version of source selection. Nothing live is touched: the version is asked in a library of its own.
/// `on_progress` is told how far it is, and ends it by answering false; then there is nothing.
pub fn run<L: Log>(
    checked: &Checked,
    log: &mut L,
    guards: Guards,
    reads_state_of: BTreeSet<Digest>,
    on_progress: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<Option<ValueReport>, L::Error> {
    let asked = Asked {
        version: &checked.description,
        reads_state_of,
        guard: &|context, answer| guarded(guards, context, answer),
    };
    let total = log.total();
    let found = off_policy(&asked, &mut engines_of(checked), log, on_progress)?;
    let found = found.filter(|_| on_progress(total, total));
    Ok(found.map(|found| report(&checked.description, found)))
}

fn report(version: &PolicyDescription, found: Found) -> ValueReport {
    let Found {
        looked_at,
        span,
        left_out,
        used,
        errors,
        idles,
        keeps_state,
        recorded,
        support,
        estimates,
        cannot_know,
    } = found;
    let mut left_out: Vec<Counted> = left_out
        .into_iter()
        .map(|(why, count)| Counted {
            slug: why.slug().to_string(),
            label: why.label().to_string(),
            count,
        })
        .collect();
    left_out.sort_by_key(|why| std::cmp::Reverse(why.count));
    ValueReport {
        kind: version.kind.slug().to_string(),
        policy: version.policy.to_string(),
        digest: version.policy.digest.to_string(),
        first_decision: span.map(|((first, _), _)| first.0),
        last_decision: span.map(|(_, (last, _))| last.0),
        from: span.map(|((_, at), _)| at),
        until: span.map(|(_, (_, at))| at),
        looked_at,
        used,
        left_out,
        errors,
        idles,
        keeps_state,
        known: estimates.is_some(),
        cannot_know: cannot_know
            .iter()
            .map(|why| CannotKnow {
                slug: why.slug().to_string(),
                words: why.words(),
            })
            .collect(),
        recorded: recorded.map(bounds),
        ips: estimates.map(|estimates| bounds(estimates.ips)),
        snips: estimates.map(|estimates| bounds(estimates.snips)),
        doubly_robust: estimates.map(|estimates| bounds(estimates.doubly_robust)),
        gain: estimates.map(|estimates| bounds(estimates.gain)),
        interval: INTERVAL.to_string(),
        effective_n: support.effective_n,
        weight_max: support.weight_max,
        unsupported_share: support.unsupported_share,
        matched: support.matched,
    }
}

fn bounds(estimate: Estimate) -> ValueEstimate {
    let Estimate { value, low, high } = estimate;
    ValueEstimate { value, low, high }
}
