//! One course: the real coordinator and the real policies, from deadline to deadline of a virtual clock.

use super::figures::*;
use super::model::OutsideModel;
use super::outside::{Outside, macro_mean};
use crate::world::EPOCH_MS;
use pointsman_coordinator::{Coordinator, Policies, Refusal, Reply};
use pointsman_model::command::{Activation, Command};
use pointsman_model::decision::{Decision, Link, Verdict};
use pointsman_model::event::Event;
use pointsman_model::policy::{PolicyDescription, PolicyKind, PolicyRef};
use pointsman_model::promotion::{CandidateEnd, CandidateStage};
use pointsman_model::run::{AttemptToken, FailureClass, RunClass, RunEnd, RunReport, Work};
use pointsman_model::settings::Settings;
use pointsman_model::source::{Lane, NewSource, Origin};
use pointsman_model::{Actor, Millis, ModelTag, RunId, SourceId};
use std::collections::BTreeMap;

/// Longest simulated time: thirty days.
pub const HOURS_MAX: f64 = 720.0;
/// Samples of standard requests are handed over together, as a host does it, if not as often.
const SERVE_EVERY_MS: Millis = 5_000;
/// Between two words on how far it is, in simulated time.
const PROGRESS_EVERY_MS: Millis = 60_000;

/// What is to be simulated.
#[derive(Clone, Debug)]
pub struct Question<'q> {
    /// Names the course where two stand side by side.
    pub label: String,
    pub hours: f64,
    pub seed: u64,
    pub model: &'q OutsideModel,
    /// Versions that serve from the start; a kind without one is decided by the built-in fallback.
    pub policies: Vec<PolicyDescription>,
}

#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    #[error("hours: {0} is not above 0 and at most {HOURS_MAX}")]
    Hours(f64),
    #[error("{}: {}", .0.field, .0.problem)]
    Model(super::model::ModelProblem),
    #[error("the coordinator refused to {step}: {refusal}")]
    Refused { step: &'static str, refusal: Refusal },
    #[error("it was ended")]
    Ended,
}

/// Simulates. `on_progress` is told the share that is done, and ends it by answering false.
pub fn simulate(
    question: &Question<'_>,
    policies: &mut dyn Policies,
    on_progress: &mut dyn FnMut(f64) -> bool,
) -> Result<Figures, SimulateError> {
    if !(question.hours > 0.0 && question.hours <= HOURS_MAX) {
        return Err(SimulateError::Hours(question.hours));
    }
    if let Some(problem) = question.model.problems().into_iter().next() {
        return Err(SimulateError::Model(problem));
    }
    let mut play = Play::new(question, policies);
    play.begin()?;
    let mut told_at = 0;
    while play.step() {
        if play.now >= told_at + PROGRESS_EVERY_MS {
            told_at = play.now;
            if !on_progress((play.now - EPOCH_MS) as f64 / (play.end - EPOCH_MS) as f64) {
                return Err(SimulateError::Ended);
            }
        }
    }
    Ok(play.figures())
}

/// What the outside has to say at a time.
enum Message {
    Arrival { host: usize, n: u64 },
    Started(AttemptToken),
    Finished(AttemptToken, Box<RunReport>),
    Serve,
}

/// A source, from queued to its first attempt.
struct Wait {
    host: usize,
    lane: Lane,
    since: Millis,
    until: Option<Millis>,
}

#[derive(Default)]
struct HostCount {
    queued: u64,
    seeded: u64,
    runs: u64,
    succeeded: u64,
}

struct Play<'q> {
    question: &'q Question<'q>,
    outside: Outside<'q>,
    coordinator: Coordinator,
    policies: &'q mut dyn Policies,
    now: Millis,
    end: Millis,
    /// What comes, by time and order of sending.
    messages: BTreeMap<(Millis, u64), Message>,
    sent: u64,
    serving: bool,
    entries: u64,
    runs: BTreeMap<RunId, (Millis, Work)>,
    waits: BTreeMap<SourceId, Wait>,
    hosts: Vec<HostCount>,
    attempts: BTreeMap<SourceId, u32>,
    found: Figures,
    fuel: BTreeMap<PolicyKind, (f64, u64)>,
    busy_ms: f64,
    failed_ms: f64,
    points: Vec<Millis>,
    successes_since: f64,
    candidates: Vec<CandidateFigures>,
}

