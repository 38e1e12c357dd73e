//! The model of what is outside: how much work arrives, how runs end, how long they take, what they teach.
//!
//! A model is data. The one that is built in is invented and documented; [`fit`](super::fit) makes one from a journal;
//! a file says it in JSON. Whatever its origin, a simulation shows it as what it is: a model.

use crate::dice::normal_quantile;
use pointsman_model::run::FailureClass;
use pointsman_model::settings::Settings;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Most hosts of a model, and most values of a list in it.
const HOSTS_MAX: usize = 64;
const VALUES_MAX: usize = 1_001;
/// Most sources that may wait when a simulation starts, per host.
const WAITING_MAX: u32 = 10_000;
/// Run length that `learning` is about.
pub(crate) const STEPS_REFERENCE: f64 = 400.0;
pub(crate) const LEARNING_RATE_REFERENCE: f64 = 1e-3;

/// How a number is spread. It is drawn through its quantile function, so that one draw of luck makes one number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Spread {
    Fixed(f64),
    Lognormal {
        median: f64,
        sigma: f64,
    },
    Normal {
        mean: f64,
        deviation: f64,
    },
    /// As it was seen: evenly spaced quantiles from the least to the greatest, straight between them.
    Quantiles(Vec<f64>),
}

impl Spread {
    /// The value below which a share `p` lies.
    pub fn at(&self, p: f64) -> f64 {
        match self {
            Spread::Fixed(value) => *value,
            Spread::Lognormal { median, sigma } => median * libm::exp(sigma * normal_quantile(p)),
            Spread::Normal { mean, deviation } => mean + deviation * normal_quantile(p),
            Spread::Quantiles(values) => {
                let place = p.clamp(0.0, 1.0) * (values.len() - 1) as f64;
                let below = place as usize;
                let above = (below + 1).min(values.len() - 1);
                values[below] + (values[above] - values[below]) * (place - below as f64)
            }
        }
    }

    fn problem(&self, positive: bool) -> Option<String> {
        let numbers: Vec<f64> = match self {
            Spread::Fixed(value) => vec![*value],
            Spread::Lognormal { median, sigma } => {
                if !(*median > 0.0) {
                    return Some(format!("the median {median} of a lognormal is not above 0"));
                }
                if !(0.0..=5.0).contains(sigma) {
                    return Some(format!("sigma {sigma} is not between 0 and 5"));
                }
                vec![*median]
            }
            Spread::Normal { mean, deviation } => {
                if !(*deviation >= 0.0) {
                    return Some(format!("the deviation {deviation} is below 0"));
                }
                if positive {
                    return Some("a normal spread may fall below 0: take fixed, lognormal or quantiles".into());
                }
                vec![*mean, *deviation]
            }
            Spread::Quantiles(values) => {
                if !(2..=VALUES_MAX).contains(&values.len()) {
                    return Some(format!("{} quantiles are given, 2 to {VALUES_MAX} are taken", values.len()));
                }
                if values.windows(2).any(|pair| pair[0] > pair[1]) {
                    return Some("the quantiles do not rise".into());
                }
                values.clone()
            }
        };
        let wrong = numbers
            .into_iter()
            .find(|number| !number.is_finite() || positive && *number < 0.0)?;
        Some(if positive {
            format!("{wrong} is not a number of at least 0")
        } else {
            format!("{wrong} is not a number")
        })
    }
}

