use super::*;
use crate::Scripted;
use pointsman_model::RunId;
use pointsman_model::decision::{Advice, Declined, Link, Reason, RetryVerdict, Ruling, Subject, Verdict};
use pointsman_model::policy::{Cost, EngineKind, PolicyKind, PolicyRef};
use pointsman_policy::canned_context;

pub(crate) fn context(state: &[u8]) -> Context {
    let mut context = canned_context(PolicyKind::Retry);
    context.frame_mut().state = state.to_vec();
    context
}

pub(crate) fn old() -> PolicyRef {
    Scripted::describe("old", "1", PolicyKind::Retry).policy
}

pub(crate) fn recorded(id: u64, verdict: RetryVerdict) -> RecordedDecision {
    RecordedDecision {
        at: id,
        decision: Decision {
            id: DecisionId(id),
            kind: PolicyKind::Retry,
            subject: Subject::Run(RunId(1)),
            generation: 1,
            context: Digest::default(),
            scores: None,
            input: None,
            ruling: Ruling {
                verdict: Verdict::Retry(verdict),
                advice: Advice {
                    reasons: vec![Reason {
                        code: "scripted".into(),
                        ..Reason::default()
                    }],
                    ..Advice::default()
                },
                link: Link::Active,
                policy: old(),
                engine: "scripted".into(),
                cost: Cost { fuel: Some(10), micros: 5 },
                declined: Vec::new(),
                propensity: None,
            },
        },
        context: Some(context(b"kept").encode().bytes),
    }
}

fn replay(policies: &mut Scripted, reads: bool, decisions: &[RecordedDecision]) -> Report {
    let version = Scripted::describe("new", "2", PolicyKind::Retry);
    let reads_state_of = if reads { BTreeSet::from([old().digest]) } else { BTreeSet::new() };
    let mut replay = Replay::new(&version, reads_state_of);
    for decision in decisions {
        replay.feed(Whom::surely(policies), decision, &mut |_, _| Ok(()));
    }
    replay.into_report()
}

#[test]
fn each_difference_has_its_class_and_the_first_is_shown() {
    let mut policies = Scripted::default();
    for verdict in [
        RetryVerdict::Retry(5),
        RetryVerdict::Retry(9),
        RetryVerdict::GiveUp,
        RetryVerdict::Retry(1),
    ] {
        policies.answer("new", Verdict::Retry(verdict), "because", None);
    }
    policies.fail("new", FaultClass::Trap, "ended");
    let was = [
        RetryVerdict::Retry(5),
        RetryVerdict::Retry(5),
        RetryVerdict::Retry(5),
        RetryVerdict::GiveUp,
        RetryVerdict::Retry(5),
    ];
    let decisions: Vec<RecordedDecision> = (1..).zip(was).map(|(id, verdict)| recorded(id, verdict)).collect();
    let report = replay(&mut policies, false, &decisions);
    let classes: Vec<(&str, u64)> = report.classes.iter().map(|(change, count)| (change.slug(), *count)).collect();
    assert_eq!(
        classes,
        [
            ("retries_later", 1),
            ("gives_up", 1),
            ("gives_up_no_more", 1),
            ("new_error_trap", 1)
        ]
    );
    assert_eq!((report.replayed, report.same, report.changed, report.new_errors()), (5, 1, 4, 1));
    assert_eq!(report.first_divergence.map(|first| first.decision), Some(DecisionId(2)));
}

