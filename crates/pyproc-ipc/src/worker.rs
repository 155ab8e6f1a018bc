//! The worker's end of a lane: take calls, claim them, answer them.
//!
//! Nothing here knows Python. The worker trusts its host, which made the lane.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::now_ns;
use crate::doorbell::{Bell, Ringer};
use crate::lane::{Layout, Pace};
use crate::record::{ContentType, FLAG_BYTES, FLAG_SEGMENT, Header, Kind, SegmentRef};
use crate::ring::{Consumer, Producer, Taken, Violation};
use crate::shm::Memory;
use crate::store::RequestView;
use crate::sync::Ordering;
use crate::wait::{Peer, spin};

/// A claimed call: its state word says *started*, so it has to be answered.
#[derive(Clone, Copy, Debug)]
pub struct Incoming {
    taken: Taken,
}

impl Incoming {
    /// The call's id, to be repeated in the answer.
    #[inline]
    #[must_use]
    pub fn call(&self) -> u64 {
        self.taken.header.call
    }

    /// The function's number.
    #[inline]
    #[must_use]
    pub fn function(&self) -> u16 {
        self.taken.header.function
    }

    /// The caller's deadline in monotonic nanoseconds; 0: none.
    #[inline]
    #[must_use]
    pub fn deadline(&self) -> u64 {
        self.taken.header.time
    }

    /// How the body is to be read.
    #[inline]
    #[must_use]
    pub fn content(&self) -> ContentType {
        self.taken.header.content
    }

    /// What the caller wants the reply to be.
    #[inline]
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        let header = &self.taken.header;
        Wanted {
            content: header.wanted,
            raw_bytes: header.wanted == ContentType::None || header.flags & FLAG_BYTES != 0,
        }
    }

    /// Had the deadline passed at `now`?
    #[inline]
    #[must_use]
    pub fn expired(&self, now: u64) -> bool {
        self.deadline() != 0 && self.deadline() < now
    }
}

/// Where a call's body is.
#[derive(Clone, Copy, Debug)]
pub enum IncomingBody<'a> {
    /// In the ring, until the next [`WorkerLane::done_reading`].
    Inline(&'a [u8]),
    /// In a request segment.
    Segment(SegmentRef),
}

/// What a caller wants the reply to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// How the result is to be encoded; [`ContentType::None`]: as the worker likes.
    pub content: ContentType,
    /// Whether a result that is bytes is to be sent as it is instead.
    pub raw_bytes: bool,
}

/// An answer on its way to the host.
#[derive(Clone, Copy, Debug)]
pub struct Response {
    /// [`Kind::Result`], [`Kind::Error`] or [`Kind::Expired`].
    pub kind: Kind,
    /// The call that it answers.
    pub call: u64,
    /// How the body is to be read.
    pub content: ContentType,
    /// How long the function ran, in nanoseconds.
    pub run_ns: u64,
}

/// The worker's end of a lane.
pub struct WorkerLane {
    layout: Arc<Layout>,
    requests: Consumer,
    responses: Producer,
    bell: Bell,
    ringer: Ringer,
    released: u64,
    /// It has slept since it last looked for a call: whoever rang may have had to make room for it.
    slept: bool,
}

impl WorkerLane {
    /// Opens the lane whose descriptor came with the welcome, which also tells its size. `bell` is
    /// rung by the host, `ringer` rings it.
    pub fn open(
        memory: OwnedFd,
        lane_bytes: usize,
        bell: Bell,
        ringer: Ringer,
    ) -> io::Result<Self> {
        let ring = Layout::ring_of(lane_bytes);
        let memory = Memory::open(memory, lane_bytes, true)?;
        let layout = Arc::new(Layout::new(memory, ring)?);
        let (base, indices) = layout.request_ring();
        // SAFETY: both rings lie in the mapping, which `layout` keeps for as long as the ends live.
        let requests = unsafe { Consumer::new(base, ring, indices) };
        let (base, indices) = layout.response_ring();
        // SAFETY: as above.
        let responses = unsafe { Producer::new(base, ring, indices) };
        Ok(Self {
            layout,
            requests,
            responses,
            bell,
            ringer,
            released: 0,
            slept: false,
        })
    }

    /// Claims the next call. Calls that the host took back are skipped.
    #[inline]
    pub fn poll(&mut self) -> Result<Option<Incoming>, Violation> {
        while let Some(taken) = self.requests.take()? {
            if taken.header.kind != Kind::Call {
                return Err(Violation::Kind(taken.header.kind));
            }
            if self.requests.claim(&taken) {
                self.responses.prepare();
                return Ok(Some(Incoming { taken }));
            }
        }
        Ok(None)
    }

    /// The call's extension block; empty for most calls.
    #[inline]
    #[must_use]
    pub fn extension(&self, incoming: &Incoming) -> &[u8] {
        &self.payload(incoming)[..usize::from(incoming.taken.header.extension)]
    }

