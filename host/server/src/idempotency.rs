//! Requests that are carried out once, however often they are sent: `Idempotency-Key`.
//!
//! A key is written to disk before its request is carried out, and the answer after it. A host that dies between the two
//! finds the key without an answer: it then says that the outcome is unknown, and never carries the request out again.
//! A refused request has changed nothing, so its key is given back.
//!
//! One file of JSON lines beside the journal, rewritten without what is over at each start and when it has grown.

use pointsman_model::{Digest, Millis};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// How long a key stands for its request.
pub const KEPT_MS: u64 = 24 * 60 * 60 * 1000;
/// Keys kept at a time; beyond it a request with a new key is refused, since its promise could not be kept.
const KEYS_MAX: usize = 20_000;
/// Longest key.
pub const KEY_BYTES_MAX: usize = 200;
/// Lines of the file at which it is rewritten.
const LINES_MAX: usize = 4 * KEYS_MAX;

/// An answer as it was given the first time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// What a request with a key comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Begun {
    /// It is new: carry it out, and hand the token to [`Idempotency::finish`].
    CarryOut(Token),
    /// It was carried out: give the same answer.
    Again(Arc<Answer>),
    /// The same request is under way.
    UnderWay,
    /// The key stands for another request.
    OtherRequest,
    /// The host ended while it was carried out.
    Unknown,
}

/// The right to carry one request out.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub struct Token {
    key: String,
}

#[derive(Debug, thiserror::Error)]
pub enum IdempotencyError {
    #[error("the keys of earlier requests at {path} cannot be {step}")]
    Io {
        path: PathBuf,
        step: &'static str,
        source: std::io::Error,
    },
    #[error("{KEYS_MAX} requests of the last 24 hours carried a key of their own")]
    TooMany,
}

#[derive(Clone, Debug)]
struct Entry {
    request: Digest,
    at: Millis,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    UnderWay,
    Done(Arc<Answer>),
    Unknown,
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
enum Line {
    Begun { key: String, request: Digest, at: Millis },
    Answered { key: String, answer: Answer },
    Refused { key: String },
}

pub struct Idempotency {
    path: PathBuf,
    inner: Mutex<Inner>,
}

struct Inner {
    entries: HashMap<String, Entry>,
    file: File,
    lines: usize,
}

impl Idempotency {
    pub fn open(directory: &Path, now: Millis) -> Result<Idempotency, IdempotencyError> {
        let path = directory.join("idempotency.jsonl");
        let mut entries = read(&path)?;
        entries.retain(|_, entry| !is_over(entry, now));
        let (file, lines) = rewrite(&path, &entries)?;
        Ok(Idempotency {
            path,
            inner: Mutex::new(Inner { entries, file, lines }),
        })
    }

    /// Claims the key for a request. On disk when this returns. Blocks: not for async threads.
    pub fn begin(&self, key: &str, request: Digest, now: Millis) -> Result<Begun, IdempotencyError> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = inner.entries.get(key).filter(|entry| !is_over(entry, now)) {
            return Ok(match &entry.stage {
                _ if entry.request != request => Begun::OtherRequest,
                Stage::UnderWay => Begun::UnderWay,
                Stage::Done(answer) => Begun::Again(answer.clone()),
                Stage::Unknown => Begun::Unknown,
            });
        }
        if inner.entries.len() >= KEYS_MAX || inner.lines >= LINES_MAX {
            inner.entries.retain(|_, entry| !is_over(entry, now));
            if inner.entries.len() >= KEYS_MAX {
                return Err(IdempotencyError::TooMany);
            }
            (inner.file, inner.lines) = rewrite(&self.path, &inner.entries)?;
        }
        let line = Line::Begun {
            key: key.to_string(),
            request,
            at: now,
        };
        self.write(&mut inner, &line, true)?;
        let entry = Entry {
            request,
            at: now,
            stage: Stage::UnderWay,
        };
        inner.entries.insert(key.to_string(), entry);
        Ok(Begun::CarryOut(Token { key: key.to_string() }))
    }

    /// Keeps the answer; none gives the key back, since nothing was changed. On disk when this returns.
    pub fn finish(&self, token: Token, answer: Option<Answer>) -> Result<(), IdempotencyError> {
        let Token { key } = token;
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Some(answer) => {
                // First in memory: as long as this process lives, the answer holds whatever the disk does.
                if let Some(entry) = inner.entries.get_mut(&key) {
                    entry.stage = Stage::Done(Arc::new(answer.clone()));
                }
                self.write(&mut inner, &Line::Answered { key, answer }, true)
            }
            None => {
                inner.entries.remove(&key);
                self.write(&mut inner, &Line::Refused { key }, false)
            }
        }
    }

    /// The request broke off without an answer: what it has done is not known.
    pub fn lose(&self, key: &str) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = inner.entries.get_mut(key) {
            entry.stage = Stage::Unknown;
        }
    }

    fn write(&self, inner: &mut Inner, line: &Line, sync: bool) -> Result<(), IdempotencyError> {
        let mut bytes = serde_json::to_vec(line).expect("a line is plain data");
        bytes.push(b'\n');
        let written = inner
            .file
            .write_all(&bytes)
            .and_then(|()| if sync { inner.file.sync_data() } else { Ok(()) });
        inner.lines += 1;
        written.map_err(|source| IdempotencyError::Io {
            path: self.path.clone(),
            step: "written",
            source,
        })
    }
}

