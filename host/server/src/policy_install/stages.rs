//! The stages of a swap, one after the other.

use super::{Goal, Installer, Offer, Order, SwapEnd, check, lock};
use crate::dry_run::{self, JournalWindow, Question, Span, WindowError, engines_of};
use crate::inbox::Rejected;
use crate::signing::Signed;
use crate::swaps::Progress;
use crate::wire::{PolicyProblem, ReplayReport};
use pointsman_coordinator::{Guards, Policies, Refusal, Reply, State};
use pointsman_model::Digest;
use pointsman_model::command::{Activation, Command};
use pointsman_model::policy::{PolicyDescription, PolicyKind, ReplaySummary, StageReport, SwapReport};
use pointsman_policy::{Checked, ProblemCode};
use std::time::{Duration, Instant};

/// How long calls on a version may take to end after it was replaced; each is bounded far below it.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);
/// How often something that is waited for is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A version that has passed its checks, with what came of them.
struct Passed {
    checked: Checked,
    signature: Option<String>,
    signed_by: Option<String>,
    replay: Option<ReplayReport>,
}

/// What a version would start with if it were activated now.
pub(super) struct Start {
    pub(super) state: Vec<u8>,
    pub(super) guards: Guards,
    /// The active version's name and state version, with the size of its state.
    before: Option<(PolicyDescription, usize)>,
}

impl Start {
    /// The state that a version would begin with; none where it cannot take it over.
    pub(super) fn copy_for(&self, checked: &Checked) -> Vec<u8> {
        let description = &checked.description;
        match &self.before {
            Some((before, _)) if before.policy.name != description.policy.name => Vec::new(),
            Some((before, _)) if before.state_version != description.state_version && !self.state.is_empty() => {
                let migrated = engines_of(checked).migrate(&description.policy, before.state_version, &self.state);
                migrated.unwrap_or_default()
            }
            Some(_) | None => self.state.clone(),
        }
    }
}

/// Why a swap did not come to its end.
enum Stop {
    Failed(usize, PolicyProblem),
    Refused(PolicyProblem, Option<Refusal>),
    WasActive(u32),
}

impl Installer {
    /// Puts a swap on the board, where it can be seen from now on; [`Installer::run`] carries it out.
    pub fn begin(&self, order: &Order) -> Progress {
        let files = order.offers.iter().map(|offer| offer.file.clone()).collect();
        self.swaps.begin(files, &order.actor.0, &order.reason)
    }

    /// Carries a swap out, to its end.
    pub fn swap(&self, order: Order) -> SwapEnd {
        let progress = self.begin(&order);
        self.run(order, &progress)
    }

    pub fn run(&self, order: Order, progress: &Progress) -> SwapEnd {
        match self.stages(&order, progress) {
            Ok(generation) => {
                progress.succeed();
                SwapEnd::Done { generation }
            }
            Err(Stop::WasActive(generation)) => {
                for part in 0..order.offers.len() {
                    for stage in ["replay", "state", "shadow", "activate", "drain", "retire"] {
                        progress.skip(part, stage, "it is active already");
                    }
                }
                progress.succeed();
                SwapEnd::WasActive { generation }
            }
            Err(Stop::Failed(part, problem)) => {
                progress.fail(part, problem.clone());
                SwapEnd::Failed(problem)
            }
            Err(Stop::Refused(problem, refusal)) => {
                progress.fail(0, problem.clone());
                SwapEnd::Refused(problem, refusal)
            }
        }
    }

    fn stages(&self, order: &Order, progress: &Progress) -> Result<Option<u32>, Stop> {
        let mut passed = Vec::with_capacity(order.offers.len());
        for (part, offer) in order.offers.iter().enumerate() {
            passed.push(self.checks(part, offer, progress).map_err(|problem| Stop::Failed(part, problem))?);
        }
        if let Some(generation) = self.all_active(order, &passed) {
            return Err(Stop::WasActive(generation));
        }
        for (part, offer) in order.offers.iter().enumerate() {
            let done = self.live_stages(part, offer, order, &mut passed[part], progress);
            done.map_err(|problem| Stop::Failed(part, problem))?;
        }
        let replaced: Vec<Digest> = passed
            .iter()
            .filter_map(|passed| self.active(passed.checked.description.kind))
            .collect();
        let parts = passed.len();
        let generation = self.put_into_service(order, passed, progress)?;
        self.drain(parts, &replaced, progress);
        Ok(generation)
    }

