//! Policy versions, and which of them decided what, when.

use super::body::Query;
use super::decisions::row_of;
use super::{App, Page, covered, query};
use crate::problem::ApiError;
use crate::versions::{Known, VersionError, activations_of, code as code_of, find, find_all};
use crate::wire::{DecidedBy, VersionDetail, VersionDiff, VersionList};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use pointsman_journal::{DecisionFilter, Reader};
use pointsman_model::{DecisionId, Digest};
use serde::Deserialize;
use std::collections::BTreeSet;
use utoipa::IntoParams;

/// Versions of a list.
const VERSIONS_MAX: u32 = 500;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListFilter {
    /// source-selection, retry, promotion-gate or curriculum.
    kind: Option<String>,
    /// Name of the policy.
    name: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

pub(super) async fn list(State(app): State<App>, Query(filter): Query<ListFilter>) -> Result<Json<VersionList>, ApiError> {
    let ListFilter { kind, name, limit, cursor } = filter;
    let page = Page::parse(limit.as_deref().or(Some("500")), cursor.as_deref())?;
    let kind = kind.map(|slug| super::kind(&slug)).transpose()?;
    let list = read(&app, move |reader, known| {
        let rows = reader.policy_versions(kind, VERSIONS_MAX)?;
        let wanted: Vec<_> = rows
            .iter()
            .filter(|row| name.as_ref().is_none_or(|name| row.description.policy.name == *name))
            .collect();
        // A version has no number of its own: the cursor counts from the oldest, so that new ones move nothing.
        let left = page.before.map_or(wanted.len(), |left| wanted.len().min(left as usize));
        let skipped = wanted.len() - left;
        let shown = &wanted[skipped..wanted.len().min(skipped + page.limit as usize)];
        let rest = wanted.len() - skipped - shown.len();
        Ok(VersionList {
            versions: shown.iter().map(|row| known.row(row)).collect(),
            next_cursor: (rest > 0).then(|| covered(rest as u64)),
        })
    });
    list.await.map(Json)
}

pub(super) async fn show(State(app): State<App>, Path(version): Path<String>) -> Result<Json<VersionDetail>, ApiError> {
    let detail = read(&app, move |reader, known| known.detail(reader, &find(reader, &version)?));
    detail.await.map(Json)
}

pub(super) async fn code(State(app): State<App>, Path(version): Path<String>) -> Result<Response, ApiError> {
    let bytes = read(&app, move |reader, _| code_of(reader, &find(reader, &version)?)).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, bytes).into_response())
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Pair {
    /// One version: its digest, or name@version.
    a: String,
    /// The other version.
    b: String,
}

pub(super) async fn diff(State(app): State<App>, Query(Pair { a, b }): Query<Pair>) -> Result<Json<VersionDiff>, ApiError> {
    let diff = read(&app, move |reader, known| {
        let (a, b) = (find(reader, &a)?, find(reader, &b)?);
        known.diff(reader, &a, &b)
    });
    diff.await.map(Json)
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct By {
    /// Digest, name@version, or a name for all its versions.
    policy: String,
    limit: Option<String>,
    cursor: Option<String>,
}

/// Which policy decided what, when.
pub(super) async fn decided_by(State(app): State<App>, Query(by): Query<By>) -> Result<Json<DecidedBy>, ApiError> {
    let By { policy, limit, cursor } = by;
    let page = Page::parse(limit.as_deref(), cursor.as_deref())?;
    let answer = read(&app, move |reader, _| {
        let versions = find_all(reader, &policy)?;
        let digests: BTreeSet<Digest> = versions.iter().map(|row| row.description.policy.digest).collect();
        // Of each version so many as the page takes: the newest of all of them are among these.
        let mut rows = Vec::new();
        for digest in digests {
            rows.extend(reader.decisions(&DecisionFilter {
                policy: Some(digest),
                before: page.before.map(DecisionId),
                limit: page.limit,
                ..DecisionFilter::default()
            })?);
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.id));
        rows.truncate(page.limit as usize);
        let next_cursor = super::next_cursor(&rows, page, |row| row.id.0);
        let mut decisions = Vec::with_capacity(rows.len());
        for row in rows {
            decisions.extend(reader.decision(row.id)?.map(|record| row_of(&record)));
        }
        Ok(DecidedBy {
            activations: activations_of(reader, &versions)?,
            decisions,
            next_cursor,
        })
    });
    answer.await.map(Json)
}

async fn read<T: Send + 'static>(
    app: &App,
    run: impl FnOnce(&Reader, &Known) -> Result<T, VersionError> + Send + 'static,
) -> Result<T, ApiError> {
    let answer = query(app, "reading policy versions", move |reader| {
        let known = Known::read(reader)?;
        Ok(run(reader, &known))
    });
    Ok(answer.await??)
}
