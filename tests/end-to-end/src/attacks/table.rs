//! Cases as they are run, and the table of what was seen.

use anyhow::{Context, Result};
use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

/// What came of a case that ended as required.
pub(super) struct Seen {
    pub(super) observed: String,
    pub(super) ms: f64,
}

pub(super) fn seen(observed: impl Into<String>, ms: f64) -> Seen {
    Seen {
        observed: observed.into(),
        ms,
    }
}

struct Row {
    id: String,
    attack: String,
    required: String,
    observed: String,
    ms: f64,
    ok: bool,
}

pub struct Table {
    started: Instant,
    rows: Vec<Row>,
}

impl Table {
    pub fn new() -> Table {
        Table {
            started: Instant::now(),
            rows: Vec::new(),
        }
    }

    pub fn elapsed_s(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Runs one case. An error of the case, or a panic in it, is a miss and not the end of the check.
    pub(super) fn case(&mut self, id: &str, attack: &str, required: &str, run: impl FnOnce() -> Result<Seen>) {
        let began = Instant::now();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
        let whole_ms = began.elapsed().as_secs_f64() * 1e3;
        let (observed, ms, ok) = match outcome {
            Ok(Ok(Seen { observed, ms })) => (observed, ms, true),
            Ok(Err(error)) => (format!("MISS: {error:#}"), whole_ms, false),
            Err(_) => ("MISS: a panic reached the caller".to_string(), whole_ms, false),
        };
        let resident_mib = super::rig::memory_bytes("VmRSS").unwrap_or(0) >> 20;
        let peak_mib = super::rig::memory_bytes("VmHWM").unwrap_or(0) >> 20;
        eprintln!(
            "[{:>5.1} s, {resident_mib} MiB, peak {peak_mib}] {id:<4} {} {attack}: {observed}",
            self.elapsed_s(),
            if ok { "ok  " } else { "MISS" }
        );
        self.rows.push(Row {
            id: id.to_string(),
            attack: attack.to_string(),
            required: required.to_string(),
            observed,
            ms,
            ok,
        });
    }

    pub fn misses(&self) -> Vec<&str> {
        self.rows.iter().filter(|row| !row.ok).map(|row| row.id.as_str()).collect()
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn to_markdown(&self) -> String {
        let mut text = String::from("| id | attack | required | observed | ms | ok |\n| --- | --- | --- | --- | ---: | --- |\n");
        for Row {
            id,
            attack,
            required,
            observed,
            ms,
            ok,
        } in &self.rows
        {
            let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
            let ok = if *ok { "ok" } else { "**MISS**" };
            let line = format!(
                "| {id} | {} | {} | {} | {ms:.1} | {ok} |",
                cell(attack),
                cell(required),
                cell(observed)
            );
            writeln!(text, "{line}").expect("a string can be written to");
        }
        text
    }

    pub fn write(&self, path: &Path) -> Result<()> {
        std::fs::write(path, self.to_markdown()).with_context(|| format!("write {}", path.display()))
    }
}

impl Default for Table {
    fn default() -> Table {
        Table::new()
    }
}

/// The first so many characters, for a cell.
pub(super) fn short(text: &str) -> String {
    const CHARACTERS_MAX: usize = 110;
    let mut cut: String = text.chars().take(CHARACTERS_MAX).collect();
    if text.chars().count() > CHARACTERS_MAX {
        cut.push_str("...");
    }
    cut
}
