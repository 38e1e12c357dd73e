//! Policies without a host: the same stages and engines, in this process.

use super::{author::kilobytes, read_offer};
use crate::cli::exit::Exit;
use crate::policy_install::{Installer, Offer, own_compiler};
use crate::wire::PolicyProblem;
use clap::Args;
use pointsman_authoring::{Project, Tools};
use pointsman_model::policy::PolicyLimits;
use pointsman_policy::{Checked, Library};
use std::path::{Path, PathBuf};

/// A policy that passed with the library that holds it, or why it was refused; the outer error is about reading it.
pub(super) type Loaded = Result<Result<(Checked, Library), PolicyProblem>, Exit>;

/// A component larger than this takes long enough to compile that a word is due.
const LARGE_BYTES: usize = 2_000_000;
/// No decision may take longer: the host decides nothing else meanwhile.
const DEADLINE_MS_MAX: i64 = 10_000;

/// What a policy may use at most per decision. A policy may ask for less.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Ceilings {
    /// Most fuel of one decision: WebAssembly instructions, roughly.
    #[arg(long, env = "POINTSMAN_FUEL_MAX", default_value_t = PolicyLimits::default().fuel, value_parser = clap::value_parser!(u64).range(100_000..=1_000_000_000_000), hide_env_values = true)]
    fuel_max: u64,
    /// Most CPU time of one decision, in milliseconds.
    #[arg(long, env = "POINTSMAN_DEADLINE_MAX_MS", default_value_t = PolicyLimits::default().deadline_ms, value_parser = clap::value_parser!(u32).range(1..=DEADLINE_MS_MAX), hide_env_values = true)]
    deadline_max_ms: u32,
    /// Most memory of one decision, in MiB.
    #[arg(long, env = "POINTSMAN_MEMORY_MAX_MIB", default_value_t = (PolicyLimits::default().memory_bytes >> 20) as u32, value_parser = clap::value_parser!(u32).range(1..=4096), hide_env_values = true)]
    memory_max_mib: u32,
}

impl Ceilings {
    pub(crate) fn limits(self) -> PolicyLimits {
        let Ceilings {
            fuel_max,
            deadline_max_ms,
            memory_max_mib,
        } = self;
        PolicyLimits {
            fuel: fuel_max,
            deadline_ms: deadline_max_ms,
            memory_bytes: u64::from(memory_max_mib) << 20,
        }
    }
}

/// A project is named by its folder, a policy by its file.
pub(super) fn file_of(path: &Path) -> Result<PathBuf, Exit> {
    if !path.is_dir() {
        return Ok(path.to_path_buf());
    }
    let project = Project::open(path).map_err(|error| Exit::usage(error.to_string()))?;
    let output = project.output();
    if !output.is_file() {
        return Err(Exit::usage(format!(
            "{} is not built yet; run: pointsman policy build {}",
            output.display(),
            path.display()
        )));
    }
    Ok(output)
}

/// What an author compiled stays compiled until it changes, so that a check after a test is quick.
pub(crate) fn library(is_script: bool) -> Library {
    if is_script {
        return Library::with_compiler(own_compiler());
    }
    let directory = Tools::from_env(false).directory.join("compiled");
    Library::with_compiler_and_cache(own_compiler(), &directory).unwrap_or_else(|error| {
        tracing::debug!(%error, "compiled policies are not kept");
        Library::with_compiler(own_compiler())
    })
}

/// Takes a file through every stage; the library holds it when it passed.
pub(super) fn load(file: &Path, settings: Option<&Path>, trusted: bool, ceilings: Ceilings) -> Loaded {
    let offer = Offer {
        trusted,
        ..read_offer(file, settings)?
    };
    load_offer(offer, ceilings)
}

/// The same by its own defaults: settings beside the file are the operator's, not the file's.
pub(super) fn load_plain(file: &Path, bytes: Vec<u8>, ceilings: Ceilings) -> Loaded {
    let offer = Offer {
        file: file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        code: bytes,
        ..Offer::default()
    };
    load_offer(offer, ceilings)
}

fn load_offer(offer: Offer, ceilings: Ceilings) -> Loaded {
    if offer.code.len() > LARGE_BYTES {
        eprintln!(
            "compiling {} of a language's engine: up to a minute, once",
            kilobytes(offer.code.len() as u64)
        );
    }
    let library = library(offer.file.ends_with(".rhai"));
    Ok(Installer::check_offline(&library, &offer, ceilings.limits()).map(|checked| {
        library.install(checked.clone());
        (checked, library)
    }))
}
