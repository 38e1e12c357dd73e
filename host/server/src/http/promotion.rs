//! `/api/v1/promotion`: the proof that successes reach live models, and a person's word on a held candidate.

use super::body::{Body, OptionalBody};
use super::overview::{heartbeat, stamp, stamped};
use super::{App, ReasonBody, actor, models, query, reason, send};
use crate::clock::now_ms;
use crate::problem::ApiError;
use crate::view::{self, Phase, decision_row};
use crate::wire::{
    DecisionRow, Done, EvaluationAttempt, LastError, LiveChange, Promotion, PromotionCandidate, PromotionWorker, RoleCard, ViewStamp,
};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use pointsman_coordinator::State as Known;
use pointsman_journal::{CandidateRow, DecisionFilter, DecisionRecord, ReadError, Reader, RoleCause, RoleRow, RunFilter, RunRow};
use pointsman_model::command::Command;
use pointsman_model::policy::PolicyKind;
use pointsman_model::promotion::{Candidate, CandidateEnd, CandidateStage, EndedCandidate, ModelRole};
use pointsman_model::run::{RunClass, RunStatus};
use pointsman_model::{DecisionId, ModelTag, Seq};
use serde::Deserialize;
use utoipa::ToSchema;

/// Decisions of a candidate that are listed.
const DECISIONS_MAX: u32 = 20;
/// Switches of the live model that are looked through for the latest apply.
const SWITCHES_MAX: u32 = 1_000;

pub(super) async fn show(State(app): State<App>) -> Result<Response, ApiError> {
    let now = now_ms();
    let answering = app.standard.status().answering;
    let asked = answering.clone();
    let facts = app.inbox.look(move |state| Facts::of(state, now, asked.as_ref())).await?;
    let tags = facts.tags();
    let (past, decisions) = query(&app, "reading promotion's past", move |reader| {
        let decisions = tags
            .iter()
            .map(|tag| reader.rulings(&about(tag, DECISIONS_MAX)))
            .collect::<Result<Vec<_>, _>>()?;
        Ok((Past::read(reader)?, decisions))
    })
    .await?;
    let mut decisions = decisions.into_iter();
    let mut card = |known: Option<(Candidate, Option<EndedCandidate>)>| {
        let (candidate, ended) = known?;
        Some(candidate_card(
            &facts,
            &past,
            &candidate,
            ended.as_ref(),
            decisions.next().unwrap_or_default(),
        ))
    };
    let candidate = card(facts.candidate.clone().map(|candidate| (candidate, None)));
    let ended = card(facts.ended.clone().map(|ended| (ended.candidate.clone(), Some(ended))));
    let last_switch = past.switches.first().map(models::live_change);
    let last_apply = past
        .switches
        .iter()
        .find(|switch| switch.cause == RoleCause::Applied)
        .map(models::live_change);
    let mut promotion = Promotion {
        view: ViewStamp::default(),
        state: facts.phase.slug().to_string(),
        state_label: facts.phase.label().to_string(),
        phase: facts.sentence.clone(),
        next_action: facts.next_action.clone(),
        worker: worker(&app, &facts),
        evaluation: past.attempts.evaluation(facts.stage(), now),
        last_error: past.attempts.last_error(&app, facts.fault.as_ref()),
        hold: facts.hold,
        roles: ModelRole::ALL
            .into_iter()
            .map(|role| role_card(role, &facts, answering.as_ref(), last_switch.as_ref(), last_apply.as_ref()))
            .collect(),
        live_applies: facts.live_applies,
        last_apply,
        last_switch,
        candidate_state: facts.stage().map_or("none", CandidateStage::slug).to_string(),
        candidate,
        ended,
        routing: facts.routing,
        unused: facts.unused,
        retention: facts.retention,
        outcomes: facts.outcomes,
        window: facts.window,
    };
    // What moves with the clock alone is not content.
    let mut content = promotion.clone();
    content.window.interval_ms = None;
    content.window.eta_at = None;
    if content.last_error.as_ref().is_some_and(|error| error.class == "storage") {
        content.last_error.iter_mut().for_each(|error| error.at = 0);
    }
    promotion.view = stamp(past.seq, &content);
    Ok(stamped(&promotion.view.fingerprint.clone(), Json(promotion)))
}

/// What the state tells, taken in one look.
struct Facts {
    phase: Phase,
    sentence: String,
    next_action: String,
    window: crate::wire::PromotionWindow,
    hold: bool,
    active: Option<ModelTag>,
    active_since: u64,
    live_applies: u64,
    candidate: Option<Candidate>,
    ended: Option<EndedCandidate>,
    held: Option<crate::wire::HeldCard>,
    settings: pointsman_model::settings::Settings,
    routing: Vec<crate::wire::RoutedModel>,
    unused: crate::wire::UnusedModels,
    retention: crate::wire::RetentionCard,
    outcomes: crate::wire::OutcomeCounters,
    fault: Option<PolicyFault>,
}

