//! `plugins/host-diverse` over records that carry their strings: the same terms, rules, picks and reasons, so that what
//! differs in `make bench` is how the question crosses the boundary, and that hosts are told apart by name.

use std::collections::HashMap;

// The heap that the SDK gives to what it is compared with.
#[cfg(target_arch = "wasm32")]
#[path = "../../sdk/src/heap.rs"]
mod heap;

#[allow(unreachable_pub, missing_docs)]
mod bindings {
    wit_bindgen::generate!({
        path: ["../../wit/policy-0.1.0", "wit"],
        world: "pointsman:bench-strings/strings",
        generate_all,
    });
}

use bindings::pointsman::bench_strings::string_records::{Candidate, Context};
use bindings::pointsman::policy::source_selection_types::{Decision, LaneMode, Verdict};
use bindings::pointsman::policy::types::{Advice, Block, Lane, PolicyError, Reason, Scores, Setting, Value};

struct Strings;

bindings::export!(Strings with_types_in bindings);

const QUEUE_FIRST: f64 = 1_000.0;
const AGE_TERM_MAX: f64 = 200.0;
const PRIORITY_TERM_MAX: f64 = 200.0;
const TERMS: [&str; 6] = ["queue_first", "priority", "age", "host_recent", "host_busy", "failures"];
const RULES: [&str; 5] = [
    "lane_closed",
    "curriculum_fallback_off",
    "host_lock",
    "host_unknown",
    "same_host_cap",
];

impl bindings::Guest for Strings {
    fn decide(context: Context) -> Result<Decision, PolicyError> {
        let weights = Weights::read(&context.frame.settings)?;
        let hosts = host_terms(&context, &weights);
        let mut totals = Vec::with_capacity(context.candidates.len());
        let mut all_terms = Vec::with_capacity(context.candidates.len() * TERMS.len());
        let mut blocked = Vec::new();
        let mut open = Vec::with_capacity(context.candidates.len());
        for (index, candidate) in context.candidates.iter().enumerate() {
            let host = candidate.host.as_deref().and_then(|host| hosts.get(host));
            let terms = terms(&context, &weights, candidate, host);
            let total = terms.iter().sum();
            totals.push(total);
            all_terms.extend_from_slice(&terms);
            let index = index as u32;
            match blocking_rule(&context, candidate, host) {
                Some(rule) => blocked.push(Block { candidate: index, rule }),
                None => open.push(Open {
                    index,
                    candidate,
                    host,
                    total,
                }),
            }
        }
        let eligible = open.len();
        let picks = pick(&context, &weights, open, hosts.len());
        let (verdict, reasons) = match picks.first() {
            None => (
                Verdict::Idle,
                vec![reason("nothing_open", None, "No candidate may be picked.".into())],
            ),
            Some(best) => (
                Verdict::Pick(picks.iter().map(|pick| pick.index).collect()),
                reasons(&context, best, &hosts, eligible),
            ),
        };
        Ok(Decision {
            verdict,
            advice: Advice {
                reasons,
                scores: Some(Scores {
                    totals,
                    term_names: TERMS.map(String::from).to_vec(),
                    terms: all_terms,
                    rules: RULES.map(String::from).to_vec(),
                    blocked,
                }),
                distribution: Vec::new(),
                state: None,
                suggestions: Vec::new(),
                extras: Vec::new(),
            },
        })
    }
}

struct Weights {
    recent: f64,
    busy: f64,
    priority: f64,
    age_scale_s: f64,
    failure: f64,
}

impl Weights {
    fn read(settings: &[Setting]) -> Result<Weights, PolicyError> {
        let number = |name: &str| match settings.iter().find(|setting| setting.name == name).map(|setting| &setting.value) {
            Some(Value::Number(number)) => Ok(*number),
            Some(Value::Flag(_) | Value::Text(_)) | None => Err(PolicyError::Failed(format!("setting {name} is missing"))),
        };
        Ok(Weights {
            recent: number("recent_weight")?,
            busy: number("busy_weight")?,
            priority: number("priority_weight")?,
            age_scale_s: number("age_scale_s")?,
            failure: number("failure_weight")?,
        })
    }
}

/// What all candidates of a host have in common.
struct HostTerms {
    /// Place in the list of hosts, to count picks by.
    at: usize,
    running: u32,
    is_recent: bool,
    recent: f64,
    busy: f64,
    at_cap: bool,
}

fn host_terms<'a>(context: &'a Context, weights: &Weights) -> HashMap<&'a str, HostTerms> {
    let of_host = |(at, load): (usize, &'a bindings::pointsman::bench_strings::string_records::HostLoad)| {
        let picks = context.recent_hosts.iter().position(|recent| *recent == load.host);
        let terms = HostTerms {
            at,
            running: load.running,
            is_recent: picks.is_some(),
            recent: -picks.map_or(0.0, |picks| weights.recent / (picks as f64 + 1.0)),
            busy: -weights.busy * f64::from(load.running.min(100)),
            at_cap: load.running >= context.same_host_cap,
        };
        (load.host.as_str(), terms)
    };
    context.host_loads.iter().enumerate().map(of_host).collect()
}

