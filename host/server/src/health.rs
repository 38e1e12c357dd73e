//! What is wrong with the host as a whole.

use std::sync::{Mutex, PoisonError};
use tokio::sync::watch;

/// Shared by the driver, which knows, and those who are asked.
#[derive(Debug)]
pub struct Health {
    trouble: Mutex<Option<String>>,
    failed: watch::Sender<Option<String>>,
}

impl Default for Health {
    fn default() -> Health {
        Health {
            trouble: Mutex::default(),
            failed: watch::channel(None).0,
        }
    }
}

impl Health {
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