impl Facts {
    fn of(state: &Known, now: u64, answering: Option<&ModelTag>) -> Facts {
        let phase = Phase::of(state, now, answering);
        let retention = state.retention(state.settings.keep_models);
        Facts {
            phase,
            sentence: phase.sentence(state),
            next_action: view::next_action(state, &view::window(state)),
            window: view::promotion_window(state, now),
            hold: state.settings.promotion_hold,
            active: state.active.clone(),
            active_since: state.active_since,
            live_applies: state.totals.live_applies,
            candidate: state.candidate.clone(),
            ended: state.ended_candidate.clone(),
            held: state.candidate.as_ref().and_then(|candidate| view::held_card(state, candidate)),
            settings: state.settings.clone(),
            routing: view::routing(state, &retention),
            unused: view::unused(state, &retention),
            retention: view::retention_card(state, &retention),
            outcomes: view::outcome_counters(state),
            fault: PolicyFault::latest(state),
        }
    }

    fn stage(&self) -> Option<&CandidateStage> {
        self.candidate.as_ref().map(|candidate| &candidate.stage)
    }

    /// Candidates with a card, in the order of the cards.
    fn tags(&self) -> Vec<ModelTag> {
        let ended = self.ended.as_ref().map(|ended| &ended.candidate);
        self.candidate.iter().chain(ended).map(|candidate| candidate.tag.clone()).collect()
    }
}

/// What the journal tells.
struct Past {
    seq: Seq,
    attempts: Attempts,
    candidates: Vec<CandidateRow>,
    switches: Vec<RoleRow>,
}

impl Past {
    fn read(reader: &Reader) -> Result<Past, ReadError> {
        Ok(Past {
            seq: reader.last_seq()?,
            attempts: Attempts::read(reader)?,
            candidates: reader.candidates(None, 2)?,
            switches: reader.model_roles(SWITCHES_MAX)?,
        })
    }
}

fn about(tag: &ModelTag, limit: u32) -> DecisionFilter {
    DecisionFilter {
        kind: Some(PolicyKind::PromotionGate),
        candidate: Some(tag.clone()),
        limit,
        ..DecisionFilter::default()
    }
}

fn candidate_card(
    facts: &Facts,
    past: &Past,
    candidate: &Candidate,
    ended: Option<&EndedCandidate>,
    decisions: Vec<DecisionRecord>,
) -> PromotionCandidate {
    let decisions: Vec<DecisionRow> = decisions
        .iter()
        .map(|record| decision_row(record.seq, record.at, &record.decision, None))
        .collect();
    let gate = decisions.first();
    let words = gate.and_then(|row| Some((row.id, row.reasons.first()?.text.clone())));
    let card = view::candidate_card(&facts.settings, candidate, words);
    let raised = past.candidates.iter().find(|row| row.tag == candidate.tag);
    PromotionCandidate {
        quality: view::quality(&card, &candidate.compared, gate.map(|row| row.verdict.clone())),
        card,
        raised_seq: raised.map(|row| row.seq.0),
        canary: view::canary_progress(&facts.settings, candidate, ended.is_some()),
        decision_count: candidate.decisions.len() as u64,
        decisions,
        held: facts.held.clone().filter(|_| ended.is_none()),
        ended: ended.map(view::ending),
    }
}

fn role_card(
    role: ModelRole,
    facts: &Facts,
    answering: Option<&ModelTag>,
    last_switch: Option<&LiveChange>,
    last_apply: Option<&LiveChange>,
) -> RoleCard {
    let (label, text) = view::role_words(role);
    RoleCard {
        slug: role.slug().to_string(),
        label: label.to_string(),
        text: text.to_string(),
        tag: facts.active.as_ref().map(|tag| tag.0.clone()),
        since: facts.active.as_ref().map(|_| facts.active_since),
        answering: match role {
            ModelRole::Controller => None,
            ModelRole::Standard => answering.map(|tag| tag.0.clone()),
        },
        last_switch: last_switch.cloned(),
        live_applies: facts.live_applies,
        last_apply_at: last_apply.map(|apply| apply.at),
    }
}

