//! D01 to D10: verdicts that are nonsense, and what each kind falls back to.
//!
//! Nonsense that a script or a component can say is said by one; the rest by a stand-in at the coordinator's port, which
//! says what it was told to.

use super::play::{self, Asked, Course};
use super::rig::{Rig, ms_since};
use super::table::{Seen, Table, seen, short};
use anyhow::{Context as _, Result, bail, ensure};
use pointsman_coordinator::{Policies, settle};
use pointsman_model::Digest;
use pointsman_model::context::Context;
use pointsman_model::decision::{
    Advice, Answer, Block, CurriculumVerdict, GateVerdict, Link, Reason, RetryVerdict, Scores, Seed, SelectionVerdict, Verdict,
};
use pointsman_model::policy::{Cost, EngineKind, Fault, FaultClass, PolicyDescription, PolicyKind, PolicyLimits, PolicyRef};
use pointsman_model::promotion::CandidateStage;
use pointsman_model::settings::Settings;
use pointsman_policy::canned_context;
use std::time::Instant;

pub(super) fn play(rig: &Rig, table: &mut Table) {
    let pick = |picks: &[u32]| Verdict::Selection(SelectionVerdict::Pick(picks.to_vec()));
    let retry_in = |ms: u64| Verdict::Retry(RetryVerdict::Retry(ms));
    let mut refused = |id: &str, attack: &str, course: Course, verdicts: Vec<(Verdict, Advice)>| {
        table.case(id, attack, "V, fallback", || all_refused(rig, &course, verdicts));
    };
    let plainly = |verdicts: Vec<Verdict>| verdicts.into_iter().map(|verdict| (verdict, Advice::default())).collect::<Vec<_>>();
    let advised = |advices: Vec<Advice>| advices.into_iter().map(|advice| (pick(&[0]), advice)).collect::<Vec<_>>();

    refused(
        "D01",
        "an id that is not among the candidates",
        Course::plain(),
        plainly(vec![pick(&[2]), pick(&[u32::MAX])]),
    );
    let two_free = Course {
        settings: Settings {
            training_max_active: 2,
            ..Course::plain().settings
        },
    };
    refused("D02", "the same id twice", two_free, plainly(vec![pick(&[0, 0]), pick(&[1, 1])]));
    refused(
        "D03",
        "an empty choice",
        Course::plain(),
        plainly(vec![
            pick(&[]),
            Verdict::Curriculum(CurriculumVerdict::Plant(Vec::new())),
            Verdict::Curriculum(CurriculumVerdict::Park(Vec::new())),
        ]),
    );
    refused(
        "D04",
        "more ids than asked for",
        Course::plain(),
        plainly(vec![pick(&[0, 1]), pick(&[0; 4_096])]),
    );
    let week = 7 * 24 * 3_600_000;
    refused(
        "D05",
        "a delay over seven days, or that overflows",
        Course::plain(),
        plainly(vec![retry_in(week + 1), retry_in(u64::MAX), retry_in(i64::MAX as u64)]),
    );
    let spent = Course {
        settings: Settings {
            retry_budget: 1,
            ..Course::plain().settings
        },
    };
    refused(
        "D06",
        "retry after the budget is spent",
        spent,
        plainly(vec![
            retry_in(1_000),
            Verdict::Retry(RetryVerdict::MoveLane(pointsman_model::source::Lane::Curriculum)),
        ]),
    );
    refused(
        "D07b",
        "roll-back of what is not live, need-more of nothing",
        Course::plain(),
        plainly(vec![Verdict::Gate(GateVerdict::RollBack), Verdict::Gate(GateVerdict::NeedMore(0))]),
    );
    let numbers = |distribution: Vec<f64>| Advice {
        distribution,
        ..Advice::default()
    };
    let scored = |totals: Vec<f64>, blocked: Vec<Block>| Advice {
        scores: Some(Scores {
            totals,
            blocked,
            ..Scores::default()
        }),
        ..Advice::default()
    };
    refused(
        "D08",
        "weights that are NaN, negative, over one, too many, or sum to nothing; scores that are no numbers",
        Course::plain(),
        advised(vec![
            numbers(vec![f64::NAN, 1.0]),
            numbers(vec![-0.5, 1.0]),
            numbers(vec![0.0, 2.0]),
            numbers(vec![0.0, 0.0]),
            numbers(vec![f64::INFINITY, 0.0]),
            numbers(vec![1.0; 60]),
            scored(vec![f64::NAN, 1.0], Vec::new()),
            scored(vec![1.0], Vec::new()),
            scored(vec![1.0, 2.0], vec![Block { candidate: 9, rule: 0 }]),
        ]),
    );
    let said = |text: &str| Advice {
        reasons: vec![Reason {
            code: "said".into(),
            text: text.into(),
            ..Reason::default()
        }],
        ..Advice::default()
    };
    refused(
        "D09",
        "reasons over 1 KiB, with control or ANSI characters, too many; state too large",
        Course::plain(),
        advised(vec![
            said(&"x".repeat(1_025)),
            said("\u{1b}[2J\u{1b}]0;gone\u{7}"),
            said("forged\rline"),
            Advice {
                reasons: vec![
                    Reason {
                        code: "many".into(),
                        ..Reason::default()
                    };
                    33
                ],
                ..Advice::default()
            },
            Advice {
                state: Some(vec![0; (64 << 10) + 1]),
                ..Advice::default()
            },
        ]),
    );
    let seed = Seed {
        host: 0,
        steps: 200,
        learning_rate: 1e-3,
        replay_share: 0.5,
    };
    let plant = |seeds: Vec<Seed>| Verdict::Curriculum(CurriculumVerdict::Plant(seeds));
    refused(
        "D10",
        "seeds of an unknown host, too many, out of bounds",
        Course::plain(),
        plainly(vec![
            plant(vec![Seed { host: 2, ..seed.clone() }]),
            plant(vec![Seed {
                host: u32::MAX,
                ..seed.clone()
            }]),
            plant(vec![seed.clone(); 5]),
            plant(vec![Seed { steps: 0, ..seed.clone() }]),
            plant(vec![Seed {
                steps: u32::MAX,
                ..seed.clone()
            }]),
            plant(vec![Seed {
                learning_rate: f64::NAN,
                ..seed.clone()
            }]),
            plant(vec![Seed {
                learning_rate: -1.0,
                ..seed.clone()
            }]),
            plant(vec![Seed {
                replay_share: f64::INFINITY,
                ..seed
            }]),
            Verdict::Curriculum(CurriculumVerdict::Park(vec![7])),
        ]),
    );
    table.case(
        "D07a",
        "advance without a single result, or on results that are no numbers",
        "V",
        || unproven(rig),
    );
    table.case("D07c", "an advance that would skip the canary", "one stage at a time", || {
        no_stage_is_skipped(rig)
    });
    table.case("D09b", "HTML in a reason", "it stays text, byte for byte", || html_stays_text(rig));
    table.case("Dnn", "an answer of another kind", "V, fallback", || other_kinds(rig));
    table.case(
        "P4",
        "every kind, every class of fault",
        "the fallback of its kind; a gate holds",
        || falls_back(rig),
    );
}

