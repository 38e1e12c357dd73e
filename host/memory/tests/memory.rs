//! What is remembered, found again and given to runs.

use pointsman_memory::{Cue, End, FAILURES, Mark, Memory, MemoryError, Outcome, SAME_HOST, SIMILAR};
use pointsman_model::protocol::SpecMemory;
use pointsman_model::wants::RecallBudget;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const NOW: u64 = 1_700_000_000_000;
const BUDGET: RecallBudget = RecallBudget {
    same_host_chars: 400,
    similar_chars: 400,
    failures_chars: 200,
};

fn place(directory: &TempDir) -> PathBuf {
    directory.path().join("memory.sqlite")
}

fn open(path: &Path) -> Memory {
    let started = Memory::open(path).expect("it opens");
    assert_eq!(started.anew, None);
    started.memory
}

fn success(run: u64, host: &str, title: &str, body: &str) -> Outcome {
    Outcome {
        run,
        source: run,
        attempt: 1,
        seq: run * 10,
        at: NOW + run,
        host: Some(host.to_string()),
        title: title.to_string(),
        body: body.to_string(),
        end: End::Success {
            steps: Some(400),
            loss_before: Some(4.0),
            loss_after: Some(3.5),
            model: Some(format!("m-{run}")),
        },
    }
}

fn failure(run: u64, source: u64, error: &str) -> Outcome {
    Outcome {
        run,
        source,
        end: End::Failure {
            class: "transient".to_string(),
            error: error.to_string(),
        },
        ..success(run, "novel", "Chapter", "a text that is not kept")
    }
}

fn mark(seq: u64) -> Mark {
    Mark {
        seq,
        hash: vec![seq as u8; 32],
    }
}

fn runs(memory: &SpecMemory, slot: &str) -> Vec<u64> {
    let slot = memory.slots.iter().find(|found| found.slot == slot).expect("the slot is there");
    slot.items.iter().map(|item| item.run).collect()
}

#[test]
fn the_same_stretch_twice_leaves_one_record_each() {
    let directory = TempDir::new().expect("a directory");
    let mut memory = open(&place(&directory));
    let stretch = [success(1, "novel", "Whales", "of whales"), failure(2, 9, "disk gone")];
    memory.ingest(NOW, &stretch, &mark(20)).expect("ingested");
    let (once, words) = (
        memory.digest().expect("a digest"),
        memory.search("whales", 10).expect("found").len(),
    );
    memory.ingest(NOW, &stretch, &mark(20)).expect("ingested again");
    assert_eq!(memory.digest().expect("a digest"), once);
    assert_eq!((memory.outcomes().expect("counted"), words), (2, 1));
    assert_eq!(memory.search("whales", 10).expect("found").len(), 1, "nor is a word indexed twice");
    let status = memory.status(NOW).expect("a status");
    assert_eq!((status.seq, status.successes, status.failures, status.ingested_30m), (20, 1, 1, 2));
    assert_eq!(memory.status(NOW + 31 * 60_000).expect("a status").ingested_30m, 0);
    // It comes back as it was.
    drop(memory);
    assert_eq!(open(&place(&directory)).digest().expect("a digest"), once);
}

#[test]
fn the_cut_of_stretches_does_not_matter() {
    let digest = |stretches: &[&[u64]]| {
        let directory = TempDir::new().expect("a directory");
        let mut memory = open(&place(&directory)).keeping(3);
        for stretch in stretches {
            let outcomes: Vec<Outcome> = stretch.iter().map(|run| success(*run, "novel", "A title", "A text")).collect();
            let end = stretch.last().expect("not empty") * 10;
            memory.ingest(NOW, &outcomes, &mark(end)).expect("ingested");
        }
        assert_eq!(memory.newest(10).expect("read").len(), 3, "the newest are kept");
        assert_eq!(memory.outcomes().expect("counted"), 5, "and all are counted");
        memory.digest().expect("a digest")
    };
    assert_eq!(digest(&[&[1, 2, 3, 4, 5]]), digest(&[&[1], &[2, 3], &[4], &[5]]));
}

