//! A model of the outside from what a journal has seen.
//!
//! Shares and means of single hosts are drawn towards those of all hosts, the more so the fewer runs there are: a host
//! with three runs is not believed to succeed always. Durations and differences stand as they were seen where there are
//! enough of them, and as a lognormal or normal spread where there are not.

use super::model::{HostModel, LEARNING_RATE_REFERENCE, OutsideModel, PairModel, STEPS_REFERENCE, ServingModel, Spread};
use pointsman_model::event::{Event, Recorded};
use pointsman_model::run::{Completion, FailureClass, Run, RunEnd, RunReport, Work};
use pointsman_model::settings::Settings;
use pointsman_model::source::Lane;
use pointsman_model::{Millis, ModelTag, RunId};
use std::collections::BTreeMap;

/// Runs of all hosts that a host's own share is mixed with.
const PRIOR_RUNS: f64 = 10.0;
/// Failures of all hosts that a host's own mix of classes is mixed with.
const PRIOR_FAILURES: f64 = 3.0;
/// Runs of all hosts that a host's own learning is mixed with.
const PRIOR_LEARNING: f64 = 5.0;
/// Attempts told apart; later ones are as the last of these.
const ATTEMPTS_MAX: usize = 3;
/// Values from which a spread stands as it was seen.
const SEEN_ENOUGH: usize = 20;
const QUANTILES: usize = 41;
/// Runs from which a host's own curve is drawn.
const CURVE_RUNS: usize = 8;
/// Sources queued so soon after the first one were there from the start.
const START_MS: Millis = 60_000;

/// Reads a journal entry by entry.
#[derive(Debug, Default)]
pub struct Fit {
    first_at: Option<Millis>,
    last_at: Millis,
    settings: Settings,
    first_queued_at: Option<Millis>,
    runs: BTreeMap<RunId, (Run, Millis)>,
    losses: BTreeMap<ModelTag, BTreeMap<String, f64>>,
    hosts: BTreeMap<String, HostSeen>,
    starts_s: Vec<f64>,
    bootstraps_s: Vec<f64>,
    evaluations_s: Vec<f64>,
    items: Vec<f64>,
    differences: Vec<f64>,
    latencies_ms: Vec<f64>,
    requests: u64,
    requests_failed: u64,
    served_ms: Millis,
    served_at: Option<Millis>,
    without_host: u64,
    cancelled: u64,
}

#[derive(Debug, Default)]
struct HostSeen {
    waiting_at_start: u32,
    arrived: u32,
    /// Tries and successes by attempt.
    tries: [(u32, u32); ATTEMPTS_MAX],
    failures: BTreeMap<FailureClass, f64>,
    training_s: Vec<f64>,
    first_loss: Option<f64>,
    least_loss: Option<f64>,
    /// Loss before and after a run of this host, and the run's effort.
    practice: Vec<(f64, f64, f64)>,
    /// Loss before and after a run of another host, and the share of that run that was no replay.
    others: Vec<(f64, f64, f64)>,
}

/// A fitted model, and what a reader should know of it.
#[derive(Clone, Debug)]
pub struct Fitted {
    pub model: OutsideModel,
    pub notes: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    #[error("the journal holds no finished training run of a host; there is nothing to fit a model from")]
    NothingSeen,
}

impl Fit {
    pub fn entry(&mut self, recorded: &Recorded) {
        let at = recorded.at;
        self.first_at.get_or_insert(at);
        self.last_at = self.last_at.max(at);
        match &recorded.event {
            Event::SettingsChanged { settings, .. } => self.settings = settings.clone(),
            Event::SourceQueued { new, .. } if new.lane == Lane::Queue => {
                let first = *self.first_queued_at.get_or_insert(at);
                match &new.host {
                    Some(host) if at <= first + START_MS => self.host(host).waiting_at_start += 1,
                    Some(host) => self.host(host).arrived += 1,
                    None => self.without_host += 1,
                }
            }
            Event::RunPlanned { run, .. } => {
                self.runs.insert(run.token.run, (run.clone(), at));
            }
            Event::RunStarted { token } => {
                if let Some((_, planned_at)) = self.runs.get(&token.run) {
                    self.starts_s.push(seconds(at.saturating_sub(*planned_at)));
                }
            }
            Event::RunFinished { token, report, model } => {
                if let Some((run, _)) = self.runs.remove(&token.run) {
                    self.run_finished(&run, report, model.as_ref());
                }
            }
            Event::CandidateServed { samples, .. } => {
                if let Some(before) = self.served_at.filter(|before| at.saturating_sub(*before) < START_MS) {
                    self.served_ms += at.saturating_sub(before);
                }
                self.served_at = Some(at);
                self.requests += samples.len() as u64;
                self.requests_failed += samples.iter().filter(|sample| sample.failed).count() as u64;
                self.latencies_ms.extend(samples.iter().map(|sample| sample.latency_ms));
            }
            _ => {}
        }
    }

