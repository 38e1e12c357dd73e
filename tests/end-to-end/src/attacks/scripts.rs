//! R01 to R18: hostile scripts. They go through `Library::check` and through the coordinator, whatever runs them.

use super::rig::{Rig, cpu_ms, ms_since, refusal};
use super::table::{Seen, Table, seen};
use anyhow::{Context, Result, bail, ensure};
use pointsman_model::policy::{EngineKind, FaultClass, PolicyKind};
use pointsman_policy::{ProblemCode, Stage};
use std::time::Instant;

/// What must come of a script.
#[derive(Clone, Copy, Debug)]
enum End {
    /// Refused before it runs.
    Load,
    /// It loads, and ends by a limit or an error when it decides.
    Fault,
    /// Either, by what functions the engine has.
    LoadOrFault,
    /// A defined value: an answer, or a fault.
    Defined,
    Answer,
}

/// CPU time of an offer that is refused, or accepted: parsing at the size cap, and the runs of the check.
const CHECKED_WITHIN_MS: f64 = 2_000.0;

pub(super) fn play(rig: &Rig, table: &mut Table) {
    let mut case = |id: &str, attack: &str, required: &str, end: End, scripts: Vec<Vec<u8>>| {
        table.case(id, attack, required, || all(rig, end, &scripts));
    };
    let decide = |bodies: &[&str]| {
        bodies
            .iter()
            .map(|body| retry(&format!("fn decide(ctx) {{ {body} }}")))
            .collect::<Vec<_>>()
    };
    let with = |texts: &[&str]| texts.iter().map(|text| retry(text)).collect::<Vec<_>>();

    case(
        "R01",
        "endless loops, try/catch around the limits",
        "T",
        End::Fault,
        decide(&[
            "loop {}",
            "loop { try { loop {} } catch { } }",
            "let x = 0; while true { x += 1; }",
            "let x = 0; for i in 0..9223372036854775807 { x = i; }",
        ]),
    );
    case(
        "R02",
        "recursion, mutual and by closures",
        "T",
        End::LoadOrFault,
        with(&[
            "fn decide(ctx) { f(1) }\nfn f(n) { f(n + 1) + 1 }",
            "fn decide(ctx) { f(1) }\nfn f(n) { g(n) }\nfn g(n) { f(n) }",
            "fn decide(ctx) { let f = |g, n| g.call(g, n + 1); f.call(f, 1) }",
        ]),
    );
    case(
        "R03",
        "string doubling, padding, interpolation",
        "T",
        End::LoadOrFault,
        decide(&[
            "let s = \"0123456789\"; loop { s += s; }",
            "let s = \"0123456789\"; loop { s = `${s}${s}`; }",
            "let s = \"x\"; s.pad(2000000000, \"y\"); s",
        ]),
    );
    let a = "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"";
    case(
        "R04",
        "`replace` amplification",
        "T",
        End::LoadOrFault,
        decide(&[
            &format!("let s = {a}; for i in 0..10 {{ s += s; }} let t = s; s.replace(\"a\", t); s"),
            &format!("let s = {a}; for i in 0..9 {{ s += s; }} let t = s; for i in 0..1000 {{ let u = s; u.replace(\"a\", t); }} s"),
        ]),
    );
    case(
        "R05",
        "array, map and blob growth, nested doubling",
        "T",
        End::LoadOrFault,
        decide(&[
            "let a = []; loop { a.push(1); }",
            "let a = [1]; loop { a = [a, a]; }",
            "let a = [1, 2]; loop { a.append(a); }",
            "let a = []; a.pad(2000000000, 1); a",
            "fill(1000000000, 1)",
            "let m = #{}; let i = 0; loop { m[`k${i}`] = i; i += 1; }",
            "let m = #{}; loop { m = #{ a: m, b: m }; }",
            "let big = fill(4000, 1); let m = #{}; let i = 0; loop { m[`k${i}`] = big; i += 1; }",
            "blob(2000000000)",
        ]),
    );
    case("R06", "deep nesting, 100 to 100,000 levels", "R-load", End::Load, nestings());
    case(
        "R07",
        "100 k variables, parameters, switch cases",
        "R-load by size",
        End::Load,
        [
            format!("fn f() {{ {} }}", numbered(100_000, |n| format!("let v{n}=1;"))),
            format!("fn f({}) {{ 1 }}", numbered(100_000, |n| format!("a{n},"))),
            format!("fn f(x) {{ switch x {{ {} }} }}", numbered(200_000, |n| format!("{n}=>{n},"))),
        ]
        .iter()
        .map(|text| retry(&format!("{PLAIN}\n{text}")))
        .collect(),
    );
    case(
        "R07b",
        "as many as the size cap lets through",
        "R-load, or a lawful answer, in time",
        End::Defined,
        [
            format!("fn f() {{ {} 1 }}", numbered(5_500, |n| format!("let v{n}=1;"))),
            format!("fn f({}b) {{ 1 }}", numbered(9_000, |n| format!("a{n},"))),
            format!("fn f(x) {{ switch x {{ {} _ => 0 }} }}", numbered(5_000, |n| format!("{n}=>{n},"))),
            numbered(3_000, |n| format!("fn f{n}() {{}}\n")),
        ]
        .iter()
        .map(|text| retry(&format!("{PLAIN}\n{text}")))
        .collect(),
    );
    case(
        "R08",
        "5 MB literal, integers of 100,000 and 50,000 digits",
        "R-load",
        End::Load,
        vec![
            retry(&format!("fn decide(ctx) {{ \"{}\" }}", "x".repeat(5_000_000))),
            retry(&format!("fn decide(ctx) {{ {} }}", "9".repeat(100_000))),
        ],
    );
    case(
        "R08b",
        "an integer of 50,000 digits as a delay",
        "R-load or V",
        End::LoadOrFault,
        decide(&[&format!("#{{ verdict: #{{ retry: {} }} }}", "9".repeat(50_000))]),
    );
    case(
        "R09",
        "`eval`, `Fn(\"eval\")`",
        "R-load",
        End::Load,
        decide(&["eval(\"1\")", "Fn(\"eval\").call(\"1\")"]),
    );
    case(
        "R10",
        "`import \"/etc/passwd\"`",
        "R-load",
        End::Load,
        with(&[
            "import \"/etc/passwd\" as x; fn decide(ctx) { 1 }",
            "fn decide(ctx) { import \"/etc/passwd\" as x; 1 }",
        ]),
    );
    case("R11", "`sleep(60)`", "there is no such function", End::Load, decide(&["sleep(60)"]));
    case(
        "R12",
        "`timestamp()`",
        "there is no such function",
        End::Load,
        decide(&["timestamp()"]),
    );
    case(
        "R13",
        "shadowed builtins",
        "inside the script only",
        End::Answer,
        with(&["fn len(x) { 7 }\nfn min(a, b) { 9 }\nfn decide(ctx) { #{ verdict: #{ retry: len(\"abc\") + min(1, 2) } } }"]),
    );
    case(
        "R14",
        "print and log flood",
        "T at the budget",
        End::LoadOrFault,
        decide(&["loop { print(1); }", "loop { debug(1); }", "loop { log(\"x\"); }"]),
    );
    case(
        "R15",
        "comparator without order, curry chain, loops of index_of and trim",
        "T",
        End::LoadOrFault,
        decide(&[
            "let a = fill(4000, 1); loop { a.sort(|x, y| 1); }",
            "let f = Fn(\"decide\"); loop { f = f.curry(1); }",
            "let a = fill(4000, 1); loop { a.index_of(2); }",
            "let a = fill(4000, 1); loop { a.contains(2); }",
            "let s = \"                                                                \"; loop { s.trim(); }",
            "let a = fill(4000, 1); loop { a.sort(); a.reverse(); }",
        ]),
    );
    case(
        "R16",
        "throw of a 40 kB text",
        "the record keeps 1 KiB",
        End::Fault,
        decide(&[
            "let s = \"0123456789\"; for i in 0..12 { s += s; } throw s",
            "throw \"\\x1b[2J\\x1b]0;gone\\x07\"",
        ]),
    );
    case(
        "R17",
        "overflow, division by zero, shift 1000, 10**100",
        "T or a defined value",
        End::Defined,
        decide(&[
            "9223372036854775807 + 1",
            "1 / 0",
            "1 % 0",
            "1 << 1000",
            "10 ** 100",
            "-9223372036854775807 - 2",
            "#{ verdict: #{ retry: -5 } }",
            "#{ verdict: #{ retry: 1.0 / 0.0 } }",
            "#{ verdict: #{ retry: 0.0 / 0.0 } }",
            "#{ verdict: \"give_up\", reasons: [#{ code: \"c\", value: 0.0 / 0.0 }] }",
        ]),
    );
    let odd: Vec<Vec<u8>> = vec![
        b"\xff\xfe\x00\x01".to_vec(),
        [retry(PLAIN), b"\xc0\x80".to_vec()].concat(),
        retry("fn decide(ctx) { \0 1 }"),
        retry(&"/*".repeat(100_000)),
        retry(&"/*".repeat(30_000)),
    ];
    case("R18", "comments x 100 k, invalid UTF-8, NUL", "R-load", End::Load, odd);
    table.case("R18b", "BOM and bidi overrides", "neutralised in what people read", || bidi(rig));
}

