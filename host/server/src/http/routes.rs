//! Routes and their description, entered together: what is not described cannot be reached, and what is described is there.
//!
//! Schemas come from the wire types ([`ToSchema`]), so that the doc of a field is at the same time its help on the page, on
//! the command line and in the document.

use super::App;
use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodRouter, delete, get, patch, post, put};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::openapi::path::Parameter;
use utoipa::{IntoParams, ToSchema};

/// The OpenAPI document's version of this API.
const API_VERSION: &str = "1";

/// What is said of one operation.
#[derive(Clone, Debug)]
pub(super) struct About {
    summary: &'static str,
    detail: &'static str,
    query: Vec<Value>,
    body: Option<(Value, bool)>,
    answers: Vec<(u16, &'static str, Option<(&'static str, Value)>)>,
    schemas: BTreeMap<String, Value>,
    is_change: bool,
    if_match: Option<bool>,
}

pub(super) fn about(summary: &'static str) -> About {
    About {
        summary,
        detail: "",
        query: Vec::new(),
        body: None,
        answers: Vec::new(),
        schemas: BTreeMap::new(),
        is_change: false,
        if_match: None,
    }
}

impl About {
    pub(super) fn detail(mut self, detail: &'static str) -> About {
        self.detail = detail;
        self
    }

    pub(super) fn query<T: IntoParams>(mut self) -> About {
        let parameters = T::into_params(|| Some(utoipa::openapi::path::ParameterIn::Query));
        self.query.extend(parameters.into_iter().map(query_parameter));
        self
    }

    pub(super) fn body<T: ToSchema>(mut self) -> About {
        self.body = Some((self.refer::<T>(), true));
        self
    }

    pub(super) fn optional_body<T: ToSchema>(mut self) -> About {
        self.body = Some((self.refer::<T>(), false));
        self
    }

    pub(super) fn answers<T: ToSchema>(self) -> About {
        self.answers_at::<T>(200, "Done.")
    }

    pub(super) fn answers_at<T: ToSchema>(mut self, status: u16, words: &'static str) -> About {
        let schema = self.refer::<T>();
        self.answers.push((status, words, Some(("application/json", schema))));
        self
    }

    /// An answer that is no JSON of ours.
    pub(super) fn answers_with(mut self, kind: &'static str, words: &'static str) -> About {
        let schema = if kind.ends_with("json") {
            json!({})
        } else {
            json!({ "type": "string" })
        };
        self.answers.push((200, words, Some((kind, schema))));
        self
    }

    /// Done, and there is nothing to say.
    pub(super) fn answers_nothing(mut self, words: &'static str) -> About {
        self.answers.push((204, words, None));
        self
    }

    /// JSON lines, one [`crate::wire::ReplayLine`] each.
    pub(super) fn answers_in_lines<T: ToSchema>(mut self, words: &'static str) -> About {
        let schema = self.refer::<T>();
        self.answers.push((200, words, Some(("application/x-ndjson", schema))));
        self
    }

    /// It changes something: a POST of this kind honours `Idempotency-Key`.
    pub(super) fn changes(mut self) -> About {
        self.is_change = true;
        self
    }

    /// It honours `If-Match`; `required` says whether it is refused without.
    pub(super) fn if_match(mut self, required: bool) -> About {
        self.if_match = Some(required);
        self
    }

