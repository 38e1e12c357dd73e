use super::*;
use crate::{Dice, Scripted};
use pointsman_coordinator::settle;
use pointsman_model::context::{Frame, HostLoad, SourceCandidate};
use pointsman_model::decision::{Advice, Answer, Decision, Link, Ruling, Subject};
use pointsman_model::policy::{Cost, EngineKind, FaultClass, PolicyKind, PolicyRef};
use pointsman_model::run::FailureCounts;
use pointsman_model::settings::LaneMode;
use pointsman_model::source::{Lane, Origin};

/// Share of runs that succeed, by host.
const SUCCESS: [f64; 4] = [0.9, 0.6, 0.4, 0.2];
const CANDIDATES: usize = 3;

/// Three candidates, each of a host at random.
fn question(dice: &mut Dice) -> SelectionContext {
    let candidate = |(index, host): (u64, u32)| SourceCandidate {
        id: index + 1,
        lane: Lane::Queue,
        origin: Origin::Api,
        host: Some(host),
        campaign: None,
        row: 0,
        age_s: 1.0,
        attempts: 0,
        failures: FailureCounts::default(),
        difficulty: 0.5,
        priority: 0,
    };
    let hosts: Vec<u32> = (0..CANDIDATES).map(|_| dice.roll(SUCCESS.len() as u64) as u32).collect();
    SelectionContext {
        frame: Frame {
            seed: dice.word(),
            ..Frame::default()
        },
        free: 1,
        lane_mode: LaneMode::Hybrid,
        curriculum_fallback: true,
        lock: None,
        same_host_cap: 1,
        hosts: (0..SUCCESS.len()).map(|host| format!("host-{host}")).collect(),
        campaigns: Vec::new(),
        host_loads: vec![HostLoad::default(); SUCCESS.len()],
        recent_hosts: Vec::new(),
        candidates: (0..).zip(hosts).map(candidate).collect(),
        left_out: 0,
    }
}

fn answer(verdict: SelectionVerdict, distribution: Vec<f64>) -> Answer {
    Answer {
        verdict: Verdict::Selection(verdict),
        advice: Advice {
            distribution,
            ..Advice::default()
        },
        cost: Cost::default(),
    }
}

/// A decision as a coordinator would have made and recorded it, and how its run ended.
fn logged(id: u64, context: SelectionContext, mut answer: Answer, dice: &mut Dice) -> Logged {
    let context = Context::Selection(context);
    let propensity = settle(&context, &mut answer).expect("it fits");
    let Verdict::Selection(SelectionVerdict::Pick(picks)) = &answer.verdict else {
        panic!("a pick")
    };
    let Context::Selection(selection) = &context else {
        panic!("a selection question")
    };
    let host = selection.candidates[picks[0] as usize].host.expect("each has one");
    let run = match dice.chance(SUCCESS[host as usize]) {
        true => RunStatus::Completed,
        false => RunStatus::Failed,
    };
    let recorded = RecordedDecision {
        at: id,
        decision: Decision {
            id: DecisionId(id),
            kind: PolicyKind::SourceSelection,
            subject: Subject::Selection,
            generation: 1,
            context: Digest::default(),
            scores: None,
            input: None,
            ruling: Ruling {
                verdict: answer.verdict,
                advice: answer.advice,
                link: Link::Active,
                policy: Scripted::describe("explorer", "1", PolicyKind::SourceSelection).policy,
                engine: "scripted".into(),
                cost: Cost::default(),
                declined: Vec::new(),
                propensity,
            },
        },
        context: Some(context.encode().bytes),
    };
    Logged { recorded, run: Some(run) }
}

/// The first candidate, or in a share of the picks any.
fn exploring(explore: f64) -> Answer {
    let mut distribution = vec![explore / CANDIDATES as f64; CANDIDATES];
    distribution[0] += 1.0 - explore;
    answer(SelectionVerdict::Pick(vec![0]), distribution)
}

fn log_of(seed: u64, count: u64, explore: f64) -> Vec<Logged> {
    let of = |id| {
        let mut dice = Dice::of(seed, &[id]);
        logged(id, question(&mut dice), exploring(explore), &mut dice)
    };
    (1..=count).map(of).collect()
}

struct Pages(std::vec::IntoIter<Logged>);

impl Log for Pages {
    type Error = std::convert::Infallible;

    fn total(&self) -> u64 {
        self.0.len() as u64
    }

    fn next_page(&mut self) -> Result<Vec<Logged>, Self::Error> {
        Ok(self.0.by_ref().take(64).collect())
    }
}

/// Answers by a rule.
struct ByRule<F>(F);

