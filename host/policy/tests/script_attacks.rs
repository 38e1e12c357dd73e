//! Hostile scripts on both engines: the same outcome, in time, and the next decision unharmed.

#[path = "support/attacks.rs"]
mod attacks;
mod support;

use attacks::{Attack, Required, attacks};
use pointsman_model::decision::{RetryVerdict, Verdict};
use pointsman_model::policy::*;
use pointsman_policy::{Library, Stage, canned_context};
use support::*;

/// CPU time of a hostile decision: its deadline, one tick, and the making of a new instance for the next, on a busy machine.
const CONTAINED_WITHIN_MS: f64 = 300.0;
/// For those that are to end at their memory: how fast it fills is the machine's affair, and the deadline must not be first.
const MEMORY_DEADLINE_MS: u32 = 2_000;
/// Of a script that is refused, or taken: parsing, description and self-test.
const CHECKED_WITHIN_MS: f64 = 400.0;
/// Natively nothing ends the parser: it takes the square of a long list of parameters.
const CHECKED_NATIVELY_WITHIN_MS: f64 = 2_000.0;

#[test]
fn every_attack_has_its_outcome_in_the_sandbox() {
    suite(EngineKind::Rhai);
}

#[test]
fn every_attack_has_its_outcome_natively() {
    suite(EngineKind::TrustedRhai);
}

fn suite(engine: EngineKind) {
    if !script_engines().contains(&engine) {
        return;
    }
    let library = Library::new();
    let plain = "fn describe() { #{ name: \"plain\", version: \"1\", kind: \"retry\" } }\nfn decide(ctx) { #{ verdict: #{ retry: len(ctx.title) } } }";
    let plain = install_as(&library, engine, "plain.rhai", plain);
    let healthy = ask(&library, &plain.policy, &question(&plain)).expect("it decides").verdict;
    let mut wrong = Vec::new();
    for attack in attacks() {
        if let Err(problem) = contained(&library, engine, &attack) {
            wrong.push(format!("{}: {problem}", attack.name));
        }
        let answer = ask(&library, &plain.policy, &question(&plain)).expect("the next decision is unharmed");
        assert_eq!(answer.verdict, healthy, "after {}", attack.name);
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}

fn contained(library: &Library, engine: EngineKind, attack: &Attack) -> Result<(), String> {
    let before = cpu_ms();
    let checked = library.check(source_as(engine, "hostile.rhai", attack.code.clone()), PolicyLimits::default());
    let took = cpu_ms() - before;
    let within = match engine {
        EngineKind::TrustedRhai => CHECKED_NATIVELY_WITHIN_MS,
        EngineKind::Rhai | EngineKind::Component | EngineKind::WarmComponent | EngineKind::BuiltIn => CHECKED_WITHIN_MS,
    };
    if took > within {
        return Err(format!("checked in {took:.0} ms"));
    }
    let refused = checked.as_ref().is_err_and(|problem| problem.stage <= Stage::Link);
    match (attack.required, &checked) {
        (Required::Refused, Err(_)) if refused => return Ok(()),
        (Required::RefusedOr(_), Err(_)) if refused => return Ok(()),
        (Required::RefusedOr([]), Ok(_)) => return Ok(()),
        (Required::Refused, Ok(_)) => return Err("it was accepted".to_string()),
        (Required::Refused, Err(problem)) => return Err(format!("refused at {}: {problem}", problem.stage)),
        (Required::Fault(_), Ok(_)) => return Err("it passed the self-test".to_string()),
        (Required::Fault(_) | Required::Retries(_), Err(problem)) if refused => return Err(format!("refused: {problem}")),
        (Required::Fault(_) | Required::RefusedOr(_) | Required::Retries(_), _) => {}
    }
    // As if it had passed the self-test and turned hostile then.
    let mut limits = PolicyLimits::default();
    if let Required::Fault([FaultClass::Memory]) = attack.required {
        limits.deadline_ms = MEMORY_DEADLINE_MS;
    }
    let policy = load_unasked(library, engine, PolicyKind::Retry, &attack.code, limits);
    let before = cpu_ms();
    let answer = ask(library, &policy, &canned_context(PolicyKind::Retry));
    let took = cpu_ms() - before;
    library.remove(&policy.digest);
    if took > CONTAINED_WITHIN_MS.max(f64::from(limits.deadline_ms)) {
        return Err(format!("took {took:.0} ms"));
    }
    match (attack.required, answer) {
        (Required::Retries(after), Ok(answer)) if answer.verdict == Verdict::Retry(RetryVerdict::Retry(after)) => Ok(()),
        (Required::Fault(classes) | Required::RefusedOr(classes), Err(fault)) if classes.contains(&fault.class) => {
            if fault.detail.len() <= FAULT_DETAIL_BYTES_MAX {
                Ok(())
            } else {
                Err(format!("its detail has {} bytes", fault.detail.len()))
            }
        }
        (required, Ok(answer)) => Err(format!("{required:?}, but it answered {:?}", answer.verdict)),
        (required, Err(fault)) => Err(format!(
            "{required:?}, but it ended in {}: {:.200}",
            fault.class.slug(),
            fault.detail
        )),
    }
}
