//! A candidate's whole way against a host that really trains, evaluates and serves: held, decided, live, back, kept and pruned.

use crate::common::{self, Fixture, json_of, pointsman, request, talk};
use pointsman::host::Host;
use serde_json::{Value, json};
use std::path::Path;

/// Accepts what it sees and then watches for as long as it may.
const EAGER_GATE: &str = r#"
fn describe() {
    #{ name: "eager-gate", version: "1.0.0", kind: "promotion-gate", summary: "Accepts every candidate and goes on watching.",
        settings: [], state_version: 0 }
}

fn decide(ctx) {
    if ctx.stage == "watch" {
        return #{ verdict: #{ need_more: 400 }, reasons: [#{ code: "watching", text: "it is watched" }] };
    }
    #{ verdict: "advance", reasons: [#{ code: "accepted", text: "it looks well" }] }
}
"#;

async fn set(fixture: &Fixture, values: Value) {
    let json_body = [("content-type", "application/json"), ("if-match", "*")];
    let answer = request(&fixture.url(), "PATCH", "/api/v1/settings", &json_body, &values.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

async fn train(fixture: &Fixture, sources: u32) {
    for number in 0..sources {
        let source = json!({ "title": format!("A novel {number}"), "host": "novel" });
        assert_eq!(fixture.post("/api/v1/sources", source).await.status, 201);
    }
    assert_eq!(fixture.post("/api/v1/training/start", json!({})).await.status, 200);
}

async fn promotion(fixture: &Fixture) -> Value {
    fixture.fetch("/api/v1/promotion").await
}

fn installed(data: &Path) -> usize {
    std::fs::read_dir(data.join("models")).expect("a directory").count()
}

/// Until the newest model is held before it goes live.
async fn held_candidate(fixture: &Fixture) -> Value {
    let swap = fixture.post(
        "/api/v1/policies/activate",
        json!({ "file": "gate.rhai", "text": EAGER_GATE, "budgets": { "last": 0 } }),
    );
    let swap = swap.await;
    assert_eq!(swap.status, 200, "{}", swap.text);
    set(
        fixture,
        json!({ "default_steps": 20, "lane_mode": "queued_only", "promotion_window": 1, "promotion_hold": true,
                "eval_blocks_per_host": 2, "canary_pairs_first": 2, "canary_share": 0.5 }),
    )
    .await;
    train(fixture, 1).await;
    fixture
        .wait_for("a held candidate", |state| state["window"]["state"] == "held")
        .await;
    promotion(fixture).await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_model_nothing_is_claimed() {
    let fixture = common::start().await;
    let proof = promotion(&fixture).await;
    assert_eq!(
        (&proof["state"], &proof["worker"]["status"]),
        (&json!("none"), &json!("idle")),
        "{proof:#}"
    );
    assert_eq!(
        (
            &proof["window"]["ordinal"],
            &proof["window"]["remaining"],
            &proof["window"]["next_target"]
        ),
        (&json!(1), &json!(30), &json!(30))
    );
    for unknown in ["last_apply", "last_switch", "candidate", "ended", "last_error"] {
        assert_eq!(proof[unknown], Value::Null, "{unknown}");
    }
    for unknown in ["eta_at", "interval_ms", "reached_at"] {
        assert_eq!(proof["window"][unknown], Value::Null, "{unknown}");
    }
    let roles: Vec<&str> = proof["roles"]
        .as_array()
        .expect("roles")
        .iter()
        .filter_map(|role| role["slug"].as_str())
        .collect();
    assert_eq!(roles, ["controller", "standard"]);
    assert_eq!(
        (&proof["roles"][1]["tag"], &proof["candidate_state"]),
        (&json!(null), &json!("none"))
    );
    assert_eq!(
        promotion(&fixture).await["view"]["fingerprint"],
        proof["view"]["fingerprint"],
        "the same while nothing happens"
    );
    let nothing = fixture.fetch("/api/v1/models/live-at?at=1970-01-02T00:00:00Z").await;
    assert_eq!(
        (&nothing["roles"][0]["change"], &nothing["roles"][0]["why"]),
        (&json!(null), &json!("There was no model yet."))
    );
    for (wrong, status) in [("tomorrow", 422), ("99999999999999", 422), ("", 422)] {
        let answer = request(&fixture.url(), "GET", &format!("/api/v1/models/live-at?at={wrong}"), &[], "").await;
        assert_eq!(
            (answer.status, &answer.json()["errors"][0]["pointer"]),
            (status, &json!("/at")),
            "{wrong}"
        );
    }
    fixture.host.stop().await.expect("an end in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_candidate_goes_live_by_a_persons_word_and_comes_back() {
    let fixture = common::start().await;
    let proof = held_candidate(&fixture).await;
    let candidate = &proof["candidate"];
    let (tag, baseline) = (candidate["card"]["tag"].clone(), candidate["card"]["baseline"].clone());
    let decision = candidate["held"]["decision"].as_u64().expect("a decision");
    assert_eq!(
        (&proof["state"], &proof["worker"]["status"]),
        (&json!("held"), &json!("blocked")),
        "{proof:#}"
    );
    assert_eq!(
        (
            &candidate["held"]["cause"],
            &candidate["held"]["from"],
            &candidate["canary"]["status"]
        ),
        (&json!("setting"), &json!("canary"), &json!("passed")),
        "{candidate:#}"
    );
    assert!(candidate["quality"]["pairs"].as_u64() >= Some(2), "{candidate:#}");
    let quality = |name: &str| candidate["quality"][name].as_f64().expect("a number");
    assert!((quality("candidate") - quality("baseline") - quality("delta")).abs() < 1e-9);
    assert!(
        quality("low") <= quality("delta") && quality("delta") <= quality("high"),
        "{candidate:#}"
    );
    assert_eq!(candidate["decisions"][0]["id"], decision, "the newest first");
    assert_eq!(proof["evaluation"]["result"], "completed");
    assert_eq!((&proof["window"]["watermark"], &proof["window"]["ordinal"]), (&json!(1), &json!(2)));
    let live = fixture.fetch("/api/v1/state").await;
    assert_eq!(
        (&live["window"]["watermark"], &live["candidate"]["candidate_mean"]),
        (&proof["window"]["watermark"], &candidate["quality"]["candidate"]),
        "one derivation"
    );
    assert_eq!(proof["roles"][0]["tag"], baseline);

    // A click on what is not there any more does nothing.
    for (wrong, status, code) in [
        (json!({ "candidate": "m-99" }), 404, "candidate_not_held"),
        (json!({ "candidate": tag, "decision": decision - 1 }), 409, "hold_changed"),
        (json!({ "candidate": tag, "because": "of a misspelt field" }), 422, "invalid_body"),
    ] {
        for verb in ["approve", "reject"] {
            let answer = fixture.post(&format!("/api/v1/promotion/{verb}"), wrong.clone()).await;
            assert_eq!(answer.status, status, "{wrong}: {}", answer.text);
            if status != 422 {
                assert_eq!(answer.json()["code"], code, "{wrong}");
            }
        }
    }
    // Nothing else waits: training goes on, and so does the window.
    train(&fixture, 1).await;
    fixture
        .wait_for("one more success", |state| state["totals"]["successes"] == 2)
        .await;
    assert_eq!(fixture.post("/api/v1/training/stop", json!({})).await.status, 200);
    let waiting = promotion(&fixture).await;
    assert_eq!(
        (&waiting["state"], &waiting["window"]["delta"], &waiting["candidate"]["card"]["tag"]),
        (&json!("held"), &json!(1), &tag)
    );

    // Held beyond a restart.
    fixture.host.stop().await.expect("an end in order");
    let host = Host::start(common::options(&fixture.data)).await.expect("it starts again");
    let fixture = Fixture { host, data: fixture.data };
    let still = promotion(&fixture).await;
    assert_eq!(still["candidate"]["held"], proof["candidate"]["held"], "as before the restart");
    assert_eq!(still["candidate"]["quality"], proof["candidate"]["quality"]);

    let tag = tag.as_str().expect("a tag").to_string();
    let number = decision.to_string();
    let approved = pointsman(
        &fixture,
        &["promotion", "approve", &tag, "--decision", &number, "--reason", "it reads well"],
    )
    .await;
    assert!(approved.status.success(), "{}", talk(&approved));
    fixture
        .wait_for("a live candidate", |state| state["active"]["tag"] == tag.as_str())
        .await;
    let again = fixture
        .post("/api/v1/promotion/approve", json!({ "candidate": tag, "decision": decision }))
        .await;
    assert_eq!((again.status, &again.json()["code"]), (404, &json!("candidate_not_held")));
    let live = promotion(&fixture).await;
    assert!(
        ["applying", "applied"].contains(&live["state"].as_str().expect("a state")),
        "{live:#}"
    );
    assert_eq!((&live["live_applies"], &live["last_apply"]["model"]), (&json!(1), &json!(tag)));
    let applied_at = live["last_apply"]["at"].as_u64().expect("a time");

    // The model before comes back, and the past can be told.
    let back = fixture
        .post("/api/v1/models/rollback", json!({ "reason": "answers grew slow" }))
        .await;
    assert_eq!(back.status, 200, "{}", back.text);
    let proof = promotion(&fixture).await;
    assert_eq!(
        (&proof["state"], &proof["ended"]["ended"]["end"], &proof["ended"]["ended"]["actor"]),
        (&json!("rolled_back"), &json!("rolled_back"), &json!("api")),
        "{proof:#}"
    );
    assert_eq!(
        (&proof["roles"][1]["tag"], &proof["last_switch"]["actor"]),
        (&baseline, &json!("api"))
    );
    let then = json_of(&pointsman(&fixture, &["models", "live-at", &applied_at.to_string(), "--json"]).await);
    let change = &then["roles"][1]["change"];
    assert_eq!(
        (&change["model"], &change["actor"], &change["reason"]),
        (&json!(tag), &json!("cli"), &json!("it reads well")),
        "{then:#}"
    );
    assert!(then["roles"][1]["until"].as_u64() >= Some(applied_at), "{then:#}");
    let before = fixture.fetch(&format!("/api/v1/models/live-at?at={}", applied_at - 1)).await;
    assert_eq!(
        (&before["roles"][1]["change"]["model"], &before["roles"][1]["until"]),
        (&baseline, &json!(applied_at))
    );

    // What goes and what stays.
    let pinned = pointsman(&fixture, &["models", "pin", &tag, "--reason", "to be looked at"]).await;
    assert!(pinned.status.success(), "{}", talk(&pinned));
    let plan = json_of(&pointsman(&fixture, &["models", "prune", "--dry-run", "--keep", "0", "--json"]).await);
    let kept = |tag: &Value| {
        let stay = plan["stay"].as_array().expect("rows");
        let row = stay.iter().find(|row| row["tag"] == *tag).expect("it stays");
        row["kept_for"]
            .as_array()
            .expect("reasons")
            .iter()
            .map(|kept| kept["slug"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(kept(&json!(tag)), ["pinned"], "{plan:#}");
    assert_eq!(kept(&baseline), ["live", "line"], "{plan:#}");
    assert_eq!(plan["go_count"], 1, "{plan:#}");
    let models = installed(fixture.data.path());
    let old = fixture
        .post("/api/v1/models/prune", json!({ "keep": 0, "plan": "00".repeat(32) }))
        .await;
    assert_eq!((old.status, &old.json()["code"]), (409, &json!("prune_changed")));
    let wrong = fixture.post("/api/v1/models/prune", json!({ "plan": "the one I saw" })).await;
    assert_eq!((wrong.status, &wrong.json()["errors"][0]["pointer"]), (422, &json!("/plan")));
    assert_eq!(installed(fixture.data.path()), models, "a dry run and a refusal leave all files");
    let pruned = fixture
        .post("/api/v1/models/prune", json!({ "keep": 0, "plan": plan["plan"] }))
        .await;
    assert_eq!(pruned.status, 200, "{}", pruned.text);
    assert_eq!(
        (&pruned.json()["models"], &pruned.json()["bytes"]),
        (&json!([plan["go"][0]["tag"]]), &plan["go_bytes"])
    );
    let list = fixture.fetch("/api/v1/models").await;
    let row = |tag: &Value| {
        list["models"]
            .as_array()
            .expect("rows")
            .iter()
            .find(|row| row["tag"] == *tag)
            .expect("a row")
            .clone()
    };
    assert!(row(&plan["go"][0]["tag"])["retired_at"].is_u64());
    assert_eq!(row(&json!(tag))["pinned"], "by cli: to be looked at");
    assert!(row(&json!(tag))["retired_at"].is_null());
    let unknown = fixture.post("/api/v1/models/m-99/pin", json!({})).await;
    assert_eq!((unknown.status, &unknown.json()["code"]), (404, &json!("model_unknown")));
    fixture.host.stop().await.expect("an end in order");
}