impl<F: FnMut(&SelectionContext) -> Result<Answer, Fault>> Policies for ByRule<F> {
    fn ask(&mut self, _: &PolicyRef, context: &Context) -> Result<Answer, Fault> {
        let Context::Selection(context) = context else {
            panic!("a selection question")
        };
        (self.0)(context)
    }

    fn migrate(&mut self, _: &PolicyRef, _: u32, _: &[u8]) -> Result<Vec<u8>, Fault> {
        panic!("nothing is migrated")
    }

    fn fingerprint(&self, _: EngineKind) -> String {
        "by rule".into()
    }
}

fn value_of(log: Vec<Logged>, rule: impl FnMut(&SelectionContext) -> Result<Answer, Fault>) -> Found {
    let version = Scripted::describe("new", "2", PolicyKind::SourceSelection);
    let asked = Asked {
        version: &version,
        reads_state_of: BTreeSet::new(),
        guard: &|_, _| Ok(()),
    };
    off_policy(&asked, &mut ByRule(rule), &mut Pages(log.into_iter()), &mut |_, _| true)
        .expect("nothing can fail")
        .expect("nobody ended it")
}

/// The candidate of the host that succeeds most often.
fn best_host(context: &SelectionContext) -> Result<Answer, Fault> {
    let best = (0..context.candidates.len()).min_by_key(|index| context.candidates[*index].host);
    Ok(answer(
        SelectionVerdict::Pick(vec![best.expect("there are three") as u32]),
        Vec::new(),
    ))
}

/// What [`best_host`] earns on average: the smallest of three hosts at random.
fn truth_of_best_host() -> f64 {
    let hosts = SUCCESS.len() as f64;
    let at_least = |host: f64| ((hosts - host) / hosts).powi(CANDIDATES as i32);
    let of = |(host, success): (usize, &f64)| success * (at_least(host as f64) - at_least(host as f64 + 1.0));
    SUCCESS.iter().enumerate().map(of).sum()
}

#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    const ROUNDS: u64 = 400;
    let truth = truth_of_best_host();
    assert!((truth - 0.7453).abs() < 1e-3, "{truth}");
    let names = ["ips", "snips", "doubly robust"];
    let (mut held, mut widths, mut sums) = ([0u64; 3], [0.0; 3], [0.0; 3]);
    for round in 0..ROUNDS {
        let found = value_of(log_of(round, 300, 0.5), best_host);
        let estimates = found
            .estimates
            .unwrap_or_else(|| panic!("round {round}: {:?} {:?}", found.cannot_know, found.support));
        let Estimates {
            ips,
            snips,
            doubly_robust,
            gain: _,
        } = estimates;
        for (index, estimate) in [ips, snips, doubly_robust].into_iter().enumerate() {
            held[index] += u64::from((estimate.low..=estimate.high).contains(&truth));
            widths[index] += (estimate.high - estimate.low) / ROUNDS as f64;
            sums[index] += estimate.value / ROUNDS as f64;
        }
    }
    for index in 0..3 {
        let share = held[index] as f64 / ROUNDS as f64;
        println!(
            "{:13}  mean {:.4} of a true {truth:.4}, held in {:.1} %, width {:.4}",
            names[index],
            sums[index],
            share * 100.0,
            widths[index]
        );
        assert!((0.92..=0.98).contains(&share), "{} holds the truth in {share}", names[index]);
        assert!((sums[index] - truth).abs() < 0.01, "{} is off: {}", names[index], sums[index]);
    }
    assert!(
        widths[2] < widths[1] && widths[1] < widths[0],
        "doubly robust is the narrowest, IPS the widest: {widths:?}"
    );
}

#[test]
fn the_recorded_policy_is_worth_what_it_earned() {
    let found = value_of(log_of(7, 500, 0.3), |_| Ok(exploring(0.3)));
    let (estimates, recorded) = (found.estimates.expect("it is known"), found.recorded.expect("500 runs"));
    assert!(
        (estimates.ips.value - recorded.value).abs() < 1e-9,
        "every weight is 1: {estimates:?}"
    );
    assert!((found.support.effective_n - 500.0).abs() < 1e-6 && (found.support.weight_max - 1.0).abs() < 1e-9);
    assert!(estimates.gain.low < 0.0 && estimates.gain.high > 0.0, "{estimates:?}");
    let better = value_of(log_of(7, 500, 0.3), best_host).estimates.expect("it is known");
    assert!(better.gain.low > 0.0, "{better:?}");
}

