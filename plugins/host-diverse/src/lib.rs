//! Source selection that spreads the work over hosts: queue before curriculum, hosts that were not picked lately before
//! others, and no source waits forever.
//!
//! A candidate's score is a sum of terms; the best go first, and of equals the older. A pick counts at once: the next
//! pick of the same decision sees its host as just picked. Rules keep candidates out whatever their score. The host has
//! applied lanes, lock and caps before; they are applied here again, since a verdict that breaks one is thrown away.
//!
//! With `explore` above 0, a share of the picks is left to chance among all that no rule keeps out: the host draws, and
//! what it records then tells what another policy would have been worth. Such a decision picks one source at a time.

use pointsman_policy_sdk::prelude::*;

pub struct HostDiverse;

/// Above all that the other terms can add up to, so that no amount of waiting puts curriculum before the queue.
const QUEUE_FIRST: f64 = 1_000.0;
const AGE_TERM_MAX: f64 = 200.0;
const PRIORITY_TERM_MAX: f64 = 200.0;
const TERMS: [&str; 6] = ["queue_first", "priority", "age", "host_recent", "host_busy", "failures"];

impl SourceSelection for HostDiverse {
    fn describe() -> Description {
        Description::new("host-diverse", env!("CARGO_PKG_VERSION"))
            .summary("Queue before curriculum, hosts not picked lately before others, then priority and age.")
            .number(
                "recent_weight",
                4.0,
                0.0..=100.0,
                "Taken off for the host picked last; less for hosts picked earlier.",
            )
            .number(
                "busy_weight",
                1.0,
                0.0..=100.0,
                "Taken off for each run of the same host that is under way.",
            )
            .number("priority_weight", 1.0, 0.0..=10.0, "Added for each step of priority.")
            .number(
                "age_scale_s",
                300.0,
                1.0..=1_000_000.0,
                "Seconds of waiting that add one point, so that every source has its turn.",
            )
            .number("failure_weight", 0.5, 0.0..=10.0, "Taken off for each failed attempt.")
            .number(
                "explore",
                0.0,
                0.0..=1.0,
                "Share of the picks that is left to chance, so that other policies can be valued; 0 for none.",
            )
    }

    fn decide(context: &SelectionContext) -> Result<SelectionDecision, PolicyError> {
        let weights = Weights::read(&context.settings())?;
        let hosts = HostTerms::of(context, &weights);
        let mut scores = Scores::with_capacity(&TERMS, context.candidates.len());
        let mut open: Vec<Open<'_>> = Vec::with_capacity(context.candidates.len());
        for candidate in context.candidates() {
            let host = candidate.host.and_then(|host| hosts.get(host as usize));
            let total = scores.row(&terms(context, &weights, candidate, host));
            match blocking_rule(context, candidate, host) {
                Some(rule) => scores.block(candidate.index, rule),
                None => open.push(Open { candidate, total }),
            }
        }
        let eligible = open.len();
        let indexes: Vec<u32> = open.iter().map(|open| open.candidate.index).collect();
        let picks = pick(context, &weights, open);
        let decision = match picks.first() {
            None => SelectionDecision::idle().reason(idle_reason(context)),
            Some(best) if weights.explore > 0.0 => SelectionDecision::pick(vec![best.candidate.index])
                .distribution(explored(context, weights.explore, best.candidate.index, &indexes))
                .reason(explore_reason(weights.explore, best, eligible))
                .reasons(pick_reasons(context, best, &picks[..1], eligible)),
            Some(best) => {
                let indexes = picks.iter().map(|pick| pick.candidate.index).collect();
                SelectionDecision::pick(indexes).reasons(pick_reasons(context, best, &picks, eligible))
            }
        };
        Ok(decision.scores(scores))
    }
}

export_source_selection!(HostDiverse);

struct Weights {
    recent: f64,
    busy: f64,
    priority: f64,
    age_scale_s: f64,
    failure: f64,
    explore: f64,
}

impl Weights {
    fn read(settings: &Settings<'_>) -> Result<Weights, SettingError> {
        Ok(Weights {
            recent: settings.number("recent_weight")?,
            busy: settings.number("busy_weight")?,
            priority: settings.number("priority_weight")?,
            age_scale_s: settings.number("age_scale_s")?,
            failure: settings.number("failure_weight")?,
            explore: settings.number("explore")?,
        })
    }
}

