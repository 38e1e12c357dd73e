//! Practises hosts never tried first, then those where practice changes most.

use pointsman_policy_sdk::prelude::*;

/// Reasons that are given at most; a person reads the first few.
const REASONS_MAX: usize = 8;

pub struct Policy;

impl Curriculum for Policy {
    fn describe() -> Description {
        Description::new("{{name}}", env!("CARGO_PKG_VERSION"))
            .summary("Practises hosts never tried first, then those where practice changes most.")
            .number("steps", 400.0, 1.0..=1_000_000.0, "Steps of a run.")
            .number("learning_rate", 0.001, 0.0000001..=100.0, "Learning rate of a run.")
            .number("replay_share", 0.5, 0.0..=0.95, "Share of each batch from hosts learnt before.")
    }

    fn decide(context: &CurriculumContext) -> Result<CurriculumDecision, PolicyError> {
        let settings = context.settings();
        let (steps, learning_rate) = (settings.count("steps")?, settings.number("learning_rate")?);
        let replay_share = settings.number("replay_share")?;
        if context.budget == 0 {
            let reason = Reason::new("budget_spent").text("No more sources may be seeded now.");
            return Ok(CurriculumDecision::nothing().reason(reason));
        }
        let mut open: Vec<SkillView<'_>> = context.skills().filter(|skill| !skill.parked && skill.pending == 0).collect();
        if open.is_empty() {
            let reason = Reason::new("none_open").text("Every host is parked or has a source waiting.");
            return Ok(CurriculumDecision::nothing().reason(reason));
        }
        // Stable: of equals the first stays first.
        let promise = |skill: &SkillView<'_>| if skill.tries == 0 { f64::INFINITY } else { skill.progress.abs() };
        open.sort_by(|a, b| promise(b).total_cmp(&promise(a)));
        open.truncate(context.budget as usize);

        let seeds = open.iter().map(|skill| Seed {
            host: skill.index,
            steps,
            learning_rate,
            replay_share,
        });
        let reasons = open.iter().take(REASONS_MAX).map(|skill| {
            if skill.tries == 0 {
                return Reason::new("never_tried").text(format!("{} was never practised.", skill.host()));
            }
            Reason::new("learning_progress")
                .feature("progress")
                .value(skill.progress)
                .text(format!("Practice changes {} after {} tries.", skill.host(), skill.tries))
        });
        Ok(CurriculumDecision::plant(seeds.collect()).reasons(reasons))
    }
}

export_curriculum!(Policy);

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_policy_sdk::testing;

    #[test]
    fn hosts_never_tried_go_first_and_busy_ones_not_at_all() {
        let mut context = testing::curriculum(&["a", "b", "c"]);
        context.frame = testing::frame(&Policy::describe());
        context.skills[0].tries = 2;
        context.skills[0].progress = 0.4;
        context.skills[1].pending = 1;
        let CurriculumVerdict::Plant(seeds) = Policy::decide(&context.into()).expect("a decision").verdict else {
            panic!("there are hosts to practise");
        };
        assert_eq!(seeds.iter().map(|seed| seed.host).collect::<Vec<_>>(), [2, 0]);
    }
}