const PLAIN: &str = "fn decide(ctx) { #{ verdict: \"give_up\" } }";

fn retry(text: &str) -> Vec<u8> {
    format!("fn describe() {{ #{{ name: \"hostile\", version: \"1\", kind: \"retry\" }} }}\n{text}\n").into_bytes()
}

fn numbered(count: usize, text: impl Fn(usize) -> String) -> String {
    (0..count).map(text).collect()
}

fn nestings() -> Vec<Vec<u8>> {
    let forms = [
        ("(", ")"),
        ("[", "]"),
        ("!", ""),
        ("-", ""),
        ("if true { ", " }"),
        ("#{ a: ", " }"),
        ("`${", "}`"),
        ("1+(", ")"),
        ("if false { 0 } else ", "{}"),
    ];
    let mut scripts = Vec::new();
    for (open, close) in forms {
        for depth in [100, 1_000, 10_000, 100_000] {
            let close = if close == "{}" { close.to_string() } else { close.repeat(depth) };
            scripts.push(retry(&format!("{PLAIN}\nfn f() {{ {}1{close} }}", open.repeat(depth))));
        }
    }
    scripts
}

fn all(rig: &Rig, end: End, scripts: &[Vec<u8>]) -> Result<Seen> {
    let mut slowest_ms: f64 = 0.0;
    let mut words: Vec<String> = Vec::new();
    for (number, script) in scripts.iter().enumerate() {
        let one = play_one(rig, end, script).with_context(|| {
            let text = String::from_utf8_lossy(script);
            let body = text.lines().nth(1).unwrap_or_default();
            format!("script {number}, {:.80}", body)
        })?;
        slowest_ms = slowest_ms.max(one.ms);
        if !words.contains(&one.observed) {
            words.push(one.observed);
        }
    }
    rig.unharmed()?;
    Ok(seen(format!("{} scripts: {}", scripts.len(), words.join(", ")), slowest_ms))
}

