//! The corpus of attacks on what runs policies: hostile components (W), hostile scripts (R), nonsense verdicts (D).
//!
//! Each case is played against the library and the coordinator of the real program, with compilation in children of the
//! real program, while a healthy policy is asked on another thread all the time. A case passes only with its required
//! outcome and class, within its limits, and with the next decision of a healthy policy unharmed. All of it is written
//! into one table.
//!
//! | file | holds |
//! | --- | --- |
//! | `table` | cases as they are run, and the table of what was seen |
//! | `rig` | library, limits, the healthy policy; how a case is judged |
//! | `bystander` | the thread that asks the healthy policy, and its latencies when calm and under attack |
//! | `play` | a coordinator led to the question of a kind |
//! | `guest` | components written as text |
//! | `components`, `compiling`, `mutants`, `swaps` | cases W |
//! | `scripts` | cases R |
//! | `verdicts` | cases D, and what each kind falls back to |

mod bystander;
mod compiling;
mod components;
mod guest;
mod mutants;
mod play;
mod rig;
mod scripts;
mod swaps;
mod table;
mod verdicts;

pub use rig::Rig;
pub use table::Table;

use anyhow::Result;

/// Plays the whole corpus.
pub fn play_all(rig: &mut Rig, table: &mut Table) -> Result<()> {
    rig.calm();
    components::play(rig, table);
    rig.calm();
    scripts::play(rig, table);
    verdicts::play(rig, table);
    rig.calm();
    mutants::play(rig, table);
    rig.calm();
    compiling::play(rig, table);
    rig.calm();
    swaps::play(rig, table);
    rig.calm();
    rig.judge_whole(table)
}
