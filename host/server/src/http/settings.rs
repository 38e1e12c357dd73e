//! `/api/v1/settings`: live settings. A change is whole, `If-Match` keeps two people from undoing each other, and every
//! change can be taken back.

use super::body::{Body, OptionalBody, Query};
use super::{App, Page, ReasonBody, actor, covered, id, query, reason, send};
use crate::clock::now_ms;
use crate::problem::ApiError;
use crate::settings::{SETTINGS, diff, groups, merged, tag, values};
use crate::view;
use crate::wire::{
    FieldError, PresetBody, PresetList, PresetRow, SettingDiff, SettingRow, SettingsAnswer, SettingsChange, SettingsForm, SettingsHistory,
    ViewStamp,
};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::{ETAG, IF_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use pointsman_coordinator::Preset;
use pointsman_journal::Reader;
use pointsman_model::command::Command;
use pointsman_model::event::{Event, Recorded};
use pointsman_model::settings::{Settings, SettingsCause, SettingsPreset};
use pointsman_model::{Actor, Seq};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use utoipa::IntoParams;

/// How long a form may be shown before it is read again; a change is told by the live stream earlier.
const FORM_TTL_MS: u64 = 5_000;
/// Changes looked through for what a stale caller had read.
const STALE_LOOKED_AT: u32 = 200;

pub(super) async fn show(State(app): State<App>) -> Result<Response, ApiError> {
    Ok(answer(&current(&app).await?))
}

pub(super) async fn form(State(app): State<App>) -> Result<Response, ApiError> {
    let (settings, capacity) = app.inbox.look(|state| (state.settings.clone(), view::capacity(state))).await?;
    let seq = query(&app, "reading the journal's end", |reader| reader.last_seq()).await?;
    let mut form = SettingsForm {
        view: ViewStamp {
            fingerprint: String::new(),
            seq: seq.0,
            generated_at: now_ms(),
            age_ms: 0,
            ttl_ms: FORM_TTL_MS,
        },
        etag: tag(&settings),
        groups: groups(&settings),
        declared: declared(),
        capacity,
    };
    let content = serde_json::to_vec(&(&form.groups, &form.capacity)).unwrap_or_default();
    form.view.fingerprint = super::fresh::fingerprint(&content);
    let tag = format!("\"{}\"", form.view.fingerprint);
    Ok(([(ETAG, tag)], Json(form)).into_response())
}

/// What the executors of this host say of themselves.
fn declared() -> Vec<SettingRow> {
    let flag = |name: &str, label: &str, help: &str| SettingRow {
        name: name.to_string(),
        label: label.to_string(),
        help: help.to_string(),
        unit: String::new(),
        value: json!(false),
        default: json!(false),
        minimum: None,
        maximum: None,
        choices: Vec::new(),
        may_be_none: false,
    };
    vec![
        flag(
            "executor.browser_headful",
            "Browser headful (global)",
            "Whether runs show the browser they drive. Declared by the executor; the embedded trainer drives none.",
        ),
        flag(
            "executor.browser_autostart",
            "Browser autostart (global)",
            "Whether a browser is started with the host. Declared by the executor; the embedded trainer drives none.",
        ),
    ]
}

#[derive(Deserialize, Default, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ChangeQuery {
    /// true: nothing is changed, and the answer says what would be.
    dry_run: bool,
    /// Why, for the record; at most 1000 bytes.
    reason: String,
}

/// A merge patch (RFC 7396): what is not named stays, null turns off what may be off.
pub(super) async fn patch(
    State(app): State<App>,
    Query(ChangeQuery { dry_run, reason: why }): Query<ChangeQuery>,
    headers: HeaderMap,
    Body(patch): Body<Map<String, Value>>,
) -> Result<Response, ApiError> {
    let live = current(&app).await?;
    expect(&app, &headers, &live, !dry_run).await?;
    let wanted = merged(&live, &patch).map_err(wrong)?;
    let revision = Revision {
        live,
        wanted,
        cause: SettingsCause::Edited,
        actor: actor(&headers)?,
        reason: reason(ReasonBody { reason: why })?,
    };
    revise(&app, revision, dry_run).await
}

