//! How long to spin before sleeping.
//!
//! A blocking wake-up costs tens of microseconds, a spin that succeeds a fraction of one. Spinning
//! that does not succeed only burns the other side's processor, so each waiter learns how much of
//! it pays: the budget grows after success, shrinks after failure, and never passes its cap.

use crate::clock::now_ns;

/// The spin budget of one waiter.
#[derive(Clone, Copy, Debug)]
pub struct SpinBudget {
    cap_ns: u64,
    now_ns: u64,
    failures: u32,
}

impl SpinBudget {
    /// A budget that starts at its cap; a cap of 0 never spins.
    #[must_use]
    pub const fn new(cap_ns: u64) -> Self {
        Self {
            cap_ns,
            now_ns: cap_ns,
            failures: 0,
        }
    }

    /// How long the next spin may last.
    #[inline]
    #[must_use]
    pub const fn nanoseconds(&self) -> u64 {
        self.now_ns
    }

    /// The spin found what it waited for.
    #[inline]
    pub fn succeeded(&mut self) {
        self.failures = 0;
        if self.now_ns < self.cap_ns {
            self.now_ns = (self.now_ns * 2 + self.cap_ns / 16).min(self.cap_ns);
        }
    }

    /// The spin ran out. Three in a row before the budget shrinks: a pause between two bursts is
    /// no reason to give up. Every 32nd failure tries the whole cap again.
    pub fn failed(&mut self) {
        self.failures = self.failures.wrapping_add(1);
        if self.failures.is_multiple_of(32) {
            self.now_ns = self.cap_ns;
        } else if self.failures >= 3 {
            self.now_ns /= 2;
        }
    }
}

/// How long a spin keeps its processor to itself before it offers it: longer than a hot call takes,
/// which makes no system call.
const OWN_NS: u64 = 25_000;

/// Between two offers: each costs a system call.
const OFFER_NS: u64 = 2_000;

/// Between two looks at the clock.
const LOOKS: u32 = 16;

/// Whom a spin waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// It is at work on a processor of its own.
    Awake,
    /// It is being woken up, or waits for this processor: one of both has slept.
    Waking,
}

/// Looks until something is `ready`, for up to `budget_ns`: whether it is, and the time, a little
/// less than exactly.
///
/// Whoever is waited for may be waiting for this very processor: the kernel likes to wake a sleeper
/// where its waker runs. So a spin that goes on for longer than the answer of one who is awake takes
/// offers the processor now and then; where nobody wants it, that costs little.
#[inline]
pub fn spin(start: u64, budget_ns: u64, peer: Peer, ready: impl Fn() -> bool) -> (bool, u64) {
    let until = start.saturating_add(budget_ns);
    let mut offer_at = match peer {
        Peer::Awake => start.saturating_add(OWN_NS),
        Peer::Waking => start,
    };
    let mut now = start;
    loop {
        if now >= offer_at {
            std::thread::yield_now();
            offer_at = now.saturating_add(OFFER_NS);
        }
        for _ in 0..LOOKS {
            if ready() {
                return (true, now);
            }
            core::hint::spin_loop();
        }
        now = now_ns();
        if now >= until {
            return (ready(), now);
        }
    }
}

/// The cap that suits this machine: spinning takes a processor of one's own.
///
/// `cpus` is what this process may use (affinity and quota), `configured_ns` what the user allows.
/// Below two processors the other side cannot run while this one spins; with a quota, what is
/// spun away is missing later, so the cap shrinks with it.
#[must_use]
pub fn spin_cap(cpus: f64, quota: bool, configured_ns: u64) -> u64 {
    if cpus < 1.5 {
        0
    } else if quota {
        (configured_ns as f64 * (cpus / 8.0).min(1.0)) as u64
    } else {
        configured_ns
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_budget_shrinks_when_spinning_does_not_pay_and_recovers_when_it_does() {
        let mut budget = SpinBudget::new(50_000);
        for _ in 0..20 {
            budget.failed();
        }
        assert!(budget.nanoseconds() < 5_000);
        for _ in 0..8 {
            budget.succeeded();
        }
        assert_eq!(budget.nanoseconds(), 50_000);
    }

    #[test]
    fn one_processor_or_a_small_quota_does_not_spin() {
        assert_eq!(spin_cap(1.0, false, 50_000), 0);
        assert_eq!(spin_cap(0.5, true, 50_000), 0);
        assert_eq!(spin_cap(2.0, true, 50_000), 12_500);
        assert_eq!(spin_cap(2.0, false, 50_000), 50_000);
    }
}
