//! Named limits of one decision, and how a policy's wishes meet the operator's ceilings.

use pointsman_model::policy::PolicyLimits;
use pointsman_script::AskedLimits;

pub use pointsman_script::{LOG_BYTES_MAX, LOG_CALLS_MAX, SCRIPT_BYTES_MAX};

/// Largest component file.
pub const COMPONENT_BYTES_MAX: usize = 32 << 20;
/// Bytes that may cross from a component to the host per call, before anything is allocated for them.
pub const HOSTCALL_BYTES_MAX: usize = 1 << 20;
/// Reasons of one decision, and the text of each.
pub const REASONS_MAX: usize = 32;
pub const REASON_TEXT_BYTES_MAX: usize = 1 << 10;
/// Any name: of a setting, reason code, feature, term or rule.
pub const NAME_BYTES_MAX: usize = 128;
pub use pointsman_model::policy::STATE_BYTES_MAX;
/// Terms of a score, rules that block, suggestions and extras.
pub const TERMS_MAX: usize = 32;
pub const RULES_MAX: usize = 64;
pub const SUGGESTIONS_MAX: usize = 32;
pub const EXTRAS_MAX: usize = 64;
/// Entries of a verdict's list, scores, or a distribution.
pub const LIST_MAX: usize = 4_096;
/// Settings that a policy may declare.
pub const SETTINGS_MAX: usize = 64;

/// A policy can only ask for less.
pub(crate) fn within(ceilings: PolicyLimits, asked: AskedLimits) -> PolicyLimits {
    let AskedLimits {
        fuel,
        deadline_ms,
        memory_bytes,
    } = asked;
    PolicyLimits {
        fuel: fuel.map_or(ceilings.fuel, |asked| asked.min(ceilings.fuel)),
        deadline_ms: deadline_ms.map_or(ceilings.deadline_ms, |asked| asked.min(ceilings.deadline_ms)),
        memory_bytes: memory_bytes.map_or(ceilings.memory_bytes, |asked| asked.min(ceilings.memory_bytes)),
    }
}

/// Fuel of wasm behind each unit of a script's: an operation of its language is many instructions, and the operations
/// are what decides. This ends what a single one may do without end.
const WASM_FUEL_PER_SCRIPT_FUEL: u64 = 16;
/// What reading a context and writing an answer take at most, on top.
const INTERPRETER_FUEL: u64 = 100_000_000;
/// What the interpreter itself needs, on top of what the script may have.
const INTERPRETER_MEMORY_BYTES: u64 = 4 << 20;

/// The limits of a script as those of the component that interprets it.
pub(crate) fn within_sandbox(limits: PolicyLimits) -> PolicyLimits {
    PolicyLimits {
        fuel: limits
            .fuel
            .saturating_mul(WASM_FUEL_PER_SCRIPT_FUEL)
            .saturating_add(INTERPRETER_FUEL),
        memory_bytes: limits.memory_bytes.saturating_add(INTERPRETER_MEMORY_BYTES),
        ..limits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_can_only_ask_for_less() {
        let ceilings = PolicyLimits {
            fuel: 100,
            deadline_ms: 10,
            memory_bytes: 1000,
        };
        let asked = AskedLimits {
            fuel: Some(200),
            deadline_ms: Some(5),
            memory_bytes: None,
        };
        assert_eq!(
            within(ceilings, asked),
            PolicyLimits {
                fuel: 100,
                deadline_ms: 5,
                memory_bytes: 1000
            }
        );
    }
}
