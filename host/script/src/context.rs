//! What scripts see: the context under the names of `wit/`, with `_` for `-`.
//!
//! `ctx` itself is a map. Long lists and their items are opaque values: passing `ctx` on costs a few reference counts
//! and not a copy of 512 candidates, and an item is read field by field through getters.

use crate::completion::Place;
use pointsman_model::context::*;
use pointsman_model::policy::{PolicyKind, Setting, Value};
use pointsman_model::run::FailureCounts;
use pointsman_model::source::{Lane, Origin};
use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, Map, Position};
use std::sync::{Arc, LazyLock};

/// A list of the context: readable by index and by `for`, not changeable.
#[derive(Clone)]
struct List<T>(Arc<[T]>);

trait Item: Clone + Send + Sync + 'static {
    const LIST: &'static str;
    fn value(&self) -> Dynamic;
}

impl<T: Item> IntoIterator for List<T> {
    type Item = Dynamic;
    type IntoIter = Items<T>;
    fn into_iter(self) -> Items<T> {
        Items { list: self, at: 0 }
    }
}

struct Items<T> {
    list: List<T>,
    at: usize,
}

impl<T: Item> Iterator for Items<T> {
    type Item = Dynamic;
    fn next(&mut self) -> Option<Dynamic> {
        let item = self.list.0.get(self.at)?.value();
        self.at += 1;
        Some(item)
    }
}

fn register_list<T: Item>(engine: &mut Engine) {
    engine
        .register_type_with_name::<List<T>>(T::LIST)
        .register_iterator::<List<T>>()
        .register_fn("len", |list: &mut List<T>| list.0.len() as i64)
        .register_fn("is_empty", |list: &mut List<T>| list.0.is_empty())
        .register_indexer_get(|list: &mut List<T>, index: i64| {
            let length = list.0.len();
            let at = if index < 0 { index.saturating_add(length as i64) } else { index };
            match usize::try_from(at).ok().and_then(|at| list.0.get(at)) {
                Some(item) => Ok(item.value()),
                None => Err(Box::new(EvalAltResult::ErrorArrayBounds(length, index, Position::NONE))),
            }
        });
}

macro_rules! items {
    ($($type:ty, $name:literal, $list:literal: $fields:ident { $($field:literal => $get:expr;)* })*) => {
        $(
            impl Item for $type {
                const LIST: &'static str = $list;
                fn value(&self) -> Dynamic {
                    Dynamic::from(self.clone())
                }
            }
            const $fields: &[&str] = &[$($field),*];
        )*

        /// Registers the types that a context is made of.
        pub(crate) fn register(engine: &mut Engine) {
            $(
                register_list::<$type>(engine);
                engine.register_type_with_name::<$type>($name);
                $(engine.register_get($field, |item: &mut $type| -> Dynamic { $get(item) });)*
            )*
            register_list::<Text>(engine);
            engine.register_fn("contains", |list: &mut List<Text>, text: &str| list.0.iter().any(|item| item.0 == text));
            register_list::<u32>(engine);
            engine.register_fn("contains", |list: &mut List<u32>, index: Dynamic| {
                index.as_int().is_ok_and(|index| list.0.iter().any(|item| i64::from(*item) == index))
            });
            engine.register_type_with_name::<FailureCounts>("failures");
            for (name, get) in FAILURE_GETTERS {
                engine.register_get(*name, |item: &mut FailureCounts| i64::from(get(item)));
            }
        }
    };
}

items! {
    SourceCandidate, "candidate", "candidates": CANDIDATE {
        "id" => |item: &SourceCandidate| Dynamic::from(item.id as i64);
        "lane" => |item: &SourceCandidate| LANES[item.lane as usize].clone().into();
        "origin" => |item: &SourceCandidate| ORIGINS[item.origin as usize].clone().into();
        "host" => |item: &SourceCandidate| optional(item.host, whole);
        "campaign" => |item: &SourceCandidate| optional(item.campaign, whole);
        "row" => |item: &SourceCandidate| whole(item.row);
        "age_s" => |item: &SourceCandidate| item.age_s.into();
        "attempts" => |item: &SourceCandidate| whole(item.attempts);
        "failures" => |item: &SourceCandidate| Dynamic::from(item.failures);
        "difficulty" => |item: &SourceCandidate| item.difficulty.into();
        "priority" => |item: &SourceCandidate| Dynamic::from(i64::from(item.priority));
    }
    HostLoad, "host_load", "host_loads": HOST_LOAD {
        "running" => |item: &HostLoad| whole(item.running);
        "pending" => |item: &HostLoad| whole(item.pending);
        "successes" => |item: &HostLoad| whole(item.successes);
        "failures" => |item: &HostLoad| whole(item.failures);
        "since_picked_s" => |item: &HostLoad| optional(item.since_picked_s, Dynamic::from);
    }
    GatePair, "pair", "pairs": PAIR {
        "host" => |item: &GatePair| whole(item.host);
        "baseline" => |item: &GatePair| item.baseline.into();
        "candidate" => |item: &GatePair| item.candidate.into();
    }
    Guardrail, "guardrail", "guardrails": GUARDRAIL {
        "name" => |item: &Guardrail| item.name.clone().into();
        "baseline_n" => |item: &Guardrail| whole(item.baseline_n);
        "baseline_mean" => |item: &Guardrail| item.baseline_mean.into();
        "candidate_n" => |item: &Guardrail| whole(item.candidate_n);
        "candidate_mean" => |item: &Guardrail| item.candidate_mean.into();
        "limit" => |item: &Guardrail| item.limit.into();
    }
    Skill, "skill", "skills": SKILL {
        "tries" => |item: &Skill| whole(item.tries);
        "successes" => |item: &Skill| whole(item.successes);
        "failures" => |item: &Skill| whole(item.failures);
        "pending" => |item: &Skill| whole(item.pending);
        "loss" => |item: &Skill| optional(item.loss, Dynamic::from);
        "loss_before" => |item: &Skill| optional(item.loss_before, Dynamic::from);
        "loss_after" => |item: &Skill| optional(item.loss_after, Dynamic::from);
        "progress" => |item: &Skill| item.progress.into();
        "stale_s" => |item: &Skill| optional(item.stale_s, Dynamic::from);
        "parked" => |item: &Skill| item.parked.into();
    }
}

