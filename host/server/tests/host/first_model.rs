//! The first model is made by a real trainer, answers requests, and is there again after a restart.

use crate::common::{self, request};
use pointsman::host::Host;
use serde_json::{Value, json};

fn runs_over(state: &Value) -> usize {
    state["jobs"]
        .as_array()
        .map_or(0, |jobs| jobs.iter().filter(|job| job["finished_at"].is_number()).count())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_made_serves_and_survives_a_restart() {
    let fixture = common::start().await;
    let url = fixture.url();
    let json_body = [("content-type", "application/json"), ("if-match", "*")];
    let mut settings = fixture.fetch("/api/v1/settings").await;
    settings["default_steps"] = json!(40);
    assert_eq!(
        request(&url, "PUT", "/api/v1/settings", &json_body, &settings.to_string())
            .await
            .status,
        200
    );
    assert_eq!(
        fixture
            .post("/api/v1/sources", json!({ "title": "A novel", "host": "novel" }))
            .await
            .status,
        201
    );
    assert_eq!(request(&url, "POST", "/api/training/start", &[], "").await.status, 200);
    let state = fixture
        .wait_for("two runs", |state| state["active"].is_object() && runs_over(state) >= 2)
        .await;
    assert_eq!(state["active"]["tag"], "m-1");
    assert_eq!(request(&url, "POST", "/api/v1/training/stop", &[], "").await.status, 200);

    let asked = json!({ "prompt": "Call me", "max_tokens": 24, "temperature": 0.5, "seed": 7 });
    // Put in service by a thread of its own, soon after the journal says so.
    let answer = loop {
        let answer = fixture.post("/v1/completions", asked.clone()).await;
        if answer.status != 503 {
            break answer;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["model"], "m-1");
    let text = answer.json()["choices"][0]["text"].as_str().expect("text").to_string();
    assert!(!text.is_empty());
    let mut streamed = asked.clone();
    streamed["stream"] = json!(true);
    let stream = fixture.post("/v1/completions", streamed).await;
    assert_eq!((stream.status, stream.kind.as_str()), (200, "text/event-stream"));
    let pieces: Vec<Value> = stream
        .text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).expect("JSON"))
        .collect();
    let whole: String = pieces
        .iter()
        .map(|piece| piece["choices"][0]["text"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(whole, text, "the same seed writes the same, streamed or not");
    assert_eq!(pieces.last().expect("an end")["model"], "m-1");
    assert!(stream.text.trim_end().ends_with("data: [DONE]"));
    assert_eq!(fixture.fetch("/v1/models").await["data"][0]["id"], "m-1");

    let job = fixture.fetch("/api/v1/jobs/2").await;
    assert_eq!(
        (&job["row"]["status_slug"], &job["row"]["host"]),
        (&json!("completed"), &json!("novel")),
        "{job:#}"
    );
    assert!(job["points"].as_array().is_some_and(|points| !points.is_empty()), "{job:#}");
    assert_eq!(job["artifacts"], json!(["m-2"]));
    assert!(
        request(&url, "GET", "/api/v1/jobs/2/log", &[], "")
            .await
            .text
            .contains("training.completed")
    );
    let over = fixture.post("/api/v1/jobs/2/cancel", json!({})).await;
    assert_eq!((over.status, &over.json()["code"]), (409, &json!("run_is_over")));
    let decision = fixture.fetch("/api/v1/decisions").await["decisions"][0].clone();
    let detail = fixture.fetch(&format!("/api/v1/decisions/{}", decision["id"])).await;
    assert_eq!(detail["row"], decision);
    assert!(detail["context"].is_object() && detail["ruling"].is_object());
    let page = fixture.fetch("/api/v1/jobs?limit=1").await;
    let next = fixture
        .fetch(&format!(
            "/api/v1/jobs?limit=1&cursor={}",
            page["next_cursor"].as_str().expect("a cursor")
        ))
        .await;
    assert!(page["jobs"][0]["id"].as_u64() > next["jobs"][0]["id"].as_u64());

    let state = fixture
        .wait_for("the end of all runs", |state| state["training"]["slug"] == "stopped")
        .await;
    let common::Fixture { host, data } = fixture;
    host.stop().await.expect("an end in order, with replay equal to state");
    let host = Host::start(common::options(&data)).await.expect("the host starts again");
    let fixture = common::Fixture { host, data };
    let again = fixture.wait_for("the model", |state| state["active"]["tag"] == "m-1").await;
    assert_eq!(
        (&again["totals"]["successes"], &again["training"]["slug"]),
        (&state["totals"]["successes"], &json!("stopped"))
    );
    assert!(
        again["jobs"].as_array().is_some_and(|jobs| jobs.len() >= 2) && again["decisions"].as_array().is_some_and(|rows| !rows.is_empty()),
        "the past is shown"
    );
    fixture.host.stop().await.expect("an end in order");
}
