//! `/api/v1/relay`: the way from a queued source to what standard requests get of it, and whether each step keeps up.

use super::overview::{coverage, stamp, stamped};
use super::{App, query};
use crate::clock::now_ms;
use crate::problem::ApiError;
use crate::view;
use crate::wire::{Coverage, GateWait, LatestSuccess, RecentOutcomes, Relay, RelayPulse, RelayStep};
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use pointsman_coordinator::{RECENT_OUTCOMES_MAX, State as Known};
use pointsman_journal::{Gained, ReadError, Reader, RunFilter, RunRow, SINCE_MAX};
use pointsman_model::run::{RunClass, RunStatus};
use pointsman_model::source::{Lane, LockKey};
use pointsman_model::{ModelTag, Seq};
use std::path::Path;

/// What is counted goes back so far.
const WINDOW_MS: u64 = 30 * 60_000;
/// Sources that might be run wait for so long, and no run begins: intake stands still.
const INTAKE_LATE_MS: u64 = 10 * 60_000;
/// A run that was planned and has not begun for so long waits for something that does not come.
const PLANNED_LATE_MS: u64 = 60_000;
/// Runs that are looked at for the newest success.
const LOOKED_AT: u32 = 200;

pub(super) async fn show(State(app): State<App>) -> Result<Response, ApiError> {
    let facts = app.inbox.look(Facts::of).await?;
    let data = app.data.clone();
    let past = query(&app, "reading the last half hour", move |reader| Past::read(reader, &data)).await?;
    let asked = app.clone();
    let (progress, rebuilding) = tokio::task::spawn_blocking(move || (asked.memory.progress(), asked.memory.is_being_rebuilt()))
        .await
        .map_err(|error| ApiError::internal("asking the learning memory", error))?;
    let memory = super::memory::status(progress, facts.outcomes, rebuilding);
    let serving = app.standard.status();
    let answered = app.standard.answered_30m();
    let now = now_ms();

    let mut reasons = Vec::new();
    let mut steps = vec![
        intake(&facts, &past, now),
        execution(&facts, &past, now),
        ingest(&facts, &memory),
        reuse(&facts, &past, answered, serving.problem.as_deref()),
    ];
    for step in &mut steps {
        if let Some(reason) = over(step) {
            step.state = "degraded".to_string();
            step.state_label = "Degraded".to_string();
            reasons.push(reason);
        }
    }
    if let Some(problem) = &memory.problem {
        reasons.push(format!("Learning Ingest: {problem}"));
    }
    if let Some(problem) = serving.problem {
        reasons.push(format!("Standard Task Reuse: {problem}"));
    }
    let (status, label) = if reasons.is_empty() {
        ("healthy", "Healthy")
    } else {
        ("degraded", "Degraded")
    };
    let mut relay = Relay {
        view: stamp(past.seq, &()),
        status: status.to_string(),
        status_label: label.to_string(),
        reason: reasons.join("; "),
        steps,
        pulse: facts.pulse,
        sources_consumed_30m: past.consumed,
        records_ingested_30m: memory.ingested_30m,
        ingest_backlog: memory.backlog,
        ingest_lag_max: facts.ingest_lag_max,
        gate_blocked: facts.gate_blocked,
        latest_success: past.latest_success,
        trace_coverage: past.coverage,
        recent: facts.recent,
        counted_whole: past.counted_whole,
    };
    relay.pulse.last_model_switch = past.gained.last_switch.or(facts.active_since);
    let content = (
        &relay.status,
        &relay.reason,
        &relay.pulse,
        &relay.latest_success,
        &relay.gate_blocked,
    );
    let steps: Vec<_> = relay
        .steps
        .iter()
        .map(|step| (&step.state, step.count_30m, step.backlog, &step.latest_id))
        .collect();
    relay.view = stamp(past.seq, &(content, steps));
    Ok(stamped(&relay.view.fingerprint.clone(), Json(relay)))
}

/// Why a step is over its limit.
fn over(step: &RelayStep) -> Option<String> {
    let limit = step.lag_max.filter(|limit| step.lag > *limit)?;
    Some(format!(
        "{}: {} {} behind, at most {limit} are allowed",
        step.label, step.lag, step.lag_unit
    ))
}

