//! `/api/v1/models`: what was trained, which one was live when, what is kept and what goes.

use super::body::{OptionalBody, Query};
use super::overview::{stamp, stamped};
use super::{App, Page, ReasonBody, actor, query, reason, send};
use crate::clock::{now_ms, parse_time};
use crate::problem::ApiError;
use crate::view;
use crate::wire::{Done, LiveAt, LiveChange, LiveRole, ModelList, ModelRow, Pruned};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use pointsman_coordinator::Reply;
use pointsman_journal::{ModelFilter, RoleCause, RoleRow};
use pointsman_model::command::Command;
use pointsman_model::promotion::ModelRole;
use pointsman_model::{Digest, ModelTag, Seq};
use serde::Deserialize;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// Changes of the live model that the list tells.
const CHANGES: u32 = 50;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    limit: Option<String>,
    cursor: Option<String>,
}

pub(super) async fn list(State(app): State<App>, Query(filter): Query<Filter>) -> Result<Json<ModelList>, ApiError> {
    let page = Page::parse(filter.limit.as_deref(), filter.cursor.as_deref())?;
    let (rows, roles) = query(&app, "listing models", move |reader| {
        let rows = reader.models(&ModelFilter {
            retired: None,
            before: page.before.map(Seq),
            limit: page.limit,
        })?;
        Ok((rows, reader.model_roles(CHANGES)?))
    })
    .await?;
    let tags: Vec<ModelTag> = rows.iter().map(|row| row.tag.clone()).collect();
    let look = app.inbox.look(move |state| {
        let pinned = |tag: ModelTag| view::pinned_model(state, &tag).map(|words| (tag, words));
        tags.into_iter().filter_map(pinned).collect::<BTreeMap<ModelTag, String>>()
    });
    let pins = look.await?;
    let next_cursor = super::next_cursor(&rows, page, |row| row.seq.0);
    let now_live = roles.first().map(|role| role.model.clone());
    let models = rows
        .into_iter()
        .map(|row| ModelRow {
            live: now_live.as_ref() == Some(&row.tag),
            pinned: pins.get(&row.tag).cloned(),
            tag: row.tag.0,
            parent: row.parent.map(|ModelTag(tag)| tag),
            run: row.run.0,
            digest: row.digest.to_string(),
            bytes: row.bytes,
            made_at: row.made_at,
            host: row.host,
            retired_at: row.retired_at,
        })
        .collect();
    let live = roles.iter().map(live_change).collect();
    Ok(Json(ModelList { models, next_cursor, live }))
}

pub(super) async fn roll_back(
    State(app): State<App>,
    headers: HeaderMap,
    OptionalBody(body): OptionalBody<ReasonBody>,
) -> Result<Json<Done>, ApiError> {
    send(
        &app.inbox,
        Command::RollBackModel {
            actor: actor(&headers)?,
            reason: reason(body)?,
        },
    )
    .await?;
    Ok(Json(Done::default()))
}

/// A change of the live model as the API tells it.
pub(super) fn live_change(role: &RoleRow) -> LiveChange {
    LiveChange {
        seq: role.seq.0,
        at: role.at,
        model: role.model.0.clone(),
        before: role.before.as_ref().map(|ModelTag(tag)| tag.clone()),
        cause: super::slug(&role.cause),
        decision: role.decision.map(|decision| decision.0),
        actor: role.actor.clone(),
        reason: role.reason.clone(),
    }
}

pub(super) async fn pin(
    State(app): State<App>,
    Path(tag): Path<String>,
    headers: HeaderMap,
    OptionalBody(body): OptionalBody<ReasonBody>,
) -> Result<Json<Done>, ApiError> {
    set_pin(app, tag, true, &headers, body).await
}

pub(super) async fn unpin(
    State(app): State<App>,
    Path(tag): Path<String>,
    headers: HeaderMap,
    OptionalBody(body): OptionalBody<ReasonBody>,
) -> Result<Json<Done>, ApiError> {
    set_pin(app, tag, false, &headers, body).await
}

async fn set_pin(app: App, tag: String, pinned: bool, headers: &HeaderMap, body: ReasonBody) -> Result<Json<Done>, ApiError> {
    let command = Command::PinModel {
        model: ModelTag(tag),
        pinned,
        actor: actor(headers)?,
        reason: reason(body)?,
    };
    send(&app.inbox, command).await?;
    Ok(Json(Done::default()))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Keep {
    /// Newest models to be kept besides those in use; the setting keep_models where it is left out.
    keep: Option<u32>,
}

pub(super) async fn prune_plan(State(app): State<App>, Query(Keep { keep }): Query<Keep>) -> Result<Response, ApiError> {
    let (mut plan, seq) = {
        let plan = app.inbox.look(move |state| view::plan(state, keep)).await?;
        (plan, query(&app, "reading the journal's end", |reader| reader.last_seq()).await?)
    };
    plan.view = stamp(seq, &plan);
    Ok(stamped(&plan.view.fingerprint.clone(), Json(plan)))
}

/// What a prune is told.
#[derive(Deserialize, Default, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PruneBody {
    /// Newest models to be kept besides those in use, 0 to 10000; the setting keep_models where it is left out.
    keep: Option<u32>,
    /// The plan that was looked at, as the dry run names it; refused (409, prune_changed) where other models would go by now.
    plan: Option<String>,
    /// Why, for the record; at most 1000 bytes.
    reason: String,
}

