//! The worker's segments: what the host has granted, and views of what is in use.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::copy::copy_to_peer;
use crate::lane::Layout;
use crate::record::SegmentRef;
use crate::shm::Memory;
use crate::worker::WorkerLane;

/// The bytes of one large body, read-only; the segment is free again when the view is dropped.
pub struct RequestView {
    layout: Arc<Layout>,
    memory: Arc<Memory>,
    segment: SegmentRef,
}

impl RequestView {
    pub(crate) fn new(
        layout: Arc<Layout>,
        segment: SegmentRef,
        memory: Arc<Memory>,
    ) -> Option<Self> {
        // Not made and dropped where it does not fit: that would say that it has been read.
        (segment.bytes <= memory.bytes() as u64).then(|| Self {
            layout,
            memory,
            segment,
        })
    }

    /// The bytes, which nothing changes while the view lives.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the length was checked against the mapping; the host reuses the segment only
        // after this view's drop has written its turn to the release word.
        unsafe { core::slice::from_raw_parts(self.memory.as_ptr(), self.segment.bytes as usize) }
    }
}

impl Drop for RequestView {
    fn drop(&mut self) {
        self.layout.let_go(self.segment);
    }
}

/// Why there is no segment for a large result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SegmentError {
    /// The host has no memory left for it, or the result is beyond its limit.
    #[error("the host has no shared memory left for a result of {0} bytes")]
    Denied(u64),
    /// The host did not answer in time.
    #[error("the host granted no shared memory for a result of {0} bytes in time")]
    TimedOut(u64),
    /// The host is gone or shutting down.
    #[error("the host has closed the connection")]
    Closed,
}

struct ResponseSegment {
    memory: Arc<Memory>,
    /// The last turn in which this worker used it.
    turn: Option<u32>,
}

#[derive(Default)]
struct State {
    requests: HashMap<u32, Arc<Memory>>,
    responses: HashMap<u32, ResponseSegment>,
    /// The number of the last request for a response segment.
    asked: u32,
    /// Whether that request, and no earlier one, was granted; None: no answer yet.
    answer: Option<bool>,
    closed: bool,
}

/// What the host has granted this worker, filled by the attendant thread.
#[derive(Default)]
pub struct SegmentStore {
    state: Mutex<State>,
    changed: Condvar,
}

/// A response segment taken for one result.
pub struct ResponseBuffer {
    memory: Arc<Memory>,
    number: u32,
    turn: u32,
}

impl ResponseBuffer {
    /// Copies `bytes` to the start of the segment; the reference to answer with.
    ///
    /// `None` when they do not fit.
    #[must_use]
    pub fn fill(self, bytes: &[u8]) -> Option<SegmentRef> {
        if bytes.len() > self.memory.bytes() {
            return None;
        }
        // SAFETY: it fits, and the segment is this result's until the host has released this turn.
        unsafe { copy_to_peer(bytes, self.memory.as_ptr()) };
        Some(SegmentRef {
            number: self.number,
            turn: self.turn,
            bytes: bytes.len() as u64,
        })
    }
}

impl SegmentStore {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Attendant: a request segment has arrived.
    pub fn add_request(&self, number: u32, memory: Memory) {
        self.lock().requests.insert(number, Arc::new(memory));
        self.changed.notify_all();
    }

    /// Attendant: a response segment has arrived.
    pub fn add_response(&self, number: u32, memory: Memory) {
        self.lock().responses.insert(
            number,
            ResponseSegment {
                memory: Arc::new(memory),
                turn: None,
            },
        );
    }

    /// Attendant: the host has granted what `request` asked for, and it has been added; or it cannot.
    ///
    /// An answer that comes after its request was given up ends no other request's wait.
    pub fn answer(&self, request: u32, granted: bool) {
        let mut state = self.lock();
        if state.asked == request {
            state.answer = Some(granted);
            drop(state);
            self.changed.notify_all();
        }
    }

    /// Attendant: there will be no more segments.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Attendant: the host wants a request segment back; it only asks for idle ones.
    pub fn drop_request(&self, number: u32) {
        self.lock().requests.remove(&number);
    }

    /// Attendant: the host wants a response segment back; `false` when it is in use again.
    #[must_use]
    pub fn drop_response(&self, number: u32, turn: u32) -> bool {
        let mut state = self.lock();
        match state.responses.get(&number) {
            Some(segment) if segment.turn.is_some_and(|last| last != turn) => false,
            _ => {
                state.responses.remove(&number);
                true
            }
        }
    }

    /// The memory of a request segment; waits for it, since its descriptor travels on another path
    /// than the call that names it.
    #[must_use]
    pub fn request(&self, number: u32, timeout: Duration) -> Option<Arc<Memory>> {
        let until = Instant::now() + timeout;
        let mut state = self.lock();
        loop {
            if let Some(memory) = state.requests.get(&number) {
                return Some(Arc::clone(memory));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || state.closed {
                return None;
            }
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// The smallest idle response segment that holds `bytes`.
    #[must_use]
    pub fn response(&self, lane: &WorkerLane, bytes: usize) -> Option<ResponseBuffer> {
        let mut state = self.lock();
        let (number, segment) = state
            .responses
            .iter_mut()
            .filter(|(number, segment)| {
                let idle = segment
                    .turn
                    .is_none_or(|turn| lane.response_released(**number) == turn);
                idle && segment.memory.bytes() >= bytes
            })
            .min_by_key(|(_, segment)| segment.memory.bytes())?;
        let turn = lane.response_released(*number).wrapping_add(1);
        segment.turn = Some(turn);
        Some(ResponseBuffer {
            memory: Arc::clone(&segment.memory),
            number: *number,
            turn,
        })
    }

    /// A response segment for `bytes`, asking the host through `ask` when none is idle. `ask` gets the
    /// number of the request, never 0. One request at a time: an earlier one is given up.
    pub fn response_or_ask(
        &self,
        lane: &WorkerLane,
        bytes: usize,
        timeout: Duration,
        ask: impl FnOnce(u32),
    ) -> Result<ResponseBuffer, SegmentError> {
        if let Some(buffer) = self.response(lane, bytes) {
            return Ok(buffer);
        }
        let request = {
            let mut state = self.lock();
            state.asked = state.asked.wrapping_add(1).max(1);
            state.answer = None;
            state.asked
        };
        ask(request);
        let until = Instant::now() + timeout;
        let mut state = self.lock();
        loop {
            match state.answer {
                Some(true) => break,
                Some(false) => return Err(SegmentError::Denied(bytes as u64)),
                None if state.closed => return Err(SegmentError::Closed),
                None => {}
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(SegmentError::TimedOut(bytes as u64));
            }
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        drop(state);
        self.response(lane, bytes)
            .ok_or(SegmentError::TimedOut(bytes as u64))
    }
}
