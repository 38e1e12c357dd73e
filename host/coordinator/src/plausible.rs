//! Whether the coordinator could make a context: a policy need not be ready for any other, and what is tried out on one
//! should not be either.

use pointsman_model::context::*;

/// What the coordinator promises of every context.
pub fn plausible(context: &Context) -> bool {
    match context {
        Context::Selection(context) => selection(context),
        Context::Retry(context) => retry(context),
        Context::Gate(context) => gate(context),
        Context::Curriculum(context) => {
            context.skills.len() == context.hosts.len() && context.budget > 0 && context.skills.iter().all(skill)
        }
    }
}

fn selection(context: &SelectionContext) -> bool {
    let hosts = context.hosts.len();
    let is_host = |host: &u32| (*host as usize) < hosts;
    let mut ids: Vec<u64> = context.candidates.iter().map(|candidate| candidate.id).collect();
    ids.sort_unstable();
    ids.dedup();
    context.free > 0
        && context.same_host_cap > 0
        && !context.candidates.is_empty()
        && context.candidates.len() <= CANDIDATES_MAX
        && ids.len() == context.candidates.len()
        && context.host_loads.len() == hosts
        && context.lock.iter().all(is_host)
        && context.recent_hosts.iter().all(is_host)
        && context
            .host_loads
            .iter()
            .all(|load| load.since_picked_s.is_none_or(|since| since >= 0.0))
        && context.candidates.iter().all(|candidate| {
            candidate.host.iter().all(is_host)
                && candidate
                    .campaign
                    .is_none_or(|campaign| (campaign as usize) < context.campaigns.len())
                && candidate.age_s >= 0.0
                && (0.0..=1.0).contains(&candidate.difficulty)
        })
}

fn retry(context: &RetryContext) -> bool {
    context.attempt > 0 && context.budget_left <= context.budget && context.error.len() <= 64 << 10 && !context.title.is_empty()
}

fn gate(context: &GateContext) -> bool {
    let is_loss = |loss: f64| loss.is_finite();
    context.pairs.len() as u64 <= u64::from(context.cap.max(4_096))
        && context
            .pairs
            .iter()
            .all(|pair| (pair.host as usize) < context.hosts.len() && is_loss(pair.baseline) && is_loss(pair.candidate))
        && context
            .guardrails
            .iter()
            .all(|rail| is_loss(rail.baseline_mean) && is_loss(rail.candidate_mean) && is_loss(rail.limit))
}

fn skill(skill: &Skill) -> bool {
    skill.successes <= skill.tries && skill.failures <= skill.tries && skill.stale_s.is_none_or(|stale| stale >= 0.0)
}
