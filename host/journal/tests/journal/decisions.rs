//! A decision explains itself, and the code that made it is kept.

use super::story::*;
use crate::common::*;
use pointsman_journal::*;
use pointsman_model::decision::{Link, Subject};
use pointsman_model::event::{Event, StateHandover};
use pointsman_model::policy::{EngineKind, PolicyKind};
use pointsman_model::{Actor, DecisionId, Digest, RunId};
use std::sync::Arc;

#[test]
fn a_decision_explains_itself() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    write_story(&mut journal);
    let reader = journal.reader().expect("a reader");

    let record = reader.decision(DecisionId(2)).expect("read").expect("a decision");
    assert_eq!(record.decision.subject, Subject::Run(RunId(1)));
    assert_eq!(record.decision.ruling.declined[0].policy, policy("hasty"));
    let recording = record.recording.as_ref().expect("a recording");
    assert_eq!(Digest::of(&recording.context), record.decision.context);
    assert_eq!(recording.scores.as_deref().map(Digest::of), record.decision.scores);
    assert_eq!(record.decode_context().expect("a context").expect("decoded"), selection_context(1));
    assert!(reader.decision(DecisionId(99)).expect("read").is_none());

    // Which policy decided what, when: one query.
    let all = reader
        .decisions(&DecisionFilter {
            limit: 9,
            ..Default::default()
        })
        .expect("decisions");
    let told: Vec<_> = all
        .iter()
        .map(|row| (row.id.0, row.at - START, row.verdict.as_str(), row.name.as_str(), row.link))
        .collect();
    let active = Link::Active;
    assert_eq!(
        told,
        [
            (5, 2_090, "advance", "fair-share", active),
            (4, 2_080, "advance", "fair-share", active),
            (3, 2_040, "pick", "fair-share", active),
            (2, 30, "retry", "fair-share", Link::LastGood),
            (1, 20, "pick", "fair-share", active),
        ]
    );
    assert_eq!(
        (all[3].declined, all[3].fuel, all[3].reason.as_deref()),
        (1, Some(182_345), Some("host-3 has waited longest"))
    );
    let ids = |filter: DecisionFilter| -> Vec<u64> {
        let rows = reader.decisions(&filter).expect("decisions");
        let rulings = reader.rulings(&filter).expect("rulings");
        assert_eq!(
            rows.iter().map(|row| row.id).collect::<Vec<_>>(),
            rulings.iter().map(|record| record.decision.id).collect::<Vec<_>>()
        );
        rows.iter().map(|row| row.id.0).collect()
    };
    let filter = DecisionFilter {
        limit: 9,
        ..Default::default()
    };
    assert_eq!(
        ids(DecisionFilter {
            kind: Some(PolicyKind::SourceSelection),
            ..filter.clone()
        }),
        [3, 1]
    );
    assert_eq!(
        ids(DecisionFilter {
            kind: Some(PolicyKind::SourceSelection),
            before: Some(DecisionId(3)),
            ..filter.clone()
        }),
        [1]
    );
    assert_eq!(
        ids(DecisionFilter {
            run: Some(RunId(1)),
            ..filter.clone()
        }),
        [2]
    );
    assert_eq!(
        ids(DecisionFilter {
            candidate: Some(tag(2)),
            ..filter.clone()
        }),
        [5, 4]
    );
    assert_eq!(
        ids(DecisionFilter {
            policy: Some(policy("fair-share").digest),
            limit: 2,
            ..filter.clone()
        }),
        [5, 4]
    );
    assert_eq!(
        ids(DecisionFilter {
            policy: Some(policy("hasty").digest),
            ..filter
        }),
        [0; 0]
    );
}

#[test]
fn code_is_kept_with_its_version() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    let description = description("fair-share", PolicyKind::SourceSelection);
    let digest = description.policy.digest;
    let other = Digest::of(b"the same code with other settings");
    let code: Arc<[u8]> = Arc::from(&b"code"[..]);
    let activated = Event::PolicyActivated {
        generation: 1,
        description,
        previous: None,
        actor: Actor::new("cli"),
        reason: String::new(),
        set: None,
        confirm_by: None,
        state: StateHandover::Empty,
        report: None,
    };
    journal
        .append(START, &[bare(activated)], &[(digest, code.clone())])
        .expect("appended");
    journal
        .append(START + 1, &[], &[(digest, code.clone()), (other, code)])
        .expect("stored again without harm, and once for two versions");
    let reader = journal.reader().expect("a reader");
    let row = reader.policy_code(digest).expect("read").expect("code");
    assert_eq!((row.code.as_slice(), row.stored_at), (&b"code"[..], START));
    let versions = reader.policy_versions(Some(PolicyKind::SourceSelection), 9).expect("versions");
    assert_eq!(
        (versions.len(), versions[0].code_kept, versions[0].description.policy.engine),
        (1, true, EngineKind::Component)
    );
    assert_eq!(reader.policy_code(other).expect("read").expect("code").code, b"code");
    assert!(reader.policy_code(Digest::of(b"unknown")).expect("read").is_none());

    change(directory.path(), "UPDATE codes SET code = x'00'");
    assert!(matches!(reader.policy_code(digest), Err(ReadError::CodeDamaged { .. })));
    let altered = |digest| Problem::CodeAltered { digest };
    // Two versions that cannot be loaded any more.
    let (first, second) = if digest < other { (digest, other) } else { (other, digest) };
    assert_eq!(problems(&reader), [altered(first), altered(second)]);
}
