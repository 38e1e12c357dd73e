//! What would have to be different for a decision to be another one: one number of its context at a time is moved until
//! the same version answers otherwise, and the smallest such move is told.
//!
//! Numbers are tried in steps that double, up and down, and the first step that flips the verdict is narrowed down by
//! halving. That finds the nearest flip where the verdict changes once along the way, which is what thresholds do; a
//! policy that flips back and forth within a step is told with a flip that is real and perhaps not the nearest.

use pointsman_coordinator::{Policies, plausible, settle};
use pointsman_model::context::Context;
use pointsman_model::decision::{SelectionVerdict, Verdict};
use pointsman_model::policy::PolicyRef;
use serde_json::Value;

/// A move of one number that makes another decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Flip {
    /// Where the number stands in the context: `candidates[3].age_s`.
    pub field: String,
    pub from: f64,
    pub to: f64,
    pub becomes: Verdict,
}

/// What was found, nearest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flips {
    pub found: Vec<Flip>,
    /// Numbers that were moved, and questions that were asked.
    pub fields: usize,
    pub asked: usize,
    /// Whether all numbers were moved, or the questions ran out first.
    pub complete: bool,
}

/// Entries of a list that are looked at: those that were picked come first.
const ENTRIES_MAX: usize = 12;
/// Doublings of a step before a direction is given up.
const DOUBLINGS: u32 = 24;
const HALVINGS: u32 = 24;
/// Numbers that mean nothing by their size.
const NAMES: [&str; 8] = ["id", "source", "run", "seed", "error_digest", "now_ms", "host", "campaign"];
/// Lists of numbers that are indexes.
const INDEXES: [&str; 2] = ["recent_hosts", "state"];

/// Asks at most so many questions.
pub fn flips(policies: &mut dyn Policies, policy: &PolicyRef, context: &Context, verdict: &Verdict, asked_max: usize) -> Flips {
    let mut flips = Flips {
        complete: true,
        ..Flips::default()
    };
    let Ok(whole) = serde_json::to_value(context) else { return flips };
    let mut numbers = Vec::new();
    if let Value::Object(kinds) = &whole {
        for (kind, fields) in kinds {
            collect(fields, &format!("/{kind}"), "", picked(verdict), &mut numbers);
        }
    }
    let mut asker = Asker {
        policies,
        policy,
        whole,
        verdict,
        asked: 0,
        asked_max,
        was_plausible: plausible(context),
    };
    for number in &numbers {
        if asker.asked >= asked_max {
            flips.complete = false;
            break;
        }
        flips.fields += 1;
        let down = asker.nearest(number, -1.0);
        let up = asker.nearest(number, 1.0);
        let nearest = match (down, up) {
            (Some(down), Some(up)) if (down.0 - number.value).abs() <= (up.0 - number.value).abs() => Some(down),
            (down, None) => down,
            (_, up) => up,
        };
        if let Some((to, becomes)) = nearest {
            flips.found.push(Flip {
                field: number.field.clone(),
                from: number.value,
                to,
                becomes,
            });
        }
    }
    flips.asked = asker.asked;
    flips.found.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
    flips
}

/// How far a move is, beside the number itself.
fn distance(flip: &Flip) -> f64 {
    (flip.to - flip.from).abs() / flip.from.abs().max(1.0)
}

struct Number {
    pointer: String,
    field: String,
    value: f64,
    is_whole: bool,
    may_be_negative: bool,
}

fn picked(verdict: &Verdict) -> &[u32] {
    match verdict {
        Verdict::Selection(SelectionVerdict::Pick(picks)) => picks,
        Verdict::Selection(SelectionVerdict::Idle) | Verdict::Retry(_) | Verdict::Gate(_) | Verdict::Curriculum(_) => &[],
    }
}

