//! Test cases as data: a context, and what a policy is expected to answer.
//!
//! A case says only what it is about; everything else is as in the plain context of the policy's kind, and an entry of a
//! list as in a plain entry. The answer comes through the coordinator's port and is settled by it, as live: what a policy
//! leaves to chance is drawn by the case's seed.

use pointsman_coordinator::{Policies, settle};
use pointsman_model::context::{Context, GatePair, Guardrail, HostLoad, Skill, SourceCandidate};
use pointsman_model::decision::Verdict;
use pointsman_model::policy::{Cost, FaultClass, PolicyDescription, Setting, Value as SettingValue};
use pointsman_model::run::FailureCounts;
use pointsman_model::source::{Lane, Origin};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

mod recorded;

pub use recorded::case_of_decision;
pub(crate) use recorded::{difference_from, fields_of};

/// One case, as it stands in a JSON file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    /// Fields of the context that differ from the plain one.
    #[serde(default)]
    pub context: serde_json::Map<String, Value>,
    /// Settings that differ from those the version runs with.
    #[serde(default)]
    pub settings: BTreeMap<String, Value>,
    /// What the policy returned as its state the last time, as text.
    #[serde(default)]
    pub state: String,
    pub expect: Expected,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The verdict's word (`"retry"`), or the whole verdict as it is recorded (`{"retry": 2000}`).
    #[serde(default)]
    pub verdict: Option<Value>,
    /// Codes of reasons that are given, in this order; others may stand between.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// Instead of a verdict: how the policy is expected to fail.
    #[serde(default)]
    pub fault: Option<FaultClass>,
    /// Instead of either: any answer that fits.
    #[serde(default)]
    pub answers: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    #[error("{path} cannot be read: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path} is not a case or a list of cases: {problem}")]
    Parse { path: PathBuf, problem: String },
    #[error("there are no cases in {0}; write one: {{\"name\": \"...\", \"context\": {{}}, \"expect\": {{\"verdict\": \"...\"}}}}")]
    None(PathBuf),
}

impl Case {
    /// The whole context that a version of this kind is asked; `plain` is the plain one.
    pub fn context(&self, plain: &Context, description: &PolicyDescription) -> Result<Context, String> {
        context_of(self, plain, description)
    }
}

/// What became of a case.
#[derive(Clone, Debug, Serialize)]
pub struct CaseOutcome {
    pub name: String,
    pub passed: bool,
    /// What is not as expected, a sentence each.
    pub problems: Vec<String>,
    pub verdict: Option<Value>,
    pub reasons: Vec<String>,
    pub fault: Option<String>,
    pub cost: Cost,
}

/// The cases of a file, or of all `.json` files of a folder in the order of their names.
pub fn read_cases(path: &Path) -> Result<Vec<Case>, CaseError> {
    let read_error = |source| CaseError::Read {
        path: path.to_path_buf(),
        source,
    };
    let mut files = Vec::new();
    if path.is_dir() {
        for entry in fs::read_dir(path).map_err(read_error)? {
            let file = entry.map_err(read_error)?.path();
            if file.extension().is_some_and(|ending| ending == "json") {
                files.push(file);
            }
        }
        files.sort();
    } else {
        files.push(path.to_path_buf());
    }
    let mut cases = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).map_err(|source| CaseError::Read {
            path: file.clone(),
            source,
        })?;
        cases.extend(parse(&file, &text)?);
    }
    if cases.is_empty() {
        return Err(CaseError::None(path.to_path_buf()));
    }
    Ok(cases)
}

