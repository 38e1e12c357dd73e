//! Shapes of live settings, their history and presets.

use super::Capacity;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use ts_rs::TS;
use utoipa::ToSchema;

/// What a read model was made from and when: shown with it, so that nobody takes old figures for new ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct ViewStamp {
    /// Digest of the content: equal for equal content, whatever the time. The answer's ETag is the same.
    pub fingerprint: String,
    /// Journal position it was made at.
    pub seq: u64,
    /// Server time at which it was made.
    pub generated_at: u64,
    /// How old it was when it was sent; 0 where it was made for this answer. What is streamed has 0: count from generated_at.
    pub age_ms: u64,
    /// How long it may be shown before it has to be read again.
    pub ttl_ms: u64,
}

/// `GET /api/v1/settings/form`: every live setting with its words and bounds, and the ceilings that follow from them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct SettingsForm {
    pub view: ViewStamp,
    /// To be sent as `If-Match` with a change.
    pub etag: String,
    pub groups: Vec<SettingsGroup>,
    /// Facts that executors declare of themselves; not to be changed here.
    pub declared: Vec<SettingRow>,
    /// How many training runs there may really be, and what runs.
    pub capacity: Capacity,
}

/// Settings that belong together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct SettingsGroup {
    /// training, promotion, guards, all_tasks
    pub slug: String,
    pub label: String,
    pub help: String,
    /// Whether they may be changed here.
    pub writable: bool,
    pub settings: Vec<SettingRow>,
}

/// One live setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct SettingRow {
    pub name: String,
    pub label: String,
    pub help: String,
    /// runs, s, share ...; empty where it has none.
    pub unit: String,
    /// As the coordinator has it now.
    #[ts(type = "boolean | number | string | null")]
    pub value: Value,
    #[ts(type = "boolean | number | string | null")]
    pub default: Value,
    /// Least value that is taken; it may depend on other settings.
    pub minimum: Option<f64>,
    /// Largest value that is taken; it may depend on other settings.
    pub maximum: Option<f64>,
    /// Words it is one of; empty where it is no word.
    pub choices: Vec<String>,
    /// Whether it may be none.
    pub may_be_none: bool,
}

/// How many training runs there may really be, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Ceiling {
    /// Most runs of all classes.
    pub global_max: u32,
    /// Slots of these that training never takes.
    pub reserved_slots: u32,
    /// What the reserved slots leave: global_max less reserved_slots.
    pub left_for_training: u32,
    /// Most training runs that are wanted.
    pub training_max_active: u32,
    /// Most training runs that there will be: the lesser of the two before.
    pub effective: u32,
    /// The same in one sentence.
    pub words: String,
}

/// One setting that is, or would be, changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct SettingDiff {
    pub name: String,
    pub label: String,
    #[ts(type = "boolean | number | string | null")]
    pub before: Value,
    #[ts(type = "boolean | number | string | null")]
    pub after: Value,
}

/// Answer of a change of settings, or of its dry run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct SettingsAnswer {
    /// Nothing was changed: this is what would be.
    pub dry_run: bool,
    /// Empty where the live values are the wanted ones already.
    pub changes: Vec<SettingDiff>,
    /// Journal position of the change; none where nothing was changed.
    pub seq: Option<u64>,
    /// The tag of the settings as they are now, or would be.
    pub etag: String,
    /// The settings as they are now, or would be.
    #[ts(type = "Record<string, boolean | number | string | null>")]
    pub settings: Value,
    pub ceiling: Ceiling,
}

/// `GET /api/v1/settings/history`, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct SettingsHistory {
    pub changes: Vec<SettingsChange>,
    pub next_cursor: Option<String>,
}

/// One change of settings: who, when, what and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct SettingsChange {
    /// Journal position; undo it by this number.
    pub seq: u64,
    /// When it was made.
    pub at: u64,
    pub actor: String,
    pub reason: String,
    /// edited, undone, preset, configured
    pub cause: String,
    /// The change that was undone.
    pub undoes: Option<u64>,
    /// The preset that was applied.
    pub preset: Option<String>,
    pub changes: Vec<SettingDiff>,
}

/// `GET /api/v1/settings/presets`, by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct PresetList {
    pub presets: Vec<PresetRow>,
}

/// Values of some settings under a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct PresetRow {
    pub name: String,
    pub note: String,
    /// The values it sets, by the name of the setting.
    #[ts(type = "Record<string, boolean | number | string | null>")]
    pub values: BTreeMap<String, Value>,
    pub actor: String,
    /// When it was saved.
    pub saved_at: u64,
    /// Whether the live settings have these values now.
    pub is_live: bool,
}

/// Body of `PUT /api/v1/settings/presets/{name}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PresetBody {
    /// Values by the name of the setting; all that may be changed here, as they are now, where none are named.
    #[ts(type = "Record<string, boolean | number | string | null>")]
    pub values: Option<BTreeMap<String, Value>>,
    /// What it is for.
    pub note: String,
}
