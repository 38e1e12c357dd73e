//! Shown on decisions of the shipped policies: by a dry run over what was recorded, and in shadow as they were made. Both
//! see the bytes that were decided on; the shipped policy itself changes nothing, and breaks no budget that the worse one
//! breaks.

use super::outsides::*;
use crate::support;
use pointsman_coordinator::Guards;
use pointsman_model::context::Context;
use pointsman_model::event::Event;
use pointsman_model::policy::{PolicyDescription, PolicyKind};
use pointsman_policy::{Engines, Library};
use pointsman_sim::dry_run::{Dimension, DryRun, Found, Window, dry_run};
use pointsman_sim::replay::{Budgets, Change, RecordedDecision, Shadow, guarded};
use pointsman_sim::simulate::{Question, simulate_watched};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::num::NonZeroUsize;

/// Decisions of one kind, oldest first.
struct Record {
    decisions: Vec<RecordedDecision>,
    next: usize,
}

impl Window for Record {
    type Row = RecordedDecision;
    type Error = Infallible;

    fn total(&self) -> u64 {
        self.decisions.len() as u64
    }

    fn rewind(&mut self) {
        self.next = 0;
    }

    fn next_page(&mut self) -> Result<Vec<RecordedDecision>, Infallible> {
        let page: Vec<RecordedDecision> = self.decisions[self.next..].iter().take(100).cloned().collect();
        self.next += page.len();
        Ok(page)
    }

    fn read(row: RecordedDecision) -> Result<RecordedDecision, Infallible> {
        Ok(row)
    }
}

/// What was found of one version.
struct Shown {
    found: Found,
    shadow: Shadow,
    broken: Vec<String>,
}

impl Shown {
    fn count(&self, change: Change) -> u64 {
        self.found.report.classes.get(&change).copied().unwrap_or(0)
    }

    /// Decisions for a host: all of them, those that are no more, those that are new.
    fn host(&self, name: &str) -> (u64, u64, u64) {
        let tally = self
            .found
            .groups
            .get(&(Dimension::Host, name.to_string()))
            .copied()
            .unwrap_or_default();
        (tally.replayed, tally.lost, tally.gained)
    }

    /// A budget that it breaks, by the budget's name or by the change that is forbidden.
    fn breaks(&self, budget: &str) -> bool {
        self.broken.iter().any(|sentence| sentence.contains(budget))
    }
}

/// The worse version and the shipped one of its kind, on decisions that the shipped ones made.
fn shown(outside: &Outside, name: &str, budgets: &Budgets) -> Option<(Shown, Shown)> {
    let library = Library::new();
    let worse = support::worse(&library, name);
    let shipped = support::shipped(&library, worse.kind)?;
    let policies: Vec<PolicyDescription> = PolicyKind::ALL
        .into_iter()
        .filter_map(|kind| support::shipped(&library, kind))
        .collect();
    let question = Question {
        label: "shipped".into(),
        hours: outside.hours,
        seed: SEED,
        model: &outside.model,
        policies,
    };
    let guards = Guards::of(&outside.model.settings);
    let mut decisions = Vec::new();
    let mut shadows = [&worse, &shipped].map(|version| Shadow::new(version.clone(), Vec::new()));
    let mut engines = Engines::new(library.clone());
    let mut live = Engines::new(library.clone());
    let simulated = simulate_watched(&question, &mut live, &mut |_| true, &mut |at, emitted| {
        let Event::Decided(decision) = &emitted.event else { return };
        if decision.kind != worse.kind {
            return;
        }
        let recording = emitted.recording.as_ref().expect("each decision has its recording");
        for shadow in &mut shadows {
            let context = Context::decode(&recording.context).expect("it was encoded just now");
            shadow.see(&mut engines, decision, context, &mut |context, answer| {
                guarded(guards, context, answer)
            });
        }
        decisions.push(RecordedDecision {
            at,
            decision: decision.as_ref().clone(),
            context: Some(recording.context.clone()),
        });
    });
    simulated.unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut record = Record { decisions, next: 0 };
    let [worse_shadow, shipped_shadow] = shadows;
    let mut run = |version: &PolicyDescription, shadow: Shadow| {
        record.rewind();
        let asked = DryRun {
            version,
            reads_state_of: BTreeSet::from([version.policy.digest]),
            engines: &|| Box::new(Engines::new(library.clone())),
            quick_engines: Some(&|| Box::new(Engines::quick(library.clone()))),
            guard: &|context, answer| guarded(guards, context, answer),
            threads: NonZeroUsize::MIN,
            cases_max: 1,
        };
        let Ok(found) = dry_run(&asked, &mut record, &mut |_, _| true);
        let found = found.expect("nobody ended it");
        let broken = budgets.broken(&found.report);
        print(version, &found, &shadow, &broken);
        let verdicts = found.report.classes.iter().filter(|(change, _)| **change != Change::ReasonOnly);
        let verdicts: BTreeMap<Change, u64> = verdicts.map(|(change, count)| (*change, *count)).collect();
        assert_eq!(shadow.classes, verdicts, "in shadow it answers as in a dry run");
        assert_eq!((shadow.asked, shadow.disagreed), (found.report.replayed, found.report.changed));
        Shown { found, shadow, broken }
    };
    let (worse, shipped) = (run(&worse, worse_shadow), run(&shipped, shipped_shadow));
    assert_eq!(shipped.found.report.changed, 0, "the version that decided decides so again");
    assert_eq!(shipped.broken, [""; 0]);
    assert_eq!((shipped.shadow.disagreed, shipped.shadow.faults), (0, 0));
    Some((worse, shipped))
}

