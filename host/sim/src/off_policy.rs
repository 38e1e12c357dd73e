//! What another version would have been worth, told from recorded picks that were left to chance.
//!
//! Where a policy gives a distribution, the host draws the pick and records its probability. Runs that a version would have
//! wanted more often than they were drawn then count for more, and the others for less: that is what the version would have
//! brought, without having served for a moment. Each recorded question is put to the version through the very port that
//! decides live; how it would have changed the questions themselves is not told.
//!
//! Where the record cannot carry an answer there is none, and [`CannotKnow`] says why in numbers. The estimates are in
//! `estimate`.

mod estimate;

pub use estimate::{Estimate, Estimates};

use crate::replay::{RecordedDecision, Replay, Whom};
use estimate::{Sampled, Samples};
use pointsman_coordinator::{Policies, chances};
use pointsman_model::context::{Context, SelectionContext};
use pointsman_model::decision::{Answer, SelectionVerdict, Verdict};
use pointsman_model::policy::{Fault, PolicyDescription};
use pointsman_model::run::RunStatus;
use pointsman_model::{DecisionId, Digest, Millis};
use std::collections::{BTreeMap, BTreeSet};

/// Fewer equally weighted decisions than this carry no value.
pub const EFFECTIVE_N_MIN: f64 = 30.0;
/// Largest share of the version's picks that may fall where the recorded policy never picked.
pub const UNSUPPORTED_MAX: f64 = 0.05;
/// No draw is recorded with less: its weight would be a number that nothing can be told from.
const PROPENSITY_MIN: f64 = 1e-12;

/// A recorded decision with what came of it.
#[derive(Clone, Debug)]
pub struct Logged {
    pub recorded: RecordedDecision,
    /// How the run stands that it began; none where it began none, or where nobody kept it.
    pub run: Option<RunStatus>,
}

/// Recorded decisions of source selection, oldest first, in pages.
pub trait Log {
    type Error;

    /// How many there are.
    fn total(&self) -> u64;
    /// The next page; an empty one is the end.
    fn next_page(&mut self) -> Result<Vec<Logged>, Self::Error>;
}

/// Whose value is asked for.
pub struct Asked<'a> {
    /// A version of source selection.
    pub version: &'a PolicyDescription,
    /// Versions whose state this one can read as it is.
    pub reads_state_of: BTreeSet<Digest>,
    /// What must hold beside the coordinator's own check of a verdict.
    pub guard: &'a dyn Fn(&Context, &Answer) -> Result<(), Fault>,
}

/// Why a decision says nothing of what another pick would have brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOut {
    /// The policy left nothing to chance, or the fallback answered.
    NotDrawn,
    /// What it began has not ended.
    UnderWay,
    /// Somebody ended it: neither a success nor a failure of the pick.
    Cancelled,
    /// No run that it began is known.
    NoRun,
    /// Its context is not kept, cannot be read, or is of another kind.
    NotReplayable,
    /// Pick, distribution and probability do not belong together.
    DoesNotFit,
}

impl LeftOut {
    pub fn slug(self) -> &'static str {
        match self {
            LeftOut::NotDrawn => "not_drawn",
            LeftOut::UnderWay => "under_way",
            LeftOut::Cancelled => "cancelled",
            LeftOut::NoRun => "no_run",
            LeftOut::NotReplayable => "not_replayable",
            LeftOut::DoesNotFit => "does_not_fit",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            LeftOut::NotDrawn => "nothing was left to chance",
            LeftOut::UnderWay => "its run has not ended",
            LeftOut::Cancelled => "its run was cancelled",
            LeftOut::NoRun => "no run that it began is known",
            LeftOut::NotReplayable => "its context is not kept, or cannot be read",
            LeftOut::DoesNotFit => "its pick, distribution and probability do not belong together",
        }
    }
}

/// Why there is no value.
#[derive(Clone, Debug, PartialEq)]
pub enum CannotKnow {
    /// Nothing was left to chance.
    NothingDrawn {
        looked_at: u64,
    },
    /// Something was, and nothing that can be used came of it yet.
    NothingUsed {
        drawn: u64,
    },
    /// The version picks nothing at all.
    PicksNothing {
        used: u64,
        errors: u64,
    },
    /// All runs ended alike, so that nothing tells how far another pick's end may be from it.
    AllAlike {
        used: u64,
        succeeded: bool,
    },
    FewEffective {
        effective_n: f64,
    },
    Unsupported {
        share: f64,
    },
}