    /// Everything that needs the code alone.
    fn checks(&self, part: usize, offer: &Offer, progress: &Progress) -> Result<Passed, PolicyProblem> {
        progress.enter(part, "fetch");
        progress.pass(part, "fetch", format!("{} bytes", offer.code.len()));
        progress.enter(part, "digest");
        let digest = pointsman_policy::sha256(&offer.code);
        progress.pass(part, "digest", format!("sha256:{digest}"));
        progress.enter(part, "signature");
        let signed_by = match self.trust.check(&offer.file, digest, offer.signature.as_deref())? {
            Signed::By(name) => {
                progress.pass(part, "signature", format!("signed by {name}"));
                Some(name)
            }
            Signed::ByStranger(key) => {
                progress.pass(part, "signature", format!("signed by {key}, a key that is not trusted here"));
                None
            }
            Signed::Shipped => {
                progress.skip(part, "signature", "part of this program");
                None
            }
            Signed::No => {
                progress.skip(part, "signature", "not signed, and none is required");
                None
            }
        };
        let checked = check(&self.library, offer, self.ceilings, &mut |stage| {
            let slug = stage.to_string().replace('-', "_");
            // These two were told above, with what was found.
            if slug != "fetch" && slug != "digest" {
                progress.enter(part, &slug);
            }
        })?;
        let description = &checked.description;
        progress.pass(part, "self_test", "");
        progress.edit_part(part, |part| {
            part.kind = Some(description.kind.slug().to_string());
            part.policy = Some(description.policy.to_string());
            part.digest = Some(description.policy.digest.to_string());
            part.signed_by.clone_from(&signed_by);
        });
        progress.say(part, "describe", format!("{} is a {} policy", description.policy, description.kind));
        Ok(Passed {
            signature: offer.signature.clone().filter(|_| signed_by.is_some()),
            signed_by,
            checked,
            replay: None,
        })
    }

    /// The generation, where there is nothing to do.
    fn all_active(&self, order: &Order, passed: &[Passed]) -> Option<u32> {
        if !matches!(order.goal, Goal::Activate { .. }) {
            return None;
        }
        let wanted: Vec<(PolicyKind, Digest)> = passed
            .iter()
            .map(|passed| (passed.checked.description.kind, passed.checked.description.policy.digest))
            .collect();
        let look = move |state: &State| {
            let generation = |(kind, digest): &(PolicyKind, Digest)| {
                let slot = state.slot(*kind)?;
                (slot.active.as_ref()?.description.policy.digest == *digest).then_some(slot.generation)
            };
            wanted.iter().map(generation).collect::<Option<Vec<u32>>>()?.first().copied()
        };
        self.inbox.look_blocking(look).ok().flatten()
    }

    /// What needs the past or the present: replay, state, shadow.
    fn live_stages(
        &self,
        part: usize,
        offer: &Offer,
        order: &Order,
        passed: &mut Passed,
        progress: &Progress,
    ) -> Result<(), PolicyProblem> {
        let description = passed.checked.description.clone();
        let start = self
            .start_of(&description)
            .map_err(|rejected| refused(ProblemCode::NotActivated, "activate", &offer.file, rejected.to_string(), None))?;
        passed.replay = self.replay_gate(part, offer, order.force, &passed.checked, start.guards, progress)?;
        let state = rehearse(part, &offer.file, order.fresh_state, &passed.checked, &start, progress)?;
        self.shadow_stage(part, &offer.file, order, &passed.checked, &start, state, progress)
    }