#[derive(Clone, Copy)]
struct Open<'a> {
    index: u32,
    candidate: &'a Candidate,
    host: Option<&'a HostTerms>,
    total: f64,
}

fn terms(context: &Context, weights: &Weights, candidate: &Candidate, host: Option<&HostTerms>) -> [f64; 6] {
    let age_s = if candidate.age_s.is_finite() {
        candidate.age_s.max(0.0)
    } else {
        0.0
    };
    let priority = weights.priority * f64::from(candidate.priority);
    [
        if queue_goes_first(context, candidate) { QUEUE_FIRST } else { 0.0 },
        priority.clamp(-PRIORITY_TERM_MAX, PRIORITY_TERM_MAX),
        (age_s / weights.age_scale_s).min(AGE_TERM_MAX),
        host.map_or(0.0, |host| host.recent),
        host.map_or(0.0, |host| host.busy),
        -weights.failure * f64::from(candidate.attempts.min(20)),
    ]
}

fn queue_goes_first(context: &Context, candidate: &Candidate) -> bool {
    context.lane_mode == LaneMode::Hybrid && candidate.lane == Lane::Queue
}

/// Index into [`RULES`].
fn blocking_rule(context: &Context, candidate: &Candidate, host: Option<&HostTerms>) -> Option<u32> {
    match (context.lane_mode, candidate.lane) {
        (LaneMode::QueuedOnly, Lane::Curriculum) | (LaneMode::AutomaticOnly, Lane::Queue) => return Some(0),
        (LaneMode::Hybrid, Lane::Curriculum) if !context.curriculum_fallback => return Some(1),
        (LaneMode::Hybrid | LaneMode::QueuedOnly, Lane::Queue) | (LaneMode::Hybrid | LaneMode::AutomaticOnly, Lane::Curriculum) => {}
    }
    if context.lock.is_some() && candidate.host != context.lock {
        return Some(2);
    }
    match (&candidate.host, host) {
        (None, _) => None,
        (Some(_), None) => Some(3),
        (Some(_), Some(host)) => host.at_cap.then_some(4),
    }
}

fn pick<'a>(context: &Context, weights: &Weights, mut open: Vec<Open<'a>>, hosts: usize) -> Vec<Open<'a>> {
    let free = (context.free as usize).min(open.len());
    let mut picks: Vec<Open<'a>> = Vec::with_capacity(free);
    let mut picked_of_host = vec![0u32; hosts];
    while picks.len() < free {
        let mut best: Option<(usize, f64)> = None;
        for (position, candidate) in open.iter().enumerate() {
            let mut total = candidate.total;
            if let Some(host) = candidate.host {
                let picked = picked_of_host[host.at];
                if host.running + picked >= context.same_host_cap {
                    continue;
                }
                total -= f64::from(picked) * (weights.recent + weights.busy);
            }
            if best.is_none_or(|(_, best_total)| total > best_total) {
                best = Some((position, total));
            }
        }
        let Some((position, _)) = best else { break };
        let pick = open.remove(position);
        if let Some(host) = pick.host {
            picked_of_host[host.at] += 1;
        }
        picks.push(pick);
    }
    picks
}

fn reasons(context: &Context, best: &Open<'_>, hosts: &HashMap<&str, HostTerms>, eligible: usize) -> Vec<Reason> {
    let host = best.candidate.host.as_deref().unwrap_or("no host");
    let text = format!(
        "Source {} of {host} scores best of {eligible} that may be picked.",
        best.candidate.id
    );
    let mut reasons = vec![reason("best_score", Some(("score", best.total)), text)];
    let curriculum_waits = || context.candidates.iter().any(|candidate| candidate.lane == Lane::Curriculum);
    if queue_goes_first(context, best.candidate) && curriculum_waits() {
        let text = "Operators' sources go before those of the curriculum.";
        reasons.push(reason("queue_first", None, text.into()));
    }
    if hosts.get(host).is_some_and(|host| !host.is_recent) && !context.recent_hosts.is_empty() {
        let text = format!("{host} is not among the hosts of the last {} picks.", context.recent_hosts.len());
        reasons.push(reason("host_not_recent", None, text));
    }
    reasons
}

fn reason(code: &str, feature: Option<(&str, f64)>, text: String) -> Reason {
    Reason {
        code: code.to_string(),
        feature: feature.map(|(name, _)| name.to_string()),
        value: feature.map(|(_, value)| value),
        threshold: None,
        margin: None,
        text,
    }
}