#[test]
fn the_version_has_its_own_evolving_state() {
    let mut policies = Scripted::default();
    policies.answer("new", Verdict::Retry(RetryVerdict::GiveUp), "because", Some(b"mine".to_vec()));
    policies.answer("new", Verdict::Retry(RetryVerdict::GiveUp), "because", None);
    policies.answer("new", Verdict::Retry(RetryVerdict::GiveUp), "because", None);
    let decisions: Vec<RecordedDecision> = (1..4).map(|id| recorded(id, RetryVerdict::GiveUp)).collect();
    let report = replay(&mut policies, true, &decisions);
    let states: Vec<&[u8]> = policies.asked.iter().map(|(_, context)| context.frame().state.as_slice()).collect();
    assert_eq!(states, [b"kept", b"mine", b"mine"], "it starts with what the version before had");
    assert_eq!(report.changed, 0);

    policies.asked.clear();
    policies.answer("new", Verdict::Retry(RetryVerdict::GiveUp), "because", None);
    replay(&mut policies, false, &decisions[..1]);
    assert!(
        policies.asked[0].1.frame().state.is_empty(),
        "another policy's state is none of its business"
    );
}

#[test]
fn an_error_where_one_was_is_not_new() {
    let mut failed = recorded(1, RetryVerdict::Retry(5));
    failed.decision.ruling.link = Link::BuiltIn;
    failed.decision.ruling.policy = PolicyRef {
        engine: EngineKind::BuiltIn,
        ..old()
    };
    failed.decision.ruling.declined = vec![Declined {
        link: Link::Active,
        policy: old(),
        fault: Fault {
            class: FaultClass::Fuel,
            detail: "spent".into(),
            cost: Cost::default(),
        },
    }];
    let mut policies = Scripted::default();
    policies.fail("new", FaultClass::Trap, "ended");
    policies.answer("new", Verdict::Retry(RetryVerdict::GiveUp), "because", None);
    let report = replay(&mut policies, false, &[failed.clone(), failed]);
    assert_eq!((report.new_errors(), report.errors_gone()), (0, 1));
}

#[test]
fn budgets_tell_their_numbers() {
    let mut policies = Scripted::default();
    policies.answer("new", Verdict::Retry(RetryVerdict::GiveUp), "because", None);
    policies.fail("new", FaultClass::Declined, "no");
    let mut gone = recorded(3, RetryVerdict::GiveUp);
    gone.context = None;
    let decisions = [recorded(1, RetryVerdict::Retry(5)), recorded(2, RetryVerdict::Retry(5)), gone];
    let report = replay(&mut policies, false, &decisions);
    assert_eq!(report.not_replayable, BTreeMap::from([(NotReplayable::ContextGone, 1)]));
    let budgets = Budgets {
        changed_share_max: Some(0.4),
        forbidden: vec![Change::GivesUp],
        ..Budgets::default()
    };
    assert_eq!(
        budgets.broken(&report),
        [
            "2 of 2 verdicts changed (100.0 %), at most 40.0 % may (changed_share_max)",
            "1 new errors where 2 were decided (1 declines), at most 0 may be (new_errors_max)",
            "1 decisions changed by 'gives_up', which is forbidden",
        ]
    );
    let lax = Budgets {
        new_errors_max: 1,
        ..Budgets::default()
    };
    assert!(lax.broken(&report).is_empty());
}

#[test]
fn what_a_guard_forbids_is_an_error() {
    let mut policies = Scripted::default();
    policies.answer("new", Verdict::Retry(RetryVerdict::GiveUp), "because", None);
    let version = Scripted::describe("new", "2", PolicyKind::Retry);
    let mut replay = Replay::new(&version, BTreeSet::new());
    let mut guard = |_: &Context, answer: &Answer| {
        Err(Fault {
            class: FaultClass::InvalidOutput,
            detail: "forbidden".into(),
            cost: answer.cost,
        })
    };
    replay.feed(Whom::surely(&mut policies), &recorded(1, RetryVerdict::GiveUp), &mut guard);
    assert_eq!(replay.report().new_errors(), 1);
}

#[test]
fn classes_are_told_apart_by_their_words() {
    let mut slugs: Vec<&str> = Change::all().map(Change::slug).collect();
    let count = slugs.len();
    slugs.sort_unstable();
    slugs.dedup();
    assert_eq!(slugs.len(), count);
    assert!(Change::all().all(|change| Change::parse(change.slug()) == Some(change)));
}
