//! Policy versions as the journal keeps them: found by what people call them, shown, compared, taken out again.

use crate::policy_install::Offer;
use crate::problem::ApiError;
use crate::wire::{Activation, FieldDiff, VersionDetail, VersionDiff, VersionRow};
use axum::http::StatusCode;
use pointsman_journal::{ActivationRow, PolicyVersionRow, ReadError, Reader, VersionUse};
use pointsman_model::event::Event;
use pointsman_model::policy::{EngineKind, PolicyDescription, PolicyKind, PolicyLimits, SwapReport, Value};
use pointsman_model::{Digest, Seq};
use std::collections::{BTreeMap, BTreeSet};

/// Versions that are looked through, newest first.
const VERSIONS_MAX: u32 = 1_000;
/// Changes of the active policy that are looked through for who signed what, newest first.
const ACTIVATIONS_MAX: u32 = 1_000;
/// Shortest beginning of a digest that is taken for one.
const DIGEST_PREFIX_MIN: usize = 6;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum VersionError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("no version '{0}' has ever been active here")]
    Unknown(String),
    #[error("'{0}' is the beginning of several digests")]
    Ambiguous(String),
    #[error("the code of {0} is not in the journal")]
    NoCode(String),
}

impl From<VersionError> for ApiError {
    fn from(error: VersionError) -> ApiError {
        match error {
            VersionError::Read(error) => ApiError::internal("reading policy versions", error),
            VersionError::Unknown(_) => {
                ApiError::not_found("no_such_version", error.to_string()).fix("`pointsman policy versions` lists them")
            }
            VersionError::Ambiguous(_) => {
                ApiError::new(StatusCode::CONFLICT, "ambiguous_version", error.to_string()).fix("give more of its digits")
            }
            VersionError::NoCode(_) => ApiError::not_found("no_code", error.to_string()).fix("activate the file again"),
        }
    }
}

/// All versions of a name: a digest or its beginning names one, `name@version` the newest of that name and version, and
/// a name all of its versions. Newest first, never empty.
pub fn find_all(reader: &Reader, text: &str) -> Result<Vec<PolicyVersionRow>, VersionError> {
    if let Some(digest) = Digest::parse(text)
        && let Some(row) = reader.policy_version(digest)?
    {
        return Ok(vec![row]);
    }
    let versions = reader.policy_versions(None, VERSIONS_MAX)?;
    let is_digest = text.len() >= DIGEST_PREFIX_MIN && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_digest {
        let begins = |row: &&PolicyVersionRow| row.description.policy.digest.to_string().starts_with(&text.to_lowercase());
        let found: Vec<PolicyVersionRow> = versions.iter().filter(begins).cloned().collect();
        match found.len() {
            0 => {}
            1 => return Ok(found),
            _ => return Err(VersionError::Ambiguous(text.to_string())),
        }
    }
    let called = |row: &PolicyVersionRow| row.description.policy.name == text || row.description.policy.to_string() == text;
    let found: Vec<PolicyVersionRow> = versions.into_iter().filter(called).collect();
    if found.is_empty() {
        return Err(VersionError::Unknown(text.chars().take(128).collect()));
    }
    Ok(found)
}

/// The newest of [`find_all`].
pub fn find(reader: &Reader, text: &str) -> Result<PolicyVersionRow, VersionError> {
    let found = find_all(reader, text)?;
    found.into_iter().next().ok_or_else(|| VersionError::Unknown(text.to_string()))
}

/// What the lists need beside the versions themselves, read once.
pub struct Known {
    uses: BTreeMap<Digest, VersionUse>,
    activations: Vec<(ActivationRow, Option<SwapReport>)>,
    /// Who signed what was in canary.
    canaries: BTreeMap<Digest, String>,
}

impl Known {
    pub fn read(reader: &Reader) -> Result<Known, ReadError> {
        let activations = reader
            .activations(None, ACTIVATIONS_MAX)?
            .into_iter()
            .map(|row| Ok((report_of(reader, row.seq)?, row)))
            .map(|read: Result<_, ReadError>| read.map(|(report, row)| (row, report)))
            .collect::<Result<Vec<_>, ReadError>>()?;
        let mut canaries = BTreeMap::new();
        for row in reader.policy_canaries(None, ACTIVATIONS_MAX)? {
            if let Some(name) = report_of(reader, row.seq)?.and_then(|report| report.signed_by) {
                canaries.insert(row.policy.digest, name);
            }
        }
        Ok(Known {
            uses: reader.version_uses()?,
            activations,
            canaries,
        })
    }

