//! Live settings: changed by a command at a journal position, no restart.

use crate::ids::Seq;
use serde::{Deserialize, Serialize};

/// Which lanes feed selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LaneMode {
    /// Queue first; curriculum where the queue is empty and fallback is on.
    Hybrid,
    QueuedOnly,
    /// Curriculum only; the fallback switch is ignored.
    AutomaticOnly,
}

impl LaneMode {
    pub const ALL: [LaneMode; 3] = [LaneMode::Hybrid, LaneMode::QueuedOnly, LaneMode::AutomaticOnly];

    pub fn slug(self) -> &'static str {
        match self {
            LaneMode::Hybrid => "hybrid",
            LaneMode::QueuedOnly => "queued_only",
            LaneMode::AutomaticOnly => "automatic_only",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Most training runs at a time. Above 1, only a run that started from the newest model moves the line on.
    pub training_max_active: u32,
    /// Most runs of all classes.
    pub global_max: u32,
    /// Slots of `global_max` kept for evaluations.
    pub reserved_slots: u32,
    pub lane_mode: LaneMode,
    pub curriculum_fallback: bool,
    pub same_host_cap: u32,
    /// Picks looked back upon for host diversity.
    pub recent_host_window: u32,
    /// On: a campaign under way holds the lock, and its rows are picked alone and in order. Off: hosts take turns.
    pub campaign_lock: bool,
    /// Least seconds between two picks; 0 picks as soon as there is room.
    pub loop_interval_s: u32,
    /// Failed attempts a source may have.
    pub retry_budget: u32,
    /// Most pending curriculum sources; at or above it the curriculum is not asked.
    pub curriculum_pending_max: u32,
    /// Least seconds between two questions to the curriculum.
    pub curriculum_interval_s: u32,
    pub default_steps: u32,
    pub default_learning_rate: f64,
    pub default_replay_share: f64,
    /// Successes that make an evaluation due.
    pub promotion_window: u32,
    /// Held-out blocks per host that one look adds, and the most pairs of an evaluation.
    pub eval_blocks_per_host: u32,
    pub eval_pairs_max: u32,
    /// Share of standard requests that a candidate answers while in canary.
    pub canary_share: f64,
    /// Pairs before the first look of a canary or a watch, and the most of either.
    pub canary_pairs_first: u32,
    pub canary_pairs_max: u32,
    pub watch_pairs_max: u32,
    /// On: a candidate that the gate accepts waits for a person's word before it goes live.
    pub promotion_hold: bool,
    /// Largest tolerated rise of the share of failed requests, and of the mean latency.
    pub guard_error_rise: f64,
    pub guard_latency_rise_ms: f64,
    /// No gate may advance a candidate whose mean loss on any host is above the baseline's by more; none is no guard.
    pub guard_host_loss_max: Option<f64>,
    /// No selection may bring a host above so many runs under way; 0 is no guard.
    pub guard_runs_per_host_max: u32,
    /// Models kept besides those in use.
    pub keep_models: u32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            training_max_active: 1,
            global_max: 3,
            reserved_slots: 1,
            lane_mode: LaneMode::Hybrid,
            curriculum_fallback: true,
            same_host_cap: 1,
            recent_host_window: 3,
            campaign_lock: false,
            loop_interval_s: 0,
            retry_budget: 3,
            curriculum_pending_max: 4,
            curriculum_interval_s: 2,
            default_steps: 400,
            default_learning_rate: 1e-3,
            default_replay_share: 0.5,
            promotion_window: 30,
            eval_blocks_per_host: 8,
            eval_pairs_max: 120,
            canary_share: 0.25,
            canary_pairs_first: 20,
            canary_pairs_max: 200,
            watch_pairs_max: 100,
            promotion_hold: false,
            guard_error_rise: 0.02,
            guard_latency_rise_ms: 250.0,
            guard_host_loss_max: None,
            guard_runs_per_host_max: 0,
            keep_models: 20,
        }
    }
}

/// What led to a change of settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettingsCause {
    /// Somebody wanted these values.
    #[default]
    Edited,
    /// Somebody took back what the entry at this position had changed.
    Undone { change: Seq },
    /// Somebody applied a preset.
    Preset { name: String },
    /// The host was started with these values.
    Configured,
}

/// Values of some settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SettingsPreset {
    /// Holds the values; those of other fields mean nothing.
    pub settings: Settings,
    /// The fields that it sets.
    pub fields: Vec<String>,
    /// What it is for.
    #[serde(default)]
    pub note: String,
}

