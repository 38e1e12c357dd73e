//! The CPU time of the calling thread.
//!
//! Deadlines are counted in it, because a wall clock kills innocent policies on a busy machine.

use std::time::Duration;

pub(crate) fn thread_cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists on every Linux, and `time` outlives the call.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(result, 0, "the thread CPU clock can be read");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_work() {
        let start = thread_cpu_time();
        let mut sum = 0u64;
        while thread_cpu_time() - start < Duration::from_millis(2) {
            sum = sum.wrapping_mul(31).wrapping_add(1);
        }
        assert_ne!(sum, 1, "kept, so that the loop is not removed");
    }
}
