//! Promotion gate: whether a model may go on towards live service, or must go back.

use crate::advice::advice_methods;
use crate::bindings::promotion_gate::pointsman::policy::promotion_gate_types as records;
use crate::{Advice, Description, PolicyError, Random, SettingError, Settings};
use std::ops::Deref;

pub use records::{Decision as GateDecision, Guardrail, Pair, Stage as GateStage, Verdict as GateVerdict};

/// A policy that says whether a model goes on towards live service.
pub trait PromotionGate {
    /// Who this policy is, and its settings.
    fn describe() -> Description;

    /// Refuses settings this policy cannot work with, beyond the declared bounds, which are checked before.
    fn check_settings(_settings: &Settings<'_>) -> Vec<SettingError> {
        Vec::new()
    }

    /// Advances, asks for more, rejects, holds or rolls back.
    fn decide(context: &GateContext) -> Result<GateDecision, PolicyError>;
}

/// Exports a [`SourceSelection`] as a component.
#[macro_export]
macro_rules! export_promotion_gate {
    ($policy:ty) => {
        const _: fn(&$crate::GateContext) -> ::std::result::Result<$crate::GateDecision, $crate::PolicyError> =
            <$policy as $crate::PromotionGate>::decide;
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::bindings::promotion_gate as bindings;
            struct Exported;
            impl bindings::Guest for Exported {
                fn describe() -> $crate::Description {
                    $crate::guest::enter();
                    $crate::guest::describe(<$policy as $crate::PromotionGate>::describe(), $crate::Kind::PromotionGate)
                }
                fn check_settings(settings: ::std::vec::Vec<$crate::Setting>) -> ::std::vec::Vec<$crate::SettingError> {
                    $crate::guest::enter();
                    let description = <$policy as $crate::PromotionGate>::describe();
                    $crate::guest::check_settings(description, settings, <$policy as $crate::PromotionGate>::check_settings)
                }
                fn decide(context: bindings::Context) -> ::std::result::Result<$crate::GateDecision, $crate::PolicyError> {
                    $crate::guest::enter();
                    <$policy as $crate::PromotionGate>::decide(&$crate::GateContext::from(context))
                }
            }
    bindings::export_world_promotion_gate!(Exported with_types_in bindings);
        };
    };
}

/// All that a promotion gate may know. The record's fields are read directly: `context.stage`.
#[derive(Clone, Debug, PartialEq)]
pub struct GateContext {
    record: records::Context,
}

impl From<records::Context> for GateContext {
    fn from(record: records::Context) -> GateContext {
        GateContext { record }
    }
}

impl Deref for GateContext {
    type Target = records::Context;
    fn deref(&self) -> &records::Context {
        &self.record
    }
}

impl GateContext {
    /// This policy's settings.
    pub fn settings(&self) -> Settings<'_> {
        Settings::new(&self.record.frame.settings)
    }

    /// Chance, seeded by this decision.
    pub fn random(&self) -> Random {
        Random::new(self.record.frame.seed)
    }

    /// A host's name by its index.
    pub fn host(&self, index: u32) -> Option<&str> {
        self.record.hosts.get(index as usize).map(String::as_str)
    }

    /// How many more pairs this stage may collect.
    pub fn room(&self) -> u32 {
        self.record.cap.saturating_sub(self.record.pairs.len() as u32)
    }
}

impl GateDecision {
    /// On to the next stage; from `watch`: the model stays.
    pub fn advance() -> GateDecision {
        GateDecision {
            verdict: GateVerdict::Advance,
            advice: Advice::new(),
        }
    }

    /// Collect so many more pairs and ask again.
    pub fn need_more(pairs: u32) -> GateDecision {
        GateDecision {
            verdict: GateVerdict::NeedMore(pairs),
            advice: Advice::new(),
        }
    }

    /// The candidate is not good enough. Not in `watch`.
    pub fn reject() -> GateDecision {
        GateDecision {
            verdict: GateVerdict::Reject,
            advice: Advice::new(),
        }
    }

    /// A person has to decide.
    pub fn hold() -> GateDecision {
        GateDecision {
            verdict: GateVerdict::Hold,
            advice: Advice::new(),
        }
    }

    /// Back to the baseline. Only in `watch`.
    pub fn roll_back() -> GateDecision {
        GateDecision {
            verdict: GateVerdict::RollBack,
            advice: Advice::new(),
        }
    }
}

advice_methods!(GateDecision);