    pub fn row(&self, version: &PolicyVersionRow) -> VersionRow {
        let PolicyDescription {
            policy, kind, code_bytes, ..
        } = &version.description;
        let of_this = || self.activations.iter().filter(|(row, _)| row.policy.digest == policy.digest);
        VersionRow {
            name: policy.name.clone(),
            version: policy.version.clone(),
            kind: kind.slug().to_string(),
            engine: policy.engine.slug().to_string(),
            digest: policy.digest.to_string(),
            code_digest: None,
            code_bytes: *code_bytes,
            first_seen: version.first_seen,
            last_active_at: version.last_active,
            active: version.active,
            decisions: self.uses.get(&policy.digest).map_or(0, |uses| uses.decisions),
            signed_by: of_this()
                .find_map(|(_, report)| report.as_ref())
                .and_then(|report| report.signed_by.clone())
                .or_else(|| self.canaries.get(&policy.digest).cloned()),
        }
    }

    pub fn detail(&self, reader: &Reader, version: &PolicyVersionRow) -> Result<VersionDetail, VersionError> {
        let PolicyDescription {
            policy,
            summary,
            limits: PolicyLimits {
                fuel,
                deadline_ms,
                memory_bytes,
            },
            state_version,
            ..
        } = &version.description;
        let code = reader.policy_code(policy.digest)?;
        let of_this = self.activations.iter().filter(|(row, _)| row.policy.digest == policy.digest);
        Ok(VersionDetail {
            row: VersionRow {
                code_digest: code.map(|row| pointsman_policy::sha256(&row.code).to_string()),
                ..self.row(version)
            },
            summary: summary.clone(),
            settings: crate::http::settings_rows(&version.description),
            fuel: *fuel,
            deadline_ms: *deadline_ms,
            memory_bytes: *memory_bytes,
            state_version: *state_version,
            activations: of_this.map(|(row, report)| activation(row, report.as_ref())).collect(),
        })
    }

    pub fn diff(&self, reader: &Reader, a: &PolicyVersionRow, b: &PolicyVersionRow) -> Result<VersionDiff, VersionError> {
        let settings = |version: &PolicyVersionRow| -> BTreeMap<String, String> {
            let settings = version.description.settings.iter();
            settings.map(|setting| (setting.name.clone(), plain(&setting.value))).collect()
        };
        let limits = |version: &PolicyVersionRow| -> BTreeMap<String, String> {
            let PolicyLimits {
                fuel,
                deadline_ms,
                memory_bytes,
            } = version.description.limits;
            BTreeMap::from([
                ("fuel".to_string(), fuel.to_string()),
                ("deadline_ms".to_string(), deadline_ms.to_string()),
                ("memory_bytes".to_string(), memory_bytes.to_string()),
            ])
        };
        let (code_a, code_b) = (code(reader, a)?, code(reader, b)?);
        let metadata = |version: &PolicyVersionRow, code: &[u8]| -> BTreeMap<String, String> {
            let description = &version.description;
            let mut fields = BTreeMap::from([
                ("name".to_string(), description.policy.name.clone()),
                ("version".to_string(), description.policy.version.clone()),
                ("kind".to_string(), description.kind.slug().to_string()),
                ("engine".to_string(), description.policy.engine.slug().to_string()),
                ("summary".to_string(), description.summary.clone()),
                ("state_version".to_string(), description.state_version.to_string()),
                ("code_bytes".to_string(), description.code_bytes.to_string()),
                ("code_sha256".to_string(), pointsman_policy::sha256(code).to_string()),
            ]);
            for spec in &description.settings_schema {
                let bounds = match (spec.minimum, spec.maximum) {
                    (None, None) => String::new(),
                    (low, high) => {
                        let bound = |bound: Option<f64>| bound.map(|bound| bound.to_string()).unwrap_or_default();
                        format!(", from {} to {}", bound(low), bound(high))
                    }
                };
                let told = format!("{} (default {}{bounds})", spec.help, plain(&spec.default));
                fields.insert(format!("setting {}", spec.name), told);
            }
            fields
        };
        let text = |code: &[u8], version: &PolicyVersionRow| match version.description.policy.engine {
            EngineKind::Component | EngineKind::WarmComponent | EngineKind::BuiltIn => None,
            EngineKind::Rhai | EngineKind::TrustedRhai => String::from_utf8(code.to_vec()).ok(),
        };
        let unified = match (text(&code_a, a), text(&code_b, b)) {
            (Some(old), Some(new)) if old != new => Some(
                similar::TextDiff::from_lines(&old, &new)
                    .unified_diff()
                    .context_radius(3)
                    .header(&label(a), &label(b))
                    .to_string(),
            ),
            (_, _) => None,
        };
        Ok(VersionDiff {
            metadata: differences(metadata(a, &code_a), metadata(b, &code_b)),
            settings: differences(settings(a), settings(b)),
            limits: differences(limits(a), limits(b)),
            code: unified,
            a: self.row(a),
            b: self.row(b),
        })
    }
}

