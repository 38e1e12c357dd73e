//! Views: what each event changes in which row. The only place that writes views, and it reads nothing but the event
//! and the rows before it, so that the views can be made anew from the events at any time.

mod policies;

use crate::append::{Sql, Statements};
use crate::rows::{RoleCause, SourceStatus};
use crate::words::Word;
use pointsman_model::decision::{Decision, Ruling, Subject};
use pointsman_model::event::{CandidateStep, Event, StageBy};
use pointsman_model::run::{AttemptToken, Completion, Failure, ModelFile, Run, RunEnd, RunReport, Work};
use pointsman_model::source::{CampaignRow, NewSource, SourceEdit};
use pointsman_model::{Actor, CampaignId, DecisionId, Millis, ModelTag, Seq, SourceId};
use rusqlite::params;

/// Writes what follows from one event.
pub(crate) fn fold(statements: &mut Statements<'_>, seq: Seq, at: Millis, event: &Event) -> rusqlite::Result<()> {
    let seq = seq.0 as i64;
    let at = at as i64;
    let changed = match event {
        // In the state and the events; no list shows them.
        Event::HostStarted { .. }
        | Event::HostsParked { .. }
        | Event::TrainingStarted { .. }
        | Event::TrainingStopped { .. }
        | Event::SettingsChanged { .. }
        | Event::PresetSaved { .. }
        | Event::PresetDeleted { .. }
        | Event::WindowPassed { .. }
        | Event::CandidateServed { .. }
        | Event::MorePairsWanted { .. } => 1,

        Event::SourceQueued { source, new, decision } => queue_source(statements, seq, at, *source, new, None, *decision)?,
        Event::CampaignQueued {
            campaign,
            new,
            rows,
            first,
            actor,
            reason,
        } => queue_campaign(statements, seq, at, (*campaign, *rows, *first), new, (actor, reason))?,
        Event::CampaignCancelled {
            campaign,
            left: _,
            actor,
            reason,
        } => {
            let campaign = campaign.0 as i64;
            statements.run(Sql::CancelRows, params![campaign, at, reason])?;
            statements.run(Sql::CancelCampaign, params![campaign, at, actor.0, reason])?
        }
        Event::CampaignEnded {
            campaign,
            done,
            failed,
            cancelled,
        } => statements.run(Sql::EndCampaign, params![campaign.0 as i64, at, done, failed, cancelled])?,
        Event::SourcesImported {
            import,
            batch,
            digest: _,
            first,
            rows,
            refused,
            actor,
        } => {
            for (offset, new) in rows.iter().enumerate() {
                queue_source(statements, seq, at, SourceId(first.0 + offset as u64), new, None, None)?;
            }
            let queued = rows.len() as i64;
            statements.run(
                Sql::InsertImport,
                params![seq, at, import, batch, first.0 as i64, queued, refused, actor.0],
            )?
        }
        Event::SourceEdited {
            source,
            edit,
            actor: _,
            reason: _,
        } => {
            let SourceEdit {
                title,
                body,
                host,
                priority,
                lane,
            } = edit;
            let (lane, text_seq) = (lane.map(Word::word), body.as_ref().map(|_| seq));
            statements.run(Sql::EditSource, params![source.0 as i64, title, host, priority, lane, text_seq])?
        }
        Event::SourceCancelled { source, actor: _, reason } => statements.run(Sql::CancelSource, params![source.0 as i64, at, reason])?,
        Event::LockTaken { lock } => {
            let campaign = lock.holder.map(|holder| holder.0 as i64);
            let since = lock.since as i64;
            statements.run(
                Sql::TakeLock,
                params![seq, since, lock.key.slug(), lock.value, campaign, lock.actor, lock.reason],
            )?
        }
        Event::LockReleased { lock: _, actor, reason } => statements.run(Sql::ReleaseLock, params![at, actor.0, reason])?,
        Event::SourceEnabled {
            source,
            actor: _,
            reason: _,
        } => statements.run(Sql::EnableSource, params![source.0 as i64])?,
        Event::SourceDisabled {
            source,
            actor: _,
            reason,
            decision: _,
        } => statements.run(Sql::DisableSource, params![source.0 as i64, reason])?,
        Event::RetryScheduled { source, at, decision: _ } => statements.run(Sql::DelaySource, params![source.0 as i64, *at as i64])?,
        Event::SourceMoved { source, lane, decision: _ } => statements.run(Sql::MoveSource, params![source.0 as i64, lane.word()])?,
        Event::SourceGivenUp { source, decision: _ } => statements.run(Sql::GiveSourceUp, params![source.0 as i64, at])?,

        Event::RunPlanned { run, decision } => plan_run(statements, run, *decision)?,
        Event::RunStarted { token } => statements.run(Sql::StartRun, params![token.run.0 as i64, at])?,
        Event::RunCancelRequested { run, actor: _, reason } => statements.run(Sql::CancelRun, params![run.0 as i64, reason])?,
        Event::RunFinished { token, report, model } => finish_run(statements, seq, at, token, report, model.as_ref())?,

        Event::ModelBootstrapped { model } => set_role(statements, seq, at, model, None, RoleCause::Bootstrapped, Why::default())?,
        Event::ModelApplied { model, before, by } => {
            statements.run(Sql::ApplyCandidate, params![model.0, at])?;
            set_role(statements, seq, at, model, Some(before), RoleCause::Applied, Why::of(by))?
        }
        Event::ModelRolledBack { from, to, reason, by } => {
            let by = by.as_ref().map(Why::of).unwrap_or_default();
            let why = Why {
                reason: Some(reason),
                ..by
            };
            set_role(statements, seq, at, to, Some(from), RoleCause::RolledBack, why)?
        }
        Event::ModelsRetired {
            models,
            actor: _,
            reason: _,
        } => {
            let mut changed = 1;
            for model in models {
                changed = changed.min(statements.run(Sql::RetireModel, params![model.0, at])?);
            }
            changed
        }
        // The state has the pins that hold, the entries who set and lifted them.
        Event::ModelPinned {
            model: _,
            pinned: _,
            actor: _,
            reason: _,
        } => 1,

        Event::CandidateRaised {
            candidate,
            baseline,
            watermark,
        } => statements.run(Sql::RaiseCandidate, params![seq, at, candidate.0, baseline.0, *watermark as i64])?,
        Event::CandidateAdvanced { candidate, to, by } => {
            let Why { actor, reason, decision } = Why::of(by);
            statements.run(
                Sql::MoveCandidate,
                params![candidate.0, stage_after(*to), at, reason, actor, decision],
            )?
        }
        Event::CandidateHeld {
            candidate,
            reason,
            decision,
            cause: _,
        } => {
            let actor = None::<&str>;
            statements.run(
                Sql::MoveCandidate,
                params![candidate.0, "held", at, reason, actor, decision.0 as i64],
            )?
        }
        Event::CandidateEnded {
            candidate,
            end,
            reason,
            by,
        } => {
            let Why {
                actor,
                reason: _,
                decision,
            } = Why::of(by);
            statements.run(Sql::EndCandidate, params![candidate.0, at, end.word(), reason, actor, decision])?
        }

        Event::PolicyActivated { .. }
        | Event::PolicyConfirmed { .. }
        | Event::PolicyRolledBack { .. }
        | Event::PolicyPinned { .. }
        | Event::PolicyCanaryStarted { .. }
        | Event::PolicyCanaryEnded { .. }
        | Event::InputQuarantined { .. }
        | Event::InputReleased { .. } => policies::fold(statements, seq, at, event)?,
        Event::Decided(decision) => record_decision(statements, seq, at, decision)?,
    };
    if changed == 0 {
        // The event stands all the same; a list lacks a row, which a person should hear of.
        tracing::warn!(
            seq,
            kind = event.slug(),
            "an event is about something that no earlier event has brought"
        );
    }
    Ok(())
}

