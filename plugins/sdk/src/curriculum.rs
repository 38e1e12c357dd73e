//! Curriculum: what to practise when operators have queued nothing.

use crate::advice::advice_methods;
use crate::bindings::curriculum::pointsman::policy::curriculum_types as records;
use crate::{Advice, Description, PolicyError, Random, SettingError, Settings};
use std::ops::Deref;

pub use records::{Decision as CurriculumDecision, Seed, Skill, Verdict as CurriculumVerdict};

/// A policy that says what to practise next.
pub trait Curriculum {
    /// Who this policy is, and its settings.
    fn describe() -> Description;

    /// Refuses settings this policy cannot work with, beyond the declared bounds, which are checked before.
    fn check_settings(_settings: &Settings<'_>) -> Vec<SettingError> {
        Vec::new()
    }

    /// Seeds sources, parks hosts or does nothing.
    fn decide(context: &CurriculumContext) -> Result<CurriculumDecision, PolicyError>;
}

/// Exports a [`SourceSelection`] as a component.
#[macro_export]
macro_rules! export_curriculum {
    ($policy:ty) => {
        const _: fn(&$crate::CurriculumContext) -> ::std::result::Result<$crate::CurriculumDecision, $crate::PolicyError> =
            <$policy as $crate::Curriculum>::decide;
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::bindings::curriculum as bindings;
            struct Exported;
            impl bindings::Guest for Exported {
                fn describe() -> $crate::Description {
                    $crate::guest::enter();
                    $crate::guest::describe(<$policy as $crate::Curriculum>::describe(), $crate::Kind::Curriculum)
                }
                fn check_settings(settings: ::std::vec::Vec<$crate::Setting>) -> ::std::vec::Vec<$crate::SettingError> {
                    $crate::guest::enter();
                    let description = <$policy as $crate::Curriculum>::describe();
                    $crate::guest::check_settings(description, settings, <$policy as $crate::Curriculum>::check_settings)
                }
                fn decide(context: bindings::Context) -> ::std::result::Result<$crate::CurriculumDecision, $crate::PolicyError> {
                    $crate::guest::enter();
                    <$policy as $crate::Curriculum>::decide(&$crate::CurriculumContext::from(context))
                }
            }
    bindings::export_world_curriculum!(Exported with_types_in bindings);
        };
    };
}

/// All that a curriculum may know. The record's fields are read directly: `context.budget`.
#[derive(Clone, Debug, PartialEq)]
pub struct CurriculumContext {
    record: records::Context,
}

impl From<records::Context> for CurriculumContext {
    fn from(record: records::Context) -> CurriculumContext {
        CurriculumContext { record }
    }
}

impl Deref for CurriculumContext {
    type Target = records::Context;
    fn deref(&self) -> &records::Context {
        &self.record
    }
}

impl CurriculumContext {
    /// This policy's settings.
    pub fn settings(&self) -> Settings<'_> {
        Settings::new(&self.record.frame.settings)
    }

    /// Chance, seeded by this decision.
    pub fn random(&self) -> Random {
        Random::new(self.record.frame.seed)
    }

    /// The skills, each with its host's name.
    pub fn skills(&self) -> impl ExactSizeIterator<Item = SkillView<'_>> + Clone {
        self.record.skills.iter().enumerate().map(|(index, record)| SkillView {
            index: index as u32,
            record,
            context: &self.record,
        })
    }
}

/// A skill with its host looked up. The record's fields are read directly: `skill.progress`.
#[derive(Clone, Copy, Debug)]
pub struct SkillView<'a> {
    /// What a verdict names its host by.
    pub index: u32,
    record: &'a Skill,
    context: &'a records::Context,
}

impl Deref for SkillView<'_> {
    type Target = Skill;
    fn deref(&self) -> &Skill {
        self.record
    }
}

impl<'a> SkillView<'a> {
    /// The host's name; empty if the table has none, which the host does not let happen.
    pub fn host(&self) -> &'a str {
        self.context.hosts.get(self.index as usize).map_or("", String::as_str)
    }
}

impl CurriculumDecision {
    /// Seed these sources.
    pub fn plant(seeds: Vec<Seed>) -> CurriculumDecision {
        CurriculumDecision {
            verdict: CurriculumVerdict::Plant(seeds),
            advice: Advice::new(),
        }
    }

    /// Stop practising these hosts: indexes into `hosts`.
    pub fn park(hosts: Vec<u32>) -> CurriculumDecision {
        CurriculumDecision {
            verdict: CurriculumVerdict::Park(hosts),
            advice: Advice::new(),
        }
    }

    /// No new sources now.
    pub fn nothing() -> CurriculumDecision {
        CurriculumDecision {
            verdict: CurriculumVerdict::Nothing,
            advice: Advice::new(),
        }
    }
}

advice_methods!(CurriculumDecision);
