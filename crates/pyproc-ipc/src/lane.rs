//! One worker's lane: a header page, a request ring and a response ring in one memfd.
//!
//! [`HostLane`] trusts nothing it reads; [`WorkerLane`](crate::worker::WorkerLane) trusts its host.

use core::ptr::NonNull;
use std::io;
use std::sync::Arc;

use crate::doorbell::{Bell, Ringer, doorbell};
use crate::index::Indices;
use crate::record::{ContentType, FLAG_BYTES, FLAG_SEGMENT, Header, Kind, SegmentRef};
use crate::ring::{Consumer, Producer, Taken, Violation};
use crate::shm::{Memory, PeerAccess};
use crate::sync::{AtomicU32, Ordering};

/// Segments that one worker can have in each direction.
pub const SEGMENTS: usize = 256;

/// The largest body that travels in the ring; larger ones go through a segment.
pub const INLINE_MAX: usize = 32 * 1024;

/// The smallest ring: a few records of the largest inline size.
pub const RING_MIN: usize = 128 * 1024;

/// The largest ring.
pub const RING_MAX: usize = 256 * 1024 * 1024;

const HEADER_PAGE: usize = 4096;

/// What the two processes share besides the rings' bytes.
#[repr(C)]
pub(crate) struct LaneHeader {
    pub(crate) requests: Indices,
    pub(crate) responses: Indices,
    /// Counts the large results that the worker has begun to write.
    pub(crate) begun: AtomicU32,
    /// By segment of a request: the turn that the worker has let go of.
    pub(crate) request_released: [AtomicU32; SEGMENTS],
    /// By segment of a response: the turn that the host has copied out.
    pub(crate) response_released: [AtomicU32; SEGMENTS],
    /// How the host wants the worker to wait: a [`Pace`].
    pub(crate) pace: AtomicU32,
}

#[cfg(not(loom))]
const _: () = assert!(core::mem::size_of::<LaneHeader>() <= HEADER_PAGE);

/// A lane's mapping, laid out.
pub(crate) struct Layout {
    memory: Memory,
    ring: usize,
}

impl Layout {
    /// Bytes of a lane whose rings have `ring` bytes each.
    pub(crate) const fn bytes(ring: usize) -> usize {
        HEADER_PAGE + 2 * ring
    }

    /// Bytes of each ring in a lane of `lane` bytes.
    pub(crate) const fn ring_of(lane: usize) -> usize {
        lane.saturating_sub(HEADER_PAGE) / 2
    }

    pub(crate) fn new(memory: Memory, ring: usize) -> io::Result<Self> {
        let fits = ring.is_power_of_two()
            && (RING_MIN..=RING_MAX).contains(&ring)
            && memory.bytes() == Self::bytes(ring);
        if !fits {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the lane's size does not fit its rings",
            ));
        }
        Ok(Self { memory, ring })
    }

    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    pub(crate) fn header(&self) -> &LaneHeader {
        // SAFETY: the mapping is page-aligned, holds a header page (checked in `new`), lives as
        // long as `self`, and the header is made of atomics only.
        unsafe { &*self.memory.as_ptr().cast::<LaneHeader>() }
    }

    /// Worker: this turn of a request segment is over.
    pub(crate) fn let_go(&self, segment: SegmentRef) {
        if let Some(word) = self.header().request_released.get(segment.number as usize) {
            // Release: all reads come before the host's next write.
            word.store(segment.turn, Ordering::Release);
        }
    }

    pub(crate) fn request_ring(&self) -> (NonNull<u8>, NonNull<Indices>) {
        (
            self.ring_at(HEADER_PAGE),
            NonNull::from(&self.header().requests),
        )
    }

    pub(crate) fn response_ring(&self) -> (NonNull<u8>, NonNull<Indices>) {
        (
            self.ring_at(HEADER_PAGE + self.ring),
            NonNull::from(&self.header().responses),
        )
    }

    pub(crate) fn ring_bytes(&self) -> usize {
        self.ring
    }

    fn ring_at(&self, offset: usize) -> NonNull<u8> {
        // SAFETY: both offsets lie inside the mapping (checked in `new`), whose pointer is not null.
        unsafe { NonNull::new_unchecked(self.memory.as_ptr().add(offset)) }
    }
}

/// How a worker waits for calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Pace {
    /// As long as has been paying.
    Own = 0,
    /// Longer: calls come one at a time over a network.
    Patient = 1,
    /// Asleep: calls come in batches to a host with much else to do. A wake-up costs each of them little,
    /// and a worker that spins keeps a processor from those who have work.
    Crowded = 2,
}

