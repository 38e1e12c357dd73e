//! One turn: a command in, the events that follow out.
//!
//! A turn has two parts. `command` takes the command or refuses it before the first event. `settle` then does what
//! is due in the new state, whatever led to it: a window that is full, an evaluation to plan, a question to a policy.

mod breaker;
mod campaigns;
mod canary;
mod curriculum;
mod ingest;
mod operate;
mod preview;
mod promotion;
mod report;
mod retention;
mod selection;
mod settings;
mod swap;

pub(crate) use curriculum::due_at as curriculum_due_at;
pub use operate::source_problems;
pub use preview::{Excluded, Preview, PreviewAnswer, Previewed, SelectionMode};
pub use retention::MODEL_PINS_MAX;
pub(crate) use selection::{IDLE_RETRY_MS, pick_not_before};
pub use swap::{CONFIRM_MS_MAX, CONFIRM_MS_MIN};

use crate::chain;
use crate::coordinator::{Refusal, RefusalKind, Reply};
use crate::input::StickyKey;
use crate::port::Policies;
use crate::state::State;
use pointsman_model::command::{Activation, Command};
use pointsman_model::context::{Context, Frame};
use pointsman_model::decision::{Decision, Subject};
use pointsman_model::event::{Emitted, Event};
use pointsman_model::policy::PolicyKind;
use pointsman_model::run::{AttemptToken, Run, RunClass, Work};
use pointsman_model::settings::SettingsCause;
use pointsman_model::{Actor, DecisionId, Millis, ModelTag, RunId};

pub(crate) struct Turn<'a> {
    state: &'a mut State,
    now: Millis,
    policies: &'a mut dyn Policies,
    events: Vec<Emitted>,
}

