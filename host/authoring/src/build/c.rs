//! C: clang or zig to a core module without any library of a system, the contract's world to a component.

use super::{BuildError, Progress, Tools, install, on_path, read, run};
use crate::component;
use crate::project::Project;
use std::path::PathBuf;
use std::process::Command;

/// Newest first; the linker of the same release must be there, too.
const CLANGS: [(&str, &str); 9] = [
    ("clang", "wasm-ld"),
    ("clang-22", "wasm-ld-22"),
    ("clang-21", "wasm-ld-21"),
    ("clang-20", "wasm-ld-20"),
    ("clang-19", "wasm-ld-19"),
    ("clang-18", "wasm-ld-18"),
    ("clang-17", "wasm-ld-17"),
    ("clang-16", "wasm-ld-16"),
    ("clang-14", "wasm-ld-14"),
];
const ZIG: &str = "ziglang==0.17.1";
const ZIG_FOLDER: &str = "ziglang-0.17.1";

/// A module of its own, without an entry: the host calls the exports.
const FLAGS: [&str; 12] = [
    "-std=c11",
    "-O2",
    "-Wall",
    "-Wextra",
    "-Wno-unused-parameter",
    "-ffreestanding",
    "-nostdlib",
    "-fno-sanitize=all",
    "-Wl,--no-entry",
    "-Wl,--strip-all",
    "-Wl,-z,stack-size=262144",
    "-Isdk/c/include",
];

pub(super) fn build(project: &Project, tools: &Tools, tell: &mut dyn FnMut(Progress<'_>)) -> Result<Vec<u8>, BuildError> {
    let (name, mut command) = compiler(tools, tell)?;
    let module = project.directory.join(format!("{}.core.tmp", project.name));
    let module = std::path::absolute(&module).unwrap_or(module);
    command
        .args(FLAGS)
        .args(["-Isdk/c", "policy.c", "sdk/c/runtime.c", "sdk/c/policy.c", "-o"])
        .arg(&module)
        .current_dir(&project.directory);
    run::quietly(&name, &mut command, tell)?;
    let bytes = read(&module)?;
    std::fs::remove_file(&module).map_err(|source| BuildError::File {
        path: module.clone(),
        source,
    })?;
    Ok(component::wrap_with_world(&bytes, &project.contract(), project.kind.slug())?)
}

fn compiler(tools: &Tools, tell: &mut dyn FnMut(Progress<'_>)) -> Result<(String, Command), BuildError> {
    for (clang, linker) in CLANGS {
        if let (Some(path), Some(linker)) = (on_path(&[clang]), on_path(&[linker])) {
            let mut command = Command::new(path);
            command
                .arg("--target=wasm32-unknown-unknown")
                .arg(format!("-fuse-ld={}", linker.display()))
                // The stack before the data: an overflow traps and writes over nothing. Zig's linker does not take it.
                .arg("-Wl,--stack-first");
            return Ok((clang.to_string(), command));
        }
    }
    if let Some(zig) = on_path(&["zig"]) {
        return Ok(("zig cc".to_string(), zig_cc(Command::new(zig))));
    }
    let shared = tools.directory.join(ZIG_FOLDER);
    let shared = std::path::absolute(&shared).unwrap_or(shared);
    let zig = shared.join("ziglang/zig");
    if !zig.is_file() {
        if !tools.install {
            return Err(BuildError::MissingTool {
                what: "a C compiler for WebAssembly (clang with wasm-ld, or zig)".to_string(),
                cure: format!(
                    "apt-get install -y --no-install-recommends clang lld    (or: python3 -m pip install --target {} {ZIG})",
                    shared.display()
                ),
            });
        }
        let target: PathBuf = shared.clone();
        install(
            ZIG,
            "python3",
            &[
                "-m",
                "pip",
                "install",
                "--disable-pip-version-check",
                "--target",
                &target.display().to_string(),
                ZIG,
            ],
            tools,
            tell,
        )?;
    }
    Ok(("zig cc".to_string(), zig_cc(Command::new(zig))))
}

fn zig_cc(mut command: Command) -> Command {
    command.args(["cc", "--target=wasm32-freestanding"]);
    command
}
