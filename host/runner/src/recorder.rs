//! What a supervisor does with the output of a trainer: keep it, cap it, and read the events in it.
//!
//! A trainer may print anything: gigabytes, one endless line, bytes that are no text, half a line and then nothing. None
//! of it may stop the trainer, which would block on a full pipe, or fill memory or disk. So a line is kept up to
//! a length, the log up to a size, and what is cut off is counted and said in the log, in square brackets.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use pointsman_model::protocol::{ParsedLine, TrainerEvent, parse_line};
use pointsman_model::run::ERROR_BYTES_MAX;

use crate::directory::{EventLine, Findings, Limits, RunDirectory, RunEvent, to_json};
use crate::samples::{RECORD_BYTES, SAMPLES_KEPT_MAX, Sample};

/// Longest line of standard output that can be an event: an evaluation of a thousand blocks.
const EVENT_BYTES_MAX: usize = 1 << 20;
/// Size of the file of events. What ends a run is remembered beside it, so nothing depends on what is cut off.
const EVENTS_BYTES_MAX: u64 = 32 << 20;
/// Bytes that are collected before they are written.
const PENDING_BYTES_MAX: usize = 256 << 10;

/// Which pipe bytes came from. Events are read from standard output only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Error,
}

pub(crate) struct Recorder {
    limits: Limits,
    log: CappedFile,
    events: CappedFile,
    samples: CappedFile,
    out: Line,
    error: Line,
    out_tail: Tail,
    error_tail: Tail,
    findings: Findings,
    failed: Option<TrainerEvent>,
    dropped_events: u64,
    /// An empty line, of which the memory is used again.
    spare: Line,
}

impl Recorder {
    pub(crate) fn new(directory: &RunDirectory, limits: &Limits) -> io::Result<Recorder> {
        Ok(Recorder {
            log: CappedFile::open(&directory.log(), limits.log_bytes_max, OnLoss::Tell)?,
            events: CappedFile::open(&directory.events(), EVENTS_BYTES_MAX, OnLoss::CountOnly)?,
            samples: CappedFile::open(&directory.samples(), SAMPLES_KEPT_MAX * RECORD_BYTES, OnLoss::CountOnly)?,
            limits: limits.clone(),
            out: Line::default(),
            error: Line::default(),
            out_tail: Tail::default(),
            error_tail: Tail::default(),
            findings: Findings::default(),
            failed: None,
            dropped_events: 0,
            spare: Line::default(),
        })
    }

