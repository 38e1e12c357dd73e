//! What the journal says, followed entry by entry and apart from any state: the coordinator's own code is not asked.

use super::shelf::Shelf;
use pointsman_model::event::{Event, Recorded};
use pointsman_model::policy::PolicyKind;
use pointsman_model::run::{AttemptToken, RunClass, RunEnd, Work};
use pointsman_model::settings::{LaneMode, Settings};
use pointsman_model::source::{CampaignRow, Lane};
use pointsman_model::{CampaignId, RunId, SourceId};
use std::collections::BTreeMap;

/// How an attempt really ended, by the word of who ran it.
pub(super) type Ends = BTreeMap<AttemptToken, RunEnd>;

#[derive(Default)]
pub(super) struct Ledger {
    training: bool,
    settings: Settings,
    sources: BTreeMap<SourceId, Known>,
    /// First source and rows of each.
    campaigns: BTreeMap<CampaignId, (SourceId, u32)>,
    /// Runs without an outcome.
    planned: BTreeMap<RunId, (AttemptToken, Work)>,
    last_run: u64,
    outcomes: BTreeMap<AttemptToken, bool>,
    generations: BTreeMap<PolicyKind, u32>,
    shelf: Shelf,
    pub(super) counts: BTreeMap<&'static str, u64>,
}

struct Known {
    title: String,
    lane: Lane,
    done: bool,
}

impl Ledger {
    /// Takes an entry, or says which promise it breaks.
    pub(super) fn entry(&mut self, recorded: &Recorded, ends: &Ends) -> Result<(), String> {
        *self.counts.entry(recorded.event.slug()).or_default() += 1;
        self.shelf.entry(&recorded.event)?;
        match &recorded.event {
            Event::SettingsChanged { settings, .. } => self.settings = settings.clone(),
            Event::TrainingStarted { .. } => self.training = true,
            Event::TrainingStopped { .. } => self.training = false,
            Event::SourceQueued { source, new, .. } => {
                self.queue(*source, new.title.clone(), new.lane)?;
            }
            Event::CampaignQueued {
                campaign,
                new,
                rows,
                first,
                ..
            } => {
                self.campaigns.insert(*campaign, (*first, *rows));
                for row in 1..=*rows {
                    let title = CampaignRow { campaign: *campaign, row }.title(&new.title);
                    self.queue(SourceId(first.0 + u64::from(row) - 1), title, new.lane)?;
                }
            }
            Event::SourcesImported { first, rows, .. } => {
                for (offset, new) in rows.iter().enumerate() {
                    self.queue(SourceId(first.0 + offset as u64), new.title.clone(), new.lane)?;
                }
            }
            Event::CampaignCancelled { campaign, left, .. } => self.cancel_rows(*campaign, *left)?,
            Event::SourceCancelled { source, .. } => self.end_source(*source)?,
            Event::SourceEdited { source, edit, .. } => {
                let known = self.known(*source)?;
                known.lane = edit.lane.unwrap_or(known.lane);
            }
            Event::SourceMoved { source, lane, .. } => self.known(*source)?.lane = *lane,
            Event::SourceGivenUp { source, .. } => self.end_source(*source)?,
            Event::RunPlanned { run, .. } => {
                let id = run.token.run;
                if id.0 <= self.last_run {
                    return Err(format!("run {id} is planned after run {}", self.last_run));
                }
                self.last_run = id.0;
                let by_hand = run.class == RunClass::Manual && matches!(run.work, Work::Train { .. });
                if run.class != RunClass::Eval && !self.training && !by_hand {
                    return Err(format!("run {id} is picked while the lane is stopped"));
                }
                if let Work::Train { source, .. } = &run.work {
                    self.check_pick(*source, id, by_hand)?;
                }
                self.planned.insert(id, (run.token, run.work.clone()));
            }
            Event::RunFinished { token, report, .. } => {
                if self.outcomes.insert(*token, true).is_some() {
                    return Err(format!("run {} has two outcomes", token.run));
                }
                let Some((planned, work)) = self.planned.remove(&token.run) else {
                    return Err(format!(
                        "run {} has an outcome under attempt {} of start {}, and was not under way",
                        token.run, token.attempt, token.term
                    ));
                };
                if planned != *token {
                    return Err(format!(
                        "run {} has an outcome under another token than it was planned with",
                        token.run
                    ));
                }
                match ends.get(token) {
                    None => return Err(format!("run {} has an outcome, and did not end", token.run)),
                    Some(end) if !told_as(end, &report.end) => {
                        return Err(format!("run {} ended otherwise: {}", token.run, word(end)));
                    }
                    Some(_) => {}
                }
                if let (Work::Train { source, .. }, RunEnd::Completed(_)) = (&work, &report.end) {
                    self.end_source(*source)?;
                }
            }
            Event::PolicyActivated {
                generation, description, ..
            } => self.next_generation(description.kind, *generation)?,
            Event::PolicyRolledBack { kind, generation, .. } => self.next_generation(*kind, *generation)?,
            _ => {}
        }
        Ok(())
    }

