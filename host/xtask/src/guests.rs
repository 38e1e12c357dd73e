//! `plugins`: builds the guests and wraps each core module into a component.

use crate::stamp;
use anyhow::{Context, Result, bail};
use pointsman_authoring::{TARGET, Toolchain};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What guests are made of, beside the compiler.
const INPUTS: [&str; 9] = [
    "plugins",
    "wit",
    "host/model",
    "host/coordinator",
    "host/script",
    "host/xtask",
    "host/authoring/src",
    "Cargo.toml",
    "rust-toolchain.toml",
];

/// One module that is to become a component.
struct Guest {
    /// Name of the file without its ending: the cargo target's, with underscores.
    name: String,
    /// Where cargo puts the core module.
    module: PathBuf,
}

pub(crate) fn build(root: &Path, force: bool) -> Result<()> {
    let started = Instant::now();
    let toolchain = Toolchain::find()?;
    let plugins = root.join("plugins");
    let dist = plugins.join("dist");
    let guests = guests_of(&plugins)?;
    let stamp_file = dist.join(".stamp");
    let stamp = stamp::of(root, &INPUTS, &[toolchain.name(), &toolchain.compiler_version()])?;
    let complete = guests.iter().all(|guest| component_path(&dist, guest).is_file());
    if !force && complete && fs::read_to_string(&stamp_file).is_ok_and(|last| last == stamp) {
        eprintln!("plugins: {} components in plugins/dist are up to date", guests.len());
        return Ok(());
    }

    eprintln!(
        "plugins: building {} guests for {TARGET} with the {} toolchain",
        guests.len(),
        toolchain.name()
    );
    compile(&plugins, toolchain, &["--workspace", "--lib", "--examples"])?;

    fs::create_dir_all(&dist).with_context(|| format!("cannot make {}", dist.display()))?;
    for (position, guest) in guests.iter().enumerate() {
        let component = wrap(&guest.module).with_context(|| format!("cannot make a component of {}", guest.name))?;
        write_whole(&component_path(&dist, guest), &component)?;
        eprintln!(
            "plugins: [{}/{}] {}.wasm, {:.1} kB",
            position + 1,
            guests.len(),
            guest.name,
            component.len() as f64 / 1000.0
        );
    }
    remove_others(&dist, &guests)?;
    // Last, so that a build that was broken off is not taken for a whole one.
    write_whole(&stamp_file, stamp.as_bytes())?;
    eprintln!("plugins: done in {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// Runs cargo in the guests' own workspace and target folder; cargo shows its progress by itself.
pub(crate) fn compile(plugins: &Path, toolchain: Toolchain, what: &[&str]) -> Result<()> {
    let mut command = toolchain.cargo_build();
    command
        .args(what)
        .arg("--target-dir")
        .arg(plugins.join("target"))
        .current_dir(plugins);
    // A wrapper or flags meant for the host's build would end up in the guests' too.
    command.env_remove("RUSTFLAGS").env_remove("CARGO_BUILD_TARGET");
    let status = command
        .status()
        .with_context(|| format!("cannot run {:?}", command.get_program()))?;
    if !status.success() {
        bail!("the guests do not compile ({status}); the compiler's words are above");
    }
    Ok(())
}

/// All cargo targets that become a component: cdylib libraries and examples, without those that say
/// `[package.metadata.pointsman] component = false`.
fn guests_of(plugins: &Path) -> Result<Vec<Guest>> {
    let metadata = crate::metadata(&plugins.join("Cargo.toml"))?;
    let release = plugins.join("target").join(TARGET).join("release");
    let mut guests = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        if package["metadata"]["pointsman"]["component"].as_bool() == Some(false) {
            continue;
        }
        for target in package["targets"].as_array().into_iter().flatten() {
            let has = |list: &str, word: &str| target[list].as_array().is_some_and(|words| words.iter().any(|each| each == word));
            if !has("crate_types", "cdylib") {
                continue;
            }
            let name = target["name"].as_str().context("a cargo target has no name")?.replace('-', "_");
            let folder = if has("kind", "example") {
                release.join("examples")
            } else {
                release.clone()
            };
            guests.push(Guest {
                module: folder.join(format!("{name}.wasm")),
                name,
            });
        }
    }
    guests.sort_by(|a, b| a.name.cmp(&b.name));
    if guests.is_empty() {
        bail!("{} has no cdylib crates", plugins.display());
    }
    Ok(guests)
}

fn component_path(dist: &Path, guest: &Guest) -> PathBuf {
    dist.join(format!("{}.wasm", guest.name))
}

/// A component of a core module that carries its component type, as `wit-bindgen` leaves it.
fn wrap(module: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(module).with_context(|| format!("cannot read {}", module.display()))?;
    Ok(pointsman_authoring::component::wrap(&bytes)?)
}

/// Beside, then over: whoever reads meanwhile sees the old file or the new one.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let beside = path.with_extension("tmp");
    fs::write(&beside, bytes)
        .and_then(|()| fs::rename(&beside, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// A guest that is gone must not live on as a component.
fn remove_others(dist: &Path, guests: &[Guest]) -> Result<()> {
    for entry in fs::read_dir(dist).with_context(|| format!("cannot list {}", dist.display()))? {
        let path = entry?.path();
        let known = guests.iter().any(|guest| component_path(dist, guest) == path);
        if path.extension().is_some_and(|extension| extension == "wasm") && !known {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}
