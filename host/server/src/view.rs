//! The read model: what the first screen shows, each fact derived once, here.
//!
//! [`View`] folds the journal's entries into the two lists that show the past; everything else is read from the
//! coordinator's state when a [`Dashboard`] is made.

mod decision;
mod job;
mod policy;
mod promotion;
mod queue;

pub use decision::{decision_row, subject_text, verdict_words};
pub use job::{class_slug, job_row};
pub use promotion::Phase;
pub(crate) use promotion::{
    canary_progress, candidate_card, ending, held_card, outcome_counters, pinned_model, plan, promotion_window, quality, retention_card,
    role_words, routing, unused,
};
pub(crate) use queue::{campaign_row, capacity, queue_card};

use crate::wire::*;
use pointsman_coordinator::State;
use pointsman_journal::ActivationRow;
use pointsman_model::decision::Verdict;
use pointsman_model::event::{Event, Recorded, StageBy};
use pointsman_model::policy::PolicyKind;
use pointsman_model::promotion::CandidateStage;
use pointsman_model::run::{RunEnd, RunStatus, Work};
use pointsman_model::settings::Settings;
use pointsman_model::source::Lane;
use pointsman_model::{Digest, ModelTag, RunId};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

const JOBS_MAX: usize = 30;
/// Versions of which it is known who signed them; beyond it those go that no kind remembers.
const SIGNED_MAX: usize = 256;
/// Rows of the decision list.
pub const DECISIONS_MAX: usize = 50;

/// Entries of the journal as one step of the driver made them, with the contexts of the decisions among them.
#[derive(Debug, Default)]
pub struct Batch {
    pub entries: Vec<Recorded>,
    /// One for each entry.
    pub contexts: Vec<Option<Vec<u8>>>,
}

/// The fold. See the module's page.
#[derive(Default)]
pub struct View {
    seq: u64,
    at: u64,
    /// Newest first.
    jobs: VecDeque<JobRow>,
    decisions: VecDeque<DecisionRow>,
    /// Decisions that no dashboard has shown yet; made into rows only when one does.
    fresh: VecDeque<(Arc<Batch>, usize)>,
    active_since_seq: BTreeMap<PolicyKind, u64>,
    /// The last decision before the active generation, where it is known.
    since_decision: BTreeMap<PolicyKind, u64>,
    last_decision: Option<u64>,
    /// Names of the keys that signed versions.
    signed_by: BTreeMap<Digest, String>,
    last_apply: Option<Apply>,
    /// Of the latest evaluation: sums of baseline and candidate, and pairs, by host.
    evaluation: BTreeMap<String, (f64, f64, u32)>,
    /// The gate's latest words.
    gate: Option<(u64, String)>,
}

impl View {
    /// A position that is known from elsewhere than the entries that are folded.
    pub fn note_activation(&mut self, activation: &ActivationRow, signed_by: Option<String>) {
        self.active_since_seq.insert(activation.kind, activation.seq.0);
        self.since_decision.insert(activation.kind, activation.decisions_before.0);
        self.note_signature(activation.policy.digest, signed_by);
    }

    fn note_signature(&mut self, version: Digest, signed_by: Option<String>) {
        if let Some(name) = signed_by {
            self.signed_by.insert(version, name);
        }
    }

    pub fn fold(&mut self, batch: &Arc<Batch>) {
        for (index, recorded) in batch.entries.iter().enumerate() {
            self.seq = recorded.seq.0;
            self.at = self.at.max(recorded.at);
            self.fold_entry(batch, index, recorded);
        }
    }

