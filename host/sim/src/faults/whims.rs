//! Policies that answer as chance will have it, right, wrong and not at all: what a coordinator must be able to bear.

use crate::dice::{Dice, key_of};
use crate::scripted::Scripted;
use pointsman_coordinator::Policies;
use pointsman_model::context::{Context, GateStage, SelectionContext};
use pointsman_model::decision::{Advice, Answer, CurriculumVerdict, GateVerdict, Reason, RetryVerdict, Seed, SelectionVerdict, Verdict};
use pointsman_model::policy::{Cost, EngineKind, Fault, FaultClass, PolicyRef};
use pointsman_model::source::Lane;
use pointsman_policy::Engines;
use std::collections::BTreeMap;

/// Answers from a seed: the same version and context, the same answer.
#[derive(Debug, Default)]
pub struct Whims {
    seed: u64,
    /// Only what is sensible: pick all that fits, try again soon.
    pub calm: bool,
}

impl Whims {
    pub fn new(seed: u64) -> Whims {
        Whims { seed, calm: false }
    }
}

/// Who decides in a scenario.
pub enum Cast {
    Whims(Whims),
    /// The engines that decide live.
    Real(Engines),
}

impl Cast {
    pub(super) fn calm_down(&mut self) {
        match self {
            Cast::Whims(whims) => whims.calm = true,
            Cast::Real(_) => {}
        }
    }
}

impl Policies for Cast {
    fn ask(&mut self, policy: &PolicyRef, context: &Context) -> Result<Answer, Fault> {
        match self {
            Cast::Whims(whims) => whims.ask(policy, context),
            Cast::Real(engines) => engines.ask(policy, context),
        }
    }

    fn migrate(&mut self, policy: &PolicyRef, from_version: u32, state: &[u8]) -> Result<Vec<u8>, Fault> {
        match self {
            Cast::Whims(whims) => whims.migrate(policy, from_version, state),
            Cast::Real(engines) => engines.migrate(policy, from_version, state),
        }
    }

    fn fingerprint(&self, engine: EngineKind) -> String {
        match self {
            Cast::Whims(whims) => whims.fingerprint(engine),
            Cast::Real(engines) => engines.fingerprint(engine),
        }
    }
}

