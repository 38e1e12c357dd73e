//! A policy's settings: what it declares, what an operator gives, and what it then runs with.

use crate::limits::{NAME_BYTES_MAX, REASON_TEXT_BYTES_MAX, SETTINGS_MAX};
use crate::log::is_plain;
use pointsman_model::policy::{Setting, SettingSpec, Value};
use pointsman_script::nearest::nearest;

/// What is wrong with one value that an operator gave.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SettingFault {
    pub(crate) message: String,
    pub(crate) fix: String,
}

/// Whether the declaration itself can be worked with; the sentence is for the policy's author.
pub(crate) fn check_schema(schema: &[SettingSpec]) -> Result<(), String> {
    if schema.len() > SETTINGS_MAX {
        return Err(format!(
            "{} settings are declared; at most {SETTINGS_MAX} are allowed",
            schema.len()
        ));
    }
    for (at, spec) in schema.iter().enumerate() {
        let SettingSpec {
            name,
            help,
            default,
            minimum,
            maximum,
        } = spec;
        if !is_name(name) {
            return Err(format!(
                "setting '{}' is not a name: use a-z, 0-9, '_' and '-', at most {NAME_BYTES_MAX} bytes",
                name.escape_debug()
            ));
        }
        if schema[..at].iter().any(|earlier| earlier.name == *name) {
            return Err(format!("setting '{name}' is declared twice"));
        }
        if help.len() > REASON_TEXT_BYTES_MAX || !help.chars().all(is_plain) {
            return Err(format!(
                "the help of setting '{name}' is longer than {REASON_TEXT_BYTES_MAX} bytes or holds control characters"
            ));
        }
        if [minimum, maximum].into_iter().flatten().any(|bound| !bound.is_finite()) {
            return Err(format!("a bound of setting '{name}' is not a finite number"));
        }
        if let Err(problem) = fits(spec, default) {
            return Err(format!("the default of setting '{name}' {problem}"));
        }
    }
    Ok(())
}

/// Every declared setting, in the order of the declaration, with the operator's value where there is one.
pub(crate) fn complete(schema: &[SettingSpec], given: &[Setting]) -> Result<Vec<Setting>, SettingFault> {
    for (at, Setting { name, value: _ }) in given.iter().enumerate() {
        if !schema.iter().any(|spec| spec.name == *name) {
            let names = schema.iter().map(|spec| spec.name.as_str());
            let fix = match nearest(name, names.clone()) {
                Some(meant) => format!("did you mean '{meant}'?"),
                None if schema.is_empty() => "this policy has no settings; remove it".to_string(),
                None => format!("it has {}", names.collect::<Vec<_>>().join(", ")),
            };
            return Err(SettingFault {
                message: format!("'{name}' is not a setting of this policy"),
                fix,
            });
        }
        if given[..at].iter().any(|earlier| earlier.name == *name) {
            return Err(SettingFault {
                message: format!("setting '{name}' is given twice"),
                fix: "give it once".to_string(),
            });
        }
    }
    schema
        .iter()
        .map(|spec| {
            let value = given
                .iter()
                .find(|setting| setting.name == spec.name)
                .map_or(&spec.default, |setting| &setting.value);
            fits(spec, value).map_err(|problem| SettingFault {
                message: format!("setting '{}' {problem}", spec.name),
                fix: if spec.help.is_empty() {
                    "give another value".to_string()
                } else {
                    spec.help.clone()
                },
            })?;
            Ok(Setting {
                name: spec.name.clone(),
                value: value.clone(),
            })
        })
        .collect()
}

fn fits(spec: &SettingSpec, value: &Value) -> Result<(), String> {
    match (&spec.default, value) {
        (Value::Flag(_), Value::Flag(_)) => Ok(()),
        (Value::Text(_), Value::Text(text)) if text.len() > REASON_TEXT_BYTES_MAX => {
            Err(format!("is longer than {REASON_TEXT_BYTES_MAX} bytes"))
        }
        (Value::Text(_), Value::Text(_)) => Ok(()),
        (Value::Number(_), Value::Number(number)) => match (spec.minimum, spec.maximum) {
            _ if !number.is_finite() => Err("is not a finite number".to_string()),
            (Some(minimum), _) if *number < minimum => Err(format!("is {number}, below its minimum {minimum}")),
            (_, Some(maximum)) if *number > maximum => Err(format!("is {number}, above its maximum {maximum}")),
            _ => Ok(()),
        },
        (Value::Flag(_), Value::Number(_) | Value::Text(_)) => Err("must be true or false".to_string()),
        (Value::Number(_), Value::Flag(_) | Value::Text(_)) => Err("must be a number".to_string()),
        (Value::Text(_), Value::Flag(_) | Value::Number(_)) => Err("must be a text".to_string()),
    }
}

fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(name: &str, default: f64) -> SettingSpec {
        SettingSpec {
            name: name.into(),
            help: "Seconds.".into(),
            default: Value::Number(default),
            minimum: Some(0.0),
            maximum: Some(10.0),
        }
    }

    fn given(name: &str, value: Value) -> Setting {
        Setting { name: name.into(), value }
    }

    #[test]
    fn defaults_are_filled_in() {
        let schema = [number("wait_s", 3.0), number("cap_s", 9.0)];
        let settings = complete(&schema, &[given("cap_s", Value::Number(5.0))]).expect("fits");
        assert_eq!(settings, [given("wait_s", Value::Number(3.0)), given("cap_s", Value::Number(5.0))]);
    }

    #[test]
    fn a_wrong_value_names_the_setting_and_the_cure() {
        let schema = [number("wait_s", 3.0)];
        let check = |setting, message: &str, fix: &str| {
            let fault = complete(&schema, &[setting]).expect_err("does not fit");
            assert_eq!((fault.message.as_str(), fault.fix.as_str()), (message, fix));
        };
        check(
            given("wait", Value::Number(1.0)),
            "'wait' is not a setting of this policy",
            "it has wait_s",
        );
        check(
            given("wiat_s", Value::Number(1.0)),
            "'wiat_s' is not a setting of this policy",
            "did you mean 'wait_s'?",
        );
        check(
            given("wait_s", Value::Number(11.0)),
            "setting 'wait_s' is 11, above its maximum 10",
            "Seconds.",
        );
        check(
            given("wait_s", Value::Number(f64::NAN)),
            "setting 'wait_s' is not a finite number",
            "Seconds.",
        );
        check(given("wait_s", Value::Flag(true)), "setting 'wait_s' must be a number", "Seconds.");
    }

    #[test]
    fn a_schema_must_be_sound() {
        assert_eq!(check_schema(&[number("a", 1.0), number("b", 1.0)]), Ok(()));
        assert!(check_schema(&[number("a", 1.0), number("a", 1.0)]).is_err());
        assert!(check_schema(&[number("a", 11.0)]).is_err());
        assert!(check_schema(&[number("a b", 1.0)]).is_err());
    }
}
