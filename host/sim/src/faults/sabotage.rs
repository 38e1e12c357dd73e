//! Promises broken on purpose, so that a test can see that the checks notice.

use super::Problem;
use super::stage::Stage;
use pointsman_model::command::Command;
use pointsman_model::event::{Event, StageBy};
use pointsman_model::promotion::CandidateStage;
use pointsman_model::run::{RunClass, Work};
use pointsman_model::{Actor, RunId};

/// A promise broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// The journal gets a second outcome of a run, under another token.
    DoubledOutcome,
    /// The runner mixes two runs up and tells the end of one as that of the other.
    MixedUpOutcome,
    /// A report is answered and then dropped.
    LostOutcome,
    /// A run is planned beyond the cap.
    OverCap,
    /// A run is picked though training is stopped.
    PickedWhileStopped,
    /// The state changes behind the journal's back.
    SlippedState,
    /// A kind skips a generation.
    SkippedGeneration,
    /// A client is answered before the journal has it, and the disk then refuses.
    ToldTooEarly,
    /// A model that is live, or on its way, is retired.
    RetiredWhatIsUsed,
    /// A held candidate goes live, and no person has said so.
    LiveWithoutAWord,
}

impl Sabotage {
    pub const ALL: [Sabotage; 10] = [
        Sabotage::DoubledOutcome,
        Sabotage::MixedUpOutcome,
        Sabotage::LostOutcome,
        Sabotage::OverCap,
        Sabotage::PickedWhileStopped,
        Sabotage::SlippedState,
        Sabotage::SkippedGeneration,
        Sabotage::ToldTooEarly,
        Sabotage::RetiredWhatIsUsed,
        Sabotage::LiveWithoutAWord,
    ];
}

impl Stage {
    pub(super) fn mix_up(&mut self, command: Command) -> Command {
        match (self.sabotage, command) {
            (Some(Sabotage::MixedUpOutcome), Command::ReportFinished { token, report }) => {
                let running = self.world.coordinator().state().runs.values();
                let other = running.map(|run| run.token).find(|other| *other != token);
                Command::ReportFinished {
                    token: other.unwrap_or(token),
                    report,
                }
            }
            (_, command) => command,
        }
    }

    fn forge(&mut self, event: Event) -> Result<(), Problem> {
        self.tell_story(|| format!("SABOTAGE: {}", event.slug()));
        let recorded = self.world.forge(event);
        match recorded {
            Ok(recorded) => Ok(self.ledger.entry(&recorded, &self.runner.ends)?),
            Err(broken) => Err(broken.into()),
        }
    }

    /// What no command can do.
    pub(super) fn commit_sabotage(&mut self) -> Result<(), Problem> {
        let state = self.world.coordinator().state();
        // The latest run of a source once more, of no host, so that no other rule is broken.
        let planned = || {
            self.world.journal().iter().rev().find_map(|recorded| match &recorded.event {
                Event::RunPlanned { run, .. } if run.class == RunClass::Training => {
                    let mut run = run.clone();
                    run.token.run = RunId(state.next.run + 1);
                    if let Work::Train { host, .. } = &mut run.work {
                        *host = None;
                    }
                    Some(run)
                }
                _ => None,
            })
        };
        match self.sabotage {
            Some(Sabotage::DoubledOutcome) => {
                let finished = self.world.journal().iter().rev().find_map(|recorded| match &recorded.event {
                    Event::RunFinished { token, report, .. } => Some((*token, report.clone())),
                    _ => None,
                });
                let Some((mut token, report)) = finished else { return Ok(()) };
                token.attempt += 1;
                self.forge(Event::RunFinished {
                    token,
                    report,
                    model: None,
                })
            }
            Some(Sabotage::OverCap) => match planned() {
                Some(run) if state.training_free() == 0 && state.training.enabled => self.forge(Event::RunPlanned { run, decision: None }),
                Some(_) | None => Ok(()),
            },
            Some(Sabotage::PickedWhileStopped) => match planned() {
                Some(run) if state.training_free() > 0 && !state.training.enabled => self.forge(Event::RunPlanned { run, decision: None }),
                Some(_) | None => Ok(()),
            },
            Some(Sabotage::SlippedState) if self.step == 10 => {
                self.world.slip(Event::WindowPassed { watermark: u64::MAX });
                Ok(())
            }
            Some(Sabotage::SkippedGeneration) => match self.versions.first().cloned() {
                Some(description) => {
                    let generation = state.slot(description.kind).map_or(0, |slot| slot.generation) + 2;
                    self.forge(Event::PolicyActivated {
                        generation,
                        description,
                        previous: None,
                        actor: Actor::new("nobody"),
                        reason: String::new(),
                        set: None,
                        confirm_by: None,
                        state: Default::default(),
                        report: None,
                    })
                }
                None => Ok(()),
            },
            Some(Sabotage::RetiredWhatIsUsed) => match &state.active {
                Some(model) => {
                    let models = vec![model.clone()];
                    self.forge(Event::ModelsRetired {
                        models,
                        actor: None,
                        reason: String::new(),
                    })
                }
                None => Ok(()),
            },
            Some(Sabotage::LiveWithoutAWord) => match &state.candidate {
                Some(candidate) if state.settings.promotion_hold && matches!(candidate.stage, CandidateStage::Held { .. }) => {
                    let event = Event::ModelApplied {
                        model: candidate.tag.clone(),
                        before: candidate.baseline.clone(),
                        by: StageBy::Host,
                    };
                    self.forge(event)
                }
                Some(_) | None => Ok(()),
            },
            Some(Sabotage::SlippedState | Sabotage::MixedUpOutcome | Sabotage::LostOutcome | Sabotage::ToldTooEarly) | None => Ok(()),
        }
    }
}
