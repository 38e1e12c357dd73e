//! A policy's folder: made from a template, and found again by its marker file.
//!
//! Templates stand in `plugins/templates`. Of each language there is one: `common/` goes in as it is, and of `kinds/` the
//! file of the project's kind becomes the source. The cases are the same for all languages, since the policies are.

use crate::FILES;
use crate::language::Language;
use pointsman_model::policy::PolicyKind;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The file by which a project is known.
const MARKER: &str = "policy.json";
const NAME_BYTES_MAX: usize = 64;

/// Names that cargo, npm or Python would take for something of their own.
const TAKEN_NAMES: [&str; 6] = ["test", "core", "std", "policy", "target", "wit"];

/// What a new project is to be.
#[derive(Clone, Debug)]
pub struct NewProject {
    pub name: String,
    pub kind: PolicyKind,
    pub language: Language,
}

/// A project as its marker file says.
#[derive(Clone, Debug)]
pub struct Project {
    pub directory: PathBuf,
    pub name: String,
    pub kind: PolicyKind,
    pub language: Language,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Marker {
    name: String,
    kind: PolicyKind,
    language: Language,
}

#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    #[error("'{0}' cannot be a policy's name: use a-z, 0-9 and '-', begin with a letter, at most {NAME_BYTES_MAX} bytes, and none of {taken}", taken = TAKEN_NAMES.join(", "))]
    Name(String),
    #[error("{0} is there already; choose another name, or another place with --into DIR")]
    Exists(PathBuf),
    #[error("{path} cannot be written: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error("{0} is not a policy's project: it has no {MARKER}; begin one with `pointsman policy new NAME --kind KIND --lang LANG`")]
    NotAProject(PathBuf),
    #[error("{path} cannot be read: {problem}")]
    Marker { path: PathBuf, problem: String },
}

/// Writes the folder `into/name`, whole or not at all.
pub fn new_project(into: &Path, new: &NewProject) -> Result<Project, ProjectError> {
    let NewProject { name, kind, language } = new;
    if !is_name(name) {
        return Err(ProjectError::Name(name.clone()));
    }
    let directory = into.join(name);
    if directory.exists() {
        return Err(ProjectError::Exists(directory));
    }
    // Beside, then renamed: a full disk leaves no half project under the name.
    let beside = into.join(format!(".{name}.{}.new", std::process::id()));
    let written = write_all(&beside, &files_of(new)).and_then(|()| {
        fs::rename(&beside, &directory).map_err(|source| ProjectError::Write {
            path: directory.clone(),
            source,
        })
    });
    if written.is_err() {
        // The first error is the one to tell; what is left of the attempt is taken away as far as it goes.
        let _ = fs::remove_dir_all(&beside);
    }
    written?;
    Ok(Project {
        directory,
        name: name.clone(),
        kind: *kind,
        language: *language,
    })
}

impl Project {
    /// Reads the marker of a folder.
    pub fn open(directory: &Path) -> Result<Project, ProjectError> {
        let path = directory.join(MARKER);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(ProjectError::NotAProject(directory.to_path_buf())),
            Err(error) => {
                return Err(ProjectError::Marker {
                    path,
                    problem: error.to_string(),
                });
            }
        };
        let Marker { name, kind, language } = serde_json::from_str(&text).map_err(|error| ProjectError::Marker {
            path: path.clone(),
            problem: error.to_string(),
        })?;
        if !is_name(&name) {
            return Err(ProjectError::Name(name));
        }
        Ok(Project {
            directory: directory.to_path_buf(),
            name,
            kind,
            language,
        })
    }

    /// The file that is checked, tested and activated. For a script it is the source itself.
    pub fn output(&self) -> PathBuf {
        self.directory.join(format!("{}.{}", self.name, self.language.output_ending()))
    }

    pub fn source(&self) -> PathBuf {
        self.directory.join(self.language.source(&self.name))
    }

    pub(crate) fn contract(&self) -> PathBuf {
        self.directory.join("wit/policy-0.1.0")
    }
}

fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    name.len() <= NAME_BYTES_MAX
        && name.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
        && name.bytes().all(plain)
        && !name.ends_with('-')
        && !TAKEN_NAMES.contains(&name)
}