fn print(version: &PolicyDescription, found: &Found, shadow: &Shadow, broken: &[String]) {
    let report = &found.report;
    println!(
        "{}: {} of {} decisions change ({:.1} %), {} new errors; in shadow {} of {} disagree, {} faults",
        version.policy,
        report.changed,
        report.replayed,
        report.changed_share() * 100.0,
        report.new_errors(),
        shadow.disagreed,
        shadow.asked,
        shadow.faults
    );
    for (change, count) in &report.classes {
        println!("  {count:>6}  {change}");
    }
    for ((_, host), tally) in found.groups.iter().filter(|((dimension, _), _)| *dimension == Dimension::Host) {
        println!("  host {host:9} -{} +{}", tally.lost, tally.gained);
    }
    for sentence in broken {
        println!("  broken: {sentence}");
    }
}

fn forbidding(forbidden: &[Change]) -> Budgets {
    Budgets {
        changed_share_max: Some(0.2),
        forbidden: forbidden.to_vec(),
        ..Budgets::default()
    }
}

#[test]
fn a_selection_that_starves_hosts_is_seen() {
    let Some((worse, _)) = shown(&one_host_has_too_much(), "starves_a_host", &forbidding(&[])) else {
        return;
    };
    assert!(worse.count(Change::PicksOther) > 20 && worse.shadow.disagreed > 20);
    for host in ["speeches", "code", "lexicon", "events"] {
        let (all, lost, gained) = worse.host(host);
        assert!(
            all > 0 && lost == all && gained == 0,
            "{host} would never be picked: {lost} of {all}, +{gained}"
        );
    }
    let (_, lost, gained) = worse.host("novel");
    assert!(lost == 0 && gained > 20, "all for one: -{lost} +{gained}");
    assert!(worse.breaks("changed_share_max"), "{:?}", worse.broken);
}

#[test]
fn a_retry_that_never_gives_up_is_seen() {
    let budgets = forbidding(&[Change::GivesUpNoMore]);
    let Some((worse, shipped)) = shown(&many_are_hopeless(), "never_gives_up", &budgets) else {
        return;
    };
    let given_up = worse.count(Change::GivesUpNoMore);
    assert!(given_up > 100 && worse.shadow.classes[&Change::GivesUpNoMore] == given_up);
    assert_eq!(worse.count(Change::GivesUp), 0);
    assert_eq!(
        given_up + worse.count(Change::RetriesSooner),
        shipped.found.report.replayed,
        "it retries whatever it is asked about"
    );
    assert!(
        worse.breaks("'gives_up_no_more'") && worse.breaks("changed_share_max"),
        "{:?}",
        worse.broken
    );
}

#[test]
fn a_gate_that_promotes_on_noise_is_seen() {
    let budgets = forbidding(&[Change::PromotesMore]);
    let Some((worse, _)) = shown(&nothing_to_promote(), "promotes_on_noise", &budgets) else {
        return;
    };
    let nearer = worse.count(Change::PromotesMore);
    assert!(nearer > 300 && worse.shadow.classes[&Change::PromotesMore] == nearer);
    assert!(nearer > 10 * worse.count(Change::PromotesLess), "{:?}", worse.found.report.classes);
    assert!(
        worse.breaks("'promotes_more'") && worse.breaks("changed_share_max"),
        "{:?}",
        worse.broken
    );
}

#[test]
fn a_curriculum_that_seeds_the_known_is_seen() {
    let Some((worse, shipped)) = shown(&practice_alone(), "seeds_the_known", &forbidding(&[])) else {
        return;
    };
    let other = worse.count(Change::SeedsOther);
    assert!(other > 300 && worse.shadow.classes[&Change::SeedsOther] == other);
    let hosts = ["novel", "speeches", "code", "lexicon", "events"];
    let seeded = |shown: &Shown| {
        let of = |host| {
            let (all, lost, _) = shown.host(host);
            all - lost
        };
        let mut seeded = hosts.map(of);
        seeded.sort_unstable();
        seeded
    };
    let (most, all) = (seeded(&worse)[4], seeded(&worse).iter().sum::<u64>());
    assert!(most * 10 > all * 8, "nearly all of it for one host: {most} of {all}");
    let (most, all) = (seeded(&shipped)[4], seeded(&shipped).iter().sum::<u64>());
    assert!(most * 10 < all * 4, "for all of them: {most} of {all}");
    assert!(worse.breaks("changed_share_max"), "{:?}", worse.broken);
}