fn parse(file: &Path, text: &str) -> Result<Vec<Case>, CaseError> {
    let refuse = |problem: String| CaseError::Parse {
        path: file.to_path_buf(),
        problem,
    };
    let value: Value = serde_json::from_str(text).map_err(|error| refuse(error.to_string()))?;
    let values = match value {
        Value::Array(values) => values,
        one => vec![one],
    };
    let mut cases: Vec<Case> = Vec::new();
    for (at, value) in values.into_iter().enumerate() {
        let case: Case = serde_path_to_error::deserialize(value)
            .map_err(|error| refuse(format!("case {}: {}: {}", at + 1, error.path(), error.inner())))?;
        let Expected {
            verdict, fault, answers, ..
        } = &case.expect;
        if usize::from(verdict.is_some()) + usize::from(fault.is_some()) + usize::from(*answers) != 1 {
            return Err(refuse(format!(
                "case '{}': expect one of verdict, fault and answers (true: any answer that fits)",
                case.name
            )));
        }
        if case.expect.fault.is_some() && !case.expect.reasons.is_empty() {
            return Err(refuse(format!("case '{}': a fault has no reasons", case.name)));
        }
        cases.push(case);
    }
    Ok(cases)
}

/// Asks the policy, which must be loaded, and compares. `plain` is the plain context of its kind.
pub fn run_case(case: &Case, plain: &Context, description: &PolicyDescription, policies: &mut dyn Policies) -> CaseOutcome {
    let mut outcome = CaseOutcome {
        name: case.name.clone(),
        passed: false,
        problems: Vec::new(),
        verdict: None,
        reasons: Vec::new(),
        fault: None,
        cost: Cost::default(),
    };
    let context = match context_of(case, plain, description) {
        Ok(context) => context,
        Err(problem) => {
            outcome.problems.push(problem);
            return outcome;
        }
    };
    match policies.ask(&description.policy, &context) {
        Ok(mut answer) => {
            let settled = settle(&context, &mut answer);
            outcome.cost = answer.cost;
            outcome.verdict = Some(inner(&answer.verdict));
            outcome.reasons = answer.advice.reasons.iter().map(|reason| reason.code.clone()).collect();
            match settled {
                Ok(_) => compare(case, &answer.verdict, &mut outcome),
                Err(problem) => {
                    outcome.fault = Some(FaultClass::InvalidOutput.slug().to_string());
                    if case.expect.fault != Some(FaultClass::InvalidOutput) {
                        outcome.problems.push(format!("the answer does not fit its context: {problem}"));
                    }
                }
            }
        }
        Err(fault) => {
            outcome.cost = fault.cost;
            outcome.fault = Some(fault.class.slug().to_string());
            if case.expect.fault != Some(fault.class) {
                outcome
                    .problems
                    .push(format!("it failed ({}): {}", fault.class.slug(), fault.detail));
            }
        }
    }
    outcome.passed = outcome.problems.is_empty();
    outcome
}

fn compare(case: &Case, verdict: &Verdict, outcome: &mut CaseOutcome) {
    let Expected {
        verdict: expected,
        reasons,
        fault,
        answers: _,
    } = &case.expect;
    let given = inner(verdict);
    if let Some(class) = fault {
        outcome
            .problems
            .push(format!("it answered {given}, where it was expected to fail ({})", class.slug()));
    }
    if let Some(expected) = expected {
        let fits = match expected {
            Value::String(word) => word == verdict.slug(),
            whole => equal(whole, &given),
        };
        if !fits {
            outcome.problems.push(format!("the verdict is {given}, expected was {expected}"));
        }
    }
    let mut codes = outcome.reasons.iter();
    for wanted in reasons {
        if !codes.any(|code| code == wanted) {
            let given = outcome.reasons.join(", ");
            outcome.problems.push(format!(
                "the reason '{wanted}' is not given, or not in its place; given are: {given}"
            ));
            break;
        }
    }
}

/// A verdict without the name of its kind around it.
fn inner(verdict: &Verdict) -> Value {
    let value = serde_json::to_value(verdict).expect("a verdict is plain data");
    match value {
        Value::Object(map) => map.into_iter().next().map_or(Value::Null, |(_, value)| value),
        other => other,
    }
}

