//! How one decision differs from another, in classes that a budget can name.

use pointsman_model::decision::{Answer, CurriculumVerdict, Decision, GateVerdict, Reason, RetryVerdict, SelectionVerdict, Verdict};
use pointsman_model::policy::{Fault, FaultClass};
use std::fmt;

/// The class of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Change {
    PicksOther,
    IdlesMore,
    IdlesLess,
    RetriesLater,
    RetriesSooner,
    GivesUp,
    GivesUpNoMore,
    MovesLane,
    MovesLaneNoMore,
    Disables,
    DisablesNoMore,
    PromotesMore,
    PromotesLess,
    /// The gate's word is the same, the number of pairs it wants is not.
    WantsOtherSample,
    SeedsOther,
    SeedsMore,
    SeedsLess,
    ParksOther,
    /// The verdict is the same, the codes of its reasons are not.
    ReasonOnly,
    /// An error where a policy answered.
    NewError(FaultClass),
    /// An answer where the policy that was asked first made an error.
    ErrorGone,
}

/// Fault classes with their slugs as changes, in one place.
const ERRORS: &[(FaultClass, &str, &str)] = &[
    (FaultClass::Trap, "new_error_trap", "traps"),
    (FaultClass::Fuel, "new_error_fuel", "runs out of fuel"),
    (FaultClass::Deadline, "new_error_deadline", "runs out of time"),
    (FaultClass::Memory, "new_error_memory", "runs out of memory"),
    (FaultClass::InvalidOutput, "new_error_invalid_output", "answers what does not fit"),
    (FaultClass::RefusedImport, "new_error_refused_import", "calls what it may not"),
    (FaultClass::Declined, "new_error_declined", "declines"),
    (FaultClass::Guard, "new_error_guard", "proposes what a guard forbids"),
    (FaultClass::Quarantined, "new_error_quarantined", "is not asked about this input"),
    (FaultClass::HostFault, "new_error_host_fault", "cannot be asked"),
];

const PLAIN: &[(Change, &str, &str)] = &[
    (Change::PicksOther, "picks_other", "picks other sources"),
    (Change::IdlesMore, "idles_more", "idles instead of picking"),
    (Change::IdlesLess, "idles_less", "picks instead of idling"),
    (Change::RetriesLater, "retries_later", "retries later"),
    (Change::RetriesSooner, "retries_sooner", "retries sooner"),
    (Change::GivesUp, "gives_up", "gives up"),
    (Change::GivesUpNoMore, "gives_up_no_more", "does not give up"),
    (Change::MovesLane, "moves_lane", "moves to another lane"),
    (Change::MovesLaneNoMore, "moves_lane_no_more", "does not move to another lane"),
    (Change::Disables, "disables", "disables the source"),
    (Change::DisablesNoMore, "disables_no_more", "does not disable the source"),
    (Change::PromotesMore, "promotes_more", "is nearer to promoting"),
    (Change::PromotesLess, "promotes_less", "is farther from promoting"),
    (Change::WantsOtherSample, "wants_other_sample", "wants another number of pairs"),
    (Change::SeedsOther, "seeds_other", "seeds other practice"),
    (Change::SeedsMore, "seeds_more", "seeds where nothing was seeded"),
    (Change::SeedsLess, "seeds_less", "seeds nothing where practice was seeded"),
    (Change::ParksOther, "parks_other", "parks other hosts"),
    (Change::ReasonOnly, "reason_only", "the same for other reasons"),
    (Change::ErrorGone, "error_gone", "answers where an error was"),
];

impl Change {
    pub fn slug(self) -> &'static str {
        self.words().0
    }

    /// As the end of a sentence that begins with the version.
    pub fn label(self) -> &'static str {
        self.words().1
    }

    /// All classes, for a message that lists them.
    pub fn all() -> impl Iterator<Item = Change> {
        let errors = ERRORS.iter().map(|(class, _, _)| Change::NewError(*class));
        PLAIN.iter().map(|(change, _, _)| *change).chain(errors)
    }

    pub fn parse(slug: &str) -> Option<Change> {
        Change::all().find(|change| change.slug() == slug)
    }

    fn words(self) -> (&'static str, &'static str) {
        if let Change::NewError(class) = self {
            let found = ERRORS.iter().find(|(of, _, _)| *of == class);
            return found.map_or(("new_error", "fails"), |(_, slug, label)| (slug, label));
        }
        let found = PLAIN.iter().find(|(change, _, _)| *change == self);
        found.map_or(("changed", "changes"), |(_, slug, label)| (slug, label))
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.slug())
    }
}