impl CannotKnow {
    pub fn slug(&self) -> &'static str {
        match self {
            CannotKnow::NothingDrawn { .. } => "nothing_drawn",
            CannotKnow::NothingUsed { .. } => "nothing_used",
            CannotKnow::PicksNothing { .. } => "picks_nothing",
            CannotKnow::AllAlike { .. } => "all_alike",
            CannotKnow::FewEffective { .. } => "few_effective",
            CannotKnow::Unsupported { .. } => "unsupported",
        }
    }

    /// A sentence with its numbers, and what to do.
    pub fn words(&self) -> String {
        match self {
            CannotKnow::NothingDrawn { looked_at } => format!(
                "none of {looked_at} decisions was left to chance, so nothing tells what another pick would have brought; \
                 let a policy serve that gives a distribution (host-diverse with explore above 0)"
            ),
            CannotKnow::NothingUsed { drawn } => {
                format!("{drawn} decisions were left to chance, and of none of them a run is known that ended by itself")
            }
            CannotKnow::PicksNothing { used, errors } => {
                format!("asked about {used} decisions, the version picked nothing at all ({errors} errors)")
            }
            CannotKnow::AllAlike { used, succeeded } => format!(
                "all {used} runs {}, so nothing tells how another pick would have ended",
                if *succeeded { "succeeded" } else { "failed" }
            ),
            CannotKnow::FewEffective { effective_n } => format!(
                "the decisions weigh as much as {effective_n:.1} that are equal, at least {EFFECTIVE_N_MIN} are needed; \
                 look at more decisions, or explore more"
            ),
            CannotKnow::Unsupported { share } => format!(
                "{:.1} % of the version's picks fall on candidates that the recorded policy gave no chance, at most {:.0} % may",
                share * 100.0,
                UNSUPPORTED_MAX * 100.0
            ),
        }
    }
}

/// What the record carries.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Support {
    /// As many equally weighted decisions as these weigh (Kish).
    pub effective_n: f64,
    pub weight_max: f64,
    /// Of the version's picks, on candidates that the recorded policy gave no chance.
    pub unsupported_share: f64,
    /// Decisions whose recorded pick the version might have made, too.
    pub matched: u64,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub looked_at: u64,
    /// First and last decision that was looked at, and when they were made.
    pub span: Option<((DecisionId, Millis), (DecisionId, Millis))>,
    pub left_out: BTreeMap<LeftOut, u64>,
    pub used: u64,
    /// Of those used: where the version fails, and where it idles. Both earn nothing.
    pub errors: u64,
    pub idles: u64,
    /// The version answered with state: each answer stands on its own answers before, which were never carried out.
    pub keeps_state: bool,
    /// Share of the used decisions whose runs succeeded: what the recorded policies earned.
    pub recorded: Option<Estimate>,
    pub support: Support,
    /// None where there is any reason in `cannot_know`.
    pub estimates: Option<Estimates>,
    pub cannot_know: Vec<CannotKnow>,
}

/// Looks at the whole log; none where `on_progress` answered false, which ends it.
pub fn off_policy<L: Log>(
    asked: &Asked<'_>,
    engines: &mut dyn Policies,
    log: &mut L,
    on_progress: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<Option<Found>, L::Error> {
    let total = log.total();
    let mut walk = Walk {
        asked,
        engines,
        replay: Replay::new(asked.version, asked.reads_state_of.clone()),
        found: Found::default(),
        samples: Samples::default(),
    };
    loop {
        let page = log.next_page()?;
        if !on_progress(walk.found.looked_at, total) {
            return Ok(None);
        }
        if page.is_empty() {
            return Ok(Some(walk.end()));
        }
        for logged in page {
            walk.one(logged);
        }
    }
}

struct Walk<'a> {
    asked: &'a Asked<'a>,
    engines: &'a mut dyn Policies,
    replay: Replay<'a>,
    found: Found,
    samples: Samples,
}