fn queue_campaign(
    statements: &mut Statements<'_>,
    seq: i64,
    at: i64,
    (campaign, rows, first): (CampaignId, u32, SourceId),
    new: &NewSource,
    (actor, reason): (&Actor, &str),
) -> rusqlite::Result<usize> {
    for row in 1..=rows {
        let place = CampaignRow { campaign, row };
        let source = SourceId(first.0 + u64::from(row) - 1);
        queue_source(statements, seq, at, source, new, Some(place), None)?;
    }
    statements.run(
        Sql::InsertCampaign,
        params![
            campaign.0 as i64,
            seq,
            new.title,
            new.host,
            new.lane.word(),
            rows,
            first.0 as i64,
            at,
            actor.0,
            reason
        ],
    )
}

fn queue_source(
    statements: &mut Statements<'_>,
    seq: i64,
    at: i64,
    source: SourceId,
    new: &NewSource,
    campaign: Option<CampaignRow>,
    decision: Option<DecisionId>,
) -> rusqlite::Result<usize> {
    // The body and the parameters stand in the event; no list shows them.
    let NewSource {
        title,
        body: _,
        host,
        lane,
        origin,
        priority,
        params: _,
    } = new;
    let own_title = campaign.map(|row| row.title(title));
    let title = own_title.as_ref().unwrap_or(title);
    let (campaign, row) = (campaign.map(|row| row.campaign.name()), campaign.map(|row| row.row));
    let decision = decision.map(|id| id.0 as i64);
    statements.run(
        Sql::InsertSource,
        params![
            source.0 as i64,
            title,
            host,
            lane.word(),
            origin.word(),
            campaign,
            row,
            priority,
            at,
            decision,
            seq
        ],
    )
}

