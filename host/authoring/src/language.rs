//! The languages that a policy can be written in.

use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Language {
    Rust,
    Rhai,
    Js,
    Python,
    C,
}

impl Language {
    pub const ALL: [Language; 5] = [Language::Rust, Language::Rhai, Language::Js, Language::Python, Language::C];

    pub fn slug(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::Rhai => "rhai",
            Language::Js => "js",
            Language::Python => "python",
            Language::C => "c",
        }
    }

    pub fn parse(slug: &str) -> Option<Language> {
        Language::ALL.into_iter().find(|language| language.slug() == slug)
    }

    /// As people write it.
    pub fn title(self) -> &'static str {
        match self {
            Language::Rust => "Rust",
            Language::Rhai => "Rhai",
            Language::Js => "JavaScript",
            Language::Python => "Python",
            Language::C => "C",
        }
    }

    /// The ending of the file that is activated.
    pub(crate) fn output_ending(self) -> &'static str {
        match self {
            Language::Rhai => "rhai",
            Language::Rust | Language::Js | Language::Python | Language::C => "wasm",
        }
    }

    /// The one file that an author edits, in a project of this name.
    pub fn source(self, name: &str) -> String {
        match self {
            Language::Rust => "src/lib.rs".to_string(),
            Language::Rhai => format!("{name}.rhai"),
            Language::Js => "policy.js".to_string(),
            Language::Python => "policy.py".to_string(),
            Language::C => "policy.c".to_string(),
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.slug())
    }
}
