//! What the call under way on this thread has used: operations, CPU time, memory, log.
//!
//! The interpreter bounds each value, but a list that is filled by `list[i] = big` is not measured as a whole until it is
//! used. So the resident memory of the process is looked at as well: a script during which it grows by twice what the
//! policy may have is ended. Like the deadline this is a backstop; it may be another thread that grew.

use crate::clock::thread_cpu_time;
use crate::log::{LogBudget, LogFlood, LogLevel};
use pointsman_model::policy::PolicyLimits;
use rhai::Dynamic;
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Operations between two looks at the clock: a look costs as much as three of them.
const OPERATIONS_PER_LOOK: u64 = 256;
/// Operations between two looks at the memory, which cost more. At 64 KiB a value it is 16 MiB that may come between.
const OPERATIONS_PER_MEMORY_LOOK: u64 = 1_024;
const PAGE_BYTES: u64 = 4_096;
/// Native stack of one script. Calls and expressions may each be as deep as their limits allow, but together they would
/// overflow a thread of 2 MiB, and that ends the process. What is left is for the host below and for a native call above.
const STACK_BYTES_MAX: usize = 1 << 20;

thread_local! {
    static OPERATIONS: Cell<u64> = const { Cell::new(0) };
    static ENDS_AT: Cell<Duration> = const { Cell::new(Duration::MAX) };
    /// Address of the stack where the call began. It grows downwards on every machine we build for.
    static STACK_START: Cell<usize> = const { Cell::new(usize::MAX) };
    static MEMORY_MAX: Cell<u64> = const { Cell::new(u64::MAX) };
    /// Resident bytes at the first look; none before it.
    static RESIDENT: Cell<Option<u64>> = const { Cell::new(None) };
    static LOG: RefCell<Option<(Arc<str>, LogBudget)>> = const { RefCell::new(None) };
}

/// Held for the time of one call.
pub(super) struct Metered(());

pub(super) fn start(policy: &Arc<str>, limits: PolicyLimits) -> Metered {
    OPERATIONS.set(0);
    ENDS_AT.set(thread_cpu_time() + Duration::from_millis(u64::from(limits.deadline_ms)));
    STACK_START.set(stack_address());
    MEMORY_MAX.set(limits.memory_bytes);
    RESIDENT.set(None);
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

/// Why `on_progress` ended a script; the token of the interpreter's error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Deadline,
    Memory,
    Stack,
    LogFlood,
}

/// Called by the interpreter for each operation; anything returned ends the script.
pub(super) fn on_progress(operations: u64) -> Option<Dynamic> {
    OPERATIONS.set(operations);
    if STACK_START.get().saturating_sub(stack_address()) > STACK_BYTES_MAX {
        return Some(Dynamic::from(Ended::Stack));
    }
    if !operations.is_multiple_of(OPERATIONS_PER_LOOK) {
        return None;
    }
    if thread_cpu_time() >= ENDS_AT.get() {
        return Some(Dynamic::from(Ended::Deadline));
    }
    if operations.is_multiple_of(OPERATIONS_PER_MEMORY_LOOK)
        && let Some(resident) = resident_bytes()
    {
        match RESIDENT.get() {
            None => RESIDENT.set(Some(resident)),
            Some(first) if resident.saturating_sub(first) > MEMORY_MAX.get().saturating_mul(2) => {
                return Some(Dynamic::from(Ended::Memory));
            }
            Some(_) => {}
        }
    }
    None
}

/// Never inlined into a frame that begins elsewhere.
#[inline(never)]
fn stack_address() -> usize {
    let here = 0u8;
    std::ptr::from_ref(std::hint::black_box(&here)).addr()
}

/// None where the system does not tell.
fn resident_bytes() -> Option<u64> {
    static STATM: OnceLock<Option<File>> = OnceLock::new();
    let statm = STATM.get_or_init(|| File::open("/proc/self/statm").ok()).as_ref()?;
    let mut text = [0; 128];
    let length = statm.read_at(&mut text, 0).ok()?;
    let pages: u64 = std::str::from_utf8(&text[..length]).ok()?.split(' ').nth(1)?.parse().ok()?;
    Some(pages * PAGE_BYTES)
}

pub(super) fn log(message: &str) -> Result<(), LogFlood> {
    LOG.with_borrow_mut(|log| match log {
        Some((policy, budget)) => budget.log(policy, LogLevel::Info, message),
        None => Ok(()),
    })
}