fn plan_run(statements: &mut Statements<'_>, run: &Run, decision: Option<DecisionId>) -> rusqlite::Result<usize> {
    let Run {
        token,
        class,
        title,
        work,
        base,
        seed,
        planned_at,
        started_at: _,
        cancelled: _,
    } = run;
    let AttemptToken { run: id, attempt, term } = *token;
    let (word, source, host, candidate) = match work {
        Work::Bootstrap => ("bootstrap", None, None, None),
        Work::Train {
            source,
            host,
            params: _,
            replay_hosts: _,
        } => ("train", Some(*source), host.as_ref(), None),
        Work::Evaluate {
            candidate,
            offset: _,
            blocks_per_host: _,
        } => ("evaluate", None, None, Some(candidate)),
    };
    let source = source.map(|source| source.0 as i64);
    let mut changed = statements.run(
        Sql::PlanRun,
        params![
            id.0 as i64,
            source,
            attempt,
            term,
            class.word(),
            word,
            title,
            host,
            candidate.map(|tag| &tag.0),
            base.as_ref().map(|tag| &tag.0),
            // All 64 bits are used; SQLite's integers are signed.
            *seed as i64,
            decision.map(|id| id.0 as i64),
            *planned_at as i64,
        ],
    )?;
    if let Some(source) = source {
        // A first attempt was neither delayed nor moved, and needs no index to be found by.
        changed = changed.min(if attempt <= 1 {
            statements.run(Sql::RunSource, params![source, attempt, id.0 as i64])?
        } else {
            statements.run(Sql::RunSourceAgain, params![source, attempt])?
        });
    }
    Ok(changed)
}

