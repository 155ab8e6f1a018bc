//! Memory for large replies, used again: fresh memory costs a page fault for every 4 KiB, which is
//! more than the copy into it.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

/// Buffers that are kept.
const KEPT: usize = 4;

/// A larger buffer is not kept.
const KEPT_BYTES: usize = 16 << 20;

/// Buffers of replies that nobody holds any more.
#[derive(Default)]
pub(crate) struct ReplyMemory {
    free: Mutex<Vec<Vec<u8>>>,
}

impl ReplyMemory {
    /// An empty buffer with room for `bytes`, or none: the caller makes one.
    pub(crate) fn take(&self, bytes: usize) -> Vec<u8> {
        let mut free = self.free.lock();
        let fits = |buffer: &Vec<u8>| buffer.capacity() >= bytes && buffer.capacity() / 4 <= bytes;
        free.iter()
            .position(fits)
            .map(|at| free.swap_remove(at))
            .unwrap_or_default()
    }

    pub(crate) fn give_back(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() == 0 || buffer.capacity() > KEPT_BYTES {
            return;
        }
        buffer.clear();
        let mut free = self.free.lock();
        if free.len() == KEPT {
            free.remove(0);
        }
        free.push(buffer);
    }

    /// Frees what is kept: nothing large has come for a while.
    pub(crate) fn clear(&self) {
        let free = std::mem::take(&mut *self.free.lock());
        drop(free);
    }
}

struct Lent {
    buffer: Vec<u8>,
    home: Arc<ReplyMemory>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.home.give_back(std::mem::take(&mut self.buffer));
    }
}

/// A reply's bytes, whose memory comes back when the last clone is dropped.
pub(crate) fn lend(buffer: Vec<u8>, home: &Arc<ReplyMemory>) -> Bytes {
    Bytes::from_owner(Lent {
        buffer,
        home: Arc::clone(home),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_with_the_last_clone_and_only_what_fits_is_used_again() {
        let home = Arc::new(ReplyMemory::default());
        let mut buffer = home.take(100_000);
        buffer.extend_from_slice(&[7; 100_000]);
        let bytes = lend(buffer, &home);
        let part = bytes.slice(10..20);
        drop(bytes);
        assert_eq!(home.take(100_000).capacity(), 0, "a clone still holds it");
        assert_eq!(&part[..], [7; 10]);
        drop(part);
        assert_eq!(home.take(200_000).capacity(), 0, "too small");
        assert_eq!(home.take(1_000).capacity(), 0, "much too large");
        assert!(home.take(60_000).capacity() >= 100_000);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let home = Arc::new(ReplyMemory::default());
        home.give_back(Vec::with_capacity(KEPT_BYTES + 1));
        assert_eq!(home.free.lock().len(), 0);
        for _ in 0..10 {
            home.give_back(Vec::with_capacity(100_000));
        }
        assert_eq!(home.free.lock().len(), KEPT);
        home.clear();
        assert_eq!(home.free.lock().len(), 0);
    }
}
