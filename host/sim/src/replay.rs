//! What a version would have decided: recorded questions asked again, through the very port that decides live.
//!
//! [`Replay`] takes recorded decisions one after the other, oldest first. It puts the version's own settings and its
//! own evolving state into each recorded context, asks, checks the answer as the coordinator does, and compares it
//! with what was decided. Nothing outside is touched: all it holds is the version, its state and its counts.
//!
//! [`ask`] and [`compare`] are the two halves for who has a context and a decision at hand. [`Shadow`] is both on decisions as
//! they are made.

mod change;
mod cost;
mod shadow;

pub use change::{Change, compare};
pub use cost::CostSpread;
pub use shadow::Shadow;

use pointsman_coordinator::{Guards, Policies, settle};
use pointsman_model::context::Context;
use pointsman_model::decision::{Answer, Decision};
use pointsman_model::policy::{Fault, FaultClass, PolicyDescription};
use pointsman_model::{DecisionId, Digest, Millis};
use std::collections::{BTreeMap, BTreeSet};

/// A decision as the journal keeps it.
#[derive(Clone, Debug)]
pub struct RecordedDecision {
    pub at: Millis,
    pub decision: Decision,
    /// The context as the answering link saw it; none where it is no longer kept.
    pub context: Option<Vec<u8>>,
}

/// Why a recorded decision cannot be asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NotReplayable {
    /// Its context is no longer kept.
    ContextGone,
    /// Its context is damaged or of a layout that this version does not know.
    ContextUnreadable,
    /// It is of another kind than the version.
    OtherKind,
}

impl NotReplayable {
    pub fn slug(self) -> &'static str {
        match self {
            NotReplayable::ContextGone => "context_gone",
            NotReplayable::ContextUnreadable => "context_unreadable",
            NotReplayable::OtherKind => "other_kind",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            NotReplayable::ContextGone => "the context is no longer kept",
            NotReplayable::ContextUnreadable => "the context cannot be read",
            NotReplayable::OtherKind => "it is of another kind",
        }
    }
}

/// The first recorded decision that would have been another.
#[derive(Clone, Debug)]
pub struct FirstDivergence {
    pub decision: DecisionId,
    pub at: Millis,
    pub change: Change,
    pub before: Decision,
    pub after: Result<Answer, Fault>,
    pub context: Context,
}

/// What a replay found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub replayed: u64,
    pub not_replayable: BTreeMap<NotReplayable, u64>,
    pub same: u64,
    /// All that is neither the same nor of other reasons only.
    pub changed: u64,
    pub classes: BTreeMap<Change, u64>,
    /// Of the decisions that were surely asked about, and their recorded costs.
    pub before: CostSpread,
    pub after: CostSpread,
    /// An instance that had decided before answered otherwise than a fresh one: the policy remembers.
    pub remembers: bool,
    pub first_divergence: Option<FirstDivergence>,
}

impl Report {
    pub fn looked_at(&self) -> u64 {
        self.replayed + self.not_replayable.values().sum::<u64>()
    }

    pub fn changed_share(&self) -> f64 {
        match self.replayed {
            0 => 0.0,
            replayed => self.changed as f64 / replayed as f64,
        }
    }

    pub fn new_errors(&self) -> u64 {
        self.of(|change| matches!(change, Change::NewError(_)))
    }

    pub fn errors_gone(&self) -> u64 {
        self.of(|change| matches!(change, Change::ErrorGone))
    }

    /// Takes in what was found on the decisions that come after these.
    pub fn absorb(&mut self, later: Report) {
        let Report {
            replayed,
            not_replayable,
            same,
            changed,
            classes,
            before,
            after,
            remembers,
            first_divergence,
        } = later;
        self.replayed += replayed;
        self.same += same;
        self.changed += changed;
        for (why, count) in not_replayable {
            *self.not_replayable.entry(why).or_default() += count;
        }
        for (change, count) in classes {
            *self.classes.entry(change).or_default() += count;
        }
        self.before.absorb(before);
        self.after.absorb(after);
        self.remembers |= remembers;
        self.first_divergence = self.first_divergence.take().or(first_divergence);
    }

