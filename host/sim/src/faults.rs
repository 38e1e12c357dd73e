//! Scenarios full of faults, from a seed, against the promises of the coordinator.
//!
//! A [`World`] checks after each append that the replayed journal is the live state, that a snapshot is, that caps hold
//! and that exactly one generation per kind is active. Here is everything around it that may go wrong: messages of the
//! runner and wants that are lost, doubled or late; a disk that is slow or full; a host that dies before, in or after an
//! append and starts again from its snapshot and what came after it; trainers that hang; operators who do anything at any
//! time; policies that answer nonsense. A ledger follows the journal apart from any state and knows how the runs really
//! ended. When the faults stop, everything that waited must come to an end.
//!
//! [`Sabotage`] breaks a promise on purpose, so that a test can see that the checks notice.

mod ledger;
mod operator;
mod runner;
mod whims;

pub use whims::{Cast, Whims};

use crate::dice::Dice;
use crate::world::{Broken, World};
use ledger::Ledger;
use pointsman_coordinator::{Refusal, Reply};
use pointsman_model::command::Command;
use pointsman_model::event::Event;
use pointsman_model::policy::PolicyDescription;
use pointsman_model::promotion::{CandidateStage, ServedSample};
use pointsman_model::run::{AttemptToken, Pair, RunClass, Work};
use pointsman_model::settings::Settings;
use pointsman_model::source::SourceStage;
use pointsman_model::wants::Wants;
use pointsman_model::{Actor, Millis, RunId, SourceId};
use runner::{Fates, Runner, Told};
use std::collections::{BTreeMap, VecDeque};

/// Lines of its story that a failure tells.
const STORY_LINES: usize = 40;
/// Steps after the faults in which everything must have come to an end.
const QUIET_STEPS_MAX: u32 = 1_500;
/// What should be true is told again so often, whether or not anything happened.
const WANTS_AGAIN_MS: Millis = 5_000;

/// A promise broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// The journal gets a second outcome of a run, under another token.
    DoubledOutcome,
    /// The runner mixes two runs up and tells the end of one as that of the other.
    MixedUpOutcome,
    /// A report is answered and then dropped.
    LostOutcome,
    /// A run is planned beyond the cap.
    OverCap,
    /// A run is picked though training is stopped.
    PickedWhileStopped,
    /// The state changes behind the journal's back.
    SlippedState,
    /// A kind skips a generation.
    SkippedGeneration,
    /// A client is answered before the journal has it, and the disk then refuses.
    ToldTooEarly,
}

impl Sabotage {
    pub const ALL: [Sabotage; 8] = [
        Sabotage::DoubledOutcome,
        Sabotage::MixedUpOutcome,
        Sabotage::LostOutcome,
        Sabotage::OverCap,
        Sabotage::PickedWhileStopped,
        Sabotage::SlippedState,
        Sabotage::SkippedGeneration,
        Sabotage::ToldTooEarly,
    ];
}

/// Who decides, and which versions operators may activate.
pub struct Policies {
    pub cast: Cast,
    pub versions: Vec<PolicyDescription>,
}

impl Policies {
    /// Versions of all kinds that answer as chance will have it.
    pub fn whims(seed: u64) -> Policies {
        Policies {
            cast: Cast::Whims(Whims::new(seed)),
            versions: operator::whimsical_versions(),
        }
    }
}

/// What a scenario went through.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub entries: u64,
    pub outcomes: u64,
    pub crashes: u64,
    pub appends_refused: u64,
    pub slow_appends: u64,
    pub lost: u64,
    pub doubled: u64,
    pub late: u64,
    pub stuck: u64,
    pub refused_commands: u64,
    pub events: BTreeMap<&'static str, u64>,
}

impl Seen {
    pub fn add(&mut self, other: &Seen) {
        let Seen {
            entries,
            outcomes,
            crashes,
            appends_refused,
            slow_appends,
            lost,
            doubled,
            late,
            stuck,
            refused_commands,
            events,
        } = other;
        self.entries += entries;
        self.outcomes += outcomes;
        self.crashes += crashes;
        self.appends_refused += appends_refused;
        self.slow_appends += slow_appends;
        self.lost += lost;
        self.doubled += doubled;
        self.late += late;
        self.stuck += stuck;
        self.refused_commands += refused_commands;
        for (event, count) in events {
            *self.events.entry(event).or_default() += count;
        }
    }
}

