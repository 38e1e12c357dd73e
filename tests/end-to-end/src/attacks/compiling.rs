//! W34 to W38: components that are made to be compiled for ever, and large ones that must be taken.

use super::guest::{Guest, component_of};
use super::rig::{Rig, ms_since, refusal, source};
use super::table::{Seen, Table, seen};
use anyhow::{Result, ensure};
use pointsman_model::policy::PolicyLimits;
use pointsman_policy::{CompileLimits, ProblemCode, Stage};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Less than a host allows, so that the check ends in time; the product's own limits are those of W38.
const LIMITS: CompileLimits = CompileLimits {
    cpu_s: 6,
    wall: Duration::from_secs(15),
    address_space_bytes: 4 << 30,
    compiled_bytes_max: 64 << 20,
};
/// Above the wall limit by what it takes to validate 6 MB and to kill a process.
const ENDED_WITHIN: Duration = Duration::from_secs(17);

pub(super) fn play(rig: &Rig, table: &mut Table) {
    let within = format!("K, or within the budget of {} s CPU", LIMITS.cpu_s);
    let mut case = |id: &str, attack: &str, code: &dyn Fn() -> Result<Vec<u8>>| {
        table.case(id, attack, &within, || killed_or_within(rig, code()?));
    };
    case("W34", "100,000 nested blocks", &|| {
        let depth = 100_000;
        // Each is left by a branch, so that none is a block in name only.
        let body = format!("{} {} ", "block ".repeat(depth), "local.get 0 br_if 0 end ".repeat(depth));
        guest_with(&format!("(func (export \"deep\") (param i32) {body})"))
    });
    case("W35", "br_table of 500,000 targets", &|| {
        let tables = (0..8).map(|_| format!("(block (block (br_table {} (local.get 0))))", "0 1 ".repeat(31_250)));
        guest_with(&format!("(func (export \"branches\") (param i32) {})", tables.collect::<String>()))
    });
    case("W36", "a function of 500,000 operations", &|| {
        let body = "local.get 0 i64.const 0x123456789abcdef i64.mul local.get 1 i64.add local.set 0 ".repeat(100_000);
        guest_with(&format!("(func (export \"long\") (param i64 i64) (result i64) {body} local.get 0)"))
    });
    case("W37", "50,000 functions", &|| {
        guest_with(&"(func (param i64) (result i64) (i64.mul (local.get 0) (i64.const 77)))".repeat(50_000))
    });
    table.case(
        "W37m",
        "a compiler that needs more memory than it may have",
        "K, its class is memory",
        || {
            let library = rig.library_within(CompileLimits {
                address_space_bytes: 300 << 20,
                ..LIMITS
            });
            let body = "local.get 0 i64.const 0x123456789abcdef i64.mul local.get 1 i64.add local.set 0 ".repeat(100_000);
            let code = guest_with(&format!("(func (export \"long\") (param i64 i64) (result i64) {body} local.get 0)"))?;
            let began = Instant::now();
            let problem = library.check(source("hostile.wasm", code), PolicyLimits::default());
            let problem = problem.err().ok_or_else(|| anyhow::anyhow!("it was accepted"))?;
            ensure!(
                matches!(problem.code, ProblemCode::CompileMemory | ProblemCode::CompileCrashed),
                "{problem}"
            );
            rig.unharmed()?;
            Ok(seen(refusal(&problem), ms_since(began)))
        },
    );
    table.case("W38", "a lawful guest of 12 MB", "loads within the default budget", || {
        let path = large_guest_path(rig);
        let code = std::fs::read(&path)?;
        let bytes = code.len();
        ensure!(bytes > 12_000_000, "it has {bytes} bytes");
        let began = Instant::now();
        let checked = rig
            .library_within(CompileLimits::default())
            .check(source("large.wasm", code), PolicyLimits::default())?;
        let ms = ms_since(began);
        rig.unharmed()?;
        Ok(seen(format!("{} accepted", checked.description.policy), ms))
    });
}

/// Made before memory is counted: writing 12 MB of text and encoding it is not what is measured.
pub(super) fn make_large_guest(rig: &Rig) -> Result<()> {
    // As bundled interpreters are: half of it code, half of it data.
    let body = "local.get 0 local.get 1 i64.mul i64.const 1234567 i64.xor local.tee 1 local.get 0 i64.add \
                local.get 1 i32.wrap_i64 if (param i64) (result i64) i64.const 3 i64.rotl else i64.const 5 i64.shr_u end local.set 0 ";
    let function = format!("(func (param i64 i64) (result i64) {} local.get 0)", body.repeat(20));
    let data = format!("(data (i32.const 1048576) \"{}\")", "policy. ".repeat(7_000_000 / 8));
    let guest = Guest {
        memory: "(memory (export \"memory\") 160)".into(),
        parts: format!("{data} {}", function.repeat(8_000)),
        ..Guest::default()
    };
    Ok(std::fs::write(large_guest_path(rig), guest.component()?)?)
}

fn large_guest_path(rig: &Rig) -> PathBuf {
    rig.directory.path().join("large.wasm")
}

fn guest_with(parts: &str) -> Result<Vec<u8>> {
    let guest = Guest {
        parts: parts.into(),
        ..Guest::default()
    };
    component_of(&wat::parse_str(guest.text())?)
}

fn killed_or_within(rig: &Rig, code: Vec<u8>) -> Result<Seen> {
    let library = rig.library_within(LIMITS);
    let began = Instant::now();
    let outcome = library.check(source("hostile.wasm", code), PolicyLimits::default());
    let took = began.elapsed();
    let ms = ms_since(began);
    ensure!(took < ENDED_WITHIN, "it took {ms:.0} ms");
    rig.unharmed()?;
    match outcome {
        Ok(_) => Ok(seen("compiled within the budget, and accepted", ms)),
        Err(problem) => {
            let contained = [
                ProblemCode::CompileTime,
                ProblemCode::CompileMemory,
                ProblemCode::CompileCrashed,
                ProblemCode::Uncompilable,
                ProblemCode::Malformed,
            ];
            ensure!(contained.contains(&problem.code), "{problem}");
            ensure!(matches!(problem.stage, Stage::Compile | Stage::Parse), "{problem}");
            let killed = if problem.code == ProblemCode::Malformed { "" } else { "K " };
            Ok(seen(format!("{killed}{}", refusal(&problem)), ms))
        }
    }
}
