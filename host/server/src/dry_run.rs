//! Dry runs and the replay gate: what a version would have decided on recorded decisions, within declared budgets.
//!
//! The comparing itself is [`pointsman_sim::dry_run`]; here are its input, from the journal or a file, and its words.

mod window;
mod words;

pub use window::{FileRow, FileWindow, JournalWindow, Span, Which, WindowError, export};
pub use words::{counted, diverged};

use crate::wire;
use pointsman_coordinator::Guards;
use pointsman_journal::{ReadError, Reader};
use pointsman_model::Digest;
use pointsman_model::policy::PolicyDescription;
use pointsman_policy::{Checked, Engines, Library};
use pointsman_sim::dry_run::{DryRun, Window, dry_run};
use pointsman_sim::replay::{Budgets, Change, guarded};
use std::collections::BTreeSet;
use std::num::NonZeroUsize;

/// Most decisions of one dry run.
pub const LAST_MAX: u32 = 100_000;
/// Changed decisions that a report shows one by one, at most.
pub const CASES_MAX: usize = 1_000;
/// Versions whose state is known to be readable.
const VERSIONS_MAX: u32 = 1_000;

/// Budgets as they were declared, checked: the error names the field and what may stand there.
pub fn budgets(declared: &wire::ReplayBudgets) -> Result<Budgets, (&'static str, String)> {
    let wire::ReplayBudgets {
        last,
        changed_share_max,
        new_errors_max,
        fuel_factor_max,
        forbidden,
    } = declared;
    if *last > LAST_MAX {
        return Err(("last", format!("{last} is more than {LAST_MAX} decisions")));
    }
    if let Some(share) = changed_share_max
        && !(0.0..=1.0).contains(share)
    {
        return Err(("changed_share_max", format!("{share} is no share between 0 and 1")));
    }
    if let Some(factor) = fuel_factor_max
        && !(*factor > 0.0 && factor.is_finite())
    {
        return Err(("fuel_factor_max", format!("{factor} is not above 0")));
    }
    let forbidden = forbidden
        .iter()
        .map(|slug| {
            Change::parse(slug).ok_or_else(|| {
                let known: Vec<&str> = Change::all().map(Change::slug).collect();
                (
                    "forbidden",
                    format!("'{slug}' is no class of change; there are {}", known.join(", ")),
                )
            })
        })
        .collect::<Result<Vec<Change>, _>>()?;
    Ok(Budgets {
        changed_share_max: *changed_share_max,
        new_errors_max: *new_errors_max,
        fuel_factor_max: *fuel_factor_max,
        forbidden,
    })
}

/// What is asked beside the version.
pub struct Question<'q> {
    pub declared: &'q wire::ReplayBudgets,
    pub budgets: &'q Budgets,
    pub guards: Guards,
    pub reads_state_of: BTreeSet<Digest>,
    /// At most [`CASES_MAX`].
    pub cases_max: usize,
    pub threads: NonZeroUsize,
}

impl<'q> Question<'q> {
    /// What a swap asks: counts, and no cases.
    pub fn of_a_swap(declared: &'q wire::ReplayBudgets, budgets: &'q Budgets, guards: Guards) -> Question<'q> {
        Question {
            declared,
            budgets,
            guards,
            reads_state_of: BTreeSet::new(),
            cases_max: 0,
            // The other thread decides.
            threads: NonZeroUsize::MIN,
        }
    }
}

/// Asks a checked version about a window. Nothing live is touched: the version is asked in a library of its own.
/// `on_progress` is told how far it is, and ends it by answering false; then there is nothing.
pub fn run<W: Window>(
    checked: &Checked,
    window: &mut W,
    question: &Question<'_>,
    on_progress: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<Option<(wire::ReplayReport, wire::ReplayTiming)>, W::Error> {
    let guards = question.guards;
    let library = library_of(checked);
    let asked = DryRun {
        version: &checked.description,
        reads_state_of: question.reads_state_of.clone(),
        engines: &|| Box::new(Engines::new(library.clone())),
        quick_engines: Some(&|| Box::new(Engines::quick(library.clone()))),
        guard: &|context, answer| guarded(guards, context, answer),
        threads: question.threads,
        cases_max: question.cases_max,
    };
    let total = window.total();
    let found = dry_run(&asked, window, on_progress)?;
    let found = found.filter(|_| on_progress(total, total));
    Ok(found.map(|found| {
        let timing = words::timing(&found.report);
        (words::report(&checked.description, &found, question), timing)
    }))
}

/// A library that holds this version alone.
fn library_of(checked: &Checked) -> Library {
    let library = Library::new();
    library.install(checked.clone());
    library
}

/// Engines over such a library.
pub fn engines_of(checked: &Checked) -> Engines {
    Engines::new(library_of(checked))
}

/// Recorded versions whose state a version can read as it is: those of its own name with its own state version.
pub fn reads_state_of(reader: &Reader, description: &PolicyDescription) -> Result<BTreeSet<Digest>, ReadError> {
    let versions = reader.policy_versions(Some(description.kind), VERSIONS_MAX)?;
    Ok(versions
        .into_iter()
        .map(|row| row.description)
        .filter(|known| known.policy.name == description.policy.name && known.state_version == description.state_version)
        .map(|known| known.policy.digest)
        .collect())
}

/// Threads for work that nobody live waits for: all processors but the one that decides.
pub fn threads_beside_a_host() -> NonZeroUsize {
    let all = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    NonZeroUsize::new(all.saturating_sub(1)).unwrap_or(NonZeroUsize::MIN)
}
