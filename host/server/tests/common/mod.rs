//! A real host in a directory of its own, and a plain HTTP client.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

use pointsman::host::{Host, HostOptions};
use pointsman::wire::Frame;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Long enough for a busy machine; a test that waits so long has failed.
pub const DEADLINE: Duration = Duration::from_secs(60);

pub struct Fixture {
    pub host: Host,
    pub data: TempDir,
}

pub fn options(data: &TempDir) -> HostOptions {
    let address = "127.0.0.1:0".parse().expect("an address");
    HostOptions {
        check_replay: true,
        ..HostOptions::new(data.path(), address, env!("CARGO_BIN_EXE_pointsman"))
    }
}

pub async fn start() -> Fixture {
    let data = TempDir::new().expect("a directory");
    let host = Host::start(options(&data)).await.expect("the host starts");
    let fixture = Fixture { host, data };
    // What is shown follows what is, with a pause between: the start is over when all of it is shown.
    fixture
        .wait_for("the shipped policies", |state| {
            let cards = state["policies"].as_array().expect("a list");
            let swaps = state["swaps"].as_array().expect("a list");
            cards.iter().filter(|card| card["generation"] != 0).count() == 4 && swaps.iter().all(|swap| swap["status"] != "running")
        })
        .await;
    fixture
}

impl Fixture {
    pub fn url(&self) -> String {
        self.host.url()
    }

    pub async fn fetch(&self, path: &str) -> Value {
        let answer = request(&self.url(), "GET", path, &[], "").await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        request(
            &self.url(),
            "POST",
            path,
            &[("content-type", "application/json")],
            &body.to_string(),
        )
        .await
    }

    /// Waits until the read model is as wanted.
    pub async fn wait_for(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let started = Instant::now();
        let mut versions = self.host.parts.hub.versions();
        loop {
            let state = self.host.parts.hub.dashboard();
            if holds(&state) {
                return (*state).clone();
            }
            assert!(started.elapsed() < DEADLINE, "never: {what}\n{state:#}");
            let _ = tokio::time::timeout(Duration::from_secs(1), versions.changed()).await;
        }
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub kind: String,
    pub headers: Vec<(String, String)>,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// One request on a connection of its own, written by hand so that nothing is added or corrected.
pub async fn request(url: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let address = url.strip_prefix("http://").expect("a plain URL").to_string();
    let mut text = format!("{method} {path} HTTP/1.1\r\ncontent-length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("connection")) {
        text.push_str("connection: close\r\n");
    }
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        text.push_str(&format!("host: {address}\r\n"));
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.push_str(body);
    raw(&address, text.as_bytes()).await
}

pub async fn raw(address: &str, bytes: &[u8]) -> Answer {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("the host listens");
    // A host that refuses early may close before all is sent.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut answer))
        .await
        .expect("the host answers");
    let text = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let headers: Vec<(String, String)> = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_string()))
        .collect();
    let kind = headers
        .iter()
        .find(|(name, _)| name == "content-type")
        .map(|(_, kind)| kind.clone())
        .unwrap_or_default();
    let chunked = headers
        .iter()
        .any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let text = if chunked { unchunked(body) } else { body.to_string() };
    Answer {
        status,
        kind,
        headers,
        text,
    }
}

fn unchunked(body: &str) -> String {
    let mut text = String::new();
    let mut rest = body;
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 || after.len() < size {
            break;
        }
        text.push_str(&after[..size]);
        rest = after[size..].trim_start_matches("\r\n");
    }
    text
}

/// What a browser sends to open a WebSocket; refused, the connection is closed.
pub const UPGRADE: [(&str, &str); 4] = [
    ("connection", "close, upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

pub type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

pub async fn viewer(url: &str, query: &str) -> Socket {
    let address = format!("{}/ws{query}", url.replacen("http", "ws", 1));
    tokio_tungstenite::connect_async(address).await.expect("the stream answers").0
}

/// The next frame, or none after a pause without any.
pub async fn next_frame(socket: &mut Socket, within: Duration) -> Option<Frame> {
    use futures_util::StreamExt;
    use tokio_tungstenite::tungstenite::Message;
    loop {
        match tokio::time::timeout(within, socket.next())
            .await
            .ok()??
            .expect("the stream is whole")
        {
            Message::Text(text) => return Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))),
            Message::Close(_) => return None,
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
}

pub fn retry_rhai() -> String {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/retry.rhai");
    std::fs::read_to_string(shipped).expect("the shipped policy is there")
}

pub fn card(state: &Value, kind: &str) -> Value {
    let cards = state["policies"].as_array().cloned().unwrap_or_default();
    cards.into_iter().find(|card| card["kind"] == kind).expect("a card of each kind")
}

pub fn stage(swap: &Value, part: usize, slug: &str) -> Value {
    let stages = swap["parts"][part]["stages"].as_array().cloned().unwrap_or_default();
    stages
        .into_iter()
        .find(|stage| stage["slug"] == slug)
        .expect("a stage of this name")
}

/// Runs the program, which is told of a host.
pub fn pointsman_of(url: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pointsman"))
        .args(arguments)
        .env("POINTSMAN_URL", url)
        .env_remove("POINTSMAN_DATA")
        .output()
        .expect("the program runs")
}

/// Runs the program beside the host.
pub async fn pointsman(fixture: &Fixture, arguments: &[&str]) -> Output {
    let url = fixture.url();
    let arguments: Vec<String> = arguments.iter().map(|text| text.to_string()).collect();
    let run = move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        pointsman_of(&url, &arguments)
    };
    tokio::task::spawn_blocking(run).await.expect("it ran")
}

pub fn talk(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn json_of(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}\n{}", talk(output)))
}

/// Trains a little, so that the journal holds decisions of source selection, and stops.
pub async fn decide_some(fixture: &Fixture, decisions: u64) -> Value {
    let mut settings = fixture.fetch("/api/v1/settings").await;
    settings["default_steps"] = json!(20);
    settings["lane_mode"] = json!("queued_only");
    let body = settings.to_string();
    let json_body = [("content-type", "application/json"), ("if-match", "*")];
    assert_eq!(
        request(&fixture.url(), "PUT", "/api/v1/settings", &json_body, &body).await.status,
        200
    );
    for host in ["novel", "speeches", "code", "lexicon", "events"]
        .iter()
        .cycle()
        .take(decisions as usize)
    {
        let source = json!({ "title": format!("About {host}"), "host": host });
        assert_eq!(fixture.post("/api/v1/sources", source).await.status, 201);
    }
    let picks = |state: &Value, after: u64| {
        let rows = state["decisions"].as_array().cloned().unwrap_or_default();
        let new = |row: &&Value| row["verdict"] == "pick" && row["id"].as_u64() > Some(after);
        rows.iter().filter(new).count() as u64
    };
    let before = fixture.fetch("/api/v1/state").await["decisions"][0]["id"].as_u64().unwrap_or(0);
    assert_eq!(request(&fixture.url(), "POST", "/api/training/start", &[], "").await.status, 200);
    let state = fixture.wait_for("decisions", |state| picks(state, before) >= decisions).await;
    assert_eq!(request(&fixture.url(), "POST", "/api/v1/training/stop", &[], "").await.status, 200);
    state
}