    fn fold_entry(&mut self, batch: &Arc<Batch>, index: usize, recorded: &Recorded) {
        match &recorded.event {
            Event::Decided(decision) => {
                self.last_decision = Some(decision.id.0);
                if let Verdict::Gate(_) = decision.ruling.verdict {
                    let text = decision
                        .ruling
                        .advice
                        .reasons
                        .first()
                        .map(|reason| reason.text.clone())
                        .unwrap_or_default();
                    self.gate = Some((decision.id.0, text));
                }
                self.fresh.push_back((batch.clone(), index));
                if self.fresh.len() > DECISIONS_MAX {
                    self.fresh.pop_front();
                }
            }
            Event::RunPlanned { run, decision } => {
                self.jobs.push_front(job_row(run, RunStatus::Queued, decision.map(|id| id.0)));
                self.jobs.truncate(JOBS_MAX);
            }
            Event::RunStarted { token } => {
                if let Some(job) = self.job_mut(token.run) {
                    job.started_at = Some(recorded.at);
                    job::set_status(job, RunStatus::Running);
                }
            }
            Event::RunFinished { token, report, model } => {
                if let RunEnd::Completed(completion) = &report.end {
                    for pair in &completion.pairs {
                        let (baseline, candidate, pairs) = self.evaluation.entry(pair.host.clone()).or_default();
                        *baseline += pair.baseline;
                        *candidate += pair.candidate;
                        *pairs += 1;
                    }
                }
                if let Some(job) = self.job_mut(token.run) {
                    job::finish(job, recorded.at, report, model.as_ref());
                }
            }
            Event::CandidateRaised { .. } => {
                self.evaluation.clear();
                self.gate = None;
            }
            Event::ModelApplied { model, before, by } => {
                let (bits_before, bits_after) = self.evaluation_means().unzip();
                let decision = match by {
                    StageBy::Decision(id) => Some(id.0),
                    StageBy::Person { .. } | StageBy::Host => None,
                };
                self.last_apply = Some(Apply {
                    at: recorded.at,
                    model: model.0.clone(),
                    before: before.0.clone(),
                    bits_before,
                    bits_after,
                    decision,
                });
            }
            Event::PolicyActivated { description, report, .. } => {
                let signed_by = report.as_ref().and_then(|report| report.signed_by.clone());
                self.note_signature(description.policy.digest, signed_by);
                self.note_change(description.kind, recorded.seq.0);
            }
            Event::PolicyCanaryStarted { description, report, .. } => {
                let signed_by = report.as_ref().and_then(|report| report.signed_by.clone());
                self.note_signature(description.policy.digest, signed_by);
            }
            Event::PolicyRolledBack { kind, .. } => self.note_change(*kind, recorded.seq.0),
            Event::HostStarted { .. }
            | Event::SourceQueued { .. }
            | Event::CampaignQueued { .. }
            | Event::CampaignCancelled { .. }
            | Event::CampaignEnded { .. }
            | Event::SourcesImported { .. }
            | Event::SourceEdited { .. }
            | Event::SourceCancelled { .. }
            | Event::LockTaken { .. }
            | Event::LockReleased { .. }
            | Event::SourceEnabled { .. }
            | Event::SourceDisabled { .. }
            | Event::RetryScheduled { .. }
            | Event::SourceMoved { .. }
            | Event::SourceGivenUp { .. }
            | Event::HostsParked { .. }
            | Event::TrainingStarted { .. }
            | Event::TrainingStopped { .. }
            | Event::SettingsChanged { .. }
            | Event::PresetSaved { .. }
            | Event::PresetDeleted { .. }
            | Event::RunCancelRequested { .. }
            | Event::ModelBootstrapped { .. }
            | Event::WindowPassed { .. }
            | Event::CandidateAdvanced { .. }
            | Event::CandidateServed { .. }
            | Event::MorePairsWanted { .. }
            | Event::CandidateHeld { .. }
            | Event::CandidateEnded { .. }
            | Event::ModelRolledBack { .. }
            | Event::ModelsRetired { .. }
            | Event::ModelPinned { .. }
            | Event::PolicyConfirmed { .. }
            | Event::PolicyPinned { .. }
            | Event::PolicyCanaryEnded { .. }
            | Event::InputQuarantined { .. }
            | Event::InputReleased { .. } => {}
        }
    }

    fn note_change(&mut self, kind: PolicyKind, seq: u64) {
        self.active_since_seq.insert(kind, seq);
        // Where the fold has begun after it, the journal's row has told.
        if let Some(decision) = self.last_decision {
            self.since_decision.insert(kind, decision);
        }
    }

    fn job_mut(&mut self, run: RunId) -> Option<&mut JobRow> {
        self.jobs.iter_mut().find(|job| job.id == run.0)
    }

    /// Means over the hosts' means of the latest evaluation: baseline, candidate.
    pub fn evaluation_means(&self) -> Option<(f64, f64)> {
        let hosts = self.evaluation.len() as f64;
        let sum = self.evaluation.values().fold((0.0, 0.0), |sum, (baseline, candidate, pairs)| {
            (sum.0 + baseline / f64::from(*pairs), sum.1 + candidate / f64::from(*pairs))
        });
        (hosts > 0.0).then(|| (sum.0 / hosts, sum.1 / hosts))
    }

