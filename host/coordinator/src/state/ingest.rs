//! How far the learning memory is, and what waits for it.

use super::State;
use pointsman_model::context::GateStage;
use pointsman_model::wants::RecallBudget;
use pointsman_model::{Millis, ModelTag};
use serde::{Deserialize, Serialize};

/// What the learning memory has told of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IngestRecord {
    /// Outcomes that it holds.
    pub outcomes: u64,
    pub at: Millis,
}

/// A gate that is not asked, since the learning memory is too far behind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateBlock {
    pub candidate: ModelTag,
    pub stage: GateStage,
    /// The pairs are there and only the answer waits; else the evaluation itself does.
    pub answer_due: bool,
    pub lag: u64,
    pub limit: u32,
    pub since: Millis,
    pub until: Millis,
}

impl State {
    /// Outcomes that are committed and not in the learning memory; none where none is attached.
    pub fn ingest_lag(&self) -> Option<u64> {
        let ingest = self.ingest?;
        Some(self.totals.outcomes.saturating_sub(ingest.outcomes))
    }

    /// The lag, where it is over its limit.
    pub fn ingest_lag_over(&self) -> Option<u64> {
        self.ingest_lag().filter(|lag| *lag > u64::from(self.settings.ingest_lag_max))
    }

    /// The gate that waits for the learning memory now; none once that has caught up.
    pub fn blocked_gate(&self) -> Option<&GateBlock> {
        self.ingest_lag_over()?;
        self.gate_blocked.as_ref()
    }

    /// When a blocked gate is looked at again.
    pub(crate) fn gate_retry_at(&self) -> Option<Millis> {
        self.blocked_gate().map(|block| block.until)
    }

    /// What a run that begins may be given of the learning memory.
    pub fn recall_budget(&self) -> RecallBudget {
        RecallBudget {
            same_host_chars: self.settings.memory_same_host_chars,
            similar_chars: self.settings.memory_similar_chars,
            failures_chars: self.settings.memory_failures_chars,
        }
    }

    pub(super) fn apply_gate_blocked(&mut self, at: Millis, block: GateBlock) {
        // The same wait, told again: it goes on since it began.
        let since = match &self.gate_blocked {
            Some(before) if before.candidate == block.candidate && before.stage == block.stage => before.since,
            Some(_) | None => at,
        };
        self.gate_blocked = Some(GateBlock { since, ..block });
    }
}
