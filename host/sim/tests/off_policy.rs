//! The value of another policy through the real coordinator: the shipped selection explores in a world, and what is told
//! of another policy from its record is what that policy earns when it serves.

mod support;

use pointsman_coordinator::{Guards, Policies};
use pointsman_model::command::Command;
use pointsman_model::context::Context;
use pointsman_model::decision::Answer;
use pointsman_model::event::Event;
use pointsman_model::policy::{EngineKind, Fault, PolicyDescription, PolicyKind, PolicyLimits, PolicyRef, Setting, Value};
use pointsman_model::run::{Completion, Failure, FailureClass, HostLoss, ModelFile, Run, RunEnd, RunReport, RunStatus, Work};
use pointsman_model::settings::{LaneMode, Settings};
use pointsman_model::source::{Lane, NewSource, Origin};
use pointsman_model::{Actor, DecisionId, Digest, RunId};
use pointsman_policy::{Engines, Library, PolicySource};
use pointsman_sim::off_policy::{Asked, CannotKnow, Found, Log, Logged, off_policy};
use pointsman_sim::replay::RecordedDecision;
use pointsman_sim::verify::{Verification, verify};
use pointsman_sim::{Dice, World};
use std::collections::{BTreeMap, BTreeSet};

/// Share of runs that succeed, by host. One source of each waits at any time.
const HOSTS: [(&str, f64); 4] = [("novel", 0.9), ("speeches", 0.7), ("code", 0.4), ("events", 0.2)];

/// The real engines, and what they were asked about source selection.
struct Overheard {
    engines: Engines,
    selections: Vec<Vec<u8>>,
}

impl Policies for Overheard {
    fn ask(&mut self, policy: &PolicyRef, context: &Context) -> Result<Answer, Fault> {
        if context.kind() == PolicyKind::SourceSelection {
            self.selections.push(context.encode().bytes);
        }
        self.engines.ask(policy, context)
    }

    fn migrate(&mut self, policy: &PolicyRef, from_version: u32, state: &[u8]) -> Result<Vec<u8>, Fault> {
        self.engines.migrate(policy, from_version, state)
    }

    fn fingerprint(&self, engine: EngineKind) -> String {
        self.engines.fingerprint(engine)
    }
}

fn load(library: &Library, text: &str, explore: Option<f64>) -> PolicyDescription {
    let settings = explore.map(|explore| Setting {
        name: "explore".into(),
        value: Value::Number(explore),
    });
    let source = PolicySource {
        file: "selection.rhai".into(),
        bytes: text.into(),
        settings: settings.into_iter().collect(),
        trusted: true,
    };
    let checked = library.check(source, PolicyLimits::default()).expect("it fits");
    library.install(checked.clone());
    checked.description
}

fn shipped(library: &Library, explore: f64) -> PolicyDescription {
    let path = support::root().join("policies/source-selection.rhai");
    let text = std::fs::read_to_string(path).expect("it is shipped");
    load(library, &text, Some(explore))
}

