//! The words that the two ends of a ring share: how far each has come, and whether one sleeps.
//!
//! Positions are byte counts that only grow. The producer owns `tail`, the consumer owns `head`
//! and `sleeping`. Sleep and wake follow one pattern on both sides: a relaxed store, a SeqCst
//! fence, a look at what the other side wrote. Whichever fence comes second sees the other's
//! store, so a record is never published to a consumer that sleeps through it. Checked with loom
//! in `tests/loom_ring.rs`.

use crate::sync::{AtomicU32, AtomicU64, Ordering, fence};

/// Keeps a word on cache lines of its own: two, because processors fetch neighbours in pairs.
#[repr(C, align(128))]
pub struct Alone<T>(T);

/// The shared words of one ring.
#[repr(C)]
pub struct Indices {
    tail: Alone<AtomicU64>,
    head: Alone<AtomicU64>,
    sleeping: Alone<AtomicU32>,
}

impl Indices {
    /// The words of an empty ring with a consumer that is awake.
    #[must_use]
    pub fn new() -> Self {
        Self {
            tail: Alone(AtomicU64::new(0)),
            head: Alone(AtomicU64::new(0)),
            sleeping: Alone(AtomicU32::new(0)),
        }
    }

    /// How far the producer has published.
    #[inline]
    pub fn tail(&self) -> u64 {
        self.tail.0.load(Ordering::Acquire)
    }

    /// Producer: everything below `tail` may be read.
    #[inline]
    pub fn publish(&self, tail: u64) {
        self.tail.0.store(tail, Ordering::Release);
    }

    /// How far the consumer has read.
    #[inline]
    pub fn head(&self) -> u64 {
        self.head.0.load(Ordering::Acquire)
    }

    /// Consumer: everything below `head` may be overwritten.
    #[inline]
    pub fn consume(&self, head: u64) {
        self.head.0.store(head, Ordering::Release);
    }

    /// Producer, after [`publish`](Self::publish): does the consumer sleep, so that its bell has to be rung?
    ///
    /// Takes the flag back, so that a sleeper is rung once.
    #[inline]
    pub fn wake_needed(&self) -> bool {
        fence(Ordering::SeqCst);
        if self.sleeping.0.load(Ordering::Relaxed) == 0 {
            return false;
        }
        self.sleeping.0.store(0, Ordering::Relaxed);
        true
    }

    /// Consumer: says that it is about to sleep. Only if this returns `true` may it do so; otherwise
    /// something was published past `seen` meanwhile and the flag is down again.
    #[inline]
    pub fn prepare_sleep(&self, seen: u64) -> bool {
        self.sleeping.0.store(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if self.tail.0.load(Ordering::Acquire) == seen {
            return true;
        }
        self.awake();
        false
    }

    /// Consumer: awake again, its bell need not be rung.
    #[inline]
    pub fn awake(&self) {
        self.sleeping.0.store(0, Ordering::Relaxed);
    }
}

impl Default for Indices {
    fn default() -> Self {
        Self::new()
    }
}
