//! Rust: cargo to a core module, which carries its component type, and that to a component.

use super::{BuildError, Progress, read, run};
use crate::component;
use crate::project::Project;
use crate::toolchain::{TARGET, Toolchain};
use std::path::PathBuf;

pub(super) fn build(project: &Project, tell: &mut dyn FnMut(Progress<'_>)) -> Result<Vec<u8>, BuildError> {
    let toolchain = Toolchain::find()?;
    // An author who shares one target folder between projects compiles the SDK once.
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from("target"));
    let mut command = toolchain.cargo_build();
    command
        .args(["--package", &project.name, "--lib", "--target-dir"])
        .arg(&target)
        .current_dir(&project.directory)
        // Flags meant for the machine of the author would end up in the policy.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET");
    run::aloud(
        &format!("cargo build for {TARGET} ({} toolchain)", toolchain.name()),
        &mut command,
        tell,
    )?;
    let module = project
        .directory
        .join(target)
        .join(TARGET)
        .join("release")
        .join(format!("{}.wasm", project.name.replace('-', "_")));
    Ok(component::wrap(&read(&module)?)?)
}
