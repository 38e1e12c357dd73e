//! The modelled trainer: what becomes of a run, and what is true of each model, which no policy is told.

use super::fit::effort;
use super::model::{HostModel, OutsideModel};
use crate::dice::{Dice, key_of};
use pointsman_model::promotion::ServedSample;
use pointsman_model::run::{Completion, Failure, FailureClass, HostLoss, ModelFile, Pair, Run, RunEnd, RunReport, Work};
use pointsman_model::source::TrainingParams;
use pointsman_model::{Digest, Millis, ModelTag, RunId, SourceId};
use std::collections::BTreeMap;

/// Held-out items per host; a slice beyond them begins again.
const ITEMS: u32 = 64;

// What a draw is about: the first part of its key.
const OUTCOME: u64 = 1;
const CLASS: u64 = 2;
const DURATION: u64 = 3;
const START: u64 = 4;
const LEARNING: u64 = 5;
const ITEM: u64 = 6;
const DIFFERENCE: u64 = 7;
const REQUEST: u64 = 8;
const ARRIVAL: u64 = 9;

/// True loss on each host, in the model's order.
pub(crate) type Truth = Vec<f64>;

pub(crate) fn macro_mean(truth: &[f64]) -> f64 {
    truth.iter().sum::<f64>() / truth.len().max(1) as f64
}

/// A run as it will go.
pub(crate) struct Course {
    pub(crate) start_ms: Millis,
    pub(crate) report: RunReport,
}

/// The same source, seen from outside: two worlds may number it differently.
#[derive(Clone, Copy, Debug)]
struct Identity {
    key: u64,
    host: usize,
    /// Set by its first deterministic failure: the next attempts fail the same way.
    hopeless: bool,
}

pub(crate) struct Outside<'m> {
    model: &'m OutsideModel,
    seed: u64,
    by_name: BTreeMap<&'m str, usize>,
    identities: BTreeMap<SourceId, Identity>,
    seeded: Vec<u64>,
    truths: BTreeMap<ModelTag, Truth>,
    made: BTreeMap<RunId, Truth>,
    /// Candidates in the order they were raised: the key of their luck.
    candidates: Vec<ModelTag>,
    requests: u64,
    pub(crate) hopeless_attempts: u64,
}

