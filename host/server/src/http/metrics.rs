//! `/metrics`: figures for Prometheus, in its text format and in OpenMetrics, as the scraper accepts.
//!
//! Labels are bounded: kinds of policies, lanes, classes of runs, parts of the host. Help is that of the API's schema.

use super::App;
use super::document::help_of;
use super::overview::report;
use crate::problem::ApiError;
use crate::view::{ceiling, window};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use pointsman_coordinator::State as Known;
use pointsman_model::run::RunClass;
use pointsman_model::source::Lane;
use std::collections::BTreeMap;
use std::fmt::Write;

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
}

/// One family: its name without a unit's or a counter's ending, and its samples by label.
struct Family {
    name: &'static str,
    kind: Kind,
    help: String,
    samples: Vec<(Option<(&'static str, String)>, f64)>,
}

pub(super) async fn show(State(app): State<App>, headers: HeaderMap) -> Result<Response, ApiError> {
    let accepts_open = headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("application/openmetrics-text"));
    let mut families = app.inbox.look(of_the_state).await?;
    let health = report(&app).await;
    families.push(Family {
        name: "pointsman_up",
        kind: Kind::Gauge,
        help: "Whether a part of the host works: 1 where it does or has nothing to do, 0.5 where it is degraded, 0 where it is down."
            .to_string(),
        samples: health
            .components
            .iter()
            .map(|part| {
                let value = match part.status.as_str() {
                    "ok" | "idle" => 1.0,
                    "degraded" => 0.5,
                    _ => 0.0,
                };
                (Some(("component", part.slug.clone())), value)
            })
            .collect(),
    });
    families.push(plain(
        "pointsman_journal_seq",
        Kind::Gauge,
        "Position of the journal's last entry.",
        health.view.seq as f64,
    ));
    if let Some(at) = app.health.beat_at() {
        let age = crate::clock::now_ms().saturating_sub(at) as f64 / 1000.0;
        families.push(plain("pointsman_heartbeat_age_seconds", Kind::Gauge, &help_of("Heartbeat.at"), age));
    }
    let answered: u64 = app.hub.latest().active.map_or(0, |model| model.answered);
    families.push(plain(
        "pointsman_requests_answered",
        Kind::Counter,
        &help_of("ModelCard.answered"),
        answered as f64,
    ));
    families.push(Family {
        name: "pointsman_build_info",
        kind: Kind::Gauge,
        help: "The running version.".to_string(),
        samples: vec![(Some(("version", env!("CARGO_PKG_VERSION").to_string())), 1.0)],
    });
    let kind = if accepts_open { OPEN } else { TEXT };
    Ok(([(CONTENT_TYPE, kind)], written(&families, accepts_open)).into_response())
}

fn of_the_state(state: &Known) -> Vec<Family> {
    let totals = &state.totals;
    let window = window(state);
    let (lane, class) = (
        |lane: &str| Some(("lane", lane.to_string())),
        |class: &str| Some(("class", class.to_string())),
    );
    let mut runs: BTreeMap<&str, f64> = [RunClass::Training, RunClass::Eval, RunClass::Canary, RunClass::Manual]
        .into_iter()
        .map(|class| (crate::view::class_slug(class), 0.0))
        .collect();
    for run in state.runs.values() {
        *runs.entry(crate::view::class_slug(run.class)).or_default() += 1.0;
    }
    let outcome = |word: &str, count: u64| (Some(("outcome", word.to_string())), count as f64);
    let recent = crate::view::recent(state);
    let mut families = vec![
        Family {
            name: "pointsman_outcomes",
            kind: Kind::Counter,
            help: "Training runs that have ended, by how.".to_string(),
            samples: vec![
                outcome("success", totals.successes),
                outcome("failure", totals.failures),
                outcome("cancelled", totals.cancelled),
            ],
        },
        Family {
            name: "pointsman_sources_pending",
            kind: Kind::Gauge,
            help: "Sources that wait to be run, by lane.".to_string(),
            samples: vec![
                (lane("queue"), f64::from(state.index.pending(Lane::Queue))),
                (lane("curriculum"), f64::from(state.index.pending(Lane::Curriculum))),
            ],
        },
        Family {
            name: "pointsman_runs",
            kind: Kind::Gauge,
            help: "Runs under way, by class.".to_string(),
            samples: runs.into_iter().map(|(slug, count)| (class(slug), count)).collect(),
        },
        Family {
            name: "pointsman_policy_generation",
            kind: Kind::Gauge,
            help: help_of("PolicyCard.generation"),
            samples: state
                .policies
                .iter()
                .map(|(kind, slot)| (Some(("policy_kind", kind.slug().to_string())), f64::from(slot.generation)))
                .collect(),
        },
        Family {
            name: "pointsman_policy_faults_in_a_row",
            kind: Kind::Gauge,
            help: "Latest questions that the active policy did not answer; a fallback did.".to_string(),
            samples: state
                .policies
                .iter()
                .filter_map(|(kind, slot)| Some((kind, slot.active.as_ref()?)))
                .map(|(kind, active)| (Some(("policy_kind", kind.slug().to_string())), f64::from(active.faults_in_a_row)))
                .collect(),
        },
    ];
    let total = |name, field: &str, value: u64| plain(name, Kind::Counter, &help_of(field), value as f64);
    families.extend([
        total("pointsman_live_applies", "Totals.live_applies", totals.live_applies),
        total("pointsman_candidates_rejected", "Totals.rejected", totals.rejected),
        total("pointsman_models_rolled_back", "Totals.rolled_back", totals.rolled_back),
        total("pointsman_decisions", "Totals.decisions", totals.decisions),
        total("pointsman_decisions_by_fallback", "Totals.fallbacks", totals.fallbacks),
        total("pointsman_policy_swaps", "Totals.swaps", totals.swaps),
        plain(
            "pointsman_training_enabled",
            Kind::Gauge,
            &help_of("TrainingState.enabled"),
            f64::from(u8::from(state.training.enabled)),
        ),
        plain(
            "pointsman_training_ceiling",
            Kind::Gauge,
            &help_of("Ceiling.effective"),
            f64::from(ceiling(&state.settings).effective),
        ),
        plain(
            "pointsman_window_successes",
            Kind::Gauge,
            &help_of("Window.done"),
            window.done as f64,
        ),
        plain("pointsman_window_size", Kind::Gauge, &help_of("Window.size"), window.size as f64),
    ]);
    // No ratio of nothing: a scraper must not read a success rate of zero where nothing has ended yet.
    if recent.outcomes > 0 {
        let ratio = recent.successes as f64 / recent.outcomes as f64;
        families.push(plain(
            "pointsman_recent_success_ratio",
            Kind::Gauge,
            "Share of successes among the latest outcomes, at most 100.",
            ratio,
        ));
    }
    families
}

fn plain(name: &'static str, kind: Kind, help: &str, value: f64) -> Family {
    Family {
        name,
        kind,
        help: help.to_string(),
        samples: vec![(None, value)],
    }
}

fn written(families: &[Family], is_open: bool) -> String {
    let mut text = String::new();
    for Family { name, kind, help, samples } in families {
        let (word, ending) = match kind {
            Kind::Counter => ("counter", "_total"),
            Kind::Gauge => ("gauge", ""),
        };
        // OpenMetrics names the family without the ending that its samples have.
        let family = if is_open { name.to_string() } else { format!("{name}{ending}") };
        let help = help.replace('\\', "\\\\").replace('\n', " ");
        let _ = writeln!(text, "# HELP {family} {help}\n# TYPE {family} {word}");
        for (label, value) in samples {
            let label = label
                .as_ref()
                .map(|(label, value)| format!("{{{label}=\"{}\"}}", value.replace('\\', "\\\\").replace('"', "\\\"")))
                .unwrap_or_default();
            let _ = writeln!(text, "{name}{ending}{label} {value}");
        }
    }
    if is_open {
        text.push_str("# EOF\n");
    }
    text
}
