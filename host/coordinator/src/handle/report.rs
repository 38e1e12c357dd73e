//! What the runner and the model service report.

use super::{Turn, conflict};
use crate::coordinator::{Refusal, Reply};
use crate::input::StickyKey;
use crate::state::error_digest;
use pointsman_model::context::{Context, RetryContext};
use pointsman_model::decision::{RetryVerdict, Subject, Verdict};
use pointsman_model::event::Event;
use pointsman_model::promotion::{CandidateStage, ServedSample};
use pointsman_model::run::{AttemptToken, Completion, Failure, FailureClass, RunEnd, RunReport, Work};
use pointsman_model::source::{Source, SourceStage};
use pointsman_model::{Actor, ModelTag};

impl Turn<'_> {
    pub(super) fn report_started(&mut self, token: AttemptToken) -> Result<Reply, Refusal> {
        let run = self.run_of(token)?;
        // Told twice by a runner that does not know whether it was heard: a fact already.
        if run.started_at.is_none() {
            self.emit(Event::RunStarted { token });
        }
        Ok(Reply::Run(token.run))
    }

    pub(super) fn report_finished(&mut self, token: AttemptToken, mut report: RunReport) -> Result<Reply, Refusal> {
        let run = self.run_of(token)?;
        let work = run.work.clone();
        let base = run.base.clone();
        if let Some(problem) = nonsense(&work, &report.end) {
            report.end = RunEnd::Failed(Failure {
                class: FailureClass::Deterministic,
                error: problem,
                exit_code: None,
            });
        }
        let makes_model = matches!(&report.end, RunEnd::Completed(Completion { model: Some(_), .. }));
        let model = makes_model.then(|| ModelTag::numbered(self.state.next.model + 1));
        let end = report.end.clone();
        let elapsed_ms = report.duration_ms;
        self.emit(Event::RunFinished {
            token,
            report,
            model: model.clone(),
        });
        match (&work, &end) {
            (Work::Bootstrap, RunEnd::Completed(_)) => {
                if let (Some(model), None, None) = (model, base, &self.state.active) {
                    self.emit(Event::ModelBootstrapped { model });
                }
            }
            (Work::Train { source, .. }, RunEnd::Failed(failure)) => {
                if let Some(source) = self.state.sources.get(source).cloned()
                    && !self.cancel_with_campaign(&source)
                {
                    self.decide_retry(&source, token, failure, elapsed_ms);
                }
            }
            (Work::Train { source, .. }, RunEnd::Cancelled) => {
                if let Some(source) = self.state.sources.get(source).cloned() {
                    self.cancel_with_campaign(&source);
                }
            }
            (Work::Evaluate { candidate, .. }, RunEnd::Completed(_)) => self.judge_evaluation(candidate),
            (Work::Evaluate { .. }, RunEnd::Failed(failure)) => self.count_failed_evaluation(failure),
            (Work::Bootstrap | Work::Evaluate { .. }, RunEnd::Failed(_) | RunEnd::Cancelled)
            | (Work::Train { .. }, RunEnd::Completed(_)) => {}
        }
        Ok(Reply::Run(token.run))
    }

    pub(super) fn report_served(&mut self, candidate: ModelTag, samples: Vec<ServedSample>) -> Result<Reply, Refusal> {
        let stage = self
            .state
            .candidate
            .as_ref()
            .filter(|found| found.tag == candidate)
            .map(|found| &found.stage);
        match stage {
            Some(CandidateStage::Canary { .. } | CandidateStage::Watching { .. }) => {
                if !samples.is_empty() {
                    let samples = samples.into_iter().map(finite).collect();
                    self.emit(Event::CandidateServed { candidate, samples });
                }
                Ok(Reply::Done)
            }
            // Served before the stage ended and told after it: no longer of interest.
            Some(CandidateStage::Evaluating { .. } | CandidateStage::Held { .. }) | None => Ok(Reply::Done),
        }
    }

    /// A row of a campaign that was cancelled leaves when its run ends without success: nobody is asked. Says whether it did.
    fn cancel_with_campaign(&mut self, source: &Source) -> bool {
        let campaign = source.campaign.and_then(|row| self.state.campaigns.get(&row.campaign));
        let Some(cancelled) = campaign.and_then(|campaign| campaign.cancelled.as_ref()) else {
            return false;
        };
        let (actor, reason) = (Actor::new(&cancelled.actor), cancelled.reason.clone());
        let source = source.id;
        self.emit(Event::SourceCancelled { source, actor, reason });
        true
    }

    fn run_of(&self, token: AttemptToken) -> Result<&pointsman_model::run::Run, Refusal> {
        match self.state.runs.get(&token.run) {
            Some(run) if run.token == token => Ok(run),
            Some(_) => Err(conflict("attempt_fenced", format!("run {} belongs to another attempt", token.run))),
            None => Err(conflict("run_over", format!("run {} has its outcome already", token.run))),
        }
    }

    fn decide_retry(&mut self, source: &Source, token: AttemptToken, failure: &Failure, elapsed_ms: u64) {
        let budget = self.state.settings.retry_budget;
        let host = source.host.as_ref().and_then(|host| self.state.hosts.get(host));
        let context = RetryContext {
            frame: self.frame(pointsman_model::policy::PolicyKind::Retry),
            source: source.id.0,
            run: token.run.0,
            title: source.title.clone(),
            lane: source.lane,
            origin: source.origin,
            host: source.host.clone(),
            attempt: token.attempt,
            class: failure.class,
            failures: source.failures,
            budget,
            budget_left: budget.saturating_sub(source.failures.total()),
            exit_code: failure.exit_code,
            error: failure.error.clone(),
            error_digest: error_digest(&failure.error),
            same_error_before: source.same_error,
            elapsed_ms,
            host_successes: host.map_or(0, |host| host.successes),
            host_failures: host.map_or(0, |host| host.failures),
        };
        let sticky = match &source.campaign {
            Some(campaign) => StickyKey::Campaign(campaign.campaign.name()),
            None => StickyKey::Source(source.id.0),
        };
        let decision = self.decide(Subject::Run(token.run), sticky, Context::Retry(context));
        let (id, source) = (decision.id, source.id);
        let reason = || {
            decision
                .ruling
                .advice
                .reasons
                .first()
                .map(|reason| reason.text.clone())
                .unwrap_or_default()
        };
        let event = match &decision.ruling.verdict {
            Verdict::Retry(RetryVerdict::Retry(delay_ms)) => Event::RetryScheduled {
                source,
                at: self.now + delay_ms,
                decision: id,
            },
            Verdict::Retry(RetryVerdict::MoveLane(lane)) => Event::SourceMoved {
                source,
                lane: *lane,
                decision: id,
            },
            Verdict::Retry(RetryVerdict::Disable) => Event::SourceDisabled {
                source,
                actor: Actor::new("policy"),
                reason: reason(),
                decision: Some(id),
            },
            Verdict::Retry(RetryVerdict::GiveUp) => Event::SourceGivenUp { source, decision: id },
            other => unreachable!("a checked answer to a retry question is a retry verdict, not {other:?}"),
        };
        if self
            .state
            .sources
            .get(&source)
            .is_some_and(|found| found.stage == SourceStage::Pending)
        {
            self.emit(event);
        }
    }
}

