//! Every bad input gets a problem with a stable code, the field and, where there is one, the cure; and changes nothing.

use crate::common::{self, request};
use serde_json::{Value, json};

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test(flavor = "multi_thread")]
async fn bad_inputs_are_answered_with_problems() {
    let fixture = common::start().await;
    let before = fixture.fetch("/api/v1/state").await["seq"].clone();
    let url = fixture.url();
    let long = "x".repeat(2_000_000);
    let settings = fixture.fetch("/api/v1/settings").await;
    let with = |name: &str, value: Value| {
        let mut settings = settings.clone();
        settings[name] = value;
        settings.to_string()
    };
    #[rustfmt::skip]
    let table: Vec<(&str, &str, String, u16, &str, &str)> = vec![
        // method, path, body, status, code, pointer
        ("GET", "/api/v1/nothing", String::new(), 404, "no_such_path", ""),
        ("GET", "/api/nothing", String::new(), 404, "no_such_path", ""),
        ("GET", "/v1/nothing", String::new(), 404, "no_such_path", ""),
        ("DELETE", "/api/v1/state", String::new(), 405, "no_such_method", ""),
        ("POST", "/somewhere", String::new(), 405, "no_such_method", ""),
        ("GET", "/api/v1/jobs/none", String::new(), 400, "bad_id", ""),
        ("GET", "/api/v1/jobs/99999999999999999999", String::new(), 400, "bad_id", ""),
        ("GET", "/api/v1/jobs/4711", String::new(), 404, "no_such_job", ""),
        ("GET", "/api/v1/jobs/4711/log", String::new(), 404, "no_such_job", ""),
        ("POST", "/api/v1/jobs/4711/cancel", String::new(), 404, "no_such_job", ""),
        ("GET", "/api/v1/jobs?limit=0", String::new(), 400, "bad_limit", "/limit"),
        ("GET", "/api/v1/jobs?limit=many", String::new(), 400, "bad_limit", "/limit"),
        ("GET", "/api/v1/jobs?cursor=abc", String::new(), 400, "bad_cursor", "/cursor"),
        ("GET", "/api/v1/jobs?cursor=12", String::new(), 400, "bad_cursor", "/cursor"),
        ("GET", "/api/v1/jobs?cursor=AAAAAAAAAAwAAAAA", String::new(), 400, "bad_cursor", "/cursor"),
        ("GET", "/api/v1/jobs?staus=failed", String::new(), 400, "bad_query", "/staus"),
        ("GET", "/api/v1/decisions/window?kind=retry&last=many", String::new(), 400, "bad_query", "/last"),
        ("GET", "/api/v1/policies/diff?a=x", String::new(), 400, "bad_query", "/b"),
        ("GET", "/api/v1/jobs/%FF", String::new(), 400, "bad_request", ""),
        ("GET", "/api/v1/evidence", String::new(), 400, "bad_query", "/since"),
        ("GET", "/api/v1/evidence?since=999999", String::new(), 422, "bad_since", "/since"),
        ("GET", "/api/v1/settings/presets/none", String::new(), 404, "no_such_preset", ""),
        ("PUT", "/api/v1/settings/presets/a%20b", String::new(), 422, "preset_name_invalid", ""),
        ("PUT", "/api/v1/settings/presets/a", json!({ "values": {} }).to_string(), 422, "preset_empty", ""),
        ("PUT", "/api/v1/settings/presets/a", json!({ "values": { "global_max": 4 } }).to_string(), 422, "settings_invalid", "/values/global_max"),
        ("PUT", "/api/v1/settings/presets/a", json!({ "values": { "retry_budget": -1 } }).to_string(), 422, "settings_invalid", "/values/retry_budget"),
        ("DELETE", "/api/v1/settings/presets/none", String::new(), 404, "no_such_preset", ""),
        ("POST", "/api/v1/settings/presets/none/apply", String::new(), 404, "no_such_preset", ""),
        ("POST", "/api/v1/settings/history/1/undo", String::new(), 404, "no_such_change", ""),
        ("GET", "/api/v1/settings/history?cursor=x", String::new(), 400, "bad_cursor", "/cursor"),
        ("PATCH", "/api/v1/settings", "[]".to_string(), 422, "bad_field", ""),
        ("PATCH", "/api/v1/settings", json!({ "global_max": 9 }).to_string(), 422, "settings_invalid", "/global_max"),
        ("PATCH", "/api/v1/settings", json!({ "retry_budget": "three" }).to_string(), 422, "settings_invalid", "/retry_budget"),
        ("PATCH", "/api/v1/settings", json!({ "retry_budgt": 3 }).to_string(), 422, "settings_invalid", "/retry_budgt"),
        ("PATCH", "/api/v1/settings?dry_run=perhaps", json!({}).to_string(), 400, "bad_query", "/dry_run"),
        ("GET", "/api/v1/jobs?status=odd", String::new(), 400, "bad_filter", "/status"),
        ("GET", "/api/v1/sources?lane=odd", String::new(), 400, "bad_filter", "/lane"),
        ("GET", "/api/v1/decisions?kind=odd", String::new(), 404, "no_such_kind", ""),
        ("GET", "/api/v1/decisions/999", String::new(), 404, "no_such_decision", ""),
        ("POST", "/api/v1/sources", "{".to_string(), 400, "bad_json", ""),
        ("POST", "/api/v1/sources", "{}{}".to_string(), 422, "bad_field", ""),
        ("POST", "/api/v1/sources", json!({}).to_string(), 422, "bad_field", ""),
        ("POST", "/api/v1/sources", json!({ "title": 7 }).to_string(), 422, "bad_field", "/title"),
        ("POST", "/api/v1/sources", json!({ "title": "t", "odd": 1 }).to_string(), 422, "bad_field", "/odd"),
        ("POST", "/api/v1/sources", json!({ "title": "t", "origin": "curriculum" }).to_string(), 422, "bad_field", "/origin"),
        ("POST", "/api/v1/sources", json!({ "title": "t", "params": { "steps": -1 } }).to_string(), 422, "bad_field", "/params/steps"),
        ("POST", "/api/v1/sources/99/enable", String::new(), 404, "", ""),
        ("POST", "/api/v1/sources/99/disable", json!({ "reason": long }).to_string(), 422, "bad_reason", "/reason"),
        ("PUT", "/api/v1/settings", with("promotion_window", json!(0)), 422, "", "/promotion_window"),
        ("PUT", "/api/v1/settings", with("canary_share", json!(7)), 422, "", "/canary_share"),
        ("PUT", "/api/v1/settings", with("odd", json!(7)), 422, "bad_field", "/odd"),
        ("POST", "/api/v1/policies/odd/rollback", String::new(), 404, "no_such_kind", ""),
        ("POST", "/api/v1/policies/activate", json!({ "file": "p.rhai" }).to_string(), 422, "bad_field", "/text"),
        ("POST", "/api/v1/policies/activate", json!({ "file": "../p.rhai", "text": "" }).to_string(), 422, "bad_field", "/file"),
        ("POST", "/api/v1/policies/activate", json!({ "file": "p.wasm", "code_base64": "*" }).to_string(), 422, "bad_field", "/code_base64"),
        ("POST", "/api/v1/policies/activate", json!({ "file": "p.rhai", "text": "", "settings": { "a": [] } }).to_string(), 422, "bad_field", "/settings/a"),
        ("POST", "/api/v1/policies/activate", json!({ "file": "p.rhai", "text": "fn describe( {" }).to_string(), 422, "PM2107", ""),
        ("POST", "/api/v1/policies/activate", json!({ "file": "p.txt", "text": "hello" }).to_string(), 422, "PM2101", ""),
        ("POST", "/api/v1/models/rollback", String::new(), 409, "", ""),
        ("POST", "/api/v1/models/m-9/approve", String::new(), 404, "candidate_not_held", ""),
        ("POST", "/v1/completions", json!({ "prompt": "a" }).to_string(), 503, "no_model", ""),
        ("POST", "/v1/completions", json!({ "prompt": "a", "max_tokens": 0 }).to_string(), 422, "bad_field", "/max_tokens"),
        ("POST", "/v1/completions", json!({ "prompt": "a", "temperature": -1 }).to_string(), 422, "bad_field", "/temperature"),
        ("POST", "/v1/completions", json!({ "prompt": ["a", "b"] }).to_string(), 422, "bad_field", "/prompt"),
        ("GET", "/ws", String::new(), 426, "websocket_only", ""),
    ];
    for (method, path, body, status, code, pointer) in table {
        let answer = request(&url, method, path, &[JSON, ("if-match", "*")], &body).await;
        let what = format!("{method} {path} {:.80}: {} {}", body, answer.status, answer.text);
        assert_eq!(answer.status, status, "{what}");
        assert_eq!(answer.kind, "application/problem+json", "{what}");
        let problem = answer.json();
        assert!(code.is_empty() || problem["code"] == code, "{what}");
        assert!(
            !problem["code"].as_str().unwrap_or_default().is_empty() && !problem["detail"].as_str().unwrap_or_default().is_empty(),
            "{what}"
        );
        let named = path.split('?').next().unwrap_or_default();
        assert_eq!(problem["instance"], named, "{what}");
        assert_eq!(problem["status"], status, "{what}");
        assert_eq!(problem["trace_id"].as_str().map(str::len), Some(32), "{what}");
        if !pointer.is_empty() {
            let named = problem["errors"]
                .as_array()
                .expect("a list")
                .iter()
                .any(|error| error["pointer"] == pointer);
            assert!(named, "names {pointer}: {what}");
        }
    }
    let method = request(&url, "DELETE", "/api/v1/sources", &[], "").await;
    assert_eq!((method.status, method.header("allow")), (405, Some("GET, POST")));
    let text = request(&url, "POST", "/api/v1/sources", &[("content-type", "text/plain")], "{}").await;
    assert_eq!((text.status, text.json()["code"].clone()), (415, json!("not_json")));
    let actor = request(&url, "POST", "/api/v1/training/stop", &[("x-pointsman-actor", "a b")], "").await;
    assert_eq!((actor.status, actor.json()["code"].clone()), (400, json!("bad_actor")));
    let large = format!(
        "POST /api/v1/sources HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: 90000000\r\n\r\n",
        &url[7..]
    );
    let large = common::raw(&url[7..], large.as_bytes()).await;
    assert_eq!((large.status, large.json()["code"].clone()), (413, json!("body_too_large")));
    assert_eq!(fixture.fetch("/api/v1/state").await["seq"], before, "nothing was changed");
    fixture.host.stop().await.expect("an end in order, with replay equal to state");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_can_be_guarded_against_each_other() {
    let fixture = common::start().await;
    let url = fixture.url();
    let first = request(&url, "GET", "/api/v1/settings", &[], "").await;
    let tag = first.header("etag").expect("a tag").to_string();
    let mut settings = first.json();
    settings["promotion_window"] = json!(7);
    let changed = request(&url, "PUT", "/api/v1/settings", &[JSON, ("if-match", &tag)], &settings.to_string()).await;
    assert_eq!((changed.status, changed.json()["promotion_window"].clone()), (200, json!(7)));
    settings["promotion_window"] = json!(8);
    let stale = request(&url, "PUT", "/api/v1/settings", &[JSON, ("if-match", &tag)], &settings.to_string()).await;
    assert_eq!((stale.status, stale.json()["code"].clone()), (412, json!("settings_changed")));
    fixture.host.stop().await.expect("an end in order");
}
