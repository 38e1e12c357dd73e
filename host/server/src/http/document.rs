//! The API's own description: the document, its page, and what each field means.

use super::body::Query;
use super::openapi;
use crate::wire::{FieldHelp, HelpList};
use axum::Json;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

pub(super) async fn show() -> Json<&'static Value> {
    Json(openapi())
}

pub(super) async fn page() -> Response {
    file("text/html; charset=utf-8", include_str!("docs.html"))
}

pub(super) async fn script() -> Response {
    file("text/javascript; charset=utf-8", include_str!("docs.js"))
}

pub(super) async fn style() -> Response {
    file("text/css; charset=utf-8", include_str!("docs.css"))
}

fn file(kind: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], text).into_response()
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HelpQuery {
    /// A field (`Totals.live_applies`, `live_applies`) or a type; all of them where none is named.
    name: Option<String>,
}

pub(super) async fn help(Query(HelpQuery { name }): Query<HelpQuery>) -> Json<HelpList> {
    let fields = fields();
    Json(HelpList {
        fields: match name {
            Some(name) => find(fields, &name),
            None => fields,
        },
    })
}

/// Every type and field of the document that has words, by name.
pub(crate) fn fields() -> Vec<FieldHelp> {
    let none = serde_json::Map::new();
    let schemas = openapi()["components"]["schemas"].as_object().unwrap_or(&none);
    let mut fields = Vec::new();
    for (name, schema) in schemas {
        if let Some(help) = schema["description"].as_str() {
            fields.push(FieldHelp {
                name: name.clone(),
                help: help.to_string(),
                kind: "object".to_string(),
            });
        }
        for (field, schema) in schema["properties"].as_object().unwrap_or(&none) {
            fields.push(FieldHelp {
                name: format!("{name}.{field}"),
                help: words(schema),
                kind: kind(schema),
            });
        }
    }
    fields.retain(|field| !field.help.is_empty());
    fields.sort_by(|one, other| one.name.cmp(&other.name));
    fields
}

/// Fields of this name: with its type, or by itself, or as a type with all its fields.
pub(crate) fn find(fields: Vec<FieldHelp>, name: &str) -> Vec<FieldHelp> {
    let wanted = name.trim().to_ascii_lowercase();
    let named = |field: &FieldHelp| {
        let known = field.name.to_ascii_lowercase();
        known == wanted || known.split_once('.').is_some_and(|(kind, field)| kind == wanted || field == wanted)
    };
    fields.into_iter().filter(named).collect()
}

/// A property's own words, or those of the type that it is.
fn words(schema: &Value) -> String {
    if let Some(words) = schema["description"].as_str() {
        return words.to_string();
    }
    let named = schema["$ref"].as_str().or_else(|| {
        let one_of = schema["oneOf"].as_array()?;
        one_of.iter().find_map(|schema| schema["$ref"].as_str())
    });
    let name = named.and_then(|reference| reference.rsplit('/').next());
    let told = name.and_then(|name| openapi()["components"]["schemas"][name]["description"].as_str());
    told.unwrap_or_default().to_string()
}

fn kind(schema: &Value) -> String {
    let word = |kind: &str| match kind {
        "integer" | "number" => "number",
        "string" => "text",
        "boolean" => "flag",
        "array" => "list",
        _ => "object",
    };
    match &schema["type"] {
        Value::String(kind) => word(kind).to_string(),
        Value::Array(kinds) => {
            let kinds: Vec<&str> = kinds.iter().filter_map(Value::as_str).collect();
            let first = kinds.iter().find(|kind| **kind != "null").map_or("object", |kind| word(kind));
            let none = if kinds.contains(&"null") { "?" } else { "" };
            format!("{first}{none}")
        }
        _ if schema["oneOf"].is_array() => "object?".to_string(),
        _ => "object".to_string(),
    }
}

/// The words of one field; empty where there are none.
pub(super) fn help_of(name: &str) -> String {
    let Some((kind, field)) = name.split_once('.') else {
        return String::new();
    };
    words(&openapi()["components"]["schemas"][kind]["properties"][field])
}
