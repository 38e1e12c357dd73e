//! Models as the journal tells of them, apart from any state: none that is needed goes, and none goes live past a person.

use pointsman_model::event::{Event, StageBy};
use pointsman_model::promotion::CandidateEnd;
use pointsman_model::run::Work;
use pointsman_model::{ModelTag, RunId};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub(super) struct Shelf {
    kept: BTreeSet<ModelTag>,
    pinned: BTreeSet<ModelTag>,
    /// Turned down or taken back: never on its way again.
    dropped: BTreeSet<ModelTag>,
    active: Option<ModelTag>,
    before: Option<ModelTag>,
    candidate: Option<(ModelTag, ModelTag)>,
    /// What runs under way need.
    needed: BTreeMap<RunId, Vec<ModelTag>>,
    asks_a_person: bool,
}

impl Shelf {
    /// Takes an entry, or says which promise it breaks.
    pub(super) fn entry(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::SettingsChanged { settings, .. } => self.asks_a_person = settings.promotion_hold,
            Event::RunPlanned { run, .. } => {
                let mut needed: Vec<ModelTag> = run.base.iter().cloned().collect();
                if let Work::Evaluate { candidate, .. } = &run.work {
                    needed.push(candidate.clone());
                }
                if let Some(gone) = needed.iter().find(|tag| !self.kept.contains(tag)) {
                    return Err(format!("run {} needs {gone}, which is not kept", run.token.run));
                }
                self.needed.insert(run.token.run, needed);
            }
            Event::RunFinished { token, model, .. } => {
                self.needed.remove(&token.run);
                self.kept.extend(model.iter().cloned());
            }
            Event::ModelBootstrapped { model } => self.active = Some(model.clone()),
            Event::CandidateRaised { candidate, baseline, .. } => {
                if self.dropped.contains(candidate) {
                    return Err(format!("{candidate} was dropped for good, and is on its way again"));
                }
                self.candidate = Some((candidate.clone(), baseline.clone()));
            }
            Event::ModelApplied { model, before, by } => {
                if self.asks_a_person && !matches!(by, StageBy::Person { .. }) {
                    return Err(format!("{model} goes live without a person's word"));
                }
                if self.dropped.contains(model) {
                    return Err(format!("{model} was dropped for good, and goes live"));
                }
                self.active = Some(model.clone());
                self.before = Some(before.clone());
            }
            Event::ModelRolledBack { to, .. } => {
                if !self.kept.contains(to) {
                    return Err(format!("{to} comes back, and is not kept"));
                }
                self.active = Some(to.clone());
                self.before = None;
            }
            Event::CandidateEnded { candidate, end, .. } => {
                self.candidate = None;
                match end {
                    CandidateEnd::Rejected | CandidateEnd::RolledBack => {
                        self.dropped.insert(candidate.clone());
                    }
                    CandidateEnd::Kept => {}
                }
            }
            Event::ModelPinned { model, pinned: true, .. } => {
                self.pinned.insert(model.clone());
            }
            Event::ModelPinned { model, pinned: false, .. } => {
                self.pinned.remove(model);
            }
            Event::ModelsRetired { models, .. } => {
                for model in models {
                    self.retire(model)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn retire(&mut self, model: &ModelTag) -> Result<(), String> {
        let is = |held: &Option<ModelTag>| held.as_ref() == Some(model);
        let on_trial = self.candidate.as_ref();
        let why = if is(&self.active) {
            "live"
        } else if is(&self.before) {
            "what a rollback brings back"
        } else if on_trial.is_some_and(|(candidate, baseline)| candidate == model || baseline == model) {
            "on trial"
        } else if self.pinned.contains(model) {
            "pinned"
        } else if self.needed.values().flatten().any(|needed| needed == model) {
            "needed by a run"
        } else if self.kept.remove(model) {
            return Ok(());
        } else {
            "gone already"
        };
        Err(format!("{model} is retired, and is {why}"))
    }
}
