//! Embeds what is there at compile time: the web page's build and the shipped policy components. Neither is needed
//! for a plain `cargo build`; what is absent is absent from the tables, and the program says how to build it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("set by cargo"))
        .join("../..")
        .canonicalize()?;
    let out = PathBuf::from(env::var("OUT_DIR").expect("set by cargo"));

    let page = root.join("web/dist");
    let mut files = Vec::new();
    if page.join("index.html").is_file() {
        collect(&page, &page, &mut files)?;
        files.sort();
    }
    println!("cargo::rerun-if-changed={}", page.display());
    write_table(
        &out.join("page.rs"),
        "PAGE",
        files.iter().map(|name| (name.clone(), page.join(name))),
    )?;

    let components = root.join("plugins/dist");
    println!("cargo::rerun-if-changed={}", components.display());
    let names = ["host_diverse.wasm", "eprocess_gate.wasm", "retry_backoff.wasm"];
    let present = names
        .iter()
        .map(|name| (name.to_string(), components.join(name)))
        .filter(|(_, path)| path.is_file());
    write_table(&out.join("components.rs"), "COMPONENTS", present)?;

    let scripts = root.join("policies");
    println!("cargo::rerun-if-changed={}", scripts.display());
    let mut rhai = Vec::new();
    if scripts.is_dir() {
        for entry in fs::read_dir(&scripts)? {
            let path = entry?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if name.ends_with(".rhai") {
                rhai.push((name, path));
            }
        }
        rhai.sort();
    }
    write_table(&out.join("scripts.rs"), "SCRIPTS", rhai)
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if let Ok(name) = path.strip_prefix(root) {
            files.push(name.to_string_lossy().replace('\\', "/"));
        }
    }
    Ok(())
}

fn write_table(file: &Path, name: &str, entries: impl IntoIterator<Item = (String, PathBuf)>) -> io::Result<()> {
    // Copies are embedded, not the files themselves: another build may replace those while the compiler reads.
    let copies = file.with_extension("files");
    match fs::remove_dir_all(&copies) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => fs::create_dir_all(&copies)?,
    }
    let mut text = format!("/// Name and bytes of each embedded file.\nstatic {name}: &[(&str, &[u8])] = &[\n");
    for (number, (key, path)) in entries.into_iter().enumerate() {
        println!("cargo::rerun-if-changed={}", path.display());
        let copy = copies.join(number.to_string());
        fs::copy(&path, &copy)?;
        writeln!(text, "    ({key:?}, include_bytes!({:?})),", copy.display().to_string()).expect("a string takes text");
    }
    text.push_str("];\n");
    fs::write(file, text)
}