    /// The read model now.
    pub fn dashboard(&mut self, state: &State) -> Dashboard {
        for (batch, index) in std::mem::take(&mut self.fresh) {
            let recorded = &batch.entries[index];
            if let Event::Decided(decision) = &recorded.event {
                let context = batch.contexts.get(index).and_then(|context| context.as_deref());
                self.decisions
                    .push_front(decision_row(recorded.seq, recorded.at, decision, context));
            }
        }
        self.decisions.truncate(DECISIONS_MAX);
        if self.signed_by.len() > SIGNED_MAX {
            let remembered = |digest: &Digest| {
                let mut slots = state.policies.values();
                slots.any(|slot| {
                    let canary = slot.canary.iter().map(|canary| &canary.installed);
                    let mut known = canary.chain(&slot.active).chain(&slot.history);
                    known.any(|installed| installed.description.policy.digest == *digest)
                })
            };
            self.signed_by.retain(|digest, _| remembered(digest));
        }
        let window = window(state);
        Dashboard {
            seq: self.seq,
            at: self.at,
            // Filled in where it is published, by the hub.
            view: ViewStamp::default(),
            version: env!("CARGO_PKG_VERSION").to_string(),
            training: training(state),
            capacity: queue::capacity(state),
            queue: queue::queue_card(state, self.at),
            pipeline: pipeline(state, &window),
            totals: totals(state),
            active: active(state),
            candidate: state
                .candidate
                .as_ref()
                .map(|candidate| promotion::candidate_card(&state.settings, candidate, self.gate.clone())),
            last_apply: self.last_apply.clone(),
            policies: PolicyKind::ALL.iter().map(|kind| self.policy(state, *kind)).collect(),
            swaps: Vec::new(),
            jobs: self.jobs.iter().cloned().collect(),
            decisions: self.decisions.iter().cloned().collect(),
            next_action: next_action(state, &window),
            alerts: alerts(state),
            window,
        }
    }

    fn policy(&self, state: &State, kind: PolicyKind) -> PolicyCard {
        let slot = state.slot(kind);
        let generation = slot.map_or(0, |slot| slot.generation);
        let previous = slot
            .and_then(|slot| slot.history.last())
            .map(|installed| installed.description.policy.to_string());
        let since_seq = self.active_since_seq.get(&kind).copied().unwrap_or(0);
        match slot.and_then(|slot| slot.active.as_ref()) {
            Some(installed) => {
                let policy = &installed.description.policy;
                PolicyCard {
                    kind: kind.slug().to_string(),
                    generation,
                    name: policy.name.clone(),
                    version: policy.version.clone(),
                    digest: policy.digest.to_string(),
                    engine: policy.engine.slug().to_string(),
                    summary: installed.description.summary.clone(),
                    since_seq,
                    since: installed.activated_at,
                    actor: installed.actor.clone(),
                    reason: installed.reason.clone(),
                    decisions: installed.decisions,
                    faults: installed.faults,
                    previous,
                    since_decision: self.since_decision.get(&kind).copied(),
                    set: installed.set,
                    confirm_by: installed.confirm_by,
                    pinned: slot.and_then(policy::pinned),
                    signed_by: self.signed_by.get(&policy.digest).cloned(),
                    canary: slot.and_then(policy::canary),
                    shadows: Vec::new(),
                    breaker: policy::breaker(slot, self.at),
                    quarantine: slot.map(policy::quarantine).unwrap_or_default(),
                    problem: None,
                }
            }
            None => {
                let policy = pointsman_model::policy::PolicyRef::built_in(kind);
                PolicyCard {
                    kind: kind.slug().to_string(),
                    generation,
                    name: policy.name,
                    version: policy.version,
                    digest: policy.digest.to_string(),
                    engine: policy.engine.slug().to_string(),
                    summary: "The host's own fallback; no policy has been activated for this kind.".to_string(),
                    since_seq,
                    since: 0,
                    actor: "host".to_string(),
                    reason: String::new(),
                    decisions: 0,
                    faults: 0,
                    previous,
                    since_decision: None,
                    set: None,
                    confirm_by: None,
                    pinned: slot.and_then(policy::pinned),
                    signed_by: None,
                    canary: slot.and_then(policy::canary),
                    shadows: Vec::new(),
                    breaker: policy::breaker(slot, self.at),
                    quarantine: slot.map(policy::quarantine).unwrap_or_default(),
                    problem: None,
                }
            }
        }
    }
}

pub(crate) fn training(state: &State) -> TrainingState {
    let running = state.training_runs();
    let (slug, label) = match (state.training.enabled, running) {
        (true, _) => ("running", "Running"),
        (false, 0) => ("stopped", "Stopped"),
        (false, _) => ("draining", "Draining"),
    };
    TrainingState {
        slug: slug.to_string(),
        label: label.to_string(),
        enabled: state.training.enabled,
        running,
        cap: state.settings.training_cap(),
        by: state.training.actor.clone(),
        reason: state.training.reason.clone(),
        since: state.training.since,
    }
}

