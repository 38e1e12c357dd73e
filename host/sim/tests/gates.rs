//! Gates on simulated candidates: what the shipped one promises, and what others do. `make sim-check` takes 10,000 each.

mod support;

use pointsman_model::policy::PolicyKind;
use pointsman_model::settings::Settings;
use pointsman_policy::{Engines, Library};
use pointsman_sim::simulate::{GateTrials, t_test_trials, trials};

const CANDIDATES: u64 = 1_000;

fn setup(gain: f64) -> GateTrials {
    GateTrials {
        seed: 5,
        gain,
        deviation: 0.1,
        settings: Settings::default(),
    }
}

#[test]
fn the_shipped_gate_keeps_its_alpha_however_often_it_looks() {
    let library = Library::new();
    let Some(gate) = support::shipped(&library, PolicyKind::PromotionGate) else {
        return;
    };
    let mut engines = Engines::new(library);
    let same = trials(&mut engines, &gate, &setup(0.0), 0..CANDIDATES);
    let better = trials(&mut engines, &gate, &setup(0.05), 0..CANDIDATES);
    let t_test = t_test_trials(&setup(0.0), 0.05, true, 0..CANDIDATES);
    println!("no difference: {same:?}\n+0.05: {better:?}\nt-test, no difference: {t_test:?}");
    assert_eq!((same.faults, better.faults), (0, 0));
    assert!(same.advanced_share() <= 0.05, "{same:?}");
    assert!(better.advanced_share() >= 0.75 && better.pairs_mean() < 80.0, "{better:?}");
    assert!(t_test.promoted_share() > 0.1, "a t-test that keeps looking is no gate: {t_test:?}");
}

/// The bound of the test above can fail: this one is far above it.
#[test]
fn a_gate_that_promotes_on_noise_breaks_that_bound() {
    let library = Library::new();
    let worse = support::worse(&library, "promotes_on_noise");
    let same = trials(&mut Engines::new(library), &worse, &setup(0.0), 0..200);
    println!("promotes_on_noise, no difference: {same:?}");
    assert!(same.promoted_share() > 0.5, "{same:?}");
}
