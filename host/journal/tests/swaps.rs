//! Which policy decided what, when: generations, their ends, canaries, pins and quarantines, as views of the events.

mod common;

use common::*;
use pointsman_journal::*;
use pointsman_model::decision::{Link, RetryVerdict, Ruling, Subject, Verdict};
use pointsman_model::event::{Emitted, Event, PolicyCanaryEnd, StateHandover};
use pointsman_model::policy::{Cost, Fault, FaultClass, PolicyDescription, PolicyKind, PolicyRef};
use pointsman_model::{Actor, DecisionId, Digest, RunId};
use rusqlite::Connection;
use std::path::Path;

const KIND: PolicyKind = PolicyKind::Retry;

fn activated(generation: u32, name: &str, confirm_by: Option<u64>, state: StateHandover) -> Emitted {
    bare(Event::PolicyActivated {
        generation,
        description: description(name, KIND),
        previous: None,
        actor: Actor::new("cli"),
        reason: "tried out".into(),
        set: confirm_by.map(|_| 7),
        confirm_by,
        state,
        report: None,
    })
}

fn rolled_back(generation: u32, to: PolicyDescription, from: &str, actor: &str) -> Emitted {
    bare(Event::PolicyRolledBack {
        kind: KIND,
        generation,
        to,
        from: policy(from),
        actor: Actor::new(actor),
        reason: "because".into(),
        set: None,
        tripped_until: None,
    })
}

fn decided_by(id: u64, name: &str, link: Link, generation: u32) -> Emitted {
    let ruling = Ruling {
        policy: policy(name),
        link,
        ..ruling(Verdict::Retry(RetryVerdict::GiveUp), 0)
    };
    let mut emitted = decided(id, KIND, Subject::Run(RunId(id)), ruling, &selection_context(1));
    if let Event::Decided(decision) = &mut emitted.event {
        decision.generation = generation;
    }
    emitted
}

/// `steady`, on trial `bold`, which times out; `bold` again, confirmed, with `wild` in canary; then the breaker.
fn story() -> Vec<(u64, Vec<Emitted>)> {
    let key = Digest::of(b"input");
    vec![
        (
            10,
            vec![
                activated(1, "steady", None, StateHandover::Empty),
                decided_by(1, "steady", Link::Active, 1),
            ],
        ),
        (
            20,
            vec![
                activated(2, "bold", Some(START + 30), StateHandover::Carried),
                decided_by(2, "bold", Link::Active, 2),
            ],
        ),
        (
            30,
            vec![
                rolled_back(3, description("steady", KIND), "bold", Actor::CONFIRM_TIMEOUT),
                decided_by(3, "steady", Link::Active, 3),
            ],
        ),
        (40, vec![activated(4, "bold", Some(START + 90), StateHandover::Carried)]),
        (
            50,
            vec![
                bare(Event::PolicyConfirmed {
                    kinds: vec![KIND],
                    set: Some(7),
                    actor: Actor::new("web"),
                }),
                bare(Event::PolicyPinned {
                    kind: KIND,
                    pinned: true,
                    actor: Actor::new("web"),
                    reason: "audit".into(),
                }),
                bare(Event::PolicyPinned {
                    kind: KIND,
                    pinned: false,
                    actor: Actor::new("web"),
                    reason: "audited".into(),
                }),
            ],
        ),
        (
            60,
            vec![
                bare(Event::PolicyCanaryStarted {
                    description: description("wild", KIND),
                    share: 0.5,
                    state: StateHandover::Empty,
                    actor: Actor::new("cli"),
                    reason: "a look".into(),
                    report: None,
                }),
                decided_by(4, "wild", Link::Candidate, 4),
                decided_by(5, "bold", Link::Active, 4),
                bare(Event::PolicyCanaryEnded {
                    kind: KIND,
                    policy: policy("wild"),
                    end: PolicyCanaryEnd::Tripped,
                    actor: Actor::new(Actor::BREAKER),
                    reason: "failed".into(),
                    tripped_until: Some(START + 1_000),
                }),
            ],
        ),
        (
            70,
            vec![
                bare(Event::InputQuarantined {
                    kind: KIND,
                    key,
                    about: "source 7".into(),
                    policy: policy("bold"),
                    fault: Fault {
                        class: FaultClass::Trap,
                        detail: "unreachable".into(),
                        cost: Cost::default(),
                    },
                }),
                bare(Event::InputReleased {
                    kind: KIND,
                    key,
                    actor: Actor::new("web"),
                }),
            ],
        ),
        (80, vec![rolled_back(5, description("steady", KIND), "bold", Actor::BREAKER)]),
        (
            90,
            vec![
                rolled_back(6, PolicyDescription::built_in(KIND), "steady", "cli"),
                decided_by(6, "x", Link::BuiltIn, 6),
            ],
        ),
    ]
}

