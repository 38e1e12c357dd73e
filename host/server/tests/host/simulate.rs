//! `pointsman simulate` from outside: the same order has the same answer, and a wrong one names field and cure.

use std::path::Path;
use std::process::{Command, Output};

fn simulate(directory: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pointsman"))
        .arg("simulate")
        .args(words)
        .current_dir(directory)
        .output()
        .expect("the program runs")
}

fn check(directory: &Path, words: &[&str], code: i32, says: &[&str]) {
    let output = simulate(directory, words);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
    for word in says {
        assert!(said.contains(word), "{words:?} says {said}, and not {word}");
    }
    assert!(output.stdout.is_empty(), "{words:?} prints no figures");
}

#[test]
fn the_same_order_has_the_same_answer() {
    let directory = tempfile::tempdir().expect("a directory");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/worse-policies/never_gives_up.rhai");
    let script = script.to_str().expect("a plain path");
    let words = [
        "--hours",
        "2",
        "--policy",
        script,
        "--policy",
        "shipped",
        "--report",
        "page.html",
        "--json",
    ];
    let ask = || {
        let output = simulate(directory.path(), &words);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let page = std::fs::read(directory.path().join("page.html")).expect("the page is written");
        (output.stdout, page)
    };
    let first = ask();
    assert_eq!(first, ask());
    let report: serde_json::Value = serde_json::from_slice(&first.0).expect("it is JSON");
    assert_eq!(report["courses"][0]["label"], "never-gives-up@1.0.0");
    assert_eq!(report["courses"][1]["label"], "shipped");
    assert!(report["courses"][0]["runs"]["finished"].as_u64() > Some(20), "{report}");
    let files: Vec<_> = std::fs::read_dir(directory.path()).expect("a directory").collect();
    assert_eq!(files.len(), 1, "nothing but the page is written: {files:?}");
}

#[test]
fn a_saved_model_is_a_model_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let saved = simulate(
        directory.path(),
        &["--hours", "0.5", "--save-model", "model.json", "--arrivals", "code=33"],
    );
    assert!(saved.status.success(), "{}", String::from_utf8_lossy(&saved.stderr));
    let text = std::fs::read_to_string(directory.path().join("model.json")).expect("it is written");
    assert!(text.contains("\"arrivals_per_hour\": 33.0"), "{text}");
    let again = simulate(directory.path(), &["--hours", "0.5", "--model", "model.json"]);
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    // But for the line that says where the model is from, the same table.
    let table = |output: &Output| {
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .skip(1)
            .map(String::from)
            .collect::<Vec<_>>()
    };
    assert_eq!(table(&saved), table(&again));
    let broken = text.replacen("\"learning\": 0.04", "\"learning\": 4", 1);
    std::fs::write(directory.path().join("broken.json"), broken).expect("it is written");
    check(
        directory.path(),
        &["--model", "broken.json"],
        2,
        &["broken.json", "hosts[0].learning: 4 is not between 0 and 1", "fix:"],
    );
    std::fs::write(directory.path().join("cut.json"), &text[..200]).expect("it is written");
    check(directory.path(), &["--model", "cut.json"], 2, &["cut.json: line ", "fix:"]);
}

#[test]
fn a_wrong_order_names_what_is_wrong() {
    let directory = tempfile::tempdir().expect("a directory");
    let here = directory.path();
    std::fs::write(here.join("bad.rhai"), "fn decide(ctx) {\n  let x = ;\n}\n").expect("it is written");
    check(here, &["--hours", "-3"], 2, &["--hours -3", "such as --hours 24"]);
    check(here, &["--hours", "1", "--arrivals", "mars=3"], 2, &["no host 'mars'", "novel"]);
    check(here, &["--hours", "1", "--arrivals", "code"], 2, &["HOST=RATE"]);
    check(
        here,
        &["--hours", "1", "--arrivals", "code=-1"],
        2,
        &["arrivals_per_hour: -1 is not between"],
    );
    check(here, &["--policy", "bad.rhai"], 3, &["bad.rhai:2:", "fix:"]);
    check(here, &["--policy", "a", "--policy", "b", "--policy", "c"], 2, &["at most 2"]);
    check(here, &["--policy", "nowhere.rhai"], 1, &["nowhere.rhai"]);
    check(here, &["--data", "nowhere"], 1, &["no journal"]);
}