/// What is wrong with a completion, if anything: a trainer's numbers are outside input.
fn nonsense(work: &Work, end: &RunEnd) -> Option<String> {
    let RunEnd::Completed(completion) = end else { return None };
    let losses = completion
        .losses
        .iter()
        .flat_map(|loss| [Some(loss.after), loss.before])
        .chain([completion.loss_before, completion.loss_after]);
    let pairs = completion.pairs.iter().flat_map(|pair| [Some(pair.baseline), Some(pair.candidate)]);
    if losses.chain(pairs).flatten().any(|number| !number.is_finite()) {
        return Some("the run reported a loss that is not a finite number".into());
    }
    match work {
        Work::Bootstrap | Work::Train { .. } if completion.model.is_none() => Some("the run ended well but left no model".into()),
        Work::Evaluate { .. } if completion.pairs.is_empty() => Some("the evaluation ended well but compared nothing".into()),
        Work::Bootstrap | Work::Train { .. } | Work::Evaluate { .. } => None,
    }
}

fn finite(mut sample: ServedSample) -> ServedSample {
    sample.pair = sample.pair.filter(|pair| pair.baseline.is_finite() && pair.candidate.is_finite());
    if !sample.latency_ms.is_finite() {
        sample.latency_ms = 0.0;
        sample.failed = true;
    }
    sample
}