/// A candidate that no rule keeps out.
#[derive(Clone, Copy)]
struct Open<'a> {
    candidate: CandidateView<'a>,
    total: f64,
}

/// What all candidates of a host have in common.
struct HostTerms {
    recent: f64,
    busy: f64,
    at_cap: bool,
}

impl HostTerms {
    /// In the order of the context's hosts. Hosts are few and candidates may be many.
    fn of(context: &SelectionContext, weights: &Weights) -> Vec<HostTerms> {
        let of_host = |host: u32| {
            let running = context.load(host).map_or(0, |load| load.running);
            // The last pick counts fully, the one before it half, the one before that a third.
            let recent = context.picks_since(host).map_or(0.0, |picks| weights.recent / (picks as f64 + 1.0));
            HostTerms {
                recent: -recent,
                busy: -weights.busy * f64::from(running.min(100)),
                at_cap: running >= context.same_host_cap,
            }
        };
        (0..context.hosts.len() as u32).map(of_host).collect()
    }
}

/// In the order of [`TERMS`].
fn terms(context: &SelectionContext, weights: &Weights, candidate: CandidateView<'_>, host: Option<&HostTerms>) -> [f64; 6] {
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

fn queue_goes_first(context: &SelectionContext, candidate: CandidateView<'_>) -> bool {
    context.lane_mode == LaneMode::Hybrid && candidate.lane == Lane::Queue
}

fn blocking_rule(context: &SelectionContext, candidate: CandidateView<'_>, host: Option<&HostTerms>) -> Option<&'static str> {
    match (context.lane_mode, candidate.lane) {
        (LaneMode::QueuedOnly, Lane::Curriculum) | (LaneMode::AutomaticOnly, Lane::Queue) => return Some("lane_closed"),
        (LaneMode::Hybrid, Lane::Curriculum) if !context.curriculum_fallback => return Some("curriculum_fallback_off"),
        (LaneMode::Hybrid | LaneMode::QueuedOnly, Lane::Queue) | (LaneMode::Hybrid | LaneMode::AutomaticOnly, Lane::Curriculum) => {}
    }
    if context.lock.is_some() && candidate.host != context.lock {
        return Some("host_lock");
    }
    match (candidate.host, host) {
        (None, _) => None,
        (Some(_), None) => Some("host_unknown"),
        (Some(_), Some(host)) => host.at_cap.then_some("same_host_cap"),
    }
}

/// The best, again and again: a pick makes its host busier and its other candidates less wanted.
fn pick<'a>(context: &SelectionContext, weights: &Weights, mut open: Vec<Open<'a>>) -> Vec<Open<'a>> {
    let free = (context.free as usize).min(open.len());
    let mut picks: Vec<Open<'a>> = Vec::with_capacity(free);
    let mut picked_of_host = vec![0u32; context.hosts.len()];
    while picks.len() < free {
        let mut best: Option<(usize, f64)> = None;
        for (position, candidate) in open.iter().enumerate() {
            let mut total = candidate.total;
            if let Some(host) = candidate.candidate.host {
                let picked = picked_of_host[host as usize];
                let running = context.load(host).map_or(0, |load| load.running);
                if running + picked >= context.same_host_cap {
                    continue;
                }
                total -= f64::from(picked) * (weights.recent + weights.busy);
            }
            // Strictly better only: of equals the first, which is the older, stays.
            if best.is_none_or(|(_, best_total)| total > best_total) {
                best = Some((position, total));
            }
        }
        let Some((position, _)) = best else { break };
        let pick = open.remove(position);
        if let Some(host) = pick.candidate.host {
            picked_of_host[host as usize] += 1;
        }
        picks.push(pick);
    }
    picks
}

/// The best with what is not left to chance, and an equal part of the rest for each that no rule keeps out, the best among
/// them.
fn explored(context: &SelectionContext, explore: f64, best: u32, open: &[u32]) -> Vec<f64> {
    let mut distribution = vec![0.0; context.candidates.len()];
    for index in open {
        distribution[*index as usize] = explore / open.len() as f64;
    }
    distribution[best as usize] += 1.0 - explore;
    distribution
}