    fn host(&mut self, name: &str) -> &mut HostSeen {
        self.hosts.entry(name.to_string()).or_default()
    }

    fn run_finished(&mut self, run: &Run, report: &RunReport, model: Option<&ModelTag>) {
        let took_s = seconds(report.duration_ms);
        match (&run.work, &report.end) {
            (Work::Bootstrap, RunEnd::Completed(completion)) => {
                self.bootstraps_s.push(took_s);
                self.note_losses(completion, model);
            }
            (Work::Evaluate { .. }, RunEnd::Completed(completion)) => {
                self.evaluations_s.push(took_s);
                self.note_pairs(completion);
            }
            (Work::Train { host: Some(host), .. }, RunEnd::Completed(completion)) => {
                self.note_try(host, run.token.attempt, true, took_s);
                self.note_practice(run, host, completion);
                self.note_losses(completion, model);
            }
            (Work::Train { host: Some(host), .. }, RunEnd::Failed(failure)) => {
                self.note_try(host, run.token.attempt, false, took_s);
                *self.host(host).failures.entry(failure.class).or_default() += 1.0;
            }
            (Work::Train { .. }, RunEnd::Cancelled) => self.cancelled += 1,
            (Work::Train { host: None, .. }, _) => self.without_host += 1,
            (Work::Bootstrap | Work::Evaluate { .. }, RunEnd::Failed(_) | RunEnd::Cancelled) => {}
        }
    }

    fn note_try(&mut self, host: &str, attempt: u32, succeeded: bool, took_s: f64) {
        let seen = self.host(host);
        let (tries, successes) = &mut seen.tries[(attempt.max(1) as usize - 1).min(ATTEMPTS_MAX - 1)];
        *tries += 1;
        *successes += u32::from(succeeded);
        seen.training_s.push(took_s);
    }

    fn note_losses(&mut self, completion: &Completion, model: Option<&ModelTag>) {
        let losses: BTreeMap<String, f64> = completion.losses.iter().map(|loss| (loss.host.clone(), loss.after)).collect();
        for (host, loss) in &losses {
            let seen = self.host(host);
            seen.first_loss.get_or_insert(*loss);
            seen.least_loss = Some(seen.least_loss.map_or(*loss, |least| least.min(*loss)));
        }
        if let Some(model) = model {
            self.losses.insert(model.clone(), losses);
        }
    }

    fn note_practice(&mut self, run: &Run, practised: &str, completion: &Completion) {
        let Work::Train { params, .. } = &run.work else { return };
        let base = run
            .base
            .as_ref()
            .and_then(|base| self.losses.get(base))
            .cloned()
            .unwrap_or_default();
        for loss in &completion.losses {
            let Some(before) = loss.before.or_else(|| base.get(&loss.host).copied()) else {
                continue;
            };
            let seen = self.host(&loss.host);
            seen.first_loss.get_or_insert(before);
            if loss.host == practised {
                let effort = effort(params.steps, params.learning_rate);
                seen.practice.push((before, loss.after, effort));
            } else {
                seen.others.push((before, loss.after, 1.0 - params.replay_share));
            }
        }
    }