/// The settings whole.
pub(super) async fn replace(
    State(app): State<App>,
    Query(ChangeQuery { dry_run, reason: why }): Query<ChangeQuery>,
    headers: HeaderMap,
    Body(settings): Body<Settings>,
) -> Result<Response, ApiError> {
    let live = current(&app).await?;
    expect(&app, &headers, &live, !dry_run).await?;
    let wanted = merged(&live, &values(&settings)).map_err(wrong)?;
    let revision = Revision {
        live,
        wanted,
        cause: SettingsCause::Edited,
        actor: actor(&headers)?,
        reason: reason(ReasonBody { reason: why })?,
    };
    let response = revise(&app, revision, dry_run).await?;
    if dry_run {
        return Ok(response);
    }
    Ok(answer(&current(&app).await?))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    limit: Option<String>,
    cursor: Option<String>,
}

pub(super) async fn history(State(app): State<App>, Query(filter): Query<Filter>) -> Result<Json<SettingsHistory>, ApiError> {
    let page = Page::parse(filter.limit.as_deref(), filter.cursor.as_deref())?;
    let mut changes = query(&app, "reading changes of settings", move |reader| {
        // One more than is shown: the values before the oldest of the page.
        changes(reader, page.before.map(Seq), page.limit + 1)
    })
    .await?;
    let next_cursor = (changes.len() > page.limit as usize).then(|| {
        changes.truncate(page.limit as usize);
        covered(changes.last().map_or(0, |change| change.seq))
    });
    Ok(Json(SettingsHistory { changes, next_cursor }))
}

#[derive(Deserialize, Default, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct UndoQuery {
    /// true: nothing is changed, and the answer says what would be.
    dry_run: bool,
    /// true: also where a value has been changed again since.
    force: bool,
}

/// Takes one change back, as a change of its own.
pub(super) async fn undo(
    State(app): State<App>,
    Path(path): Path<String>,
    Query(UndoQuery { dry_run, force }): Query<UndoQuery>,
    headers: HeaderMap,
    OptionalBody(body): OptionalBody<ReasonBody>,
) -> Result<Response, ApiError> {
    let seq = Seq(id(&path, "change of settings")?);
    let found = query(&app, "reading changes of settings", move |reader| {
        let pair = reader.settings_changes(Some(Seq(seq.0.saturating_add(1))), 2)?;
        Ok(pair)
    })
    .await?;
    let mut found = found.into_iter();
    let undone = found.next().filter(|recorded| recorded.seq == seq).and_then(settings_of);
    let Some(undone) = undone else {
        return Err(
            ApiError::not_found("no_such_change", format!("entry {seq} of the journal is no change of settings"))
                .fix("`pointsman settings history` lists them"),
        );
    };
    let before = found.next().and_then(settings_of).unwrap_or_default();
    let live = current(&app).await?;
    expect(&app, &headers, &live, false).await?;
    let (now, then, old) = (values(&live), values(&undone), values(&before));
    let taken_back = diff(&before, &undone);
    let again: Vec<FieldError> = taken_back
        .iter()
        .filter(|change| now.get(&change.name) != then.get(&change.name))
        .map(|change| FieldError {
            pointer: format!("/{}", change.name),
            detail: format!(
                "is {} now; the change that is to be undone made it {}",
                now.get(&change.name).unwrap_or(&Value::Null),
                change.after
            ),
        })
        .collect();
    if !again.is_empty() && !force {
        let mut error = ApiError::new(
            StatusCode::CONFLICT,
            "changed_since",
            "some of these settings have been changed again since",
        )
        .fix("undo the later change first, or undo this one with force=true");
        error.0.errors = again;
        return Err(error);
    }
    let mut patch = Map::new();
    for change in taken_back {
        patch.insert(change.name.clone(), old.get(&change.name).cloned().unwrap_or_default());
    }
    let revision = Revision {
        wanted: overlaid(&live, &patch)?,
        live,
        cause: SettingsCause::Undone { change: seq },
        actor: actor(&headers)?,
        reason: reason(body)?,
    };
    revise(&app, revision, dry_run).await
}