fn intake(facts: &Facts, past: &Past, now: u64) -> RelayStep {
    let pending = facts.pulse.queue_pending;
    // Behind is only what might be picked: not while training is off, its slots are taken, or a lock keeps all but a few out.
    let might_pick = facts.enabled && facts.free > 0 && !facts.locked;
    let waiting_since = facts.oldest_ready.filter(|_| might_pick);
    let lag = waiting_since.map_or(0, |since| now.saturating_sub(since.max(facts.picked_at.unwrap_or(0))));
    let (state, label) = match (facts.enabled, pending, past.consumed) {
        (false, _, _) => ("stopped", "Stopped"),
        (true, 0, 0) => ("idle", "Idle"),
        (true, 0, _) => ("waiting", "Waiting for sources"),
        (true, _, _) => ("active", "Active"),
    };
    RelayStep {
        slug: "intake".to_string(),
        label: "Queue Intake".to_string(),
        state: state.to_string(),
        state_label: label.to_string(),
        count_30m: past.consumed,
        counted: "sources done or given up".to_string(),
        backlog: pending,
        lag,
        lag_max: Some(INTAKE_LATE_MS),
        lag_unit: "ms".to_string(),
        latest_id: past.latest_planned.as_ref().map(|(source, _)| source.to_string()),
        latest_at: past.latest_planned.as_ref().map(|(_, at)| *at),
        detail: format!("{pending} pending, {} consumed in 30 minutes", past.consumed),
    }
}

fn execution(facts: &Facts, past: &Past, now: u64) -> RelayStep {
    let RelayPulse {
        training_running: running,
        training_cap: cap,
        ..
    } = facts.pulse;
    let (state, label) = match (facts.enabled, running) {
        (_, 1..) => ("active", "Running"),
        (true, 0) => ("idle", "Idle"),
        (false, 0) => ("stopped", "Stopped"),
    };
    let late = facts.planned_since.map_or(0, |since| now.saturating_sub(since));
    RelayStep {
        slug: "execution".to_string(),
        label: "Training Execution".to_string(),
        state: state.to_string(),
        state_label: label.to_string(),
        count_30m: past.gained.outcomes,
        counted: "outcomes of training runs".to_string(),
        backlog: facts.planned,
        lag: late,
        lag_max: Some(PLANNED_LATE_MS),
        lag_unit: "ms".to_string(),
        latest_id: past.latest_outcome.map(|(run, _)| run.to_string()),
        latest_at: past.latest_outcome.map(|(_, at)| at),
        detail: format!(
            "{running}/{cap} running, {}/{} recent successes",
            facts.recent.successes, facts.recent.outcomes
        ),
    }
}

fn ingest(facts: &Facts, memory: &crate::wire::MemoryStatus) -> RelayStep {
    let (state, label) = match (memory.state.as_str(), memory.ingested_30m) {
        ("failing", _) => ("degraded", "Degraded"),
        ("starting", _) => ("waiting", "Starting"),
        ("rebuilding" | "catching_up", _) => ("active", memory.state_label.as_str()),
        (_, 0) => ("idle", "Idle"),
        (_, _) => ("active", "Active"),
    };
    RelayStep {
        slug: "ingest".to_string(),
        label: "Learning Ingest".to_string(),
        state: state.to_string(),
        state_label: label.to_string(),
        count_30m: memory.ingested_30m,
        counted: "outcomes ingested".to_string(),
        backlog: memory.backlog,
        lag: memory.backlog,
        lag_max: Some(u64::from(facts.ingest_lag_max)),
        lag_unit: "outcomes".to_string(),
        latest_id: memory.latest_run.map(|run| run.to_string()),
        latest_at: memory.latest_at,
        detail: format!("{} outcomes remembered, {} to come", memory.outcomes, memory.backlog),
    }
}

fn reuse(facts: &Facts, past: &Past, answered: u64, problem: Option<&str>) -> RelayStep {
    let RelayPulse {
        window_done,
        window_size,
        live_applies,
        standard_model,
        ..
    } = &facts.pulse;
    let (state, label) = match (problem, standard_model, answered) {
        (Some(_), _, _) => ("degraded", "Degraded"),
        (None, None, _) => ("waiting", "Waiting for a model"),
        (None, Some(_), 0) => ("idle", "Ready"),
        (None, Some(_), _) => ("active", "Active"),
    };
    RelayStep {
        slug: "reuse".to_string(),
        label: "Standard Task Reuse".to_string(),
        state: state.to_string(),
        state_label: label.to_string(),
        count_30m: answered,
        counted: "standard requests answered by this host process".to_string(),
        backlog: *window_done,
        lag: *window_done,
        lag_max: None,
        lag_unit: "successes".to_string(),
        latest_id: standard_model.clone(),
        latest_at: facts.active_since,
        detail: format!(
            "window {window_done}/{window_size}, {live_applies} live applies ({} in 30 minutes), {} answers",
            past.gained.live_applies,
            standard_model.as_deref().unwrap_or("no model")
        ),
    }
}

