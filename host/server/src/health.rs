//! What is wrong with the host as a whole.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use tokio::sync::watch;

/// Without a turn for so long, the driver's loop may be stuck: it turns at least every five seconds.
pub const STALE_AFTER_MS: u64 = 15_000;

/// Shared by the driver, which knows, and those who are asked.
#[derive(Debug)]
pub struct Health {
    trouble: Mutex<Option<String>>,
    failed: watch::Sender<Option<String>>,
    /// When the driver's loop last turned; 0 before it did.
    beat_at: AtomicU64,
}

impl Default for Health {
    fn default() -> Health {
        Health {
            trouble: Mutex::default(),
            failed: watch::channel(None).0,
            beat_at: AtomicU64::new(0),
        }
    }
}

impl Health {
    /// The driver's loop turns.
    pub fn beat(&self, now: u64) {
        self.beat_at.store(now, Ordering::Relaxed);
    }

    /// When it last did.
    pub fn beat_at(&self) -> Option<u64> {
        Some(self.beat_at.load(Ordering::Relaxed)).filter(|at| *at > 0)
    }

    /// Why nothing can be written now.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// The driver is gone: the process must end.
    pub fn fail(&self, reason: String) {
        self.failed.send_replace(Some(reason));
    }

    /// Told when the driver is gone.
    pub fn failed(&self) -> watch::Receiver<Option<String>> {
        self.failed.subscribe()
    }
}
