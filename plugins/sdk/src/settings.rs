//! Reading a policy's own settings, and checking them against what the policy declared.

use crate::{PolicyError, Setting, SettingError, SettingSpec, Value};

/// A policy's settings, complete: the host fills in the defaults.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    list: &'a [Setting],
}

impl<'a> Settings<'a> {
    /// Wraps a list as it stands in a frame.
    pub fn new(list: &'a [Setting]) -> Settings<'a> {
        Settings { list }
    }

    /// The value under a name, of whatever type.
    pub fn value(&self, name: &str) -> Option<&'a Value> {
        self.list.iter().find(|setting| setting.name == name).map(|setting| &setting.value)
    }

    /// A number; an error names the setting, and `?` turns it into a refusal to decide.
    pub fn number(&self, name: &str) -> Result<f64, SettingError> {
        match self.value(name) {
            Some(Value::Number(number)) if number.is_finite() => Ok(*number),
            Some(Value::Number(_)) => Err(problem(name, "is not a finite number")),
            Some(Value::Flag(_) | Value::Text(_)) => Err(problem(name, "is not a number")),
            None => Err(problem(name, "is missing")),
        }
    }

    /// A number as a count, rounded down; negative counts as zero.
    pub fn count(&self, name: &str) -> Result<u32, SettingError> {
        Ok(self.number(name)? as u32)
    }

    /// A switch.
    pub fn flag(&self, name: &str) -> Result<bool, SettingError> {
        match self.value(name) {
            Some(Value::Flag(flag)) => Ok(*flag),
            Some(Value::Number(_) | Value::Text(_)) => Err(problem(name, "is not true or false")),
            None => Err(problem(name, "is missing")),
        }
    }

    /// A text.
    pub fn text(&self, name: &str) -> Result<&'a str, SettingError> {
        match self.value(name) {
            Some(Value::Text(text)) => Ok(text),
            Some(Value::Number(_) | Value::Flag(_)) => Err(problem(name, "is not a text")),
            None => Err(problem(name, "is missing")),
        }
    }
}

impl SettingError {
    /// Says what is wrong with one setting.
    pub fn new(name: &str, problem: impl Into<String>) -> SettingError {
        SettingError {
            name: name.to_string(),
            problem: problem.into(),
        }
    }
}

impl PolicyError {
    /// The policy cannot decide, for a reason of its own.
    pub fn failed(why: impl Into<String>) -> PolicyError {
        PolicyError::Failed(why.into())
    }
}

impl From<SettingError> for PolicyError {
    fn from(error: SettingError) -> PolicyError {
        PolicyError::BadSettings(vec![error])
    }
}

fn problem(name: &str, problem: &str) -> SettingError {
    SettingError {
        name: name.to_string(),
        problem: problem.to_string(),
    }
}

/// Checks given settings against the declared ones: unknown names, wrong types, out of bounds.
pub(crate) fn check_declared(specs: &[SettingSpec], given: &[Setting]) -> Vec<SettingError> {
    let mut problems = Vec::new();
    for (position, setting) in given.iter().enumerate() {
        let Some(spec) = specs.iter().find(|spec| spec.name == setting.name) else {
            problems.push(problem(&setting.name, "is not a setting of this policy"));
            continue;
        };
        if given[..position].iter().any(|earlier| earlier.name == setting.name) {
            problems.push(problem(&setting.name, "is given twice"));
        }
        match (&spec.default, &setting.value) {
            (Value::Flag(_), Value::Flag(_)) | (Value::Text(_), Value::Text(_)) => {}
            (Value::Number(_), Value::Number(number)) => {
                let low = spec.minimum.unwrap_or(f64::NEG_INFINITY);
                let high = spec.maximum.unwrap_or(f64::INFINITY);
                if !(number.is_finite() && *number >= low && *number <= high) {
                    problems.push(SettingError::new(
                        &setting.name,
                        format!("{number} is not between {low} and {high}"),
                    ));
                }
            }
            (Value::Flag(_), _) => problems.push(problem(&setting.name, "is not true or false")),
            (Value::Number(_), _) => problems.push(problem(&setting.name, "is not a number")),
            (Value::Text(_), _) => problems.push(problem(&setting.name, "is not a text")),
        }
    }
    problems
}

/// The given settings with the defaults of those that are not given.
pub(crate) fn complete(specs: &[SettingSpec], mut given: Vec<Setting>) -> Vec<Setting> {
    for spec in specs {
        if !given.iter().any(|setting| setting.name == spec.name) {
            given.push(Setting {
                name: spec.name.clone(),
                value: spec.default.clone(),
            });
        }
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Description;

    fn declared() -> Description {
        Description::new("p", "1.0.0")
            .number("alpha", 0.05, 0.001..=0.5, "")
            .flag("strict", true, "")
            .text("mode", "soft", "")
    }

    fn check(name: &str, value: Value, expected: &str) {
        let problems = check_declared(
            &declared().settings,
            &[Setting {
                name: name.to_string(),
                value,
            }],
        );
        let text: Vec<String> = problems
            .iter()
            .map(|problem| format!("{} {}", problem.name, problem.problem))
            .collect();
        assert_eq!(text.join("; "), expected);
    }

    #[test]
    fn declared_settings_are_checked() {
        check("alpha", Value::Number(0.1), "");
        check("alpha", Value::Number(0.9), "alpha 0.9 is not between 0.001 and 0.5");
        check("alpha", Value::Number(f64::NAN), "alpha NaN is not between 0.001 and 0.5");
        check("alpha", Value::Flag(true), "alpha is not a number");
        check("strict", Value::Number(1.0), "strict is not true or false");
        check("mode", Value::Flag(true), "mode is not a text");
        check("beta", Value::Number(1.0), "beta is not a setting of this policy");
    }

    #[test]
    fn missing_settings_get_their_defaults() {
        let list = complete(
            &declared().settings,
            vec![Setting {
                name: "alpha".to_string(),
                value: Value::Number(0.2),
            }],
        );
        let settings = Settings::new(&list);
        assert_eq!(settings.number("alpha"), Ok(0.2));
        assert_eq!(settings.flag("strict"), Ok(true));
        assert_eq!(settings.text("mode"), Ok("soft"));
        assert!(settings.number("mode").is_err() && settings.number("nothing").is_err());
    }
}
