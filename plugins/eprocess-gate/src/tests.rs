//! Cases, and simulations of what the gate promises.

use super::*;
use pointsman_policy_sdk::bindings::promotion_gate::Context;
use pointsman_policy_sdk::testing;

const HOSTS: [&str; 5] = ["novel", "speeches", "lexicon", "code", "events"];

fn context(stage: GateStage, cap: u32) -> Context {
    let mut context = testing::gate(stage, &HOSTS);
    context.frame = testing::frame(&EprocessGate::describe());
    context.cap = cap;
    context
}

/// One pair per host and round, with the given gain per host.
fn rounds_of(gains: [f64; 5], count: usize) -> Vec<Pair> {
    (0..count * 5).map(|index| pair(index % 5, gains[index % 5])).collect()
}

fn pair(host: usize, gain: f64) -> Pair {
    Pair {
        host: host as u32,
        baseline: 3.0,
        candidate: 3.0 - gain,
    }
}

fn check(context: Context, verdict: GateVerdict, code: &str) -> GateDecision {
    let decision = EprocessGate::decide(&GateContext::from(context)).expect("it decides");
    let codes: Vec<&str> = decision.advice.reasons.iter().map(|reason| reason.code.as_str()).collect();
    assert_eq!(
        (&decision.verdict, codes.first().copied()),
        (&verdict, Some(code)),
        "{:#?}",
        decision.advice.reasons
    );
    decision
}

fn evaluated(gains: [f64; 5], count: usize) -> Context {
    Context {
        pairs: rounds_of(gains, count),
        ..context(GateStage::Evaluate, 120)
    }
}

#[test]
fn a_clear_gain_advances_at_the_first_look() {
    let decision = check(evaluated([0.05, 0.06, 0.08, 0.3, 0.9], 8), GateVerdict::Advance, "gain_proven");
    let code = |code: &str| {
        decision
            .advice
            .reasons
            .iter()
            .find(|reason| reason.code == code)
            .expect("it is recorded")
    };
    assert_eq!(code("pairs_seen").value, Some(40.0));
    assert_eq!(code("gain_evidence").threshold, Some(20.0));
    assert!(code("gain_evidence").value > Some(20.0) && code("harm_evidence").value < Some(1.0));
    let canary = Context {
        pairs: rounds_of([0.06; 5], 8),
        ..context(GateStage::Canary, 200)
    };
    check(canary, GateVerdict::Advance, "gain_proven");
}

#[test]
fn a_clear_loss_is_rejected_or_rolled_back_at_once() {
    check(evaluated([-0.1; 5], 8), GateVerdict::Reject, "loss_proven");
    let watch = Context {
        stage: GateStage::Watch,
        ..evaluated([-0.1; 5], 8)
    };
    check(watch, GateVerdict::RollBack, "loss_proven");
}

#[test]
fn equal_models_are_inconclusive_at_the_cap() {
    check(evaluated([0.0; 5], 8), GateVerdict::NeedMore(20), "not_yet_proven");
    check(evaluated([0.0; 5], 24), GateVerdict::Reject, "inconclusive");
    let watch = Context {
        stage: GateStage::Watch,
        cap: 100,
        ..evaluated([0.0; 5], 20)
    };
    check(watch, GateVerdict::Advance, "no_harm_seen");
}

#[test]
fn one_host_may_not_pay_for_the_others() {
    let gains = [0.5, 0.5, 0.5, 0.5, -0.6];
    check(evaluated(gains, 8), GateVerdict::NeedMore(10), "host_loss_doubtful");
    check(evaluated(gains, 16), GateVerdict::Reject, "host_loss_proven");
    // A loss within what is allowed does not stand in the way.
    check(evaluated([0.5, 0.5, 0.5, 0.5, -0.1], 8), GateVerdict::Advance, "gain_proven");
}

#[test]
fn a_plain_mean_below_the_margin_waits_even_if_most_pairs_gain() {
    let mut rare = evaluated([0.2; 5], 8);
    for host in 0..5 {
        testing::set(&mut rare.frame, "host_loss_max", Value::Number(100.0));
        rare.pairs[host].candidate = 10.0;
    }
    check(rare, GateVerdict::NeedMore(10), "mean_not_above_margin");
}