/// Numbers are equal where only their last digits differ: a policy may add in another order than its author did.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()),
            _ => a == b,
        },
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| equal(a, b))),
        (a, b) => a == b,
    }
}

fn context_of(case: &Case, plain: &Context, description: &PolicyDescription) -> Result<Context, String> {
    let mut whole = serde_json::to_value(plain).expect("a context is plain data");
    let kind = whole.as_object_mut().and_then(|map| map.values_mut().next());
    let fields = kind.ok_or("the plain context has no fields")?;
    merge(fields, &Value::Object(case.context.clone()), "context")?;
    fill_tables(fields);
    let mut context: Context = serde_path_to_error::deserialize(whole).map_err(|error| {
        let path = error.path().to_string();
        let path = path.split_once('.').map_or("", |(_, rest)| rest);
        format!("context.{path}: {}", error.inner())
    })?;
    let frame = context.frame_mut();
    frame.settings = settings_of(case, description)?;
    frame.state = case.state.clone().into_bytes();
    Ok(context)
}

/// Puts what the case says over what is plain. A field that does not exist is an error that names those that do.
fn merge(plain: &mut Value, given: &Value, path: &str) -> Result<(), String> {
    match (plain, given) {
        (Value::Object(plain), Value::Object(given)) => {
            for (name, value) in given {
                if path == "context.frame" && (name == "settings" || name == "state") {
                    return Err(format!("{path}.{name}: give '{name}' beside 'context', not in it"));
                }
                let Some(field) = plain.get_mut(name) else {
                    let known: Vec<&str> = plain.keys().map(String::as_str).collect();
                    return Err(format!("{path} has no field '{name}'; it has {}", known.join(", ")));
                };
                match (entry(name), value) {
                    (Some(blank), Value::Array(items)) => {
                        let mut list = Vec::new();
                        for (at, item) in items.iter().enumerate() {
                            let mut whole = blank.clone();
                            if let Some(id) = whole.get_mut("id") {
                                *id = json!(at + 1);
                            }
                            merge(&mut whole, item, &format!("{path}.{name}[{at}]"))?;
                            list.push(whole);
                        }
                        *field = Value::Array(list);
                    }
                    _ => merge(field, value, &format!("{path}.{name}"))?,
                }
            }
            Ok(())
        }
        (Value::Object(_), other) => Err(format!("{path} is an object of fields and not {other}")),
        (plain, given) => {
            *plain = given.clone();
            Ok(())
        }
    }
}

/// A plain entry of the list of this name.
fn entry(list: &str) -> Option<Value> {
    let entry = match list {
        "candidates" => json!(SourceCandidate {
            id: 1,
            lane: Lane::Queue,
            origin: Origin::Api,
            host: None,
            campaign: None,
            row: 0,
            age_s: 0.0,
            attempts: 0,
            failures: FailureCounts::default(),
            difficulty: 0.5,
            priority: 0,
        }),
        "host_loads" => json!(HostLoad::default()),
        "skills" => json!(Skill::default()),
        "pairs" => json!(GatePair {
            host: 0,
            baseline: 0.0,
            candidate: 0.0,
        }),
        "guardrails" => json!(Guardrail {
            name: "error_rate".to_string(),
            baseline_n: 0,
            baseline_mean: 0.0,
            candidate_n: 0,
            candidate_mean: 0.0,
            limit: 0.0,
        }),
        _ => return None,
    };
    Some(entry)
}

/// Lists that stand in the order of `hosts` have an entry for each, and none for a host that is not there.
fn fill_tables(fields: &mut Value) {
    let hosts = fields["hosts"].as_array().map(Vec::len);
    for list in ["host_loads", "skills"] {
        if let (Some(hosts), Some(Value::Array(entries))) = (hosts, fields.get_mut(list)) {
            entries.resize(hosts, entry(list).expect("it is one of the lists"));
        }
    }
}

