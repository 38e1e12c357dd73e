//! What a run is given of the memory: slots, each with a budget of characters.

use crate::question;
use crate::store::{Found, ITEM_COLUMNS, Memory, MemoryError, cut, found};
use pointsman_model::protocol::{MemoryItem, MemorySlot, SpecMemory};
use pointsman_model::wants::RecallBudget;
use rusqlite::params;

/// Names of the slots: successes of the same host, successes about the like, and how this source failed before.
pub const SAME_HOST: &str = "same_host";
pub const SIMILAR: &str = "similar";
pub const FAILURES: &str = "failures";

/// Items of one slot, and how many are looked at to find them.
const ITEMS_MAX: usize = 20;
const LOOKED_AT_MAX: u32 = 60;
/// Characters of a source's text that are asked about.
const CUE_CHARS: usize = 1_000;
/// A slot with less room left takes no further item.
const ROOM_MIN: usize = 40;

/// What a run is about.
#[derive(Clone, Copy, Debug)]
pub struct Cue<'a> {
    pub source: u64,
    pub attempt: u32,
    pub host: Option<&'a str>,
    pub title: &'a str,
    pub body: &'a str,
}

impl Memory {
    /// What a run is given. Slots without a budget are left out.
    pub fn recall(&self, cue: &Cue<'_>, budget: &RecallBudget) -> Result<SpecMemory, MemoryError> {
        let RecallBudget {
            same_host_chars,
            similar_chars,
            failures_chars,
        } = *budget;
        let mut memory = SpecMemory::default();
        if same_host_chars > 0 {
            let found = match cue.host {
                Some(host) => self.of_host(host, cue.source)?,
                None => Vec::new(),
            };
            fill(&mut memory, SAME_HOST, same_host_chars, found, true);
        }
        if similar_chars > 0 {
            let found = self.similar(cue)?;
            fill(&mut memory, SIMILAR, similar_chars, found, true);
        }
        if failures_chars > 0 {
            let found = self.failures_of(cue.source)?;
            // A first attempt has no failures before it: nothing is missing.
            fill(&mut memory, FAILURES, failures_chars, found, cue.attempt > 1);
        }
        Ok(memory)
    }

    fn of_host(&self, host: &str, not: u64) -> Result<Vec<Found>, MemoryError> {
        let sql = format!(
            "SELECT {ITEM_COLUMNS} FROM items WHERE success = 1 AND host = ?1 AND host IS NOT NULL AND source <> ?2 ORDER BY run DESC LIMIT ?3"
        );
        self.all(&sql, params![host, not as i64, LOOKED_AT_MAX], found)
    }

    fn similar(&self, cue: &Cue<'_>) -> Result<Vec<Found>, MemoryError> {
        let about = format!("{} {}", cue.title, cut(cue.body, CUE_CHARS));
        let Some(question) = question::any_of(&about) else {
            return Ok(Vec::new());
        };
        let sql = format!(
            "SELECT {ITEM_COLUMNS} FROM words JOIN items ON items.run = words.rowid
             WHERE words MATCH ?1 AND items.success = 1 AND items.source <> ?2
             ORDER BY bm25(words, 4.0, 2.0, 1.0), items.run DESC LIMIT ?3"
        );
        self.all(&sql, params![question, cue.source as i64, LOOKED_AT_MAX], found)
    }

    fn failures_of(&self, source: u64) -> Result<Vec<Found>, MemoryError> {
        let sql = format!("SELECT {ITEM_COLUMNS} FROM items WHERE success = 0 AND source = ?1 ORDER BY run DESC LIMIT ?2");
        self.all(&sql, params![source as i64, LOOKED_AT_MAX], found)
    }
}

/// Takes as much as the budget allows, best first; what another slot has, or says the same, is not taken twice.
fn fill(memory: &mut SpecMemory, name: &str, budget: u32, found: Vec<Found>, is_expected: bool) {
    let mut slot = MemorySlot {
        slot: name.to_string(),
        budget_chars: budget,
        ..MemorySlot::default()
    };
    let mut room = budget as usize;
    for item in found {
        if slot.items.len() == ITEMS_MAX || room < ROOM_MIN {
            break;
        }
        let taken = memory.slots.iter().flat_map(|slot| &slot.items).chain(&slot.items);
        let is_known = |known: &MemoryItem| {
            known.run == item.run || (!item.body.is_empty() && item.body.starts_with(known.text.as_str()) && !known.text.is_empty())
        };
        if taken.into_iter().any(is_known) {
            continue;
        }
        let Found {
            run,
            source,
            success,
            host,
            title,
            summary,
            body,
            attempt: _,
            at: _,
        } = item;
        let words = title.chars().count() + summary.chars().count();
        if words > room {
            continue;
        }
        let text = cut(&body, room - words).to_string();
        room -= words + text.chars().count();
        slot.items.push(MemoryItem {
            run,
            source,
            title,
            host,
            success,
            summary,
            cut: text.len() < body.len(),
            text,
        });
    }
    slot.used_chars = budget - room as u32;
    if is_expected && slot.used_chars < budget / 2 {
        memory.gaps.push(format!("slot_underfilled:{name}"));
    }
    memory.slots.push(slot);
}
