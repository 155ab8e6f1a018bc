//! A single-producer single-consumer ring of records in memory that another process can write.
//!
//! Each end keeps its own position privately and takes nothing from the peer without a check: a
//! peer that writes nonsense is found out as a [`Violation`], never followed. Records are
//! contiguous; a padding record fills the end of the ring where one does not fit.

use core::ptr::NonNull;

use crate::index::Indices;
use crate::record::{HEADER_BYTES, Header, Kind, RECORD_ALIGN, RawHeader, record_bytes};

/// The peer wrote something into shared memory that no honest peer writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A position went backwards, past what was written, or off a record's start.
    #[error("a ring position is out of bounds")]
    Position,
    /// A header field has a value outside the protocol, or a length leaves the ring.
    #[error("a record header is malformed")]
    Header,
    /// A state word holds none of its three values.
    #[error("a state word holds {0}, which is no state")]
    State(u32),
    /// An answer names a call that the worker does not have.
    #[error("an answer names call {0:#x}, which this worker does not have")]
    Call(u64),
    /// A record of a kind that does not travel in this direction.
    #[error("a record of kind {0:?} came from the wrong side")]
    Kind(Kind),
}

/// The bytes of a ring, somewhere in a mapping that outlives both ends.
#[derive(Clone, Copy)]
struct Bytes {
    base: NonNull<u8>,
    mask: u64,
}

impl Bytes {
    fn capacity(self) -> u64 {
        self.mask + 1
    }

    #[inline]
    fn at(self, position: u64) -> *mut u8 {
        // SAFETY: masked positions lie inside the ring, which the constructor's caller vouched for.
        unsafe { self.base.as_ptr().add((position & self.mask) as usize) }
    }

    /// Fetches the line of a record for writing, ahead of its use: the trip between the processors
    /// then overlaps with other work.
    #[inline]
    fn prefetch(self, position: u64) {
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        // SAFETY: a hint about an address inside the ring; it changes nothing that a program can see.
        unsafe {
            core::arch::asm!("prefetchw [{}]", in(reg) self.at(position), options(nostack, preserves_flags, readonly));
        }
        #[cfg(not(all(target_arch = "x86_64", not(miri))))]
        let _ = position;
    }

    #[inline]
    fn header(&self, position: u64) -> &RawHeader {
        // SAFETY: record starts are multiples of 64 and HEADER_BYTES fit before the end of the
        // ring; RawHeader consists of atomics, which may be shared with another process.
        unsafe { &*self.at(position).cast::<RawHeader>() }
    }
}

/// The writing end.
pub struct Producer {
    bytes: Bytes,
    indices: NonNull<Indices>,
    tail: u64,
    head: u64,
}

/// The reading end.
pub struct Consumer {
    bytes: Bytes,
    indices: NonNull<Indices>,
    head: u64,
    tail: u64,
}

// SAFETY: the pointers lead into a shared mapping without thread affinity; each end has one owner.
unsafe impl Send for Producer {}
// SAFETY: as above; `&Producer` offers nothing that writes except atomics.
unsafe impl Sync for Producer {}
// SAFETY: as for Producer.
unsafe impl Send for Consumer {}
// SAFETY: as for Producer.
unsafe impl Sync for Consumer {}

/// A record that was taken from the ring and not yet given back.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// The header, a private copy.
    pub header: Header,
    position: u64,
}

impl Producer {
    /// The writing end of an empty ring.
    ///
    /// # Safety
    /// `base` starts `capacity` bytes (a power of two, at least 4 KiB, 64-byte aligned) that, like
    /// `indices`, stay mapped for the life of this end; there is no other producer.
    pub(crate) unsafe fn new(
        base: NonNull<u8>,
        capacity: usize,
        indices: NonNull<Indices>,
    ) -> Self {
        debug_assert!(capacity.is_power_of_two());
        Self {
            bytes: Bytes {
                base,
                mask: capacity as u64 - 1,
            },
            indices,
            tail: 0,
            head: 0,
        }
    }

    #[inline]
    fn indices(&self) -> &Indices {
        // SAFETY: mapped for the life of this end; made of atomics.
        unsafe { self.indices.as_ref() }
    }

