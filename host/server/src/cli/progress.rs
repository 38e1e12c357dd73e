//! How far long work is, on a terminal; nowhere else.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Work that is over sooner needs no word.
const QUIET: Duration = Duration::from_millis(500);
const TELL_EVERY: Duration = Duration::from_millis(100);
const BAR_WIDTH: u64 = 24;

pub(crate) struct Progress {
    what: &'static str,
    began: Instant,
    told: Option<Instant>,
    is_live: bool,
}

impl Progress {
    pub(crate) fn new(what: &'static str) -> Progress {
        Progress {
            what,
            began: Instant::now(),
            told: None,
            is_live: std::io::stderr().is_terminal(),
        }
    }

    pub(crate) fn tell(&mut self, done: u64, total: u64) {
        let is_due = self.told.map_or(self.began.elapsed() >= QUIET, |told| told.elapsed() >= TELL_EVERY);
        if !self.is_live || !is_due || total == 0 {
            return;
        }
        self.told = Some(Instant::now());
        let filled = (done.min(total) * BAR_WIDTH / total) as usize;
        let bar = format!("{}{}", "#".repeat(filled), ".".repeat(BAR_WIDTH as usize - filled));
        let seconds = self.began.elapsed().as_secs_f64();
        let left = match done {
            0 => String::new(),
            _ => format!(", {:.0} s left", seconds * (total.saturating_sub(done)) as f64 / done as f64),
        };
        eprint!("\r\x1b[K[{bar}] {done} of {total} {}{left}", self.what);
        let _ = std::io::stderr().flush();
    }

    pub(crate) fn end(&mut self) {
        if self.told.is_some() {
            eprint!("\r\x1b[K");
        }
    }
}
