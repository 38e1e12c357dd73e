//! `/api/v1/decisions`: the ledger.

use super::body::Query;
use super::{App, Page, id, query};
use crate::problem::ApiError;
use crate::view::decision_row;
use crate::wire::{DecisionDetail, DecisionList, DecisionRow};
use axum::Json;
use axum::extract::{Path, State};
use pointsman_journal::{DecisionFilter, DecisionRecord};
use pointsman_model::{DecisionId, ModelTag, RunId};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// source-selection, retry, promotion-gate or curriculum.
    kind: Option<String>,
    /// Number of the run it was about.
    run: Option<String>,
    /// Tag of the candidate it was about.
    candidate: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

pub(super) async fn list(State(app): State<App>, Query(filter): Query<Filter>) -> Result<Json<DecisionList>, ApiError> {
    let Filter {
        kind,
        run,
        candidate,
        limit,
        cursor,
    } = filter;
    let page = Page::parse(limit.as_deref(), cursor.as_deref())?;
    let kind = kind.map(|slug| super::kind(&slug)).transpose()?;
    let run = run.map(|text| id(&text, "job")).transpose()?.map(RunId);
    let filter = DecisionFilter {
        kind,
        run,
        candidate: candidate.map(ModelTag),
        before: page.before.map(DecisionId),
        limit: page.limit,
        ..DecisionFilter::default()
    };
    let list = query(&app, "listing decisions", move |reader| {
        let rows = reader.decisions(&filter)?;
        let next_cursor = super::next_cursor(&rows, page, |row| row.id.0);
        let mut decisions = Vec::with_capacity(rows.len());
        for row in rows {
            if let Some(record) = reader.decision(row.id)? {
                decisions.push(row_of(&record));
            }
        }
        Ok(DecisionList { decisions, next_cursor })
    })
    .await?;
    Ok(Json(list))
}

pub(super) async fn show(State(app): State<App>, Path(path): Path<String>) -> Result<Json<DecisionDetail>, ApiError> {
    let id = DecisionId(id(&path, "decision")?);
    let Some(mut record) = query(&app, "reading a decision", move |reader| reader.decision(id)).await? else {
        return Err(ApiError::not_found("no_such_decision", format!("there is no decision {id}")));
    };
    let context = match record.decode_context() {
        Some(Ok(context)) => serde_json::to_value(context).map_err(|error| ApiError::internal("showing a context", error))?,
        Some(Err(error)) => Value::String(error.to_string()),
        None => Value::Null,
    };
    // Scores that cannot be read any more leave the rest to be shown.
    record.decision.ruling.advice.scores = record.decode_scores().and_then(Result::ok);
    let ruling = serde_json::to_value(&record.decision.ruling).map_err(|error| ApiError::internal("showing a ruling", error))?;
    let context_digest = record.decision.context.to_string();
    Ok(Json(DecisionDetail {
        row: row_of(&record),
        context,
        ruling,
        context_digest,
    }))
}

pub(super) fn row_of(record: &DecisionRecord) -> DecisionRow {
    let context = record.recording.as_ref().map(|recording| &recording.context[..]);
    decision_row(record.seq, record.at, &record.decision, context)
}
