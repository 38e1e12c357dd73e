//! Policies as they lie in the repository, loaded.

#![allow(dead_code)]

use pointsman_model::policy::{PolicyDescription, PolicyKind, PolicyLimits};
use pointsman_policy::{Engines, Library, PolicySource};
use pointsman_sim::faults::{Cast, Policies};
use std::path::{Path, PathBuf};

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Loads a file; scripts run natively, since these are our own and the same code in a third of the time.
pub(crate) fn load(library: &Library, path: &Path) -> Option<PolicyDescription> {
    let file = path.file_name().expect("a file").to_string_lossy().into_owned();
    let Ok(bytes) = std::fs::read(path) else {
        assert!(
            std::env::var_os("POINTSMAN_REQUIRE_PLUGINS").is_none() && file.ends_with(".wasm"),
            "{} cannot be read",
            path.display()
        );
        eprintln!("{file} is not built; `make plugins` builds it");
        return None;
    };
    let source = PolicySource {
        file: file.clone(),
        bytes,
        settings: Vec::new(),
        trusted: true,
    };
    let checked = library
        .check(source, PolicyLimits::default())
        .unwrap_or_else(|problem| panic!("{file}: {problem}"));
    library.install(checked.clone());
    Some(checked.description)
}

/// What serves a kind where nobody has chosen: the gate needs its component.
pub(crate) fn shipped(library: &Library, kind: PolicyKind) -> Option<PolicyDescription> {
    let path = match kind {
        PolicyKind::SourceSelection => "policies/source-selection.rhai",
        PolicyKind::Retry => "policies/retry.rhai",
        PolicyKind::Curriculum => "policies/curriculum.rhai",
        PolicyKind::PromotionGate => "plugins/dist/eprocess_gate.wasm",
    };
    load(library, &root().join(path))
}

pub(crate) fn all_shipped(library: &Library) -> Vec<PolicyDescription> {
    PolicyKind::ALL.into_iter().filter_map(|kind| shipped(library, kind)).collect()
}

pub(crate) fn worse(library: &Library, name: &str) -> PolicyDescription {
    let path = root().join("tests/worse-policies").join(format!("{name}.rhai"));
    load(library, &path).expect("a script needs no build")
}

/// The real engines with the shipped versions, for fault scenarios.
pub(crate) fn real_cast(library: &Library, versions: &[PolicyDescription]) -> Policies {
    Policies {
        cast: Cast::Real(Engines::new(library.clone())),
        versions: versions.to_vec(),
    }
}
