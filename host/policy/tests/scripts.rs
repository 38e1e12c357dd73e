//! Rhai scripts: mistakes are told with line, column and cure; hostile ones are contained under their class.

mod support;

mod scripts {
    mod covered;
}

use pointsman_coordinator::Policies;
use pointsman_model::context::Context;
use pointsman_model::decision::*;
use pointsman_model::policy::*;
use pointsman_policy::script::{Place, completion};
use pointsman_policy::{Engines, Library, PolicyProblem, PolicySource, ProblemCode, Stage, canned_context};
use support::*;

fn retry_script(decide: &str) -> String {
    format!(
        "fn describe() {{ #{{ name: \"test\", version: \"1\", kind: \"retry\", settings: [#{{ name: \"wait_ms\", default: 5.0 }}] }} }}\n{decide}\n"
    )
}

fn contained(decide: &str, class: FaultClass, detail: &str) {
    contained_within(decide, limits_for(class), class, detail);
}

fn contained_within(decide: &str, limits: PolicyLimits, class: FaultClass, detail: &str) {
    for engine in script_engines() {
        contained_in(engine, decide, limits, class, detail);
    }
}

fn contained_in(engine: EngineKind, decide: &str, limits: PolicyLimits, class: FaultClass, detail: &str) {
    let library = Library::new();
    let hostile = load_unasked(&library, engine, PolicyKind::Retry, retry_script(decide).as_bytes(), limits);
    let plain = install_as(
        &library,
        engine,
        "plain.rhai",
        retry_script("fn decide(ctx) { #{ verdict: \"give_up\" } }"),
    );
    let before = cpu_ms();
    let fault = ask(&library, &hostile, &canned_context(PolicyKind::Retry)).expect_err(decide);
    let took = cpu_ms() - before;
    assert_eq!(fault.class, class, "{decide}: {}", fault.detail);
    assert!(fault.detail.contains(detail), "{decide}: {}", fault.detail);
    assert!(fault.detail.len() <= FAULT_DETAIL_BYTES_MAX);
    assert!(took < f64::from(limits.deadline_ms) + 70.0, "{decide} took {took} ms of CPU time");
    let answer = ask(&library, &plain.policy, &question(&plain)).expect("the next decision is unharmed");
    assert_eq!(answer.verdict, Verdict::Retry(RetryVerdict::GiveUp));
}

#[test]
fn loops_end_by_fuel_and_cannot_catch_it() {
    contained("fn decide(ctx) { loop {} }", FaultClass::Fuel, "fuel");
    contained("fn decide(ctx) { loop { try { loop {} } catch { } } }", FaultClass::Fuel, "fuel");
    contained("fn decide(ctx) { let x = 0; while true { x += 1; } }", FaultClass::Fuel, "fuel");
    contained(
        "fn decide(ctx) { let x = 0; for i in 0..9223372036854775807 { x = i; } }",
        FaultClass::Fuel,
        "fuel",
    );
}

#[test]
fn with_fuel_to_spare_they_end_by_their_cpu_time() {
    let limits = PolicyLimits {
        fuel: u64::MAX,
        deadline_ms: 20,
        ..PolicyLimits::default()
    };
    contained_within("fn decide(ctx) { loop {} }", limits, FaultClass::Deadline, "the policy ran");
}

#[test]
fn recursion_ends() {
    contained(
        "fn decide(ctx) { f(1) }\nfn f(n) { f(n + 1) + 1 }",
        FaultClass::Trap,
        "nested too deeply",
    );
    contained(
        "fn decide(ctx) { f(1) }\nfn f(n) { g(n) }\nfn g(n) { f(n) }",
        FaultClass::Trap,
        "nested too deeply",
    );
}