/// One host: its work, its luck and what practice does to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostModel {
    pub name: String,
    /// Sources that operators queue, evenly at random over time.
    #[serde(default)]
    pub arrivals_per_hour: f64,
    /// Sources of it in the queue when the simulation starts.
    #[serde(default)]
    pub waiting_at_start: u32,
    /// Share of runs that succeed, by attempt; the last one holds for all later attempts.
    pub success: Vec<f64>,
    /// Weights of the classes that a failure may have. A source that fails deterministically fails so at each attempt.
    pub failures: BTreeMap<FailureClass, f64>,
    /// How long a run of a source takes.
    pub training_s: Spread,
    /// Held-out loss of the first model, and the loss that no practice gets below.
    pub loss_start: f64,
    pub loss_floor: f64,
    /// Share of the way to the floor that a run of 400 steps takes.
    pub learning: f64,
    /// Deviation of the loss after a run from what it should be.
    pub noise: f64,
    /// Rise of this host's loss by a run of another host without replay, once it is learnt fully.
    #[serde(default)]
    pub forgetting: f64,
}

/// How models are compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairModel {
    /// Deviation between held-out items: both models share it.
    pub item_deviation: f64,
    /// Spread of the difference between two models around their true difference.
    pub difference: Spread,
}

/// Standard requests while a candidate is on trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServingModel {
    pub requests_per_minute: f64,
    pub latency_ms: Spread,
    /// Share of requests that fail, whichever model answers.
    pub failed_share: f64,
}

/// All that a simulation needs to know of the outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutsideModel {
    /// Where it comes from, in words: shown on every report.
    #[serde(default = "of_a_file")]
    pub about: String,
    pub hosts: Vec<HostModel>,
    /// From planned to started.
    #[serde(default = "start_s")]
    pub start_s: Spread,
    #[serde(default = "first_model_s")]
    pub first_model_s: Spread,
    #[serde(default = "evaluation_s")]
    pub evaluation_s: Spread,
    #[serde(default = "pairs")]
    pub pairs: PairModel,
    #[serde(default = "serving")]
    pub serving: ServingModel,
    /// A host is called starved when one of its queued sources waits longer than this for its first attempt.
    #[serde(default = "starved_after_s")]
    pub starved_after_s: f64,
    /// Live settings of the simulated host.
    #[serde(default)]
    pub settings: Settings,
}

fn of_a_file() -> String {
    "a model file".into()
}

fn start_s() -> Spread {
    Spread::Fixed(1.0)
}

fn first_model_s() -> Spread {
    Spread::Fixed(60.0)
}

fn evaluation_s() -> Spread {
    Spread::Lognormal { median: 20.0, sigma: 0.2 }
}

fn pairs() -> PairModel {
    PairModel {
        item_deviation: 0.3,
        difference: Spread::Normal {
            mean: 0.0,
            deviation: 0.06,
        },
    }
}

fn serving() -> ServingModel {
    ServingModel {
        requests_per_minute: 30.0,
        latency_ms: Spread::Lognormal { median: 120.0, sigma: 0.4 },
        failed_share: 0.002,
    }
}

fn starved_after_s() -> f64 {
    3_600.0
}

/// What is wrong with a model, at which field, and what may stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelProblem {
    pub field: String,
    pub problem: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    #[error("line {line}, column {column}, at {field}: {problem}")]
    Syntax {
        line: usize,
        column: usize,
        field: String,
        problem: String,
    },
    #[error("{}: {}", .0.field, .0.problem)]
    Field(ModelProblem),
}

impl OutsideModel {
    /// Reads a model file.
    pub fn parse(text: &str) -> Result<OutsideModel, ModelError> {
        let reader = &mut serde_json::Deserializer::from_str(text);
        let model: OutsideModel = serde_path_to_error::deserialize(reader).map_err(|error| {
            let field = error.path().to_string();
            let inner = error.into_inner();
            let problem = inner.to_string();
            let place = format!(" at line {} column {}", inner.line(), inner.column());
            ModelError::Syntax {
                line: inner.line(),
                column: inner.column(),
                field,
                problem: problem.strip_suffix(&place).unwrap_or(&problem).to_string(),
            }
        })?;
        match model.problems().into_iter().next() {
            Some(problem) => Err(ModelError::Field(problem)),
            None => Ok(model),
        }
    }

