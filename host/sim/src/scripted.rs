//! Policies whose answers a test writes down beforehand.

use pointsman_coordinator::Policies;
use pointsman_model::Digest;
use pointsman_model::context::Context;
use pointsman_model::decision::{Advice, Answer, Reason, Verdict};
use pointsman_model::policy::{Cost, EngineKind, Fault, FaultClass, PolicyDescription, PolicyKind, PolicyLimits, PolicyRef};
use std::collections::{BTreeMap, VecDeque};

/// Answers from a queue per version name. A version whose queue is empty traps, which shows in the transcript.
#[derive(Default)]
pub struct Scripted {
    answers: BTreeMap<String, VecDeque<Result<Answer, Fault>>>,
    /// Contexts that were asked, latest last.
    pub asked: Vec<(String, Context)>,
    migrated: BTreeMap<String, VecDeque<Result<Vec<u8>, Fault>>>,
    /// Versions that were asked for a migration, from which version of which state, latest last.
    pub migrations: Vec<(String, u32, Vec<u8>)>,
}

impl Scripted {
    /// Describes a version that answers from this script.
    pub fn describe(name: &str, version: &str, kind: PolicyKind) -> PolicyDescription {
        PolicyDescription {
            policy: PolicyRef {
                name: name.to_string(),
                version: version.to_string(),
                digest: Digest::of(format!("{name}@{version}").as_bytes()),
                engine: EngineKind::Rhai,
            },
            kind,
            summary: "Answers what a test wrote down.".into(),
            settings_schema: Vec::new(),
            settings: Vec::new(),
            limits: PolicyLimits::default(),
            state_version: 1,
            code_bytes: 0,
        }
    }

    pub fn answer(&mut self, name: &str, verdict: Verdict, reason: &str, state: Option<Vec<u8>>) {
        let reasons = vec![Reason {
            code: "scripted".into(),
            text: reason.to_string(),
            ..Reason::default()
        }];
        let advice = Advice {
            reasons,
            state,
            ..Advice::default()
        };
        self.push(
            name,
            Ok(Answer {
                verdict,
                advice,
                cost: Cost { fuel: Some(1), micros: 1 },
            }),
        );
    }

    pub fn fail(&mut self, name: &str, class: FaultClass, detail: &str) {
        self.push(name, Err(Scripted::fault(class, detail)));
    }

    pub fn fault(class: FaultClass, detail: &str) -> Fault {
        Fault {
            class,
            detail: detail.to_string(),
            cost: Cost::default(),
        }
    }

    /// What the next migration of a policy answers.
    pub fn migrate_to(&mut self, name: &str, outcome: Result<Vec<u8>, Fault>) {
        self.migrated.entry(name.to_string()).or_default().push_back(outcome);
    }

    fn push(&mut self, name: &str, outcome: Result<Answer, Fault>) {
        self.answers.entry(name.to_string()).or_default().push_back(outcome);
    }
}

impl Policies for Scripted {
    fn ask(&mut self, policy: &PolicyRef, context: &Context) -> Result<Answer, Fault> {
        self.asked.push((policy.to_string(), context.clone()));
        let queued = self.answers.get_mut(&policy.name).and_then(VecDeque::pop_front);
        queued.unwrap_or_else(|| Err(Scripted::fault(FaultClass::Trap, "the script has no more answers")))
    }

    fn migrate(&mut self, policy: &PolicyRef, from_version: u32, state: &[u8]) -> Result<Vec<u8>, Fault> {
        self.migrations.push((policy.to_string(), from_version, state.to_vec()));
        let written = self.migrated.get_mut(&policy.name).and_then(VecDeque::pop_front);
        written.unwrap_or_else(|| Err(Scripted::fault(FaultClass::Declined, "the script has no migration")))
    }

    fn fingerprint(&self, engine: EngineKind) -> String {
        format!("scripted {}", engine.slug())
    }
}