impl<'q> Play<'q> {
    fn new(question: &'q Question<'q>, policies: &'q mut dyn Policies) -> Play<'q> {
        let span_ms = (question.hours * 3_600_000.0).round().max(1.0) as Millis;
        let point = |index: usize| EPOCH_MS + span_ms * (index as u64 + 1) / CURVE_POINTS as u64;
        Play {
            question,
            outside: Outside::new(question.model, question.seed),
            coordinator: Coordinator::new(),
            policies,
            now: EPOCH_MS,
            end: EPOCH_MS + span_ms,
            messages: BTreeMap::new(),
            sent: 0,
            serving: false,
            entries: 0,
            runs: BTreeMap::new(),
            waits: BTreeMap::new(),
            hosts: question.model.hosts.iter().map(|_| HostCount::default()).collect(),
            attempts: BTreeMap::new(),
            found: Figures {
                label: question.label.clone(),
                hours: question.hours,
                seed: question.seed,
                ..Figures::default()
            },
            fuel: BTreeMap::new(),
            busy_ms: 0.0,
            failed_ms: 0.0,
            points: (0..CURVE_POINTS).map(point).collect(),
            successes_since: 0.0,
            candidates: Vec::new(),
        }
    }

    fn begin(&mut self) -> Result<(), SimulateError> {
        let actor = || Actor::new("simulation");
        self.must("start", Command::StartHost { version: "0.1.0".into() })?;
        let settings: Settings = self.question.model.settings.clone();
        self.must("take the settings", Command::ChangeSettings { settings, actor: actor() })?;
        let policies: Vec<Activation> = self.question.policies.iter().cloned().map(Activation::of).collect();
        if !policies.is_empty() {
            let activate = Command::ActivatePolicies {
                policies,
                confirm_within_ms: None,
                force: false,
                actor: actor(),
                reason: "simulated".into(),
            };
            self.must("activate the policies", activate)?;
        }
        for (host, model) in self.question.model.hosts.iter().enumerate() {
            for n in 0..u64::from(model.waiting_at_start) {
                self.queue(host, n);
            }
            self.plan_arrival(host, u64::from(model.waiting_at_start));
        }
        let start = Command::StartTraining {
            actor: actor(),
            reason: "simulated".into(),
        };
        self.must("start training", start)
    }

    fn must(&mut self, step: &'static str, command: Command) -> Result<(), SimulateError> {
        match self.tell(command) {
            Ok(_) => Ok(()),
            Err(refusal) => Err(SimulateError::Refused { step, refusal }),
        }
    }

    /// One command at the next time at which there is one; false at the end.
    fn step(&mut self) -> bool {
        let message = self.messages.first_key_value().map(|((at, _), _)| *at);
        let deadline = self.coordinator.next_deadline(self.now);
        let next = message.into_iter().chain(deadline).min();
        let Some(next) = next.filter(|next| *next < self.end) else {
            self.pass_points(self.end);
            self.now = self.end;
            return false;
        };
        self.pass_points(next);
        self.now = self.now.max(next);
        if message != Some(next) {
            // Refused is not possible: a tick asks for nothing.
            let _ = self.tell(Command::Tick);
            return true;
        }
        let Some((_, message)) = self.messages.pop_first() else {
            return true;
        };
        match message {
            Message::Arrival { host, n } => {
                self.queue(host, n);
                self.plan_arrival(host, n + 1);
            }
            Message::Started(token) => {
                let _ = self.tell(Command::ReportStarted { token });
            }
            Message::Finished(token, report) => {
                let _ = self.tell(Command::ReportFinished { token, report: *report });
            }
            Message::Serve => self.serve(),
        }
        true
    }

    fn send(&mut self, at: Millis, message: Message) {
        self.sent += 1;
        self.messages.insert((at, self.sent), message);
    }

    fn plan_arrival(&mut self, host: usize, n: u64) {
        if let Some(gap_ms) = self.outside.arrival_gap_ms(host, n) {
            self.send(self.now + gap_ms, Message::Arrival { host, n });
        }
    }

    fn queue(&mut self, host: usize, n: u64) {
        let name = &self.question.model.hosts[host].name;
        let submit = Command::SubmitSource(NewSource {
            title: format!("{name} {}", n + 1),
            body: String::new(),
            host: Some(name.clone()),
            lane: Lane::Queue,
            origin: Origin::Cli,
            priority: 0,
            params: None,
        });
        // The identity must be known before the turn picks the source, which it may do at once.
        let next = SourceId(self.coordinator.state().next.source + 1);
        self.outside.queued(next, host, n);
        self.hosts[host].queued += 1;
        let _ = self.tell(submit);
    }

    fn serve(&mut self) {
        self.serving = false;
        let state = self.coordinator.state();
        let Some(candidate) = &state.candidate else { return };
        let share = match candidate.stage {
            CandidateStage::Canary { .. } => Some(state.settings.canary_share),
            CandidateStage::Watching { .. } => None,
            CandidateStage::Evaluating { .. } | CandidateStage::Held { .. } => return,
        };
        let (tag, baseline) = (candidate.tag.clone(), candidate.baseline.clone());
        let samples = self.outside.served(&tag, &baseline, share, SERVE_EVERY_MS);
        let _ = self.tell(Command::ReportServed { candidate: tag, samples });
    }

    fn tell(&mut self, command: Command) -> Result<Reply, Refusal> {
        let handled = self.coordinator.handle(self.now, command, self.policies)?;
        for emitted in handled.events {
            self.entries += 1;
            self.note(&emitted.event);
        }
        let on_trial = self
            .coordinator
            .state()
            .candidate
            .as_ref()
            .is_some_and(|candidate| matches!(candidate.stage, CandidateStage::Canary { .. } | CandidateStage::Watching { .. }));
        if on_trial && !self.serving {
            self.serving = true;
            self.send(self.now + SERVE_EVERY_MS, Message::Serve);
        }
        Ok(handled.reply)
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::SourceQueued { source, new, decision } => {
                let Some(host) = new.host.as_deref().and_then(|host| self.outside.host(host)) else {
                    return;
                };
                if decision.is_some() {
                    self.outside.seeded(*source, host);
                    self.hosts[host].seeded += 1;
                }
                let wait = Wait {
                    host,
                    lane: new.lane,
                    since: self.now,
                    until: None,
                };
                self.waits.insert(*source, wait);
            }
            Event::RunPlanned { run, .. } => {
                if let Work::Train { source, .. } = &run.work {
                    if let Some(wait) = self.waits.get_mut(source) {
                        wait.until.get_or_insert(self.now);
                    }
                    self.attempts.insert(*source, run.token.attempt);
                }
                let course = self.outside.course_of(run);
                self.runs.insert(run.token.run, (self.now + course.start_ms, run.work.clone()));
                let ends_at = self.now + course.start_ms + course.report.duration_ms;
                self.send(self.now + course.start_ms, Message::Started(run.token));
                self.send(ends_at, Message::Finished(run.token, Box::new(course.report)));
                self.found.runs.evaluations += u64::from(run.class == RunClass::Eval);
            }
            Event::RunFinished { token, report, model } => {
                if let Some(tag) = model {
                    self.outside.named(token.run, tag);
                }
                if let Some((_, work)) = self.runs.remove(&token.run) {
                    self.note_outcome(&work, report);
                }
            }
            Event::RetryScheduled { .. } => self.found.sources.retries += 1,
            Event::SourceMoved { .. } => self.found.sources.moved += 1,
            Event::SourceDisabled { .. } => self.found.sources.disabled += 1,
            Event::SourceGivenUp { .. } => self.found.sources.given_up += 1,
            Event::Decided(decision) => self.note_decision(decision),
            Event::PolicyRolledBack { from, reason, .. } => {
                let hour = self.hour();
                self.found.breaker_trips.push(format!("{from} after {hour:.1} hours: {reason}"));
            }
            Event::CandidateRaised { candidate, baseline, .. } => {
                self.outside.raised(candidate);
                let gain = match (self.outside.truth(baseline), self.outside.truth(candidate)) {
                    (Some(baseline), Some(candidate)) => macro_mean(baseline) - macro_mean(candidate),
                    _ => 0.0,
                };
                self.candidates.push(CandidateFigures {
                    candidate: candidate.0.clone(),
                    hour: self.hour(),
                    true_gain: gain,
                    applied: false,
                    end: "open".into(),
                    pairs: 0,
                });
            }
            Event::ModelApplied { .. } => {
                if let Some(candidate) = self.candidates.last_mut() {
                    candidate.applied = true;
                }
            }
            Event::CandidateHeld { .. } => {
                self.found.promotions.held += 1;
                if let Some(candidate) = self.candidates.last_mut() {
                    candidate.end = "held".into();
                }
            }
            Event::CandidateEnded { end, .. } => {
                if let Some(candidate) = self.candidates.last_mut() {
                    candidate.end = match end {
                        CandidateEnd::Kept => "kept",
                        CandidateEnd::Rejected => "rejected",
                        CandidateEnd::RolledBack => "rolled back",
                    }
                    .into();
                }
            }
            Event::ModelsRetired { models } => models.iter().for_each(|tag: &ModelTag| self.outside.forget(tag)),
            _ => {}
        }
    }

