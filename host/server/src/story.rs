//! What happens, told in plain words, one line at a time: what `pointsman up` prints.

use crate::view::{Batch, View};
use pointsman_model::decision::Verdict;
use pointsman_model::event::{CandidateStep, Event, StageBy};
use pointsman_model::promotion::{CandidateEnd, ServedSample};
use pointsman_model::run::{RunEnd, Work};
use pointsman_model::{DecisionId, Millis, ModelTag, RunId};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Reasons of the latest decisions, which the events that follow from them refer to.
const REASONS_KEPT: usize = 64;
/// While a candidate is on trial, a line each time so many more requests have come in.
const SERVED_LINE_EVERY: usize = 10;

/// A teller; give it every batch from the start of the host on.
pub struct Story {
    started: Millis,
    view: View,
    runs: BTreeMap<RunId, (String, Work)>,
    window: u64,
    successes: u64,
    watermark: u64,
    reasons: VecDeque<(DecisionId, String)>,
    trial: Option<Trial>,
    live: Option<ModelTag>,
}

struct Trial {
    candidate: ModelTag,
    stage: &'static str,
    wanted: u64,
    pairs: usize,
    told: usize,
    /// An evaluation of it has been planned before.
    looked: bool,
}

/// One line of the story.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub text: String,
    /// Worth a colour: a model went live.
    pub is_live: bool,
}

impl Story {
    /// Begins where the state is: successes so far and those consumed, the window's size, and the live model.
    pub fn new(started: Millis, state: &pointsman_coordinator::State) -> Story {
        Story {
            started,
            view: View::default(),
            runs: state
                .runs
                .values()
                .map(|run| (run.token.run, (run.title.clone(), run.work.clone())))
                .collect(),
            window: u64::from(state.settings.promotion_window),
            successes: state.totals.successes,
            watermark: state.watermark,
            reasons: VecDeque::new(),
            trial: None,
            live: state.active.clone(),
        }
    }

    /// What a batch adds to the story.
    pub fn tell(&mut self, batch: &Arc<Batch>) -> Vec<Line> {
        self.view.fold(batch);
        let mut lines = Vec::new();
        for recorded in &batch.entries {
            self.tell_event(recorded.at, &recorded.event, &mut lines);
        }
        lines
    }

