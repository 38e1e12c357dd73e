//! Host and Origin are checked on every route, on every method, and on the upgrade to a WebSocket.

use crate::common::{self, UPGRADE, request};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_refused_everywhere() {
    let fixture = common::start().await;
    let url = fixture.url();
    let port = fixture.host.address.port();
    let routes = [
        "/",
        "/api/v1/state",
        "/api/v1/sources",
        "/v1/completions",
        "/livez",
        "/ws",
        "/assets/x.js",
        "/api/none",
    ];
    let strangers = [
        "evil.example".to_string(),
        format!("evil.example:{port}"),
        "127.0.0.1:1".to_string(),
        format!("localhost.evil.example:{port}"),
        String::new(),
    ];
    for path in routes {
        for method in ["GET", "POST", "PUT", "OPTIONS"] {
            for host in &strangers {
                let mut headers = vec![("host", host.as_str())];
                headers.extend(UPGRADE);
                let answer = request(&url, method, path, &headers, "").await;
                assert_eq!(answer.status, 403, "{method} {path} as {host}");
                assert_eq!(answer.json()["code"], "host_not_allowed");
            }
            for origin in [
                "http://evil.example",
                "null",
                "http://127.0.0.1:1",
                "http://localhost",
                &format!("https://localhost:{port}"),
            ] {
                let mut headers = vec![("origin", origin)];
                headers.extend(UPGRADE);
                let answer = request(&url, method, path, &headers, "").await;
                assert_eq!(answer.status, 403, "{method} {path} from {origin}");
                assert_eq!(answer.json()["code"], "origin_not_allowed");
            }
        }
    }
    for host in [
        format!("localhost:{port}"),
        format!("127.0.0.1:{port}"),
        format!("[::1]:{port}"),
        format!("LOCALHOST:{port}"),
    ] {
        let origin = format!("http://{host}");
        let answer = request(&url, "GET", "/api/v1/state", &[("host", &host), ("origin", &origin)], "").await;
        assert_eq!(answer.status, 200, "{host}");
    }
    fixture.host.stop().await.expect("an end in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_the_headers_that_keep_a_page_in_its_place() {
    let fixture = common::start().await;
    for path in ["/", "/api/v1/state", "/api/v1/none"] {
        let answer = request(&fixture.url(), "GET", path, &[], "").await;
        assert!(
            answer
                .header("content-security-policy")
                .is_some_and(|policy| policy.contains("default-src 'self'") && !policy.contains("unsafe")),
            "{path}"
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
    }
    let page = request(&fixture.url(), "GET", "/some/place/of/the/page", &[], "").await;
    assert!(page.status == 200 && page.text.contains("<html"), "{}", page.text);
    let tag = page.header("etag").expect("a tag");
    let again = request(&fixture.url(), "GET", "/", &[("if-none-match", tag)], "").await;
    assert_eq!((again.status, again.text.as_str()), (304, ""));
    assert_eq!(fixture.fetch("/livez").await, json!({ "status": "ok" }));
    assert_eq!(fixture.fetch("/readyz").await, json!({ "status": "ready" }));
    fixture.host.stop().await.expect("an end in order");
}