    /// Writes a record without publishing it; `None` when there is no room. Returns its position.
    #[inline]
    pub fn write(&mut self, header: &Header, parts: [&[u8]; 2]) -> Result<Option<u64>, Violation> {
        let payload = parts[0].len() + parts[1].len();
        debug_assert_eq!(payload, header.length as usize);
        let need = record_bytes(payload) as u64;
        let offset = self.tail & self.bytes.mask;
        let to_end = self.bytes.capacity() - offset;
        let padding = if need > to_end { to_end } else { 0 };
        if !self.has_room(padding + need)? {
            return Ok(None);
        }
        if padding > 0 {
            self.pad(padding);
        }
        let position = self.tail;
        self.bytes.header(position).store(header.encode());
        let body = self.bytes.at(position).wrapping_add(HEADER_BYTES);
        // SAFETY: `need` bytes from `position` are free and contiguous (just checked), and the
        // parts are private memory that cannot overlap the ring.
        unsafe {
            body.copy_from_nonoverlapping(parts[0].as_ptr(), parts[0].len());
            body.add(parts[0].len())
                .copy_from_nonoverlapping(parts[1].as_ptr(), parts[1].len());
        }
        self.tail += need;
        Ok(Some(position))
    }

    #[inline]
    fn has_room(&mut self, need: u64) -> Result<bool, Violation> {
        if self.tail + need - self.head <= self.bytes.capacity() {
            return Ok(true);
        }
        self.refresh_head()?;
        Ok(self.tail + need - self.head <= self.bytes.capacity())
    }

    fn refresh_head(&mut self) -> Result<(), Violation> {
        let head = self.indices().head();
        if head < self.head || head > self.tail || !head.is_multiple_of(RECORD_ALIGN as u64) {
            return Err(Violation::Position);
        }
        self.head = head;
        Ok(())
    }

    fn pad(&mut self, bytes: u64) {
        let header = Header {
            length: (bytes as usize - HEADER_BYTES) as u32,
            kind: Kind::Padding,
            flags: 0,
            function: 0,
            call: 0,
            time: 0,
            content: Default::default(),
            wanted: Default::default(),
            extension: 0,
        };
        self.bytes.header(self.tail).store(header.encode());
        self.tail += bytes;
    }

    /// Publishes everything written so far; `true` when the consumer sleeps and must be rung.
    #[inline]
    #[must_use]
    pub fn publish(&mut self) -> bool {
        self.indices().publish(self.tail);
        self.indices().wake_needed()
    }

    /// Does the consumer sleep, so that it has to be rung if it is to be awake for the next record?
    #[must_use]
    pub fn rouse(&self) -> bool {
        self.indices().wake_needed()
    }

    /// Gets the line of the next record ready, off the path of the record that is to be written.
    #[inline]
    pub fn prepare(&self) {
        self.bytes.prefetch(self.tail);
    }

    /// Takes back the record at `position` if the consumer has not claimed it.
    pub fn revoke(&mut self, position: u64) -> Result<bool, Violation> {
        debug_assert!(position < self.tail && self.tail - position <= self.bytes.capacity());
        // The record's memory is ours until `head` passes it and we write there again, which only
        // this end does: the word read here is this record's, whatever the consumer does meanwhile.
        if position < self.head {
            return Ok(false);
        }
        crate::record::revoke(&self.bytes.header(position).state).map_err(Violation::State)
    }

    /// Bytes that the peer has not given back, as it says now; not checked.
    #[must_use]
    pub fn unread(&self) -> u64 {
        self.tail.saturating_sub(self.indices().head())
    }
}

impl Consumer {
    /// The reading end of an empty ring.
    ///
    /// # Safety
    /// As for [`Producer::new`]; there is no other consumer.
    pub(crate) unsafe fn new(
        base: NonNull<u8>,
        capacity: usize,
        indices: NonNull<Indices>,
    ) -> Self {
        debug_assert!(capacity.is_power_of_two());
        Self {
            bytes: Bytes {
                base,
                mask: capacity as u64 - 1,
            },
            indices,
            head: 0,
            tail: 0,
        }
    }

    #[inline]
    fn indices(&self) -> &Indices {
        // SAFETY: mapped for the life of this end; made of atomics.
        unsafe { self.indices.as_ref() }
    }

