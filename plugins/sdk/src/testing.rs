//! Contexts to write tests with. Each is quiet and lawful; a test changes what it is about.
//!
//! ```
//! use pointsman_policy_sdk::testing;
//! let mut context = testing::selection(&["alpha", "beta"]);
//! context.candidates.push(testing::candidate(1, Some(0)));
//! context.free = 2;
//! ```

use crate::bindings::{curriculum, promotion_gate, retry, source_selection};
use crate::{
    Candidate, Description, FailureClass, FailureCounts, Frame, GateStage, HostLoad, Lane, LaneMode, Origin, Setting, Skill, Value,
};

/// A frame with a policy's default settings.
pub fn frame(description: &Description) -> Frame {
    Frame {
        settings: description
            .settings
            .iter()
            .map(|spec| Setting {
                name: spec.name.clone(),
                value: spec.default.clone(),
            })
            .collect(),
        ..empty_frame()
    }
}

/// Changes one setting of a frame.
///
/// # Panics
/// Where the frame has no such setting: the test has a slip of the pen.
pub fn set(frame: &mut Frame, name: &str, value: Value) {
    frame
        .settings
        .iter_mut()
        .find(|setting| setting.name == name)
        .unwrap_or_else(|| panic!("no setting is called {name}"))
        .value = value;
}

fn empty_frame() -> Frame {
    Frame {
        now_ms: 1_767_225_600_000,
        seed: 7,
        settings: Vec::new(),
        state: Vec::new(),
    }
}

/// One free slot, hosts at rest, no candidates yet.
pub fn selection(hosts: &[&str]) -> source_selection::Context {
    source_selection::Context {
        frame: empty_frame(),
        free: 1,
        lane_mode: LaneMode::Hybrid,
        curriculum_fallback: true,
        lock: None,
        same_host_cap: 1,
        hosts: hosts.iter().map(|host| host.to_string()).collect(),
        campaigns: Vec::new(),
        host_loads: hosts
            .iter()
            .map(|_| HostLoad {
                running: 0,
                pending: 1,
                successes: 0,
                failures: 0,
                since_picked_s: None,
            })
            .collect(),
        recent_hosts: Vec::new(),
        candidates: Vec::new(),
        left_out: 0,
    }
}

/// A fresh source of the queue.
pub fn candidate(id: u64, host: Option<u32>) -> Candidate {
    Candidate {
        id,
        lane: Lane::Queue,
        origin: Origin::Cli,
        host,
        campaign: None,
        row: 0,
        age_s: 0.0,
        attempts: 0,
        failures: no_failures(),
        difficulty: 0.5,
        priority: 0,
    }
}

/// Zero of each class.
pub fn no_failures() -> FailureCounts {
    FailureCounts {
        infra: 0,
        preempted: 0,
        timeout: 0,
        transient: 0,
        deterministic: 0,
        crash: 0,
        policy: 0,
    }
}

/// The first failure of a source that has a budget of three.
pub fn retry(class: FailureClass) -> retry::Context {
    let mut failures = no_failures();
    *match class {
        FailureClass::Infra => &mut failures.infra,
        FailureClass::Preempted => &mut failures.preempted,
        FailureClass::Timeout => &mut failures.timeout,
        FailureClass::Transient => &mut failures.transient,
        FailureClass::Deterministic => &mut failures.deterministic,
        FailureClass::Crash => &mut failures.crash,
        FailureClass::Policy => &mut failures.policy,
    } = 1;
    retry::Context {
        frame: empty_frame(),
        source: 1,
        run: 1,
        title: "a source".to_string(),
        lane: Lane::Queue,
        origin: Origin::Cli,
        host: Some("alpha".to_string()),
        attempt: 1,
        class,
        failures,
        budget: 3,
        budget_left: 2,
        exit_code: Some(1),
        error: "it failed".to_string(),
        error_digest: 1,
        same_error_before: 0,
        elapsed_ms: 1_000,
        host_successes: 0,
        host_failures: 1,
    }
}

/// A stage with no pairs yet and a cap of 120.
pub fn gate(stage: GateStage, hosts: &[&str]) -> promotion_gate::Context {
    promotion_gate::Context {
        frame: empty_frame(),
        stage,
        candidate: "m-2".to_string(),
        baseline: "m-1".to_string(),
        hosts: hosts.iter().map(|host| host.to_string()).collect(),
        pairs: Vec::new(),
        guardrails: Vec::new(),
        looks: 0,
        cap: 120,
        ingest_lag: None,
    }
}

/// Hosts that were never practised, with a budget of two.
pub fn curriculum(hosts: &[&str]) -> curriculum::Context {
    curriculum::Context {
        frame: empty_frame(),
        budget: 2,
        pending_queue: 0,
        pending_curriculum: 0,
        hosts: hosts.iter().map(|host| host.to_string()).collect(),
        skills: hosts
            .iter()
            .map(|_| Skill {
                tries: 0,
                successes: 0,
                failures: 0,
                pending: 0,
                loss: None,
                loss_before: None,
                loss_after: None,
                progress: 0.0,
                stale_s: None,
                parked: false,
            })
            .collect(),
    }
}
