//! The difference of two read models as RFC 6902 operations.
//!
//! Lists that grow at the head (jobs, decisions) are compared by the id of their rows: a plain comparison by position
//! would rewrite every row whenever one comes in.

use serde_json::{Value, json};

/// Top-level lists whose rows have an `id` and stand newest first.
const ROW_LISTS: [&str; 3] = ["jobs", "decisions", "swaps"];

/// Operations that lead from `old` to `new`, both objects with the same keys.
///
/// With `aside`, only `replace` is used: the patch belongs to no step of the journal, a viewer that comes back may be sent it a second
/// time, and a replacement done twice does no harm.
pub fn diff(old: &Value, new: &Value, aside: bool) -> Vec<Value> {
    let (Value::Object(before), Value::Object(after)) = (old, new) else {
        return vec![json!({ "op": "replace", "path": "", "value": new })];
    };
    let mut patch = Vec::new();
    for (key, value) in after {
        let Some(was) = before.get(key) else {
            patch.push(json!({ "op": "add", "path": format!("/{key}"), "value": value }));
            continue;
        };
        if was == value {
            continue;
        }
        let path = format!("/{key}");
        let operations = if ROW_LISTS.contains(&key.as_str()) {
            rows(&path, was, value)
        } else {
            nested(&path, was, value)
        };
        if aside && operations.iter().any(|operation| operation["op"] != "replace") {
            patch.push(json!({ "op": "replace", "path": path, "value": value }));
        } else {
            patch.extend(operations);
        }
    }
    patch
}

fn nested(prefix: &str, old: &Value, new: &Value) -> Vec<Value> {
    let Ok(Value::Array(mut operations)) = serde_json::to_value(json_patch::diff(old, new)) else {
        return vec![json!({ "op": "replace", "path": prefix, "value": new })];
    };
    for operation in &mut operations {
        for field in ["path", "from"] {
            if let Some(Value::String(path)) = operation.get_mut(field) {
                path.insert_str(0, prefix);
            }
        }
    }
    operations
}

fn rows(path: &str, old: &Value, new: &Value) -> Vec<Value> {
    let whole = || vec![json!({ "op": "replace", "path": path, "value": new })];
    let (Value::Array(old), Value::Array(new_rows)) = (old, new) else {
        return whole();
    };
    let mut operations = Vec::new();
    let mut rest: Vec<&Value> = old.iter().collect();
    for at in (0..rest.len()).rev() {
        if !new_rows.iter().any(|row| row["id"] == rest[at]["id"]) {
            operations.push(json!({ "op": "remove", "path": format!("{path}/{at}") }));
            rest.remove(at);
        }
    }
    for (at, row) in new_rows.iter().enumerate() {
        match rest.get(at) {
            Some(was) if was["id"] == row["id"] => {
                if *was != row {
                    operations.extend(nested(&format!("{path}/{at}"), was, row));
                }
            }
            _ if rest.iter().any(|was| was["id"] == row["id"]) => return whole(),
            _ => {
                operations.push(json!({ "op": "add", "path": format!("{path}/{at}"), "value": row }));
                rest.insert(at, row);
            }
        }
    }
    operations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(old: Value, new: Value, aside: bool) -> Vec<Value> {
        let operations = diff(&old, &new, aside);
        let patch: json_patch::Patch = serde_json::from_value(Value::Array(operations.clone())).expect("valid operations");
        let mut patched = old;
        json_patch::patch(&mut patched, &patch).expect("the patch applies");
        assert_eq!(patched, new);
        if aside {
            json_patch::patch(&mut patched, &patch).expect("an aside applies twice");
            assert_eq!(patched, new);
        }
        operations
    }

    #[test]
    fn a_row_at_the_head_is_one_addition_and_one_removal() {
        let rows = |ids: std::ops::RangeInclusive<u64>| -> Value { ids.rev().map(|id| json!({ "id": id, "loss": 1.5 })).collect() };
        let operations = check(json!({ "jobs": rows(1..=30) }), json!({ "jobs": rows(2..=31) }), false);
        assert_eq!(operations.len(), 2, "{operations:?}");
    }

    #[test]
    fn every_difference_leads_to_the_new_state() {
        let states = [
            json!({ "a": 1, "list": [1, 2], "jobs": [{ "id": 2, "x": 1 }, { "id": 1, "x": null }], "b": null }),
            json!({ "a": 2, "list": [], "jobs": [{ "id": 3, "x": 1 }, { "id": 1, "x": 4 }], "b": { "c": 1 } }),
            json!({ "a": 2, "list": [{ "d/e": 1 }], "jobs": [{ "id": 1, "x": 4 }, { "id": 3, "x": 2 }], "b": { "c": 2, "~": 3 } }),
            json!({ "a": 2, "list": [{ "d/e": 2 }], "jobs": [], "b": { "~": 4 } }),
        ];
        for old in &states {
            for new in &states {
                check(old.clone(), new.clone(), false);
                check(old.clone(), new.clone(), true);
            }
        }
    }
}
