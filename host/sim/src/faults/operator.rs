//! Operators who do anything at any time, rightly and wrongly.

use super::stage::Stage;
use crate::scripted::Scripted;
use pointsman_coordinator::prune_plan;
use pointsman_model::command::{Activation, Command, ImportBatch};
use pointsman_model::policy::{PolicyDescription, PolicyKind};
use pointsman_model::run::{RunEnd, RunReport};
use pointsman_model::settings::{LaneMode, Settings};
use pointsman_model::source::{Lane, LockKey, NewSource, Origin, SourceEdit};
use pointsman_model::{Actor, CampaignId, DecisionId, Digest, ModelTag, RunId, SourceId};

const HOSTS: [&str; 4] = ["novel", "code", "events", ""];

/// Two versions of one name and another name, of each kind.
pub(super) fn whimsical_versions() -> Vec<PolicyDescription> {
    let mut versions = Vec::new();
    for kind in PolicyKind::ALL {
        for (name, version, state_version) in [("calm", "1", 1), ("calm", "2", 2), ("wild", "1", 1)] {
            let mut description = Scripted::describe(&format!("{name}-{kind}"), version, kind);
            description.state_version = state_version;
            versions.push(description);
        }
    }
    versions
}

impl Stage {
    pub(super) fn draw_settings(&mut self) -> Settings {
        let dice = &mut self.dice;
        let global_max = 1 + dice.roll(5) as u32;
        Settings {
            training_max_active: 1 + dice.roll(4) as u32,
            global_max,
            reserved_slots: dice.roll(u64::from(global_max)) as u32,
            lane_mode: dice.pick(&[LaneMode::Hybrid, LaneMode::Hybrid, LaneMode::QueuedOnly, LaneMode::AutomaticOnly]),
            curriculum_fallback: dice.chance(0.6),
            same_host_cap: 1 + dice.roll(2) as u32,
            campaign_lock: dice.chance(0.15),
            loop_interval_s: u32::from(dice.chance(0.1)),
            retry_budget: dice.roll(4) as u32,
            curriculum_pending_max: dice.roll(4) as u32,
            promotion_window: 1 + dice.roll(2) as u32,
            eval_blocks_per_host: 2 + dice.roll(4) as u32,
            canary_pairs_first: 4,
            ingest_lag_max: dice.roll(3) as u32,
            guard_runs_per_host_max: dice.roll(3) as u32,
            guard_host_loss_max: dice.chance(0.3).then_some(0.3),
            keep_models: 2,
            promotion_hold: dice.chance(0.5),
            ..Settings::default()
        }
    }

    pub(super) fn draw_command(&mut self) -> Command {
        let actor = Actor::new("operator");
        let reason = String::new();
        let state = self.world.coordinator().state();
        let (sources, runs) = (state.next.source, state.next.run);
        let source = SourceId(1 + self.dice.roll(sources + 1));
        let kind = self.dice.pick(&PolicyKind::ALL);
        match self.dice.roll(32) {
            // In the place of a plain source, so that the other commands stay as frequent as they are.
            0..=9 if self.dice.chance(0.25) => self.draw_queue_command(source, actor, reason),
            0..=9 => {
                self.submitted += 1;
                let host = self.dice.pick(&HOSTS);
                // Now and then one that is refused.
                let title = if self.dice.chance(0.05) {
                    String::new()
                } else {
                    format!("source {}", self.submitted)
                };
                Command::SubmitSource(NewSource {
                    title,
                    body: String::new(),
                    host: (!host.is_empty()).then(|| host.to_string()),
                    lane: Lane::Queue,
                    origin: Origin::Cli,
                    priority: self.dice.roll(3) as i32,
                    params: None,
                })
            }
            10 => Command::EnableSource { source, actor, reason },
            11 => Command::DisableSource { source, actor, reason },
            12 | 13 => Command::StartTraining {
                actor,
                reason,
                automatic: false,
            },
            14 => Command::StopTraining { actor, reason },
            15 | 16 => Command::CancelRun {
                run: RunId(1 + self.dice.roll(runs + 1)),
                actor,
                reason,
            },
            17 | 18 => {
                let mut settings = self.draw_settings();
                if self.dice.chance(0.1) {
                    settings.reserved_slots = settings.global_max;
                }
                Command::ChangeSettings { settings, actor }
            }
            19..=21 => {
                let mut policies: Vec<Activation> = Vec::new();
                for _ in 0..1 + self.dice.roll(2) {
                    policies.extend(self.draw_version().map(Activation::of));
                }
                Command::ActivatePolicies {
                    policies,
                    confirm_within_ms: self.dice.chance(0.3).then_some(20_000),
                    force: self.dice.chance(0.3),
                    actor,
                    reason,
                }
            }
            22 => Command::ConfirmPolicy { kind, actor },
            23 => Command::RollBackPolicy {
                kind,
                whole_set: self.dice.chance(0.5),
                actor,
                reason,
            },
            24 => Command::PinPolicy {
                kind,
                pinned: self.dice.chance(0.3),
                actor,
                reason,
            },
            25 => match self.draw_version() {
                Some(description) => Command::StartPolicyCanary {
                    description,
                    share: 0.5,
                    force: self.dice.chance(0.5),
                    report: None,
                    actor,
                    reason,
                },
                None => Command::Tick,
            },
            26 => Command::EndPolicyCanary {
                kind,
                promote: self.dice.chance(0.5),
                actor,
                reason,
            },
            27 => {
                let slot = self.world.coordinator().state().slot(kind);
                let key = slot.and_then(|slot| slot.quarantined().next()).map(|(input, _)| input.key);
                Command::ReleaseQuarantine {
                    kind,
                    key: key.unwrap_or_default(),
                    actor,
                }
            }
            28 => {
                let candidate = self.world.coordinator().state().candidate.as_ref();
                let tag = candidate.map(|candidate| candidate.tag.clone());
                let held_with = candidate.and_then(|candidate| candidate.decisions.last().copied());
                Command::DecideHeld {
                    candidate: tag.unwrap_or_else(|| ModelTag::numbered(1)),
                    // As it was seen, as an older one, or without a look.
                    decision: match self.dice.roll(4) {
                        0 => Some(DecisionId(1)),
                        1 => held_with,
                        _ => None,
                    },
                    approve: self.dice.chance(0.5),
                    despite_guards: self.dice.chance(0.3),
                    actor,
                    reason,
                }
            }
            29 if self.dice.chance(0.3) => self.draw_retention_command(actor, reason),
            29 => Command::RollBackModel { actor, reason },
            // Reports that nobody sent: a token of another attempt, another start, another run.
            _ => {
                let Some(mut token) = self.runner.some_token(&mut self.dice) else {
                    return Command::Tick;
                };
                match self.dice.roll(3) {
                    0 => token.attempt += 1,
                    1 => token.term += 1,
                    _ => token.run.0 += 1_000,
                }
                match self.dice.chance(0.3) {
                    true => Command::ReportStarted { token },
                    false => Command::ReportFinished {
                        token,
                        report: RunReport {
                            duration_ms: 1,
                            end: RunEnd::Cancelled,
                        },
                    },
                }
            }
        }
    }

