//! What the call under way on this thread has used: operations, CPU time, log.

use crate::clock::thread_cpu_time;
use crate::log::{LogBudget, LogFlood, LogLevel};
use pointsman_model::policy::PolicyLimits;
use rhai::Dynamic;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

/// Operations between two looks at the clock: a look costs as much as three of them.
const OPERATIONS_PER_LOOK: u64 = 256;

thread_local! {
    static OPERATIONS: Cell<u64> = const { Cell::new(0) };
    static ENDS_AT: Cell<Duration> = const { Cell::new(Duration::MAX) };
    static LOG: RefCell<Option<(Arc<str>, LogBudget)>> = const { RefCell::new(None) };
}

/// Held for the time of one call.
pub(super) struct Metered(());

pub(super) fn start(policy: &Arc<str>, limits: PolicyLimits) -> Metered {
    OPERATIONS.set(0);
    ENDS_AT.set(thread_cpu_time() + Duration::from_millis(u64::from(limits.deadline_ms)));
    LOG.set(Some((policy.clone(), LogBudget::new())));
    Metered(())
}

impl Metered {
    pub(super) fn operations(&self) -> u64 {
        OPERATIONS.get()
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        ENDS_AT.set(Duration::MAX);
        LOG.set(None);
    }
}

/// Called by the interpreter for each operation; anything returned ends the script.
pub(super) fn on_progress(operations: u64) -> Option<Dynamic> {
    OPERATIONS.set(operations);
    let late = operations.is_multiple_of(OPERATIONS_PER_LOOK) && thread_cpu_time() >= ENDS_AT.get();
    late.then_some(Dynamic::UNIT)
}

pub(super) fn log(message: &str) -> Result<(), LogFlood> {
    LOG.with_borrow_mut(|log| match log {
        Some((policy, budget)) => budget.log(policy, LogLevel::Info, message),
        None => Ok(()),
    })
}
