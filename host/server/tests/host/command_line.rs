//! The command line against a real host: exit codes, and the shapes of what `--json` prints.

use crate::common::{self, json_of, pointsman_of, talk};
use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;

/// A value's shape: names and kinds, without the values.
fn shape(value: &Value) -> String {
    match value {
        Value::Null => "null".to_string(),
        Value::Bool(_) => "flag".to_string(),
        Value::Number(_) => "number".to_string(),
        Value::String(_) => "text".to_string(),
        Value::Array(items) => format!("[{}]", items.first().map(shape).unwrap_or_default()),
        Value::Object(fields) => {
            let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}: {}", shape(value))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_keeps_its_shape_and_exit_codes_their_meaning() {
    let fixture = common::start().await;
    let url = fixture.url();
    let data = fixture.data.path().to_str().expect("a plain path").to_string();
    let good = fixture.data.path().join("good.rhai");
    let bad = fixture.data.path().join("bad.rhai");
    std::fs::write(&bad, "fn describe( {").expect("written");
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/retry.rhai"), &good).expect("the shipped policy is there");
    let (good, bad) = (good.to_str().expect("a plain path"), bad.to_str().expect("a plain path"));

    let mut found = String::new();
    #[rustfmt::skip]
    let commands: Vec<(Vec<&str>, i32)> = vec![
        (vec!["queue", "add", "--title", "one", "--host", "novel", "--json"], 0),
        (vec!["queue", "list", "--json"], 0),
        (vec!["queue", "list", "--status", "open", "--host", "novel", "--text", "ONE", "--json"], 0),
        (vec!["queue", "show", "1", "--json"], 0),
        (vec!["queue", "show", "99", "--json"], 4),
        (vec!["queue", "status", "--json"], 0),
        (vec!["queue", "next", "--about", "1", "--json"], 0),
        (vec!["queue", "edit", "1", "--priority", "3", "--json"], 0),
        (vec!["queue", "move", "1", "--lane", "curriculum", "--json"], 0),
        (vec!["queue", "disable", "1", "--reason", "later", "--json"], 0),
        (vec!["queue", "enable", "1", "--json"], 0),
        (vec!["queue", "run", "1", "--json"], 5),
        (vec!["queue", "cancel", "1", "--json"], 0),
        (vec!["queue", "cancel", "1", "--json"], 4),
        (vec!["queue", "lock", "novel", "--json"], 5),
        (vec!["queue", "unlock", "--json"], 0),
        (vec!["queue", "import", "list.txt", "--json"], 2),
        (vec!["campaign", "start", "--title", "Learn", "--size", "3", "--json"], 0),
        (vec!["campaign", "start", "--title", "Learn", "--size", "0", "--json"], 1),
        (vec!["campaign", "list", "--json"], 0),
        (vec!["campaign", "show", "c-1", "--json"], 0),
        (vec!["campaign", "cancel", "1", "--json"], 0),
        (vec!["train", "status", "--json"], 0),
        (vec!["status", "--json"], 0),
        (vec!["jobs", "--json"], 0),
        (vec!["job", "99", "--json"], 4),
        (vec!["cancel", "99", "--json"], 4),
        (vec!["policy", "list", "--json"], 0),
        (vec!["policy", "check", good, "--json"], 0),
        (vec!["policy", "explain", "PM2104", "--json"], 0),
        (vec!["policy", "explain", "PM9999", "--json"], 4),
        (vec!["policy", "check", bad, "--json"], 3),
        (vec!["policy", "activate", bad, "--json"], 3),
        (vec!["policy", "rollback", "retry", "--json"], 5),
        (vec!["policy", "rollback", "odd", "--json"], 4),
        (vec!["models", "--json"], 0),
        (vec!["models", "rollback", "--json"], 5),
        (vec!["models", "pin", "m-9", "--json"], 4),
        (vec!["models", "unpin", "m-9", "--json"], 4),
        (vec!["models", "prune", "--dry-run", "--json"], 0),
        (vec!["models", "prune", "--json"], 0),
        (vec!["models", "prune", "--keep", "10001", "--json"], 1),
        (vec!["models", "live-at", "2026-02-03T04:05:06Z", "--json"], 0),
        (vec!["models", "live-at", "tomorrow", "--json"], 1),
        (vec!["promotion", "status", "--json"], 0),
        (vec!["promotion", "approve", "m-9", "--json"], 4),
        (vec!["promotion", "reject", "m-9", "--json"], 4),
        (vec!["settings", "--json"], 0),
        (vec!["settings", "promotion_window=9", "--json"], 0),
        (vec!["settings", "promotion_window=0", "--json"], 1),
        (vec!["settings", "odd=1", "--json"], 1),
        (vec!["settings", "odd", "--json"], 2),
        (vec!["settings", "set", "retry_budget=5", "--dry-run", "--json"], 0),
        (vec!["settings", "set", "retry_budget=5", "--if-match", "stale", "--json"], 5),
        (vec!["settings", "form", "--json"], 0),
        (vec!["settings", "history", "--json"], 0),
        (vec!["settings", "undo", "1", "--json"], 4),
        (vec!["settings", "preset", "save", "night", "retry_budget=7", "--json"], 0),
        (vec!["settings", "preset", "list", "--json"], 0),
        (vec!["settings", "preset", "apply", "night", "--json"], 0),
        (vec!["settings", "preset", "delete", "night", "--json"], 0),
        (vec!["settings", "preset", "delete", "night", "--json"], 4),
        (vec!["explain", "promotion_window", "--json"], 0),
        (vec!["explain", "nothing_such", "--json"], 4),
        (vec!["health", "--json"], 0),
        (vec!["snapshot", "--json"], 0),
        (vec!["evidence", "--since", "1", "--json"], 0),
        (vec!["decisions", "--json"], 0),
        (vec!["decision", "99", "--json"], 4),
        (vec!["complete", "once", "--json"], 1),
        (vec!["train", "stop", "--json"], 0),
        (vec!["verify", "--data", &data, "--json"], 0),
        (vec!["verify", "--data", "/nonexistent", "--json"], 1),
        (vec!["odd"], 2),
        (vec!["up", "--listen", "0.0.0.0:8420"], 2),
    ];
    for (arguments, code) in commands {
        let output = tokio::task::spawn_blocking({
            let (url, arguments) = (url.clone(), arguments.iter().map(|text| text.to_string()).collect::<Vec<_>>());
            move || pointsman_of(&url, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
        });
        let output = output.await.expect("it ran");
        let (out, talk) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let words: Vec<&str> = arguments
            .iter()
            .map(|word| {
                if word.starts_with('/') && *word != "/nonexistent" {
                    word.rsplit('/').next().unwrap_or(word)
                } else {
                    word
                }
            })
            .collect();
        let words: Vec<&str> = words
            .into_iter()
            .map(|word| if word.starts_with(".tmp") { "DATA" } else { word })
            .collect();
        assert_eq!(output.status.code(), Some(code), "{words:?}\n{out}\n{talk}");
        assert!(code == 0 || !talk.is_empty(), "{words:?} says why");
        let shown = if out.trim().is_empty() {
            "nothing".to_string()
        } else {
            shape(&serde_json::from_str(&out).unwrap_or_else(|error| panic!("{words:?}: {error}: {out}")))
        };
        writeln!(found, "{} -> {code}\n  {shown}", words.join(" ")).expect("text");
    }
    let gone = tokio::task::spawn_blocking(|| pointsman_of("http://127.0.0.1:9", &["status"]))
        .await
        .expect("it ran");
    assert_eq!(gone.status.code(), Some(7), "{}", String::from_utf8_lossy(&gone.stderr));

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/command_line.txt");
    if std::env::var_os("POINTSMAN_UPDATE").is_some() {
        std::fs::write(&path, &found).expect("written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "shapes have changed; scripts may break. If that is meant: POINTSMAN_UPDATE=1\n{found}"
    );
    fixture.host.stop().await.expect("an end in order");
}

/// A script of which one case is wrong and one line is never run.
#[test]
fn cases_tell_the_lines_they_run_and_what_build_servers_show() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name).to_str().expect("a plain path").to_string();
    let (script, cases, junit) = (at("patient.rhai"), at("patient.cases.json"), at("found.xml"));
    let code = r#"fn describe() { #{ name: "patient", version: "1.0.0", kind: "retry" } }
fn decide(ctx) {
    if ctx.attempt > 3 {
        return #{ verdict: "give_up", reasons: [#{ code: "too_often" }] };
    }
    #{ verdict: #{ retry: 5000 }, reasons: [#{ code: "later" }] }
}
"#;
    std::fs::write(&script, code).expect("written");
    let first = serde_json::json!({ "name": "the first time", "context": { "attempt": 1 }, "expect": { "verdict": { "retry": 5000 } } });
    let wrong = serde_json::json!({ "name": "at <once>", "context": { "attempt": 2 }, "expect": { "verdict": { "retry": 0 } } });
    std::fs::write(&cases, serde_json::json!([first, wrong]).to_string()).expect("written");
    let test = |more: &[&str]| {
        let arguments: Vec<&str> = ["policy", "test", &script].iter().chain(more).copied().collect();
        pointsman_of("http://127.0.0.1:9", &arguments)
    };

    let tested = test(&["--coverage", "--junit", &junit]);
    let out = String::from_utf8_lossy(&tested.stdout);
    if tested.status.code() == Some(3) && talk(&tested).contains("PM2") && std::env::var_os("POINTSMAN_REQUIRE_PLUGINS").is_none() {
        eprintln!("the interpreter is not built: {}", talk(&tested));
        return;
    }
    assert_eq!(tested.status.code(), Some(3), "one case fails: {out}{}", talk(&tested));
    assert!(out.contains(": 75 % of 4 lines; never run: 4\n"), "{out}");
    let xml = std::fs::read_to_string(&junit).expect("written");
    assert!(xml.contains("name=\"cases of patient@1.0.0\" tests=\"2\" failures=\"1\""), "{xml}");
    assert!(
        xml.contains(
            "name=\"at &lt;once&gt;\"><failure message=\"the verdict is {&quot;retry&quot;:5000}, expected was {&quot;retry&quot;:0}\">"
        ),
        "{xml}"
    );

    std::fs::write(&cases, first.to_string()).expect("written");
    let tested = test(&["--coverage", "--json"]);
    assert_eq!(
        tested.status.code(),
        Some(0),
        "too few lines fail nothing by themselves: {}",
        talk(&tested)
    );
    let coverage = &json_of(&tested)["coverage"];
    assert_eq!(
        (&coverage["percent"], &coverage["never_run"]),
        (&75.0.into(), &serde_json::json!([[4, 4]])),
        "{coverage}"
    );
    let enough = test(&["--coverage", "--coverage-min", "75"]);
    assert_eq!(enough.status.code(), Some(0), "{}", talk(&enough));
    let few = test(&["--coverage", "--coverage-min", "80"]);
    assert_eq!(few.status.code(), Some(3), "{}", talk(&few));
    assert!(
        talk(&few).contains("the cases run 3 of 4 lines, 75.0 %; at least 80 %"),
        "{}",
        talk(&few)
    );
    let alone = test(&["--coverage-min", "80"]);
    assert_eq!(alone.status.code(), Some(2), "{}", talk(&alone));
}
