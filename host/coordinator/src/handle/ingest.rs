//! The learning memory tells how far it is, and the gate waits for it where it is too far behind.

use super::{Turn, conflict};
use crate::coordinator::{Refusal, Reply};
use crate::state::GateBlock;
use pointsman_model::Millis;
use pointsman_model::context::GateStage;
use pointsman_model::event::Event;

/// A blocked gate is looked at again, and the journal says so again, after so long.
const RETRY_MS: Millis = 15_000;

impl Turn<'_> {
    pub(super) fn report_ingest(&mut self, outcomes: u64) -> Result<Reply, Refusal> {
        let known = self.state.totals.outcomes;
        if outcomes > known {
            let message = format!("the learning memory says that it holds {outcomes} outcomes, and there are {known}");
            return Err(conflict("ingest_ahead", message).fix("build the memory anew: pointsman memory rebuild"));
        }
        if self.state.ingest.is_none_or(|ingest| ingest.outcomes != outcomes) {
            self.emit(Event::IngestReported { outcomes });
        }
        Ok(Reply::Done)
    }

    /// Whether this stage has to wait for the learning memory. An evaluation is not begun and not judged. A canary is still looked
    /// at each time that the wait was to be over, so that one that does harm ends; a watch never waits, for the same reason.
    pub(super) fn waits_for_memory(&mut self, stage: GateStage, answer_due: bool) -> bool {
        match stage {
            GateStage::Evaluate => self.block_gate(stage, answer_due),
            GateStage::Canary => self.state.ingest_lag_over().is_some() && self.is_told(stage, answer_due),
            GateStage::Watch => false,
        }
    }

    /// Nothing goes on while the learning memory is too far behind: says so in the journal when the wait begins, and again each
    /// time that it was to be over. Whether it does wait.
    pub(super) fn block_gate(&mut self, stage: GateStage, answer_due: bool) -> bool {
        let (Some(lag), Some(candidate)) = (self.state.ingest_lag_over(), &self.state.candidate) else {
            return false;
        };
        if !self.is_told(stage, answer_due) {
            let event = Event::GateBlocked {
                candidate: candidate.tag.clone(),
                stage,
                answer_due,
                lag,
                limit: self.state.settings.ingest_lag_max,
                until: self.now + RETRY_MS,
            };
            self.emit(event);
        }
        true
    }

    fn is_told(&self, stage: GateStage, answer_due: bool) -> bool {
        let is_this = |block: &GateBlock| (block.stage, block.answer_due) == (stage, answer_due) && block.until > self.now;
        self.state.gate_blocked.as_ref().is_some_and(is_this)
    }
}