fn settings_of(case: &Case, description: &PolicyDescription) -> Result<Vec<Setting>, String> {
    let mut settings = description.settings.clone();
    for (name, value) in &case.settings {
        let Some(setting) = settings.iter_mut().find(|setting| setting.name == *name) else {
            let known: Vec<&str> = description.settings.iter().map(|setting| setting.name.as_str()).collect();
            return Err(format!("'{name}' is not a setting of this policy; it has {}", known.join(", ")));
        };
        setting.value = match (&setting.value, value) {
            (SettingValue::Flag(_), Value::Bool(flag)) => SettingValue::Flag(*flag),
            (SettingValue::Number(_), Value::Number(number)) => SettingValue::Number(number.as_f64().unwrap_or(f64::NAN)),
            (SettingValue::Text(_), Value::String(text)) => SettingValue::Text(text.clone()),
            (SettingValue::Flag(_) | SettingValue::Number(_) | SettingValue::Text(_), _) => {
                return Err(format!("setting '{name}' is of another type than {value}"));
            }
        };
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canned::plain;
    use pointsman_model::Digest;
    use pointsman_model::decision::{Advice, Answer, Link, Reason, RetryVerdict, Ruling};
    use pointsman_model::policy::{EngineKind, Fault, PolicyKind, PolicyLimits, PolicyRef};

    /// Waits `wait_ms`, and declines where no try is left.
    struct Waits;

    impl Policies for Waits {
        fn ask(&mut self, _: &PolicyRef, context: &Context) -> Result<Answer, Fault> {
            let Context::Retry(context) = context else {
                panic!("a retry question")
            };
            if context.budget_left == 0 {
                return Err(Fault {
                    class: FaultClass::Declined,
                    detail: "no try is left".to_string(),
                    cost: Cost::default(),
                });
            }
            let SettingValue::Number(wait_ms) = context.frame.settings[0].value else {
                panic!("a number")
            };
            Ok(Answer {
                verdict: Verdict::Retry(RetryVerdict::Retry(wait_ms as u64)),
                advice: Advice {
                    reasons: ["first", "second"]
                        .map(|code| Reason {
                            code: code.to_string(),
                            ..Reason::default()
                        })
                        .to_vec(),
                    ..Advice::default()
                },
                cost: Cost::default(),
            })
        }

        fn migrate(&mut self, _: &PolicyRef, _: u32, state: &[u8]) -> Result<Vec<u8>, Fault> {
            Ok(state.to_vec())
        }

        fn fingerprint(&self, _: EngineKind) -> String {
            "test".to_string()
        }
    }

    fn description() -> PolicyDescription {
        PolicyDescription {
            policy: PolicyRef {
                name: "waits".to_string(),
                version: "1".to_string(),
                digest: Digest::of(b"waits"),
                engine: EngineKind::Rhai,
            },
            kind: PolicyKind::Retry,
            summary: String::new(),
            settings_schema: Vec::new(),
            settings: vec![Setting {
                name: "wait_ms".to_string(),
                value: SettingValue::Number(2_000.0),
            }],
            limits: PolicyLimits::default(),
            state_version: 0,
            code_bytes: 0,
        }
    }

    fn check(case: Value, problem: &str) {
        let description = description();
        let text = json!([case]).to_string();
        let problems = match parse(Path::new("c.json"), &text) {
            Ok(cases) => run_case(&cases[0], &plain(), &description, &mut Waits).problems.join("; "),
            Err(error) => error.to_string(),
        };
        if problem.is_empty() {
            assert_eq!(problems, "", "{case}");
        } else {
            assert!(problems.contains(problem), "{case}: {problems}");
        }
    }

    #[test]
    fn a_case_passes_where_verdict_and_reasons_are_as_expected() {
        check(
            json!({"name": "a", "expect": {"verdict": "retry", "reasons": ["first", "second"]}}),
            "",
        );
        check(
            json!({"name": "a", "expect": {"verdict": {"retry": 2000}, "reasons": ["second"]}}),
            "",
        );
        check(
            json!({"name": "a", "settings": {"wait_ms": 5}, "expect": {"verdict": {"retry": 5}}}),
            "",
        );
        check(
            json!({"name": "a", "context": {"budget_left": 0}, "expect": {"fault": "declined"}}),
            "",
        );
    }

    #[test]
    fn a_case_fails_with_what_was_given_instead() {
        let verdict = json!({"name": "a", "expect": {"verdict": "give_up"}});
        check(verdict, "the verdict is {\"retry\":2000}, expected was \"give_up\"");
        check(json!({"name": "a", "expect": {"verdict": {"retry": 1}}}), "the verdict is");
        check(
            json!({"name": "a", "expect": {"verdict": "retry", "reasons": ["second", "first"]}}),
            "the reason 'first' is not given",
        );
        check(json!({"name": "a", "expect": {"fault": "trap"}}), "expected to fail (trap)");
        check(
            json!({"name": "a", "context": {"budget_left": 0}, "expect": {"verdict": "retry"}}),
            "it failed (declined): no try is left",
        );
        // What the coordinator would throw away is no pass either: seven days are the most.
        check(
            json!({"name": "a", "settings": {"wait_ms": 1e12}, "expect": {"verdict": "retry"}}),
            "does not fit its context",
        );
    }

    #[test]
    fn a_case_that_is_wrong_itself_says_where() {
        check(
            json!({"name": "a", "context": {"atempt": 1}, "expect": {"verdict": "retry"}}),
            "context has no field 'atempt'; it has attempt,",
        );
        check(
            json!({"name": "a", "context": {"class": "odd"}, "expect": {"verdict": "retry"}}),
            "context.class: unknown variant `odd`",
        );
        check(
            json!({"name": "a", "context": {"frame": {"state": []}}, "expect": {"verdict": "retry"}}),
            "give 'state' beside 'context'",
        );
        check(
            json!({"name": "a", "settings": {"wait": 1}, "expect": {"verdict": "retry"}}),
            "'wait' is not a setting of this policy; it has wait_ms",
        );
        check(
            json!({"name": "a", "settings": {"wait_ms": true}, "expect": {"verdict": "retry"}}),
            "of another type",
        );
        check(json!({"name": "a", "expect": {}}), "expect one of verdict, fault and answers");
        check(json!({"name": "a", "expected": {}}), "unknown field `expected`");
    }

    #[test]
    fn a_recorded_decision_is_a_case_that_passes_and_says_only_what_is_special() {
        let description = description();
        let mut recorded = plain();
        let Context::Retry(retry) = &mut recorded else {
            panic!("a retry question")
        };
        retry.frame.settings.clone_from(&description.settings);
        retry.frame.seed = 77;
        retry.budget_left = 1;
        retry.host = None;
        let answer = Waits.ask(&description.policy, &recorded).expect("it answers");
        let ruling = Ruling {
            verdict: answer.verdict,
            advice: answer.advice,
            link: Link::Active,
            policy: description.policy.clone(),
            engine: "test".to_string(),
            cost: Cost::default(),
            declined: Vec::new(),
            propensity: None,
        };
        let made = case_of_decision("decision 7", &recorded, &plain(), &ruling).expect("it can be a case");
        let fields: Vec<&String> = made["context"].as_object().expect("fields").keys().collect();
        assert!(fields.len() <= 3 && made["context"]["frame"] == json!({ "seed": 77 }), "{made:#}");
        let cases = parse(Path::new("made.json"), &made.to_string()).expect("a case");
        let outcome = run_case(&cases[0], &plain(), &description, &mut Waits);
        assert!(outcome.passed, "{:?}", outcome.problems);
        assert_eq!(context_of(&cases[0], &plain(), &description).expect("a context"), recorded);
    }
}
