//! `pointsman simulate`: hours of the real coordinator and real policies with a modelled outside. Reads a journal at most;
//! there is no way from here to write one.

use super::exit::Exit;
use super::policy::{Ceilings, library, read_offer};
use crate::host::journal_path;
use crate::policy_install::{Installer, Offer};
use crate::shipped;
use clap::Args;
use pointsman_coordinator::Coordinator;
use pointsman_journal::Reader;
use pointsman_model::Seq;
use pointsman_model::policy::{PolicyDescription, PolicyKind};
use pointsman_policy::{Engines, Library};
use pointsman_sim::report::Report;
use pointsman_sim::simulate::{Figures, Fit, HOURS_MAX, OutsideModel, Question, SimulateError, simulate};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Stands for the versions that serve without anybody's choice, where a file could stand.
const SHIPPED: &str = "shipped";
/// The same with a journal: the versions that are active in it.
const AS_IT_IS: &str = "as it is";
/// Courses that stand side by side.
const COURSES_MAX: usize = 2;
/// Journal entries read at a time.
const PAGE: u32 = 1_000;
/// A command that takes longer says how far it is.
const QUIET_FOR: Duration = Duration::from_secs(1);
const TELL_EVERY: Duration = Duration::from_millis(500);
/// The same into a file, where each word is a line.
const WRITE_EVERY: Duration = Duration::from_secs(5);

#[derive(Args, Debug)]
pub(crate) struct Simulate {
    /// Simulated time.
    #[arg(long, default_value_t = 24.0, allow_negative_numbers = true)]
    hours: f64,
    /// A policy that serves its kind from the start; `shipped` for none. Twice: two courses side by side.
    #[arg(long = "policy", value_name = "FILE")]
    policies: Vec<PathBuf>,
    /// A policy that serves its kind in every course, in place of the one that would.
    #[arg(long = "with", value_name = "FILE")]
    with: Vec<PathBuf>,
    /// The same seed deals the same luck.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Fit the model from the journal in this data directory, and start from its settings and its active policies.
    #[arg(long, value_name = "DIR", conflicts_with = "model")]
    data: Option<PathBuf>,
    /// A model file: see docs/simulation.md. Without one and without --data, the built-in model.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Sources that operators queue per hour for a host, in place of the model's number.
    #[arg(long = "arrivals", value_name = "HOST=RATE")]
    arrivals: Vec<String>,
    /// Write one HTML page with charts.
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Write the model that is used, to be read and changed.
    #[arg(long, value_name = "FILE.json")]
    save_model: Option<PathBuf>,
    /// You vouch for the scripts: they run natively, in a third of the time.
    #[arg(long)]
    trusted: bool,
    #[command(flatten)]
    ceilings: Ceilings,
}

/// Where a simulation starts from.
struct Ground {
    model: OutsideModel,
    notes: Vec<String>,
    /// Versions that serve where no file is given.
    serving: BTreeMap<PolicyKind, PolicyDescription>,
}

