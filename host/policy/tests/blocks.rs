//! Lists that the host lays out itself reach a guest as the generated code would hand them over, byte for byte: a guest
//! answers with the bytes of the list that it was given.

#[path = "support/guest.rs"]
mod guest;

use guest::{component_of, load_unasked};
use pointsman_coordinator::Policies;
use pointsman_model::context::*;
use pointsman_model::policy::{EngineKind, PolicyKind, PolicyLimits};
use pointsman_model::run::FailureCounts;
use pointsman_model::source::{Lane, Origin};
use pointsman_policy::component::bindings::{curriculum, gate, log, selection, types};
use pointsman_policy::component::engine;
use pointsman_policy::{Engines, Library, canned_context};
use wasmtime::Store;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};

/// Where a guest finds a list in its context, and where its state stands in its answer, by the canonical ABI.
struct Places {
    world: &'static str,
    list: Handed,
    row_bytes: u32,
    /// A verdict without a payload.
    verdict: u32,
    state: u32,
}

/// A record is handed over in memory, unless it has few fields.
#[derive(Clone, Copy, Debug)]
enum Handed {
    InMemory { at: u32 },
    AsParameters { list: u32 },
}

fn echo(places: &Places) -> Vec<u8> {
    let Places {
        world,
        list,
        row_bytes,
        verdict,
        state,
    } = places;
    let (parameters, pointer, length) = match list {
        Handed::InMemory { at } => (
            "i32".to_string(),
            format!("(i32.load offset={at} (local.get 0))"),
            format!("(i32.load offset={} (local.get 0))", at + 4),
        ),
        Handed::AsParameters { list } => (
            format!("i64 i64{}", " i32".repeat(*list as usize)),
            format!("(local.get {list})"),
            format!("(local.get {})", list + 1),
        ),
    };
    let text = format!(
        r#"(module
        (memory (export "memory") 2)
        (global $next (mut i32) (i32.const 8192))
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
            (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
            (global.set $next (i32.add (local.get $at) (local.get 3)))
            (local.get $at))
        (func (export "describe") (result i32) unreachable)
        (func (export "check-settings") (param i32 i32) (result i32) unreachable)
        (func (export "decide") (param {parameters}) (result i32)
            (i32.store8 (i32.const 4100) (i32.const {verdict}))
            (i32.store8 (i32.const {0}) (i32.const 1))
            (i32.store (i32.const {1}) {pointer})
            (i32.store (i32.const {2}) (i32.mul (i32.const {row_bytes}) {length}))
            (i32.const 4096)))"#,
        4096 + state,
        4100 + state,
        4104 + state,
    );
    let core = wat::parse_str(text).expect("it is WebAssembly");
    component_of(&core, world).expect("it is a component")
}

struct Host;

impl log::Host for Host {
    fn log(&mut self, _: log::Level, _: String) -> wasmtime::Result<()> {
        Ok(())
    }
}

fn generated(code: &[u8]) -> (Store<Host>, InstancePre<Host>) {
    let mut linker: Linker<Host> = Linker::new(engine());
    log::add_to_linker::<Host, HasSelf<Host>>(&mut linker, |host| host).expect("it links");
    let component = Component::from_binary(engine(), code).expect("it compiles");
    let mut store = Store::new(engine(), Host);
    store.set_fuel(1_000_000).expect("fuel is on");
    store.set_epoch_deadline(u64::MAX / 2);
    (store, linker.instantiate_pre(&component).expect("it links"))
}

/// As the product asks.
fn laid_out(kind: PolicyKind, code: &[u8], context: &Context) -> Vec<u8> {
    let library = Library::new();
    let version = load_unasked(&library, EngineKind::Component, kind, code, PolicyLimits::default()).expect("it loads");
    let answer = Engines::new(library).ask(&version.policy, context).expect("it decides");
    answer.advice.state.expect("the bytes of the list")
}