/// Words of candidates, made once: an item hands out a reference and no copy.
static LANES: LazyLock<[ImmutableString; Lane::ALL.len()]> = LazyLock::new(|| Lane::ALL.map(|lane| lane.slug().into()));
static ORIGINS: LazyLock<[ImmutableString; Origin::ALL.len()]> = LazyLock::new(|| Origin::ALL.map(|origin| origin.slug().into()));

/// A host or campaign of a table.
#[derive(Clone)]
struct Text(ImmutableString);

impl Item for Text {
    const LIST: &'static str = "texts";
    fn value(&self) -> Dynamic {
        Dynamic::from(self.0.clone())
    }
}

impl Item for u32 {
    const LIST: &'static str = "indexes";
    fn value(&self) -> Dynamic {
        whole(*self)
    }
}

type FailureGetter = fn(&FailureCounts) -> u32;
const FAILURE_GETTERS: &[(&str, FailureGetter)] = &[
    ("infra", |counts| counts.infra),
    ("preempted", |counts| counts.preempted),
    ("timeout", |counts| counts.timeout),
    ("transient", |counts| counts.transient),
    ("deterministic", |counts| counts.deterministic),
    ("crash", |counts| counts.crash),
    ("policy", |counts| counts.policy),
    ("total", FailureCounts::total),
];
const FAILURES: &[&str] = &[
    "infra",
    "preempted",
    "timeout",
    "transient",
    "deterministic",
    "crash",
    "policy",
    "total",
];

const FRAME: &[&str] = &["now_ms", "seed", "settings", "state"];
const SELECTION: &[&str] = &[
    "free",
    "lane_mode",
    "curriculum_fallback",
    "lock",
    "same_host_cap",
    "hosts",
    "campaigns",
    "host_loads",
    "recent_hosts",
    "candidates",
    "left_out",
];
const RETRY: &[&str] = &[
    "source",
    "run",
    "title",
    "lane",
    "origin",
    "host",
    "attempt",
    "class",
    "failures",
    "budget",
    "budget_left",
    "exit_code",
    "error",
    "error_digest",
    "same_error_before",
    "elapsed_ms",
    "host_successes",
    "host_failures",
];
const GATE: &[&str] = &[
    "stage",
    "candidate",
    "baseline",
    "hosts",
    "pairs",
    "guardrails",
    "looks",
    "cap",
    "ingest_lag",
];
const CURRICULUM: &[&str] = &["budget", "pending_queue", "pending_curriculum", "hosts", "skills"];

/// Every field that a script of this kind can read, for the lint and its suggestions.
pub(crate) fn fields(kind: PolicyKind) -> Vec<&'static str> {
    places(kind).into_iter().flat_map(|(_, names)| names).copied().collect()
}

/// The same, each with where it stands.
pub(crate) fn places(kind: PolicyKind) -> Vec<(Place, &'static [&'static str])> {
    let (own, items): (_, &[_]) = match kind {
        PolicyKind::SourceSelection => (
            SELECTION,
            &[
                (Place::Candidate, CANDIDATE),
                (Place::HostLoad, HOST_LOAD),
                (Place::Failures, FAILURES),
            ],
        ),
        PolicyKind::Retry => (RETRY, &[(Place::Failures, FAILURES)]),
        PolicyKind::PromotionGate => (GATE, &[(Place::Pair, PAIR), (Place::Guardrail, GUARDRAIL)]),
        PolicyKind::Curriculum => (CURRICULUM, &[(Place::Skill, SKILL)]),
    };
    let mut places = vec![(Place::Context, FRAME), (Place::Context, own)];
    places.extend_from_slice(items);
    places
}