    fn of(&self, which: impl Fn(Change) -> bool) -> u64 {
        self.classes
            .iter()
            .filter(|(change, _)| which(**change))
            .map(|(_, count)| count)
            .sum()
    }
}

/// What a replay may find and still pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Budgets {
    pub changed_share_max: Option<f64>,
    pub new_errors_max: u64,
    /// Most that the median fuel may grow by, as a factor.
    pub fuel_factor_max: Option<f64>,
    pub forbidden: Vec<Change>,
}

impl Default for Budgets {
    fn default() -> Budgets {
        Budgets {
            changed_share_max: None,
            new_errors_max: 0,
            fuel_factor_max: None,
            forbidden: Vec::new(),
        }
    }
}

impl Budgets {
    /// A sentence with its numbers for each budget that the report breaks.
    pub fn broken(&self, report: &Report) -> Vec<String> {
        let Budgets {
            changed_share_max,
            new_errors_max,
            fuel_factor_max,
            forbidden,
        } = self;
        let mut broken = Vec::new();
        if let Some(most) = changed_share_max
            && report.changed_share() > *most
        {
            broken.push(format!(
                "{} of {} verdicts changed ({:.1} %), at most {:.1} % may (changed_share_max)",
                report.changed,
                report.replayed,
                report.changed_share() * 100.0,
                most * 100.0
            ));
        }
        let errors = report.new_errors();
        if errors > *new_errors_max {
            let classes: Vec<String> = report
                .classes
                .iter()
                .filter(|(change, _)| matches!(change, Change::NewError(_)))
                .map(|(change, count)| format!("{count} {}", change.label()))
                .collect();
            broken.push(format!(
                "{errors} new errors where {} were decided ({}), at most {new_errors_max} may be (new_errors_max)",
                report.replayed,
                classes.join(", ")
            ));
        }
        if let (Some(most), Some(before), Some(after)) = (fuel_factor_max, report.before.fuel(0.5), report.after.fuel(0.5))
            && after as f64 > before.max(1) as f64 * most
        {
            broken.push(format!(
                "the median decision takes {after} fuel where it took {before}, at most {most} times as much may be (fuel_factor_max)"
            ));
        }
        for change in forbidden {
            if let Some(count) = report.classes.get(change) {
                broken.push(format!("{count} decisions changed by '{}', which is forbidden", change.slug()));
            }
        }
        broken
    }
}

/// One recorded decision beside what the version answers to it.
#[derive(Debug)]
pub struct Compared {
    /// None where they are the same.
    pub change: Option<Change>,
    pub after: Result<Answer, Fault>,
    /// As the version was given it.
    pub context: Context,
}

/// Whom a replay asks.
pub struct Whom<'p> {
    /// What it answers counts.
    pub surely: &'p mut dyn Policies,
    /// Whom before, if there is one: where it answers what was recorded, that is taken for the answer.
    pub quickly: Option<&'p mut dyn Policies>,
    /// Both are asked whatever the quick one answers.
    pub sampled: bool,
}

impl<'p> Whom<'p> {
    pub fn surely(policies: &'p mut dyn Policies) -> Whom<'p> {
        Whom {
            surely: policies,
            quickly: None,
            sampled: false,
        }
    }
}

/// Whether a quick answer is what was recorded, and leaves nothing to those that follow.
fn stands(decision: &Decision, quick: &Result<Answer, Fault>) -> bool {
    compare(decision, quick).is_none() && quick.as_ref().is_ok_and(|answer| answer.advice.state.is_none())
}

/// Whether two answers are the same in all but their costs.
fn alike(one: &Result<Answer, Fault>, other: &Result<Answer, Fault>) -> bool {
    match (one, other) {
        (Ok(one), Ok(other)) => one.verdict == other.verdict && one.advice == other.advice,
        (Err(one), Err(other)) => one.class == other.class,
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
    }
}

/// A version's walk through recorded decisions.
pub struct Replay<'a> {
    version: &'a PolicyDescription,
    state: Vec<u8>,
    /// Versions whose state this one can read as it is: it starts with what they had, where it starts after one of them.
    reads_state_of: BTreeSet<Digest>,
    begun: bool,
    report: Report,
}

