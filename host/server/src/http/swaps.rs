//! How policies are changed while everything runs: swaps with their stages, shadows, canaries, pins.

use super::body::{Body, OptionalBody, Query};
use super::policies::{PolicyUpload, blocking, offer_of, offers_of};
use super::{App, Page, ReasonBody, actor, reason, send};
use crate::policy_install::{Goal, Offer, Order, ShadowStage, SwapEnd};
use crate::problem::ApiError;
use crate::wire::{Done, ShadowCard, Swap, SwapList};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use pointsman_coordinator::{CONFIRM_MS_MAX, CONFIRM_MS_MIN, Reply};
use pointsman_model::command::Command;
use pointsman_model::policy::PolicyKind;
use pointsman_model::{Actor, Digest};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// Most live decisions that a shadow stage may ask for.
const SHADOW_FOR_MAX: u32 = 100_000;

/// Body of `activate`: one policy as in `check`, or several as one set, or versions that the journal keeps.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ActivateBody {
    pub file: String,
    pub text: Option<String>,
    pub code_base64: Option<String>,
    pub settings: BTreeMap<String, serde_json::Value>,
    pub signature: Option<String>,
    pub budgets: Option<crate::wire::ReplayBudgets>,
    /// The sender vouches for it: a script then runs natively, outside the sandbox.
    pub trusted: bool,
    /// Several policies, of one kind each, as one set.
    pub policies: Vec<PolicyUpload>,
    /// Versions that were active before: digests, or `name@version`.
    pub stored: Vec<String>,
    pub reason: String,
    /// Unless it is confirmed within this time, it is taken back.
    pub confirm_within_ms: Option<u64>,
    /// Also where the replay breaks a budget, and a version that the breaker took out of service a short while ago.
    pub force: bool,
    /// Start with no state, though the version before has one that could be taken over.
    pub fresh_state: bool,
    /// Live decisions that it has to see in shadow first.
    pub shadow_for: Option<u32>,
    /// Largest share of them in which it may disagree; without one, any.
    pub shadow_changed_max: Option<f64>,
    /// Answer at once with the swap's number.
    pub background: bool,
}

/// Body of `canary`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CanaryBody {
    pub policy: Option<PolicyUpload>,
    /// Instead of a policy: a version that was active before.
    pub stored: Option<String>,
    /// Above 0, at most 1.
    pub share: f64,
    pub force: bool,
    pub reason: String,
    pub background: bool,
}

pub(super) async fn activate(State(app): State<App>, headers: HeaderMap, Body(body): Body<ActivateBody>) -> Result<Response, ApiError> {
    let actor = actor(&headers)?;
    let ActivateBody {
        file,
        text,
        code_base64,
        settings,
        signature,
        budgets,
        trusted,
        mut policies,
        stored,
        reason: why,
        confirm_within_ms,
        force,
        fresh_state,
        shadow_for,
        shadow_changed_max,
        background,
    } = body;
    if !file.is_empty() || text.is_some() || code_base64.is_some() {
        policies.insert(
            0,
            PolicyUpload {
                file,
                text,
                code_base64,
                settings,
                signature,
                budgets,
                trusted,
                ..PolicyUpload::default()
            },
        );
    }
    let offers = offers(&app, policies, stored).await?;
    if confirm_within_ms.is_some_and(|within| !(CONFIRM_MS_MIN..=CONFIRM_MS_MAX).contains(&within)) {
        return Err(wrong(
            "/confirm_within_ms",
            format!("from {CONFIRM_MS_MIN} to {CONFIRM_MS_MAX}, a week"),
        ));
    }
    let shadow = match (shadow_for, shadow_changed_max) {
        (None, None) => None,
        (None, Some(_)) => return Err(wrong("/shadow_for", "say how many decisions the share is of")),
        (Some(decisions), _) if !(1..=SHADOW_FOR_MAX).contains(&decisions) => {
            return Err(wrong("/shadow_for", format!("from 1 to {SHADOW_FOR_MAX} decisions")));
        }
        (Some(_), Some(share)) if !(0.0..=1.0).contains(&share) => return Err(wrong("/shadow_changed_max", "a share between 0 and 1")),
        (Some(decisions), share) => Some(ShadowStage {
            decisions,
            changed_max: share.unwrap_or(1.0),
        }),
    };
    let order = Order {
        offers,
        goal: Goal::Activate { confirm_within_ms },
        force,
        fresh_state,
        shadow,
        actor,
        reason: reason(ReasonBody { reason: why })?,
    };
    carry_out(&app, order, background).await
}

