//! What operators ask for: sources, training, settings.

use super::{Turn, conflict, invalid, not_found};
use crate::coordinator::{Refusal, Reply};
use pointsman_model::event::Event;
use pointsman_model::settings::{LEARNING_RATE_MAX, LEARNING_RATE_MIN, REPLAY_SHARE_MAX, STEPS_MAX, STEPS_MIN, SettingProblem};
use pointsman_model::source::{NewSource, SourceStage};
use pointsman_model::{Actor, RunId, SourceId};

const TITLE_BYTES_MAX: usize = 200;
const BODY_BYTES_MAX: usize = 256 << 10;
const HOST_BYTES_MAX: usize = 120;
const REASON_BYTES_MAX: usize = 1024;

impl Turn<'_> {
    pub(super) fn submit_source(&mut self, mut new: NewSource) -> Result<Reply, Refusal> {
        new.title = new.title.trim().to_string();
        new.host = new.host.map(|host| host.trim().to_string()).filter(|host| !host.is_empty());
        let problems = source_problems(&new);
        if !problems.is_empty() {
            let mut refusal = invalid("source_invalid", format!("{}: {}", problems[0].field, problems[0].problem));
            refusal.fields = problems;
            return Err(refusal);
        }
        let source = SourceId(self.state.next.source + 1);
        self.emit(Event::SourceQueued {
            source,
            new,
            decision: None,
        });
        Ok(Reply::Source(source))
    }

    pub(super) fn enable_source(&mut self, source: SourceId, actor: Actor) -> Result<Reply, Refusal> {
        match &self.source_stage(source)? {
            SourceStage::Disabled { .. } => {
                self.emit(Event::SourceEnabled { source, actor });
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

    pub(super) fn start_training(&mut self, actor: Actor, reason: String) -> Result<Reply, Refusal> {
        let reason = checked_reason(reason)?;
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

fn source_problems(new: &NewSource) -> Vec<SettingProblem> {
    let mut problems = Vec::new();
    let mut problem = |field: &str, problem: String| {
        problems.push(SettingProblem {
            field: field.into(),
            problem,
        })
    };
    if new.title.is_empty() {
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
