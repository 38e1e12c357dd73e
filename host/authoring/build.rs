//! Embeds what a new project is made of: the templates, the contract and the Rust SDK, as they stand in the repository.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Folders of the repository, and where their files stand in the table.
const TREES: [(&str, &str); 5] = [
    ("plugins/templates", "templates"),
    ("wit/policy-0.1.0", "wit/policy-0.1.0"),
    ("plugins/sdk/src", "sdk/rust/src"),
    ("plugins/sdk/Cargo.toml", "sdk/rust/Cargo.toml"),
    // The versions that the SDK was tested with; cargo takes out what a project does not use.
    ("plugins/Cargo.lock", "Cargo.lock"),
];

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("set by cargo"))
        .join("../..")
        .canonicalize()?;
    let mut files = Vec::new();
    for (tree, name) in TREES {
        let path = root.join(tree);
        println!("cargo::rerun-if-changed={}", path.display());
        collect(&path, name, &mut files)?;
    }
    files.sort();
    let mut table = "/// Path and bytes of each embedded file.\nstatic FILES: &[(&str, &[u8])] = &[\n".to_string();
    for (name, path) in files {
        println!("cargo::rerun-if-changed={}", path.display());
        writeln!(table, "    ({name:?}, include_bytes!({:?})),", path.display().to_string()).expect("a string takes text");
    }
    table.push_str("];\n");
    fs::write(PathBuf::from(env::var("OUT_DIR").expect("set by cargo")).join("files.rs"), table)
}

fn collect(path: &Path, name: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    if path.is_file() {
        files.push((name.to_string(), path.to_path_buf()));
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let child = entry.file_name().to_string_lossy().into_owned();
        // What an editor or an interpreter leaves behind is no part of a template.
        if child.ends_with('~') || child == "__pycache__" || child == "node_modules" || child == "target" {
            continue;
        }
        collect(&entry.path(), &format!("{name}/{child}"), files)?;
    }
    Ok(())
}