fn finish_run(
    statements: &mut Statements<'_>,
    seq: i64,
    at: i64,
    token: &AttemptToken,
    report: &RunReport,
    model: Option<&ModelTag>,
) -> rusqlite::Result<usize> {
    let run = token.run.0 as i64;
    let RunReport { duration_ms, end } = report;
    let duration_ms = *duration_ms as i64;
    let planned = statements.find(Sql::FindRun, [run], |row| {
        Ok(PlannedRun {
            source: row.get(0)?,
            base: row.get(1)?,
            host: row.get(2)?,
        })
    })?;
    let Some(PlannedRun { source, base, host }) = planned else {
        return Ok(0);
    };
    let mut changed = 1;
    match end {
        RunEnd::Completed(completion) => {
            let Completion {
                steps,
                loss_before,
                loss_after,
                losses: _,
                hosts: _,
                model: file,
                pairs: _,
            } = completion;
            let tag = model.map(|tag| &tag.0);
            statements.run(Sql::CompleteRun, params![run, at, duration_ms, steps, loss_before, loss_after, tag])?;
            if let Some(source) = source {
                changed = statements.run(Sql::FinishSource, params![source, at])?;
            }
            if let (Some(tag), Some(file)) = (tag, file) {
                let ModelFile { digest, bytes, path } = file;
                statements.run(
                    Sql::InsertModel,
                    params![seq, tag, base, run, digest.0, *bytes as i64, path, at, host],
                )?;
            }
        }
        RunEnd::Failed(Failure { class, error, exit_code }) => {
            statements.run(Sql::FailRun, params![run, at, duration_ms, class.word(), error, exit_code])?;
            if let Some(source) = source {
                // What becomes of it is a decision of its own, the next event.
                let status = SourceStatus::Pending.word();
                changed = statements.run(Sql::ReturnSource, params![source, status, None::<i64>, error])?;
            }
        }
        RunEnd::Cancelled => {
            statements.run(Sql::EndCancelledRun, params![run, at, duration_ms])?;
            if let Some(source) = source {
                let status = SourceStatus::Disabled.word();
                changed = statements.run(Sql::ReturnSource, params![source, status, 1, "its run was cancelled"])?;
            }
        }
    }
    Ok(changed)
}

/// What the end of a run takes from its plan.
struct PlannedRun {
    source: Option<i64>,
    base: Option<String>,
    host: Option<String>,
}

/// What or who made a model move.
#[derive(Default)]
struct Why<'e> {
    decision: Option<i64>,
    actor: Option<&'e str>,
    reason: Option<&'e str>,
}

impl<'e> Why<'e> {
    fn of(by: &'e StageBy) -> Why<'e> {
        match by {
            StageBy::Decision(decision) => Why {
                decision: Some(decision.0 as i64),
                ..Why::default()
            },
            StageBy::Person { actor, reason } => Why {
                actor: Some(&actor.0),
                reason: Some(reason),
                ..Why::default()
            },
            StageBy::Host => Why::default(),
        }
    }
}

fn set_role(
    statements: &mut Statements<'_>,
    seq: i64,
    at: i64,
    model: &ModelTag,
    before: Option<&ModelTag>,
    cause: RoleCause,
    why: Why<'_>,
) -> rusqlite::Result<usize> {
    let Why { decision, actor, reason } = why;
    statements.run(
        Sql::InsertRole,
        params![seq, at, model.0, before.map(|tag| &tag.0), cause.word(), decision, actor, reason],
    )
}

/// The same words as the state's stages have.
fn stage_after(step: CandidateStep) -> &'static str {
    match step {
        CandidateStep::Evaluate => "evaluating",
        CandidateStep::Canary => "canary",
        CandidateStep::Watch => "watching",
    }
}

fn record_decision(statements: &mut Statements<'_>, seq: i64, at: i64, decision: &Decision) -> rusqlite::Result<usize> {
    let Decision {
        id,
        kind,
        subject,
        generation,
        context,
        scores: _,
        input: _,
        ruling,
    } = decision;
    let Ruling {
        verdict,
        advice,
        link,
        policy,
        engine,
        cost,
        declined,
        propensity: _,
    } = ruling;
    let subject = subject_word(subject);
    statements.run(
        Sql::InsertDecision,
        params![
            id.0 as i64,
            seq,
            at,
            kind.word(),
            verdict.slug(),
            subject,
            generation,
            policy.name,
            policy.version,
            policy.digest.0,
            link.word(),
            engine,
            cost.fuel.map(|fuel| fuel as i64),
            cost.micros,
            declined.len() as i64,
            advice.reasons.first().map(|reason| &reason.text),
            context.0,
        ],
    )
}

/// What a decision was about, if that has a name.
pub(crate) fn subject_word(subject: &Subject) -> Option<String> {
    match subject {
        Subject::Selection | Subject::Curriculum => None,
        Subject::Run(run) => Some(format!("run:{run}")),
        Subject::Candidate(tag) => Some(format!("candidate:{tag}")),
    }
}
