//! From a project's sources to the file that can be activated.
//!
//! Compilers of JavaScript, Python and C are no part of the project: they are looked for in the project, on the path and
//! in one folder of tools per user, and where they are missing, the error is the command that installs them.

mod c;
mod js;
mod python;
mod run;
mod rust;

use crate::component::ComponentError;
use crate::language::Language;
use crate::project::Project;
use crate::toolchain::ToolchainError;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

/// What a build tells while it goes on.
#[derive(Debug)]
pub enum Progress<'a> {
    /// A step begins.
    Begins(&'a str),
    /// The step is still going on, so long after it began; told several times a second.
    GoesOn(&'a str, Duration),
    /// The step has ended well.
    Ends(&'a str, Duration),
}

/// Where compilers are looked for beside the path, and whether a missing one is installed there.
#[derive(Clone, Debug)]
pub struct Tools {
    pub directory: PathBuf,
    pub install: bool,
}

impl Tools {
    /// `POINTSMAN_TOOLS`, or a folder in the user's cache.
    pub fn from_env(install: bool) -> Tools {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let directory = set("POINTSMAN_TOOLS")
            .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("pointsman/tools")))
            .or_else(|| set("HOME").map(|home| home.join(".cache/pointsman/tools")))
            .unwrap_or_else(|| PathBuf::from(".pointsman-tools"));
        Tools { directory, install }
    }
}

/// A file that was built.
#[derive(Clone, Debug)]
pub struct Built {
    pub path: PathBuf,
    pub bytes: u64,
    pub took: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error(transparent)]
    Toolchain(#[from] ToolchainError),
    #[error("{what} is missing; install it with: {cure}")]
    MissingTool { what: String, cure: String },
    #[error("{path} is missing; it belongs to the project")]
    MissingFile { path: PathBuf },
    #[error("{program} cannot be run: {source}")]
    Start { program: String, source: io::Error },
    /// The tool's own words follow, unless they went to the terminal already.
    #[error("{step} failed ({status}){output}")]
    Failed { step: String, status: ExitStatus, output: String },
    #[error(transparent)]
    Component(#[from] ComponentError),
    #[error("{path} cannot be read or written: {source}")]
    File { path: PathBuf, source: io::Error },
}

impl BuildError {
    /// Whether a compiler is missing here, rather than something wrong with the policy.
    pub fn is_missing_tool(&self) -> bool {
        matches!(self, BuildError::Toolchain(_) | BuildError::MissingTool { .. })
    }
}

/// Builds [`Project::output`]. An output of before stays where the build fails.
pub fn build(project: &Project, tools: &Tools, tell: &mut dyn FnMut(Progress<'_>)) -> Result<Built, BuildError> {
    let started = Instant::now();
    let source = project.source();
    if !source.is_file() {
        return Err(BuildError::MissingFile { path: source });
    }
    let output = project.output();
    match project.language {
        // A script is what it is built of.
        Language::Rhai => {}
        Language::Rust => write_whole(&output, &rust::build(project, tell)?)?,
        Language::C => write_whole(&output, &c::build(project, tools, tell)?)?,
        Language::Js => js::build(project, tools, &output, tell)?,
        Language::Python => python::build(project, tools, &output, tell)?,
    }
    let bytes = fs::metadata(&output).map_err(|source| BuildError::File {
        path: output.clone(),
        source,
    })?;
    Ok(Built {
        path: output,
        bytes: bytes.len(),
        took: started.elapsed(),
    })
}

/// Beside, then over: whoever reads meanwhile sees the old file or the new one.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), BuildError> {
    let beside = path.with_extension("tmp");
    fs::write(&beside, bytes)
        .and_then(|()| fs::rename(&beside, path))
        .map_err(|source| BuildError::File {
            path: path.to_path_buf(),
            source,
        })
}

fn read(path: &Path) -> Result<Vec<u8>, BuildError> {
    fs::read(path).map_err(|source| BuildError::File {
        path: path.to_path_buf(),
        source,
    })
}

/// Runs the command that installs a tool where the author asked for it, or makes it the error's cure.
fn install(what: &str, program: &str, arguments: &[&str], tools: &Tools, tell: &mut dyn FnMut(Progress<'_>)) -> Result<(), BuildError> {
    let cure = [&[program], arguments].concat().join(" ");
    if !tools.install {
        return Err(BuildError::MissingTool {
            what: what.to_string(),
            cure: format!("{cure}    (or run this command again with --install-tools)"),
        });
    }
    fs::create_dir_all(&tools.directory).map_err(|source| BuildError::File {
        path: tools.directory.clone(),
        source,
    })?;
    let mut command = Command::new(program);
    command.args(arguments);
    run::quietly(&format!("installing {what}: {cure}"), &mut command, tell)
}

/// The first of these programs that is on the path.
fn on_path(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    names
        .iter()
        .flat_map(|name| std::env::split_paths(&path).map(move |folder| folder.join(name)))
        .find(|candidate| candidate.is_file())
}
