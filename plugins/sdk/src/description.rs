//! Builds a policy's description.

use crate::{Description, Kind, Limits, SettingSpec, Value};
use std::ops::RangeInclusive;

impl Description {
    /// Who this policy is. `version` is best given as `env!("CARGO_PKG_VERSION")`.
    pub fn new(name: &str, version: &str) -> Description {
        Description {
            name: name.to_string(),
            version: version.to_string(),
            // The export macro knows the kind and fills it in.
            kind: Kind::SourceSelection,
            summary: String::new(),
            settings: Vec::new(),
            limits: Limits {
                fuel: None,
                memory_bytes: None,
                deadline_ms: None,
            },
            state_version: 0,
        }
    }

    /// One sentence on how it decides.
    pub fn summary(mut self, summary: &str) -> Description {
        self.summary = summary.to_string();
        self
    }

    /// Declares a number. `help` is one sentence for the person who changes it, with the unit.
    pub fn number(mut self, name: &str, default: f64, bounds: RangeInclusive<f64>, help: &str) -> Description {
        self.settings.push(SettingSpec {
            name: name.to_string(),
            help: help.to_string(),
            default: Value::Number(default),
            minimum: Some(*bounds.start()),
            maximum: Some(*bounds.end()),
        });
        self
    }

    /// Declares a switch.
    pub fn flag(mut self, name: &str, default: bool, help: &str) -> Description {
        self.settings.push(unbounded(name, Value::Flag(default), help));
        self
    }

    /// Declares a text.
    pub fn text(mut self, name: &str, default: &str, help: &str) -> Description {
        self.settings.push(unbounded(name, Value::Text(default.to_string()), help));
        self
    }

    /// Asks for less than the operator's ceilings; asking for more changes nothing.
    pub fn limits(mut self, fuel: Option<u64>, memory_bytes: Option<u64>, deadline_ms: Option<u32>) -> Description {
        self.limits = Limits {
            fuel,
            memory_bytes,
            deadline_ms,
        };
        self
    }

    /// Raise it whenever the bytes of `state` change their meaning.
    pub fn state_version(mut self, version: u32) -> Description {
        self.state_version = version;
        self
    }
}

fn unbounded(name: &str, default: Value, help: &str) -> SettingSpec {
    SettingSpec {
        name: name.to_string(),
        help: help.to_string(),
        default,
        minimum: None,
        maximum: None,
    }
}