    fn replay_gate(
        &self,
        part: usize,
        offer: &Offer,
        force: bool,
        checked: &Checked,
        guards: Guards,
        progress: &Progress,
    ) -> Result<Option<ReplayReport>, PolicyProblem> {
        progress.enter(part, "replay");
        let file = &offer.file;
        let budgets = dry_run::budgets(&offer.budgets).map_err(|(field, problem)| {
            let fix = "correct the budgets given with the activation, or NAME.budgets.json beside the file".to_string();
            refused(
                ProblemCode::BudgetBroken,
                "replay",
                file,
                format!("budget {field}: {problem}"),
                Some(fix),
            )
        })?;
        if offer.budgets.last == 0 {
            progress.skip(part, "replay", "its budgets ask for none");
            return Ok(None);
        }
        let mut shown = Instant::now();
        let on_progress = &mut |done: u64, total: u64| {
            if done == total || shown.elapsed() > Duration::from_millis(50) {
                let count = |count| u32::try_from(count).unwrap_or(u32::MAX);
                progress.count(part, "replay", count(done), count(total));
                shown = Instant::now();
            }
            !progress.is_cancelled()
        };
        let host_failure = |error: &dyn std::fmt::Display| refused(ProblemCode::HostFailure, "replay", file, error.to_string(), None);
        let description = &checked.description;
        let replayed = self.readers.with(|reader| {
            let question = Question {
                reads_state_of: dry_run::reads_state_of(reader, description)?,
                ..Question::of_a_swap(&offer.budgets, &budgets, guards)
            };
            let mut window = JournalWindow::open(reader, description.kind, Span::Last(offer.budgets.last))?;
            dry_run::run(checked, &mut window, &question, on_progress)
        });
        let replayed = replayed
            .map_err(|error| host_failure(&error))?
            .map_err(|error: WindowError| host_failure(&error))?;
        self.go_on(file, "replay", progress)?;
        // It ends early only where the swap was ended.
        let Some((report, timing)) = replayed else { return Ok(None) };
        progress.edit_part(part, |part| {
            part.replay = Some(report.clone());
            part.replay_timing = Some(timing);
        });
        if let Some(first) = report.broken.first() {
            let more = match report.broken.len() {
                1 => String::new(),
                n => format!(", and {} more", n - 1),
            };
            if force {
                progress.skip(part, "replay", format!("{first}{more}; activated by force all the same"));
                return Ok(Some(report));
            }
            let fix = format!("`pointsman policy dry-run {file}` shows what changed; correct the policy, or the budgets, or use --force");
            return Err(refused(
                ProblemCode::BudgetBroken,
                "replay",
                file,
                format!("{first}{more}"),
                Some(fix),
            ));
        }
        let words = match report.looked_at {
            0 => "no decision of this kind is recorded yet".to_string(),
            _ => format!(
                "{} of {} recorded decisions replayed: {} changed ({:.1} %), {} new errors",
                report.replayed,
                report.looked_at,
                report.changed,
                report.changed_share * 100.0,
                report.new_errors
            ),
        };
        progress.pass(part, "replay", words);
        Ok(Some(report))
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "a step of the list above, with all that the steps before found"
    )]
    fn shadow_stage(
        &self,
        part: usize,
        file: &str,
        order: &Order,
        checked: &Checked,
        start: &Start,
        state: Vec<u8>,
        progress: &Progress,
    ) -> Result<(), PolicyProblem> {
        progress.enter(part, "shadow");
        let Some(stage) = order.shadow else {
            progress.skip(part, "shadow", "not asked for");
            return Ok(());
        };
        let (kind, version) = (checked.description.kind, checked.description.policy.digest);
        let fail = |message: String, fix: Option<String>| Err(refused(ProblemCode::ShadowDisagreed, "shadow", file, message, fix));
        if let Err(occupied) = self.shadows.watch(checked, file, &order.actor.0, state, start.guards) {
            return fail(occupied.to_string(), Some(occupied.fix()));
        }
        let card = loop {
            let Some(card) = self.shadows.card(kind, &version) else {
                return fail("its shadow was stopped".to_string(), None);
            };
            let asked = u32::try_from(card.asked).unwrap_or(u32::MAX);
            progress.count(part, "shadow", asked.min(stage.decisions), stage.decisions);
            if asked >= stage.decisions {
                break card;
            }
            if progress.is_cancelled() {
                break card;
            }
            std::thread::sleep(LOOK_EVERY);
        };
        self.shadows.stop(kind, &version);
        self.go_on(file, "shadow", progress)?;
        let share = card.disagreed as f64 / card.asked.max(1) as f64;
        let words = format!(
            "{} of {} live decisions disagreed ({:.1} %), {} faults, {} missed",
            card.disagreed,
            card.asked,
            share * 100.0,
            card.faults,
            card.dropped
        );
        if share > stage.changed_max {
            let first = card.disagreements.first();
            let latest = first.map(|first| format!("; decision {}: {} where the host {}", first.decision, first.after, first.before));
            return fail(
                format!(
                    "{words}, at most {:.1} % may (shadow_changed_max){}",
                    stage.changed_max * 100.0,
                    latest.unwrap_or_default()
                ),
                None,
            );
        }
        progress.pass(part, "shadow", words);
        Ok(())
    }

    fn put_into_service(&self, order: &Order, passed: Vec<Passed>, progress: &Progress) -> Result<Option<u32>, Stop> {
        let parts = passed.len();
        let kinds: Vec<PolicyKind> = passed.iter().map(|passed| passed.checked.description.kind).collect();
        for part in 0..parts {
            progress.enter(part, "activate");
        }
        self.go_on(&order.offers[0].file, "activate", progress)
            .map_err(|problem| Stop::Failed(0, problem))?;
        let mut loaded = lock(&self.loaded);
        let mut codes = Vec::with_capacity(parts);
        let mut policies = Vec::with_capacity(parts);
        for (part, passed) in passed.into_iter().enumerate() {
            let report = report(part, &passed, progress);
            let Passed { checked, .. } = passed;
            let digest = checked.description.policy.digest;
            codes.push((digest, checked.code.clone()));
            policies.push(Activation {
                fresh_state: order.fresh_state,
                report: Some(report),
                ..Activation::of(checked.description.clone())
            });
            self.library.install(checked);
            loaded.insert(digest);
        }
        let (actor, reason) = (order.actor.clone(), order.reason.clone());
        let command = match order.goal {
            Goal::Activate { confirm_within_ms } => Command::ActivatePolicies {
                policies,
                confirm_within_ms,
                force: order.force,
                actor,
                reason,
            },
            Goal::Canary { share } => Command::StartPolicyCanary {
                // A canary has one offer: the order was checked at the edge.
                report: policies[0].report.take(),
                description: policies.swap_remove(0).description,
                share,
                force: order.force,
                actor,
                reason,
            },
        };
        let sent = self.inbox.send_blocking(command, codes);
        if sent.is_err() {
            self.sweep(&mut loaded);
        }
        drop(loaded);
        let reply = sent.map_err(|rejected| {
            let (fix, refusal) = match &rejected {
                Rejected::Refused(refusal) => (refusal.fix.clone(), Some(refusal.clone())),
                Rejected::Busy | Rejected::Full { .. } | Rejected::ReadOnly { .. } | Rejected::Stopping => (None, None),
            };
            let problem = refused(
                ProblemCode::NotActivated,
                "activate",
                &order.offers[0].file,
                rejected.to_string(),
                fix,
            );
            Stop::Refused(problem, refusal)
        })?;
        if let Goal::Canary { share } = order.goal {
            progress.pass(0, "activate", format!("decides {:.0} % of the questions", share * 100.0));
            return Ok(None);
        }
        self.tell_activation(&kinds, progress);
        match reply {
            Reply::Generation(generation) => Ok(Some(generation)),
            Reply::Generations(generations) => Ok(generations.first().map(|(_, generation)| *generation)),
            Reply::Done | Reply::Source(_) | Reply::Run(_) => Ok(None),
        }
    }

    /// Where in the journal it happened.
    fn tell_activation(&self, kinds: &[PolicyKind], progress: &Progress) {
        let asked: Vec<PolicyKind> = kinds.to_vec();
        let look = move |state: &State| -> Vec<(u32, Option<u64>)> {
            let of = |kind: &PolicyKind| {
                let slot = state.slot(*kind);
                (slot.map_or(0, |slot| slot.generation), slot.and_then(|slot| slot.confirm_by()))
            };
            asked.iter().map(of).collect()
        };
        let generations = self.inbox.look_blocking(look).unwrap_or_default();
        for (part, (kind, (generation, confirm_by))) in kinds.iter().zip(generations).enumerate() {
            let latest = self.readers.with(|reader| reader.activations(Some(*kind), 1));
            let seq = latest.ok().and_then(Result::ok).and_then(|rows| rows.first().map(|row| row.seq.0));
            let place = seq.map(|seq| format!(" at journal position {seq}")).unwrap_or_default();
            progress.pass(part, "activate", format!("generation {generation} of {kind}{place}"));
            progress.edit(|swap| {
                swap.seq = swap.seq.max(seq);
                swap.confirm_by = confirm_by;
                swap.parts[part].generation = Some(generation);
            });
        }
    }

    /// Waits until nothing runs on the versions before, and drops what cannot come back.
    fn drain(&self, parts: usize, replaced: &[Digest], progress: &Progress) {
        for part in 0..parts {
            progress.enter(part, "drain");
        }
        let until = Instant::now() + DRAIN_WITHIN;
        let in_use = || replaced.iter().map(|digest| self.library.uses(digest)).sum::<usize>();
        while in_use() > 0 && Instant::now() < until {
            std::thread::sleep(LOOK_EVERY);
        }
        let words = match in_use() {
            0 => "no decision runs on the version before".to_string(),
            n => format!("{n} uses of the version before go on; it stays loaded until they end"),
        };
        for part in 0..parts {
            progress.pass(part, "drain", words.clone());
            progress.enter(part, "retire");
        }
        let dropped = self.sweep(&mut lock(&self.loaded));
        let words = match dropped {
            0 => "the version before stays loaded for a rollback".to_string(),
            n => format!("{n} dropped; the version before stays loaded for a rollback, older ones are in the journal"),
        };
        for part in 0..parts {
            progress.pass(part, "retire", words.clone());
        }
    }

    /// What a version would start with.
    pub(super) fn start_of(&self, description: &PolicyDescription) -> Result<Start, Rejected> {
        let kind = description.kind;
        let (guards, before) = self.inbox.look_blocking(move |state| {
            let active = state.slot(kind).and_then(|slot| slot.active.as_ref());
            (
                Guards::of(&state.settings),
                active.map(|active| (active.description.clone(), active.state.clone())),
            )
        })?;
        let state = match &before {
            Some((before, state)) if before.policy.name == description.policy.name => state.clone(),
            Some(_) | None => Vec::new(),
        };
        let before = before.map(|(before, state)| (before, state.len()));
        Ok(Start { state, guards, before })
    }

    fn go_on(&self, file: &str, stage: &str, progress: &Progress) -> Result<(), PolicyProblem> {
        if progress.is_cancelled() {
            return Err(refused(
                ProblemCode::Cancelled,
                stage,
                file,
                "the swap was ended before it was activated".into(),
                None,
            ));
        }
        Ok(())
    }
}