#[test]
fn need_more_never_asks_beyond_the_cap() {
    let mut near = evaluated([0.0; 5], 23);
    near.pairs.push(pair(0, 0.0));
    check(near, GateVerdict::NeedMore(4), "not_yet_proven");
}

#[test]
fn what_is_no_number_is_held() {
    for stage in [GateStage::Evaluate, GateStage::Canary, GateStage::Watch] {
        let mut broken = Context {
            stage,
            ..evaluated([0.5; 5], 8)
        };
        broken.pairs[7].candidate = f64::NAN;
        check(broken, GateVerdict::Hold, "not_a_number");
        let mut broken = Context {
            stage,
            ..evaluated([0.5; 5], 8)
        };
        broken.guardrails.push(guardrail(10, 0.0, 10, f64::INFINITY));
        check(broken, GateVerdict::Hold, "not_a_number");
    }
}

#[test]
fn without_data_nothing_advances() {
    check(evaluated([0.0; 5], 0), GateVerdict::NeedMore(20), "no_pairs");
    check(
        Context {
            cap: 0,
            ..evaluated([0.0; 5], 0)
        },
        GateVerdict::Hold,
        "no_pairs",
    );
    check(evaluated([0.5; 5], 3), GateVerdict::NeedMore(10), "too_few_pairs");
    let lagging = Context {
        ingest_lag: Some(101),
        ..evaluated([0.5; 5], 8)
    };
    check(lagging.clone(), GateVerdict::NeedMore(10), "ingest_lag");
    check(
        Context {
            cap: 40,
            ..lagging.clone()
        },
        GateVerdict::Hold,
        "ingest_lag",
    );
    check(
        Context {
            cap: 40,
            stage: GateStage::Watch,
            ..lagging.clone()
        },
        GateVerdict::Hold,
        "ingest_lag",
    );
    check(
        Context {
            ingest_lag: Some(100),
            ..lagging
        },
        GateVerdict::Advance,
        "gain_proven",
    );
}

fn guardrail(baseline_n: u32, baseline_mean: f64, candidate_n: u32, candidate_mean: f64) -> Guardrail {
    Guardrail {
        name: "errors".to_string(),
        baseline_n,
        baseline_mean,
        candidate_n,
        candidate_mean,
        limit: 0.02,
    }
}

#[test]
fn guardrails_block_and_then_break() {
    let guarded = |guard: Guardrail| Context {
        stage: GateStage::Canary,
        guardrails: vec![guard],
        ..evaluated([0.5; 5], 8)
    };
    check(guarded(guardrail(30, 0.0, 10, 0.0)), GateVerdict::Advance, "gain_proven");
    check(
        guarded(guardrail(30, 0.0, 0, 0.0)),
        GateVerdict::NeedMore(10),
        "guardrail_without_data",
    );
    check(
        guarded(guardrail(30, 0.0, 10, 0.1)),
        GateVerdict::NeedMore(10),
        "guardrail_doubtful",
    );
    check(guarded(guardrail(90, 0.0, 30, 0.5)), GateVerdict::Reject, "guardrail_broken");
    let slow = Guardrail {
        name: "latency_ms".to_string(),
        limit: 250.0,
        ..guardrail(90, 100.0, 30, 900.0)
    };
    check(guarded(slow), GateVerdict::Reject, "guardrail_broken");
}

#[test]
fn a_host_out_of_its_table_is_an_error() {
    let mut broken = evaluated([0.5; 5], 8);
    broken.pairs[0].host = 5;
    assert!(EprocessGate::decide(&GateContext::from(broken)).is_err());
}

/// How pairs come about in a simulation: the gain of a host's next pair.
type Draw<'a> = &'a dyn Fn(&mut Random, usize) -> f64;

/// Bell-shaped enough: the sum of twelve even draws, of standard deviation 1.
fn noise(random: &mut Random) -> f64 {
    (0..12).map(|_| random.unit()).sum::<f64>() - 6.0
}

/// Shares of simulated candidates that ended so, and the mean number of pairs it took.
#[derive(Debug, Default)]
struct Ends {
    advanced: f64,
    gone_back: f64,
    pairs: f64,
}

