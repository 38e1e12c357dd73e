//! Live settings as people see them: what each is called and means, which may be changed here, and how two sets differ.
//!
//! The values and their bounds are the model's; the words stand here once, for the page, the command line and the document.

use crate::wire::{FieldError, SettingDiff, SettingRow, SettingsGroup};
use pointsman_model::settings::{LaneMode, Settings};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Where a setting stands on the page, and who may change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// What the automatic loop does; live.
    Training,
    /// What it takes to go live; live.
    Promotion,
    /// What no policy may do; live.
    Guards,
    /// Shared with everything that runs; given at the start of the host.
    AllTasks,
}

impl Group {
    const ALL: [Group; 4] = [Group::Training, Group::Promotion, Group::Guards, Group::AllTasks];

    fn slug(self) -> &'static str {
        match self {
            Group::Training => "training",
            Group::Promotion => "promotion",
            Group::Guards => "guards",
            Group::AllTasks => "all_tasks",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Group::Training => "Training-only runtime settings",
            Group::Promotion => "Promotion",
            Group::Guards => "Guards",
            Group::AllTasks => "All-task runtime settings (read-only)",
        }
    }

    fn help(self) -> &'static str {
        match self {
            Group::Training => {
                "What the automatic loop picks and how it trains. A change counts at once, without a restart, while runs are under way."
            }
            Group::Promotion => "What a new model has to show before it answers requests. A change counts from the next look of the gate.",
            Group::Guards => "What no policy may do, whatever it decides.",
            Group::AllTasks => {
                "Shared by training, evaluations and manual runs, so they are not changed here: `pointsman up --global-max N --reserved-slots N` sets them at the start of the host."
            }
        }
    }

    fn is_writable(self) -> bool {
        self != Group::AllTasks
    }
}

/// One setting's words.
pub struct About {
    pub name: &'static str,
    pub group: Group,
    pub label: &'static str,
    pub unit: &'static str,
    pub help: &'static str,
}

const fn about(name: &'static str, group: Group, label: &'static str, unit: &'static str, help: &'static str) -> About {
    About {
        name,
        group,
        label,
        unit,
        help,
    }
}

