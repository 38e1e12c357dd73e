//! Shown by simulation: same seed, same outside, same luck, with one policy replaced.

use super::outsides::*;
use pointsman_model::policy::{PolicyDescription, PolicyKind};
use pointsman_policy::{Engines, Library};
use pointsman_sim::simulate::{Figures, Question, simulate};

fn course(library: &Library, outside: &Outside, label: &str, other: Option<&PolicyDescription>) -> Figures {
    let kinds = PolicyKind::ALL
        .into_iter()
        .filter(|kind| other.is_none_or(|other| other.kind != *kind));
    let mut policies: Vec<PolicyDescription> = kinds.filter_map(|kind| crate::support::shipped(library, kind)).collect();
    policies.extend(other.cloned());
    let question = Question {
        label: label.into(),
        hours: outside.hours,
        seed: SEED,
        model: &outside.model,
        policies,
    };
    simulate(&question, &mut Engines::new(library.clone()), &mut |_| true).unwrap_or_else(|error| panic!("{label}: {error}"))
}

/// The shipped policies, and the same with one of them replaced.
fn both(outside: &Outside, name: &str) -> (Figures, Figures) {
    let library = Library::new();
    let worse = crate::support::worse(&library, name);
    (
        course(&library, outside, "shipped", None),
        course(&library, outside, name, Some(&worse)),
    )
}

#[test]
fn a_selection_that_starves_hosts_is_caught() {
    let (shipped, worse) = both(&one_host_has_too_much(), "starves_a_host");
    let starved = |figures: &Figures| figures.hosts.iter().filter(|host| host.starved && host.host != "novel").count();
    for figures in [&shipped, &worse] {
        println!("{}", figures.label);
        for host in &figures.hosts {
            println!(
                "  {:9} p95 {:>7.0} s, max {:>7.0} s, {} runs",
                host.host, host.wait_p95_s, host.wait_max_s, host.runs
            );
        }
    }
    assert_eq!(starved(&shipped), 0, "{:#?}", shipped.hosts);
    assert!(starved(&worse) >= 3, "{:#?}", worse.hosts);
}

#[test]
fn a_retry_that_never_gives_up_is_caught() {
    let (shipped, worse) = both(&many_are_hopeless(), "never_gives_up");
    for figures in [&shipped, &worse] {
        println!(
            "{:15} success rate {:.3}, {:.1} successes/h, {} attempts bound to fail, {} retries, most attempts {}",
            figures.label,
            figures.runs.success_rate,
            figures.runs.successes_per_hour,
            figures.sources.hopeless_attempts,
            figures.sources.retries,
            figures.sources.attempts_most
        );
    }
    assert_eq!(shipped.sources.hopeless_attempts, 0, "it gives up at once");
    assert!(worse.sources.hopeless_attempts > 100, "{:?}", worse.sources);
    assert!(worse.runs.success_rate < shipped.runs.success_rate - 0.2);
    assert!(worse.runs.successes_per_hour < shipped.runs.successes_per_hour * 0.8);
}

#[test]
fn a_gate_that_promotes_on_noise_is_caught() {
    let (shipped, worse) = both(&nothing_to_promote(), "promotes_on_noise");
    for figures in [&shipped, &worse] {
        let promotions = &figures.promotions;
        println!(
            "{:18} {} candidates, {} applied, {} of them not better, {:.0} pairs each",
            figures.label, promotions.candidates, promotions.applied, promotions.applied_not_better, promotions.pairs_mean
        );
    }
    assert!(worse.promotions.applied_not_better >= 10, "{:?}", worse.promotions);
    assert!(
        shipped.promotions.applied_not_better * 5 <= worse.promotions.applied_not_better,
        "{:?}",
        shipped.promotions
    );
}

#[test]
fn a_curriculum_that_seeds_the_known_is_caught() {
    let (shipped, worse) = both(&practice_alone(), "seeds_the_known");
    for figures in [&shipped, &worse] {
        let seeded: Vec<String> = figures.hosts.iter().map(|host| format!("{} {}", host.host, host.seeded)).collect();
        println!(
            "{:16} true mean loss {:.3} -> {:.3}; seeded: {}",
            figures.label,
            figures.promotions.loss_start,
            figures.promotions.loss_end,
            seeded.join(", ")
        );
    }
    let never = |figures: &Figures| figures.hosts.iter().filter(|host| host.seeded == 0).count();
    assert_eq!(never(&shipped), 0, "{:?}", shipped.hosts);
    assert!(never(&worse) >= 3, "{:?}", worse.hosts);
    let fall = |figures: &Figures| figures.promotions.loss_start - figures.promotions.loss_end;
    assert!(
        fall(&shipped) > 2.0 * fall(&worse).max(0.05),
        "{} against {}",
        fall(&shipped),
        fall(&worse)
    );
}
