//! Killed at any moment, the journal has all it acknowledged, and is sound.
//!
//! This program starts itself again as a writer that appends in a loop and prints each position it was given, kills it
//! with SIGKILL at a random moment, and looks at what is there. Where strace may be used, it also runs the writer on a
//! disk whose syncs and writes fail now and then.
//!
//! The writer can be run by hand, such as on a small tmpfs: `POINTSMAN_TEST_CRASH_WRITER=DIRECTORY crash-...`. It reopens
//! after a refusal, as the host does, and says what it was refused; after many refusals in a row it ends by itself.

mod common;

use common::*;
use pointsman_journal::{Journal, OpenOptions, Reader, VerifyOptions};
use pointsman_model::Seq;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

const WRITER_ENV: &str = "POINTSMAN_TEST_CRASH_WRITER";

/// The writer ends by itself at this entry.
const END_ENV: &str = "POINTSMAN_TEST_CRASH_END";

/// `POINTSMAN_TEST_KILLS` asks for more.
const KILLS: u64 = 25;

fn main() {
    match std::env::var_os(WRITER_ENV) {
        Some(directory) => write_until_killed(Path::new(&directory)),
        None => {
            kill_writers();
            fail_now_and_then("fsync", 40);
            fail_now_and_then("pwrite64", 150);
        }
    }
}

fn write_until_killed(directory: &Path) {
    // Checkpoints all the time and a log that starts over often: more moments at which something can go wrong.
    let mut options = OpenOptions::default();
    options.checkpoints.interval = std::time::Duration::from_millis(1);
    options.checkpoints.log_bytes_max = 256 << 10;
    let mut journal = Journal::open(directory.join("journal.db"), options).expect("opens after a crash");
    let end = number_from(END_ENV).unwrap_or(u64::MAX);
    let mut next = journal.last_seq().0 + 1;
    let mut refusals = 0;
    while refusals < 100 && next < end {
        // Sources, runs and decisions are numbered by entry, so that every start begins with fresh ones.
        let mut batch = Vec::new();
        for n in 0..next % 4 + 1 {
            batch.extend(cycle(next + n * 5, 3));
        }
        match journal.append(START + next, &batch, &[]) {
            Ok(first) => assert_eq!(first, Seq(next)),
            Err(error) if error.may_pass() => {
                refusals += 1;
                eprintln!("refused: {error:?}");
                match journal.reopen() {
                    Ok(()) => assert_eq!(journal.last_seq().0 + 1, next, "a refused batch is not there, and all before it is"),
                    Err(error) => assert!(error.may_pass(), "{error:?}"),
                }
                continue;
            }
            Err(error) => panic!("{error:?}"),
        }
        refusals = 0;
        next = journal.last_seq().0 + 1;
        if next.is_multiple_of(16)
            && let Err(error) = journal.store_snapshot(journal.last_seq(), &[1; 20_000])
        {
            eprintln!("refused: {error:?}");
            if journal.must_reopen()
                && let Err(error) = journal.reopen()
            {
                assert!(error.may_pass(), "{error:?}");
                continue;
            }
        }
        // A line is one write to the pipe, which stays readable after our death.
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", journal.last_seq())
            .and_then(|()| out.flush())
            .expect("the parent listens");
    }
}

fn kill_writers() {
    let kills = number_from("POINTSMAN_TEST_KILLS").unwrap_or(KILLS);
    let directory = tempfile::tempdir().expect("a directory");
    let mut random = number_from("POINTSMAN_TEST_SEED").unwrap_or(std::process::id().into());
    println!("seed {random}, {kills} kills");
    let mut acknowledged = 0;
    for kill in 0..kills {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        // A number of acknowledgements and then a moment of spinning: never the same place in the loop.
        let (lines, spin) = (random >> 59, (random >> 40) % 400_000);
        let mut writer = Command::new(std::env::current_exe().expect("this program"))
            .env(WRITER_ENV, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a writer");
        let mut out = BufReader::new(writer.stdout.take().expect("its output")).lines();
        let mut take = |line: String| acknowledged = line.parse().expect("a position");
        for _ in 0..=lines {
            take(out.next().expect("the writer lives").expect("its output"));
        }
        (0..spin).for_each(|n| {
            std::hint::black_box(n);
        });
        writer.kill().expect("killed");
        // What it said before it died is acknowledged, too; a last line may be cut short.
        out.map_while(Result::ok).for_each(|line| {
            if let Ok(seq) = line.parse::<u64>() {
                acknowledged = acknowledged.max(seq);
            }
        });
        writer.wait().expect("gone");

        // First someone who may only look, while the log still has to be recovered.
        let path = directory.path().join("journal.db");
        let looked = Reader::open(&path).expect("opens after a crash").last_seq().expect("a position");
        assert!(
            looked.0 >= acknowledged,
            "kill {kill}: entry {acknowledged} was acknowledged, a reader sees {looked}"
        );
        let journal = Journal::open(&path, OpenOptions::default()).expect("opens after a crash");
        assert!(
            journal.last_seq().0 >= acknowledged,
            "kill {kill}: entry {acknowledged} was acknowledged, the last is {}",
            journal.last_seq()
        );
        let last = kill + 1 == kills;
        let report = journal
            .reader()
            .expect("a reader")
            .verify(&VerifyOptions { views: last, anchor: None })
            .expect("verified");
        assert!(report.is_sound(), "kill {kill}: {:?}", report.problems);
        assert_eq!(report.entries, journal.last_seq().0, "kill {kill}");
    }
    println!("{acknowledged} entries acknowledged, none lost");
}

/// One call in `each` fails with EIO; the first ones do not, so that the journal can be opened.
fn fail_now_and_then(call: &str, each: u32) {
    let strace = |directory: &Path, end: &str, inject: &str| {
        let expression = format!("inject={call}:{inject}");
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &expression]);
        command
            .arg(std::env::current_exe().expect("this program"))
            .env(WRITER_ENV, directory)
            .env(END_ENV, end);
        command.output()
    };
    let directory = tempfile::tempdir().expect("a directory");
    if !strace(directory.path(), "2", "delay_enter=1").is_ok_and(|output| output.status.success()) {
        println!("strace may not be used here: a failing {call} was not tried");
        return;
    }
    let output = strace(directory.path(), "3000", &format!("error=EIO:when={each}+{each}")).expect("it ran before");
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{complaints}");
    let acknowledged: u64 = String::from_utf8_lossy(&output.stdout)
        .lines()
        .last()
        .expect("some were acknowledged")
        .parse()
        .expect("a position");
    let refused = complaints.lines().filter(|line| line.starts_with("refused: ")).count();
    assert!(refused > 0, "{call} never failed");
    let reader = Reader::open(directory.path().join("journal.db")).expect("a reader");
    let report = reader.verify(&VerifyOptions { views: true, anchor: None }).expect("verified");
    assert!(report.is_sound(), "{call}: {:?}", report.problems);
    assert_eq!(report.entries, acknowledged);
    println!("{call} failed: {refused} batches refused, {acknowledged} entries acknowledged, none lost");
}

fn number_from(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}
