//! A host that explores, and what other policies would have been worth on what it decided: by the host, by its data
//! directory and from a file.

use crate::common::{self, Fixture, json_of, pointsman, request, talk};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Hosts with a corpus, and one without: its sources fail at once.
const HOSTS: [&str; 5] = ["novel", "speeches", "code", "lexicon", "nowhere"];
const SOURCES: usize = 80;

/// Always the youngest, which is drawn seldom.
const YOUNGEST: &str = r#"
fn describe() { #{ name: "youngest", version: "1.0.0", kind: "source-selection", summary: "Picks the youngest.", settings: [], state_version: 0 } }
fn decide(ctx) { #{ verdict: #{ pick: [ctx.candidates.len() - 1] }, reasons: [ #{ code: "youngest", text: "It is the youngest." } ] } }
"#;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn plain(path: &Path) -> String {
    path.to_str().expect("a plain path").to_string()
}

fn text_of(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn set(fixture: &Fixture, changes: &[(&str, Value)]) {
    let mut settings = fixture.fetch("/api/v1/settings").await;
    for (name, value) in changes {
        settings[*name] = value.clone();
    }
    let json_body = [("content-type", "application/json"), ("if-match", "*")];
    let changed = request(&fixture.url(), "PUT", "/api/v1/settings", &json_body, &settings.to_string()).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
}

/// Runs short sources until as many runs have ended, and stops.
async fn run_many(fixture: &Fixture) {
    set(
        fixture,
        &[
            ("default_steps", json!(1)),
            ("lane_mode", json!("queued_only")),
            ("training_max_active", json!(2)),
            ("promotion_window", json!(100_000)),
        ],
    )
    .await;
    for host in HOSTS.iter().cycle().take(SOURCES) {
        let source = json!({ "title": format!("About {host}"), "host": host });
        assert_eq!(fixture.post("/api/v1/sources", source).await.status, 201);
    }
    assert_eq!(request(&fixture.url(), "POST", "/api/training/start", &[], "").await.status, 200);
    // A step at a time: each within the deadline, however busy the machine.
    for outcomes in (5..=SOURCES as u64).step_by(5) {
        fixture
            .wait_for("runs that ended", |state| state["totals"]["outcomes"].as_u64() >= Some(outcomes))
            .await;
    }
    assert_eq!(request(&fixture.url(), "POST", "/api/v1/training/stop", &[], "").await.status, 200);
    until_nothing_runs(fixture).await;
}

async fn until_nothing_runs(fixture: &Fixture) {
    fixture
        .wait_for("nothing runs", |state| {
            let jobs = state["jobs"].as_array().cloned().unwrap_or_default();
            jobs.iter().all(|job| job["finished_at"].is_number())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_explores_tells_what_other_policies_are_worth() {
    let fixture = common::start().await;
    let directory = fixture.data.path();
    let shipped = plain(&root().join("policies/source-selection.rhai"));
    let exploring = directory.join("exploring.json");
    std::fs::write(&exploring, r#"{ "explore": 0.3 }"#).expect("written");
    let settings = plain(&exploring);
    let activated = pointsman(&fixture, &["policy", "activate", &shipped, "--settings", &settings]).await;
    assert_eq!(activated.status.code(), Some(0), "{}", talk(&activated));
    run_many(&fixture).await;

    // Each pick was drawn, and its record says with which probability.
    let decisions = fixture.fetch("/api/v1/decisions?kind=source-selection&limit=500").await["decisions"].clone();
    let picks: Vec<&Value> = decisions
        .as_array()
        .expect("a list")
        .iter()
        .filter(|row| row["verdict"] == "pick")
        .collect();
    assert!(picks.len() >= SOURCES - 2, "{} picks", picks.len());
    assert!(
        picks
            .iter()
            .all(|row| row["summary"].as_str().expect("words").contains("drawn with")),
        "{decisions:#}"
    );
    let detail = fixture.fetch(&format!("/api/v1/decisions/{}", picks[0]["id"])).await;
    let propensity = detail["ruling"]["propensity"].as_f64().expect("a probability");
    assert!(propensity > 0.0 && propensity <= 1.0, "{detail:#}");
    let verified = json_of(&pointsman(&fixture, &["policy", "verify", "--kind", "source-selection", "--json"]).await);
    assert_eq!(verified["identical"], verified["looked_at"], "{verified:#}");

    // The same without exploring: most of its picks were drawn.
    let asked = ["policy", "value", &shipped, "--set", "explore=0"];
    let first = pointsman(&fixture, &[&asked[..], &["--json"]].concat()).await;
    assert_eq!(first.status.code(), Some(0), "{}{}", text_of(&first), talk(&first));
    let report = json_of(&first);
    println!("{report:#}");
    assert_eq!((&report["known"], &report["cannot_know"]), (&json!(true), &json!([])));
    let number = |value: &Value| value.as_f64().expect("a number");
    assert!(
        number(&report["used"]) >= SOURCES as f64 - 2.0 && number(&report["effective_n"]) >= 30.0,
        "{report:#}"
    );
    assert_eq!(
        report["unsupported_share"].to_string(),
        "0.0",
        "each that may be picked may be drawn"
    );
    assert!(
        number(&report["weight_max"]) < 1.0 / 0.7 + 1e-9,
        "its own pick has at least a share of 0.7"
    );
    for estimate in ["recorded", "ips", "snips", "doubly_robust"] {
        let estimate = &report[estimate];
        let (low, value, high) = (number(&estimate["low"]), number(&estimate["value"]), number(&estimate["high"]));
        assert!(low < value && value < high && value > 0.4 && value < 1.2, "{report:#}");
    }
    let words = text_of(&pointsman(&fixture, &asked).await);
    for told in [
        "doubly robust",
        "SNIPS",
        "effective decisions",
        "No forecast",
        "bounds: 95 %, normal",
    ] {
        assert!(words.contains(told), "{told}: {words}");
    }

    // By the data directory, from a file, by its name; the same bytes each time.
    let data = plain(directory);
    let offline = pointsman(&fixture, &[&asked[..], &["--data", &data, "--json"]].concat()).await;
    assert_eq!(text_of(&offline), text_of(&first), "{}", talk(&offline));
    let window = plain(&directory.join("selection.jsonl"));
    let exported = pointsman(&fixture, &["policy", "export", &window, "--kind", "source-selection"]).await;
    assert_eq!(exported.status.code(), Some(0), "{}", talk(&exported));
    let elsewhere = pointsman(&fixture, &[&asked[..], &["--window", &window, "--json"]].concat()).await;
    assert_eq!(text_of(&elsewhere), text_of(&first), "{}", talk(&elsewhere));
    let itself = pointsman(&fixture, &["policy", "value", "host-diverse-rhai@1.0.0", "--json"]).await;
    let itself = json_of(&itself);
    assert!(
        (number(&itself["effective_n"]) - number(&itself["used"])).abs() < 1e-6,
        "the version that decided weighs each decision once: {itself:#}"
    );
    assert!(number(&itself["gain"]["value"]).abs() < 0.2, "{itself:#}");

    // What is drawn seldom carries no value.
    let youngest = directory.join("youngest.rhai");
    std::fs::write(&youngest, YOUNGEST).expect("written");
    let thin = pointsman(&fixture, &["policy", "value", &plain(&youngest), "--json"]).await;
    assert_eq!(thin.status.code(), Some(3), "{}{}", text_of(&thin), talk(&thin));
    let thin = json_of(&thin);
    assert_eq!(
        (&thin["known"], &thin["ips"], &thin["gain"]),
        (&json!(false), &Value::Null, &Value::Null)
    );
    assert_eq!(thin["cannot_know"][0]["slug"], "few_effective", "{thin:#}");
    assert!(thin["recorded"]["value"].is_number(), "what was earned is told all the same");

    let component = root().join("plugins/dist/host_diverse.wasm");
    if component.is_file() {
        let twin = pointsman(&fixture, &["policy", "value", &plain(&component), "--json"]).await;
        let (twin, script) = (json_of(&twin), &report);
        for estimate in ["ips", "snips", "doubly_robust", "gain"] {
            assert_eq!(twin[estimate], script[estimate], "{estimate}: the same policy in Rust");
        }
    }
    fixture.host.stop().await.expect("an end in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_valued_is_told_with_the_cure() {
    let fixture = common::start().await;
    let shipped = plain(&root().join("policies/source-selection.rhai"));
    let retry = plain(&root().join("policies/retry.rhai"));
    let nothing = pointsman(&fixture, &["policy", "value", &shipped]).await;
    assert_eq!(nothing.status.code(), Some(3), "{}", talk(&nothing));
    assert!(
        text_of(&nothing).contains("cannot know: none of 0 decisions"),
        "{}",
        text_of(&nothing)
    );

    // A host that leaves nothing to chance: what another pick would have brought is not known, and how to know it is told.
    common::decide_some(&fixture, 2).await;
    until_nothing_runs(&fixture).await;
    let plain_host = pointsman(&fixture, &["policy", "value", &shipped, "--set", "explore=0.5", "--json"]).await;
    assert_eq!(plain_host.status.code(), Some(3), "{}", talk(&plain_host));
    let report = json_of(&plain_host);
    assert_eq!(report["cannot_know"][0]["slug"], "nothing_drawn", "{report:#}");
    assert!(
        report["cannot_know"][0]["words"]
            .as_str()
            .expect("words")
            .contains("explore above 0"),
        "{report:#}"
    );
    assert_eq!(report["left_out"][0]["slug"], "not_drawn", "{report:#}");
    assert_eq!((&report["used"], &report["doubly_robust"]), (&json!(0), &Value::Null));

    for (arguments, code, told) in [
        (vec![retry.as_str()], 1, "only picks of source-selection are drawn"),
        (
            vec![retry.as_str(), "--data", "/nowhere"],
            2,
            "only picks of source-selection are drawn",
        ),
        (vec![shipped.as_str(), "--set", "explore"], 2, "not NAME=VALUE"),
        (vec![shipped.as_str(), "--set", "explore=2"], 1, "explore"),
        (vec![shipped.as_str(), "--last", "0"], 2, "--last"),
        (vec![shipped.as_str(), "--last", "5", "--since", "1h"], 2, "cannot be used"),
        (vec![shipped.as_str(), "--window", "/nowhere/at-all"], 1, "/nowhere/at-all"),
        (vec!["nobody@1"], 4, "nobody@1"),
    ] {
        let refused = pointsman(&fixture, &[&["policy", "value"], &arguments[..]].concat()).await;
        assert_eq!(refused.status.code(), Some(code), "{arguments:?}: {}", talk(&refused));
        assert!(talk(&refused).contains(told), "{arguments:?}: {}", talk(&refused));
    }
    let wrong = fixture.post("/api/v1/policies/value", json!({ "last": 5 })).await;
    assert_eq!(
        (wrong.status, &wrong.json()["errors"][0]["pointer"]),
        (422, &json!("/policy")),
        "{}",
        wrong.text
    );
    let wrong = fixture
        .post(
            "/api/v1/policies/value",
            json!({ "policy": { "file": "a.rhai", "text": YOUNGEST }, "last": 0 }),
        )
        .await;
    assert_eq!(
        (wrong.status, &wrong.json()["errors"][0]["pointer"]),
        (422, &json!("/last")),
        "{}",
        wrong.text
    );
    fixture.host.stop().await.expect("an end in order");
}

/// The cases beside the shipped script hold for its twin, too.
#[test]
fn the_cases_of_the_shipped_selection_hold_on_both_engines() {
    let cases = plain(&root().join("policies/source-selection.cases.json"));
    let mut policies = vec![root().join("policies/source-selection.rhai")];
    policies.extend(Some(root().join("plugins/dist/host_diverse.wasm")).filter(|component| component.is_file()));
    for policy in policies {
        let tested = std::process::Command::new(env!("CARGO_BIN_EXE_pointsman"))
            .args(["policy", "test", &plain(&policy), "--cases", &cases])
            .output()
            .expect("the program runs");
        assert_eq!(tested.status.code(), Some(0), "{}{}", text_of(&tested), talk(&tested));
    }
}
