//! What the coordinator is told about a run that has ended.

use pointsman_model::protocol::{Evaluation, TrainerEvent};
use pointsman_model::run::{AttemptToken, Completion, Failure, HostLoss, ModelFile, Pair, RunEnd, RunReport};

use crate::directory::{Exit, ExitEnd, Findings};

/// What the runner tells the coordinator. Each may come more than once, also after a restart: the token says
/// whether it has been taken.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// The run has a supervisor, which starts the trainer at once.
    Started { token: AttemptToken },
    /// The run has ended and no process of it is left.
    Finished { token: AttemptToken, report: RunReport },
}

/// Most pairs and hosts of one report. A trainer's word is outside input.
const PAIRS_MAX: usize = 4_096;
const HOSTS_MAX: usize = 256;
/// Longest host name taken from a trainer.
const HOST_BYTES_MAX: usize = 200;

pub(crate) fn report(exit: &Exit, model: Option<ModelFile>) -> RunReport {
    let end = match &exit.end {
        ExitEnd::Completed => RunEnd::Completed(completion(&exit.findings, model)),
        ExitEnd::Failed { class, error } => RunEnd::Failed(Failure {
            class: *class,
            error: error.clone(),
            exit_code: exit.exit_code,
        }),
        ExitEnd::Cancelled => RunEnd::Cancelled,
    };
    RunReport {
        duration_ms: exit.duration_ms,
        end,
    }
}

fn completion(findings: &Findings, model: Option<ModelFile>) -> Completion {
    let Findings {
        last_step,
        hosts,
        first_eval_loss,
        last_eval_loss,
        completed,
        evaluation,
    } = findings;
    if let Some(evaluation) = evaluation {
        return Completion {
            model,
            ..of_evaluation(evaluation)
        };
    }
    let mut completion = Completion {
        steps: u32::try_from(*last_step).unwrap_or(u32::MAX),
        loss_before: *first_eval_loss,
        loss_after: *last_eval_loss,
        losses: Vec::new(),
        hosts: hosts.iter().take(HOSTS_MAX).map(|host| host_name(host)).collect(),
        model,
        pairs: Vec::new(),
    };
    if let Some(TrainerEvent::TrainingCompleted {
        artifacts: _,
        steps,
        eval,
        eval_loss,
        eval_loss_before,
    }) = completed
    {
        if let Some(steps) = steps {
            completion.steps = u32::try_from(*steps).unwrap_or(u32::MAX);
        }
        completion.loss_before = eval_loss_before.or(completion.loss_before);
        let mean = (!eval.is_empty()).then(|| eval.iter().map(|host| host.bits).sum::<f64>() / eval.len() as f64);
        completion.loss_after = eval_loss.or(mean).or(completion.loss_after);
        let losses = eval.iter().take(HOSTS_MAX);
        completion.losses = losses
            .map(|host| HostLoss {
                host: host_name(&host.host),
                before: None,
                after: host.bits,
            })
            .collect();
    }
    completion
}

fn of_evaluation(evaluation: &Evaluation) -> Completion {
    let Evaluation {
        pairs,
        per_host,
        baseline_mean,
        candidate_mean,
    } = evaluation;
    let losses = per_host.iter().take(HOSTS_MAX);
    let pairs = pairs.iter().take(PAIRS_MAX);
    Completion {
        steps: 0,
        loss_before: Some(*baseline_mean),
        loss_after: Some(*candidate_mean),
        losses: losses
            .map(|host| HostLoss {
                host: host_name(&host.host),
                before: Some(host.baseline),
                after: host.candidate,
            })
            .collect(),
        hosts: Vec::new(),
        model: None,
        pairs: pairs
            .map(|pair| Pair {
                host: host_name(&pair.host),
                baseline: pair.baseline,
                candidate: pair.candidate,
            })
            .collect(),
    }
}

fn host_name(host: &str) -> String {
    let mut end = host.len().min(HOST_BYTES_MAX);
    while !host.is_char_boundary(end) {
        end -= 1;
    }
    host[..end].to_string()
}
