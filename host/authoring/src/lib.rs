//! What an author of policies needs, apart from running them: projects from templates, builds in five languages, a look
//! into a component, and test cases as data.
//!
//! | look at | for |
//! | --- | --- |
//! | [`new_project`], [`Project`] | a folder that builds, passes its own cases and can be activated |
//! | [`build`] | from sources to a component, with the toolchain that is there, or the command that installs it |
//! | [`component`] | a component of a core module; shared with the build of the shipped guests |
//! | [`Inspection`] | kind, imports, exports, version of the contract and producers, read from the bytes alone |
//! | [`Case`], [`run_case`], [`case_of_decision`] | context in, expected verdict and reasons out, through the coordinator's port and its check |
//! | [`fuzz`] | contexts that a host could make, to find where a policy fails |
//! | [`sized_contexts`] | contexts small and large, to see what a decision costs |
//!
//! Deliberately absent: engines. What must run a policy is given the port
//! [`Policies`](pointsman_coordinator::Policies), so that a case is answered by the function that decides live.

mod build;
#[cfg(test)]
mod canned;
mod case;
pub mod component;
mod fuzz;
mod inspect;
mod language;
mod project;
mod sized;
mod toolchain;

pub use build::{BuildError, Built, Progress, Tools, build};
pub use case::{Case, CaseError, CaseOutcome, Expected, case_of_decision, read_cases, run_case};
pub use fuzz::{Finding, Flaw, Fuzzed, fuzz};
pub use inspect::{InspectError, Inspection};
pub use language::Language;
pub use project::{NewProject, Project, ProjectError, new_project};
pub use sized::sized_contexts;
pub use toolchain::{TARGET, Toolchain, ToolchainError};

include!(concat!(env!("OUT_DIR"), "/files.rs"));
