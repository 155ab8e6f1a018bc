//! How fast calls are answered, to tell clients that were turned away when to come back.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// How often the rate is measured.
const STEP: Duration = Duration::from_millis(500);

/// What a client waits at most before it asks again, whatever the queue.
const LONGEST: Duration = Duration::from_secs(60);

/// Calls answered, and how many a second lately.
#[derive(Debug, Default)]
pub(super) struct Load {
    answered: AtomicU64,
    /// Bits of an `f64`.
    per_second: AtomicU64,
}

impl Load {
    /// A call that a worker had has ended.
    #[inline]
    pub(super) fn answered(&self) {
        self.answered.fetch_add(1, Relaxed);
    }

    /// Measures, for ever.
    pub(super) async fn watch(&self) {
        let mut before = 0;
        loop {
            tokio::time::sleep(STEP).await;
            let now = self.answered.load(Relaxed);
            self.measured((now - before) as f64 / STEP.as_secs_f64());
            before = now;
        }
    }

    /// Half of the new, half of the old: a few steps back count.
    fn measured(&self, rate: f64) {
        let before = f64::from_bits(self.per_second.load(Relaxed));
        let smooth = if before == 0.0 {
            rate
        } else {
            (before + rate) / 2.0
        };
        self.per_second.store(smooth.to_bits(), Relaxed);
    }

    /// When a queue of this length will have been worked off, at the rate that was measured. Without
    /// one, nothing has been answered lately: then as long as it may be.
    pub(super) fn until_drained(&self, waiting: usize) -> Duration {
        let rate = f64::from_bits(self.per_second.load(Relaxed));
        Duration::try_from_secs_f64(waiting as f64 / rate)
            .unwrap_or(LONGEST)
            .min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_as_long_as_the_queue() {
        let load = Load::default();
        assert_eq!(load.until_drained(1), LONGEST);
        load.measured(100.0);
        assert_eq!(load.until_drained(1000), Duration::from_secs(10));
        load.measured(300.0);
        assert_eq!(load.until_drained(1000), Duration::from_secs(5));
        assert_eq!(load.until_drained(0), Duration::ZERO);
        assert_eq!(load.until_drained(1_000_000), LONGEST);
    }
}