/// A promise that was not kept.
#[derive(Clone, Debug, thiserror::Error)]
#[error("seed {seed}, step {step}: {problem}\n{}", story.join("\n"))]
pub struct Violation {
    pub seed: u64,
    pub step: u32,
    pub problem: String,
    /// What happened last.
    pub story: Vec<String>,
}

/// Plays the scenario of a seed.
pub fn play(seed: u64, policies: Policies, sabotage: Option<Sabotage>) -> Result<Seen, Violation> {
    let mut stage = Stage::new(seed, policies, sabotage);
    match stage.play() {
        Ok(()) => Ok(stage.into_seen()),
        Err(problem) => Err(Violation {
            seed,
            step: stage.step,
            problem: problem.0,
            story: stage.story.into(),
        }),
    }
}

/// A sentence.
struct Problem(String);

impl From<Broken> for Problem {
    fn from(broken: Broken) -> Problem {
        Problem(broken.to_string())
    }
}

impl From<String> for Problem {
    fn from(problem: String) -> Problem {
        Problem(problem)
    }
}

/// How often what goes wrong. Drawn once per scenario, so that some are calm but for one kind of fault.
#[derive(Clone, Copy, Default)]
struct Faults {
    lose: f64,
    double: f64,
    late: f64,
    crash: f64,
    refuse: f64,
    slow: f64,
}

impl Faults {
    fn draw(dice: &mut Dice) -> Faults {
        let share = |dice: &mut Dice, most: f64| if dice.chance(0.3) { 0.0 } else { most * dice.unit() };
        Faults {
            lose: share(dice, 0.5),
            double: share(dice, 0.5),
            late: share(dice, 0.6),
            // Some hosts die at nearly each append, before it or after.
            crash: if dice.chance(0.04) { 1.0 } else { share(dice, 0.15) },
            refuse: share(dice, 0.2),
            slow: share(dice, 0.2),
        }
    }
}

enum Message {
    ToHost(Sender, Command),
    /// To the runner: what should be true, numbered in the order of telling.
    Wants(u64, Wants),
}

#[derive(Clone)]
enum Sender {
    Operator,
    Runner(AttemptToken),
    Elsewhere,
}

struct Stage {
    step: u32,
    dice: Dice,
    faults: Faults,
    fates: Fates,
    steps: u32,
    world: World<Cast>,
    versions: Vec<PolicyDescription>,
    messages: BTreeMap<(Millis, u64), Message>,
    sent: u64,
    wants_told: u64,
    wants_at: Millis,
    runner: Runner,
    ledger: Ledger,
    /// Sources that a client was promised.
    promised: Vec<(SourceId, String)>,
    submitted: u64,
    sabotage: Option<Sabotage>,
    seen: Seen,
    story: VecDeque<String>,
}

impl Stage {
    fn new(seed: u64, policies: Policies, sabotage: Option<Sabotage>) -> Stage {
        let mut dice = Dice::of(seed, &[]);
        let faults = Faults::draw(&mut dice);
        let fates = Fates {
            seed: dice.word(),
            stuck: if dice.chance(0.5) { 0.0 } else { 0.3 * dice.unit() },
            fail: dice.unit() * 0.6,
        };
        // Mostly short, since most mistakes need little; some long enough for a candidate's whole way.
        let steps = if dice.chance(0.3) {
            120 + dice.roll(120)
        } else {
            20 + dice.roll(50)
        } as u32;
        Stage {
            step: 0,
            dice,
            faults,
            fates,
            steps,
            world: World::with(policies.cast),
            versions: policies.versions,
            messages: BTreeMap::new(),
            sent: 0,
            wants_told: 0,
            wants_at: 0,
            runner: Runner::default(),
            ledger: Ledger::default(),
            promised: Vec::new(),
            submitted: 0,
            sabotage,
            seen: Seen::default(),
            story: VecDeque::new(),
        }
    }

