//! A dry run: a version asked about a window of recorded decisions. What changes is counted by kind of change, by what
//! it touches and case by case.
//!
//! Where the version keeps no state, pages of the window are asked about side by side; what is found does not depend on
//! it. A version that keeps state is asked in one line, each question with the state that its own answer before left.
//!
//! After the first pages, a quick engine may be asked first, one that uses its instances again. Where it answers what was
//! recorded, that stands; all else is asked of a sure engine, too, and so is a sample. As soon as the two disagree, the
//! policy remembers something between decisions, and the whole window is asked again surely.

use crate::replay::{Change, RecordedDecision, Replay, Report, Whom};
use pointsman_coordinator::Policies;
use pointsman_model::context::{Context, SelectionContext};
use pointsman_model::decision::{Answer, CurriculumVerdict, Decision, RetryVerdict, SelectionVerdict, Verdict};
use pointsman_model::policy::{Fault, PolicyDescription};
use pointsman_model::{DecisionId, Digest, Millis};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};

/// Recorded decisions of one kind, oldest first, in pages.
pub trait Window {
    /// One decision as it is stored; reading it is left to whoever asks about it.
    type Row: Send;
    type Error: Send;

    /// How many there are.
    fn total(&self) -> u64;
    /// Back to the first page.
    fn rewind(&mut self);
    /// The next page; an empty one is the end.
    fn next_page(&mut self) -> Result<Vec<Self::Row>, Self::Error>;
    fn read(row: Self::Row) -> Result<RecordedDecision, Self::Error>;
}

/// How to ask.
pub struct DryRun<'a> {
    pub version: &'a PolicyDescription,
    /// Versions whose state this one can read as it is.
    pub reads_state_of: BTreeSet<Digest>,
    /// An engine of its own for each thread.
    pub engines: &'a (dyn Fn() -> Box<dyn Policies> + Sync),
    /// One that answers sooner and may not forget what it was asked before.
    pub quick_engines: Option<&'a (dyn Fn() -> Box<dyn Policies> + Sync)>,
    /// What must hold beside the coordinator's own check of a verdict.
    pub guard: &'a (dyn Fn(&Context, &Answer) -> Result<(), Fault> + Sync),
    pub threads: NonZeroUsize,
    /// Changed decisions that are kept whole; the rest are only counted.
    pub cases_max: usize,
}

/// A decision that changes.
#[derive(Clone, Debug)]
pub struct Case {
    pub at: Millis,
    pub change: Change,
    pub before: Decision,
    pub after: Result<Answer, Fault>,
    pub context: Context,
}

/// What decisions can be grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dimension {
    Host,
    Campaign,
    Source,
    /// The candidate of a gate.
    Model,
}

impl Dimension {
    pub const ALL: [Dimension; 4] = [Dimension::Host, Dimension::Campaign, Dimension::Source, Dimension::Model];

    pub fn slug(self) -> &'static str {
        match self {
            Dimension::Host => "host",
            Dimension::Campaign => "campaign",
            Dimension::Source => "source",
            Dimension::Model => "model",
        }
    }
}

/// Decisions that touch one host, campaign, source or model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub replayed: u64,
    pub changed: u64,
    /// Decided for it before and not after, and the other way round.
    pub lost: u64,
    pub gained: u64,
}

/// What a dry run found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub report: Report,
    /// First and last decision that was looked at, and when they were made.
    pub span: Option<((DecisionId, Millis), (DecisionId, Millis))>,
    pub groups: BTreeMap<(Dimension, String), Tally>,
    /// Oldest first.
    pub cases: Vec<Case>,
    /// Whether the version answered with state, so that each answer stands on the ones before.
    pub keeps_state: bool,
}

