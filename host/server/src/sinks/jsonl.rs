//! A file of JSON lines, one for each entry. The file itself says how far it is, so a crash between the line and the cursor
//! doubles nothing; half a line at its end is cut off and written again.

use super::cursor::Cursor;
use super::{Deliver, Failed, Message, failed};
use serde::Deserialize;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Longest line that is looked for at the end of a file: an entry has 48 MiB at most, and outcomes a few KiB.
const LINE_BYTES_MAX: u64 = 64 << 20;
const CHUNK: u64 = 64 << 10;

pub(super) struct JsonLines {
    path: PathBuf,
    rotate_bytes: u64,
    keep: u32,
    open: Option<Open>,
}

struct Open {
    file: File,
    bytes: u64,
    /// Position before the file's first entry.
    begun_at: u64,
    last: u64,
}

/// What is read of a line of ours.
#[derive(Deserialize)]
struct Head {
    id: String,
    seq: u64,
}

/// What is wrong with a path, if anything: nothing of anybody else's is written to.
pub(super) fn check_path(path: &Path) -> Result<(), String> {
    if path.file_name().is_none() || path.is_dir() {
        return Err(format!("{} is not the name of a file", path.display()));
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() && !parent.is_dir() => {
            return Err(format!("there is no directory {}", parent.display()));
        }
        Some(_) | None => {}
    }
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("{} cannot be read: {error}", path.display())),
    };
    if !file.metadata().is_ok_and(|file| file.is_file()) {
        return Err(format!("{} is no plain file", path.display()));
    }
    let mut start = [0; 9];
    let read = file
        .read(&mut start)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    if !br#"{"id":"pm-"#.starts_with(&start[..read]) {
        return Err(format!("{} holds something else: name another file", path.display()));
    }
    Ok(())
}

impl JsonLines {
    pub(super) fn new(path: &Path, rotate_bytes: u64, keep: u32) -> JsonLines {
        JsonLines {
            path: path.into(),
            rotate_bytes,
            keep,
            open: None,
        }
    }

    fn rotated(&self, number: u32) -> PathBuf {
        let mut name = self.path.as_os_str().to_os_string();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    }

    fn io<T>(&self, what: &str, result: std::io::Result<T>) -> Result<T, Failed> {
        result.map_err(|error| failed(format!("{} cannot be {what}: {error}", self.path.display())))
    }