impl Walk<'_> {
    fn one(&mut self, logged: Logged) {
        let place = (logged.recorded.decision.id, logged.recorded.at);
        let first = self.found.span.map_or(place, |(first, _)| first);
        self.found.span = Some((first, place));
        self.found.looked_at += 1;
        match self.sampled(&logged) {
            Ok(sampled) => {
                self.found.used += 1;
                self.samples.add(sampled);
            }
            Err(why) => *self.found.left_out.entry(why).or_default() += 1,
        }
    }

    fn sampled(&mut self, logged: &Logged) -> Result<Sampled, LeftOut> {
        let Logged { recorded, run } = logged;
        // Each is asked about, drawn or not: a version that keeps state sees what it would see in a dry run.
        let guard = self.asked.guard;
        let compared = self
            .replay
            .feed(Whom::surely(self.engines), recorded, &mut |context, answer| guard(context, answer));
        let Some(propensity) = recorded.decision.ruling.propensity else {
            return Err(LeftOut::NotDrawn);
        };
        let compared = compared.ok_or(LeftOut::NotReplayable)?;
        let Context::Selection(context) = &compared.context else {
            return Err(LeftOut::NotReplayable);
        };
        self.found.keeps_state |= matches!(&compared.after, Ok(answer) if answer.advice.state.is_some());
        let (pick, before) = drawn(context, recorded, propensity).ok_or(LeftOut::DoesNotFit)?;
        let succeeded = match run {
            Some(RunStatus::Completed) => true,
            Some(RunStatus::Failed) => false,
            Some(RunStatus::Queued | RunStatus::Warming | RunStatus::Running) => return Err(LeftOut::UnderWay),
            Some(RunStatus::Cancelled) => return Err(LeftOut::Cancelled),
            None => return Err(LeftOut::NoRun),
        };
        let after = match &compared.after {
            Ok(answer) => {
                self.found.idles += u64::from(matches!(answer.verdict, Verdict::Selection(SelectionVerdict::Idle)));
                chances(context, &answer.verdict, &answer.advice.distribution)
            }
            Err(_) => {
                self.found.errors += 1;
                vec![0.0; context.candidates.len()]
            }
        };
        let unsupported = after
            .iter()
            .zip(&before)
            .filter(|(_, before)| **before == 0.0)
            .map(|(after, _)| after);
        Ok(Sampled {
            decision: recorded.decision.id,
            succeeded,
            weight: after[pick] / propensity,
            host: host(context, pick),
            unsupported: unsupported.sum(),
            chances: (0..after.len())
                .filter(|index| after[*index] > 0.0)
                .map(|index| (host(context, index), after[index]))
                .collect(),
        })
    }

    fn end(self) -> Found {
        let Walk { mut found, samples, .. } = self;
        let not_drawn = found.left_out.get(&LeftOut::NotDrawn).copied().unwrap_or(0);
        found.support = samples.support();
        found.recorded = samples.recorded();
        let reasons = &mut found.cannot_know;
        if not_drawn == found.looked_at {
            reasons.push(CannotKnow::NothingDrawn {
                looked_at: found.looked_at,
            });
        } else if found.used == 0 {
            reasons.push(CannotKnow::NothingUsed {
                drawn: found.looked_at - not_drawn,
            });
        } else if found.errors + found.idles == found.used {
            reasons.push(CannotKnow::PicksNothing {
                used: found.used,
                errors: found.errors,
            });
        } else {
            let Support {
                effective_n,
                weight_max: _,
                unsupported_share,
                matched: _,
            } = found.support;
            if effective_n < EFFECTIVE_N_MIN {
                reasons.push(CannotKnow::FewEffective { effective_n });
            }
            if unsupported_share > UNSUPPORTED_MAX {
                reasons.push(CannotKnow::Unsupported { share: unsupported_share });
            }
            if let Some(succeeded) = samples.all_alike() {
                reasons.push(CannotKnow::AllAlike {
                    used: found.used,
                    succeeded,
                });
            }
        }
        found.estimates = if reasons.is_empty() { samples.estimates() } else { None };
        found
    }
}

/// The recorded pick and the chances that it was drawn from, where they belong together.
fn drawn(context: &SelectionContext, recorded: &RecordedDecision, propensity: f64) -> Option<(usize, Vec<f64>)> {
    let ruling = &recorded.decision.ruling;
    let Verdict::Selection(SelectionVerdict::Pick(picks)) = &ruling.verdict else {
        return None;
    };
    let chances = chances(context, &ruling.verdict, &ruling.advice.distribution);
    let pick = *picks.first()? as usize;
    let chance = *chances.get(pick)?;
    let fits = (PROPENSITY_MIN..=1.0).contains(&propensity) && (chance - propensity).abs() <= 1e-9;
    fits.then_some((pick, chances))
}

fn host(context: &SelectionContext, candidate: usize) -> Option<String> {
    let host = context.candidates.get(candidate)?.host?;
    context.hosts.get(host as usize).cloned()
}

#[cfg(test)]
mod tests;