fn worker(app: &App, facts: &Facts) -> PromotionWorker {
    let told = |status: &str, label: &str, text: String, fix: Option<String>| PromotionWorker {
        status: status.to_string(),
        status_label: label.to_string(),
        text,
        fix,
    };
    if let Some(reason) = app.health.trouble() {
        let fix = "Free space on the disk of the data directory; the host goes on by itself.".to_string();
        return told("down", "Down", format!("The journal cannot be written: {reason}."), Some(fix));
    }
    if heartbeat(app).stale {
        let fix = "See the host's log.".to_string();
        return told("down", "Down", "The coordinator's loop does not turn.".to_string(), Some(fix));
    }
    let tag = facts
        .candidate
        .as_ref()
        .map(|candidate| candidate.tag.0.as_str())
        .unwrap_or_default();
    match facts.phase {
        Phase::None | Phase::Collecting | Phase::RolledBack => told("idle", "Idle", facts.sentence.clone(), None),
        Phase::Evaluating | Phase::Canary | Phase::Applying | Phase::Applied => told("running", "Running", facts.sentence.clone(), None),
        Phase::EvalDue => told(
            "blocked",
            "Blocked",
            facts.sentence.clone(),
            Some("It begins as soon as a slot is free: raise reserved_slots or global_max, or wait.".to_string()),
        ),
        Phase::Blocked => told(
            "blocked",
            "Blocked",
            facts.sentence.clone(),
            Some("`pointsman jobs --status failed` tells why the evaluation failed.".to_string()),
        ),
        Phase::Held => told(
            "blocked",
            "Blocked",
            facts.sentence.clone(),
            Some(format!("`pointsman promotion approve {tag}` or `pointsman promotion reject {tag}`")),
        ),
    }
}

/// The latest fault of an active policy.
pub(super) struct PolicyFault {
    kind: PolicyKind,
    policy: String,
    at: u64,
}

impl PolicyFault {
    pub(super) fn latest(state: &Known) -> Option<PolicyFault> {
        let faults = state.policies.iter().filter_map(|(kind, slot)| {
            let active = slot.active.as_ref()?;
            Some(PolicyFault {
                kind: *kind,
                policy: active.description.policy.to_string(),
                at: *active.recent_faults.back()?,
            })
        });
        faults.max_by_key(|fault| fault.at)
    }
}

/// What was tried last, and what went wrong last.
pub(super) struct Attempts {
    evaluation: Option<RunRow>,
    /// The gate's decision on that evaluation: its number and its words.
    gate: Option<(u64, String)>,
    failed: Option<RunRow>,
    ended: Option<CandidateRow>,
}

impl Attempts {
    pub(super) fn read(reader: &Reader) -> Result<Attempts, ReadError> {
        let newest = |filter: RunFilter| reader.runs(&RunFilter { limit: 1, ..filter }).map(|rows| rows.into_iter().next());
        let evaluation = newest(RunFilter {
            class: Some(RunClass::Eval),
            ..RunFilter::default()
        })?;
        // What was decided about the candidate after the evaluation begins with the decision on it.
        let judged = evaluation.as_ref().and_then(|run| Some((run.candidate.clone()?, run.finished_at?)));
        let gate = match judged {
            Some((tag, finished_at)) => reader
                .rulings(&DecisionFilter {
                    since: Some(finished_at),
                    ..about(&tag, pointsman_journal::LIMIT_MAX)
                })?
                .pop(),
            None => None,
        };
        Ok(Attempts {
            evaluation,
            gate: gate.map(|record| {
                let reasons = &record.decision.ruling.advice.reasons;
                let words = reasons.first().map(|reason| reason.text.clone()).unwrap_or_default();
                (record.decision.id.0, words)
            }),
            failed: newest(RunFilter {
                status: Some(RunStatus::Failed),
                ..RunFilter::default()
            })?,
            ended: reader
                .candidates(None, 20)?
                .into_iter()
                .find(|row| matches!(row.end, Some(CandidateEnd::Rejected | CandidateEnd::RolledBack))),
        })
    }

    /// The latest attempt to evaluate a candidate; `stage` is that of the candidate under way.
    pub(super) fn evaluation(&self, stage: Option<&CandidateStage>, now: u64) -> EvaluationAttempt {
        let Some(run) = &self.evaluation else {
            return EvaluationAttempt {
                at: None,
                result: "none".to_string(),
                reason: String::new(),
                decision: None,
                retry_at: None,
            };
        };
        let (decision, words) = self.gate.clone().unzip();
        let retry_at = match stage {
            Some(CandidateStage::Evaluating { run: None, not_before, .. }) if *not_before > now => Some(*not_before),
            _ => None,
        };
        let held = stage.and_then(|stage| match stage {
            CandidateStage::Held {
                from: pointsman_model::context::GateStage::Evaluate,
                reason,
                ..
            } => Some(reason.clone()),
            _ => None,
        });
        let (result, reason) = match (run.status, held) {
            (RunStatus::Queued | RunStatus::Warming | RunStatus::Running, _) => ("triggered", String::new()),
            (RunStatus::Failed | RunStatus::Cancelled, _) => {
                ("failed", run.error.clone().or(run.cancel_reason.clone()).unwrap_or_default())
            }
            (RunStatus::Completed, Some(reason)) => ("blocked", reason),
            (RunStatus::Completed, None) => ("completed", words.unwrap_or_default()),
        };
        EvaluationAttempt {
            at: Some(run.planned_at),
            result: result.to_string(),
            reason,
            decision,
            retry_at,
        }
    }