    /// The last entry of what was written before: of the file, else of the newest that is full.
    fn last_written(&self, journal: &str) -> Result<Option<u64>, Failed> {
        for path in std::iter::once(self.path.clone()).chain((1..=self.keep).map(|number| self.rotated(number))) {
            match File::open(&path) {
                Ok(mut file) => {
                    let found = self.io("read", last_line(&mut file))?;
                    if let Some(seq) = found.and_then(|line| head(&line, journal)) {
                        return Ok(Some(seq));
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return self.io("read", Err(error)),
            }
        }
        Ok(None)
    }

    fn open(&mut self, begun_at: u64, last: u64) -> Result<(), Failed> {
        check_path(&self.path).map_err(failed)?;
        let opened = OpenOptions::new().create(true).read(true).append(true).open(&self.path);
        let file = self.io("opened", opened)?;
        let whole = {
            let mut file = &file;
            self.io("read", whole_lines(&mut file))?
        };
        // Half a line is what a crash left: the entry is written again.
        self.io("cut to whole lines", file.set_len(whole))?;
        if let Some(parent) = self.path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            self.io("made durable", File::open(parent).and_then(|parent| parent.sync_all()))?;
        }
        self.open = Some(Open {
            file,
            bytes: whole,
            begun_at: if whole == 0 { last } else { begun_at },
            last,
        });
        Ok(())
    }

    /// The file is full: it becomes number 1, and those before it move on. From the oldest on, so that a crash in between leaves a
    /// gap and no file that is written over.
    fn rotate(&mut self) -> Result<(), Failed> {
        let last = self.open.take().map_or(0, |open| open.last);
        for number in (0..self.keep).rev() {
            let from = if number == 0 { self.path.clone() } else { self.rotated(number) };
            match std::fs::rename(&from, self.rotated(number + 1)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return self.io("put aside", Err(error)),
                Ok(()) | Err(_) => {}
            }
        }
        self.open(last, last)
    }

    fn append(&mut self, messages: &[Message]) -> Result<usize, Failed> {
        let Some(open) = &mut self.open else {
            return Err(failed("the file is not open"));
        };
        let mut batch = Vec::new();
        let mut taken = 0;
        for message in messages {
            let is_full = open.bytes + batch.len() as u64 + message.line.len() as u64 + 1 > self.rotate_bytes;
            if is_full && open.bytes + batch.len() as u64 > 0 {
                break;
            }
            batch.extend_from_slice(message.line.as_bytes());
            batch.push(b'\n');
            taken += 1;
        }
        if taken == 0 {
            self.rotate()?;
            return self.append(&messages[..1]);
        }
        let written = open.file.write_all(&batch).and_then(|()| open.file.sync_data());
        if let Err(error) = written {
            // How much of it is there is found out at the next try.
            self.open = None;
            return self.io("written", Err(error));
        }
        open.bytes += batch.len() as u64;
        open.last = messages[taken - 1].seq;
        Ok(taken)
    }
}

impl Deliver for JsonLines {
    fn resume(&mut self, cursor: &Cursor) -> Result<u64, Failed> {
        let last = self.last_written(&cursor.journal)?;
        let is_begun = std::fs::metadata(&self.path).is_ok_and(|file| file.len() > 0);
        let seq = match last {
            // The file knows best, whichever of the two a crash has left behind.
            Some(last) => last,
            // Something was begun, and no line of it is whole.
            None if is_begun => cursor.begun_at,
            None => cursor.seq,
        };
        self.open(cursor.begun_at.min(seq), seq)?;
        Ok(seq)
    }

    fn deliver(&mut self, messages: &[Message]) -> (usize, Option<Failed>) {
        match self.append(messages) {
            Ok(taken) => (taken, None),
            Err(failed) => (0, Some(failed)),
        }
    }

