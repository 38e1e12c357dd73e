//! A healthy policy, asked all the time on a thread of its own: what it notices of the attacks.

use pointsman_coordinator::Policies;
use pointsman_model::context::Context;
use pointsman_model::decision::Verdict;
use pointsman_model::policy::PolicyRef;
use pointsman_policy::Engines;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two questions: some thousands a second, and the core is left to others in between, as a host leaves it.
const PAUSE: Duration = Duration::from_micros(200);
/// Asked before anything is counted, so that nothing is counted that happens once.
const WARM_UP: u32 = 500;

pub(super) struct Bystander {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    calm: AtomicBool,
    stopping: AtomicBool,
    asked: AtomicU64,
    /// First fault, if there ever was one.
    harmed: Mutex<Option<String>>,
    when_calm: Histogram,
    under_attack: Histogram,
}

impl Bystander {
    pub(super) fn start(mut engines: Engines, policy: PolicyRef, question: Context, expected: Verdict) -> Bystander {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let thread = std::thread::spawn(move || {
            let mut count = 0;
            while !theirs.stopping.load(Ordering::Relaxed) {
                let calm = theirs.calm.load(Ordering::Relaxed);
                let began = Instant::now();
                let answer = engines.ask(&policy, &question);
                let took = began.elapsed();
                match answer {
                    Ok(answer) if answer.verdict == expected => {}
                    other => {
                        let mut harmed = theirs.harmed.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                        harmed.get_or_insert_with(|| format!("{other:?}"));
                    }
                }
                count += 1;
                theirs.asked.store(u64::from(count), Ordering::Relaxed);
                // One that began in the calm and ended under attack belongs to neither.
                if count > WARM_UP && calm == theirs.calm.load(Ordering::Relaxed) {
                    let histogram = if calm { &theirs.when_calm } else { &theirs.under_attack };
                    histogram.count(took);
                }
                std::thread::park_timeout(PAUSE);
            }
        });
        Bystander {
            shared,
            thread: Some(thread),
        }
    }

    /// Leaves it alone for a while: what is measured then is what the attacks are compared with.
    pub(super) fn calm(&self, time: Duration) {
        self.shared.calm.store(true, Ordering::Relaxed);
        let end = Instant::now() + time;
        while Instant::now() < end {
            std::thread::park_timeout(end.saturating_duration_since(Instant::now()));
        }
        self.shared.calm.store(false, Ordering::Relaxed);
    }

    pub(super) fn asked(&self) -> u64 {
        self.shared.asked.load(Ordering::Relaxed)
    }

    pub(super) fn harmed(&self) -> Option<String> {
        self.shared.harmed.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// 99th percentiles: calm, under attack.
    pub(super) fn p99_us(&self) -> (f64, f64) {
        (
            self.shared.when_calm.percentile_us(0.99),
            self.shared.under_attack.percentile_us(0.99),
        )
    }

    pub(super) fn p50_us(&self) -> (f64, f64) {
        (
            self.shared.when_calm.percentile_us(0.5),
            self.shared.under_attack.percentile_us(0.5),
        )
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It catches what policies do; a panic of its own has shown itself on standard error.
            let _ = thread.join();
        }
    }
}

/// Buckets that grow by a 32nd: a list of all samples would be what grows in memory.
struct Histogram(Vec<AtomicU64>);

const BUCKETS: usize = 1024;
const STEPS_PER_DOUBLING: f64 = 32.0;

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram((0..BUCKETS).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Histogram {
    fn count(&self, took: Duration) {
        let ns = took.as_nanos().max(1) as f64;
        let bucket = (ns.log2() * STEPS_PER_DOUBLING) as usize;
        self.0[bucket.min(BUCKETS - 1)].fetch_add(1, Ordering::Relaxed);
    }

    fn percentile_us(&self, share: f64) -> f64 {
        let counts: Vec<u64> = self.0.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let wanted = (counts.iter().sum::<u64>() as f64 * share).ceil() as u64;
        let mut sum = 0;
        let bucket = counts.iter().position(|count| {
            sum += count;
            sum >= wanted
        });
        ((bucket.unwrap_or(0) + 1) as f64 / STEPS_PER_DOUBLING).exp2() / 1e3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_right_within_a_bucket() {
        let histogram = Histogram::default();
        for us in 1..=1_000 {
            histogram.count(Duration::from_micros(us));
        }
        let p99 = histogram.percentile_us(0.99);
        assert!((980.0..1_020.0).contains(&p99), "{p99}");
    }
}