/// What the state tells, taken in one look.
struct Facts {
    enabled: bool,
    /// Training runs that might be planned now.
    free: u32,
    locked: bool,
    outcomes: u64,
    ingest_lag_max: u32,
    oldest_ready: Option<u64>,
    picked_at: Option<u64>,
    /// Runs that are planned and not begun, and since when the oldest of them is.
    planned: u64,
    planned_since: Option<u64>,
    active_since: Option<u64>,
    pulse: RelayPulse,
    recent: RecentOutcomes,
    gate_blocked: Option<GateWait>,
}

impl Facts {
    fn of(state: &Known) -> Facts {
        let lanes = Lane::ALL.into_iter().filter(|lane| state.lane_allowed(*lane));
        let oldest = lanes.filter_map(|lane| state.index.oldest(lane)).min();
        let planned = || state.runs.values().filter(|run| run.started_at.is_none());
        let (running, cap) = (state.training_runs(), state.settings.training_cap());
        let window = view::window(state);
        Facts {
            enabled: state.training.enabled,
            free: state.training_free(),
            locked: state
                .lock
                .as_ref()
                .is_some_and(|lock| matches!(lock.key, LockKey::Host | LockKey::Campaign)),
            outcomes: state.totals.outcomes,
            ingest_lag_max: state.settings.ingest_lag_max,
            oldest_ready: oldest.and_then(|id| state.sources.get(&id)).map(|source| source.queued_at),
            picked_at: state.picked_at,
            planned: planned().count() as u64,
            planned_since: planned().map(|run| run.planned_at).min(),
            active_since: state.active.as_ref().map(|_| state.active_since),
            pulse: RelayPulse {
                queue_pending: u64::from(state.index.pending(Lane::Queue)) + u64::from(state.index.pending(Lane::Curriculum)),
                training_running: running,
                training_cap: cap,
                utilisation_percent: view::percent(u64::from(running), u64::from(cap)),
                other_running: state.runs.len() as u32 - running,
                window_done: window.done,
                window_size: window.size,
                live_applies: state.totals.live_applies,
                standard_model: state.active.as_ref().map(|ModelTag(tag)| tag.clone()),
                last_model_switch: None,
            },
            recent: view::recent(state),
            gate_blocked: state.blocked_gate().map(|block| GateWait {
                candidate: block.candidate.0.clone(),
                stage: block.stage.slug().to_string(),
                reason: view::gate_wait(block),
                since: block.since,
                retry_at: block.until,
            }),
        }
    }
}

/// What the journal tells of the last half hour.
struct Past {
    seq: Seq,
    gained: Gained,
    consumed: u64,
    counted_whole: bool,
    latest_planned: Option<(u64, u64)>,
    latest_outcome: Option<(u64, u64)>,
    latest_success: Option<LatestSuccess>,
    coverage: Coverage,
}

impl Past {
    fn read(reader: &Reader, data: &Path) -> Result<Past, ReadError> {
        let seq = reader.last_seq()?;
        let since = reader.seq_before(now_ms().saturating_sub(WINDOW_MS))?;
        let counted = since.max(Seq(seq.0.saturating_sub(SINCE_MAX)));
        let gained = reader.gained_since(counted)?;
        let mut runs = reader.runs(&RunFilter {
            class: Some(RunClass::Training),
            limit: LOOKED_AT,
            ..RunFilter::default()
        })?;
        runs.retain(|run| run.source.is_some());
        let is_outcome = |run: &&RunRow| matches!(run.status, RunStatus::Completed | RunStatus::Failed);
        let ended_last = |left: &&RunRow, right: &&RunRow| left.finished_at.cmp(&right.finished_at);
        let success = runs.iter().filter(|run| run.status == RunStatus::Completed).max_by(ended_last);
        let outcome = runs.iter().filter(is_outcome).max_by(ended_last);
        let recent = &runs[..runs.len().min(RECENT_OUTCOMES_MAX)];
        Ok(Past {
            seq,
            consumed: gained.successes + reader.given_up_since(counted)?,
            counted_whole: counted == since,
            latest_planned: runs.first().and_then(|run| Some((run.source?.0, run.planned_at))),
            latest_outcome: outcome.and_then(|run| Some((run.id.0, run.finished_at?))),
            latest_success: success.and_then(|run| {
                Some(LatestSuccess {
                    run: run.id.0,
                    source: run.source?.0,
                    title: run.title.clone(),
                    host: run.host.clone(),
                    at: run.finished_at?,
                })
            }),
            coverage: coverage(recent, data),
            gained,
        })
    }
}
