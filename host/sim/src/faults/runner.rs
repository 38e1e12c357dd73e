//! The runner and its trainers, as far as faults matter: it is told what should run, starts it once, remembers how it
//! ended on a disk of its own, and tells the host until it is heard.

use super::ledger::Ends;
use crate::dice::Dice;
use pointsman_model::run::{AttemptToken, Completion, Failure, FailureClass, HostLoss, ModelFile, Pair, RunEnd, RunReport, Work};
use pointsman_model::wants::Wants;
use pointsman_model::{Digest, Millis};
use std::collections::BTreeMap;

/// Pause before a report is told again.
const TELL_AGAIN_MS: Millis = 3_000;
/// Without a heartbeat for so long, a run is ended as timed out.
const HEARTBEAT_LOST_MS: Millis = 60_000;
/// A cancelled run is gone after this.
const GRACE_MS: Millis = 500;

#[derive(Default)]
pub(super) struct Runner {
    trainers: BTreeMap<AttemptToken, Trainer>,
    pub(super) ends: Ends,
    /// Wants that came; one that is older than this is not looked at.
    heard: u64,
    pub(super) stuck: u64,
}

struct Trainer {
    started_at: Millis,
    /// None: it hangs, and nobody watches it.
    ends_at: Option<Millis>,
    end: RunEnd,
    told_started: bool,
    heard: bool,
    tell_at: Millis,
}

/// What the runner does at a time.
pub(super) enum Told {
    Started(AttemptToken),
    Finished(AttemptToken, RunReport),
}

/// How runs of a scenario go.
#[derive(Clone, Copy)]
pub(super) struct Fates {
    pub(super) seed: u64,
    /// Share of runs that hang; a third of these for ever.
    pub(super) stuck: f64,
    pub(super) fail: f64,
}

impl Runner {
    /// Makes the world match. `number` rises with each telling, and an older one says nothing new.
    pub(super) fn wants(&mut self, now: Millis, number: u64, wants: &Wants, fates: Fates) -> Result<(), String> {
        if number < self.heard {
            return Ok(());
        }
        self.heard = number;
        for wanted in &wants.runs {
            let run = &wanted.run;
            let trainer = match self.trainers.get_mut(&run.token) {
                Some(trainer) => trainer,
                None => {
                    let trainer = fates.trainer(now, &run.token, &run.work);
                    self.stuck += u64::from(trainer.ends_at.is_none_or(|at| at >= now + HEARTBEAT_LOST_MS));
                    self.trainers.entry(run.token).or_insert(trainer)
                }
            };
            let over = self.ends.contains_key(&run.token);
            if run.cancelled.is_some() && !over && trainer.ends_at.is_none_or(|at| at > now + GRACE_MS) {
                trainer.ends_at = Some(now + GRACE_MS);
                trainer.end = RunEnd::Cancelled;
            }
        }
        // A run that has not ended is wanted until it has: nobody but its trainer may end it.
        let forgotten = self
            .trainers
            .keys()
            .find(|token| !self.ends.contains_key(*token) && !wants.runs.iter().any(|wanted| wanted.run.token == **token));
        match forgotten {
            Some(token) => Err(format!("run {} has not ended, and is not wanted any more", token.run)),
            None => Ok(()),
        }
    }

    pub(super) fn next(&self) -> Option<Millis> {
        let of = |(token, trainer): (&AttemptToken, &Trainer)| {
            let over = self.ends.contains_key(token);
            match (over, trainer.heard) {
                (true, true) => None,
                (true, false) => Some(trainer.tell_at),
                (false, _) if !trainer.told_started => Some(trainer.started_at),
                (false, _) => trainer.ends_at,
            }
        };
        self.trainers.iter().filter_map(of).min()
    }