/// Asks about the whole window; none where `on_progress` answered false, which ends it.
pub fn dry_run<W: Window>(
    asked: &DryRun<'_>,
    window: &mut W,
    on_progress: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<Option<Found>, W::Error> {
    let total = window.total();
    let mut manner = Manner {
        side_by_side: asked.threads.get() > 1,
        quickly: asked.quick_engines.is_some(),
    };
    let mut remembers = false;
    loop {
        let mut progress = |done| on_progress(done, total);
        let pass = if manner.side_by_side {
            side_by_side(asked, manner, window, &mut progress)?
        } else {
            in_one_line(asked, manner, window, &mut progress)?
        };
        match pass {
            Pass::Done(mut found) => {
                found.report.remembers = remembers;
                return Ok(Some(*found));
            }
            Pass::Ended => return Ok(None),
            // What was asked in this manner does not count: begin again.
            Pass::KeepsState => manner.side_by_side = false,
            Pass::Remembers => (manner.quickly, remembers) = (false, true),
        }
        window.rewind();
    }
}

#[derive(Clone, Copy)]
struct Manner {
    side_by_side: bool,
    quickly: bool,
}

enum Pass {
    Done(Box<Found>),
    Ended,
    KeepsState,
    Remembers,
}

/// Pages at the beginning that are asked about surely: a small window is, and what a decision costs has a base.
const SURE_PAGES: usize = 4;
/// One decision in so many of a page is asked about surely whatever the quick answer is.
const SAMPLED_EVERY: usize = 16;

fn in_one_line<W: Window>(
    asked: &DryRun<'_>,
    manner: Manner,
    window: &mut W,
    on_progress: &mut dyn FnMut(u64) -> bool,
) -> Result<Pass, W::Error> {
    let mut engines = EnginesOf::new(asked, manner);
    let mut worker = Worker::new(asked, &mut engines);
    let mut done = 0;
    for number in 0.. {
        let page = window.next_page()?;
        if !on_progress(done) {
            return Ok(Pass::Ended);
        }
        if page.is_empty() {
            break;
        }
        done += page.len() as u64;
        worker.page::<W>(number, page)?;
        if worker.replay.report().remembers {
            return Ok(Pass::Remembers);
        }
    }
    Ok(Pass::Done(Box::new(worker.end())))
}

fn side_by_side<W: Window>(
    asked: &DryRun<'_>,
    manner: Manner,
    window: &mut W,
    on_progress: &mut dyn FnMut(u64) -> bool,
) -> Result<Pass, W::Error> {
    let threads = asked.threads.get();
    let (pages, waiting) = sync_channel::<(usize, Vec<W::Row>)>(threads);
    let waiting = Mutex::new(waiting);
    let (answers, found) = channel();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (waiting, answers) = (&waiting, answers.clone());
            scope.spawn(move || work::<W>(asked, manner, waiting, &answers));
        }
        drop(answers);
        let mut merged = Merged::default();
        let end = (|| {
            for number in 0.. {
                let page = window.next_page()?;
                while let Ok(answer) = found.try_recv() {
                    merged.take(answer)?;
                }
                if let Some(again) = merged.again() {
                    return Ok(Some(again));
                }
                if !on_progress(merged.done) {
                    return Ok(Some(Pass::Ended));
                }
                if page.is_empty() {
                    break;
                }
                // They are gone only after a panic, which ends the scope with it.
                if pages.send((number, page)).is_err() {
                    break;
                }
            }
            Ok(None)
        })();
        drop(pages);
        if let Some(end) = end? {
            return Ok(end);
        }
        for answer in found {
            merged.take(answer)?;
            if !on_progress(merged.done) {
                return Ok(Pass::Ended);
            }
        }
        Ok(merged.again().unwrap_or_else(|| Pass::Done(Box::new(merged.end(asked.cases_max)))))
    })
}

type PageFound<E> = (usize, Result<(Found, u64), E>);

