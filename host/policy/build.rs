//! Embeds the interpreter of scripts where it has been built. A plain `cargo build` does without: scripts are then
//! refused with the cure, or run natively where an operator vouches for them.

use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("set by cargo"));
    let out = PathBuf::from(env::var("OUT_DIR").expect("set by cargo"));
    let folder = here.join("../../plugins/dist");
    let built = folder.join("rhai_interpreter.wasm");
    // Where it is missing the folder is watched, so that it is seen when it appears.
    println!(
        "cargo::rerun-if-changed={}",
        if built.is_file() { &built } else { &folder }.display()
    );
    // A copy is embedded: another build may replace the file while the compiler reads.
    let copy = out.join("interpreter.wasm");
    match fs::copy(&built, &copy) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::write(&copy, []),
        Err(error) => Err(error),
    }
}