impl<'a> Turn<'a> {
    pub(crate) fn new(state: &'a mut State, now: Millis, policies: &'a mut dyn Policies) -> Turn<'a> {
        Turn {
            state,
            now,
            policies,
            events: Vec::new(),
        }
    }

    pub(crate) fn into_events(self) -> Vec<Emitted> {
        self.events
    }

    pub(crate) fn command(&mut self, command: Command) -> Result<Reply, Refusal> {
        match command {
            Command::StartHost { version, paused } => {
                let term = self.state.term + 1;
                self.emit(Event::HostStarted { version, term });
                let training = &self.state.training;
                if paused && (training.enabled || training.since.is_none()) {
                    let (actor, reason) = (Actor::new(Actor::HOST), "the host was started paused".into());
                    self.emit(Event::TrainingStopped { actor, reason });
                }
                Ok(Reply::Done)
            }
            Command::SubmitSource(new) => self.submit_source(new),
            Command::SubmitCampaign { new, rows, actor, reason } => self.submit_campaign(new, rows, actor, reason),
            Command::CancelCampaign {
                campaign,
                end_runs,
                actor,
                reason,
            } => self.cancel_campaign(campaign, end_runs, actor, reason),
            Command::ImportSources(batch) => self.import_sources(batch),
            Command::EditSource {
                source,
                edit,
                actor,
                reason,
            } => self.edit_source(source, edit, actor, reason),
            Command::CancelSource { source, actor, reason } => self.cancel_source(source, actor, reason),
            Command::RunSource { source, actor, reason } => self.run_source(source, actor, reason),
            Command::TakeLock { key, value, actor, reason } => self.take_lock(key, value, actor, reason),
            Command::ReleaseLock { actor, reason } => self.release_lock(actor, reason),
            Command::EnableSource { source, actor, reason } => self.enable_source(source, actor, reason),
            Command::DisableSource { source, actor, reason } => self.disable_source(source, actor, reason),
            Command::StartTraining { actor, reason, automatic } => self.start_training(actor, reason, automatic),
            Command::StopTraining { actor, reason } => self.stop_training(actor, reason),
            Command::CancelRun { run, actor, reason } => self.cancel_run(run, actor, reason),
            Command::ChangeSettings { settings, actor } => self.change_settings(settings, SettingsCause::Edited, actor, String::new()),
            Command::ReviseSettings {
                expected,
                settings,
                cause,
                actor,
                reason,
            } => self.revise_settings(&expected, settings, cause, actor, reason),
            Command::SavePreset { name, preset, actor } => self.save_preset(name, preset, actor),
            Command::DeletePreset { name, actor } => self.delete_preset(name, actor),
            Command::ActivatePolicies {
                policies,
                confirm_within_ms,
                force,
                actor,
                reason,
            } => self.activate_policies(policies, confirm_within_ms, force, actor, reason),
            Command::ConfirmPolicy { kind, actor } => self.confirm_policy(kind, actor),
            Command::RollBackPolicy {
                kind,
                whole_set,
                actor,
                reason,
            } => self.roll_back_policy(kind, whole_set, actor, reason),
            Command::PinPolicy {
                kind,
                pinned,
                actor,
                reason,
            } => self.pin_policy(kind, pinned, actor, reason),
            Command::StartPolicyCanary {
                description,
                share,
                report,
                force,
                actor,
                reason,
            } => {
                let offer = Activation {
                    report,
                    ..Activation::of(description)
                };
                self.start_policy_canary(offer, share, force, actor, reason)
            }
            Command::EndPolicyCanary {
                kind,
                promote,
                actor,
                reason,
            } => self.end_policy_canary(kind, promote, actor, reason),
            Command::ReleaseQuarantine { kind, key, actor } => self.release_quarantine(kind, key, actor),
            Command::DecideHeld {
                candidate,
                decision,
                approve,
                despite_guards,
                actor,
                reason,
            } => {
                let held = self.held_as_seen(candidate, decision)?;
                match approve {
                    true => self.approve_held(held, despite_guards, actor, reason),
                    false => self.reject_held(held, actor, reason),
                }
            }
            Command::PinModel {
                model,
                pinned,
                actor,
                reason,
            } => self.pin_model(model, pinned, actor, reason),
            Command::PruneModels { keep, plan, actor, reason } => self.prune_models(keep, plan, actor, reason),
            Command::RollBackModel { actor, reason } => self.roll_back_model(actor, reason),
            Command::ReportStarted { token } => self.report_started(token),
            Command::ReportFinished { token, report } => self.report_finished(token, report),
            Command::ReportServed { candidate, samples } => self.report_served(candidate, samples),
            Command::ReportIngest { outcomes } => self.report_ingest(outcomes),
            Command::Tick => Ok(Reply::Done),
        }
    }

    /// Does all that is due. Each step leaves a state in which it is no longer due, so the order is the only rule:
    /// a trial that is over ends before anybody is asked, and the way into service comes before new work, since it frees
    /// or takes slots.
    pub(crate) fn settle(&mut self) {
        self.roll_back_unconfirmed();
        self.end_campaigns();
        self.settle_lock();
        // Who is judged may end, and makes room for the next.
        self.judge_candidate();
        self.raise_candidate();
        self.plan_evaluation();
        if self.state.training.enabled {
            self.plan_bootstrap();
            self.ask_curriculum();
            self.select_sources();
        }
        self.retire_models();
    }

    /// Makes an event a fact of this turn.
    fn emit(&mut self, event: Event) {
        self.state.apply(self.now, &event);
        self.events.push(Emitted { event, recording: None });
    }

    /// Asks the policies of the context's kind and records the decision.
    fn decide(&mut self, subject: Subject, sticky: StickyKey, mut context: Context) -> Decision {
        let (decision, recording) = chain::rule(self.state, self.policies, subject, &sticky, &mut context);
        let event = Event::Decided(Box::new(decision.clone()));
        self.state.apply(self.now, &event);
        self.events.push(Emitted {
            event,
            recording: Some(recording),
        });
        self.follow_faults(&decision, &context);
        decision
    }

    fn frame(&self, kind: PolicyKind) -> Frame {
        frame(self.state, self.now, kind)
    }

    fn plan_run(&mut self, class: RunClass, title: String, attempt: u32, work: Work, base: Option<ModelTag>, decision: Option<DecisionId>) {
        let id = RunId(self.state.next.run + 1);
        let run = Run {
            token: AttemptToken {
                run: id,
                attempt,
                term: self.state.term,
            },
            class,
            title,
            work,
            base,
            seed: mix(id.0),
            planned_at: self.now,
            started_at: None,
            cancelled: None,
        };
        self.emit(Event::RunPlanned { run, decision });
    }

    fn has_slot(&self) -> bool {
        (self.state.runs.len() as u32) < self.state.settings.global_max
    }
}

/// What the next question of a kind carries.
fn frame(state: &State, now: Millis, kind: PolicyKind) -> Frame {
    let decision = state.next.decision + 1;
    Frame {
        now_ms: now,
        seed: mix(decision ^ (kind as u64) << 56),
        settings: Vec::new(),
        state: Vec::new(),
    }
}

/// Spreads a counter over 64 bits (the finaliser of SplitMix64), so that every decision and run has its own seed and
/// the whole course of a host can be repeated.
fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ (n >> 31)
}

fn invalid(code: &'static str, message: impl Into<String>) -> Refusal {
    Refusal {
        kind: RefusalKind::Invalid,
        code,
        message: message.into(),
        fields: Vec::new(),
        fix: None,
    }
}

fn not_found(code: &'static str, message: impl Into<String>) -> Refusal {
    Refusal {
        kind: RefusalKind::NotFound,
        code,
        message: message.into(),
        fields: Vec::new(),
        fix: None,
    }
}

fn conflict(code: &'static str, message: impl Into<String>) -> Refusal {
    Refusal {
        kind: RefusalKind::Conflict,
        code,
        message: message.into(),
        fields: Vec::new(),
        fix: None,
    }
}

impl Refusal {
    fn fix(mut self, fix: impl Into<String>) -> Refusal {
        self.fix = Some(fix.into());
        self
    }
}
