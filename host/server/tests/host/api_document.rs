//! The document of the API: it is what the router answers, and its words are the words of everybody.
//!
//! `POINTSMAN_UPDATE=1 cargo test --release --workspace --test host api_document` writes `docs/openapi.json` anew.

use crate::common::{self, pointsman_of, request};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let of_path = |(path, methods): (&String, &Value)| {
        let methods = methods.as_object().expect("methods").clone();
        let path = path.clone();
        methods.into_iter().map(move |(method, about)| (method, path.clone(), about))
    };
    paths.iter().flat_map(of_path).collect()
}

/// A path that matches a template; nothing is there.
fn filled(path: &str) -> String {
    path.replace("{id}", "4711")
        .replace("{seq}", "4711")
        .replace("{kind}", "retry")
        .replace('{', "none-")
        .replace('}', "")
}

#[tokio::test(flavor = "multi_thread")]
async fn router_and_document_are_of_one_mind() {
    let fixture = common::start().await;
    let url = fixture.url();
    let document = fixture.fetch("/api/openapi.json").await;
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(&document, pointsman::http::openapi());
    let operations = operations(&document);
    let paths: BTreeSet<&str> = operations.iter().map(|(_, path, _)| path.as_str()).collect();
    for path in paths {
        for method in ["get", "post", "put", "patch", "delete"] {
            // The first completion would wait for a model; a shutdown of what the page needs is no concern here.
            let described = operations.iter().any(|(known, of, _)| known == method && of == path);
            let answer = request(&url, &method.to_uppercase(), &filled(path), &[], "").await;
            let is_refused = answer.status == 405 || (answer.status == 404 && answer.json()["code"] == "no_such_path");
            assert_eq!(!is_refused, described, "{method} {path}: {} {:.200}", answer.status, answer.text);
        }
    }
    fixture.host.stop().await.expect("an end in order");
}

#[test]
fn every_operation_is_described_whole() {
    let document = pointsman::http::openapi();
    let mut ids = BTreeSet::new();
    for (method, path, about) in operations(document) {
        let what = format!("{method} {path}");
        assert!(
            about["summary"].as_str().is_some_and(|summary| !summary.is_empty()),
            "{what} has a summary"
        );
        assert!(
            ids.insert(about["operationId"].as_str().unwrap_or_default().to_string()),
            "{what} has a name of its own"
        );
        let named: Vec<&Value> = about["parameters"].as_array().expect("a list").iter().collect();
        for parameter in &named {
            let words = parameter["description"].as_str().unwrap_or_default();
            assert!(!words.is_empty(), "{what}: {} has words", parameter["name"]);
        }
        for segment in path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}')) {
            let is_told = named
                .iter()
                .any(|parameter| parameter["in"] == "path" && parameter["name"] == segment);
            assert!(is_told, "{what} tells of {segment}");
        }
        let answers = about["responses"].as_object().expect("answers");
        assert!(answers.keys().any(|status| status.starts_with('2')), "{what} can succeed");
        assert!(answers.contains_key("503"), "{what} can be refused");
        if !about["requestBody"].is_null() {
            assert!(answers.contains_key("422") && answers.contains_key("413"), "{what} can be wrong");
        }
    }
    // What is referred to is there.
    let text = document.to_string();
    let schemas = document["components"]["schemas"].as_object().expect("schemas");
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap_or_default();
        assert!(schemas.contains_key(name), "{name} is described");
    }
}

