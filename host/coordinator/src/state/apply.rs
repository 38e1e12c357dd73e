//! Facts change the state here and nowhere else. Nothing is decided and nothing can fail: an event that names
//! something unknown changes nothing, since a journal is read as it is.

use super::policies::Entered;
use super::*;
use pointsman_model::Actor;
use pointsman_model::context::GateStage;
use pointsman_model::decision::{CurriculumVerdict, Decision, Link, SelectionVerdict, Verdict};
use pointsman_model::event::{CandidateStep, Event};
use pointsman_model::promotion::{CandidateEnd, CandidateStage, EndedCandidate, HostPairs, ServedSample};
use pointsman_model::run::{AttemptToken, Completion, HostLoss, RunEnd, RunReport, Work};
use pointsman_model::source::{CampaignRow, NewSource, SourceEdit, SourceStage};

/// Offsets wrap here; a trainer takes them modulo the blocks that it has.
const HELD_OUT_ROTATION: u32 = 10_000;

impl State {
    pub fn apply(&mut self, at: Millis, event: &Event) {
        self.last_at = self.last_at.max(at);
        match event {
            Event::HostStarted { version: _, term } => self.term = *term,
            Event::SourceQueued { source, new, decision: _ } => {
                self.enter_new(at, *source, new, None);
            }
            Event::CampaignQueued {
                campaign,
                new,
                rows,
                first,
                actor,
                reason,
            } => self.apply_campaign_queued(at, *campaign, new, *rows, *first, (actor, reason)),
            Event::CampaignCancelled {
                campaign,
                left: _,
                actor,
                reason,
            } => self.apply_campaign_cancelled(at, *campaign, actor, reason),
            Event::CampaignEnded {
                campaign,
                done: _,
                failed: _,
                cancelled: _,
            } => self.apply_campaign_ended(at, *campaign),
            Event::SourcesImported {
                import,
                batch: _,
                digest,
                first,
                rows,
                refused,
                actor: _,
            } => self.apply_imported(at, import, *digest, *first, rows, *refused),
            Event::SourceEdited {
                source,
                edit,
                actor: _,
                reason: _,
            } => self.apply_edited(*source, edit),
            Event::SourceCancelled {
                source,
                actor: _,
                reason: _,
            } => {
                if let Some(source) = self.take_source(*source) {
                    self.count_ended(source.campaign.map(|row| row.campaign), |counts| counts.cancelled += 1);
                }
            }
            Event::LockTaken { lock } => {
                self.lock = Some(lock.clone());
                self.selection_idle_since = None;
            }
            Event::LockReleased { lock, actor, reason: _ } => {
                let holder = lock.holder.and_then(|id| self.campaigns.get_mut(&id));
                if let Some(holder) = holder.filter(|_| actor.0 != Actor::HOST) {
                    holder.lock_refused = true;
                }
                self.lock = None;
                self.selection_idle_since = None;
            }
            Event::SourceEnabled {
                source,
                actor: _,
                reason: _,
            } => self.set_stage(*source, SourceStage::Pending),
            Event::SourceDisabled {
                source,
                reason,
                actor: _,
                decision: _,
            } => {
                self.set_stage(*source, SourceStage::Disabled { reason: reason.clone() });
            }
            Event::RetryScheduled { source, at, decision: _ } => self.set_stage(*source, SourceStage::Waiting { until: *at }),
            Event::SourceMoved { source, lane, decision: _ } => {
                if let Some(mut moved) = self.take_source(*source) {
                    moved.lane = *lane;
                    moved.stage = SourceStage::Pending;
                    self.put_source(moved);
                }
            }
            Event::SourceGivenUp { source, decision: _ } => {
                if let Some(source) = self.take_source(*source) {
                    self.count_ended(source.campaign.map(|row| row.campaign), |counts| counts.given_up += 1);
                }
            }
            Event::HostsParked { hosts, decision: _ } => {
                for host in hosts {
                    self.hosts.entry(host.clone()).or_default().parked = true;
                }
            }
            Event::TrainingStarted { actor, reason } => {
                self.training = Training {
                    enabled: true,
                    actor: actor.0.clone(),
                    reason: reason.clone(),
                    since: Some(at),
                };
                self.selection_idle_since = None;
            }
            Event::TrainingStopped { actor, reason } => {
                self.training = Training {
                    enabled: false,
                    actor: actor.0.clone(),
                    reason: reason.clone(),
                    since: Some(at),
                };
            }
            Event::SettingsChanged {
                settings,
                actor: _,
                reason: _,
                cause: _,
            } => {
                self.settings = settings.clone();
                self.selection_idle_since = None;
                self.note_window(at);
            }
            Event::PresetSaved { name, preset, actor } => {
                let preset = Preset {
                    values: preset.clone(),
                    actor: actor.0.clone(),
                    saved_at: at,
                };
                self.presets.insert(name.clone(), preset);
            }
            Event::PresetDeleted { name, actor: _ } => {
                self.presets.remove(name);
            }
            Event::Decided(decision) => self.apply_decision(at, decision),
            Event::RunPlanned { run, decision: _ } => self.apply_run_planned(at, run),
            Event::RunStarted { token } => {
                if let Some(run) = self.runs.get_mut(&token.run) {
                    run.started_at = Some(at);
                }
            }
            Event::RunCancelRequested { run, actor: _, reason } => {
                if let Some(run) = self.runs.get_mut(run) {
                    run.cancelled = Some(reason.clone());
                }
            }
            Event::RunFinished { token, report, model } => self.apply_run_finished(at, token, report, model.as_ref()),
            Event::ModelBootstrapped { model } => {
                self.active = Some(model.clone());
                self.active_since = at;
                self.line = Some(model.clone());
                for host in self.hosts.values_mut() {
                    host.loss_active = host.loss_line;
                }
            }
            Event::CandidateRaised {
                candidate,
                baseline,
                watermark,
            } => {
                self.pass_window(*watermark);
                // Each candidate starts elsewhere in the held-out blocks, so that none is chosen for its luck on a few.
                let offset = (self.totals.candidates as u32).wrapping_mul(self.settings.eval_blocks_per_host) % HELD_OUT_ROTATION;
                self.totals.candidates += 1;
                self.candidate = Some(Candidate {
                    tag: candidate.clone(),
                    baseline: baseline.clone(),
                    since: at,
                    stage: CandidateStage::Evaluating {
                        run: None,
                        offset,
                        failures: 0,
                        not_before: 0,
                    },
                    looks: 0,
                    pairs: Vec::new(),
                    served: Default::default(),
                    evaluation: Vec::new(),
                    compared: Vec::new(),
                    decisions: Vec::new(),
                });
            }
            Event::WindowPassed { watermark } => self.pass_window(*watermark),
            Event::CandidateAdvanced { candidate: _, to, by: _ } => self.apply_advance(at, *to),
            Event::CandidateServed { candidate: _, samples } => self.apply_served(samples),
            Event::MorePairsWanted {
                candidate: _,
                pairs,
                decision: _,
            } => {
                if let Some(candidate) = &mut self.candidate {
                    let have = candidate.pairs.len() as u32;
                    match &mut candidate.stage {
                        CandidateStage::Canary { wanted, .. } | CandidateStage::Watching { wanted, .. } => {
                            *wanted = have.saturating_add(*pairs)
                        }
                        CandidateStage::Evaluating { .. } | CandidateStage::Held { .. } => {}
                    }
                }
            }
            Event::CandidateHeld {
                candidate: _,
                reason,
                decision,
                cause,
            } => {
                if let Some(candidate) = &mut self.candidate
                    && let Some(from) = gate_stage(&candidate.stage)
                {
                    candidate.stage = CandidateStage::Held {
                        from,
                        reason: reason.clone(),
                        cause: *cause,
                        since: at,
                        decision: *decision,
                    };
                }
            }
            Event::ModelApplied { model, before, by: _ } => {
                self.active = Some(model.clone());
                self.active_since = at;
                self.previous = Some(before.clone());
                self.totals.live_applies += 1;
                self.window.rolled_back_at = None;
                if let Some(candidate) = &self.candidate {
                    for loss in &candidate.evaluation {
                        self.hosts.entry(loss.host.clone()).or_default().loss_active = Some(loss.after);
                    }
                }
            }
            Event::CandidateEnded {
                candidate: _,
                end,
                reason,
                by,
            } => {
                match end {
                    CandidateEnd::Kept => {}
                    CandidateEnd::Rejected => {
                        self.totals.rejected += 1;
                        self.return_line_to_active();
                    }
                    CandidateEnd::RolledBack => self.totals.rolled_back += 1,
                }
                self.ended_candidate = self.candidate.take().map(|mut candidate| {
                    candidate.pairs = Vec::new();
                    EndedCandidate {
                        candidate,
                        end: *end,
                        reason: reason.clone(),
                        by: by.clone(),
                        at,
                    }
                });
            }
            Event::ModelRolledBack {
                from: _,
                to,
                reason: _,
                by: _,
            } => {
                if let Some(candidate) = &self.candidate {
                    for loss in &candidate.evaluation {
                        if let (Some(before), Some(host)) = (loss.before, self.hosts.get_mut(&loss.host)) {
                            host.loss_active = Some(before);
                        }
                    }
                }
                self.active = Some(to.clone());
                self.active_since = at;
                self.previous = None;
                self.window.rolled_back_at = Some(at);
                self.return_line_to_active();
            }
            Event::ModelsRetired {
                models,
                actor: _,
                reason: _,
            } => {
                for tag in models {
                    self.models.remove(tag);
                    self.model_pins.remove(tag);
                }
            }
            Event::ModelPinned {
                model,
                pinned,
                actor,
                reason,
            } => {
                self.model_pins.remove(model);
                if *pinned {
                    let pin = Pin {
                        since: at,
                        actor: actor.0.clone(),
                        reason: reason.clone(),
                    };
                    self.model_pins.insert(model.clone(), pin);
                }
            }
            Event::PolicyActivated {
                generation,
                description,
                previous: _,
                actor,
                reason,
                set,
                confirm_by,
                state,
                report: _,
            } => {
                let entered = Entered {
                    description,
                    actor: &actor.0,
                    reason,
                    set: *set,
                    confirm_by: *confirm_by,
                };
                self.apply_policy_activated(at, *generation, entered, state);
            }
            Event::PolicyConfirmed { kinds, set: _, actor: _ } => self.apply_policies_confirmed(kinds),
            Event::PolicyRolledBack {
                kind,
                generation,
                to: _,
                from,
                actor,
                reason,
                set: _,
                tripped_until,
            } => {
                let trip = tripped_until.map(|until| (from, until));
                self.apply_policy_rolled_back(at, *kind, *generation, &actor.0, reason, trip);
            }
            Event::PolicyPinned {
                kind,
                pinned,
                actor,
                reason,
            } => {
                let pin = Pin {
                    since: at,
                    actor: actor.0.clone(),
                    reason: reason.clone(),
                };
                self.policies.entry(*kind).or_default().pin = pinned.then_some(pin);
            }
            Event::PolicyCanaryStarted {
                description,
                share,
                state,
                actor,
                reason,
                report,
            } => {
                let entered = Entered {
                    description,
                    actor: &actor.0,
                    reason,
                    set: None,
                    confirm_by: None,
                };
                self.apply_policy_canary_started(at, *share, entered, state, report.clone());
            }
            Event::PolicyCanaryEnded {
                kind,
                policy,
                end: _,
                actor: _,
                reason,
                tripped_until,
            } => self.apply_policy_canary_ended(at, *kind, policy, reason, *tripped_until),
            Event::InputQuarantined {
                kind,
                key,
                about,
                policy,
                fault,
            } => {
                let quarantine = Quarantine {
                    at,
                    about: about.clone(),
                    policy: policy.clone(),
                    class: fault.class,
                    detail: fault.detail.clone(),
                };
                self.apply_input_quarantined(*kind, key, quarantine);
            }
            Event::InputReleased { kind, key, actor: _ } => self.apply_input_released(*kind, key),
        }
    }