    /// The next record, taken out of the ring's order but still in its memory.
    ///
    /// The memory stays untouched by an honest producer until [`release`](Self::release).
    #[inline]
    pub fn take(&mut self) -> Result<Option<Taken>, Violation> {
        if self.head == self.tail && !self.refresh_tail()? {
            return Ok(None);
        }
        let mut taken = self.step()?;
        if taken.header.kind == Kind::Padding {
            // Padding ends where the ring does, and the record that had no room follows with it. A
            // peer that could pad without end would keep this end here for ever.
            if self.head & self.bytes.mask != 0 || self.head == self.tail {
                return Err(Violation::Header);
            }
            taken = self.step()?;
            if taken.header.kind == Kind::Padding {
                return Err(Violation::Header);
            }
        }
        Ok(Some(taken))
    }

    /// Steps over the record at `head`, of which at least the header has been published.
    #[inline]
    fn step(&mut self) -> Result<Taken, Violation> {
        let position = self.head;
        let header = Header::decode(self.bytes.header(position).load()).ok_or(Violation::Header)?;
        let need = record_bytes(header.length as usize) as u64;
        let to_end = self.bytes.capacity() - (position & self.bytes.mask);
        if need > self.tail - position || need > to_end {
            return Err(Violation::Header);
        }
        self.head += need;
        Ok(Taken { header, position })
    }

    #[inline]
    fn refresh_tail(&mut self) -> Result<bool, Violation> {
        let tail = self.indices().tail();
        if tail == self.tail {
            return Ok(false);
        }
        // `head == tail` here: everything up to the old tail has been read.
        if tail < self.head
            || tail - self.head > self.bytes.capacity()
            || !tail.is_multiple_of(RECORD_ALIGN as u64)
        {
            return Err(Violation::Position);
        }
        self.tail = tail;
        Ok(true)
    }

    /// Is there a record to take?
    #[inline]
    #[must_use]
    pub fn ready(&self) -> bool {
        self.head != self.tail || self.indices().tail() != self.tail
    }

    /// Claims a taken call against its revocation; `false`: the host took it back.
    #[inline]
    #[must_use]
    pub fn claim(&self, taken: &Taken) -> bool {
        crate::record::claim(&self.bytes.header(taken.position).state)
    }

    /// Appends a taken record's extension and body to `to`: the one copy out of shared memory.
    #[inline]
    pub fn copy_to(&self, taken: &Taken, to: &mut Vec<u8>) {
        let length = taken.header.length as usize;
        to.reserve(length);
        // SAFETY: `take` checked that the record lies inside the ring; `to` has room for it and is
        // private. A peer that scribbles meanwhile changes the bytes that arrive, nothing else.
        unsafe {
            let from = self.bytes.at(taken.position).add(HEADER_BYTES);
            to.as_mut_ptr()
                .add(to.len())
                .copy_from_nonoverlapping(from, length);
            to.set_len(to.len() + length);
        }
    }

    /// A taken record's extension and body where they lie.
    ///
    /// # Safety
    /// The producer is trusted not to change a published record before its release: right for a
    /// worker that reads its host's ring, never for a host.
    #[inline]
    #[must_use]
    pub(crate) unsafe fn payload(&self, taken: &Taken) -> &[u8] {
        let from = self.bytes.at(taken.position).wrapping_add(HEADER_BYTES);
        // SAFETY: inside the ring as `take` checked; unchanging by this function's contract.
        unsafe { core::slice::from_raw_parts(from, taken.header.length as usize) }
    }

    /// Gives the memory of everything taken so far back to the producer.
    #[inline]
    pub fn release(&mut self) {
        self.indices().consume(self.head);
    }

    /// Bytes taken since the start; with [`release`](Self::release) left to the caller's rhythm.
    #[inline]
    #[must_use]
    pub fn position(&self) -> u64 {
        self.head
    }

    /// Bytes that the peer has published and this end has not taken, as it says now; not checked.
    #[must_use]
    pub fn unread(&self) -> u64 {
        self.indices().tail().saturating_sub(self.head)
    }

    /// Says that this end is about to sleep; `false` when a record came meanwhile.
    #[inline]
    #[must_use]
    pub fn prepare_sleep(&self) -> bool {
        self.head == self.tail && self.indices().prepare_sleep(self.tail)
    }

    /// Awake again.
    #[inline]
    pub fn awake(&self) {
        self.indices().awake();
    }
}
