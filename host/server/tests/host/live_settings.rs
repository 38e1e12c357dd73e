//! Live settings: one change at a time, whole, on record, and to be taken back.

use crate::common::{self, Answer, Fixture, request};
use pointsman::host::Host;
use serde_json::{Value, json};

const PATH: &str = "/api/v1/settings";
const JSON: (&str, &str) = ("content-type", "application/merge-patch+json");

async fn tag(fixture: &Fixture) -> String {
    let answer = request(&fixture.url(), "GET", PATH, &[], "").await;
    answer.header("etag").expect("a tag").to_string()
}

async fn patch(fixture: &Fixture, query: &str, tag: &str, body: Value) -> Answer {
    let headers = [JSON, ("if-match", tag), ("x-pointsman-actor", "anna")];
    request(&fixture.url(), "PATCH", &format!("{PATH}{query}"), &headers, &body.to_string()).await
}

fn names(errors: &Value, field: &str) -> Vec<String> {
    let rows = errors.as_array().cloned().unwrap_or_default();
    rows.iter().map(|row| row[field].as_str().unwrap_or_default().to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_whole_or_not_at_all() {
    let fixture = common::start().await;
    let first = tag(&fixture).await;
    let without = request(&fixture.url(), "PATCH", PATH, &[JSON], "{}").await;
    assert_eq!((without.status, &without.json()["code"]), (428, &json!("if_match_missing")));

    let wrong = patch(
        &fixture,
        "",
        &first,
        json!({ "retry_budget": 5, "promotion_window": 0, "lane_mode": "both", "global_max": 8 }),
    )
    .await;
    assert_eq!(wrong.status, 422, "{}", wrong.text);
    let mut named = names(&wrong.json()["errors"], "pointer");
    named.sort();
    assert_eq!(named, ["/global_max", "/lane_mode", "/promotion_window"]);
    assert_eq!(tag(&fixture).await, first, "nothing was changed, not even what was right");

    let tried = patch(
        &fixture,
        "?dry_run=true",
        &first,
        json!({ "retry_budget": 5, "training_max_active": 9 }),
    )
    .await
    .json();
    assert_eq!(names(&tried["changes"], "name"), ["training_max_active", "retry_budget"]);
    assert_eq!(
        (&tried["dry_run"], &tried["seq"], &tried["ceiling"]["effective"]),
        (&json!(true), &json!(null), &json!(2))
    );
    assert_eq!(tag(&fixture).await, first, "a dry run changes nothing");

    let changed = patch(&fixture, "?reason=patience", &first, json!({ "retry_budget": 5 })).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let answer = changed.json();
    assert_eq!(changed.header("etag"), answer["etag"].as_str());
    assert_eq!(
        answer["changes"],
        json!([{ "name": "retry_budget", "label": "Retry budget per source", "before": 3, "after": 5 }])
    );
    assert_eq!(fixture.fetch(PATH).await["retry_budget"], 5);

    // Two people with the same page open: the second is told what the first has changed.
    let stale = patch(&fixture, "", &first, json!({ "retry_budget": 9 })).await;
    assert_eq!((stale.status, &stale.json()["code"]), (412, &json!("settings_changed")));
    assert_eq!(names(&stale.json()["errors"], "pointer"), ["/retry_budget"], "{}", stale.text);
    assert_eq!(fixture.fetch(PATH).await["retry_budget"], 5);

    let form = fixture.fetch("/api/v1/settings/form").await;
    let groups = form["groups"].as_array().expect("groups");
    let rows = groups.iter().flat_map(|group| group["settings"].as_array().expect("rows").iter());
    let row = rows.clone().find(|row| row["name"] == "retry_budget").expect("a row");
    assert_eq!(
        (&row["value"], &row["default"], &row["minimum"], &row["maximum"]),
        (&json!(5), &json!(3), &json!(0.0), &json!(100.0))
    );
    assert_eq!(
        rows.count(),
        fixture.fetch(PATH).await.as_object().expect("values").len(),
        "each setting stands in one group"
    );
    let shared = groups.iter().find(|group| group["slug"] == "all_tasks").expect("the shared group");
    assert_eq!(shared["writable"], false);
    assert_eq!(form["capacity"]["ceiling"]["left_for_training"], 2);
    fixture.host.stop().await.expect("an end in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_writers_with_one_tag_one_wins() {
    let fixture = common::start().await;
    let first = tag(&fixture).await;
    let all = (1..=8).map(|budget| patch(&fixture, "", &first, json!({ "retry_budget": budget + 10 })));
    let answers = futures_util::future::join_all(all).await;
    let won = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(won, 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    assert!(answers.iter().all(|answer| [200, 412].contains(&answer.status)));
    assert_eq!(
        fixture.fetch("/api/v1/settings/history").await["changes"].as_array().map(Vec::len),
        Some(1)
    );
    fixture.host.stop().await.expect("an end in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_is_on_record_and_can_be_taken_back() {
    let fixture = common::start().await;
    let url = fixture.url();
    for (budget, window) in [(5, 30), (5, 12), (6, 12)] {
        let body = json!({ "retry_budget": budget, "promotion_window": window });
        assert_eq!(patch(&fixture, "?reason=try", "*", body).await.status, 200);
    }
    let history = fixture.fetch("/api/v1/settings/history").await["changes"].clone();
    let changes = history.as_array().expect("changes");
    assert_eq!(changes.len(), 3, "{history:#}");
    assert_eq!(
        (&changes[0]["actor"], &changes[0]["reason"], &changes[0]["cause"]),
        (&json!("anna"), &json!("try"), &json!("edited"))
    );
    assert_eq!(names(&changes[1]["changes"], "name"), ["promotion_window"]);
    let page = fixture.fetch("/api/v1/settings/history?limit=2").await;
    let rest = fixture
        .fetch(&format!(
            "/api/v1/settings/history?limit=2&cursor={}",
            page["next_cursor"].as_str().expect("a cursor")
        ))
        .await;
    assert_eq!(
        (&rest["changes"][0], &rest["next_cursor"]),
        (&changes[2], &json!(null)),
        "no gap, no double"
    );

    let undo = |seq: Value, query: &'static str| {
        let path = format!("/api/v1/settings/history/{seq}/undo{query}");
        let url = url.clone();
        async move { request(&url, "POST", &path, &[], "").await }
    };
    let middle = undo(changes[1]["seq"].clone(), "").await;
    assert_eq!(middle.status, 200, "{}", middle.text);
    let live = fixture.fetch(PATH).await;
    assert_eq!(
        (&live["promotion_window"], &live["retry_budget"]),
        (&json!(30), &json!(6)),
        "only what that change had changed"
    );
    let newest = fixture.fetch("/api/v1/settings/history?limit=1").await["changes"][0].clone();
    assert_eq!(
        (&newest["cause"], &newest["undoes"], &newest["seq"]),
        (&json!("undone"), &changes[1]["seq"], &middle.json()["seq"])
    );

    let first = undo(changes[2]["seq"].clone(), "").await;
    assert_eq!((first.status, &first.json()["code"]), (409, &json!("changed_since")));
    assert_eq!(names(&first.json()["errors"], "pointer"), ["/retry_budget"], "{}", first.text);
    assert_eq!(undo(changes[2]["seq"].clone(), "?force=true").await.status, 200);
    assert_eq!(fixture.fetch(PATH).await["retry_budget"], 3);
    // With replay: the journal alone leads to the same settings.
    fixture.host.stop().await.expect("an end in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn presets_survive_a_restart() {
    let fixture = common::start().await;
    let url = fixture.url();
    let body = json!({ "values": { "retry_budget": 7, "lane_mode": "queued_only" }, "note": "nights" });
    let saved = request(&url, "PUT", "/api/v1/settings/presets/night", &[JSON], &body.to_string()).await;
    assert_eq!((saved.status, &saved.json()["is_live"]), (200, &json!(false)), "{}", saved.text);
    assert_eq!(fixture.fetch(PATH).await["retry_budget"], 3, "saving changes nothing");
    let Fixture { host, data } = fixture;
    host.stop().await.expect("an end in order, with replay equal to state");
    let host = Host::start(common::options(&data)).await.expect("the host starts again");
    let fixture = Fixture { host, data };
    let url = fixture.url();
    let applied = request(&url, "POST", "/api/v1/settings/presets/night/apply", &[], "").await.json();
    assert_eq!(names(&applied["changes"], "name"), ["lane_mode", "retry_budget"], "{applied:#}");
    let list = fixture.fetch("/api/v1/settings/presets").await;
    assert_eq!(
        (&list["presets"][0]["is_live"], &list["presets"][0]["note"]),
        (&json!(true), &json!("nights"))
    );
    let change = fixture.fetch("/api/v1/settings/history").await["changes"][0].clone();
    assert_eq!((&change["cause"], &change["preset"]), (&json!("preset"), &json!("night")));
    let gone = request(&url, "DELETE", "/api/v1/settings/presets/night", &[], "").await;
    assert_eq!(gone.status, 204);
    assert_eq!(fixture.fetch("/api/v1/settings/presets").await["presets"], json!([]));
    fixture.host.stop().await.expect("an end in order");
}
