//! What a run has put out, for viewers: pieces of the log, events, and a follower that hands on what is new.
//!
//! Everything is read from the run's directory, so it is the same for a run under way and one that ended days ago, and no viewer
//! can slow a trainer down. Every answer has a bound.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use pointsman_model::RunId;
use pointsman_model::protocol::TrainerEvent;
use serde::{Deserialize, Serialize};

use crate::directory::{EventLine, RunDirectory, RunEvent};
use crate::recorder::plain;
use crate::samples::{self, Sample};

/// Something new from a run, told soon after it happened. A feed, not a record: the files have it all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    pub run: RunId,
    pub kind: OutputKind,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputKind {
    Samples(Vec<Sample>),
    Log {
        lines: Vec<LogLine>,
        /// Bytes before these lines that came too fast to be handed on; [`read_log`] has them.
        skipped_bytes: u64,
    },
    /// All events but the points of the loss curve and heartbeats.
    Event(EventLine),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Where the line starts in the log.
    pub offset: u64,
    /// Without line end and control characters; what is not UTF-8 is replaced.
    pub text: String,
    /// The line was an event of the trainer protocol.
    pub is_event: bool,
}

/// A piece of a run's log, byte for byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogSlice {
    pub offset: u64,
    pub bytes: Vec<u8>,
    /// Size of the log so far. There is more if `offset + bytes.len()` is less.
    pub total: u64,
}

impl LogSlice {
    pub fn next_offset(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }
}

/// Most bytes of a log in one answer.
pub const LOG_READ_MAX: usize = 1 << 20;
/// Most events in one answer.
pub const EVENTS_READ_MAX: usize = 1_000;
/// Bytes of a file that a follower takes at a time.
const FOLLOW_AT_ONCE: usize = 256 << 10;
/// A follower that is further behind skips.
const BEHIND_MAX: u64 = 1 << 20;
/// Most points of a loss curve in one message.
const SAMPLES_AT_ONCE: usize = 2_000;
/// Longest line of the file of events: the longest event, and what is said about it.
const EVENT_LINE_MAX: usize = 4 << 20;

/// Bytes of a run's log from `offset` on, at most `limit` and [`LOG_READ_MAX`]. Empty for a run that is unknown or has said nothing.
pub fn read_log(data_dir: &Path, run: RunId, offset: u64, limit: usize) -> io::Result<LogSlice> {
    read_piece(&RunDirectory::of(data_dir, run).log(), offset, limit.min(LOG_READ_MAX))
}

/// The last bytes of a run's log.
pub fn read_log_end(data_dir: &Path, run: RunId, limit: usize) -> io::Result<LogSlice> {
    let path = RunDirectory::of(data_dir, run).log();
    let limit = limit.min(LOG_READ_MAX);
    let offset = size(&path)?.saturating_sub(limit as u64);
    read_piece(&path, offset, limit)
}

/// The latest events of a run but the points of its loss curve and heartbeats, at most [`EVENTS_READ_MAX`].
pub fn read_events(data_dir: &Path, run: RunId) -> io::Result<Vec<EventLine>> {
    let path = RunDirectory::of(data_dir, run).events();
    let mut events = Vec::new();
    let mut at = 0;
    loop {
        let next = read_event_lines(&path, at, &mut events)?;
        let excess = events.len().saturating_sub(EVENTS_READ_MAX);
        events.drain(..excess);
        if next == at {
            return Ok(events);
        }
        at = next;
    }
}

/// Time since the supervisor of a run last gave a sign of life; none where it never did.
pub fn heartbeat_age(data_dir: &Path, run: RunId) -> Option<Duration> {
    let touched = std::fs::metadata(RunDirectory::of(data_dir, run).heartbeat())
        .ok()?
        .modified()
        .ok()?;
    Some(touched.elapsed().unwrap_or_default())
}

/// Hands on what is new in a run's directory.
pub(crate) struct Follower {
    directory: RunDirectory,
    run: RunId,
    log_at: u64,
    events_at: u64,
    samples_at: u64,
}

impl Follower {
    pub(crate) fn from_start(run: RunId, directory: RunDirectory) -> Follower {
        Follower {
            directory,
            run,
            log_at: 0,
            events_at: 0,
            samples_at: 0,
        }
    }

    /// For a run that has been going on: viewers read log and curve from the files first. Events are told again, so that
    /// phase and progress are known.
    pub(crate) fn from_now(run: RunId, directory: RunDirectory) -> Follower {
        let log_at = size(&directory.log()).unwrap_or(0);
        let samples = size(&directory.samples()).unwrap_or(0);
        let samples_at = samples - samples % samples::RECORD_BYTES;
        Follower {
            directory,
            run,
            log_at,
            events_at: 0,
            samples_at,
        }
    }

    /// What is new, up to a bound. `at_end` says that nothing will be added any more, so half a line counts as one.
    pub(crate) fn poll(&mut self, at_end: bool) -> io::Result<Vec<Output>> {
        let mut kinds = Vec::new();
        let (samples, next) = samples::read_from(&self.directory.samples(), self.samples_at, SAMPLES_AT_ONCE)?;
        self.samples_at = next;
        if !samples.is_empty() {
            kinds.push(OutputKind::Samples(samples));
        }
        let (lines, skipped_bytes) = self.log_lines(at_end)?;
        if !lines.is_empty() || skipped_bytes > 0 {
            kinds.push(OutputKind::Log { lines, skipped_bytes });
        }
        let mut events = Vec::new();
        self.events_at = read_event_lines(&self.directory.events(), self.events_at, &mut events)?;
        kinds.extend(latest_progress_only(events).into_iter().map(OutputKind::Event));
        Ok(kinds.into_iter().map(|kind| Output { run: self.run, kind }).collect())
    }