fn write_story(journal: &mut Journal) {
    for (at, batch) in story() {
        journal.append(START + at, &batch, &[]).expect("appended");
    }
}

fn problems(reader: &Reader) -> Vec<Problem> {
    let options = VerifyOptions {
        views: true,
        ..VerifyOptions::default()
    };
    reader.verify(&options).expect("verified").problems
}

fn sound(reader: &Reader) {
    assert_eq!(problems(reader), []);
}

#[test]
fn the_generations_of_a_kind_tell_how_each_came_and_went() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    write_story(&mut journal);
    let reader = journal.reader().expect("a reader");
    sound(&reader);
    let rows = reader.generations(KIND).expect("generations");
    let told: Vec<_> = rows
        .iter()
        .rev()
        .map(|row| {
            let decisions = (row.decisions_before.0, row.decisions_until.map(|id| id.0));
            let ended = row.ended_at.map(|at| at - START);
            (
                row.generation,
                row.policy.name.as_str(),
                row.state.as_str(),
                decisions,
                ended,
                row.outcome,
            )
        })
        .collect();
    let built_in = PolicyRef::built_in(KIND).name;
    assert_eq!(
        told,
        [
            (1, "steady", "empty", (0, Some(1)), Some(20), Some(ActivationEnd::Replaced)),
            (2, "bold", "carried", (1, Some(2)), Some(30), Some(ActivationEnd::TimedOut)),
            (3, "steady", "restored", (2, Some(3)), Some(40), Some(ActivationEnd::Replaced)),
            (4, "bold", "carried", (3, Some(5)), Some(80), Some(ActivationEnd::Tripped)),
            (5, "steady", "restored", (5, Some(5)), Some(90), Some(ActivationEnd::RolledBack)),
            (6, built_in.as_str(), "restored", (5, None), None, None),
        ]
    );
    let fourth = &rows[2];
    assert_eq!((fourth.set, fourth.confirm_by), (Some(7), Some(START + 90)));
    assert_eq!(
        (fourth.confirmed_at, fourth.confirmed_by.as_deref()),
        (Some(START + 50), Some("web"))
    );
    assert_eq!(rows[4].confirmed_at, None, "the second was never confirmed");
    let active_at = |at| reader.policy_active_at(KIND, START + at).expect("read").map(|row| row.generation);
    assert_eq!(
        [active_at(9), active_at(20), active_at(79), active_at(1_000)],
        [None, Some(2), Some(4), Some(6)]
    );

    let canaries = reader.policy_canaries(Some(KIND), 9).expect("canaries");
    assert_eq!(canaries.len(), 1);
    assert_eq!(
        (canaries[0].share, canaries[0].end, canaries[0].end_actor.as_deref()),
        (0.5, Some(PolicyCanaryEnd::Tripped), Some("breaker"))
    );
    assert_eq!(
        (canaries[0].decisions_before, canaries[0].decisions_until),
        (DecisionId(3), Some(DecisionId(5)))
    );
    let pins = reader.policy_pins(None, 9).expect("pins");
    assert_eq!(
        pins.iter().map(|pin| (pin.pinned, pin.reason.as_str())).collect::<Vec<_>>(),
        [(false, "audited"), (true, "audit")]
    );
    let aside = reader.policy_quarantines(Some(KIND), 9).expect("quarantines");
    assert_eq!(
        (aside[0].about.as_str(), aside[0].class.as_str(), aside[0].released_by.as_deref()),
        ("source 7", "trap", Some("web"))
    );
}

