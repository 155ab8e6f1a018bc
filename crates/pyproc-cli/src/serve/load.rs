//! How fast calls are answered while more come than can be, to tell clients that were turned away when to
//! come back.
//!
//! It is measured from one call that is turned away to another: the queue is full at both, so that workers
//! had something to do. What is answered while there is nothing to wait for says nothing about how fast
//! a queue is worked off.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How long a measurement takes at least.
const STEP: Duration = Duration::from_millis(250);

/// When nobody was turned away for so long, workers may have been idle meanwhile.
const LULL: Duration = Duration::from_secs(1);

/// What a client waits that comes before anything has been measured.
const SOON: Duration = Duration::from_secs(1);

/// What a client waits at most before it asks again, whatever the queue.
const LONGEST: Duration = Duration::from_secs(60);

/// Calls answered, and how many a second while the queue is full.
#[derive(Debug, Default)]
pub(super) struct Load {
    answered: AtomicU64,
    measured: Mutex<Measured>,
}

#[derive(Debug, Default)]
struct Measured {
    /// The measurement that goes on: when it began, what had been answered by then, and who was last
    /// turned away.
    step: Option<(Instant, u64, Instant)>,
    per_second: Option<f64>,
}

impl Load {
    /// A call that a worker had has ended.
    #[inline]
    pub(super) fn answered(&self) {
        self.answered.fetch_add(1, Relaxed);
    }

    /// When the queue, which is full and has this length, will have been worked off.
    pub(super) fn until_drained(&self, waiting: usize) -> Duration {
        let answered = self.answered.load(Relaxed);
        self.measured
            .lock()
            .until_drained(waiting, answered, Instant::now())
    }
}

impl Measured {
    fn until_drained(&mut self, waiting: usize, answered: u64, now: Instant) -> Duration {
        let (mut begun, mut before, last) = self.step.unwrap_or((now, answered, now));
        if now.saturating_duration_since(last) > LULL {
            (begun, before) = (now, answered);
        }
        let took = now.saturating_duration_since(begun);
        let count = answered.saturating_sub(before);
        if took >= STEP && count > 0 {
            let rate = count as f64 / took.as_secs_f64();
            // Half of the new, half of the old: a few steps back count.
            self.per_second = Some(self.per_second.map_or(rate, |old| (old + rate) / 2.0));
            (begun, before) = (now, answered);
        }
        self.step = Some((begun, before, now));
        let wait = match self.per_second {
            Some(rate) => Duration::try_from_secs_f64(waiting as f64 / rate).unwrap_or(LONGEST),
            // Nothing has been answered since: as long again.
            None => took.max(SOON),
        };
        wait.min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_as_long_as_the_queue() {
        let mut measured = Measured::default();
        let begun = Instant::now();
        let at = |milliseconds| begun + Duration::from_millis(milliseconds);
        // A burst says nothing yet.
        assert_eq!(measured.until_drained(1000, 0, at(0)), SOON);
        assert_eq!(measured.until_drained(1000, 3, at(100)), SOON);
        // 100 a second.
        assert_eq!(
            measured.until_drained(1000, 50, at(500)),
            Duration::from_secs(10)
        );
        // 300 a second.
        assert_eq!(
            measured.until_drained(1000, 350, at(1500)),
            Duration::from_secs(5)
        );
        assert_eq!(measured.until_drained(0, 350, at(1500)), Duration::ZERO);
        assert_eq!(measured.until_drained(1_000_000, 350, at(1500)), LONGEST);
    }

    #[test]
    fn time_without_a_queue_is_no_slowness() {
        let mut measured = Measured::default();
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        measured.until_drained(1000, 0, at(0));
        let ten = Duration::from_secs(10);
        assert_eq!(measured.until_drained(1000, 100, at(1)), ten);
        // An hour with ten calls, and the next burst.
        assert_eq!(measured.until_drained(1000, 110, at(3600)), ten);
        assert_eq!(measured.until_drained(1000, 210, at(3601)), ten);
    }

    #[test]
    fn what_never_ends_is_asked_for_less_and_less() {
        let mut measured = Measured::default();
        let begun = Instant::now();
        let mut wait = Duration::ZERO;
        for tenth in 0..=3600 {
            let now = begun + Duration::from_millis(100 * tenth);
            wait = measured.until_drained(10, 0, now);
            assert_eq!(
                wait,
                Duration::from_millis(100 * tenth).clamp(SOON, LONGEST)
            );
        }
        assert_eq!(wait, LONGEST);
    }
}