    fn note_outcome(&mut self, work: &Work, report: &RunReport) {
        match work {
            Work::Train { host, .. } => {
                let host = host.as_deref().and_then(|host| self.outside.host(host));
                let runs = &mut self.found.runs;
                runs.finished += 1;
                self.busy_ms += report.duration_ms as f64;
                if let Some(host) = host {
                    self.hosts[host].runs += 1;
                }
                match &report.end {
                    RunEnd::Completed(_) => {
                        runs.succeeded += 1;
                        self.successes_since += 1.0;
                        if let Some(host) = host {
                            self.hosts[host].succeeded += 1;
                        }
                    }
                    RunEnd::Failed(failure) => {
                        runs.failed += 1;
                        self.failed_ms += report.duration_ms as f64;
                        let class: FailureClass = failure.class;
                        *runs.failures_by_class.entry(class.slug().into()).or_default() += 1;
                    }
                    RunEnd::Cancelled => {}
                }
            }
            Work::Evaluate { .. } => {
                if let (RunEnd::Completed(completion), Some(candidate)) = (&report.end, self.candidates.last_mut()) {
                    candidate.pairs += completion.pairs.len() as u32;
                }
            }
            Work::Bootstrap => {}
        }
    }

    fn note_decision(&mut self, decision: &Decision) {
        let figures = self.found.decisions.entry(decision.kind).or_default();
        let ruling = &decision.ruling;
        figures.asked += 1;
        *figures.verdicts.entry(verdict_word(&ruling.verdict)).or_default() += 1;
        figures.fallbacks += u64::from(ruling.link == Link::LastGood || ruling.link == Link::BuiltIn && !ruling.declined.is_empty());
        for declined in &ruling.declined {
            *figures.faults.entry(declined.fault.class.slug().into()).or_default() += 1;
        }
        let (sum, count) = self.fuel.entry(decision.kind).or_default();
        if let Some(fuel) = ruling.cost.fuel {
            *sum += fuel as f64;
            *count += 1;
        }
    }

