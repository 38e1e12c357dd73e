use super::*;
use crate::Scripted;
use crate::replay::tests::{context, recorded};
use pointsman_model::decision::{Declined, RetryVerdict, Verdict};
use pointsman_model::policy::{Cost, PolicyRef};

fn as_recorded() -> RecordedDecision {
    let mut recorded = recorded(1, RetryVerdict::Retry(5));
    recorded.decision.context = Digest::of(recorded.context.as_deref().expect("it is kept"));
    recorded.decision.ruling.cost = Cost { fuel: Some(1), micros: 5 };
    recorded.decision.ruling.engine = Scripted::default().fingerprint(recorded.decision.ruling.policy.engine);
    recorded
}

fn verified(recorded: &RecordedDecision, verdict: RetryVerdict, reason: &str) -> Verification {
    let mut policies = Scripted::default();
    policies.answer("old", Verdict::Retry(verdict), reason, None);
    verify(&mut policies, &Guards::default(), recorded)
}

#[test]
fn the_same_answer_is_identical_and_any_other_is_told() {
    let recorded = as_recorded();
    assert_eq!(verified(&recorded, RetryVerdict::Retry(5), ""), Verification::Identical);
    assert_eq!(
        verified(&recorded, RetryVerdict::Retry(5), "another text"),
        Verification::SameVerdict { differs: "reasons" }
    );
    assert!(matches!(
        verified(&recorded, RetryVerdict::Retry(6), ""),
        Verification::Diverged { after: Ok(_) }
    ));
    let mut dearer = recorded.clone();
    dearer.decision.ruling.cost.fuel = Some(2);
    assert_eq!(
        verified(&dearer, RetryVerdict::Retry(5), ""),
        Verification::SameVerdict { differs: "fuel" }
    );
    let nobody = verify(&mut Scripted::default(), &Guards::default(), &recorded);
    assert!(matches!(nobody, Verification::Diverged { after: Err(_) }));
}

#[test]
fn what_cannot_be_made_again_says_why() {
    let why = |recorded: &RecordedDecision| match verified(recorded, RetryVerdict::Retry(5), "") {
        Verification::NotReplayable(why) => why,
        other => panic!("{other:?}"),
    };
    let mut gone = as_recorded();
    gone.context = None;
    assert_eq!(why(&gone), WhyNot::ContextGone);

    let mut altered = as_recorded();
    altered.context = Some(context(b"another state").encode().bytes);
    assert_eq!(why(&altered), WhyNot::ContextAltered);

    let mut unreadable = as_recorded();
    unreadable.context = Some(vec![200]);
    unreadable.decision.context = Digest::of(&[200]);
    assert_eq!(why(&unreadable), WhyNot::ContextUnreadable);

    let mut other_engine = as_recorded();
    other_engine.decision.ruling.engine = "another engine 1.0".into();
    assert!(matches!(why(&other_engine), WhyNot::OtherEngine { .. }));

    let mut late = as_recorded();
    late.decision.ruling.declined.push(Declined {
        link: Link::Active,
        policy: late.decision.ruling.policy.clone(),
        fault: Fault {
            class: FaultClass::Deadline,
            detail: String::new(),
            cost: Cost::default(),
        },
    });
    assert_eq!(why(&late), WhyNot::Deadline);
}

#[test]
fn a_fallback_is_made_again_without_a_policy() {
    let mut recorded = as_recorded();
    let question = Context::decode(recorded.context.as_deref().expect("it is kept")).expect("it can be read");
    let answer = built_in(&question, &Guards::default(), &[]);
    let ruling = &mut recorded.decision.ruling;
    ruling.link = Link::BuiltIn;
    ruling.policy = PolicyRef::built_in(recorded.decision.kind);
    ruling.engine = Scripted::default().fingerprint(ruling.policy.engine);
    ruling.verdict = answer.verdict;
    ruling.advice = answer.advice;
    ruling.cost = answer.cost;
    assert_eq!(
        verify(&mut Scripted::default(), &Guards::default(), &recorded),
        Verification::Identical
    );

    recorded.decision.ruling.verdict = Verdict::Retry(RetryVerdict::Retry(1));
    assert_eq!(
        verify(&mut Scripted::default(), &Guards::default(), &recorded),
        Verification::NotReplayable(WhyNot::OtherGuards)
    );
}
