//! A coordinator of its own, led to the question of one kind.

use anyhow::{Context as _, Result, anyhow};
use pointsman_coordinator::{Coordinator, Policies};
use pointsman_model::command::Command;
use pointsman_model::decision::{Decision, Verdict};
use pointsman_model::event::{Emitted, Event};
use pointsman_model::policy::{PolicyDescription, PolicyKind};
use pointsman_model::run::{AttemptToken, Completion, Failure, FailureClass, HostLoss, ModelFile, Pair, RunEnd, RunReport};
use pointsman_model::settings::Settings;
use pointsman_model::source::{Lane, NewSource, Origin};
use pointsman_model::{Actor, Digest};

/// A question that was put to a policy by way of the coordinator.
pub(super) struct Asked {
    pub(super) decision: Decision,
    /// CPU time of the whole turn: policy, fallback and record.
    pub(super) cpu_ms: f64,
    pub(super) coordinator: Coordinator,
}

/// What is changed on the way to the question.
#[derive(Clone, Default)]
pub(super) struct Course {
    pub(super) settings: Settings,
}

impl Course {
    pub(super) fn plain() -> Course {
        Course {
            settings: Settings {
                promotion_window: 1,
                ..Settings::default()
            },
        }
    }
}

/// Activates the version in a fresh coordinator and leads it to the first question of the version's kind.
pub(super) fn ask(description: PolicyDescription, policies: &mut dyn Policies, course: Course) -> Result<Asked> {
    let kind = description.kind;
    let mut coordinator = Coordinator::new();
    let mut now = 1_000_000;
    let mut told = |command: Command| -> Result<Vec<Emitted>> {
        now += 1;
        let handled = coordinator.handle(now, command, policies);
        Ok(handled.map_err(|refusal| anyhow!("the coordinator refuses: {refusal:?}"))?.events)
    };
    let actor = Actor::new("attack-check");
    let reason = String::new;
    told(Command::StartHost {
        version: "test".into(),
        paused: false,
    })?;
    told(Command::ChangeSettings {
        settings: course.settings,
        actor: actor.clone(),
    })?;
    told(Command::activate(description, actor.clone(), reason()))?;
    if kind != PolicyKind::Curriculum {
        for host in ["first", "second"] {
            told(Command::SubmitSource(NewSource {
                title: format!("a source of {host}"),
                body: String::new(),
                host: Some(host.to_string()),
                lane: Lane::Queue,
                origin: Origin::Cli,
                priority: 0,
                params: None,
            }))?;
        }
    }
    let events = told(Command::StartTraining {
        actor,
        reason: reason(),
        automatic: false,
    })?;
    let bootstrap = planned(&events).context("the first model is planned")?;
    let mut last = finished(bootstrap, completed(bootstrap));
    if matches!(kind, PolicyKind::Retry | PolicyKind::PromotionGate) {
        let run = planned(&told(last)?).context("a run is planned")?;
        last = match kind {
            PolicyKind::Retry => finished(
                run,
                RunEnd::Failed(Failure {
                    class: FailureClass::Transient,
                    error: "connection reset".into(),
                    exit_code: Some(75),
                }),
            ),
            _ => {
                let evaluation = planned(&told(finished(run, completed(run)))?).context("an evaluation is planned")?;
                let pair = Pair {
                    host: "first".into(),
                    baseline: 3.0,
                    candidate: 2.5,
                };
                let pairs = vec![pair; 8];
                finished(
                    evaluation,
                    RunEnd::Completed(Completion {
                        pairs,
                        ..Completion::default()
                    }),
                )
            }
        };
    }
    let before = super::rig::cpu_ms();
    let events = told(last)?;
    let cpu_ms = super::rig::cpu_ms() - before;
    let decision = events
        .into_iter()
        .find_map(|emitted| match emitted.event {
            Event::Decided(decision) if decision.kind == kind => Some(*decision),
            _ => None,
        })
        .with_context(|| format!("{kind} was not asked"))?;
    Ok(Asked {
        decision,
        cpu_ms,
        coordinator,
    })
}

/// Whether this is what a kind falls back to when no policy can be asked: nothing that a failing policy could gain by.
pub(super) fn is_fallback(verdict: &Verdict) -> bool {
    use pointsman_model::decision::{CurriculumVerdict, GateVerdict, RetryVerdict, SelectionVerdict};
    match verdict {
        // Fair first in, first out.
        Verdict::Selection(verdict) => *verdict == SelectionVerdict::Pick(vec![0]),
        Verdict::Retry(verdict) => matches!(
            verdict,
            RetryVerdict::Retry(1..=3_600_000) | RetryVerdict::GiveUp | RetryVerdict::Disable
        ),
        Verdict::Gate(verdict) => *verdict == GateVerdict::Hold,
        Verdict::Curriculum(verdict) => *verdict == CurriculumVerdict::Nothing,
    }
}

fn finished(token: AttemptToken, end: RunEnd) -> Command {
    Command::ReportFinished {
        token,
        report: RunReport { duration_ms: 1_000, end },
    }
}

fn completed(token: AttemptToken) -> RunEnd {
    let losses = ["first", "second"].map(|host| HostLoss {
        host: host.into(),
        before: None,
        after: 3.0,
    });
    RunEnd::Completed(Completion {
        losses: losses.to_vec(),
        model: Some(ModelFile {
            digest: Digest::of(token.run.to_string().as_bytes()),
            bytes: 1,
            path: format!("models/{}", token.run),
        }),
        ..Completion::default()
    })
}

fn planned(events: &[Emitted]) -> Option<AttemptToken> {
    events.iter().find_map(|emitted| match &emitted.event {
        Event::RunPlanned { run, .. } => Some(run.token),
        _ => None,
    })
}
