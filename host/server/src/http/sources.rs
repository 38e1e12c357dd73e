//! `/api/v1/sources`: the operators' queue and the curriculum's seeds.

use super::body::{Body, OptionalBody, Query};
use super::{App, Page, ReasonBody, actor, id, query, reason, send};
use crate::problem::ApiError;
use crate::wire::{Done, SourceDetail, SourceList, SourceRow};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use pointsman_coordinator::{Browse, BrowseFilter, Reply};
use pointsman_journal::{ReadError, Reader, RunFilter, SourceFilter, SourceStatus};
use pointsman_model::command::Command;
use pointsman_model::source::{Lane, NewSource, Origin, SourceEdit, TrainingParams};
use pointsman_model::{Actor, CampaignId, SourceId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Rows that one page looks at where no list is short enough to be gone through: a hundredth of a second on a quiet machine.
const SCAN_MAX: u64 = 10_000;
const RUNS_SHOWN: u32 = 100;

/// Body of `POST /api/v1/sources`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceBody {
    pub title: String,
    #[serde(default)]
    pub body: String,
    #[serde(default)]
    pub host: Option<String>,
    /// Higher is earlier, if the policy heeds it.
    #[serde(default)]
    pub priority: i32,
    #[serde(default)]
    #[schema(value_type = Option<super::shapes::TrainingParams>)]
    pub params: Option<TrainingParams>,
    /// ui, api or cli.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub origin: Option<Origin>,
}

/// Body of `PATCH /api/v1/sources/{id}`: what is left out stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EditBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// An empty name takes it away from its host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Higher is earlier, if the policy heeds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub lane: Option<Lane>,
    pub reason: String,
}

/// Body of `POST /api/v1/sources/{id}/move`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MoveBody {
    #[schema(value_type = String)]
    lane: Lane,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// open, pending, waiting, running, disabled, done, given_up or cancelled.
    status: Option<String>,
    /// queue or curriculum.
    lane: Option<String>,
    /// An empty one stands for no host.
    host: Option<String>,
    /// ui, api, cli, campaign, curriculum, or `other` for any but ui.
    origin: Option<String>,
    /// Of one campaign: its name (`c-3`) or number.
    campaign: Option<String>,
    /// In the title.
    text: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

const STATUSES: &str = "open, pending, waiting, running, disabled, done, given_up or cancelled";

pub(super) async fn list(State(app): State<App>, Query(filter): Query<Filter>) -> Result<Json<SourceList>, ApiError> {
    let Filter {
        status,
        lane,
        host,
        origin,
        campaign,
        text,
        limit,
        cursor,
    } = filter;
    let page = Page::parse(limit.as_deref(), cursor.as_deref())?;
    let status = status.filter(|status| !status.is_empty());
    let any_open = status.as_deref() == Some("open");
    let status: Option<SourceStatus> = super::word("status", status.as_deref().filter(|_| !any_open), STATUSES)?;
    let lane: Option<Lane> = super::word("lane", lane.as_deref().filter(|lane| !lane.is_empty()), "queue or curriculum")?;
    let origin = origin.filter(|origin| !origin.is_empty());
    let origin_not = (origin.as_deref() == Some("other")).then_some(Origin::Ui);
    let origin: Option<Origin> = super::word(
        "origin",
        origin.as_deref().filter(|_| origin_not.is_none()),
        "ui, api, cli, campaign, curriculum or other",
    )?;
    let campaign = match campaign.filter(|campaign| !campaign.is_empty()) {
        None => None,
        Some(name) => Some(match CampaignId::parse(&name) {
            Some(campaign) => campaign,
            None => CampaignId(id(&name, "campaign")?),
        }),
    };
    let text = text.filter(|text| !text.is_empty());
    let wanted = SourceFilter {
        status,
        open: any_open,
        among: None,
        lane,
        host,
        origin,
        origin_not,
        campaign,
        text,
        before: page.before.map(SourceId),
        from: None,
        limit: page.limit,
    };
    let open = any_open
        || matches!(
            status,
            Some(SourceStatus::Pending | SourceStatus::Waiting | SourceStatus::Running | SourceStatus::Disabled)
        );
    let asked = open.then(|| BrowseFilter {
        lane: wanted.lane,
        stage: status.map(SourceStatus::slug),
        host: wanted.host.clone(),
        origin: wanted.origin,
        origin_not: wanted.origin_not,
        campaign: wanted.campaign,
        text: wanted.text.clone(),
        before: wanted.before,
        limit: page.limit as usize,
    });
    let (found, pending_total) = app
        .inbox
        .look(move |state| {
            let lanes = Lane::ALL.into_iter();
            let asked_for = lanes.filter(|found| lane.is_none_or(|lane| lane == *found));
            let pending = asked_for.map(|lane| u64::from(state.index.pending(lane))).sum();
            (asked.map(|asked| state.browse(&asked)), pending)
        })
        .await?;
    let (rows, next_cursor) = query(&app, "listing sources", move |reader| source_page(reader, wanted, found)).await?;
    Ok(Json(SourceList {
        sources: rows.into_iter().map(source_row).collect(),
        next_cursor: next_cursor.map(super::covered),
        pending_total,
    }))
}