pub(super) async fn start_canary(State(app): State<App>, headers: HeaderMap, Body(body): Body<CanaryBody>) -> Result<Response, ApiError> {
    let CanaryBody {
        policy,
        stored,
        share,
        force,
        reason: why,
        background,
    } = body;
    if !(share > 0.0 && share <= 1.0) {
        return Err(wrong("/share", "above 0 and at most 1"));
    }
    if policy.is_some() == stored.is_some() {
        return Err(wrong("/policy", "either policy or stored"));
    }
    let order = Order {
        offers: offers(&app, policy.into_iter().collect(), stored.into_iter().collect()).await?,
        goal: Goal::Canary { share },
        force,
        fresh_state: false,
        shadow: None,
        actor: actor(&headers)?,
        reason: reason(ReasonBody { reason: why })?,
    };
    carry_out(&app, order, background).await
}

/// What is uploaded and what the journal keeps, as offers.
pub(super) async fn offers(app: &App, policies: Vec<PolicyUpload>, stored: Vec<String>) -> Result<Vec<Offer>, ApiError> {
    let kept = stored.into_iter().map(|version| PolicyUpload {
        stored: Some(version),
        ..PolicyUpload::default()
    });
    let uploads: Vec<PolicyUpload> = policies.into_iter().chain(kept).collect();
    match uploads.len() {
        0 => Err(wrong("/policies", "name at least one policy")),
        n if n > PolicyKind::ALL.len() => Err(wrong(
            "/policies",
            format!("at most {} policies, one of each kind", PolicyKind::ALL.len()),
        )),
        _ => offers_of(app, uploads).await,
    }
}

async fn carry_out(app: &App, order: Order, background: bool) -> Result<Response, ApiError> {
    let installer = app.policies.clone();
    let progress = installer.begin(&order);
    let swap = progress.id();
    if background {
        std::thread::Builder::new()
            .name("swap".into())
            .spawn(move || installer.run(order, &progress))
            .map_err(|error| ApiError::internal("starting a swap", error))?;
        let done = Done {
            swap: Some(swap),
            ..Done::default()
        };
        return Ok((StatusCode::ACCEPTED, Json(done)).into_response());
    }
    match blocking(move || installer.run(order, &progress)).await? {
        SwapEnd::Done { generation } => Ok(Json(Done {
            generation,
            swap: Some(swap),
            ..Done::default()
        })
        .into_response()),
        SwapEnd::WasActive { generation } => Ok(Json(Done {
            generation: Some(generation),
            swap: Some(swap),
            ..Done::default()
        })
        .into_response()),
        SwapEnd::Failed(problem) => Err(ApiError::from(problem)),
        SwapEnd::Refused(_, Some(refusal)) => Err(ApiError::from(refusal)),
        SwapEnd::Refused(problem, None) => {
            let error = ApiError::from(problem);
            Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_activated", error.0.detail))
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    limit: Option<String>,
    cursor: Option<String>,
}

pub(super) async fn list(State(app): State<App>, Query(filter): Query<Filter>) -> Result<Json<SwapList>, ApiError> {
    let page = Page::parse(filter.limit.as_deref(), filter.cursor.as_deref())?;
    let mut swaps = app.policies.swaps.list();
    swaps.retain(|swap| page.before.is_none_or(|before| swap.id < before));
    let more = swaps.len() > page.limit as usize;
    swaps.truncate(page.limit as usize);
    let next_cursor = super::next_cursor(&swaps, page, |swap| swap.id).filter(|_| more);
    Ok(Json(SwapList { swaps, next_cursor }))
}

pub(super) async fn show(State(app): State<App>, Path(path): Path<String>) -> Result<Json<Swap>, ApiError> {
    let id = super::id(&path, "swap")?;
    app.policies.swaps.find(id).map(Json).ok_or_else(|| no_such_swap(id))
}

pub(super) async fn cancel(State(app): State<App>, Path(path): Path<String>) -> Result<Json<Done>, ApiError> {
    let id = super::id(&path, "swap")?;
    if app.policies.swaps.cancel(id) {
        return Ok(Json(Done {
            swap: Some(id),
            ..Done::default()
        }));
    }
    match app.policies.swaps.find(id) {
        Some(swap) => Err(ApiError::new(
            StatusCode::CONFLICT,
            "swap_is_over",
            format!("swap {id} is over: {}", swap.status),
        )),
        None => Err(no_such_swap(id)),
    }
}

fn no_such_swap(id: u64) -> ApiError {
    ApiError::not_found(
        "no_such_swap",
        format!("there is no swap {id} among the latest of this host process"),
    )
}

pub(super) async fn start_shadow(
    State(app): State<App>,
    headers: HeaderMap,
    Body(upload): Body<PolicyUpload>,
) -> Result<Json<ShadowCard>, ApiError> {
    let actor = actor(&headers)?;
    let offer = offer_of(&app, upload).await?;
    blocking(move || app.policies.start_shadow(&offer, &actor)).await?.map(Json)
}

/// Body that ends a shadow.
#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StopShadow {
    /// Digest or `NAME@VERSION` of the version; need not be said where the kind has one shadow alone.
    version: Option<String>,
}

pub(super) async fn stop_shadow(
    State(app): State<App>,
    Path(path): Path<String>,
    OptionalBody(StopShadow { version }): OptionalBody<StopShadow>,
) -> Result<Json<ShadowCard>, ApiError> {
    let kind = super::kind(&path)?;
    app.policies.stop_shadow(kind, version.as_deref()).map(Json)
}

/// Body of a rollback.
#[derive(Deserialize, Default, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RollBackBody {
    reason: String,
    /// And the other kinds that were activated with it.
    whole_set: bool,
}