    fn queue(&mut self, source: SourceId, title: String, lane: Lane) -> Result<(), String> {
        let known = Known { title, lane, done: false };
        match self.sources.insert(source, known) {
            Some(_) => Err(format!("source {source} is queued twice")),
            None => Ok(()),
        }
    }

    /// What neither runs nor is done leaves, and that many.
    fn cancel_rows(&mut self, campaign: CampaignId, left: u32) -> Result<(), String> {
        let Some((first, rows)) = self.campaigns.get(&campaign).copied() else {
            return Err(format!("{} was never queued", campaign.name()));
        };
        let running: Vec<SourceId> = self
            .planned
            .values()
            .filter_map(|(_, work)| match work {
                Work::Train { source, .. } => Some(*source),
                Work::Bootstrap | Work::Evaluate { .. } => None,
            })
            .collect();
        let mut found = 0;
        for (source, known) in self.sources.range_mut(first..SourceId(first.0 + u64::from(rows))) {
            if !known.done && !running.contains(source) {
                known.done = true;
                found += 1;
            }
        }
        match found == left {
            true => Ok(()),
            false => Err(format!("{found} rows of {} leave, and {left} are told", campaign.name())),
        }
    }

    fn check_pick(&mut self, source: SourceId, run: RunId, by_hand: bool) -> Result<(), String> {
        let (mode, fallback) = (self.settings.lane_mode, self.settings.curriculum_fallback);
        let busy = self
            .planned
            .values()
            .any(|(_, work)| matches!(work, Work::Train { source: other, .. } if *other == source));
        let known = self.known(source)?;
        if known.done {
            return Err(format!("run {run} is of source {source}, which is done"));
        }
        if busy {
            return Err(format!("run {run} is of source {source}, which runs already"));
        }
        // A person's own pick is bound by no lane mode.
        let open = by_hand
            || match (mode, known.lane) {
                (LaneMode::QueuedOnly | LaneMode::Hybrid, Lane::Queue) | (LaneMode::AutomaticOnly, Lane::Curriculum) => true,
                (LaneMode::QueuedOnly, Lane::Curriculum) | (LaneMode::AutomaticOnly, Lane::Queue) => false,
                (LaneMode::Hybrid, Lane::Curriculum) => fallback,
            };
        if open {
            Ok(())
        } else {
            Err(format!("run {run} is picked from a closed lane"))
        }
    }

    fn known(&mut self, source: SourceId) -> Result<&mut Known, String> {
        self.sources
            .get_mut(&source)
            .ok_or_else(|| format!("source {source} was never queued"))
    }

    fn end_source(&mut self, source: SourceId) -> Result<(), String> {
        let known = self.known(source)?;
        if std::mem::replace(&mut known.done, true) {
            return Err(format!("source {source} is done twice"));
        }
        Ok(())
    }

    fn next_generation(&mut self, kind: PolicyKind, generation: u32) -> Result<(), String> {
        let before = self.generations.insert(kind, generation).unwrap_or(0);
        if generation == before + 1 {
            Ok(())
        } else {
            Err(format!("generation {generation} of {kind} comes after {before}"))
        }
    }

    /// What was promised to a client is in the journal.
    pub(super) fn holds(&self, source: SourceId, title: &str) -> Result<(), String> {
        match self.sources.get(&source) {
            Some(known) if known.title == title => Ok(()),
            _ => Err(format!("source {source} was promised to a client, and is not in the journal")),
        }
    }

    pub(super) fn has_outcome(&self, token: &AttemptToken) -> bool {
        self.outcomes.contains_key(token)
    }

    pub(super) fn was_planned(&self, token: &AttemptToken) -> bool {
        self.has_outcome(token) || self.planned.get(&token.run).is_some_and(|(planned, _)| planned == token)
    }

    /// Sources that are neither done nor anywhere in the state.
    pub(super) fn lost_source(&self, is_held: impl Fn(SourceId) -> bool) -> Option<SourceId> {
        let open = self.sources.iter().filter(|(_, known)| !known.done);
        open.map(|(source, _)| *source).find(|source| !is_held(*source))
    }
}

/// A completion that is nonsense may be told as a failure, and nothing else as anything else.
fn told_as(end: &RunEnd, told: &RunEnd) -> bool {
    match (end, told) {
        (RunEnd::Completed(completion), RunEnd::Failed(_)) => {
            completion.model.is_none() && completion.pairs.is_empty() || completion.losses.iter().any(|loss| !loss.after.is_finite())
        }
        (end, told) => end == told,
    }
}

fn word(end: &RunEnd) -> &'static str {
    match end {
        RunEnd::Completed(_) => "completed",
        RunEnd::Failed(_) => "failed",
        RunEnd::Cancelled => "cancelled",
    }
}
