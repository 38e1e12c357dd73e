//! Picks by priority and waiting time, and spreads the work over hosts.

use pointsman_policy_sdk::prelude::*;

/// More than all other terms together: the queue goes before the curriculum.
const QUEUE: f64 = 1_000.0;

pub struct Policy;

impl SourceSelection for Policy {
    fn describe() -> Description {
        Description::new("{{name}}", env!("CARGO_PKG_VERSION"))
            .summary("Queue first, then priority and waiting time; the host of the last pick stands back.")
            .number("priority_weight", 1.0, 0.0..=10.0, "Points for each step of priority.")
            .number("waiting_weight", 1.0, 0.0..=10.0, "Points for each minute of waiting.")
            .number("recent_weight", 4.0, 0.0..=100.0, "Points taken off where the last pick was of the same host.")
    }

    fn decide(context: &SelectionContext) -> Result<SelectionDecision, PolicyError> {
        let settings = context.settings();
        let priority_weight = settings.number("priority_weight")?;
        let waiting_weight = settings.number("waiting_weight")?;
        let recent_weight = settings.number("recent_weight")?;

        let mut scores = Scores::with_capacity(&["queue", "priority", "waiting", "recent"], context.candidates.len());
        for candidate in context.candidates() {
            let recent = candidate.host.is_some() && candidate.host == context.recent_hosts.first().copied();
            scores.row(&[
                if candidate.lane == Lane::Queue { QUEUE } else { 0.0 },
                priority_weight * f64::from(candidate.priority),
                waiting_weight * candidate.age_s / 60.0,
                if recent { -recent_weight } else { 0.0 },
            ]);
        }

        let mut room: Vec<u32> = context
            .host_loads
            .iter()
            .map(|load| context.same_host_cap.saturating_sub(load.running))
            .collect();
        let mut picks: Vec<u32> = Vec::new();
        while picks.len() < context.free as usize {
            let mut best: Option<CandidateView<'_>> = None;
            for candidate in context.candidates() {
                let has_room = candidate.host.is_none_or(|host| room.get(host as usize).is_some_and(|room| *room > 0));
                // Strictly better: of equals the first stays, which is the older.
                let better = best.is_none_or(|best| scores.totals[candidate.index as usize] > scores.totals[best.index as usize]);
                if has_room && better && !picks.contains(&candidate.index) {
                    best = Some(candidate);
                }
            }
            let Some(best) = best else { break };
            if let Some(room) = best.host.and_then(|host| room.get_mut(host as usize)) {
                *room -= 1;
            }
            picks.push(best.index);
        }

        let Some(best) = picks.first().and_then(|index| context.candidate(*index)) else {
            let reason = Reason::new("no_room").text("No candidate's host has room for another run.");
            return Ok(SelectionDecision::idle().scores(scores).reason(reason));
        };
        let reason = Reason::new("best_score")
            .feature("score")
            .value(scores.totals[best.index as usize])
            .text(format!("Source {} scores best of {}.", best.id, context.candidates.len()));
        Ok(SelectionDecision::pick(picks).scores(scores).reason(reason))
    }
}

export_source_selection!(Policy);

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_policy_sdk::testing;

    #[test]
    fn the_host_of_the_last_pick_stands_back() {
        let mut context = testing::selection(&["a", "b"]);
        context.frame = testing::frame(&Policy::describe());
        context.candidates = vec![testing::candidate(1, Some(0)), testing::candidate(2, Some(1))];
        let decide = |context: &_| Policy::decide(&SelectionContext::from(Clone::clone(context))).expect("a decision").verdict;
        assert_eq!(decide(&context), SelectionVerdict::Pick(vec![0]));
        context.recent_hosts = vec![0];
        assert_eq!(decide(&context), SelectionVerdict::Pick(vec![1]));
        context.same_host_cap = 0;
        assert_eq!(decide(&context), SelectionVerdict::Idle);
    }
}
