//! The command line against a real host: exit codes, and the shapes of what `--json` prints.

mod common;

use common::pointsman_of;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Output;

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
        (vec!["settings", "--json"], 0),
        (vec!["settings", "promotion_window=9", "--json"], 0),
        (vec!["settings", "promotion_window=0", "--json"], 1),
        (vec!["settings", "odd=1", "--json"], 2),
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
