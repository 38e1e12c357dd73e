//! `policy new`, `build` and `explain`, and the words of all commands that an author gives without a host.

use super::{check, inspect, offline, test};
use crate::cli::exit::Exit;
use crate::cli::text::printable;
use clap::Subcommand;
use pointsman_authoring::{BuildError, Built, Language, NewProject, Progress, Project, Tools, build, new_project};
use pointsman_model::policy::PolicyKind;
use pointsman_policy::ProblemCode;
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Between two lines on a step that goes on, where there is no terminal to rewrite one.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// A step shows itself on a terminal when it takes longer than this.
const SHOW_AFTER: Duration = Duration::from_millis(300);

#[derive(Subcommand, Debug)]
pub(crate) enum Author {
    /// Begin a policy: a folder that builds, passes its own test and can be activated.
    New {
        name: String,
        /// source-selection, retry, promotion-gate or curriculum.
        #[arg(long, value_parser = parse_kind)]
        kind: PolicyKind,
        /// rust, rhai, js, python or c.
        #[arg(long, value_parser = parse_language)]
        lang: Language,
        /// Where the folder is made.
        #[arg(long, value_name = "DIR", default_value = ".")]
        into: PathBuf,
    },
    /// Build a policy's project.
    Build {
        #[arg(default_value = ".")]
        dir: PathBuf,
        /// Install a compiler that is missing, for this user alone, where npm or pip has it.
        #[arg(long)]
        install_tools: bool,
    },
    /// Check a file or project: imports, exports, settings, limits, self-test. Needs no running host.
    Check {
        file: PathBuf,
        /// JSON file with settings; default: NAME.settings.json beside the file, where there is one.
        #[arg(long)]
        settings: Option<PathBuf>,
        /// Check a script as one that runs natively.
        #[arg(long)]
        trusted: bool,
        #[command(flatten)]
        ceilings: offline::Ceilings,
    },
    /// Ask a file or project its cases (cases/*.json). Needs no running host.
    Test(test::Test),
    /// What a file is: kind, size, imports, exports, contract, producers, digest. Needs no running host.
    Inspect {
        file: PathBuf,
        /// Read the bytes only: do not compile the file and ask it who it is.
        #[arg(long)]
        quick: bool,
        #[command(flatten)]
        ceilings: offline::Ceilings,
    },
    /// What a problem's code means, and the cure.
    Explain {
        /// Such as PM2104; without one, all of them.
        code: Option<String>,
    },
}

pub(crate) fn author(json: bool, command: Author) -> Result<ExitCode, Exit> {
    match command {
        Author::New { name, kind, lang, into } => begin(
            json,
            &into,
            NewProject {
                name,
                kind,
                language: lang,
            },
        )
        .map(|()| ExitCode::SUCCESS),
        Author::Build { dir, install_tools } => build_project(json, &dir, install_tools).map(|()| ExitCode::SUCCESS),
        Author::Check {
            file,
            settings,
            trusted,
            ceilings,
        } => check::check(json, &offline::file_of(&file)?, settings.as_deref(), trusted, ceilings),
        Author::Test(asked) => test::test(json, &asked),
        Author::Inspect { file, quick, ceilings } => inspect::inspect(json, &offline::file_of(&file)?, quick, ceilings),
        Author::Explain { code } => explain(json, code.as_deref()),
    }
}

pub(crate) fn parse_kind(word: &str) -> Result<PolicyKind, String> {
    PolicyKind::parse(word).ok_or_else(|| format!("the kinds are {}", PolicyKind::ALL.map(PolicyKind::slug).join(", ")))
}

fn parse_language(word: &str) -> Result<Language, String> {
    Language::parse(word).ok_or_else(|| format!("the languages are {}", Language::ALL.map(Language::slug).join(", ")))
}

fn begin(json: bool, into: &Path, new: NewProject) -> Result<(), Exit> {
    let project = new_project(into, &new).map_err(|error| Exit::usage(error.to_string()))?;
    let directory = project.directory.display();
    if json {
        println!(
            "{}",
            json!({ "directory": project.directory, "source": project.source(), "output": project.output() })
        );
    }
    eprintln!(
        "{directory} is a {} policy in {}: edit {}",
        new.kind,
        new.language.title(),
        project.source().display()
    );
    eprintln!("next: pointsman policy build {directory} && pointsman policy test {directory}");
    Ok(())
}