pub(crate) fn run(json: bool, order: &Simulate) -> Result<ExitCode, Exit> {
    if !(order.hours > 0.0 && order.hours <= HOURS_MAX) {
        return Err(Exit::usage(format!(
            "--hours {}: give more than 0 and at most {HOURS_MAX}, such as --hours 24",
            order.hours
        )));
    }
    if order.policies.len() > COURSES_MAX {
        return Err(Exit::usage(format!(
            "--policy is given {} times; at most {COURSES_MAX} courses stand side by side. A policy that serves in both is given by --with",
            order.policies.len()
        )));
    }
    // What was written for this order comes first: that is where mistakes are.
    let library = library(false);
    let given = |file: &PathBuf| match file.as_os_str() == SHIPPED {
        true => Ok(None),
        false => load(&library, file, order).map(Some),
    };
    let tried = order.policies.iter().map(given).collect::<Result<Vec<_>, Exit>>()?;
    let everywhere = order.with.iter().map(given).collect::<Result<Vec<_>, Exit>>()?;
    let mut ground = ground(order, &library)?;
    change_arrivals(&mut ground.model, &order.arrivals)?;
    for description in everywhere.into_iter().flatten() {
        ground.serving.insert(description.kind, description);
    }
    let mut courses: Vec<(String, BTreeMap<PolicyKind, PolicyDescription>)> = Vec::new();
    for (file, description) in order.policies.iter().zip(tried) {
        let mut serving = ground.serving.clone();
        let mut label = if order.data.is_some() { AS_IT_IS } else { SHIPPED }.to_string();
        if let Some(description) = description {
            label = description.policy.to_string();
            serving.insert(description.kind, description);
        }
        if courses.iter().any(|(other, _)| *other == label) {
            label = format!("{label} ({})", file.display());
        }
        courses.push((label, serving));
    }
    if courses.is_empty() {
        let label = if order.data.is_some() { AS_IT_IS } else { SHIPPED };
        courses.push((label.to_string(), ground.serving.clone()));
    }
    if let Some(file) = &order.save_model {
        let text = serde_json::to_string_pretty(&ground.model).expect("a model is plain data");
        write(file, &(text + "\n"))?;
    }

    let mut found = Vec::new();
    for (label, serving) in courses {
        let question = Question {
            label,
            hours: order.hours,
            seed: order.seed,
            model: &ground.model,
            policies: serving.into_values().collect(),
        };
        found.push(course(&question, &library)?);
    }
    let report = Report::new(&ground.model.about, ground.notes, found);
    if let Some(file) = &order.report {
        let page = report.html().map_err(|error| Exit::failed(error.to_string()))?;
        write(file, &page)?;
        eprintln!("{} is written", file.display());
    }
    if json {
        println!("{}", json!(report));
    } else {
        print!("{}", report.text());
    }
    Ok(ExitCode::SUCCESS)
}

fn course(question: &Question<'_>, library: &Library) -> Result<Figures, Exit> {
    let started = Instant::now();
    let mut told = started;
    let live = std::io::stderr().is_terminal();
    let every = if live { TELL_EVERY } else { WRITE_EVERY };
    let mut any = false;
    let found = simulate(question, &mut Engines::new(library.clone()), &mut |share| {
        if started.elapsed() > QUIET_FOR && told.elapsed() > every {
            told = Instant::now();
            any = true;
            let line = format!("{}: {:.0} % of {} hours", question.label, share * 100.0, question.hours);
            if live {
                eprint!("\r{line}");
                let _ = std::io::stderr().flush();
            } else {
                eprintln!("{line}");
            }
        }
        true
    });
    if any && live {
        eprint!("\r{:70}\r", "");
    }
    found.map_err(|error| match error {
        SimulateError::Hours(_) | SimulateError::Model(_) => Exit::usage(error.to_string()),
        SimulateError::Refused { .. } | SimulateError::Ended => Exit::failed(error.to_string()),
    })
}

fn ground(order: &Simulate, library: &Library) -> Result<Ground, Exit> {
    let mut serving = BTreeMap::new();
    let mut notes = Vec::new();
    let model = match (&order.data, &order.model) {
        (Some(data), _) => {
            let fitted = from_journal(data, library, &mut serving)?;
            notes = fitted.notes;
            fitted.model
        }
        (None, Some(file)) => {
            let text =
                std::fs::read_to_string(file).map_err(|error| Exit::failed(format!("{} cannot be read: {error}", file.display())))?;
            let mut model = OutsideModel::parse(&text)
                .map_err(|error| Exit::usage(format!("{}: {error}\n  fix: docs/simulation.md lists the fields", file.display())))?;
            let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            model.about = format!("{} ({name})", model.about);
            model
        }
        (None, None) => OutsideModel::built_in(),
    };
    for kind in PolicyKind::ALL {
        if serving.contains_key(&kind) {
            continue;
        }
        let shipped = shipped::offers(kind).find_map(|offer| {
            let checked = Installer::check_offline(library, &offer, order.ceilings.limits()).ok()?;
            library.install(checked.clone());
            Some(checked.description)
        });
        match shipped {
            Some(description) => {
                serving.insert(kind, description);
            }
            None => notes.push(format!(
                "no shipped {kind} policy is part of this build: the built-in fallback decides"
            )),
        }
    }
    Ok(Ground { model, notes, serving })
}

