//! `/api/v1/policies`: what decides, and how it is changed while everything runs.

use super::body::Body;
use super::{App, query};
use crate::policy_install::Offer;
use crate::problem::{ApiError, sentence};
use crate::versions::activation;
use crate::wire::{PolicyCheck, PolicyDetail, PolicyList, PolicyProblem, PolicySetting, ReplayBudgets};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use pointsman_model::policy::{PolicyDescription, PolicyKind, Setting, SettingSpec, Value};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;

/// Activations of a kind that the list tells.
const ACTIVATIONS: u32 = 200;

/// Body of `check` and `activate`: a file's name, and its bytes as text or in base64.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyUpload {
    pub file: String,
    #[serde(default)]
    pub text: Option<String>,
    #[serde(default)]
    pub code_base64: Option<String>,
    /// Values by name; what is not named has the policy's default.
    #[serde(default)]
    pub settings: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    pub reason: String,
    /// Text of `FILE.sig`.
    #[serde(default)]
    pub signature: Option<String>,
    /// What the replay may find; the host's own budgets where there are none.
    #[serde(default)]
    pub budgets: Option<ReplayBudgets>,
    /// Whether the sender vouches for it: a script then runs natively, outside the sandbox.
    #[serde(default)]
    pub trusted: bool,
}

/// Longest signature file that is looked at.
const SIGNATURE_BYTES_MAX: usize = 4 << 10;

impl PolicyUpload {
    pub fn offer(self) -> Result<(Offer, String), ApiError> {
        let PolicyUpload {
            file,
            text,
            code_base64,
            settings,
            reason,
            signature,
            budgets,
            trusted,
        } = self;
        let wrong = |pointer: &str, detail: &str| {
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_field", "a field of the body is wrong").field(pointer, detail)
        };
        if file.is_empty() || file.len() > 200 || file.chars().any(|letter| letter.is_control() || letter == '/' || letter == '\\') {
            return Err(wrong("/file", "a file's name of 1 to 200 bytes, without a directory"));
        }
        let code = match (text, code_base64) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(code)) => base64::engine::general_purpose::STANDARD
                .decode(code.trim())
                .map_err(|error| wrong("/code_base64", &format!("not base64: {error}")))?,
            (Some(_), Some(_)) | (None, None) => return Err(wrong("/text", "either text or code_base64")),
        };
        let settings = settings_of(settings).map_err(|(name, detail)| wrong(&format!("/settings/{name}"), detail))?;
        if signature.as_ref().is_some_and(|text| text.len() > SIGNATURE_BYTES_MAX) {
            return Err(wrong("/signature", "longer than any signature is"));
        }
        let budgets = budgets.unwrap_or_default();
        if let Err((field, problem)) = crate::dry_run::budgets(&budgets) {
            return Err(wrong(&format!("/budgets/{field}"), &problem));
        }
        let offer = Offer {
            file,
            code,
            settings,
            signature,
            budgets,
            trusted,
        };
        Ok((offer, reason))
    }
}

/// Settings as JSON values; a list or an object is none.
pub fn settings_of(values: BTreeMap<String, serde_json::Value>) -> Result<Vec<Setting>, (String, &'static str)> {
    values
        .into_iter()
        .map(|(name, value)| match value {
            serde_json::Value::Bool(flag) => Ok(Setting {
                name,
                value: Value::Flag(flag),
            }),
            serde_json::Value::Number(number) => match number.as_f64() {
                Some(number) => Ok(Setting {
                    name,
                    value: Value::Number(number),
                }),
                None => Err((name, "a number out of range")),
            },
            serde_json::Value::String(text) => Ok(Setting {
                name,
                value: Value::Text(text),
            }),
            serde_json::Value::Null | serde_json::Value::Array(_) | serde_json::Value::Object(_) => {
                Err((name, "a setting is true, false, a number or a text"))
            }
        })
        .collect()
}