    fn refer<T: ToSchema>(&mut self) -> Value {
        let mut schemas = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut schemas);
        for (name, schema) in schemas {
            let schema = serde_json::to_value(schema).expect("a schema is plain data");
            self.schemas.insert(name, schema);
        }
        json!({ "$ref": format!("#/components/schemas/{}", T::name()) })
    }

    /// The operation as OpenAPI has it.
    fn operation(&self, method: &str, path: &str) -> Value {
        let mut parameters: Vec<Value> = segments(path).map(path_parameter).collect();
        parameters.extend(self.query.iter().cloned());
        let header = |name: &str, required: bool, words: &str| json!({ "name": name, "in": "header", "required": required, "description": words, "schema": { "type": "string" } });
        if self.is_change {
            parameters.push(header(
                "X-Pointsman-Actor",
                false,
                "Who asks, for the record: 1 to 64 letters, digits, '-', '_', '.' or '@'.",
            ));
            if method == "post" {
                parameters.push(header(
                    "Idempotency-Key",
                    false,
                    "1 to 200 visible ASCII characters of the caller's own. The same request with the same key within 24 hours is carried out once, and answered as the first time; another request with that key is refused (422).",
                ));
            }
        }
        if let Some(required) = self.if_match {
            parameters.push(header("If-Match", required, "The ETag as it was read, or * for any."));
        }
        if method == "get" {
            parameters.push(header(
                "If-None-Match",
                false,
                "An ETag that is known: where it still holds, the answer is 304 without a body.",
            ));
        }
        let mut responses = Map::new();
        for (status, words, content) in &self.answers {
            let mut response = json!({ "description": words });
            if let Some((kind, schema)) = content {
                response["content"] = json!({ *kind: { "schema": schema } });
            }
            responses.insert(status.to_string(), response);
        }
        for (status, words) in self.refusals(method, path) {
            let problem = json!({ "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } });
            responses.insert(status.to_string(), json!({ "description": words, "content": problem }));
        }
        let mut operation = json!({
            "operationId": operation_id(method, path),
            "tags": [tag(path)],
            "summary": self.summary,
            "parameters": parameters,
            "responses": responses,
        });
        if !self.detail.is_empty() {
            operation["description"] = json!(self.detail);
        }
        if let Some((schema, required)) = &self.body {
            operation["requestBody"] = json!({ "required": required, "content": { "application/json": { "schema": schema } } });
        }
        operation
    }

    fn refusals(&self, method: &str, path: &str) -> BTreeMap<u16, &'static str> {
        let mut refusals = BTreeMap::from([
            (403, "The Host or Origin header names another place."),
            (500, "The host's own failure; its log says more under the trace_id."),
            (
                503,
                "The host is busy, shutting down, or its journal cannot be written now: nothing was changed.",
            ),
        ]);
        if !self.query.is_empty() || path.contains('{') {
            refusals.insert(400, "The path or the query is wrong; errors names the part.");
        }
        if path.contains('{') {
            refusals.insert(404, "There is nothing of that name or number.");
        }
        if self.body.is_some() {
            refusals.insert(400, "The body is no JSON.");
            refusals.insert(408, "The body did not come in in time.");
            refusals.insert(413, "The body is too large.");
            refusals.insert(422, "A field is wrong; errors names each.");
            if self.body.as_ref().is_some_and(|(_, required)| *required) {
                refusals.insert(415, "The body is not application/json.");
            }
        }
        if self.is_change {
            refusals.insert(400, "The request's headers or its body cannot be read.");
            refusals.insert(
                409,
                "It does not fit the present state, or a request with the same Idempotency-Key is under way.",
            );
            refusals.insert(422, "A field is wrong, or the Idempotency-Key was used for another request.");
            refusals.insert(507, "The disk is full: nothing was changed.");
        }
        match self.if_match {
            Some(true) => {
                refusals.insert(412, "It has been changed since it was read.");
                refusals.insert(428, "If-Match is missing.");
            }
            Some(false) => {
                refusals.insert(412, "It has been changed since it was read.");
            }
            None => {}
        }
        if method == "get" {
            refusals.remove(&507);
        }
        refusals
    }
}

/// Router and document as they grow.
pub(super) struct Routes {
    router: Router<App>,
    paths: BTreeMap<String, Map<String, Value>>,
    schemas: BTreeMap<String, Value>,
    changes: BTreeSet<String>,
}

impl Routes {
    pub(super) fn new() -> Routes {
        let mut routes = Routes {
            router: Router::new(),
            paths: BTreeMap::new(),
            schemas: BTreeMap::new(),
            changes: BTreeSet::new(),
        };
        let mut problem = about("");
        problem.refer::<crate::wire::Problem>();
        // Frames of the live stream: no operation answers with them, but they are part of the contract.
        problem.refer::<crate::wire::Frame>();
        routes.schemas.append(&mut problem.schemas);
        routes
    }

