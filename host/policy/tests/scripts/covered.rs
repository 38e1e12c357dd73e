//! Lines that were run are told, and noting them changes no answer.

use crate::support::*;
use pointsman_coordinator::Policies;
use pointsman_model::context::Context;
use pointsman_model::decision::{RetryVerdict, Verdict};
use pointsman_model::policy::*;
use pointsman_policy::script::Covered;
use pointsman_policy::{Checked, Engines, Library, canned_context};

/// Line 7 is for hosts that fail often, line 10 for a budget that is spent, the second half of line 14 for long waits.
const BRANCHES: &str = r#"fn describe() {
    #{ name: "branches", version: "1", kind: "retry" }
}
fn decide(ctx) {
    let wait = 5;
    if ctx.host_failures > 100 {
        wait = 50;
    }
    switch ctx.budget_left {
        0 => return #{ verdict: "give_up" },
        1 => wait += 1,
        _ => wait += 2
    }
    if wait > 1000 { wait = 1000; }
    #{ verdict: #{ retry: wait } }
}
"#;

fn covered(engine: EngineKind, file: &str, code: &[u8]) -> (Covered, PolicyDescription) {
    let library = Library::new();
    let checked: Checked = library
        .check(source_as(engine, file, code), PolicyLimits::default())
        .unwrap_or_else(|problem| panic!("{problem}"));
    library.install(checked.clone());
    let covered = Covered::over(Engines::new(library), file, &checked)
        .expect("it loads")
        .expect("it is a script");
    (covered, checked.description)
}

fn retry(description: &PolicyDescription, budget_left: u32) -> Context {
    let mut context = question(description);
    let Context::Retry(retry) = &mut context else {
        panic!("a retry question")
    };
    retry.budget_left = budget_left;
    context
}

#[test]
fn lines_that_no_question_reached_are_told() {
    for engine in script_engines() {
        let (mut covered, description) = covered(engine, "branches.rhai", BRANCHES.as_bytes());
        covered.ask(&description.policy, &retry(&description, 2)).expect("it decides");
        let found = covered.lines_run();
        assert_eq!(found.never_run, [(7, 7), (10, 10)], "{found}");
        assert_eq!(found.run_in_part, [14], "{found}");
        covered.ask(&description.policy, &retry(&description, 0)).expect("it decides");
        let found = covered.lines_run();
        assert_eq!(found.never_run, [(7, 7)], "{found}");
        assert_eq!(covered.differences(), [""; 0]);
    }
}

#[test]
fn a_component_has_no_lines() {
    let library = Library::new();
    let checked = library
        .check(source("guest.wasm", plain_guest()), PolicyLimits::default())
        .expect("it is accepted");
    assert!(
        Covered::over(Engines::new(library), "guest.wasm", &checked)
            .expect("it is no mistake")
            .is_none()
    );
}

/// What the shipped scripts answer to many questions, with and without their lines noted.
#[test]
fn shipped_scripts_answer_alike_while_their_lines_are_noted() {
    for file in ["retry.rhai", "source-selection.rhai", "curriculum.rhai"] {
        let (mut covered, description) = covered(EngineKind::TrustedRhai, file, &script(file));
        for turn in 0..200 {
            let mut context = canned_context(description.kind);
            context.frame_mut().settings = description.settings.clone();
            context.frame_mut().seed = turn;
            vary(&mut context, turn);
            let _ = covered.ask(&description.policy, &context);
        }
        let found = covered.lines_run();
        println!("{file}: {found}");
        assert_eq!(covered.differences(), [""; 0], "{file}");
        assert!(found.lines > 25 && found.percent() > 70.0, "{file}: {found}");
    }
}

/// Other branches for other turns.
fn vary(context: &mut Context, turn: u64) {
    let small = (turn % 7) as u32;
    match context {
        Context::Selection(selection) => {
            selection.free = small;
            selection.same_host_cap = 1 + small % 2;
            for candidate in &mut selection.candidates {
                candidate.attempts = small;
                candidate.age_s = (turn * 40) as f64;
            }
        }
        Context::Retry(retry) => {
            let classes = pointsman_model::run::FailureClass::ALL;
            retry.class = classes[turn as usize % classes.len()];
            (retry.attempt, retry.budget_left, retry.same_error_before) = (1 + small, small % 4, small);
            retry.elapsed_ms = turn * 10_000;
        }
        Context::Curriculum(curriculum) => {
            curriculum.budget = small;
            for skill in &mut curriculum.skills {
                (skill.tries, skill.successes) = (small * 3, small * 3 / (1 + small % 2));
                skill.progress = f64::from(small) / 50.0 - 0.05;
            }
        }
        Context::Gate(_) => {}
    }
}

/// The parser does not say where a parenthesis stands: what begins with one on a line of its own cannot be marked.
#[test]
fn what_cannot_be_marked_is_not_counted_and_still_decides() {
    let code = r#"fn describe() { #{ name: "wide", version: "1", kind: "retry" } }
fn decide(ctx) {
    let wait = twice(2);
    #{ verdict: #{ retry: wait } }
}
fn twice(x) {
    (
        x + 1
    ) * 2
}
"#;
    let (mut covered, description) = covered(EngineKind::TrustedRhai, "wide.rhai", code.as_bytes());
    assert_eq!(covered.lines_run().lines, 3);
    let answer = covered.ask(&description.policy, &question(&description)).expect("it decides");
    assert_eq!(answer.verdict, Verdict::Retry(RetryVerdict::Retry(6)));
    let found = covered.lines_run();
    assert_eq!((found.run, found.never_run.len()), (3, 0), "{found}");
    assert_eq!(covered.differences(), [""; 0]);
}
