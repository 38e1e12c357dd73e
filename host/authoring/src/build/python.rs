//! Python: PyPI's componentize-py freezes the started interpreter with the source in it. With `--stub-wasi` whatever the
//! interpreter would ask of a system traps, so that the component imports `log` and nothing else.

use super::{BuildError, Progress, Tools, install, on_path, run};
use crate::project::Project;
use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGE: &str = "componentize-py==0.25.0";
const FOLDER: &str = "componentize-py-0.25.0";

pub(super) fn build(project: &Project, tools: &Tools, output: &Path, tell: &mut dyn FnMut(Progress<'_>)) -> Result<(), BuildError> {
    let mut command = find_or_install(project, tools, tell)?;
    let contract = std::path::absolute(project.contract()).map_err(|source| BuildError::File {
        path: project.contract(),
        source,
    })?;
    let beside = output.with_extension("tmp");
    let beside = std::path::absolute(&beside).unwrap_or(beside);
    command
        .arg("--wit-path")
        .arg(contract)
        .args(["--world", project.kind.slug(), "componentize", "--stub-wasi", "policy", "--output"])
        .arg(&beside)
        .current_dir(&project.directory)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        // The author's environment must not get into the policy: only what stands in the project does.
        .env_remove("VIRTUAL_ENV");
    run::quietly("componentize-py", &mut command, tell)?;
    std::fs::rename(&beside, output).map_err(|source| BuildError::File {
        path: output.to_path_buf(),
        source,
    })
}

fn find_or_install(project: &Project, tools: &Tools, tell: &mut dyn FnMut(Progress<'_>)) -> Result<Command, BuildError> {
    let own = project.directory.join(".venv/bin/componentize-py");
    if own.is_file() {
        return Ok(Command::new(std::path::absolute(&own).unwrap_or(own)));
    }
    let python = on_path(&["python3"]).ok_or_else(|| BuildError::MissingTool {
        what: "python3".to_string(),
        cure: "apt-get install -y --no-install-recommends python3 python3-pip".to_string(),
    })?;
    let shared = tools.directory.join(FOLDER);
    let shared = std::path::absolute(&shared).unwrap_or(shared);
    let script = shared.join("bin/componentize-py");
    if !script.is_file() {
        if let Some(found) = on_path(&["componentize-py"]) {
            return Ok(Command::new(found));
        }
        let target = shared.display().to_string();
        let program = python.display().to_string();
        install(
            PACKAGE,
            &program,
            &["-m", "pip", "install", "--disable-pip-version-check", "--target", &target, PACKAGE],
            tools,
            tell,
        )?;
    }
    Ok(in_folder(&python, &shared, &script))
}

/// What `pip install --target` put into a folder is found by its own Python only where it is told to look.
fn in_folder(python: &Path, folder: &Path, script: &PathBuf) -> Command {
    let mut command = Command::new(python);
    command.arg(script).env("PYTHONPATH", folder);
    command
}