/// Most presets that are kept.
pub const PRESETS_MAX: usize = 100;

/// Between which values a field may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SettingBound {
    pub field: &'static str,
    pub value: f64,
    pub minimum: f64,
    pub maximum: f64,
}

/// One thing that is wrong with proposed settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SettingProblem {
    pub field: String,
    pub problem: String,
}

impl Settings {
    /// Slots that the reserved ones leave to training and manual runs.
    pub fn training_ceiling(&self) -> u32 {
        self.global_max.saturating_sub(self.reserved_slots)
    }

    /// Most training runs at a time: as wanted, or what the reserved slots leave.
    pub fn training_cap(&self) -> u32 {
        self.training_max_active.min(self.training_ceiling())
    }

    /// Names each field at fault.
    pub fn problems(&self) -> Vec<SettingProblem> {
        let is_wrong = |bound: &SettingBound| !(bound.value >= bound.minimum && bound.value <= bound.maximum);
        let problem = |bound: SettingBound| SettingProblem {
            field: bound.field.into(),
            problem: format!("{} is not between {} and {}", bound.value, bound.minimum, bound.maximum),
        };
        self.bounds().into_iter().filter(is_wrong).map(problem).collect()
    }

    /// Bounds of every number, in one place. Some depend on others.
    pub fn bounds(&self) -> Vec<SettingBound> {
        let mut bounds = Vec::new();
        let mut whole = |field: &'static str, value: u32, low: u32, high: u32| {
            bounds.push(SettingBound {
                field,
                value: f64::from(value),
                minimum: f64::from(low),
                maximum: f64::from(high),
            });
        };
        whole("training_max_active", self.training_max_active, 1, 64);
        whole("global_max", self.global_max, 1, 256);
        whole("reserved_slots", self.reserved_slots, 0, self.global_max.saturating_sub(1));
        whole("same_host_cap", self.same_host_cap, 1, 64);
        whole("recent_host_window", self.recent_host_window, 0, 64);
        whole("loop_interval_s", self.loop_interval_s, 0, 3_600);
        whole("retry_budget", self.retry_budget, 0, 100);
        whole("curriculum_pending_max", self.curriculum_pending_max, 0, 1000);
        whole("curriculum_interval_s", self.curriculum_interval_s, 1, 86_400);
        whole("default_steps", self.default_steps, STEPS_MIN, STEPS_MAX);
        whole("promotion_window", self.promotion_window, 1, 100_000);
        whole("eval_blocks_per_host", self.eval_blocks_per_host, 1, 64);
        whole("eval_pairs_max", self.eval_pairs_max, 2, 512);
        whole("canary_pairs_first", self.canary_pairs_first, 2, 512);
        whole("canary_pairs_max", self.canary_pairs_max, self.canary_pairs_first.max(2), 512);
        whole("watch_pairs_max", self.watch_pairs_max, self.canary_pairs_first.max(2), 512);
        whole("guard_runs_per_host_max", self.guard_runs_per_host_max, 0, 64);
        whole("keep_models", self.keep_models, 2, 10_000);
        let mut real = |field: &'static str, value: f64, minimum: f64, maximum: f64| {
            bounds.push(SettingBound {
                field,
                value,
                minimum,
                maximum,
            });
        };
        real(
            "default_learning_rate",
            self.default_learning_rate,
            LEARNING_RATE_MIN,
            LEARNING_RATE_MAX,
        );
        real("default_replay_share", self.default_replay_share, 0.0, REPLAY_SHARE_MAX);
        real("canary_share", self.canary_share, 0.01, 1.0);
        real("guard_error_rise", self.guard_error_rise, 0.0, 1.0);
        real("guard_latency_rise_ms", self.guard_latency_rise_ms, 0.0, 600_000.0);
        if let Some(most) = self.guard_host_loss_max {
            real("guard_host_loss_max", most, 0.0, 100.0);
        }
        bounds
    }
}

pub const STEPS_MIN: u32 = 1;
pub const STEPS_MAX: u32 = 1_000_000;
pub const LEARNING_RATE_MIN: f64 = 1e-7;
/// High enough that a run can really diverge: that is the trainer's failure to report, not ours to forbid.
pub const LEARNING_RATE_MAX: f64 = 100.0;
pub const REPLAY_SHARE_MAX: f64 = 0.95;