pub(super) async fn presets(State(app): State<App>) -> Result<Json<PresetList>, ApiError> {
    let (presets, live) = app.inbox.look(|state| (state.presets.clone(), state.settings.clone())).await?;
    Ok(Json(PresetList {
        presets: presets.iter().map(|(name, preset)| preset_row(name, preset, &live)).collect(),
    }))
}

pub(super) async fn save_preset(
    State(app): State<App>,
    Path(name): Path<String>,
    headers: HeaderMap,
    OptionalBody(PresetBody { values: chosen, note }): OptionalBody<PresetBody>,
) -> Result<Json<PresetRow>, ApiError> {
    let live = current(&app).await?;
    let patch: Map<String, Value> = match chosen {
        Some(chosen) => chosen.into_iter().collect(),
        None => {
            let writable = groups(&live).into_iter().filter(|group| group.writable);
            let rows = writable.flat_map(|group| group.settings);
            rows.map(|row| (row.name, row.value)).collect()
        }
    };
    // A preset may name a value only that may be set here, and only one that is well formed beside the live ones.
    let shared: Vec<FieldError> = patch.keys().filter_map(|name| not_in_a_preset(name)).collect();
    if !shared.is_empty() {
        return Err(wrong(shared));
    }
    let settings = merged(&live, &patch).map_err(|errors| {
        let inside = errors.into_iter().map(|error| FieldError {
            pointer: format!("/values{}", error.pointer),
            ..error
        });
        wrong(inside.collect())
    })?;
    let command = Command::SavePreset {
        name: name.clone(),
        preset: SettingsPreset {
            settings,
            fields: patch.keys().cloned().collect(),
            note,
        },
        actor: actor(&headers)?,
    };
    send(&app.inbox, command).await?;
    find_preset(&app, &name)
        .await
        .map(|(preset, live)| Json(preset_row(&name, &preset, &live)))
}

pub(super) async fn show_preset(State(app): State<App>, Path(name): Path<String>) -> Result<Json<PresetRow>, ApiError> {
    let (preset, live) = find_preset(&app, &name).await?;
    Ok(Json(preset_row(&name, &preset, &live)))
}

pub(super) async fn apply_preset(
    State(app): State<App>,
    Path(name): Path<String>,
    Query(ChangeQuery { dry_run, reason: why }): Query<ChangeQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (preset, live) = find_preset(&app, &name).await?;
    expect(&app, &headers, &live, false).await?;
    let kept = values(&preset.values.settings);
    let patch: Map<String, Value> = preset
        .values
        .fields
        .iter()
        .filter_map(|field| Some((field.clone(), kept.get(field)?.clone())))
        .collect();
    let revision = Revision {
        wanted: merged(&live, &patch).map_err(wrong)?,
        live,
        cause: SettingsCause::Preset { name },
        actor: actor(&headers)?,
        reason: reason(ReasonBody { reason: why })?,
    };
    revise(&app, revision, dry_run).await
}

