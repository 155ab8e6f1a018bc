//! Which call runs and which calls are cancelled: shared by the main thread, which passes here twice per
//! call, and the attendant.
//!
//! `cancelled` names a call, not a state of the thread: however late the cancellation of one call is
//! noticed, it is never taken for that of another, since no two calls of a worker have the same id.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How long a cancellation waits for a call that may be about to begin.
const EARLY_NS: u64 = 2_000_000_000;

/// How many of them wait at most; the oldest give way.
const EARLY_MOST: usize = 64;

/// How many other cancellations wait to be taken; the oldest give way.
const OTHERS_MOST: usize = 65_536;

/// Is the call that runs now cancelled?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cancelled {
    Yes,
    NotCurrent,
}

pub(super) struct Cancellation {
    /// The plain call that runs; written by the main thread only.
    current: AtomicU64,
    /// The plain call that was cancelled last; written under the lock.
    cancelled: AtomicU64,
    /// The length of `Lists::early`; written under the lock.
    early: AtomicUsize,
    /// Is there anything in `Lists::others`?
    any_others: AtomicBool,
    lists: Mutex<Lists>,
}

struct Lists {
    /// Cancelled, but not (yet) running: the id and when to forget it.
    early: VecDeque<(u64, u64)>,
    others: VecDeque<u64>,
}

impl Cancellation {
    pub(super) fn new() -> Self {
        Self {
            current: AtomicU64::new(0),
            cancelled: AtomicU64::new(0),
            early: AtomicUsize::new(0),
            any_others: AtomicBool::new(false),
            lists: Mutex::new(Lists {
                early: VecDeque::new(),
                others: VecDeque::new(),
            }),
        }
    }

    /// Main thread: `call` begins (or, with 0, none runs). Yes when it was cancelled before it began.
    #[inline]
    pub(super) fn set_current(&self, call: u64) -> Cancelled {
        self.current.store(call, Ordering::Release);
        if self.early.load(Ordering::Relaxed) == 0 || call == 0 {
            // A cancellation that was just being noted may be missed here; the attendant looks again.
            return Cancelled::NotCurrent;
        }
        self.claim_early(&mut self.lock())
    }

    #[inline]
    pub(super) fn interrupt_pending(&self) -> bool {
        self.is_cancelled(self.current.load(Ordering::Relaxed))
    }

    #[inline]
    pub(super) fn is_cancelled(&self, call: u64) -> bool {
        call != 0 && self.cancelled.load(Ordering::Acquire) == call
    }

    pub(super) fn take_others(&self) -> Vec<u64> {
        if !self.any_others.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut lists = self.lock();
        self.any_others.store(false, Ordering::Release);
        std::mem::take(&mut lists.others).into()
    }

    /// Attendant: the host no longer wants this call. One that does not run is remembered, in both lists:
    /// it may be a coroutine's, or be about to begin.
    pub(super) fn cancel(&self, call: u64, now: u64) -> Cancelled {
        let mut lists = self.lock();
        if call != 0 && self.current.load(Ordering::Acquire) == call {
            self.cancelled.store(call, Ordering::Release);
            return Cancelled::Yes;
        }
        push_bounded(
            &mut lists.early,
            (call, now.saturating_add(EARLY_NS)),
            EARLY_MOST,
        );
        self.early.store(lists.early.len(), Ordering::Relaxed);
        push_bounded(&mut lists.others, call, OTHERS_MOST);
        self.any_others.store(true, Ordering::Release);
        Cancelled::NotCurrent
    }

    /// Attendant: is there a reason to look again soon? Forgets what is too old.
    pub(super) fn needs_attention(&self, now: u64) -> bool {
        if self.early.load(Ordering::Relaxed) > 0 {
            let mut lists = self.lock();
            lists.early.retain(|(_, until)| *until > now);
            self.early.store(lists.early.len(), Ordering::Relaxed);
        }
        self.interrupt_pending() || self.early.load(Ordering::Relaxed) > 0
    }

    /// Attendant, looking again: does the call that runs now want (another) interrupt?
    pub(super) fn interrupt_due(&self) -> bool {
        self.claim_early(&mut self.lock()) == Cancelled::Yes || self.interrupt_pending()
    }