/// Tries on a copy what the version does with the state of the one before; the state that it would start with.
fn rehearse(
    part: usize,
    file: &str,
    fresh_state: bool,
    checked: &Checked,
    start: &Start,
    progress: &Progress,
) -> Result<Vec<u8>, PolicyProblem> {
    progress.enter(part, "state");
    if fresh_state {
        progress.skip(part, "state", "it is to start with none");
        return Ok(Vec::new());
    }
    let description = &checked.description;
    let Some((before, bytes)) = &start.before else {
        progress.skip(part, "state", "nothing was active before: it starts with none");
        return Ok(Vec::new());
    };
    if start.state.is_empty() && before.policy.name == description.policy.name {
        progress.skip(part, "state", "the version before has none");
        return Ok(Vec::new());
    }
    if before.policy.name != description.policy.name {
        let words = format!("{} is another policy: it starts with none", description.policy.name);
        progress.skip(part, "state", words);
        return Ok(Vec::new());
    }
    if before.state_version == description.state_version {
        progress.pass(part, "state", format!("takes over {bytes} bytes as they are"));
        return Ok(start.state.clone());
    }
    match engines_of(checked).migrate(&description.policy, before.state_version, &start.state) {
        Ok(migrated) => {
            let words = format!(
                "{bytes} bytes of state version {} become {} bytes of version {}",
                before.state_version,
                migrated.len(),
                description.state_version
            );
            progress.pass(part, "state", words);
            Ok(migrated)
        }
        Err(fault) => {
            let message = format!(
                "it cannot take over the state of {}, version {}: {}: {}",
                before.policy,
                before.state_version,
                fault.class.slug(),
                fault.detail
            );
            let fix = "correct `migrate`, or activate it with --fresh-state".to_string();
            Err(refused(ProblemCode::StateNotTaken, "state", file, message, Some(fix)))
        }
    }
}