pub(super) async fn delete_preset(State(app): State<App>, Path(name): Path<String>, headers: HeaderMap) -> Result<StatusCode, ApiError> {
    let command = Command::DeletePreset {
        name,
        actor: actor(&headers)?,
    };
    send(&app.inbox, command).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn find_preset(app: &App, name: &str) -> Result<(Preset, Settings), ApiError> {
    let wanted = name.to_string();
    let (preset, live) = app
        .inbox
        .look(move |state| (state.presets.get(&wanted).cloned(), state.settings.clone()))
        .await?;
    let shown: String = name.chars().take(64).collect();
    match preset {
        Some(preset) => Ok((preset, live)),
        None => Err(ApiError::not_found("no_such_preset", format!("there is no preset '{shown}'"))
            .fix("`pointsman settings preset list` lists them")),
    }
}

fn preset_row(name: &str, preset: &Preset, live: &Settings) -> PresetRow {
    let (kept, now) = (values(&preset.values.settings), values(live));
    let chosen: BTreeMap<String, Value> = preset
        .values
        .fields
        .iter()
        .filter_map(|field| Some((field.clone(), kept.get(field)?.clone())))
        .collect();
    PresetRow {
        name: name.to_string(),
        note: preset.values.note.clone(),
        is_live: chosen.iter().all(|(name, value)| now.get(name) == Some(value)),
        values: chosen,
        actor: preset.actor.clone(),
        saved_at: preset.saved_at,
    }
}

fn not_in_a_preset(name: &str) -> Option<FieldError> {
    let about = crate::settings::about_setting(name)?;
    (about.group == crate::settings::Group::AllTasks).then(|| FieldError {
        pointer: format!("/values/{name}"),
        detail: "is set at the start of the host, so no preset holds it".to_string(),
    })
}

/// A change that is ready to be made.
struct Revision {
    live: Settings,
    wanted: Settings,
    cause: SettingsCause,
    actor: Actor,
    reason: String,
}

async fn revise(app: &App, revision: Revision, dry_run: bool) -> Result<Response, ApiError> {
    let Revision {
        live,
        wanted,
        cause,
        actor,
        reason,
    } = revision;
    let changes = diff(&live, &wanted);
    let mut seq = None;
    if !dry_run && !changes.is_empty() {
        let command = Command::ReviseSettings {
            expected: live.clone(),
            settings: wanted.clone(),
            cause,
            actor,
            reason,
        };
        match send(&app.inbox, command).await {
            Ok(_) => {}
            // Somebody was faster, between our look and our command.
            Err(error) if error.0.code == "settings_changed" => return Err(stale(app, &tag(&live)).await),
            Err(error) => return Err(error),
        }
        let sought = wanted.clone();
        seq = query(app, "reading changes of settings", move |reader| {
            let latest = reader.settings_changes(None, 20)?;
            let ours = latest
                .into_iter()
                .find(|recorded| matches!(&recorded.event, Event::SettingsChanged { settings, .. } if *settings == sought));
            Ok(ours.map(|recorded| recorded.seq.0))
        })
        .await?;
    }
    let etag = tag(&wanted);
    let answer = SettingsAnswer {
        dry_run,
        changes,
        seq,
        etag: etag.clone(),
        ceiling: view::ceiling(&wanted),
        settings: Value::Object(values(&wanted)),
    };
    // A dry run's tag is of settings that are not there: as a header it would be taken for the live ones.
    let shown = if dry_run { tag(&live) } else { etag };
    Ok(([(ETAG, shown)], Json(answer)).into_response())
}

/// Holds the caller to the tag it has read.
async fn expect(app: &App, headers: &HeaderMap, live: &Settings, required: bool) -> Result<(), ApiError> {
    let Some(expected) = headers.get(IF_MATCH) else {
        if !required {
            return Ok(());
        }
        return Err(ApiError::new(
            StatusCode::PRECONDITION_REQUIRED,
            "if_match_missing",
            "a change of settings says which settings it is a change of",
        )
        .fix("read the settings, and send their ETag as If-Match; If-Match: * overwrites whatever is there"));
    };
    let expected = expected.to_str().unwrap_or_default();
    let now = tag(live);
    let holds = expected.split(',').map(str::trim).any(|one| one == "*" || one == now);
    if holds { Ok(()) } else { Err(stale(app, expected).await) }
}

/// Names what has been changed since the caller read, as far as the latest changes tell.
async fn stale(app: &App, expected: &str) -> ApiError {
    let expected = expected.to_string();
    let mut error = ApiError::new(
        StatusCode::PRECONDITION_FAILED,
        "settings_changed",
        "the settings have been changed since they were read",
    )
    .fix("read them again, and send the new ETag as If-Match");
    let read = query(app, "reading changes of settings", move |reader| {
        let latest = reader.settings_changes(None, STALE_LOOKED_AT)?;
        let mut known: Vec<Settings> = latest.into_iter().filter_map(settings_of).collect();
        known.push(Settings::default());
        let theirs = known.iter().find(|settings| tag(settings) == expected);
        Ok(theirs.map(|theirs| diff(theirs, &known[0])))
    });
    if let Ok(Some(changes)) = read.await {
        for SettingDiff { name, before, after, .. } in changes {
            error = error.field(format!("/{name}"), format!("is {after} now; it was {before} when you read it"));
        }
    }
    error
}

fn wrong(errors: Vec<FieldError>) -> ApiError {
    let named: Vec<&str> = errors
        .iter()
        .map(|error| error.pointer.rsplit('/').next().unwrap_or_default())
        .collect();
    let detail = format!(
        "nothing was changed: {} wrong",
        match named.as_slice() {
            [one] => format!("{one} is"),
            several => format!("{} are", several.join(", ")),
        }
    );
    let mut error = ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "settings_invalid", detail)
        .fix("`pointsman settings` shows every setting with its bounds");
    error.0.errors = errors;
    error
}