/// A number without words is one that a reader has to guess.
#[test]
fn every_number_has_its_help() {
    let schemas = pointsman::http::openapi()["components"]["schemas"].as_object().expect("schemas");
    let is_number = |schema: &Value| {
        let kinds = match &schema["type"] {
            Value::String(kind) => vec![kind.as_str()],
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        kinds.iter().any(|kind| ["integer", "number"].contains(kind))
    };
    let mut silent = Vec::new();
    for (name, schema) in schemas {
        let none = serde_json::Map::new();
        for (field, schema) in schema["properties"].as_object().unwrap_or(&none) {
            if is_number(schema) && schema["description"].as_str().is_none_or(|words| words.is_empty()) {
                silent.push(format!("{name}.{field}"));
            }
        }
    }
    assert!(silent.is_empty(), "no words for {silent:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn page_command_line_and_api_tell_the_same_words() {
    let fixture = common::start().await;
    let url = fixture.url();
    let help = fixture.fetch("/api/v1/help?name=Totals.live_applies").await;
    let words = help["fields"][0]["help"].as_str().expect("words").to_string();
    let schema = &pointsman::http::openapi()["components"]["schemas"]["Totals"]["properties"]["live_applies"];
    assert_eq!(schema["description"], words.as_str());
    let explained = common::pointsman(&fixture, &["explain", "Totals.live_applies", "--json"]).await;
    assert_eq!(common::json_of(&explained), help);
    assert!(
        fixture.fetch("/api/v1/help").await["fields"]
            .as_array()
            .is_some_and(|fields| fields.len() > 300)
    );
    let metrics = request(&url, "GET", "/metrics", &[], "").await;
    assert!(
        metrics.text.contains(&format!("# HELP pointsman_live_applies_total {words}\n")),
        "{}",
        metrics.text
    );
    let typed = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/src/wire.ts")).expect("the page's types");
    assert!(
        typed.contains(words.lines().next().unwrap_or_default()),
        "the page's types tell it, too"
    );

    let page = request(&url, "GET", "/api/docs", &[], "").await;
    assert_eq!((page.status, page.kind.as_str()), (200, "text/html; charset=utf-8"));
    assert!(!page.text.contains("://"), "it needs no other place");
    for part in ["/api/docs.js", "/api/docs.css"] {
        assert!(page.text.contains(part), "{part} is asked for");
        let part = request(&url, "GET", part, &[], "").await;
        assert!(
            part.status == 200 && !part.text.is_empty() && !part.text.contains("http://"),
            "{}",
            part.text
        );
    }
    fixture.host.stop().await.expect("an end in order");
}

#[test]
fn settings_are_explained_without_a_host() {
    let explained = pointsman_of("http://127.0.0.1:9", &["explain", "promotion_window"]);
    let text = String::from_utf8_lossy(&explained.stdout).into_owned();
    assert!(
        explained.status.success() && text.starts_with("Settings.promotion_window (number)\n"),
        "{text}"
    );
}

#[test]
fn the_kept_document_is_the_hosts() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let now = format!("{:#}\n", pointsman::http::openapi());
    if std::env::var_os("POINTSMAN_UPDATE").is_some() {
        std::fs::write(&path, &now).expect("docs can be written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == now,
        "docs/openapi.json is stale, and clients may break. If that is meant: POINTSMAN_UPDATE=1"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_holds_what_holds_is_sent_no_body() {
    let fixture = common::start().await;
    let url = fixture.url();
    for path in [
        "/api/v1/state",
        "/api/v1/jobs",
        "/api/v1/sources",
        "/api/v1/settings",
        "/api/v1/settings/form",
        "/api/v1/pipeline",
        "/api/v1/evidence?since=0",
        "/api/openapi.json",
    ] {
        let first = request(&url, "GET", path, &[], "").await;
        let tag = first.header("etag").unwrap_or_else(|| panic!("{path} has a tag")).to_string();
        let again = request(&url, "GET", path, &[("if-none-match", &tag)], "").await;
        assert_eq!((again.status, again.text.as_str()), (304, ""), "{path}");
        assert_eq!(again.header("etag"), Some(tag.as_str()), "{path}");
        let other = request(&url, "GET", path, &[("if-none-match", "\"0123456789abcdef\"")], "").await;
        assert_eq!(other.status, 200, "{path}");
    }
    let state = request(&url, "GET", "/api/v1/state", &[], "").await;
    let stamp = &state.json()["view"];
    assert_eq!(
        state.header("etag"),
        stamp["fingerprint"].as_str().map(|mark| format!("\"{mark}\"")).as_deref()
    );
    assert!(
        state.header("age").is_some_and(|age| age.parse::<u64>().is_ok()) && stamp["ttl_ms"].as_u64() > Some(0),
        "{stamp}"
    );
    let jobs = request(&url, "GET", "/api/v1/sources", &[], "").await;
    fixture.post("/api/v1/sources", serde_json::json!({ "title": "one more" })).await;
    let tag = jobs.header("etag").expect("a tag").to_string();
    let changed = request(&url, "GET", "/api/v1/sources", &[("if-none-match", &tag)], "").await;
    assert_eq!(changed.status, 200, "another list has another tag");
    fixture.host.stop().await.expect("an end in order");
}