fn play_one(rig: &Rig, end: End, script: &[u8]) -> Result<Seen> {
    let before = cpu_ms();
    let checked = rig.check("hostile.rhai", script);
    let ms = cpu_ms() - before;
    ensure!(ms <= CHECKED_WITHIN_MS, "checked in {ms:.0} ms of CPU time");
    let problem = match (checked, end) {
        (Ok(_), End::Load | End::Fault | End::LoadOrFault) => bail!("it was accepted"),
        (Ok(_), End::Answer | End::Defined) => {
            let answered = rig.answered(EngineKind::Rhai, PolicyKind::Retry, script)?;
            return Ok(seen("answers", answered.ms));
        }
        (Err(problem), End::Answer) => bail!("it was refused: {problem}"),
        (Err(problem), _) => problem,
    };
    ensure!(problem.code != ProblemCode::HostFailure, "called our own fault: {problem}");
    // Found while it ran in the check: what it does when it is live is to be seen.
    let ran = matches!(problem.stage, Stage::Describe | Stage::Settings | Stage::SelfTest);
    match (ran, end) {
        (true, End::Load) => bail!("it was run: {problem}"),
        (true, _) => {
            let classes = [
                FaultClass::Trap,
                FaultClass::Fuel,
                FaultClass::Deadline,
                FaultClass::Memory,
                FaultClass::InvalidOutput,
                FaultClass::Declined,
            ];
            let ended = rig.contained(EngineKind::Rhai, PolicyKind::Retry, script, &classes)?;
            let class = ended.observed.split(':').next().unwrap_or_default().to_string();
            Ok(seen(class, ended.ms))
        }
        (false, End::Fault) => bail!("{}", refusal(&problem)),
        (false, _) => Ok(seen(format!("R-load {}", problem.code), ms)),
    }
}

/// Right-to-left overrides make text read as what it is not.
fn bidi(rig: &Rig) -> Result<Seen> {
    let hidden = ['\u{202e}', '\u{2066}', '\u{2069}'];
    let began = Instant::now();
    let script = retry("fn decide(ctx) { throw \"safe \u{202e}evil\u{2066} x\u{2069}\" }");
    let problem = rig.check("b\u{202e}idi.rhai", script).err().context("it was accepted")?;
    let text = problem.to_string();
    ensure!(!text.contains(hidden), "{text:?} holds overrides");
    let with_mark = [b"\xef\xbb\xbf".to_vec(), retry(PLAIN)].concat();
    let word = match rig.check("bom.rhai", with_mark) {
        Ok(_) => "a byte-order mark is passed over".to_string(),
        Err(problem) => {
            ensure!(problem.stage == Stage::Parse, "{problem}");
            format!("a byte-order mark is refused, {}", problem.code)
        }
    };
    rig.unharmed()?;
    Ok(seen(format!("overrides are escaped; {word}"), ms_since(began)))
}