/// Values over the live ones, though some are not to be changed here by hand: what was is brought back.
fn overlaid(live: &Settings, patch: &Map<String, Value>) -> Result<Settings, ApiError> {
    let mut values = values(live);
    values.extend(patch.clone());
    serde_json::from_value(Value::Object(values)).map_err(|error| ApiError::internal("putting settings together", error))
}

/// Changes before a position, newest first, each beside the values before it.
fn changes(reader: &Reader, before: Option<Seq>, limit: u32) -> Result<Vec<SettingsChange>, pointsman_journal::ReadError> {
    let recorded = reader.settings_changes(before, limit + 1)?;
    let older: Vec<Settings> = recorded
        .iter()
        .skip(1)
        .cloned()
        .filter_map(settings_of)
        .chain([Settings::default()])
        .collect();
    let rows = recorded.into_iter().take(limit as usize).zip(older);
    Ok(rows.filter_map(|(recorded, older)| change(recorded, &older)).collect())
}

fn change(recorded: Recorded, older: &Settings) -> Option<SettingsChange> {
    let Event::SettingsChanged {
        settings,
        actor,
        reason,
        cause,
    } = recorded.event
    else {
        return None;
    };
    let (word, undoes, preset) = match cause {
        SettingsCause::Edited => ("edited", None, None),
        SettingsCause::Undone { change } => ("undone", Some(change.0), None),
        SettingsCause::Preset { name } => ("preset", None, Some(name)),
        SettingsCause::Configured => ("configured", None, None),
    };
    Some(SettingsChange {
        seq: recorded.seq.0,
        at: recorded.at,
        actor: actor.0,
        reason,
        cause: word.to_string(),
        undoes,
        preset,
        changes: diff(older, &settings),
    })
}

fn settings_of(recorded: Recorded) -> Option<Settings> {
    match recorded.event {
        Event::SettingsChanged { settings, .. } => Some(settings),
        _ => None,
    }
}

async fn current(app: &App) -> Result<Settings, ApiError> {
    Ok(app.inbox.look(|state| state.settings.clone()).await?)
}

fn answer(settings: &Settings) -> Response {
    ([(ETAG, tag(settings))], Json(settings)).into_response()
}

/// The settings in the document: their fields, words and bounds are those of the form.
pub(super) struct SettingsShape;

impl utoipa::PartialSchema for SettingsShape {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        let properties: Map<String, Value> = groups(&Settings::default())
            .into_iter()
            .flat_map(|group| group.settings)
            .map(|row| {
                let kind = match &row.default {
                    Value::Bool(_) => json!("boolean"),
                    Value::String(_) => json!("string"),
                    Value::Number(number) if number.is_f64() => json!("number"),
                    Value::Number(_) => json!("integer"),
                    _ => json!(["number", "null"]),
                };
                let mut schema = json!({ "type": kind, "description": row.help, "default": row.default });
                if let (Some(minimum), Some(maximum)) = (row.minimum, row.maximum) {
                    schema["minimum"] = json!(minimum);
                    schema["maximum"] = json!(maximum);
                }
                if !row.choices.is_empty() {
                    schema["enum"] = json!(row.choices);
                }
                (row.name, schema)
            })
            .collect();
        debug_assert_eq!(properties.len(), SETTINGS.len());
        let schema = json!({
            "type": "object",
            "description": "The live settings. Bounds may depend on each other; the form has those that hold now.",
            "properties": properties,
        });
        serde_json::from_value(schema).expect("a schema as it is written down here")
    }
}

impl utoipa::ToSchema for SettingsShape {
    fn name() -> std::borrow::Cow<'static, str> {
        "Settings".into()
    }
}