/// Each level of calls holds an expression as deep as may be: the native stack must be enough, also a thread's 2 MiB.
#[test]
fn the_deepest_script_fits_into_a_thread_s_stack() {
    let forms = [
        ("(1 + ", ")"),
        ("[", "]"),
        ("if true { ", " } else { 0 }"),
        ("max(1, ", ")"),
        ("#{ a: ", " }"),
        ("!(", ")"),
        ("{", "}"),
    ];
    for (open, close) in forms {
        let script = |depth: usize| {
            let nested = format!("{}f(n + 1){}", open.repeat(depth), close.repeat(depth));
            format!("fn decide(ctx) {{ f(1) }}\nfn f(n) {{ let x = {nested}; x }}")
        };
        let deepest = (1..=64)
            .rev()
            .find(|depth| problem("deep.rhai", retry_script(&script(*depth))).code != ProblemCode::Syntax);
        let deepest = deepest.unwrap_or_else(|| panic!("no depth of {open} is accepted"));
        assert!(deepest >= 10, "{open} {deepest}");
        contained(&script(deepest), FaultClass::Trap, "nested too deeply");
    }
}

const BIG: [&str; 2] = [
    "fn decide(ctx) { let big = fill(4000, 1); let a = fill(4000, 0); for i in 0..4000 { a[i] = big; } a.len() }",
    "fn decide(ctx) { let big = fill(4000, 1); let m = #{}; let i = 0; loop { m[`k${i}`] = big; i += 1; } }",
];

/// A list filled by index is not measured by the interpreter until it is used as a whole.
#[test]
fn memory_is_bounded_where_the_interpreter_does_not_look() {
    let limits = PolicyLimits {
        fuel: u64::MAX,
        deadline_ms: 5_000,
        memory_bytes: 32 << 20,
    };
    let library = Library::new();
    let engines = script_engines();
    for (engine, decide) in engines.into_iter().flat_map(|engine| BIG.map(|decide| (engine, decide))) {
        let hostile = load_unasked(&library, engine, PolicyKind::Retry, retry_script(decide).as_bytes(), limits);
        let fault = ask(&library, &hostile, &canned_context(PolicyKind::Retry)).expect_err(decide);
        assert_eq!(fault.class, FaultClass::Memory, "{decide}: {}", fault.detail);
    }
}

#[test]
fn sizes_are_held() {
    contained(
        "fn decide(ctx) { let s = \"0123456789\"; loop { s += s; } }",
        FaultClass::Memory,
        "string",
    );
    contained(
        "fn decide(ctx) { let s = \"0123456789\"; loop { s = `${s}${s}`; } }",
        FaultClass::Memory,
        "string",
    );
    contained("fn decide(ctx) { let a = []; loop { a.push(1); } }", FaultClass::Memory, "array");
    contained("fn decide(ctx) { let a = [1]; loop { a = [a, a]; } }", FaultClass::Memory, "array");
    contained(
        "fn decide(ctx) { let a = [1, 2]; loop { a.append(a); } }",
        FaultClass::Memory,
        "array",
    );
    contained("fn decide(ctx) { fill(1000000000, 1) }", FaultClass::Memory, "array");
    contained(
        "fn decide(ctx) { fill(4000, \"0123456789012345678901234567890123456789\") }",
        FaultClass::Memory,
        "array",
    );
}

#[test]
fn numbers_and_lists_at_their_edges_are_faults_and_not_panics() {
    contained("fn decide(ctx) { 9223372036854775807 + 1 }", FaultClass::Trap, "");
    contained("fn decide(ctx) { 1 / 0 }", FaultClass::Trap, "");
    contained("fn decide(ctx) { 1 << 1000 }", FaultClass::InvalidOutput, "");
    contained("fn decide(ctx) { (0.0 / 0.0).to_int() }", FaultClass::Trap, "no integer");
    contained("fn decide(ctx) { [1][5] }", FaultClass::Trap, "");
    contained(
        "fn decide(ctx) { #{ verdict: #{ retry: 1.0 / 0.0 } } }",
        FaultClass::InvalidOutput,
        "verdict.retry",
    );
    contained(
        "fn decide(ctx) { #{ verdict: \"give_up\", reasons: [#{ code: \"c\", value: 0.0 / 0.0 }] } }",
        FaultClass::InvalidOutput,
        "reason 0: value is not a finite number",
    );
    contained(
        "fn decide(ctx) { #{ verdict: \"give_up\", reasons: fill(33, 1) } }",
        FaultClass::InvalidOutput,
        "reasons",
    );
    contained("fn decide(ctx) { throw \"not today\" }", FaultClass::Declined, "not today");
    contained(
        "fn decide(ctx) { let s = \"0123456789\"; for i in 0..12 { s += s; } throw s }",
        FaultClass::Declined,
        "0123",
    );
    contained("fn decide(ctx) { loop { log(\"x\"); } }", FaultClass::Trap, "logged more than");
}

