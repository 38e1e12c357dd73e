//! A model's way into service: window, evaluation, canary, live apply, watch, and back.

use super::operate::checked_reason;
use super::{Turn, conflict, not_found};
use crate::coordinator::{Refusal, Reply};
use crate::guards::Guards;
use crate::input::StickyKey;
use crate::state::gate_stage;
use pointsman_model::context::{Context, GateContext, GatePair, GateStage, Guardrail};
use pointsman_model::decision::{Decision, GateVerdict, Subject, Verdict};
use pointsman_model::event::{CandidateStep, Event, StageBy};
use pointsman_model::policy::PolicyKind;
use pointsman_model::promotion::{Candidate, CandidateEnd, CandidateStage, HoldCause, Served};
use pointsman_model::run::{Failure, RunClass, Work};
use pointsman_model::{Actor, DecisionId, ModelTag};

/// Failed evaluation runs after which a candidate is rejected.
const EVALUATION_FAILURES_MAX: u32 = 3;
const BOOTSTRAP_TITLE: &str = "First model";

/// A candidate that waits for a person, and the stage at which it does.
pub(super) struct HeldCandidate {
    tag: ModelTag,
    from: GateStage,
}

impl Turn<'_> {
    pub(super) fn plan_bootstrap(&mut self) {
        let none_under_way = !self.state.runs.values().any(|run| run.work == Work::Bootstrap);
        if self.state.active.is_none() && none_under_way && self.now >= self.state.bootstrap.not_before && self.has_slot() {
            let attempt = self.state.bootstrap.failures + 1;
            self.plan_run(RunClass::Manual, BOOTSTRAP_TITLE.into(), attempt, Work::Bootstrap, None, None);
        }
    }

    /// A full window makes the newest model of the line a candidate.
    pub(super) fn raise_candidate(&mut self) {
        let state = &*self.state;
        let full = state.window_done() >= u64::from(state.settings.promotion_window);
        let (Some(active), Some(line), true, None) = (&state.active, &state.line, full, &state.candidate) else {
            return;
        };
        let watermark = state.totals.successes;
        if line == active {
            self.emit(Event::WindowPassed { watermark });
        } else {
            let event = Event::CandidateRaised {
                candidate: line.clone(),
                baseline: active.clone(),
                watermark,
            };
            self.emit(event);
        }
    }

    pub(super) fn plan_evaluation(&mut self) {
        let Some(candidate) = &self.state.candidate else { return };
        let CandidateStage::Evaluating {
            run: None,
            offset,
            not_before,
            ..
        } = candidate.stage
        else {
            return;
        };
        if self.now < not_before || !self.has_slot() {
            return;
        }
        let title = format!("Evaluate {} against {}", candidate.tag, candidate.baseline);
        let blocks_per_host = self.state.settings.eval_blocks_per_host;
        let work = Work::Evaluate {
            candidate: candidate.tag.clone(),
            offset,
            blocks_per_host,
        };
        let base = Some(candidate.baseline.clone());
        let attempt = candidate.looks + 1;
        self.plan_run(RunClass::Eval, title, attempt, work, base, None);
    }

    pub(super) fn judge_evaluation(&mut self, tag: &ModelTag) {
        if self.state.candidate.as_ref().is_some_and(|candidate| candidate.tag == *tag) {
            self.judge(GateStage::Evaluate);
        }
    }

    pub(super) fn count_failed_evaluation(&mut self, failure: &Failure) {
        let Some(candidate) = &self.state.candidate else { return };
        if let CandidateStage::Evaluating { failures, .. } = candidate.stage
            && failures >= EVALUATION_FAILURES_MAX
        {
            let reason = format!("its evaluation failed {failures} times, last with: {}", failure.error);
            let event = Event::CandidateEnded {
                candidate: candidate.tag.clone(),
                end: CandidateEnd::Rejected,
                reason,
                by: StageBy::Host,
            };
            self.emit(event);
        }
    }

    /// Canary and watch are judged when they have as many pairs as were wanted.
    pub(super) fn judge_candidate(&mut self) {
        let Some(candidate) = &self.state.candidate else { return };
        let have = candidate.pairs.len() as u32;
        match candidate.stage {
            CandidateStage::Canary { wanted, .. } if have >= wanted => self.judge(GateStage::Canary),
            CandidateStage::Watching { wanted, .. } if have >= wanted => self.judge(GateStage::Watch),
            CandidateStage::Canary { .. }
            | CandidateStage::Watching { .. }
            | CandidateStage::Evaluating { .. }
            | CandidateStage::Held { .. } => {}
        }
    }

    fn judge(&mut self, stage: GateStage) {
        let Some(context) = self.gate_context(stage) else { return };
        let candidate = ModelTag(context.candidate.clone());
        let sticky = StickyKey::Candidate(context.candidate.clone());
        let decision = self.decide(Subject::Candidate(candidate.clone()), sticky, Context::Gate(context));
        let by = StageBy::Decision(decision.id);
        match &decision.ruling.verdict {
            Verdict::Gate(GateVerdict::Advance) if stage == GateStage::Canary && self.state.settings.promotion_hold => {
                self.emit(Event::CandidateHeld {
                    candidate,
                    reason: format!("the gate accepts it: {}", first_reason(&decision)),
                    decision: decision.id,
                    cause: HoldCause::Setting,
                });
            }
            Verdict::Gate(GateVerdict::Advance) => self.advance(stage, by),
            Verdict::Gate(GateVerdict::NeedMore(pairs)) => {
                self.emit(Event::MorePairsWanted {
                    candidate,
                    pairs: *pairs,
                    decision: decision.id,
                });
                self.plan_evaluation();
            }
            Verdict::Gate(GateVerdict::Reject) => {
                let reason = first_reason(&decision);
                self.emit(Event::CandidateEnded {
                    candidate,
                    end: CandidateEnd::Rejected,
                    reason,
                    by,
                });
            }
            Verdict::Gate(GateVerdict::Hold) => {
                let reason = first_reason(&decision);
                self.emit(Event::CandidateHeld {
                    candidate,
                    reason,
                    decision: decision.id,
                    cause: HoldCause::Gate,
                });
            }
            Verdict::Gate(GateVerdict::RollBack) => self.roll_back(first_reason(&decision), by),
            other => unreachable!("a checked answer to a gate question is a gate verdict, not {other:?}"),
        }
    }

    fn advance(&mut self, from: GateStage, by: StageBy) {
        let Some(candidate) = &self.state.candidate else { return };
        let (tag, before) = (candidate.tag.clone(), candidate.baseline.clone());
        match from {
            GateStage::Evaluate => self.emit(Event::CandidateAdvanced {
                candidate: tag,
                to: CandidateStep::Canary,
                by,
            }),
            GateStage::Canary => {
                self.emit(Event::ModelApplied {
                    model: tag.clone(),
                    before,
                    by: by.clone(),
                });
                self.emit(Event::CandidateAdvanced {
                    candidate: tag,
                    to: CandidateStep::Watch,
                    by,
                });
            }
            GateStage::Watch => {
                let reason = "it held up in service".to_string();
                self.emit(Event::CandidateEnded {
                    candidate: tag,
                    end: CandidateEnd::Kept,
                    reason,
                    by,
                });
            }
        }
    }

    fn roll_back(&mut self, reason: String, by: StageBy) {
        let Some(candidate) = &self.state.candidate else { return };
        let (from, to) = (candidate.tag.clone(), candidate.baseline.clone());
        self.emit(Event::ModelRolledBack {
            from: from.clone(),
            to,
            reason: reason.clone(),
            by: Some(by.clone()),
        });
        self.emit(Event::CandidateEnded {
            candidate: from,
            end: CandidateEnd::RolledBack,
            reason,
            by,
        });
    }

    /// What is held, if it is what the person has seen: a click that comes late does nothing.
    pub(super) fn held_as_seen(&self, tag: ModelTag, seen: Option<DecisionId>) -> Result<HeldCandidate, Refusal> {
        let held = self.state.candidate.as_ref().filter(|candidate| candidate.tag == tag);
        let Some(Candidate {
            stage: CandidateStage::Held { from, decision, .. },
            ..
        }) = held
        else {
            return Err(not_found("candidate_not_held", format!("{tag} is not held for a person")).fix("pointsman promotion status"));
        };
        match seen {
            Some(seen) if seen != *decision => Err(conflict(
                "hold_changed",
                format!("{tag} is held with decision {decision} by now, not with decision {seen}"),
            )
            .fix("pointsman promotion status")),
            Some(_) | None => Ok(HeldCandidate { tag, from: *from }),
        }
    }

    pub(super) fn approve_held(
        &mut self,
        held: HeldCandidate,
        despite_guards: bool,
        actor: Actor,
        reason: String,
    ) -> Result<Reply, Refusal> {
        let mut reason = checked_reason(reason)?;
        let HeldCandidate { tag, from } = held;
        // The settings may be others than when the gate was asked.
        let guards = Guards::of(&self.state.settings);
        let pairs = self.state.candidate.as_ref().map_or(&[][..], |candidate| &candidate.pairs);
        if let Err(violation) = guards.check_pairs(pairs) {
            if !despite_guards {
                return Err(conflict("guard_forbids", format!("{tag} may not go on: {violation}")).fix(format!(
                    "pointsman promotion approve {tag} --despite-guards, or change {}",
                    violation.guard
                )));
            }
            reason = match reason.as_str() {
                "" => format!("despite {violation}"),
                reason => format!("{reason} (despite {violation})"),
            };
        }
        self.advance(from, StageBy::Person { actor, reason });
        Ok(Reply::Done)
    }

    /// Final: the line goes back to the live model, so that the candidate is never raised again.
    pub(super) fn reject_held(&mut self, held: HeldCandidate, actor: Actor, reason: String) -> Result<Reply, Refusal> {
        let reason = checked_reason(reason)?;
        let HeldCandidate { tag, from } = held;
        let by = StageBy::Person {
            actor,
            reason: reason.clone(),
        };
        match from {
            GateStage::Watch => self.roll_back(reason, by),
            GateStage::Evaluate | GateStage::Canary => {
                self.emit(Event::CandidateEnded {
                    candidate: tag,
                    end: CandidateEnd::Rejected,
                    reason,
                    by,
                });
            }
        }
        Ok(Reply::Done)
    }

    pub(super) fn roll_back_model(&mut self, actor: Actor, reason: String) -> Result<Reply, Refusal> {
        let reason = checked_reason(reason)?;
        let state = &*self.state;
        let kept = state.previous.as_ref().filter(|previous| state.models.contains_key(previous));
        let (Some(from), Some(to)) = (&state.active, kept) else {
            return Err(conflict("no_model_before", "no model that was live before is kept").fix("pointsman models"));
        };
        let (from, to) = (from.clone(), to.clone());
        let by = StageBy::Person {
            actor,
            reason: reason.clone(),
        };
        match state
            .candidate
            .as_ref()
            .map(|candidate| (candidate.tag.clone(), gate_stage(&candidate.stage)))
        {
            Some((tag, _)) if tag == from => self.roll_back(reason, by),
            other => {
                self.emit(Event::ModelRolledBack {
                    from,
                    to,
                    reason,
                    by: Some(by.clone()),
                });
                if let Some((candidate, _)) = other {
                    let reason = "the model it was compared with was rolled back".to_string();
                    self.emit(Event::CandidateEnded {
                        candidate,
                        end: CandidateEnd::Rejected,
                        reason,
                        by,
                    });
                }
            }
        }
        Ok(Reply::Done)
    }

    fn gate_context(&self, stage: GateStage) -> Option<GateContext> {
        let settings = &self.state.settings;
        let candidate = self.state.candidate.as_ref()?;
        let mut hosts: Vec<String> = Vec::new();
        let mut pairs = Vec::with_capacity(candidate.pairs.len());
        for pair in &candidate.pairs {
            let index = hosts.iter().position(|host| *host == pair.host).unwrap_or_else(|| {
                hosts.push(pair.host.clone());
                hosts.len() - 1
            });
            pairs.push(GatePair {
                host: index as u32,
                baseline: pair.baseline,
                candidate: pair.candidate,
            });
        }
        Some(GateContext {
            frame: self.frame(PolicyKind::PromotionGate),
            stage,
            candidate: candidate.tag.0.clone(),
            baseline: candidate.baseline.0.clone(),
            hosts,
            pairs,
            guardrails: match stage {
                GateStage::Evaluate | GateStage::Watch => Vec::new(),
                GateStage::Canary => guardrails(candidate, settings.guard_error_rise, settings.guard_latency_rise_ms),
            },
            looks: candidate.looks,
            cap: match stage {
                GateStage::Evaluate => settings.eval_pairs_max,
                GateStage::Canary => settings.canary_pairs_max,
                GateStage::Watch => settings.watch_pairs_max,
            },
            ingest_lag: None,
        })
    }
}

