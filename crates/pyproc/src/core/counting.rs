//! What calls are counted by: the time without a look at the clock, and when to hand on what is tallied.

use super::Core;
use crate::future::COARSE_FROM_NS;
use crate::metrics::INTERVAL_NS;
use crate::scheduler::Nanos;
use crate::slab::Key;

/// Calls that are taken in between two looks at the exact clock.
const CLOCK_EVERY: u32 = 16;

impl Core {
    /// When a call is made, from the time that its deadline is reckoned by. Behind a coarse one the
    /// exact clock is read only where that has moved on, and for every sixteenth call.
    #[inline]
    pub(super) fn time(&mut self, now: Nanos, timeout: Nanos) -> Nanos {
        self.clock_age += 1;
        if timeout < COARSE_FROM_NS {
            self.saw_time(now);
        } else if now > self.clock || self.clock_age >= CLOCK_EVERY {
            self.saw_time(pyproc_ipc::clock::now_ns());
        }
        self.clock
    }

    /// Somebody has read the exact clock.
    #[inline]
    pub(super) fn saw_time(&mut self, now: Nanos) {
        if now > self.clock {
            self.clock = now;
            self.clock_age = 0;
        }
    }

    /// A call was made just before the exact clock was read.
    #[inline]
    pub(crate) fn made(&mut self, key: Key, now: Nanos) {
        self.saw_time(now);
        self.scheduler.made(key, now);
    }

    /// Makes sure that the driver hands on what is tallied, within [`INTERVAL_NS`].
    #[inline]
    pub(crate) fn publish_soon(&mut self) {
        if self.publish_at == Nanos::MAX {
            self.publish_at = self.clock.saturating_add(INTERVAL_NS);
            self.wake_driver_by(self.publish_at);
        }
    }

    /// A call that the pool had taken ends without an answer.
    pub(crate) fn ended_early(&mut self, now: Nanos, key: Key, waited: bool) {
        let Some(spec) = self.scheduler.spec(key) else {
            return;
        };
        let passed = now.saturating_sub(spec.made);
        self.tally.ended(spec.function, passed, waited);
    }
}