type Rows = (Vec<pointsman_journal::SourceRow>, Option<u64>);

/// One page, with the cursor of the next: from what the state has found, where it was asked.
pub fn source_page(reader: &Reader, wanted: SourceFilter, found: Option<Browse>) -> Result<Rows, ReadError> {
    match found {
        Some(Browse::Ids(ids)) => page_among(reader, &ids, wanted.limit),
        Some(Browse::Scan { oldest }) => page_of_scan(reader, wanted, oldest),
        None => page_of_scan(reader, wanted, SourceId(1)),
    }
}

/// The state has said which; one more than asked for tells that there are more.
fn page_among(reader: &Reader, ids: &[SourceId], limit: u32) -> Result<Rows, ReadError> {
    let shown = &ids[..ids.len().min(limit as usize)];
    let rows = reader.sources(&SourceFilter {
        among: Some(shown.to_vec()),
        limit,
        ..SourceFilter::default()
    })?;
    let more = (ids.len() > shown.len()).then(|| shown.last().map(|id| id.0)).flatten();
    Ok((rows, more))
}

/// Looks at so many rows of the table and no more. What is frequent fills the page at once; for what is rare the page may be
/// short, and its cursor goes on where it stopped.
fn page_of_scan(reader: &Reader, mut wanted: SourceFilter, oldest: SourceId) -> Result<Rows, ReadError> {
    let before = match wanted.before {
        Some(before) => before.0,
        None => reader.last_source()?.0 + 1,
    };
    // Held ones have an index, and so do the rows of a campaign.
    let has_index = wanted.campaign.is_some() || matches!(wanted.status, Some(SourceStatus::Waiting | SourceStatus::Disabled));
    let bound = if has_index { 0 } else { before.saturating_sub(SCAN_MAX) };
    let from = bound.max(oldest.0);
    wanted.before = Some(SourceId(before));
    wanted.from = Some(SourceId(from));
    let limit = wanted.limit;
    let rows = reader.sources(&wanted)?;
    let next = match rows.last() {
        Some(last) if rows.len() as u32 >= limit => Some(last.id.0),
        _ => (from > oldest.0).then_some(from),
    };
    Ok((rows, next))
}

fn source_row(row: pointsman_journal::SourceRow) -> SourceRow {
    SourceRow {
        id: row.id.0,
        title: row.title,
        host: row.host,
        lane: row.lane.slug().to_string(),
        origin: row.origin.slug().to_string(),
        priority: row.priority,
        campaign: row.campaign.map(|row| row.campaign.0),
        campaign_row: row.campaign.map(|row| row.row),
        status: row.status.slug().to_string(),
        status_label: row.status_label,
        reason: row.reason,
        attempts: row.attempts,
        queued_at: row.queued_at,
        retry_at: row.retry_at,
        finished_at: row.finished_at,
    }
}

