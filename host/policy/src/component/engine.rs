//! The one wasmtime engine of this process, and the thread that ticks its epoch.

use std::hash::{Hash, Hasher};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, WasmFeatures};

/// Instances, memories and tables that one component may have. A Rust policy has three instances; a Python one is linked
/// of the interpreter's many libraries and has 38.
pub(super) const CORE_INSTANCES_MAX: u32 = 64;
pub(super) const MEMORIES_MAX: u32 = 8;
pub(super) const TABLES_MAX: u32 = 8;
pub(super) const TABLE_ELEMENTS_MAX: usize = 10_000;
/// Decisions that may run at the same time: the deciding thread, replays and dry runs. Address space, not memory.
const CALLS_AT_A_TIME_MAX: u32 = 128;
/// Deep recursion ends here and not at the host's guard page.
const WASM_STACK_BYTES: usize = 512 << 10;
/// As much as a script has natively: half of the smallest thread that asks.
const INTERPRETER_STACK_BYTES: usize = 1 << 20;
/// Pages up to this size are cleared and kept: faulting them in again costs more.
const KEEP_RESIDENT_BYTES: usize = 1 << 20;
/// Largest memory of any policy, whatever the operator's ceiling: a slot of the pool has this size.
const MEMORY_BYTES_MAX: usize = 4 << 30;
/// Slots that keep the pages of the version that ran in them last. Enough for what is live, shadowed and replayed; each
/// version ever loaded would otherwise keep its own.
const WARM_SLOTS_MAX: u32 = 16;
const TICK_US: u32 = 1_000;
/// Ticks while a call is about to reach its deadline, and for how long before it. Few calls ever do.
const TICK_US_ENDING: u32 = 200;
const ENDING: Duration = Duration::from_millis(3);
/// Ticks without a decision after which the ticker sleeps.
const IDLE_TICKS: u32 = 1_000;

/// The engine; made at the first use.
pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        // The pool reserves address space, not memory; where even that is rationed, each call maps its own.
        Engine::new(config().allocation_strategy(InstanceAllocationStrategy::Pooling(pool()))).unwrap_or_else(|error| {
            tracing::warn!(%error, "no pool for policies; decisions will be slower");
            Engine::new(config().allocation_strategy(InstanceAllocationStrategy::OnDemand)).expect("this configuration is valid")
        })
    })
}

/// The engine of the interpreter of scripts. One of its own, because its instances live long: they would keep the pool's
/// slots from the calls of components, and each holds a stack as deep as a script may call.
pub(crate) fn interpreter_engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let mut config = config();
        config
            .allocation_strategy(InstanceAllocationStrategy::OnDemand)
            .max_wasm_stack(INTERPRETER_STACK_BYTES);
        Engine::new(&config).expect("this configuration is valid")
    })
}

/// Compiles for [`engine`] and runs nothing, so it reserves no address space.
pub(super) fn compiling_engine() -> wasmtime::Result<Engine> {
    Engine::new(config().allocation_strategy(InstanceAllocationStrategy::OnDemand))
}

/// Names what compiled code fits: this wasmtime, processor and configuration.
pub(super) type Fingerprint = [u8; FINGERPRINT_BYTES];
pub(super) const FINGERPRINT_BYTES: usize = 16;

pub(super) fn fingerprint() -> &'static Fingerprint {
    static FINGERPRINT: OnceLock<Fingerprint> = OnceLock::new();
    FINGERPRINT.get_or_init(|| fingerprint_of(engine()))
}

