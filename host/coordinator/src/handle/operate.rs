//! What operators ask for: sources, training, settings.

use super::{Turn, conflict, invalid, not_found};
use crate::coordinator::{Refusal, Reply};
use crate::guards::Guards;
use pointsman_model::event::Event;
use pointsman_model::run::RunClass;
use pointsman_model::settings::{LEARNING_RATE_MAX, LEARNING_RATE_MIN, REPLAY_SHARE_MAX, STEPS_MAX, STEPS_MIN, SettingProblem};
use pointsman_model::source::{NewSource, SourceEdit, SourceStage};
use pointsman_model::{Actor, RunId, SourceId};

const TITLE_BYTES_MAX: usize = 200;
const BODY_BYTES_MAX: usize = 256 << 10;
const HOST_BYTES_MAX: usize = 120;
const REASON_BYTES_MAX: usize = 1024;

impl Turn<'_> {
    pub(super) fn submit_source(&mut self, new: NewSource) -> Result<Reply, Refusal> {
        let new = checked_source(new, 0)?;
        let source = SourceId(self.state.next.source + 1);
        self.emit(Event::SourceQueued {
            source,
            new,
            decision: None,
        });
        Ok(Reply::Source(source))
    }

    pub(super) fn edit_source(&mut self, source: SourceId, mut edit: SourceEdit, actor: Actor, reason: String) -> Result<Reply, Refusal> {
        let reason = checked_reason(reason)?;
        self.not_running(source)?;
        edit.title = edit.title.map(|title| title.trim().to_string());
        edit.host = edit.host.map(|host| host.trim().to_string());
        let Some(found) = self.state.sources.get(&source) else {
            return Ok(Reply::Done);
        };
        // The text is in the journal; where a new one is given it is checked, and the old one was.
        let edited = NewSource {
            title: edit.title.clone().unwrap_or_else(|| found.title.clone()),
            body: edit.body.clone().unwrap_or_default(),
            host: edit.host.clone().or_else(|| found.host.clone()),
            lane: edit.lane.unwrap_or(found.lane),
            origin: found.origin,
            priority: edit.priority.unwrap_or(found.priority),
            params: None,
        };
        checked_source(edited, 0)?;
        // What is told as it is already changes nothing.
        edit.title = edit.title.filter(|title| *title != found.title);
        edit.host = edit.host.filter(|host| host.as_str() != found.host.as_deref().unwrap_or_default());
        edit.priority = edit.priority.filter(|priority| *priority != found.priority);
        edit.lane = edit.lane.filter(|lane| *lane != found.lane);
        if !edit.is_empty() {
            self.emit(Event::SourceEdited {
                source,
                edit,
                actor,
                reason,
            });
        }
        Ok(Reply::Source(source))
    }

    pub(super) fn cancel_source(&mut self, source: SourceId, actor: Actor, reason: String) -> Result<Reply, Refusal> {
        let reason = checked_reason(reason)?;
        self.not_running(source)?;
        self.emit(Event::SourceCancelled { source, actor, reason });
        Ok(Reply::Source(source))
    }

    /// A person's own pick: beside the loop, in a slot that is not reserved, and within the bounds of the host.
    pub(super) fn run_source(&mut self, source: SourceId, actor: Actor, reason: String) -> Result<Reply, Refusal> {
        let reason = checked_reason(reason)?;
        self.not_running(source)?;
        let state = &*self.state;
        if state.active.is_none() {
            return Err(conflict("no_model", "there is no model to start from yet").fix("pointsman train start"));
        }
        if state.unreserved_free() == 0 {
            return Err(conflict(
                "no_slot",
                format!(
                    "all {} slots that are not reserved are taken: {} training and {} manual runs",
                    state.settings.training_ceiling(),
                    state.training_runs(),
                    state.runs_of(RunClass::Manual)
                ),
            )
            .fix("wait until a run ends, or `pointsman cancel RUN`"));
        }
        let Some(found) = state.sources.get(&source) else {
            return Ok(Reply::Done);
        };
        let host = found.host.as_deref().unwrap_or_default();
        let cap = state.settings.same_host_cap;
        let cap = Guards::of(&state.settings).runs_per_host().map_or(cap, |guard| guard.min(cap));
        if !host.is_empty() && state.index.running_of_host(host) >= cap {
            return Err(
                conflict("host_full", format!("host {host} has {cap} runs under way, which is its cap"))
                    .fix("wait until one ends, or raise same_host_cap"),
            );
        }
        if let SourceStage::Disabled { .. } = found.stage {
            self.emit(Event::SourceEnabled { source, actor, reason });
        }
        self.plan_training(source, RunClass::Manual, None);
        Ok(Reply::Run(RunId(self.state.next.run)))
    }

    fn not_running(&self, source: SourceId) -> Result<(), Refusal> {
        match self.source_stage(source)? {
            SourceStage::Running { run } => {
                Err(conflict("source_running", format!("source {source} is running as run {run}")).fix(format!("pointsman cancel {run}")))
            }
            SourceStage::Pending | SourceStage::Waiting { .. } | SourceStage::Disabled { .. } => Ok(()),
        }
    }

    pub(super) fn enable_source(&mut self, source: SourceId, actor: Actor, reason: String) -> Result<Reply, Refusal> {
        let reason = checked_reason(reason)?;
        match &self.source_stage(source)? {
            SourceStage::Disabled { .. } => {
                self.emit(Event::SourceEnabled { source, actor, reason });
                Ok(Reply::Done)
            }
            SourceStage::Pending | SourceStage::Waiting { .. } | SourceStage::Running { .. } => Ok(Reply::Done),
        }
    }

    pub(super) fn disable_source(&mut self, source: SourceId, actor: Actor, reason: String) -> Result<Reply, Refusal> {
        let reason = checked_reason(reason)?;
        match &self.source_stage(source)? {
            SourceStage::Pending | SourceStage::Waiting { .. } => {
                self.emit(Event::SourceDisabled {
                    source,
                    actor,
                    reason,
                    decision: None,
                });
                Ok(Reply::Done)
            }
            SourceStage::Disabled { .. } => Ok(Reply::Done),
            SourceStage::Running { run } => {
                Err(conflict("source_running", format!("source {source} is running as run {run}")).fix(format!("pointsman cancel {run}")))
            }
        }
    }

    fn source_stage(&self, source: SourceId) -> Result<SourceStage, Refusal> {
        let found = self.state.sources.get(&source);
        found.map(|source| source.stage.clone()).ok_or_else(|| {
            not_found(
                "source_unknown",
                format!("there is no source {source} that is pending, running or disabled"),
            )
            .fix("pointsman queue list")
        })
    }

    pub(super) fn start_training(&mut self, actor: Actor, reason: String, automatic: bool) -> Result<Reply, Refusal> {
        let reason = checked_reason(reason)?;
        let training = &self.state.training;
        if automatic && !training.enabled && training.since.is_some() {
            let why = if training.reason.is_empty() {
                String::new()
            } else {
                format!(": {}", training.reason)
            };
            return Err(conflict(
                "stopped_by_a_person",
                format!("training was stopped by {}{why}; only a person starts it again", training.actor),
            )
            .fix("pointsman train start --reason WHY"));
        }
        if !self.state.training.enabled {
            self.emit(Event::TrainingStarted { actor, reason });
        }
        Ok(Reply::Done)
    }

    pub(super) fn stop_training(&mut self, actor: Actor, reason: String) -> Result<Reply, Refusal> {
        let reason = checked_reason(reason)?;
        if self.state.training.enabled {
            self.emit(Event::TrainingStopped { actor, reason });
        }
        Ok(Reply::Done)
    }

    pub(super) fn cancel_run(&mut self, run: RunId, actor: Actor, reason: String) -> Result<Reply, Refusal> {
        let reason = checked_reason(reason)?;
        match self.state.runs.get(&run) {
            None => Err(not_found("run_unknown", format!("run {run} is not queued or running")).fix("pointsman jobs --status running")),
            Some(found) if found.cancelled.is_some() => Ok(Reply::Run(run)),
            Some(_) => {
                self.emit(Event::RunCancelRequested { run, actor, reason });
                Ok(Reply::Run(run))
            }
        }
    }
}

