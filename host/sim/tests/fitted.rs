//! A model fitted from what a known model made comes out near it: the fit is asked about a day whose truth is known.

use pointsman_coordinator::Coordinator;
use pointsman_model::command::Command;
use pointsman_model::event::{Event, Recorded};
use pointsman_model::run::{Completion, Failure, FailureClass, HostLoss, ModelFile, Pair, RunEnd, RunReport, Work};
use pointsman_model::settings::Settings;
use pointsman_model::source::{Lane, NewSource, Origin};
use pointsman_model::{Actor, Digest, Seq};
use pointsman_sim::simulate::{Fit, FitError, Spread};
use pointsman_sim::{Dice, Scripted};

/// What is true in this test: share of successes, median duration, learning, noise of pairs.
const SUCCESS: [(&str, f64); 2] = [("easy", 0.95), ("hard", 0.6)];
const MEDIAN_S: f64 = 40.0;
const LEARNING: f64 = 0.1;
const FLOOR: f64 = 1.0;

/// A journal of a few hundred runs, made by a real coordinator and a trainer with those numbers.
fn journal(runs: u64) -> Vec<Recorded> {
    let mut coordinator = Coordinator::new();
    let mut policies = Scripted::default();
    let mut journal: Vec<Recorded> = Vec::new();
    let mut now = 1_000_000;
    let mut losses = [4.0, 3.0];
    let mut tell = |now: u64, command: Command| {
        let handled = coordinator.handle(now, command, &mut policies).expect("it is taken");
        let mut planned = Vec::new();
        for emitted in handled.events {
            if let Event::RunPlanned { run, .. } = &emitted.event {
                planned.push(run.clone());
            }
            let seq = Seq(journal.len() as u64 + 1);
            journal.push(Recorded {
                seq,
                at: now,
                event: emitted.event,
            });
        }
        planned
    };
    let actor = || Actor::new("operator");
    tell(
        now,
        Command::StartHost {
            version: "0.1.0".into(),
            paused: false,
        },
    );
    let settings = Settings {
        curriculum_fallback: false,
        retry_budget: 0,
        promotion_window: 50,
        ..Settings::default()
    };
    tell(now, Command::ChangeSettings { settings, actor: actor() });
    let mut waiting = tell(
        now,
        Command::StartTraining {
            actor: actor(),
            reason: String::new(),
            automatic: false,
        },
    );
    for n in 0..runs {
        now += 90_000;
        waiting.extend(tell(
            now,
            Command::SubmitSource(NewSource {
                title: format!("source {n}"),
                body: String::new(),
                host: Some(SUCCESS[n as usize % 2].0.into()),
                lane: Lane::Queue,
                origin: Origin::Cli,
                priority: 0,
                params: None,
            }),
        ));
        while let Some(run) = waiting.pop() {
            let mut dice = Dice::of(11, &[run.token.run.0]);
            let took_s = Spread::Lognormal {
                median: MEDIAN_S,
                sigma: 0.2,
            }
            .at(dice.unit());
            now += (took_s * 1000.0) as u64;
            let model = Some(ModelFile {
                digest: Digest::of(b"m"),
                bytes: 1,
                path: format!("{}", run.token.run),
            });
            let name = |index: usize| SUCCESS[index].0.to_string();
            let end = match &run.work {
                Work::Train { host, .. } => {
                    let host = usize::from(host.as_deref() == Some("hard"));
                    let before = losses[host];
                    if dice.chance(SUCCESS[host].1) {
                        losses[host] = before - LEARNING * (before - FLOOR);
                        let loss = HostLoss {
                            host: name(host),
                            before: Some(before),
                            after: losses[host],
                        };
                        RunEnd::Completed(Completion {
                            losses: vec![loss],
                            model,
                            ..Completion::default()
                        })
                    } else {
                        let class = if dice.chance(0.75) {
                            FailureClass::Infra
                        } else {
                            FailureClass::Deterministic
                        };
                        RunEnd::Failed(Failure {
                            class,
                            error: "broken".into(),
                            exit_code: None,
                        })
                    }
                }
                Work::Bootstrap => {
                    let loss = |index: usize| HostLoss {
                        host: name(index),
                        before: None,
                        after: losses[index],
                    };
                    RunEnd::Completed(Completion {
                        losses: vec![loss(0), loss(1)],
                        model,
                        ..Completion::default()
                    })
                }
                Work::Evaluate { blocks_per_host, .. } => {
                    let pairs = (0..blocks_per_host * 8).map(|index| Pair {
                        host: name(index as usize % 2),
                        baseline: 2.0 + 0.5 * dice.normal(),
                        candidate: 0.0,
                    });
                    let pairs = pairs.collect::<Vec<_>>().into_iter().map(|pair| Pair {
                        candidate: pair.baseline - 0.3 + 0.08 * dice.normal(),
                        ..pair
                    });
                    RunEnd::Completed(Completion {
                        pairs: pairs.collect(),
                        ..Completion::default()
                    })
                }
            };
            let report = RunReport {
                duration_ms: (took_s * 1000.0) as u64,
                end,
            };
            waiting.extend(tell(now, Command::ReportFinished { token: run.token, report }));
        }
    }
    journal
}

#[test]
fn what_was_true_is_found_again() {
    let mut fit = Fit::default();
    journal(300).iter().for_each(|recorded| fit.entry(recorded));
    let fitted = fit.finish("a test").expect("there is enough");
    println!("{:#?}", fitted);
    assert_eq!(fitted.model.problems(), []);
    let near = |what: &str, found: f64, truth: f64, within: f64| assert!((found - truth).abs() <= within, "{what}: {found}, not {truth}");
    for (host, (name, success)) in fitted.model.hosts.iter().zip(SUCCESS) {
        assert_eq!(host.name, name);
        near(name, host.success[0], success, 0.07);
        near("the median", host.training_s.at(0.5), MEDIAN_S, 3.0);
        near("learning", host.learning, LEARNING, 0.05);
        let infra = host.failures.get(&FailureClass::Infra).copied().unwrap_or(0.0);
        near("infra", infra / host.failures.values().sum::<f64>(), 0.75, 0.2);
        near("arrivals", host.arrivals_per_hour, 14.0, 3.0);
    }
    near("items", fitted.model.pairs.item_deviation, 0.5, 0.12);
    let spread = &fitted.model.pairs.difference;
    near("differences", (spread.at(0.841) - spread.at(0.159)) / 2.0, 0.08, 0.03);
}

#[test]
fn a_host_with_few_runs_is_drawn_towards_the_others() {
    let mut fit = Fit::default();
    journal(6).iter().for_each(|recorded| fit.entry(recorded));
    let fitted = fit.finish("a test").expect("there is something");
    for host in &fitted.model.hosts {
        assert!(
            host.success[0] < 0.999 && host.success[0] > 0.3,
            "three runs are no certainty: {:?}",
            host.success
        );
    }
    assert!(fitted.notes.iter().any(|note| note.contains("few runs")), "{:?}", fitted.notes);
}

#[test]
fn nothing_seen_is_said() {
    assert_eq!(Fit::default().finish("a test").expect_err("nothing"), FitError::NothingSeen);
}