/// Fits the model and loads what is active.
fn from_journal(
    data: &Path,
    library: &Library,
    serving: &mut BTreeMap<PolicyKind, PolicyDescription>,
) -> Result<pointsman_sim::simulate::Fitted, Exit> {
    let path = journal_path(data);
    let failed = |error: &dyn std::fmt::Display| Exit::failed(format!("{}: {error}", path.display()));
    let reader = Reader::open(&path).map_err(|error| failed(&error))?;
    let mut fit = Fit::default();
    let mut coordinator = Coordinator::new();
    let mut last = Seq(0);
    loop {
        let page = reader.events_after(last, PAGE).map_err(|error| failed(&error))?;
        let Some(newest) = page.last() else { break };
        last = newest.seq;
        for recorded in &page {
            fit.entry(recorded);
            coordinator.apply_recorded(recorded);
        }
    }
    let mut fitted = fit.finish("the journal").map_err(|error| failed(&error))?;
    for (kind, slot) in &coordinator.state().policies {
        let Some(active) = &slot.active else { continue };
        let description = &active.description;
        let code = reader.policy_code(description.policy.digest).map_err(|error| failed(&error))?;
        let loaded = match code {
            Some(row) => library.load_recorded(description, &row.code).map_err(|problem| problem.to_string()),
            None => Err("its code is not in the journal".to_string()),
        };
        match loaded {
            Ok(()) => {
                serving.insert(*kind, description.clone());
            }
            Err(why) => fitted.notes.push(format!(
                "{} is not loaded, the shipped {kind} policy stands in: {why}",
                description.policy
            )),
        }
    }
    Ok(fitted)
}

fn change_arrivals(model: &mut OutsideModel, arrivals: &[String]) -> Result<(), Exit> {
    for arrival in arrivals {
        let Some((name, rate)) = arrival.rsplit_once('=') else {
            return Err(Exit::usage(format!(
                "--arrivals {arrival}: give HOST=RATE, such as --arrivals code=10"
            )));
        };
        let rate: f64 = rate
            .parse()
            .map_err(|_| Exit::usage(format!("--arrivals {arrival}: '{rate}' is no number of sources per hour")))?;
        let known: Vec<String> = model.hosts.iter().map(|host| host.name.clone()).collect();
        let Some(host) = model.hosts.iter_mut().find(|host| host.name == name) else {
            return Err(Exit::usage(format!(
                "--arrivals {arrival}: the model has no host '{name}'; there are {}",
                known.join(", ")
            )));
        };
        host.arrivals_per_hour = rate;
    }
    match model.problems().into_iter().next() {
        Some(problem) => Err(Exit::usage(format!("--arrivals: {}: {}", problem.field, problem.problem))),
        None => Ok(()),
    }
}

fn load(library: &Library, file: &Path, order: &Simulate) -> Result<PolicyDescription, Exit> {
    let offer = Offer {
        trusted: order.trusted,
        ..read_offer(file, None)?
    };
    let checked = Installer::check_offline(library, &offer, order.ceilings.limits()).map_err(|problem| {
        let place = match (problem.line, problem.column) {
            (Some(line), Some(column)) => format!(":{line}:{column}"),
            (Some(line), None) => format!(":{line}"),
            (None, _) => String::new(),
        };
        let fix = problem.fix.as_ref().map(|fix| format!("\n  fix: {fix}")).unwrap_or_default();
        Exit::negative(format!("{}{place}: {} [{}]{fix}", file.display(), problem.message, problem.code))
    })?;
    library.install(checked.clone());
    Ok(checked.description)
}

fn write(file: &Path, text: &str) -> Result<(), Exit> {
    std::fs::write(file, text).map_err(|error| Exit::failed(format!("{} cannot be written: {error}", file.display())))
}