/// A kept version as it would be offered again, with the signature that it came with.
pub fn offer(reader: &Reader, version: &PolicyVersionRow) -> Result<Offer, VersionError> {
    let PolicyDescription { policy, settings, .. } = &version.description;
    let ending = match policy.engine {
        EngineKind::Component | EngineKind::WarmComponent => "wasm",
        EngineKind::Rhai | EngineKind::TrustedRhai | EngineKind::BuiltIn => "rhai",
    };
    Ok(Offer {
        file: format!("{policy}.{ending}"),
        code: code(reader, version)?,
        settings: settings.clone(),
        trusted: policy.engine == EngineKind::TrustedRhai,
        signature: signature_of(reader, policy.digest)?,
        ..Offer::default()
    })
}

/// The text of the signature that a version came into service or into canary with.
pub fn signature_of(reader: &Reader, version: Digest) -> Result<Option<String>, ReadError> {
    for seq in reader.entries_into_service(version)? {
        if let Some(signature) = report_of(reader, seq)?.and_then(|report| report.signature) {
            return Ok(Some(signature));
        }
    }
    Ok(None)
}

/// Changes of the active policy in which one of these versions came into service, newest first.
pub fn activations_of(reader: &Reader, versions: &[PolicyVersionRow]) -> Result<Vec<Activation>, ReadError> {
    let digests: BTreeSet<Digest> = versions.iter().map(|row| row.description.policy.digest).collect();
    let kinds: BTreeSet<PolicyKind> = versions.iter().map(|row| row.description.kind).collect();
    let mut found = Vec::new();
    for kind in kinds {
        for row in reader.activations(Some(kind), ACTIVATIONS_MAX)? {
            if digests.contains(&row.policy.digest) {
                found.push(activation(&row, report_of(reader, row.seq)?.as_ref()));
            }
        }
    }
    found.sort_by_key(|activation| std::cmp::Reverse(activation.seq));
    Ok(found)
}

pub fn code(reader: &Reader, version: &PolicyVersionRow) -> Result<Vec<u8>, VersionError> {
    let policy = &version.description.policy;
    let row = reader.policy_code(policy.digest)?;
    Ok(row.ok_or_else(|| VersionError::NoCode(policy.to_string()))?.code)
}

/// What the stages of the swap found, as it stands in the journal.
pub fn report_of(reader: &Reader, seq: Seq) -> Result<Option<SwapReport>, ReadError> {
    let Some(entry) = reader.entry(seq)? else { return Ok(None) };
    let event: Event = serde_json::from_str(&entry.payload).map_err(|source| ReadError::Entry { seq, source })?;
    Ok(match event {
        Event::PolicyActivated { report, .. } | Event::PolicyCanaryStarted { report, .. } => report,
        _ => None,
    })
}

pub fn activation(row: &ActivationRow, report: Option<&SwapReport>) -> Activation {
    Activation {
        seq: row.seq.0,
        at: row.at,
        kind: row.kind.slug().to_string(),
        generation: row.generation,
        policy: row.policy.to_string(),
        digest: row.policy.digest.to_string(),
        engine: row.policy.engine.slug().to_string(),
        previous: row
            .previous
            .as_ref()
            .map(|previous| format!("{}@{}", previous.name, previous.version)),
        actor: row.actor.clone(),
        reason: row.reason.clone(),
        rolled_back: row.rolled_back,
        set: row.set,
        confirm_by: row.confirm_by,
        confirmed_at: row.confirmed_at,
        ended_at: row.ended_at,
        outcome: row.outcome.map(|outcome| outcome.slug().to_string()),
        state: row.state.clone(),
        after_decision: row.decisions_before.0,
        last_decision: row.decisions_until.map(|id| id.0),
        report: report.map_or(serde_json::Value::Null, |report| serde_json::json!(report)),
    }
}

fn label(version: &PolicyVersionRow) -> String {
    let policy = &version.description.policy;
    format!("{policy} ({})", policy.digest.short())
}

fn differences(mut a: BTreeMap<String, String>, b: BTreeMap<String, String>) -> Vec<FieldDiff> {
    let mut found = Vec::new();
    for (name, after) in b {
        let before = a.remove(&name);
        if before.as_ref() != Some(&after) {
            found.push(FieldDiff {
                name,
                before,
                after: Some(after),
            });
        }
    }
    found.extend(a.into_iter().map(|(name, before)| FieldDiff {
        name,
        before: Some(before),
        after: None,
    }));
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

fn plain(value: &Value) -> String {
    match value {
        Value::Flag(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Text(text) => text.clone(),
    }
}
