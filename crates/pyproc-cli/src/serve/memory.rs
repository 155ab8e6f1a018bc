//! The memory that bodies take, those of requests and those of answers, each counted against a bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;

/// What all bodies of a kind together may take.
#[derive(Debug)]
pub(super) struct Memory {
    taken: AtomicUsize,
    limit: usize,
}

impl Memory {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            taken: AtomicUsize::new(0),
            limit,
        })
    }

    /// A share of nothing, to grow.
    pub(super) fn share(self: &Arc<Self>) -> Share {
        Share {
            memory: Arc::clone(self),
            bytes: 0,
        }
    }

    /// The bytes with a share that is given back with the last of them; nothing when the bound would be passed.
    pub(super) fn keep(self: &Arc<Self>, bytes: Bytes) -> Option<Bytes> {
        let mut share = self.share();
        share.grow(bytes.len()).then(|| share.around(bytes))
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }
}

/// What one body takes; given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    memory: Arc<Memory>,
    bytes: usize,
}

impl Share {
    /// Takes more, unless the bound would be passed.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let taken = self.memory.taken.fetch_add(bytes, Relaxed);
        self.bytes += bytes;
        taken.saturating_add(bytes) <= self.memory.limit
    }

    /// The bytes that the share was taken for; it is given back with the last of them.
    fn around(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Owned {
            bytes,
            _share: self,
        })
    }
}

/// Bytes and their share.
struct Owned {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.memory.taken.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_bounded_and_given_back() {
        let memory = Memory::new(100);
        let mut one = memory.share();
        let mut other = memory.share();
        assert!(one.grow(60) && one.grow(30) && !other.grow(20));
        drop(other);
        let mut third = memory.share();
        assert!(third.grow(10));
        drop((one, third));
        assert_eq!(memory.taken.load(Relaxed), 0);

        assert_eq!(memory.keep(Bytes::from_static(&[0; 101])), None);
        let kept = memory.keep(Bytes::from_static(b"abcde"));
        let mut bytes = kept.expect("there is memory");
        let first = bytes.split_to(2);
        drop(bytes);
        assert_eq!((memory.taken.load(Relaxed), &*first), (5, &b"ab"[..]));
        drop(first);
        assert_eq!(memory.taken.load(Relaxed), 0);
    }
}
