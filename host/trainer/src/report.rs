//! Speaking the trainer protocol: one JSON object per line, each flushed at once.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use pointsman_model::protocol::TrainerEvent;

/// A host worries after some seconds of silence; a busy machine may stretch one second to two.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);

pub(crate) struct Reporter<W> {
    out: W,
    beat_at: Instant,
}

impl<W: Write> Reporter<W> {
    pub(crate) fn new(out: W) -> Reporter<W> {
        Reporter {
            out,
            beat_at: Instant::now(),
        }
    }

    pub(crate) fn event(&mut self, event: &TrainerEvent) -> io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        // In one piece, so that a reader never sees half a line of ours.
        self.out.write_all(&line)?;
        self.out.flush()
    }

    /// A line for people: part of the log, no event.
    pub(crate) fn text(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.out, "{line}")?;
        self.out.flush()
    }

    /// To be called between steps.
    pub(crate) fn beat_if_due(&mut self) -> io::Result<()> {
        if self.beat_at.elapsed() < HEARTBEAT_EVERY {
            return Ok(());
        }
        self.beat_at = Instant::now();
        self.event(&TrainerEvent::Heartbeat {})
    }
}