    pub(super) fn get<H: Handler<T, App>, T: 'static>(self, path: &str, handler: H, about: About) -> Routes {
        self.add("get", path, get(handler), about)
    }

    pub(super) fn post<H: Handler<T, App>, T: 'static>(self, path: &str, handler: H, about: About) -> Routes {
        self.add("post", path, post(handler), about)
    }

    pub(super) fn put<H: Handler<T, App>, T: 'static>(self, path: &str, handler: H, about: About) -> Routes {
        self.add("put", path, put(handler), about)
    }

    pub(super) fn patch<H: Handler<T, App>, T: 'static>(self, path: &str, handler: H, about: About) -> Routes {
        self.add("patch", path, patch(handler), about)
    }

    pub(super) fn delete<H: Handler<T, App>, T: 'static>(self, path: &str, handler: H, about: About) -> Routes {
        self.add("delete", path, delete(handler), about)
    }

    fn add(mut self, method: &'static str, path: &str, handler: MethodRouter<App>, mut about: About) -> Routes {
        self.router = self.router.route(path, handler);
        self.schemas.append(&mut about.schemas);
        if about.is_change && method == "post" {
            self.changes.insert(path.to_string());
        }
        let operation = about.operation(method, path);
        self.paths
            .entry(path.to_string())
            .or_default()
            .insert(method.to_string(), operation);
        self
    }

    /// Path templates of which a POST changes something.
    pub(super) fn changes(&self) -> &BTreeSet<String> {
        &self.changes
    }

    pub(super) fn into_parts(self) -> (Router<App>, Value) {
        let Routes {
            router,
            paths,
            schemas,
            changes: _,
        } = self;
        let document = json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Pointsman",
                "version": API_VERSION,
                "description": "The control plane of continuous training. Times are milliseconds since 1970, losses bits per byte, durations carry their unit in the name. Every refusal is a problem (RFC 9457) with a stable code, the fields at fault and, where there is one, the cure; a refused request has changed nothing.",
                "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            },
            "servers": [{ "url": "/" }],
            "paths": paths,
            "components": { "schemas": schemas },
        });
        (router, document)
    }
}

/// Names in braces.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

fn path_parameter(name: &str) -> Value {
    let words = match name {
        "id" => "Its number.",
        "kind" => "A kind of policy: source-selection, retry, promotion-gate or curriculum.",
        "version" => "A policy version: its digest, or name@version.",
        "tag" => "A model's tag.",
        "key" => "The key of a quarantined input.",
        "seq" => "A position of the journal.",
        "name" => "Its name.",
        _ => "",
    };
    let schema = match name {
        "id" | "seq" => json!({ "type": "integer", "minimum": 0 }),
        _ => json!({ "type": "string" }),
    };
    json!({ "name": name, "in": "path", "required": true, "description": words, "schema": schema })
}

/// A parameter with words and bounds for those that all lists share.
fn query_parameter(parameter: Parameter) -> Value {
    let mut value = serde_json::to_value(parameter).expect("a parameter is plain data");
    match value["name"].as_str() {
        Some("limit") => {
            value["schema"] = json!({ "type": "integer", "minimum": 1, "maximum": super::LIST_MAX, "default": super::LIST_DEFAULT });
            value["description"] = json!("Most rows of the answer.");
        }
        Some("cursor") => value["description"] = json!("next_cursor of the page before, unchanged; another list's is refused."),
        Some(_) | None => {}
    }
    value
}

fn operation_id(method: &str, path: &str) -> String {
    let words = path
        .split(['/', '-', '.'])
        .filter(|word| !word.is_empty() && *word != "api" && *word != "v1")
        .map(|word| word.trim_matches(['{', '}']));
    let mut id = method.to_string();
    // Two paths answer where a source system names one of its own: each has its name.
    if !path.starts_with("/api/v1/") {
        id.push_str(if path.starts_with("/v1/") { "_openai" } else { "_root" });
    }
    for word in words {
        id.push('_');
        id.push_str(word);
    }
    id
}

fn tag(path: &str) -> &str {
    let rest = path.strip_prefix("/api/v1/").or_else(|| path.strip_prefix("/api/"));
    match rest.map(|rest| rest.split('/').next().unwrap_or(rest)) {
        Some("state" | "health" | "snapshot" | "pipeline" | "evidence") => "overview",
        Some("help" | "openapi.json" | "docs" | "docs.js" | "docs.css") => "document",
        Some(subject) => subject,
        None if path.starts_with("/v1/") => "completions",
        None => "host",
    }
}