/// Says what it was told to, whatever it is asked.
struct Nonsense(Result<Answer, Fault>);

impl Policies for Nonsense {
    fn ask(&mut self, _policy: &PolicyRef, _context: &Context) -> Result<Answer, Fault> {
        self.0.clone()
    }

    fn migrate(&mut self, _policy: &PolicyRef, _from_version: u32, state: &[u8]) -> Result<Vec<u8>, Fault> {
        Ok(state.to_vec())
    }

    fn fingerprint(&self, engine: EngineKind) -> String {
        format!("nonsense {}", engine.slug())
    }
}

fn say(kind: PolicyKind, what: Result<Answer, Fault>, course: Course) -> Result<Asked> {
    let description = PolicyDescription {
        policy: PolicyRef {
            name: "nonsense".into(),
            version: "1".into(),
            digest: Digest::of(b"nonsense"),
            engine: EngineKind::Component,
        },
        kind,
        summary: String::new(),
        settings_schema: Vec::new(),
        settings: Vec::new(),
        limits: PolicyLimits::default(),
        state_version: 0,
        code_bytes: 0,
    };
    play::ask(description, &mut Nonsense(what), course)
}

fn all_refused(rig: &Rig, course: &Course, verdicts: Vec<(Verdict, Advice)>) -> Result<Seen> {
    let mut slowest_ms: f64 = 0.0;
    let mut words: Vec<String> = Vec::new();
    let count = verdicts.len();
    for (verdict, advice) in verdicts {
        let what = short(&format!("{verdict:?} {advice:?}"));
        let kind = verdict.kind();
        let answer = Answer {
            verdict,
            advice,
            cost: Cost::default(),
        };
        let asked = say(kind, Ok(answer), course.clone())?;
        let ruling = &asked.decision.ruling;
        let declined = ruling.declined.first().with_context(|| format!("taken: {what}"))?;
        ensure!(declined.fault.class == FaultClass::InvalidOutput, "{what}: {:?}", declined.fault);
        ensure!(
            ruling.link == Link::BuiltIn && fallback_of(&ruling.verdict, course),
            "{what}: the fallback was {:?}",
            ruling.verdict
        );
        slowest_ms = slowest_ms.max(asked.cpu_ms);
        words.push(declined.fault.detail.clone());
    }
    rig.unharmed()?;
    Ok(seen(
        format!("{count} refused, as in: {}", short(words.first().map_or("", String::as_str))),
        slowest_ms,
    ))
}

