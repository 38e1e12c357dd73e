//! What an answer of either engine must keep to before anyone looks at it: sizes, finite numbers and plain text.
//! Whether the verdict fits its context is for the coordinator, who knows what it asked.

use crate::limits::*;
use crate::log::is_plain;
use pointsman_model::decision::{Advice, CurriculumVerdict, Reason, Scores, Seed, SelectionVerdict, Verdict};
use pointsman_model::policy::{Setting, Value};

/// The sentence names the field that breaks the contract.
pub(crate) fn check(verdict: &Verdict, advice: &Advice) -> Result<(), String> {
    check_verdict(verdict)?;
    let Advice {
        reasons,
        scores,
        distribution,
        state,
        suggestions,
        extras,
    } = advice;
    at_most("reasons", reasons.len(), REASONS_MAX)?;
    for (index, reason) in reasons.iter().enumerate() {
        check_reason(reason).map_err(|problem| format!("reason {index}: {problem}"))?;
    }
    if let Some(scores) = scores {
        check_scores(scores)?;
    }
    finite("distribution", distribution)?;
    if let Some(state) = state {
        at_most("state bytes", state.len(), STATE_BYTES_MAX)?;
    }
    check_values("suggestions", suggestions, SUGGESTIONS_MAX)?;
    check_values("extras", extras, EXTRAS_MAX)
}

fn check_verdict(verdict: &Verdict) -> Result<(), String> {
    match verdict {
        Verdict::Selection(SelectionVerdict::Pick(picked)) => at_most("picked", picked.len(), LIST_MAX),
        Verdict::Curriculum(CurriculumVerdict::Park(hosts)) => at_most("parked", hosts.len(), LIST_MAX),
        Verdict::Curriculum(CurriculumVerdict::Plant(seeds)) => {
            at_most("seeds", seeds.len(), LIST_MAX)?;
            for (
                index,
                Seed {
                    host: _,
                    steps: _,
                    learning_rate,
                    replay_share,
                },
            ) in seeds.iter().enumerate()
            {
                if !learning_rate.is_finite() || !replay_share.is_finite() {
                    return Err(format!("seed {index}: a number is not finite"));
                }
            }
            Ok(())
        }
        Verdict::Selection(SelectionVerdict::Idle) | Verdict::Curriculum(CurriculumVerdict::Nothing) => Ok(()),
        Verdict::Retry(_) | Verdict::Gate(_) => Ok(()),
    }
}

fn check_reason(reason: &Reason) -> Result<(), String> {
    let Reason {
        code,
        feature,
        value,
        threshold,
        margin,
        text,
    } = reason;
    check_text("code", code, NAME_BYTES_MAX)?;
    if code.is_empty() {
        return Err("code is empty".to_string());
    }
    if let Some(feature) = feature {
        check_text("feature", feature, NAME_BYTES_MAX)?;
    }
    check_text("text", text, REASON_TEXT_BYTES_MAX)?;
    for (name, number) in [("value", value), ("threshold", threshold), ("margin", margin)] {
        if number.is_some_and(|number| !number.is_finite()) {
            return Err(format!("{name} is not a finite number"));
        }
    }
    Ok(())
}

fn check_scores(scores: &Scores) -> Result<(), String> {
    let Scores {
        totals,
        term_names,
        terms,
        rules,
        blocked,
    } = scores;
    at_most("score terms", term_names.len(), TERMS_MAX)?;
    at_most("score rules", rules.len(), RULES_MAX)?;
    at_most("blocked candidates", blocked.len(), LIST_MAX)?;
    finite("scores", totals)?;
    if terms.len() != totals.len() * term_names.len() {
        return Err(format!(
            "scores: {} terms for {} candidates and {} term names",
            terms.len(),
            totals.len(),
            term_names.len()
        ));
    }
    if !terms.iter().all(|term| term.is_finite()) {
        return Err("scores: a term is not a finite number".to_string());
    }
    if let Some(block) = blocked.iter().find(|block| block.rule as usize >= rules.len()) {
        return Err(format!(
            "scores: candidate {} is blocked by rule {}, and there are {}",
            block.candidate,
            block.rule,
            rules.len()
        ));
    }
    term_names
        .iter()
        .chain(rules)
        .try_for_each(|name| check_text("scores: name", name, NAME_BYTES_MAX))
}

