//! Questions in the model's words, and the same in the generated types, made once: what a bare engine is given.

use pointsman_model::context::*;
use pointsman_model::policy::{Setting, Value};
use pointsman_policy::component::bindings::{retry, selection, types};
pub use selection::pointsman::policy::source_selection_types as wit;

pub fn wit_settings(settings: &[Setting]) -> Vec<types::SettingParam<'_>> {
    settings
        .iter()
        .map(|Setting { name, value }| types::SettingParam {
            name,
            value: match value {
                Value::Flag(flag) => types::ValueParam::Flag(*flag),
                Value::Number(number) => types::ValueParam::Number(*number),
                Value::Text(text) => types::ValueParam::Text(text),
            },
        })
        .collect()
}

pub fn wit_load(load: &HostLoad) -> wit::HostLoad {
    let HostLoad {
        running,
        pending,
        successes,
        failures,
        since_picked_s,
    } = *load;
    wit::HostLoad {
        running,
        pending,
        successes,
        failures,
        since_picked_s,
    }
}

pub fn wit_candidate(candidate: &SourceCandidate) -> wit::Candidate {
    wit::Candidate {
        id: candidate.id,
        lane: types::Lane::Queue,
        origin: types::Origin::Api,
        host: candidate.host,
        campaign: candidate.campaign,
        row: candidate.row,
        age_s: candidate.age_s,
        attempts: candidate.attempts,
        failures: no_failures(),
        difficulty: candidate.difficulty,
        priority: candidate.priority,
    }
}

pub fn no_failures() -> types::FailureCounts {
    types::FailureCounts {
        infra: 0,
        preempted: 0,
        timeout: 0,
        transient: 0,
        deterministic: 0,
        crash: 0,
        policy: 0,
    }
}

pub fn wit_selection<'a>(
    context: &'a SelectionContext,
    settings: &'a [types::SettingParam<'a>],
    hosts: &'a [&'a str],
    host_loads: &'a [wit::HostLoad],
    candidates: &'a [wit::Candidate],
) -> wit::Context<'a> {
    wit::Context {
        frame: types::Frame {
            now_ms: context.frame.now_ms,
            seed: context.frame.seed,
            settings,
            state: &[],
        },
        free: context.free,
        lane_mode: wit::LaneMode::Hybrid,
        curriculum_fallback: context.curriculum_fallback,
        lock: context.lock,
        same_host_cap: context.same_host_cap,
        hosts,
        campaigns: &[],
        host_loads,
        recent_hosts: &context.recent_hosts,
        candidates,
        left_out: context.left_out,
    }
}

pub fn wit_retry<'a>(context: &'a RetryContext, settings: &'a [types::SettingParam<'a>]) -> retry::Context<'a> {
    retry::Context {
        frame: types::Frame {
            now_ms: context.frame.now_ms,
            seed: context.frame.seed,
            settings,
            state: &[],
        },
        source: context.source,
        run: context.run,
        title: &context.title,
        lane: types::Lane::Queue,
        origin: types::Origin::Api,
        host: context.host.as_deref(),
        attempt: context.attempt,
        class: types::FailureClass::Transient,
        failures: types::FailureCounts {
            transient: 1,
            ..no_failures()
        },
        budget: context.budget,
        budget_left: context.budget_left,
        exit_code: context.exit_code,
        error: &context.error,
        error_digest: context.error_digest,
        same_error_before: context.same_error_before,
        elapsed_ms: context.elapsed_ms,
        host_successes: context.host_successes,
        host_failures: context.host_failures,
    }
}