fn is_over(entry: &Entry, now: Millis) -> bool {
    !matches!(entry.stage, Stage::UnderWay) && entry.at.saturating_add(KEPT_MS) <= now
}

fn read(path: &Path) -> Result<HashMap<String, Entry>, IdempotencyError> {
    let io = |source| IdempotencyError::Io {
        path: path.to_path_buf(),
        step: "read",
        source,
    };
    let mut entries = HashMap::new();
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(entries),
        Err(error) => return Err(io(error)),
    };
    for line in BufReader::new(file).split(b'\n') {
        // A line that a power cut left torn was promised to nobody.
        let Ok(line) = serde_json::from_slice::<Line>(&line.map_err(io)?) else {
            continue;
        };
        match line {
            Line::Begun { key, request, at } => {
                let entry = Entry {
                    request,
                    at,
                    stage: Stage::Unknown,
                };
                entries.insert(key, entry);
            }
            Line::Answered { key, answer } => {
                if let Some(entry) = entries.get_mut(&key) {
                    entry.stage = Stage::Done(Arc::new(answer));
                }
            }
            Line::Refused { key } => {
                entries.remove(&key);
            }
        }
    }
    Ok(entries)
}

/// The file with what still holds, in the place of the old one.
fn rewrite(path: &Path, entries: &HashMap<String, Entry>) -> Result<(File, usize), IdempotencyError> {
    let io = |source| IdempotencyError::Io {
        path: path.to_path_buf(),
        step: "rewritten",
        source,
    };
    let mut bytes = Vec::new();
    let mut lines = 0;
    for (key, entry) in entries {
        let mut line = |line: &Line| {
            serde_json::to_writer(&mut bytes, line).expect("a line is plain data");
            bytes.push(b'\n');
            lines += 1;
        };
        line(&Line::Begun {
            key: key.clone(),
            request: entry.request,
            at: entry.at,
        });
        if let Stage::Done(answer) = &entry.stage {
            line(&Line::Answered {
                key: key.clone(),
                answer: Answer::clone(answer),
            });
        }
    }
    let beside = path.with_extension("new");
    let mut file = File::create(&beside).map_err(io)?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(io)?;
    std::fs::rename(&beside, path).map_err(io)?;
    if let Some(directory) = path.parent() {
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(io)?;
    }
    let file = OpenOptions::new().append(true).open(path).map_err(io)?;
    Ok((file, lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &str) -> Answer {
        Answer {
            status: 201,
            headers: vec![("content-type".into(), "application/json".into())],
            body: body.into(),
        }
    }

    #[test]
    fn a_key_stands_for_one_request_across_starts() {
        let directory = tempfile::tempdir().expect("a directory");
        let (one, other) = (Digest::of(b"one"), Digest::of(b"other"));
        let keys = Idempotency::open(directory.path(), 0).expect("opened");
        let Begun::CarryOut(token) = keys.begin("k", one, 10).expect("begun") else {
            panic!("a new key")
        };
        assert_eq!(keys.begin("k", one, 11).expect("asked"), Begun::UnderWay);
        assert_eq!(keys.begin("k", other, 11).expect("asked"), Begun::OtherRequest);
        keys.finish(token, Some(answer("{}"))).expect("kept");
        assert_eq!(keys.begin("k", one, 12).expect("asked"), Begun::Again(Arc::new(answer("{}"))));
        drop(keys);

        let keys = Idempotency::open(directory.path(), 20).expect("opened again");
        assert_eq!(keys.begin("k", one, 21).expect("asked"), Begun::Again(Arc::new(answer("{}"))));
        assert_eq!(keys.begin("k", other, 21).expect("asked"), Begun::OtherRequest);
        let day_after = 10 + KEPT_MS;
        assert!(
            matches!(keys.begin("k", other, day_after), Ok(Begun::CarryOut(_))),
            "after a day the key is free"
        );
    }

    #[test]
    fn a_host_that_died_on_the_way_never_carries_it_out_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let keys = Idempotency::open(directory.path(), 0).expect("opened");
        let begun = keys.begin("k", Digest::of(b"one"), 10).expect("begun");
        assert!(matches!(begun, Begun::CarryOut(_)));
        drop(keys);
        // A power cut leaves half a line.
        let mut file = OpenOptions::new()
            .append(true)
            .open(directory.path().join("idempotency.jsonl"))
            .expect("there");
        file.write_all(b"{\"step\":\"answered\",\"key\":\"k\",").expect("written");
        drop(file);
        let keys = Idempotency::open(directory.path(), 20).expect("opened again");
        assert_eq!(keys.begin("k", Digest::of(b"one"), 21).expect("asked"), Begun::Unknown);
    }

    #[test]
    fn a_refused_request_gives_its_key_back() {
        let directory = tempfile::tempdir().expect("a directory");
        let keys = Idempotency::open(directory.path(), 0).expect("opened");
        for request in [b"wrong".as_slice(), b"right"] {
            let Begun::CarryOut(token) = keys.begin("k", Digest::of(request), 10).expect("begun") else {
                panic!("the key is free for {request:?}")
            };
            keys.finish(token, None).expect("given back");
        }
    }
}
