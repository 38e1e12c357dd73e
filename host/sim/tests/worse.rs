//! Four deliberately worse policies, each shown by simulation to be worse than the shipped one of its kind: same seed,
//! same outside, same luck. The figures are printed.

mod support;

use pointsman_model::policy::{PolicyDescription, PolicyKind};
use pointsman_model::run::FailureClass;
use pointsman_model::settings::Settings;
use pointsman_policy::{Engines, Library};
use pointsman_sim::simulate::{Figures, OutsideModel, Question, Spread, simulate};
use std::collections::BTreeMap;

fn course(library: &Library, model: &OutsideModel, hours: f64, label: &str, other: Option<&PolicyDescription>) -> Figures {
    let kinds = PolicyKind::ALL
        .into_iter()
        .filter(|kind| other.is_none_or(|other| other.kind != *kind));
    let mut policies: Vec<PolicyDescription> = kinds.filter_map(|kind| support::shipped(library, kind)).collect();
    policies.extend(other.cloned());
    let question = Question {
        label: label.into(),
        hours,
        seed: 7,
        model,
        policies,
    };
    simulate(&question, &mut Engines::new(library.clone()), &mut |_| true).unwrap_or_else(|error| panic!("{label}: {error}"))
}

/// The shipped policies, and the same with one of them replaced.
fn both(model: &OutsideModel, hours: f64, name: &str) -> (Figures, Figures) {
    let library = Library::new();
    let worse = support::worse(&library, name);
    (
        course(&library, model, hours, "shipped", None),
        course(&library, model, hours, name, Some(&worse)),
    )
}

#[test]
fn a_selection_that_starves_hosts_is_caught() {
    // One host alone has more work than there is time; the others' sources are few.
    let mut model = OutsideModel::built_in();
    for host in &mut model.hosts {
        (host.arrivals_per_hour, host.waiting_at_start) = (1.5, 1);
    }
    (model.hosts[0].waiting_at_start, model.hosts[0].arrivals_per_hour) = (10, 40.0);
    let (shipped, worse) = both(&model, 4.0, "starves_a_host");
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
    let mut model = OutsideModel::built_in();
    for host in &mut model.hosts {
        host.success = vec![0.6];
        host.failures = BTreeMap::from([(FailureClass::Deterministic, 3.0), (FailureClass::Transient, 1.0)]);
    }
    model.settings.retry_budget = 50;
    let (shipped, worse) = both(&model, 12.0, "never_gives_up");
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
    // Practice changes next to nothing, so that there is next to nothing to promote.
    let mut model = OutsideModel::built_in();
    for host in &mut model.hosts {
        (host.learning, host.noise, host.forgetting) = (0.0, 0.02, 0.0);
        // In the middle of the way: noise may go up as well as down.
        host.loss_floor = host.loss_start - 1.0;
    }
    model.settings.promotion_window = 5;
    let (shipped, worse) = both(&model, 48.0, "promotes_on_noise");
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
    let mut model = OutsideModel::built_in();
    for host in &mut model.hosts {
        host.arrivals_per_hour = 0.0;
        host.waiting_at_start = 0;
        host.success = vec![0.95];
        host.training_s = Spread::Fixed(60.0);
    }
    model.settings = Settings {
        promotion_window: 15,
        ..Settings::default()
    };
    let (shipped, worse) = both(&model, 12.0, "seeds_the_known");
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
