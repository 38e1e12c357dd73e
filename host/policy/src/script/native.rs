//! Scripts in the host itself, for those that an operator trusts.
//!
//! The interpreter counts operations and bounds each value. Added here: CPU time, the native stack, and resident memory,
//! because a list that is filled by `list[i] = big` is not measured as a whole until it is used. All three are looked at
//! between two operations only, and the memory is that of the whole process: it may be another thread that grew. A script
//! that means harm can do some here, which is why trust is asked for; in the sandbox it can not.

use super::{operations, settled};
use crate::clock::thread_cpu_time;
use crate::log::{LogBudget, LogLevel};
use crate::version::{Failure, Objection, Told};
use pointsman_model::context::Context;
use pointsman_model::decision::{Advice, Verdict};
use pointsman_model::policy::{Cost, PolicyLimits, Setting};
use pointsman_script::{Ended, Hooks, Outcome, Refusal, Script};
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

pub(crate) struct Program {
    script: Script,
    policy: Arc<str>,
    limits: PolicyLimits,
}

pub(super) fn load(code: &[u8], limits: PolicyLimits) -> Result<Program, Refusal> {
    let mut script = Script::load(code, Hooks { look: Some(look), log })?;
    script.limit_operations(operations(limits));
    Ok(Program {
        script,
        policy: "unnamed".into(),
        limits,
    })
}

impl Program {
    pub(super) fn settle(&mut self, name: &str, limits: PolicyLimits) {
        self.policy = name.into();
        self.limits = limits;
        self.script.limit_operations(operations(limits));
    }

    pub(super) fn describe(&self) -> Result<(Told, Cost), Failure> {
        self.call(Script::describe)
    }

    pub(super) fn check_settings(&self, settings: &[Setting]) -> Result<(Vec<Objection>, Cost), Failure> {
        self.call(|script| script.check_settings(settings))
    }

    pub(super) fn decide(&self, context: &Context) -> Result<((Verdict, Advice), Cost), Failure> {
        self.call(|script| script.decide(context))
    }

    pub(super) fn migrate(&self, from_version: u32, state: &[u8]) -> Result<(Vec<u8>, Cost), Failure> {
        self.call(|script| script.migrate(from_version, state))
    }

    fn call<T>(&self, call: impl FnOnce(&Script) -> Outcome<T>) -> Result<(T, Cost), Failure> {
        let started = Instant::now();
        let watched = watch(&self.policy, self.limits);
        let outcome = call(&self.script);
        drop(watched);
        settled(outcome, self.limits, started)
    }
}

/// Operations between two looks at the stack: none takes more than a call's worth of it.
const OPERATIONS_PER_STACK_LOOK: u64 = 8;
/// Operations between two looks at the clock: a look costs as much as three of them.
const OPERATIONS_PER_LOOK: u64 = 256;
/// Operations between two looks at the memory, which cost more. At 64 KiB a value it is 16 MiB that may come between.
const OPERATIONS_PER_MEMORY_LOOK: u64 = 1_024;
const PAGE_BYTES: u64 = 4_096;
/// Native stack of one script. Calls and expressions may each be as deep as their limits allow, but together they would
/// overflow a thread of 2 MiB, and that ends the process. What is left is for the host below and for a native call above.
const STACK_BYTES_MAX: usize = 1 << 20;

thread_local! {
    static ENDS_AT: Cell<Duration> = const { Cell::new(Duration::MAX) };
    /// Address of the stack where the call began. It grows downwards on every machine we build for.
    static STACK_START: Cell<usize> = const { Cell::new(usize::MAX) };
    static MEMORY_MAX: Cell<u64> = const { Cell::new(u64::MAX) };
    /// Resident bytes at the first look; none before it.
    static RESIDENT: Cell<Option<u64>> = const { Cell::new(None) };
    static LOG: RefCell<Option<(Arc<str>, LogBudget)>> = const { RefCell::new(None) };
}

/// Held for the time of one call.
struct Watched(());

fn watch(policy: &Arc<str>, limits: PolicyLimits) -> Watched {
    ENDS_AT.set(thread_cpu_time() + Duration::from_millis(u64::from(limits.deadline_ms)));
    STACK_START.set(stack_address());
    MEMORY_MAX.set(limits.memory_bytes);
    RESIDENT.set(None);
    LOG.set(Some((policy.clone(), LogBudget::new())));
    Watched(())
}

impl Drop for Watched {
    fn drop(&mut self) {
        ENDS_AT.set(Duration::MAX);
        LOG.set(None);
    }
}

fn look(operations: u64) -> Option<Ended> {
    if !operations.is_multiple_of(OPERATIONS_PER_STACK_LOOK) {
        return None;
    }
    if STACK_START.get().saturating_sub(stack_address()) > STACK_BYTES_MAX {
        return Some(Ended::Stack);
    }
    if !operations.is_multiple_of(OPERATIONS_PER_LOOK) {
        return None;
    }
    if thread_cpu_time() >= ENDS_AT.get() {
        return Some(Ended::Deadline);
    }
    if operations.is_multiple_of(OPERATIONS_PER_MEMORY_LOOK)
        && let Some(resident) = resident_bytes()
    {
        match RESIDENT.get() {
            None => RESIDENT.set(Some(resident)),
            Some(first) if resident.saturating_sub(first) > MEMORY_MAX.get().saturating_mul(2) => return Some(Ended::Memory),
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

/// The language has counted already; what it lets through is within the budget.
fn log(message: &str) {
    LOG.with_borrow_mut(|log| {
        if let Some((policy, budget)) = log {
            let _ = budget.log(policy, LogLevel::Info, message);
        }
    });
}
