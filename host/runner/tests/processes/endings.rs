//! How runs end, and what is made of it.

use std::fs;

use pointsman_model::Digest;
use pointsman_model::run::{FailureClass, HostLoss, ModelFile, Pair, RunClass, RunEnd, Work};
use pointsman_runner::{RunEvent, Sample, read_events, read_samples};

use super::bench::*;

pub(crate) const TESTS: &[crate::Test] = &[
    (
        "a_run_completes_with_curve_losses_and_model",
        a_run_completes_with_curve_losses_and_model,
    ),
    ("an_evaluation_brings_pairs", an_evaluation_brings_pairs),
    (
        "a_training_event_does_not_complete_an_evaluation",
        a_training_event_does_not_complete_an_evaluation,
    ),
    ("exit_status_75_is_transient", exit_status_75_is_transient),
    (
        "another_exit_status_is_deterministic_and_brings_the_last_words",
        another_exit_status_is_deterministic,
    ),
    ("a_signal_is_a_crash", a_signal_is_a_crash),
    ("a_signal_told_by_a_shell_is_a_crash", a_signal_told_by_a_shell_is_a_crash),
    ("the_class_of_a_failure_event_wins", the_class_of_a_failure_event_wins),
    (
        "a_run_without_completion_event_has_failed",
        a_run_without_completion_event_has_failed,
    ),
    ("a_run_over_its_time_is_ended", a_run_over_its_time_is_ended),
    ("a_trainer_over_its_memory_fails", a_trainer_over_its_memory_fails),
    (
        "a_trainer_that_cannot_be_started_is_the_machines_fault",
        a_trainer_that_cannot_be_started,
    ),
    ("a_model_that_is_a_link_is_refused", a_model_that_is_a_link_is_refused),
    ("the_environment_is_clean", the_environment_is_clean),
    ("arguments_reach_the_trainer_as_they_are", arguments_reach_the_trainer_as_they_are),
];

fn a_run_completes_with_curve_losses_and_model() {
    let script = r#"
        echo '{"type":"phase","phase":"running"}'
        echo '{"type":"training.started","hosts":["code"],"steps":10,"evalLoss":4.5}'
        echo '{"type":"training.log","step":5,"loss":4.25}'
        echo '{"type":"training.log","step":10,"loss":4.0,"evalLoss":3.5}'
        printf weights > "$POINTSMAN_OUT_DIR/model.safetensors"
        echo '{"type":"training.completed","artifacts":[],"steps":10,"evalLoss":3.5,"eval":[{"host":"code","bits":3.5}]}'"#;
    let bench = Bench::new("completes", script);
    let report = bench.finish(1);
    bench.started(1);
    let RunEnd::Completed(completion) = &report.end else {
        panic!("{report:?}")
    };
    assert_eq!(completion.steps, 10);
    assert_eq!((completion.loss_before, completion.loss_after), (Some(4.5), Some(3.5)));
    assert_eq!(
        completion.losses,
        [HostLoss {
            host: "code".into(),
            before: None,
            after: 3.5
        }]
    );
    let model = ModelFile {
        digest: Digest::of(b"weights"),
        bytes: 7,
        path: "models/1".into(),
    };
    assert_eq!(completion.model, Some(model));
    assert_eq!(fs::read(bench.path("models/1/model.safetensors")).unwrap(), b"weights");
    let data_dir = &bench.config.data_dir;
    let curve = [
        Sample {
            step: 5,
            loss: 4.25,
            eval_loss: None,
        },
        Sample {
            step: 10,
            loss: 4.0,
            eval_loss: Some(3.5),
        },
    ];
    assert_eq!(read_samples(data_dir, token(1).run).unwrap(), curve);
    let events = read_events(data_dir, token(1).run).unwrap();
    assert_eq!(events.len(), 3);
    let log = bench.log(1);
    for event in events {
        assert!(matches!(event.event, RunEvent::Event(_)));
        assert!(log[event.offset as usize..].starts_with(b"{\"type\":"), "the offset of {event:?}");
    }
}

fn an_evaluation_brings_pairs() {
    let script = r#"echo '{"type":"evaluation.completed",
        "pairs":[{"host":"code","block":3,"baseline":2.5,"candidate":2.0}],
        "perHost":[{"host":"code","baseline":2.5,"candidate":2.0,"n":1}],"baselineMean":2.5,"candidateMean":2.0}' | tr -d '\n'"#;
    let bench = Bench::new("evaluates", script);
    bench.want(&[evaluation(1)]);
    let report = bench.finished(1);
    let RunEnd::Completed(completion) = &report.end else {
        panic!("{report:?}")
    };
    assert_eq!(
        completion.pairs,
        [Pair {
            host: "code".into(),
            baseline: 2.5,
            candidate: 2.0
        }]
    );
    assert_eq!(
        completion.losses,
        [HostLoss {
            host: "code".into(),
            before: Some(2.5),
            after: 2.0
        }]
    );
    assert_eq!(
        (completion.loss_before, completion.loss_after, &completion.model),
        (Some(2.5), Some(2.0), &None)
    );
}

fn a_training_event_does_not_complete_an_evaluation() {
    let bench = Bench::new("no-evaluation", COMPLETED);
    bench.want(&[evaluation(1)]);
    check_failed(
        &bench.finished(1),
        FailureClass::Deterministic,
        "ended without evaluation.completed",
    );
}

fn evaluation(run: u64) -> pointsman_model::wants::WantedRun {
    let work = Work::Evaluate {
        candidate: pointsman_model::ModelTag::numbered(2),
        offset: 0,
        blocks_per_host: 8,
    };
    pointsman_model::wants::WantedRun {
        run: run_of(run, RunClass::Eval, work),
        base: None,
        candidate: None,
        source: None,
    }
}

