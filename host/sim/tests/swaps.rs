//! Thousands of swaps at random, with crashes between them. The world checks after each step that the replayed journal
//! is the live state, that a snapshot has the same deadline, and that exactly what the journal made active is; here it
//! is checked what swaps promise beyond that.

use pointsman_coordinator::{COOL_DOWN_MS, Reply};
use pointsman_model::command::{Activation, Command};
use pointsman_model::decision::{RetryVerdict, Verdict};
use pointsman_model::event::{Event, Recorded, StateHandover};
use pointsman_model::policy::{FaultClass, PolicyDescription, PolicyKind};
use pointsman_model::run::{Completion, Failure, FailureClass, ModelFile, RunEnd, RunReport, Work};
use pointsman_model::settings::Settings;
use pointsman_model::source::{Lane, NewSource, Origin};
use pointsman_model::{Actor, Digest, Millis};
use pointsman_sim::{Dice, Scripted, World};
use std::collections::{BTreeMap, BTreeSet};

const STEPS: u64 = 1_500;
const SEEDS: u64 = 6;
const NAMES: [&str; 3] = ["calm", "bold", "wild"];

/// What the journal says, watched entry by entry.
#[derive(Default)]
struct Watch {
    pinned: BTreeSet<PolicyKind>,
    confirm_by: BTreeMap<PolicyKind, Millis>,
    canaries: BTreeSet<PolicyKind>,
    cool_downs: BTreeMap<(PolicyKind, Digest), Millis>,
    seen: BTreeMap<&'static str, u64>,
}

impl Watch {
    fn entry(&mut self, recorded: &Recorded, forced: bool) {
        let at = recorded.at;
        *self.seen.entry(recorded.event.slug()).or_default() += 1;
        match &recorded.event {
            Event::PolicyActivated {
                description,
                confirm_by,
                state,
                ..
            } => {
                let kind = description.kind;
                assert!(!self.pinned.contains(&kind), "{kind} is pinned");
                assert!(!self.confirm_by.contains_key(&kind), "{kind} is on trial");
                assert!(
                    !self.canaries.contains(&kind) || *state == StateHandover::FromCanary,
                    "{kind} has a canary"
                );
                let out_until = self.cool_downs.get(&(kind, description.policy.digest)).copied().unwrap_or(0);
                assert!(
                    forced || at >= out_until || *state == StateHandover::FromCanary,
                    "{kind} cools down"
                );
                self.confirm_by.extend(confirm_by.map(|by| (kind, by)));
            }
            Event::PolicyConfirmed { kinds, .. } => {
                for kind in kinds {
                    let by = self.confirm_by.remove(kind);
                    assert!(by.is_some_and(|by| at < by), "{kind} was on trial, and in time");
                }
            }
            Event::PolicyRolledBack {
                kind,
                from,
                actor,
                tripped_until,
                ..
            } => {
                let by = self.confirm_by.remove(kind);
                if actor.0 == Actor::CONFIRM_TIMEOUT {
                    assert!(by.is_some_and(|by| at >= by), "{kind} was on trial, and the time over");
                }
                if actor.0 == Actor::BREAKER {
                    assert!(!self.pinned.contains(kind), "the breaker leaves a pinned kind alone");
                }
                if let Some(until) = tripped_until {
                    assert_eq!(*until, at + COOL_DOWN_MS);
                    self.cool_downs.insert((*kind, from.digest), *until);
                }
            }
            Event::PolicyPinned { kind, pinned, .. } => {
                let changed = if *pinned {
                    self.pinned.insert(*kind)
                } else {
                    self.pinned.remove(kind)
                };
                assert!(changed, "only a change is an event");
            }
            Event::PolicyCanaryStarted { description, .. } => {
                assert!(!self.pinned.contains(&description.kind));
                assert!(self.canaries.insert(description.kind), "one canary of a kind");
            }
            Event::PolicyCanaryEnded {
                kind,
                policy,
                tripped_until,
                ..
            } => {
                assert!(self.canaries.remove(kind), "it ran");
                self.cool_downs.extend(tripped_until.map(|until| ((*kind, policy.digest), until)));
            }
            _ => {}
        }
    }
}

fn description(dice: &mut Dice, kind: PolicyKind) -> PolicyDescription {
    let name = dice.pick(&NAMES);
    let version = dice.roll(3) + 1;
    let mut description = Scripted::describe(&format!("{name}-{kind}"), &version.to_string(), kind);
    description.state_version = version as u32;
    description
}