    fn into_seen(self) -> Seen {
        let mut seen = self.seen;
        seen.entries = self.world.journal().len() as u64;
        seen.outcomes = self.ledger.counts.get("run_finished").copied().unwrap_or(0);
        seen.stuck = self.runner.stuck;
        seen.events = self.ledger.counts;
        seen
    }

    fn tell_story(&mut self, line: impl FnOnce() -> String) {
        if self.story.len() == STORY_LINES {
            self.story.pop_front();
        }
        let line = format!("  {:>9} ms  {}", self.world.now, line());
        self.story.push_back(line);
    }

    fn play(&mut self) -> Result<(), Problem> {
        let actor = || Actor::new("operator");
        self.now_command(Command::StartHost { version: "0.1.0".into() })?;
        let settings = self.draw_settings();
        self.now_command(Command::ChangeSettings { settings, actor: actor() })?;
        self.now_command(Command::StartTraining {
            actor: actor(),
            reason: String::new(),
        })?;
        while self.step < self.steps {
            self.step += 1;
            for _ in 0..self.dice.roll(3) {
                let command = self.draw_command();
                let sender = if matches!(command, Command::ReportStarted { .. } | Command::ReportFinished { .. }) {
                    Sender::Elsewhere
                } else {
                    Sender::Operator
                };
                let delay = self.dice.roll(1_500);
                self.send(delay, Message::ToHost(sender, command));
            }
            self.one_step()?;
            self.commit_sabotage()?;
        }
        self.quiet_down()
    }

    /// Goes to the next time at which anything is due, and lets it happen.
    fn one_step(&mut self) -> Result<(), Problem> {
        let now = self.world.now;
        let next = [
            self.messages.first_key_value().map(|((at, _), _)| *at),
            self.world.coordinator().next_deadline(now),
            self.runner.next(),
            Some(self.wants_at + WANTS_AGAIN_MS),
        ];
        let next = next.into_iter().flatten().min().unwrap_or(now);
        self.world.now = now.max(next);
        for told in self.runner.turn(self.world.now) {
            let (token, command) = match told {
                Told::Started(token) => (token, Command::ReportStarted { token }),
                Told::Finished(token, report) => (token, Command::ReportFinished { token, report }),
            };
            self.send(0, Message::ToHost(Sender::Runner(token), command));
        }
        let mut batch = Vec::new();
        while let Some(entry) = self.messages.first_entry().filter(|entry| entry.key().0 <= self.world.now) {
            match entry.remove() {
                Message::ToHost(sender, command) => batch.push((sender, command)),
                Message::Wants(number, wants) => self.runner.wants(self.world.now, number, &wants, self.fates)?,
            }
            if batch.len() == 4 {
                break;
            }
        }
        if batch.is_empty() {
            batch.push((Sender::Elsewhere, Command::Tick));
        }
        batch.extend(self.served().map(|command| (Sender::Elsewhere, command)));
        self.host_step(batch)?;
        if self.world.now >= self.wants_at + WANTS_AGAIN_MS {
            self.tell_wants();
        }
        Ok(())
    }

