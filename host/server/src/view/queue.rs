//! Queue, lanes, capacity and campaigns in figures and sentences, derived here and nowhere else.

use super::class_slug;
use crate::wire::{CampaignRow, Capacity, LaneCard, LockCard, NowRow, OriginCount, QueueCard};
use pointsman_coordinator::{Campaign, SelectionMode, State};
use pointsman_journal::CampaignView;
use pointsman_model::run::{RunClass, Work};
use pointsman_model::settings::LaneMode;
use pointsman_model::source::{Lane, LockKey, Origin};

pub(crate) fn capacity(state: &State) -> Capacity {
    let settings = &state.settings;
    let of = |class| state.runs_of(class);
    let (training, eval, canary, manual) = (
        of(RunClass::Training),
        of(RunClass::Eval),
        of(RunClass::Canary),
        of(RunClass::Manual),
    );
    let total = state.runs.len() as u32;
    let ceiling = super::ceiling(settings);
    let explanation = format!(
        "{training} of {} training runs are under way. Evaluations, canaries and manual runs are not training: {} more, {total} of {} in all.",
        ceiling.effective,
        total - training,
        ceiling.global_max
    );
    Capacity {
        desired: if state.training.enabled { "started" } else { "stopped" }.to_string(),
        actual: actual(state).to_string(),
        by: state.training.actor.clone(),
        reason: state.training.reason.clone(),
        since: state.training.since,
        ceiling,
        training_free: state.training_free(),
        training,
        eval,
        canary,
        manual,
        total,
        non_training: total - training,
        explanation,
    }
}

fn actual(state: &State) -> &'static str {
    match (state.training.enabled, state.training_runs()) {
        (true, _) => "running",
        (false, 0) => "stopped",
        (false, _) => "draining",
    }
}

pub(crate) fn queue_card(state: &State, at: u64) -> QueueCard {
    let settings = &state.settings;
    let queue = lane(state, Lane::Queue, at);
    let curriculum = lane(state, Lane::Curriculum, at);
    let now = now(state);
    let of_lane = |row: &NowRow| if row.lane == "queue" { Lane::Queue } else { Lane::Curriculum };
    let mode = SelectionMode::of(now.iter().find(|row| row.class == "training").map(of_lane));
    let (mode_label, mode_help) = match settings.lane_mode {
        LaneMode::Hybrid => ("Hybrid", "the queue first, then the curriculum where fallback is on"),
        LaneMode::QueuedOnly => ("Queued only", "the curriculum is not picked from"),
        LaneMode::AutomaticOnly => ("Automatic only", "what is queued stays queued"),
    };
    let idle_reason = (now.is_empty() && !queue.open_and_filled() && !curriculum.open_and_filled()).then(|| idle_reason(state));
    let loop_words = match actual(state) {
        "running" => "the automatic loop is running",
        "draining" => "the automatic loop is stopped and drains",
        _ => "the automatic loop is stopped",
    };
    let share = |part: u32, whole: u32| match whole {
        0 => "nothing is queued".to_string(),
        _ => format!("{part} of {whole} queued sources came from the page"),
    };
    QueueCard {
        pending_hosts: state.index.pending_hosts(),
        waiting: state.index.waiting(),
        disabled: state.index.disabled(),
        lane_mode: settings.lane_mode.slug().to_string(),
        lane_mode_label: mode_label.to_string(),
        curriculum_fallback: settings.curriculum_fallback,
        fallback_text: fallback_text(state),
        campaign_lock: settings.campaign_lock,
        lock: state.lock.as_ref().map(|lock| LockCard {
            key: lock.key.slug().to_string(),
            value: lock.value.clone(),
            holder: lock.holder.map(|holder| holder.0),
            since: lock.since,
            by: lock.actor.clone(),
            reason: lock.reason.clone(),
        }),
        host_policy: host_policy(state),
        same_host_cap: settings.same_host_cap,
        recent_host_window: settings.recent_host_window,
        recent_hosts: state
            .recent_hosts
            .iter()
            .take(settings.recent_host_window as usize)
            .filter(|host| !host.is_empty())
            .cloned()
            .collect(),
        selection_mode: mode.slug().to_string(),
        idle_reason,
        sentence: format!(
            "{mode_label}: {mode_help}; {loop_words}; {}.",
            match mode {
                SelectionMode::None => "nothing is being trained on",
                SelectionMode::QueuePending => "a queued source is being trained on",
                SelectionMode::CurriculumFallback => "a curriculum source is being trained on",
            }
        ),
        ui_share: share(queue.ui, queue.pending),
        campaigns_open: state.open_campaigns.len() as u32,
        queue,
        curriculum,
        now,
    }
}

impl LaneCard {
    fn open_and_filled(&self) -> bool {
        self.open && self.pending > 0
    }
}

fn lane(state: &State, lane: Lane, at: u64) -> LaneCard {
    let of = |origin| state.index.pending_of_origin(lane, origin);
    let pending = state.index.pending(lane);
    let oldest = state.index.oldest(lane);
    let queued_at = oldest.and_then(|id| state.sources.get(&id)).map(|source| source.queued_at);
    LaneCard {
        pending,
        ui: of(Origin::Ui),
        other: pending.saturating_sub(of(Origin::Ui)),
        origins: Origin::ALL
            .map(|origin| OriginCount {
                origin: origin.slug().to_string(),
                pending: of(origin),
            })
            .to_vec(),
        open: state.lane_open(lane, at.max(state.last_at)),
        oldest: oldest.map(|id| id.0),
        oldest_queued_at: queued_at,
    }
}

