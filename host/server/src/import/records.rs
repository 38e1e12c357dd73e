//! A file cut into records: a line of JSONL, or a record of CSV, which may span lines.

use super::Format;
use std::collections::VecDeque;
use std::io::{BufRead, Read as _};

/// Longest record: a source's text has a quarter of it, and may be escaped.
const RECORD_BYTES_MAX: usize = 1 << 20;

/// One object of a JSONL file, or one record of a CSV file.
pub(super) struct Record {
    /// Its first and last line, from 1.
    pub(super) line: u64,
    pub(super) last_line: u64,
    /// Without the line's end.
    pub(super) bytes: Vec<u8>,
    pub(super) broken: Option<&'static str>,
}

impl Record {
    pub(super) fn is_blank(&self) -> bool {
        self.broken.is_none() && self.bytes.iter().all(u8::is_ascii_whitespace)
    }
}

pub(super) struct Records<R> {
    file: R,
    format: Format,
    line: u64,
    pub(super) bytes: u64,
    /// Lines that were read for a record that has no end: read again, each for itself.
    again: VecDeque<Line>,
}

struct Line {
    bytes: Vec<u8>,
    too_long: bool,
}

impl<R: BufRead> Records<R> {
    pub(super) fn new(file: R, format: Format) -> Records<R> {
        Records {
            file,
            format,
            line: 0,
            bytes: 0,
            again: VecDeque::new(),
        }
    }

    pub(super) fn next(&mut self) -> std::io::Result<Option<Record>> {
        let Some(first) = self.next_line()? else { return Ok(None) };
        self.line += 1;
        let line = self.line;
        if first.too_long {
            return Ok(Some(self.broken(line, first, "is longer than 1 MiB")));
        }
        if self.format == Format::Jsonl || !ends_in_quotes(&first.bytes) {
            return Ok(Some(Record {
                line,
                last_line: line,
                bytes: first.bytes,
                broken: None,
            }));
        }
        // A quoted field goes on in the next line.
        let mut bytes = first.bytes.clone();
        let mut taken = VecDeque::new();
        loop {
            match self.next_line()? {
                Some(next) if !next.too_long && bytes.len() + next.bytes.len() < RECORD_BYTES_MAX => {
                    bytes.push(b'\n');
                    bytes.extend_from_slice(&next.bytes);
                    taken.push_back(next);
                    if !ends_in_quotes(&bytes) {
                        self.line += taken.len() as u64;
                        return Ok(Some(Record {
                            line,
                            last_line: self.line,
                            bytes,
                            broken: None,
                        }));
                    }
                }
                next => {
                    taken.extend(next);
                    taken.append(&mut self.again);
                    self.again = taken;
                    return Ok(Some(self.broken(line, first, "opens a quote that nothing closes")));
                }
            }
        }
    }

    fn broken(&self, line: u64, first: Line, problem: &'static str) -> Record {
        Record {
            line,
            last_line: line,
            bytes: first.bytes,
            broken: Some(problem),
        }
    }

    fn next_line(&mut self) -> std::io::Result<Option<Line>> {
        if let Some(line) = self.again.pop_front() {
            return Ok(Some(line));
        }
        let mut bytes = Vec::new();
        let read = (&mut self.file).take(RECORD_BYTES_MAX as u64 + 1).read_until(b'\n', &mut bytes)?;
        if read == 0 {
            return Ok(None);
        }
        self.bytes += read as u64;
        let mut too_long = false;
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        } else if bytes.len() > RECORD_BYTES_MAX {
            too_long = true;
            bytes.truncate(256);
            self.bytes += skip_line(&mut self.file)?;
        }
        Ok(Some(Line { bytes, too_long }))
    }
}

fn skip_line(file: &mut impl BufRead) -> std::io::Result<u64> {
    let mut skipped = 0;
    loop {
        let available = file.fill_buf()?;
        if available.is_empty() {
            return Ok(skipped);
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(available.len(), |end| end + 1);
        file.consume(taken);
        skipped += taken as u64;
        if end.is_some() {
            return Ok(skipped);
        }
    }
}

/// Whether a record of CSV is within quotes at its end: they open at the beginning of a field only, and two of them are one.
fn ends_in_quotes(bytes: &[u8]) -> bool {
    let mut quoted = false;
    let mut at_field = true;
    let mut rest = bytes.iter().peekable();
    while let Some(byte) = rest.next() {
        match (quoted, *byte) {
            (true, b'"') if rest.peek() == Some(&&b'"') => {
                rest.next();
            }
            (true, b'"') => quoted = false,
            (true, _) => {}
            (false, b'"') if at_field => quoted = true,
            (false, _) => {}
        }
        at_field = !quoted && matches!(*byte, b',' | b'\n');
    }
    quoted
}