fn guardrails(candidate: &Candidate, error_rise: f64, latency_rise_ms: f64) -> Vec<Guardrail> {
    let Served {
        requests: baseline_n,
        failed: baseline_failed,
        latency_ms_sum: baseline_ms,
    } = candidate.served.baseline;
    let Served {
        requests: candidate_n,
        failed: candidate_failed,
        latency_ms_sum: candidate_ms,
    } = candidate.served.candidate;
    let mean = |sum: f64, n: u32| if n == 0 { 0.0 } else { sum / f64::from(n) };
    let guardrail = |name: &str, baseline_sum: f64, candidate_sum: f64, limit: f64| Guardrail {
        name: name.to_string(),
        baseline_n,
        baseline_mean: mean(baseline_sum, baseline_n),
        candidate_n,
        candidate_mean: mean(candidate_sum, candidate_n),
        limit,
    };
    vec![
        guardrail("errors", f64::from(baseline_failed), f64::from(candidate_failed), error_rise),
        guardrail("latency_ms", baseline_ms, candidate_ms, latency_rise_ms),
    ]
}

fn first_reason(decision: &Decision) -> String {
    decision
        .ruling
        .advice
        .reasons
        .first()
        .map(|reason| reason.text.clone())
        .unwrap_or_else(|| "no reason was given".into())
}
