//! The atomics of the lane, behind one door so that loom can stand in for them.
//!
//! Only the code that is lock-free across the two processes (ring indices, the sleep and wake
//! handshake, state words) goes through here.

#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
