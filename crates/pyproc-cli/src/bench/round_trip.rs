//! How long a cache line travels from one core to another and back: the floor under any call
//! between two processes, on this machine and at this minute.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Nanoseconds, or why there are none.
pub(super) type RoundTrip = Result<f64, &'static str>;

/// Trips that are timed together.
const BATCH: u64 = 2_000;
/// Batches; the middle one counts.
const BATCHES: usize = 25;
/// Where other programs keep a core busy, fewer batches must do.
const AT_MOST: Duration = Duration::from_millis(500);
/// Told to the other thread to end.
const STOP: u64 = u64::MAX;

/// A counter on a cache line (and its prefetched neighbour) of its own.
#[repr(align(128))]
struct Line(AtomicU64);

/// Plays ping-pong between threads pinned to two CPUs.
pub(super) fn measure() -> RoundTrip {
    let allowed = sched_getaffinity(None).map_err(|_| "the CPUs that may be used are unknown")?;
    let mut cpus = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu));
    let (Some(first), Some(second)) = (cpus.next(), cpus.next()) else {
        return Err("only one CPU may be used");
    };
    let (ping, pong) = (Line(AtomicU64::new(0)), Line(AtomicU64::new(0)));
    let mut batches = thread::scope(|scope| {
        scope.spawn(|| answer(second, &ping, &pong));
        scope
            .spawn(|| ask(first, &ping, &pong))
            .join()
            .unwrap_or_default()
    });
    batches.sort_by(f64::total_cmp);
    batches
        .get(batches.len() / 2)
        .copied()
        .ok_or("the CPUs were too busy to measure")
}

/// The middle of a measurement before and one after.
pub(super) fn middle(before: RoundTrip, after: RoundTrip) -> RoundTrip {
    match (before, after) {
        (Ok(before), Ok(after)) => Ok(f64::midpoint(before, after)),
        (Ok(one), Err(_)) | (Err(_), Ok(one)) => Ok(one),
        (Err(reason), Err(_)) => Err(reason),
    }
}

/// Nanoseconds per round trip, batch by batch.
fn ask(cpu: usize, ping: &Line, pong: &Line) -> Vec<f64> {
    pin(cpu);
    let end = Instant::now() + AT_MOST;
    let mut batches = Vec::new();
    let mut trip = 0;
    'measure: while batches.len() < BATCHES {
        let begin = Instant::now();
        for _ in 0..BATCH {
            trip += 1;
            ping.0.store(trip, Ordering::Release);
            let mut looks = 0_u32;
            while pong.0.load(Ordering::Acquire) != trip {
                std::hint::spin_loop();
                looks += 1;
                if looks.is_multiple_of(4096) && Instant::now() > end {
                    break 'measure;
                }
            }
        }
        batches.push(begin.elapsed().as_nanos() as f64 / BATCH as f64);
    }
    ping.0.store(STOP, Ordering::Release);
    batches
}

fn answer(cpu: usize, ping: &Line, pong: &Line) {
    pin(cpu);
    let mut last = 0;
    while last != STOP {
        let now = ping.0.load(Ordering::Acquire);
        if now != last {
            pong.0.store(now, Ordering::Release);
            last = now;
        }
        std::hint::spin_loop();
    }
}

/// A thread that cannot be pinned measures all the same, where the kernel puts it.
fn pin(cpu: usize) {
    let mut one = CpuSet::new();
    one.set(cpu);
    let _ = sched_setaffinity(None, &one);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_a_time_or_a_reason() {
        match measure() {
            Ok(nanoseconds) => assert!(nanoseconds > 0.0),
            Err(reason) => assert!(!reason.is_empty()),
        }
    }
}