fn build_project(json: bool, directory: &Path, install: bool) -> Result<(), Exit> {
    let project = Project::open(directory).map_err(|error| Exit::usage(error.to_string()))?;
    let mut teller = Teller::new();
    let built = build(&project, &Tools::from_env(install), &mut |progress| teller.tell(progress));
    teller.clear();
    let Built { path, bytes, took } = built.map_err(exit_of)?;
    let size = kilobytes(bytes);
    if json {
        println!("{}", json!({ "output": path, "bytes": bytes, "took_ms": took.as_millis() as u64 }));
    }
    let path = path.display();
    if project.language == Language::Rhai {
        eprintln!("{path}: {size}; a script is what it is built of");
    } else {
        eprintln!("{path}: {size} in {:.1} s", took.as_secs_f64());
    }
    eprintln!("next: pointsman policy test {}", directory.display());
    Ok(())
}

/// A missing compiler has an exit code of its own: a script can tell it from a policy that does not build.
fn exit_of(error: BuildError) -> Exit {
    let message = printable_lines(&error.to_string());
    Exit {
        code: if error.is_missing_tool() { Exit::NOT_FOUND } else { Exit::FAILED },
        message,
        problem: None,
    }
}

/// A compiler's words are others' text: made printable line by line.
fn printable_lines(text: &str) -> String {
    text.lines().map(printable).collect::<Vec<_>>().join("\n")
}

pub(super) fn kilobytes(bytes: u64) -> String {
    if bytes >= 1_000_000 {
        format!("{:.1} MB", bytes as f64 / 1e6)
    } else {
        format!("{:.1} kB", bytes as f64 / 1e3)
    }
}

fn explain(json: bool, code: Option<&str>) -> Result<ExitCode, Exit> {
    let wanted: Vec<ProblemCode> = match code {
        None => ProblemCode::ALL.to_vec(),
        Some(word) => {
            let found = ProblemCode::ALL.iter().find(|known| known.code().eq_ignore_ascii_case(word.trim()));
            let Some(found) = found else {
                return Err(Exit {
                    code: Exit::NOT_FOUND,
                    message: format!(
                        "there is no code '{}'; they go from {} to {}, and `pointsman policy explain` lists them",
                        printable(word),
                        ProblemCode::ALL.first().map_or("", |first| first.code()),
                        ProblemCode::ALL.last().map_or("", |last| last.code()),
                    ),
                    problem: None,
                });
            };
            vec![*found]
        }
    };
    if json {
        let pages: Vec<_> = wanted
            .iter()
            .map(|code| json!({ "code": code.code(), "text": code.explain() }))
            .collect();
        println!("{}", json!({ "codes": pages }));
    } else {
        for code in wanted {
            println!("{}  {}", code.code(), code.explain());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Tells the steps of a build: one line that is rewritten on a terminal, a line every few seconds elsewhere.
struct Teller {
    terminal: bool,
    shown: bool,
    last_line: Duration,
}

impl Teller {
    fn new() -> Teller {
        Teller {
            terminal: std::io::stderr().is_terminal(),
            shown: false,
            last_line: Duration::ZERO,
        }
    }

    fn tell(&mut self, progress: Progress<'_>) {
        match progress {
            Progress::Begins(step) => {
                self.last_line = Duration::ZERO;
                if !self.terminal {
                    eprintln!("{step} ...");
                }
            }
            Progress::GoesOn(step, since) if self.terminal && since > SHOW_AFTER => {
                self.shown = true;
                eprint!("\r\x1b[2K{step} ... {:.0} s, Ctrl+C ends it", since.as_secs_f64());
                // A line that cannot be shown is no reason to end a build.
                let _ = std::io::stderr().flush();
            }
            Progress::GoesOn(step, since) => {
                if !self.terminal && since >= self.last_line + LINE_EVERY {
                    self.last_line = since;
                    eprintln!("{step} ... {:.0} s", since.as_secs_f64());
                }
            }
            Progress::Ends(step, took) => {
                self.clear();
                eprintln!("{step}: {:.1} s", took.as_secs_f64());
            }
        }
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            eprint!("\r\x1b[2K");
        }
    }
}