    fn begun_at(&self) -> Option<u64> {
        self.open.as_ref().map(|open| open.begun_at)
    }
}

/// The entry of a line that this journal has written.
fn head(line: &[u8], journal: &str) -> Option<u64> {
    let Head { id, seq } = serde_json::from_slice(line).ok()?;
    (id == format!("pm-{journal}-{seq}")).then_some(seq)
}

/// Bytes up to the end of the last whole line.
fn whole_lines(file: &mut (impl Read + Seek)) -> std::io::Result<u64> {
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut chunk = Vec::new();
    while end > 0 {
        let from = end.saturating_sub(CHUNK);
        file.seek(SeekFrom::Start(from))?;
        chunk.clear();
        file.by_ref().take(end - from).read_to_end(&mut chunk)?;
        if let Some(at) = chunk.iter().rposition(|byte| *byte == b'\n') {
            return Ok(from + at as u64 + 1);
        }
        end = from;
    }
    Ok(0)
}

/// The last whole line, without its end.
fn last_line(file: &mut (impl Read + Seek)) -> std::io::Result<Option<Vec<u8>>> {
    let whole = whole_lines(file)?;
    if whole == 0 {
        return Ok(None);
    }
    let end = whole - 1;
    let mut from = end;
    while from > 0 && end - from < LINE_BYTES_MAX {
        let start = from.saturating_sub(CHUNK);
        file.seek(SeekFrom::Start(start))?;
        let mut chunk = Vec::new();
        file.by_ref().take(from - start).read_to_end(&mut chunk)?;
        if let Some(at) = chunk.iter().rposition(|byte| *byte == b'\n') {
            from = start + at as u64 + 1;
            break;
        }
        from = start;
    }
    file.seek(SeekFrom::Start(from))?;
    let mut line = Vec::new();
    file.by_ref().take(end - from).read_to_end(&mut line)?;
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOURNAL: &str = "0123456789abcdef";

    fn message(seq: u64) -> Message {
        let id = format!("pm-{JOURNAL}-{seq}");
        let line = format!(r#"{{"id":"{id}","seq":{seq},"at":1,"type":"run_finished","event":{{}}}}"#);
        Message { seq, id, line }
    }

    fn cursor(seq: u64, begun_at: u64) -> Cursor {
        Cursor {
            journal: JOURNAL.to_string(),
            seq,
            begun_at,
        }
    }

    /// Everything in the file and the full ones, oldest first.
    fn seqs(path: &Path, keep: u32) -> Vec<u64> {
        let sink = JsonLines::new(path, 1 << 20, keep);
        let files = (1..=keep).rev().map(|number| sink.rotated(number)).chain([path.to_path_buf()]);
        let text: String = files.map(|file| std::fs::read_to_string(file).unwrap_or_default()).collect();
        text.lines()
            .map(|line| head(line.as_bytes(), JOURNAL).expect("a whole line"))
            .collect()
    }

    fn deliver_all(sink: &mut JsonLines, seqs: std::ops::RangeInclusive<u64>) {
        let messages: Vec<Message> = seqs.map(message).collect();
        let mut rest = &messages[..];
        while !rest.is_empty() {
            let (taken, stopped) = sink.deliver(rest);
            assert!(stopped.is_none() && taken > 0, "{stopped:?}");
            rest = &rest[taken..];
        }
    }

    #[test]
    fn wherever_its_end_is_torn_off_nothing_is_lost_or_doubled() {
        let directory = tempfile::TempDir::new().expect("a directory");
        let path = directory.path().join("out.jsonl");
        let whole = {
            let mut sink = JsonLines::new(&path, 1 << 20, 2);
            assert_eq!(sink.resume(&cursor(4, 4)).expect("a new file"), 4);
            deliver_all(&mut sink, 5..=8);
            std::fs::read(&path).expect("read")
        };
        for torn in 0..=whole.len() {
            std::fs::write(&path, &whole[..torn]).expect("torn");
            let mut sink = JsonLines::new(&path, 1 << 20, 2);
            // The cursor may be behind the file, or before it; only a file that is gone is believed to have been taken away.
            let at = sink.resume(&cursor(if torn == 0 { 4 } else { 8 }, 4)).expect("resumed");
            deliver_all(&mut sink, at + 1..=9);
            assert_eq!(seqs(&path, 2), [5, 6, 7, 8, 9], "torn at {torn}");
            std::fs::write(&path, &whole).expect("mended");
        }
    }

    #[test]
    fn full_files_move_on_and_the_oldest_goes() {
        let directory = tempfile::TempDir::new().expect("a directory");
        let path = directory.path().join("out.jsonl");
        let line = message(10).line.len() as u64 + 1;
        let mut sink = JsonLines::new(&path, 2 * line, 2);
        sink.resume(&cursor(9, 9)).expect("a new file");
        deliver_all(&mut sink, 10..=17);
        assert_eq!(seqs(&path, 2), [12, 13, 14, 15, 16, 17]);
        assert_eq!(sink.begun_at(), Some(15));
        // Full and gone on: the file is not there yet when the host dies.
        std::fs::rename(&path, directory.path().join("elsewhere")).expect("moved");
        let mut sink = JsonLines::new(&path, 2 * line, 2);
        assert_eq!(sink.resume(&cursor(15, 13)).expect("resumed"), 15, "the newest full one knows");
    }

    #[test]
    fn nothing_of_anybody_else_is_written_to() {
        let directory = tempfile::TempDir::new().expect("a directory");
        let path = directory.path().join("notes.txt");
        std::fs::write(&path, "my notes\n").expect("written");
        assert!(JsonLines::new(&path, 1 << 20, 2).resume(&cursor(0, 0)).is_err());
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "my notes\n");
        assert!(check_path(directory.path()).is_err());
        assert!(check_path(&directory.path().join("none/out.jsonl")).is_err());
    }
}
