//! What a trainer prints: kept as it is, within limits, and handed on.

use std::fs;

use pointsman_model::run::{FailureClass, RunEnd};
use pointsman_runner::{Exit, OutputKind, RunEvent, read_events, read_log, read_log_end, read_samples};

use super::bench::*;

pub(crate) const TESTS: &[crate::Test] = &[
    (
        "twenty_megabytes_are_kept_in_little_memory",
        twenty_megabytes_are_kept_in_little_memory,
    ),
    ("a_log_that_is_full_says_so_and_the_run_goes_on", a_log_that_is_full_says_so),
    ("a_megabyte_in_one_line_is_cut", a_megabyte_in_one_line_is_cut),
    ("bytes_that_are_no_text_are_kept", bytes_that_are_no_text_are_kept),
    ("half_a_line_can_be_seen", half_a_line_can_be_seen),
    ("a_progress_bar_is_not_cut", a_progress_bar_is_not_cut),
    ("output_closed_early_is_no_failure", output_closed_early_is_no_failure),
    ("both_pipes_full_do_not_block", both_pipes_full_do_not_block),
    ("events_on_standard_error_are_text", events_on_standard_error_are_text),
    ("a_malformed_event_is_told", a_malformed_event_is_told),
    ("the_feed_has_lines_samples_and_events", the_feed_has_lines_samples_and_events),
    ("a_full_disk_does_not_stop_the_run", a_full_disk_does_not_stop_the_run),
];

fn completes(report: &pointsman_model::run::RunReport) {
    assert!(matches!(report.end, RunEnd::Completed(_)), "{report:?}");
}

fn exit(bench: &Bench) -> Exit {
    bench.directory(1).read_exit().unwrap().unwrap()
}

