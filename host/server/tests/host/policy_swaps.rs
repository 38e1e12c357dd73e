//! Swaps one can see, try beforehand, and take back.

use crate::common::{self, Fixture, card, decide_some, json_of, pointsman, retry_rhai, stage, talk};
use pointsman::host::{Host, HostOptions};
use pointsman::signing;
use serde_json::json;
use std::process::{Command, Output};
use tempfile::TempDir;

/// A selection policy that never picks.
const IDLER: &str = r#"
fn describe() { #{ name: "idler", version: "1.0.0", kind: "source-selection", summary: "Never picks.",
    settings: [ #{ name: "patience", default: 1.0, minimum: 0.0, maximum: 9.0, help: "Not used." } ], state_version: 0 } }
fn decide(ctx) { #{ verdict: "idle", reasons: [ #{ code: "resting", text: "It rests." } ] } }
"#;

/// A retry policy whose state is of version `n`, with a migration that doubles its count.
fn counter(version: u32, gives_up_at: u32) -> String {
    format!(
        r#"
fn describe() {{ #{{ name: "counter", version: "{version}.0.0", kind: "retry", summary: "Counts.", settings: [], state_version: {version} }} }}
fn migrate(from_version, state) {{ state * 2 }}
fn decide(ctx) {{ #{{ verdict: "give_up", reasons: [ #{{ code: "counted", text: "At {gives_up_at}." }} ] }} }}
"#
    )
}

/// The idler as a file of a later version.
fn versioned(fixture: &Fixture, number: u32) -> String {
    let path = fixture.data.path().join(format!("idler-{number}.rhai"));
    std::fs::write(&path, IDLER.replace("1.0.0", &format!("{number}.0.0"))).expect("written");
    path.to_str().expect("a plain path").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_and_a_shadow_tell_what_a_policy_would_do_and_a_broken_budget_refuses_it() {
    let fixture = common::start().await;
    let idler = fixture.data.path().join("idler.rhai");
    std::fs::write(&idler, IDLER).expect("written");
    let file = idler.to_str().expect("a plain path");

    // In shadow while real decisions are made.
    let started = pointsman(&fixture, &["policy", "shadow", "start", file, "--json"]).await;
    assert_eq!(started.status.code(), Some(0), "{}", talk(&started));
    let again = pointsman(&fixture, &["policy", "shadow", "start", file]).await;
    assert_eq!(again.status.code(), Some(5), "one shadow of a version: {}", talk(&again));
    // A second version of the kind beside it sees the same bytes, and five of them are too many.
    let others: Vec<_> = (2..=5).map(|number| versioned(&fixture, number)).collect();
    for other in &others[..3] {
        let started = pointsman(&fixture, &["policy", "shadow", "start", other]).await;
        assert_eq!(started.status.code(), Some(0), "{}", talk(&started));
    }
    let fifth = pointsman(&fixture, &["policy", "shadow", "start", &others[3]]).await;
    assert_eq!(fifth.status.code(), Some(5), "four are enough: {}", talk(&fifth));
    decide_some(&fixture, 3).await;
    let seen = fixture
        .wait_for("the shadow has seen them", |state| {
            let cards = card(state, "source-selection")["shadows"].as_array().cloned().unwrap_or_default();
            cards.len() == 4 && cards.iter().all(|shadow| shadow["asked"].as_u64() >= Some(3))
        })
        .await;
    let shadow = card(&seen, "source-selection")["shadows"][0].clone();
    assert!(shadow["disagreed"].as_u64() >= Some(3), "{shadow:#}");
    assert_eq!(shadow["classes"][0]["slug"], "idles_more");
    assert_eq!((&shadow["faults"], &shadow["dropped"]), (&json!(0), &json!(0)));
    let which = pointsman(&fixture, &["policy", "shadow", "stop", "source-selection"]).await;
    assert_eq!(which.status.code(), Some(5), "{}", talk(&which));
    for version in ["2.0.0", "3.0.0", "4.0.0"] {
        let named = format!("idler@{version}");
        let stopped = json_of(&pointsman(&fixture, &["policy", "shadow", "stop", "source-selection", &named, "--json"]).await);
        assert_eq!(stopped["version"], version);
        assert!(stopped["asked"].as_u64() >= Some(3), "{stopped:#}");
    }
    let stopped = json_of(&pointsman(&fixture, &["policy", "shadow", "stop", "source-selection", "--json"]).await);
    assert!(stopped["disagreements"].as_array().is_some_and(|rows| !rows.is_empty()));
    fixture
        .wait_for("no shadow", |state| card(state, "source-selection")["shadows"][0].is_null())
        .await;

    // The replay of the journal says the same, with a host and without.
    let replay = pointsman(&fixture, &["policy", "dry-run", file, "--json"]).await;
    let report = json_of(&replay);
    assert_eq!(replay.status.code(), Some(0), "no budget forbids it");
    assert!(
        report["replayed"].as_u64() >= Some(3) && report["changed"].as_u64() >= Some(3),
        "{report:#}"
    );
    assert_eq!(
        (&report["new_errors"], &report["first_divergence"]["class"]),
        (&json!(0), &json!("idles_more"))
    );
    let data = fixture.data.path().to_str().expect("a plain path");
    let offline = json_of(&pointsman(&fixture, &["policy", "dry-run", file, "--data", data, "--json"]).await);
    assert_eq!(
        (&offline["replayed"], &offline["changed"], &offline["classes"]),
        (&report["replayed"], &report["changed"], &report["classes"])
    );

    // Beside the file lies what it may change.
    std::fs::write(
        idler.with_extension("budgets.json"),
        r#"{ "changed_share_max": 0.1, "forbidden": ["gives_up"] }"#,
    )
    .expect("written");
    let before = card(&fixture.fetch("/api/v1/state").await, "source-selection");
    let refused = pointsman(&fixture, &["policy", "activate", file, "--json"]).await;
    assert_eq!(refused.status.code(), Some(3), "{}", talk(&refused));
    let swap = json_of(&refused);
    assert_eq!((&swap["status"], &swap["problem"]["code"]), (&json!("failed"), &json!("PM2151")));
    assert!(talk(&refused).contains("changed_share_max"), "{}", talk(&refused));
    assert_eq!(stage(&swap, 0, "replay")["status"], "failed");
    assert_eq!(stage(&swap, 0, "activate")["status"], "skipped");
    let after = card(&fixture.fetch("/api/v1/state").await, "source-selection");
    assert_eq!((&after["generation"], &after["digest"]), (&before["generation"], &before["digest"]));

    // A class of change that is not known is no budget.
    std::fs::write(idler.with_extension("budgets.json"), r#"{ "forbidden": ["gives_in"] }"#).expect("written");
    let wrong = pointsman(&fixture, &["policy", "activate", file]).await;
    assert!(
        talk(&wrong).contains("gives_in") && talk(&wrong).contains("gives_up_no_more"),
        "{}",
        talk(&wrong)
    );
    std::fs::remove_file(idler.with_extension("budgets.json")).expect("removed");

    // A policy that fails where decisions were made is refused without any budget.
    let thrower = fixture.data.path().join("thrower.rhai");
    let text = IDLER.replace(
        "fn decide(ctx) {",
        "fn decide(ctx) { if ctx.now_ms > 1700000000000 { throw \"not today\"; }",
    );
    std::fs::write(&thrower, text).expect("written");
    let refused = pointsman(&fixture, &["policy", "activate", thrower.to_str().expect("a plain path")]).await;
    assert_eq!(refused.status.code(), Some(3), "{}", talk(&refused));
    assert!(talk(&refused).contains("new_errors_max"), "{}", talk(&refused));

    // Which policy decided what, when.
    let decided = json_of(
        &pointsman(
            &fixture,
            &["policy", "decided-by", before["digest"].as_str().expect("text"), "--json"],
        )
        .await,
    );
    assert!(decided["decisions"].as_array().is_some_and(|rows| rows.len() >= 3), "{decided:#}");
    assert_eq!(decided["activations"][0]["actor"], "host");
    fixture.host.stop().await.expect("an end in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_activation_that_nobody_confirms_is_taken_back_and_every_stage_is_seen() {
    let fixture = common::start().await;
    let first = fixture
        .wait_for("the shipped policies", |state| card(state, "retry")["generation"] == 1)
        .await;
    let mut viewer = common::viewer(&fixture.url(), "").await;
    let upload =
        json!({ "file": "retry.rhai", "text": retry_rhai().replace("1.0.0", "1.1.0"), "confirm_within_ms": 1000, "reason": "a trial" });
    let answer = fixture.post("/api/v1/policies/activate", upload).await;
    assert_eq!((answer.status, &answer.json()["generation"]), (200, &json!(2)), "{}", answer.text);

    // What the page gets: every stage of the swap, over the WebSocket.
    let mut held = pointsman::cli::Held::default();
    loop {
        let frame = common::next_frame(&mut viewer, common::DEADLINE).await.expect("a frame");
        held.take(frame).expect("it fits");
        let Some(state) = held.state() else { continue };
        let swap = &state["swaps"][0];
        if swap["status"] != "active" || swap["actor"] != "api" {
            continue;
        }
        let stages: Vec<(&str, &str)> = swap["parts"][0]["stages"]
            .as_array()
            .expect("stages")
            .iter()
            .map(|stage| (stage["slug"].as_str().expect("text"), stage["status"].as_str().expect("text")))
            .collect();
        assert_eq!(
            stages,
            [
                ("fetch", "passed"),
                ("digest", "passed"),
                ("signature", "skipped"),
                ("parse", "passed"),
                ("compile", "skipped"),
                ("link", "skipped"),
                ("describe", "passed"),
                ("settings", "passed"),
                ("self_test", "passed"),
                ("replay", "passed"),
                ("state", "skipped"),
                ("shadow", "skipped"),
                ("activate", "passed"),
                ("drain", "passed"),
                ("retire", "passed"),
            ]
        );
        assert!(swap["seq"].is_number() && swap["confirm_by"].is_number(), "{swap:#}");
        break;
    }
    let back = fixture
        .wait_for("the version before", |state| card(state, "retry")["generation"] == 3)
        .await;
    let (was, is) = (card(&first, "retry"), card(&back, "retry"));
    assert_eq!((&is["digest"], &is["actor"]), (&was["digest"], &json!("confirm-timeout")));

    // The stages stand in the journal with the activation.
    let shown = fixture.fetch("/api/v1/policies/versions/retry-rhai@1.1.0").await;
    let report = &shown["activations"][0]["report"];
    assert!(report["stages"].as_array().is_some_and(|stages| stages.len() > 8), "{shown:#}");

    // Confirmed in time, it stays.
    let upload = json!({ "file": "retry.rhai", "text": retry_rhai().replace("1.0.0", "1.2.0"), "confirm_within_ms": 600_000 });
    let answer = fixture.post("/api/v1/policies/activate", upload).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    fixture
        .wait_for("a trial", |state| card(state, "retry")["confirm_by"].is_number())
        .await;
    let confirmed = pointsman(&fixture, &["policy", "confirm", "retry"]).await;
    assert_eq!(confirmed.status.code(), Some(0), "{}", talk(&confirmed));
    let kept = fixture
        .wait_for("no trial", |state| card(state, "retry")["confirm_by"].is_null())
        .await;
    assert_eq!(card(&kept, "retry")["version"], "1.2.0");
    fixture.host.stop().await.expect("an end in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_is_activated_and_taken_back_as_one_and_a_pin_holds() {
    let fixture = common::start().await;
    let directory = fixture.data.path();
    let (retry, idler) = (directory.join("retry.rhai"), directory.join("idler.rhai"));
    std::fs::write(&retry, retry_rhai().replace("1.0.0", "1.1.0")).expect("written");
    std::fs::write(&idler, IDLER).expect("written");
    let (retry, idler) = (retry.to_str().expect("a plain path"), idler.to_str().expect("a plain path"));

    let pinned = pointsman(&fixture, &["policy", "pin", "retry", "--reason", "a holiday"]).await;
    assert_eq!(pinned.status.code(), Some(0), "{}", talk(&pinned));
    let refused = pointsman(&fixture, &["policy", "activate", retry, idler]).await;
    assert_eq!(refused.status.code(), Some(5), "{}", talk(&refused));
    assert!(
        talk(&refused).contains("policy unpin retry"),
        "the cure is named: {}",
        talk(&refused)
    );
    let state = fixture.fetch("/api/v1/state").await;
    assert_eq!(card(&state, "source-selection")["generation"], 1, "all or none");
    assert_eq!(pointsman(&fixture, &["policy", "unpin", "retry"]).await.status.code(), Some(0));

    let activated = pointsman(&fixture, &["policy", "activate", retry, idler, "--json"]).await;
    assert_eq!(activated.status.code(), Some(0), "{}", talk(&activated));
    assert_eq!(json_of(&activated)["parts"].as_array().map(Vec::len), Some(2));
    let state = fixture
        .wait_for("the set", |state| card(state, "source-selection")["name"] == "idler")
        .await;
    let (one, other) = (card(&state, "retry"), card(&state, "source-selection"));
    assert!(one["set"].is_number() && one["set"] == other["set"], "{one:#}\n{other:#}");
    let back = pointsman(&fixture, &["policy", "rollback", "retry", "--set"]).await;
    assert_eq!(back.status.code(), Some(0), "{}", talk(&back));
    let state = fixture
        .wait_for("both back", |state| card(state, "source-selection")["name"] != "idler")
        .await;
    assert_eq!(card(&state, "retry")["version"], "1.0.0");

    // A canary decides a share, and is promoted.
    let canary = pointsman(&fixture, &["policy", "canary", "start", idler, "--share", "0.2"]).await;
    assert_eq!(canary.status.code(), Some(0), "{}", talk(&canary));
    let state = fixture
        .wait_for("a canary", |state| card(state, "source-selection")["canary"].is_object())
        .await;
    assert_eq!(card(&state, "source-selection")["canary"]["share"], 0.2);
    let promoted = pointsman(&fixture, &["policy", "canary", "promote", "source-selection"]).await;
    assert_eq!(promoted.status.code(), Some(0), "{}", talk(&promoted));
    let state = fixture
        .wait_for("the canary is active", |state| card(state, "source-selection")["canary"].is_null())
        .await;
    assert_eq!(card(&state, "source-selection")["name"], "idler");
    fixture.host.stop().await.expect("an end in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_a_trusted_key_signed_is_taken_where_that_is_required() {
    let data = TempDir::new().expect("a directory");
    let keys = TempDir::new().expect("a directory");
    let trusted = keys.path().join("trusted");
    let watched = keys.path().join("policies");
    std::fs::create_dir(&trusted).expect("made");
    std::fs::create_dir(&watched).expect("made");
    let options = HostOptions {
        require_signatures: true,
        trusted_keys: Some(trusted.clone()),
        policies: Some(watched.clone()),
        ..common::options(&data)
    };
    let host = Host::start(options).await.expect("the host starts");
    let fixture = Fixture { host, data };
    let state = fixture
        .wait_for("the shipped policies, which are part of the program", |state| {
            card(state, "retry")["generation"] == 1
        })
        .await;
    assert_eq!(card(&state, "retry")["engine"], "rhai");

    let file = keys.path().join("retry.rhai");
    std::fs::write(&file, retry_rhai().replace("1.0.0", "1.1.0")).expect("written");
    let path = file.to_str().expect("a plain path");
    let (private, public) = signing::generate(&keys.path().join("alice")).expect("a key");
    let private = private.to_str().expect("a plain path");
    let refused_with = |output: &Output, code: &str| {
        assert_eq!(output.status.code(), Some(3), "{}", talk(output));
        assert!(talk(output).contains(code), "{code}: {}", talk(output));
    };
    refused_with(&pointsman(&fixture, &["policy", "activate", path]).await, "PM2141");
    let signed = pointsman(&fixture, &["policy", "sign", path, "--key", private]).await;
    assert_eq!(signed.status.code(), Some(0), "{}", talk(&signed));
    refused_with(&pointsman(&fixture, &["policy", "activate", path]).await, "PM2143");
    std::fs::copy(&public, trusted.join("alice.pub")).expect("trusted");
    std::fs::write(&file, retry_rhai().replace("1.0.0", "1.1.1")).expect("changed after it was signed");
    refused_with(&pointsman(&fixture, &["policy", "activate", path]).await, "PM2142");

    // The watched directory is no way around it.
    std::fs::copy(&file, watched.join("retry.rhai")).expect("copied");
    let state = fixture
        .wait_for("the refusal", |state| card(state, "retry")["problem"].is_object())
        .await;
    assert_eq!(card(&state, "retry")["problem"]["code"], "PM2141");
    assert_eq!(card(&state, "retry")["generation"], 1);

    pointsman(&fixture, &["policy", "sign", path, "--key", private]).await;
    let activated = pointsman(&fixture, &["policy", "activate", path, "--json"]).await;
    assert_eq!(activated.status.code(), Some(0), "{}", talk(&activated));
    assert_eq!(json_of(&activated)["parts"][0]["signed_by"], "alice");
    let state = fixture
        .wait_for("the signed version", |state| card(state, "retry")["version"] == "1.1.1")
        .await;
    assert_eq!(card(&state, "retry")["signed_by"], "alice");
    // The way back and forth by digest needs no file: the signature is kept with the version.
    let digest = card(&state, "retry")["digest"].as_str().expect("text").to_string();
    assert_eq!(pointsman(&fixture, &["policy", "rollback", "retry"]).await.status.code(), Some(0));
    let again = pointsman(&fixture, &["policy", "activate", &digest[..12]]).await;
    assert_eq!(again.status.code(), Some(0), "{}", talk(&again));
    fixture.host.stop().await.expect("an end in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_listed_shown_compared_and_brought_back() {
    let fixture = common::start().await;
    let file = fixture.data.path().join("retry.rhai");
    let text = retry_rhai()
        .replace("1.0.0", "1.1.0")
        .replace("// Retry by class", "// Try again by class");
    std::fs::write(&file, &text).expect("written");
    std::fs::write(file.with_extension("settings.json"), r#"{ "base_s": 7 }"#).expect("written");
    let path = file.to_str().expect("a plain path");
    let activated = pointsman(&fixture, &["policy", "activate", path, "--reason", "slower"]).await;
    assert_eq!(activated.status.code(), Some(0), "{}", talk(&activated));
    assert!(talk(&activated).contains("from journal position"), "{}", talk(&activated));

    let listed = json_of(&pointsman(&fixture, &["policy", "versions", "retry", "--json"]).await);
    assert_eq!(listed["versions"].as_array().map(Vec::len), Some(2), "{listed:#}");
    assert_eq!(
        (&listed["versions"][0]["version"], &listed["versions"][0]["active"]),
        (&json!("1.1.0"), &json!(true))
    );

    let shown = json_of(&pointsman(&fixture, &["policy", "show", "retry-rhai@1.1.0", "--json"]).await);
    let sum = Command::new("sha256sum").arg(&file).output().expect("sha256sum runs");
    let sum = String::from_utf8_lossy(&sum.stdout);
    assert_eq!(shown["row"]["code_digest"].as_str(), sum.split(' ').next());
    assert_eq!(shown["activations"][0]["reason"], "slower");
    let code = pointsman(&fixture, &["policy", "code", "retry-rhai@1.1.0"]).await;
    assert_eq!(String::from_utf8_lossy(&code.stdout), text);

    let diff = json_of(&pointsman(&fixture, &["policy", "diff", "retry-rhai@1.0.0", "retry-rhai@1.1.0", "--json"]).await);
    assert_eq!(diff["settings"], json!([{ "name": "base_s", "before": "2", "after": "7" }]));
    let unified = diff["code"].as_str().expect("a diff");
    assert!(
        unified.contains("-// Retry by class") && unified.contains("+// Try again by class"),
        "{unified}"
    );

    // Back by name, from the journal alone.
    std::fs::remove_file(&file).expect("removed");
    let back = pointsman(&fixture, &["policy", "activate", "retry-rhai@1.0.0"]).await;
    assert_eq!(back.status.code(), Some(0), "{}", talk(&back));
    let state = fixture
        .wait_for("the old version", |state| card(state, "retry")["version"] == "1.0.0")
        .await;
    assert_eq!(card(&state, "retry")["generation"], 3);
    let unknown = pointsman(&fixture, &["policy", "activate", "retry-rhai@9.9.9"]).await;
    assert_eq!(unknown.status.code(), Some(4), "{}", talk(&unknown));

    // State of another version is rehearsed on a copy: there is none yet, so nothing needs to be migrated.
    for version in [1, 2] {
        let upload = json!({ "file": "counter.rhai", "text": counter(version, 3) });
        let answer = fixture.post("/api/v1/policies/activate", upload).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    let swaps = fixture.fetch("/api/v1/policies/swaps").await;
    assert_eq!(stage(&swaps["swaps"][0], 0, "state")["detail"], "the version before has none");
    fixture.host.stop().await.expect("an end in order");
}
