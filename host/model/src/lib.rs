//! The words of Pointsman as data. No IO, no clock, no randomness: this crate and the coordinator build for
//! `wasm32-unknown-unknown` with no imports, and a test holds them to it.
//!
//! # Glossary
//!
//! | word | meaning | where |
//! | --- | --- | --- |
//! | source | one thing that may be trained on, in the operators' queue or seeded by the curriculum | [`source`] |
//! | host | the place or domain a source belongs to; the key of diversity, caps and locks | [`source`] |
//! | campaign | N sources of one definition, each a row with its own marker | [`source`] |
//! | lock | one record that holds selection to a host or a campaign | [`source`] |
//! | run, attempt | one execution of a source; an [`AttemptToken`](run::AttemptToken) fences it | [`run`] |
//! | outcome | the one, append-only result of a run | [`run`] |
//! | model tag | a trained model version | [`promotion`] |
//! | candidate | a model tag on its way into service | [`promotion`] |
//! | window, watermark | successes counted toward the next evaluation; the total already consumed | [`promotion`] |
//! | context, verdict, ruling | what a policy is given; what it answers; verdict, reasons, who answered and cost | [`context`], [`decision`] |
//! | policy version, generation | immutable code and limits; what is active from one journal position to the next | [`policy`] |
//! | set | kinds whose versions were activated as one, and may be confirmed and taken back as one | [`command::Command`] |
//! | input, quarantine | what a question is about; the inputs that a version is not asked about any more | [`event::Event`] |
//! | guard | what operators forbid whatever a policy says | [`settings`] |
//! | command, event | an imperative request; a past fact in the journal | [`command`], [`event`] |
//! | want | what should be true outside; the runner makes it so | [`wants`] |
//!
//! Context and verdict types must stay plain for postcard: no `flatten`, no internally tagged enums, no skipped
//! fields. Events are JSON in the journal and may only grow by fields with a default.

pub mod command;
pub mod context;
pub mod decision;
pub mod encoded;
pub mod event;
pub mod ids;
pub mod policy;
pub mod promotion;
pub mod protocol;
pub mod run;
pub mod settings;
pub mod source;
pub mod wants;

pub use ids::*;