pub(super) async fn show(State(app): State<App>, Path(path): Path<String>) -> Result<Json<SourceDetail>, ApiError> {
    let source = SourceId(id(&path, "source")?);
    let found = query(&app, "reading a source", move |reader| {
        let Some(row) = reader.source(source)? else { return Ok(None) };
        let body = reader.source_body(source)?.unwrap_or_default();
        let runs = reader.runs(&RunFilter {
            source: Some(source),
            limit: RUNS_SHOWN,
            ..RunFilter::default()
        })?;
        Ok(Some(SourceDetail {
            marker: row.campaign.map(|row| row.marker()),
            row: source_row(row),
            body,
            runs: runs.iter().map(|run| run.id.0).collect(),
        }))
    })
    .await?;
    found
        .map(Json)
        .ok_or_else(|| ApiError::not_found("no_such_source", format!("there is no source {source}")))
}

pub(super) async fn submit(
    State(app): State<App>,
    headers: HeaderMap,
    Body(body): Body<SourceBody>,
) -> Result<(StatusCode, Json<Done>), ApiError> {
    let SourceBody {
        title,
        body,
        host,
        priority,
        params,
        origin,
    } = body;
    let origin = super::origin(origin, &headers).ok_or_else(|| {
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_field", "a field of the body is wrong").field("/origin", "ui, api or cli")
    })?;
    let new = NewSource {
        title,
        body,
        host,
        lane: Lane::Queue,
        origin,
        priority,
        params,
    };
    match send(&app.inbox, Command::SubmitSource(new)).await? {
        Reply::Source(source) => Ok((StatusCode::CREATED, Json(of_source(source)))),
        _ => Ok((StatusCode::CREATED, Json(Done::default()))),
    }
}

pub(super) async fn edit(
    State(app): State<App>,
    Path(path): Path<String>,
    headers: HeaderMap,
    Body(body): Body<EditBody>,
) -> Result<Json<Done>, ApiError> {
    let source = SourceId(id(&path, "source")?);
    let EditBody {
        title,
        body,
        host,
        priority,
        lane,
        reason,
    } = body;
    let edit = SourceEdit {
        title,
        body,
        host,
        priority,
        lane,
    };
    if edit.is_empty() {
        return Err(ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "nothing_to_change",
            "the body names nothing to change",
        )
        .fix("name at least one of title, body, host, priority and lane"));
    }
    change(&app, &headers, source, edit, reason).await
}

pub(super) async fn move_lane(
    State(app): State<App>,
    Path(path): Path<String>,
    headers: HeaderMap,
    Body(MoveBody { lane, reason }): Body<MoveBody>,
) -> Result<Json<Done>, ApiError> {
    let source = SourceId(id(&path, "source")?);
    let edit = SourceEdit {
        lane: Some(lane),
        ..SourceEdit::default()
    };
    change(&app, &headers, source, edit, reason).await
}

async fn change(app: &App, headers: &HeaderMap, source: SourceId, edit: SourceEdit, reason: String) -> Result<Json<Done>, ApiError> {
    let actor = actor(headers)?;
    send(
        &app.inbox,
        Command::EditSource {
            source,
            edit,
            actor,
            reason,
        },
    )
    .await?;
    Ok(Json(of_source(source)))
}

/// What a person does with one source, for a reason.
async fn told(
    app: &App,
    path: &str,
    headers: &HeaderMap,
    body: ReasonBody,
    command: impl FnOnce(SourceId, Actor, String) -> Command,
) -> Result<Json<Done>, ApiError> {
    let source = SourceId(id(path, "source")?);
    let run = match send(&app.inbox, command(source, actor(headers)?, reason(body)?)).await? {
        Reply::Run(run) => Some(run.0),
        _ => None,
    };
    Ok(Json(Done { run, ..of_source(source) }))
}

macro_rules! told {
    ($($(#[$words:meta])* $verb:ident: $command:ident;)*) => {
        $(
            $(#[$words])*
            pub(super) async fn $verb(
                State(app): State<App>,
                Path(path): Path<String>,
                headers: HeaderMap,
                OptionalBody(body): OptionalBody<ReasonBody>,
            ) -> Result<Json<Done>, ApiError> {
                told(&app, &path, &headers, body, |source, actor, reason| Command::$command { source, actor, reason }).await
            }
        )*
    };
}

told! {
    enable: EnableSource;
    disable: DisableSource;
    cancel: CancelSource;
    /// Now, as a run of class manual, whether the loop is on or off.
    run: RunSource;
}

fn of_source(source: SourceId) -> Done {
    Done {
        source: Some(source.0),
        ..Done::default()
    }
}