fn command(dice: &mut Dice, world: &World) -> (Command, bool) {
    let actor = Actor::new("operator");
    let reason = String::new();
    let kind = dice.pick(&[PolicyKind::Retry, PolicyKind::Retry, PolicyKind::PromotionGate]);
    let force = dice.roll(4) == 0;
    let command = match dice.roll(12) {
        0..=2 => {
            let mut kinds = vec![kind];
            if dice.roll(2) == 0 {
                kinds.push(dice.pick(&PolicyKind::ALL));
            }
            let policies = kinds.into_iter().map(|kind| Activation {
                description: description(dice, kind),
                fresh_state: dice.roll(8) == 0,
                report: None,
            });
            Command::ActivatePolicies {
                policies: policies.collect(),
                confirm_within_ms: (dice.roll(3) == 0).then_some(30_000),
                force,
                actor,
                reason,
            }
        }
        3 => Command::ConfirmPolicy { kind, actor },
        4 => Command::RollBackPolicy {
            kind,
            whole_set: dice.roll(2) == 0,
            actor,
            reason,
        },
        5 => Command::PinPolicy {
            kind,
            pinned: dice.roll(3) == 0,
            actor,
            reason,
        },
        6 => Command::StartPolicyCanary {
            description: description(dice, kind),
            share: 0.5,
            report: None,
            force,
            actor,
            reason,
        },
        7 => Command::EndPolicyCanary {
            kind,
            promote: dice.roll(2) == 0,
            actor,
            reason,
        },
        8 => {
            let slot = world.coordinator().state().slot(kind);
            let key = slot.and_then(|slot| slot.quarantined().next()).map(|(input, _)| input.key);
            Command::ReleaseQuarantine {
                kind,
                key: key.unwrap_or_default(),
                actor,
            }
        }
        _ => Command::SubmitSource(NewSource {
            title: format!("source {}", dice.roll(1_000)),
            body: String::new(),
            host: None,
            lane: Lane::Queue,
            origin: Origin::Cli,
            priority: 0,
            params: None,
        }),
    };
    (command, force)
}

/// Ends what runs: the first model is made, every training fails, and policies answer or fail as the dice say.
fn finish_runs(dice: &mut Dice, world: &mut World, watch: &mut Watch) {
    let runs: Vec<_> = world.coordinator().state().runs.values().cloned().collect();
    for run in runs {
        let end = match run.work {
            Work::Bootstrap => RunEnd::Completed(Completion {
                model: Some(ModelFile {
                    digest: Digest::of(b"model"),
                    bytes: 1,
                    path: "models/1".into(),
                }),
                ..Completion::default()
            }),
            Work::Train { .. } | Work::Evaluate { .. } => RunEnd::Failed(Failure {
                class: FailureClass::Transient,
                // Few errors, so that inputs come back.
                error: format!("error {}", dice.roll(2)),
                exit_code: None,
            }),
        };
        for name in NAMES {
            let name = format!("{name}-retry");
            if dice.roll(3) == 0 {
                world.policies.fail(&name, FaultClass::Trap, "unreachable");
            } else {
                let state = (dice.roll(2) == 0).then(|| dice.roll(1 << 20).to_le_bytes().to_vec());
                world
                    .policies
                    .answer(&name, Verdict::Retry(RetryVerdict::Retry(1_000)), "again", state);
            }
        }
        let report = RunReport { duration_ms: 1, end };
        tell(world, watch, Command::ReportFinished { token: run.token, report }, false);
    }
}

fn tell(world: &mut World, watch: &mut Watch, command: Command, forced: bool) -> Option<Reply> {
    let told = world.command(command).unwrap_or_else(|broken| panic!("{broken}"));
    let (reply, entries) = told.ok()?;
    entries.iter().for_each(|recorded| watch.entry(recorded, forced));
    // Nothing that was due is left: what was not confirmed in time is gone with the first word after it.
    assert!(watch.confirm_by.values().all(|by| world.now < *by), "a trial is over and still on");
    Some(reply)
}

#[test]
fn whatever_the_order_of_swaps_and_crashes_the_promises_hold() {
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in 0..SEEDS {
        let mut dice = Dice::of(seed, &[]);
        let mut world = World::default();
        let mut watch = Watch::default();
        let operator = || Actor::new("operator");
        let start = || Command::StartHost {
            version: "0.1.0".into(),
            paused: false,
        };
        tell(&mut world, &mut watch, start(), false);
        let settings = Settings {
            curriculum_fallback: false,
            retry_budget: 100,
            training_max_active: 4,
            global_max: 8,
            ..Settings::default()
        };
        let set = Command::ChangeSettings {
            settings,
            actor: operator(),
        };
        tell(&mut world, &mut watch, set, false);
        let train = Command::StartTraining {
            actor: operator(),
            reason: String::new(),
            automatic: false,
        };
        tell(&mut world, &mut watch, train, false);
        for _ in 0..STEPS {
            for name in NAMES {
                let state = dice.roll(1 << 20).to_le_bytes().to_vec();
                let outcome = match dice.roll(3) {
                    0 => Err(Scripted::fault(FaultClass::Declined, "not this one")),
                    _ => Ok(state),
                };
                world.policies.migrate_to(&format!("{name}-retry"), outcome);
            }
            match dice.roll(10) {
                0..=4 => {
                    let (command, forced) = command(&mut dice, &world);
                    tell(&mut world, &mut watch, command, forced);
                }
                5..=7 => finish_runs(&mut dice, &mut world, &mut watch),
                8 => {
                    world.now += dice.roll(20_000);
                    tell(&mut world, &mut watch, Command::Tick, false);
                }
                _ => {
                    world.crash().unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
                    world.now += dice.roll(3) * 20_000;
                    tell(&mut world, &mut watch, start(), false);
                }
            }
        }
        for (event, count) in watch.seen {
            *seen.entry(event).or_default() += count;
        }
    }
    for event in [
        "policy_activated",
        "policy_confirmed",
        "policy_rolled_back",
        "policy_pinned",
        "policy_canary_started",
        "policy_canary_ended",
        "input_quarantined",
        "input_released",
    ] {
        assert!(seen.get(event).is_some_and(|count| *count > 20), "{event} is seldom seen: {seen:?}");
    }
    println!("{seen:?}");
}