    fn apply_decision(&mut self, at: Millis, decision: &Decision) {
        self.next.decision = self.next.decision.max(decision.id.0);
        self.totals.decisions += 1;
        let ruling = &decision.ruling;
        if ruling.link == Link::BuiltIn && !ruling.declined.is_empty() || ruling.link == Link::LastGood {
            self.totals.fallbacks += 1;
        }
        self.apply_policy_ruling(at, decision.kind, decision.input, ruling);
        match &ruling.verdict {
            Verdict::Selection(SelectionVerdict::Idle) => self.selection_idle_since = Some(at),
            Verdict::Selection(SelectionVerdict::Pick(_)) => self.picked_at = Some(at),
            Verdict::Retry(_) => {}
            Verdict::Curriculum(verdict) => {
                self.curriculum_asked_at = Some(at);
                self.curriculum_resting = *verdict == CurriculumVerdict::Nothing;
            }
            Verdict::Gate(_) => {
                if let Some(candidate) = &mut self.candidate {
                    candidate.looks += 1;
                    candidate.decisions.push(decision.id);
                }
            }
        }
    }

    fn apply_run_planned(&mut self, at: Millis, run: &Run) {
        self.next.run = self.next.run.max(run.token.run.0);
        match &run.work {
            Work::Bootstrap => {}
            Work::Train { source, host, .. } => {
                if let Some(mut planned) = self.take_source(*source) {
                    planned.attempts = run.token.attempt;
                    planned.stage = SourceStage::Running { run: run.token.run };
                    let campaign = planned.campaign.and_then(|row| self.campaigns.get_mut(&row.campaign));
                    if let Some(campaign) = campaign {
                        campaign.started_at.get_or_insert(at);
                    }
                    self.put_source(planned);
                }
                let name = host.clone().unwrap_or_default();
                if host.is_some() {
                    self.hosts.entry(name.clone()).or_default().picked_at = Some(at);
                    self.index.note_picked(&name, at);
                }
                self.recent_hosts.push_front(name);
                self.recent_hosts.truncate(RECENT_HOSTS_MAX);
            }
            Work::Evaluate { .. } => {
                if let Some(Candidate {
                    stage: CandidateStage::Evaluating { run: under_way, .. },
                    ..
                }) = &mut self.candidate
                {
                    *under_way = Some(run.token.run);
                }
            }
        }
        self.runs.insert(run.token.run, run.clone());
    }