/// With two places free, the built-in picks two.
fn fallback_of(verdict: &Verdict, course: &Course) -> bool {
    match verdict {
        Verdict::Selection(SelectionVerdict::Pick(picks)) if course.settings.training_max_active > 1 => *picks == [0, 1],
        verdict => play::is_fallback(verdict),
    }
}

/// The coordinator does not even ask a gate without results, so its check is asked itself.
fn unproven(rig: &Rig) -> Result<Seen> {
    let began = Instant::now();
    let mut context = canned_context(PolicyKind::PromotionGate);
    let mut answer = Answer {
        verdict: Verdict::Gate(GateVerdict::Advance),
        advice: Advice::default(),
        cost: Cost::default(),
    };
    ensure!(settle(&context, &mut answer).is_ok(), "advance on results is refused");
    let Context::Gate(gate) = &mut context else {
        bail!("the canned context of a gate is one");
    };
    gate.pairs[0].candidate = f64::NAN;
    let on_nan = settle(&context, &mut answer).err().context("advance on NaN was taken")?;
    let Context::Gate(gate) = &mut context else {
        bail!("the canned context of a gate is one");
    };
    gate.pairs.clear();
    let on_nothing = settle(&context, &mut answer).err().context("advance on nothing was taken")?;
    rig.unharmed()?;
    Ok(seen(format!("{on_nothing}; {on_nan}"), ms_since(began)))
}

fn no_stage_is_skipped(rig: &Rig) -> Result<Seen> {
    let verdict = Verdict::Gate(GateVerdict::Advance);
    let answer = Answer {
        verdict,
        advice: Advice::default(),
        cost: Cost::default(),
    };
    let asked = say(PolicyKind::PromotionGate, Ok(answer), Course::plain())?;
    let state = asked.coordinator.state();
    let candidate = state.candidate.as_ref().context("there is a candidate")?;
    ensure!(
        matches!(candidate.stage, CandidateStage::Canary { .. }),
        "after one advance it is {}",
        candidate.stage.slug()
    );
    ensure!(state.active.as_ref() == Some(&candidate.baseline), "the candidate is live");
    rig.unharmed()?;
    Ok(seen("after an evaluation it is in canary, and the baseline is live", asked.cpu_ms))
}