/// A source as it is taken, or what is wrong with it. `more` bytes are added to its title later.
pub(super) fn checked_source(mut new: NewSource, more: usize) -> Result<NewSource, Refusal> {
    new.title = new.title.trim().to_string();
    new.host = new.host.map(|host| host.trim().to_string()).filter(|host| !host.is_empty());
    let mut problems = source_problems(&new);
    if new.title.len() + more > TITLE_BYTES_MAX && new.title.len() <= TITLE_BYTES_MAX {
        problems.push(SettingProblem {
            field: "title".into(),
            problem: format!(
                "has {} bytes, at most {} are taken of a campaign",
                new.title.len(),
                TITLE_BYTES_MAX - more
            ),
        });
    }
    if problems.is_empty() {
        return Ok(new);
    }
    let mut refusal = invalid("source_invalid", format!("{}: {}", problems[0].field, problems[0].problem));
    refusal.fields = problems;
    Err(refusal)
}

/// What is wrong with a source, field by field.
pub fn source_problems(new: &NewSource) -> Vec<SettingProblem> {
    let mut problems = Vec::new();
    let mut problem = |field: &str, problem: String| {
        problems.push(SettingProblem {
            field: field.into(),
            problem,
        })
    };
    if new.title.trim().is_empty() {
        problem("title", "is empty; say in a few words what is to be practised".into());
    }
    for (field, text, most) in [
        ("title", new.title.as_str(), TITLE_BYTES_MAX),
        ("body", new.body.as_str(), BODY_BYTES_MAX),
        ("host", new.host.as_deref().unwrap_or(""), HOST_BYTES_MAX),
    ] {
        if text.len() > most {
            problem(field, format!("has {} bytes, at most {most} are taken", text.len()));
        }
    }
    for (field, text) in [("title", new.title.as_str()), ("host", new.host.as_deref().unwrap_or(""))] {
        if text.chars().any(char::is_control) {
            problem(field, "holds control characters".into());
        }
    }
    if let Some(params) = &new.params {
        if !(STEPS_MIN..=STEPS_MAX).contains(&params.steps) {
            problem(
                "params.steps",
                format!("{} is not between {STEPS_MIN} and {STEPS_MAX}", params.steps),
            );
        }
        if !(LEARNING_RATE_MIN..=LEARNING_RATE_MAX).contains(&params.learning_rate) {
            let range = format!("{LEARNING_RATE_MIN} and {LEARNING_RATE_MAX}");
            problem("params.learning_rate", format!("{} is not between {range}", params.learning_rate));
        }
        if !(0.0..=REPLAY_SHARE_MAX).contains(&params.replay_share) {
            problem(
                "params.replay_share",
                format!("{} is not between 0 and {REPLAY_SHARE_MAX}", params.replay_share),
            );
        }
    }
    problems
}

pub(super) fn checked_reason(reason: String) -> Result<String, Refusal> {
    let reason = reason.trim().to_string();
    if reason.len() > REASON_BYTES_MAX {
        return Err(invalid(
            "reason_too_long",
            format!("reason: has {} bytes, at most {REASON_BYTES_MAX} are kept", reason.len()),
        ));
    }
    Ok(reason)
}