#[test]
fn no_question_is_an_error_of_the_database() {
    let directory = TempDir::new().expect("a directory");
    let mut memory = open(&place(&directory));
    memory
        .ingest(NOW, &[success(1, "novel", "Drop table", "near the sea")], &mark(10))
        .expect("ingested");
    for hostile in [
        "\"",
        "'",
        "*",
        "a*",
        "^a",
        "NEAR(a b, 5)",
        "a OR",
        "AND",
        "NOT a",
        "title:a",
        "{title body}:a",
        "-a",
        "+",
        "(",
        ")",
        "a\0b",
        "\"unclosed",
        "'; DROP TABLE items; --",
        "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 ²³",
        "\u{202e}",
        &"word ".repeat(10_000),
        &"x".repeat(100_000),
    ] {
        match memory.search(hostile, 5) {
            Ok(_) | Err(MemoryError::NoWords(_)) => {}
            Err(error) => panic!("{hostile:?}: {error:?}"),
        }
        let cue = Cue {
            source: 7,
            attempt: 1,
            host: Some(hostile),
            title: hostile,
            body: hostile,
        };
        memory.recall(&cue, &BUDGET).expect("a source's words are no syntax");
    }
    assert_eq!(
        memory.search("drop; TABLE", 5).expect("found").len(),
        1,
        "the words themselves are found"
    );
}

#[test]
fn slots_are_filled_within_their_budgets() {
    let directory = TempDir::new().expect("a directory");
    let mut memory = open(&place(&directory));
    let outcomes = [
        success(1, "novel", "The white whale", &"whale ".repeat(100)),
        success(2, "code", "Whales in code", "a whale of a function"),
        success(3, "novel", "Same text again", &"whale ".repeat(100)),
        success(4, "events", "Nothing alike", "zebra"),
        failure(5, 9, "\n out of luck \n and more"),
        success(6, "novel", "Own earlier success", "whale"),
    ];
    let mut outcomes = outcomes.to_vec();
    outcomes[5].source = 9;
    memory.ingest(NOW, &outcomes, &mark(60)).expect("ingested");
    let cue = Cue {
        source: 9,
        attempt: 2,
        host: Some("novel"),
        title: "whale",
        body: "",
    };
    let given = memory.recall(&cue, &BUDGET).expect("recalled");
    assert_eq!(
        runs(&given, SAME_HOST),
        [3],
        "the newest of the host; one that says the same is not given twice"
    );
    assert_eq!(
        runs(&given, SIMILAR),
        [2],
        "what is alike, of another host; not what is given already"
    );
    assert_eq!(runs(&given, FAILURES), [5]);
    for slot in &given.slots {
        let used: usize = slot
            .items
            .iter()
            .map(|item| item.title.chars().count() + item.summary.chars().count() + item.text.chars().count())
            .sum();
        assert_eq!(used, slot.used_chars as usize);
        assert!(slot.used_chars <= slot.budget_chars, "{slot:?}");
    }
    let same_host = &given.slots[0].items[0];
    assert!(same_host.cut, "a long text is cut to what there is room for");
    assert_eq!(same_host.summary, "made m-3 in 400 steps: 4.000 to 3.500 bits per byte");
    assert_eq!(given.slots[2].items[0].summary, "failed (transient): out of luck");
    assert_eq!(given.slots[2].items[0].text, "", "of a failure only its words are kept");
    assert_eq!(given.gaps, ["slot_underfilled:similar", "slot_underfilled:failures"]);
    let none = memory.recall(&cue, &RecallBudget::default()).expect("recalled");
    assert_eq!(none, SpecMemory::default(), "without a budget there is no slot");
}

#[test]
fn a_damaged_file_is_begun_anew_and_says_so() {
    let directory = TempDir::new().expect("a directory");
    let path = place(&directory);
    let mut memory = open(&path);
    memory
        .ingest(NOW, &[success(1, "novel", "Whales", "text")], &mark(10))
        .expect("ingested");
    drop(memory);
    for damage in [&b"this is no database at all, however long it may be, and it never was"[..], &[]] {
        let mut bytes = std::fs::read(&path).expect("read");
        bytes[..damage.len()].copy_from_slice(damage);
        let middle = bytes.len() / 2;
        bytes[middle..].fill(0xAA);
        std::fs::write(&path, &bytes).expect("damaged");
        let started = Memory::open(&path).expect("it opens all the same");
        let word = started.anew.clone().expect("it says why");
        assert!(word.contains("memory.sqlite"), "{word}");
        assert_eq!(
            started.memory.cursor().expect("a cursor"),
            Mark::default(),
            "and reads the journal from its beginning"
        );
        drop(started);
        let mut memory = open(&path);
        let many: Vec<Outcome> = (1..300)
            .map(|run| success(run, "novel", "Whales", &"a text of whales ".repeat(20)))
            .collect();
        memory.ingest(NOW, &many, &mark(10)).expect("ingested");
    }
    // Of somebody else: it is not ours to read. It is no journal either, since that has another name.
    std::fs::write(&path, "").expect("emptied");
    assert_eq!(Memory::open(&path).expect("opens").anew, None, "an empty file is a new memory");
}