fn html_stays_text(rig: &Rig) -> Result<Seen> {
    let text = "<img src=x onerror=alert(1)><script>alert(2)</script>&amp;";
    let reasons = vec![Reason {
        code: "html".into(),
        text: text.into(),
        ..Reason::default()
    }];
    let advice = Advice {
        reasons,
        ..Advice::default()
    };
    let verdict = Verdict::Selection(SelectionVerdict::Idle);
    let asked = say(
        PolicyKind::SourceSelection,
        Ok(Answer {
            verdict,
            advice,
            cost: Cost::default(),
        }),
        Course::plain(),
    )?;
    let kept = asked.decision.ruling.advice.reasons.first().map(|reason| reason.text.as_str());
    ensure!(kept == Some(text), "recorded as {kept:?}");
    rig.unharmed()?;
    Ok(seen("recorded as it is; the page makes text nodes of reasons", asked.cpu_ms))
}

fn one_of(kind: PolicyKind) -> Verdict {
    match kind {
        PolicyKind::SourceSelection => Verdict::Selection(SelectionVerdict::Idle),
        PolicyKind::Retry => Verdict::Retry(RetryVerdict::GiveUp),
        PolicyKind::PromotionGate => Verdict::Gate(GateVerdict::Advance),
        PolicyKind::Curriculum => Verdict::Curriculum(CurriculumVerdict::Nothing),
    }
}

fn other_kinds(rig: &Rig) -> Result<Seen> {
    let mut slowest_ms: f64 = 0.0;
    for asked_of in PolicyKind::ALL {
        for answered_for in PolicyKind::ALL.into_iter().filter(|kind| *kind != asked_of) {
            let answer = Answer {
                verdict: one_of(answered_for),
                advice: Advice::default(),
                cost: Cost::default(),
            };
            let asked = say(asked_of, Ok(answer), Course::plain())?;
            let ruling = &asked.decision.ruling;
            ensure!(
                ruling.link == Link::BuiltIn && play::is_fallback(&ruling.verdict),
                "{asked_of}: {:?}",
                ruling.verdict
            );
            slowest_ms = slowest_ms.max(asked.cpu_ms);
        }
    }
    rig.unharmed()?;
    Ok(seen("12 pairs of kinds, all refused", slowest_ms))
}

fn falls_back(rig: &Rig) -> Result<Seen> {
    let classes = [
        FaultClass::Trap,
        FaultClass::Fuel,
        FaultClass::Deadline,
        FaultClass::Memory,
        FaultClass::InvalidOutput,
        FaultClass::RefusedImport,
        FaultClass::Declined,
        FaultClass::HostFault,
    ];
    let mut words = Vec::new();
    let mut slowest_ms: f64 = 0.0;
    for kind in PolicyKind::ALL {
        let mut verdicts = Vec::new();
        for class in classes {
            let fault = Fault {
                class,
                detail: "made up".into(),
                cost: Cost::default(),
            };
            let asked = say(kind, Err(fault), Course::plain())?;
            let ruling = asked.decision.ruling;
            ensure!(
                ruling.link == Link::BuiltIn && play::is_fallback(&ruling.verdict),
                "{kind}, {}: {:?}",
                class.slug(),
                ruling.verdict
            );
            ensure!(
                ruling.declined.first().map(|declined| declined.fault.class) == Some(class),
                "{kind}: the record lost the class"
            );
            slowest_ms = slowest_ms.max(asked.cpu_ms);
            if !verdicts.contains(&ruling.verdict.slug()) {
                verdicts.push(ruling.verdict.slug());
            }
        }
        words.push(format!("{kind} -> {}", verdicts.join("/")));
    }
    rig.unharmed()?;
    Ok(seen(words.join(", "), slowest_ms))
}
