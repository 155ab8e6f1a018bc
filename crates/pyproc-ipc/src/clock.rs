//! The one clock of both processes: monotonic nanoseconds, the same number on either side of a lane.

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of `CLOCK_MONOTONIC`. Deadlines in records are instants of this clock; it is shared by
/// all processes of the machine and never goes back. Costs no system call (vDSO).
#[inline]
#[must_use]
pub fn now_ns() -> u64 {
    nanoseconds(ClockId::Monotonic)
}

#[inline]
fn nanoseconds(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(now.tv_nsec).unwrap_or(0);
    seconds
        .wrapping_mul(1_000_000_000)
        .wrapping_add(nanoseconds)
}

/// How far [`coarse_ns`] may lag behind [`now_ns`]: the slowest tick that Linux is built with, 100 Hz.
pub const COARSE_STEP_NS: u64 = 10_000_000;

/// The same clock as [`now_ns`] at the last timer tick: at most [`COARSE_STEP_NS`] old, and cheap.
#[inline]
#[must_use]
pub fn coarse_ns() -> u64 {
    nanoseconds(ClockId::MonotonicCoarse)
}

#[cfg(test)]
mod tests {
    use super::{COARSE_STEP_NS, coarse_ns, now_ns};

    #[test]
    fn never_goes_back() {
        let mut last = now_ns();
        assert!(last > 0);
        for _ in 0..10_000 {
            let now = now_ns();
            assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn the_coarse_clock_lags_by_no_more_than_it_says() {
        for _ in 0..1_000 {
            let before = now_ns();
            let coarse = coarse_ns();
            assert!(coarse.saturating_add(COARSE_STEP_NS) >= before);
            assert!(coarse <= now_ns());
        }
    }
}
