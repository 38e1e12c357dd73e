//! Whether all is well, and what has become better: against a host that trains.

use crate::common::{self, decide_some, request};
use serde_json::{Value, json};

fn part<'h>(health: &'h Value, slug: &str) -> &'h Value {
    let parts = health["components"].as_array().expect("parts");
    parts.iter().find(|part| part["slug"] == slug).expect("a part of this name")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_snapshot_follows_the_training() {
    let fixture = common::start().await;
    let url = fixture.url();
    let idle = fixture.fetch("/api/v1/snapshot").await;
    assert_eq!(
        (&idle["latest_cycle"], &idle["recent"]["percent"]),
        (&json!(null), &json!(null)),
        "none is no zero"
    );
    assert_eq!(
        (&idle["evaluation"]["result"], &idle["next_eval_due"]),
        (&json!("none"), &json!(30))
    );
    assert_eq!(
        (&idle["heartbeat"]["stale"], &idle["health"]["status"]),
        (&json!(false), &json!("ok"))
    );
    let baseline = idle["view"]["seq"].as_u64().expect("a position");
    let nothing = fixture.fetch(&format!("/api/v1/evidence?since={baseline}")).await;
    assert_eq!(
        (&nothing["successes_gained"], &nothing["last_model_switch"]),
        (&json!(0), &json!(null))
    );

    decide_some(&fixture, 2).await;
    let state = fixture
        .wait_for("two outcomes", |state| {
            state["totals"]["outcomes"].as_u64() >= Some(2) && state["training"]["slug"] == "stopped"
        })
        .await;
    let snapshot = fixture.fetch("/api/v1/snapshot").await;
    assert_eq!(snapshot["latest_cycle"]["terminal"], true, "{snapshot:#}");
    assert_eq!(snapshot["successes"], state["totals"]["successes"]);
    assert_eq!(
        (&snapshot["recent"]["successes"], &snapshot["recent"]["outcomes"]),
        (&state["totals"]["recent_successes"], &state["totals"]["recent_outcomes"]),
        "one derivation"
    );
    assert_eq!(snapshot["trace_coverage"]["percent"], 100.0, "{snapshot:#}");
    assert_ne!(snapshot["view"]["fingerprint"], idle["view"]["fingerprint"]);

    let evidence = fixture.fetch(&format!("/api/v1/evidence?since={baseline}")).await;
    assert_eq!(evidence["successes_gained"], state["totals"]["successes"], "{evidence:#}");
    assert_eq!(evidence["queue_consumed"], state["totals"]["successes"], "{evidence:#}");
    assert_eq!(evidence["live_applies_gained"], 0);
    assert!(
        evidence["last_model_switch"].is_u64() && evidence["baseline_at"].is_u64(),
        "{evidence:#}"
    );
    let now = evidence["view"]["seq"].clone();
    let since_now = fixture.fetch(&format!("/api/v1/evidence?since={now}")).await;
    assert_eq!(
        (&since_now["successes_gained"], &since_now["decisions_gained"]),
        (&json!(0), &json!(0))
    );

    let strip = fixture.fetch("/api/v1/pipeline").await;
    let slugs: Vec<&str> = strip["stages"]
        .as_array()
        .expect("stages")
        .iter()
        .filter_map(|stage| stage["slug"].as_str())
        .collect();
    assert_eq!(slugs, ["queued", "executing", "success_rate", "live_applies"]);
    assert_eq!(strip["stages"], snapshot["pipeline"]);

    let health = fixture.fetch("/api/v1/health").await;
    assert_eq!(
        (&health["status"], &part(&health, "model_server")["status"]),
        (&json!("ok"), &json!("ok")),
        "{health:#}"
    );
    let metrics = request(&url, "GET", "/metrics", &[], "").await;
    assert!(metrics.kind.starts_with("text/plain"), "{}", metrics.kind);
    let told = format!("pointsman_outcomes_total{{outcome=\"success\"}} {}\n", state["totals"]["successes"]);
    assert!(metrics.text.contains(&told), "{told}{}", metrics.text);
    fixture.host.stop().await.expect("an end in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_cannot_be_written_is_down_everywhere() {
    let fixture = common::start().await;
    let url = fixture.url();
    fixture.host.parts.health.set_trouble(Some("the disk is full".to_string()));
    let health = fixture.fetch("/api/v1/health").await;
    assert_eq!(
        (&health["status"], &part(&health, "journal")["status"]),
        (&json!("down"), &json!("down")),
        "{health:#}"
    );
    let snapshot = fixture.fetch("/api/v1/snapshot").await;
    assert_eq!(
        (&snapshot["last_error"]["class"], &snapshot["last_error"]["code"]),
        (&json!("storage"), &json!("read_only"))
    );
    assert_eq!(request(&url, "GET", "/readyz", &[], "").await.status, 503);
    let metrics = request(&url, "GET", "/metrics", &[("accept", "application/openmetrics-text")], "").await;
    assert!(metrics.text.contains("pointsman_up{component=\"journal\"} 0\n"), "{}", metrics.text);
    assert!(metrics.kind.starts_with("application/openmetrics-text") && metrics.text.ends_with("# EOF\n"));
    let told = common::pointsman(&fixture, &["health"]).await;
    assert_eq!(told.status.code(), Some(3), "{}", common::talk(&told));
    fixture.host.stop().await.expect("an end in order");
}
