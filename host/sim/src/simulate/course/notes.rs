//! What a course writes down as it goes, and the figures it comes to.

use super::{Message, Play, Wait};
use crate::simulate::figures::*;
use crate::simulate::outside::macro_mean;
use crate::world::EPOCH_MS;
use pointsman_model::decision::{Decision, Link, Verdict};
use pointsman_model::event::Event;
use pointsman_model::policy::{PolicyKind, PolicyRef};
use pointsman_model::promotion::CandidateEnd;
use pointsman_model::run::{FailureClass, RunClass, RunEnd, RunReport, Work};
use pointsman_model::source::Lane;
use pointsman_model::{Millis, ModelTag};

impl Play<'_> {
    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::SourceQueued { source, new, decision } => {
                let Some(host) = new.host.as_deref().and_then(|host| self.outside.host(host)) else {
                    return;
                };
                if decision.is_some() {
                    self.outside.seeded(*source, host);
                    self.hosts[host].seeded += 1;
                }
                let wait = Wait {
                    host,
                    lane: new.lane,
                    since: self.now,
                    until: None,
                };
                self.waits.insert(*source, wait);
            }
            Event::RunPlanned { run, .. } => {
                if let Work::Train { source, .. } = &run.work {
                    if let Some(wait) = self.waits.get_mut(source) {
                        wait.until.get_or_insert(self.now);
                    }
                    self.attempts.insert(*source, run.token.attempt);
                }
                let course = self.outside.course_of(run);
                self.runs.insert(run.token.run, (self.now + course.start_ms, run.work.clone()));
                let ends_at = self.now + course.start_ms + course.report.duration_ms;
                self.send(self.now + course.start_ms, Message::Started(run.token));
                self.send(ends_at, Message::Finished(run.token, Box::new(course.report)));
                self.found.runs.evaluations += u64::from(run.class == RunClass::Eval);
            }
            Event::RunFinished { token, report, model } => {
                if let Some(tag) = model {
                    self.outside.named(token.run, tag);
                }
                if let Some((_, work)) = self.runs.remove(&token.run) {
                    self.note_outcome(&work, report);
                }
            }
            Event::RetryScheduled { .. } => self.found.sources.retries += 1,
            Event::SourceMoved { .. } => self.found.sources.moved += 1,
            Event::SourceDisabled { .. } => self.found.sources.disabled += 1,
            Event::SourceGivenUp { .. } => self.found.sources.given_up += 1,
            Event::Decided(decision) => self.note_decision(decision),
            Event::PolicyRolledBack { from, reason, .. } => {
                let hour = self.hour();
                self.found.breaker_trips.push(format!("{from} after {hour:.1} hours: {reason}"));
            }
            Event::CandidateRaised { candidate, baseline, .. } => {
                self.outside.raised(candidate);
                let gain = match (self.outside.truth(baseline), self.outside.truth(candidate)) {
                    (Some(baseline), Some(candidate)) => macro_mean(baseline) - macro_mean(candidate),
                    _ => 0.0,
                };
                self.candidates.push(CandidateFigures {
                    candidate: candidate.0.clone(),
                    hour: self.hour(),
                    true_gain: gain,
                    applied: false,
                    end: "open".into(),
                    pairs: 0,
                });
            }
            Event::ModelApplied { .. } => {
                if let Some(candidate) = self.candidates.last_mut() {
                    candidate.applied = true;
                }
            }
            Event::CandidateHeld { .. } => {
                self.found.promotions.held += 1;
                if let Some(candidate) = self.candidates.last_mut() {
                    candidate.end = "held".into();
                }
            }
            Event::CandidateEnded { end, .. } => {
                if let Some(candidate) = self.candidates.last_mut() {
                    candidate.end = match end {
                        CandidateEnd::Kept => "kept",
                        CandidateEnd::Rejected => "rejected",
                        CandidateEnd::RolledBack => "rolled back",
                    }
                    .into();
                }
            }
            Event::ModelsRetired { models, .. } => models.iter().for_each(|tag: &ModelTag| self.outside.forget(tag)),
            _ => {}
        }
    }

    fn note_outcome(&mut self, work: &Work, report: &RunReport) {
        match work {
            Work::Train { host, .. } => {
                let host = host.as_deref().and_then(|host| self.outside.host(host));
                let runs = &mut self.found.runs;
                runs.finished += 1;
                self.busy_ms += report.duration_ms as f64;
                if let Some(host) = host {
                    self.hosts[host].runs += 1;
                }
                match &report.end {
                    RunEnd::Completed(_) => {
                        runs.succeeded += 1;
                        self.successes_since += 1.0;
                        if let Some(host) = host {
                            self.hosts[host].succeeded += 1;
                        }
                    }
                    RunEnd::Failed(failure) => {
                        runs.failed += 1;
                        self.failed_ms += report.duration_ms as f64;
                        let class: FailureClass = failure.class;
                        *runs.failures_by_class.entry(class.slug().into()).or_default() += 1;
                    }
                    RunEnd::Cancelled => {}
                }
            }
            Work::Evaluate { .. } => {
                if let (RunEnd::Completed(completion), Some(candidate)) = (&report.end, self.candidates.last_mut()) {
                    candidate.pairs += completion.pairs.len() as u32;
                }
            }
            Work::Bootstrap => {}
        }
    }

    fn note_decision(&mut self, decision: &Decision) {
        let figures = self.found.decisions.entry(decision.kind).or_default();
        let ruling = &decision.ruling;
        figures.asked += 1;
        *figures.verdicts.entry(verdict_word(&ruling.verdict)).or_default() += 1;
        figures.fallbacks += u64::from(ruling.link == Link::LastGood || ruling.link == Link::BuiltIn && !ruling.declined.is_empty());
        for declined in &ruling.declined {
            *figures.faults.entry(declined.fault.class.slug().into()).or_default() += 1;
        }
        let (sum, count) = self.fuel.entry(decision.kind).or_default();
        if let Some(fuel) = ruling.cost.fuel {
            *sum += fuel as f64;
            *count += 1;
        }
    }

    fn hour(&self) -> f64 {
        (self.now - EPOCH_MS) as f64 / 3_600_000.0
    }

    /// Fills the curves up to a time, with what was true until then.
    pub(super) fn pass_points(&mut self, until: Millis) {
        while let Some(point) = self.points.first().copied().filter(|point| *point <= until) {
            self.points.remove(0);
            let state = self.coordinator.state();
            let loss = state
                .active
                .as_ref()
                .and_then(|active| self.outside.truth(active))
                .map(|truth| macro_mean(truth));
            let loss = loss.unwrap_or_else(|| macro_mean(&self.outside.first_truth()));
            let curves = &mut self.found.curves;
            curves.hours.push((point - EPOCH_MS) as f64 / 3_600_000.0);
            curves.successes.push(std::mem::take(&mut self.successes_since));
            curves.waiting.push(f64::from(state.index.pending(Lane::Queue)));
            curves.loss.push(loss);
        }
    }

    pub(super) fn figures(mut self) -> Figures {
        let state = self.coordinator.state();
        let span_ms = (self.end - EPOCH_MS) as f64;
        let model = self.question.model;
        let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        let mut found = std::mem::take(&mut self.found);

        // Runs that are under way at the end count for the time they have used.
        for (started, work) in self.runs.values() {
            if matches!(work, Work::Train { .. }) {
                self.busy_ms += self.end.saturating_sub(*started) as f64;
            }
        }
        let runs = &mut found.runs;
        runs.success_rate = share(runs.succeeded as f64, runs.finished as f64);
        runs.successes_per_hour = runs.succeeded as f64 / self.question.hours;
        runs.busy_share = share(self.busy_ms, span_ms * f64::from(state.settings.training_cap()));
        runs.failed_time_share = share(self.failed_ms, self.busy_ms);

        let first = self.outside.first_truth();
        let live = state
            .active
            .as_ref()
            .and_then(|active| self.outside.truth(active))
            .unwrap_or(&first)
            .clone();
        for (index, host) in model.hosts.iter().enumerate() {
            let waits = self.waits.values().filter(|wait| wait.host == index && wait.lane == Lane::Queue);
            let mut waited: Vec<Millis> = waits.clone().map(|wait| wait.until.unwrap_or(self.end) - wait.since).collect();
            waited.sort_unstable();
            let count = &self.hosts[index];
            let longest_s = quantile(&waited, 1.0);
            found.hosts.push(HostFigures {
                host: host.name.clone(),
                queued: count.queued,
                seeded: count.seeded,
                runs: count.runs,
                succeeded: count.succeeded,
                wait_p50_s: quantile(&waited, 0.5),
                wait_p95_s: quantile(&waited, 0.95),
                wait_max_s: longest_s,
                waiting_at_end: waits.filter(|wait| wait.until.is_none()).count() as u64,
                starved: longest_s > model.starved_after_s,
                loss_start: host.loss_start,
                loss_end: live[index],
            });
        }

        found.sources.attempts_most = self.attempts.values().copied().max().unwrap_or(0);
        found.sources.hopeless_attempts = self.outside.hopeless_attempts;
        let promotions = &mut found.promotions;
        promotions.loss_start = macro_mean(&first);
        promotions.loss_end = macro_mean(&live);
        promotions.candidates = self.candidates.len() as u64;
        for candidate in &self.candidates {
            let better = candidate.true_gain > 0.0;
            promotions.applied += u64::from(candidate.applied);
            promotions.applied_not_better += u64::from(candidate.applied && !better);
            match candidate.end.as_str() {
                "kept" => promotions.kept += 1,
                "rejected" => {
                    promotions.rejected += 1;
                    promotions.rejected_better += u64::from(better);
                    promotions.rejected_better_by_005 += u64::from(candidate.true_gain >= 0.05);
                }
                "rolled back" => {
                    promotions.rolled_back += 1;
                    promotions.rolled_back_better += u64::from(better);
                }
                _ => {}
            }
        }
        let pairs: f64 = self.candidates.iter().map(|candidate| f64::from(candidate.pairs)).sum();
        promotions.pairs_mean = share(pairs, self.candidates.len() as f64);
        promotions.each = self.candidates;

        for (kind, (sum, count)) in self.fuel {
            if let Some(figures) = found.decisions.get_mut(&kind) {
                figures.fuel_mean = share(sum, count as f64);
            }
        }
        for kind in PolicyKind::ALL {
            let given = self.question.policies.iter().find(|policy| policy.kind == kind);
            let began = given.map_or_else(|| PolicyRef::built_in(kind), |given| given.policy.clone());
            let active = state.slot(kind).and_then(|slot| slot.active.as_ref());
            let ended = active.map_or_else(|| PolicyRef::built_in(kind), |active| active.description.policy.clone());
            found.policies.push(ServingPolicy {
                kind: kind.slug().into(),
                policy: began.to_string(),
                digest: began.digest.short(),
                at_the_end: ended.to_string(),
            });
        }
        found.journal_entries = self.entries;
        found
    }
}

fn verdict_word(verdict: &Verdict) -> String {
    verdict.slug().to_string()
}
