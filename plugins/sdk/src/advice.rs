//! What a decision carries beside its verdict: reasons, scores, state and suggestions.

use crate::{Advice, Block, Reason, Scores};

impl Reason {
    /// `code` is stable and in snake case, for filters and counters: `host_recently_used`.
    pub fn new(code: &str) -> Reason {
        Reason {
            code: code.to_string(),
            feature: None,
            value: None,
            threshold: None,
            margin: None,
            text: String::new(),
        }
    }

    /// The quantity that was looked at.
    pub fn feature(mut self, name: &str) -> Reason {
        self.feature = Some(name.to_string());
        self
    }

    /// What the quantity was. A number that is not finite is left out: it could not be recorded.
    pub fn value(mut self, value: f64) -> Reason {
        self.value = finite(value);
        self
    }

    /// What the quantity was compared with.
    pub fn threshold(mut self, threshold: f64) -> Reason {
        self.threshold = finite(threshold);
        self
    }

    /// Distance from the threshold in the direction of the verdict; negative where it spoke against it.
    pub fn margin(mut self, margin: f64) -> Reason {
        self.margin = finite(margin);
        self
    }

    /// One plain sentence. Control characters, which names from outside may hold, become spaces, and what is too long
    /// is cut: the host refuses a decision that has either.
    pub fn text(mut self, text: impl Into<String>) -> Reason {
        self.text = plain(text.into());
        self
    }
}

/// The host's limit on a reason's text.
const TEXT_BYTES_MAX: usize = 1024;

fn plain(mut text: String) -> String {
    let forges = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    // Bytes first: nearly every text is plain ASCII.
    if !text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) && text.contains(forges) {
        text = text.replace(forges, " ");
    }
    text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    text
}

fn finite(number: f64) -> Option<f64> {
    number.is_finite().then_some(number)
}

impl Advice {
    /// Nothing yet.
    pub fn new() -> Advice {
        Advice {
            reasons: Vec::new(),
            scores: None,
            distribution: Vec::new(),
            state: None,
            suggestions: Vec::new(),
            extras: Vec::new(),
        }
    }
}

impl Default for Advice {
    fn default() -> Advice {
        Advice::new()
    }
}

impl Scores {
    /// Scores that are the sum of these terms. Add one row per candidate, in the order of the context.
    pub fn new(term_names: &[&str]) -> Scores {
        Scores {
            totals: Vec::new(),
            term_names: term_names.iter().map(|name| name.to_string()).collect(),
            terms: Vec::new(),
            rules: Vec::new(),
            blocked: Vec::new(),
        }
    }

    /// The same, with room for so many candidates.
    pub fn with_capacity(term_names: &[&str], candidates: usize) -> Scores {
        let mut scores = Scores::new(term_names);
        scores.totals.reserve_exact(candidates);
        scores.terms.reserve_exact(candidates * term_names.len());
        scores
    }

    /// The next candidate's terms; their sum is its total, and is returned.
    pub fn row(&mut self, terms: &[f64]) -> f64 {
        assert_eq!(terms.len(), self.term_names.len(), "a row of scores has one value for each term");
        let total = terms.iter().sum();
        self.terms.extend_from_slice(terms);
        self.totals.push(total);
        total
    }

    /// Says that a rule kept a candidate out.
    pub fn block(&mut self, candidate: u32, rule: &str) {
        let rule = match self.rules.iter().position(|known| known == rule) {
            Some(position) => position,
            None => {
                self.rules.push(rule.to_string());
                self.rules.len() - 1
            }
        };
        self.blocked.push(Block {
            candidate,
            rule: rule as u32,
        });
    }
}

/// The builder methods that the decisions of all kinds have.
macro_rules! advice_methods {
    ($decision:ty) => {
        impl $decision {
            /// Adds a reason; the first is the one that decided.
            pub fn reason(mut self, reason: $crate::Reason) -> Self {
                self.advice.reasons.push(reason);
                self
            }

            /// Adds several reasons.
            pub fn reasons(mut self, reasons: impl IntoIterator<Item = $crate::Reason>) -> Self {
                self.advice.reasons.extend(reasons);
                self
            }

            /// Scores of all candidates, with the terms they are the sum of.
            pub fn scores(mut self, scores: $crate::Scores) -> Self {
                self.advice.scores = Some(scores);
                self
            }

            /// Probability with which each candidate may be picked, where chance has a part. In source selection the host
            /// draws the pick from it, in place of the verdict's own; in other kinds it is a description.
            pub fn distribution(mut self, distribution: Vec<f64>) -> Self {
                self.advice.distribution = distribution;
                self
            }

            /// State to be handed back at the next decision.
            pub fn state(mut self, state: Vec<u8>) -> Self {
                self.advice.state = Some(state);
                self
            }

            /// Proposes a change to a setting of the host; it is shown to the operator, never applied by itself.
            pub fn suggest(mut self, name: &str, value: $crate::Value) -> Self {
                self.advice.suggestions.push($crate::Setting {
                    name: name.to_string(),
                    value,
                });
                self
            }

            /// Adds a named value for the record.
            pub fn extra(mut self, name: &str, value: $crate::Value) -> Self {
                self.advice.extras.push($crate::Setting {
                    name: name.to_string(),
                    value,
                });
                self
            }
        }
    };
}
pub(crate) use advice_methods;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_add_up_and_rules_stand_once() {
        let mut scores = Scores::new(&["age", "priority"]);
        assert_eq!(scores.row(&[1.0, 2.0]), 3.0);
        assert_eq!(scores.row(&[0.5, 0.0]), 0.5);
        scores.block(1, "lock");
        scores.block(0, "lock");
        assert_eq!(scores.totals, [3.0, 0.5]);
        assert_eq!(scores.rules, ["lock"]);
        assert_eq!(scores.blocked.len(), 2);
    }

    #[test]
    fn a_reason_never_carries_what_cannot_be_recorded() {
        let reason = Reason::new("x").value(f64::NAN).threshold(f64::INFINITY).margin(1.0);
        assert_eq!((reason.value, reason.threshold, reason.margin), (None, None, Some(1.0)));
        assert_eq!(Reason::new("x").text("a\u{1b}[2Jb\u{202e}ä").text, "a [2Jb ä");
        assert_eq!(Reason::new("x").text("ä".repeat(600)).text.len(), 1024);
    }
}
