//! A journal that cannot be written: nothing is told, reads go on, and the host goes on by itself once the disk does.
//!
//! Alone in its binary: the limit on file sizes, which stands for the full disk, holds for the whole process.

mod common;

use serde_json::json;

fn limit_file_sizes(bytes: u64) {
    let limit = |soft| libc::rlimit {
        rlim_cur: soft,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: plain calls with valid arguments. A write beyond the limit fails with an error, as SIGXFSZ is ignored.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &limit(bytes)), 0, "the limit is taken");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_disk_refuses_was_never_told() {
    let fixture = common::start().await;
    let submit = |n: u32| {
        fixture.post(
            "/api/v1/sources",
            json!({ "title": format!("source {n}"), "body": "x".repeat(4_000) }),
        )
    };
    for n in 0..5 {
        assert_eq!(submit(n).await.status, 201);
    }
    let before = fixture.wait_for("five sources", |state| state["pipeline"][0]["count"] == 5).await;

    limit_file_sizes(1);
    for n in 5..10 {
        let refused = submit(n).await;
        assert!(
            matches!(
                (refused.status, refused.json()["code"].as_str()),
                (503, Some("read_only")) | (507, Some("storage_full"))
            ),
            "{}",
            refused.text
        );
        assert!(refused.json()["fix"].is_string());
    }
    let during = fixture
        .wait_for("the alert", |state| {
            state["alerts"]
                .as_array()
                .is_some_and(|alerts| alerts.iter().any(|alert| alert["code"] == "read_only"))
        })
        .await;
    assert_eq!(
        (&during["seq"], &during["pipeline"]),
        (&before["seq"], &before["pipeline"]),
        "reads go on and show what the journal holds"
    );
    assert_eq!(common::request(&fixture.url(), "GET", "/readyz", &[], "").await.status, 503);
    assert_eq!(fixture.fetch("/livez").await["status"], "ok");
    assert_eq!(fixture.fetch("/api/v1/sources").await["sources"].as_array().map(Vec::len), Some(5));

    limit_file_sizes(libc::RLIM_INFINITY);
    fixture
        .wait_for("the end of the alert", |state| {
            state["alerts"]
                .as_array()
                .is_some_and(|alerts| alerts.iter().all(|alert| alert["code"] != "read_only"))
        })
        .await;
    let answer = submit(10).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.json()["source"], 6, "a number that was refused is given again");
    let after = fixture.wait_for("six sources", |state| state["pipeline"][0]["count"] == 6).await;
    assert_eq!(
        after["seq"].as_u64(),
        before["seq"].as_u64().map(|seq| seq + 1),
        "one entry, and none of those that were refused"
    );
    let data = fixture.data;
    fixture.host.stop().await.expect("an end in order, with replay equal to state");

    let reader = pointsman_journal::Reader::open(pointsman::host::journal_path(data.path())).expect("the journal opens");
    let report = reader
        .verify(&pointsman_journal::VerifyOptions { views: true, anchor: None })
        .expect("it can be read");
    assert!(report.is_sound(), "{:?}", report.problems);
}
