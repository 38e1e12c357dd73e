//! Killed at any moment while it ingests, the memory is what one ingest without a break makes of the same journal.
//!
//! This program starts itself again as a consumer that reads a made-up journal from its cursor on, kills it with SIGKILL at a
//! random moment, and goes on until all is read.

use pointsman_memory::{End, Mark, Memory, Outcome};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

const CONSUMER_ENV: &str = "POINTSMAN_TEST_MEMORY";
const OUTCOMES: u64 = 400;
const KILLS: u64 = 15;

fn main() {
    match std::env::var_os(CONSUMER_ENV) {
        Some(path) => consume(Path::new(&path), |end| {
            println!("{end}");
            std::io::stdout().flush().expect("told");
        }),
        None => kill_consumers(),
    }
}

fn outcome(run: u64) -> Outcome {
    let end = match run % 4 {
        0 => End::Failure {
            class: "crash".to_string(),
            error: format!("run {run} went down"),
        },
        _ => End::Success {
            steps: Some(run as u32),
            loss_before: Some(4.0),
            loss_after: Some(3.0 + 1.0 / run as f64),
            model: Some(format!("m-{run}")),
        },
    };
    Outcome {
        run,
        source: run / 2,
        attempt: 1,
        seq: run * 3,
        at: run * 1_000,
        host: Some(format!("host-{}", run % 7)),
        title: format!("Title {run}"),
        body: format!("body {run} ").repeat(100),
        end,
    }
}

/// From the cursor on, stretches of one to five outcomes.
fn consume(path: &Path, tell: impl Fn(u64)) {
    let mut memory = Memory::open(path).expect("opens after a crash").memory;
    loop {
        let next = memory.cursor().expect("a cursor").seq / 3 + 1;
        if next > OUTCOMES {
            return;
        }
        let end = (next + next % 5).min(OUTCOMES);
        let stretch: Vec<Outcome> = (next..=end).map(outcome).collect();
        let mark = Mark {
            seq: end * 3,
            hash: end.to_le_bytes().to_vec(),
        };
        memory.ingest(1, &stretch, &mark).expect("ingested");
        tell(end);
    }
}

fn kill_consumers() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let whole = directory.path().join("whole.sqlite");
    consume(&whole, |_| {});
    let broken = directory.path().join("broken.sqlite");
    let mut kills = 0;
    loop {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .env(CONSUMER_ENV, &broken)
            .stdout(Stdio::piped())
            .spawn()
            .expect("a consumer starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let spare = (kills * 7) % 11;
        let told = lines.by_ref().take(spare as usize + 1).map_while(Result::ok).count() as u64;
        if kills < KILLS {
            // It goes on writing while it is killed.
            child.kill().expect("killed");
            kills += 1;
        } else {
            lines.by_ref().for_each(drop);
        }
        let ended = child.wait().expect("it ended");
        if ended.success() {
            break;
        }
        assert!(told <= spare + 1);
    }
    assert!(kills >= 5, "it was killed {kills} times only");
    let open = |path: &Path| {
        let started = Memory::open(path).expect("opens");
        assert_eq!(started.anew, None, "a kill is no damage");
        started.memory
    };
    let (whole, broken) = (open(&whole), open(&broken));
    assert_eq!(broken.outcomes().expect("counted"), OUTCOMES);
    assert_eq!(broken.digest().expect("a digest"), whole.digest().expect("a digest"));
    println!("{kills} kills, {OUTCOMES} outcomes, the same memory");
}
