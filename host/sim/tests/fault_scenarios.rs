//! Scenarios full of faults, and proof that the checks would notice a broken promise. `make sim-check` plays 10,000.
//! `SEED=n cargo test -p pointsman-sim --test fault_scenarios` plays one, and tells its end.

mod support;

use pointsman_policy::Library;
use pointsman_sim::faults::{Policies, Sabotage, Seen, play};

const SEEDS: u64 = 1_000;
/// Of which with the real engines: they take longer.
const REAL: u64 = 20;

#[test]
fn whatever_goes_wrong_the_promises_hold() {
    if let Some(seed) = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()) {
        let seen = play(seed, Policies::whims(seed), None).unwrap_or_else(|violation| panic!("{violation}"));
        println!("{seen:#?}");
        return;
    }
    let mut all = Seen::default();
    for seed in 0..SEEDS {
        match play(seed, Policies::whims(seed), None) {
            Ok(seen) => all.add(&seen),
            Err(violation) => panic!("{violation}\nreplay it with SEED={seed}"),
        }
    }
    let library = Library::new();
    let versions = support::all_shipped(&library);
    for seed in 0..REAL {
        match play(seed, support::real_cast(&library, &versions), None) {
            Ok(seen) => all.add(&seen),
            Err(violation) => panic!("with the real engines: {violation}"),
        }
    }
    println!("{all:#?}");
    // A scenario in which nothing happens proves nothing.
    assert!(all.crashes > 500 && all.appends_refused > 500 && all.slow_appends > 500, "{all:?}");
    assert!(
        all.lost > 1_000 && all.doubled > 1_000 && all.late > 1_000 && all.stuck > 100,
        "{all:?}"
    );
    assert!(all.outcomes > 2_000 && all.refused_commands > 1_000, "{all:?}");
    for event in [
        "source_given_up",
        "source_moved",
        "source_disabled",
        "hosts_parked",
        "run_cancel_requested",
        "candidate_ended",
        "model_applied",
        "model_rolled_back",
        "models_retired",
        "candidate_held",
        "policy_activated",
        "policy_rolled_back",
        "policy_canary_ended",
        "input_quarantined",
        "training_stopped",
        "settings_changed",
        "campaign_queued",
        "campaign_cancelled",
        "campaign_ended",
        "sources_imported",
        "source_edited",
        "source_cancelled",
        "lock_taken",
        "lock_released",
        "model_pinned",
        "ingest_reported",
        "gate_blocked",
    ] {
        assert!(
            all.events.get(event).is_some_and(|count| *count >= 10),
            "{event} is seldom seen: {:?}",
            all.events
        );
    }
}

/// Each promise, broken on purpose, is noticed within a few seeds, for the reason that it was broken.
#[test]
fn a_broken_promise_is_noticed() {
    const SEEDS: u64 = 40;
    for sabotage in Sabotage::ALL {
        let expected: &[&str] = match sabotage {
            Sabotage::DoubledOutcome => &["has an outcome under attempt"],
            Sabotage::MixedUpOutcome => &["has an outcome, and did not end", "ended otherwise"],
            Sabotage::LostOutcome => &["its outcome is lost", "nothing comes to an end"],
            Sabotage::OverCap => &["more training runs than the cap", "more runs than the global maximum"],
            Sabotage::PickedWhileStopped => &["while the lane is stopped"],
            Sabotage::SlippedState => &["the replayed journal is not the live state"],
            Sabotage::SkippedGeneration => &["leaves a gap"],
            Sabotage::ToldTooEarly => &["was promised to a client", "its outcome is lost", "nothing comes to an end"],
            Sabotage::RetiredWhatIsUsed => &["is retired, and is live"],
            Sabotage::LiveWithoutAWord => &["goes live without a person's word"],
        };
        let caught: Vec<String> = (0..SEEDS)
            .filter_map(|seed| play(seed, Policies::whims(seed), Some(sabotage)).err())
            .map(|violation| violation.problem)
            .collect();
        let rightly = caught
            .iter()
            .filter(|problem| expected.iter().any(|words| problem.contains(words)))
            .count();
        println!(
            "{sabotage:?}: {} of {SEEDS} seeds notice, such as: {:?}",
            caught.len(),
            caught.first()
        );
        assert!(rightly >= 5, "{sabotage:?} is noticed by {rightly} seeds: {caught:#?}");
        // Replay equality and the like may be broken, too, once a promise is; but not as a rule.
        assert!(
            rightly * 2 >= caught.len(),
            "{sabotage:?} is noticed for other reasons: {caught:#?}"
        );
    }
}

#[test]
fn a_seed_replays() {
    let play = |seed| format!("{:?}", play(seed, Policies::whims(seed), Some(Sabotage::DoubledOutcome)));
    assert_eq!(play(3), play(3));
}