    /// Bounds of every field.
    pub fn problems(&self) -> Vec<ModelProblem> {
        let mut problems = Vec::new();
        let mut problem = |field: String, problem: Option<String>| problems.extend(problem.map(|problem| ModelProblem { field, problem }));
        let within = |value: f64, low: f64, high: f64| {
            (!(value >= low && value <= high)).then(|| format!("{value} is not between {low} and {high}"))
        };
        let OutsideModel {
            about: _,
            hosts,
            start_s,
            first_model_s,
            evaluation_s,
            pairs: PairModel {
                item_deviation,
                difference,
            },
            serving:
                ServingModel {
                    requests_per_minute,
                    latency_ms,
                    failed_share,
                },
            starved_after_s,
            settings,
        } = self;
        if hosts.is_empty() || hosts.len() > HOSTS_MAX {
            problem(
                "hosts".into(),
                Some(format!("{} are named, 1 to {HOSTS_MAX} are taken", hosts.len())),
            );
        }
        let mut names = BTreeSet::new();
        for (index, host) in hosts.iter().enumerate() {
            let HostModel {
                name,
                arrivals_per_hour,
                waiting_at_start,
                success,
                failures,
                training_s,
                loss_start,
                loss_floor,
                learning,
                noise,
                forgetting,
            } = host;
            let mut of_host = |field: &str, wrong: Option<String>| problem(format!("hosts[{index}].{field}"), wrong);
            let bad_name = name.is_empty() || name.len() > 120 || name.chars().any(char::is_control);
            of_host(
                "name",
                bad_name.then(|| "is empty, longer than 120 bytes or holds control characters".into()),
            );
            of_host("name", (!names.insert(name)).then(|| format!("{name} is named twice")));
            of_host("arrivals_per_hour", within(*arrivals_per_hour, 0.0, 10_000.0));
            of_host(
                "waiting_at_start",
                within(f64::from(*waiting_at_start), 0.0, f64::from(WAITING_MAX)),
            );
            if success.is_empty() || success.len() > VALUES_MAX {
                of_host("success", Some("names no share; give one, such as [0.9]".into()));
            }
            for share in success {
                of_host("success", within(*share, 0.0, 1.0));
            }
            for (class, weight) in failures {
                of_host(&format!("failures.{}", class.slug()), within(*weight, 0.0, 1e9));
            }
            let may_fail = success.iter().any(|share| *share < 1.0);
            let no_class = may_fail && !(failures.values().sum::<f64>() > 0.0);
            of_host(
                "failures",
                no_class.then(|| "runs may fail, and no class has a weight; give one, such as {\"transient\": 1}".into()),
            );
            of_host("training_s", training_s.problem(true));
            of_host("loss_floor", within(*loss_floor, 0.0, 1e6));
            of_host("loss_start", within(*loss_start, *loss_floor, 1e6));
            of_host("learning", within(*learning, 0.0, 1.0));
            of_host("noise", within(*noise, 0.0, 1e6));
            of_host("forgetting", within(*forgetting, 0.0, 1e6));
        }
        problem("start_s".into(), start_s.problem(true));
        problem("first_model_s".into(), first_model_s.problem(true));
        problem("evaluation_s".into(), evaluation_s.problem(true));
        problem("pairs.item_deviation".into(), within(*item_deviation, 0.0, 1e6));
        problem("pairs.difference".into(), difference.problem(false));
        problem("serving.requests_per_minute".into(), within(*requests_per_minute, 0.1, 60_000.0));
        problem("serving.latency_ms".into(), latency_ms.problem(true));
        problem("serving.failed_share".into(), within(*failed_share, 0.0, 1.0));
        problem("starved_after_s".into(), within(*starved_after_s, 1.0, 1e9));
        for wrong in settings.problems() {
            problem(format!("settings.{}", wrong.field), Some(wrong.problem));
        }
        problems
    }

