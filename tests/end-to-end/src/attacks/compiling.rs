//! W34 to W38: components that are made to be compiled for ever, and large ones that must be taken.

use super::guest::Guest;
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
    for (id, attack) in [
        ("W34", "100,000 nested blocks"),
        ("W35", "br_table of 500,000 targets"),
        ("W36", "a function of 500,000 operations"),
        ("W37", "50,000 functions"),
    ] {
        table.case(id, attack, &within, || killed_or_within(rig, std::fs::read(path(rig, id))?));
    }
    table.case(
        "W37m",
        "a compiler that needs more memory than it may have",
        "K, its class is memory",
        || {
            let library = rig.library_within(CompileLimits {
                address_space_bytes: 300 << 20,
                ..LIMITS
            });
            let code = std::fs::read(path(rig, "W36"))?;
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
        let code = std::fs::read(path(rig, "W38"))?;
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

/// Made before memory is counted: writing megabytes of text and encoding them is not what is measured.
pub(super) fn make_large_guests(rig: &Rig) -> Result<()> {
    // Each block is left by a branch, so that none is a block in name only.
    let depth = 100_000;
    let blocks = format!("{} {}", "block ".repeat(depth), "local.get 0 br_if 0 end ".repeat(depth));
    write(rig, "W34", &format!("(func (param i32) {blocks})"))?;
    let depth = 1_000;
    let targets: String = (0..depth).map(|target| format!("{target} ")).collect();
    let table = format!(
        "{} local.get 0 br_table {} {}",
        "block ".repeat(depth),
        // As many as one table may have.
        targets.repeat(62),
        "local.get 0 drop end ".repeat(depth)
    );
    write(rig, "W35", &format!("(func (param i32) {})", table.repeat(8)))?;
    let long = "local.get 0 i64.const 0x123456789abcdef i64.mul local.get 1 i64.add local.set 0 ".repeat(100_000);
    write(rig, "W36", &format!("(func (param i64 i64) (result i64) {long} local.get 0)"))?;
    let function = "(func (param i64) (result i64) (i64.mul (local.get 0) (i64.const 77)))";
    write(rig, "W37", &function.repeat(50_000))?;
    // As bundled interpreters are: half of it code, half of it data.
    let body = "local.get 0 local.get 1 i64.mul i64.const 1234567 i64.xor local.tee 1 local.get 0 i64.add \
                local.get 1 i32.wrap_i64 if (param i64) (result i64) i64.const 3 i64.rotl else i64.const 5 i64.shr_u end local.set 0 ";
    let function = format!("(func (param i64 i64) (result i64) {} local.get 0)", body.repeat(20));
    let data = format!("(data (i32.const 1048576) \"{}\")", "policy. ".repeat(7_000_000 / 8));
    write(rig, "W38", &format!("{data} {}", function.repeat(8_000)))
}

fn path(rig: &Rig, id: &str) -> PathBuf {
    rig.directory.path().join(format!("{id}.wasm"))
}

fn write(rig: &Rig, id: &str, parts: &str) -> Result<()> {
    let guest = Guest {
        memory: "(memory (export \"memory\") 160)".into(),
        parts: parts.into(),
        ..Guest::default()
    };
    Ok(std::fs::write(path(rig, id), guest.component()?)?)
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
            let refused = matches!(problem.code, ProblemCode::Malformed | ProblemCode::Uncompilable);
            let killed = if refused { "" } else { "K " };
            Ok(seen(format!("{killed}{}", refusal(&problem)), ms))
        }
    }
}
