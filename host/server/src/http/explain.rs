//! What a decision's record can tell beside itself: a test case, and what would have made it another one. And what a
//! script may name.

use super::policies::blocking;
use super::{App, id, query};
use crate::problem::ApiError;
use crate::verification::load_version;
use crate::view::verdict_words;
use crate::wire::{Definition, Definitions, FlipReport, FlipRow};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use pointsman_authoring::case_of_decision;
use pointsman_journal::DecisionRecord;
use pointsman_model::DecisionId;
use pointsman_model::context::Context;
use pointsman_model::decision::Link;
use pointsman_policy::{Engines, canned_context};
use pointsman_sim::flip::flips as find_flips;
use serde_json::Value;

/// Questions for one decision's flips: two seconds of an ordinary script.
const FLIP_QUESTIONS_MAX: usize = 5_000;
/// Flips that are told.
const FLIPS_MAX: usize = 10;

/// A decision that is there, with its context.
async fn recorded(app: &App, path: &str) -> Result<(DecisionRecord, Context), ApiError> {
    let id = DecisionId(id(path, "decision")?);
    let Some(record) = query(app, "reading a decision", move |reader| reader.decision(id)).await? else {
        return Err(ApiError::not_found("no_such_decision", format!("there is no decision {id}")));
    };
    match record.decode_context() {
        Some(Ok(context)) => Ok((record, context)),
        Some(Err(error)) => Err(ApiError::new(StatusCode::CONFLICT, "context_unreadable", error.to_string())),
        None => Err(ApiError::new(
            StatusCode::CONFLICT,
            "context_gone",
            format!("the context of decision {id} is no longer kept"),
        )),
    }
}

/// `GET /api/v1/decisions/{id}/case`: a case as it stands in `cases/*.json`.
pub(super) async fn case(State(app): State<App>, Path(path): Path<String>) -> Result<Json<Value>, ApiError> {
    let (record, context) = recorded(&app, &path).await?;
    let decision = &record.decision;
    let name = format!(
        "decision {}: {}",
        decision.id,
        verdict_words(&decision.ruling.verdict, Some(&context))
    );
    case_of_decision(&name, &context, &canned_context(decision.kind), &decision.ruling)
        .map(Json)
        .map_err(|problem| ApiError::new(StatusCode::CONFLICT, "no_case", problem))
}

/// `GET /api/v1/decisions/{id}/flips`
pub(super) async fn flips(State(app): State<App>, Path(path): Path<String>) -> Result<Json<FlipReport>, ApiError> {
    let (record, context) = recorded(&app, &path).await?;
    let answered = blocking(move || {
        let decision = record.decision;
        let ruling = &decision.ruling;
        let mut report = FlipReport {
            decision: decision.id.0,
            policy: ruling.policy.to_string(),
            flips: Vec::new(),
            fields: 0,
            asked: 0,
            complete: true,
            why_not: None,
        };
        if ruling.link == Link::BuiltIn {
            report.why_not = Some("a built-in fallback answered, which is no policy".to_string());
            return Ok(report);
        }
        let library = app.policies.library_for_verification();
        let failed = |error: &dyn std::fmt::Display| ApiError::internal("reading a policy version", error);
        report.why_not = app
            .readers
            .with(|reader| load_version(reader, &library, &ruling.policy))
            .map_err(|error| failed(&error))?
            .map_err(|error| failed(&error))?;
        if report.why_not.is_some() {
            return Ok(report);
        }
        let found = find_flips(
            &mut Engines::new(library),
            &ruling.policy,
            &context,
            &ruling.verdict,
            FLIP_QUESTIONS_MAX,
        );
        report.fields = found.fields as u64;
        report.asked = found.asked as u64;
        report.complete = found.complete;
        report.flips = found
            .found
            .into_iter()
            .take(FLIPS_MAX)
            .map(|flip| FlipRow {
                field: flip.field,
                from: flip.from,
                to: flip.to,
                verdict: flip.becomes.slug().to_string(),
                becomes: verdict_words(&flip.becomes, Some(&context)),
            })
            .collect();
        Ok(report)
    });
    answered.await?.map(Json)
}

/// `GET /api/v1/policies/definitions/{kind}`: for editors, from the definitions that the interpreter runs with.
pub(super) async fn definitions(Path(path): Path<String>) -> Result<Json<Definitions>, ApiError> {
    let kind = super::kind(&path)?;
    let completion = pointsman_policy::script::completion(kind);
    let entries = completion.entries.into_iter().map(|entry| Definition {
        place: entry.place.word().to_string(),
        name: entry.name,
        signatures: entry.signatures,
    });
    Ok(Json(Definitions {
        kind: kind.slug().to_string(),
        entries: entries.collect(),
    }))
}