/// Every setting, in the order of the page. A test holds this against the model's fields.
pub const SETTINGS: &[About] = &[
    about(
        "training_max_active",
        Group::Training,
        "Training max active runs",
        "runs",
        "Most training runs at a time. Evaluations and canaries do not count; the effective ceiling is this or what the reserved slots leave, whichever is less.",
    ),
    about(
        "lane_mode",
        Group::Training,
        "Source lane mode",
        "",
        "Which lanes feed selection: hybrid takes the operators' queue first, queued_only never asks the curriculum, automatic_only leaves queued sources waiting.",
    ),
    about(
        "curriculum_fallback",
        Group::Training,
        "Curriculum fallback",
        "",
        "In hybrid mode: whether the curriculum is taken from while the queue has nothing ready.",
    ),
    about(
        "campaign_lock",
        Group::Training,
        "Campaign lock",
        "",
        "On: a campaign under way holds the lock, and its sources are picked alone and in order. Off: hosts take turns.",
    ),
    about(
        "loop_interval_s",
        Group::Training,
        "Loop interval",
        "s",
        "Least time between two picks; 0 picks as soon as there is room.",
    ),
    about(
        "same_host_cap",
        Group::Training,
        "Same-host concurrency",
        "runs",
        "Most runs under way on one host at a time.",
    ),
    about(
        "recent_host_window",
        Group::Training,
        "Recent host window",
        "picks",
        "So many of the latest picks are looked back upon to spread work over hosts; 0 looks at none.",
    ),
    about(
        "retry_budget",
        Group::Training,
        "Retry budget per source",
        "attempts",
        "Failed attempts that a source may have before it is disabled, visible and to be enabled by hand.",
    ),
    about(
        "curriculum_pending_max",
        Group::Training,
        "Curriculum pending max",
        "sources",
        "At so many pending curriculum sources the curriculum is not asked for more.",
    ),
    about(
        "curriculum_interval_s",
        Group::Training,
        "Curriculum interval",
        "s",
        "Least time between two questions to the curriculum.",
    ),
    about(
        "default_steps",
        Group::Training,
        "Default steps",
        "steps",
        "Size of a training run whose source names none.",
    ),
    about(
        "default_learning_rate",
        Group::Training,
        "Default learning rate",
        "",
        "How far a training step goes, where the source says nothing else.",
    ),
    about(
        "default_replay_share",
        Group::Training,
        "Default replay share",
        "share",
        "Share of each batch that is taken from hosts learnt before, so that the model does not forget them.",
    ),
    about(
        "keep_models",
        Group::Training,
        "Retention: models kept",
        "models",
        "Newest models that are kept besides those in use, those that a rollback brings back and those that are pinned; older ones are retired.",
    ),
    about(
        "promotion_window",
        Group::Promotion,
        "Promotion window",
        "successes",
        "Successful runs that make an evaluation due. They only trigger it: the gate decides.",
    ),
    about(
        "eval_blocks_per_host",
        Group::Promotion,
        "Evaluation blocks per host",
        "blocks",
        "Held-out blocks of each host that one look of the gate adds.",
    ),
    about(
        "eval_pairs_max",
        Group::Promotion,
        "Evaluation pairs max",
        "pairs",
        "Pairs after which an evaluation that proves nothing is over.",
    ),
    about(
        "canary_share",
        Group::Promotion,
        "Canary share",
        "share",
        "Share of standard requests that a candidate answers while it is in canary.",
    ),
    about(
        "canary_pairs_first",
        Group::Promotion,
        "Canary: first look",
        "pairs",
        "Pairs before the gate looks at a canary or a watch for the first time.",
    ),
    about(
        "canary_pairs_max",
        Group::Promotion,
        "Canary pairs max",
        "pairs",
        "Most pairs of a canary.",
    ),
    about(
        "watch_pairs_max",
        Group::Promotion,
        "Watch pairs max",
        "pairs",
        "Most pairs of the watch after a model went live; then it is kept.",
    ),
    about(
        "promotion_hold",
        Group::Promotion,
        "Hold for a person",
        "",
        "On: a candidate that the gate accepts waits until a person approves or rejects it, before it goes live. Nothing else waits. What is held when this is turned off still waits for a person.",
    ),
    about(
        "guard_error_rise",
        Group::Guards,
        "Error rise tolerated",
        "share",
        "Largest rise of the share of failed requests that a canary or a watch survives.",
    ),
    about(
        "guard_latency_rise_ms",
        Group::Guards,
        "Latency rise tolerated",
        "ms",
        "Largest rise of the mean latency that a canary or a watch survives.",
    ),
    about(
        "guard_host_loss_max",
        Group::Guards,
        "Loss rise on one host",
        "bits per byte",
        "No gate may advance a candidate whose mean loss on any host is above the baseline's by more; none is no guard.",
    ),
    about(
        "guard_runs_per_host_max",
        Group::Guards,
        "Runs per host, at most",
        "runs",
        "No selection may bring a host above so many runs under way; 0 is no guard.",
    ),
    about(
        "global_max",
        Group::AllTasks,
        "Global max concurrent runs",
        "runs",
        "Most runs of all classes at a time: the hard ceiling.",
    ),
    about(
        "reserved_slots",
        Group::AllTasks,
        "Reserved control slots",
        "slots",
        "Slots of the global maximum that are kept for evaluations and canaries: training never takes them.",
    ),
];

pub fn about_setting(name: &str) -> Option<&'static About> {
    SETTINGS.iter().find(|about| about.name == name)
}

/// Settings as a JSON object.
pub fn values(settings: &Settings) -> Map<String, Value> {
    match serde_json::to_value(settings) {
        Ok(Value::Object(values)) => values,
        Ok(_) | Err(_) => unreachable!("settings are an object of plain data"),
    }
}

/// The tag of settings: equal for equal values.
pub fn tag(settings: &Settings) -> String {
    let text = serde_json::to_string(settings).expect("settings are plain data");
    format!("\"{}\"", &blake3::hash(text.as_bytes()).to_hex()[..16])
}

/// Every setting by group, with its live value, its default and its bounds.
pub fn groups(live: &Settings) -> Vec<SettingsGroup> {
    let (now, default) = (values(live), values(&Settings::default()));
    // A guard that is off has no value to be bounded; the bounds of one that is on are the same.
    let bounded = Settings {
        guard_host_loss_max: Some(live.guard_host_loss_max.unwrap_or(0.0)),
        ..live.clone()
    };
    let bounds: BTreeMap<&str, (f64, f64)> = bounded
        .bounds()
        .into_iter()
        .map(|bound| (bound.field, (bound.minimum, bound.maximum)))
        .collect();
    let row = |about: &About| {
        let bound = bounds.get(about.name);
        let choices = match about.name {
            "lane_mode" => LaneMode::ALL.map(|mode| mode.slug().to_string()).to_vec(),
            _ => Vec::new(),
        };
        SettingRow {
            name: about.name.to_string(),
            label: about.label.to_string(),
            help: about.help.to_string(),
            unit: about.unit.to_string(),
            value: now.get(about.name).cloned().unwrap_or_default(),
            default: default.get(about.name).cloned().unwrap_or_default(),
            minimum: bound.map(|(minimum, _)| *minimum),
            maximum: bound.map(|(_, maximum)| *maximum),
            choices,
            may_be_none: about.name == "guard_host_loss_max",
        }
    };
    let group = |group: Group| SettingsGroup {
        slug: group.slug().to_string(),
        label: group.label().to_string(),
        help: group.help().to_string(),
        writable: group.is_writable(),
        settings: SETTINGS.iter().filter(|about| about.group == group).map(row).collect(),
    };
    Group::ALL.into_iter().map(group).collect()
}