/// The error is for the record: state that is not as a script left it.
pub(crate) fn context(context: &Context) -> Result<Map, String> {
    let mut map = Map::new();
    let mut put = |name: &str, value: Dynamic| {
        map.insert(name.into(), value);
    };
    let Frame {
        now_ms,
        seed,
        settings: given,
        state,
    } = context.frame();
    put("now_ms", Dynamic::from(*now_ms as i64));
    put("seed", Dynamic::from(*seed as i64));
    put("settings", settings(given).into());
    put("state", state_value(state)?);
    match context {
        Context::Selection(context) => {
            let SelectionContext {
                frame: _,
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
            put("free", whole(*free));
            put("lane_mode", Dynamic::from(lane_mode.slug()));
            put("curriculum_fallback", (*curriculum_fallback).into());
            put("lock", optional(*lock, whole));
            put("same_host_cap", whole(*same_host_cap));
            put("hosts", texts(hosts));
            put("campaigns", texts(campaigns));
            put("host_loads", list(host_loads));
            put("recent_hosts", list(recent_hosts));
            put("candidates", list(candidates));
            put("left_out", whole(*left_out));
        }
        Context::Retry(context) => {
            let RetryContext {
                frame: _,
                source,
                run,
                title,
                lane: in_lane,
                origin: from,
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
            put("source", Dynamic::from(*source as i64));
            put("run", Dynamic::from(*run as i64));
            put("title", title.clone().into());
            put("lane", Dynamic::from(in_lane.slug()));
            put("origin", Dynamic::from(from.slug()));
            put("host", optional(host.clone(), Dynamic::from));
            put("attempt", whole(*attempt));
            put("class", Dynamic::from(class.slug()));
            put("failures", Dynamic::from(*failures));
            put("budget", whole(*budget));
            put("budget_left", whole(*budget_left));
            put("exit_code", optional(*exit_code, |code| Dynamic::from(i64::from(code))));
            put("error", error.clone().into());
            put("error_digest", Dynamic::from(*error_digest as i64));
            put("same_error_before", whole(*same_error_before));
            put("elapsed_ms", Dynamic::from(*elapsed_ms as i64));
            put("host_successes", whole(*host_successes));
            put("host_failures", whole(*host_failures));
        }
        Context::Gate(context) => {
            let GateContext {
                frame: _,
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
            put("stage", Dynamic::from(stage.slug()));
            put("candidate", candidate.clone().into());
            put("baseline", baseline.clone().into());
            put("hosts", texts(hosts));
            put("pairs", list(pairs));
            put("guardrails", list(guardrails));
            put("looks", whole(*looks));
            put("cap", whole(*cap));
            put("ingest_lag", optional(*ingest_lag, whole));
        }
        Context::Curriculum(context) => {
            let CurriculumContext {
                frame: _,
                budget,
                pending_queue,
                pending_curriculum,
                hosts,
                skills,
            } = context;
            put("budget", whole(*budget));
            put("pending_queue", whole(*pending_queue));
            put("pending_curriculum", whole(*pending_curriculum));
            put("hosts", texts(hosts));
            put("skills", list(skills));
        }
    }
    Ok(map)
}

pub(crate) fn settings(settings: &[Setting]) -> Map {
    settings
        .iter()
        .map(|Setting { name, value }| {
            let value = match value {
                Value::Flag(flag) => Dynamic::from(*flag),
                Value::Number(number) => Dynamic::from(*number),
                Value::Text(text) => Dynamic::from(text.clone()),
            };
            (name.as_str().into(), value)
        })
        .collect()
}

/// A script's state is whatever value it returned, kept as JSON; `()` at first.
pub(crate) fn state_value(state: &[u8]) -> Result<Dynamic, String> {
    if state.is_empty() {
        return Ok(Dynamic::UNIT);
    }
    serde_json::from_slice(state).map_err(|error| error.to_string())
}

fn list<T: Item>(items: &[T]) -> Dynamic {
    Dynamic::from(List::<T>(items.into()))
}

fn texts(texts: &[String]) -> Dynamic {
    Dynamic::from(List(texts.iter().map(|text| Text(text.as_str().into())).collect()))
}

fn whole(number: u32) -> Dynamic {
    Dynamic::from(i64::from(number))
}

fn optional<T>(value: Option<T>, present: impl FnOnce(T) -> Dynamic) -> Dynamic {
    value.map_or(Dynamic::UNIT, present)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_failure_names_are_those_of_their_getters() {
        assert_eq!(FAILURE_GETTERS.iter().map(|(name, _)| *name).collect::<Vec<_>>(), FAILURES);
    }

    #[test]
    fn a_damaged_state_is_told() {
        assert!(state_value(b"{").is_err());
        assert!(state_value(b"").expect("nothing yet").is_unit());
        assert_eq!(state_value(b"[1]").expect("a list").into_array().expect("a list").len(), 1);
    }
}