impl<'m> Outside<'m> {
    pub(crate) fn new(model: &'m OutsideModel, seed: u64) -> Outside<'m> {
        Outside {
            model,
            seed,
            by_name: model
                .hosts
                .iter()
                .enumerate()
                .map(|(index, host)| (host.name.as_str(), index))
                .collect(),
            identities: BTreeMap::new(),
            seeded: vec![0; model.hosts.len()],
            truths: BTreeMap::new(),
            made: BTreeMap::new(),
            candidates: Vec::new(),
            requests: 0,
            hopeless_attempts: 0,
        }
    }

    fn dice(&self, about: u64, key: &[u64]) -> Dice {
        Dice::of(self.seed ^ key_of("pointsman simulate"), &[&[about], key].concat())
    }

    pub(crate) fn host(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn first_truth(&self) -> Truth {
        self.model.hosts.iter().map(|host| host.loss_start).collect()
    }

    pub(crate) fn truth(&self, tag: &ModelTag) -> Option<&Truth> {
        self.truths.get(tag)
    }

    /// Gap before the n-th source that operators queue for a host; none where they queue none.
    pub(crate) fn arrival_gap_ms(&self, host: usize, n: u64) -> Option<Millis> {
        let rate = self.model.hosts[host].arrivals_per_hour;
        let unit = self.dice(ARRIVAL, &[self.host_key(host), n]).unit();
        (rate > 0.0).then(|| ms(-libm::log(unit) / rate * 3600.0).max(1))
    }

    /// An operators' source entered as this number.
    pub(crate) fn queued(&mut self, source: SourceId, host: usize, n: u64) {
        let key = Dice::of(self.host_key(host), &[0, n]).word();
        let hopeless = false;
        self.identities.insert(source, Identity { key, host, hopeless });
    }

    /// The curriculum seeded a source: the n-th of its host in any world has the same luck.
    pub(crate) fn seeded(&mut self, source: SourceId, host: usize) {
        let n = self.seeded[host];
        self.seeded[host] += 1;
        let key = Dice::of(self.host_key(host), &[1, n]).word();
        let hopeless = false;
        self.identities.insert(source, Identity { key, host, hopeless });
    }

    fn host_key(&self, host: usize) -> u64 {
        key_of(&self.model.hosts[host].name)
    }

    pub(crate) fn raised(&mut self, candidate: &ModelTag) {
        self.candidates.push(candidate.clone());
    }

    /// The model of a run got its tag.
    pub(crate) fn named(&mut self, run: RunId, tag: &ModelTag) {
        if let Some(truth) = self.made.remove(&run) {
            self.truths.insert(tag.clone(), truth);
        }
    }

    pub(crate) fn forget(&mut self, tag: &ModelTag) {
        self.truths.remove(tag);
    }

    /// How a planned run goes.
    pub(crate) fn course_of(&mut self, run: &Run) -> Course {
        let (start_key, end, took_s) = match &run.work {
            Work::Bootstrap => {
                let truth = self.first_truth();
                let end = RunEnd::Completed(self.completion(run, 0, None, truth));
                (0, end, self.model.first_model_s.at(self.dice(DURATION, &[0]).unit()))
            }
            Work::Train {
                source,
                params,
                replay_hosts,
                ..
            } => self.training(run, *source, params, replay_hosts),
            Work::Evaluate {
                candidate,
                offset,
                blocks_per_host,
            } => {
                let pairs = self.evaluation_pairs(candidate, run.base.as_ref(), *offset, *blocks_per_host);
                let completion = Completion {
                    pairs,
                    ..Completion::default()
                };
                let key = [1, self.luck_of(candidate), u64::from(*offset)];
                let took_s = self.model.evaluation_s.at(self.dice(DURATION, &key).unit());
                (1, RunEnd::Completed(completion), took_s)
            }
        };
        let start_s = self
            .model
            .start_s
            .at(self.dice(START, &[start_key, u64::from(run.token.attempt)]).unit());
        Course {
            start_ms: ms(start_s),
            report: RunReport {
                duration_ms: ms(took_s).max(1),
                end,
            },
        }
    }

    fn training(&mut self, run: &Run, source: SourceId, params: &TrainingParams, replay_hosts: &[String]) -> (u64, RunEnd, f64) {
        let identity = self.identities.get(&source).copied().unwrap_or(Identity {
            key: source.0,
            host: 0,
            hopeless: false,
        });
        let (attempt, host) = (u64::from(run.token.attempt), &self.model.hosts[identity.host]);
        let key = [identity.key, attempt];
        let took_s = host.training_s.at(self.dice(DURATION, &key).unit());
        let share = host.success[(attempt as usize).clamp(1, host.success.len()) - 1];
        self.hopeless_attempts += u64::from(identity.hopeless);
        if identity.hopeless || self.dice(OUTCOME, &key).unit() >= share {
            let class = if identity.hopeless {
                FailureClass::Deterministic
            } else {
                failure_class(host, self.dice(CLASS, &key).unit())
            };
            if class == FailureClass::Deterministic
                && let Some(identity) = self.identities.get_mut(&source)
            {
                identity.hopeless = true;
            }
            let error = match class {
                FailureClass::Deterministic => format!("source {:016x} cannot be trained on", identity.key),
                class => format!("{} on {}", class.slug(), host.name),
            };
            let failure = Failure {
                class,
                error,
                exit_code: Some(1),
            };
            return (identity.key, RunEnd::Failed(failure), took_s);
        }
        let before = run
            .base
            .as_ref()
            .and_then(|base| self.truths.get(base))
            .cloned()
            .unwrap_or_else(|| self.first_truth());
        let after = self.practised(&before, identity, params, replay_hosts, attempt);
        (
            identity.key,
            RunEnd::Completed(self.completion(run, params.steps, Some((before, identity.host)), after)),
            took_s,
        )
    }

    /// Practice takes the host a share of the way to its floor; the others forget a little of what they know.
    fn practised(&self, before: &[f64], identity: Identity, params: &TrainingParams, replay_hosts: &[String], attempt: u64) -> Truth {
        let effort = effort(params.steps, params.learning_rate);
        let one = |(index, host): (usize, &HostModel)| {
            let loss = before[index];
            let luck = self.dice(LEARNING, &[identity.key, attempt, index as u64]).normal();
            if index == identity.host {
                let left = libm::pow(1.0 - host.learning, effort);
                return (host.loss_floor + (loss - host.loss_floor) * left + host.noise * luck).max(host.loss_floor);
            }
            let way = host.loss_start - host.loss_floor;
            let known = if way > 0.0 {
                ((host.loss_start - loss) / way).clamp(0.0, 1.0)
            } else {
                0.0
            };
            let replayed = if replay_hosts.contains(&host.name) {
                params.replay_share
            } else {
                0.0
            };
            let rise = host.forgetting * known * (1.0 - replayed) * effort.min(1.0);
            (loss + rise + 0.25 * host.noise * luck * effort.min(1.0)).max(host.loss_floor)
        };
        self.model.hosts.iter().enumerate().map(one).collect()
    }

    fn completion(&mut self, run: &Run, steps: u32, practised: Option<(Truth, usize)>, truth: Truth) -> Completion {
        let name = |index: usize| self.model.hosts[index].name.clone();
        let before = practised.as_ref().map(|(before, _)| before);
        let losses = truth.iter().enumerate().map(|(index, after)| HostLoss {
            host: name(index),
            before: before.map(|before| before[index]),
            after: *after,
        });
        let digest = Digest::of(format!("run {}", run.token.run).as_bytes());
        let completion = Completion {
            steps,
            loss_before: before.map(|before| macro_mean(before)),
            loss_after: Some(macro_mean(&truth)),
            losses: losses.collect(),
            hosts: practised.iter().map(|(_, host)| name(*host)).collect(),
            model: Some(ModelFile {
                digest,
                bytes: 1,
                path: format!("models/run-{}", run.token.run),
            }),
            pairs: Vec::new(),
        };
        self.made.insert(run.token.run, truth);
        completion
    }

    fn luck_of(&self, candidate: &ModelTag) -> u64 {
        self.candidates.iter().rposition(|tag| tag == candidate).unwrap_or(0) as u64
    }

    fn evaluation_pairs(&self, candidate: &ModelTag, baseline: Option<&ModelTag>, offset: u32, blocks: u32) -> Vec<Pair> {
        let mut pairs = Vec::new();
        for index in 0..self.model.hosts.len() {
            for block in offset..offset.saturating_add(blocks) {
                pairs.extend(self.pair(candidate, baseline, index, [self.luck_of(candidate), 0, u64::from(block % ITEMS)]));
            }
        }
        pairs
    }

    /// Both models on one item: they share how hard it is.
    fn pair(&self, candidate: &ModelTag, baseline: Option<&ModelTag>, host: usize, key: [u64; 3]) -> Option<Pair> {
        let (candidate, baseline) = (self.truths.get(candidate)?, self.truths.get(baseline?)?);
        let name = self.host_key(host);
        let item = self.model.pairs.item_deviation * self.dice(ITEM, &[name, key[1], key[2]]).normal();
        let off = self
            .model
            .pairs
            .difference
            .at(self.dice(DIFFERENCE, &[name, key[0], key[1], key[2]]).unit());
        Some(Pair {
            host: self.model.hosts[host].name.clone(),
            baseline: baseline[host] + item,
            candidate: candidate[host] + item + off,
        })
    }

    /// Standard requests of a stretch of time; in canary the candidate answers a share of them, in watch all.
    pub(crate) fn served(&mut self, candidate: &ModelTag, baseline: &ModelTag, share: Option<f64>, span_ms: Millis) -> Vec<ServedSample> {
        let model = self.model;
        let count = (model.serving.requests_per_minute * span_ms as f64 / 60_000.0).round().max(1.0) as u64;
        let luck = self.luck_of(candidate);
        let one = |n: u64| {
            let mut dice = self.dice(REQUEST, &[luck, n]);
            let host = dice.roll(model.hosts.len() as u64) as usize;
            let by_candidate = share.is_none_or(|share| dice.chance(share));
            let failed = dice.chance(model.serving.failed_share);
            ServedSample {
                by_candidate,
                failed,
                latency_ms: model.serving.latency_ms.at(dice.unit()),
                pair: self.pair(candidate, Some(baseline), host, [luck, 1, n]).filter(|_| !failed),
            }
        };
        let samples = (self.requests..self.requests + count).map(one).collect();
        self.requests += count;
        samples
    }
}

fn failure_class(host: &HostModel, unit: f64) -> FailureClass {
    let mut rest = unit * host.failures.values().sum::<f64>();
    let mut last = FailureClass::Transient;
    for (class, weight) in &host.failures {
        if *weight > 0.0 {
            last = *class;
            rest -= weight;
            if rest < 0.0 {
                break;
            }
        }
    }
    last
}

pub(crate) fn ms(seconds: f64) -> Millis {
    (seconds * 1000.0).round().clamp(0.0, 1e15) as Millis
}