    /// What is due now: trainers that end, and reports that are told, again if need be.
    pub(super) fn turn(&mut self, now: Millis) -> Vec<Told> {
        let mut told = Vec::new();
        for (token, trainer) in &mut self.trainers {
            if !trainer.told_started && now >= trainer.started_at {
                trainer.told_started = true;
                told.push(Told::Started(*token));
            }
            if trainer.ends_at.is_some_and(|at| now >= at) && !self.ends.contains_key(token) {
                self.ends.insert(*token, trainer.end.clone());
                trainer.tell_at = now;
            }
            if self.ends.contains_key(token) && !trainer.heard && now >= trainer.tell_at {
                trainer.tell_at = now + TELL_AGAIN_MS;
                let report = RunReport {
                    duration_ms: now.saturating_sub(trainer.started_at),
                    end: trainer.end.clone(),
                };
                told.push(Told::Finished(*token, report));
            }
        }
        told
    }

    /// The host has answered a report: taken, or refused as taken already.
    pub(super) fn heard(&mut self, token: &AttemptToken) {
        if let Some(trainer) = self.trainers.get_mut(token) {
            trainer.heard = true;
        }
    }

    pub(super) fn unheard(&self) -> Option<AttemptToken> {
        let open = |(token, trainer): (&AttemptToken, &Trainer)| (!trainer.heard || !self.ends.contains_key(token)).then_some(*token);
        self.trainers.iter().find_map(open)
    }

    /// Runs that only a person ends.
    pub(super) fn hanging(&self) -> impl Iterator<Item = AttemptToken> {
        self.trainers
            .iter()
            .filter(|(token, trainer)| trainer.ends_at.is_none() && !self.ends.contains_key(*token))
            .map(|(token, _)| *token)
    }

    pub(super) fn some_token(&self, dice: &mut Dice) -> Option<AttemptToken> {
        let count = self.trainers.len() as u64;
        self.trainers.keys().nth(dice.roll(count) as usize).copied()
    }
}

impl Fates {
    fn trainer(self, now: Millis, token: &AttemptToken, work: &Work) -> Trainer {
        let mut dice = Dice::of(self.seed, &[token.run.0, u64::from(token.attempt), u64::from(token.term)]);
        let mut ends_at = Some(now + 200 + dice.roll(15_000));
        let mut end = if dice.chance(self.fail) {
            let class = dice.pick(&FailureClass::ALL);
            RunEnd::Failed(Failure {
                class,
                // Few errors, so that inputs come back.
                error: format!("error {}", dice.roll(2)),
                exit_code: Some(1),
            })
        } else {
            RunEnd::Completed(completion(&mut dice, token, work))
        };
        if dice.chance(self.stuck) {
            ends_at = (!dice.chance(1.0 / 3.0)).then_some(now + HEARTBEAT_LOST_MS);
            end = RunEnd::Failed(Failure {
                class: FailureClass::Timeout,
                error: "no heartbeat".into(),
                exit_code: None,
            });
        }
        Trainer {
            started_at: now,
            ends_at,
            end,
            told_started: false,
            heard: false,
            tell_at: 0,
        }
    }
}

fn completion(dice: &mut Dice, token: &AttemptToken, work: &Work) -> Completion {
    // A trainer's numbers are outside input.
    let nonsense = dice.chance(0.03);
    match work {
        Work::Bootstrap | Work::Train { .. } => {
            let loss = |dice: &mut Dice, host: &str| HostLoss {
                host: host.into(),
                before: None,
                after: if nonsense { f64::NAN } else { 2.0 + dice.unit() },
            };
            let name = format!("run {}", token.run);
            Completion {
                steps: 10,
                losses: ["novel", "code"].iter().map(|host| loss(dice, host)).collect(),
                model: Some(ModelFile {
                    digest: Digest::of(name.as_bytes()),
                    bytes: 1,
                    path: name,
                }),
                ..Completion::default()
            }
        }
        Work::Evaluate { blocks_per_host, .. } => {
            let count = if nonsense { 0 } else { blocks_per_host * 2 };
            let pair = |index: u32| Pair {
                host: ["novel", "code"][index as usize % 2].into(),
                baseline: 3.0,
                candidate: 2.5 + dice.unit(),
            };
            Completion {
                pairs: (0..count).map(pair).collect(),
                ..Completion::default()
            }
        }
    }
}