#[test]
fn mistakes_are_told_with_place_and_cure() {
    let check = |decide: &str, code: ProblemCode, place: (u32, u32), text: &str, fix: &str| {
        let mut found = script_engines().into_iter().map(|engine| {
            let offered = source_as(engine, "retry.rhai", retry_script(decide));
            Library::new().check(offered, PolicyLimits::default()).expect_err(decide)
        });
        let (found, natively) = (found.next().expect("an engine"), found.next());
        assert!(
            natively.is_none_or(|natively| natively == found),
            "both engines say the same: {found}"
        );
        assert_eq!(found.code, code, "{found}");
        assert_eq!((found.line, found.column), (Some(place.0), Some(place.1)), "{found}");
        assert!(found.to_string().contains(text), "{found}");
        assert!(found.fix.as_deref().unwrap_or_default().contains(fix), "{found}");
        assert!(
            found
                .to_string()
                .starts_with(&format!("{code} retry.rhai:{}:{} ", place.0, place.1)),
            "{found}"
        );
    };
    check(
        "fn decide(ctx) {\n    if ctx.atempt > 3 { return #{ verdict: \"give_up\" }; }\n    #{ verdict: \"give_up\" }\n}",
        ProblemCode::UnknownField,
        (3, 12),
        "'atempt' is not a field",
        "'attempt'",
    );
    check(
        "fn decide(ctx) { #{ verdict: #{ retry: ctx.settings.wait_mss } } }",
        ProblemCode::UnknownField,
        (2, 53),
        "wait_mss",
        "'wait_ms'",
    );
    check(
        "fn decide(ctx) { #{ verdict: #{ retry: flor(1.5) } } }",
        ProblemCode::UnknownFunction,
        (2, 40),
        "'flor'",
        "'floor'",
    );
    check(
        "fn decide(ctx) { let delay = 1; #{ verdict: #{ retry: dealy } } }",
        ProblemCode::UnknownVariable,
        (2, 55),
        "'dealy'",
        "'delay'",
    );
    check("fn decide(ctx) { #{ verdict: }", ProblemCode::Syntax, (2, 30), "", "");
    check(
        "fn decide(ctx) { sleep(60); }",
        ProblemCode::UnknownFunction,
        (2, 18),
        "'sleep'",
        "",
    );
    check(
        "fn decide(ctx) { timestamp(); }",
        ProblemCode::UnknownFunction,
        (2, 18),
        "'timestamp'",
        "ctx.now_ms",
    );
    check(
        "fn decide(ctx) { print(1); }",
        ProblemCode::UnknownFunction,
        (2, 18),
        "'print'",
        "log(text)",
    );
    check(
        "fn decide(ctx) { \"a\".replace(\"a\", \"b\"); }",
        ProblemCode::UnknownFunction,
        (2, 22),
        "'replace'",
        "",
    );
    check(
        "fn decide(ctx) { 2.0 ** 0.5 }",
        ProblemCode::Forbidden,
        (2, 22),
        "'**' does not exist",
        "pow(x, y)",
    );
    check("fn decide(ctx) { eval(\"1\") }", ProblemCode::Forbidden, (2, 18), "eval", "");
    check(
        "import \"/etc/passwd\" as x; fn decide(ctx) { 1 }",
        ProblemCode::Forbidden,
        (2, 1),
        "import",
        "",
    );
    check(
        "let x = 1; fn decide(ctx) { 1 }",
        ProblemCode::Syntax,
        (2, 1),
        "outside functions",
        "into a function",
    );
}

