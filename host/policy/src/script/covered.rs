//! Which lines of a script its tests run.
//!
//! Each question is asked twice: of the engine that decides live, whose answer counts, and of the same script with marks at
//! its statements, run natively. The two must answer alike; where they do not, the lines that were marked are not those of
//! the decision, and that is told.

use super::{Program, native};
use crate::problem::PolicyProblem;
use crate::version::Failure;
use crate::{Checked, Engines};
use pointsman_coordinator::Policies;
use pointsman_model::context::Context;
use pointsman_model::decision::Answer;
use pointsman_model::policy::{EngineKind, Fault, FaultClass, PolicyDescription, PolicyRef};
use pointsman_script::{Coverage, LinesRun};

/// Engines that note which lines of one script are run.
pub struct Covered {
    engines: Engines,
    version: PolicyDescription,
    script: Program,
    coverage: Coverage,
    differences: Vec<String>,
}

impl Covered {
    /// Over engines that hold a checked script; none for a policy that is not a script. `describe` and `check_settings`
    /// are called, since nothing else of a test calls them.
    pub fn over(engines: Engines, file: &str, checked: &Checked) -> Result<Option<Covered>, PolicyProblem> {
        let version = checked.description.clone();
        match version.policy.engine {
            EngineKind::Rhai | EngineKind::TrustedRhai => {}
            EngineKind::Component | EngineKind::WarmComponent | EngineKind::BuiltIn => return Ok(None),
        }
        let (script, coverage) =
            native::load_covered(&checked.code, &version.policy.name, version.limits).map_err(|refusal| super::problem(file, refusal))?;
        let script = Program::Native(script);
        // They were looked at when the script was checked.
        let _ = (script.describe(), script.check_settings(&version.settings));
        Ok(Some(Covered {
            engines,
            version,
            script,
            coverage,
            differences: Vec::new(),
        }))
    }

    pub fn lines_run(&self) -> LinesRun {
        self.coverage.lines_run()
    }

    /// A sentence for each question that the marked script answered otherwise.
    pub fn differences(&self) -> &[String] {
        &self.differences
    }
}

impl Policies for Covered {
    fn ask(&mut self, policy: &PolicyRef, context: &Context) -> Result<Answer, Fault> {
        let live = self.engines.ask(policy, context);
        if policy.digest == self.version.policy.digest {
            let decided = self.script.decide(context).map_err(Failure::into_fault);
            if let Some(difference) = difference(&live, &decided) {
                self.differences.push(difference);
            }
        }
        live
    }

    fn migrate(&mut self, policy: &PolicyRef, from_version: u32, state: &[u8]) -> Result<Vec<u8>, Fault> {
        self.engines.migrate(policy, from_version, state)
    }

    fn fingerprint(&self, engine: EngineKind) -> String {
        self.engines.fingerprint(engine)
    }
}

/// How the two differ in more than what they cost.
fn difference(live: &Result<Answer, Fault>, covered: &Result<Answer, Fault>) -> Option<String> {
    match (live, covered) {
        (Ok(live), Ok(covered)) => {
            let same = live.verdict == covered.verdict && live.advice == covered.advice;
            let (live, covered) = (&live.verdict, &covered.verdict);
            (!same).then(|| format!("it answers {live:?}, and with its lines noted {covered:?}"))
        }
        // Marks cost operations and time, so that a script may end at another place, or not at all.
        (Err(live), _) if matches!(live.class, FaultClass::Fuel | FaultClass::Deadline | FaultClass::Memory) => None,
        (Err(live), Err(covered)) => {
            let (live, class) = (live.class.slug(), covered.class.slug());
            (live != class).then(|| format!("it fails ({live}), and with its lines noted ({class}): {}", covered.detail))
        }
        (Ok(live), Err(covered)) => {
            let (verdict, class) = (&live.verdict, covered.class.slug());
            Some(format!(
                "it answers {verdict:?}, and with its lines noted it fails ({class}): {}",
                covered.detail
            ))
        }
        (Err(live), Ok(covered)) => Some(format!(
            "it fails ({}), and with its lines noted it answers {:?}",
            live.class.slug(),
            covered.verdict
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_model::decision::{Advice, RetryVerdict, Verdict};
    use pointsman_model::policy::Cost;

    fn retry(ms: u64) -> Result<Answer, Fault> {
        Ok(Answer {
            verdict: Verdict::Retry(RetryVerdict::Retry(ms)),
            advice: Advice::default(),
            cost: Cost::default(),
        })
    }

    fn fault(class: FaultClass) -> Result<Answer, Fault> {
        Err(Fault {
            class,
            detail: String::new(),
            cost: Cost::default(),
        })
    }

    #[test]
    fn another_answer_is_told_and_another_cost_is_not() {
        let mut dearer = retry(5);
        if let Ok(answer) = &mut dearer {
            answer.cost.fuel = Some(1_000);
        }
        for (live, covered, differs) in [
            (retry(5), dearer, false),
            (retry(5), retry(6), true),
            (retry(5), fault(FaultClass::Trap), true),
            (fault(FaultClass::Declined), retry(5), true),
            (fault(FaultClass::Declined), fault(FaultClass::Trap), true),
            (fault(FaultClass::Trap), fault(FaultClass::Trap), false),
            (fault(FaultClass::Fuel), retry(5), false),
            (fault(FaultClass::Deadline), fault(FaultClass::Trap), false),
        ] {
            assert_eq!(difference(&live, &covered).is_some(), differs, "{live:?} and {covered:?}");
        }
    }
}
