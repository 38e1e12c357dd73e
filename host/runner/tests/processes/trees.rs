//! Whole trees of processes are ended, however they try to get away.

use std::fs;

use pointsman_model::run::{FailureClass, RunEnd};
use pointsman_runner::ProcessId;

use super::bench::*;

pub(crate) const TESTS: &[crate::Test] = &[
    ("a_cancel_ends_a_trainer_that_is_polite", a_cancel_ends_a_trainer_that_is_polite),
    ("a_cancel_ends_a_trainer_that_ignores_it", a_cancel_ends_a_trainer_that_ignores_it),
    ("a_cancel_ends_a_stopped_trainer", a_cancel_ends_a_stopped_trainer),
    ("what_a_trainer_leaves_behind_is_ended", what_a_trainer_leaves_behind_is_ended),
    (
        "a_cancel_reaches_daemons_without_environment",
        a_cancel_reaches_daemons_without_environment,
    ),
    ("a_killed_supervisor_leaves_nobody", a_killed_supervisor_leaves_nobody),
    (
        "a_stopped_supervisor_does_not_keep_a_cancelled_run",
        a_stopped_supervisor_is_replaced,
    ),
    (
        "a_signal_to_the_supervisor_preempts_the_run",
        a_signal_to_the_supervisor_preempts_the_run,
    ),
    (
        "a_run_whose_directory_is_deleted_ends_with_its_supervisor",
        a_run_whose_directory_is_deleted_ends,
    ),
    ("processes_that_keep_forking_are_ended", processes_that_keep_forking_are_ended),
    ("no_zombies_are_left", no_zombies_are_left),
];

/// Starts daemons that left group, session, parent and pipes, and tells their numbers.
const DAEMONS: &str = r#"
    setsid sh -c 'setsid sh -c "echo \$\$ > $0/daemon1; exec sleep 1000" "$0" >/dev/null 2>&1 & exit' "$1" &
    setsid env -i sh -c 'echo $$ > "$0/daemon2"; trap "" TERM; while :; do /bin/sleep 0.1; done' "$1" >/dev/null 2>&1 &
    while [ ! -s "$1/daemon1" ] || [ ! -s "$1/daemon2" ]; do sleep 0.01; done
"#;

fn a_cancel_ends_a_trainer_that_is_polite() {
    let bench = Bench::with(
        "polite",
        r#"trap 'echo bye; exit 0' TERM; echo up > "$1/up"; while :; do sleep 0.01; done"#,
        |config| {
            // It is never used up.
            config.limits.grace_ms = 60_000;
        },
    );
    bench.want(&[training(1)]);
    bench.line("up");
    bench.want(&[cancelled(training(1))]);
    assert_eq!(bench.finished(1).end, RunEnd::Cancelled);
    let log = String::from_utf8(bench.log(1)).unwrap();
    assert!(log.lines().any(|line| line == "bye"), "{log}");
}

fn a_cancel_ends_a_trainer_that_ignores_it() {
    let bench = Bench::new(
        "stubborn",
        r#"trap '' TERM INT HUP; echo up > "$1/up"; while :; do sleep 0.05; done"#,
    );
    bench.want(&[training(1)]);
    bench.line("up");
    bench.want(&[cancelled(training(1))]);
    assert_eq!(bench.finished(1).end, RunEnd::Cancelled);
    assert!(bench.processes(1).is_empty());
}