    /// The driver's order: handle, append, and only then reply and tell the runner. With all that may come between.
    fn host_step(&mut self, batch: Vec<(Sender, Command)>) -> Result<(), Problem> {
        let mut replies = Vec::new();
        for (sender, command) in batch {
            if self.sabotage == Some(Sabotage::LostOutcome)
                && let (Sender::Runner(token), Command::ReportFinished { .. }) = (&sender, &command)
            {
                self.runner.heard(token);
                continue;
            }
            let command = self.mix_up(command);
            self.tell_story(|| format!("handles {}", words(&command)));
            let title = match &command {
                Command::SubmitSource(new) => Some(new.title.trim().to_string()),
                _ => None,
            };
            let reply = self.world.handle(command)?;
            if let Err(refusal) = &reply {
                self.seen.refused_commands += 1;
                let code = refusal.code;
                self.tell_story(|| format!("  refuses it: {code}"));
            }
            replies.push((sender, title, reply));
        }
        if self.sabotage == Some(Sabotage::ToldTooEarly) {
            for (sender, title, reply) in replies.clone() {
                self.answer(sender, title, reply);
            }
        }
        let Faults { crash, refuse, slow, .. } = self.faults;
        if self.dice.chance(crash / 2.0) {
            self.tell_story(|| "dies before the append".into());
            return self.die();
        }
        if self.dice.chance(refuse) {
            self.seen.appends_refused += 1;
            self.tell_story(|| "the disk is full: nothing happened".into());
            self.world.append_refused()?;
            self.check_promises()?;
            // Callers hear that nothing was taken, and come again when they like.
            return Ok(());
        }
        let delay = if self.dice.chance(slow) {
            self.seen.slow_appends += 1;
            1 + self.dice.roll(20_000)
        } else {
            0
        };
        let before = self.world.coordinator().wants();
        for recorded in self.world.append()? {
            self.ledger.entry(&recorded, &self.runner.ends)?;
            self.tell_story(|| format!("journals {} {}", recorded.seq, recorded.event.slug()));
        }
        // Time goes by while the disk writes, and the driver waits for it.
        self.world.now += delay;
        if self.dice.chance(0.2) {
            self.world.keep_snapshot();
        }
        if self.dice.chance(crash / 2.0) {
            self.tell_story(|| "dies after the append, before any reply".into());
            return self.die();
        }
        for (sender, title, reply) in replies {
            self.answer(sender, title, reply);
        }
        self.check_promises()?;
        if delay > 0 || self.wants_told == 0 || self.world.coordinator().wants() != before || self.dice.chance(0.3) {
            self.tell_wants();
        }
        Ok(())
    }

    fn answer(&mut self, sender: Sender, title: Option<String>, reply: Result<Reply, Refusal>) {
        match (sender, reply) {
            // Taken now, or before: either way the host has it.
            (Sender::Runner(token), reply) => {
                let over = self.runner.ends.contains_key(&token);
                let taken = match reply {
                    Ok(_) => self.ledger.has_outcome(&token) || self.sabotage == Some(Sabotage::ToldTooEarly),
                    Err(refusal) => refusal.code == "run_over",
                };
                if over && taken {
                    self.runner.heard(&token);
                }
            }
            (Sender::Operator, Ok(Reply::Source(source))) => self.promised.extend(title.map(|title| (source, title))),
            (Sender::Operator | Sender::Elsewhere, _) => {}
        }
    }

    fn check_promises(&self) -> Result<(), Problem> {
        for (source, title) in &self.promised {
            self.ledger.holds(*source, title)?;
        }
        Ok(())
    }

    /// Dead, for a while, and up again. What was on its way to the host is lost; the runs go on.
    fn die(&mut self) -> Result<(), Problem> {
        self.seen.crashes += 1;
        self.world.crash()?;
        self.check_promises()?;
        self.messages.retain(|_, message| matches!(message, Message::Wants(..)));
        self.world.now += self.dice.roll(3) * 7_000;
        let calm = std::mem::take(&mut self.faults);
        let started = self.now_command(Command::StartHost { version: "0.1.0".into() });
        self.faults = calm;
        started?;
        self.tell_wants();
        Ok(())
    }

    /// A command that nothing happens to.
    fn now_command(&mut self, command: Command) -> Result<(), Problem> {
        self.tell_story(|| format!("handles {}", words(&command)));
        let _ = self.world.handle(command)?;
        for recorded in self.world.append()? {
            self.ledger.entry(&recorded, &self.runner.ends)?;
        }
        Ok(())
    }

    fn tell_wants(&mut self) {
        self.wants_at = self.world.now;
        self.wants_told += 1;
        let wants = self.world.coordinator().wants();
        self.send(0, Message::Wants(self.wants_told, wants));
    }

