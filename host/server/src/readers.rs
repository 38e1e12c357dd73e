//! Readers of the journal for those who ask over HTTP: a few connections, handed around.

use pointsman_journal::{OpenError, Reader};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Connections kept open between questions.
const IDLE_MAX: usize = 8;

pub struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Reader>>,
}

impl Readers {
    pub fn new(path: PathBuf) -> Readers {
        Readers {
            path,
            idle: Mutex::default(),
        }
    }

    /// Asks on a connection of the caller's own. Blocks: not for async threads.
    pub fn with<T>(&self, ask: impl FnOnce(&Reader) -> T) -> Result<T, OpenError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let reader = match idle {
            Some(reader) => reader,
            None => Reader::open(&self.path)?,
        };
        let answer = ask(&reader);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(reader);
        }
        Ok(answer)
    }
}
