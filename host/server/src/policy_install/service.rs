//! The one place in the journal at which versions begin to serve, and the end of those before.

use super::stages::{LOOK_EVERY, Passed, Stop, refused};
use super::{Goal, Installer, Order, lock};
use crate::inbox::Rejected;
use crate::swaps::Progress;
use pointsman_coordinator::{Reply, State};
use pointsman_model::Digest;
use pointsman_model::command::{Activation, Command};
use pointsman_model::policy::{PolicyKind, ReplaySummary, StageReport, SwapReport};
use pointsman_policy::ProblemCode;
use std::time::{Duration, Instant};

/// How long calls on a version may take to end after it was replaced; each is bounded far below it.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);

impl Installer {
    pub(super) fn put_into_service(&self, order: &Order, passed: Vec<Passed>, progress: &Progress) -> Result<Option<u32>, Stop> {
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
            Reply::Done | Reply::Source(_) | Reply::Run(_) | Reply::Campaign(_) | Reply::Models(_) | Reply::Imported { .. } => Ok(None),
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
    pub(super) fn drain(&self, parts: usize, replaced: &[Digest], progress: &Progress) {
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
