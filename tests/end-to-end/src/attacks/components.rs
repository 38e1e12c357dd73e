//! W01 to W33: hostile components that compile quickly, and those that must not be taken at all.

use super::guest::{Guest, LOG, distribution_of, failed_with, plain};
use super::rig::Rig;
use super::table::{Seen, Table, seen};
use anyhow::{Context, Result, ensure};
use pointsman_model::policy::FaultClass::{Deadline, Fuel, InvalidOutput, Memory, Trap};
use pointsman_model::policy::{EngineKind, FaultClass, PolicyKind};
use pointsman_policy::Stage;
use std::fmt::Write;

const REALLOC_LOOPS: &str = "(loop $for_ever (br $for_ever)) unreachable";
const LOOPS: &str = "(loop $for_ever (br $for_ever)) unreachable";

pub(super) fn play(rig: &Rig, table: &mut Table) {
    let time: &[FaultClass] = &[Fuel, Deadline];
    let memory_ended: &[FaultClass] = &[Memory, Trap];

    let mut trapped = |id: &str, attack: &str, guest: Guest, classes: &[FaultClass]| {
        let words: Vec<_> = classes.iter().map(|class| class.slug()).collect();
        table.case(id, attack, &format!("T ({}), fallback", words.join(" or ")), || {
            rig.contained(EngineKind::Component, PolicyKind::Retry, &guest.component()?, classes)
        });
    };
    trapped("W01", "infinite loop", Guest::deciding(LOOPS), time);
    let recursion = "(func $deeper (param i32) (result i32) (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))";
    let deep = |parts: String| Guest {
        parts,
        decide: "(call $deeper (i32.const 0))".into(),
        ..Guest::default()
    };
    trapped("W02", "infinite recursion", deep(recursion.into()), &[Trap]);
    trapped("W03", "recursion with 5,000-local frames", deep(wide_frames()), &[Trap]);
    let fill = "(drop (memory.grow (i32.const 960))) (loop $more (memory.fill (i32.const 65536) (i32.const 7) (i32.const 62000000)) (br $more)) unreachable";
    trapped("W06", "memory.fill of 60 MB in a loop", Guest::deciding(fill), time);
    let far = failed_with(65_536, 0x7fff_ffff);
    trapped(
        "W12",
        "result string past the end of memory",
        Guest::deciding(&far),
        &[InvalidOutput],
    );
    trapped(
        "W13",
        "misaligned return pointer",
        Guest::deciding("(i32.const 4097)"),
        &[InvalidOutput],
    );
    let not_text = Guest {
        parts: "(data (i32.const 8192) \"\\ff\\fe\\c0\\80\")".into(),
        ..Guest::deciding(&failed_with(8192, 4))
    };
    trapped("W14", "invalid UTF-8 in the result", not_text, &[InvalidOutput]);
    let large = format!("(drop (memory.grow (i32.const 600))) {}", failed_with(65_536, 32 << 20));
    trapped("W15", "32 MB result string", Guest::deciding(&large), &[InvalidOutput]);
    trapped(
        "W16",
        "100,000 reasons that all alias one 1 MB text",
        Guest::deciding(&aliases()),
        &[InvalidOutput],
    );
    let empties = "(drop (memory.grow (i32.const 200))) (i32.store8 (i32.const 4128) (i32.const 1))
        (i32.store (i32.const 4140) (i32.const 262144)) (i32.store (i32.const 4144) (i32.const 1000000)) (i32.const 4096)";
    trapped("W17", "a list of 1 M empty strings", Guest::deciding(empties), &[InvalidOutput]);
    let logging = |decide: &str| Guest {
        imports: LOG.into(),
        ..Guest::deciding(decide)
    };
    let flood = "(loop $more (call $log (i32.const 1) (i32.const 256) (i32.const 9)) (br $more)) unreachable";
    trapped("W18", "log flood", logging(flood), &[Trap]);
    let message = "(drop (memory.grow (i32.const 600))) (call $log (i32.const 1) (i32.const 65536) (i32.const 33554432)) (i32.const 4096)";
    trapped("W19", "one 32 MB log message", logging(message), &[Trap, InvalidOutput]);
    let not_text = Guest {
        imports: LOG.into(),
        parts: "(data (i32.const 8192) \"\\ff\\fe\")".into(),
        ..Guest::deciding("(call $log (i32.const 1) (i32.const 8192) (i32.const 2)) (i32.const 4096)")
    };
    trapped("W20", "invalid UTF-8 to a host call", not_text, &[Trap, InvalidOutput]);
    let empty_calls = "(loop $more (call $log (i32.const 0) (i32.const 0) (i32.const 0)) (br $more)) unreachable";
    trapped("W21", "flood of host calls of 0 bytes", logging(empty_calls), &[Trap]);
    let allocating = |realloc: &str| Guest {
        realloc: realloc.into(),
        ..Guest::default()
    };
    trapped("W22", "realloc traps", allocating("unreachable"), &[Trap]);
    trapped(
        "W23",
        "realloc returns a pointer out of range",
        allocating("(i32.const 0x7ffffff0)"),
        &[InvalidOutput, Trap],
    );
    trapped("W24", "realloc loops", allocating(REALLOC_LOOPS), time);
    let after = |body: &str| Guest {
        parts: format!("(func (export \"cabi_post_decide\") (param i32) {body})"),
        ..Guest::default()
    };
    trapped("W25a", "trap in post-return", after("unreachable"), &[Trap]);
    trapped("W25b", "loop in post-return", after("(loop $for_ever (br $for_ever))"), time);

    table.case(
        "W04",
        "memory.grow until it is refused",
        "growth stops at the cap; goes on, or T",
        || {
            let grow = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))";
            goes_on_or(rig, grow, memory_ended)
        },
    );
    table.case(
        "W05",
        "table.grow until it is refused",
        "growth stops at the cap; goes on, or T",
        || {
            let grow = "(loop $more (br_if $more (i32.ne (table.grow $table (ref.null func) (i32.const 64)) (i32.const -1))))";
            goes_on_or(rig, grow, memory_ended)
        },
    );
    for (id, attack, start, classes) in [
        ("W07", "start function loops", LOOPS, time),
        ("W08", "start function traps", "unreachable", &[Trap][..]),
    ] {
        table.case(id, attack, "R-link, and T where it is loaded all the same", || {
            let guest = Guest {
                parts: format!("(func $start {start}) (start $start)"),
                ..Guest::default()
            };
            let code = guest.component()?;
            let refused = rig.refused("start.wasm", code.clone(), &[Stage::Describe])?;
            let ended = rig.contained(EngineKind::Component, PolicyKind::Retry, &code, classes)?;
            Ok(seen(format!("{}; {}", refused.observed, ended.observed), ended.ms))
        });
    }

    let linking: &[Stage] = &[Stage::Compile, Stage::Link, Stage::Describe];
    let loading: &[Stage] = &[Stage::Fetch, Stage::Parse, Stage::Compile];
    refused(rig, table, "W09", "4 GiB of initial memory", "R-link", linking, || {
        let memory = "(memory (export \"memory\") 65536)".into();
        let guest = Guest {
            memory,
            ..Guest::default()
        };
        Ok(guest.component()?)
    });
    refused(rig, table, "W10", "initial table of 10 M elements", "R-link", linking, || {
        let parts = "(table $table 10000000 funcref)".into();
        Ok(Guest { parts, ..Guest::default() }.component()?)
    });
    refused(rig, table, "W11", "900 core instances", "R-link", linking, || {
        let instances = "(core instance (instantiate $m))".repeat(900);
        plain(&format!("(component (core module $m (memory 1)) {instances})"))
    });
    table.case(
        "W26",
        "NaN, +Inf, -Inf; -0.0 and subnormal numbers",
        "V for what is not finite; the others are numbers",
        || numbers(rig),
    );
    refused(rig, table, "W27", "wrong export type", "R-link at load", &[Stage::Link], || {
        plain(
            r#"(component
                (core module $m (func (export "f") (result i32) (i32.const 0)))
                (core instance $i (instantiate $m))
                (func $f (result u32) (canon lift (core func $i "f")))
                (export "describe" (func $f)) (export "check-settings" (func $f)) (export "decide" (func $f)))"#,
        )
    });
    refused(rig, table, "W28", "missing export", "R-load", &[Stage::Link], || {
        plain("(component)")
    });
    for (id, import) in [("W29a", "wasi:filesystem/preopens@0.2.0"), ("W29b", "wasi:sockets/tcp@0.2.0")] {
        table.case(id, &format!("undeclared import of {import}"), "R-link, names the import", || {
            let code = plain(&format!(r#"(component (import "{import}" (instance)))"#))?;
            let refused = rig.refused("wasi.wasm", code, &[Stage::Parse, Stage::Link])?;
            ensure!(refused.observed.contains(import), "the import is not named: {}", refused.observed);
            Ok(refused)
        });
    }
    table.case("W30", "core module instead of a component", "R-load", || {
        rig.refused("core.wasm", wat::parse_str(Guest::default().text())?, loading)
    });
    let proposals = [
        ("W31a", "memory64", "(memory i64 1)"),
        ("W31b", "shared memory", "(memory 1 1 shared)"),
        ("W31c", "GC", "(type (struct (field i32)))"),
        (
            "W31d",
            "relaxed SIMD",
            "(func (result v128) (i32x4.relaxed_trunc_f32x4_s (v128.const i32x4 0 0 0 0)))",
        ),
        ("W31e", "exceptions", "(tag) (func (throw 0))"),
        (
            "W31f",
            "wide arithmetic",
            "(func (result i64 i64) (i64.mul_wide_u (i64.const 1) (i64.const 1)))",
        ),
    ];
    for (id, attack, body) in proposals {
        table.case(id, &format!("proposal {attack}"), "R-load", || {
            rig.refused("proposal.wasm", plain(&format!("(component (core module {body}))"))?, loading)
        });
    }
    table.case("W31g", "proposal component-model async", "R-load", || {
        rig.refused("async.wasm", plain("(component (core func (canon task.cancel)))")?, loading)
    });
    table.case("W32a", "types nested 150 deep", "R-load", || {
        rig.refused("nested.wasm", plain(&nested(150, "list"))?, loading)
    });
    table.case("W32b", "a tuple of 2^40 parts", "R-load", || {
        rig.refused("nested.wasm", plain(&nested(40, "tuple"))?, loading)
    });
    table.case("W33", "types nested 90 deep as a policy's", "R-link", || {
        rig.refused(
            "nested.wasm",
            plain(&nested(90, "list"))?,
            &[Stage::Link, Stage::Compile, Stage::Parse],
        )
    });
    table.case(
        "Wnn",
        "hostile guests of plugins/, by the whole path",
        "T or V by class, fallback",
        || guests(rig),
    );
}

fn refused(rig: &Rig, table: &mut Table, id: &str, attack: &str, required: &str, stages: &[Stage], code: impl FnOnce() -> Result<Vec<u8>>) {
    table.case(id, attack, required, || rig.refused("hostile.wasm", code()?, stages));
}

/// A retry policy that first grows what it can, and then answers.
fn goes_on_or(rig: &Rig, grow: &str, classes: &[FaultClass]) -> Result<Seen> {
    let guest = Guest {
        parts: "(table $table 1 funcref)".into(),
        ..Guest::deciding(&format!("{grow} (i32.const 4096)"))
    };
    let code = guest.component()?;
    let (engine, kind) = (EngineKind::Component, PolicyKind::Retry);
    rig.answered(engine, kind, &code)
        .or_else(|_| rig.contained(engine, kind, &code, classes))
}

fn wide_frames() -> String {
    let mut text = String::from("(func $deeper (param i32) (result i32) ");
    text.push_str("(local ");
    text.push_str(&"i64 ".repeat(5_000));
    text.push_str(") ");
    // Kept alive over the call, so that each has a place in the frame.
    for local in (1..=5_000).step_by(50) {
        let _ = write!(
            text,
            "(local.set {local} (i64.extend_i32_u (i32.add (local.get 0) (i32.const {local})))) "
        );
    }
    text.push_str("(call $deeper (i32.add (local.get 0) (i32.const 1))) ");
    for local in (1..=5_000).step_by(50) {
        let _ = write!(text, "(i32.add (i32.wrap_i64 (local.get {local}))) ");
    }
    text.push(')');
    text
}

/// Reasons are 80 bytes each, with their text at 72.
fn aliases() -> String {
    "(drop (memory.grow (i32.const 160)))
     (global.set $next (i32.const 1310720))
     (loop $more
        (i32.store offset=72 (global.get $next) (i32.const 65536))
        (i32.store offset=76 (global.get $next) (i32.const 1048576))
        (global.set $next (i32.add (global.get $next) (i32.const 80)))
        (br_if $more (i32.lt_u (global.get $next) (i32.const 9310720))))
     (i32.store (i32.const 4120) (i32.const 1310720)) (i32.store (i32.const 4124) (i32.const 100000)) (i32.const 4096)"
        .into()
}

fn numbers(rig: &Rig) -> Result<Seen> {
    let mut ms: f64 = 0.0;
    let mut words = Vec::new();
    for number in ["nan", "inf", "-inf"] {
        let code = Guest::deciding(&distribution_of(number)).component()?;
        let ended = rig
            .contained(EngineKind::Component, PolicyKind::Retry, &code, &[InvalidOutput])
            .context(number)?;
        ms = ms.max(ended.ms);
        words.push(format!("{number} V"));
    }
    for number in ["-0.0", "5e-324"] {
        let code = Guest::deciding(&distribution_of(number)).component()?;
        rig.contained_or_answered(&code).context(number)?;
        words.push(format!("{number} harmless"));
    }
    Ok(seen(words.join(", "), ms))
}

fn nested(depth: usize, what: &str) -> String {
    let mut text = String::from("(component (type $t0 (list u8))");
    for level in 1..=depth {
        let below = level - 1;
        let of = if what == "list" {
            format!("$t{below}")
        } else {
            format!("$t{below} $t{below}")
        };
        let _ = write!(text, "(type $t{level} ({what} {of}))");
    }
    let _ = write!(
        text,
        r#"(core module $m (memory (export "memory") 1) (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
            (func (export "f") (param i32 i32)))
        (core instance $i (instantiate $m))
        (type $f (func (param "context" $t{depth})))
        (func $decide (type $f) (canon lift (core func $i "f") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
        (export "decide" (func $decide)) (export "describe" (func $decide)) (export "check-settings" (func $decide)))"#
    );
    text
}

/// The guests that are written in Rust: of kind source-selection, through coordinator and fallback.
fn guests(rig: &Rig) -> Result<Seen> {
    let cases: [(&str, &[FaultClass]); 14] = [
        ("declines", &[FaultClass::Declined]),
        ("deep_recursion", &[Trap]),
        ("duplicate_picks", &[InvalidOutput]),
        ("huge_state", &[InvalidOutput]),
        ("log_flood", &[Trap]),
        ("long_reason", &[InvalidOutput]),
        ("loop_forever", &[Fuel, Deadline]),
        ("many_reasons", &[InvalidOutput]),
        ("memory_eater", &[Memory]),
        ("nan_score", &[InvalidOutput]),
        ("short_scores", &[InvalidOutput]),
        ("slow_start", &[Fuel, Deadline]),
        ("trap", &[Trap]),
        ("wrong_candidate", &[InvalidOutput]),
    ];
    let mut slowest_ms: f64 = 0.0;
    for (name, classes) in cases {
        let path = rig.plugins.join(format!("hostile_{name}.wasm"));
        let code = std::fs::read(&path).with_context(|| format!("{} is not built; `make plugins` builds it", path.display()))?;
        let ended = rig
            .contained(EngineKind::Component, PolicyKind::SourceSelection, &code, classes)
            .context(name)?;
        slowest_ms = slowest_ms.max(ended.ms);
    }
    Ok(seen(format!("{} guests, each under its class", cases.len()), slowest_ms))
}
