//! `/api/v1/campaigns`: N sources of one definition.

use super::body::{Body, Query};
use super::{App, Page, actor, id, query, send};
use crate::problem::ApiError;
use crate::view::campaign_row;
use crate::wire::{CampaignList, CampaignRow, Done};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use pointsman_coordinator::{Campaign, Reply, State as Known};
use pointsman_model::CampaignId;
use pointsman_model::command::Command;
use pointsman_model::source::{Lane, NewSource, Origin, TrainingParams};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Body of `POST /api/v1/campaigns`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CampaignBody {
    pub title: String,
    #[serde(default)]
    pub body: String,
    #[serde(default)]
    pub host: Option<String>,
    /// Of each of its sources; higher is earlier, if the policy heeds it.
    #[serde(default)]
    pub priority: i32,
    #[serde(default)]
    #[schema(value_type = Option<super::shapes::TrainingParams>)]
    pub params: Option<TrainingParams>,
    /// Sources to be made.
    pub size: u32,
    #[serde(default)]
    pub reason: String,
}

/// Body of `POST /api/v1/campaigns/{id}/cancel`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CancelBody {
    reason: String,
    /// End its runs, too; without it they go on to their end.
    end_runs: bool,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    limit: Option<String>,
    cursor: Option<String>,
}

pub(super) async fn submit(
    State(app): State<App>,
    headers: HeaderMap,
    Body(body): Body<CampaignBody>,
) -> Result<(StatusCode, Json<Done>), ApiError> {
    let CampaignBody {
        title,
        body,
        host,
        priority,
        params,
        size,
        reason,
    } = body;
    let new = NewSource {
        title,
        body,
        host,
        lane: Lane::Queue,
        origin: Origin::Campaign,
        priority,
        params,
    };
    let command = Command::SubmitCampaign {
        new,
        rows: size,
        actor: actor(&headers)?,
        reason,
    };
    let campaign = match send(&app.inbox, command).await? {
        Reply::Campaign(campaign) => Some(campaign.0),
        _ => None,
    };
    Ok((
        StatusCode::CREATED,
        Json(Done {
            campaign,
            ..Done::default()
        }),
    ))
}

pub(super) async fn list(State(app): State<App>, Query(filter): Query<Filter>) -> Result<Json<CampaignList>, ApiError> {
    let page = Page::parse(filter.limit.as_deref(), filter.cursor.as_deref())?;
    let views = query(&app, "listing campaigns", move |reader| {
        reader.campaigns(page.before.map(CampaignId), page.limit)
    })
    .await?;
    let next_cursor = super::next_cursor(&views, page, |view| view.id.0);
    let ids: Vec<CampaignId> = views.iter().map(|view| view.id).collect();
    let live = app
        .inbox
        .look(move |state| ids.iter().map(|id| known(state, *id)).collect::<Vec<_>>())
        .await?;
    let rows = views.into_iter().zip(live);
    let campaigns = rows.map(|(view, (live, holds))| campaign_row(view, live.as_ref(), holds)).collect();
    Ok(Json(CampaignList { campaigns, next_cursor }))
}

pub(super) async fn show(State(app): State<App>, Path(path): Path<String>) -> Result<Json<CampaignRow>, ApiError> {
    let campaign = campaign_id(&path)?;
    let found = query(&app, "reading a campaign", move |reader| reader.campaign(campaign)).await?;
    let view = found.ok_or_else(|| {
        ApiError::not_found("no_such_campaign", format!("there is no campaign {}", campaign.name())).fix("pointsman campaign list")
    })?;
    let (live, holds) = app.inbox.look(move |state| known(state, campaign)).await?;
    Ok(Json(campaign_row(view, live.as_ref(), holds)))
}

pub(super) async fn cancel(
    State(app): State<App>,
    Path(path): Path<String>,
    headers: HeaderMap,
    super::body::OptionalBody(body): super::body::OptionalBody<CancelBody>,
) -> Result<Json<Done>, ApiError> {
    let campaign = campaign_id(&path)?;
    let CancelBody { reason, end_runs } = body;
    let command = Command::CancelCampaign {
        campaign,
        end_runs,
        actor: actor(&headers)?,
        reason,
    };
    send(&app.inbox, command).await?;
    Ok(Json(Done {
        campaign: Some(campaign.0),
        ..Done::default()
    }))
}

fn known(state: &Known, id: CampaignId) -> (Option<Campaign>, bool) {
    let holds = state.lock.as_ref().is_some_and(|lock| lock.holder == Some(id));
    (state.campaigns.get(&id).cloned(), holds)
}

/// `3` or `c-3`.
fn campaign_id(path: &str) -> Result<CampaignId, ApiError> {
    match CampaignId::parse(path) {
        Some(campaign) => Ok(campaign),
        None => id(path, "campaign").map(CampaignId),
    }
}
