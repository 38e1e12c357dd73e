//! Write a Pointsman policy in Rust: one file, one trait, one macro.
//!
//! A policy answers one kind of question. It is given a context, which holds all that it may know, and returns a
//! decision: a verdict with the reasons for it. It has no clock, no randomness, no files and no network, and that
//! is the point: the same version given the same context answers the same, so that every decision can be replayed.
//!
//! ```
//! use pointsman_policy_sdk::prelude::*;
//!
//! pub struct OldestFirst;
//!
//! impl SourceSelection for OldestFirst {
//!     fn describe() -> Description {
//!         Description::new("oldest-first", env!("CARGO_PKG_VERSION")).summary("Picks the oldest sources.")
//!     }
//!
//!     fn decide(context: &SelectionContext) -> Result<SelectionDecision, PolicyError> {
//!         // Candidates stand oldest first.
//!         let picks: Vec<u32> = context.candidates().take(context.free as usize).map(|candidate| candidate.index).collect();
//!         if picks.is_empty() {
//!             return Ok(SelectionDecision::idle().reason(Reason::new("nothing_eligible").text("No source may run now.")));
//!         }
//!         Ok(SelectionDecision::pick(picks).reason(Reason::new("oldest").text("The oldest sources go first.")))
//!     }
//! }
//!
//! export_source_selection!(OldestFirst);
//! # fn main() {}
//! ```
//!
//! | kind | trait | macro | context | decision |
//! | --- | --- | --- | --- | --- |
//! | what is trained on next | [`SourceSelection`] | [`export_source_selection!`] | [`SelectionContext`] | [`SelectionDecision`] |
//! | what becomes of a failed run | [`Retry`] | [`export_retry!`] | [`RetryContext`] | [`RetryDecision`] |
//! | whether a model goes on | [`PromotionGate`] | [`export_promotion_gate!`] | [`GateContext`] | [`GateDecision`] |
//! | what to practise | [`Curriculum`] | [`export_curriculum!`] | [`CurriculumContext`] | [`CurriculumDecision`] |
//!
//! Contexts are the records of `wit/policy-0.1.0` with methods on top: fields are read as they are
//! (`context.free`), strings are looked up in their tables (`candidate.host()`), nothing is copied. Beside the
//! trait there are [`Settings`], [`Reason`], [`Scores`], [`Random`] (seeded by the context), [`log!`], and [`testing`]
//! with contexts to write tests with: a policy is tested by `cargo test` on the machine it is written on.
//!
//! A policy that keeps state returns it with `.state(bytes)` and finds it in `context.frame.state` the next time. When
//! the bytes change their meaning, raise [`Description::state_version`] and export [`export_state_migration!`].
//!
//! What is deliberately absent: floating point that differs between machines, time, chance and input or output.
//! A panic ends the decision; its message goes to the host's log, and the host asks the next link of its chain.

pub mod bindings;

mod advice;
mod curriculum;
mod description;
mod gate;
#[cfg(target_arch = "wasm32")]
mod heap;
mod log;
mod migration;
mod random;
mod retry;
mod selection;
mod settings;
pub mod testing;

#[doc(hidden)]
pub mod guest;

pub use curriculum::{Curriculum, CurriculumContext, CurriculumDecision, CurriculumVerdict, Seed, Skill, SkillView};
pub use gate::{GateContext, GateDecision, GateStage, GateVerdict, Guardrail, Pair, PromotionGate};
pub use log::{Level, write};
pub use migration::StateMigration;
pub use random::Random;
pub use retry::{Retry, RetryContext, RetryDecision, RetryVerdict};
pub use selection::{Candidate, CandidateView, HostLoad, LaneMode, SelectionContext, SelectionDecision, SelectionVerdict, SourceSelection};
pub use settings::Settings;

pub use bindings::source_selection::pointsman::policy::types::{
    Advice, Block, Description, FailureClass, FailureCounts, Frame, Kind, Lane, Limits, Origin, PolicyError, Reason, Scores, Setting,
    SettingError, SettingSpec, Value,
};

/// All that a policy's file needs, by `use pointsman_policy_sdk::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Candidate, CandidateView, Curriculum, CurriculumContext, CurriculumDecision, CurriculumVerdict, Description, FailureClass,
        FailureCounts, GateContext, GateDecision, GateStage, GateVerdict, Guardrail, HostLoad, Lane, LaneMode, Limits, Origin, Pair,
        PolicyError, PromotionGate, Random, Reason, Retry, RetryContext, RetryDecision, RetryVerdict, Scores, Seed, SelectionContext,
        SelectionDecision, SelectionVerdict, SettingError, Settings, Skill, SkillView, SourceSelection, StateMigration, Value,
        export_curriculum, export_promotion_gate, export_retry, export_source_selection, export_state_migration, log,
    };
}
