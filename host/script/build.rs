//! Digests the sources that host and interpreter must have in common.

use std::path::PathBuf;
use std::{env, fs, io};

/// The records that cross the sandbox's wall, and all that they are made of.
const MODEL: [&str; 8] = [
    "context.rs",
    "decision.rs",
    "encoded.rs",
    "ids.rs",
    "policy.rs",
    "run.rs",
    "settings.rs",
    "source.rs",
];

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("set by cargo"));
    let mut files: Vec<PathBuf> = fs::read_dir(here.join("src"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()?;
    files.sort();
    files.extend(MODEL.map(|file| here.join("../model/src").join(file)));
    println!("cargo::rerun-if-changed={}", here.join("src").display());
    // FNV-1a: it guards against a stale build, not against an attacker.
    let mut digest: u64 = 0xcbf2_9ce4_8422_2325;
    for file in files {
        println!("cargo::rerun-if-changed={}", file.display());
        for byte in fs::read(&file)?.into_iter().chain([0]) {
            digest = (digest ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    println!("cargo::rustc-env=POINTSMAN_SCRIPT_SOURCES={digest:016x}");
    Ok(())
}
