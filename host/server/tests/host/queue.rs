//! Queue, campaigns, imports, the lock, capacity and the next pick, over HTTP and the command line.

use crate::common::{self, Answer, Fixture, json_of, options, pointsman, request, talk};
use pointsman::host::{Host, HostOptions};
use serde_json::{Value, json};

async fn patch(fixture: &Fixture, path: &str, body: Value) -> Answer {
    request(
        &fixture.url(),
        "PATCH",
        path,
        &[("content-type", "application/json")],
        &body.to_string(),
    )
    .await
}

async fn add(fixture: &Fixture, title: &str, host: &str) -> u64 {
    let answer = fixture.post("/api/v1/sources", json!({ "title": title, "host": host })).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()["source"].as_u64().expect("a number")
}

/// Ids of a list, following its cursor.
async fn listed(fixture: &Fixture, query: &str) -> Vec<u64> {
    let mut ids = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = fixture.fetch(&format!("/api/v1/sources?{query}{cursor}")).await;
        ids.extend(
            page["sources"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|row| row["id"].as_u64().expect("a number")),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
}

async fn import(fixture: &Fixture, query: &str, kind: &str, body: &str) -> Vec<Value> {
    let answer = request(
        &fixture.url(),
        "POST",
        &format!("/api/v1/sources/import?{query}"),
        &[("content-type", kind)],
        body,
    )
    .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer
        .text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect()
}

fn report(lines: &[Value]) -> &Value {
    let last = lines.last().expect("a last line");
    assert!(last.get("report").is_some(), "{last}");
    &last["report"]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_is_queued_counted_browsed_and_cancelled() {
    let fixture = common::start().await;
    let refused = fixture
        .post("/api/v1/campaigns", json!({ "title": "Too many", "size": 10_001 }))
        .await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (422, Some("campaign_size")));
    assert_eq!(refused.json()["errors"][0]["pointer"], "/size");

    let body = json!({ "title": "Learn Latin", "host": "lexicon", "body": "arma virumque cano", "size": 120, "reason": "why not" });
    let made = fixture.post("/api/v1/campaigns", body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.json()["campaign"].as_u64().expect("a number");
    let campaign = fixture.fetch(&format!("/api/v1/campaigns/c-{id}")).await;
    assert_eq!(
        (&campaign["total"], &campaign["queued"], &campaign["state"]),
        (&json!(120), &json!(120), &json!("queued"))
    );

    // Each row is a source of its own, with a marker and the campaign's text.
    let rows = listed(&fixture, &format!("status=open&campaign=c-{id}&limit=50")).await;
    assert_eq!(rows.len(), 120);
    let mut titles = std::collections::BTreeSet::new();
    for row in fixture.fetch("/api/v1/sources?status=pending&limit=500").await["sources"]
        .as_array()
        .expect("a list")
    {
        titles.insert(row["title"].as_str().expect("a title").to_string());
    }
    assert_eq!(titles.len(), 120, "no two rows are the same");
    let detail = fixture.fetch(&format!("/api/v1/sources/{}", rows[0])).await;
    assert_eq!(
        (&detail["body"], &detail["marker"]),
        (&json!("arma virumque cano"), &json!(format!("c-{id}/120")))
    );

    let gone = fixture
        .post(&format!("/api/v1/campaigns/{id}/cancel"), json!({ "reason": "enough" }))
        .await;
    assert_eq!(gone.status, 200, "{}", gone.text);
    let campaign = fixture.fetch(&format!("/api/v1/campaigns/{id}")).await;
    assert_eq!(
        (&campaign["cancelled"], &campaign["queued"], &campaign["state"]),
        (&json!(120), &json!(0), &json!("cancelled"))
    );
    assert!(campaign["finished_at"].is_u64());
    assert!(listed(&fixture, "status=open").await.is_empty());
    assert_eq!(listed(&fixture, "status=cancelled&limit=500").await.len(), 120);
    let unknown = fixture.post("/api/v1/campaigns/99/cancel", json!({})).await;
    assert_eq!((unknown.status, unknown.json()["code"].as_str()), (404, Some("campaign_unknown")));
    fixture.host.stop().await.expect("the replayed journal is the state");
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_are_edited_moved_disabled_enabled_and_cancelled() {
    let fixture = common::start().await;
    let (one, two) = (add(&fixture, "One", "novel").await, add(&fixture, "Two", "code").await);
    let edit = json!({ "title": "Eins", "host": "", "priority": 4, "body": "a new text", "reason": "better so" });
    assert_eq!(patch(&fixture, &format!("/api/v1/sources/{one}"), edit).await.status, 200);
    let detail = fixture.fetch(&format!("/api/v1/sources/{one}")).await;
    assert_eq!(
        (
            &detail["row"]["title"],
            &detail["row"]["host"],
            &detail["row"]["priority"],
            &detail["body"]
        ),
        (&json!("Eins"), &Value::Null, &json!(4), &json!("a new text"))
    );
    let nothing = patch(&fixture, &format!("/api/v1/sources/{one}"), json!({})).await;
    assert_eq!((nothing.status, nothing.json()["code"].as_str()), (422, Some("nothing_to_change")));
    let wrong = patch(&fixture, &format!("/api/v1/sources/{one}"), json!({ "title": "" })).await;
    assert_eq!((wrong.status, &wrong.json()["errors"][0]["pointer"]), (422, &json!("/title")));

    let moved = fixture
        .post(&format!("/api/v1/sources/{two}/move"), json!({ "lane": "curriculum" }))
        .await;
    assert_eq!(moved.status, 200, "{}", moved.text);
    assert_eq!(listed(&fixture, "lane=curriculum&status=pending").await, [two]);
    let off = fixture
        .post(&format!("/api/v1/sources/{two}/disable"), json!({ "reason": "not now" }))
        .await;
    assert_eq!(off.status, 200);
    assert_eq!(listed(&fixture, "status=disabled").await, [two]);
    assert_eq!(fixture.fetch("/api/v1/queue").await["queue"]["disabled"], 1);
    fixture
        .post(&format!("/api/v1/sources/{two}/enable"), json!({ "reason": "now" }))
        .await;
    assert_eq!(fixture.post(&format!("/api/v1/sources/{two}/cancel"), json!({})).await.status, 200);
    let again = fixture.post(&format!("/api/v1/sources/{two}/cancel"), json!({})).await;
    assert_eq!((again.status, again.json()["code"].as_str()), (404, Some("source_unknown")));
    assert_eq!(listed(&fixture, "status=open").await, [one]);
    let early = fixture.post(&format!("/api/v1/sources/{one}/run"), json!({})).await;
    assert_eq!((early.status, early.json()["code"].as_str()), (409, Some("no_model")));
    fixture.host.stop().await.expect("the replayed journal is the state");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_imported_once_and_its_bad_lines_are_told() {
    let fixture = common::start().await;
    let mut text: String = (0..1_200)
        .map(|n| format!("{{\"title\":\"Source {n}\",\"host\":\"host-{}\",\"body\":\"text {n}\"}}\n", n % 7))
        .collect();
    text.push_str("{\"title\":\"Bad\",\"priority\":\"high\"}\nnot json\n");
    let lines = import(&fixture, "nonce=fruit&origin=ui", "application/x-ndjson", &text).await;
    assert_eq!(lines[0]["started"]["nonce"], "fruit");
    let refused: Vec<(u64, &str)> = lines
        .iter()
        .filter_map(|line| line.get("refused"))
        .map(|line| (line["line"].as_u64().expect("a number"), line["field"].as_str().expect("a text")))
        .collect();
    assert_eq!(refused, [(1_201, "priority"), (1_202, "")]);
    assert_eq!((&report(&lines)["queued"], &report(&lines)["refused"]), (&json!(1_200), &json!(2)));

    // The same again doubles nothing; one that broke off goes on.
    let lines = import(&fixture, "nonce=fruit", "application/x-ndjson", &text).await;
    assert_eq!((&report(&lines)["queued"], &report(&lines)["known"]), (&json!(0), &json!(1_200)));
    let other = text.replace("Source 3\"", "Source three\"");
    let lines = import(&fixture, "nonce=fruit", "application/x-ndjson", &other).await;
    assert_eq!(lines.last().expect("a line")["problem"]["code"], "import_differs");

    let csv = "title,host,body\nFrom CSV,novel,\"two\nlines\"\n,novel,no title\n";
    let lines = import(&fixture, "nonce=csv", "text/csv", csv).await;
    assert_eq!((&report(&lines)["queued"], &report(&lines)["refused"]), (&json!(1), &json!(1)));
    let lines = import(&fixture, "", "text/csv", "name\nNo title column\n").await;
    assert_eq!(lines.last().expect("a line")["problem"]["code"], "bad_header");
    let form = request(
        &fixture.url(),
        "POST",
        "/api/v1/sources/import",
        &[("content-type", "text/plain")],
        "x",
    )
    .await;
    assert_eq!(form.status, 415);

    // Browsing: counts, filters, cursors, and the text of each row.
    assert_eq!(listed(&fixture, "status=pending&limit=100").await.len(), 1_201);
    assert_eq!(
        listed(&fixture, "status=pending&limit=100").await,
        listed(&fixture, "limit=500").await
    );
    assert_eq!(listed(&fixture, "status=open&host=host-3&limit=40").await.len(), 171);
    assert_eq!(listed(&fixture, "origin=ui&status=open&limit=500").await.len(), 1_200);
    assert_eq!(listed(&fixture, "origin=other&status=open").await.len(), 1);
    let found = listed(&fixture, "status=open&text=source%2011").await;
    assert_eq!(found.len(), 1 + 10 + 100, "11, 110 to 119, 1100 to 1199");
    let detail = fixture.fetch(&format!("/api/v1/sources/{}", found[0])).await;
    assert_eq!(
        (&detail["row"]["title"], &detail["body"]),
        (&json!("Source 1199"), &json!("text 1199"))
    );
    let queue = fixture.fetch("/api/v1/queue").await["queue"].clone();
    assert_eq!(
        (&queue["queue"]["pending"], &queue["queue"]["ui"], &queue["queue"]["other"]),
        (&json!(1_201), &json!(1_200), &json!(1))
    );
    assert_eq!((&queue["pending_hosts"], &queue["queue"]["oldest"]), (&json!(8), &json!(1)));

    // The command line sends a file with a name of its own making, so that a repeat is found out, too.
    let file = fixture.data.path().join("more.jsonl");
    std::fs::write(&file, "{\"title\":\"A\"}\n{\"titel\":\"B\"}\n").expect("written");
    let file = file.to_str().expect("a plain path");
    let output = pointsman(&fixture, &["queue", "import", file, "--json"]).await;
    assert_eq!(output.status.code(), Some(3), "{}", talk(&output));
    let answer = json_of(&output);
    assert_eq!((&answer["report"]["queued"], &answer["refused"][0]["line"]), (&json!(1), &json!(2)));
    let output = pointsman(&fixture, &["queue", "import", file, "--json"]).await;
    assert_eq!(json_of(&output)["report"]["known"], 1);
    fixture.host.stop().await.expect("the replayed journal is the state");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_pick_is_told_and_nothing_follows_from_it() {
    let fixture = common::start().await;
    let empty = fixture.fetch("/api/v1/sources/next").await;
    assert_eq!((&empty["selection_mode"], &empty["picks"]), (&json!("none"), &json!([])));
    assert!(empty["decision"].is_null());
    let (one, two) = (add(&fixture, "One", "novel").await, add(&fixture, "Two", "code").await);
    fixture
        .post(&format!("/api/v1/sources/{two}/disable"), json!({ "reason": "later" }))
        .await;
    let three = add(&fixture, "Three", "novel").await;
    let before = fixture.fetch("/api/v1/state").await["totals"]["decisions"].clone();
    let next = fixture.fetch(&format!("/api/v1/sources/next?source={two}")).await;
    assert_eq!(
        (&next["picks"][0]["source"], &next["selection_mode"]),
        (&json!(one), &json!("queue_pending"))
    );
    assert_eq!(next["others"][0]["source"], json!(three));
    assert_eq!(
        (&next["now"], &next["holds"][0]["code"]),
        (&json!(false), &json!("training_stopped"))
    );
    assert_eq!(
        (&next["about"]["candidate"], &next["about"]["reasons"][0]["code"]),
        (&json!(false), &json!("disabled"))
    );
    assert!(
        !next["decision"]["policy"].as_str().expect("a name").starts_with("built-in"),
        "the live policy was asked"
    );
    assert_eq!(
        fixture.fetch("/api/v1/state").await["totals"]["decisions"],
        before,
        "a preview is no decision"
    );
    let next = fixture.fetch(&format!("/api/v1/sources/next?source={three}")).await;
    assert_eq!(
        (&next["about"]["candidate"], &next["about"]["picked"]),
        (&json!(true), &json!(false))
    );
    fixture.host.stop().await.expect("the replayed journal is the state");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_stands_until_a_person_starts_again_and_the_lock_has_its_switch() {
    let fixture = common::start().await;
    fixture.post("/api/v1/training/start", json!({ "reason": "begin" })).await;
    fixture.post("/api/v1/training/stop", json!({ "reason": "lunch" })).await;
    let daemon = fixture
        .post("/api/v1/training/start", json!({ "reason": "watchdog", "automatic": true }))
        .await;
    assert_eq!((daemon.status, daemon.json()["code"].as_str()), (409, Some("stopped_by_a_person")));
    let capacity = fixture.fetch("/api/v1/training").await;
    assert_eq!(
        (&capacity["desired"], &capacity["reason"], &capacity["by"]),
        (&json!("stopped"), &json!("lunch"), &json!("api"))
    );
    assert_eq!(
        (&capacity["ceiling"]["effective"], &capacity["ceiling"]["left_for_training"]),
        (&json!(1), &json!(2))
    );

    let off = fixture.post("/api/v1/queue/lock", json!({ "key": "host", "value": "novel" })).await;
    assert_eq!((off.status, off.json()["code"].as_str()), (409, Some("lock_off")));
    let mut settings = fixture.fetch("/api/v1/settings").await;
    settings["campaign_lock"] = json!(true);
    let set = request(
        &fixture.url(),
        "PUT",
        "/api/v1/settings",
        &[("content-type", "application/json"), ("if-match", "*")],
        &settings.to_string(),
    )
    .await;
    assert_eq!(set.status, 200, "{}", set.text);
    let taken = fixture
        .post("/api/v1/queue/lock", json!({ "key": "host", "value": "novel", "reason": "alone" }))
        .await;
    assert_eq!(taken.status, 200, "{}", taken.text);
    let lock = fixture.fetch("/api/v1/queue").await["queue"]["lock"].clone();
    assert_eq!(
        (&lock["value"], &lock["by"], &lock["reason"]),
        (&json!("novel"), &json!("api"), &json!("alone"))
    );
    fixture.post("/api/v1/queue/unlock", json!({})).await;
    assert!(fixture.fetch("/api/v1/queue").await["queue"]["lock"].is_null());

    // Neither a restart nor a paused start lets the loop run again.
    let Fixture { host, data } = fixture;
    host.stop().await.expect("stopped");
    let host = Host::start(options(&data)).await.expect("started");
    let fixture = Fixture { host, data };
    let capacity = fixture.fetch("/api/v1/training").await;
    assert_eq!((&capacity["desired"], &capacity["reason"]), (&json!("stopped"), &json!("lunch")));
    fixture.post("/api/v1/training/start", json!({ "reason": "back" })).await;
    let Fixture { host, data } = fixture;
    host.stop().await.expect("stopped");
    let host = Host::start(HostOptions {
        paused: true,
        ..options(&data)
    })
    .await
    .expect("started");
    let fixture = Fixture { host, data };
    let capacity = fixture.fetch("/api/v1/training").await;
    assert_eq!((&capacity["desired"], &capacity["by"]), (&json!("stopped"), &json!("host")));
    fixture.host.stop().await.expect("the replayed journal is the state");
}