impl Policies for Whims {
    fn ask(&mut self, policy: &PolicyRef, context: &Context) -> Result<Answer, Fault> {
        let frame = context.frame();
        let mut dice = Dice::of(
            self.seed,
            &[key_of(&policy.name), key_of(&policy.version), frame.seed, frame.state.len() as u64],
        );
        if !self.calm && dice.chance(0.12) {
            let class = dice.pick(&[
                FaultClass::Trap,
                FaultClass::Fuel,
                FaultClass::Deadline,
                FaultClass::Memory,
                FaultClass::InvalidOutput,
                FaultClass::Declined,
                FaultClass::HostFault,
            ]);
            return Err(Scripted::fault(class, "a whim"));
        }
        let nonsense = !self.calm && dice.chance(0.12);
        let verdict = match context {
            Context::Selection(context) => {
                let mut running: BTreeMap<u32, u32> = BTreeMap::new();
                let mut picks = Vec::new();
                for (index, candidate) in context.candidates.iter().enumerate() {
                    let fits = candidate.host.is_none_or(|host| {
                        let load = context.host_loads.get(host as usize).map_or(0, |load| load.running);
                        let count = running.entry(host).or_insert(load);
                        *count += 1;
                        *count <= context.same_host_cap
                    });
                    if picks.len() < context.free as usize && (fits || nonsense) && (self.calm || dice.chance(0.7)) {
                        picks.push(index as u32);
                    }
                }
                if nonsense && dice.chance(0.5) {
                    picks.push(context.candidates.len() as u32 + dice.roll(3) as u32);
                }
                match picks.is_empty() {
                    true => Verdict::Selection(SelectionVerdict::Idle),
                    false => Verdict::Selection(SelectionVerdict::Pick(picks)),
                }
            }
            Context::Retry(context) if self.calm => match context.budget_left {
                0 => Verdict::Retry(RetryVerdict::GiveUp),
                _ => Verdict::Retry(RetryVerdict::Retry(1_000)),
            },
            Context::Retry(context) => Verdict::Retry(match dice.roll(6) {
                0..=2 => RetryVerdict::Retry(dice.roll(60_000)),
                3 => RetryVerdict::MoveLane(if (context.lane == Lane::Queue) != nonsense {
                    Lane::Curriculum
                } else {
                    Lane::Queue
                }),
                4 => RetryVerdict::Disable,
                _ if nonsense => RetryVerdict::Retry(u64::MAX),
                _ => RetryVerdict::GiveUp,
            }),
            Context::Gate(context) => Verdict::Gate(match dice.roll(6) {
                0 | 1 => GateVerdict::Advance,
                2 => GateVerdict::NeedMore(if nonsense { 0 } else { 10 }),
                3 => GateVerdict::Hold,
                4 if nonsense => GateVerdict::RollBack,
                _ if (context.stage == GateStage::Watch) != nonsense => GateVerdict::RollBack,
                _ => GateVerdict::Reject,
            }),
            Context::Curriculum(context) => Verdict::Curriculum(match dice.roll(4) {
                0 => CurriculumVerdict::Nothing,
                1 if !context.hosts.is_empty() => {
                    CurriculumVerdict::Park(vec![dice.roll(context.hosts.len() as u64 + u64::from(nonsense)) as u32])
                }
                _ => {
                    let seeds = dice.roll(u64::from(context.budget.min(3)) + u64::from(nonsense) + 1);
                    let seed = |dice: &mut Dice| Seed {
                        host: dice.roll(context.hosts.len() as u64) as u32,
                        steps: 1 + dice.roll(100) as u32,
                        learning_rate: if nonsense { f64::NAN } else { 1e-3 },
                        replay_share: 0.5,
                    };
                    let seeds: Vec<Seed> = (0..seeds).map(|_| seed(&mut dice)).collect();
                    match seeds.is_empty() || context.hosts.is_empty() {
                        true => CurriculumVerdict::Nothing,
                        false => CurriculumVerdict::Plant(seeds),
                    }
                }
            }),
        };
        let state = dice
            .chance(0.3)
            .then(|| dice.word().to_le_bytes()[..1 + dice.roll(8) as usize].to_vec());
        let distribution = match context {
            Context::Selection(context) if !self.calm && dice.chance(0.3) => left_to_chance(context, nonsense, &mut dice),
            Context::Selection(_) | Context::Retry(_) | Context::Gate(_) | Context::Curriculum(_) => Vec::new(),
        };
        let reason = Reason {
            code: "whim".into(),
            text: "Because.".into(),
            ..Reason::default()
        };
        let advice = Advice {
            reasons: vec![reason],
            distribution,
            state,
            ..Advice::default()
        };
        let cost = Cost { fuel: Some(1), micros: 1 };
        Ok(Answer { verdict, advice, cost })
    }

    fn migrate(&mut self, policy: &PolicyRef, from_version: u32, state: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut dice = Dice::of(self.seed, &[key_of(&policy.version), u64::from(from_version), state.len() as u64]);
        match dice.roll(3) {
            0 => Err(Scripted::fault(FaultClass::Declined, "not this one")),
            _ => Ok(state.to_vec()),
        }
    }

    fn fingerprint(&self, engine: EngineKind) -> String {
        format!("whims {}", engine.slug())
    }
}

/// Shares for the candidates, some of them none; as nonsense one too many. It may come with a verdict that picks nothing.
fn left_to_chance(context: &SelectionContext, nonsense: bool, dice: &mut Dice) -> Vec<f64> {
    let count = context.candidates.len() + usize::from(nonsense);
    let share = |dice: &mut Dice| if dice.chance(0.3) { 0.0 } else { dice.unit() };
    (0..count).map(|_| share(dice)).collect()
}