/// Path within the project and bytes of each file.
fn files_of(new: &NewProject) -> Vec<(String, Vec<u8>)> {
    let NewProject { name, kind, language } = new;
    let template = format!("templates/{language}/");
    let bindings = format!("templates/c/bindings/{kind}/");
    let mut files = Vec::new();
    for (path, bytes) in FILES {
        let place = if let Some(rest) = path.strip_prefix(&bindings).filter(|_| *language == Language::C) {
            Some(format!("sdk/c/{rest}"))
        } else if let Some(rest) = path.strip_prefix(&template) {
            // The kind's source has the kind's name before its ending.
            match rest.strip_prefix("kinds/") {
                Some(file) => (file.rsplit_once('.').map(|(stem, _)| stem) == Some(kind.slug())).then(|| language.source(name)),
                None => rest.strip_prefix("common/").map(|rest| rest.replace("dot-", ".")),
            }
        } else if path.starts_with("wit/") && *language != Language::Rhai {
            Some(path.to_string())
        } else if (path.starts_with("sdk/rust/") || *path == "Cargo.lock") && *language == Language::Rust {
            Some(path.to_string())
        } else if *path == format!("templates/cases/{kind}.json") {
            Some("cases/first.json".to_string())
        } else if *path == format!("templates/settings/{kind}.json") {
            Some(format!("{name}.settings.json"))
        } else if *path == "templates/README.md" {
            Some("README.md".to_string())
        } else {
            None
        };
        if let Some(place) = place {
            // The SDK and the contract go in byte for byte; a template's blanks are filled.
            let bytes = if path.starts_with("templates/") {
                filled(bytes, new)
            } else {
                bytes.to_vec()
            };
            files.push((place.trim_end_matches(".in").to_string(), bytes));
        }
    }
    let marker = Marker {
        name: name.clone(),
        kind: *kind,
        language: *language,
    };
    let mut marker = serde_json::to_string_pretty(&marker).expect("three words are JSON");
    marker.push('\n');
    files.push((MARKER.to_string(), marker.into_bytes()));
    files
}

fn filled(bytes: &[u8], new: &NewProject) -> Vec<u8> {
    let NewProject { name, kind, language } = new;
    let Ok(text) = std::str::from_utf8(bytes) else {
        return bytes.to_vec();
    };
    text.replace("{{name}}", name)
        .replace("{{kind}}", kind.slug())
        .replace("{{language}}", language.title())
        .replace("{{source}}", &language.source(name))
        .replace("{{output}}", &format!("{name}.{}", language.output_ending()))
        .replace("{{guide}}", language.slug())
        .into_bytes()
}

fn write_all(directory: &Path, files: &[(String, Vec<u8>)]) -> Result<(), ProjectError> {
    for (place, bytes) in files {
        let path = directory.join(place);
        let folder = path.parent().expect("a file of a project has a folder");
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, bytes))
            .map_err(|source| ProjectError::Write { path, source })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_in_every_language_has_a_source_cases_and_a_readme_of_five_lines() {
        let into = tempfile::tempdir().expect("a directory");
        for language in Language::ALL {
            for kind in PolicyKind::ALL {
                let new = NewProject {
                    name: format!("{language}-{kind}"),
                    kind,
                    language,
                };
                let project = new_project(into.path(), &new).expect("a project");
                let read = |path: &str| fs::read_to_string(project.directory.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
                assert!(read(&language.source(&new.name)).contains(&new.name), "{} names itself", new.name);
                assert_eq!(read("README.md").lines().count(), 5, "{}", new.name);
                assert!(!crate::read_cases(&project.directory.join("cases")).expect("cases").is_empty());
                for (path, bytes) in files_of(&new) {
                    let text = String::from_utf8_lossy(&bytes);
                    assert!(!text.contains("{{name") && !text.contains("{{kind"), "{path} has a blank left");
                }
                let found = Project::open(&project.directory).expect("its marker");
                assert_eq!((found.name, found.kind, found.language), (new.name, kind, language));
            }
        }
    }

    #[test]
    fn a_name_is_plain_and_a_folder_is_never_overwritten() {
        let into = tempfile::tempdir().expect("a directory");
        let new = |name: &str| NewProject {
            name: name.to_string(),
            kind: PolicyKind::Retry,
            language: Language::Rhai,
        };
        for name in ["", "Big", "a b", "../up", "1st", "core", "tail-", "ä"] {
            assert!(matches!(new_project(into.path(), &new(name)), Err(ProjectError::Name(_))), "{name}");
        }
        new_project(into.path(), &new("first")).expect("a project");
        assert!(matches!(new_project(into.path(), &new("first")), Err(ProjectError::Exists(_))));
        assert!(matches!(Project::open(into.path()), Err(ProjectError::NotAProject(_))));
    }
}