/// What leads from one set of values to another, in the order of the page.
pub fn diff(before: &Settings, after: &Settings) -> Vec<SettingDiff> {
    let (before, after) = (values(before), values(after));
    let differs = |about: &&About| before.get(about.name) != after.get(about.name);
    SETTINGS
        .iter()
        .filter(differs)
        .map(|about| SettingDiff {
            name: about.name.to_string(),
            label: about.label.to_string(),
            before: before.get(about.name).cloned().unwrap_or_default(),
            after: after.get(about.name).cloned().unwrap_or_default(),
        })
        .collect()
}

/// The settings with some values changed, or every field that is wrong.
pub fn merged(live: &Settings, patch: &Map<String, Value>) -> Result<Settings, Vec<FieldError>> {
    let mut wrong = Vec::new();
    let now = values(live);
    let mut changed = now.clone();
    for (name, value) in patch {
        let Some(about) = about_setting(name) else {
            wrong.push(error(name, unknown(name)));
            continue;
        };
        if !about.group.is_writable() && now.get(name) != Some(value) {
            wrong.push(error(name, "is not changed here: `pointsman up` sets it at the start of the host"));
            continue;
        }
        // Tried alone first, so that each wrong field is named and not only the first.
        let mut alone = now.clone();
        alone.insert(name.clone(), value.clone());
        match serde_json::from_value::<Settings>(Value::Object(alone)) {
            Ok(_) => {
                changed.insert(name.clone(), value.clone());
            }
            Err(problem) => wrong.push(error(name, problem.to_string())),
        }
    }
    let changed: Settings = match serde_json::from_value(Value::Object(changed)) {
        Ok(changed) => changed,
        Err(problem) => {
            wrong.push(error("", problem.to_string()));
            return Err(wrong);
        }
    };
    wrong.extend(changed.problems().into_iter().map(|problem| error(&problem.field, problem.problem)));
    if wrong.is_empty() { Ok(changed) } else { Err(wrong) }
}

fn error(name: &str, detail: impl Into<String>) -> FieldError {
    FieldError {
        pointer: format!("/{name}"),
        detail: detail.into(),
    }
}

fn unknown(name: &str) -> String {
    let near = SETTINGS
        .iter()
        .map(|about| (similar::TextDiff::from_chars(name, about.name).ratio(), about.name))
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .filter(|(ratio, _)| *ratio > 0.6);
    match near {
        Some((_, near)) => format!("is no setting; did you mean {near}?"),
        None => "is no setting; `pointsman settings` lists them".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_setting_has_its_words() {
        let fields: Vec<String> = values(&Settings::default()).keys().cloned().collect();
        let mut told: Vec<String> = SETTINGS.iter().map(|about| about.name.to_string()).collect();
        told.sort();
        let mut fields = fields;
        fields.sort();
        assert_eq!(told, fields, "each field of Settings stands in SETTINGS once");
        assert!(SETTINGS.iter().all(|about| !about.help.is_empty() && !about.label.is_empty()));
    }

    #[test]
    fn every_number_has_its_bounds() {
        for group in groups(&Settings::default()) {
            for row in group.settings {
                let is_number = row.default.is_number() || row.may_be_none;
                assert_eq!(row.minimum.is_some() && row.maximum.is_some(), is_number, "{}", row.name);
            }
        }
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let patch = json!({ "promotion_windw": 5, "retry_budget": "three", "global_max": 9, "canary_share": 7.0, "default_steps": 50 });
        let wrong = merged(&Settings::default(), patch.as_object().expect("an object")).expect_err("refused");
        let mut named: Vec<&str> = wrong.iter().map(|error| error.pointer.as_str()).collect();
        named.sort();
        assert_eq!(named, ["/canary_share", "/global_max", "/promotion_windw", "/retry_budget"]);
        assert!(wrong.iter().any(|error| error.detail.contains("promotion_window")), "{wrong:?}");
    }

    #[test]
    fn none_turns_a_guard_off() {
        let on = Settings {
            guard_host_loss_max: Some(0.2),
            ..Settings::default()
        };
        let patch = json!({ "guard_host_loss_max": null });
        let off = merged(&on, patch.as_object().expect("an object")).expect("taken");
        assert_eq!(off.guard_host_loss_max, None);
        assert_eq!(diff(&on, &off).len(), 1);
    }
}