/// Looks after every `step` pairs until a verdict that ends the stage.
fn simulate(stage: GateStage, cap: u32, step: usize, draw: Draw<'_>) -> Ends {
    const CANDIDATES: u32 = 500;
    let mut ends = Ends::default();
    for seed in 0..CANDIDATES {
        let mut random = Random::new(u64::from(seed) << 20);
        let mut record = context(stage, cap);
        loop {
            for _ in 0..step {
                let host = match stage {
                    GateStage::Evaluate => record.pairs.len() % 5,
                    GateStage::Canary | GateStage::Watch => random.below(5) as usize,
                };
                let gain = draw(&mut random, host);
                record.pairs.push(pair(host, gain));
            }
            let decision = EprocessGate::decide(&GateContext::from(record.clone())).expect("it decides");
            record.looks += 1;
            match decision.verdict {
                GateVerdict::NeedMore(_) => continue,
                GateVerdict::Advance => ends.advanced += 1.0,
                GateVerdict::Reject | GateVerdict::RollBack => ends.gone_back += 1.0,
                GateVerdict::Hold => panic!("nothing here is to be held"),
            }
            ends.pairs += record.pairs.len() as f64;
            break;
        }
    }
    let all = f64::from(CANDIDATES);
    Ends {
        advanced: ends.advanced / all,
        gone_back: ends.gone_back / all,
        pairs: ends.pairs / all,
    }
}

/// The promise: looking all the time, and long, promotes at most `alpha` of those that are no better.
#[test]
fn false_promotions_stay_below_alpha() {
    let nulls: [(&str, Draw<'_>); 5] = [
        ("quiet", &|random, _| 0.01 * noise(random)),
        ("noisy", &|random, _| 0.1 * noise(random)),
        ("hosts differ, mean 0", &|random, host| {
            [0.15, -0.15, 0.05, -0.05, 0.0][host] + 0.03 * noise(random)
        }),
        // What fools tests that trust the spread they have seen so far: small gains, and seldom a large loss.
        ("seldom a large loss", &|random, _| if random.chance(0.05) { -0.19 } else { 0.01 }),
        ("all or nothing", &|random, _| if random.chance(0.5) { -0.2 } else { 0.2 }),
    ];
    for (name, draw) in nulls {
        let evaluate = simulate(GateStage::Evaluate, 120, 5, draw);
        let canary = simulate(GateStage::Canary, 300, 5, draw);
        eprintln!("{name:22} evaluate {evaluate:?}\n{:22} canary   {canary:?}", "");
        assert!(evaluate.advanced <= 0.05 && canary.advanced <= 0.05, "{name}");
    }
}

/// What is worth promoting gets through, and soon.
#[test]
fn real_gains_are_found() {
    let gain = |mean: f64, spread: f64| move |random: &mut Random, _: usize| mean + spread * noise(random);
    // Mean gain, spread, least share advanced in evaluation (8 blocks of 5 hosts a look), most pairs on average.
    for (mean, spread, share, pairs) in [
        (0.05, 0.03, 0.99, 42.0),
        (0.05, 0.1, 0.8, 70.0),
        (0.02, 0.02, 0.95, 95.0),
        (0.3, 0.1, 1.0, 40.0),
    ] {
        let ends = simulate(GateStage::Evaluate, 120, 40, &gain(mean, spread));
        eprintln!("gain {mean} spread {spread}: evaluate {ends:?}");
        assert!(ends.advanced >= share && ends.pairs <= pairs, "{mean} {spread}: {ends:?}");
    }
    let canary = simulate(GateStage::Canary, 200, 10, &gain(0.06, 0.03));
    eprintln!("gain 0.06 spread 0.03: canary {canary:?}");
    assert!(canary.advanced >= 0.99 && canary.pairs <= 40.0, "{canary:?}");
}

/// Harm is found early, and a model that does none is not accused of it.
#[test]
fn harm_is_found_and_only_harm() {
    let loss = simulate(GateStage::Watch, 100, 10, &|random, _| -0.05 + 0.05 * noise(random));
    let equal = simulate(GateStage::Watch, 100, 10, &|random, _| 0.05 * noise(random));
    eprintln!("watch, loss 0.05: {loss:?}\nwatch, no change: {equal:?}");
    assert!(loss.gone_back >= 0.95 && loss.pairs <= 60.0, "{loss:?}");
    assert!(equal.gone_back <= 0.05, "{equal:?}");
}
