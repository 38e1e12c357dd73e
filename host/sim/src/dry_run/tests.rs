use super::*;
use crate::Scripted;
use crate::replay::tests::{context, recorded};
use pointsman_model::decision::Advice;
use pointsman_model::policy::{Cost, EngineKind, FaultClass, PolicyKind, PolicyRef};

/// Gives up on every third source and traps on every tenth. The one that keeps state counts its answers in it, and retries
/// so many milliseconds later.
struct ByRule {
    keeps_state: bool,
    /// Answers after which it retries later than it otherwise would: what a policy does that remembers.
    tires_after: Option<u64>,
    answers: u64,
}

impl ByRule {
    fn engine(keeps_state: bool, tires_after: Option<u64>) -> Box<dyn Policies> {
        Box::new(ByRule {
            keeps_state,
            tires_after,
            answers: 0,
        })
    }
}

impl Policies for ByRule {
    fn ask(&mut self, _: &PolicyRef, context: &Context) -> Result<Answer, Fault> {
        let Context::Retry(retry) = context else {
            unreachable!("only retries are recorded here")
        };
        let cost = Cost {
            fuel: Some(retry.source),
            micros: 1,
        };
        if retry.source % 10 == 0 {
            return Err(Fault {
                class: FaultClass::Trap,
                detail: "the tenth".into(),
                cost,
            });
        }
        self.answers += 1;
        let tired = self.tires_after.is_some_and(|after| self.answers > after);
        let counted = u8::try_from(retry.frame.state.len()).expect("few decisions");
        let verdict = match retry.source % 3 {
            0 => RetryVerdict::GiveUp,
            _ => RetryVerdict::Retry(5 + u64::from(counted) + u64::from(tired)),
        };
        let advice = Advice {
            reasons: recorded(1, RetryVerdict::GiveUp).decision.ruling.advice.reasons,
            state: self.keeps_state.then(|| vec![0; usize::from(counted) + 1]),
            ..Advice::default()
        };
        Ok(Answer {
            verdict: Verdict::Retry(verdict),
            advice,
            cost,
        })
    }

    fn migrate(&mut self, _: &PolicyRef, _: u32, _: &[u8]) -> Result<Vec<u8>, Fault> {
        unreachable!("nothing is migrated")
    }

    fn fingerprint(&self, _: EngineKind) -> String {
        "by rule".into()
    }
}

/// So many recorded retries after 5 ms, each of a source and host of its own number, five to a page.
struct Retries {
    count: u64,
    next: u64,
}

impl Window for Retries {
    type Row = u64;
    type Error = String;

    fn total(&self) -> u64 {
        self.count
    }

    fn rewind(&mut self) {
        self.next = 1;
    }

    fn next_page(&mut self) -> Result<Vec<u64>, String> {
        let page: Vec<u64> = (self.next..=self.count).take(5).collect();
        self.next += page.len() as u64;
        Ok(page)
    }

    fn read(id: u64) -> Result<RecordedDecision, String> {
        if id == 1_000 {
            return Err("entry 1000 is damaged".into());
        }
        let mut context = context(b"");
        if let Context::Retry(retry) = &mut context {
            retry.source = id;
            retry.host = Some(format!("host {}", id % 2));
        }
        Ok(RecordedDecision {
            context: Some(context.encode().bytes),
            ..recorded(id, RetryVerdict::Retry(5))
        })
    }
}

fn run(count: u64, threads: usize, keeps_state: bool) -> Result<Option<Found>, String> {
    run_with(count, threads, &|| ByRule::engine(keeps_state, None), None)
}

type EngineFactory<'e> = &'e (dyn Fn() -> Box<dyn Policies> + Sync);

fn run_with(
    count: u64,
    threads: usize,
    engines: EngineFactory<'_>,
    quick_engines: Option<EngineFactory<'_>>,
) -> Result<Option<Found>, String> {
    let version = Scripted::describe("new", "2", PolicyKind::Retry);
    let asked = DryRun {
        version: &version,
        reads_state_of: BTreeSet::new(),
        engines,
        quick_engines,
        guard: &|_, _| Ok(()),
        threads: NonZeroUsize::new(threads).expect("more than none"),
        cases_max: 4,
    };
    dry_run(&asked, &mut Retries { count, next: 1 }, &mut |_, _| true)
}

fn found(count: u64, threads: usize, keeps_state: bool) -> Found {
    run(count, threads, keeps_state)
        .expect("everything can be read")
        .expect("nobody ended it")
}