/// Queued, executing, success rate, live applies: the four stages of the pipeline strip.
pub fn strip(state: &State) -> Vec<PipelineStage> {
    let stage = |slug: &str, label: &str, count: u64, value: String, detail: String| PipelineStage {
        slug: slug.to_string(),
        label: label.to_string(),
        count,
        value,
        detail,
    };
    let (queued, running) = (u64::from(state.index.pending(Lane::Queue)), u64::from(state.training_runs()));
    let (recent, applies) = (recent(state), state.totals.live_applies);
    vec![
        stage(
            "queued",
            "Queued",
            queued,
            queued.to_string(),
            format!("+{} curriculum", state.index.pending(Lane::Curriculum)),
        ),
        stage(
            "executing",
            "Executing",
            running,
            running.to_string(),
            format!("of {} cap", state.settings.training_cap()),
        ),
        stage(
            "success_rate",
            "Success rate",
            recent.successes,
            recent.percent.map_or("-".to_string(), |percent| format!("{percent:.0} %")),
            format!("{}/{} recent", recent.successes, recent.outcomes),
        ),
        stage(
            "live_applies",
            "Live applies",
            applies,
            applies.to_string(),
            "model promotions".to_string(),
        ),
    ]
}

/// The rolling success rate.
pub fn recent(state: &State) -> RecentOutcomes {
    let Totals {
        recent_successes: successes,
        recent_outcomes: outcomes,
        ..
    } = totals(state);
    RecentOutcomes {
        successes,
        outcomes,
        window: pointsman_coordinator::RECENT_OUTCOMES_MAX as u64,
        percent: percent(successes, outcomes),
    }
}

/// A share in percent; none of nothing.
pub fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| 100.0 * part as f64 / whole as f64)
}

/// How many training runs there may be, and why.
pub fn ceiling(settings: &Settings) -> Ceiling {
    let (left, effective) = (settings.training_ceiling(), settings.training_cap());
    let words = if settings.training_max_active <= left {
        format!(
            "{effective} training runs at most, as set; {} slots less {} reserved would leave room for {left}.",
            settings.global_max, settings.reserved_slots
        )
    } else {
        format!(
            "{effective} training runs at most: {} are set, but {} slots less {} reserved leave room for {left}.",
            settings.training_max_active, settings.global_max, settings.reserved_slots
        )
    };
    Ceiling {
        global_max: settings.global_max,
        reserved_slots: settings.reserved_slots,
        left_for_training: left,
        training_max_active: settings.training_max_active,
        effective,
        words,
    }
}

pub(crate) fn pipeline(state: &State, window: &Window) -> Vec<Stage> {
    let stage = |slug: &str, label: &str, count: u64, detail: String| Stage {
        slug: slug.to_string(),
        label: label.to_string(),
        count,
        detail,
    };
    let evaluations = state.runs.len() as u64 - u64::from(state.training_runs());
    let execute = match evaluations {
        0 => format!("{} of {} training slots", state.training_runs(), state.settings.training_cap()),
        n => format!("{} training, {n} other", state.training_runs()),
    };
    vec![
        stage(
            "queue",
            "Queue",
            u64::from(state.index.pending(Lane::Queue)),
            format!("+{} curriculum", state.index.pending(Lane::Curriculum)),
        ),
        stage("execute", "Execute", state.runs.len() as u64, execute),
        stage(
            "outcome",
            "Outcome",
            state.totals.outcomes,
            format!("{} ok, {} failed", state.totals.successes, state.totals.failures),
        ),
        stage(
            "promotion",
            "Promotion",
            state.totals.live_applies,
            format!("{} of {} {}", window.done, window.size, window.state),
        ),
    ]
}

pub(crate) fn window(state: &State) -> Window {
    let size = u64::from(state.settings.promotion_window);
    let done = state.window_done().min(size);
    // Time goes on with the journal here, so that replaying it shows the same.
    let phase = Phase::of(state, state.last_at, state.active.as_ref());
    Window {
        size,
        done,
        remaining: size - done,
        watermark: state.watermark,
        state: phase.slug().to_string(),
        state_label: phase.sentence(state),
    }
}