    fn tell_event(&mut self, at: Millis, event: &Event, lines: &mut Vec<Line>) {
        let mut say = |text: String| lines.push(Line { text, is_live: false });
        match event {
            Event::Decided(decision) => {
                let reason = decision
                    .ruling
                    .advice
                    .reasons
                    .first()
                    .map(|reason| without_stop(&reason.text).to_string())
                    .unwrap_or_default();
                for declined in &decision.ruling.declined {
                    say(format!(
                        "{} did not answer ({}: {}); {} decided",
                        declined.policy,
                        declined.fault.class.slug(),
                        declined.fault.detail,
                        decision.ruling.policy
                    ));
                }
                if let Verdict::Gate(_) = decision.ruling.verdict {
                    say(format!(
                        "{} ({}): {}",
                        decision.ruling.policy,
                        decision.ruling.verdict.slug().replace('_', " "),
                        reason
                    ));
                }
                self.reasons.push_back((decision.id, reason));
                if self.reasons.len() > REASONS_KEPT {
                    self.reasons.pop_front();
                }
            }
            Event::RunPlanned { run, .. } => {
                match &run.work {
                    Work::Bootstrap => say("the first model is being made".to_string()),
                    Work::Train { .. } => {}
                    Work::Evaluate { candidate, .. } => {
                        let again = self.trial.as_mut().is_some_and(|trial| std::mem::replace(&mut trial.looked, true));
                        say(match again {
                            false => format!("evaluation of {candidate} on held-out text begins"),
                            true => format!("evaluation of {candidate} looks at more held-out text"),
                        });
                    }
                }
                self.runs.insert(run.token.run, (run.title.clone(), run.work.clone()));
            }
            Event::RunFinished { token, report, model } => {
                let Some((title, work)) = self.runs.remove(&token.run) else {
                    return;
                };
                match (&report.end, &work) {
                    (RunEnd::Completed(completion), Work::Train { .. }) => {
                        self.successes += 1;
                        let bits = match (completion.loss_before, completion.loss_after) {
                            (Some(before), Some(after)) => format!(" {before:.2} -> {after:.2} bits per byte,"),
                            _ => String::new(),
                        };
                        let made = model.as_ref().map(|tag| format!(" made {tag};")).unwrap_or_default();
                        say(format!(
                            "run {} '{title}':{bits}{made} window {} of {}",
                            token.run,
                            self.successes.saturating_sub(self.watermark),
                            self.window
                        ));
                    }
                    (RunEnd::Completed(_), Work::Bootstrap | Work::Evaluate { .. }) => {}
                    (RunEnd::Failed(failure), _) => {
                        let error = failure.error.lines().next().unwrap_or_default();
                        say(format!("run {} '{title}' failed ({}): {error}", token.run, failure.class.slug()));
                    }
                    (RunEnd::Cancelled, _) => say(format!("run {} '{title}' was cancelled", token.run)),
                }
            }
            Event::RetryScheduled { source, at: due, decision } => {
                let reason = self.reason(*decision);
                say(format!(
                    "source {source} is tried again in {:.1} s{reason}",
                    due.saturating_sub(at) as f64 / 1e3
                ));
            }
            Event::SourceGivenUp { source, decision } => {
                let reason = self.reason(*decision);
                say(format!("source {source} is given up{reason}"));
            }
            Event::SourceDisabled { source, reason, .. } => say(format!("source {source} is disabled: {reason}")),
            Event::HostsParked { hosts, decision } => {
                let reason = self.reason(*decision);
                say(format!("the curriculum stops practising {}{reason}", hosts.join(", ")));
            }
            Event::SettingsChanged { settings, .. } => self.window = u64::from(settings.promotion_window),
            Event::ModelBootstrapped { model } => {
                self.live = Some(model.clone());
                say(format!("{model} is the first model and answers requests"));
            }
            Event::CandidateRaised {
                candidate,
                baseline,
                watermark,
            } => {
                self.watermark = *watermark;
                self.trial = Some(Trial {
                    candidate: candidate.clone(),
                    stage: "evaluation",
                    wanted: 0,
                    pairs: 0,
                    told: 0,
                    looked: false,
                });
                say(format!("the window is full: {candidate} is compared with {baseline}"));
            }
            Event::WindowPassed { watermark } => {
                self.watermark = *watermark;
                say("the window is full, but there is no model newer than the live one".to_string());
            }
            Event::CandidateAdvanced { candidate, to, by } => {
                let stage = match to {
                    CandidateStep::Evaluate => "evaluation",
                    CandidateStep::Canary => "canary",
                    CandidateStep::Watch => "watch",
                };
                let words = match to {
                    CandidateStep::Evaluate => format!("{candidate} is evaluated"),
                    CandidateStep::Canary => format!("{candidate} passed the evaluation and now answers a share of the requests"),
                    CandidateStep::Watch => format!("{candidate} is watched, and goes back if it does harm"),
                };
                say(format!("{words}{}", self.by(by)));
                if let Some(trial) = &mut self.trial {
                    *trial = Trial {
                        candidate: candidate.clone(),
                        stage,
                        wanted: 0,
                        pairs: 0,
                        told: 0,
                        looked: false,
                    };
                }
            }
            Event::CandidateServed { samples, .. } => {
                if let Some(trial) = &mut self.trial {
                    trial.pairs += samples.iter().filter(|ServedSample { pair, .. }| pair.is_some()).count();
                    if trial.pairs / SERVED_LINE_EVERY > trial.told / SERVED_LINE_EVERY {
                        trial.told = trial.pairs;
                        let wanted = if trial.wanted > 0 {
                            format!(" of {}", trial.wanted)
                        } else {
                            String::new()
                        };
                        say(format!(
                            "{} of {}: {}{wanted} requests compared",
                            trial.stage, trial.candidate, trial.pairs
                        ));
                    }
                }
            }
            Event::MorePairsWanted { pairs, .. } => {
                if let Some(trial) = &mut self.trial {
                    trial.wanted = trial.pairs as u64 + u64::from(*pairs);
                }
            }
            Event::CandidateHeld { candidate, reason, .. } => {
                say(format!(
                    "{candidate} waits for a person ({reason}): `pointsman promotion approve {candidate}` or `reject`"
                ));
            }
            Event::ModelApplied { model, before, .. } => {
                self.live = Some(model.clone());
                let bits = match self.view.evaluation_means() {
                    Some((was, is)) => format!(": {is:.2} bits per byte on held-out text, was {was:.2}"),
                    None => String::new(),
                };
                let text = format!(
                    "LIVE: {model} replaced {before} after {:.0} s{bits}",
                    at.saturating_sub(self.started) as f64 / 1e3
                );
                lines.push(Line { text, is_live: true });
            }
            Event::CandidateEnded {
                candidate, end, reason, ..
            } => {
                self.trial = None;
                match end {
                    CandidateEnd::Kept => say(format!("{candidate} stays live: {}", without_stop(reason))),
                    CandidateEnd::Rejected => {
                        let live = self.live.as_ref().map(|tag| format!("; {tag} stays live")).unwrap_or_default();
                        say(format!("{candidate} is rejected: {}{live}", without_stop(reason)));
                    }
                    CandidateEnd::RolledBack => say(format!("{candidate} is rolled back: {reason}")),
                }
            }
            Event::ModelRolledBack { from, to, reason, by: _ } => {
                self.live = Some(to.clone());
                say(format!("{to} is live again instead of {from}: {reason}"));
            }
            Event::PolicyActivated {
                generation,
                description,
                previous,
                actor,
                reason,
                ..
            } => {
                let instead = previous.as_ref().map(|policy| format!(" instead of {policy}")).unwrap_or_default();
                say(format!(
                    "policy {}: {} decides{instead} (generation {generation}, {}: {reason})",
                    description.kind, description.policy, actor.0
                ));
            }
            Event::PolicyRolledBack {
                kind,
                generation,
                to,
                from,
                actor,
                reason,
                ..
            } => {
                say(format!(
                    "policy {kind}: {} decides again instead of {from} (generation {generation}, {}: {reason})",
                    to.policy, actor.0
                ));
            }
            Event::PolicyConfirmed { kinds, actor, .. } => {
                let kinds: Vec<&str> = kinds.iter().map(|kind| kind.slug()).collect();
                say(format!("policy {}: confirmed ({})", kinds.join(", "), actor.0));
            }
            Event::PolicyPinned {
                kind,
                pinned,
                actor,
                reason,
            } => {
                let word = if *pinned { "pinned" } else { "no longer pinned" };
                say(format!("policy {kind}: {word} ({}: {reason})", actor.0));
            }
            Event::PolicyCanaryStarted {
                description,
                share,
                actor,
                reason,
                ..
            } => {
                say(format!(
                    "policy {}: {} decides {:.0} % in canary ({}: {reason})",
                    description.kind,
                    description.policy,
                    share * 100.0,
                    actor.0
                ));
            }
            Event::PolicyCanaryEnded {
                kind,
                policy,
                end,
                actor,
                reason,
                ..
            } => say(format!(
                "policy {kind}: the canary of {policy} is {} ({}: {reason})",
                end.slug(),
                actor.0
            )),
            Event::InputQuarantined {
                kind,
                about,
                policy,
                fault,
                ..
            } => {
                say(format!(
                    "policy {kind}: {policy} is not asked about {about} any more; it failed again with {}: {}",
                    fault.class.slug(),
                    fault.detail
                ));
            }
            Event::InputReleased { kind, key, actor } => {
                say(format!(
                    "policy {kind}: policies are asked about input {} again ({})",
                    key.short(),
                    actor.0
                ));
            }
            Event::CampaignQueued {
                campaign,
                new,
                rows,
                actor,
                ..
            } => say(format!("{} is queued: {rows} times '{}' ({})", campaign.name(), new.title, actor.0)),
            Event::CampaignCancelled {
                campaign,
                left,
                actor,
                reason,
            } => say(format!(
                "{} is cancelled, {left} rows leave ({}: {reason})",
                campaign.name(),
                actor.0
            )),
            Event::CampaignEnded {
                campaign,
                done,
                failed,
                cancelled,
            } => say(format!(
                "{} has ended: {done} done, {failed} failed, {cancelled} cancelled",
                campaign.name()
            )),
            Event::SourcesImported {
                import,
                batch,
                rows,
                refused,
                ..
            } => {
                // A large file has thousands of parts; its first one is news.
                if *batch == 0 {
                    say(format!(
                        "an import began ({import}): {} sources, {refused} lines refused so far",
                        rows.len()
                    ));
                }
            }
            Event::LockTaken { lock } => say(format!("{} {} holds the lock ({})", lock.key.slug(), lock.value, lock.actor)),
            Event::LockReleased { lock, actor, reason } => say(format!(
                "the lock of {} {} is free ({}: {reason})",
                lock.key.slug(),
                lock.value,
                actor.0
            )),
            Event::TrainingStarted { actor, .. } => say(format!("training is on ({})", actor.0)),
            Event::TrainingStopped { actor, .. } => say(format!("training is off ({}); runs under way end by themselves", actor.0)),
            Event::HostStarted { .. }
            | Event::PresetSaved { .. }
            | Event::PresetDeleted { .. }
            | Event::SourceQueued { .. }
            | Event::SourceEdited { .. }
            | Event::SourceCancelled { .. }
            | Event::SourceEnabled { .. }
            | Event::SourceMoved { .. }
            | Event::RunStarted { .. }
            | Event::RunCancelRequested { .. }
            | Event::ModelsRetired { .. }
            | Event::ModelPinned { .. } => {}
        }
    }

    fn reason(&self, decision: DecisionId) -> String {
        let found = self
            .reasons
            .iter()
            .rev()
            .find(|(id, _)| *id == decision)
            .map(|(_, reason)| reason.as_str())
            .unwrap_or_default();
        if found.is_empty() { String::new() } else { format!(": {found}") }
    }

    fn by(&self, by: &StageBy) -> String {
        match by {
            StageBy::Decision(_) | StageBy::Host => String::new(),
            StageBy::Person { actor, reason } if reason.is_empty() => format!(" (by {})", actor.0),
            StageBy::Person { actor, reason } => format!(" (by {}: {reason})", actor.0),
        }
    }
}

/// A sentence to go on from.
fn without_stop(text: &str) -> &str {
    text.trim_end().trim_end_matches('.')
}