    fn apply_run_finished(&mut self, at: Millis, token: &AttemptToken, report: &RunReport, model: Option<&ModelTag>) {
        let Some(run) = self.runs.remove(&token.run) else { return };
        self.selection_idle_since = None;
        self.curriculum_resting = false;
        if let (Some(tag), RunEnd::Completed(completion)) = (model, &report.end) {
            self.enter_model(at, &run, tag, completion);
        }
        match &run.work {
            Work::Bootstrap => match &report.end {
                RunEnd::Completed(_) => self.bootstrap = BootstrapRecord::default(),
                RunEnd::Failed(_) | RunEnd::Cancelled => {
                    let failures = self.bootstrap.failures.saturating_add(1);
                    self.bootstrap = BootstrapRecord {
                        failures,
                        not_before: at + pause_ms(failures),
                    };
                }
            },
            Work::Train { source, host, .. } => self.apply_training_outcome(at, *source, host.as_deref(), report),
            Work::Evaluate {
                offset, blocks_per_host, ..
            } => {
                if let Some(candidate) = &mut self.candidate
                    && let CandidateStage::Evaluating {
                        run: under_way,
                        offset: next_offset,
                        failures,
                        not_before,
                    } = &mut candidate.stage
                    && *under_way == Some(token.run)
                {
                    *under_way = None;
                    match &report.end {
                        RunEnd::Completed(completion) => {
                            *next_offset = offset + blocks_per_host;
                            candidate.pairs.extend(completion.pairs.iter().cloned());
                            candidate.compared = compared_by_host(&candidate.pairs);
                            candidate.evaluation = candidate.compared.iter().map(means).collect();
                        }
                        RunEnd::Failed(_) | RunEnd::Cancelled => {
                            *failures += 1;
                            *not_before = at + pause_ms(*failures);
                        }
                    }
                }
            }
        }
    }