    fn log_lines(&mut self, at_end: bool) -> io::Result<(Vec<LogLine>, u64)> {
        let path = self.directory.log();
        let total = size(&path)?;
        let mut skipped = 0;
        if total.saturating_sub(self.log_at) > BEHIND_MAX {
            skipped = total - FOLLOW_AT_ONCE as u64 / 4 - self.log_at;
            self.log_at += skipped;
        }
        let piece = read_piece(&path, self.log_at, FOLLOW_AT_ONCE)?;
        let is_last = at_end && piece.next_offset() == piece.total;
        let (lines, used) = split_lines(&piece.bytes, piece.offset, is_last || piece.bytes.len() == FOLLOW_AT_ONCE);
        self.log_at += used as u64;
        Ok((lines, skipped))
    }
}

/// Lines end at LF or CR. Of lines that are written over, as progress bars do, the latest stays. Returns how many bytes are used up;
/// `take_rest` uses up an unfinished last line, too.
fn split_lines(bytes: &[u8], offset: u64, take_rest: bool) -> (Vec<LogLine>, usize) {
    let mut lines: Vec<LogLine> = Vec::new();
    let mut overwritten = false;
    let mut used = 0;
    while used < bytes.len() {
        let rest = &bytes[used..];
        let (length, ending, is_progress) = match rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            Some(at) if rest[at] == b'\n' => (at, 1, false),
            Some(at) if rest.get(at + 1) == Some(&b'\n') => (at, 2, false),
            // A CR at the very end may be the first half of CR LF.
            Some(at) if at + 1 < rest.len() || take_rest => (at, 1, true),
            None if take_rest => (rest.len(), 0, false),
            Some(_) | None => break,
        };
        let text = plain(&String::from_utf8_lossy(&rest[..length]));
        if overwritten {
            lines.pop();
        }
        overwritten = is_progress;
        lines.push(LogLine {
            offset: offset + used as u64,
            is_event: is_event(&text),
            text,
        });
        used += length + ending;
    }
    (lines, used)
}

fn is_event(text: &str) -> bool {
    use pointsman_model::protocol::{ParsedLine, parse_line};
    !matches!(parse_line(text), ParsedLine::Text)
}

/// Appends the events from byte `at` on, up to a bound, and returns where to go on. Stands still at the end, and at half a line.
fn read_event_lines(path: &Path, at: u64, events: &mut Vec<EventLine>) -> io::Result<u64> {
    let mut piece = read_piece(path, at, FOLLOW_AT_ONCE)?;
    if !piece.bytes.contains(&b'\n') && piece.bytes.len() == FOLLOW_AT_ONCE {
        piece = read_piece(path, at, EVENT_LINE_MAX)?;
    }
    let Some(end) = piece.bytes.iter().rposition(|byte| *byte == b'\n') else {
        // A line that no supervisor of ours writes is passed over, not waited for.
        return Ok(if piece.bytes.len() == EVENT_LINE_MAX {
            piece.next_offset()
        } else {
            at
        });
    };
    for line in piece.bytes[..end].split(|byte| *byte == b'\n') {
        // A torn line, as a loss of power may leave, says nothing.
        let Ok(event) = serde_json::from_slice::<EventLine>(line) else {
            continue;
        };
        match event.event {
            RunEvent::Event(TrainerEvent::TrainingLog { .. } | TrainerEvent::Heartbeat {}) => {}
            RunEvent::Event(_) | RunEvent::Malformed { .. } => events.push(event),
        }
    }
    Ok(at + end as u64 + 1)
}

fn latest_progress_only(mut events: Vec<EventLine>) -> Vec<EventLine> {
    let is_progress = |line: &EventLine| matches!(line.event, RunEvent::Event(TrainerEvent::Progress { .. }));
    let latest = events.iter().rposition(is_progress);
    let mut at = 0;
    events.retain(|line| {
        let keep = !is_progress(line) || Some(at) == latest;
        at += 1;
        keep
    });
    events
}

fn read_piece(path: &Path, offset: u64, limit: usize) -> io::Result<LogSlice> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(LogSlice {
                offset,
                ..LogSlice::default()
            });
        }
        Err(error) => return Err(error),
    };
    let total = file.metadata()?.len();
    let length = total.saturating_sub(offset).min(limit as u64);
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::with_capacity(length as usize);
    file.take(length).read_to_end(&mut bytes)?;
    Ok(LogSlice { offset, bytes, total })
}

fn size(path: &Path) -> io::Result<u64> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], take_rest: bool, texts: &[&str], used: usize) {
        let (lines, used_up) = split_lines(bytes, 0, take_rest);
        assert_eq!(lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), texts);
        assert_eq!(used_up, used);
    }

    #[test]
    fn lines_end_at_any_line_end_and_half_a_line_waits() {
        check(b"one\ntwo\r\nthr", false, &["one", "two"], 9);
        check(b"one\ntwo\r\nthr", true, &["one", "two", "thr"], 12);
        check(b"one\r", false, &[], 0);
        check(b"", true, &[], 0);
    }

    #[test]
    fn of_a_progress_bar_the_latest_state_stays() {
        check(b"10%\r20%\r30%\r\nready\n", true, &["30%", "ready"], 19);
    }

    #[test]
    fn a_line_says_where_it_stands_and_holds_no_control_characters() {
        let (lines, _) = split_lines(b"a\n\x1b[31mred\xff\n{\"type\":\"heartbeat\"}\n", 100, false);
        assert_eq!(
            lines[1],
            LogLine {
                offset: 102,
                text: "[31mred\u{fffd}".into(),
                is_event: false
            }
        );
        assert_eq!((lines[2].offset, lines[2].is_event), (112, true));
    }
}
