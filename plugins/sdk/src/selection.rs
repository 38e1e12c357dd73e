//! Source selection: what is trained on next.

use crate::advice::advice_methods;
use crate::bindings::source_selection::pointsman::policy::source_selection_types as records;
use crate::{Advice, Description, PolicyError, Random, SettingError, Settings};
use std::ops::Deref;

pub use records::{Candidate, Decision as SelectionDecision, HostLoad, LaneMode, Verdict as SelectionVerdict};

/// A policy that picks the sources to be trained on next.
pub trait SourceSelection {
    /// Who this policy is, and its settings.
    fn describe() -> Description;

    /// Refuses settings this policy cannot work with, beyond the declared bounds, which are checked before.
    fn check_settings(_settings: &Settings<'_>) -> Vec<SettingError> {
        Vec::new()
    }

    /// Picks among the candidates of the context, or idles.
    fn decide(context: &SelectionContext) -> Result<SelectionDecision, PolicyError>;
}

/// Exports a [`SourceSelection`] as a component.
#[macro_export]
macro_rules! export_source_selection {
    ($policy:ty) => {
        const _: fn(&$crate::SelectionContext) -> ::std::result::Result<$crate::SelectionDecision, $crate::PolicyError> =
            <$policy as $crate::SourceSelection>::decide;
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::bindings::source_selection as bindings;
            struct Exported;
            impl bindings::Guest for Exported {
                fn describe() -> $crate::Description {
                    $crate::guest::enter();
                    $crate::guest::describe(
                        <$policy as $crate::SourceSelection>::describe(),
                        $crate::Kind::SourceSelection,
                    )
                }
                fn check_settings(settings: ::std::vec::Vec<$crate::Setting>) -> ::std::vec::Vec<$crate::SettingError> {
                    $crate::guest::enter();
                    let description = <$policy as $crate::SourceSelection>::describe();
                    $crate::guest::check_settings(description, settings, <$policy as $crate::SourceSelection>::check_settings)
                }
                fn decide(context: bindings::Context) -> ::std::result::Result<$crate::SelectionDecision, $crate::PolicyError> {
                    $crate::guest::enter();
                    <$policy as $crate::SourceSelection>::decide(&$crate::SelectionContext::from(context))
                }
            }
    bindings::export_world_source_selection!(Exported with_types_in bindings);
        };
    };
}

/// All that a source-selection policy may know. The record's fields are read directly: `context.free`.
#[derive(Clone, Debug, PartialEq)]
pub struct SelectionContext {
    record: records::Context,
}

impl From<records::Context> for SelectionContext {
    fn from(record: records::Context) -> SelectionContext {
        SelectionContext { record }
    }
}

impl Deref for SelectionContext {
    type Target = records::Context;
    fn deref(&self) -> &records::Context {
        &self.record
    }
}

impl SelectionContext {
    /// This policy's settings.
    pub fn settings(&self) -> Settings<'_> {
        Settings::new(&self.record.frame.settings)
    }

    /// Chance, seeded by this decision.
    pub fn random(&self) -> Random {
        Random::new(self.record.frame.seed)
    }

    /// The candidates, oldest first.
    pub fn candidates(&self) -> impl ExactSizeIterator<Item = CandidateView<'_>> + DoubleEndedIterator + Clone {
        self.record.candidates.iter().enumerate().map(|(index, record)| CandidateView {
            index: index as u32,
            record,
            context: &self.record,
        })
    }

    /// One candidate by its index.
    pub fn candidate(&self, index: u32) -> Option<CandidateView<'_>> {
        let record = self.record.candidates.get(index as usize)?;
        Some(CandidateView {
            index,
            record,
            context: &self.record,
        })
    }

    /// A host's name by its index.
    pub fn host(&self, index: u32) -> Option<&str> {
        self.record.hosts.get(index as usize).map(String::as_str)
    }

    /// What is known of a host.
    pub fn load(&self, host: u32) -> Option<&HostLoad> {
        self.record.host_loads.get(host as usize)
    }

    /// How many picks ago a host was last picked: 0 for the latest pick, none if it is not among the recent ones.
    pub fn picks_since(&self, host: u32) -> Option<usize> {
        self.record.recent_hosts.iter().position(|recent| *recent == host)
    }
}

/// A candidate with its host and campaign looked up. The record's fields are read directly: `candidate.age_s`.
#[derive(Clone, Copy, Debug)]
pub struct CandidateView<'a> {
    /// What a verdict picks it by.
    pub index: u32,
    record: &'a Candidate,
    context: &'a records::Context,
}

impl Deref for CandidateView<'_> {
    type Target = Candidate;
    fn deref(&self) -> &Candidate {
        self.record
    }
}

impl<'a> CandidateView<'a> {
    /// The host's name; none for a source of no host. The index of the host is the field `host`.
    pub fn host(&self) -> Option<&'a str> {
        self.context.hosts.get(self.record.host? as usize).map(String::as_str)
    }

    /// The campaign's name.
    pub fn campaign(&self) -> Option<&'a str> {
        self.context.campaigns.get(self.record.campaign? as usize).map(String::as_str)
    }

    /// What is known of its host.
    pub fn load(&self) -> Option<&'a HostLoad> {
        self.context.host_loads.get(self.record.host? as usize)
    }
}

impl SelectionDecision {
    /// Run these, best first: indexes of candidates, at most `context.free` of them.
    pub fn pick(candidates: Vec<u32>) -> SelectionDecision {
        SelectionDecision {
            verdict: SelectionVerdict::Pick(candidates),
            advice: Advice::new(),
        }
    }

    /// Nothing now.
    pub fn idle() -> SelectionDecision {
        SelectionDecision {
            verdict: SelectionVerdict::Idle,
            advice: Advice::new(),
        }
    }
}

advice_methods!(SelectionDecision);
