//! `Idempotency-Key`: the same request is carried out once, across a restart of the host.

use crate::common::{self, Fixture, request};
use pointsman::host::Host;
use serde_json::json;

async fn keyed(fixture: &Fixture, key: &str, path: &str, body: &str) -> common::Answer {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    request(&fixture.url(), "POST", path, &headers, body).await
}

async fn queued(fixture: &Fixture) -> usize {
    fixture.fetch("/api/v1/sources").await["sources"].as_array().map_or(0, Vec::len)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_with_a_key_is_carried_out_once() {
    let fixture = common::start().await;
    let body = json!({ "title": "once" }).to_string();
    let first = keyed(&fixture, "key-1", "/api/v1/sources", &body).await;
    assert_eq!(first.status, 201, "{}", first.text);
    let again = keyed(&fixture, "key-1", "/api/v1/sources", &body).await;
    assert_eq!((again.status, &again.text, &again.kind), (201, &first.text, &first.kind));
    assert_eq!(
        (again.header("idempotent-replayed"), first.header("idempotent-replayed")),
        (Some("true"), None)
    );
    assert_eq!(queued(&fixture).await, 1);

    let other = keyed(&fixture, "key-1", "/api/v1/sources", &json!({ "title": "twice" }).to_string()).await;
    assert_eq!((other.status, &other.json()["code"]), (422, &json!("idempotency_key_reused")));
    let elsewhere = keyed(&fixture, "key-1", "/api/v1/training/stop", "").await;
    assert_eq!(
        (elsewhere.status, &elsewhere.json()["code"]),
        (422, &json!("idempotency_key_reused"))
    );
    let bad = keyed(&fixture, "a b", "/api/v1/sources", &body).await;
    assert_eq!((bad.status, &bad.json()["code"]), (400, &json!("bad_idempotency_key")));

    let refused = keyed(&fixture, "key-2", "/api/v1/sources", &json!({ "title": "" }).to_string()).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    let mended = keyed(&fixture, "key-2", "/api/v1/sources", &json!({ "title": "mended" }).to_string()).await;
    assert_eq!(mended.status, 201, "a refused request gives its key back: {}", mended.text);
    assert_eq!(queued(&fixture).await, 2);

    let Fixture { host, data } = fixture;
    host.stop().await.expect("an end in order");
    let host = Host::start(common::options(&data)).await.expect("the host starts again");
    let fixture = Fixture { host, data };
    let after = keyed(&fixture, "key-1", "/api/v1/sources", &body).await;
    assert_eq!((after.status, &after.text), (201, &first.text), "the answer survives a restart");
    assert_eq!(queued(&fixture).await, 2);
    fixture.host.stop().await.expect("an end in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_are_carried_out_once() {
    let fixture = common::start().await;
    let body = json!({ "title": "at once" }).to_string();
    let all = (0..16).map(|_| keyed(&fixture, "key", "/api/v1/sources", &body));
    let answers = futures_util::future::join_all(all).await;
    for answer in &answers {
        let under_way = answer.status == 409 && answer.json()["code"] == "idempotency_under_way";
        assert!(answer.status == 201 || under_way, "{} {}", answer.status, answer.text);
    }
    assert!(answers.iter().any(|answer| answer.status == 201));
    assert_eq!(queued(&fixture).await, 1);
    fixture.host.stop().await.expect("an end in order");
}
