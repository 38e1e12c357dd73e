//! The model's words to the generated types and back. Everything is destructured without `..`, so that a field which is
//! added on one side does not compile until it is carried over.
//!
//! On the way in, strings are borrowed and lists of scalars are laid out once per call; on the way out, everything moves.

use super::bindings::types;
use super::bindings::{curriculum, gate, retry, selection};
use super::contexts::{CurriculumQuestion, GateQuestion, RetryQuestion, SelectionQuestion};
use super::rows;
use curriculum::pointsman::policy::curriculum_types as curriculum_wit;
use gate::pointsman::policy::promotion_gate_types as gate_wit;
use pointsman_model::context::*;
use pointsman_model::decision::*;
use pointsman_model::policy::*;
use pointsman_model::run::{FailureClass, FailureCounts};
use pointsman_model::settings::LaneMode;
use pointsman_model::source::{Lane, Origin};
use retry::pointsman::policy::retry_types as retry_wit;
use selection::pointsman::policy::source_selection_types as selection_wit;

pub(super) fn with_selection<R>(context: &SelectionContext, call: impl FnOnce(SelectionQuestion<'_>) -> R) -> R {
    let SelectionContext {
        frame,
        free,
        lane_mode,
        curriculum_fallback,
        lock,
        same_host_cap,
        hosts,
        campaigns,
        host_loads,
        recent_hosts,
        candidates,
        left_out,
    } = context;
    let settings = settings(&frame.settings);
    let hosts = texts(hosts);
    let campaigns = texts(campaigns);
    let host_loads: Vec<_> = host_loads.iter().map(rows::host_load).collect();
    let candidates: Vec<_> = candidates.iter().map(rows::candidate).collect();
    call(SelectionQuestion {
        frame: framed(frame, &settings),
        free: *free,
        lane_mode: match lane_mode {
            LaneMode::Hybrid => selection_wit::LaneMode::Hybrid,
            LaneMode::QueuedOnly => selection_wit::LaneMode::QueuedOnly,
            LaneMode::AutomaticOnly => selection_wit::LaneMode::AutomaticOnly,
        },
        curriculum_fallback: *curriculum_fallback,
        lock: *lock,
        same_host_cap: *same_host_cap,
        hosts: &hosts,
        campaigns: &campaigns,
        host_loads: &host_loads,
        recent_hosts,
        candidates: &candidates,
        left_out: *left_out,
    })
}

pub(super) fn with_retry<R>(context: &RetryContext, call: impl FnOnce(RetryQuestion<'_>) -> R) -> R {
    let RetryContext {
        frame,
        source,
        run,
        title,
        lane,
        origin,
        host,
        attempt,
        class,
        failures,
        budget,
        budget_left,
        exit_code,
        error,
        error_digest,
        same_error_before,
        elapsed_ms,
        host_successes,
        host_failures,
    } = context;
    let settings = settings(&frame.settings);
    call(RetryQuestion {
        frame: framed(frame, &settings),
        source: *source,
        run: *run,
        title,
        lane: lane_to_wit(*lane),
        origin: origin_to_wit(*origin),
        host: host.as_deref(),
        attempt: *attempt,
        class: match class {
            FailureClass::Infra => types::FailureClass::Infra,
            FailureClass::Preempted => types::FailureClass::Preempted,
            FailureClass::Timeout => types::FailureClass::Timeout,
            FailureClass::Transient => types::FailureClass::Transient,
            FailureClass::Deterministic => types::FailureClass::Deterministic,
            FailureClass::Crash => types::FailureClass::Crash,
            FailureClass::Policy => types::FailureClass::Policy,
        },
        failures: failure_counts(*failures),
        budget: *budget,
        budget_left: *budget_left,
        exit_code: *exit_code,
        error,
        error_digest: *error_digest,
        same_error_before: *same_error_before,
        elapsed_ms: *elapsed_ms,
        host_successes: *host_successes,
        host_failures: *host_failures,
    })
}

pub(super) fn with_gate<R>(context: &GateContext, call: impl FnOnce(GateQuestion<'_>) -> R) -> R {
    let GateContext {
        frame,
        stage,
        candidate,
        baseline,
        hosts,
        pairs,
        guardrails,
        looks,
        cap,
        ingest_lag,
    } = context;
    let settings = settings(&frame.settings);
    let hosts = texts(hosts);
    let pairs: Vec<_> = pairs.iter().map(rows::pair).collect();
    let guardrails: Vec<_> = guardrails
        .iter()
        .map(
            |Guardrail {
                 name,
                 baseline_n,
                 baseline_mean,
                 candidate_n,
                 candidate_mean,
                 limit,
             }| gate_wit::Guardrail {
                name,
                baseline_n: *baseline_n,
                baseline_mean: *baseline_mean,
                candidate_n: *candidate_n,
                candidate_mean: *candidate_mean,
                limit: *limit,
            },
        )
        .collect();
    call(GateQuestion {
        frame: framed(frame, &settings),
        stage: match stage {
            GateStage::Evaluate => gate_wit::Stage::Evaluate,
            GateStage::Canary => gate_wit::Stage::Canary,
            GateStage::Watch => gate_wit::Stage::Watch,
        },
        candidate,
        baseline,
        hosts: &hosts,
        pairs: &pairs,
        guardrails: &guardrails,
        looks: *looks,
        cap: *cap,
        ingest_lag: *ingest_lag,
    })
}

pub(super) fn with_curriculum<R>(context: &CurriculumContext, call: impl FnOnce(CurriculumQuestion<'_>) -> R) -> R {
    let CurriculumContext {
        frame,
        budget,
        pending_queue,
        pending_curriculum,
        hosts,
        skills,
    } = context;
    let settings = settings(&frame.settings);
    let hosts = texts(hosts);
    let skills: Vec<_> = skills.iter().map(rows::skill).collect();
    call(CurriculumQuestion {
        frame: framed(frame, &settings),
        budget: *budget,
        pending_queue: *pending_queue,
        pending_curriculum: *pending_curriculum,
        hosts: &hosts,
        skills: &skills,
    })
}

pub(super) fn selection_decision(decision: selection_wit::Decision) -> (Verdict, Advice) {
    let selection_wit::Decision { verdict, advice } = decision;
    let verdict = match verdict {
        selection_wit::Verdict::Pick(indexes) => SelectionVerdict::Pick(indexes),
        selection_wit::Verdict::Idle => SelectionVerdict::Idle,
    };
    (Verdict::Selection(verdict), advice_from_wit(advice))
}

pub(super) fn retry_decision(decision: retry_wit::Decision) -> (Verdict, Advice) {
    let retry_wit::Decision { verdict, advice } = decision;
    let verdict = match verdict {
        retry_wit::Verdict::Retry(after_ms) => RetryVerdict::Retry(after_ms),
        retry_wit::Verdict::MoveLane(types::Lane::Queue) => RetryVerdict::MoveLane(Lane::Queue),
        retry_wit::Verdict::MoveLane(types::Lane::Curriculum) => RetryVerdict::MoveLane(Lane::Curriculum),
        retry_wit::Verdict::Disable => RetryVerdict::Disable,
        retry_wit::Verdict::GiveUp => RetryVerdict::GiveUp,
    };
    (Verdict::Retry(verdict), advice_from_wit(advice))
}

pub(super) fn gate_decision(decision: gate_wit::Decision) -> (Verdict, Advice) {
    let gate_wit::Decision { verdict, advice } = decision;
    let verdict = match verdict {
        gate_wit::Verdict::Advance => GateVerdict::Advance,
        gate_wit::Verdict::NeedMore(pairs) => GateVerdict::NeedMore(pairs),
        gate_wit::Verdict::Reject => GateVerdict::Reject,
        gate_wit::Verdict::Hold => GateVerdict::Hold,
        gate_wit::Verdict::RollBack => GateVerdict::RollBack,
    };
    (Verdict::Gate(verdict), advice_from_wit(advice))
}

pub(super) fn curriculum_decision(decision: curriculum_wit::Decision) -> (Verdict, Advice) {
    let curriculum_wit::Decision { verdict, advice } = decision;
    let verdict = match verdict {
        curriculum_wit::Verdict::Plant(seeds) => CurriculumVerdict::Plant(
            seeds
                .into_iter()
                .map(
                    |curriculum_wit::Seed {
                         host,
                         steps,
                         learning_rate,
                         replay_share,
                     }| Seed {
                        host,
                        steps,
                        learning_rate,
                        replay_share,
                    },
                )
                .collect(),
        ),
        curriculum_wit::Verdict::Park(hosts) => CurriculumVerdict::Park(hosts),
        curriculum_wit::Verdict::Nothing => CurriculumVerdict::Nothing,
    };
    (Verdict::Curriculum(verdict), advice_from_wit(advice))
}

pub(super) fn kind(kind: types::Kind) -> PolicyKind {
    match kind {
        types::Kind::SourceSelection => PolicyKind::SourceSelection,
        types::Kind::Retry => PolicyKind::Retry,
        types::Kind::PromotionGate => PolicyKind::PromotionGate,
        types::Kind::Curriculum => PolicyKind::Curriculum,
    }
}

pub(super) fn setting_spec(spec: types::SettingSpec) -> SettingSpec {
    let types::SettingSpec {
        name,
        help,
        default,
        minimum,
        maximum,
    } = spec;
    SettingSpec {
        name,
        help,
        default: value_from_wit(default),
        minimum,
        maximum,
    }
}

pub(super) fn settings(settings: &[Setting]) -> Vec<types::SettingParam<'_>> {
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

fn framed<'a>(frame: &'a Frame, settings: &'a [types::SettingParam<'a>]) -> types::Frame<'a> {
    let Frame {
        now_ms,
        seed,
        settings: _converted,
        state,
    } = frame;
    types::Frame {
        now_ms: *now_ms,
        seed: *seed,
        settings,
        state,
    }
}

fn texts(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

fn failure_counts(counts: FailureCounts) -> types::FailureCounts {
    let FailureCounts {
        infra,
        preempted,
        timeout,
        transient,
        deterministic,
        crash,
        policy,
    } = counts;
    types::FailureCounts {
        infra,
        preempted,
        timeout,
        transient,
        deterministic,
        crash,
        policy,
    }
}

pub(super) fn lane_to_wit(lane: Lane) -> types::Lane {
    match lane {
        Lane::Queue => types::Lane::Queue,
        Lane::Curriculum => types::Lane::Curriculum,
    }
}

pub(super) fn origin_to_wit(origin: Origin) -> types::Origin {
    match origin {
        Origin::Ui => types::Origin::Ui,
        Origin::Api => types::Origin::Api,
        Origin::Cli => types::Origin::Cli,
        Origin::Campaign => types::Origin::Campaign,
        Origin::Curriculum => types::Origin::Curriculum,
    }
}

fn advice_from_wit(advice: types::Advice) -> Advice {
    let types::Advice {
        reasons,
        scores,
        distribution,
        state,
        suggestions,
        extras,
    } = advice;
    Advice {
        reasons: reasons
            .into_iter()
            .map(
                |types::Reason {
                     code,
                     feature,
                     value,
                     threshold,
                     margin,
                     text,
                 }| Reason {
                    code,
                    feature,
                    value,
                    threshold,
                    margin,
                    text,
                },
            )
            .collect(),
        scores: scores.map(
            |types::Scores {
                 totals,
                 term_names,
                 terms,
                 rules,
                 blocked,
             }| Scores {
                totals,
                term_names,
                terms,
                rules,
                blocked: blocked
                    .into_iter()
                    .map(|types::Block { candidate, rule }| Block { candidate, rule })
                    .collect(),
            },
        ),
        distribution,
        state,
        suggestions: suggestions.into_iter().map(setting_from_wit).collect(),
        extras: extras.into_iter().map(setting_from_wit).collect(),
    }
}

fn setting_from_wit(setting: types::SettingResult) -> Setting {
    let types::SettingResult { name, value } = setting;
    Setting {
        name,
        value: value_from_wit(value),
    }
}

fn value_from_wit(value: types::ValueResult) -> Value {
    match value {
        types::ValueResult::Flag(flag) => Value::Flag(flag),
        types::ValueResult::Number(number) => Value::Number(number),
        types::ValueResult::Text(text) => Value::Text(text),
    }
}