fn collect(value: &Value, pointer: &str, field: &str, first: &[u32], numbers: &mut Vec<Number>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                // What the policy is set to and what it remembers is not what happened.
                let is_frame = field.is_empty() && name == "frame";
                if is_frame || NAMES.contains(&name.as_str()) || INDEXES.contains(&name.as_str()) {
                    continue;
                }
                let path = if field.is_empty() {
                    name.clone()
                } else {
                    format!("{field}.{name}")
                };
                collect(value, &format!("{pointer}/{name}"), &path, first, numbers);
            }
        }
        Value::Array(items) => {
            let chosen = first.iter().map(|index| *index as usize).filter(|_| field == "candidates");
            let mut order: Vec<usize> = chosen.collect();
            let rest: Vec<usize> = (0..items.len()).filter(|index| !order.contains(index)).collect();
            order.extend(rest);
            for index in order.into_iter().take(ENTRIES_MAX) {
                if let Some(item) = items.get(index) {
                    collect(item, &format!("{pointer}/{index}"), &format!("{field}[{index}]"), first, numbers);
                }
            }
        }
        Value::Number(number) => {
            if let Some(value) = number.as_f64() {
                numbers.push(Number {
                    pointer: pointer.to_string(),
                    field: field.to_string(),
                    value,
                    is_whole: !number.is_f64(),
                    may_be_negative: value < 0.0 || field.ends_with("priority"),
                });
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

struct Asker<'a> {
    policies: &'a mut dyn Policies,
    policy: &'a PolicyRef,
    whole: Value,
    verdict: &'a Verdict,
    asked: usize,
    asked_max: usize,
    /// A recorded context is; one that is not is moved all the same.
    was_plausible: bool,
}

impl Asker<'_> {
    /// The nearest value in one direction that flips the verdict, and what it becomes.
    fn nearest(&mut self, number: &Number, direction: f64) -> Option<(f64, Verdict)> {
        let mut step = match number.is_whole {
            true => 1.0,
            false => (number.value.abs() * 0.01).max(1e-3),
        };
        let mut same = number.value;
        for _ in 0..DOUBLINGS {
            let mut value = number.value + direction * step;
            let at_end = value < 0.0 && !number.may_be_negative;
            if at_end {
                value = 0.0;
            }
            if value == same {
                return None;
            }
            match self.becomes(number, value) {
                Ok(Some(becomes)) => return Some(self.narrow(number, same, value, becomes)),
                Ok(None) => same = value,
                Err(Stop) => return None,
            }
            if at_end {
                return None;
            }
            step *= 2.0;
        }
        None
    }

    /// Between a value that flips and one that does not, the flipping one that is nearest.
    fn narrow(&mut self, number: &Number, mut same: f64, mut other: f64, mut becomes: Verdict) -> (f64, Verdict) {
        for _ in 0..HALVINGS {
            let mut middle = f64::midpoint(same, other);
            if number.is_whole {
                middle = middle.trunc();
            }
            let is_near = (other - same).abs() <= 1e-3 * other.abs().max(1e-3);
            if middle == same || middle == other || (is_near && !number.is_whole) {
                break;
            }
            match self.becomes(number, middle) {
                Ok(Some(verdict)) => (other, becomes) = (middle, verdict),
                Ok(None) => same = middle,
                Err(Stop) => break,
            }
        }
        (other, becomes)
    }

    /// Another verdict than was decided; none where it is the same, or the question makes no sense.
    fn becomes(&mut self, number: &Number, value: f64) -> Result<Option<Verdict>, Stop> {
        if self.asked >= self.asked_max {
            return Err(Stop);
        }
        let Some(place) = self.whole.pointer_mut(&number.pointer) else {
            return Ok(None);
        };
        let before = place.clone();
        *place = match number.is_whole {
            true if value < 0.0 => Value::from(value as i64),
            true => Value::from(value as u64),
            false => Value::from(value),
        };
        let context = serde_json::from_value::<Context>(self.whole.clone());
        if let Some(place) = self.whole.pointer_mut(&number.pointer) {
            *place = before;
        }
        // A number that the field cannot hold, or that no host would ask about.
        let Some(context) = context.ok().filter(|context| !self.was_plausible || plausible(context)) else {
            return Ok(None);
        };
        self.asked += 1;
        let Ok(mut answer) = self.policies.ask(self.policy, &context) else {
            return Ok(None);
        };
        if settle(&context, &mut answer).is_err() || !is_other(self.verdict, &answer.verdict) {
            return Ok(None);
        }
        Ok(Some(answer.verdict))
    }
}

/// The questions have run out.
struct Stop;

/// Another first pick, another word, or a retry at quite another time.
fn is_other(before: &Verdict, after: &Verdict) -> bool {
    match (before, after) {
        (Verdict::Selection(SelectionVerdict::Pick(before)), Verdict::Selection(SelectionVerdict::Pick(after))) => {
            before.first() != after.first()
        }
        (before, after) => before.slug() != after.slug(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::tests::{context, old};
    use pointsman_model::decision::{Advice, Answer, RetryVerdict};
    use pointsman_model::policy::{Cost, EngineKind, Fault};

    /// Gives up after 40 seconds, or from the fifth attempt on.
    struct Patience;

    impl Policies for Patience {
        fn ask(&mut self, _: &PolicyRef, context: &Context) -> Result<Answer, Fault> {
            let Context::Retry(retry) = context else {
                panic!("a retry question")
            };
            let verdict = match retry.elapsed_ms > 40_000 || retry.attempt >= 5 {
                true => RetryVerdict::GiveUp,
                false => RetryVerdict::Retry(1),
            };
            Ok(Answer {
                verdict: Verdict::Retry(verdict),
                advice: Advice::default(),
                cost: Cost::default(),
            })
        }

        fn migrate(&mut self, _: &PolicyRef, _: u32, _: &[u8]) -> Result<Vec<u8>, Fault> {
            panic!("nothing is migrated")
        }

        fn fingerprint(&self, _: EngineKind) -> String {
            "patience".into()
        }
    }

    #[test]
    fn the_nearest_threshold_of_each_number_is_found() {
        let mut question = context(b"");
        if let Context::Retry(retry) = &mut question {
            retry.elapsed_ms = 38_000;
            retry.attempt = 2;
        }
        let decided = Patience.ask(&old(), &question).expect("it decides").verdict;
        let flips = flips(&mut Patience, &old(), &question, &decided, 10_000);
        let told: Vec<(&str, f64, f64)> = flips.found.iter().map(|flip| (flip.field.as_str(), flip.from, flip.to)).collect();
        assert_eq!(told, [("elapsed_ms", 38_000.0, 40_001.0), ("attempt", 2.0, 5.0)]);
        assert!(flips.complete && flips.found.iter().all(|flip| flip.becomes.slug() == "give_up"));
    }

    #[test]
    fn what_no_host_would_ask_is_not_told() {
        let mut question = context(b"");
        if let Context::Retry(retry) = &mut question {
            (retry.attempt, retry.budget, retry.budget_left) = (6, 9, 3);
        }
        let decided = Patience.ask(&old(), &question).expect("it decides").verdict;
        let found = flips(&mut Patience, &old(), &question, &decided, 10_000).found;
        // Down to a fourth attempt, and never to one of number 0.
        assert_eq!(found.iter().map(|flip| flip.to).collect::<Vec<_>>(), [4.0], "{found:?}");
    }

    #[test]
    fn the_number_of_questions_is_held() {
        let question = context(b"");
        let decided = Verdict::Retry(RetryVerdict::Retry(1));
        let flips = flips(&mut Patience, &old(), &question, &decided, 30);
        assert!(!flips.complete && flips.asked <= 30, "{flips:?}");
    }
}