fn frame() -> types::Frame<'static> {
    types::Frame {
        now_ms: 1,
        seed: 2,
        settings: &[],
        state: &[],
    }
}

/// Each count another one, so that no two fields can be taken for each other.
fn failures() -> (FailureCounts, types::FailureCounts) {
    (
        FailureCounts {
            infra: 11,
            preempted: 12,
            timeout: 13,
            transient: 14,
            deterministic: 15,
            crash: 16,
            policy: 17,
        },
        types::FailureCounts {
            infra: 11,
            preempted: 12,
            timeout: 13,
            transient: 14,
            deterministic: 15,
            crash: 16,
            policy: 17,
        },
    )
}

use selection::pointsman::policy::source_selection_types as selection_wit;

fn selection_lists() -> (Context, Vec<selection_wit::Candidate>, Vec<selection_wit::HostLoad>) {
    let Context::Selection(mut context) = canned_context(PolicyKind::SourceSelection) else {
        unreachable!("a selection context")
    };
    let (ours, theirs) = failures();
    let lanes = [
        (Lane::Queue, types::Lane::Queue),
        (Lane::Curriculum, types::Lane::Curriculum),
        (Lane::Queue, types::Lane::Queue),
        (Lane::Curriculum, types::Lane::Curriculum),
        (Lane::Queue, types::Lane::Queue),
    ];
    let origins = [
        (Origin::Ui, types::Origin::Ui),
        (Origin::Api, types::Origin::Api),
        (Origin::Cli, types::Origin::Cli),
        (Origin::Campaign, types::Origin::Campaign),
        (Origin::Curriculum, types::Origin::Curriculum),
    ];
    let mut candidates = Vec::new();
    context.candidates.clear();
    for (number, (lane, origin)) in (1..).zip(lanes.into_iter().zip(origins)) {
        let (host, campaign) = ((number % 2 == 0).then_some(1), (number % 3 == 0).then_some(0x0102_0304));
        context.candidates.push(SourceCandidate {
            id: u64::MAX - u64::from(number),
            lane: lane.0,
            origin: origin.0,
            host,
            campaign,
            row: number * 7,
            age_s: f64::from(number) / 3.0,
            attempts: number * 5,
            failures: ours,
            difficulty: 0.125,
            priority: -(number as i32),
        });
        candidates.push(selection_wit::Candidate {
            id: u64::MAX - u64::from(number),
            lane: lane.1,
            origin: origin.1,
            host,
            campaign,
            row: number * 7,
            age_s: f64::from(number) / 3.0,
            attempts: number * 5,
            failures: theirs,
            difficulty: 0.125,
            priority: -(number as i32),
        });
    }
    let since = [None, Some(-1.5)];
    context.host_loads = since
        .map(|since_picked_s| HostLoad {
            running: 1,
            pending: 2,
            successes: 3,
            failures: 4,
            since_picked_s,
        })
        .to_vec();
    let loads = since.map(|since_picked_s| selection_wit::HostLoad {
        running: 1,
        pending: 2,
        successes: 3,
        failures: 4,
        since_picked_s,
    });
    (Context::Selection(context), candidates, loads.to_vec())
}

#[test]
fn candidates_and_host_loads() {
    let (context, candidates, host_loads) = selection_lists();
    for (at, row_bytes) in [(84, 88), (68, 32)] {
        let places = Places {
            world: "source-selection",
            list: Handed::InMemory { at },
            row_bytes,
            verdict: 1,
            state: 76,
        };
        let code = echo(&places);
        let (mut store, pre) = generated(&code);
        let bare = selection::SourceSelectionPre::new(pre)
            .and_then(|pre| pre.instantiate(&mut store))
            .expect("it starts");
        let question = selection_wit::Context {
            frame: frame(),
            free: 1,
            lane_mode: selection_wit::LaneMode::Hybrid,
            curriculum_fallback: true,
            lock: None,
            same_host_cap: 1,
            hosts: &["alpha.example", "beta.example"],
            campaigns: &[],
            host_loads: &host_loads,
            recent_hosts: &[],
            candidates: &candidates,
            left_out: 0,
        };
        let answer = bare.call_decide(&mut store, question).expect("it ends").expect("it decides");
        let expected = answer.advice.state.expect("the bytes of the list");
        assert!(expected.len() >= 2 * row_bytes as usize);
        assert_eq!(laid_out(PolicyKind::SourceSelection, &code, &context), expected, "list at {at}");
    }
}

