//! Hostile scripts, R01 to R18: each one a whole retry policy, with what must become of it on either engine.
#![allow(unreachable_pub)]

use pointsman_model::policy::FaultClass;

pub struct Attack {
    /// Case and variant: `R05 map growth`.
    pub name: String,
    pub code: Vec<u8>,
    pub required: Required,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Required {
    /// Never becomes a policy: refused before anything of it runs.
    Refused,
    /// Ends as one of these.
    Fault(&'static [FaultClass]),
    /// Refused, or ends as one of these: which of them is up to the parser.
    RefusedOr(&'static [FaultClass]),
    /// It is no attack after all: answers "retry after so many milliseconds".
    Retries(u64),
}

use FaultClass::{Deadline, Declined, Fuel, InvalidOutput, Memory, Trap};
use Required::{Fault, Refused, RefusedOr, Retries};

/// The operations are what should end it; on a slow machine the processor time may come first.
const TIME: &[FaultClass] = &[Fuel, Deadline];
const SIZE: &[FaultClass] = &[Memory, Fuel, Deadline];

pub fn attacks() -> Vec<Attack> {
    let mut attacks = Vec::new();
    let mut raw = |name: String, code: Vec<u8>, required| attacks.push(Attack { name, code, required });
    let mut all = |id: &str, variants: &[(&str, &str, Required)]| {
        for (what, decide, required) in variants {
            raw(format!("{id} {what}"), script(decide).into_bytes(), *required);
        }
    };
    all(
        "R01",
        &[
            ("endless loop", "fn decide(ctx) { loop {} }", Fault(TIME)),
            (
                "caught limits",
                "fn decide(ctx) { loop { try { loop {} } catch { } } }",
                Fault(TIME),
            ),
            (
                "endless range",
                "fn decide(ctx) { let x = 0; for i in 0..9223372036854775807 { x = i; } }",
                Fault(TIME),
            ),
        ],
    );
    all(
        "R02",
        &[
            ("recursion", "fn decide(ctx) { f(1) } fn f(n) { f(n + 1) + 1 }", Fault(&[Trap])),
            (
                "mutual recursion",
                "fn decide(ctx) { f(1) } fn f(n) { g(n) } fn g(n) { f(n) }",
                Fault(&[Trap]),
            ),
            ("closures", "fn decide(ctx) { let f = |g| g.call(g); f.call(f) }", Refused),
        ],
    );
    all(
        "R03",
        &[
            (
                "doubling",
                "fn decide(ctx) { let s = \"0123456789\"; loop { s += s; } }",
                Fault(&[Memory]),
            ),
            (
                "interpolation",
                "fn decide(ctx) { let s = \"0123456789\"; loop { s = `${s}${s}`; } }",
                Fault(&[Memory]),
            ),
            ("pad", "fn decide(ctx) { let s = \"\"; s.pad(1000000000, 'x'); }", Refused),
            (
                "upper case",
                "fn decide(ctx) { let s = \"\u{df}\"; loop { s += s; s = s.to_upper(); } }",
                Fault(&[Memory]),
            ),
        ],
    );
    all(
        "R04",
        &[
            (
                "replace",
                "fn decide(ctx) { let s = \"aaaaaaaa\"; s.replace(\"a\", s); s }",
                Refused,
            ),
            (
                "split and join",
                "fn decide(ctx) { let s = \"a,\"; for i in 0..12 { s += s; } let a = []; loop { a.append(s.split(\",\")); } }",
                Fault(SIZE),
            ),
        ],
    );
    all(
        "R05",
        &[
            ("push", "fn decide(ctx) { let a = []; loop { a.push(1); } }", Fault(&[Memory])),
            (
                "nested lists",
                "fn decide(ctx) { let a = [1]; loop { a = [a, a]; } }",
                Fault(&[Memory]),
            ),
            (
                "append itself",
                "fn decide(ctx) { let a = [1, 2]; loop { a.append(a); } }",
                Fault(&[Memory]),
            ),
            ("fill", "fn decide(ctx) { fill(1000000000, 1) }", Fault(&[Memory])),
            (
                "map growth",
                "fn decide(ctx) { let m = #{}; let i = 0; loop { m[`k${i}`] = i; i += 1; } }",
                Fault(SIZE),
            ),
            (
                "nested maps",
                "fn decide(ctx) { let m = #{}; loop { m = #{ a: m, b: m }; } }",
                Fault(SIZE),
            ),
            (
                "bytes by index",
                "fn decide(ctx) { let big = fill(4000, 1); let a = fill(4000, 0); for i in 0..4000 { a[i] = big; } a.len() }",
                Fault(SIZE),
            ),
            ("blob", "fn decide(ctx) { blob(2000000000) }", Refused),
        ],
    );
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("!", ""),
        ("-", ""),
        ("if true { ", " }"),
        ("#{ a: ", " }"),
        ("`${", "}`"),
        ("1+(", ")"),
    ] {
        for depth in [100, 1_000, 5_000] {
            let decide = format!("fn decide(ctx) {{ {}1{} }}", open.repeat(depth), close.repeat(depth));
            raw(format!("R06 {depth} times {open}"), script(&decide).into_bytes(), Refused);
        }
    }
    for (what, part) in [(".x", ".now_ms"), ("+1", "+1")] {
        let decide = format!("fn decide(ctx) {{ ctx.now_ms{} }}", part.repeat(7_000));
        raw(
            format!("R06 7000 times {what}"),
            script(&decide).into_bytes(),
            RefusedOr(&[Trap, InvalidOutput]),
        );
    }
    let many = |count: u32, part: fn(u32) -> String| (0..count).map(part).collect::<String>();
    for (what, decide, required) in [
        (
            "100,000 variables",
            format!("fn decide(ctx) {{ {} }}", many(100_000, |n| format!("let v{n}=1;"))),
            Refused,
        ),
        (
            "4,000 variables",
            format!("fn decide(ctx) {{ {} }}", many(4_000, |n| format!("let v{n}=1;"))),
            RefusedOr(&[Memory]),
        ),
        (
            "9,000 parameters",
            format!("fn decide(ctx) {{ f() }} fn f(a{}) {{ 1 }}", many(9_000, |n| format!(",a{n}"))),
            RefusedOr(&[Trap]),
        ),
        (
            "100,000 cases",
            format!("fn decide(ctx) {{ switch 1 {{ {} }} }}", many(100_000, |n| format!("{n}=>1,"))),
            Refused,
        ),
        (
            "5,000 cases",
            format!("fn decide(ctx) {{ switch 1 {{ {} }} }}", many(5_000, |n| format!("{n}=>1,"))),
            RefusedOr(&[InvalidOutput]),
        ),
        (
            "3,000 functions",
            format!("fn decide(ctx) {{ 1 }} {}", many(3_000, |n| format!("fn f{n}(){{}}"))),
            Refused,
        ),
    ] {
        raw(format!("R07 {what}"), script(&decide).into_bytes(), required);
    }
    let digits = "9".repeat(60_000);
    raw(
        "R08 5 MB of text".into(),
        script(&format!("fn decide(ctx) {{ \"{}\" }}", "x".repeat(5 << 20))).into_bytes(),
        Refused,
    );
    raw(
        "R08 60,000 digits".into(),
        script(&format!("fn decide(ctx) {{ #{{ verdict: #{{ retry: {digits} }} }} }}")).into_bytes(),
        RefusedOr(&[InvalidOutput]),
    );
    let mut all = |id: &str, variants: &[(&str, &str, Required)]| {
        for (what, decide, required) in variants {
            raw(format!("{id} {what}"), script(decide).into_bytes(), *required);
        }
    };
    all(
        "R09",
        &[
            ("eval", "fn decide(ctx) { eval(\"1\") }", Refused),
            ("Fn(\"eval\")", "fn decide(ctx) { Fn(\"eval\").call(\"1\") }", Refused),
        ],
    );
    all("R10", &[("import", "import \"/etc/passwd\" as x; fn decide(ctx) { 1 }", Refused)]);
    all("R11", &[("sleep", "fn decide(ctx) { sleep(60) }", Refused)]);
    all("R12", &[("timestamp", "fn decide(ctx) { timestamp() }", Refused)]);
    all(
        "R13",
        &[(
            "shadowed function",
            "fn decide(ctx) { #{ verdict: #{ retry: len([]) } } } fn len(x) { 7 }",
            Retries(7),
        )],
    );
    all(
        "R14",
        &[
            ("print", "fn decide(ctx) { loop { print(1); } }", Refused),
            ("log flood", "fn decide(ctx) { loop { log(\"x\"); } }", Fault(&[Trap])),
            (
                "one long line",
                "fn decide(ctx) { let s = \"x\"; for i in 0..15 { s += s; } loop { log(s); } }",
                Fault(&[Trap]),
            ),
        ],
    );
    all(
        "R15",
        &[
            ("sort by a comparator", "fn decide(ctx) { [1, 2].sort(|a, b| 1) }", Refused),
            ("curry", "fn decide(ctx) { let f = Fn(\"g\"); loop { f = f.curry(1); } }", Refused),
            (
                "ordering",
                "fn decide(ctx) { let a = []; for i in 0..4000 { a.push(seeded(1, i)); } loop { order(a); } }",
                Fault(TIME),
            ),
            (
                "searching",
                "fn decide(ctx) { let a = fill(4000, 1); loop { a.index_of(2); } }",
                Fault(TIME),
            ),
            (
                "trimming",
                "fn decide(ctx) { let s = \" \"; for i in 0..15 { s += s; } loop { s.trim(); } }",
                Fault(TIME),
            ),
        ],
    );
    all(
        "R16",
        &[(
            "60 kB thrown",
            "fn decide(ctx) { let s = \"0123456789\"; for i in 0..12 { s += s; } throw s }",
            Fault(&[Declined]),
        )],
    );
    all(
        "R17",
        &[
            ("overflow", "fn decide(ctx) { 9223372036854775807 + 1 }", Fault(&[Trap])),
            ("division by zero", "fn decide(ctx) { 1 / 0 }", Fault(&[Trap])),
            ("shift", "fn decide(ctx) { #{ verdict: #{ retry: 1 << 1000 } } }", Retries(0)),
            (
                "power",
                "fn decide(ctx) { #{ verdict: #{ retry: pow(10, 100) } } }",
                Fault(&[InvalidOutput]),
            ),
            ("power of the machine", "fn decide(ctx) { 10 ** 100 }", Refused),
            (
                "infinity",
                "fn decide(ctx) { #{ verdict: #{ retry: 1.0 / 0.0 } } }",
                Fault(&[InvalidOutput]),
            ),
            ("integer of a NaN", "fn decide(ctx) { (0.0 / 0.0).to_int() }", Fault(&[Trap])),
        ],
    );
    let harmless = script("fn decide(ctx) { #{ verdict: #{ retry: 3 } } }");
    let with = |before: &str, after: &str| format!("{before}{harmless}{after}").into_bytes();
    raw("R18 open comments".into(), with("", &"/*".repeat(30_000)), RefusedOr(&[]));
    raw("R18 not UTF-8".into(), b"\xff\xfe".to_vec(), Refused);
    raw("R18 NUL".into(), with("", "// \0"), Refused);
    raw("R18 byte order mark".into(), with("\u{feff}", ""), Retries(3));
    raw("R18 turned text".into(), with("", "// \u{202e}"), Refused);
    attacks
}

fn script(decide: &str) -> String {
    format!("fn describe() {{ #{{ name: \"hostile\", version: \"1\", kind: \"retry\" }} }}\n{decide}\n")
}