pub(super) async fn list(State(app): State<App>) -> Result<Json<PolicyList>, ApiError> {
    let descriptions: BTreeMap<PolicyKind, PolicyDescription> = app
        .inbox
        .look(|state| {
            let active =
                |(kind, slot): (&PolicyKind, &pointsman_coordinator::PolicySlot)| Some((*kind, slot.active.as_ref()?.description.clone()));
            state.policies.iter().filter_map(active).collect()
        })
        .await?;
    let rows = query(&app, "listing activations", |reader| {
        PolicyKind::ALL
            .into_iter()
            .map(|kind| Ok((kind, reader.activations(Some(kind), ACTIVATIONS)?)))
            .collect::<Result<BTreeMap<_, _>, _>>()
    })
    .await?;
    let mut rows = rows;
    let policies = app.hub.latest().policies.into_iter().map(|card| {
        let kind = PolicyKind::parse(&card.kind);
        let description = kind.and_then(|kind| descriptions.get(&kind));
        let activations = kind.and_then(|kind| rows.remove(&kind)).unwrap_or_default();
        PolicyDetail {
            settings: description.map(settings_rows).unwrap_or_default(),
            fuel: description.map_or(0, |description| description.limits.fuel),
            deadline_ms: description.map_or(0, |description| description.limits.deadline_ms),
            memory_bytes: description.map_or(0, |description| description.limits.memory_bytes),
            code_bytes: description.map_or(0, |description| description.code_bytes),
            activations: activations.iter().map(|row| activation(row, None)).collect(),
            card,
        }
    });
    Ok(Json(PolicyList {
        policies: policies.collect(),
    }))
}

pub(super) async fn check(State(app): State<App>, Body(upload): Body<PolicyUpload>) -> Result<Json<PolicyCheck>, ApiError> {
    let (offer, _) = upload.offer()?;
    let checked = blocking(move || app.policies.check(&offer)).await?;
    Ok(Json(match checked {
        Ok(checked) => accepted(&checked.description),
        Err(problem) => refused(problem),
    }))
}

/// What was accepted, for `check`.
pub fn accepted(description: &PolicyDescription) -> PolicyCheck {
    PolicyCheck {
        ok: true,
        kind: Some(description.kind.slug().to_string()),
        policy: Some(description.policy.to_string()),
        digest: Some(description.policy.digest.to_string()),
        summary: Some(description.summary.clone()),
        problem: None,
    }
}

pub fn refused(problem: PolicyProblem) -> PolicyCheck {
    PolicyCheck {
        ok: false,
        kind: None,
        policy: None,
        digest: None,
        summary: None,
        problem: Some(problem),
    }
}

pub(super) fn problem_error(problem: PolicyProblem) -> ApiError {
    let place = [problem.line, problem.column]
        .into_iter()
        .flatten()
        .map(|number| format!(":{number}"))
        .collect::<String>();
    let mut error = ApiError::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        &problem.code,
        format!(
            "{}{place}: {} The version before goes on serving.",
            problem.file,
            sentence(&problem.message)
        ),
    );
    error.0.fix = problem.fix;
    error
}

pub(super) async fn blocking<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(run)
        .await
        .map_err(|error| ApiError::internal("checking a policy", error))
}

pub fn settings_rows(description: &PolicyDescription) -> Vec<PolicySetting> {
    let row = |spec: &SettingSpec| {
        let value = description
            .settings
            .iter()
            .find(|setting| setting.name == spec.name)
            .map_or(&spec.default, |setting| &setting.value);
        PolicySetting {
            name: spec.name.clone(),
            help: spec.help.clone(),
            value: plain(value),
            default: plain(&spec.default),
            minimum: spec.minimum,
            maximum: spec.maximum,
        }
    };
    description.settings_schema.iter().map(row).collect()
}

fn plain(value: &Value) -> serde_json::Value {
    match value {
        Value::Flag(flag) => json!(flag),
        Value::Number(number) => json!(number),
        Value::Text(text) => json!(text),
    }
}
