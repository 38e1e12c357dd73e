//! Outcomes are remembered, found again, given to later runs, and sent to those outside: against whole hosts.

use crate::common::{DEADLINE, Fixture, decide_some, options, request};
use base64::Engine as _;
use pointsman::host::Host;
use pointsman::memory::memory_path;
use pointsman_memory::Memory;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Asks until the answer is as wanted. The memory and the sinks work beside the journal, and no stream tells when they are done.
async fn until(fixture: &Fixture, path: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let answer = fixture.fetch(path).await;
        if holds(&answer) {
            return answer;
        }
        assert!(started.elapsed() < DEADLINE, "never: {what}\n{answer:#}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn all_ingested(fixture: &Fixture, outcomes: u64) -> Value {
    until(fixture, "/api/v1/memory", "all is ingested", |answer| {
        answer["status"]["state"] == "ready" && answer["status"]["outcomes"].as_u64() >= Some(outcomes)
    })
    .await
}

fn digest(data: &Path) -> String {
    let started = Memory::open(&memory_path(data)).expect("the memory opens");
    assert_eq!(started.anew, None, "it is whole");
    started.memory.digest().expect("a digest")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_learnt_is_remembered_and_given_to_later_runs() {
    // Whatever policies are there: nothing of it is theirs.
    let data = TempDir::new().expect("a directory");
    let host = Host::start(options(&data)).await.expect("the host starts");
    let fixture = Fixture { host, data };
    let relay = fixture.fetch("/api/v1/relay").await;
    assert_eq!(relay["status"], "healthy", "{relay:#}");
    let labels: Vec<&str> = relay["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .filter_map(|step| step["label"].as_str())
        .collect();
    assert_eq!(
        labels,
        ["Queue Intake", "Training Execution", "Learning Ingest", "Standard Task Reuse"]
    );
    assert_eq!(
        (&relay["latest_success"], &relay["pulse"]["standard_model"]),
        (&json!(null), &json!(null)),
        "none is no zero"
    );

    let body = "Call me Ishmael. Some years ago, never mind how long precisely, having little or no money in my purse. ".repeat(4);
    let whale = json!({ "title": "The white whale", "host": "novel", "body": body });
    assert_eq!(fixture.post("/api/v1/sources", whale).await.status, 201);
    decide_some(&fixture, 1).await;
    let state = fixture
        .wait_for("an outcome", |state| {
            state["totals"]["outcomes"].as_u64() >= Some(1) && state["training"]["slug"] == "stopped"
        })
        .await;
    let outcomes = state["totals"]["outcomes"].as_u64().expect("a number");
    let known = all_ingested(&fixture, outcomes).await;
    assert_eq!(known["status"]["ingested_30m"], outcomes, "{known:#}");
    assert_eq!(known["status"]["backlog"], 0);

    // Found by its words; what looks like syntax is none.
    let found = fixture.fetch("/api/v1/memory?q=ishmael+WHALE").await;
    assert_eq!(found["records"].as_array().map(Vec::len), Some(1), "{found:#}");
    assert_eq!(found["records"][0]["title"], "The white whale");
    for hostile in [
        "%22",
        "a%20OR",
        "NEAR(a",
        "title%3Aa*",
        "%27%3B%20DROP%20TABLE%20items%3B--",
        "%00whale",
    ] {
        let answer = request(&fixture.url(), "GET", &format!("/api/v1/memory?q={hostile}"), &[], "").await;
        assert!(
            answer.status == 200 || (answer.status == 422 && answer.json()["code"] == "bad_question"),
            "{hostile}: {} {}",
            answer.status,
            answer.text
        );
    }

    // A later run is given it, and says so.
    let again = json!({ "title": "The whale again", "host": "novel" });
    assert_eq!(fixture.post("/api/v1/sources", again).await.status, 201);
    assert_eq!(request(&fixture.url(), "POST", "/api/v1/training/start", &[], "").await.status, 200);
    fixture
        .wait_for("what else waits, and this", |state| {
            state["totals"]["outcomes"].as_u64() >= Some(outcomes + 2)
        })
        .await;
    assert_eq!(request(&fixture.url(), "POST", "/api/v1/training/stop", &[], "").await.status, 200);
    let jobs = fixture.fetch("/api/v1/jobs?class=training&status=completed").await;
    let run = jobs["jobs"]
        .as_array()
        .expect("jobs")
        .iter()
        .find(|job| job["name"] == "The whale again")
        .expect("it ran")["id"]
        .clone();
    let job = fixture.fetch(&format!("/api/v1/jobs/{run}")).await;
    let slot = &job["memory"]["slots"][0];
    assert_eq!(slot["slot"], "same_host", "{job:#}");
    let given: Vec<&Value> = slot["items"].as_array().expect("items").iter().collect();
    assert!(
        given
            .iter()
            .any(|item| item["title"] == "The white whale" && item["text_chars"].as_u64() > Some(300)),
        "{job:#}"
    );
    assert!(slot["used_chars"].as_u64() <= slot["budget_chars"].as_u64());
    let log = job["log"].as_array().expect("a log");
    let practised = |line: &Value| {
        line.as_str()
            .is_some_and(|line| line.starts_with("given ") && line.contains("practises 1 texts"))
    };
    assert!(log.iter().any(practised), "the trainer uses it: {job:#}");

    let relay = until(&fixture, "/api/v1/relay", "the relay shows it", |relay| {
        relay["ingest_backlog"] == 0
    })
    .await;
    assert_eq!(relay["status"], "healthy", "{relay:#}");
    assert_eq!(relay["latest_success"]["run"], run);
    assert_eq!(relay["records_ingested_30m"], relay["steps"][2]["count_30m"], "one derivation");
    assert_eq!(
        relay["sources_consumed_30m"],
        fixture.fetch("/api/v1/state").await["totals"]["successes"]
    );
    assert_eq!(relay["gate_blocked"], Value::Null);

    // Built anew from the journal it is the same, whether somebody asks for it, its file is gone, or damaged.
    let outcomes = relay["steps"][2]["detail"].clone();
    let data = fixture.data;
    let path = memory_path(data.path());
    fixture.host.stop().await.expect("an end in order");
    let before = digest(data.path());
    for damage in ["gone", "damaged", "asked for"] {
        match damage {
            "gone" => std::fs::remove_file(&path).expect("removed"),
            "damaged" => {
                let mut bytes = std::fs::read(&path).expect("read");
                bytes[200..].fill(0x5a);
                std::fs::write(&path, bytes).expect("written");
            }
            _ => {}
        }
        let host = Host::start(options(&data)).await.expect("the host starts");
        let fixture = Fixture {
            host,
            data: TempDir::new().expect("a directory"),
        };
        if damage == "asked for" {
            let answer = request(&fixture.url(), "POST", "/api/v1/memory/rebuild", &[], "").await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            until(&fixture, "/api/v1/memory", "it is built anew", |answer| {
                answer["status"]["rebuilt_because"].is_string()
            })
            .await;
        }
        let relay = until(&fixture, "/api/v1/relay", "all is there again", |relay| {
            relay["steps"][2]["detail"] == outcomes
        })
        .await;
        assert_eq!(relay["ingest_backlog"], 0);
        if damage == "damaged" {
            let answer = fixture.fetch("/api/v1/memory").await;
            assert!(answer["status"]["rebuilt_because"].is_string(), "it says why: {answer:#}");
        }
        // At its end the host replays its journal: the reports are facts in it.
        fixture.host.stop().await.expect("an end in order");
        assert_eq!(digest(data.path()), before, "{damage}");
    }
}

/// What came, and how it was answered.
struct Delivery {
    status: u16,
    head: String,
    body: String,
}

/// Answers with these statuses, then with 503 until it is released, then with 200; hands over what came.
async fn receiver(statuses: &'static [u16], released: Arc<AtomicBool>) -> (String, tokio::sync::mpsc::UnboundedReceiver<Delivery>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/hook?token=secret", listener.local_addr().expect("an address"));
    let (sender, received) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        for number in 0.. {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut bytes = Vec::new();
            let (head, body) = loop {
                let mut chunk = [0; 4096];
                let read = stream.read(&mut chunk).await.expect("a request");
                bytes.extend_from_slice(&chunk[..read]);
                let text = String::from_utf8_lossy(&bytes).into_owned();
                if let Some((head, body)) = text.split_once("\r\n\r\n") {
                    let length = head
                        .to_lowercase()
                        .lines()
                        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
                    if body.len() >= length.unwrap_or(0) {
                        break (head.to_string(), body.to_string());
                    }
                }
                assert!(read > 0, "the request breaks off: {text}");
            };
            let status = match statuses.get(number) {
                Some(status) => *status,
                None if released.load(Ordering::Relaxed) => 200,
                None => 503,
            };
            let answer =
                format!("HTTP/1.1 {status} X\r\nlocation: http://127.0.0.1:1/elsewhere\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
            if sender.send(Delivery { status, head, body }).is_err() {
                return;
            }
        }
    });
    (url, received)
}

fn header(head: &str, name: &str) -> String {
    let found = head.lines().find_map(|line| {
        let (known, value) = line.split_once(": ")?;
        (known.eq_ignore_ascii_case(name)).then(|| value.to_string())
    });
    found.unwrap_or_else(|| panic!("no {name} in {head}"))
}

/// HMAC as RFC 2104 writes it, apart from the host's own.
fn signature(secret: &[u8], text: &str) -> String {
    let mut key = secret.to_vec();
    key.resize(64, 0);
    let pad = |with: u8| key.iter().map(|byte| byte ^ with).collect::<Vec<u8>>();
    let inner = Sha256::digest([&pad(0x36)[..], text.as_bytes()].concat());
    let outer = Sha256::digest([&pad(0x5c)[..], &inner[..]].concat());
    format!("v1,{}", base64::engine::general_purpose::STANDARD.encode(outer))
}

async fn next(received: &mut tokio::sync::mpsc::UnboundedReceiver<Delivery>) -> Delivery {
    let delivery = tokio::time::timeout(DEADLINE, received.recv()).await;
    delivery.expect("a delivery comes").expect("the receiver runs")
}

async fn queue(fixture: &Fixture, title: &str) {
    assert_eq!(
        fixture
            .post("/api/v1/sources", json!({ "title": title, "host": "novel" }))
            .await
            .status,
        201
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_gets_each_entry_signed_and_again_until_it_takes_it() {
    let released = Arc::new(AtomicBool::new(false));
    let (url, mut received) = receiver(&[500, 302], released.clone()).await;
    let data = TempDir::new().expect("a directory");
    let secret = b"a secret of more than 16 bytes";
    std::fs::write(data.path().join("hook.key"), secret).expect("written");
    let config =
        json!({ "sinks": [{ "name": "hook", "kind": "webhook", "url": url, "secret_file": "hook.key", "events": ["source_queued"] }] });
    std::fs::write(data.path().join("sinks.json"), config.to_string()).expect("written");
    let host = Host::start(options(&data)).await.expect("the host starts");
    let fixture = Fixture { host, data };
    until(&fixture, "/api/v1/sinks", "the sink has begun", |list| {
        list["sinks"][0]["state"] == "idle"
    })
    .await;
    queue(&fixture, "one").await;
    queue(&fixture, "two").await;
    let list = until(&fixture, "/api/v1/sinks", "the failure is told", |list| {
        let card = &list["sinks"][0];
        card["state"] == "retrying" && card["failures"].as_u64() >= Some(2)
    })
    .await;
    let card = &list["sinks"][0];
    assert!(
        card["problem"].as_str().is_some_and(|problem| problem.contains("answered")),
        "{card:#}"
    );
    assert_eq!(
        (&card["lag"], &card["next_try_at"].is_u64()),
        (&json!(2), &true),
        "nothing is lost meanwhile: {card:#}"
    );
    assert!(!card["target"].as_str().unwrap_or_default().contains("secret"), "{card:#}");
    released.store(true, Ordering::Relaxed);
    let mut seen: Vec<Delivery> = Vec::new();
    while seen.iter().filter(|delivery| delivery.status == 200).count() < 2 {
        seen.push(next(&mut received).await);
    }
    let ids: Vec<String> = seen.iter().map(|delivery| header(&delivery.head, "webhook-id")).collect();
    let (last, tries) = ids.split_last().expect("some");
    assert_eq!((seen[0].status, seen[1].status), (500, 302));
    assert!(
        tries.iter().all(|id| *id == tries[0]),
        "the same entry until it is taken, also after a redirect: {ids:?}"
    );
    assert_ne!(*last, tries[0]);
    for Delivery { status: _, head, body } in &seen {
        let (id, timestamp) = (header(head, "webhook-id"), header(head, "webhook-timestamp"));
        assert_eq!(
            header(head, "webhook-signature"),
            signature(secret, &format!("{id}.{timestamp}.{body}"))
        );
        assert!(head.starts_with("POST /hook?token=secret "), "{head}");
        let message: Value = serde_json::from_str(body).expect("JSON");
        assert_eq!((&message["id"], &message["type"]), (&json!(id), &json!("source_queued")));
    }
    let taken = seen.iter().filter(|delivery| delivery.status == 200);
    let titles: Vec<Value> = taken
        .map(|delivery| serde_json::from_str::<Value>(&delivery.body).expect("JSON")["event"]["new"]["title"].clone())
        .collect();
    assert_eq!(titles, ["one", "two"]);
    let list = until(&fixture, "/api/v1/sinks", "all is delivered", |list| {
        list["sinks"][0]["state"] == "idle"
    })
    .await;
    assert_eq!(
        (
            &list["sinks"][0]["delivered"],
            &list["sinks"][0]["lag"],
            &list["sinks"][0]["failures"]
        ),
        (&json!(2), &json!(0), &json!(0))
    );

    // The cursor is on disk: a host that comes back sends nothing twice.
    let Fixture { host, data } = fixture;
    host.stop().await.expect("an end in order");
    let host = Host::start(options(&data)).await.expect("the host starts");
    let fixture = Fixture { host, data };
    queue(&fixture, "three").await;
    let third = next(&mut received).await;
    assert!(third.body.contains("three"), "{}", third.body);
    fixture.host.stop().await.expect("an end in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_entries_survives_that_its_end_is_torn_off() {
    let data = TempDir::new().expect("a directory");
    let config = json!({ "sinks": [{ "name": "audit", "kind": "jsonl", "path": "queued.jsonl", "events": ["source_queued"], "from": "beginning" }] });
    std::fs::write(data.path().join("sinks.json"), config.to_string()).expect("written");
    let path = data.path().join("queued.jsonl");
    let titles = |path: &Path| -> Vec<String> {
        let text = std::fs::read_to_string(path).expect("read");
        let title = |line: &str| {
            serde_json::from_str::<Value>(line).expect("a whole line")["event"]["new"]["title"]
                .as_str()
                .map(String::from)
        };
        text.lines().filter_map(title).collect()
    };
    let mut data = data;
    let mut wanted = Vec::new();
    for round in 0..3 {
        let host = Host::start(options(&data)).await.expect("the host starts");
        let fixture = Fixture { host, data };
        for number in 0..2 {
            let title = format!("round {round}, source {number}");
            queue(&fixture, &title).await;
            wanted.push(title);
        }
        until(&fixture, "/api/v1/sinks", "all is written", |list| {
            list["sinks"][0]["state"] == "idle" && list["sinks"][0]["cursor"].as_u64() >= list["view"]["seq"].as_u64()
        })
        .await;
        let Fixture { host, data: kept } = fixture;
        host.stop().await.expect("an end in order");
        data = kept;
        assert_eq!(titles(&path), wanted, "each once, in order");
        // As a crash leaves it: within the last line.
        let bytes = std::fs::read(&path).expect("read");
        std::fs::write(&path, &bytes[..bytes.len() - 30]).expect("torn");
    }
    std::fs::write(
        data.path().join("sinks.json"),
        r#"{"sinks":[{"name":"audit","kind":"jsonl","pth":"x"}]}"#,
    )
    .expect("written");
    let refused = match Host::start(options(&data)).await {
        Ok(_) => panic!("it starts with sinks that it does not understand"),
        Err(error) => format!("{error:#}"),
    };
    assert!(refused.contains("pth") && refused.contains("sinks.json"), "{refused}");
}
