//! Nothing can be changed unnoticed: entries, the chain, the views, the end.

use super::story::*;
use crate::common::*;
use pointsman_journal::*;
use pointsman_model::{DecisionId, Seq};

#[test]
fn every_change_of_an_entry_is_found() {
    let check = |sql: &str, expected: &[Problem]| {
        let directory = tempfile::tempdir().expect("a directory");
        let mut journal = open(directory.path());
        write_story(&mut journal);
        let reader = journal.reader().expect("a reader");
        assert_eq!(problems(&reader), [], "before: {sql}");
        change(directory.path(), sql);
        assert_eq!(problems(&reader), expected, "{sql}");
    };
    let altered = |seq| Problem::Altered { seq: Seq(seq) };
    check(
        "UPDATE events SET payload = replace(payload, 'novel', 'Novel') WHERE seq = 3",
        &[altered(3)],
    );
    check("UPDATE events SET at = at + 1 WHERE seq = 3", &[altered(3)]);
    check("UPDATE events SET hash = randomblob(32) WHERE seq = 3", &[altered(3), altered(4)]);
    check(
        "UPDATE events SET kind = 'host_started' WHERE seq = 3",
        &[Problem::Mislabelled {
            seq: Seq(3),
            listed: "host_started".into(),
            actual: "source_queued".into(),
        }],
    );
    check(
        "DELETE FROM events WHERE seq = 3",
        &[Problem::Missing {
            first: Seq(3),
            last: Seq(3),
        }],
    );
    check(
        "DELETE FROM events WHERE seq = 1",
        &[Problem::Missing {
            first: Seq(1),
            last: Seq(1),
        }],
    );
    check(
        "DELETE FROM events WHERE seq > 20",
        &[Problem::ChangedEnd {
            last: Seq(20),
            named: Seq(25),
        }],
    );
    check(
        "UPDATE events SET seq = -1 WHERE seq = 3; UPDATE events SET seq = 3 WHERE seq = 4; UPDATE events SET seq = 4 WHERE seq = -1",
        &[altered(3), altered(4), altered(5)],
    );
    // Renumbering closes the gap, and breaks the chain.
    check(
        "DELETE FROM events WHERE seq = 24; UPDATE events SET seq = 24 WHERE seq = 25",
        &[
            altered(24),
            Problem::ChangedEnd {
                last: Seq(24),
                named: Seq(25),
            },
        ],
    );
    check(
        "UPDATE recordings SET context = x'0102' WHERE decision = 2",
        &[Problem::RecordingAltered { decision: DecisionId(2) }],
    );
    check(
        "INSERT INTO recordings VALUES (77, x'00', NULL)",
        &[Problem::RecordingsAdded { rows: 1 }],
    );
    check(
        "DELETE FROM decisions WHERE id = 2",
        &[Problem::DecisionCount { rows: 4, events: 5 }],
    );
}

#[test]
fn a_chain_made_anew_is_found_by_an_anchor() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    write_story(&mut journal);
    let anchor = (journal.last_seq(), journal.last_hash());
    drop(journal);
    std::fs::remove_file(directory.path().join("journal.db")).expect("removed");
    let mut journal = open(directory.path());
    for n in 1..=anchor.0.0 + 3 {
        journal.append(START, &[queued(n)], &[]).expect("appended");
    }
    let reader = journal.reader().expect("a reader");
    assert_eq!(problems(&reader), []);
    let options = VerifyOptions {
        anchor: Some(anchor),
        ..Default::default()
    };
    assert_eq!(
        reader.verify(&options).expect("verified").problems,
        [Problem::NotTheAnchor { seq: anchor.0 }]
    );
}

#[test]
fn a_changed_view_is_found_and_made_anew() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    write_story(&mut journal);
    let reader = journal.reader().expect("a reader");
    let options = VerifyOptions {
        views: true,
        ..Default::default()
    };
    let sound = reader.verify(&options).expect("verified");
    // 2 sources, 2 runs, 1 model, 3 roles, 1 candidate, 2 versions, 2 activations, 5 decisions.
    assert_eq!((sound.problems, sound.view_rows), (vec![], 18));
    change(
        directory.path(),
        "UPDATE runs SET model = 'm-9' WHERE id = 2; DELETE FROM model_roles; INSERT INTO sources SELECT id + 7, title, host, lane, origin, campaign, campaign_row, priority, status, held, reason, attempts, first_run, queued_at, retry_at, finished_at, decision, text_seq FROM sources WHERE id = 1",
    );
    let differs = |view: &str, row| Problem::ViewDiffers { view: view.into(), row };
    assert_eq!(
        reader.verify(&options).expect("verified").problems,
        [differs("sources", 8), differs("runs", 2), differs("model_roles", 15)]
    );
    journal.rebuild_views().expect("rebuilt");
    assert_eq!(reader.verify(&options).expect("verified").problems, []);
}

#[test]
fn a_cut_end_is_not_carried_on_with_unasked() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    write_story(&mut journal);
    drop(journal);
    change(directory.path(), "DELETE FROM events WHERE seq > 20");
    let path = directory.path().join("journal.db");
    let error = Journal::open(&path, OpenOptions::default()).err().expect("refused");
    assert!(
        matches!(
            error,
            OpenError::ChangedEnd {
                named: Seq(25),
                last: Seq(20),
                ..
            }
        ),
        "{error}"
    );
    let mut journal = Journal::open(
        &path,
        OpenOptions {
            accept_changed_end: true,
            ..Default::default()
        },
    )
    .expect("accepted");
    assert_eq!(journal.append(START, &[queued(9)], &[]).expect("appended"), Seq(26));
    assert_eq!(
        problems(&journal.reader().expect("a reader"))[0],
        Problem::Missing {
            first: Seq(21),
            last: Seq(25)
        }
    );
}
