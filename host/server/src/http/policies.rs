//! `/api/v1/policies`: what decides, and how it is changed while everything runs.

use super::body::Body;
use super::{App, query};
use crate::policy_install::Offer;
use crate::problem::ApiError;
use crate::versions::{self, activation};
use crate::wire::{PolicyCheck, PolicyDetail, PolicyList, PolicyProblem, PolicySetting, ReplayBudgets};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use pointsman_model::policy::{PolicyDescription, PolicyKind, Setting, SettingSpec, Value};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Activations of a kind that the list tells.
const ACTIVATIONS: u32 = 200;

/// Body of `check`, `shadow` and `replay`, and each policy of `activate`: a file's name, and its bytes as text or in
/// base64; or a version that the journal keeps.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyUpload {
    pub file: String,
    pub text: Option<String>,
    pub code_base64: Option<String>,
    /// Instead of a file: a version that was active before, its digest or `name@version`. It comes with its settings and
    /// with the signature that it has on record.
    pub stored: Option<String>,
    /// Values by name; what is not named has the policy's default, or the value of the stored version.
    pub settings: BTreeMap<String, serde_json::Value>,
    pub reason: String,
    /// Text of `FILE.sig`.
    pub signature: Option<String>,
    /// What the replay may find; the host's own budgets where there are none.
    pub budgets: Option<ReplayBudgets>,
    /// Whether the sender vouches for it: a script then runs natively, outside the sandbox.
    pub trusted: bool,
}

/// Longest signature file that is looked at.
const SIGNATURE_BYTES_MAX: usize = 4 << 10;

impl PolicyUpload {
    /// What is offered, without a journal to look into.
    pub fn offer(self) -> Result<Offer, ApiError> {
        self.offer_with(|version| Err(wrong("/stored", &format!("{version} is not looked up here: give its file"))))
    }

    /// What is offered; `kept` finds a version in the journal.
    fn offer_with(self, kept: impl FnOnce(&str) -> Result<Offer, ApiError>) -> Result<Offer, ApiError> {
        let PolicyUpload {
            file,
            text,
            code_base64,
            stored,
            settings,
            // Of no use without an activation, which has one of its own.
            reason: _,
            signature,
            budgets,
            trusted,
        } = self;
        let settings = settings_of(settings).map_err(|(name, detail)| wrong(&format!("/settings/{name}"), detail))?;
        if signature.as_ref().is_some_and(|text| text.len() > SIGNATURE_BYTES_MAX) {
            return Err(wrong("/signature", "longer than any signature is"));
        }
        let budgets = budgets.unwrap_or_default();
        if let Err((field, problem)) = crate::dry_run::budgets(&budgets) {
            return Err(wrong(&format!("/budgets/{field}"), &problem));
        }
        if let Some(version) = stored {
            if !file.is_empty() || text.is_some() || code_base64.is_some() {
                return Err(wrong("/stored", "either a stored version or a file"));
            }
            let kept = kept(&version)?;
            return Ok(Offer {
                settings: changed(kept.settings, settings),
                signature: signature.or(kept.signature),
                trusted: trusted || kept.trusted,
                budgets,
                ..kept
            });
        }
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
        Ok(Offer {
            file,
            code,
            settings,
            signature,
            budgets,
            trusted,
        })
    }
}

fn wrong(pointer: &str, detail: &str) -> ApiError {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_field", "a field of the body is wrong").field(pointer, detail)
}

/// Settings with some of them changed.
fn changed(mut settings: Vec<Setting>, changes: Vec<Setting>) -> Vec<Setting> {
    for change in changes {
        match settings.iter_mut().find(|setting| setting.name == change.name) {
            Some(setting) => *setting = change,
            // The policy's schema says whether there is such a setting.
            None => settings.push(change),
        }
    }
    settings
}

/// What is uploaded, and what the journal keeps of it.
pub(super) async fn offers_of(app: &App, uploads: Vec<PolicyUpload>) -> Result<Vec<Offer>, ApiError> {
    let offers = query(app, "reading policy versions", move |reader| {
        let kept = |text: &str| Ok(versions::offer(reader, &versions::find(reader, text)?)?);
        let offers = uploads.into_iter().map(|upload| upload.offer_with(kept));
        Ok(offers.collect::<Result<Vec<Offer>, ApiError>>())
    });
    offers.await?
}

pub(super) async fn offer_of(app: &App, upload: PolicyUpload) -> Result<Offer, ApiError> {
    let offers = offers_of(app, vec![upload]).await?;
    offers.into_iter().next().ok_or_else(|| wrong("/file", "name a policy"))
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
    app.hub.caught_up().await;
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
    let offer = offer_of(&app, upload).await?;
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
        settings: settings_rows(description),
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
        settings: Vec::new(),
        problem: Some(problem),
    }
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