fn work<W: Window>(
    asked: &DryRun<'_>,
    manner: Manner,
    waiting: &Mutex<Receiver<(usize, Vec<W::Row>)>>,
    answers: &Sender<PageFound<W::Error>>,
) {
    let mut engines = EnginesOf::new(asked, manner);
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((number, page)) = next else { return };
        let looked_at = page.len() as u64;
        let mut worker = Worker::new(asked, &mut engines);
        let found = worker.page::<W>(number, page).map(|()| (worker.end(), looked_at));
        if answers.send((number, found)).is_err() {
            return;
        }
    }
}

/// Pages come back in any order and count in theirs.
#[derive(Default)]
struct Merged {
    pages: BTreeMap<usize, Found>,
    done: u64,
    keeps_state: bool,
    remembers: bool,
}

impl Merged {
    /// Why all must be asked again, if it must.
    fn again(&self) -> Option<Pass> {
        match (self.keeps_state, self.remembers) {
            (true, _) => Some(Pass::KeepsState),
            (false, true) => Some(Pass::Remembers),
            (false, false) => None,
        }
    }

    fn take<E>(&mut self, (number, page): PageFound<E>) -> Result<(), E> {
        let (found, looked_at) = page?;
        self.done += looked_at;
        self.keeps_state |= found.keeps_state;
        self.remembers |= found.report.remembers;
        self.pages.insert(number, found);
        Ok(())
    }

    fn end(self, cases_max: usize) -> Found {
        let mut all = Found::default();
        for found in self.pages.into_values() {
            let Found {
                report,
                span,
                groups,
                cases,
                keeps_state,
            } = found;
            all.report.absorb(report);
            all.span = match (all.span, span) {
                (Some((first, _)), Some((_, last))) => Some((first, last)),
                (before, span) => before.or(span),
            };
            for (group, tally) in groups {
                all.groups.entry(group).or_default().absorb(tally);
            }
            all.cases.extend(cases);
            all.keeps_state |= keeps_state;
        }
        all.cases.truncate(cases_max);
        all
    }
}

impl Tally {
    fn absorb(&mut self, other: Tally) {
        let Tally {
            replayed,
            changed,
            lost,
            gained,
        } = other;
        self.replayed += replayed;
        self.changed += changed;
        self.lost += lost;
        self.gained += gained;
    }
}

/// The engines of one thread.
struct EnginesOf {
    sure: Box<dyn Policies>,
    quick: Option<Box<dyn Policies>>,
}

impl EnginesOf {
    fn new(asked: &DryRun<'_>, manner: Manner) -> EnginesOf {
        EnginesOf {
            sure: (asked.engines)(),
            quick: asked.quick_engines.filter(|_| manner.quickly).map(|engines| engines()),
        }
    }
}

struct Worker<'a> {
    asked: &'a DryRun<'a>,
    engines: &'a mut EnginesOf,
    replay: Replay<'a>,
    found: Found,
}