#[test]
fn pairs_of_a_gate() {
    use gate::pointsman::policy::promotion_gate_types as wit;
    let Context::Gate(context) = canned_context(PolicyKind::PromotionGate) else {
        unreachable!("a gate context")
    };
    let pairs: Vec<_> = context
        .pairs
        .iter()
        .map(|pair| wit::Pair {
            host: pair.host,
            baseline: pair.baseline,
            candidate: pair.candidate,
        })
        .collect();
    let places = Places {
        world: "promotion-gate",
        list: Handed::InMemory { at: 60 },
        row_bytes: 24,
        verdict: 3,
        state: 72,
    };
    let code = echo(&places);
    let (mut store, pre) = generated(&code);
    let bare = gate::PromotionGatePre::new(pre)
        .and_then(|pre| pre.instantiate(&mut store))
        .expect("it starts");
    let question = wit::Context {
        frame: frame(),
        stage: wit::Stage::Evaluate,
        candidate: "m-2",
        baseline: "m-1",
        hosts: &["alpha.example", "beta.example"],
        pairs: &pairs,
        guardrails: &[],
        looks: 0,
        cap: 100,
        ingest_lag: None,
    };
    let answer = bare.call_decide(&mut store, question).expect("it ends").expect("it decides");
    let expected = answer.advice.state.expect("the bytes of the list");
    assert_eq!(expected.len(), pairs.len() * 24);
    assert_eq!(laid_out(PolicyKind::PromotionGate, &code, &Context::Gate(context)), expected);
}

#[test]
fn skills_of_a_curriculum() {
    use curriculum::pointsman::policy::curriculum_types as wit;
    let Context::Curriculum(mut context) = canned_context(PolicyKind::Curriculum) else {
        unreachable!("a curriculum context")
    };
    let losses = [(None, Some(1.0), false), (Some(2.5), None, true)];
    context.skills = losses
        .map(|(loss, stale_s, parked)| Skill {
            tries: 1,
            successes: 2,
            failures: 3,
            pending: 4,
            loss,
            loss_before: stale_s,
            loss_after: loss,
            progress: -0.25,
            stale_s,
            parked,
        })
        .to_vec();
    let skills = losses.map(|(loss, stale_s, parked)| wit::Skill {
        tries: 1,
        successes: 2,
        failures: 3,
        pending: 4,
        loss,
        loss_before: stale_s,
        loss_after: loss,
        progress: -0.25,
        stale_s,
        parked,
    });
    let places = Places {
        world: "curriculum",
        list: Handed::AsParameters { list: 11 },
        row_bytes: 96,
        verdict: 2,
        state: 76,
    };
    let code = echo(&places);
    let (mut store, pre) = generated(&code);
    let bare = curriculum::CurriculumPre::new(pre)
        .and_then(|pre| pre.instantiate(&mut store))
        .expect("it starts");
    let question = wit::Context {
        frame: frame(),
        budget: 1,
        pending_queue: 0,
        pending_curriculum: 0,
        hosts: &["alpha.example", "beta.example"],
        skills: &skills,
    };
    let answer = bare.call_decide(&mut store, question).expect("it ends").expect("it decides");
    let expected = answer.advice.state.expect("the bytes of the list");
    assert_eq!(expected.len(), 2 * 96);
    assert_eq!(laid_out(PolicyKind::Curriculum, &code, &Context::Curriculum(context)), expected);
}