    /// Puts a message on its way: it may be lost, come late, or come twice.
    fn send(&mut self, delay: Millis, message: Message) {
        let Faults { lose, double, late, .. } = self.faults;
        if self.dice.chance(lose) {
            self.seen.lost += 1;
            return;
        }
        let copies = if self.dice.chance(double) {
            self.seen.doubled += 1;
            2
        } else {
            1
        };
        for _ in 1..copies {
            let again = match &message {
                Message::ToHost(sender, command) => Message::ToHost(sender.clone(), command.clone()),
                Message::Wants(number, wants) => Message::Wants(*number, wants.clone()),
            };
            let delay = delay + self.dice.roll(8_000);
            self.put(delay, again);
        }
        let delay = if self.dice.chance(late) {
            self.seen.late += 1;
            delay + self.dice.roll(8_000)
        } else {
            delay
        };
        self.put(delay, message);
    }

    fn put(&mut self, delay: Millis, message: Message) {
        self.sent += 1;
        self.messages.insert((self.world.now + delay, self.sent), message);
    }

    /// Standard requests, while a candidate is on trial.
    fn served(&mut self) -> Option<Command> {
        let candidate = self.world.coordinator().state().candidate.as_ref()?;
        if !matches!(candidate.stage, CandidateStage::Canary { .. } | CandidateStage::Watching { .. }) {
            return None;
        }
        let tag = candidate.tag.clone();
        let sample = |dice: &mut Dice| ServedSample {
            by_candidate: dice.chance(0.5),
            failed: dice.chance(0.1),
            latency_ms: if dice.chance(0.02) { f64::NAN } else { 100.0 },
            pair: dice.chance(0.9).then(|| Pair {
                host: "novel".into(),
                baseline: 3.0,
                candidate: 2.5 + dice.unit(),
            }),
        };
        let count = self.dice.roll(12);
        let samples = (0..count).map(|_| sample(&mut self.dice)).collect();
        Some(Command::ReportServed { candidate: tag, samples })
    }

    /// The faults stop. Everything under way ends and is told, and what may be picked is picked.
    fn quiet_down(&mut self) -> Result<(), Problem> {
        self.faults = Faults::default();
        self.fates.stuck = 0.0;
        self.fates.fail = 0.0;
        self.world.policies.calm_down();
        // Operators rest, too: what they asked for and was late comes no more.
        self.messages
            .retain(|_, message| !matches!(message, Message::ToHost(Sender::Operator | Sender::Elsewhere, _)));
        let actor = || Actor::new("operator");
        let settings = Settings {
            training_max_active: 3,
            global_max: 6,
            curriculum_pending_max: 0,
            promotion_window: 50,
            ..Settings::default()
        };
        self.now_command(Command::ChangeSettings { settings, actor: actor() })?;
        self.now_command(Command::StartTraining {
            actor: actor(),
            reason: String::new(),
        })?;
        for _ in 0..QUIET_STEPS_MAX {
            self.step += 1;
            let hanging: Vec<RunId> = self.runner.hanging().map(|token| token.run).collect();
            for run in hanging {
                self.now_command(Command::CancelRun {
                    run,
                    actor: actor(),
                    reason: "it hangs".into(),
                })?;
            }
            self.one_step()?;
            if self.is_quiet() {
                return self.check_the_end();
            }
        }
        let state = self.world.coordinator().state();
        let waiting = state
            .sources
            .values()
            .filter(|source| !matches!(source.stage, SourceStage::Disabled { .. }))
            .count();
        let unheard = self
            .runner
            .unheard()
            .map(|token| format!(", run {} is not told", token.run))
            .unwrap_or_default();
        Err(Problem(format!(
            "nothing comes to an end: {waiting} sources wait, {} runs are under way, {} is live{unheard}; waiting: {:?}",
            state.runs.len(),
            state.active.as_ref().map_or("nothing", |tag| tag.0.as_str()),
            state
                .sources
                .values()
                .find(|source| !matches!(source.stage, SourceStage::Disabled { .. }))
        )))
    }

    fn is_quiet(&self) -> bool {
        let state = self.world.coordinator().state();
        let done = |stage: &SourceStage| matches!(stage, SourceStage::Disabled { .. });
        let messages = self.messages.values().any(|message| matches!(message, Message::ToHost(..)));
        state.sources.values().all(|source| done(&source.stage)) && state.runs.is_empty() && self.runner.unheard().is_none() && !messages
    }