#[test]
fn thin_support_says_what_cannot_be_known() {
    let slugs = |found: &Found| found.cannot_know.iter().map(CannotKnow::slug).collect::<Vec<_>>();
    // The last candidate is drawn once in 150 picks.
    let last = |context: &SelectionContext| {
        Ok(answer(
            SelectionVerdict::Pick(vec![context.candidates.len() as u32 - 1]),
            Vec::new(),
        ))
    };
    let thin = value_of(log_of(3, 400, 0.02), last);
    assert_eq!((slugs(&thin), thin.estimates), (vec!["few_effective"], None));
    assert!(
        thin.support.effective_n < 30.0 && thin.support.weight_max > 100.0,
        "{:?}",
        thin.support
    );
    assert!(thin.recorded.is_some(), "what was earned is known all the same");
    assert!(
        thin.cannot_know[0].words().contains("at least 30"),
        "{}",
        thin.cannot_know[0].words()
    );

    // Never drawn at all: two of three picks are without support, however many there are.
    let never: Vec<Logged> = (1..=400)
        .map(|id| {
            let mut dice = Dice::of(4, &[id]);
            let two = answer(SelectionVerdict::Pick(vec![0]), vec![0.5, 0.5, 0.0]);
            logged(id, question(&mut dice), two, &mut dice)
        })
        .collect();
    let any = |_: &SelectionContext| Ok(answer(SelectionVerdict::Pick(vec![0]), vec![1.0, 1.0, 1.0]));
    let unsupported = value_of(never, any);
    assert_eq!(slugs(&unsupported), ["unsupported"]);
    assert!((unsupported.support.unsupported_share - 1.0 / 3.0).abs() < 1e-9);
    assert!(unsupported.estimates.is_none() && unsupported.cannot_know[0].words().contains("33.3 %"));

    let plain: Vec<Logged> = (1..=50)
        .map(|id| {
            let mut dice = Dice::of(5, &[id]);
            let own = answer(SelectionVerdict::Pick(vec![1]), Vec::new());
            logged(id, question(&mut dice), own, &mut dice)
        })
        .collect();
    let nothing_drawn = value_of(plain, best_host);
    assert_eq!(slugs(&nothing_drawn), ["nothing_drawn"]);
    assert_eq!(nothing_drawn.left_out, BTreeMap::from([(LeftOut::NotDrawn, 50)]));
    assert_eq!(slugs(&value_of(Vec::new(), best_host)), ["nothing_drawn"]);

    let mut alike = log_of(6, 200, 0.5);
    alike.iter_mut().for_each(|logged| logged.run = Some(RunStatus::Completed));
    assert_eq!(slugs(&value_of(alike, best_host)), ["all_alike"]);
}

#[test]
fn what_cannot_be_used_is_counted_and_left_out() {
    let mut log = log_of(8, 400, 0.5);
    log[0].run = Some(RunStatus::Running);
    log[1].run = Some(RunStatus::Cancelled);
    log[2].run = None;
    log[3].recorded.context = None;
    log[4].recorded.decision.ruling.propensity = Some(0.123);
    log[5].recorded.decision.ruling.propensity = Some(0.0);
    log[6].recorded.decision.ruling.advice.distribution = vec![1.0];
    let found = value_of(log, best_host);
    assert_eq!(
        found.left_out,
        BTreeMap::from([
            (LeftOut::UnderWay, 1),
            (LeftOut::Cancelled, 1),
            (LeftOut::NoRun, 1),
            (LeftOut::NotReplayable, 1),
            (LeftOut::DoesNotFit, 3),
        ])
    );
    assert_eq!((found.looked_at, found.used), (400, 393));
    let span = found.span.expect("there are some");
    assert_eq!((span.0.0, span.1.0), (DecisionId(1), DecisionId(400)));
}

#[test]
fn errors_and_idling_earn_nothing_and_are_counted() {
    let mut asked = 0u64;
    let found = value_of(log_of(9, 600, 0.5), |context| {
        asked += 1;
        match asked % 4 {
            0 => Err(Scripted::fault(FaultClass::Trap, "the fourth")),
            1 => Ok(answer(SelectionVerdict::Idle, Vec::new())),
            _ => best_host(context),
        }
    });
    assert_eq!((found.errors, found.idles, found.used), (150, 150, 600));
    let estimates = found.estimates.expect("it is known");
    for estimate in [estimates.ips, estimates.snips, estimates.doubly_robust] {
        assert!((estimate.value - truth_of_best_host() / 2.0).abs() < 0.1, "{estimates:?}");
    }
    let none = value_of(log_of(9, 100, 0.5), |_| Err(Scripted::fault(FaultClass::Trap, "always")));
    assert_eq!(none.cannot_know, [CannotKnow::PicksNothing { used: 100, errors: 100 }]);
}