pub(super) async fn roll_back(
    State(app): State<App>,
    Path(path): Path<String>,
    headers: HeaderMap,
    OptionalBody(body): OptionalBody<RollBackBody>,
) -> Result<Json<Done>, ApiError> {
    let RollBackBody { reason: why, whole_set } = body;
    let (kind, actor, why) = (super::kind(&path)?, actor(&headers)?, reason(ReasonBody { reason: why })?);
    let reply = blocking(move || app.policies.roll_back(kind, whole_set, actor, why)).await??;
    Ok(Json(done(&reply)))
}

pub(super) async fn confirm(State(app): State<App>, Path(path): Path<String>, headers: HeaderMap) -> Result<Json<Done>, ApiError> {
    let command = Command::ConfirmPolicy {
        kind: super::kind(&path)?,
        actor: actor(&headers)?,
    };
    Ok(Json(done(&send(&app.inbox, command).await?)))
}

pub(super) async fn pin(
    State(app): State<App>,
    Path(path): Path<String>,
    headers: HeaderMap,
    OptionalBody(body): OptionalBody<ReasonBody>,
) -> Result<Json<Done>, ApiError> {
    set_pin(&app, &path, actor(&headers)?, true, body).await
}

pub(super) async fn unpin(
    State(app): State<App>,
    Path(path): Path<String>,
    headers: HeaderMap,
    OptionalBody(body): OptionalBody<ReasonBody>,
) -> Result<Json<Done>, ApiError> {
    set_pin(&app, &path, actor(&headers)?, false, body).await
}

async fn set_pin(app: &App, path: &str, actor: Actor, pinned: bool, body: ReasonBody) -> Result<Json<Done>, ApiError> {
    let command = Command::PinPolicy {
        kind: super::kind(path)?,
        pinned,
        actor,
        reason: reason(body)?,
    };
    Ok(Json(done(&send(&app.inbox, command).await?)))
}

pub(super) async fn promote_canary(
    State(app): State<App>,
    Path(path): Path<String>,
    headers: HeaderMap,
    OptionalBody(body): OptionalBody<ReasonBody>,
) -> Result<Json<Done>, ApiError> {
    end_canary(app, &path, actor(&headers)?, true, body).await
}

pub(super) async fn stop_canary(
    State(app): State<App>,
    Path(path): Path<String>,
    headers: HeaderMap,
    OptionalBody(body): OptionalBody<ReasonBody>,
) -> Result<Json<Done>, ApiError> {
    end_canary(app, &path, actor(&headers)?, false, body).await
}

async fn end_canary(app: App, path: &str, actor: Actor, promote: bool, body: ReasonBody) -> Result<Json<Done>, ApiError> {
    let (kind, why) = (super::kind(path)?, reason(body)?);
    let reply = blocking(move || app.policies.end_canary(kind, promote, actor, why)).await??;
    Ok(Json(done(&reply)))
}

pub(super) async fn release(
    State(app): State<App>,
    Path((path, key)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Done>, ApiError> {
    let key = Digest::parse(&key).ok_or_else(|| {
        ApiError::bad_request("bad_key", "a quarantined input is named by 64 hexadecimal digits")
            .fix("`pointsman policy quarantine` lists them")
    })?;
    let command = Command::ReleaseQuarantine {
        kind: super::kind(&path)?,
        key,
        actor: actor(&headers)?,
    };
    Ok(Json(done(&send(&app.inbox, command).await?)))
}

fn done(reply: &Reply) -> Done {
    match reply {
        Reply::Generation(generation) => Done {
            generation: Some(*generation),
            ..Done::default()
        },
        Reply::Generations(generations) => Done {
            generation: generations.first().map(|(_, generation)| *generation),
            ..Done::default()
        },
        Reply::Done | Reply::Source(_) | Reply::Run(_) | Reply::Campaign(_) | Reply::Models(_) | Reply::Imported { .. } => Done::default(),
    }
}

pub(super) fn wrong(pointer: &str, detail: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_field", "a field of the body is wrong").field(pointer, detail)
}
