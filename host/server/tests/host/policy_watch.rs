//! A policy that is saved goes live; one that is refused leaves the one before serving and says where and how to cure it.

use crate::common;
use pointsman::host::{Host, HostOptions};
use serde_json::Value;
use std::path::Path;
use tempfile::TempDir;

fn card(state: &Value) -> &Value {
    &state["policies"][1]
}

#[tokio::test(flavor = "multi_thread")]
async fn saving_a_file_is_a_swap_and_a_bad_one_changes_nothing() {
    let directory = TempDir::new().expect("a directory");
    let data = TempDir::new().expect("a directory");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/retry.rhai");
    let text = std::fs::read_to_string(&shipped).expect("the shipped policy is there");
    let file = directory.path().join("retry.rhai");
    std::fs::write(&file, &text).expect("written");
    let options = HostOptions {
        policies: Some(directory.path().to_path_buf()),
        ..common::options(&data)
    };
    let host = Host::start(options.clone()).await.expect("the host starts");
    let fixture = common::Fixture { host, data };
    let first = fixture.wait_for("a retry policy", |state| card(state)["generation"] == 1).await;
    assert_eq!(card(&first)["actor"], "host");

    // Saved as editors do: written beside, renamed over.
    let beside = directory.path().join(".retry.rhai.swp");
    std::fs::write(&beside, text.replace("1.0.0", "1.0.1")).expect("written");
    std::fs::rename(&beside, &file).expect("renamed");
    let second = fixture.wait_for("the swap", |state| card(state)["generation"] == 2).await;
    assert_eq!(
        (&card(&second)["version"], &card(&second)["actor"]),
        (&"1.0.1".into(), &"file-watch".into())
    );
    assert_eq!(card(&second)["previous"], "retry-rhai@1.0.0");

    std::fs::write(&file, text.replace("ctx.budget_left == 0", "ctx.budget_lef == 0")).expect("written");
    let refused = fixture.wait_for("the refusal", |state| card(state)["problem"].is_object()).await;
    let problem = &card(&refused)["problem"];
    let line = text
        .lines()
        .position(|line| line.contains("ctx.budget_left == 0"))
        .expect("it is there")
        + 1;
    assert_eq!(
        (&problem["file"], &problem["line"]),
        (&"retry.rhai".into(), &line.into()),
        "{problem}"
    );
    assert!(
        problem["code"].as_str().is_some_and(|code| code.starts_with("PM")) && problem["fix"].is_string(),
        "{problem}"
    );
    assert_eq!(card(&refused)["generation"], 2, "the version before serves on");
    assert!(refused["alerts"].to_string().contains("retry.rhai"));

    // Back to what is active: nothing to swap, and the problem is gone.
    std::fs::write(&file, text.replace("1.0.0", "1.0.1")).expect("written");
    let healed = fixture
        .wait_for("the end of the problem", |state| card(state)["problem"].is_null())
        .await;
    assert_eq!(card(&healed)["generation"], 2);
    assert!(!healed["alerts"].to_string().contains("retry.rhai"));

    std::fs::write(directory.path().join("retry.settings.json"), r#"{ "base_s": 7 }"#).expect("written");
    fixture
        .wait_for("other settings are another version", |state| card(state)["generation"] == 3)
        .await;
    let settings = fixture.fetch("/api/v1/policies").await["policies"][1]["settings"].clone();
    let base = settings
        .as_array()
        .expect("a list")
        .iter()
        .find(|setting| setting["name"] == "base_s")
        .expect("the setting")
        .clone();
    assert_eq!(base["value"], 7.0);

    let answer = fixture
        .post("/api/v1/policies/retry/rollback", serde_json::json!({ "reason": "a test" }))
        .await;
    assert_eq!((answer.status, &answer.json()["generation"]), (200, &4.into()), "{}", answer.text);
    let back = fixture.wait_for("the version before", |state| card(state)["generation"] == 4).await;
    assert_eq!(card(&back)["version"], "1.0.1");

    // What was active is active after a restart, from the journal and not from the file.
    let common::Fixture { host, data } = fixture;
    host.stop().await.expect("an end in order");
    std::fs::remove_file(&file).expect("removed");
    let host = Host::start(options).await.expect("the host starts again");
    let fixture = common::Fixture { host, data };
    let again = fixture
        .wait_for("the recorded version", |state| card(state)["generation"] == 4)
        .await;
    assert_eq!(card(&again)["version"], "1.0.1");
    assert!(!again["alerts"].to_string().contains("policy_not_loaded"), "{}", again["alerts"]);
    fixture.host.stop().await.expect("an end in order");
}
