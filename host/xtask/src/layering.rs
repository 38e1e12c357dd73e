//! `layering`: invariant 2. Which of our crates may use which.

use anyhow::{Result, bail};
use serde_json::Value;
use std::path::Path;

/// Each crate with the crates of ours that it may use. A crate that is not here may not exist: say first where it stands.
const ARROWS: [(&str, &[&str]); 13] = [
    ("pointsman-model", &[]),
    ("pointsman-coordinator", &["pointsman-model"]),
    ("pointsman-script", &["pointsman-model"]),
    ("pointsman-policy", &["pointsman-script", "pointsman-coordinator", "pointsman-model"]),
    ("pointsman-authoring", &["pointsman-coordinator", "pointsman-model"]),
    ("pointsman-journal", &["pointsman-model"]),
    ("pointsman-memory", &["pointsman-model"]),
    ("pointsman-trainer", &["pointsman-model"]),
    ("pointsman-runner", &["pointsman-trainer", "pointsman-model"]),
    ("pointsman-sim", &["pointsman-policy", "pointsman-coordinator", "pointsman-model"]),
    (
        "pointsman",
        &[
            "pointsman-authoring",
            "pointsman-sim",
            "pointsman-policy",
            "pointsman-script",
            "pointsman-runner",
            "pointsman-journal",
            "pointsman-memory",
            "pointsman-trainer",
            "pointsman-coordinator",
            "pointsman-model",
        ],
    ),
    ("xtask", &["pointsman-authoring"]),
    // Judges the program from outside: reads its journal and models, starts it as a process, links none of it. Attacks on
    // policies are played on the library and the coordinator themselves.
    (
        "pointsman-end-to-end",
        &[
            "pointsman-policy",
            "pointsman-coordinator",
            "pointsman-journal",
            "pointsman-trainer",
            "pointsman-model",
        ],
    ),
];

/// The same for guests. They live behind the sandbox, so that only the purity check and the interpreter may
/// see the host's crates.
const GUEST_ARROWS: [(&str, &[&str]); 9] = [
    ("pointsman-policy-sdk", &[]),
    ("host-diverse", &["pointsman-policy-sdk"]),
    ("retry-backoff", &["pointsman-policy-sdk"]),
    ("eprocess-gate", &["pointsman-policy-sdk"]),
    ("hostile", &["pointsman-policy-sdk"]),
    ("core-purity", &["pointsman-coordinator", "pointsman-model"]),
    // The interpreter of scripts, which is ours and not a policy: the same crate runs trusted scripts natively.
    ("rhai-interpreter", &["pointsman-script", "pointsman-model"]),
    ("c-bindings", &[]),
    // What `make bench` compares the contract with.
    ("bench-strings", &[]),
];

pub(crate) fn check(root: &Path) -> Result<()> {
    let mut faults = violations(&crate::metadata(&root.join("Cargo.toml"))?, &ARROWS, "ARROWS");
    faults.extend(violations(
        &crate::metadata(&root.join("plugins/Cargo.toml"))?,
        &GUEST_ARROWS,
        "GUEST_ARROWS",
    ));
    if !faults.is_empty() {
        bail!("the crates do not keep to their arrows:\n  {}", faults.join("\n  "));
    }
    eprintln!(
        "layering: {} crates and {} guests keep to their arrows",
        ARROWS.len(),
        GUEST_ARROWS.len()
    );
    Ok(())
}

/// One line for each arrow that is not in the table, and for each crate that is missing in either. Crates used by tests alone are free.
fn violations(metadata: &Value, arrows: &[(&str, &[&str])], table: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let packages = || metadata["packages"].as_array().into_iter().flatten();
    for package in packages() {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, allowed)) = arrows.iter().find(|(known, _)| *known == name) else {
            faults.push(format!(
                "{name} is not in the table of arrows; say in host/xtask/src/layering.rs ({table}) what it may use"
            ));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let used = dependency["name"].as_str().unwrap_or_default();
            // A path means a crate of this repository; another workspace's are told by their names only.
            let ours = dependency["path"].is_string();
            let for_tests = dependency["kind"] == "dev";
            if ours && !for_tests && !allowed.contains(&used) {
                let allowed = if allowed.is_empty() {
                    "none of ours".to_string()
                } else {
                    allowed.join(", ")
                };
                faults.push(format!("{name} -> {used}: not allowed, it may use {allowed}"));
            }
        }
    }
    for (known, _) in arrows {
        if !packages().any(|package| package["name"] == *known) {
            faults.push(format!(
                "{known} is in the table of arrows but not in the workspace; take it out of {table}"
            ));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TABLE: [(&str, &[&str]); 2] = [("model", &[]), ("coordinator", &["model"])];

    fn check(model_uses: Value, expected: &[&str]) {
        let metadata = json!({ "packages": [
            { "name": "model", "dependencies": model_uses },
            { "name": "coordinator", "dependencies": [{ "name": "model", "path": "/x/model", "kind": null }] },
        ]});
        assert_eq!(violations(&metadata, &TABLE, "TABLE"), expected);
    }

    #[test]
    fn an_arrow_against_the_layers_is_named() {
        check(json!([]), &[]);
        check(json!([{ "name": "serde", "kind": null }]), &[]);
        check(
            json!([{ "name": "coordinator", "path": "/x", "kind": null }]),
            &["model -> coordinator: not allowed, it may use none of ours"],
        );
        check(
            json!([{ "name": "coordinator", "path": "/x", "kind": "build" }]),
            &["model -> coordinator: not allowed, it may use none of ours"],
        );
    }

    #[test]
    fn tests_may_use_what_they_like() {
        check(json!([{ "name": "coordinator", "path": "/x", "kind": "dev" }]), &[]);
    }

    #[test]
    fn crates_and_table_agree() {
        let metadata = json!({ "packages": [{ "name": "model", "dependencies": [] }, { "name": "new", "dependencies": [] }] });
        assert_eq!(
            violations(&metadata, &TABLE, "TABLE"),
            [
                "new is not in the table of arrows; say in host/xtask/src/layering.rs (TABLE) what it may use",
                "coordinator is in the table of arrows but not in the workspace; take it out of TABLE",
            ]
        );
    }
}
