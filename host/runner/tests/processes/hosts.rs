//! Hosts come and go; runs and their outcomes stay.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use pointsman_model::run::{FailureClass, RunEnd};
use pointsman_model::wants::Wants;
use pointsman_runner::{ProcessId, Report, Runner};

use super::bench::*;

pub(crate) const TESTS: &[crate::Test] = &[
    (
        "what_is_wanted_many_times_is_started_once",
        what_is_wanted_many_times_is_started_once,
    ),
    ("a_new_host_takes_up_a_run_that_goes_on", a_new_host_takes_up_a_run_that_goes_on),
    ("an_outcome_is_told_again_after_a_restart", an_outcome_is_told_again_after_a_restart),
    (
        "an_outcome_found_by_the_next_host_is_told",
        an_outcome_found_by_the_next_host_is_told,
    ),
    ("a_killed_host_does_not_stop_its_run", a_killed_host_does_not_stop_its_run),
    ("a_directory_without_supervisor_gets_one", a_directory_without_supervisor_gets_one),
    ("two_supervisors_start_one_trainer", two_supervisors_start_one_trainer),
    ("a_reused_number_is_no_supervisor", a_reused_number_is_no_supervisor),
    (
        "a_run_that_nobody_wants_any_more_is_ended",
        a_run_that_nobody_wants_any_more_is_ended,
    ),
    ("another_attempt_replaces_a_stale_one", another_attempt_replaces_a_stale_one),
    ("a_late_want_starts_nothing_again", a_late_want_starts_nothing_again),
    (
        "a_run_cancelled_before_it_began_never_begins",
        a_run_cancelled_before_it_began_never_begins,
    ),
    ("a_damaged_directory_is_an_infra_failure", a_damaged_directory_is_an_infra_failure),
];

/// Each start leaves a line.
const COUNT: &str = r#"echo start >> "$1/starts""#;

fn starts(bench: &Bench) -> usize {
    fs::read_to_string(bench.path("starts")).unwrap_or_default().lines().count()
}

fn completes(bench: &Bench) {
    let report = bench.finished(1);
    assert!(matches!(report.end, RunEnd::Completed(_)), "{report:?}");
}

fn what_is_wanted_many_times_is_started_once() {
    let bench = Bench::new("many-times", &format!("{COUNT}; {WAIT}; {COMPLETED}"));
    let finished = |report: &Report| matches!(report, Report::Finished { .. });
    (0..50).for_each(|_| bench.want(&[training(1)]));
    bench.started(1);
    wait_until("the trainer", || starts(&bench) > 0);
    (0..50).for_each(|_| bench.want(&[training(1)]));
    bench.go();
    completes(&bench);
    (0..50).for_each(|_| bench.want(&[training(1)]));
    // Another run gets through all the doubles first.
    bench.want(&[training(1), training(2)]);
    bench.finished(2);
    assert_eq!(starts(&bench), 2);
    assert_eq!(bench.count_reports(finished), 0);
}

fn a_new_host_takes_up_a_run_that_goes_on() {
    let bench = Bench::new("takes-up", &format!("{COUNT}; {WAIT}; {COMPLETED}"));
    bench.want(&[training(1)]);
    wait_until("the trainer", || starts(&bench) > 0);
    let supervisor = bench.supervisor(1);
    let bench = bench.restart();
    assert!(supervisor.is_alive());
    bench.want(&[training(1)]);
    bench.started(1);
    bench.go();
    completes(&bench);
    assert_eq!((starts(&bench), bench.supervisor(1)), (1, supervisor));
}

