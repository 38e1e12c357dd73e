//! The promotion window: successes since the watermark, which window it is, when it was full, and how fast they come.

use super::State;
use pointsman_model::Millis;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Times of successes that the rate is told from.
pub const SUCCESS_TIMES_MAX: usize = 30;

/// What is remembered of windows beside the watermark.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WindowRecord {
    /// Windows that were full and are used up.
    pub passed: u64,
    /// The present one is full.
    pub full: bool,
    /// When a window was full last.
    pub reached_at: Option<Millis>,
    /// The live model came back by a rollback then, and nothing has succeeded since.
    pub rolled_back_at: Option<Millis>,
    /// The latest successes, latest last; at most [`SUCCESS_TIMES_MAX`].
    pub success_times: VecDeque<Millis>,
}

impl State {
    /// Successes counted toward the next evaluation.
    pub fn window_done(&self) -> u64 {
        self.totals.successes.saturating_sub(self.watermark)
    }

    /// Time between two of the latest successes, stretched by the time without one since; none where two are too few to tell.
    pub fn success_interval_ms(&self, now: Millis) -> Option<f64> {
        let times = &self.window.success_times;
        let (first, last) = (*times.front()?, *times.back()?);
        let intervals = times.len().checked_sub(1).filter(|count| *count > 0)?;
        let even = last.saturating_sub(first) as f64 / intervals as f64;
        // A success that is late counts as one that comes now.
        let with_now = now.saturating_sub(first) as f64 / (intervals + 1) as f64;
        Some(even.max(with_now))
    }

    pub(super) fn note_success(&mut self, at: Millis) {
        self.window.rolled_back_at = None;
        self.window.success_times.push_back(at);
        if self.window.success_times.len() > SUCCESS_TIMES_MAX {
            self.window.success_times.pop_front();
        }
        self.note_window(at);
    }

    /// The count or the size of the window is another.
    pub(super) fn note_window(&mut self, at: Millis) {
        let full = self.window_done() >= u64::from(self.settings.promotion_window);
        if full && !self.window.full {
            self.window.reached_at = Some(at);
        }
        self.window.full = full;
    }

    pub(super) fn pass_window(&mut self, watermark: u64) {
        self.watermark = watermark;
        self.window.passed += 1;
        self.window.full = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_needs_two_successes_and_falls_while_none_comes() {
        let mut state = State::empty();
        assert_eq!(state.success_interval_ms(5_000), None);
        state.note_success(1_000);
        assert_eq!(state.success_interval_ms(5_000), None);
        state.note_success(3_000);
        assert_eq!(state.success_interval_ms(3_000), Some(2_000.0));
        assert_eq!(state.success_interval_ms(4_000), Some(2_000.0), "the next is not late yet");
        assert_eq!(state.success_interval_ms(11_000), Some(5_000.0), "it is late");
    }
}
