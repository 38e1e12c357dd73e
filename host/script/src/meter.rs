//! What the call under way on this thread has used: operations and log. What else bounds it, the machine around adds.

use rhai::Dynamic;
use std::cell::Cell;

/// Log lines and bytes of log text per decision; more ends the decision.
pub const LOG_CALLS_MAX: u32 = 1_000;
pub const LOG_BYTES_MAX: usize = 64 << 10;

/// Operations between two looks, and the step in which they are counted: none takes more than a call's worth of the stack.
pub const OPERATIONS_PER_LOOK: u64 = 8;

/// What the machine adds: it may end a script between two operations, and takes what a script logs.
#[derive(Clone, Copy, Debug)]
pub struct Hooks {
    /// Asked with the number of operations after each [`OPERATIONS_PER_LOOK`] of them. None where something below the
    /// interpreter watches, as wasmtime does.
    pub look: Option<fn(u64) -> Option<Ended>>,
    pub log: fn(&str),
}

/// Why a script was ended that had operations left; the token of the interpreter's error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Deadline,
    Memory,
    Stack,
    LogFlood,
}

thread_local! {
    static OPERATIONS: Cell<u64> = const { Cell::new(0) };
    static LOG_CALLS: Cell<u32> = const { Cell::new(0) };
    static LOG_BYTES: Cell<usize> = const { Cell::new(0) };
}

/// Held for the time of one call.
pub(crate) struct Metered(());

pub(crate) fn start() -> Metered {
    OPERATIONS.set(0);
    LOG_CALLS.set(LOG_CALLS_MAX);
    LOG_BYTES.set(LOG_BYTES_MAX);
    Metered(())
}

impl Metered {
    pub(crate) fn operations(&self) -> u64 {
        OPERATIONS.get()
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        LOG_CALLS.set(0);
    }
}

/// Called by the interpreter for each operation; anything returned ends the script. It is called ten thousand times in a
/// decision, so it does nothing but count to eight: even a store to a variable of the thread would make it save registers.
pub(crate) fn on_progress(hooks: Hooks) -> impl Fn(u64) -> Option<Dynamic> + Send + Sync + 'static {
    move |operations| {
        if operations.is_multiple_of(OPERATIONS_PER_LOOK) {
            return look(hooks, operations);
        }
        None
    }
}

#[cold]
#[inline(never)]
fn look(hooks: Hooks, operations: u64) -> Option<Dynamic> {
    OPERATIONS.set(operations);
    hooks.look?(operations).map(Dynamic::from)
}

/// False once there was too much of it.
pub(crate) fn may_log(message: &str) -> bool {
    let (calls, bytes) = (LOG_CALLS.get(), LOG_BYTES.get());
    if calls == 0 || message.len() > bytes {
        return false;
    }
    LOG_CALLS.set(calls - 1);
    LOG_BYTES.set(bytes - message.len());
    true
}