    fn enter_model(&mut self, at: Millis, run: &Run, tag: &ModelTag, completion: &Completion) {
        let Some(file) = &completion.model else { return };
        self.next.model += 1;
        let host = match &run.work {
            Work::Train { host, .. } => host.clone(),
            Work::Bootstrap | Work::Evaluate { .. } => None,
        };
        let mut hosts = run
            .base
            .as_ref()
            .and_then(|base| self.models.get(base))
            .map(|base| base.hosts.clone())
            .unwrap_or_default();
        for learnt in completion.hosts.iter().chain(&host) {
            if !hosts.contains(learnt) {
                hosts.push(learnt.clone());
            }
        }
        self.models.insert(
            tag.clone(),
            Model {
                tag: tag.clone(),
                parent: run.base.clone(),
                run: run.token.run,
                digest: file.digest,
                bytes: file.bytes,
                path: file.path.clone(),
                made_at: at,
                host: host.clone(),
                hosts,
            },
        );
        // Only a run that started from the newest model moves the line on; a parallel one stays a side branch.
        if run.base == self.line {
            self.line = Some(tag.clone());
            for loss in &completion.losses {
                let record = self.hosts.entry(loss.host.clone()).or_default();
                if host.as_deref() == Some(loss.host.as_str()) {
                    record.loss_before = loss.before.or(record.loss_line);
                    record.loss_after = Some(loss.after);
                    if let Some(before) = record.loss_before {
                        record.progress = 0.6 * record.progress + 0.4 * (before - loss.after);
                    }
                }
                record.loss_line = Some(loss.after);
            }
        }
    }

