//! Developers' chores, `cargo run --release -p xtask -- <command>`.
//!
//! | command | what it does |
//! | --- | --- |
//! | `plugins [--force]` | builds every guest in `plugins/` and writes the components to `plugins/dist/` |
//! | `purity` | builds the coordinator for `wasm32-unknown-unknown` and checks that it imports nothing |
//! | `layering` | checks which of our crates use which, over `cargo metadata` |
//! | `features` | checks that `tests/features.md` has every row of the control center, and that what it names is there |
//!
//! Few dependencies on purpose: a chore that compiles for a minute is not done.

mod features;
mod guests;
mod layering;
mod purity;
mod stamp;

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "usage: cargo run --release -p xtask -- <command>

  plugins [--force]   build the guests of plugins/ into plugins/dist/*.wasm; nothing is done where nothing changed
  purity              check that the coordinator builds for wasm32-unknown-unknown and imports nothing
  layering            check which of our crates use which
  features            check that tests/features.md has every row of the control center, and that all it names is there

environment:
  POINTSMAN_GUEST_TOOLCHAIN=rustup|debian   build guests with this toolchain; without it, with the first one that is there";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["plugins"] => guests::build(&root(), false),
        ["plugins", "--force"] => guests::build(&root(), true),
        ["purity"] => purity::check(&root()),
        ["layering"] => layering::check(&root()),
        ["features"] => features::check(&root()),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The repository, which this crate is two folders below.
fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).expect("xtask lives in host/xtask").to_path_buf()
}

/// What `cargo metadata` says of a workspace's own crates.
fn metadata(manifest: &Path) -> Result<serde_json::Value> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--no-deps", "--manifest-path"])
        .arg(manifest)
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!(
            "cargo metadata of {} failed:\n{}",
            manifest.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    serde_json::from_slice(&output.stdout).context("cargo metadata did not print JSON")
}
