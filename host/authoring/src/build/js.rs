//! JavaScript: npm's componentize-js puts the source into an engine that was compiled to WebAssembly. All features of
//! that engine that would need WASI are off, so that the component imports `log` and nothing else.

use super::{BuildError, Progress, Tools, install, on_path, run};
use crate::FILES;
use crate::project::Project;
use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGE: &str = "@bytecodealliance/componentize-js";
const VERSION: &str = "0.23.0";
const MODULE: &str = "node_modules/@bytecodealliance/componentize-js/src/componentize.js";
/// Calls componentize-js by its API; the source, contract and world are arguments.
const SCRIPT: &str = "templates/js/componentize.mjs";

pub(super) fn build(project: &Project, tools: &Tools, output: &Path, tell: &mut dyn FnMut(Progress<'_>)) -> Result<(), BuildError> {
    let node = on_path(&["node"]).ok_or_else(|| BuildError::MissingTool {
        what: "node".to_string(),
        cure: "apt-get install -y --no-install-recommends nodejs npm    (20.19 or newer)".to_string(),
    })?;
    let module = find_or_install(project, tools, tell)?;
    let (_, script) = FILES.iter().find(|(path, _)| *path == SCRIPT).expect("the script is embedded");
    let script = std::str::from_utf8(script).expect("the script is text");
    let beside = output.with_extension("tmp");
    let mut command = Command::new(node);
    command
        .args(["--input-type=module", "--eval", script])
        .arg(&module)
        .arg(project.source())
        .arg(project.contract())
        .arg(project.kind.slug())
        .arg(&beside);
    run::quietly("componentize-js", &mut command, tell)?;
    std::fs::rename(&beside, output).map_err(|source| BuildError::File {
        path: output.to_path_buf(),
        source,
    })
}

fn find_or_install(project: &Project, tools: &Tools, tell: &mut dyn FnMut(Progress<'_>)) -> Result<PathBuf, BuildError> {
    let shared = tools.directory.join(format!("componentize-js-{VERSION}"));
    let places = [project.directory.join(MODULE), shared.join(MODULE)];
    if let Some(module) = places.iter().find(|module| module.is_file()) {
        return Ok(std::path::absolute(module).unwrap_or_else(|_| module.clone()));
    }
    let package = format!("{PACKAGE}@{VERSION}");
    let prefix = shared.display().to_string();
    install(
        PACKAGE,
        "npm",
        &["install", "--no-audit", "--no-fund", "--prefix", &prefix, &package],
        tools,
        tell,
    )?;
    Ok(shared.join(MODULE))
}