#[test]
fn which_policy_decided_what_is_one_query() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    write_story(&mut journal);
    let reader = journal.reader().expect("a reader");
    let ids = |filter: DecisionFilter| -> Vec<u64> {
        let rows = reader.decisions(&DecisionFilter { limit: 9, ..filter }).expect("decisions");
        rows.iter().map(|row| row.id.0).collect()
    };
    let all = DecisionFilter::default;
    let by_generation = |generation| DecisionFilter {
        kind: Some(KIND),
        generation: Some(generation),
        ..all()
    };
    assert_eq!(ids(by_generation(4)), [5, 4]);
    assert_eq!(ids(by_generation(6)), [6]);
    assert_eq!(ids(by_generation(5)), [0; 0]);
    assert_eq!(
        ids(DecisionFilter {
            policy: Some(policy("wild").digest),
            ..all()
        }),
        [4]
    );
    assert_eq!(
        ids(DecisionFilter {
            policy: Some(policy("steady").digest),
            ..all()
        }),
        [3, 1]
    );
    assert_eq!(
        ids(DecisionFilter {
            name: Some("bold".into()),
            ..all()
        }),
        [5, 2]
    );
    assert_eq!(
        ids(DecisionFilter {
            link: Some(Link::Candidate),
            ..all()
        }),
        [4]
    );
    assert_eq!(
        ids(DecisionFilter {
            since: Some(START + 20),
            until: Some(START + 60),
            ..all()
        }),
        [3, 2]
    );

    let uses = reader.version_uses().expect("uses");
    let steady = uses[&policy("steady").digest];
    assert_eq!((steady.decisions, steady.first, steady.last), (2, DecisionId(1), DecisionId(3)));
    let versions = reader.policy_versions(Some(KIND), 9).expect("versions");
    let told: Vec<_> = versions
        .iter()
        .map(|row| {
            (
                row.description.policy.name.as_str(),
                row.active,
                row.last_active.map(|at| at - START),
            )
        })
        .collect();
    assert_eq!(
        told,
        [("wild", false, None), ("bold", false, Some(80)), ("steady", false, Some(90))]
    );
}

/// A journal of the schema before, made by taking back what the migration adds.
#[test]
fn a_journal_of_the_schema_before_is_brought_up_to_date() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    let story = [
        vec![
            activated(1, "steady", None, StateHandover::Empty),
            decided_by(1, "steady", Link::Active, 1),
        ],
        vec![
            activated(2, "bold", None, StateHandover::Empty),
            decided_by(2, "bold", Link::Active, 2),
        ],
        vec![rolled_back(3, description("steady", KIND), "bold", Actor::BREAKER)],
        vec![
            activated(4, "wild", None, StateHandover::Empty),
            decided_by(3, "wild", Link::Active, 4),
        ],
        vec![rolled_back(5, description("steady", KIND), "wild", "cli")],
    ];
    for (at, batch) in (START..).zip(&story) {
        journal.append(at, batch, &[]).expect("appended");
    }
    let digest = description("steady", KIND).policy.digest;
    let code: std::sync::Arc<[u8]> = std::sync::Arc::from(&b"code"[..]);
    journal.append(START + 9, &[], &[(digest, code)]).expect("appended");
    let before = journal.reader().expect("a reader").generations(KIND).expect("generations");
    drop(journal);
    change(
        directory.path(),
        "DROP INDEX activations_open; DROP TABLE policy_canaries; DROP TABLE policy_pins; DROP TABLE policy_quarantines;
         ALTER TABLE activations DROP COLUMN set_number; ALTER TABLE activations DROP COLUMN state;
         ALTER TABLE activations DROP COLUMN confirm_by; ALTER TABLE activations DROP COLUMN confirmed_at;
         ALTER TABLE activations DROP COLUMN confirmed_by; ALTER TABLE activations DROP COLUMN decisions_before;
         ALTER TABLE activations DROP COLUMN decisions_until; ALTER TABLE activations DROP COLUMN ended_at;
         ALTER TABLE activations DROP COLUMN outcome;
         ALTER TABLE policy_codes ADD COLUMN code BLOB NOT NULL DEFAULT x'';
         UPDATE policy_codes SET code = (SELECT code FROM codes WHERE codes.checksum = policy_codes.checksum);
         DROP TABLE codes;
         DROP INDEX events_settings; ALTER TABLE sources DROP COLUMN text_seq; DROP TABLE campaigns; DROP TABLE imports; DROP TABLE locks;
         DELETE FROM migrations WHERE version >= 3; PRAGMA user_version = 2;",
    );
    let journal = open(directory.path());
    let reader = journal.reader().expect("a reader");
    assert_eq!(reader.generations(KIND).expect("generations"), before);
    assert_eq!(reader.policy_code(digest).expect("read").expect("code").code, b"code");
    sound(&reader);
}

#[test]
fn views_of_swaps_are_rebuilt_from_the_events() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    write_story(&mut journal);
    change(directory.path(), "UPDATE activations SET outcome = 'replaced' WHERE generation = 4");
    let reader = journal.reader().expect("a reader");
    assert!(matches!(&problems(&reader)[..], [Problem::ViewDiffers { view, .. }] if view == "activations"));
    journal.rebuild_views().expect("rebuilt");
    sound(&journal.reader().expect("a reader"));
}

fn change(directory: &Path, sql: &str) {
    let connection = Connection::open(directory.join("journal.db")).expect("opened");
    connection.execute_batch(sql).expect(sql);
}
