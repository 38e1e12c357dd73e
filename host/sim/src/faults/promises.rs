//! What must hold after each step, and what must have come to an end once the faults stop.

use super::Problem;
use super::stage::{Faults, Message, Sender, Stage};
use pointsman_model::command::Command;
use pointsman_model::settings::Settings;
use pointsman_model::source::SourceStage;
use pointsman_model::{Actor, RunId};

/// Steps after the faults in which everything must have come to an end.
const QUIET_STEPS_MAX: u32 = 1_500;

impl Stage {
    pub(super) fn check_promises(&self) -> Result<(), Problem> {
        for (source, title) in &self.promised {
            self.ledger.holds(*source, title)?;
        }
        Ok(())
    }

    /// The faults stop. Everything under way ends and is told, and what may be picked is picked.
    pub(super) fn quiet_down(&mut self) -> Result<(), Problem> {
        self.faults = Faults::default();
        self.fates.stuck = 0.0;
        self.fates.fail = 0.0;
        self.world.policies.calm_down();
        self.catch_up();
        // Operators rest, too: what they asked for and was late comes no more.
        self.messages
            .retain(|_, message| !matches!(message, Message::ToHost(Sender::Operator | Sender::Elsewhere, _)));
        let actor = || Actor::new("operator");
        let settings = Settings {
            training_max_active: 3,
            global_max: 6,
            curriculum_pending_max: 0,
            promotion_window: 50,
            ..Settings::default()
        };
        self.now_command(Command::ChangeSettings { settings, actor: actor() })?;
        self.now_command(Command::StartTraining {
            actor: actor(),
            reason: String::new(),
            automatic: false,
        })?;
        for _ in 0..QUIET_STEPS_MAX {
            self.step += 1;
            let hanging: Vec<RunId> = self.runner.hanging().map(|token| token.run).collect();
            for run in hanging {
                self.now_command(Command::CancelRun {
                    run,
                    actor: actor(),
                    reason: "it hangs".into(),
                })?;
            }
            self.one_step()?;
            if self.is_quiet() {
                return self.check_the_end();
            }
        }
        let state = self.world.coordinator().state();
        let waiting = state
            .sources
            .values()
            .filter(|source| !matches!(source.stage, SourceStage::Disabled { .. }))
            .count();
        let unheard = self
            .runner
            .unheard()
            .map(|token| format!(", run {} is not told", token.run))
            .unwrap_or_default();
        Err(Problem(format!(
            "nothing comes to an end: {waiting} sources wait, {} runs are under way, {} is live{unheard}; waiting: {:?}",
            state.runs.len(),
            state.active.as_ref().map_or("nothing", |tag| tag.0.as_str()),
            state
                .sources
                .values()
                .find(|source| !matches!(source.stage, SourceStage::Disabled { .. }))
        )))
    }

    fn is_quiet(&self) -> bool {
        let state = self.world.coordinator().state();
        let done = |stage: &SourceStage| matches!(stage, SourceStage::Disabled { .. });
        let messages = self.messages.values().any(|message| matches!(message, Message::ToHost(..)));
        state.sources.values().all(|source| done(&source.stage)) && state.runs.is_empty() && self.runner.unheard().is_none() && !messages
    }

    fn check_the_end(&mut self) -> Result<(), Problem> {
        self.check_promises()?;
        for token in self.runner.ends.keys() {
            if !self.ledger.was_planned(token) {
                return Err(Problem(format!("run {} ran, and the journal has not planned it", token.run)));
            }
            if !self.ledger.has_outcome(token) {
                return Err(Problem(format!("run {} has ended, and its outcome is lost", token.run)));
            }
        }
        let state = self.world.coordinator().state();
        if let Some(source) = self.ledger.lost_source(|source| state.sources.contains_key(&source)) {
            return Err(Problem(format!("source {source} is neither done nor anywhere")));
        }
        Ok(())
    }
}