fn a_cancel_ends_a_stopped_trainer() {
    let bench = Bench::new("stopped", r#"echo $$ > "$1/up"; exec sleep 1000"#);
    bench.want(&[training(1)]);
    let trainer = process(&bench.line("up"));
    trainer.signal(libc::SIGSTOP);
    bench.want(&[cancelled(training(1))]);
    assert_eq!(bench.finished(1).end, RunEnd::Cancelled);
    assert!(!trainer.is_alive());
}

fn what_a_trainer_leaves_behind_is_ended() {
    // They also keep the pipes open, which must not keep the run open.
    let script = format!(
        r#"{DAEMONS}
        setsid sleep 1000 &
        {COMPLETED}"#
    );
    let bench = Bench::new("leaves", &script);
    let report = bench.finish(1);
    assert!(matches!(report.end, RunEnd::Completed(_)), "{report:?}");
    check_daemons_are_gone(&bench);
}

fn a_cancel_reaches_daemons_without_environment() {
    let bench = Bench::new("daemons", &format!(r#"{DAEMONS} echo up > "$1/up"; sleep 1000"#));
    bench.want(&[training(1)]);
    bench.line("up");
    let daemons = ["daemon1", "daemon2"].map(|name| process(&bench.line(name)));
    bench.want(&[cancelled(training(1))]);
    assert_eq!(bench.finished(1).end, RunEnd::Cancelled);
    assert!(daemons.iter().all(|daemon| !daemon.is_alive()));
}

fn a_killed_supervisor_leaves_nobody() {
    let bench = Bench::new("killed-supervisor", &format!(r#"{DAEMONS} echo $$ > "$1/up"; sleep 1000"#));
    bench.want(&[training(1)]);
    let trainer = process(&bench.line("up"));
    let daemons = ["daemon1", "daemon2"].map(|name| process(&bench.line(name)));
    // The one without environment is known from the supervisor's notes.
    wait_until("notes", || {
        bench
            .directory(1)
            .read_processes()
            .iter()
            .any(|process| process.pid == daemons[1].pid)
    });
    bench.supervisor(1).signal(libc::SIGKILL);
    check_failed(&bench.finished(1), FailureClass::Infra, "the supervisor vanished");
    assert!(!trainer.is_alive() && daemons.iter().all(|daemon| !daemon.is_alive()));
}

/// As when somebody throws away the data of a host that is down: what still runs there has nobody to tell.
fn a_run_whose_directory_is_deleted_ends() {
    let mut bench = Bench::new("deleted-directory", r#"echo $$ > "$1/up"; exec sleep 1000"#);
    bench.want(&[training(1)]);
    let trainer = process(&bench.line("up"));
    let supervisor = bench.supervisor(1);
    bench.stop_host();
    std::fs::remove_dir_all(bench.directory(1).path()).expect("it is there");
    wait_until("the run to end", || !trainer.is_alive() && !supervisor.is_alive());
}

fn a_stopped_supervisor_is_replaced() {
    let bench = Bench::new("stopped-supervisor", r#"echo $$ > "$1/up"; exec sleep 1000"#);
    bench.want(&[training(1)]);
    let trainer = process(&bench.line("up"));
    bench.supervisor(1).signal(libc::SIGSTOP);
    bench.want(&[cancelled(training(1))]);
    assert_eq!(bench.finished(1).end, RunEnd::Cancelled);
    assert!(!trainer.is_alive());
}

fn a_signal_to_the_supervisor_preempts_the_run() {
    let bench = Bench::new("preempted", r#"echo $$ > "$1/up"; exec sleep 1000"#);
    bench.want(&[training(1)]);
    let trainer = process(&bench.line("up"));
    bench.supervisor(1).signal(libc::SIGTERM);
    check_failed(&bench.finished(1), FailureClass::Preempted, "signal");
    assert!(!trainer.is_alive());
}

fn processes_that_keep_forking_are_ended() {
    // Each of the ten hands on to a new session of its own all the time, and none of them listens.
    let script = r#"trap '' TERM; export relay="$1/relay"
        echo "trap '' TERM; sleep 0.01; setsid sh \"\$relay\" & exit" > "$relay"
        for i in 1 2 3 4 5 6 7 8 9 10; do sh "$relay" & done
        echo up > "$1/up"; sleep 1000"#;
    let bench = Bench::new("forking", script);
    bench.want(&[training(1)]);
    bench.line("up");
    wait_until("some generations", || bench.processes(1).len() > 10);
    bench.want(&[cancelled(training(1))]);
    assert_eq!(bench.finished(1).end, RunEnd::Cancelled);
    assert!(bench.processes(1).is_empty());
}

fn no_zombies_are_left() {
    let bench = Bench::new("zombies", COMPLETED);
    let runs: Vec<_> = (1..=20).map(training).collect();
    bench.want(&runs);
    (1..=20).for_each(|run| assert!(matches!(bench.finished(run).end, RunEnd::Completed(_))));
    let supervisors: Vec<i32> = (1..=20).map(|run| bench.supervisor(run).pid).collect();
    wait_until("all supervisors to be waited for", || {
        supervisors.iter().all(|pid| !fs::exists(format!("/proc/{pid}")).unwrap())
    });
}

fn check_daemons_are_gone(bench: &Bench) {
    for name in ["daemon1", "daemon2"] {
        let pid = bench.line(name);
        assert!(ProcessId::of(pid.parse().unwrap()).is_none(), "{name} lives");
    }
    assert!(bench.processes(1).is_empty());
}
