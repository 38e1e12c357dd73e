//! Hostile plugins through the whole path: coordinator, engine, fallback, record. Each is made the active version
//! without the self-test that would refuse it, and is asked for a decision that a run waits for.

mod support;

use pointsman_coordinator::Coordinator;
use pointsman_model::Actor;
use pointsman_model::command::Command;
use pointsman_model::decision::{Decision, Link};
use pointsman_model::event::Event;
use pointsman_model::policy::{EngineKind, FaultClass, PolicyKind, PolicyLimits};
use pointsman_model::run::{Completion, HostLoss, ModelFile, RunEnd, RunReport};
use pointsman_model::source::{Lane, NewSource, Origin};
use pointsman_policy::{Engines, Library};
use support::{cpu_ms, load_unasked, plugin, script_engines};

/// A hostile decision may cost this much CPU time of the deciding thread, fallback and record included.
const CONTAINED_WITHIN_MS: f64 = 200.0;
/// For those that are to end at their memory: how fast it fills is the machine's affair, and the deadline must not be first.
const MEMORY_DEADLINE_MS: u32 = 2_000;

#[test]
fn the_fallback_answers_for_a_hostile_policy_and_the_record_says_why() {
    let components = [
        ("hostile_loop_forever", FaultClass::Fuel),
        ("hostile_memory_eater", FaultClass::Memory),
        ("hostile_trap", FaultClass::Trap),
        ("hostile_wrong_candidate", FaultClass::InvalidOutput),
    ];
    let library = Library::new();
    for (name, class) in components {
        let Some(code) = plugin(name) else { return };
        contained(&library, EngineKind::Component, name, &code, class);
    }
    let spins = b"fn describe() { #{ name: \"spins\", version: \"1\", kind: \"source-selection\" } }\nfn decide(ctx) { loop { } }";
    let doubles = b"fn describe() { #{ name: \"doubles\", version: \"1\", kind: \"source-selection\" } }\n\
        fn decide(ctx) { let text = \"a\"; loop { text += text; } }";
    for engine in script_engines() {
        contained(&library, engine, "a script that loops", spins, FaultClass::Fuel);
        contained(&library, engine, "a script that doubles", doubles, FaultClass::Memory);
    }
}

fn contained(library: &Library, engine: EngineKind, name: &str, code: &[u8], class: FaultClass) {
    let mut engines = Engines::new(library.clone());
    let mut limits = PolicyLimits::default();
    if class == FaultClass::Memory {
        limits.deadline_ms = MEMORY_DEADLINE_MS;
    }
    let policy = load_unasked(library, engine, PolicyKind::SourceSelection, code, limits);
    let description = library.description(&policy.digest).expect("it is loaded");
    let mut coordinator = Coordinator::new();
    let mut now = 1_000_000;
    let mut told = |command: Command| {
        now += 1;
        coordinator.handle(now, command, &mut engines).expect("the command fits").events
    };
    let actor = Actor::new("test");
    told(Command::StartHost {
        version: "test".into(),
        paused: false,
    });
    told(Command::activate(description, actor.clone(), ""));
    for title in ["first", "second"] {
        let (body, host) = (String::new(), Some(format!("{title} host")));
        let new = NewSource {
            title: title.into(),
            body,
            host,
            lane: Lane::Queue,
            origin: Origin::Cli,
            priority: 0,
            params: None,
        };
        told(Command::SubmitSource(new));
    }
    let events = told(Command::StartTraining {
        actor,
        reason: String::new(),
        automatic: false,
    });
    let bootstrap = planned(&events).expect("the first model is planned");

    let before = cpu_ms();
    let events = told(Command::ReportFinished {
        token: bootstrap,
        report: completed(),
    });
    let took_ms = cpu_ms() - before;
    let decision = decided(&events);
    let declined = &decision.ruling.declined[0];
    println!(
        "{name:<28} {:<14} {took_ms:>6.1} ms  {}",
        declined.fault.class.slug(),
        declined.fault.detail
    );
    assert_eq!(decision.ruling.link, Link::BuiltIn, "{name}: the fallback answers");
    assert_eq!((declined.link, &declined.policy), (Link::Active, &policy), "{name}");
    assert!(
        is(declined.fault.class, class),
        "{name} ended by {:?}: {}",
        declined.fault.class,
        declined.fault.detail
    );
    let within_ms = CONTAINED_WITHIN_MS.max(f64::from(limits.deadline_ms));
    assert!(took_ms < within_ms, "{name} took {took_ms:.1} ms");
    let run = planned(&events).expect("a run is planned all the same");

    // The next decision finds nothing changed.
    let events = told(Command::ReportFinished {
        token: run,
        report: completed(),
    });
    let next = decided(&events);
    assert_eq!(next.ruling.link, Link::BuiltIn, "{name}: the second time");
    assert!(is(next.ruling.declined[0].fault.class, class), "{name}: the second time");
}

/// Fuel ends a loop under the default limits, unless the machine is so slow that the deadline comes first.
fn is(found: FaultClass, expected: FaultClass) -> bool {
    found == expected || (expected, found) == (FaultClass::Fuel, FaultClass::Deadline)
}

fn planned(events: &[pointsman_model::event::Emitted]) -> Option<pointsman_model::run::AttemptToken> {
    events.iter().find_map(|emitted| match &emitted.event {
        Event::RunPlanned { run, .. } => Some(run.token),
        _ => None,
    })
}

fn decided(events: &[pointsman_model::event::Emitted]) -> Decision {
    let decided = events.iter().find_map(|emitted| match &emitted.event {
        Event::Decided(decision) if decision.kind == PolicyKind::SourceSelection => Some((**decision).clone()),
        _ => None,
    });
    decided.expect("selection was asked")
}

fn completed() -> RunReport {
    let losses = vec![HostLoss {
        host: "first host".into(),
        before: None,
        after: 3.0,
    }];
    let model = Some(ModelFile {
        digest: Default::default(),
        bytes: 1,
        path: "models/1".into(),
    });
    RunReport {
        duration_ms: 1,
        end: RunEnd::Completed(Completion {
            losses,
            model,
            ..Completion::default()
        }),
    }
}