    fn note_pairs(&mut self, completion: &Completion) {
        let mut by_host: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
        for pair in &completion.pairs {
            by_host.entry(&pair.host).or_default().push((pair.baseline, pair.candidate));
        }
        for pairs in by_host.values().filter(|pairs| pairs.len() > 1) {
            // Residuals around a mean of few are too small by this factor.
            let stretch = (pairs.len() as f64 / (pairs.len() - 1) as f64).sqrt();
            let base = mean(pairs.iter().map(|(baseline, _)| *baseline));
            let gain = mean(pairs.iter().map(|(baseline, candidate)| baseline - candidate));
            self.items.extend(pairs.iter().map(|(baseline, _)| (baseline - base) * stretch));
            self.differences
                .extend(pairs.iter().map(|(baseline, candidate)| (gain - (baseline - candidate)) * stretch));
        }
    }

    /// The model. `origin` says where the journal is from.
    pub fn finish(self, origin: &str) -> Result<Fitted, FitError> {
        let invented = OutsideModel::built_in();
        let tries: u32 = self.hosts.values().flat_map(|seen| seen.tries).map(|(tries, _)| tries).sum();
        if tries == 0 {
            return Err(FitError::NothingSeen);
        }
        let successes: u32 = self
            .hosts
            .values()
            .flat_map(|seen| seen.tries)
            .map(|(_, successes)| successes)
            .sum();
        let share = f64::from(successes) / f64::from(tries);
        let mut classes: BTreeMap<FailureClass, f64> = BTreeMap::new();
        for (class, count) in self.hosts.values().flat_map(|seen| &seen.failures) {
            *classes.entry(*class).or_default() += count;
        }
        if classes.is_empty() {
            classes.insert(FailureClass::Transient, 1.0);
        }
        let all_s: Vec<f64> = self.hosts.values().flat_map(|seen| seen.training_s.iter().copied()).collect();
        let span_h = seconds(self.last_at.saturating_sub(self.first_at.unwrap_or(0))) / 3600.0;
        let fits: Vec<Learnt> = self.hosts.values().map(Learnt::of).collect();
        let learnt = |of: fn(&Learnt) -> f64| {
            let weight: f64 = fits.iter().map(|fit| fit.runs).sum();
            if weight > 0.0 {
                fits.iter().map(|fit| of(fit) * fit.runs).sum::<f64>() / weight
            } else {
                0.0
            }
        };
        let (learning, noise, forgetting) = (
            learnt(|fit| fit.learning),
            learnt(|fit| fit.noise),
            mean(fits.iter().map(|fit| fit.forgetting)),
        );

        let hosts = self.hosts.iter().zip(&fits).map(|((name, seen), fit)| {
            let towards = |n: f64, own: f64, prior: f64, weight: f64| (n * own + weight * prior) / (n + weight);
            let of_host = {
                let tries: u32 = seen.tries.iter().map(|(tries, _)| tries).sum();
                let own = f64::from(seen.tries.iter().map(|(_, successes)| successes).sum::<u32>()) / f64::from(tries.max(1));
                towards(f64::from(tries), own, share, PRIOR_RUNS)
            };
            let success = seen.tries.iter().map(|(tries, successes)| {
                let own = f64::from(*successes) / f64::from((*tries).max(1));
                towards(f64::from(*tries), own, of_host, PRIOR_RUNS)
            });
            let total: f64 = classes.values().sum();
            let failures = classes.iter().map(|(class, count)| {
                let own = seen.failures.get(class).copied().unwrap_or(0.0);
                (*class, own + PRIOR_FAILURES * count / total)
            });
            HostModel {
                name: name.clone(),
                arrivals_per_hour: if span_h > 0.0 {
                    (f64::from(seen.arrived) / span_h).min(10_000.0)
                } else {
                    0.0
                },
                waiting_at_start: seen.waiting_at_start.min(10_000),
                success: success.collect(),
                failures: failures.collect(),
                training_s: spread_of(&seen.training_s, &all_s, 60.0),
                loss_start: fit.start,
                loss_floor: fit.floor,
                learning: towards(fit.runs, fit.learning, learning, PRIOR_LEARNING).clamp(0.0, 1.0),
                // A host whose loss nobody measures has none that could change.
                noise: if seen.first_loss.is_some() {
                    towards(fit.runs, fit.noise, noise, PRIOR_LEARNING).max(0.0)
                } else {
                    0.0
                },
                forgetting: towards(seen.others.len() as f64, fit.forgetting, forgetting, PRIOR_LEARNING).max(0.0),
            }
        });
        let hosts: Vec<HostModel> = hosts.collect();

        let mut notes = vec![format!(
            "{tries} finished training runs of {} hosts in {span_h:.1} hours, {successes} of them successes",
            hosts.len()
        )];
        let mut note = |missing: bool, text: &str| {
            if missing {
                notes.push(text.to_string());
            }
        };
        note(
            tries < 30,
            "few runs: single hosts are hardly told apart, and the model is a sketch",
        );
        note(
            self.differences.len() < SEEN_ENOUGH,
            "few paired results: the spread of differences between models is the built-in one",
        );
        note(
            self.latencies_ms.len() < SEEN_ENOUGH,
            "few standard requests on trial: their rate, latency and failures are the built-in ones",
        );
        note(
            fits.iter().all(|fit| fit.runs < 1.0),
            "no run told its losses: practice teaches nothing in this model",
        );
        let unmeasured: Vec<&str> = self
            .hosts
            .iter()
            .filter(|(_, seen)| seen.first_loss.is_none())
            .map(|(name, _)| name.as_str())
            .collect();
        if !unmeasured.is_empty() {
            notes.push(format!(
                "no loss was measured on {}: it is 0 there, whatever is practised",
                unmeasured.join(", ")
            ));
        }
        if self.without_host + self.cancelled > 0 {
            notes.push(format!(
                "left out: {} sources or runs without a host, {} cancelled runs",
                self.without_host, self.cancelled
            ));
        }
        let serving = if self.latencies_ms.len() < SEEN_ENOUGH {
            invented.serving
        } else {
            let minutes = seconds(self.served_ms) / 60.0;
            ServingModel {
                requests_per_minute: if minutes > 0.0 {
                    (self.requests as f64 / minutes).clamp(0.1, 60_000.0)
                } else {
                    30.0
                },
                latency_ms: spread_of(&self.latencies_ms, &self.latencies_ms, 100.0),
                failed_share: (self.requests_failed as f64 + 0.002 * 100.0) / (self.requests as f64 + 100.0),
            }
        };
        let pairs = if self.differences.len() < SEEN_ENOUGH {
            invented.pairs
        } else {
            PairModel {
                item_deviation: deviation(&self.items),
                difference: centred(&self.differences),
            }
        };
        let model = OutsideModel {
            about: format!("fitted from {origin}"),
            hosts,
            start_s: spread_of(&self.starts_s, &self.starts_s, 1.0),
            first_model_s: spread_of(&self.bootstraps_s, &self.bootstraps_s, 60.0),
            evaluation_s: spread_of(&self.evaluations_s, &self.evaluations_s, 20.0),
            pairs,
            serving,
            starved_after_s: invented.starved_after_s,
            settings: self.settings,
        };
        Ok(Fitted { model, notes })
    }
}

