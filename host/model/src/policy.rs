//! Policies as the coordinator and the journal know them.

use crate::ids::Digest;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a policy decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyKind {
    SourceSelection,
    Retry,
    PromotionGate,
    Curriculum,
}

impl PolicyKind {
    pub const ALL: [PolicyKind; 4] = [
        PolicyKind::SourceSelection,
        PolicyKind::Retry,
        PolicyKind::PromotionGate,
        PolicyKind::Curriculum,
    ];

    pub fn slug(self) -> &'static str {
        match self {
            PolicyKind::SourceSelection => "source-selection",
            PolicyKind::Retry => "retry",
            PolicyKind::PromotionGate => "promotion-gate",
            PolicyKind::Curriculum => "curriculum",
        }
    }

    pub fn parse(slug: &str) -> Option<PolicyKind> {
        PolicyKind::ALL.into_iter().find(|kind| kind.slug() == slug)
    }
}

impl fmt::Display for PolicyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.slug())
    }
}

/// What runs a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineKind {
    /// A WebAssembly component in wasmtime.
    Component,
    /// A script in an interpreter that is itself a component in wasmtime. Versions that were recorded when scripts ran
    /// natively run here now.
    Rhai,
    /// The coordinator's own fallback.
    BuiltIn,
    /// A script in the host itself, because an operator vouches for it.
    TrustedRhai,
    /// A component whose instances may be kept between live decisions, because an operator allows it.
    WarmComponent,
}

impl EngineKind {
    pub fn slug(self) -> &'static str {
        match self {
            EngineKind::Component => "component",
            EngineKind::Rhai => "rhai",
            EngineKind::BuiltIn => "built-in",
            EngineKind::TrustedRhai => "trusted-rhai",
            EngineKind::WarmComponent => "warm-component",
        }
    }
}

/// Names one immutable policy version: code, settings and limits have this digest.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PolicyRef {
    pub name: String,
    pub version: String,
    pub digest: Digest,
    pub engine: EngineKind,
}

impl PolicyRef {
    /// The fallback of a kind; it has no code to digest.
    pub fn built_in(kind: PolicyKind) -> PolicyRef {
        let name = format!("built-in-{kind}");
        PolicyRef {
            digest: Digest::of(name.as_bytes()),
            name,
            version: env!("CARGO_PKG_VERSION").to_string(),
            engine: EngineKind::BuiltIn,
        }
    }
}

impl fmt::Display for PolicyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

/// A setting's value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    Flag(bool),
    Number(f64),
    Text(String),
}

/// A named value: a policy's setting, a suggestion, an extra.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    pub name: String,
    pub value: Value,
}

/// Declares one setting of a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SettingSpec {
    pub name: String,
    pub help: String,
    pub default: Value,
    pub minimum: Option<f64>,
    pub maximum: Option<f64>,
}

/// Bounds of one decision. A policy may ask for less than the operator's ceilings, never for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyLimits {
    /// Deterministic: it decides. Wasm instructions, or Rhai operations times [`FUEL_PER_RHAI_OPERATION`].
    pub fuel: u64,
    /// Backstop in milliseconds of the policy's own CPU time; a decision that hits it cannot be replayed.
    pub deadline_ms: u32,
    pub memory_bytes: u64,
}

/// Rough price of one Rhai operation in units of fuel, so that one ceiling serves both engines.
pub const FUEL_PER_RHAI_OPERATION: u64 = 200;

impl Default for PolicyLimits {
    fn default() -> PolicyLimits {
        PolicyLimits {
            fuel: 100_000_000,
            deadline_ms: 80,
            memory_bytes: 64 << 20,
        }
    }
}

/// What a version says of itself, kept with its activation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyDescription {
    pub policy: PolicyRef,
    pub kind: PolicyKind,
    pub summary: String,
    pub settings_schema: Vec<SettingSpec>,
    /// The settings this version runs with, complete.
    pub settings: Vec<Setting>,
    pub limits: PolicyLimits,
    pub state_version: u32,
    pub code_bytes: u64,
}

impl PolicyDescription {
    /// The fallback of a kind, where a rollback has nothing else to go back to.
    pub fn built_in(kind: PolicyKind) -> PolicyDescription {
        PolicyDescription {
            policy: PolicyRef::built_in(kind),
            kind,
            summary: "The host's own fallback.".into(),
            settings_schema: Vec::new(),
            settings: Vec::new(),
            limits: PolicyLimits::default(),
            state_version: 0,
            code_bytes: 0,
        }
    }
}

/// What the stages of a swap found, kept with the activation: facts for people, nothing is decided by them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SwapReport {
    pub stages: Vec<StageReport>,
    pub replay: Option<ReplaySummary>,
    /// Name of the trusted key that signed the code, and the signature's text.
    pub signed_by: Option<String>,
    pub signature: Option<String>,
}

/// A stage that was passed, or skipped for the reason in its detail.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StageReport {
    pub stage: String,
    pub passed: bool,
    pub ms: f64,
    pub detail: String,
}

/// What the replay of recorded decisions found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReplaySummary {
    pub looked_at: u64,
    pub replayed: u64,
    pub changed: u64,
    pub new_errors: u64,
    pub errors_gone: u64,
}

/// Most bytes of state that a policy may keep.
pub const STATE_BYTES_MAX: usize = 64 << 10;

/// Why a link of the fallback chain did not answer. A guest's fault is never called an internal error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultClass {
    /// The guest trapped, or a script made an error.
    Trap,
    Fuel,
    Deadline,
    Memory,
    /// The answer breaks the contract or does not fit its context.
    InvalidOutput,
    RefusedImport,
    /// The policy itself said that it could not decide; in a script by `throw`.
    Declined,
    /// It proposed what a guard of the operators forbids.
    Guard,
    /// It was not asked, since it has failed on this very input before.
    Quarantined,
    /// Our own failure, or the version is not loaded.
    HostFault,
}

impl FaultClass {
    pub fn slug(self) -> &'static str {
        match self {
            FaultClass::Trap => "trap",
            FaultClass::Fuel => "fuel",
            FaultClass::Deadline => "deadline",
            FaultClass::Memory => "memory",
            FaultClass::InvalidOutput => "invalid_output",
            FaultClass::RefusedImport => "refused_import",
            FaultClass::Declined => "declined",
            FaultClass::Guard => "guard",
            FaultClass::Quarantined => "quarantined",
            FaultClass::HostFault => "host_fault",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    pub class: FaultClass,
    /// One sentence, at most [`FAULT_DETAIL_BYTES_MAX`].
    pub detail: String,
    pub cost: Cost,
}

pub const FAULT_DETAIL_BYTES_MAX: usize = 1024;

/// What an answer, or the failure to give one, took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// None for the built-in, and where a script ended in a trap of its interpreter, which took the count along.
    pub fuel: Option<u64>,
    /// Wall time as measured by the engine; for people, nothing is decided by it.
    pub micros: u32,
}
