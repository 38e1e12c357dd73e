//! One course: the real coordinator and the real policies, from deadline to deadline of a virtual clock.

mod notes;

use super::figures::*;
use super::model::OutsideModel;
use super::outside::Outside;
use crate::world::EPOCH_MS;
use pointsman_coordinator::{Coordinator, Policies, Refusal, Reply};
use pointsman_model::command::{Activation, Command};
use pointsman_model::event::Emitted;
use pointsman_model::policy::{PolicyDescription, PolicyKind};
use pointsman_model::promotion::CandidateStage;
use pointsman_model::run::{AttemptToken, RunReport, Work};
use pointsman_model::settings::Settings;
use pointsman_model::source::{Lane, NewSource, Origin};
use pointsman_model::{Actor, Millis, RunId, SourceId};
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
    simulate_watched(question, policies, on_progress, &mut |_, _| {})
}

/// The same, telling what a host would have journaled: when, and what, with the contexts of its decisions.
pub fn simulate_watched(
    question: &Question<'_>,
    policies: &mut dyn Policies,
    on_progress: &mut dyn FnMut(f64) -> bool,
    on_entry: &mut dyn FnMut(Millis, &Emitted),
) -> Result<Figures, SimulateError> {
    if !(question.hours > 0.0 && question.hours <= HOURS_MAX) {
        return Err(SimulateError::Hours(question.hours));
    }
    if let Some(problem) = question.model.problems().into_iter().next() {
        return Err(SimulateError::Model(problem));
    }
    let mut play = Play::new(question, policies, on_entry);
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
    on_entry: &'q mut dyn FnMut(Millis, &Emitted),
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
    fn new(question: &'q Question<'q>, policies: &'q mut dyn Policies, on_entry: &'q mut dyn FnMut(Millis, &Emitted)) -> Play<'q> {
        let span_ms = (question.hours * 3_600_000.0).round().max(1.0) as Millis;
        let point = |index: usize| EPOCH_MS + span_ms * (index as u64 + 1) / CURVE_POINTS as u64;
        Play {
            question,
            outside: Outside::new(question.model, question.seed),
            coordinator: Coordinator::new(),
            policies,
            on_entry,
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
        self.must(
            "start",
            Command::StartHost {
                version: "0.1.0".into(),
                paused: false,
            },
        )?;
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
            automatic: false,
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
            (self.on_entry)(self.now, &emitted);
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
}
