//! What is appended is read back, in order and in whole batches; what could not be read back is refused.

use super::story::*;
use crate::common::*;
use pointsman_journal::*;
use pointsman_model::Seq;
use pointsman_model::decision::{GateVerdict, Subject, Verdict};
use pointsman_model::event::{Emitted, Recording};
use pointsman_model::policy::PolicyKind;

#[test]
fn what_is_appended_is_read_back_in_order() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    let expected = write_story(&mut journal);
    let reader = journal.reader().expect("a reader");
    let read: Vec<_> = reader
        .events_after(Seq(0), 1_000)
        .expect("events")
        .into_iter()
        .map(|r| (r.seq, r.at, r.event))
        .collect();
    assert_eq!(read, expected);
    assert_eq!(reader.last_seq().expect("a position"), journal.last_seq());
    assert_eq!(
        reader
            .events_after(Seq(3), 2)
            .expect("events")
            .iter()
            .map(|r| r.seq.0)
            .collect::<Vec<_>>(),
        [4, 5]
    );
    let tail: Vec<_> = reader.tail(3).expect("events").into_iter().map(|r| r.seq).collect();
    assert_eq!(
        tail,
        expected[expected.len() - 3..].iter().map(|(seq, ..)| *seq).collect::<Vec<_>>()
    );

    // And by the next start, from the file alone.
    let (last, hash) = (journal.last_seq(), journal.last_hash());
    drop((journal, reader));
    let mut journal = open(directory.path());
    assert_eq!((journal.last_seq(), journal.last_hash()), (last, hash));
    assert_eq!(journal.append(START, &[queued(3)], &[]).expect("appended"), Seq(last.0 + 1));
    let report = journal
        .reader()
        .expect("a reader")
        .verify(&VerifyOptions {
            views: true,
            anchor: Some((last, hash)),
        })
        .expect("verified");
    assert_eq!((report.problems, report.entries, report.recordings), (vec![], last.0 + 1, 5));
}

#[test]
fn a_large_batch_is_as_many_small_ones() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    let events: Vec<_> = (1..=75).map(queued).collect();
    assert_eq!(journal.append(START, &events, &[]).expect("appended"), Seq(1));
    let reader = journal.reader().expect("a reader");
    let read: Vec<_> = reader
        .events_after(Seq(0), 1_000)
        .expect("events")
        .into_iter()
        .map(|recorded| recorded.event)
        .collect();
    assert_eq!(read, events.into_iter().map(|emitted| emitted.event).collect::<Vec<_>>());
    assert_eq!(problems(&reader), []);
}

#[test]
fn a_journal_can_be_looked_at_while_no_host_runs() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    write_story(&mut journal);
    let last = journal.last_seq();
    drop(journal);
    assert!(
        !directory.path().join("journal.db-wal").exists(),
        "the log is moved and removed when the last one closes"
    );
    let reader = Reader::open(directory.path().join("journal.db")).expect("a reader");
    assert_eq!((reader.last_seq().expect("read"), problems(&reader)), (last, vec![]));
}

#[test]
fn the_last_batch_can_be_passed_on_as_it_was_written() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    journal.append(START, &[queued(1), started(1, 1)], &[]).expect("appended");
    let reader = journal.reader().expect("a reader");
    let written: Vec<_> = journal.appended().map(|(seq, payload)| (seq, payload.to_string())).collect();
    let read: Vec<_> = reader
        .entries_after(Seq(0), 9)
        .expect("entries")
        .into_iter()
        .map(|entry| (entry.seq, entry.payload))
        .collect();
    assert_eq!(written, read);
}

#[test]
fn what_could_not_be_read_back_is_not_written() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    let mut broken = ruling(Verdict::Gate(GateVerdict::Hold), 3);
    broken.advice.reasons[0].margin = Some(f64::NAN);
    let decision = decided(
        1,
        PolicyKind::PromotionGate,
        Subject::Candidate(tag(1)),
        broken,
        &selection_context(0),
    );
    let error = journal.append(START, &[queued(1), decision], &[]).expect_err("refused");
    assert!(
        matches!(
            error,
            AppendError::Unwritable {
                index: 1,
                kind: "decided",
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("`margin`"), "{error}");
    let stray = Emitted {
        recording: Some(Recording {
            context: vec![1],
            scores: None,
        }),
        ..queued(1)
    };
    assert!(matches!(
        journal.append(START, &[stray], &[]),
        Err(AppendError::Unwritable { index: 0, .. })
    ));
    assert_eq!(journal.append(START, &[queued(1)], &[]).expect("appended"), Seq(1));
}

#[test]
fn readers_see_whole_batches_while_the_writer_writes() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    let reader = journal.reader().expect("a reader");
    let (batches, per_batch) = (150, 7);
    let watcher = std::thread::spawn(move || {
        let mut seen = 0;
        while seen < batches * per_batch {
            let last = reader.last_seq().expect("read").0;
            assert!(last >= seen && last.is_multiple_of(per_batch), "{last} after {seen}");
            assert_eq!(
                reader
                    .events_after(Seq(seen), 10_000)
                    .expect("read")
                    .first()
                    .map(|r| r.seq.0)
                    .unwrap_or(seen + 1),
                seen + 1
            );
            seen = last;
        }
    });
    for batch in 0..batches {
        let events: Vec<_> = (1..=per_batch).map(|n| queued(batch * per_batch + n)).collect();
        journal.append(START, &events, &[]).expect("appended");
    }
    watcher.join().expect("the reader saw what it should");
}
