//! The rows that text and page share.

use super::Report;
use crate::simulate::{DecisionFigures, Figures, HostFigures};
use pointsman_model::policy::PolicyKind;
use std::collections::BTreeSet;
use std::fmt::Write;

pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) rows: Vec<Row>,
}

pub(super) struct Row {
    pub(super) name: String,
    /// One per course.
    pub(super) values: Vec<String>,
}

pub(super) fn sections(courses: &[Figures]) -> Vec<Section> {
    let row = |name: &str, value: &dyn Fn(&Figures) -> String| Row {
        name: name.to_string(),
        values: courses.iter().map(value).collect(),
    };
    let mut sections = Vec::new();
    let policies = PolicyKind::ALL.into_iter().enumerate().map(|(index, kind)| {
        row(kind.slug(), &|course| {
            course
                .policies
                .get(index)
                .map_or_else(String::new, |serving| match serving.policy == serving.at_the_end {
                    true => serving.policy.clone(),
                    false => format!("{}, at the end {}", serving.policy, serving.at_the_end),
                })
        })
    });
    sections.push(Section {
        title: "Policies",
        rows: policies.collect(),
    });
    sections.push(Section {
        title: "Runs",
        rows: vec![
            row("finished", &|course| course.runs.finished.to_string()),
            row("success rate", &|course| percent(course.runs.success_rate)),
            row("successes per hour", &|course| format!("{:.2}", course.runs.successes_per_hour)),
            row("training slots busy", &|course| percent(course.runs.busy_share)),
            row("of that, ended in failure", &|course| percent(course.runs.failed_time_share)),
            row("failures by class", &|course| counts(course.runs.failures_by_class.iter())),
            row("evaluations", &|course| course.runs.evaluations.to_string()),
        ],
    });
    sections.push(Section {
        title: "Sources",
        rows: vec![
            row("retries", &|course| course.sources.retries.to_string()),
            row("given up", &|course| course.sources.given_up.to_string()),
            row("disabled", &|course| course.sources.disabled.to_string()),
            row("moved to the other lane", &|course| course.sources.moved.to_string()),
            row("most attempts of a source", &|course| course.sources.attempts_most.to_string()),
            row("attempts bound to fail", &|course| course.sources.hopeless_attempts.to_string()),
        ],
    });
    sections.push(Section {
        title: "Promotions, errors by the model's truth",
        rows: vec![
            row("candidates", &|course| course.promotions.candidates.to_string()),
            row("applied", &|course| course.promotions.applied.to_string()),
            row("applied though not better", &|course| {
                course.promotions.applied_not_better.to_string()
            }),
            row("rejected", &|course| course.promotions.rejected.to_string()),
            row("rejected though better", &|course| {
                let promotions = &course.promotions;
                format!(
                    "{} ({} by 0.05 or more)",
                    promotions.rejected_better, promotions.rejected_better_by_005
                )
            }),
            row("rolled back", &|course| course.promotions.rolled_back.to_string()),
            row("rolled back though better", &|course| {
                course.promotions.rolled_back_better.to_string()
            }),
            row("held for a person", &|course| course.promotions.held.to_string()),
            row("pairs per evaluation", &|course| format!("{:.1}", course.promotions.pairs_mean)),
            row("true mean loss, first model", &|course| {
                format!("{:.4}", course.promotions.loss_start)
            }),
            row("true mean loss, live at the end", &|course| {
                format!("{:.4}", course.promotions.loss_end)
            }),
        ],
    });
    let none = DecisionFigures::default();
    let mut decisions = Vec::new();
    for kind in PolicyKind::ALL {
        decisions.push(row(kind.slug(), &|course| {
            let decisions = course.decisions.get(&kind).unwrap_or(&none);
            if decisions.asked == 0 {
                return "none".into();
            }
            format!("{}: {}", decisions.asked, counts(decisions.verdicts.iter()))
        }));
        let any_fallback = courses
            .iter()
            .any(|course| course.decisions.get(&kind).is_some_and(|decisions| decisions.fallbacks > 0));
        if any_fallback {
            decisions.push(row("  answered by a fallback", &|course| {
                let decisions = course.decisions.get(&kind).unwrap_or(&none);
                format!("{}: {}", decisions.fallbacks, counts(decisions.faults.iter()))
            }));
        }
        decisions.push(row("  fuel, mean", &|course| {
            format!("{:.0}", course.decisions.get(&kind).unwrap_or(&none).fuel_mean)
        }));
    }
    decisions.push(row("taken out of service", &|course| match course.breaker_trips.is_empty() {
        true => "none".into(),
        false => course.breaker_trips.join("; "),
    }));
    decisions.push(row("journal entries", &|course| course.journal_entries.to_string()));
    sections.push(Section {
        title: "Decisions",
        rows: decisions,
    });
    let hosts = courses.iter().flat_map(|course| course.hosts.iter().map(|host| host.host.as_str()));
    let names: BTreeSet<&str> = hosts.collect();
    let waits = names.iter().flat_map(|name| {
        let of = |course: &Figures| course.hosts.iter().find(|host| host.host == *name).cloned().unwrap_or_default();
        [
            row(name, &|course| {
                let HostFigures {
                    wait_p50_s,
                    wait_p95_s,
                    wait_max_s,
                    starved,
                    waiting_at_end,
                    queued,
                    ..
                } = of(course);
                if queued == 0 {
                    return "nothing queued".into();
                }
                let starved = if starved { "  STARVED" } else { "" };
                let still = if waiting_at_end > 0 {
                    format!(", {waiting_at_end} still wait")
                } else {
                    String::new()
                };
                format!("{} / {} / {}{still}{starved}", span(wait_p50_s), span(wait_p95_s), span(wait_max_s))
            }),
            row("  runs, successes, seeded; loss", &|course| {
                let host = of(course);
                format!(
                    "{}, {}, {}; {:.3} -> {:.3}",
                    host.runs, host.succeeded, host.seeded, host.loss_start, host.loss_end
                )
            }),
        ]
    });
    sections.push(Section {
        title: "Hosts: wait for the first attempt, p50 / p95 / max",
        rows: waits.collect(),
    });
    sections
}