    /// If the cancellation of the current call waits in the list, it takes effect.
    fn claim_early(&self, lists: &mut Lists) -> Cancelled {
        let current = self.current.load(Ordering::Acquire);
        let found = lists
            .early
            .iter()
            .position(|(call, _)| *call == current && current != 0);
        if let Some(index) = found {
            lists.early.remove(index);
            self.cancelled.store(current, Ordering::Release);
        }
        self.early.store(lists.early.len(), Ordering::Relaxed);
        if found.is_some() {
            Cancelled::Yes
        } else {
            Cancelled::NotCurrent
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn push_bounded<T>(list: &mut VecDeque<T>, item: T, most: usize) {
    if list.len() >= most {
        list.pop_front();
    }
    list.push_back(item);
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_current_call_is_cancelled_and_no_other() {
        let cancellation = Cancellation::new();
        assert!(!cancellation.interrupt_pending());
        assert_eq!(cancellation.set_current(7), Cancelled::NotCurrent);
        assert_eq!(cancellation.cancel(7, 0), Cancelled::Yes);
        assert!(cancellation.interrupt_pending() && cancellation.is_cancelled(7));
        assert!(cancellation.interrupt_due());
        cancellation.set_current(0);
        assert!(!cancellation.interrupt_pending() && !cancellation.interrupt_due());
        cancellation.set_current(8);
        assert!(!cancellation.interrupt_pending() && !cancellation.interrupt_due());
        assert!(cancellation.take_others().is_empty());
        assert!(!cancellation.needs_attention(0));
    }

    #[test]
    fn a_cancellation_that_comes_early_waits_for_its_call() {
        let cancellation = Cancellation::new();
        cancellation.set_current(7);
        assert_eq!(cancellation.cancel(8, 0), Cancelled::NotCurrent);
        assert!(!cancellation.interrupt_pending() && cancellation.needs_attention(0));
        assert_eq!(cancellation.take_others(), [8]);
        assert!(cancellation.take_others().is_empty());
        assert_eq!(cancellation.set_current(0), Cancelled::NotCurrent);
        assert_eq!(cancellation.set_current(8), Cancelled::Yes);
        assert!(cancellation.interrupt_pending());
        assert_eq!(cancellation.set_current(9), Cancelled::NotCurrent);
        assert!(!cancellation.interrupt_pending() && !cancellation.needs_attention(0));
    }

    #[test]
    fn one_that_was_missed_is_found_by_looking_again() {
        let cancellation = Cancellation::new();
        cancellation.cancel(8, 0);
        // As if the main thread had begun the call without seeing that.
        cancellation.current.store(8, Ordering::Release);
        assert!(!cancellation.interrupt_pending() && cancellation.needs_attention(0));
        assert!(cancellation.interrupt_due() && cancellation.interrupt_pending());
    }

    #[test]
    fn it_forgets() {
        let cancellation = Cancellation::new();
        for call in 1..=200_000 {
            cancellation.cancel(call, call);
        }
        assert_eq!(cancellation.early.load(Ordering::Relaxed), EARLY_MOST);
        assert!(cancellation.needs_attention(0));
        assert!(!cancellation.needs_attention(200_000 + EARLY_NS));
        assert_eq!(cancellation.set_current(200_000), Cancelled::NotCurrent);
        assert_eq!(cancellation.take_others().len(), OTHERS_MOST);
    }

    #[test]
    fn cancellations_around_the_end_of_a_call_never_touch_another() {
        let cancellation = Cancellation::new();
        let calls = 200_000_u64;
        std::thread::scope(|scope| {
            let canceller = scope.spawn(|| {
                // Even calls are cancelled, about when they run.
                loop {
                    let current = cancellation.current.load(Ordering::Relaxed);
                    if current > calls {
                        return;
                    }
                    for call in [current.wrapping_sub(2), current, current + 2] {
                        if call % 2 == 0 {
                            cancellation.cancel(call, 0);
                        }
                    }
                    cancellation.interrupt_due();
                }
            });
            for call in 1..=calls {
                cancellation.set_current(call);
                for _ in 0..10 {
                    assert!(
                        call % 2 == 0 || !cancellation.interrupt_pending(),
                        "call {call}"
                    );
                }
                cancellation.set_current(0);
                assert!(!cancellation.interrupt_pending());
            }
            cancellation.set_current(calls + 1);
            canceller.join().expect("the canceller");
        });
    }
}