    fn check_the_end(&mut self) -> Result<(), Problem> {
        self.check_promises()?;
        for token in self.runner.ends.keys() {
            if !self.ledger.was_planned(token) {
                return Err(Problem(format!("run {} ran, and the journal has not planned it", token.run)));
            }
            if !self.ledger.has_outcome(token) {
                return Err(Problem(format!("run {} has ended, and its outcome is lost", token.run)));
            }
        }
        let state = self.world.coordinator().state();
        if let Some(source) = self.ledger.lost_source(|source| state.sources.contains_key(&source)) {
            return Err(Problem(format!("source {source} is neither done nor anywhere")));
        }
        Ok(())
    }

    fn mix_up(&mut self, command: Command) -> Command {
        match (self.sabotage, command) {
            (Some(Sabotage::MixedUpOutcome), Command::ReportFinished { token, report }) => {
                let running = self.world.coordinator().state().runs.values();
                let other = running.map(|run| run.token).find(|other| *other != token);
                Command::ReportFinished {
                    token: other.unwrap_or(token),
                    report,
                }
            }
            (_, command) => command,
        }
    }

    fn forge(&mut self, event: Event) -> Result<(), Problem> {
        self.tell_story(|| format!("SABOTAGE: {}", event.slug()));
        let recorded = self.world.forge(event);
        match recorded {
            Ok(recorded) => Ok(self.ledger.entry(&recorded, &self.runner.ends)?),
            Err(broken) => Err(broken.into()),
        }
    }

    /// What no command can do.
    fn commit_sabotage(&mut self) -> Result<(), Problem> {
        let state = self.world.coordinator().state();
        // The latest run of a source once more, of no host, so that no other rule is broken.
        let planned = || {
            self.world.journal().iter().rev().find_map(|recorded| match &recorded.event {
                Event::RunPlanned { run, .. } if run.class == RunClass::Training => {
                    let mut run = run.clone();
                    run.token.run = RunId(state.next.run + 1);
                    if let Work::Train { host, .. } = &mut run.work {
                        *host = None;
                    }
                    Some(run)
                }
                _ => None,
            })
        };
        match self.sabotage {
            Some(Sabotage::DoubledOutcome) => {
                let finished = self.world.journal().iter().rev().find_map(|recorded| match &recorded.event {
                    Event::RunFinished { token, report, .. } => Some((*token, report.clone())),
                    _ => None,
                });
                let Some((mut token, report)) = finished else { return Ok(()) };
                token.attempt += 1;
                self.forge(Event::RunFinished {
                    token,
                    report,
                    model: None,
                })
            }
            Some(Sabotage::OverCap) => match planned() {
                Some(run) if state.training_free() == 0 && state.training.enabled => self.forge(Event::RunPlanned { run, decision: None }),
                Some(_) | None => Ok(()),
            },
            Some(Sabotage::PickedWhileStopped) => match planned() {
                Some(run) if state.training_free() > 0 && !state.training.enabled => self.forge(Event::RunPlanned { run, decision: None }),
                Some(_) | None => Ok(()),
            },
            Some(Sabotage::SlippedState) if self.step == 10 => {
                self.world.slip(Event::WindowPassed { watermark: u64::MAX });
                Ok(())
            }
            Some(Sabotage::SkippedGeneration) => match self.versions.first().cloned() {
                Some(description) => {
                    let generation = state.slot(description.kind).map_or(0, |slot| slot.generation) + 2;
                    self.forge(Event::PolicyActivated {
                        generation,
                        description,
                        previous: None,
                        actor: Actor::new("nobody"),
                        reason: String::new(),
                        set: None,
                        confirm_by: None,
                        state: Default::default(),
                        report: None,
                    })
                }
                None => Ok(()),
            },
            Some(Sabotage::SlippedState | Sabotage::MixedUpOutcome | Sabotage::LostOutcome | Sabotage::ToldTooEarly) | None => Ok(()),
        }
    }
}

fn words(command: &Command) -> String {
    let text = format!("{command:?}");
    let end = text.char_indices().nth(160).map_or(text.len(), |(index, _)| index);
    text[..end].to_string()
}