pub(super) fn text(report: &Report) -> String {
    let Report {
        model,
        notes,
        real,
        modelled,
        not_modelled,
        courses,
    } = report;
    let mut out = String::new();
    let _ = writeln!(out, "SIMULATED, not measured. Model: {model}");
    for note in notes {
        let _ = writeln!(out, "  {note}");
    }
    let _ = writeln!(out, "Real: {real}.\nModelled: {modelled}.\nNot modelled: {not_modelled}.\n");
    if let Some(course) = courses.first() {
        let _ = writeln!(out, "{} hours, seed {}\n", course.hours, course.seed);
    }
    let sections = sections(courses);
    let name_width = sections
        .iter()
        .flat_map(|section| &section.rows)
        .map(|row| row.name.chars().count())
        .max()
        .unwrap_or(0);
    let width = |index: usize| {
        let values = sections
            .iter()
            .flat_map(|section| &section.rows)
            .map(|row| row.values[index].chars().count());
        values.max().unwrap_or(0).max(courses[index].label.chars().count()).min(60)
    };
    let widths: Vec<usize> = (0..courses.len()).map(width).collect();
    let line = |name: &str, values: &[String]| {
        let mut line = format!("{name:name_width$}");
        for (value, width) in values.iter().zip(&widths) {
            let _ = write!(line, "  {value:width$}");
        }
        line.trim_end().to_string()
    };
    let labels: Vec<String> = courses.iter().map(|course| course.label.clone()).collect();
    let _ = writeln!(out, "{}", line("", &labels));
    for section in &sections {
        let _ = writeln!(out, "\n{}", section.title);
        for row in &section.rows {
            let _ = writeln!(out, "{}", line(&row.name, &row.values));
        }
    }
    out
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn counts<'a>(counts: impl Iterator<Item = (&'a String, &'a u64)>) -> String {
    let words: Vec<String> = counts.map(|(word, count)| format!("{word} {count}")).collect();
    if words.is_empty() { "none".into() } else { words.join(", ") }
}

/// A time as people say it.
fn span(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 90.0 => format!("{seconds:.0} s"),
        seconds if seconds < 5_400.0 => format!("{:.1} min", seconds / 60.0),
        seconds => format!("{:.1} h", seconds / 3_600.0),
    }
}