pub(super) fn fingerprint_of(engine: &Engine) -> Fingerprint {
    struct Blake(blake3::Hasher);
    impl Hasher for Blake {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut hasher = Blake(blake3::Hasher::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    let mut fingerprint = [0; FINGERPRINT_BYTES];
    hasher.0.finalize_xof().fill(&mut fingerprint);
    fingerprint
}

fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(CALLS_AT_A_TIME_MAX)
        .total_core_instances(CALLS_AT_A_TIME_MAX * 4)
        .total_memories(CALLS_AT_A_TIME_MAX)
        .total_tables(CALLS_AT_A_TIME_MAX * 2)
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_unused_warm_slots(WARM_SLOTS_MAX)
        .max_memory_size(MEMORY_BYTES_MAX)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(KEEP_RESIDENT_BYTES)
        .pagemap_scan(Enabled::Auto);
    pool
}

fn config() -> Config {
    let mut config = Config::new();
    config
        .memory_init_cow(true)
        .consume_fuel(true)
        .epoch_interruption(true)
        .cranelift_nan_canonicalization(true)
        .cranelift_opt_level(OptLevel::Speed)
        .max_wasm_stack(WASM_STACK_BYTES)
        // A fault is told in a sentence; nobody reads a guest's stack.
        .wasm_backtrace_max_frames(None)
        .generate_address_map(false)
        .concurrency_support(false)
        .gc_support(false)
        .shared_memory(false)
        .wasm_features(refused_features(), false);
    config
}

/// Proposals that widen what has to be trusted, and that no policy needs.
fn refused_features() -> WasmFeatures {
    WasmFeatures::THREADS
        | WasmFeatures::SHARED_EVERYTHING_THREADS
        | WasmFeatures::MEMORY64
        | WasmFeatures::GC
        | WasmFeatures::FUNCTION_REFERENCES
        | WasmFeatures::RELAXED_SIMD
        | WasmFeatures::EXCEPTIONS
        | WasmFeatures::LEGACY_EXCEPTIONS
        | WasmFeatures::STACK_SWITCHING
        | WasmFeatures::CUSTOM_PAGE_SIZES
        | WasmFeatures::WIDE_ARITHMETIC
        | WasmFeatures::CM_ASYNC
        | WasmFeatures::CM_GC
        | WasmFeatures::CM_ERROR_CONTEXT
}

/// Held for the time of one call: the epoch ticks while at least one is held.
pub(crate) struct Ticking(());

static RUNNING: AtomicU32 = AtomicU32::new(0);
static ASLEEP: AtomicBool = AtomicBool::new(false);

pub(crate) fn ticking() -> Ticking {
    static TICKER: OnceLock<Thread> = OnceLock::new();
    RUNNING.fetch_add(1, Ordering::SeqCst);
    let ticker = TICKER.get_or_init(|| {
        let ticker = thread::Builder::new().name("policy-epoch".to_string()).spawn(tick_for_ever);
        ticker.expect("a thread can be started").thread().clone()
    });
    if ASLEEP.load(Ordering::SeqCst) {
        ticker.unpark();
    }
    Ticking(())
}

impl Drop for Ticking {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// How many short ticks are to come. Many, as the call may have to wait for a processor meanwhile.
static SHORT_TICKS: AtomicU32 = AtomicU32::new(0);
const SHORT_TICKS_MAX: u32 = 250;

/// Told at each tick how much a call that is under way has left: ticks are short while one is about to use up the rest.
pub(super) fn tick_soon_for(left: Duration) {
    if left < ENDING {
        SHORT_TICKS.store(SHORT_TICKS_MAX, Ordering::Relaxed);
    }
}

/// A ticker that waits for a processor lets endless loops run on: it asks to go first, in each way that the system may
/// grant. Its work is a few instructions a tick.
fn go_first() {
    #[repr(C)]
    #[derive(Default)]
    struct Attributes {
        size: u32,
        policy: u32,
        flags: u64,
        nice: i32,
        priority: u32,
        runtime_ns: u64,
        deadline_ns: u64,
        period_ns: u64,
    }
    const SIZE: u32 = std::mem::size_of::<Attributes>() as u32;
    let ask = |attributes: Attributes| {
        // SAFETY: a plain system call about this thread; the structure has the size that it says and outlives the call.
        unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) == 0 }
    };
    // SAFETY: a plain system call about this thread: sleeps are not rounded up for the sake of others.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1_000) };
    let real_time = Attributes {
        size: SIZE,
        policy: libc::SCHED_FIFO as u32,
        priority: 1,
        ..Attributes::default()
    };
    // Needs no privilege, where the system knows it: a thread that asks for little at a time is run soon.
    let small_slices = |nice| Attributes {
        size: SIZE,
        policy: libc::SCHED_OTHER as u32,
        nice,
        runtime_ns: 100_000,
        ..Attributes::default()
    };
    let granted = ask(real_time) || ask(small_slices(-10)) || ask(small_slices(0));
    tracing::debug!(granted, "the ticker of deadlines asked to go first");
}

/// Ends with the process. An idle host is not woken a thousand times a second: after a second without a call the
/// thread parks, and the next call wakes it.
fn tick_for_ever() {
    go_first();
    let mut idle = 0;
    loop {
        // Shorter where a call is about to reach its deadline.
        let short = SHORT_TICKS.load(Ordering::Relaxed);
        SHORT_TICKS.store(short.saturating_sub(1), Ordering::Relaxed);
        let tick_us = if short > 0 { TICK_US_ENDING } else { TICK_US };
        thread::sleep(Duration::from_micros(u64::from(tick_us)));
        engine().increment_epoch();
        interpreter_engine().increment_epoch();
        idle = if RUNNING.load(Ordering::SeqCst) == 0 { idle + 1 } else { 0 };
        if idle > IDLE_TICKS {
            ASLEEP.store(true, Ordering::SeqCst);
            // A call that began before the store is seen here; one that begins after it sees the flag and unparks.
            while RUNNING.load(Ordering::SeqCst) == 0 {
                thread::park();
            }
            ASLEEP.store(false, Ordering::SeqCst);
            idle = 0;
        }
    }
}