    fn hour(&self) -> f64 {
        (self.now - EPOCH_MS) as f64 / 3_600_000.0
    }

    /// Fills the curves up to a time, with what was true until then.
    fn pass_points(&mut self, until: Millis) {
        while let Some(point) = self.points.first().copied().filter(|point| *point <= until) {
            self.points.remove(0);
            let state = self.coordinator.state();
            let loss = state
                .active
                .as_ref()
                .and_then(|active| self.outside.truth(active))
                .map(|truth| macro_mean(truth));
            let loss = loss.unwrap_or_else(|| macro_mean(&self.outside.first_truth()));
            let curves = &mut self.found.curves;
            curves.hours.push((point - EPOCH_MS) as f64 / 3_600_000.0);
            curves.successes.push(std::mem::take(&mut self.successes_since));
            curves.waiting.push(f64::from(state.index.pending(Lane::Queue)));
            curves.loss.push(loss);
        }
    }

    fn figures(mut self) -> Figures {
        let state = self.coordinator.state();
        let span_ms = (self.end - EPOCH_MS) as f64;
        let model = self.question.model;
        let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        let mut found = std::mem::take(&mut self.found);

        // Runs that are under way at the end count for the time they have used.
        for (started, work) in self.runs.values() {
            if matches!(work, Work::Train { .. }) {
                self.busy_ms += self.end.saturating_sub(*started) as f64;
            }
        }
        let runs = &mut found.runs;
        runs.success_rate = share(runs.succeeded as f64, runs.finished as f64);
        runs.successes_per_hour = runs.succeeded as f64 / self.question.hours;
        runs.busy_share = share(self.busy_ms, span_ms * f64::from(state.training_cap()));
        runs.failed_time_share = share(self.failed_ms, self.busy_ms);

        let first = self.outside.first_truth();
        let live = state
            .active
            .as_ref()
            .and_then(|active| self.outside.truth(active))
            .unwrap_or(&first)
            .clone();
        for (index, host) in model.hosts.iter().enumerate() {
            let waits = self.waits.values().filter(|wait| wait.host == index && wait.lane == Lane::Queue);
            let mut waited: Vec<Millis> = waits.clone().map(|wait| wait.until.unwrap_or(self.end) - wait.since).collect();
            waited.sort_unstable();
            let count = &self.hosts[index];
            let longest_s = quantile(&waited, 1.0);
            found.hosts.push(HostFigures {
                host: host.name.clone(),
                queued: count.queued,
                seeded: count.seeded,
                runs: count.runs,
                succeeded: count.succeeded,
                wait_p50_s: quantile(&waited, 0.5),
                wait_p95_s: quantile(&waited, 0.95),
                wait_max_s: longest_s,
                waiting_at_end: waits.filter(|wait| wait.until.is_none()).count() as u64,
                starved: longest_s > model.starved_after_s,
                loss_start: host.loss_start,
                loss_end: live[index],
            });
        }

        found.sources.attempts_most = self.attempts.values().copied().max().unwrap_or(0);
        found.sources.hopeless_attempts = self.outside.hopeless_attempts;
        let promotions = &mut found.promotions;
        promotions.loss_start = macro_mean(&first);
        promotions.loss_end = macro_mean(&live);
        promotions.candidates = self.candidates.len() as u64;
        for candidate in &self.candidates {
            let better = candidate.true_gain > 0.0;
            promotions.applied += u64::from(candidate.applied);
            promotions.applied_not_better += u64::from(candidate.applied && !better);
            match candidate.end.as_str() {
                "kept" => promotions.kept += 1,
                "rejected" => {
                    promotions.rejected += 1;
                    promotions.rejected_better += u64::from(better);
                    promotions.rejected_better_by_005 += u64::from(candidate.true_gain >= 0.05);
                }
                "rolled back" => {
                    promotions.rolled_back += 1;
                    promotions.rolled_back_better += u64::from(better);
                }
                _ => {}
            }
        }
        let pairs: f64 = self.candidates.iter().map(|candidate| f64::from(candidate.pairs)).sum();
        promotions.pairs_mean = share(pairs, self.candidates.len() as f64);
        promotions.each = self.candidates;

        for (kind, (sum, count)) in self.fuel {
            if let Some(figures) = found.decisions.get_mut(&kind) {
                figures.fuel_mean = share(sum, count as f64);
            }
        }
        for kind in PolicyKind::ALL {
            let given = self.question.policies.iter().find(|policy| policy.kind == kind);
            let began = given.map_or_else(|| PolicyRef::built_in(kind), |given| given.policy.clone());
            let active = state.slot(kind).and_then(|slot| slot.active.as_ref());
            let ended = active.map_or_else(|| PolicyRef::built_in(kind), |active| active.description.policy.clone());
            found.policies.push(ServingPolicy {
                kind: kind.slug().into(),
                policy: began.to_string(),
                digest: began.digest.short(),
                at_the_end: ended.to_string(),
            });
        }
        found.journal_entries = self.entries;
        found
    }
}

fn verdict_word(verdict: &Verdict) -> String {
    verdict.slug().to_string()
}
