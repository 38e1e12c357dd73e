//! A case made from a recorded decision: what differs from the plain context, and what was decided as what is expected.

use super::{entry, inner};
use pointsman_model::context::Context;
use pointsman_model::decision::Ruling;
use serde_json::{Map, Value, json};

/// The case as it stands in a file. `plain` is the plain context of the decision's kind. The settings are left to the
/// version that is tested; a decision of a fallback has nothing to expect of a policy and is a case all the same.
pub fn case_of_decision(name: &str, context: &Context, plain: &Context, ruling: &Ruling) -> Result<Value, String> {
    let state = String::from_utf8(context.frame().state.clone())
        .map_err(|_| "the state that the policy had is no text, and a case can only hold text".to_string())?;
    let (mut fields, plain) = (fields_of(context), fields_of(plain));
    if let Some(frame) = fields.get_mut("frame").and_then(Value::as_object_mut) {
        // They stand beside the context in a case.
        frame.remove("settings");
        frame.remove("state");
    }
    let Value::Object(differing) = difference_from(&fields, &plain) else {
        return Err("the context has no fields".to_string());
    };
    let mut case = Map::from_iter([("name".to_string(), json!(name)), ("context".to_string(), Value::Object(differing))]);
    if !state.is_empty() {
        case.insert("state".to_string(), json!(state));
    }
    let reasons: Vec<&str> = ruling.advice.reasons.iter().map(|reason| reason.code.as_str()).collect();
    case.insert(
        "expect".to_string(),
        json!({ "verdict": inner(&ruling.verdict), "reasons": reasons }),
    );
    Ok(Value::Object(case))
}

/// The fields of a context, without the name of its kind around them.
pub(crate) fn fields_of(context: &Context) -> Value {
    match serde_json::to_value(context) {
        Ok(Value::Object(map)) => map.into_iter().next().map_or(Value::Null, |(_, fields)| fields),
        Ok(other) => other,
        Err(_) => Value::Null,
    }
}

/// What [`super::merge`] puts over the plain context to have the recorded one again.
pub(crate) fn difference_from(recorded: &Value, plain: &Value) -> Value {
    let (Value::Object(recorded), Value::Object(plain)) = (recorded, plain) else {
        return recorded.clone();
    };
    let mut differing = Map::new();
    for (name, value) in recorded {
        let same = plain.get(name).is_some_and(|plain| plain == value);
        if same {
            continue;
        }
        let told = match (entry(name), value, plain.get(name)) {
            (Some(blank), Value::Array(items), _) => {
                Value::Array(items.iter().enumerate().map(|(at, item)| item_of(&blank, at, item)).collect())
            }
            (_, _, Some(plain)) => difference_from(value, plain),
            (_, _, None) => value.clone(),
        };
        // A frame that differs by what stands beside the context only.
        if told != json!({}) {
            differing.insert(name.clone(), told);
        }
    }
    Value::Object(differing)
}

fn item_of(blank: &Value, at: usize, item: &Value) -> Value {
    let mut blank = blank.clone();
    if let Some(id) = blank.get_mut("id") {
        *id = json!(at + 1);
    }
    difference_from(item, &blank)
}
