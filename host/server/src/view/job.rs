//! Rows of the job list.

use crate::wire::JobRow;
use pointsman_model::ModelTag;
use pointsman_model::run::{Run, RunClass, RunEnd, RunReport, RunStatus, Work};

pub fn class_slug(class: RunClass) -> &'static str {
    match class {
        RunClass::Training => "training",
        RunClass::Eval => "eval",
        RunClass::Canary => "canary",
        RunClass::Manual => "manual",
    }
}

/// A run that has no outcome yet.
pub fn job_row(run: &Run, status: RunStatus, decision: Option<u64>) -> JobRow {
    let (host, source) = match &run.work {
        Work::Train { source, host, .. } => (host.clone(), Some(source.0)),
        Work::Bootstrap | Work::Evaluate { .. } => (None, None),
    };
    let class = match &run.work {
        Work::Bootstrap => "bootstrap",
        Work::Train { .. } | Work::Evaluate { .. } => class_slug(run.class),
    };
    JobRow {
        id: run.token.run.0,
        name: run.title.clone(),
        class: class.to_string(),
        host,
        source,
        attempt: run.token.attempt,
        status_slug: status.slug().to_string(),
        status_label: status.label().to_string(),
        created_at: run.planned_at,
        started_at: run.started_at,
        finished_at: None,
        steps: None,
        loss: None,
        model: None,
        base: run.base.as_ref().map(|ModelTag(tag)| tag.clone()),
        error: None,
        failure_class: None,
        decision,
    }
}

pub(super) fn set_status(job: &mut JobRow, status: RunStatus) {
    job.status_slug = status.slug().to_string();
    job.status_label = status.label().to_string();
}

pub(super) fn finish(job: &mut JobRow, at: u64, report: &RunReport, model: Option<&ModelTag>) {
    job.finished_at = Some(at);
    job.model = model.map(|ModelTag(tag)| tag.clone());
    match &report.end {
        RunEnd::Completed(completion) => {
            set_status(job, RunStatus::Completed);
            job.steps = (completion.steps > 0).then_some(completion.steps);
            job.loss = completion.loss_after;
        }
        RunEnd::Failed(failure) => {
            set_status(job, RunStatus::Failed);
            job.error = Some(failure.error.clone());
            job.failure_class = Some(failure.class.slug().to_string());
        }
        RunEnd::Cancelled => set_status(job, RunStatus::Cancelled),
    }
}
