//! One call into a component: a fresh store, with every limit armed before the first instruction of the guest.

use super::bindings::log;
use super::engine::{CORE_INSTANCES_MAX, MEMORIES_MAX, TABLE_ELEMENTS_MAX, TABLES_MAX, tick_soon_for};
use crate::clock::thread_cpu_time;
use crate::limits::HOSTCALL_BYTES_MAX;
use crate::log::{LogBudget, LogLevel};
use pointsman_model::policy::PolicyLimits;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::{Engine, ResourceLimiter, Store, StoreContextMut, UpdateDeadline};

/// The host's side of one call.
pub(crate) struct Call {
    policy: Arc<str>,
    log: LogBudget,
    deadline: Duration,
    /// CPU time of this thread at the first tick. Most calls end before it and read no clock at all.
    ticked_at: Option<Duration>,
    memory: Memory,
}

/// Refuses growth over the limits, and remembers that it did: the trap that follows is a memory fault.
struct Memory {
    bytes_max: usize,
    bytes: usize,
    refused: bool,
}

/// The policy used up its CPU time.
#[derive(Debug, thiserror::Error)]
#[error("the policy ran for more than {} ms of CPU time", .0.as_millis())]
pub(super) struct OutOfTime(Duration);

impl Call {
    pub(super) fn memory_was_refused(&self) -> bool {
        self.memory.refused
    }

    /// How large the guest's memory has become.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory.bytes
    }

    pub(crate) fn log_line(&mut self, level: LogLevel, message: &str) -> wasmtime::Result<()> {
        Ok(self.log.log(&self.policy, level, message)?)
    }
}

/// A store for a new instance.
pub(crate) fn store(engine: &Engine, policy: &Arc<str>, limits: PolicyLimits) -> wasmtime::Result<Store<Call>> {
    let call = Call {
        policy: policy.clone(),
        log: LogBudget::new(),
        deadline: Duration::ZERO,
        ticked_at: None,
        memory: Memory {
            bytes_max: 0,
            bytes: 0,
            refused: false,
        },
    };
    let mut store = Store::try_new(engine, call)?;
    store.limiter(|call| &mut call.memory);
    store.epoch_deadline_callback(on_tick);
    arm(&mut store, policy, limits)?;
    Ok(store)
}

/// Arms every limit for one more call, whatever the last one used.
pub(crate) fn arm(store: &mut Store<Call>, policy: &Arc<str>, limits: PolicyLimits) -> wasmtime::Result<()> {
    let PolicyLimits {
        fuel,
        deadline_ms,
        memory_bytes,
    } = limits;
    let call = store.data_mut();
    if !Arc::ptr_eq(&call.policy, policy) {
        call.policy = policy.clone();
    }
    call.log = LogBudget::new();
    call.deadline = Duration::from_millis(u64::from(deadline_ms));
    call.ticked_at = None;
    call.memory.bytes_max = usize::try_from(memory_bytes).unwrap_or(usize::MAX);
    call.memory.refused = false;
    store.set_fuel(fuel)?;
    store.set_hostcall_fuel(HOSTCALL_BYTES_MAX);
    store.set_epoch_deadline(1);
    Ok(())
}

/// The deadline is counted from the first tick, so it is late by one tick at most.
fn on_tick(mut store: StoreContextMut<'_, Call>) -> wasmtime::Result<UpdateDeadline> {
    let now = thread_cpu_time();
    let call = store.data_mut();
    let start = *call.ticked_at.get_or_insert(now);
    let left = call.deadline.saturating_sub(now.saturating_sub(start));
    if left.is_zero() {
        return Err(OutOfTime(call.deadline).into());
    }
    tick_soon_for(left);
    Ok(UpdateDeadline::Continue(1))
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        if desired > self.bytes_max {
            self.refused = true;
            return Ok(false);
        }
        self.bytes = self.bytes.max(desired);
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        self.refused |= desired > TABLE_ELEMENTS_MAX;
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_MAX as usize
    }

    fn tables(&self) -> usize {
        TABLES_MAX as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX as usize
    }
}

impl log::Host for Call {
    fn log(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Debug => LogLevel::Debug,
            log::Level::Info => LogLevel::Info,
            log::Level::Warn => LogLevel::Warn,
        };
        self.log_line(level, &message)
    }
}