    /// The call's body, where it lies.
    #[inline]
    pub fn body(&self, incoming: &Incoming) -> Result<IncomingBody<'_>, Violation> {
        let body = &self.payload(incoming)[usize::from(incoming.taken.header.extension)..];
        if incoming.taken.header.flags & FLAG_SEGMENT == 0 {
            return Ok(IncomingBody::Inline(body));
        }
        SegmentRef::decode(body)
            .map(IncomingBody::Segment)
            .ok_or(Violation::Header)
    }

    #[inline]
    fn payload(&self, incoming: &Incoming) -> &[u8] {
        // SAFETY: the host is the producer; an honest one leaves a published record alone until
        // its release, and a dishonest host is out of the worker's scope.
        unsafe { self.requests.payload(&incoming.taken) }
    }

    /// The call's body will not be looked at: the segment in which it may lie is free again.
    pub fn skip_body(&mut self, incoming: &Incoming) -> Result<(), Violation> {
        if let IncomingBody::Segment(segment) = self.body(incoming)? {
            self.layout.let_go(segment);
        }
        self.done_reading();
        Ok(())
    }

    /// Everything taken so far has been copied out. Gives the memory back in large steps, since
    /// each time costs the host a cache miss.
    #[inline]
    pub fn done_reading(&mut self) {
        if self.requests.position() - self.released >= self.layout.ring_bytes() as u64 / 8 {
            self.release();
        }
    }

    fn release(&mut self) {
        self.released = self.requests.position();
        self.requests.release();
    }

    /// Is there a record to take?
    #[inline]
    #[must_use]
    pub fn ready(&self) -> bool {
        self.requests.ready()
    }

    /// Looks for a call for up to `budget_ns`; the time, a little less than exactly, when there is one.
    pub fn spin(&mut self, budget_ns: u64) -> Option<u64> {
        self.release();
        let peer = if std::mem::take(&mut self.slept) {
            Peer::Waking
        } else {
            Peer::Awake
        };
        let (found, now) = spin(now_ns(), budget_ns, peer, || self.requests.ready());
        found.then_some(now)
    }

    /// How the host wants this worker to wait.
    #[inline]
    #[must_use]
    pub fn pace(&self) -> Pace {
        match self.layout.header().pace.load(Ordering::Relaxed) {
            pace if pace == Pace::Patient as u32 => Pace::Patient,
            pace if pace == Pace::Crowded as u32 => Pace::Crowded,
            _ => Pace::Own,
        }
    }

    /// Sleeps until there is something to take, the bell rings or `timeout` passes.
    pub fn sleep(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        if !self.prepare_sleep() {
            return Ok(());
        }
        let rung = self.bell.wait(timeout);
        self.woken();
        rung.map(drop)
    }

    /// For an event loop that waits on [`bell`](Self::bell) itself: arms it. `false`: a record is
    /// there, do not wait.
    #[must_use]
    pub fn prepare_sleep(&mut self) -> bool {
        self.release();
        self.requests.prepare_sleep()
    }

    /// For an event loop: awake again, the bell is emptied.
    pub fn woken(&mut self) {
        self.requests.awake();
        self.bell.clear();
        self.slept = true;
    }

    /// The bell that the host rings.
    #[must_use]
    pub fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// Answers a call from the ring; `false` when there is no room at the moment.
    #[inline]
    pub fn respond(&mut self, response: &Response, body: &[u8]) -> Result<bool, Violation> {
        self.write(response, 0, body)
    }

    /// Answers a call whose body lies in a response segment.
    pub fn respond_segment(
        &mut self,
        response: &Response,
        body: SegmentRef,
    ) -> Result<bool, Violation> {
        self.write(response, FLAG_SEGMENT, &body.encode())
    }

    #[inline]
    fn write(&mut self, response: &Response, flags: u8, body: &[u8]) -> Result<bool, Violation> {
        let header = Header {
            length: body.len() as u32,
            kind: response.kind,
            flags,
            function: 0,
            call: response.call,
            time: response.run_ns,
            content: response.content,
            wanted: ContentType::None,
            extension: 0,
        };
        if self.responses.write(&header, [&[], body])?.is_none() {
            return Ok(false);
        }
        if self.responses.publish() {
            self.ringer.ring();
        }
        Ok(true)
    }

    /// A large result is about to be written: a host that looks for it looks a little longer, one
    /// that sleeps is woken, so that waking up overlaps with the copying.
    pub fn begin_large(&self) {
        self.layout.header().begun.fetch_add(1, Ordering::Relaxed);
        if self.responses.rouse() {
            self.ringer.ring();
        }
    }

    /// Waits a little for the host to read answers: it is slower than this worker, or stopped.
    pub fn wait_for_room(&self, attempt: u32) {
        // Wakes the host in case it sleeps although the ring is full of answers.
        self.ringer.ring();
        let pause = Duration::from_micros(50 << attempt.min(8));
        std::thread::sleep(pause);
    }

    /// A view of a request segment's bytes, which says so when the last reference to it goes.
    #[must_use]
    pub fn view(&self, segment: SegmentRef, memory: Arc<Memory>) -> Option<RequestView> {
        RequestView::new(Arc::clone(&self.layout), segment, memory)
    }

    /// The turn of a response segment that the host has copied out last.
    #[must_use]
    pub fn response_released(&self, number: u32) -> u32 {
        let words = &self.layout.header().response_released;
        // Acquire: the host's copy is finished before this worker writes there again.
        words
            .get(number as usize)
            .map_or(0, |word| word.load(Ordering::Acquire))
    }
}
