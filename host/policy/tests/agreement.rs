//! One policy, two engines: the Rust components and their Rhai twins answer alike; and one script natively, in a warm
//! instance of the sandbox and in a fresh one answers the same to the bit.

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
                lane: Lane::ALL[draw.below(2) as usize],
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
    let mut explored = 0;
    for round in 0..300 {
        let mut context = selection(&mut draw);
        context.frame.settings = rust.settings.clone();
        if draw.below(3) == 0 {
            let explore = context.frame.settings.iter_mut().find(|setting| setting.name == "explore");
            explore.expect("both explore").value = Value::Number(f64::from(1 + draw.below(10)) / 10.0);
        }
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
        let (ours, theirs) = (in_rust.advice.distribution, in_rhai.advice.distribution);
        explored += usize::from(!ours.is_empty());
        assert!(
            ours.len() == theirs.len() && ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < 1e-12),
            "round {round}: {ours:?} {theirs:?}"
        );
    }
    assert!(explored > 30, "{explored} answers were left to chance");
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

/// Answers and costs, over questions that differ in everything a policy looks at.
#[test]
fn a_script_decides_the_same_warm_fresh_and_natively() {
    let engines = script_engines();
    if engines.len() < 2 {
        return;
    }
    let library = Library::new();
    let mut draw = Draw(23);
    for (file, rounds) in [("source-selection.rhai", 120), ("retry.rhai", 120), ("curriculum.rhai", 60)] {
        let [sandboxed, native] =
            [EngineKind::Rhai, EngineKind::TrustedRhai].map(|engine| install_as(&library, engine, file, script(file)));
        let mut asks = Engines::new(library.clone());
        for round in 0..rounds {
            let mut context = match sandboxed.kind {
                PolicyKind::SourceSelection => Context::Selection(selection(&mut draw)),
                PolicyKind::Retry => retry(&mut draw),
                PolicyKind::Curriculum => curriculum(&mut draw),
                PolicyKind::PromotionGate => panic!("no script of this kind is shipped"),
            };
            context.frame_mut().settings = sandboxed.settings.clone();
            let warm = without_time(asks.ask(&sandboxed.policy, &context).expect("it decides warm"));
            let natively = without_time(asks.ask(&native.policy, &context).expect("it decides natively"));
            assert_eq!(warm, natively, "{file}, round {round}: {context:?}");
            if round % 6 == 0 {
                let fresh = Library::new();
                let policy = load_unasked(&fresh, EngineKind::Rhai, sandboxed.kind, &script(file), sandboxed.limits);
                let fresh = without_time(ask(&fresh, &policy, &context).expect("it decides fresh"));
                assert_eq!(warm, fresh, "{file}, round {round}");
            }
        }
    }
}

/// Every function whose result could depend on the machine, over numbers at their edges.
#[test]
fn mathematics_and_text_do_not_depend_on_the_machine() {
    let engines = script_engines();
    let code = r#"
        fn describe() { #{ name: "maths", version: "1", kind: "retry" } }
        fn decide(ctx) {
            let zero = 0.0;
            let edges = [0.0, -0.0, 1.0 / zero, -1.0 / zero, zero / zero, 1e-310, 1.7e308, 4503599627370497.5, -2.5, 0.1];
            for i in 0..12 { edges.push((seeded(ctx.seed, i) - 0.5) * pow(10.0, i)); }
            let told = [];
            let reasons = [];
            for (a, i) in edges {
                let b = edges[(i * 7 + 3) % edges.len()];
                let all = [
                    exp(a), ln(abs(a)), pow(a, b), pow(abs(a), 0.3), sqrt(a), min(a, b), max(a, b), a % b, floor(a), round(a), ceil(a), a / b, a * b,
                    1.0 / min(a, b), 1.0 / max(a, b),
                ];
                for x in all { told.push(if is_finite(x) { x } else if x > 0.0 { 1e300 } else if x < 0.0 { -1e300 } else { -1.0 }); }
                reasons.push(#{ code: "text", text: sub_string(`${a % 1000.0} ${fixed(exp(a % 20.0), 7)} ${a}`, 0, 300) });
            }
            for at in order(edges) { told.push(at); }
            #{ verdict: "give_up", scores: told, reasons: reasons }
        }"#;
    let library = Library::new();
    let policies: Vec<PolicyRef> = engines
        .iter()
        .map(|engine| load_unasked(&library, *engine, PolicyKind::Retry, code.as_bytes(), PolicyLimits::default()))
        .collect();
    for seed in 0..200 {
        let mut context = pointsman_policy::canned_context(PolicyKind::Retry);
        context.frame_mut().seed = seed;
        // As text, so that a negative zero is told from a positive one.
        let told: Vec<String> = policies
            .iter()
            .map(|policy| format!("{:?}", without_time(ask(&library, policy, &context).expect("it decides"))))
            .collect();
        assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "seed {seed}: {told:#?}");
    }
}

fn retry(draw: &mut Draw) -> Context {
    let mut context = pointsman_policy::canned_context(PolicyKind::Retry);
    let Context::Retry(retry) = &mut context else {
        panic!("a retry question")
    };
    retry.class = FailureClass::ALL[draw.below(7) as usize];
    retry.frame.seed = u64::from(draw.below(u32::MAX));
    retry.budget_left = draw.below(4);
    retry.same_error_before = draw.below(3);
    retry.failures = FailureCounts {
        infra: draw.below(12),
        deterministic: draw.below(3),
        ..FailureCounts::default()
    };
    context
}

fn curriculum(draw: &mut Draw) -> Context {
    let mut context = pointsman_policy::canned_context(PolicyKind::Curriculum);
    let Context::Curriculum(curriculum) = &mut context else {
        panic!("a curriculum question")
    };
    curriculum.frame.seed = u64::from(draw.below(u32::MAX));
    let hosts = 1 + draw.below(12);
    curriculum.hosts = (0..hosts).map(|host| format!("host-{host}")).collect();
    curriculum.budget = 1 + draw.below(4);
    curriculum.skills = (0..hosts)
        .map(|_| Skill {
            tries: draw.below(24),
            successes: draw.below(12),
            progress: f64::from(draw.below(1_000)) / 3_000.0 - 0.1,
            loss: Some(f64::from(draw.below(4_000)) / 1_000.0),
            stale_s: (draw.below(3) > 0).then(|| f64::from(draw.below(4_000))),
            ..Skill::default()
        })
        .collect();
    context
}