fn check_values(what: &str, settings: &[Setting], max: usize) -> Result<(), String> {
    at_most(what, settings.len(), max)?;
    settings.iter().try_for_each(|Setting { name, value }| {
        check_text(what, name, NAME_BYTES_MAX)?;
        match value {
            Value::Number(number) if !number.is_finite() => Err(format!("{what}: '{name}' is not a finite number")),
            Value::Text(text) => check_text(what, text, REASON_TEXT_BYTES_MAX),
            Value::Number(_) | Value::Flag(_) => Ok(()),
        }
    })
}

fn check_text(what: &str, text: &str, bytes_max: usize) -> Result<(), String> {
    if text.len() > bytes_max {
        return Err(format!("{what} has {} bytes; at most {bytes_max} are allowed", text.len()));
    }
    // Bytes first: nearly every text is ASCII, and this runs for each decision.
    if !text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) && !text.chars().all(is_plain) {
        return Err(format!("{what} holds control characters"));
    }
    Ok(())
}

fn finite(what: &str, numbers: &[f64]) -> Result<(), String> {
    at_most(what, numbers.len(), LIST_MAX)?;
    match numbers.iter().position(|number| !number.is_finite()) {
        Some(index) => Err(format!("{what}: number {index} is not finite")),
        None => Ok(()),
    }
}

fn at_most(what: &str, count: usize, max: usize) -> Result<(), String> {
    if count > max {
        Err(format!("{count} {what}; at most {max} are allowed"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_model::decision::RetryVerdict;

    fn refused(advice: Advice, sentence: &str) {
        assert_eq!(check(&Verdict::Retry(RetryVerdict::GiveUp), &advice), Err(sentence.to_string()));
    }

    fn reason(text: &str) -> Reason {
        Reason {
            code: "c".into(),
            text: text.into(),
            ..Reason::default()
        }
    }

    #[test]
    fn sizes_numbers_and_texts_are_held() {
        refused(
            Advice {
                reasons: vec![reason(""); 33],
                ..Advice::default()
            },
            "33 reasons; at most 32 are allowed",
        );
        refused(
            Advice {
                reasons: vec![reason(&"x".repeat(1025))],
                ..Advice::default()
            },
            "reason 0: text has 1025 bytes; at most 1024 are allowed",
        );
        refused(
            Advice {
                reasons: vec![reason("\u{1b}[2J")],
                ..Advice::default()
            },
            "reason 0: text holds control characters",
        );
        let nan = Reason {
            value: Some(f64::NAN),
            ..reason("")
        };
        refused(
            Advice {
                reasons: vec![nan],
                ..Advice::default()
            },
            "reason 0: value is not a finite number",
        );
        refused(
            Advice {
                state: Some(vec![0; 65_537]),
                ..Advice::default()
            },
            "65537 state bytes; at most 65536 are allowed",
        );
        refused(
            Advice {
                distribution: vec![0.5, f64::INFINITY],
                ..Advice::default()
            },
            "distribution: number 1 is not finite",
        );
        let scores = Scores {
            totals: vec![1.0],
            term_names: vec!["age".into()],
            ..Scores::default()
        };
        refused(
            Advice {
                scores: Some(scores),
                ..Advice::default()
            },
            "scores: 0 terms for 1 candidates and 1 term names",
        );
    }

    #[test]
    fn a_seed_must_be_a_number() {
        let seed = Seed {
            host: 0,
            steps: 1,
            learning_rate: f64::NAN,
            replay_share: 0.0,
        };
        let verdict = Verdict::Curriculum(CurriculumVerdict::Plant(vec![seed]));
        assert_eq!(
            check(&verdict, &Advice::default()),
            Err("seed 0: a number is not finite".to_string())
        );
    }
}