impl<'a> Replay<'a> {
    pub fn new(version: &'a PolicyDescription, reads_state_of: BTreeSet<Digest>) -> Replay<'a> {
        Replay {
            version,
            state: Vec::new(),
            reads_state_of,
            begun: false,
            report: Report::default(),
        }
    }

    /// Asks about one recorded decision; they come oldest first. The check is what must hold beside the coordinator's
    /// own check of a verdict: the guards of the operators. None where it cannot be asked, which is counted.
    pub fn feed(
        &mut self,
        asked: Whom<'_>,
        recorded: &RecordedDecision,
        guard: &mut dyn FnMut(&Context, &Answer) -> Result<(), Fault>,
    ) -> Option<Compared> {
        let RecordedDecision { at, decision, context } = recorded;
        let decoded = match context {
            None => Err(NotReplayable::ContextGone),
            Some(bytes) => Context::decode(bytes).map_err(|_| NotReplayable::ContextUnreadable),
        };
        let mut context = match decoded {
            Ok(context) if context.kind() == self.version.kind => context,
            Ok(_) => return self.skip(NotReplayable::OtherKind),
            Err(why) => return self.skip(why),
        };
        if !self.begun {
            self.begun = true;
            if self.reads_state_of.contains(&decision.ruling.policy.digest) {
                self.state.clone_from(&context.frame().state);
            }
        }
        let Whom { surely, quickly, sampled } = asked;
        let quick = quickly.map(|policies| ask(policies, self.version, &mut self.state.clone(), &mut context, guard));
        let report = &mut self.report;
        report.replayed += 1;
        let (after, change) = match quick {
            Some(quick) if !sampled && stands(decision, &quick) => (quick, None),
            quick => {
                let after = ask(surely, self.version, &mut self.state, &mut context, guard);
                report.remembers |= quick.is_some_and(|quick| !alike(&quick, &after));
                if decision.ruling.declined.is_empty() {
                    report.before.add(decision.ruling.cost);
                }
                report.after.add(match &after {
                    Ok(answer) => answer.cost,
                    Err(fault) => fault.cost,
                });
                let change = compare(decision, &after);
                (after, change)
            }
        };
        if let Some(change) = change {
            *report.classes.entry(change).or_default() += 1;
        }
        match change {
            None | Some(Change::ReasonOnly) => report.same += 1,
            Some(change) => {
                report.changed += 1;
                report.first_divergence.get_or_insert_with(|| FirstDivergence {
                    decision: decision.id,
                    at: *at,
                    change,
                    before: decision.clone(),
                    after: after.clone(),
                    context: context.clone(),
                });
            }
        }
        Some(Compared { change, after, context })
    }

    fn skip(&mut self, why: NotReplayable) -> Option<Compared> {
        *self.report.not_replayable.entry(why).or_default() += 1;
        None
    }

    pub fn report(&self) -> &Report {
        &self.report
    }

    pub fn into_report(self) -> Report {
        self.report
    }
}

/// Asks a version about a context as the coordinator would: with the version's own settings and state, what it left to
/// chance drawn by the context's seed, its answer checked against the context. A new state takes the place of the one before.
pub fn ask(
    policies: &mut dyn Policies,
    version: &PolicyDescription,
    state: &mut Vec<u8>,
    context: &mut Context,
    guard: &mut dyn FnMut(&Context, &Answer) -> Result<(), Fault>,
) -> Result<Answer, Fault> {
    let frame = context.frame_mut();
    frame.settings.clone_from(&version.settings);
    frame.state.clone_from(state);
    let mut answer = policies.ask(&version.policy, context)?;
    settle(context, &mut answer).map_err(|problem| Fault {
        class: FaultClass::InvalidOutput,
        detail: problem,
        cost: answer.cost,
    })?;
    guard(context, &answer)?;
    if let Some(next) = &answer.advice.state {
        state.clone_from(next);
    }
    Ok(answer)
}

/// What the operators' guards say to an answer.
pub fn guarded(guards: Guards, context: &Context, answer: &Answer) -> Result<(), Fault> {
    guards.check(context, &answer.verdict).map_err(|violation| Fault {
        class: FaultClass::Guard,
        detail: violation.to_string(),
        cost: answer.cost,
    })
}

#[cfg(test)]
pub(crate) mod tests;
