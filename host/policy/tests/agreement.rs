//! One policy, two engines: the Rust components and their Rhai twins answer alike.

mod support;

use pointsman_coordinator::Policies;
use pointsman_model::context::*;
use pointsman_model::policy::*;
use pointsman_model::run::{FailureClass, FailureCounts};
use pointsman_model::settings::LaneMode;
use pointsman_model::source::{Lane, Origin};
use pointsman_policy::{Engines, Library};
use support::*;

struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as u32) % bound.max(1)
    }
}

fn selection(draw: &mut Draw) -> SelectionContext {
    let hosts = 1 + draw.below(5);
    let candidates = draw.below(20);
    SelectionContext {
        frame: Frame {
            now_ms: 1_700_000_000_000,
            seed: u64::from(draw.below(1_000)),
            ..Frame::default()
        },
        free: 1 + draw.below(4),
        lane_mode: [LaneMode::Hybrid, LaneMode::QueuedOnly, LaneMode::AutomaticOnly][draw.below(3) as usize],
        curriculum_fallback: draw.below(3) > 0,
        lock: (draw.below(6) == 0).then(|| draw.below(hosts)),
        same_host_cap: 1 + draw.below(2),
        hosts: (0..hosts).map(|host| format!("host-{host}")).collect(),
        campaigns: Vec::new(),
        host_loads: (0..hosts)
            .map(|_| HostLoad {
                running: draw.below(2),
                ..HostLoad::default()
            })
            .collect(),
        recent_hosts: (0..draw.below(4)).map(|_| draw.below(hosts)).collect(),
        candidates: (0..candidates)
            .map(|id| SourceCandidate {
                id: u64::from(id) + 1,
                lane: [Lane::Queue, Lane::Curriculum][draw.below(2) as usize],
                origin: Origin::Api,
                host: (draw.below(5) > 0).then(|| draw.below(hosts)),
                campaign: None,
                row: 0,
                age_s: f64::from(draw.below(5_000)),
                attempts: draw.below(3),
                failures: FailureCounts::default(),
                difficulty: 0.5,
                priority: draw.below(5) as i32 - 2,
            })
            .collect(),
        left_out: draw.below(3),
    }
}

#[test]
fn selection_in_rust_and_in_rhai_agree() {
    let Some(code) = plugin("host_diverse") else { return };
    let library = Library::new();
    let rust = install(&library, "host_diverse.wasm", code);
    let rhai = install(&library, "source-selection.rhai", script("source-selection.rhai"));
    assert_eq!(rust.settings, rhai.settings);
    let mut engines = Engines::new(library);
    let mut draw = Draw(7);
    for round in 0..300 {
        let mut context = selection(&mut draw);
        context.frame.settings = rust.settings.clone();
        let context = Context::Selection(context);
        let in_rust = engines.ask(&rust.policy, &context).expect("Rust decides");
        let in_rhai = engines.ask(&rhai.policy, &context).expect("Rhai decides");
        assert_eq!(in_rust.verdict, in_rhai.verdict, "round {round}: {context:?}");
        let (ours, theirs) = (
            in_rust.advice.scores.expect("scores").totals,
            in_rhai.advice.scores.expect("scores").totals,
        );
        assert!(
            ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < 1e-6),
            "round {round}: {ours:?} {theirs:?}"
        );
    }
}

#[test]
fn retry_in_rust_and_in_rhai_agree() {
    let Some(code) = plugin("retry_backoff") else { return };
    let library = Library::new();
    let rust = install(&library, "retry_backoff.wasm", code);
    let rhai = install(&library, "retry.rhai", script("retry.rhai"));
    assert_eq!(rust.settings, rhai.settings);
    let mut engines = Engines::new(library);
    let mut draw = Draw(11);
    for round in 0..300 {
        let mut context = question(&rust);
        let Context::Retry(retry) = &mut context else {
            panic!("a retry question")
        };
        retry.class = FailureClass::ALL[draw.below(7) as usize];
        retry.frame.seed = u64::from(draw.below(u32::MAX));
        retry.budget_left = draw.below(4);
        retry.same_error_before = draw.below(3);
        retry.failures = FailureCounts {
            infra: draw.below(12),
            preempted: draw.below(3),
            deterministic: draw.below(3),
            ..FailureCounts::default()
        };
        if draw.below(2) == 0 {
            retry.frame.settings[6].value = Value::Flag(true);
        }
        let in_rust = engines.ask(&rust.policy, &context).expect("Rust decides");
        let in_rhai = engines.ask(&rhai.policy, &context).expect("Rhai decides");
        assert_eq!(in_rust.verdict, in_rhai.verdict, "round {round}: {context:?}");
        assert_eq!(in_rust.advice.reasons[0].code, in_rhai.advice.reasons[0].code, "round {round}");
    }
}
