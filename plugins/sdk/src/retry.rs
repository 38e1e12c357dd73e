//! Retry: what becomes of a source whose run failed.

use crate::advice::advice_methods;
use crate::bindings::retry::pointsman::policy::retry_types as records;
use crate::{Advice, Description, Lane, PolicyError, Random, SettingError, Settings};
use std::ops::Deref;

pub use records::{Decision as RetryDecision, Verdict as RetryVerdict};

/// A policy that says what becomes of a source whose run failed.
pub trait Retry {
    /// Who this policy is, and its settings.
    fn describe() -> Description;

    /// Refuses settings this policy cannot work with, beyond the declared bounds, which are checked before.
    fn check_settings(_settings: &Settings<'_>) -> Vec<SettingError> {
        Vec::new()
    }

    /// Tries again, moves, disables or gives up.
    fn decide(context: &RetryContext) -> Result<RetryDecision, PolicyError>;
}

/// Exports a [`SourceSelection`] as a component.
#[macro_export]
macro_rules! export_retry {
    ($policy:ty) => {
        const _: fn(&$crate::RetryContext) -> ::std::result::Result<$crate::RetryDecision, $crate::PolicyError> =
            <$policy as $crate::Retry>::decide;
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::bindings::retry as bindings;
            struct Exported;
            impl bindings::Guest for Exported {
                fn describe() -> $crate::Description {
                    $crate::guest::enter();
                    $crate::guest::describe(<$policy as $crate::Retry>::describe(), $crate::Kind::Retry)
                }
                fn check_settings(settings: ::std::vec::Vec<$crate::Setting>) -> ::std::vec::Vec<$crate::SettingError> {
                    $crate::guest::enter();
                    let description = <$policy as $crate::Retry>::describe();
                    $crate::guest::check_settings(description, settings, <$policy as $crate::Retry>::check_settings)
                }
                fn decide(context: bindings::Context) -> ::std::result::Result<$crate::RetryDecision, $crate::PolicyError> {
                    $crate::guest::enter();
                    <$policy as $crate::Retry>::decide(&$crate::RetryContext::from(context))
                }
            }
    bindings::export_world_retry!(Exported with_types_in bindings);
        };
    };
}

/// All that a retry policy may know. The record's fields are read directly: `context.class`.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryContext {
    record: records::Context,
}

impl From<records::Context> for RetryContext {
    fn from(record: records::Context) -> RetryContext {
        RetryContext { record }
    }
}

impl Deref for RetryContext {
    type Target = records::Context;
    fn deref(&self) -> &records::Context {
        &self.record
    }
}

impl RetryContext {
    /// This policy's settings.
    pub fn settings(&self) -> Settings<'_> {
        Settings::new(&self.record.frame.settings)
    }

    /// Chance, seeded by this decision.
    pub fn random(&self) -> Random {
        Random::new(self.record.frame.seed)
    }

    /// The source's host, if it has one.
    pub fn host(&self) -> Option<&str> {
        self.record.host.as_deref()
    }
}

impl RetryDecision {
    /// Again after so many milliseconds, at most seven days.
    pub fn retry_after_ms(delay_ms: u64) -> RetryDecision {
        RetryDecision {
            verdict: RetryVerdict::Retry(delay_ms),
            advice: Advice::new(),
        }
    }

    /// Into the other lane, to be tried from there.
    pub fn move_lane(lane: Lane) -> RetryDecision {
        RetryDecision {
            verdict: RetryVerdict::MoveLane(lane),
            advice: Advice::new(),
        }
    }

    /// Keep it, but do not run it until a person enables it.
    pub fn disable() -> RetryDecision {
        RetryDecision {
            verdict: RetryVerdict::Disable,
            advice: Advice::new(),
        }
    }

    /// Done with, unsuccessfully.
    pub fn give_up() -> RetryDecision {
        RetryDecision {
            verdict: RetryVerdict::GiveUp,
            advice: Advice::new(),
        }
    }
}

advice_methods!(RetryDecision);
