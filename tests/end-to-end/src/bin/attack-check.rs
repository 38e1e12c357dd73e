//! Plays the corpus of attacks on what runs policies, and writes what was seen into `target/attack-check.md`.
//! Ends with an error on any miss. `SEED=n` makes other mutants, `MUTANTS=n` fewer.

use anyhow::{Context, Result, bail};
use pointsman_end_to_end::attacks::{Rig, Table, play_all};
use pointsman_end_to_end::program_and_repository;

fn main() -> Result<()> {
    let (program, repository) = program_and_repository()?;
    let mut rig = Rig::new(&program, &repository.join("plugins/dist"))?;
    rig.prepare()?;
    let mut table = Table::new();
    play_all(&mut rig, &mut table)?;
    // Beside the programs' own directory, wherever cargo puts that.
    let path = program
        .ancestors()
        .nth(2)
        .context("the program's directory")?
        .join("attack-check.md");
    table.write(&path)?;
    println!("{}", table.to_markdown());
    let misses = table.misses();
    if !misses.is_empty() {
        bail!("attack-check: {} of {} missed: {}", misses.len(), table.len(), misses.join(", "));
    }
    println!(
        "attack-check: {} cases, all as required, in {:.0} s; {}",
        table.len(),
        table.elapsed_s(),
        path.display()
    );
    Ok(())
}
