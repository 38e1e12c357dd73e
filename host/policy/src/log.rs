//! What policies log: bounded per decision, escaped, and passed on under the policy's name.

use crate::limits::{LOG_BYTES_MAX, LOG_CALLS_MAX};
use std::fmt::Write;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogLevel {
    Debug,
    Info,
    Warn,
}

/// What one decision may still log.
#[derive(Debug)]
pub(crate) struct LogBudget {
    calls: u32,
    bytes: usize,
}

/// The decision logged more than it may.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the policy logged more than {LOG_CALLS_MAX} lines or {LOG_BYTES_MAX} bytes in one decision")]
pub(crate) struct LogFlood;

impl LogBudget {
    pub(crate) fn new() -> LogBudget {
        LogBudget {
            calls: LOG_CALLS_MAX,
            bytes: LOG_BYTES_MAX,
        }
    }

    pub(crate) fn log(&mut self, policy: &str, level: LogLevel, message: &str) -> Result<(), LogFlood> {
        if self.calls == 0 || message.len() > self.bytes {
            return Err(LogFlood);
        }
        self.calls -= 1;
        self.bytes -= message.len();
        match level {
            LogLevel::Debug => tracing::debug!(target: "pointsman::policy", policy, "{}", escaped(message)),
            LogLevel::Info => tracing::info!(target: "pointsman::policy", policy, "{}", escaped(message)),
            LogLevel::Warn => tracing::warn!(target: "pointsman::policy", policy, "{}", escaped(message)),
        }
        Ok(())
    }
}

/// Control characters and text-direction overrides can forge lines and repaint a terminal.
pub(crate) fn is_plain(character: char) -> bool {
    !character.is_control() && !matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

pub(crate) fn escaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        if is_plain(character) {
            plain.push(character);
        } else {
            write!(plain, "{}", character.escape_unicode()).expect("a string can be written to");
        }
    }
    plain
}

/// Cuts at a character, so that a long text stays valid.
pub(crate) fn truncated(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        let mut end = bytes_max.saturating_sub(3);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut() {
        let mut budget = LogBudget::new();
        for _ in 0..LOG_CALLS_MAX {
            budget.log("p", LogLevel::Debug, "x").expect("within the budget");
        }
        assert!(budget.log("p", LogLevel::Debug, "x").is_err());
        assert!(LogBudget::new().log("p", LogLevel::Debug, &"x".repeat(LOG_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn nothing_can_repaint_a_terminal() {
        assert_eq!(escaped("a\u{1b}[2Jb\nc\u{202e}"), "a\\u{1b}[2Jb\\u{a}c\\u{202e}");
        assert_eq!(truncated("äöü".into(), 5), "ä...");
    }
}