    /// An invented outside, for a first look: five hosts of unlike difficulty, kept busy for about two thirds of the
    /// time by operators, the rest open to the curriculum.
    pub fn built_in() -> OutsideModel {
        let host = |name: &str, first_try: f64, loss_start: f64, loss_floor: f64, learning: f64| HostModel {
            name: name.into(),
            arrivals_per_hour: 5.0,
            waiting_at_start: 4,
            success: vec![first_try, first_try - 0.05],
            failures: BTreeMap::from([
                (FailureClass::Transient, 4.0),
                (FailureClass::Deterministic, 3.0),
                (FailureClass::Infra, 2.0),
                (FailureClass::Timeout, 1.0),
                (FailureClass::Preempted, 1.0),
            ]),
            training_s: Spread::Lognormal { median: 80.0, sigma: 0.35 },
            loss_start,
            loss_floor,
            learning,
            noise: 0.01,
            forgetting: 0.03,
        };
        OutsideModel {
            about: "the built-in model: invented, fitted from nothing".into(),
            hosts: vec![
                host("novel", 0.96, 3.1, 2.3, 0.04),
                host("speeches", 0.94, 3.0, 2.2, 0.04),
                host("code", 0.85, 3.4, 1.9, 0.06),
                host("lexicon", 0.9, 3.6, 2.4, 0.05),
                host("events", 0.7, 3.8, 1.5, 0.08),
            ],
            start_s: start_s(),
            first_model_s: first_model_s(),
            evaluation_s: evaluation_s(),
            pairs: pairs(),
            serving: serving(),
            starved_after_s: starved_after_s(),
            settings: Settings::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let error = OutsideModel::parse(text).expect_err(text);
        assert!(error.to_string().contains(expected), "{error}, not {expected}");
    }

    fn changed(from: &str, to: &str) -> String {
        let text = serde_json::to_string_pretty(&OutsideModel::built_in()).expect("a model is plain data");
        assert!(text.contains(from), "{from} is in {text}");
        text.replacen(from, to, 1)
    }

    #[test]
    fn the_built_in_model_is_sound_and_comes_back_from_its_own_file() {
        let model = OutsideModel::built_in();
        assert_eq!(model.problems(), []);
        let text = serde_json::to_string(&model).expect("a model is plain data");
        assert_eq!(OutsideModel::parse(&text), Ok(model));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_or_field() {
        check("{\n  \"hosts\": [\n    {\"name\": 3}]}", "line 3");
        check("{\"hosts\": [], \"unknown\": 1}", "unknown field `unknown`");
        check("{\"hosts\": []}", "hosts: 0 are named");
        check(
            &changed("\"learning\": 0.04", "\"learning\": 1.5"),
            "hosts[0].learning: 1.5 is not between 0 and 1",
        );
        check(
            &changed("\"name\": \"speeches\"", "\"name\": \"novel\""),
            "hosts[1].name: novel is named twice",
        );
        check(
            &changed("\"loss_start\": 3.1", "\"loss_start\": 1.0"),
            "hosts[0].loss_start: 1 is not between 2.3",
        );
        check(&changed("\"retry_budget\": 3", "\"retry_budget\": 300"), "settings.retry_budget");
        check(
            &changed("\"median\": 80.0", "\"median\": -1.0"),
            "hosts[0].training_s: the median -1",
        );
    }

    #[test]
    fn spreads_hit_their_quantiles() {
        assert_eq!(Spread::Quantiles(vec![1.0, 2.0, 10.0]).at(0.75), 6.0);
        assert_eq!(Spread::Quantiles(vec![1.0, 2.0, 10.0]).at(1.0), 10.0);
        let lognormal = Spread::Lognormal { median: 80.0, sigma: 0.5 };
        assert!((lognormal.at(0.5) - 80.0).abs() < 1e-6 && (lognormal.at(0.841_344_746) - 80.0 * 0.5f64.exp()).abs() < 1e-3);
    }
}
