//! The open loop: calls are due at fixed times whatever became of earlier ones.
//!
//! A latency counts from the time at which its call was due. A stall therefore shows in every call
//! that it delayed, not only in the one that met it (no coordinated omission).
//!
//! One thread polls the calls in flight and sleeps until the next is due. A runtime's timer would do,
//! but tokio's has a resolution of a millisecond.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};

use super::Call;
use super::progress::Progress;
use super::tally::Tally;

/// Makes `rate` calls per second for `duration`.
///
/// No more than `concurrency` are in flight: one that is due meanwhile is sent late, and its wait
/// counts.
pub(super) fn run(
    call: &Call,
    rate: f64,
    concurrency: u32,
    duration: Duration,
    progress: &Progress,
) -> anyhow::Result<Tally> {
    // By default the kernel may add 50 µs to each sleep to save wake-ups. Where it does not let us
    // change that, the report's lateness shows it.
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut tally = Tally::new()?;
    let mut in_flight = FuturesUnordered::new();
    let schedule = Schedule {
        begin: Instant::now(),
        rate,
    };
    let calls = (rate * duration.as_secs_f64()).ceil() as u64;
    let mut next = 0;

    while next < calls || !in_flight.is_empty() {
        let now = Instant::now();
        while next < calls && in_flight.len() < concurrency as usize && schedule.due(next) <= now {
            let due = schedule.due(next);
            tally.sent(due.elapsed());
            in_flight.push(async move { (call.make().await, due.elapsed()) });
            next += 1;
        }
        while let Poll::Ready(Some((result, latency))) = in_flight.poll_next_unpin(&mut context) {
            tally.call(&result, latency);
            progress.more(1);
        }
        if next == calls || in_flight.len() == concurrency as usize {
            if !in_flight.is_empty() {
                thread::park();
            }
        } else {
            thread::park_timeout(schedule.due(next).saturating_duration_since(Instant::now()));
        }
    }
    Ok(tally)
}

/// When each call is due.
struct Schedule {
    begin: Instant,
    rate: f64,
}

impl Schedule {
    fn due(&self, call: u64) -> Instant {
        self.begin + Duration::from_secs_f64(call as f64 / self.rate)
    }
}

/// Wakes the thread that makes the calls.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_does_not_drift() {
        let begin = Instant::now();
        let schedule = Schedule {
            begin,
            rate: 3_000.0,
        };
        assert_eq!(schedule.due(0), begin);
        assert_eq!(schedule.due(3_000_000), begin + Duration::from_secs(1000));
    }
}