fn twenty_megabytes_are_kept_in_little_memory() {
    let script =
        format!(r#"yes 'a line of some words, as trainers print them' | head -c 20000000; echo; echo > "$1/printed"; {WAIT}; {COMPLETED}"#);
    let bench = Bench::new("twenty-megabytes", &script);
    bench.want(&[training(1)]);
    wait_until("the output", || bench.path("printed").exists());
    wait_until("the log", || bench.log(1).len() >= 20_000_000);
    let status = fs::read_to_string(format!("/proc/{}/status", bench.supervisor(1).pid)).unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap()
        .trim()
        .trim_end_matches(" kB");
    let peak_kb: u64 = peak.parse().unwrap();
    println!("    supervisor's peak memory: {peak_kb} kB");
    assert!(peak_kb < 24_000, "{peak_kb} kB");
    bench.go();
    completes(&bench.finished(1));
    assert_eq!(exit(&bench).dropped_bytes, 0);
    let end = read_log_end(&bench.config.data_dir, token(1).run, 100).unwrap();
    assert!(end.bytes.ends_with(b"\"artifacts\":[]}\n"));
    assert_eq!((end.bytes.len(), end.next_offset()), (100, end.total));
    let begin = read_log(&bench.config.data_dir, token(1).run, 2, 4).unwrap();
    assert_eq!(
        (begin.bytes.as_slice(), begin.next_offset(), begin.total),
        (&b"line"[..], 6, end.total)
    );
}

fn a_log_that_is_full_says_so() {
    let script = format!(r#"yes 0123456789 | head -n 100000; {COMPLETED}"#);
    let bench = Bench::with("full-log", &script, |config| config.limits.log_bytes_max = 100_000);
    completes(&bench.finish(1));
    let log = String::from_utf8(bench.log(1)).unwrap();
    assert!(log.len() < 100_400, "{}", log.len());
    assert!(log.contains("[pointsman: the log is full at 100000 bytes; what follows is not kept]"));
    let printed = 100_000 * 11 + COMPLETED.len() as u64 - 7 + 1;
    let dropped = exit(&bench).dropped_bytes;
    assert!(
        log.ends_with(&format!("[pointsman: {dropped} bytes of output were not kept]\n")),
        "{}",
        &log[log.len() - 300..]
    );
    let kept = log.find("\n[pointsman: the log is full").unwrap() as u64;
    assert_eq!(kept + dropped, printed);
}

fn a_megabyte_in_one_line_is_cut() {
    let script = format!(r#"head -c 1000000 /dev/zero | tr '\0' x; echo; echo next; {COMPLETED}"#);
    let bench = Bench::new("long-line", &script);
    completes(&bench.finish(1));
    let log = String::from_utf8(bench.log(1)).unwrap();
    let mut lines = log.lines();
    let first = lines.next().unwrap();
    assert_eq!(first.bytes().take_while(|byte| *byte == b'x').count(), 65_536);
    assert!(
        first.ends_with(" [pointsman: 934464 bytes of this line were not kept; a line may have 65536]"),
        "{}",
        &first[65_536..]
    );
    assert_eq!(lines.next(), Some("next"));
    assert_eq!(exit(&bench).dropped_bytes, 934_464);
}

fn bytes_that_are_no_text_are_kept() {
    let script = format!(r#"printf 'a\377\376b\000c\033[1m\r\n'; printf '\303' >&2; {COMPLETED}"#);
    let bench = Bench::new("no-text", &script);
    completes(&bench.finish(1));
    let log = bench.log(1);
    assert!(log.windows(12).any(|bytes| bytes == b"a\xff\xfeb\x00c\x1b[1m\r\n"), "{log:?}");
    assert!(log.contains(&0xC3));
}

fn half_a_line_can_be_seen() {
    let bench = Bench::new("half-line", &format!(r#"printf 'password: '; {WAIT}; echo given; {COMPLETED}"#));
    bench.want(&[training(1)]);
    wait_until("the prompt", || bench.directory(1).log().exists() && bench.log(1) == b"password: ");
    bench.go();
    completes(&bench.finished(1));
    assert!(bench.log(1).starts_with(b"password: given\n"));
}

fn a_progress_bar_is_not_cut() {
    // 200 kB without a line feed, which is more than a line may have.
    let script = format!(r#"i=0; while [ $i -lt 2000 ]; do printf '%100s\r' $i; i=$((i+1)); done; echo; {COMPLETED}"#);
    let bench = Bench::new("progress", &script);
    completes(&bench.finish(1));
    assert_eq!(exit(&bench).dropped_bytes, 0);
    assert!(bench.log(1).len() > 2000 * 101);
}

fn output_closed_early_is_no_failure() {
    let bench = Bench::new("closed", &format!(r#"{COMPLETED}; exec >&- 2>&-; {WAIT}"#));
    bench.want(&[training(1)]);
    bench.started(1);
    wait_until("the event", || {
        read_events(&bench.config.data_dir, token(1).run).unwrap().len() == 1
    });
    bench.go();
    completes(&bench.finished(1));
}

fn both_pipes_full_do_not_block() {
    let script = format!(r#"yes error | head -c 3000000 >&2 & yes output | head -c 3000000; wait; echo; {COMPLETED}"#);
    let bench = Bench::new("both", &script);
    completes(&bench.finish(1));
    assert!(bench.log(1).len() >= 6_000_000);
}

fn events_on_standard_error_are_text() {
    let bench = Bench::new("stderr", &format!("{COMPLETED} >&2"));
    check_failed(&bench.finish(1), FailureClass::Deterministic, "ended without training.completed");
}

fn a_malformed_event_is_told() {
    let bench = Bench::new(
        "malformed",
        &format!(r#"echo '{{"type":"training.log","step":3,"loss":NaN}}'; {COMPLETED}"#),
    );
    completes(&bench.finish(1));
    let events = read_events(&bench.config.data_dir, token(1).run).unwrap();
    assert_eq!(
        events[0].event,
        RunEvent::Malformed {
            field: "loss".into(),
            reason: "not a finite number".into()
        }
    );
    assert!(read_samples(&bench.config.data_dir, token(1).run).unwrap().is_empty());
}

fn the_feed_has_lines_samples_and_events() {
    let script = format!(
        r#"i=0; while [ $i -lt 50 ]; do echo line $i; echo '{{"type":"training.log","step":'$i',"loss":1.5}}'; i=$((i+1)); done; {COMPLETED}"#
    );
    let bench = Bench::new("feed", &script);
    completes(&bench.finish(1));
    let outputs = bench.outputs.lock().unwrap();
    let mut steps = Vec::new();
    let mut lines = Vec::new();
    let mut events = 0;
    for output in outputs.iter() {
        match &output.kind {
            OutputKind::Samples(samples) => steps.extend(samples.iter().map(|sample| sample.step)),
            OutputKind::Log {
                lines: more,
                skipped_bytes,
            } => {
                assert_eq!(*skipped_bytes, 0);
                lines.extend(more.iter().cloned());
            }
            OutputKind::Event(_) => events += 1,
        }
    }
    assert_eq!(steps, (0..50).collect::<Vec<u64>>());
    assert_eq!(
        (lines.len(), lines.iter().filter(|line| line.is_event).count(), events),
        (101, 51, 1)
    );
    assert_eq!((lines[2].text.as_str(), lines[1].is_event), ("line 1", true));
    let log = bench.log(1);
    assert!(
        lines
            .iter()
            .all(|line| log[line.offset as usize..].starts_with(line.text.as_bytes()))
    );
}

fn a_full_disk_does_not_stop_the_run() {
    // A device that is always full stands in for the log; nothing else of the run is affected.
    let script = format!(r#"echo > "$1/up"; {WAIT}; yes words | head -c 1000000; echo; {COMPLETED}"#);
    let bench = Bench::new("full-disk", &script);
    bench.make_directory(1);
    std::os::unix::fs::symlink("/dev/full", bench.directory(1).log()).unwrap();
    bench.want(&[training(1)]);
    wait_until("the trainer", || bench.path("up").exists());
    bench.go();
    completes(&bench.finished(1));
    assert!(exit(&bench).dropped_bytes > 1_000_000, "{:?}", exit(&bench));
}
