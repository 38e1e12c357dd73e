//! Stages of a swap, one by one: what each refuses, lets pass, and leaves behind.

use crate::common::{self, Fixture, card, decide_some, json_of, pointsman, request, retry_rhai, stage, talk};
use pointsman::host::{Host, HostOptions};
use pointsman::signing;
use pointsman_model::policy::PolicyKind;
use serde_json::{Value, json};
use tempfile::TempDir;

const SELECTION: PolicyKind = PolicyKind::SourceSelection;

/// A selection policy that picks the first source and counts, as its state, how often it was asked.
fn counter(version: u32, migrate: &str) -> String {
    format!(
        r#"
fn describe() {{ #{{ name: "counter", version: "{version}.0.0", kind: "source-selection", summary: "Counts.", settings: [],
    state_version: {version} }} }}
{migrate}
fn decide(ctx) {{
    let asked = if ctx.state == () {{ 0 }} else {{ ctx.state }};
    #{{ verdict: if ctx.candidates.is_empty() {{ "idle" }} else {{ #{{ pick: [0] }} }}, state: asked + 1,
        reasons: [ #{{ code: "counted", text: `Asked ${{asked}} times before.` }} ] }}
}}
"#
    )
}

/// Never picks, and loops so often before it says so.
fn idler(version: &str, loops: u32) -> String {
    format!(
        r#"
fn describe() {{ #{{ name: "idler", version: "{version}", kind: "source-selection", summary: "Never picks.", settings: [], state_version: 0 }} }}
fn decide(ctx) {{
    let n = 0;
    while n < {loops} {{ n += 1; }}
    #{{ verdict: "idle", reasons: [ #{{ code: "resting", text: "It rests." }} ] }}
}}
"#
    )
}

/// A curriculum that cannot answer.
const POISONED: &str = r#"
fn describe() { #{ name: "poisoned", version: "1.0.0", kind: "curriculum", summary: "Fails.", settings: [], state_version: 0 } }
fn decide(ctx) { if ctx.now_ms > 1700000000000 { throw "not with these hosts"; } #{ verdict: "nothing", reasons: [] } }
"#;

async fn state_of(fixture: &Fixture, kind: PolicyKind) -> Vec<u8> {
    let look = move |state: &pointsman_coordinator::State| {
        let active = state.slot(kind).and_then(|slot| slot.active.as_ref());
        active.map(|active| active.state.clone()).unwrap_or_default()
    };
    fixture.host.parts.inbox.look(look).await.expect("the driver runs")
}

/// Activates without a replay, in the background where `more` says so.
async fn activate(fixture: &Fixture, text: &str, more: Value) -> common::Answer {
    let mut body = json!({ "file": "policy.rhai", "text": text, "budgets": { "last": 0 } });
    let fields = body.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    fixture.post("/api/v1/policies/activate", body).await
}

async fn latest_swap(fixture: &Fixture) -> Value {
    fixture.fetch("/api/v1/policies/swaps").await["swaps"][0].clone()
}

async fn wait_for_swap(fixture: &Fixture, id: &Value) -> Value {
    let over = |state: &Value| {
        let swaps = state["swaps"].as_array().cloned().unwrap_or_default();
        swaps.into_iter().find(|swap| swap["id"] == *id && swap["status"] != "running")
    };
    let state = fixture.wait_for("the end of the swap", |state| over(state).is_some()).await;
    over(&state).expect("it was waited for")
}

#[tokio::test(flavor = "multi_thread")]
async fn state_is_migrated_on_a_copy_first_and_a_migration_that_fails_leaves_the_version_before() {
    let fixture = common::start().await;
    assert_eq!(activate(&fixture, &counter(1, ""), json!({})).await.status, 200);
    decide_some(&fixture, 3).await;
    let before = state_of(&fixture, SELECTION).await;
    let count: u64 = serde_json::from_slice(&before).expect("a count");
    assert!(count >= 3, "{count}");

    let refused = activate(&fixture, &counter(2, r#"fn migrate(from, state) { throw "I cannot" }"#), json!({})).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert!(
        refused.text.contains("I cannot") && refused.text.contains("--fresh-state"),
        "{}",
        refused.text
    );
    let swap = latest_swap(&fixture).await;
    assert_eq!(
        (&stage(&swap, 0, "state")["status"], &stage(&swap, 0, "activate")["status"]),
        (&json!("failed"), &json!("skipped"))
    );
    let kept = fixture.fetch("/api/v1/state").await;
    assert_eq!(card(&kept, "source-selection")["version"], "1.0.0");
    assert_eq!(state_of(&fixture, SELECTION).await, before, "byte for byte");

    let taken = activate(&fixture, &counter(2, "fn migrate(from, state) { state * 1000 }"), json!({})).await;
    assert_eq!(taken.status, 200, "{}", taken.text);
    let swap = latest_swap(&fixture).await;
    let told = stage(&swap, 0, "state")["detail"].as_str().unwrap_or_default().to_string();
    assert!(told.contains("state version 1") && told.contains("of version 2"), "{told}");
    assert_eq!(state_of(&fixture, SELECTION).await, (count * 1000).to_string().into_bytes());

    // The version before comes back with the state that it had.
    let back = pointsman(&fixture, &["policy", "rollback", "source-selection"]).await;
    assert_eq!(back.status.code(), Some(0), "{}", talk(&back));
    assert_eq!(state_of(&fixture, SELECTION).await, before);
    // And started afresh, none is taken over.
    let fresh = activate(&fixture, &counter(3, ""), json!({ "fresh_state": true })).await;
    assert_eq!(fresh.status, 200, "{}", fresh.text);
    assert!(state_of(&fixture, SELECTION).await.is_empty());
    fixture.host.stop().await.expect("an end in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_stage_waits_for_live_decisions_and_can_refuse_pass_or_be_cancelled() {
    let fixture = common::start().await;
    let before = card(&fixture.fetch("/api/v1/state").await, "source-selection");
    let strict = json!({ "shadow_for": 2, "shadow_changed_max": 0.0, "background": true });
    let started = activate(&fixture, &idler("1.0.0", 1), strict).await;
    assert_eq!(started.status, 202, "{}", started.text);
    let strict = started.json()["swap"].clone();
    fixture
        .wait_for("a shadow", |state| card(state, "source-selection")["shadows"][0].is_object())
        .await;
    decide_some(&fixture, 3).await;
    let swap = wait_for_swap(&fixture, &strict).await;
    assert_eq!(
        (&swap["status"], &stage(&swap, 0, "shadow")["status"]),
        (&json!("failed"), &json!("failed")),
        "{swap:#}"
    );
    assert!(swap["problem"]["message"].to_string().contains("shadow_changed_max"), "{swap:#}");
    let after = card(&fixture.fetch("/api/v1/state").await, "source-selection");
    assert_eq!((&after["generation"], &after["digest"]), (&before["generation"], &before["digest"]));

    // Cancelled while it waits: nothing was touched, and the shadow is gone.
    let patient = json!({ "shadow_for": 100_000, "background": true });
    let started = activate(&fixture, &idler("1.1.0", 1), patient).await;
    assert_eq!(started.status, 202, "{}", started.text);
    let id = started.json()["swap"].clone();
    fixture
        .wait_for("its shadow", |state| {
            card(state, "source-selection")["shadows"][0]["version"] == "1.1.0"
        })
        .await;
    let cancelled = pointsman(&fixture, &["policy", "swaps", &id.to_string(), "--cancel"]).await;
    assert_eq!(cancelled.status.code(), Some(0), "{}", talk(&cancelled));
    let swap = wait_for_swap(&fixture, &id).await;
    assert_eq!(
        (&swap["status"], &stage(&swap, 0, "activate")["status"]),
        (&json!("failed"), &json!("skipped")),
        "{swap:#}"
    );
    let state = fixture
        .wait_for("no shadow", |state| card(state, "source-selection")["shadows"][0].is_null())
        .await;
    assert_eq!(card(&state, "source-selection")["digest"], before["digest"]);
    let again = pointsman(&fixture, &["policy", "swaps", &id.to_string(), "--cancel"]).await;
    assert_eq!(again.status.code(), Some(5), "it is over: {}", talk(&again));

    // What may disagree as it likes goes live once it has seen enough.
    let lenient = json!({ "shadow_for": 2, "background": true });
    let started = activate(&fixture, &idler("1.2.0", 1), lenient).await;
    let id = started.json()["swap"].clone();
    fixture
        .wait_for("its shadow", |state| {
            card(state, "source-selection")["shadows"][0]["version"] == "1.2.0"
        })
        .await;
    decide_some(&fixture, 2).await;
    let swap = wait_for_swap(&fixture, &id).await;
    assert_eq!(
        (&swap["status"], &stage(&swap, 0, "shadow")["status"]),
        (&json!("active"), &json!("passed")),
        "{swap:#}"
    );
    fixture
        .wait_for("the idler", |state| card(state, "source-selection")["version"] == "1.2.0")
        .await;
    fixture.host.stop().await.expect("an end in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_of_fuel_refuses_a_policy_that_takes_too_long_and_force_goes_over_it() {
    let fixture = common::start().await;
    assert_eq!(activate(&fixture, &counter(1, ""), json!({})).await.status, 200);
    decide_some(&fixture, 3).await;
    let budgets = json!({ "budgets": { "last": 100, "fuel_factor_max": 3.0 } });
    let refused = activate(&fixture, &idler("1.0.0", 20_000), budgets).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert!(
        refused.text.contains("fuel_factor_max") && refused.text.contains("--force"),
        "{}",
        refused.text
    );
    assert_eq!(card(&fixture.fetch("/api/v1/state").await, "source-selection")["name"], "counter");

    let forced = json!({ "budgets": { "last": 100, "fuel_factor_max": 3.0 }, "force": true, "reason": "we know" });
    let taken = activate(&fixture, &idler("1.0.0", 20_000), forced).await;
    assert_eq!(taken.status, 200, "{}", taken.text);
    let swap = latest_swap(&fixture).await;
    let replay = stage(&swap, 0, "replay");
    assert_eq!(
        (&swap["status"], &replay["status"]),
        (&json!("active"), &json!("skipped")),
        "{swap:#}"
    );
    // It stands in the journal for who asks later.
    let shown = fixture.fetch("/api/v1/policies/versions/idler@1.0.0").await;
    let report = shown["activations"][0]["report"].to_string();
    assert!(report.contains("by force") && report.contains("fuel_factor_max"), "{report}");
    fixture.host.stop().await.expect("an end in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_that_was_set_aside_is_asked_about_again_once_somebody_releases_it() {
    let fixture = common::start().await;
    assert_eq!(activate(&fixture, POISONED, json!({})).await.status, 200);
    let mut settings = fixture.fetch("/api/v1/settings").await;
    settings["default_steps"] = json!(20);
    settings["curriculum_interval_s"] = json!(1);
    settings["lane_mode"] = json!("automatic_only");
    let json_body = [("content-type", "application/json"), ("if-match", "*")];
    let changed = request(&fixture.url(), "PUT", "/api/v1/settings", &json_body, &settings.to_string()).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_eq!(request(&fixture.url(), "POST", "/api/training/start", &[], "").await.status, 200);
    let quarantined = |state: &Value| card(state, "curriculum")["quarantine"].as_array().cloned().unwrap_or_default();
    let state = fixture.wait_for("an input set aside", |state| !quarantined(state).is_empty()).await;
    let first = quarantined(&state)[0].clone();
    assert!(first["detail"].to_string().contains("not with these hosts"), "{first:#}");
    let faults = card(&state, "curriculum")["faults"].as_u64().expect("a number");
    assert_eq!(
        card(&state, "curriculum")["name"],
        "poisoned",
        "one poisoned input does not condemn it"
    );

    let key = first["key"].as_str().expect("a key");
    let unknown = pointsman(&fixture, &["policy", "quarantine", "--release", &"0".repeat(64)]).await;
    assert_ne!(unknown.status.code(), Some(0), "there is no such input");
    let released = pointsman(&fixture, &["policy", "quarantine", "--release", key]).await;
    assert_eq!(released.status.code(), Some(0), "{}", talk(&released));
    let again = fixture
        .wait_for("it is asked again, and fails again", |state| {
            card(state, "curriculum")["faults"].as_u64() > Some(faults)
        })
        .await;
    assert_eq!(card(&again, "curriculum")["name"], "poisoned");
    fixture
        .wait_for("it is set aside again", |state| {
            quarantined(state)
                .first()
                .is_some_and(|card| card["key"] == key && card["since"] != first["since"])
        })
        .await;
    fixture.host.stop().await.expect("an end in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promoted_canary_carries_the_report_and_the_signature_of_its_offer() {
    let data = TempDir::new().expect("a directory");
    let keys = TempDir::new().expect("a directory");
    let options = HostOptions {
        require_signatures: true,
        trusted_keys: Some(keys.path().to_path_buf()),
        ..common::options(&data)
    };
    let host = Host::start(options).await.expect("the host starts");
    let fixture = Fixture { host, data };
    let (private, _) = signing::generate(&keys.path().join("alice")).expect("a key");
    let file = fixture.data.path().join("retry.rhai");
    std::fs::write(&file, retry_rhai().replace("1.0.0", "1.1.0")).expect("written");
    let (path, private) = (file.to_str().expect("a plain path"), private.to_str().expect("a plain path"));
    assert_eq!(
        pointsman(&fixture, &["policy", "sign", path, "--key", private]).await.status.code(),
        Some(0)
    );
    let canary = pointsman(&fixture, &["policy", "canary", "start", path, "--share", "0.5"]).await;
    assert_eq!(canary.status.code(), Some(0), "{}", talk(&canary));
    let promoted = pointsman(&fixture, &["policy", "canary", "promote", "retry", "--reason", "it held"]).await;
    assert_eq!(promoted.status.code(), Some(0), "{}", talk(&promoted));
    let state = fixture
        .wait_for("the canary is active", |state| card(state, "retry")["version"] == "1.1.0")
        .await;
    assert_eq!(card(&state, "retry")["signed_by"], "alice");
    let shown = fixture.fetch("/api/v1/policies/versions/retry-rhai@1.1.0").await;
    let report = &shown["activations"][0]["report"];
    assert_eq!(
        (&report["signed_by"], &shown["activations"][0]["state"]),
        (&json!("alice"), &json!("from_canary"))
    );
    let stages = report["stages"].as_array().cloned().unwrap_or_default();
    let named = |slug: &str| stages.iter().find(|stage| stage["stage"] == slug).cloned();
    assert!(named("self_test").is_some(), "{report:#}");
    let tried = named("canary").expect("what came of the canary");
    assert!(tried["detail"].to_string().contains("share of 50 %"), "{tried}");

    // The settings form needs no file and no signature of its own: the code and its signature are on record.
    let stored = json!({ "policies": [{ "stored": "retry-rhai@1.1.0", "settings": { "base_s": 7 } }], "reason": "slower" });
    let changed = fixture.post("/api/v1/policies/activate", stored).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let state = fixture
        .wait_for("other settings", |state| card(state, "retry")["digest"] != shown["row"]["digest"])
        .await;
    assert_eq!(card(&state, "retry")["signed_by"], "alice");
    // The shipped policies are part of the program, with other settings, too.
    let shipped = json!({ "policies": [{ "stored": "retry-rhai@1.0.0", "settings": { "base_s": 9 } }] });
    let changed = fixture.post("/api/v1/policies/activate", shipped).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let both = json!({ "policies": [{ "stored": "retry-rhai@1.0.0", "file": "a.rhai", "text": "" }] });
    let refused = fixture.post("/api/v1/policies/activate", both).await;
    assert_eq!(
        (refused.status, &refused.json()["errors"][0]["pointer"]),
        (422, &json!("/stored")),
        "{}",
        refused.text
    );
    fixture.host.stop().await.expect("an end in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_signatures_are_required_from_now_on_what_was_recorded_unsigned_decides_no_more() {
    let fixture = common::start().await;
    assert_eq!(activate(&fixture, &idler("1.0.0", 1), json!({})).await.status, 200);
    let Fixture { host, data } = fixture;
    host.stop().await.expect("an end in order");

    let options = HostOptions {
        require_signatures: true,
        ..common::options(&data)
    };
    let host = Host::start(options).await.expect("a host starts, whatever it may not load");
    let fixture = Fixture { host, data };
    let not_loaded = |state: &Value| {
        let alerts = state["alerts"].as_array().cloned().unwrap_or_default();
        alerts.into_iter().find(|alert| alert["code"] == "policy_not_loaded")
    };
    let state = fixture.wait_for("an alert", |state| not_loaded(state).is_some()).await;
    let alert = not_loaded(&state).expect("it was waited for");
    assert!(
        alert["text"].to_string().contains("idler@1.0.0") && alert["text"].to_string().contains("not signed"),
        "{alert:#}"
    );
    assert!(alert["fix"].to_string().contains("policy sign"), "{alert:#}");

    // The idler would never pick; the last good version, which is shipped, does.
    let state = decide_some(&fixture, 2).await;
    let rows = state["decisions"].as_array().cloned().unwrap_or_default();
    let picks: Vec<&Value> = rows.iter().filter(|row| row["verdict"] == "pick").collect();
    assert!(picks.iter().all(|row| !row["policy"].to_string().contains("idler")), "{picks:#?}");
    // What may not decide leaves, and the alert with it.
    let back = pointsman(&fixture, &["policy", "rollback", "source-selection"]).await;
    // The breaker may have been first.
    assert!([Some(0), Some(5)].contains(&back.status.code()), "{}", talk(&back));
    fixture.wait_for("no alert", |state| not_loaded(state).is_none()).await;
    fixture.host.stop().await.expect("an end in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_version_can_be_put_in_shadow_and_is_there_again_after_a_restart() {
    let fixture = common::start().await;
    for version in ["1.0.0", "1.1.0"] {
        assert_eq!(activate(&fixture, &idler(version, 1), json!({})).await.status, 200);
    }
    let shadow = fixture.post("/api/v1/policies/shadow", json!({ "stored": "idler@1.0.0" })).await;
    assert_eq!(shadow.status, 200, "{}", shadow.text);
    let unknown = fixture.post("/api/v1/policies/shadow", json!({ "stored": "idler@9.9.9" })).await;
    assert_eq!(unknown.status, 404, "{}", unknown.text);
    let Fixture { host, data } = fixture;
    host.stop().await.expect("an end in order");

    let host = Host::start(common::options(&data)).await.expect("the host starts again");
    let fixture = Fixture { host, data };
    let state = fixture
        .wait_for("its shadow", |state| card(state, "source-selection")["shadows"][0].is_object())
        .await;
    assert_eq!(card(&state, "source-selection")["shadows"][0]["digest"], shadow.json()["digest"]);
    let stopped = json_of(&pointsman(&fixture, &["policy", "shadow", "stop", "source-selection", "--json"]).await);
    assert_eq!(stopped["version"], "1.0.0");
    let Fixture { host, data } = fixture;
    host.stop().await.expect("an end in order");

    // Stopped, it does not come back; what was activated as a set says so in every list.
    let host = Host::start(common::options(&data)).await.expect("the host starts again");
    let fixture = Fixture { host, data };
    assert!(card(&fixture.fetch("/api/v1/state").await, "source-selection")["shadows"][0].is_null());
    let set = json!({ "policies": [
        { "stored": "idler@1.0.0" },
        { "file": "retry.rhai", "text": retry_rhai().replace("1.0.0", "1.3.0") },
    ] });
    let answer = fixture.post("/api/v1/policies/activate", set).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let list = fixture.fetch("/api/v1/policies").await;
    let sets: Vec<Value> = list["policies"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|policy| ["retry", "source-selection"].contains(&policy["card"]["kind"].as_str().unwrap_or_default()))
        .map(|policy| policy["activations"][0]["set"].clone())
        .collect();
    assert!(sets.len() == 2 && sets[0].is_number() && sets[0] == sets[1], "{sets:?}");
    fixture.host.stop().await.expect("an end in order");
}
