//! One small, plain context of each kind: what a policy must be able to answer before it may serve.

use pointsman_model::context::*;
use pointsman_model::policy::PolicyKind;
use pointsman_model::run::{FailureClass, FailureCounts};
use pointsman_model::settings::LaneMode;
use pointsman_model::source::{Lane, Origin};

/// The canned context of a kind. `frame.settings` is empty: fill in the version's own.
pub fn canned_context(kind: PolicyKind) -> Context {
    let frame = Frame {
        now_ms: 1_700_000_000_000,
        seed: 7,
        ..Frame::default()
    };
    let hosts = vec!["alpha.example".to_string(), "beta.example".to_string()];
    match kind {
        PolicyKind::SourceSelection => Context::Selection(SelectionContext {
            frame,
            free: 1,
            lane_mode: LaneMode::Hybrid,
            curriculum_fallback: true,
            lock: None,
            same_host_cap: 1,
            hosts,
            campaigns: Vec::new(),
            host_loads: vec![
                HostLoad {
                    pending: 2,
                    successes: 3,
                    since_picked_s: Some(60.0),
                    ..HostLoad::default()
                },
                HostLoad::default(),
            ],
            recent_hosts: vec![0],
            candidates: vec![candidate(1, Some(0), 120.0), candidate(2, Some(1), 60.0), candidate(3, None, 30.0)],
            left_out: 0,
        }),
        PolicyKind::Retry => Context::Retry(RetryContext {
            frame,
            source: 1,
            run: 1,
            title: "self-test".to_string(),
            lane: Lane::Queue,
            origin: Origin::Api,
            host: Some("alpha.example".to_string()),
            attempt: 1,
            class: FailureClass::Transient,
            failures: FailureCounts {
                transient: 1,
                ..FailureCounts::default()
            },
            budget: 3,
            budget_left: 2,
            exit_code: Some(75),
            error: "connection reset".to_string(),
            error_digest: 11,
            same_error_before: 0,
            elapsed_ms: 1_500,
            host_successes: 3,
            host_failures: 1,
        }),
        PolicyKind::PromotionGate => Context::Gate(GateContext {
            frame,
            stage: GateStage::Evaluate,
            candidate: "m-2".to_string(),
            baseline: "m-1".to_string(),
            pairs: (0..16)
                .map(|item| GatePair {
                    host: item % 2,
                    baseline: 2.0 + f64::from(item) / 64.0,
                    candidate: 1.9,
                })
                .collect(),
            hosts,
            guardrails: vec![Guardrail {
                name: "error_rate".to_string(),
                baseline_n: 20,
                baseline_mean: 0.05,
                candidate_n: 20,
                candidate_mean: 0.05,
                limit: 0.02,
            }],
            looks: 0,
            cap: 120,
            ingest_lag: Some(0),
        }),
        PolicyKind::Curriculum => Context::Curriculum(CurriculumContext {
            frame,
            budget: 2,
            pending_queue: 0,
            pending_curriculum: 0,
            hosts,
            skills: vec![
                Skill {
                    tries: 4,
                    successes: 4,
                    loss: Some(2.1),
                    loss_before: Some(2.3),
                    loss_after: Some(2.1),
                    progress: 0.1,
                    stale_s: Some(30.0),
                    ..Skill::default()
                },
                Skill::default(),
            ],
        }),
    }
}

fn candidate(id: u64, host: Option<u32>, age_s: f64) -> SourceCandidate {
    SourceCandidate {
        id,
        lane: Lane::Queue,
        origin: Origin::Api,
        host,
        campaign: None,
        row: 0,
        age_s,
        attempts: 0,
        failures: FailureCounts::default(),
        difficulty: 0.5,
        priority: 0,
    }
}
