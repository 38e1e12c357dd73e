//! Models that go, by rule or by hand, and those that somebody keeps.

use super::operate::checked_reason;
use super::{Turn, conflict, invalid, not_found};
use crate::coordinator::{Refusal, Reply};
use crate::state::prune_plan;
use pointsman_model::event::Event;
use pointsman_model::{Actor, Digest, ModelTag};

/// Retirement waits until a few models are over the limit, so that it is not a line in the journal for every run.
const RETIRE_SLACK: usize = 8;
/// Pins are for the few models that somebody comes back to; each is remembered and on disk for good.
pub const MODEL_PINS_MAX: usize = 200;
/// As the setting `keep_models`.
const KEEP_MAX: u32 = 10_000;

impl Turn<'_> {
    /// Models beyond the newest few go, unless something still needs them.
    pub(super) fn retire_models(&mut self) {
        let keep = self.state.settings.keep_models;
        if self.state.models.len() <= keep as usize + self.state.model_pins.len() + RETIRE_SLACK {
            return;
        }
        let models = self.prunable(keep);
        if !models.is_empty() {
            self.emit(Event::ModelsRetired {
                models,
                actor: None,
                reason: String::new(),
            });
        }
    }

    pub(super) fn prune_models(&mut self, keep: Option<u32>, plan: Option<Digest>, actor: Actor, reason: String) -> Result<Reply, Refusal> {
        let reason = checked_reason(reason)?;
        let keep = keep.unwrap_or(self.state.settings.keep_models);
        if keep > KEEP_MAX {
            return Err(invalid("keep_invalid", format!("keep: {keep} is not between 0 and {KEEP_MAX}")));
        }
        let models = self.prunable(keep);
        if plan.is_some_and(|plan| plan != prune_plan(models.iter())) {
            return Err(conflict(
                "prune_changed",
                "other models would go by now than the plan names: something was made, pinned, used or retired meanwhile",
            )
            .fix("pointsman models prune --dry-run"));
        }
        if !models.is_empty() {
            let models = models.clone();
            let actor = Some(actor);
            self.emit(Event::ModelsRetired { models, actor, reason });
        }
        Ok(Reply::Models(models))
    }

    pub(super) fn pin_model(&mut self, model: ModelTag, pinned: bool, actor: Actor, reason: String) -> Result<Reply, Refusal> {
        let reason = checked_reason(reason)?;
        if !self.state.models.contains_key(&model) {
            return Err(not_found("model_unknown", format!("no model {model} is kept")).fix("pointsman models"));
        }
        let is_pinned = self.state.model_pins.contains_key(&model);
        if pinned && !is_pinned && self.state.model_pins.len() >= MODEL_PINS_MAX {
            return Err(
                conflict("pins_full", format!("{MODEL_PINS_MAX} models are pinned, which is the most")).fix("pointsman models unpin TAG"),
            );
        }
        if pinned != is_pinned {
            self.emit(Event::ModelPinned {
                model,
                pinned,
                actor,
                reason,
            });
        }
        Ok(Reply::Done)
    }

    /// What may go, oldest first.
    fn prunable(&self, keep: u32) -> Vec<ModelTag> {
        let retained = self.state.retention(keep);
        let go = retained.iter().rev().filter(|retained| retained.goes());
        go.map(|retained| retained.model.tag.clone()).collect()
    }
}