    fn apply_training_outcome(&mut self, at: Millis, source: SourceId, host: Option<&str>, report: &RunReport) {
        let success = match &report.end {
            RunEnd::Completed(_) => true,
            RunEnd::Failed(_) => false,
            RunEnd::Cancelled => {
                self.totals.cancelled += 1;
                self.set_stage(
                    source,
                    SourceStage::Disabled {
                        reason: "its run was cancelled".into(),
                    },
                );
                return;
            }
        };
        self.totals.outcomes += 1;
        self.recent_outcomes.push_back(success);
        if self.recent_outcomes.len() > RECENT_OUTCOMES_MAX {
            self.recent_outcomes.pop_front();
        }
        let mut unnamed = HostRecord::default();
        let record = match host {
            Some(host) => self.hosts.entry(host.to_string()).or_default(),
            None => &mut unnamed,
        };
        match &report.end {
            RunEnd::Completed(_) => {
                self.totals.successes += 1;
                record.successes += 1;
                self.note_success(at);
                if let Some(done) = self.take_source(source) {
                    self.count_ended(done.campaign.map(|row| row.campaign), |counts| counts.done += 1);
                }
            }
            RunEnd::Failed(failure) => {
                self.totals.failures += 1;
                record.failures += 1;
                record.failures_by_class.count(failure.class);
                if let Some(mut failed) = self.take_source(source) {
                    let digest = error_digest(&failure.error);
                    failed.same_error = if failed.last_error_digest == Some(digest) {
                        failed.same_error + 1
                    } else {
                        0
                    };
                    failed.last_error_digest = Some(digest);
                    failed.failures.count(failure.class);
                    failed.stage = SourceStage::Pending;
                    self.put_source(failed);
                }
            }
            RunEnd::Cancelled => {}
        }
    }

    fn apply_advance(&mut self, at: Millis, to: CandidateStep) {
        let first = self.settings.canary_pairs_first;
        let Some(candidate) = &mut self.candidate else { return };
        candidate.looks = 0;
        candidate.pairs = Vec::new();
        candidate.served = Default::default();
        candidate.stage = match to {
            CandidateStep::Evaluate => CandidateStage::Evaluating {
                run: None,
                offset: 0,
                failures: 0,
                not_before: 0,
            },
            CandidateStep::Canary => CandidateStage::Canary {
                started_at: at,
                wanted: first,
            },
            CandidateStep::Watch => CandidateStage::Watching {
                started_at: at,
                wanted: first,
            },
        };
    }

    fn apply_served(&mut self, samples: &[ServedSample]) {
        let Some(candidate) = &mut self.candidate else { return };
        for sample in samples {
            let side = if sample.by_candidate {
                &mut candidate.served.candidate
            } else {
                &mut candidate.served.baseline
            };
            side.requests += 1;
            side.failed += u32::from(sample.failed);
            side.latency_ms_sum += sample.latency_ms;
            candidate.pairs.extend(sample.pair.clone());
        }
    }

    fn return_line_to_active(&mut self) {
        self.line = self.active.clone();
        for host in self.hosts.values_mut() {
            host.loss_line = host.loss_active;
        }
    }

