//! Waits longer with each failure of the same source, and gives up what would fail the same way again.

use pointsman_policy_sdk::prelude::*;

pub struct Policy;

impl Retry for Policy {
    fn describe() -> Description {
        Description::new("{{name}}", env!("CARGO_PKG_VERSION"))
            .summary("Waits twice as long after each failure; gives up what fails the same way each time.")
            .number("wait_s", 30.0, 1.0..=3_600.0, "Seconds before the first new try.")
            .number("longest_s", 600.0, 1.0..=86_400.0, "Longest wait in seconds.")
    }

    fn check_settings(settings: &Settings<'_>) -> Vec<SettingError> {
        match (settings.number("wait_s"), settings.number("longest_s")) {
            (Ok(wait_s), Ok(longest_s)) if longest_s < wait_s => vec![SettingError::new("longest_s", "is below wait_s")],
            (Ok(_), Ok(_)) => Vec::new(),
            (wait_s, longest_s) => [wait_s.err(), longest_s.err()].into_iter().flatten().collect(),
        }
    }

    fn decide(context: &RetryContext) -> Result<RetryDecision, PolicyError> {
        if context.budget_left == 0 {
            let reason = Reason::new("budget_spent")
                .feature("attempt")
                .value(f64::from(context.attempt))
                .threshold(f64::from(context.budget))
                .text("No failed attempt is left in the budget.");
            return Ok(RetryDecision::give_up().reason(reason));
        }
        if context.class == FailureClass::Policy {
            let reason = Reason::new("refused_by_trainer").text("The trainer refused the work; a person has to look at it.");
            return Ok(RetryDecision::disable().reason(reason));
        }
        if context.class == FailureClass::Deterministic {
            let reason = Reason::new("fails_the_same_way").text("The same input would fail again.");
            return Ok(RetryDecision::give_up().reason(reason));
        }
        let settings = context.settings();
        let longest_s = settings.number("longest_s")?;
        let mut wait_s = settings.number("wait_s")?.min(longest_s);
        for _ in 1..context.attempt {
            // Stops growing at the longest wait, however many attempts there were.
            if wait_s >= longest_s {
                break;
            }
            wait_s = (wait_s * 2.0).min(longest_s);
        }
        let reason = Reason::new("wait")
            .feature("wait_s")
            .value(wait_s)
            .threshold(longest_s)
            .margin(longest_s - wait_s)
            .text(format!("Attempt {} failed; again in {wait_s:.0} s.", context.attempt));
        Ok(RetryDecision::retry_after_ms((wait_s * 1_000.0).round() as u64).reason(reason))
    }
}

export_retry!(Policy);

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_policy_sdk::testing;

    fn decide(class: FailureClass, attempt: u32, budget_left: u32) -> RetryVerdict {
        let mut context = testing::retry(class);
        context.frame = testing::frame(&Policy::describe());
        context.attempt = attempt;
        context.budget_left = budget_left;
        Policy::decide(&context.into()).expect("a decision").verdict
    }

    #[test]
    fn each_failure_waits_twice_as_long() {
        assert_eq!(decide(FailureClass::Transient, 1, 5), RetryVerdict::Retry(30_000));
        assert_eq!(decide(FailureClass::Transient, 2, 4), RetryVerdict::Retry(60_000));
        assert_eq!(decide(FailureClass::Transient, 40, 1), RetryVerdict::Retry(600_000));
    }

    #[test]
    fn what_cannot_succeed_is_not_tried_again() {
        assert_eq!(decide(FailureClass::Deterministic, 1, 5), RetryVerdict::GiveUp);
        assert_eq!(decide(FailureClass::Policy, 1, 5), RetryVerdict::Disable);
        assert_eq!(decide(FailureClass::Transient, 3, 0), RetryVerdict::GiveUp);
    }
}
