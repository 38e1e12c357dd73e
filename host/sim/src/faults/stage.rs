//! One scenario: the host, the messages around it and what goes wrong with them, step by step.

use super::ledger::Ledger;
use super::runner::{Fates, Runner, Told};
use super::{Cast, Policies, Problem, Sabotage, Seen};
use crate::dice::Dice;
use crate::world::World;
use pointsman_coordinator::{Refusal, Reply};
use pointsman_model::command::Command;
use pointsman_model::policy::PolicyDescription;
use pointsman_model::promotion::{CandidateStage, ServedSample};
use pointsman_model::run::{AttemptToken, Pair};
use pointsman_model::wants::Wants;
use pointsman_model::{Actor, Millis, SourceId};
use std::collections::{BTreeMap, VecDeque};

/// Lines of its story that a failure tells.
const STORY_LINES: usize = 40;
/// What should be true is told again so often, whether or not anything happened.
const WANTS_AGAIN_MS: Millis = 5_000;

/// How often what goes wrong. Drawn once per scenario, so that some are calm but for one kind of fault.
#[derive(Clone, Copy, Default)]
pub(super) struct Faults {
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

pub(super) enum Message {
    ToHost(Sender, Command),
    /// To the runner: what should be true, numbered in the order of telling.
    Wants(u64, Wants),
}

#[derive(Clone)]
pub(super) enum Sender {
    Operator,
    Runner(AttemptToken),
    Elsewhere,
}

pub(super) struct Stage {
    pub(super) step: u32,
    pub(super) dice: Dice,
    pub(super) faults: Faults,
    pub(super) fates: Fates,
    steps: u32,
    pub(super) world: World<Cast>,
    pub(super) versions: Vec<PolicyDescription>,
    pub(super) messages: BTreeMap<(Millis, u64), Message>,
    sent: u64,
    wants_told: u64,
    wants_at: Millis,
    pub(super) runner: Runner,
    pub(super) ledger: Ledger,
    /// Sources that a client was promised.
    pub(super) promised: Vec<(SourceId, String)>,
    pub(super) submitted: u64,
    pub(super) sabotage: Option<Sabotage>,
    seen: Seen,
    pub(super) story: VecDeque<String>,
    /// The learning memory; none where none is attached.
    memory: Option<Memory>,
}

/// A learning memory: it holds what it has read of the journal, and tells so when it gets to it.
#[derive(Clone, Copy, Default)]
struct Memory {
    holds: u64,
    /// Chance that it goes on, where it might.
    diligence: f64,
}

impl Stage {
    pub(super) fn new(seed: u64, policies: Policies, sabotage: Option<Sabotage>) -> Stage {
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
            memory: None,
        }
    }

    pub(super) fn into_seen(self) -> Seen {
        let mut seen = self.seen;
        seen.entries = self.world.journal().len() as u64;
        seen.outcomes = self.ledger.counts.get("run_finished").copied().unwrap_or(0);
        seen.stuck = self.runner.stuck;
        seen.events = self.ledger.counts;
        seen
    }

    pub(super) fn tell_story(&mut self, line: impl FnOnce() -> String) {
        if self.story.len() == STORY_LINES {
            self.story.pop_front();
        }
        let line = format!("  {:>9} ms  {}", self.world.now, line());
        self.story.push_back(line);
    }

    pub(super) fn play(&mut self) -> Result<(), Problem> {
        if self.dice.chance(0.6) {
            self.memory = Some(Memory {
                holds: 0,
                diligence: self.dice.unit(),
            });
        }
        let actor = || Actor::new("operator");
        self.now_command(Command::StartHost {
            version: "0.1.0".into(),
            paused: false,
        })?;
        let settings = self.draw_settings();
        self.now_command(Command::ChangeSettings { settings, actor: actor() })?;
        self.now_command(Command::StartTraining {
            actor: actor(),
            reason: String::new(),
            automatic: false,
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
    pub(super) fn one_step(&mut self) -> Result<(), Problem> {
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
        if let Some(command) = self.ingest() {
            // Told like anything else: late, twice, or never.
            self.send(0, Message::ToHost(Sender::Elsewhere, command));
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

    /// Dead, for a while, and up again. What was on its way to the host is lost; the runs go on.
    fn die(&mut self) -> Result<(), Problem> {
        self.seen.crashes += 1;
        self.world.crash()?;
        self.check_promises()?;
        self.messages.retain(|_, message| matches!(message, Message::Wants(..)));
        self.world.now += self.dice.roll(3) * 7_000;
        let calm = std::mem::take(&mut self.faults);
        let started = self.now_command(Command::StartHost {
            version: "0.1.0".into(),
            paused: false,
        });
        self.faults = calm;
        started?;
        self.tell_wants();
        Ok(())
    }

    /// A command that nothing happens to.
    pub(super) fn now_command(&mut self, command: Command) -> Result<(), Problem> {
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

    /// The learning memory reads what the journal holds, at its own pace. Now and then it is built anew.
    fn ingest(&mut self) -> Option<Command> {
        let memory = self.memory.as_mut()?;
        let committed = self.world.coordinator().state().totals.outcomes;
        if self.dice.chance(0.01) {
            memory.holds = 0;
        } else if memory.holds < committed && self.dice.chance(memory.diligence) {
            memory.holds += 1 + self.dice.roll(committed - memory.holds);
        } else if !self.dice.chance(0.05) {
            return None;
        }
        Some(Command::ReportIngest {
            outcomes: memory.holds.min(committed),
        })
    }

    /// The faults are over: the memory catches up.
    pub(super) fn catch_up(&mut self) {
        if let Some(memory) = &mut self.memory {
            memory.diligence = 1.0;
        }
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
}

fn words(command: &Command) -> String {
    let text = format!("{command:?}");
    let end = text.char_indices().nth(160).map_or(text.len(), |(index, _)| index);
    text[..end].to_string()
}
