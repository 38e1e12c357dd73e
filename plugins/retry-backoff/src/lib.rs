//! Retry by class of failure, with capped exponential backoff and seeded jitter. `policies/retry.rhai` is its twin.
//!
//! | class | what follows |
//! | --- | --- |
//! | any, budget spent | give up |
//! | policy | disable: the trainer refused the work, a person has to look |
//! | deterministic, seen before | give up: it fails the same way again |
//! | deterministic, first | give up; with `retry_deterministic_once` one more try |
//! | preempted | again after `preempted_delay_s`: nothing was wrong with the work |
//! | crash, timeout, the same error `same_error_max` times before | give up |
//! | infra, transient, timeout, crash | again after the backoff |
//!
//! The backoff is `base_s * factor ^ (failures - 1)`, at most `cap_s`, of which a share of up to `jitter` is taken off by
//! chance, so that sources that failed together do not come back together. Failures by preemption do not count.

use pointsman_policy_sdk::prelude::*;

pub struct RetryBackoff;

impl Retry for RetryBackoff {
    fn describe() -> Description {
        Description::new("retry-backoff", env!("CARGO_PKG_VERSION"))
            .summary("Retries by class of failure with capped exponential backoff; gives up at once when a deterministic error repeats.")
            .number("base_s", 2.0, 0.1..=3_600.0, "Seconds before the first retry.")
            .number("factor", 2.0, 1.0..=10.0, "By how much each further wait is longer.")
            .number("cap_s", 300.0, 0.1..=604_800.0, "Longest wait in seconds.")
            .number("jitter", 0.5, 0.0..=1.0, "Share of a wait that chance may take off.")
            .number(
                "preempted_delay_s",
                1.0,
                0.0..=3_600.0,
                "Seconds before a preempted run is tried again.",
            )
            .number(
                "same_error_max",
                2.0,
                1.0..=100.0,
                "How often a crash or timeout may come back with the same error before it is given up.",
            )
            .flag(
                "retry_deterministic_once",
                false,
                "Whether a deterministic failure gets one more try.",
            )
    }

    fn check_settings(settings: &Settings<'_>) -> Vec<SettingError> {
        match (settings.number("base_s"), settings.number("cap_s")) {
            (Ok(base_s), Ok(cap_s)) if cap_s < base_s => {
                vec![SettingError::new("cap_s", format!("{cap_s} is below base_s, which is {base_s}"))]
            }
            _ => Vec::new(),
        }
    }

    fn decide(context: &RetryContext) -> Result<RetryDecision, PolicyError> {
        if context.budget_left == 0 {
            let text = format!("All {} attempts that may fail have failed.", context.budget);
            let reason = Reason::new("budget_spent")
                .feature("attempts")
                .value(f64::from(context.attempt))
                .threshold(f64::from(context.budget));
            return Ok(RetryDecision::give_up().reason(reason.text(text)));
        }
        match context.class {
            FailureClass::Policy => {
                let text = "The trainer refused the work; a person has to look at it.";
                Ok(RetryDecision::disable().reason(Reason::new("refused_by_trainer").text(text)))
            }
            FailureClass::Deterministic => deterministic(context),
            FailureClass::Preempted => preempted(context),
            FailureClass::Crash | FailureClass::Timeout => {
                let seen = context.same_error_before;
                let most = context.settings().count("same_error_max")?;
                if seen >= most {
                    let text = format!("The same error came back {seen} times; more tries would end the same way.");
                    return Ok(RetryDecision::give_up().reason(same_error("same_error_repeats", seen, most).text(text)));
                }
                back_off(context)
            }
            FailureClass::Infra | FailureClass::Transient => back_off(context),
        }
    }
}

export_retry!(RetryBackoff);

fn deterministic(context: &RetryContext) -> Result<RetryDecision, PolicyError> {
    let seen = context.same_error_before;
    if seen >= 1 {
        let text = "A deterministic error came back; the same input fails the same way.";
        return Ok(RetryDecision::give_up().reason(same_error("deterministic_repeats", seen, 1).text(text)));
    }
    // A second deterministic failure with another error is no first one either.
    if !context.settings().flag("retry_deterministic_once")? || context.failures.deterministic > 1 {
        let text = "A deterministic error does not go away by itself.";
        return Ok(RetryDecision::give_up().reason(Reason::new("deterministic").text(text)));
    }
    let decision = back_off(context)?;
    Ok(decision.reason(Reason::new("deterministic_once").text("Settings allow a deterministic failure one more try.")))
}

fn preempted(context: &RetryContext) -> Result<RetryDecision, PolicyError> {
    let delay_s = context.settings().number("preempted_delay_s")?;
    let text = format!("The run was taken off to make room; again in {delay_s:.1} s.");
    let reason = Reason::new("preempted").feature("delay_s").value(delay_s).text(text);
    Ok(RetryDecision::retry_after_ms(milliseconds(delay_s)).reason(reason))
}

fn back_off(context: &RetryContext) -> Result<RetryDecision, PolicyError> {
    let settings = context.settings();
    let FailureCounts {
        infra,
        preempted: _,
        timeout,
        transient,
        deterministic,
        crash,
        policy,
    } = context.failures;
    let failures = infra + timeout + transient + deterministic + crash + policy;
    let cap_s = settings.number("cap_s")?;
    let full_s = full_delay_s(settings.number("base_s")?, settings.number("factor")?, cap_s, failures);
    let delay_s = full_s * (1.0 - settings.number("jitter")? * context.random().unit());
    let text = format!(
        "Failure {failures} ({}); again in {delay_s:.1} s, {} tries left.",
        word(context.class),
        context.budget_left
    );
    let reason = Reason::new("backoff")
        .feature("delay_s")
        .value(delay_s)
        .threshold(cap_s)
        .margin(cap_s - delay_s)
        .text(text);
    Ok(RetryDecision::retry_after_ms(milliseconds(delay_s)).reason(reason))
}