#[test]
fn what_is_missing_is_named() {
    let found = problem("a.rhai", "fn decide(ctx) { 1 }");
    assert_eq!(found.code, ProblemCode::MissingFunction);
    assert!(found.to_string().contains("fn describe()"), "{found}");
    let found = problem(
        "a.rhai",
        "fn describe() { #{ name: \"a\", version: \"1\", kind: \"retyr\" } } fn decide(ctx) { 1 }",
    );
    assert_eq!((found.code, found.stage), (ProblemCode::DescribeFailed, Stage::Describe));
    assert!(found.to_string().contains("kind is 'retyr'"), "{found}");
    let found = problem(
        "a.rhai",
        "fn describe() { #{ name: \"a b\", version: \"1\", kind: \"retry\" } } fn decide(ctx) { 1 }",
    );
    assert_eq!(found.code, ProblemCode::BadDescription);
    let found = problem("a.rhai", retry_script("fn decide(ctx) { #{ verdict: \"giveup\" } }"));
    assert_eq!((found.code, found.stage), (ProblemCode::SelfTestFailed, Stage::SelfTest));
    assert!(found.to_string().contains("\"give_up\""), "{found}");
    assert_eq!(problem("a.rhai", b"\xff\xfe".to_vec()).code, ProblemCode::Syntax);
    assert_eq!(problem("a.rhai", " ".repeat(65_537)).code, ProblemCode::TooLarge);
}

#[test]
fn deep_and_long_scripts_are_refused_quickly() {
    let plain = "fn decide(ctx) { #{ verdict: \"give_up\" } }\n";
    let deep: Vec<String> = [
        ("(", ")"),
        ("[", "]"),
        ("!", ""),
        ("-", ""),
        ("if true { ", " }"),
        ("#{ a: ", " }"),
        ("`${", "}`"),
        ("1+(", ")"),
    ]
    .into_iter()
    .flat_map(|(open, close)| [100, 1_000, 5_000].map(|depth| (open, close, depth)))
    .map(|(open, close, depth)| format!("{plain}fn f() {{ {}1{} }}", open.repeat(depth), close.repeat(depth)))
    .collect();
    let long = [
        format!(
            "{plain}fn f() {{ {} }}",
            (0..5_000).map(|n| format!("let v{n}=1;")).collect::<String>()
        ),
        format!(
            "{plain}fn f({}) {{ 1 }}",
            (0..9_000).map(|n| format!("a{n}")).collect::<Vec<_>>().join(",")
        ),
        format!("{plain}{}", (0..3_000).map(|n| format!("fn f{n}() {{}}\n")).collect::<String>()),
        format!("{plain}fn f() {{ {} }}", "/*".repeat(30_000)),
    ];
    for script in deep.iter().chain(&long) {
        let before = cpu_ms();
        let result = check("deep.rhai", retry_script(script));
        let took = cpu_ms() - before;
        assert!(took < 2_000.0, "{:.60} took {took} ms", &script[plain.len()..]);
        if let Err(problem) = result {
            assert_eq!(problem.stage, Stage::Parse, "{problem}");
        }
    }
}