/// What goes into the journal with the activation.
fn report(part: usize, passed: &Passed, progress: &Progress) -> SwapReport {
    let stages = progress.swap().and_then(|swap| swap.parts.into_iter().nth(part));
    let stages = stages.map(|part| part.stages).unwrap_or_default();
    SwapReport {
        stages: stages
            .into_iter()
            .filter(|stage| stage.status == "passed" || stage.status == "skipped")
            .map(|stage| StageReport {
                stage: stage.slug,
                passed: stage.status == "passed",
                ms: stage.ms.unwrap_or_default(),
                detail: stage.detail,
            })
            .collect(),
        replay: passed.replay.as_ref().map(|replay| ReplaySummary {
            looked_at: replay.looked_at,
            replayed: replay.replayed,
            changed: replay.changed,
            new_errors: replay.new_errors,
            errors_gone: replay.errors_gone,
        }),
        signed_by: passed.signed_by.clone(),
        signature: passed.signature.clone(),
    }
}

fn refused(code: ProblemCode, stage: &str, file: &str, message: String, fix: Option<String>) -> PolicyProblem {
    PolicyProblem {
        code: code.code().to_string(),
        stage: stage.to_string(),
        file: file.to_string(),
        line: None,
        column: None,
        message,
        fix,
    }
}