fn an_outcome_is_told_again_after_a_restart() {
    let bench = Bench::new(
        "again",
        &format!(r#"{COUNT}; printf w > "$POINTSMAN_OUT_DIR/model.safetensors"; {COMPLETED}"#),
    );
    let first = bench.finish(1);
    let bench = bench.restart();
    bench.want(&[training(1)]);
    assert_eq!(bench.finished(1), first);
    assert_eq!(starts(&bench), 1);
}

fn an_outcome_found_by_the_next_host_is_told() {
    let mut bench = Bench::new("found", &format!("{COUNT}; {WAIT}; {COMPLETED}"));
    bench.want(&[training(1)]);
    wait_until("the trainer", || starts(&bench) > 0);
    bench.stop_host();
    bench.go();
    wait_until("the outcome", || bench.directory(1).exit().exists());
    let bench = bench.restart();
    bench.want(&[training(1)]);
    completes(&bench);
}

/// A host in a process of its own, until it is killed.
pub(crate) fn be_a_host(data_dir: &Path) -> ExitCode {
    let script = fs::read_to_string(data_dir.join("script")).unwrap();
    let runner = Runner::new(config(data_dir, &script), Box::new(|_| {})).unwrap();
    runner.reconcile(&Wants {
        runs: vec![training(1)],
        ..Wants::default()
    });
    loop {
        std::thread::park();
    }
}

fn a_killed_host_does_not_stop_its_run() {
    let script = format!("{COUNT}; {WAIT}; {COMPLETED}");
    let bench = Bench::new("killed-host", &script);
    fs::write(bench.path("script"), &script).unwrap();
    let mut host = Command::new(&bench.config.exe)
        .arg("host")
        .arg(&bench.config.data_dir)
        .spawn()
        .unwrap();
    wait_until("the trainer", || starts(&bench) > 0);
    host.kill().unwrap();
    host.wait().unwrap();
    bench.go();
    wait_until("the outcome", || bench.directory(1).exit().exists());
    bench.want(&[training(1)]);
    completes(&bench);
    assert_eq!(starts(&bench), 1);
}

fn a_directory_without_supervisor_gets_one() {
    // The host died between making the directory and starting a supervisor.
    let bench = Bench::new("unborn", &format!("{COUNT}; {COMPLETED}"));
    bench.make_directory(1);
    let bench = bench.restart();
    bench.want(&[training(1)]);
    completes(&bench);
    assert_eq!(starts(&bench), 1);
}

fn two_supervisors_start_one_trainer() {
    let bench = Bench::new("two", &format!("{COUNT}; {COMPLETED}"));
    bench.make_directory(1);
    let directory = bench.directory(1);
    let mut supervise = Command::new(&bench.config.exe);
    supervise.arg("supervise").arg(directory.path());
    let supervisors: Vec<_> = (0..8).map(|_| supervise.spawn().unwrap()).collect();
    supervisors
        .into_iter()
        .for_each(|mut supervisor| assert!(supervisor.wait().unwrap().success()));
    assert_eq!(starts(&bench), 1);
    assert!(directory.read_exit().unwrap().is_some());
}

fn a_reused_number_is_no_supervisor() {
    let mut bench = Bench::new("reused", r#"echo $$ > "$1/up"; exec sleep 1000"#);
    bench.want(&[training(1)]);
    let trainer = process(&bench.line("up"));
    let supervisor = bench.supervisor(1);
    bench.stop_host();
    supervisor.signal(libc::SIGKILL);
    wait_until("the supervisor's end", || !supervisor.is_alive());
    // Its number now belongs to somebody else: to us.
    let own = ProcessId::of(std::process::id() as i32).unwrap();
    let forged = ProcessId {
        pid: own.pid,
        ..supervisor
    };
    fs::write(bench.directory(1).supervisor(), serde_json::to_vec(&forged).unwrap()).unwrap();
    let bench = bench.restart();
    bench.want(&[training(1)]);
    check_failed(&bench.finished(1), FailureClass::Infra, "the supervisor vanished");
    assert!(own.is_alive() && !trainer.is_alive());
}

fn a_run_that_nobody_wants_any_more_is_ended() {
    let bench = Bench::new("unwanted", r#"echo $$ > "$1/up"; exec sleep 1000"#);
    bench.want(&[training(1)]);
    let trainer = process(&bench.line("up"));
    // A host that starts with other wants, as after a restored backup.
    let bench = bench.restart();
    bench.want(&[]);
    wait_until("the end of the run", || !trainer.is_alive() && !bench.directory(1).out().exists());
    assert!(bench.directory(1).exit().exists());
}

fn another_attempt_replaces_a_stale_one() {
    let bench = Bench::new("stale", &format!("{COUNT}; echo $$ > \"$1/up\"; {WAIT}; {COMPLETED}"));
    bench.want(&[training(1)]);
    let stale = process(&bench.line("up"));
    let bench = bench.restart();
    let mut wanted = training(1);
    wanted.run.token.term = 2;
    bench.want(std::slice::from_ref(&wanted));
    wait_until("the stale run's end", || !stale.is_alive());
    wait_until("the new run", || starts(&bench) == 2);
    bench.go();
    wait_until("its report", || {
        bench.count_reports(|report| matches!(report, Report::Finished { token, report } if *token == wanted.run.token && matches!(report.end, RunEnd::Completed(_)))) == 1
    });
}

fn a_late_want_starts_nothing_again() {
    let bench = Bench::with("late", &format!("{COUNT}; {COMPLETED}"), |config| config.keep_runs = 0);
    bench.finish(1);
    bench.want(&[]);
    wait_until("the directory to be deleted", || !bench.directory(1).path().exists());
    bench.want(&[training(1)]);
    check_failed(&bench.finished(1), FailureClass::Infra, "the run is over");
    assert_eq!(starts(&bench), 1);
}

fn a_run_cancelled_before_it_began_never_begins() {
    let bench = Bench::new("never", &format!("{COUNT}; {COMPLETED}"));
    bench.want(&[cancelled(training(1))]);
    assert_eq!(bench.finished(1).end, RunEnd::Cancelled);
    assert_eq!(starts(&bench), 0);
}

fn a_damaged_directory_is_an_infra_failure() {
    let bench = Bench::new("damaged", &format!("{COUNT}; {COMPLETED}"));
    fs::create_dir(bench.directory(1).path()).unwrap();
    fs::write(bench.directory(1).wanted(), "{\"token\":").unwrap();
    bench.want(&[training(1)]);
    check_failed(&bench.finished(1), FailureClass::Infra, "the run's directory is damaged");
    assert_eq!(starts(&bench), 0);
}