#[test]
fn changes_are_counted_by_class_and_by_what_they_touch() {
    let found = found(30, 1, false);
    let classes: Vec<(&str, u64)> = found.report.classes.iter().map(|(change, count)| (change.slug(), *count)).collect();
    assert_eq!(classes, [("gives_up", 9), ("new_error_trap", 3)]);
    let cases: Vec<(u64, &str)> = found.cases.iter().map(|case| (case.before.id.0, case.change.slug())).collect();
    assert_eq!(cases, [(3, "gives_up"), (6, "gives_up"), (9, "gives_up"), (10, "new_error_trap")]);
    let odd = found.groups[&(Dimension::Host, "host 1".to_string())];
    assert_eq!(
        odd,
        Tally {
            replayed: 15,
            changed: 5,
            lost: 5,
            gained: 0
        }
    );
    assert_eq!(found.groups[&(Dimension::Source, "7".to_string())].changed, 0);
    assert_eq!(found.span, Some(((DecisionId(1), 1), (DecisionId(30), 30))));
}

#[test]
fn what_is_found_does_not_depend_on_the_threads() {
    let one = found(203, 1, false);
    for threads in [2, 3, 8] {
        assert_eq!(format!("{:?}", found(203, threads, false)), format!("{one:?}"), "{threads} threads");
    }
}

#[test]
fn quick_answers_find_what_sure_ones_do() {
    let sure = found(203, 1, false);
    for threads in [1, 2, 3] {
        let quick = run_with(203, threads, &|| ByRule::engine(false, None), Some(&|| ByRule::engine(false, None)));
        let quick = quick.expect("everything can be read").expect("nobody ended it");
        assert!(
            quick.report.after.fuel(1.0) <= sure.report.after.fuel(1.0),
            "fewer are costed, none otherwise"
        );
        let but_costs = |mut found: Found| {
            (found.report.before, found.report.after) = Default::default();
            format!("{found:?}")
        };
        assert_eq!(but_costs(quick), but_costs(sure.clone()), "{threads} threads");
    }
}

#[test]
fn a_policy_that_remembers_is_noticed_and_asked_again_surely() {
    let sure = found(203, 1, false);
    for (threads, tires_after) in [(1, 60), (2, 60), (1, 0), (3, 40)] {
        let tired = || ByRule::engine(false, Some(tires_after));
        let found = run_with(203, threads, &|| ByRule::engine(false, None), Some(&tired));
        let mut found = found.expect("everything can be read").expect("nobody ended it");
        assert!(
            std::mem::take(&mut found.report.remembers),
            "{threads} threads, after {tires_after}"
        );
        assert_eq!(format!("{found:?}"), format!("{sure:?}"));
    }
}

#[test]
fn state_that_comes_late_is_handed_on_all_the_same() {
    let sure = found(40, 1, true);
    let quick = run_with(40, 1, &|| ByRule::engine(true, None), Some(&|| ByRule::engine(true, None)));
    let quick = quick.expect("everything can be read").expect("nobody ended it");
    assert_eq!(quick.report.classes, sure.report.classes);
}

#[test]
fn a_version_with_state_is_asked_in_one_line() {
    let (one, two) = (found(40, 1, true), found(40, 2, true));
    assert!(one.keeps_state);
    // Each answer before it makes a retry a millisecond later, whichever page it was on.
    let last = two.report.classes[&Change::RetriesLater];
    assert_eq!(last, one.report.classes[&Change::RetriesLater]);
    assert_eq!(format!("{two:?}"), format!("{one:?}"));
}

#[test]
fn a_damaged_row_ends_it_and_so_does_whoever_asked() {
    assert_eq!(run(1_200, 2, false).err().as_deref(), Some("entry 1000 is damaged"));
    let version = Scripted::describe("new", "2", PolicyKind::Retry);
    for threads in [1, 2] {
        let asked = DryRun {
            version: &version,
            reads_state_of: BTreeSet::new(),
            engines: &|| ByRule::engine(false, None),
            quick_engines: None,
            guard: &|_, _| Ok(()),
            threads: NonZeroUsize::new(threads).expect("more than none"),
            cases_max: 4,
        };
        let ended = dry_run(&asked, &mut Retries { count: 50, next: 1 }, &mut |done, _| done < 10);
        assert!(matches!(ended, Ok(None)));
    }
}

#[test]
fn an_empty_window_finds_nothing() {
    let found = found(0, 2, false);
    assert_eq!(found.report.looked_at(), 0);
    assert!(found.span.is_none());
}