    pub(super) fn forget_idle(&mut self, kind: PolicyKind) {
        match kind {
            PolicyKind::SourceSelection => self.selection_idle_since = None,
            PolicyKind::Curriculum => self.curriculum_asked_at = None,
            PolicyKind::Retry | PolicyKind::PromotionGate => {}
        }
    }

    fn set_stage(&mut self, id: SourceId, stage: SourceStage) {
        if let Some(mut source) = self.take_source(id) {
            source.stage = stage;
            self.put_source(source);
        }
        self.selection_idle_since = None;
    }

    pub(super) fn take_source(&mut self, id: SourceId) -> Option<Source> {
        let source = self.sources.remove(&id)?;
        self.index.leave(&source);
        self.count_row(&source, false);
        Some(source)
    }

    fn put_source(&mut self, source: Source) {
        self.index.enter(&source);
        self.count_row(&source, true);
        self.sources.insert(source.id, source);
    }

    pub(super) fn enter_new(&mut self, at: Millis, id: SourceId, new: &NewSource, campaign: Option<CampaignRow>) {
        self.next.source = self.next.source.max(id.0);
        let title = match campaign {
            Some(row) => row.title(&new.title),
            None => new.title.clone(),
        };
        let source = Source {
            id,
            title,
            body_bytes: new.body.len() as u32,
            host: new.host.clone(),
            lane: new.lane,
            origin: new.origin,
            campaign,
            priority: new.priority,
            params: new.params.clone(),
            queued_at: at,
            attempts: 0,
            failures: FailureCounts::default(),
            last_error_digest: None,
            same_error: 0,
            stage: SourceStage::Pending,
        };
        self.put_source(source);
        self.selection_idle_since = None;
    }

    fn apply_edited(&mut self, id: SourceId, edit: &SourceEdit) {
        let SourceEdit {
            title,
            body,
            host,
            priority,
            lane,
        } = edit;
        let Some(mut source) = self.take_source(id) else { return };
        if let Some(title) = title {
            source.title = title.clone();
        }
        if let Some(body) = body {
            source.body_bytes = body.len() as u32;
        }
        if let Some(host) = host {
            source.host = Some(host.clone()).filter(|host| !host.is_empty());
        }
        source.priority = priority.unwrap_or(source.priority);
        source.lane = lane.unwrap_or(source.lane);
        self.put_source(source);
        self.selection_idle_since = None;
    }
}

/// Which gate stage a candidate's stage is judged under; none while a person has it.
pub(crate) fn gate_stage(stage: &CandidateStage) -> Option<GateStage> {
    match stage {
        CandidateStage::Evaluating { .. } => Some(GateStage::Evaluate),
        CandidateStage::Canary { .. } => Some(GateStage::Canary),
        CandidateStage::Watching { .. } => Some(GateStage::Watch),
        CandidateStage::Held { .. } => None,
    }
}

/// Pause before the host's own work (first model, evaluation) is tried again: 2 s, doubling up to a minute.
fn pause_ms(failures: u32) -> Millis {
    2_000u64.saturating_mul(1 << failures.saturating_sub(1).min(5)).min(60_000)
}

pub(crate) fn error_digest(error: &str) -> u64 {
    let digest = pointsman_model::Digest::of(error.as_bytes());
    u64::from_le_bytes(digest.0[..8].try_into().expect("a digest has 32 bytes"))
}

fn compared_by_host(pairs: &[pointsman_model::run::Pair]) -> Vec<HostPairs> {
    let mut hosts: BTreeMap<&str, HostPairs> = BTreeMap::new();
    for pair in pairs {
        let host = hosts.entry(&pair.host).or_insert_with(|| HostPairs {
            host: pair.host.clone(),
            pairs: 0,
            baseline_sum: 0.0,
            candidate_sum: 0.0,
            difference_squares: 0.0,
        });
        host.pairs += 1;
        host.baseline_sum += pair.baseline;
        host.candidate_sum += pair.candidate;
        host.difference_squares += (pair.candidate - pair.baseline).powi(2);
    }
    hosts.into_values().collect()
}

fn means(host: &HostPairs) -> HostLoss {
    let pairs = f64::from(host.pairs);
    HostLoss {
        host: host.host.clone(),
        before: Some(host.baseline_sum / pairs),
        after: host.candidate_sum / pairs,
    }
}
