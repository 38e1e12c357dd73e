//! What the benches of other crates share with these: files of the shipped policies, a question, and limits told beside
//! what was measured.
#![allow(dead_code, unreachable_pub)]

use pointsman_model::context::*;
use pointsman_model::policy::Setting;
use pointsman_model::run::FailureCounts;
use pointsman_model::settings::LaneMode;
use pointsman_model::source::{Lane, Origin};
use std::path::PathBuf;

pub fn plugin(name: &str) -> Option<Vec<u8>> {
    std::fs::read(
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../../plugins/dist")
            .join(format!("{name}.wasm")),
    )
    .ok()
}

pub fn script(name: &str) -> Vec<u8> {
    std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../policies").join(name))
        .expect("shipped policies are in the repository")
}

/// One line: what was promised, and whether it was kept.
pub fn promise(what: &str, measured: f64, limit: f64, unit: &str) {
    let verdict = if measured <= limit { "ok" } else { "MISSED" };
    println!("{what:>96} {measured:>8.3} {unit:<3} at most {limit:<6} {verdict}");
}

pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

pub fn selection_context(count: u32, settings: &[Setting]) -> SelectionContext {
    SelectionContext {
        frame: Frame {
            now_ms: 1_700_000_000_000,
            seed: 1,
            settings: settings.to_vec(),
            state: Vec::new(),
        },
        free: 1,
        lane_mode: LaneMode::Hybrid,
        curriculum_fallback: true,
        lock: None,
        same_host_cap: 1,
        hosts: (0..16).map(|host| format!("host-{host:02}.example.org")).collect(),
        campaigns: Vec::new(),
        host_loads: (0..16)
            .map(|host| HostLoad {
                pending: host,
                successes: host,
                ..HostLoad::default()
            })
            .collect(),
        recent_hosts: vec![1, 2, 3],
        candidates: (0..count)
            .map(|id| SourceCandidate {
                id: u64::from(id) + 1,
                lane: Lane::Queue,
                origin: Origin::Api,
                host: Some(id % 16),
                campaign: None,
                row: 0,
                age_s: f64::from(count - id) * 7.0,
                attempts: id % 3,
                failures: FailureCounts::default(),
                difficulty: f64::from(id % 10) / 10.0,
                priority: 0,
            })
            .collect(),
        left_out: 0,
    }
}