/// A call on its way to a worker.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing {
    /// The call's id.
    pub call: u64,
    /// The function's number at this worker.
    pub function: u16,
    /// Monotonic nanoseconds after which it must not be started; 0: never.
    pub deadline: u64,
    /// How the body is to be read.
    pub content: ContentType,
    /// What the reply should be.
    pub wanted: ContentType,
    /// Whether a result that is bytes is wanted as it is, whatever `wanted` says.
    pub raw_bytes: bool,
}

/// Where an answer's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerBody {
    /// Copied into the buffer given to [`HostLane::pop`].
    Inline,
    /// In a response segment, not yet looked at.
    Segment(SegmentRef),
}

/// An answer from a worker, in private memory; its fields are checked for form, not for truth.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// [`Kind::Result`], [`Kind::Error`] or [`Kind::Expired`].
    pub kind: Kind,
    /// The call that it claims to answer.
    pub call: u64,
    /// How the body is to be read.
    pub content: ContentType,
    /// How long the worker says that it ran, in nanoseconds.
    pub run_ns: u64,
    /// Where the body is.
    pub body: AnswerBody,
}

/// The host's end of a lane.
pub struct HostLane {
    layout: Arc<Layout>,
    requests: Producer,
    responses: Consumer,
    ringer: Ringer,
    bell: Bell,
}

/// The worker's ends of what a lane needs, to be passed over the control socket.
pub struct WorkerBells {
    /// The worker waits on this one for calls.
    pub bell: Bell,
    /// The worker rings this one for answers.
    pub ringer: Ringer,
}

impl HostLane {
    /// Makes a lane with rings of `ring` bytes each: allocated, mapped and sealed.
    pub fn create(ring: usize) -> io::Result<(Self, WorkerBells)> {
        let memory = Memory::create("pyproc-lane", Layout::bytes(ring), PeerAccess::ReadWrite)?;
        let layout = Arc::new(Layout::new(memory, ring)?);
        let (ringer, worker_bell) = doorbell()?;
        let (worker_ringer, bell) = doorbell()?;
        let (base, indices) = layout.request_ring();
        // SAFETY: both rings lie in `layout`'s mapping, which the lane owns as long as the ends.
        let requests = unsafe { Producer::new(base, ring, indices) };
        let (base, indices) = layout.response_ring();
        // SAFETY: as above.
        let responses = unsafe { Consumer::new(base, ring, indices) };
        let lane = Self {
            layout,
            requests,
            responses,
            ringer,
            bell,
        };
        Ok((
            lane,
            WorkerBells {
                bell: worker_bell,
                ringer: worker_ringer,
            },
        ))
    }