/// What an editor offers is what the interpreter gives.
#[test]
fn completion_names_exactly_the_fields_of_each_context() {
    for kind in PolicyKind::ALL {
        let mut offered: Vec<String> = completion(kind)
            .entries
            .into_iter()
            .filter(|entry| entry.place == Place::Context)
            .map(|entry| entry.name)
            .collect();
        offered.sort();
        let code = format!(
            "fn describe() {{ #{{ name: \"keys\", version: \"1\", kind: \"{kind}\" }} }}
             fn decide(ctx) {{ let all = \"\"; for key in ctx.keys() {{ all += key + \" \"; }} throw all }}"
        );
        for engine in script_engines() {
            let library = Library::new();
            let keys = load_unasked(&library, engine, kind, code.as_bytes(), PolicyLimits::default());
            let fault = ask(&library, &keys, &canned_context(kind)).expect_err("it throws");
            let found: Vec<&str> = fault
                .detail
                .split(' ')
                .filter(|word| offered.iter().any(|name| name == word))
                .collect();
            assert_eq!(found, offered, "{kind}: {}", fault.detail);
        }
    }
}

/// Each call has its own fuel, log and variables, also where the instance that ran the last one is used again.
#[test]
fn nothing_is_kept_from_one_call_to_the_next() {
    let code = retry_script(
        "fn decide(ctx) {
            if ctx.seed == 1 { let a = fill(4000, 1); let b = fill(4000, 0); for i in 0..4000 { b[i] = a; } }
            if ctx.seed == 2 { loop {} }
            let kept = ctx.title;
            ctx.title = `${kept} again`;
            ctx.settings.wait_ms += 1.0;
            for i in 0..600 { log(\"a line\"); }
            let n = 0; while n < 60000 { n += 1; }
            #{ verdict: #{ retry: ctx.settings.wait_ms }, reasons: [#{ code: \"c\", text: `${kept} ${ctx.title}` }] }
        }",
    );
    for engine in script_engines() {
        let library = Library::new();
        let policy = install_as(&library, engine, "kept.rhai", code.clone());
        let mut context = question(&policy);
        let first = without_time(ask(&library, &policy.policy, &context).expect("it decides"));
        assert_eq!(first.verdict, Verdict::Retry(RetryVerdict::Retry(6)));
        assert_eq!(first.advice.reasons[0].text, "self-test self-test again");
        for (seed, class) in [
            (0, None),
            (1, Some(FaultClass::Memory)),
            (0, None),
            (2, Some(FaultClass::Fuel)),
            (0, None),
            (0, None),
        ] {
            let plain = context.frame().seed;
            context.frame_mut().seed = if seed == 0 { plain } else { seed };
            match (ask(&library, &policy.policy, &context), class) {
                (Ok(answer), None) => assert_eq!(without_time(answer), first, "{engine:?}"),
                (Err(fault), Some(class)) if fault.class == class || fault.class == FaultClass::Deadline => {}
                (other, _) => panic!("{engine:?}, seed {seed}: {other:?}"),
            }
            context.frame_mut().seed = plain;
        }
    }
    for attempt in [
        "let kept = 1; fn decide(ctx) { kept += 1; #{ verdict: \"give_up\" } }",
        "const KEPT = [1]; fn decide(ctx) { KEPT.push(1); #{ verdict: \"give_up\" } }",
        "fn decide(ctx) { global::kept = 1; #{ verdict: \"give_up\" } }",
        "fn decide(ctx) { let kept = 1; let f = || kept += 1; #{ verdict: \"give_up\" } }",
    ] {
        let found = problem("kept.rhai", retry_script(attempt));
        assert_eq!(found.stage, Stage::Parse, "{found}");
    }
}

#[test]
fn settings_are_checked_by_schema_and_by_the_script() {
    let library = Library::new();
    let check = |name: &str, value: f64| -> Result<PolicyDescription, PolicyProblem> {
        let settings = vec![Setting {
            name: name.into(),
            value: Value::Number(value),
        }];
        let offered = PolicySource {
            file: "retry.rhai".into(),
            bytes: script("retry.rhai"),
            settings,
            trusted: false,
        };
        library.check(offered, PolicyLimits::default()).map(|checked| checked.description)
    };
    let description = check("base_s", 7.0).expect("in bounds");
    assert_eq!(
        description.settings[0],
        Setting {
            name: "base_s".into(),
            value: Value::Number(7.0)
        }
    );
    assert_ne!(
        description.policy.digest,
        check("base_s", 8.0).expect("in bounds").policy.digest,
        "other settings, other version"
    );
    assert_eq!(check("base_s", 0.0).expect_err("below").code, ProblemCode::BadSetting);
    let found = check("bas_s", 1.0).expect_err("unknown");
    assert!(found.to_string().ends_with("did you mean 'base_s'?"), "{found}");
    let found = check("cap_s", 1.0).expect_err("the script objects");
    assert_eq!((found.code, found.stage), (ProblemCode::SettingsRefused, Stage::Settings));
    assert!(found.message.contains("below base_s"), "{found}");
}

#[test]
fn a_script_may_ask_for_less_and_keeps_state() {
    let code = "fn describe() { #{ name: \"s\", version: \"1\", kind: \"retry\", state_version: 3, limits: #{ fuel: 1000000, deadline_ms: 5000 } } }
fn decide(ctx) { let n = if ctx.state == () { 0 } else { ctx.state.count }; #{ verdict: #{ retry: n }, state: #{ count: n + 1 } } }";
    let library = Library::new();
    let description = install(&library, "s.rhai", code);
    assert_eq!(
        description.limits,
        PolicyLimits {
            fuel: 1_000_000,
            ..PolicyLimits::default()
        }
    );
    assert_eq!(description.state_version, 3);
    let mut context = question(&description);
    for count in 0..3 {
        let answer = ask(&library, &description.policy, &context).expect("it decides");
        assert_eq!(answer.verdict, Verdict::Retry(RetryVerdict::Retry(count)));
        context.frame_mut().state = answer.advice.state.expect("state");
    }
    context.frame_mut().state = b"{".to_vec();
    let fault = ask(&library, &description.policy, &context).expect_err("damaged state");
    assert_eq!(fault.class, FaultClass::Declined);
}

#[test]
fn the_shipped_policies_decide_and_repeat_themselves() {
    for name in ["retry.rhai", "source-selection.rhai", "curriculum.rhai"] {
        let library = Library::new();
        let description = install(&library, name, script(name));
        let mut engines = Engines::new(library);
        let first = engines.ask(&description.policy, &question(&description)).expect("it decides");
        assert!(!first.advice.reasons.is_empty());
        assert!(
            first
                .cost
                .fuel
                .is_some_and(|fuel| fuel > 0 && fuel.is_multiple_of(FUEL_PER_RHAI_OPERATION))
        );
        for _ in 0..100 {
            let again = engines.ask(&description.policy, &question(&description)).expect("it decides");
            assert_eq!(without_time(again), without_time(first.clone()));
        }
    }
}

#[test]
fn the_curriculum_keeps_its_floor_and_parks_what_cannot_be_learnt() {
    let library = Library::new();
    let description = install(&library, "curriculum.rhai", script("curriculum.rhai"));
    let skill = |tries, progress| pointsman_model::context::Skill {
        tries,
        successes: tries,
        progress,
        stale_s: Some(10.0),
        loss: Some(2.0),
        ..Default::default()
    };
    let context = |skills: Vec<pointsman_model::context::Skill>| {
        let mut context = question(&description);
        let Context::Curriculum(curriculum) = &mut context else {
            panic!("a curriculum question")
        };
        curriculum.hosts = (0..skills.len()).map(|host| format!("host-{host}")).collect();
        curriculum.skills = skills;
        curriculum.budget = 1;
        context
    };
    let decide = |context: &Context| ask(&library, &description.policy, context).expect("it decides");

    let answer = decide(&context(vec![skill(6, 0.2), skill(6, 0.002), skill(6, 0.002), skill(6, -0.01)]));
    let distribution = answer.advice.distribution.clone();
    assert!((distribution.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{distribution:?}");
    assert!(
        distribution.iter().all(|share| *share >= 0.2 / 4.0 - 1e-9),
        "each has its floor: {distribution:?}"
    );
    assert!(distribution[0] > 0.6, "progress draws practice: {distribution:?}");
    assert!(matches!(answer.verdict, Verdict::Curriculum(CurriculumVerdict::Plant(seeds)) if seeds.len() == 1));

    let answer = decide(&context(vec![skill(6, 0.1), skill(6, 0.1), skill(6, -0.1), skill(20, 0.0)]));
    assert_eq!(answer.verdict, Verdict::Curriculum(CurriculumVerdict::Park(vec![2, 3])));
    assert_eq!(
        answer.advice.reasons.iter().map(|reason| reason.code.as_str()).collect::<Vec<_>>(),
        ["practice_harms", "no_progress"]
    );

    let mut drawn = [0; 4];
    for seed in 0..400 {
        let mut context = context(vec![skill(6, 0.05), skill(6, 0.05), skill(6, 0.05), skill(0, 0.0)]);
        context.frame_mut().seed = seed;
        if let Verdict::Curriculum(CurriculumVerdict::Plant(seeds)) = decide(&context).verdict {
            drawn[seeds[0].host as usize] += 1;
        }
    }
    assert!(drawn.iter().all(|count| *count > 60), "chance is spread: {drawn:?}");
}