/// Picks the source of this host.
fn only(library: &Library, host: &str) -> PolicyDescription {
    let text = format!(
        r#"
        fn describe() {{ #{{ name: "only-{host}", version: "1", kind: "source-selection" }} }}
        fn decide(ctx) {{
            for (candidate, index) in ctx.candidates {{
                if candidate.host != () && ctx.hosts[candidate.host] == "{host}" {{ return #{{ verdict: #{{ pick: [index] }} }}; }}
            }}
            #{{ verdict: "idle" }}
        }}"#
    );
    load(library, &text, None)
}

/// So many picks of a version in a world of its own, with how their runs ended.
fn serve(library: &Library, version: &PolicyDescription, picks: usize, seed: u64) -> Vec<Logged> {
    let mut world = World::with(Overheard {
        engines: Engines::new(library.clone()),
        selections: Vec::new(),
    });
    let mut luck = Dice::of(seed, &[]);
    let actor = || Actor::new("test");
    let settings = Settings {
        lane_mode: LaneMode::QueuedOnly,
        training_max_active: 1,
        retry_budget: 0,
        promotion_window: 100_000,
        ..Settings::default()
    };
    let tell = |world: &mut World<Overheard>, command: Command| {
        world.now += 1_000;
        let told = world.command(command).unwrap_or_else(|broken| panic!("{broken}"));
        let (_, entries) = told.unwrap_or_else(|refusal| panic!("{refusal:?}"));
        entries
    };
    tell(
        &mut world,
        Command::StartHost {
            version: "test".into(),
            paused: false,
        },
    );
    tell(&mut world, Command::ChangeSettings { settings, actor: actor() });
    tell(&mut world, Command::activate(version.clone(), actor(), String::new()));
    for (host, _) in HOSTS {
        tell(&mut world, Command::SubmitSource(source(host)));
    }
    let start = Command::StartTraining {
        actor: actor(),
        reason: String::new(),
        automatic: false,
    };
    let mut entries = tell(&mut world, start);
    let (mut logged, mut begun): (Vec<Logged>, BTreeMap<RunId, usize>) = (Vec::new(), BTreeMap::new());
    loop {
        let mut runs: Vec<Run> = Vec::new();
        for recorded in &entries {
            match &recorded.event {
                Event::Decided(decision) if decision.kind == PolicyKind::SourceSelection => {
                    let context = world.policies.selections.get(logged.len()).cloned();
                    logged.push(Logged {
                        recorded: RecordedDecision {
                            at: recorded.at,
                            decision: (**decision).clone(),
                            context,
                        },
                        run: None,
                    });
                }
                Event::RunPlanned { run, decision } => {
                    let of = |decision: &DecisionId| logged.iter().rposition(|logged| logged.recorded.decision.id == *decision);
                    begun.extend(decision.as_ref().and_then(of).map(|at| (run.token.run, at)));
                    runs.push(run.clone());
                }
                _ => {}
            }
        }
        if logged.len() >= picks {
            return logged;
        }
        let run = runs.pop().expect("a run is under way at any time");
        assert!(runs.is_empty(), "one at a time");
        // What was picked is replaced before the next pick: the question stays the same.
        if let Work::Train { host: Some(host), .. } = &run.work {
            tell(&mut world, Command::SubmitSource(source(host)));
        }
        tell(&mut world, Command::ReportStarted { token: run.token });
        let report = end_of(&run, &mut luck);
        if let Some(at) = begun.get(&run.token.run) {
            logged[*at].run = Some(match report.end {
                RunEnd::Completed(_) => RunStatus::Completed,
                RunEnd::Failed(_) | RunEnd::Cancelled => RunStatus::Failed,
            });
        }
        entries = tell(&mut world, Command::ReportFinished { token: run.token, report });
    }
}

fn source(host: &str) -> NewSource {
    NewSource {
        title: format!("of {host}"),
        body: String::new(),
        host: Some(host.into()),
        lane: Lane::Queue,
        origin: Origin::Cli,
        priority: 0,
        params: None,
    }
}

fn end_of(run: &Run, luck: &mut Dice) -> RunReport {
    let host = match &run.work {
        Work::Train { host, .. } => host.clone(),
        Work::Bootstrap | Work::Evaluate { .. } => None,
    };
    let success = HOSTS
        .iter()
        .find(|(name, _)| host.as_deref() == Some(*name))
        .map_or(1.0, |(_, success)| *success);
    let end = match luck.chance(success) {
        false => RunEnd::Failed(Failure {
            class: FailureClass::Deterministic,
            error: "as it does".into(),
            exit_code: Some(1),
        }),
        true => RunEnd::Completed(Completion {
            steps: 20,
            losses: vec![HostLoss {
                host: "novel".into(),
                before: Some(4.0),
                after: 3.9,
            }],
            model: Some(ModelFile {
                digest: Digest::of(&run.token.run.0.to_le_bytes()),
                bytes: 1,
                path: format!("models/{}", run.token.run),
            }),
            ..Completion::default()
        }),
    };
    RunReport { duration_ms: 1_000, end }
}

struct Whole(Vec<Logged>);

impl Log for Whole {
    type Error = std::convert::Infallible;

    fn total(&self) -> u64 {
        self.0.len() as u64
    }

    fn next_page(&mut self) -> Result<Vec<Logged>, Self::Error> {
        Ok(std::mem::take(&mut self.0))
    }
}

fn value(library: &Library, log: &[Logged], version: &PolicyDescription) -> Found {
    let asked = Asked {
        version,
        reads_state_of: BTreeSet::new(),
        guard: &|_, _| Ok(()),
    };
    off_policy(&asked, &mut Engines::new(library.clone()), &mut Whole(log.to_vec()), &mut |_, _| {
        true
    })
    .expect("nothing can fail")
    .expect("nobody ended it")
}

fn earned(log: &[Logged]) -> f64 {
    let ended = log.iter().filter(|logged| logged.run.is_some());
    let succeeded = log.iter().filter(|logged| logged.run == Some(RunStatus::Completed)).count();
    succeeded as f64 / ended.count() as f64
}

#[test]
fn the_value_told_from_an_exploring_host_is_what_the_other_policy_earns() {
    let library = Library::new();
    let log = serve(&library, &shipped(&library, 0.5), 800, 1);
    assert!(log.iter().all(|logged| logged.recorded.decision.ruling.propensity.is_some()));
    for host in ["novel", "events"] {
        let other = only(&library, host);
        let found = value(&library, &log, &other);
        let estimates = found.estimates.unwrap_or_else(|| panic!("{host}: {:?}", found.cannot_know));
        let truth = HOSTS.iter().find(|(name, _)| *name == host).expect("one of them").1;
        let served = earned(&serve(&library, &other, 400, 2));
        println!(
            "only {host}: ips {:.3}, snips {:.3}, doubly robust {:.3} ({:.3} to {:.3}), served {served:.3}, true {truth}; {} used, effective {:.0}, recorded {:.3}",
            estimates.ips.value,
            estimates.snips.value,
            estimates.doubly_robust.value,
            estimates.doubly_robust.low,
            estimates.doubly_robust.high,
            found.used,
            found.support.effective_n,
            found.recorded.expect("many runs").value
        );
        for estimate in [estimates.ips, estimates.snips, estimates.doubly_robust] {
            assert!((estimate.low..=estimate.high).contains(&truth), "{host}: {estimates:?}");
        }
        assert!((served - truth).abs() < 0.08, "{served}");
        let gain = estimates.gain;
        assert!(if host == "novel" { gain.low > 0.0 } else { gain.high < 0.0 }, "{host}: {gain:?}");
    }
}

#[test]
fn a_drawn_decision_is_verified_identical_and_none_is_drawn_without_exploring() {
    let library = Library::new();
    let version = shipped(&library, 0.5);
    let log = serve(&library, &version, 60, 3);
    let mut engines = Engines::new(library.clone());
    let own = |logged: &&Logged| {
        let Answer { verdict, .. } = Engines::new(library.clone())
            .ask(
                &version.policy,
                &Context::decode(logged.recorded.context.as_deref().expect("kept")).expect("read"),
            )
            .expect("it answers");
        verdict == logged.recorded.decision.ruling.verdict
    };
    let as_the_policy_would = log.iter().filter(own).count();
    assert!(
        (20..55).contains(&as_the_policy_would),
        "{as_the_policy_would} of 60 picks are the policy's own"
    );
    for logged in &log {
        assert_eq!(verify(&mut engines, &Guards::default(), &logged.recorded), Verification::Identical);
    }
    let mut altered = log[0].recorded.clone();
    altered.decision.ruling.propensity = Some(0.5);
    assert_eq!(
        verify(&mut engines, &Guards::default(), &altered),
        Verification::SameVerdict { differs: "propensity" }
    );

    let plain = serve(&library, &shipped(&library, 0.0), 60, 3);
    assert!(plain.iter().all(|logged| logged.recorded.decision.ruling.propensity.is_none()));
    let found = value(&library, &plain, &version);
    assert_eq!(found.cannot_know, [CannotKnow::NothingDrawn { looked_at: 60 }]);
}
