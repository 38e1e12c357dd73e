//! Which models are kept, and why. One rule: what is in use, what a rollback would bring back, what somebody pinned, and of
//! the rest the newest few. The automatic rule, a prune by hand and its dry run all ask here.

use super::State;
use pointsman_model::promotion::Model;
use pointsman_model::run::Work;
use pointsman_model::{Digest, ModelTag, RunId};
use std::collections::BTreeMap;

/// What keeps a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptFor {
    /// It answers standard requests, and candidates are compared with it.
    Live,
    /// It is on its way into service.
    Candidate,
    /// The candidate is compared with it, and comes back to it.
    Baseline,
    /// A rollback brings it back.
    RollbackTarget,
    /// Training goes on from it.
    Line,
    /// A run under way starts from it or is about it.
    Run(RunId),
    /// Somebody keeps it.
    Pinned,
    /// It is among the newest of the others.
    Newest,
}

impl KeptFor {
    pub fn slug(self) -> &'static str {
        match self {
            KeptFor::Live => "live",
            KeptFor::Candidate => "candidate",
            KeptFor::Baseline => "baseline",
            KeptFor::RollbackTarget => "rollback_target",
            KeptFor::Line => "line",
            KeptFor::Run(_) => "run",
            KeptFor::Pinned => "pinned",
            KeptFor::Newest => "newest",
        }
    }

    /// Whether something routes to it or works with it, other than that it lies there.
    pub fn is_use(self) -> bool {
        match self {
            KeptFor::Live | KeptFor::Candidate | KeptFor::Baseline | KeptFor::RollbackTarget | KeptFor::Line | KeptFor::Run(_) => true,
            KeptFor::Pinned | KeptFor::Newest => false,
        }
    }
}

/// A model and what keeps it; nothing does where it may go.
#[derive(Clone, Debug)]
pub struct Retained<'s> {
    pub model: &'s Model,
    pub kept_for: Vec<KeptFor>,
}

impl Retained<'_> {
    pub fn goes(&self) -> bool {
        self.kept_for.is_empty()
    }

    pub fn is_used(&self) -> bool {
        self.kept_for.iter().any(|kept| kept.is_use())
    }
}

impl State {
    /// Every model that is installed, newest first, with all that keeps it where the newest `keep` of the others stay.
    pub fn retention(&self, keep: u32) -> Vec<Retained<'_>> {
        let mut models: Vec<&Model> = self.models.values().collect();
        models.sort_by_key(|model| std::cmp::Reverse(model.run));
        // The oldest run that needs each.
        let mut needed = BTreeMap::new();
        for (id, run) in self.runs.iter().rev() {
            needed.extend(run.base.as_ref().map(|base| (base, *id)));
            if let Work::Evaluate { candidate, .. } = &run.work {
                needed.insert(candidate, *id);
            }
        }
        let mut newest = 0;
        let retained = models.into_iter().map(|model| {
            let mut kept_for = self.kept_for(&model.tag, needed.get(&model.tag).copied());
            if kept_for.is_empty() && newest < keep {
                newest += 1;
                kept_for.push(KeptFor::Newest);
            }
            Retained { model, kept_for }
        });
        retained.collect()
    }

    /// All that keeps a model, age aside.
    fn kept_for(&self, tag: &ModelTag, run: Option<RunId>) -> Vec<KeptFor> {
        let is = |held: &Option<ModelTag>| held.as_ref() == Some(tag);
        let candidate = self.candidate.as_ref();
        let mut kept: Vec<KeptFor> = [
            (is(&self.active), KeptFor::Live),
            (candidate.is_some_and(|candidate| candidate.tag == *tag), KeptFor::Candidate),
            (candidate.is_some_and(|candidate| candidate.baseline == *tag), KeptFor::Baseline),
            (is(&self.previous), KeptFor::RollbackTarget),
            (is(&self.line), KeptFor::Line),
            (self.model_pins.contains_key(tag), KeptFor::Pinned),
        ]
        .into_iter()
        .filter_map(|(holds, kept)| holds.then_some(kept))
        .collect();
        kept.extend(run.map(KeptFor::Run));
        kept
    }
}

/// Names the models that would go, so that who has seen one plan does not carry out another.
pub fn prune_plan<'t>(go: impl Iterator<Item = &'t ModelTag>) -> Digest {
    let mut text = String::new();
    for tag in go {
        text.push_str(&tag.0);
        text.push('\n');
    }
    Digest::of(text.as_bytes())
}