    /// The lane's memory, for passing its descriptor.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        self.layout.memory()
    }

    /// The bell that the worker rings when the host sleeps.
    #[must_use]
    pub fn bell(&self) -> &Bell {
        &self.bell
    }

    /// Bytes of each ring.
    #[must_use]
    pub fn ring_bytes(&self) -> usize {
        self.layout.ring_bytes()
    }

    /// Writes a call with its body; `None` when the ring has no room. Not visible until [`publish`](Self::publish).
    #[inline]
    pub fn push(
        &mut self,
        call: &Outgoing,
        extension: &[u8],
        body: &[u8],
    ) -> Result<Option<u64>, Violation> {
        self.write(call, 0, extension, body)
    }

    /// Writes a call whose body is in a request segment.
    pub fn push_segment(
        &mut self,
        call: &Outgoing,
        extension: &[u8],
        body: SegmentRef,
    ) -> Result<Option<u64>, Violation> {
        self.write(call, FLAG_SEGMENT, extension, &body.encode())
    }

    #[inline]
    fn write(
        &mut self,
        call: &Outgoing,
        flags: u8,
        extension: &[u8],
        body: &[u8],
    ) -> Result<Option<u64>, Violation> {
        let header = Header {
            length: (extension.len() + body.len()) as u32,
            kind: Kind::Call,
            flags: flags | if call.raw_bytes { FLAG_BYTES } else { 0 },
            function: call.function,
            call: call.call,
            time: call.deadline,
            content: call.content,
            wanted: call.wanted,
            extension: extension.len() as u16,
        };
        self.requests.write(&header, [extension, body])
    }

    /// Makes everything pushed visible to the worker and wakes it if it sleeps; whether it did.
    #[inline]
    pub fn publish(&mut self) -> bool {
        let asleep = self.requests.publish();
        if asleep {
            self.ringer.ring();
        }
        asleep
    }

    /// Wakes the worker if it sleeps, since a call is about to come: waking up overlaps with the
    /// copying of a large body.
    pub fn rouse(&self) {
        if self.requests.rouse() {
            self.ringer.ring();
        }
    }

    /// Takes back the call at `position`; `false` when the worker has it.
    pub fn revoke(&mut self, position: u64) -> Result<bool, Violation> {
        self.requests.revoke(position)
    }

    /// How full the request and the response ring are, from 0 to 1.
    #[must_use]
    pub fn occupancy(&self) -> [f64; 2] {
        // The worker's word, and never believed beyond a ring.
        let share = |bytes: u64| (bytes as f64 / self.ring_bytes() as f64).min(1.0);
        [
            share(self.requests.unread()),
            share(self.responses.unread()),
        ]
    }

    /// Has the worker answered something that was not yet taken?
    #[inline]
    #[must_use]
    pub fn ready(&self) -> bool {
        self.responses.ready()
    }

    /// A way to see answers come without holding the lane.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch {
            seen: self.responses.position(),
            begun: self.layout.header().begun.load(Ordering::Relaxed),
            layout: Arc::clone(&self.layout),
        }
    }

    /// The next answer. `buffer` is asked for by call id only when there is a body in the ring to
    /// copy; a call id that nobody knows is a violation.
    #[inline]
    pub fn pop<'b>(
        &mut self,
        buffer: impl FnOnce(u64) -> Option<&'b mut Vec<u8>>,
    ) -> Result<Option<Answer>, Violation> {
        let Some(taken) = self.responses.take()? else {
            return Ok(None);
        };
        let Taken { header, .. } = taken;
        if !matches!(header.kind, Kind::Result | Kind::Error | Kind::Expired) {
            return Err(Violation::Kind(header.kind));
        }
        if header.extension != 0 {
            return Err(Violation::Header);
        }
        let in_segment = header.flags & FLAG_SEGMENT != 0;
        if in_segment && header.length as usize != SegmentRef::BYTES {
            // Before the call's own body is overwritten: another worker may need it.
            return Err(Violation::Header);
        }
        let to = buffer(header.call).ok_or(Violation::Call(header.call))?;
        to.clear();
        self.responses.copy_to(&taken, to);
        let body = if in_segment {
            AnswerBody::Segment(SegmentRef::decode(to).ok_or(Violation::Header)?)
        } else {
            AnswerBody::Inline
        };
        Ok(Some(Answer {
            kind: header.kind,
            call: header.call,
            content: header.content,
            run_ns: header.time,
            body,
        }))
    }

    /// Gives the memory of the answers taken so far back to the worker.
    #[inline]
    pub fn release(&mut self) {
        self.responses.release();
        self.requests.prepare();
    }

    /// Asks to be rung at the next answer; `false` when one came meanwhile and nothing is armed.
    #[must_use]
    pub fn arm(&self) -> bool {
        self.responses.prepare_sleep()
    }

    /// Tells the worker how to wait for calls.
    pub fn set_pace(&self, pace: Pace) {
        self.layout
            .header()
            .pace
            .store(pace as u32, Ordering::Relaxed);
    }

    /// Needs no ringing any more.
    #[inline]
    pub fn disarm(&self) {
        self.responses.awake();
    }

    /// Has the worker let go of this turn of a request segment?
    #[must_use]
    pub fn request_segment_free(&self, segment: SegmentRef) -> bool {
        self.layout
            .header()
            .request_released
            .get(segment.number as usize)
            // Acquire: what the worker read from the segment, it read before it let go.
            .is_some_and(|word| word.load(Ordering::Acquire) == segment.turn)
    }

    /// Tells the worker that this turn of a response segment has been copied out.
    pub fn free_response_segment(&self, segment: SegmentRef) {
        if let Some(word) = self
            .layout
            .header()
            .response_released
            .get(segment.number as usize)
        {
            // Release: the copy is done before the worker writes there again.
            word.store(segment.turn, Ordering::Release);
        }
    }
}

/// Sees whether a worker has answered, and nothing else; for spinning outside of locks.
pub struct Watch {
    layout: Arc<Layout>,
    seen: u64,
    begun: u32,
}

impl Watch {
    /// Has anything been published since the watch was made?
    #[inline]
    #[must_use]
    pub fn ready(&self) -> bool {
        self.layout.header().responses.tail() != self.seen
    }

    /// Has the worker begun to write a large result since the watch was made? Its answer is near.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.layout.header().begun.load(Ordering::Relaxed) != self.begun
    }
}
