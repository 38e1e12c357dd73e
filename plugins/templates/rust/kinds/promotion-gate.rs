//! Lets a model go on when its gain over the baseline is sure by several standard errors.
//!
//! A plain interval, looked at again and again: choose `deviations` with that in mind. Pointsman ships `eprocess-gate`,
//! whose error does not grow with the number of looks.

use pointsman_policy_sdk::prelude::*;

/// Requests that a guardrail must have seen before it may decide.
const GUARDRAIL_REQUESTS_LEAST: u32 = 10;
/// Pairs asked for at a time.
const PAIRS_AT_A_TIME: u32 = 16;

pub struct Policy;

impl PromotionGate for Policy {
    fn describe() -> Description {
        Description::new("{{name}}", env!("CARGO_PKG_VERSION"))
            .summary("Advances on a gain that is sure by several standard errors; a broken guardrail decides at once.")
            .number("gain_least", 0.0, 0.0..=10.0, "Fall of the loss that a candidate must show, in bits per byte.")
            .number("pairs_least", 16.0, 2.0..=10_000.0, "Pairs before anything is decided.")
            .number("deviations", 3.0, 1.0..=10.0, "Standard errors by which a gain must be sure.")
    }

    fn decide(context: &GateContext) -> Result<GateDecision, PolicyError> {
        let settings = context.settings();
        let watch = context.stage == GateStage::Watch;
        let against = || if watch { GateDecision::roll_back() } else { GateDecision::reject() };

        for rail in &context.guardrails {
            let rise = rail.candidate_mean - rail.baseline_mean;
            if rail.candidate_n >= GUARDRAIL_REQUESTS_LEAST && rise > rail.limit {
                let reason = Reason::new("guardrail_broken")
                    .feature(&rail.name)
                    .value(rise)
                    .threshold(rail.limit)
                    .margin(rise - rail.limit)
                    .text(format!("{} rose by more than its limit.", rail.name));
                return Ok(against().reason(reason));
            }
        }

        let pairs = context.pairs.len() as u32;
        let least = settings.count("pairs_least")?.min(context.cap);
        if pairs < least {
            let reason = Reason::new("too_few_pairs")
                .feature("pairs")
                .value(f64::from(pairs))
                .threshold(f64::from(least))
                .text("Too few pairs to tell anything.");
            return Ok(GateDecision::need_more(least - pairs).reason(reason));
        }
        if pairs < 2 {
            let reason = Reason::new("too_few_pairs").text("The host allows fewer pairs than a spread needs.");
            return Ok(GateDecision::hold().reason(reason));
        }

        let n = f64::from(pairs);
        let gains = || context.pairs.iter().map(|pair| pair.baseline - pair.candidate);
        let mean = gains().sum::<f64>() / n;
        let spread = gains().map(|gain| (gain - mean) * (gain - mean)).sum::<f64>() / (n - 1.0);
        let error = (spread / n).sqrt();
        if !error.is_finite() {
            return Ok(against().reason(Reason::new("not_a_number").text("A loss is not a number.")));
        }
        let reach = settings.number("deviations")? * error;
        let (low, high) = (mean - reach, mean + reach);
        let gain_least = settings.number("gain_least")?;
        let reason = |code: &str, bound: f64, threshold: f64, text: &str| {
            let reason = Reason::new(code).feature("gain").value(bound).threshold(threshold);
            reason.margin((bound - threshold).abs()).text(text)
        };
        let more = || GateDecision::need_more(PAIRS_AT_A_TIME.min(context.room()));

        Ok(if watch {
            if high < 0.0 {
                against().reason(reason("worse", high, 0.0, "The model is surely worse than the one before."))
            } else if context.room() == 0 {
                GateDecision::advance().reason(reason("no_harm", low, 0.0, "The watch ends, and no harm is proven."))
            } else {
                more().reason(reason("undecided", low, 0.0, "No harm so far; the watch goes on."))
            }
        } else if low > gain_least {
            GateDecision::advance().reason(reason("better", low, gain_least, "The gain is sure."))
        } else if high < gain_least {
            against().reason(reason("worse", high, gain_least, "The gain asked for is surely not there."))
        } else if context.room() == 0 {
            against().reason(reason("not_proven", low, gain_least, "All pairs are seen, and the gain is not sure."))
        } else {
            more().reason(reason("undecided", low, gain_least, "Not sure yet, either way."))
        })
    }
}

export_promotion_gate!(Policy);

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_policy_sdk::testing;

    fn decide(stage: GateStage, gain: f64, pairs: usize) -> GateVerdict {
        let mut context = testing::gate(stage, &["a"]);
        context.frame = testing::frame(&Policy::describe());
        // A little spread, so that the error is not zero.
        let pair = |at: usize| Pair { host: 0, baseline: 3.0 + gain + 0.01 * (at % 2) as f64, candidate: 3.0 };
        context.pairs = (0..pairs).map(pair).collect();
        Policy::decide(&context.into()).expect("a decision").verdict
    }

    #[test]
    fn a_sure_gain_goes_on_and_a_sure_loss_goes_back() {
        assert_eq!(decide(GateStage::Evaluate, 0.5, 16), GateVerdict::Advance);
        assert_eq!(decide(GateStage::Canary, -0.5, 16), GateVerdict::Reject);
        assert_eq!(decide(GateStage::Watch, -0.5, 16), GateVerdict::RollBack);
        assert_eq!(decide(GateStage::Evaluate, 0.5, 15), GateVerdict::NeedMore(1));
    }
}
