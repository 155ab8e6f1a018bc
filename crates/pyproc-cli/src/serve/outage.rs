//! When there will be a worker again, while there is none and will not be one soon.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pyproc::Health;

/// An outage that is over sooner is waited for in the queue.
const SHORT: Duration = Duration::from_secs(1);

/// The next start of a worker, while that is worth telling.
#[derive(Debug, Default)]
pub(super) struct Outage(Mutex<Option<Instant>>);

impl Outage {
    /// Takes in what the pool is doing.
    pub(super) fn note(&self, health: &Health) {
        *self.0.lock() = pause(health).and_then(|pause| Instant::now().checked_add(pause));
    }

    /// How long no call has a chance, when that is long.
    #[inline]
    pub(super) fn left(&self) -> Option<Duration> {
        // Without one no clock is read.
        let end = (*self.0.lock())?;
        left(end, Instant::now())
    }
}

/// What is left until then. A start that is due is about to be heard of, and waited for in the queue.
fn left(end: Instant, now: Instant) -> Option<Duration> {
    Some(end.saturating_duration_since(now)).filter(|left| !left.is_zero())
}

/// How long a pool without a worker will have none, when that is longer than a moment.
fn pause(health: &Health) -> Option<Duration> {
    if health.ready {
        return None;
    }
    let starts = health.workers.iter().map(|worker| worker.starts_in_seconds);
    // One that is not down is about to come up.
    let soonest = starts.collect::<Option<Vec<f64>>>()?.into_iter();
    let soonest = Duration::try_from_secs_f64(soonest.fold(f64::MAX, f64::min)).ok()?;
    (soonest > SHORT).then_some(soonest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_gets_shorter() {
        let end = Instant::now() + Duration::from_secs(30);
        let before = |seconds| left(end, end - Duration::from_secs(seconds));
        assert_eq!(before(29), Some(Duration::from_secs(29)));
        assert_eq!(before(2), Some(Duration::from_secs(2)));
        assert_eq!(before(0), None);
        assert_eq!(left(end, end + Duration::from_secs(1)), None);
    }
}