/// The first reason: what was picked in the end need not be what scores best.
fn explore_reason(explore: f64, best: &Open<'_>, eligible: usize) -> Reason {
    let text = format!(
        "Drawn: source {} of {}, or in {:.0} % of the picks any of the {eligible} that may be picked.",
        best.candidate.id,
        best.candidate.host().unwrap_or("no host"),
        explore * 100.0
    );
    Reason::new("left_to_chance").feature("explore").value(explore).text(text)
}

fn idle_reason(context: &SelectionContext) -> Reason {
    match context.candidates.len() {
        0 => Reason::new("nothing_waiting").text("No source may be trained on now."),
        blocked => {
            let text = format!("All {blocked} candidates are kept out by rules; the scores say which.");
            Reason::new("all_blocked").feature("blocked").value(blocked as f64).text(text)
        }
    }
}

fn pick_reasons(context: &SelectionContext, best: &Open<'_>, picks: &[Open<'_>], eligible: usize) -> Vec<Reason> {
    let host = best.candidate.host().unwrap_or("no host");
    let title = format!(
        "Source {} of {host} scores best of {eligible} that may be picked.",
        best.candidate.id
    );
    let mut reasons = vec![Reason::new("best_score").feature("score").value(best.total).text(title)];
    if queue_goes_first(context, best.candidate) && context.candidates().any(|candidate| candidate.lane == Lane::Curriculum) {
        reasons.push(Reason::new("queue_first").text("Operators' sources go before those of the curriculum."));
    }
    if best.candidate.host.is_some_and(|host| context.picks_since(host).is_none()) && !context.recent_hosts.is_empty() {
        let text = format!("{host} is not among the hosts of the last {} picks.", context.recent_hosts.len());
        reasons.push(Reason::new("host_not_recent").text(text));
    }
    if picks.len() > 1 {
        let text = format!("{} picked for {} free slots.", picks.len(), context.free);
        reasons.push(
            Reason::new("several_picked")
                .feature("picks")
                .value(picks.len() as f64)
                .threshold(f64::from(context.free))
                .text(text),
        );
    }
    if context.left_out > 0 {
        let text = format!("{} more sources wait that did not fit into the question.", context.left_out);
        reasons.push(
            Reason::new("shortlist")
                .feature("left_out")
                .value(f64::from(context.left_out))
                .text(text),
        );
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_policy_sdk::bindings::source_selection::Context;
    use pointsman_policy_sdk::testing;

    /// Candidates by host, numbered from 1, at rest, oldest first.
    fn context(hosts: &[&str], candidates: &[Option<u32>]) -> Context {
        let mut context = testing::selection(hosts);
        context.frame = testing::frame(&HostDiverse::describe());
        for (index, host) in candidates.iter().enumerate() {
            let age_s = (candidates.len() - index) as f64;
            context.candidates.push(Candidate {
                age_s,
                ..testing::candidate(index as u64 + 1, *host)
            });
        }
        context
    }

    fn decide(context: Context) -> SelectionDecision {
        let decision = HostDiverse::decide(&SelectionContext::from(context.clone())).expect("it decides");
        let scores = decision.advice.scores.as_ref().expect("scores are always given");
        assert_eq!(scores.totals.len(), context.candidates.len());
        for (total, terms) in scores.totals.iter().zip(scores.terms.chunks(TERMS.len())) {
            assert!(total.is_finite() && (total - terms.iter().sum::<f64>()).abs() < 1e-9);
        }
        decision
    }

    fn check(context: Context, picks: &[u32]) {
        let expected = if picks.is_empty() {
            SelectionVerdict::Idle
        } else {
            SelectionVerdict::Pick(picks.to_vec())
        };
        assert_eq!(decide(context).verdict, expected);
    }

    fn rules(context: Context) -> Vec<String> {
        let scores = decide(context).advice.scores.expect("scores");
        scores
            .blocked
            .iter()
            .map(|block| format!("{} {}", block.candidate, scores.rules[block.rule as usize]))
            .collect()
    }

    #[test]
    fn the_oldest_goes_first_among_equals() {
        check(context(&["a", "b"], &[Some(0), Some(1)]), &[0]);
        check(context(&[], &[None, None]), &[0]);
        check(context(&[], &[]), &[]);
    }

    #[test]
    fn recent_hosts_wait_but_not_forever() {
        let mut recent = context(&["a", "b", "c"], &[Some(0), Some(1), Some(2)]);
        recent.recent_hosts = vec![0, 1];
        check(recent.clone(), &[2]);
        recent.recent_hosts = vec![0, 1, 2];
        check(recent.clone(), &[2]);
        recent.candidates[0].age_s = 3_600.0;
        check(recent, &[0]);
    }

    #[test]
    fn several_picks_are_spread_and_keep_the_cap() {
        let mut spread = context(&["a", "b"], &[Some(0), Some(0), Some(0), Some(1), None]);
        spread.free = 4;
        check(spread.clone(), &[0, 3, 4]);
        spread.same_host_cap = 2;
        check(spread.clone(), &[0, 3, 4, 1]);
        spread.host_loads[0].running = 1;
        spread.free = 5;
        check(spread, &[3, 4, 0]);
    }

    #[test]
    fn the_queue_goes_before_the_curriculum() {
        let mut mixed = context(&["a", "b"], &[Some(0), Some(1)]);
        mixed.candidates[0].lane = Lane::Curriculum;
        mixed.candidates[0].age_s = 1e9;
        mixed.candidates[0].priority = i32::MAX;
        mixed.candidates[1].priority = i32::MIN;
        mixed.recent_hosts = vec![1];
        check(mixed.clone(), &[1]);
        mixed.free = 2;
        check(mixed.clone(), &[1, 0]);
        mixed.curriculum_fallback = false;
        check(mixed.clone(), &[1]);
        assert_eq!(rules(mixed.clone()), ["0 curriculum_fallback_off"]);
        mixed.lane_mode = LaneMode::AutomaticOnly;
        check(mixed.clone(), &[0]);
        mixed.lane_mode = LaneMode::QueuedOnly;
        assert_eq!(rules(mixed), ["0 lane_closed"]);
    }

    #[test]
    fn lock_and_cap_hold_whatever_the_score() {
        let mut locked = context(&["a", "b"], &[Some(0), Some(1), None]);
        locked.lock = Some(1);
        check(locked.clone(), &[1]);
        assert_eq!(rules(locked.clone()), ["0 host_lock", "2 host_lock"]);
        locked.host_loads[1].running = 1;
        check(locked.clone(), &[]);
        assert_eq!(rules(locked), ["0 host_lock", "1 same_host_cap", "2 host_lock"]);
    }

    #[test]
    fn priority_and_failures_weigh() {
        let mut weighed = context(&["a", "b"], &[Some(0), Some(1)]);
        weighed.candidates[1].priority = 1;
        check(weighed.clone(), &[1]);
        weighed.candidates[1].attempts = 3;
        check(weighed, &[0]);
    }

    #[test]
    fn what_is_left_to_chance_is_spread_over_all_that_may_be_picked() {
        let mut explored = context(&["a", "b", "c"], &[Some(0), Some(1), Some(2), None]);
        explored.free = 3;
        explored.host_loads[1].running = 1;
        check(explored.clone(), &[0, 2, 3]);
        assert!(
            decide(explored.clone()).advice.distribution.is_empty(),
            "nothing is, unless it is asked for"
        );
        let explore = explored.frame.settings.iter_mut().find(|setting| setting.name == "explore");
        explore.expect("it is a setting").value = Value::Number(0.3);
        let decision = decide(explored);
        assert_eq!(decision.verdict, SelectionVerdict::Pick(vec![0]), "one at a time");
        let expected = [0.8, 0.0, 0.1, 0.1];
        let given = &decision.advice.distribution;
        assert!(
            given.len() == 4 && given.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12),
            "{given:?}"
        );
        assert_eq!(decision.advice.reasons[0].code, "left_to_chance");
    }

    #[test]
    fn odd_numbers_do_no_harm() {
        let mut odd = context(&["a"], &[Some(0), Some(7), None]);
        odd.candidates[0].age_s = f64::NAN;
        odd.candidates[2].age_s = f64::INFINITY;
        odd.free = 9;
        assert_eq!(rules(odd.clone()), ["1 host_unknown"]);
        check(odd, &[0, 2]);
    }
}
