//! What a version has to pass before it serves: recorded decisions, the state it would take over, live decisions in shadow.

use super::stages::{LOOK_EVERY, Start, refused};
use super::{Installer, Offer, Order};
use crate::dry_run::{self, JournalWindow, Question, Span, WindowError, engines_of};
use crate::swaps::Progress;
use crate::wire::{PolicyProblem, ReplayReport};
use pointsman_coordinator::{Guards, Policies};
use pointsman_policy::{Checked, ProblemCode};
use std::time::{Duration, Instant};

impl Installer {
    pub(super) fn replay_gate(
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
    pub(super) fn shadow_stage(
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
}

/// Tries on a copy what the version does with the state of the one before; the state that it would start with.
pub(super) fn rehearse(
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