    /// Pins, and prunes with and without a look before.
    fn draw_retention_command(&mut self, actor: Actor, reason: String) -> Command {
        let models = self.world.coordinator().state().next.model;
        if self.dice.chance(0.6) {
            return Command::PinModel {
                model: ModelTag::numbered(1 + self.dice.roll(models + 1)),
                pinned: self.dice.chance(0.6),
                actor,
                reason,
            };
        }
        let keep = self.dice.roll(4) as u32;
        let plan = self.dice.chance(0.5).then(|| {
            let state = self.world.coordinator().state();
            let retained = state.retention(keep);
            let go = retained.iter().rev().filter(|retained| retained.goes());
            prune_plan(go.map(|retained| &retained.model.tag))
        });
        // Now and then a plan that is old.
        let plan = plan.map(|plan| if self.dice.chance(0.2) { Digest::of(b"old") } else { plan });
        Command::PruneModels {
            keep: Some(keep),
            plan,
            actor,
            reason,
        }
    }

    /// What operators do to the queue beside adding to it.
    fn draw_queue_command(&mut self, source: SourceId, actor: Actor, reason: String) -> Command {
        let campaigns = self.world.coordinator().state().next.campaign;
        match self.dice.roll(9) {
            0 => Command::SubmitCampaign {
                new: NewSource {
                    title: "a campaign".into(),
                    body: String::new(),
                    host: Some(self.dice.pick(&HOSTS).to_string()),
                    lane: Lane::Queue,
                    origin: Origin::Campaign,
                    priority: 0,
                    params: None,
                },
                rows: self.dice.roll(5) as u32,
                actor,
                reason,
            },
            1 | 2 => Command::CancelCampaign {
                campaign: CampaignId(1 + self.dice.roll(campaigns + 1)),
                end_runs: self.dice.chance(0.5),
                actor,
                reason,
            },
            3 => {
                let host = self.dice.pick(&HOSTS).to_string();
                Command::EditSource {
                    source,
                    edit: SourceEdit {
                        host: self.dice.chance(0.5).then_some(host),
                        priority: self.dice.chance(0.5).then_some(3),
                        lane: self.dice.chance(0.5).then(|| self.dice.pick(&Lane::ALL)),
                        ..SourceEdit::default()
                    },
                    actor,
                    reason,
                }
            }
            4 => Command::CancelSource { source, actor, reason },
            5 => Command::RunSource { source, actor, reason },
            6 => Command::TakeLock {
                key: LockKey::Host,
                value: self.dice.pick(&HOSTS).to_string(),
                actor,
                reason,
            },
            7 => Command::ReleaseLock { actor, reason },
            _ => Command::ImportSources(ImportBatch {
                import: "file".into(),
                batch: self.dice.roll(4) as u32,
                digest: self.dice.roll(2),
                rows: vec![NewSource {
                    title: "a line".into(),
                    body: String::new(),
                    host: None,
                    lane: Lane::Queue,
                    origin: Origin::Cli,
                    priority: 0,
                    params: None,
                }],
                refused: 0,
                actor,
            }),
        }
    }

    fn draw_version(&mut self) -> Option<PolicyDescription> {
        let count = self.versions.len() as u64;
        (count > 0).then(|| self.versions[self.dice.roll(count) as usize].clone())
    }
}
