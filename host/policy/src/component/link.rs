//! The one import, and the exports with their types: all checked when a policy is loaded, none at its first call.

use super::bindings::{curriculum, gate, log, migration, retry, selection};
use super::call::Call;
use super::engine::engine;
use crate::problem::{PolicyProblem, ProblemCode, Stage};
use pointsman_model::policy::PolicyKind;
use wasmtime::component::{Component, ComponentExportIndex, HasSelf, InstancePre, Linker};

/// A component that can be instantiated, and where its exports are.
pub(super) struct Linked {
    pub(super) pre: InstancePre<Call>,
    pub(super) kind: PolicyKind,
    pub(super) describe: ComponentExportIndex,
    pub(super) check_settings: ComponentExportIndex,
    pub(super) decide: ComponentExportIndex,
    /// Only where it can read the state of older versions.
    pub(super) migrate: Option<ComponentExportIndex>,
}

pub(super) fn link(file: &str, component: &Component) -> Result<Linked, PolicyProblem> {
    let refuse = |code, message: String| PolicyProblem::new(code, Stage::Link, file, message);
    // A linker of its own per version: nothing that one version brought can reach another.
    let mut linker = Linker::new(engine());
    log::add_to_linker::<Call, HasSelf<Call>>(&mut linker, |call| call)
        .map_err(|error| refuse(ProblemCode::HostFailure, format!("the import could not be offered: {error:#}")))?;
    let pre = linker.instantiate_pre(component).map_err(|error| {
        refuse(ProblemCode::RefusedImport, format!("its imports do not fit: {error:#}"))
            .fix("a policy may import pointsman:policy/log only")
    })?;
    let export = |name: &str| {
        component.get_export_index(None, name).ok_or_else(|| {
            refuse(ProblemCode::WrongExports, format!("the export `{name}` is missing"))
                .fix("export a world of pointsman:policy@0.1, the range that this host supports")
        })
    };
    let (describe, check_settings, decide) = (export("describe")?, export("check-settings")?, export("decide")?);
    let kind = kind_of(&pre).map_err(|error| {
        refuse(
            ProblemCode::WrongExports,
            format!("its exports have the types of no kind of policy: {error}"),
        )
        .fix("build against wit/policy-0.1.0, the contract that this host supports")
    })?;
    let migrate = component.get_export_index(None, "migrate");
    if migrate.is_some() {
        migration::StateMigrationPre::new(pre.clone()).map_err(|error| {
            refuse(
                ProblemCode::WrongExports,
                format!("its export `migrate` has another type: {error:#}"),
            )
            .fix("export the world state-migration of pointsman:policy@0.1, or no `migrate`")
        })?;
    }
    Ok(Linked {
        pre,
        kind,
        describe,
        check_settings,
        decide,
        migrate,
    })
}

/// The contexts of the kinds differ, so at most one kind fits.
fn kind_of(pre: &InstancePre<Call>) -> Result<PolicyKind, String> {
    let tried = [
        (
            PolicyKind::SourceSelection,
            selection::SourceSelectionPre::new(pre.clone()).map(drop),
        ),
        (PolicyKind::Retry, retry::RetryPre::new(pre.clone()).map(drop)),
        (PolicyKind::PromotionGate, gate::PromotionGatePre::new(pre.clone()).map(drop)),
        (PolicyKind::Curriculum, curriculum::CurriculumPre::new(pre.clone()).map(drop)),
    ];
    let mut mismatches = Vec::new();
    for (kind, fits) in tried {
        match fits {
            Ok(()) => return Ok(kind),
            Err(error) => mismatches.push(format!("{kind}: {error:#}")),
        }
    }
    Err(mismatches.join("; "))
}
