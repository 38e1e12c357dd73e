//! What the benches of decisions share: batches that are interleaved, questions, and limits that are told beside what was
//! measured.
#![allow(dead_code, unreachable_pub)]

mod common;
#[path = "../../tests/support/guest.rs"]
pub mod guest;
pub mod questions;

pub use common::*;

use pointsman_model::policy::{PolicyDescription, PolicyLimits};
use pointsman_policy::component::bindings::log;
use pointsman_policy::{Library, PolicySource};
use std::hint::black_box;
use wasmtime::Store;

pub const ROUNDS: usize = 61;
const BATCH_US: f64 = 4_000.0;

/// The host's side of a bare store: none of the product's limits but what the engine itself must count.
pub struct Bare;

impl log::Host for Bare {
    fn log(&mut self, _level: log::Level, message: String) -> wasmtime::Result<()> {
        black_box(message);
        Ok(())
    }
}

pub fn bare_store() -> Store<Bare> {
    let mut store = Store::new(pointsman_policy::component::engine(), Bare);
    store.set_fuel(100_000_000).expect("fuel is on");
    store.set_epoch_deadline(u64::MAX / 2);
    store
}

pub fn install(library: &Library, file: &str, bytes: Vec<u8>, trusted: bool) -> PolicyDescription {
    let source = PolicySource {
        file: file.to_string(),
        bytes,
        settings: Vec::new(),
        trusted,
    };
    let checked = library
        .check(source, PolicyLimits::default())
        .unwrap_or_else(|problem| panic!("{problem}"));
    let description = checked.description.clone();
    library.install(checked);
    description
}

/// Of neighbouring batches, so that what slows the machine for a while does not count.
pub fn ratio(ours: &[f64], other: &[f64]) -> f64 {
    median(ours.iter().zip(other).map(|(ours, other)| ours / other).collect())
}

/// Microseconds per call, for each way and round. All of a call runs on this thread, so it is this thread's CPU time: what
/// others do on the machine counts only by what they take of its caches.
pub fn measure(ways: &mut [&mut dyn FnMut()]) -> Vec<Vec<f64>> {
    let batches: Vec<usize> = ways
        .iter_mut()
        .map(|way| {
            (0..20).for_each(|_| way());
            let started = cpu_ms();
            (0..20).for_each(|_| way());
            ((BATCH_US / ((cpu_ms() - started) * 1e3 / 20.0)) as usize).max(2)
        })
        .collect();
    let mut times = vec![Vec::new(); ways.len()];
    for _ in 0..ROUNDS {
        for ((way, batch), times) in ways.iter_mut().zip(&batches).zip(&mut times) {
            let started = cpu_ms();
            (0..*batch).for_each(|_| way());
            times.push((cpu_ms() - started) * 1e3 / *batch as f64);
        }
    }
    times
}

/// CPU time of this thread.
pub fn cpu_ms() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists, and `time` outlives the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}