/// How an answer differs from a recorded decision; none where it is the same.
///
/// What is compared with is what the host did, whichever link decided it. Only an error is compared with the error of
/// the link that was asked first: where that one failed, too, an error is nothing new.
pub fn compare(before: &Decision, after: &Result<Answer, Fault>) -> Option<Change> {
    let failed_before = !before.ruling.declined.is_empty();
    match after {
        Err(_) if failed_before => None,
        Err(fault) => Some(Change::NewError(fault.class)),
        Ok(_) if failed_before => Some(Change::ErrorGone),
        Ok(answer) => match verdicts(&before.ruling.verdict, &answer.verdict) {
            Some(change) => Some(change),
            None => (codes(&before.ruling.advice.reasons) != codes(&answer.advice.reasons)).then_some(Change::ReasonOnly),
        },
    }
}

fn codes(reasons: &[Reason]) -> Vec<&str> {
    reasons.iter().map(|reason| reason.code.as_str()).collect()
}

fn verdicts(before: &Verdict, after: &Verdict) -> Option<Change> {
    if before == after {
        return None;
    }
    Some(match (before, after) {
        (Verdict::Selection(before), Verdict::Selection(after)) => match (before, after) {
            (SelectionVerdict::Pick(_), SelectionVerdict::Pick(_)) => Change::PicksOther,
            (SelectionVerdict::Pick(_), SelectionVerdict::Idle) => Change::IdlesMore,
            (SelectionVerdict::Idle, SelectionVerdict::Pick(_) | SelectionVerdict::Idle) => Change::IdlesLess,
        },
        (Verdict::Retry(before), Verdict::Retry(after)) => retry(before, after),
        (Verdict::Gate(before), Verdict::Gate(after)) => match nearness(before).cmp(&nearness(after)) {
            std::cmp::Ordering::Less => Change::PromotesMore,
            std::cmp::Ordering::Greater => Change::PromotesLess,
            std::cmp::Ordering::Equal => Change::WantsOtherSample,
        },
        (Verdict::Curriculum(before), Verdict::Curriculum(after)) => match (before, after) {
            (CurriculumVerdict::Plant(_), CurriculumVerdict::Plant(_)) => Change::SeedsOther,
            (_, CurriculumVerdict::Plant(_)) => Change::SeedsMore,
            (CurriculumVerdict::Plant(_), _) => Change::SeedsLess,
            (CurriculumVerdict::Park(_) | CurriculumVerdict::Nothing, CurriculumVerdict::Park(_) | CurriculumVerdict::Nothing) => {
                Change::ParksOther
            }
        },
        // The check of a verdict refuses one of another kind before it comes here.
        (_, _) => Change::NewError(FaultClass::InvalidOutput),
    })
}

/// What is done now says more than what is not done any more.
fn retry(before: &RetryVerdict, after: &RetryVerdict) -> Change {
    match (before, after) {
        (RetryVerdict::Retry(before), RetryVerdict::Retry(after)) if after > before => Change::RetriesLater,
        (RetryVerdict::Retry(_), RetryVerdict::Retry(_)) => Change::RetriesSooner,
        (_, RetryVerdict::GiveUp) => Change::GivesUp,
        (_, RetryVerdict::Disable) => Change::Disables,
        (_, RetryVerdict::MoveLane(_)) => Change::MovesLane,
        (RetryVerdict::GiveUp, RetryVerdict::Retry(_)) => Change::GivesUpNoMore,
        (RetryVerdict::Disable, RetryVerdict::Retry(_)) => Change::DisablesNoMore,
        (RetryVerdict::MoveLane(_), RetryVerdict::Retry(_)) => Change::MovesLaneNoMore,
    }
}

/// How near a gate's word is to a new model in service.
fn nearness(verdict: &GateVerdict) -> u8 {
    match verdict {
        GateVerdict::Reject | GateVerdict::RollBack => 0,
        GateVerdict::Hold => 1,
        GateVerdict::NeedMore(_) => 2,
        GateVerdict::Advance => 3,
    }
}