    /// Takes bytes as they came out of a pipe.
    pub(crate) fn take(&mut self, stream: Stream, mut bytes: &[u8]) {
        while let Some(first) = bytes.first() {
            if self.line(stream).return_pending {
                // A carriage return ended the line, unless it is the first half of CR LF.
                self.line(stream).return_pending = false;
                if *first == b'\n' {
                    self.line(stream).end_with(b'\n');
                    bytes = &bytes[1..];
                    self.end_line(stream, LineEnd::Line);
                } else {
                    self.end_line(stream, LineEnd::Progress);
                }
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let (text, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            let keep = self.keep(stream, text);
            self.line(stream).push(text, keep);
            bytes = rest;
            match bytes.first() {
                Some(b'\r') => {
                    self.line(stream).end_with(b'\r');
                    self.line(stream).return_pending = true;
                    bytes = &bytes[1..];
                }
                Some(_) => {
                    self.line(stream).end_with(b'\n');
                    bytes = &bytes[1..];
                    self.end_line(stream, LineEnd::Line);
                }
                None => {}
            }
        }
    }

    /// Nothing came for a while: what there is of unfinished lines goes into the log, so that a prompt without
    /// a line end can be seen.
    pub(crate) fn idle(&mut self) {
        for stream in [Stream::Out, Stream::Error] {
            self.write_line_so_far(stream);
        }
        self.flush();
    }

    /// Both pipes are at their end.
    pub(crate) fn finish(&mut self) {
        for stream in [Stream::Out, Stream::Error] {
            if !self.line(stream).is_empty() {
                self.end_line(stream, LineEnd::Line);
            }
        }
        if self.log.dropped > 0 {
            let note = format!("[pointsman: {} bytes of output were not kept]\n", self.log.dropped);
            self.log.push_beyond_cap(note.as_bytes());
        }
        self.flush();
    }

    pub(crate) fn flush(&mut self) {
        for file in [&mut self.log, &mut self.samples] {
            file.flush();
        }
        // Events last: a reader that has seen an event finds its line in the log.
        self.events.flush();
    }

    pub(crate) fn findings(&self) -> &Findings {
        &self.findings
    }

    /// The last `training.failed`, unless the run was completed after it.
    pub(crate) fn failed(&self) -> Option<&TrainerEvent> {
        self.failed.as_ref()
    }

    pub(crate) fn dropped_bytes(&self) -> u64 {
        self.log.dropped
    }

    pub(crate) fn dropped_events(&self) -> u64 {
        self.dropped_events
    }

    /// The last words of the trainer: of standard error if it used that, else of standard output.
    pub(crate) fn last_words(&self) -> String {
        let words = self.error_tail.text();
        if words.is_empty() { self.out_tail.text() } else { words }
    }

    fn line(&mut self, stream: Stream) -> &mut Line {
        match stream {
            Stream::Out => &mut self.out,
            Stream::Error => &mut self.error,
        }
    }

    /// Bytes of the present line that are kept in memory: more of one that may be an event.
    fn keep(&mut self, stream: Stream, next: &[u8]) -> usize {
        let first = *self.line(stream).kept.first().or(next.first()).unwrap_or(&0);
        match stream {
            Stream::Out if first == b'{' => EVENT_BYTES_MAX.max(self.limits.line_bytes_max),
            Stream::Out | Stream::Error => self.limits.line_bytes_max,
        }
    }

    fn end_line(&mut self, stream: Stream, end: LineEnd) {
        let start = self.write_line_so_far(stream);
        let spare = std::mem::take(&mut self.spare);
        let line = std::mem::replace(self.line(stream), spare);
        let line_bytes_max = self.limits.line_bytes_max;
        let beyond = line.length.saturating_sub(line_bytes_max as u64);
        if beyond > 0 {
            let note = format!(" [pointsman: {beyond} bytes of this line were not kept; a line may have {line_bytes_max}]");
            self.log.push(note.as_bytes());
            self.log.dropped += beyond;
        }
        self.log.push(line.terminator());
        if end == LineEnd::Line {
            self.read_line(stream, &line, start);
        }
        self.spare = line.emptied();
    }

    fn read_line(&mut self, stream: Stream, line: &Line, start: u64) {
        let is_whole = line.length == line.kept.len() as u64;
        // Most lines are no events; they need not be made text of.
        let may_be_event = stream == Stream::Out && is_whole && line.kept.trim_ascii_start().starts_with(b"{");
        if may_be_event {
            match parse_line(&String::from_utf8_lossy(&line.kept)) {
                ParsedLine::Event(event) => return self.take_event(event, start),
                ParsedLine::Malformed { field, reason } => return self.write_event(start, RunEvent::Malformed { field, reason }),
                ParsedLine::Text => {}
            }
        }
        match stream {
            Stream::Out => self.out_tail.push(&line.kept),
            Stream::Error => self.error_tail.push(&line.kept),
        }
    }

    fn take_event(&mut self, event: TrainerEvent, offset: u64) {
        match &event {
            TrainerEvent::TrainingStarted { eval_loss, hosts, .. } => {
                self.findings.hosts.clone_from(hosts);
                self.findings.first_eval_loss = self.findings.first_eval_loss.or(*eval_loss);
            }
            TrainerEvent::TrainingLog { step, loss, eval_loss, .. } => {
                self.findings.last_step = self.findings.last_step.max(*step);
                self.findings.last_eval_loss = eval_loss.or(self.findings.last_eval_loss);
                let sample = Sample {
                    step: *step,
                    loss: *loss,
                    eval_loss: *eval_loss,
                };
                if !self.samples.push(&sample.to_record()) {
                    self.dropped_events += 1;
                }
            }
            TrainerEvent::Progress { step, .. } => self.findings.last_step = self.findings.last_step.max(*step),
            TrainerEvent::TrainingCompleted { .. } => {
                self.findings.completed = Some(event.clone());
                self.failed = None;
            }
            TrainerEvent::EvaluationCompleted(evaluation) => {
                self.findings.evaluation = Some(evaluation.clone());
                self.failed = None;
            }
            TrainerEvent::TrainingFailed { .. } => self.failed = Some(event.clone()),
            TrainerEvent::Phase { .. } | TrainerEvent::CheckpointSaved { .. } | TrainerEvent::Heartbeat {} => {}
        }
        self.write_event(offset, RunEvent::Event(event));
    }

    fn write_event(&mut self, offset: u64, event: RunEvent) {
        if !self.events.push(&to_json(&EventLine {
            at: unix_ms(),
            offset,
            event,
        })) {
            self.dropped_events += 1;
        }
    }

    /// Returns where the line starts in the log.
    fn write_line_so_far(&mut self, stream: Stream) -> u64 {
        let line = match stream {
            Stream::Out => &mut self.out,
            Stream::Error => &mut self.error,
        };
        let shown = line.kept.len().min(self.limits.line_bytes_max);
        let start = line.start.unwrap_or(self.log.end());
        if line.written < shown {
            self.log.push(&line.kept[line.written..shown]);
            line.written = shown;
            line.start = Some(start);
        }
        start
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LineEnd {
    Line,
    /// A carriage return: the line will be written over, as progress bars do.
    Progress,
}

/// The line that a stream is in the middle of.
#[derive(Default)]
struct Line {
    /// Its first bytes, without terminator.
    kept: Vec<u8>,
    /// How many bytes it has in all, without terminator.
    length: u64,
    terminator: [u8; 2],
    terminator_length: usize,
    /// How many of the kept bytes are in the log, and where they start.
    written: usize,
    start: Option<u64>,
    return_pending: bool,
}

impl Line {
    fn push(&mut self, bytes: &[u8], keep: usize) {
        let room = keep.saturating_sub(self.kept.len()).min(bytes.len());
        self.kept.extend_from_slice(&bytes[..room]);
        self.length += bytes.len() as u64;
    }

    fn end_with(&mut self, byte: u8) {
        self.terminator[self.terminator_length] = byte;
        self.terminator_length += 1;
    }

    fn terminator(&self) -> &[u8] {
        &self.terminator[..self.terminator_length]
    }

    fn is_empty(&self) -> bool {
        self.length == 0 && self.terminator_length == 0
    }

    /// An empty line in the memory of this one.
    fn emptied(mut self) -> Line {
        self.kept.clear();
        Line {
            kept: self.kept,
            ..Line::default()
        }
    }
}

/// The last lines of text, for the error of a run that failed.
#[derive(Default)]
struct Tail {
    bytes: Vec<u8>,
}

/// Enough that [`ERROR_BYTES_MAX`] are left when control characters and blank lines are gone.
const TAIL_BYTES: usize = 8 * ERROR_BYTES_MAX;

impl Tail {
    fn push(&mut self, line: &[u8]) {
        self.bytes.extend_from_slice(&line[line.len().saturating_sub(TAIL_BYTES)..]);
        self.bytes.push(b'\n');
        if self.bytes.len() > 4 * TAIL_BYTES {
            self.bytes.drain(..self.bytes.len() - TAIL_BYTES);
        }
    }

    /// Whole lines where they fit.
    fn text(&self) -> String {
        let text = plain(&String::from_utf8_lossy(&self.bytes));
        let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        let mut start = lines.len();
        let mut length = 0;
        while start > 0 && length + lines[start - 1].len() < ERROR_BYTES_MAX {
            start -= 1;
            length += lines[start].len() + 1;
        }
        match (&lines[start..], lines.last()) {
            ([], Some(last)) => end_of(last, ERROR_BYTES_MAX).to_string(),
            (fitting, _) => fitting.join("\n"),
        }
    }
}

/// Without the control characters that move a terminal's cursor or colour it.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .filter(|char| !char.is_control() || matches!(char, '\n' | '\t'))
        .collect()
}

/// The last bytes of a text, from a whole character on.
pub(crate) fn end_of(text: &str, bytes_max: usize) -> &str {
    let mut start = text.len().saturating_sub(bytes_max);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

/// An append file that takes so many bytes and no more, and that survives a full disk: what cannot be written is dropped.
struct CappedFile {
    file: File,
    written: u64,
    pending: Vec<u8>,
    cap: u64,
    /// Something did not fit. Nothing more is taken, so that what is kept has no holes.
    full: bool,
    dropped: u64,
    on_loss: OnLoss,
    /// Bytes lost to a disk that would not take them, not yet told, and why.
    untold: Option<(u64, String)>,
}

/// Whether a file for people says what it lost; records cannot.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnLoss {
    Tell,
    CountOnly,
}

impl CappedFile {
    fn open(path: &Path, cap: u64, on_loss: OnLoss) -> io::Result<CappedFile> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let written = file.metadata()?.len();
        Ok(CappedFile {
            file,
            written,
            pending: Vec::new(),
            cap,
            full: false,
            dropped: 0,
            on_loss,
            untold: None,
        })
    }

    /// Where the next byte will stand.
    fn end(&self) -> u64 {
        self.written + self.pending.len() as u64
    }

    /// All of it or nothing; false where it did not fit.
    fn push(&mut self, bytes: &[u8]) -> bool {
        if !self.full && self.end() + bytes.len() as u64 > self.cap {
            self.full = true;
            if self.on_loss == OnLoss::Tell {
                let note = format!("\n[pointsman: the log is full at {} bytes; what follows is not kept]\n", self.cap);
                self.push_beyond_cap(note.as_bytes());
            }
        }
        if self.full {
            self.dropped += bytes.len() as u64;
            return false;
        }
        self.push_beyond_cap(bytes);
        true
    }

    fn push_beyond_cap(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= PENDING_BYTES_MAX {
            self.flush();
        }
    }

    /// Writes what is pending, whole or not at all, so that no record is torn.
    fn flush(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let lost = self.pending.len() as u64;
        if let (OnLoss::Tell, Some((bytes, why))) = (self.on_loss, &self.untold) {
            let note = format!("[pointsman: {bytes} bytes before these lines could not be written: {why}]\n");
            self.pending.extend_from_slice(note.as_bytes());
        }
        match self.file.write_all(&self.pending) {
            Ok(()) => {
                self.written += self.pending.len() as u64;
                self.untold = None;
            }
            Err(error) => {
                // Nothing helps if even this fails; readers skip a torn record.
                let _ = self.file.set_len(self.written);
                self.dropped += lost;
                self.untold.get_or_insert((0, error.to_string())).0 += lost;
            }
        }
        self.pending.clear();
    }
}

pub(crate) fn unix_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}
