//! Named limits of one decision, and how a policy's wishes meet the operator's ceilings.

use pointsman_model::policy::PolicyLimits;

/// Largest component file.
pub const COMPONENT_BYTES_MAX: usize = 32 << 20;
/// Largest script. Parsing takes time that grows faster than its size: 0.33 s at this one at worst.
pub const SCRIPT_BYTES_MAX: usize = 64 << 10;
/// Log lines and bytes of log text per decision; more ends the decision.
pub const LOG_CALLS_MAX: u32 = 1_000;
pub const LOG_BYTES_MAX: usize = 64 << 10;
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

/// What a policy asks for; `None` takes the ceiling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AskedLimits {
    pub(crate) fuel: Option<u64>,
    pub(crate) deadline_ms: Option<u32>,
    pub(crate) memory_bytes: Option<u64>,
}

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