pub(crate) fn totals(state: &State) -> Totals {
    let totals = &state.totals;
    Totals {
        outcomes: totals.outcomes,
        successes: totals.successes,
        failures: totals.failures,
        recent_successes: state.recent_outcomes.iter().filter(|success| **success).count() as u64,
        recent_outcomes: state.recent_outcomes.len() as u64,
        live_applies: totals.live_applies,
        rejected: totals.rejected,
        rolled_back: totals.rolled_back,
        decisions: totals.decisions,
        fallbacks: totals.fallbacks,
        swaps: totals.swaps,
    }
}

fn active(state: &State) -> Option<ModelCard> {
    let model = state.active_model()?;
    let hosts: Vec<HostBits> = state
        .hosts
        .iter()
        .filter_map(|(host, record)| {
            Some(HostBits {
                host: host.clone(),
                bits: record.loss_active?,
            })
        })
        .collect();
    let mean = (!hosts.is_empty()).then(|| hosts.iter().map(|host| host.bits).sum::<f64>() / hosts.len() as f64);
    Some(ModelCard {
        tag: model.tag.0.clone(),
        digest: model.digest.to_string(),
        parent: model.parent.as_ref().map(|ModelTag(tag)| tag.clone()),
        live_since: Some(state.active_since),
        mean,
        hosts,
        answered: 0,
    })
}

pub(crate) fn next_action(state: &State, window: &Window) -> String {
    if let Some(candidate) = &state.candidate {
        return match &candidate.stage {
            CandidateStage::Evaluating { run: None, failures, .. } if *failures > 0 => {
                format!("The evaluation of {} is tried again after a pause.", candidate.tag)
            }
            CandidateStage::Evaluating { .. } => {
                format!("The gate compares {} with {} on held-out text.", candidate.tag, candidate.baseline)
            }
            CandidateStage::Canary { wanted, .. } => {
                format!(
                    "The gate looks again at {} after {} of {wanted} canary requests.",
                    candidate.tag,
                    candidate.pairs.len()
                )
            }
            CandidateStage::Watching { wanted, .. } => {
                format!(
                    "{} is live; the gate looks again after {} of {wanted} requests.",
                    candidate.tag,
                    candidate.pairs.len()
                )
            }
            CandidateStage::Held { .. } => format!("{} waits for a person: approve it or turn it down.", candidate.tag),
        };
    }
    if !state.training.enabled {
        return match state.training_runs() {
            0 => "Nothing until training is started.".to_string(),
            1 => "The run under way ends by itself; then nothing until training is started.".to_string(),
            n => format!("{n} runs end by themselves; then nothing until training is started."),
        };
    }
    if state.active.is_none() {
        return match state.runs.values().any(|run| matches!(run.work, Work::Bootstrap)) {
            true => "The first model is being made.".to_string(),
            false => "The first model is made as soon as its last failure is over.".to_string(),
        };
    }
    if state.runs.is_empty() && state.index.pending(Lane::Queue) + state.index.pending(Lane::Curriculum) == 0 {
        return "The curriculum is asked what to practise.".to_string();
    }
    match window.remaining {
        0 => "The window is full: the newest model is evaluated.".to_string(),
        1 => "1 more success until the newest model is evaluated.".to_string(),
        n => format!("{n} more successes until the newest model is evaluated."),
    }
}

fn alerts(state: &State) -> Vec<Alert> {
    let mut alerts = Vec::new();
    if let Some(candidate) = &state.candidate
        && let CandidateStage::Held { reason, .. } = &candidate.stage
    {
        alerts.push(Alert {
            level: "warning".to_string(),
            code: "candidate_held".to_string(),
            text: format!("{} waits for a person: {reason}", candidate.tag),
            fix: Some(format!(
                "`pointsman promotion approve {}` or `pointsman promotion reject {}`",
                candidate.tag, candidate.tag
            )),
        });
    }
    for (kind, slot) in &state.policies {
        if let Some(active) = &slot.active
            && active.faults_in_a_row > 0
        {
            alerts.push(Alert {
                level: "warning".to_string(),
                code: "policy_faults".to_string(),
                text: format!(
                    "{} did not answer the last {} questions; a fallback did",
                    active.description.policy, active.faults_in_a_row
                ),
                fix: Some(format!("`pointsman policy rollback {kind}`, or save a corrected version")),
            });
        }
    }
    let parked: Vec<&str> = state
        .hosts
        .iter()
        .filter(|(_, record)| record.parked)
        .map(|(host, _)| host.as_str())
        .collect();
    if !parked.is_empty() {
        alerts.push(Alert {
            level: "info".to_string(),
            code: "hosts_parked".to_string(),
            text: format!("The curriculum has stopped practising: {}", parked.join(", ")),
            fix: None,
        });
    }
    alerts
}
