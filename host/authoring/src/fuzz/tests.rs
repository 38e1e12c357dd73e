use super::*;
use crate::canned::plain;
use pointsman_coordinator::plausible;
use pointsman_model::Digest;
use pointsman_model::decision::{Advice, RetryVerdict, Verdict};
use pointsman_model::policy::{Cost, EngineKind, PolicyKind, PolicyLimits, PolicyRef};
use pointsman_model::run::FailureClass;

fn description() -> PolicyDescription {
    PolicyDescription {
        policy: PolicyRef {
            name: "fragile".into(),
            version: "1".into(),
            digest: Digest::of(b"fragile"),
            engine: EngineKind::Component,
        },
        kind: PolicyKind::Retry,
        summary: String::new(),
        settings_schema: Vec::new(),
        settings: Vec::new(),
        limits: PolicyLimits::default(),
        state_version: 0,
        code_bytes: 0,
    }
}

/// Divides by the host's tries, retries where no try is left, and counts its calls where a host is not named.
#[derive(Default)]
struct Fragile {
    calls: u64,
}

impl Policies for Fragile {
    fn ask(&mut self, _: &PolicyRef, context: &Context) -> Result<Answer, Fault> {
        let Context::Retry(retry) = context else {
            panic!("a retry question")
        };
        self.calls += 1;
        if retry.elapsed_ms > 60_000 && retry.class == FailureClass::Timeout {
            return Err(Fault {
                class: FaultClass::Trap,
                detail: "divided by zero".into(),
                cost: Cost::default(),
            });
        }
        let delay = if retry.host.is_none() { self.calls } else { 5 };
        Ok(Answer {
            verdict: Verdict::Retry(RetryVerdict::Retry(delay)),
            advice: Advice::default(),
            cost: Cost::default(),
        })
    }

    fn migrate(&mut self, _: &PolicyRef, _: u32, _: &[u8]) -> Result<Vec<u8>, Fault> {
        panic!("nothing is migrated")
    }

    fn fingerprint(&self, _: EngineKind) -> String {
        "fragile".into()
    }
}

fn found(seed: u64) -> Fuzzed {
    let mut nameless = plain();
    if let Context::Retry(retry) = &mut nameless {
        retry.host = None;
    }
    fuzz(
        &mut Fragile::default(),
        &description(),
        &[plain(), nameless],
        seed,
        4_000,
        &mut |_| true,
    )
}

#[test]
fn each_flaw_is_found_and_shrunk_to_what_shows_it() {
    let fuzzed = found(1);
    let flaws: Vec<String> = fuzzed.findings.iter().map(|finding| finding.flaw.slug()).collect();
    assert_eq!(flaws, ["trap", "misfit", "fickle"]);
    let trap = &fuzzed.findings[0];
    let case = trap.case(&plain());
    let fields: Vec<&str> = case["context"].as_object().expect("fields").keys().map(String::as_str).collect();
    assert!(fields.contains(&"class") && fields.contains(&"elapsed_ms"), "{case:#}");
    assert!(fields.len() <= 4, "nothing else is needed: {case:#}");
    assert_eq!(fuzzed.asked, 4_000);
    // A retry where no try is left does not fit.
    let Context::Retry(misfit) = &fuzzed.findings[1].context else {
        panic!("a retry question")
    };
    assert_eq!(misfit.budget_left, 0);
}

#[test]
fn the_same_seed_finds_the_same() {
    let told = |fuzzed: &Fuzzed| -> Vec<Value> { fuzzed.findings.iter().map(|finding| finding.case(&plain())).collect() };
    let (one, two) = (found(3), found(3));
    assert_eq!(told(&one)[..2], told(&two)[..2]);
}

#[test]
fn whatever_is_made_of_a_plausible_context_is_plausible() {
    let mut random = Random::new(9);
    let mut context = plain();
    for _ in 0..2_000 {
        context = mutate::changed(&context, &mut random);
        assert!(plausible(&context), "{context:?}");
    }
}