fn now(state: &State) -> Vec<NowRow> {
    let row = |run: &pointsman_model::run::Run| {
        let Work::Train { source, .. } = &run.work else { return None };
        let found = state.sources.get(source)?;
        Some(NowRow {
            run: run.token.run.0,
            source: source.0,
            title: run.title.clone(),
            host: found.host.clone(),
            lane: found.lane.slug().to_string(),
            origin: found.origin.slug().to_string(),
            campaign: found.campaign.map(|row| row.campaign.0),
            class: class_slug(run.class).to_string(),
            attempt: run.token.attempt,
            since: run.started_at.unwrap_or(run.planned_at),
        })
    };
    state.runs.values().rev().filter_map(row).collect()
}

fn fallback_text(state: &State) -> String {
    let pending = state.index.pending(Lane::Curriculum);
    match (state.settings.lane_mode, state.settings.curriculum_fallback) {
        (LaneMode::QueuedOnly, _) => "Queued only: the fallback switch has no effect.".to_string(),
        (LaneMode::AutomaticOnly, _) => "Automatic only: the curriculum is picked from whatever the switch says.".to_string(),
        (LaneMode::Hybrid, false) => "Curriculum fallback is off: with an empty queue nothing is picked.".to_string(),
        (LaneMode::Hybrid, true) => {
            format!("Curriculum fallback is on: with an empty queue the curriculum is picked from ({pending} pending).")
        }
    }
}

fn host_policy(state: &State) -> String {
    let cap = state.settings.same_host_cap;
    match (&state.lock, state.settings.campaign_lock) {
        (Some(lock), _) => match lock.key {
            LockKey::Host => format!("Strict: only host {}, in order; at most {cap} runs of it at a time.", lock.value),
            LockKey::Campaign => format!("Strict: only rows of {}, in order.", lock.value),
        },
        (None, true) => format!("Host-diverse until a campaign takes the lock; at most {cap} runs of a host at a time."),
        (None, false) => format!(
            "Host-diverse: hosts take turns, those of the last {} picks come later; at most {cap} runs of a host at a time.",
            state.settings.recent_host_window
        ),
    }
}

/// Nothing runs and nothing may be picked: why.
fn idle_reason(state: &State) -> String {
    let (queue, curriculum) = (state.index.pending(Lane::Queue), state.index.pending(Lane::Curriculum));
    match state.settings.lane_mode {
        LaneMode::AutomaticOnly if queue > 0 => {
            format!("{queue} sources are queued, but the lane mode is automatic only, and the curriculum has nothing pending.")
        }
        LaneMode::QueuedOnly if curriculum > 0 => {
            format!("The queue is empty; {curriculum} curriculum sources are pending, but the lane mode is queued only.")
        }
        LaneMode::Hybrid if curriculum > 0 && !state.settings.curriculum_fallback => {
            format!("The queue is empty; {curriculum} curriculum sources are pending, but the curriculum fallback is off.")
        }
        _ if state.index.disabled() > 0 => format!("Nothing is pending; {} sources are disabled.", state.index.disabled()),
        _ => "Nothing is pending.".to_string(),
    }
}

/// A campaign: what the journal knows of it, and where it is under way, or was lately, what the state counts.
pub(crate) fn campaign_row(view: CampaignView, live: Option<&Campaign>, holds_lock: bool) -> CampaignRow {
    let (done, failed, cancelled) = (view.done.unwrap_or(0), view.failed.unwrap_or(0), view.cancelled.unwrap_or(0));
    let mut row = CampaignRow {
        id: view.id.0,
        name: view.id.name(),
        title: view.title,
        host: view.host,
        lane: view.lane.slug().to_string(),
        total: view.rows,
        done,
        percent: 0.0,
        queued: 0,
        running: 0,
        failed,
        cancelled,
        state: String::new(),
        first_source: view.first_source.0,
        queued_at: view.queued_at,
        started_at: None,
        finished_at: view.ended_at,
        by: view.actor,
        reason: view.reason,
        cancelled_by: view.cancelled_by,
        cancel_reason: view.cancel_reason,
        holds_lock,
    };
    if let Some(live) = live {
        let counts = live.counts;
        row.done = counts.done;
        row.queued = counts.queued;
        row.running = counts.running;
        row.failed = counts.failed();
        row.cancelled = counts.cancelled;
        row.started_at = live.started_at;
        row.finished_at = live.finished_at;
    }
    row.percent = f64::from(row.done) * 100.0 / f64::from(row.total.max(1));
    row.state = match (row.running > 0, row.queued > 0, row.cancelled_by.is_some()) {
        (_, _, true) => "cancelled",
        (true, _, false) => "running",
        (false, true, false) if row.started_at.is_some() => "running",
        (false, true, false) => "queued",
        (false, false, false) => "ended",
    }
    .to_string();
    row
}