/// A host's learning curve.
struct Learnt {
    start: f64,
    floor: f64,
    learning: f64,
    noise: f64,
    forgetting: f64,
    runs: f64,
}

impl Learnt {
    fn of(seen: &HostSeen) -> Learnt {
        let start = seen.first_loss.unwrap_or(0.0);
        let least = seen.least_loss.unwrap_or(start).min(start);
        // Of an exponential the fall is straight in the loss before it: its slope is the share of the way, and it meets
        // 0 at the floor. Where that says nothing, a quarter of the way so far is assumed to lie ahead.
        let falls = seen.practice.iter().filter(|(_, _, effort)| *effort > 0.0);
        let falls: Vec<(f64, f64)> = falls.map(|(before, after, effort)| (*before, (before - after) / effort)).collect();
        let line = line_through(&falls).filter(|(slope, root)| falls.len() >= CURVE_RUNS && (0.002..=1.0).contains(slope) && *root >= 0.0);
        let assumed = (least - 0.25 * (start - least) - 0.01).max(0.0).min(start);
        let floor = line.map_or(assumed, |(_, root)| root.min(least));
        let way = |loss: f64| loss - floor;
        let runs = seen.practice.len() as f64;
        let shares = falls.iter().filter(|(before, _)| way(*before) > 1e-6);
        let shares = shares.map(|(before, fall)| (fall / way(*before)).clamp(-1.0, 1.0));
        let learning = line.map_or_else(|| mean(shares), |(slope, _)| slope).clamp(0.0, 1.0);
        let residuals: Vec<f64> = seen
            .practice
            .iter()
            .map(|(before, after, effort)| after - (before - way(*before).max(0.0) * (learning * effort).min(1.0)))
            .collect();
        let known = |loss: f64| {
            if start > floor {
                ((start - loss) / (start - floor)).clamp(0.0, 1.0)
            } else {
                0.0
            }
        };
        let rise: f64 = seen.others.iter().map(|(before, after, _)| after - before).sum();
        let exposed: f64 = seen.others.iter().map(|(before, _, bare)| bare * known(*before)).sum();
        Learnt {
            start,
            floor,
            learning,
            noise: deviation(&residuals),
            forgetting: if exposed > 0.1 { (rise / exposed).max(0.0) } else { 0.0 },
            runs,
        }
    }
}