impl<'a> Worker<'a> {
    fn new(asked: &'a DryRun<'a>, engines: &'a mut EnginesOf) -> Worker<'a> {
        Worker {
            asked,
            engines,
            replay: Replay::new(asked.version, asked.reads_state_of.clone()),
            found: Found::default(),
        }
    }

    fn page<W: Window>(&mut self, number: usize, page: Vec<W::Row>) -> Result<(), W::Error> {
        for (position, row) in page.into_iter().enumerate() {
            let sampled = position % SAMPLED_EVERY == 0;
            self.one(number >= SURE_PAGES, sampled, W::read(row)?);
        }
        Ok(())
    }

    fn end(self) -> Found {
        Found {
            report: self.replay.into_report(),
            ..self.found
        }
    }

    fn one(&mut self, quickly: bool, sampled: bool, recorded: RecordedDecision) {
        let guard = self.asked.guard;
        // State goes from answer to answer, which only the sure engine gives.
        let quick = self.engines.quick.as_deref_mut().filter(|_| quickly && !self.found.keeps_state);
        let asked = Whom {
            surely: self.engines.sure.as_mut(),
            quickly: quick.map(|quick| quick as &mut dyn Policies),
            sampled,
        };
        let compared = self.replay.feed(asked, &recorded, &mut |context, answer| guard(context, answer));
        let RecordedDecision { at, decision, context: _ } = recorded;
        let place = (decision.id, at);
        let first = self.found.span.map_or(place, |(first, _)| first);
        self.found.span = Some((first, place));
        let Some(compared) = compared else { return };
        self.found.keeps_state |= matches!(&compared.after, Ok(answer) if answer.advice.state.is_some());
        let change = compared.change.filter(|change| *change != Change::ReasonOnly);
        self.group(
            &compared.context,
            &decision.ruling.verdict,
            compared.after.as_ref().ok(),
            change.is_some(),
        );
        if let Some(change) = compared.change
            && self.found.cases.len() < self.asked.cases_max
        {
            self.found.cases.push(Case {
                at,
                change,
                before: decision,
                after: compared.after,
                context: compared.context,
            });
        }
    }

    fn group(&mut self, context: &Context, before: &Verdict, after: Option<&Answer>, changed: bool) {
        let before = touched(context, before);
        let after = after.map(|answer| touched(context, &answer.verdict)).unwrap_or_default();
        for group in before.union(&after) {
            self.found.groups.entry(group.clone()).or_default().absorb(Tally {
                replayed: 1,
                changed: u64::from(changed),
                lost: u64::from(!after.contains(group)),
                gained: u64::from(!before.contains(group)),
            });
        }
    }
}

/// What a verdict decides for.
fn touched(context: &Context, verdict: &Verdict) -> BTreeSet<(Dimension, String)> {
    let mut touched = BTreeSet::new();
    match (context, verdict) {
        (Context::Selection(context), Verdict::Selection(SelectionVerdict::Pick(picks))) => {
            // More may be picked than there is room for; those stay where they are.
            for pick in picks.iter().take(context.free as usize) {
                picked(context, *pick, &mut touched);
            }
        }
        (Context::Retry(context), Verdict::Retry(verdict)) => {
            if matches!(verdict, RetryVerdict::Retry(_) | RetryVerdict::MoveLane(_)) {
                touched.insert((Dimension::Source, context.source.to_string()));
                touched.extend(context.host.iter().map(|host| (Dimension::Host, host.clone())));
            }
        }
        (Context::Gate(context), Verdict::Gate(_)) => {
            touched.insert((Dimension::Model, context.candidate.clone()));
        }
        (Context::Curriculum(context), Verdict::Curriculum(verdict)) => {
            let hosts: Vec<u32> = match verdict {
                CurriculumVerdict::Plant(seeds) => seeds.iter().map(|seed| seed.host).collect(),
                CurriculumVerdict::Park(_) | CurriculumVerdict::Nothing => Vec::new(),
            };
            let names = hosts.into_iter().filter_map(|host| context.hosts.get(host as usize));
            touched.extend(names.map(|host| (Dimension::Host, host.clone())));
        }
        // Nothing is decided for anybody.
        (Context::Selection(_) | Context::Retry(_) | Context::Gate(_) | Context::Curriculum(_), _) => {}
    }
    touched
}

fn picked(context: &SelectionContext, pick: u32, touched: &mut BTreeSet<(Dimension, String)>) {
    let Some(candidate) = context.candidates.get(pick as usize) else {
        return;
    };
    touched.insert((Dimension::Source, candidate.id.to_string()));
    let host = candidate.host.and_then(|host| context.hosts.get(host as usize));
    touched.extend(host.map(|host| (Dimension::Host, host.clone())));
    let campaign = candidate.campaign.and_then(|campaign| context.campaigns.get(campaign as usize));
    touched.extend(campaign.map(|campaign| (Dimension::Campaign, campaign.clone())));
}

#[cfg(test)]
mod tests;
