//! Recorded decisions asked about again: dry runs with a host, without one and from a file; and verification.

use crate::common::{self, Fixture, json_of, pointsman, request, talk};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Output;

/// A selection policy that never picks.
const IDLER: &str = r#"
fn describe() { #{ name: "idler", version: "1.0.0", kind: "source-selection", summary: "Never picks.", settings: [], state_version: 0 } }
fn decide(ctx) { #{ verdict: "idle", reasons: [ #{ code: "resting", text: "It rests." } ] } }
"#;

fn text_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn picks(state: &Value) -> usize {
    let rows = state["decisions"].as_array().cloned().unwrap_or_default();
    rows.iter().filter(|row| row["verdict"] == "pick").count()
}

/// Picks a source of each of these hosts, and stops.
async fn pick_one_of_each(fixture: &Fixture, hosts: &[&str]) {
    let mut settings = fixture.fetch("/api/v1/settings").await;
    settings["default_steps"] = json!(20);
    settings["lane_mode"] = json!("queued_only");
    let json_body = [("content-type", "application/json"), ("if-match", "*")];
    let changed = request(&fixture.url(), "PUT", "/api/v1/settings", &json_body, &settings.to_string()).await;
    assert_eq!(changed.status, 200);
    let before = picks(&fixture.fetch("/api/v1/state").await);
    for host in hosts {
        let source = json!({ "title": format!("About {host}"), "host": host });
        assert_eq!(fixture.post("/api/v1/sources", source).await.status, 201);
    }
    assert_eq!(request(&fixture.url(), "POST", "/api/training/start", &[], "").await.status, 200);
    fixture
        .wait_for("a decision for each", |state| picks(state) >= before + hosts.len())
        .await;
    assert_eq!(request(&fixture.url(), "POST", "/api/v1/training/stop", &[], "").await.status, 200);
    fixture
        .wait_for("nothing runs", |state| {
            let jobs = state["jobs"].as_array().cloned().unwrap_or_default();
            jobs.iter().all(|job| job["finished_at"].is_number())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_changes_for_whom_the_same_each_time_and_everywhere() {
    let fixture = common::start().await;
    pick_one_of_each(&fixture, &["novel", "speeches", "code"]).await;
    let directory = fixture.data.path();
    let idler = directory.join("idler.rhai");
    std::fs::write(&idler, IDLER).expect("written");
    let (file, data) = (idler.to_str().expect("a plain path"), directory.to_str().expect("a plain path"));

    let first = pointsman(&fixture, &["policy", "dry-run", file, "--json"]).await;
    assert_eq!(first.status.code(), Some(0), "{}", talk(&first));
    let report = json_of(&first);
    assert!(report["changed"].as_u64() >= Some(3), "{report:#}");
    assert_eq!(report["classes"][0]["slug"], "idles_more");
    let groups = report["groups"].as_array().cloned().unwrap_or_default();
    let group = |dimension: &str, key: &str| {
        groups
            .iter()
            .find(|group| group["dimension"] == dimension && group["key"] == key)
            .cloned()
    };
    let novel = group("host", "novel").unwrap_or_else(|| panic!("a group of the host: {report:#}"));
    assert_eq!(
        (&novel["changed"], &novel["gained"]),
        (&novel["lost"], &json!(0)),
        "what was picked is not any more"
    );
    assert!(group("source", "1").is_some(), "{groups:#?}");
    // The first change is marked, and each change can be looked up beside what was decided.
    assert_eq!(report["first_divergence"]["decision"], report["cases"][0]["decision"]);
    assert_eq!(report["cases"][0]["after_reasons"], json!(["It rests."]));
    let words = pointsman(&fixture, &["policy", "dry-run", file]).await;
    assert!(
        text_of(&words).contains("first divergence") && text_of(&words).contains("no forecast"),
        "{}",
        text_of(&words)
    );

    // Byte for byte, by the host, by the data directory, and from a file.
    let again = pointsman(&fixture, &["policy", "dry-run", file, "--json"]).await;
    assert_eq!(text_of(&again), text_of(&first));
    let offline = pointsman(&fixture, &["policy", "dry-run", file, "--data", data, "--json"]).await;
    assert_eq!(text_of(&offline), text_of(&first), "{}", talk(&offline));
    let window = directory.join("selection.jsonl");
    let at = window.to_str().expect("a plain path");
    let exported = pointsman(&fixture, &["policy", "export", at, "--kind", "source-selection"]).await;
    assert_eq!(exported.status.code(), Some(0), "{}", talk(&exported));
    let elsewhere = pointsman(&fixture, &["policy", "dry-run", file, "--window", at, "--json"]).await;
    assert_eq!(text_of(&elsewhere), text_of(&first), "{}", talk(&elsewhere));

    // One decision, a span of time, a version that the journal keeps.
    let decision = report["cases"][1]["decision"].to_string();
    let one = json_of(&pointsman(&fixture, &["policy", "dry-run", file, "--decision", &decision, "--json"]).await);
    assert_eq!((&one["looked_at"], &one["changed"]), (&json!(1), &json!(1)));
    let lately = json_of(&pointsman(&fixture, &["policy", "dry-run", file, "--since", "1h", "--json"]).await);
    assert_eq!(lately["changed"], report["changed"]);
    let state = fixture.fetch("/api/v1/state").await;
    let cards = state["policies"].as_array().cloned().unwrap_or_default();
    let card = cards.iter().find(|card| card["kind"] == "source-selection");
    let digest = card.expect("a selection policy")["digest"].as_str().expect("a digest").to_string();
    let same = json_of(&pointsman(&fixture, &["policy", "dry-run", &digest, "--json"]).await);
    assert_eq!(
        (&same["changed"], &same["replayed"]),
        (&json!(0), &report["replayed"]),
        "the version that decided agrees with itself"
    );

    // A build server stops at a broken budget, and shows which.
    let budgets = directory.join("strict.json");
    std::fs::write(&budgets, r#"{ "changed_share_max": 0.1, "forbidden": ["gives_up", "idles_more"] }"#).expect("written");
    let junit = directory.join("dry-run.xml");
    let (budgets, junit_at) = (budgets.to_str().expect("plain"), junit.to_str().expect("plain"));
    let broken = pointsman(&fixture, &["policy", "dry-run", file, "--budgets", budgets, "--junit", junit_at]).await;
    assert_eq!(broken.status.code(), Some(3), "{}", talk(&broken));
    assert!(talk(&broken).contains("changed_share_max"), "{}", talk(&broken));
    let xml = std::fs::read_to_string(&junit).expect("written");
    assert!(xml.contains("tests=\"4\" failures=\"2\""), "{xml}");
    fixture.host.stop().await.expect("an end in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_dry_run_is_told_with_the_cure() {
    let fixture = common::start().await;
    let directory = fixture.data.path();
    let idler = directory.join("idler.rhai");
    std::fs::write(&idler, IDLER).expect("written");
    let file = idler.to_str().expect("a plain path");

    let nothing = pointsman(&fixture, &["policy", "dry-run", file]).await;
    assert_eq!(nothing.status.code(), Some(0), "an empty window is no error: {}", talk(&nothing));
    assert!(
        text_of(&nothing).contains("no decision of source-selection"),
        "{}",
        text_of(&nothing)
    );

    for (arguments, code, told) in [
        (&["--decision", "999"][..], 4, "no decision"),
        (&["--last", "0"], 2, "--last"),
        (&["--since", "yesterday"], 2, "90s, 10m"),
        (&["--last", "5", "--decision", "1"], 2, "cannot be used"),
        (&["--window", "/nowhere/at-all"], 1, "/nowhere/at-all"),
        (&["--window", file], 1, "line 1: not the first line of a window file"),
    ] {
        let refused = pointsman(&fixture, &[&["policy", "dry-run", file], arguments].concat()).await;
        assert_eq!(refused.status.code(), Some(code), "{arguments:?}: {}", talk(&refused));
        assert!(talk(&refused).contains(told), "{arguments:?}: {}", talk(&refused));
    }

    // A window that was cut off or altered is not taken for a whole one.
    pick_one_of_each(&fixture, &["novel", "code"]).await;
    let window = directory.join("selection.jsonl");
    let at = window.to_str().expect("a plain path");
    let exported = pointsman(&fixture, &["policy", "export", at, "--kind", "source-selection"]).await;
    assert_eq!(exported.status.code(), Some(0), "{}", talk(&exported));
    let whole = std::fs::read_to_string(&window).expect("a window");
    let shorter: Vec<&str> = whole.lines().take(2).collect();
    let other_context = whole.replacen("\"context\":\"AQ", "\"context\":\"AR", 1);
    for (text, told) in [
        (shorter.join("\n"), "was cut off"),
        (whole.replacen("\"pointsman_window\":1", "\"pointsman_window\":7", 1), "layout 7"),
        (whole.replacen("{\"at\":", "{\"when\":", 1), "line 2: not a decision"),
        (other_context, "digest differs"),
    ] {
        std::fs::write(&window, text).expect("written");
        let refused = pointsman(&fixture, &["policy", "dry-run", file, "--window", at]).await;
        assert_eq!(refused.status.code(), Some(1), "{told}: {}", text_of(&refused));
        assert!(talk(&refused).contains(told), "{told}: {}", talk(&refused));
    }

    // Over HTTP, too.
    let wrong = fixture
        .post(
            "/api/v1/policies/dry-run",
            json!({ "policy": { "file": "a.rhai", "text": IDLER }, "last": 0 }),
        )
        .await;
    assert_eq!(
        (wrong.status, wrong.json()["errors"][0]["pointer"].clone()),
        (422, json!("/last")),
        "{}",
        wrong.text
    );
    let wrong = fixture.post("/api/v1/policies/dry-run", json!({ "last": 5 })).await;
    assert_eq!(wrong.json()["errors"][0]["pointer"], "/policy", "{}", wrong.text);
    let refused = fixture
        .post(
            "/api/v1/policies/dry-run",
            json!({ "policy": { "file": "a.rhai", "text": "fn decide(" } }),
        )
        .await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    fixture.host.stop().await.expect("an end in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_decisions_are_made_again() {
    let fixture = common::start().await;
    pick_one_of_each(&fixture, &["novel", "speeches", "code"]).await;
    // Of a script, too, and of a version that is not active any more.
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/source-selection.rhai");
    let activated = pointsman(&fixture, &["policy", "activate", script.to_str().expect("a plain path")]).await;
    assert_eq!(activated.status.code(), Some(0), "{}", talk(&activated));
    pick_one_of_each(&fixture, &["lexicon", "events"]).await;

    let all = pointsman(&fixture, &["policy", "verify", "--json"]).await;
    let report = json_of(&all);
    assert_eq!(all.status.code(), Some(0), "{report:#}");
    assert!(report["looked_at"].as_u64() >= Some(5), "{report:#}");
    assert_eq!(report["identical"], report["looked_at"], "{report:#}");
    assert_eq!(report["engines"].as_array().map(Vec::len), Some(2), "{report:#}");
    let data = fixture.data.path().to_str().expect("a plain path");
    let offline = pointsman(&fixture, &["policy", "verify", "--data", data, "--json"]).await;
    assert_eq!(json_of(&offline), report, "{}", talk(&offline));

    // Of one version: fewer, and all of them by it.
    let of_script_alone = pointsman(&fixture, &["policy", "verify", "--policy", "host-diverse-rhai@1.0.0", "--json"]).await;
    let of_script = json_of(&of_script_alone);
    let rows = fixture.fetch("/api/v1/decisions?limit=200").await["decisions"].clone();
    let by_script = |rows: &[Value]| rows.iter().filter(|row| row["policy"] == "host-diverse-rhai@1.0.0").count();
    assert_eq!(
        of_script["looked_at"].as_u64(),
        rows.as_array().map(|rows| by_script(rows) as u64),
        "{of_script:#}"
    );
    assert!(
        of_script["looked_at"].as_u64() > Some(0) && of_script["looked_at"].as_u64() < report["looked_at"].as_u64(),
        "{of_script:#}"
    );
    assert_eq!(of_script["identical"], of_script["looked_at"], "{of_script:#}");
    let unknown = pointsman(&fixture, &["policy", "verify", "--policy", "host-diverse-rhai@9.9.9"]).await;
    assert_eq!(unknown.status.code(), Some(4), "{}", talk(&unknown));
    let both = fixture
        .post("/api/v1/decisions/verify", json!({ "kind": "retry", "policy": "idler@1.0.0" }))
        .await;
    assert_eq!(
        (both.status, &both.json()["errors"][0]["pointer"]),
        (422, &json!("/policy")),
        "{}",
        both.text
    );

    let one = pointsman(&fixture, &["policy", "verify", "1"]).await;
    assert_eq!(one.status.code(), Some(0), "{}", talk(&one));
    assert!(text_of(&one).contains("identical"), "{}", text_of(&one));

    // A record says more: a case that any engine can be asked, and what would have made it another decision.
    let picked = fixture.fetch("/api/v1/decisions?kind=source-selection").await["decisions"][0]["id"].to_string();
    let case = fixture.fetch(&format!("/api/v1/decisions/{picked}/case")).await;
    let cases = fixture.data.path().join("made.json");
    std::fs::write(&cases, case.to_string()).expect("written");
    let arguments = [
        "policy",
        "test",
        script.to_str().expect("plain"),
        "--cases",
        cases.to_str().expect("plain"),
    ];
    let tested = pointsman(&fixture, &arguments).await;
    assert_eq!(tested.status.code(), Some(0), "{case:#}\n{}{}", text_of(&tested), talk(&tested));
    let flips = fixture.fetch(&format!("/api/v1/decisions/{picked}/flips")).await;
    assert_eq!(
        (&flips["why_not"], flips["asked"].as_u64() > Some(10)),
        (&Value::Null, true),
        "{flips:#}"
    );
    let words = fixture.fetch("/api/v1/policies/definitions/retry").await;
    let named = |name: &str| {
        words["entries"]
            .as_array()
            .is_some_and(|entries| entries.iter().any(|entry| entry["name"] == name))
    };
    assert!(named("budget_left"), "{words:#}");
    let none = pointsman(&fixture, &["policy", "verify", "4000"]).await;
    assert_eq!(none.status.code(), Some(4), "{}", talk(&none));
    fixture.host.stop().await.expect("an end in order");
}