pub(super) async fn prune(
    State(app): State<App>,
    headers: HeaderMap,
    OptionalBody(body): OptionalBody<PruneBody>,
) -> Result<Json<Pruned>, ApiError> {
    let PruneBody { keep, plan, reason: words } = body;
    let plan = match plan.map(|text| Digest::parse(&text)) {
        Some(None) => {
            return Err(
                ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_plan", "this is no plan of a dry run")
                    .field("/plan", "as GET /api/v1/models/prune names it, unchanged"),
            );
        }
        Some(Some(plan)) => Some(plan),
        None => None,
    };
    let command = Command::PruneModels {
        keep,
        plan,
        actor: actor(&headers)?,
        reason: reason(ReasonBody { reason: words })?,
    };
    let models = match send(&app.inbox, command).await? {
        Reply::Models(models) => models,
        Reply::Done
        | Reply::Source(_)
        | Reply::Run(_)
        | Reply::Campaign(_)
        | Reply::Imported { .. }
        | Reply::Generation(_)
        | Reply::Generations(_) => Vec::new(),
    };
    let tags = models.clone();
    let bytes = query(&app, "reading what was pruned", move |reader| {
        let sizes = tags.iter().map(|tag| Ok(reader.model(tag)?.map_or(0, |row| row.bytes)));
        sizes.sum::<Result<u64, _>>()
    });
    Ok(Json(Pruned {
        bytes: bytes.await?,
        models: models.into_iter().map(|ModelTag(tag)| tag).collect(),
    }))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct At {
    /// A time: RFC 3339, such as 2026-02-03T04:05:06Z, or milliseconds since 1970.
    at: String,
}

pub(super) async fn live_at(State(app): State<App>, Query(At { at }): Query<At>) -> Result<Json<LiveAt>, ApiError> {
    let wrong = |detail: &str| {
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_time", "this time cannot be told about").field("/at", detail.to_string())
    };
    let at = parse_time(&at).ok_or_else(|| wrong("RFC 3339, such as 2026-02-03T04:05:06Z, or milliseconds since 1970"))?;
    if at > now_ms() {
        return Err(wrong("is not over yet: nobody knows what will be live then"));
    }
    let (change, until, words) = query(&app, "looking up what was live", move |reader| {
        let change = reader.model_live_at(at)?;
        let until = reader.model_switch_after(at)?.map(|row| row.at);
        let decision = change.as_ref().and_then(|change| change.decision);
        let decided = decision.map(|id| reader.decision(id)).transpose()?.flatten();
        let words = decided.and_then(|record| record.decision.ruling.advice.reasons.first().map(|reason| reason.text.clone()));
        Ok((change, until, words))
    })
    .await?;
    let why = why(change.as_ref(), words.as_deref());
    let role = |role: ModelRole| LiveRole {
        role: role.slug().to_string(),
        role_label: view::role_words(role).0.to_string(),
        change: change.as_ref().map(live_change),
        until,
        why: why.clone(),
    };
    Ok(Json(LiveAt {
        at,
        roles: ModelRole::ALL.map(role).to_vec(),
    }))
}

/// Why a model was live, in one sentence; `words` are those of the gate's decision.
fn why(change: Option<&RoleRow>, words: Option<&str>) -> String {
    let Some(change) = change else {
        return "There was no model yet.".to_string();
    };
    let by = match (&change.decision, &change.actor) {
        (Some(decision), _) => format!(" by the gate's decision {decision}"),
        (None, Some(actor)) => format!(" by {actor}"),
        (None, None) => String::new(),
    };
    let reason = [change.reason.as_deref(), words]
        .into_iter()
        .flatten()
        .find(|text| !text.is_empty());
    let reason = reason.map(|text| format!(": {}", text.trim_end_matches('.'))).unwrap_or_default();
    let before = change.before.as_ref().map(|ModelTag(tag)| tag.as_str()).unwrap_or_default();
    match change.cause {
        RoleCause::Bootstrapped => format!("{} was the first model.", change.model),
        RoleCause::Applied => format!("{} went live instead of {before}{by}{reason}.", change.model),
        RoleCause::RolledBack => format!("{} came back instead of {before}{by}{reason}.", change.model),
    }
}
