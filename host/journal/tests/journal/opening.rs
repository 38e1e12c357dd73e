//! How a journal starts: from snapshots, one host per directory, and no file of another program.

use super::story::*;
use crate::common::*;
use pointsman_journal::*;
use pointsman_model::Seq;
use std::path::Path;

#[test]
fn snapshots_the_last_two_are_kept_and_a_damaged_one_is_passed_over() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    let reader = journal.reader().expect("a reader");
    assert_eq!(reader.latest_snapshot().expect("read"), None);
    write_story(&mut journal);
    for seq in [5, 10, 20] {
        journal.store_snapshot(Seq(seq), &[seq as u8; 9_000]).expect("stored");
    }
    assert_eq!(reader.latest_snapshot().expect("read"), Some((Seq(20), vec![20; 9_000])));
    assert!(matches!(
        journal.store_snapshot(Seq(26), b""),
        Err(SnapshotError::AheadOfJournal { .. })
    ));
    change(directory.path(), "UPDATE snapshots SET bytes = zeroblob(9000) WHERE seq = 20");
    assert_eq!(reader.latest_snapshot().expect("read"), Some((Seq(10), vec![10; 9_000])));
    change(directory.path(), "UPDATE snapshots SET checksum = randomblob(32)");
    assert_eq!(reader.latest_snapshot().expect("read"), None);
}

#[test]
fn one_host_per_directory() {
    let directory = tempfile::tempdir().expect("a directory");
    let journal = open(directory.path());
    let again = |name: &str| {
        Journal::open(directory.path().join(name), OpenOptions::default())
            .err()
            .expect("refused")
    };
    for name in ["journal.db", "other.db"] {
        let error = again(name);
        assert!(
            matches!(error, OpenError::Locked { holder: Some(pid), .. } if pid == std::process::id()),
            "{error}"
        );
        assert!(error.to_string().contains("stop that one"), "{error}");
    }
    drop(journal);
    open(directory.path());
}

#[test]
fn foreign_and_newer_files_are_refused_and_left_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("journal.db");
    let refused = |path: &Path| {
        let before = std::fs::read(path).expect("read");
        let writer = Journal::open(path, OpenOptions::default()).err().expect("refused");
        let reader = Reader::open(path).err().expect("refused");
        assert_eq!(writer.to_string(), reader.to_string());
        assert_eq!(std::fs::read(path).expect("read"), before);
        writer
    };
    std::fs::write(&path, "a diary, ".repeat(1_000)).expect("written");
    let error = refused(&path);
    assert!(matches!(error, OpenError::NotPointsman { .. }), "{error}");

    std::fs::remove_file(&path).expect("removed");
    change(directory.path(), "CREATE TABLE bookmarks (url TEXT)");
    let error = refused(&path);
    assert!(matches!(error, OpenError::NotPointsman { .. }), "{error}");
    assert!(error.to_string().contains("another program"), "{error}");

    std::fs::remove_file(&path).expect("removed");
    drop(open(directory.path()));
    change(directory.path(), "PRAGMA user_version = 99");
    let error = refused(&path);
    assert!(matches!(error, OpenError::NewerSchema { found: 99, .. }), "{error}");
    assert!(error.to_string().contains("start the newer version"), "{error}");

    change(
        directory.path(),
        "PRAGMA user_version = 1; UPDATE migrations SET checksum = 'other'",
    );
    let error = Journal::open(&path, OpenOptions::default()).err().expect("refused");
    assert!(matches!(error, OpenError::ForeignMigration { number: 1, .. }), "{error}");
    assert!(matches!(
        Reader::open(directory.path().join("none.db")),
        Err(OpenError::Missing { .. })
    ));
    let nowhere = Journal::open(directory.path().join("no/such/journal.db"), OpenOptions::default())
        .err()
        .expect("refused");
    assert!(matches!(nowhere, OpenError::Directory { .. }), "{nowhere}");
}