fn exit_status_75_is_transient() {
    let bench = Bench::new("transient", "echo no room just now >&2; exit 75");
    let report = bench.finish(1);
    check_failed(&report, FailureClass::Transient, "no room just now");
    assert_eq!(failure(&report).exit_code, Some(75));
}

fn another_exit_status_is_deterministic() {
    let script = "i=0; while [ $i -lt 300 ]; do echo line $i of many words; i=$((i+1)); done; echo the very last; exit 3";
    let bench = Bench::new("deterministic", script);
    let report = bench.finish(1);
    check_failed(&report, FailureClass::Deterministic, "exit status 3:\n");
    assert!(failure(&report).error.ends_with("the very last"), "{report:?}");
}

fn a_signal_is_a_crash() {
    let bench = Bench::new("signal", "printf '\\033[31mstack trace\\n' >&2; kill -SEGV $$");
    let report = bench.finish(1);
    check_failed(&report, FailureClass::Crash, "11 (SEGV)");
    assert!(
        failure(&report).error.ends_with("\n[31mstack trace"),
        "without control characters: {report:?}"
    );
    assert_eq!(failure(&report).exit_code, None);
}

fn a_signal_told_by_a_shell_is_a_crash() {
    let bench = Bench::new("shell-signal", "sh -c 'kill -KILL $$'; exit $?");
    check_failed(&bench.finish(1), FailureClass::Crash, "exit status 137");
}

fn the_class_of_a_failure_event_wins() {
    let script = r#"echo '{"type":"training.failed","error":"no such device","class":"infra"}'; exit 75"#;
    let bench = Bench::new("failure-event", script);
    let report = bench.finish(1);
    check_failed(&report, FailureClass::Infra, "no such device");
    assert_eq!(failure(&report).exit_code, Some(75));
}

fn a_run_without_completion_event_has_failed() {
    let bench = Bench::new("no-completion", "echo all good");
    check_failed(
        &bench.finish(1),
        FailureClass::Deterministic,
        "ended without training.completed:\nall good",
    );
}

fn a_run_over_its_time_is_ended() {
    let bench = Bench::with("timeout", "echo working; sleep 1000", |config| config.limits.wall_ms = 100);
    let report = bench.finish(1);
    check_failed(&report, FailureClass::Timeout, "time limit of 0.1 s");
    assert!(bench.processes(1).is_empty());
}

fn a_trainer_over_its_memory_fails() {
    let script = format!("head -c 300000000 /dev/zero | tail -c 300000000 >/dev/null || exit; {COMPLETED}");
    let bench = Bench::with("memory", &script, |config| config.limits.memory_bytes_max = Some(100 << 20));
    check_failed(&bench.finish(1), FailureClass::Deterministic, "tail: memory exhausted");
}

fn a_trainer_that_cannot_be_started() {
    let bench = Bench::with("no-program", "", |config| config.trainer = vec!["/no/such/program".into()]);
    check_failed(
        &bench.finish(1),
        FailureClass::Infra,
        "the trainer could not be started: No such file",
    );
}

fn a_model_that_is_a_link_is_refused() {
    let bench = Bench::new(
        "link",
        &format!(r#"ln -s /etc/passwd "$POINTSMAN_OUT_DIR/model.safetensors"; {COMPLETED}"#),
    );
    check_failed(&bench.finish(1), FailureClass::Infra, "is not a plain file");
}

fn the_environment_is_clean() {
    let script = format!(r#"env > "$1/env"; cat > "$1/stdin"; ls -l /proc/self/fd > "$1/fds"; ps -o ni= -p $$ > "$1/nice"; {COMPLETED}"#);
    let bench = Bench::new("environment", &script);
    let report = bench.finish(1);
    assert!(matches!(report.end, RunEnd::Completed(_)), "{report:?}");
    let environment = fs::read_to_string(bench.path("env")).unwrap();
    assert!(!environment.contains("CANARY_SECRET"), "{environment}");
    for (name, value) in [("JOB_ID", "1"), ("SOURCE", "7"), ("HOST", "code"), ("SEED", "11")] {
        assert!(
            environment.lines().any(|line| line == format!("POINTSMAN_{name}={value}")),
            "{name} in {environment}"
        );
    }
    let spec = environment
        .lines()
        .find_map(|line| line.strip_prefix("POINTSMAN_RUN_SPEC="))
        .unwrap();
    let spec: pointsman_model::protocol::RunSpec = serde_json::from_slice(&fs::read(spec).unwrap()).unwrap();
    assert_eq!(
        (spec.run, spec.seed, spec.params.steps, spec.params.replay_hosts),
        (1, 11, 10, vec!["novel".to_string()])
    );
    assert_eq!(fs::read(bench.path("stdin")).unwrap(), b"");
    // Three standard ones, and the directory that `ls` reads.
    let descriptors = fs::read_to_string(bench.path("fds")).unwrap();
    assert_eq!(descriptors.lines().filter(|line| line.contains("->")).count(), 4, "{descriptors}");
    let own = nice_of("self");
    assert_eq!(
        fs::read_to_string(bench.path("nice")).unwrap().trim().parse::<i32>().unwrap(),
        10.max(own)
    );
}

fn nice_of(pid: &str) -> i32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
    fields[16].parse().unwrap()
}

fn arguments_reach_the_trainer_as_they_are() {
    let nasty = "-n 'a' \"b\" ; $(touch hacked) `x`\nnext";
    let bench = Bench::with("arguments", &format!(r#"printf %s "$2" > "$1/argument"; {COMPLETED}"#), |config| {
        config.trainer.push(nasty.to_string());
    });
    bench.finish(1);
    assert_eq!(fs::read_to_string(bench.path("argument")).unwrap(), nasty);
}
