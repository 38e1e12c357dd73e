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
use pointsman_script::{COVERED_OPERATIONS_FACTOR, Coverage, Ended, Hooks, OPERATIONS_PER_LOOK, Outcome, Refusal, Script};
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

/// The same script, noting which of its lines are run; each limit leaves room for that.
pub(super) fn load_covered(code: &[u8], name: &str, limits: PolicyLimits) -> Result<(Program, Coverage), Refusal> {
    let (mut script, coverage) = Script::load_covered(code, Hooks { look: Some(look), log })?;
    let factor = u32::try_from(COVERED_OPERATIONS_FACTOR).unwrap_or(u32::MAX);
    let limits = PolicyLimits {
        fuel: limits.fuel.saturating_mul(COVERED_OPERATIONS_FACTOR),
        deadline_ms: limits.deadline_ms.saturating_mul(factor),
        memory_bytes: limits.memory_bytes,
    };
    script.limit_operations(operations(limits));
    let program = Program {
        script,
        policy: name.into(),
        limits,
    };
    Ok((program, coverage))
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
        let watched = watch(&self.policy, self.limits, started);
        let outcome = call(&self.script);
        drop(watched);
        settled(outcome, self.limits, started)
    }
}

/// Operations between two looks at the time. At 64 KiB a value it is 16 MiB that may come between.
const OPERATIONS_PER_TIME_LOOK: u64 = 256;
const _: () = assert!(OPERATIONS_PER_TIME_LOOK.is_multiple_of(OPERATIONS_PER_LOOK));
/// Nothing but the stack is looked at before so much time has passed: nearly every decision is over by then, and none has
/// taken much memory.
const FIRST_LOOK: Duration = Duration::from_millis(1);
/// The longest time between two looks at the memory from then on.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
/// What a script has made must also be given back once it has ended, and that is its time too: half a nanosecond a byte.
const BYTES_FREED_PER_MICRO: u64 = 2_000;
const PAGE_BYTES: u64 = 4_096;
/// Native stack of one script. Calls and expressions may each be as deep as their limits allow, but together they would
/// overflow a thread of 2 MiB, and that ends the process. What is left is for the host below and for a native call above.
const STACK_BYTES_MAX: usize = 1 << 20;

thread_local! {
    /// By the CPU clock of this thread.
    static ENDS_AT: Cell<Duration> = const { Cell::new(Duration::MAX) };
    /// By the clock on the wall, which is quick to read, and never behind the other.
    static NEXT_LOOK: Cell<Option<Instant>> = const { Cell::new(None) };
    /// Address of the stack where the call began. It grows downwards on every machine we build for.
    static STACK_START: Cell<usize> = const { Cell::new(usize::MAX) };
    static MEMORY_MAX: Cell<u64> = const { Cell::new(u64::MAX) };
    /// Resident bytes at the first look; none before it.
    static RESIDENT: Cell<Option<u64>> = const { Cell::new(None) };
    static LOG: RefCell<Option<(Arc<str>, LogBudget)>> = const { RefCell::new(None) };
}

/// Held for the time of one call.
struct Watched(());

fn watch(policy: &Arc<str>, limits: PolicyLimits, started: Instant) -> Watched {
    NEXT_LOOK.set(Some(started + FIRST_LOOK));
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
    if STACK_START.get().saturating_sub(stack_address()) > STACK_BYTES_MAX {
        return Some(Ended::Stack);
    }
    if !operations.is_multiple_of(OPERATIONS_PER_TIME_LOOK) {
        return None;
    }
    let now = Instant::now();
    if NEXT_LOOK.get().is_some_and(|next| now < next) {
        return None;
    }
    look_closely(now)
}

#[cold]
fn look_closely(now: Instant) -> Option<Ended> {
    let resident = resident_bytes();
    let grown = match (resident, RESIDENT.get()) {
        (Some(resident), Some(first)) => resident.saturating_sub(first),
        (resident, _) => {
            RESIDENT.set(resident);
            0
        }
    };
    if grown > MEMORY_MAX.get().saturating_mul(2) {
        return Some(Ended::Memory);
    }
    let to_free = Duration::from_micros(grown / BYTES_FREED_PER_MICRO);
    let left = ENDS_AT.get().saturating_sub(thread_cpu_time()).saturating_sub(to_free);
    if left.is_zero() {
        return Some(Ended::Deadline);
    }
    NEXT_LOOK.set(Some(now + left.min(LOOK_AGAIN)));
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