/// Slope of the least-squares line, and where it is 0; none without two different places.
fn line_through(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let x_mean = mean(points.iter().map(|(x, _)| *x));
    let y_mean = mean(points.iter().map(|(_, y)| *y));
    let spread: f64 = points.iter().map(|(x, _)| (x - x_mean) * (x - x_mean)).sum();
    let slope = points.iter().map(|(x, y)| (x - x_mean) * (y - y_mean)).sum::<f64>() / spread;
    (spread > 1e-9 && slope.abs() > 1e-9).then(|| (slope, x_mean - y_mean / slope))
}

/// What a run puts in, in units of the reference run. Twice the rate does not teach twice as much for ever.
pub(crate) fn effort(steps: u32, learning_rate: f64) -> f64 {
    f64::from(steps) / STEPS_REFERENCE * (learning_rate / LEARNING_RATE_REFERENCE).min(2.0)
}

/// As seen where there are enough values; else a lognormal around them and around those of all.
fn spread_of(own: &[f64], all: &[f64], otherwise: f64) -> Spread {
    if own.len() >= SEEN_ENOUGH {
        return Spread::Quantiles(quantiles(own));
    }
    let logs = |values: &[f64]| values.iter().map(|value| libm::log(value.max(0.001))).collect::<Vec<f64>>();
    let (own, all) = (logs(own), logs(all));
    if all.is_empty() {
        return Spread::Fixed(otherwise);
    }
    let weight = own.len() as f64;
    let middle = (mean(own.iter().copied()) * weight + mean(all.iter().copied()) * PRIOR_LEARNING) / (weight + PRIOR_LEARNING);
    Spread::Lognormal {
        median: libm::exp(middle),
        sigma: deviation(&all).min(3.0),
    }
}

/// Differences around 0: their own mean is no part of the noise.
fn centred(differences: &[f64]) -> Spread {
    let middle = mean(differences.iter().copied());
    let centred: Vec<f64> = differences.iter().map(|difference| difference - middle).collect();
    if centred.len() >= 5 * SEEN_ENOUGH {
        Spread::Quantiles(quantiles(&centred))
    } else {
        Spread::Normal {
            mean: 0.0,
            deviation: deviation(&centred),
        }
    }
}

fn quantiles(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let whole = Spread::Quantiles(sorted);
    (0..QUANTILES).map(|step| whole.at(step as f64 / (QUANTILES - 1) as f64)).collect()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0u32), |(sum, count), value| (sum + value, count + 1));
    if count == 0 { 0.0 } else { sum / f64::from(count) }
}

fn deviation(values: &[f64]) -> f64 {
    let middle = mean(values.iter().copied());
    libm::sqrt(mean(values.iter().map(|value| (value - middle) * (value - middle))))
}

fn seconds(ms: Millis) -> f64 {
    ms as f64 / 1000.0
}