    /// The latest thing that went wrong, of whatever class.
    pub(super) fn last_error(&self, app: &App, fault: Option<&PolicyFault>) -> Option<LastError> {
        let error = |at: u64, class: &str, code: String, text: String| LastError {
            at,
            class: class.to_string(),
            code,
            text,
            run: None,
            decision: None,
        };
        if let Some(reason) = app.health.trouble() {
            return Some(error(now_ms(), "storage", "read_only".to_string(), reason));
        }
        let run = self.failed.as_ref().map(|run| {
            let class = run.failure_class.map_or("failed", |class| class.slug());
            let text = run.error.as_deref().unwrap_or_default().lines().next().unwrap_or_default();
            LastError {
                run: Some(run.id.0),
                ..error(
                    run.finished_at.unwrap_or(run.planned_at),
                    "run",
                    class.to_string(),
                    text.to_string(),
                )
            }
        });
        let gate = self.ended.as_ref().map(|ended| LastError {
            decision: ended.decision.map(|decision| decision.0),
            ..error(
                ended.ended_at.unwrap_or(ended.stage_at),
                "gate",
                super::slug(&ended.end),
                format!("{}: {}", ended.tag, ended.reason.as_deref().unwrap_or_default()),
            )
        });
        let policy = fault.map(|fault| {
            error(
                fault.at,
                "policy",
                fault.kind.slug().to_string(),
                format!("{} did not answer; a fallback did", fault.policy),
            )
        });
        [run, gate, policy].into_iter().flatten().max_by_key(|error| error.at)
    }
}

/// A person's word on the held candidate. It names what was seen, so that a late click does nothing.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WordBody {
    /// The candidate's tag, as it was seen; refused (404, candidate_not_held) where another or none is held by now.
    candidate: String,
    /// The decision that it is held with, as it was seen; refused (409, hold_changed) where that is another by now.
    #[serde(default)]
    decision: Option<u64>,
    /// Approve, although a guard forbids it.
    #[serde(default)]
    despite_guards: bool,
    /// Why, for the record; at most 1000 bytes.
    #[serde(default)]
    reason: String,
}

/// The same about a candidate that the path names.
#[derive(Deserialize, Default, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TagWordBody {
    /// The decision that it is held with, as it was seen; refused (409, hold_changed) where that is another by now.
    decision: Option<u64>,
    /// Approve, although a guard forbids it.
    despite_guards: bool,
    /// Why, for the record; at most 1000 bytes.
    reason: String,
}

impl TagWordBody {
    fn about(self, candidate: String) -> WordBody {
        let TagWordBody {
            decision,
            despite_guards,
            reason,
        } = self;
        WordBody {
            candidate,
            decision,
            despite_guards,
            reason,
        }
    }
}

pub(super) async fn approve(State(app): State<App>, headers: HeaderMap, Body(word): Body<WordBody>) -> Result<Json<Done>, ApiError> {
    decide(app, true, &headers, word).await
}

pub(super) async fn reject(State(app): State<App>, headers: HeaderMap, Body(word): Body<WordBody>) -> Result<Json<Done>, ApiError> {
    decide(app, false, &headers, word).await
}

pub(super) async fn approve_tag(
    State(app): State<App>,
    Path(tag): Path<String>,
    headers: HeaderMap,
    OptionalBody(word): OptionalBody<TagWordBody>,
) -> Result<Json<Done>, ApiError> {
    decide(app, true, &headers, word.about(tag)).await
}

pub(super) async fn reject_tag(
    State(app): State<App>,
    Path(tag): Path<String>,
    headers: HeaderMap,
    OptionalBody(word): OptionalBody<TagWordBody>,
) -> Result<Json<Done>, ApiError> {
    decide(app, false, &headers, word.about(tag)).await
}

async fn decide(app: App, approve: bool, headers: &HeaderMap, word: WordBody) -> Result<Json<Done>, ApiError> {
    let WordBody {
        candidate,
        decision,
        despite_guards,
        reason: words,
    } = word;
    let command = Command::DecideHeld {
        candidate: ModelTag(candidate),
        decision: decision.map(DecisionId),
        approve,
        despite_guards,
        actor: actor(headers)?,
        reason: reason(ReasonBody { reason: words })?,
    };
    send(&app.inbox, command).await?;
    Ok(Json(Done::default()))
}