/// Before jitter. Multiplied step by step, since that is the same on every machine.
fn full_delay_s(base_s: f64, factor: f64, cap_s: f64, failures: u32) -> f64 {
    let mut delay_s = base_s;
    for _ in 1..failures {
        if delay_s >= cap_s {
            break;
        }
        delay_s *= factor;
    }
    delay_s.min(cap_s)
}

fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1_000.0).round() as u64
}

fn same_error(code: &str, seen: u32, most: u32) -> Reason {
    Reason::new(code)
        .feature("same_error_before")
        .value(f64::from(seen))
        .threshold(f64::from(most))
        .margin(f64::from(seen) - f64::from(most))
}

fn word(class: FailureClass) -> &'static str {
    match class {
        FailureClass::Infra => "infra",
        FailureClass::Preempted => "preempted",
        FailureClass::Timeout => "timeout",
        FailureClass::Transient => "transient",
        FailureClass::Deterministic => "deterministic",
        FailureClass::Crash => "crash",
        FailureClass::Policy => "policy",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_policy_sdk::bindings::retry::Context;
    use pointsman_policy_sdk::testing;

    fn failed(class: FailureClass) -> Context {
        Context {
            frame: testing::frame(&RetryBackoff::describe()),
            ..testing::retry(class)
        }
    }

    fn decide(context: Context) -> (RetryVerdict, String) {
        let decision = RetryBackoff::decide(&RetryContext::from(context)).expect("it decides");
        (decision.verdict, decision.advice.reasons[0].code.clone())
    }

    fn check(context: Context, verdict: RetryVerdict, code: &str) {
        assert_eq!(decide(context), (verdict, code.to_string()));
    }

    fn delay_ms(context: Context) -> u64 {
        match decide(context) {
            (RetryVerdict::Retry(delay_ms), _) => delay_ms,
            other => panic!("not a retry: {other:?}"),
        }
    }

    #[test]
    fn what_cannot_get_better_is_not_tried_again() {
        check(failed(FailureClass::Policy), RetryVerdict::Disable, "refused_by_trainer");
        check(failed(FailureClass::Deterministic), RetryVerdict::GiveUp, "deterministic");
        check(
            Context {
                same_error_before: 1,
                ..failed(FailureClass::Deterministic)
            },
            RetryVerdict::GiveUp,
            "deterministic_repeats",
        );
        check(
            Context {
                same_error_before: 2,
                ..failed(FailureClass::Crash)
            },
            RetryVerdict::GiveUp,
            "same_error_repeats",
        );
        check(
            Context {
                budget_left: 0,
                ..failed(FailureClass::Infra)
            },
            RetryVerdict::GiveUp,
            "budget_spent",
        );
        check(
            Context {
                budget_left: 0,
                ..failed(FailureClass::Preempted)
            },
            RetryVerdict::GiveUp,
            "budget_spent",
        );
    }

    #[test]
    fn settings_may_allow_a_deterministic_failure_one_more_try() {
        let mut allowed = failed(FailureClass::Deterministic);
        testing::set(&mut allowed.frame, "retry_deterministic_once", Value::Flag(true));
        assert!(delay_ms(allowed.clone()) > 0);
        check(
            Context {
                same_error_before: 1,
                ..allowed.clone()
            },
            RetryVerdict::GiveUp,
            "deterministic_repeats",
        );
        allowed.failures.deterministic = 2;
        check(allowed, RetryVerdict::GiveUp, "deterministic");
    }

    #[test]
    fn waits_double_up_to_the_cap() {
        let mut context = failed(FailureClass::Transient);
        testing::set(&mut context.frame, "jitter", Value::Number(0.0));
        let waits: Vec<u64> = [1, 2, 3, 8, 9, 4_000_000_000]
            .into_iter()
            .map(|transient| {
                context.failures.transient = transient;
                delay_ms(context.clone())
            })
            .collect();
        assert_eq!(waits, [2_000, 4_000, 8_000, 256_000, 300_000, 300_000]);
    }

    #[test]
    fn jitter_is_the_seed_s_and_keeps_its_bounds() {
        let wait = |seed| {
            let mut context = failed(FailureClass::Infra);
            context.frame.seed = seed;
            delay_ms(context)
        };
        assert_eq!(wait(5), wait(5));
        let waits: Vec<u64> = (0..200).map(wait).collect();
        assert!(waits.iter().all(|wait| (1_000..=2_000).contains(wait)), "{waits:?}");
        assert!(waits.iter().max() > waits.iter().min().map(|least| least + 800).as_ref());
    }

    #[test]
    fn preemption_neither_waits_long_nor_counts() {
        check(failed(FailureClass::Preempted), RetryVerdict::Retry(1_000), "preempted");
        let mut context = failed(FailureClass::Infra);
        testing::set(&mut context.frame, "jitter", Value::Number(0.0));
        context.failures.preempted = 50;
        check(context, RetryVerdict::Retry(2_000), "backoff");
    }

    #[test]
    fn a_cap_below_the_base_is_refused() {
        let mut frame = testing::frame(&RetryBackoff::describe());
        assert!(RetryBackoff::check_settings(&Settings::new(&frame.settings)).is_empty());
        testing::set(&mut frame, "cap_s", Value::Number(1.0));
        let problems = RetryBackoff::check_settings(&Settings::new(&frame.settings));
        assert_eq!(problems, [SettingError::new("cap_s", "1 is below base_s, which is 2")]);
    }
}
