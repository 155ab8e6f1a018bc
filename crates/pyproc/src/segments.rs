//! The host's side of segments: memory for large bodies, each segment one worker's for life.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyproc_ipc::copy::copy_for_peer;
use pyproc_ipc::lane::{HostLane, SEGMENTS};
use pyproc_ipc::record::SegmentRef;
use pyproc_ipc::shm::{Memory, PeerAccess};

use crate::scheduler::Nanos;

/// The smallest segment.
const SMALLEST: usize = 64 * 1024;

/// Segments for results that a worker may hold without having used them. It asks for one at a time,
/// and only when it has a result to put there.
const UNUSED: usize = 4;

/// What all segments of a pool may take together.
pub(crate) struct Allowance {
    limit: usize,
    used: AtomicUsize,
}

impl Allowance {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            used: AtomicUsize::new(0),
        })
    }

    /// Bytes that segments take now.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

/// A segment's memory, counted against the pool's allowance for as long as the host maps it.
pub(crate) struct SegmentMemory {
    memory: Memory,
    allowance: Arc<Allowance>,
}

/// Why there is no segment.
#[derive(Debug)]
pub(crate) enum NoSegment {
    /// The pool's cap is reached.
    Cap,
    /// The system has no memory or descriptor for it.
    System(io::Error),
}

impl SegmentMemory {
    /// A fresh segment for a body of `bytes`, allocated, not merely sized.
    pub(crate) fn create(
        bytes: usize,
        peer: PeerAccess,
        allowance: &Arc<Allowance>,
    ) -> Result<Self, NoSegment> {
        let limit = allowance.limit;
        let size = segment_size(bytes).ok_or(NoSegment::Cap)?;
        let counted = allowance
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(size).filter(|&sum| sum <= limit)
            });
        if counted.is_err() {
            return Err(NoSegment::Cap);
        }
        match Memory::create("pyproc-segment", size, peer) {
            Ok(memory) => Ok(Self {
                memory,
                allowance: Arc::clone(allowance),
            }),
            Err(error) => {
                allowance.used.fetch_sub(size, Ordering::Relaxed);
                Err(NoSegment::System(error))
            }
        }
    }

    /// A segment of its own with the same first `bytes`.
    pub(crate) fn duplicate(&self, bytes: usize) -> Option<Self> {
        let mut copy = Self::create(bytes, PeerAccess::ReadOnly, &self.allowance).ok()?;
        copy_for_peer(
            self.memory.as_slice()?.get(..bytes)?,
            copy.memory.as_mut_slice()?,
        );
        Some(copy)
    }

    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    pub(crate) fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }
}

impl Drop for SegmentMemory {
    fn drop(&mut self) {
        self.allowance
            .used
            .fetch_sub(self.memory.bytes(), Ordering::Relaxed);
    }
}

fn segment_size(bytes: usize) -> Option<usize> {
    bytes.max(SMALLEST).checked_next_power_of_two()
}

/// Which process a segment belongs to, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) worker: usize,
    pub(crate) generation: u32,
    pub(crate) number: u32,
}

/// A body in a segment, on its way to a worker.
pub(crate) struct LargeBody {
    pub(crate) memory: SegmentMemory,
    pub(crate) bytes: usize,
    /// `None`: fresh, any worker's.
    pub(crate) owner: Option<Owner>,
}

/// Segments for arguments of one worker process; the host writes them, the worker reads.
#[derive(Default)]
pub(crate) struct RequestSegments {
    slots: Vec<RequestSlot>,
}

/// `memory` is here while nobody uses it; whoever uses it has it.
struct RequestSlot {
    memory: Option<SegmentMemory>,
    turn: u32,
    since: Nanos,
    state: RequestState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum RequestState {
    /// No segment has this number.
    Vacant,
    /// Somebody fills it, or its call waits or runs.
    Taken,
    /// The call is over; the worker may still hold references until its release word says otherwise.
    LetGo,
    /// Free for the next body.
    Idle,
    /// The worker has been told to unmap it.
    Dropping,
}

impl RequestSegments {
    /// Gives a fresh segment, which its call keeps, a number; `None` when the worker has as many as it can.
    pub(crate) fn adopt(&mut self) -> Option<u32> {
        let vacant = self
            .slots
            .iter()
            .position(|slot| slot.state == RequestState::Vacant);
        let number = vacant.unwrap_or(self.slots.len());
        if number >= SEGMENTS {
            return None;
        }
        if vacant.is_none() {
            self.slots.push(RequestSlot {
                memory: None,
                turn: 0,
                since: 0,
                state: RequestState::Vacant,
            });
        }
        self.slots[number].state = RequestState::Taken;
        Some(number as u32)
    }

    /// Takes an idle segment of the size that `bytes` need.
    pub(crate) fn take(&mut self, bytes: usize, lane: &HostLane) -> Option<(u32, SegmentMemory)> {
        self.settle(lane);
        let size = segment_size(bytes)?;
        self.slots
            .iter_mut()
            .enumerate()
            .find_map(|(number, slot)| {
                let fits = slot
                    .memory
                    .as_ref()
                    .is_some_and(|memory| memory.memory.bytes() == size);
                if slot.state != RequestState::Idle || !fits {
                    return None;
                }
                slot.state = RequestState::Taken;
                Some((number as u32, slot.memory.take()?))
            })
    }

    /// Finds out which segments the worker has let go of.
    fn settle(&mut self, lane: &HostLane) {
        for (number, slot) in self.slots.iter_mut().enumerate() {
            let reference = SegmentRef {
                number: number as u32,
                turn: slot.turn,
                bytes: 0,
            };
            if slot.state == RequestState::LetGo && lane.request_segment_free(reference) {
                slot.state = RequestState::Idle;
            }
        }
    }

    /// The reference for the next use of a taken segment.
    pub(crate) fn next_turn(&mut self, number: u32, bytes: usize) -> Option<SegmentRef> {
        let slot = self.slots.get_mut(number as usize)?;
        slot.turn = slot.turn.wrapping_add(1);
        Some(SegmentRef {
            number,
            turn: slot.turn,
            bytes: bytes as u64,
        })
    }

    /// The call is over and the memory comes back. `seen`: the worker may have looked at it.
    pub(crate) fn give_back(&mut self, now: Nanos, number: u32, memory: SegmentMemory, seen: bool) {
        if let Some(slot) = self.slots.get_mut(number as usize) {
            slot.memory = Some(memory);
            slot.since = now;
            slot.state = if seen {
                RequestState::LetGo
            } else {
                RequestState::Idle
            };
        }
    }

    /// Segments idle since `before` or longer, marked as going: `(number, turn)`.
    pub(crate) fn retire(&mut self, before: Nanos, lane: &HostLane) -> Vec<(u32, u32)> {
        self.settle(lane);
        let mut going = Vec::new();
        for (number, slot) in self.slots.iter_mut().enumerate() {
            if slot.state == RequestState::Idle && slot.since <= before {
                slot.state = RequestState::Dropping;
                going.push((number as u32, slot.turn));
            }
        }
        going
    }

    /// The worker has unmapped a segment; `false` when it had not been told to.
    pub(crate) fn dropped(&mut self, number: u32) -> bool {
        match self.slots.get_mut(number as usize) {
            Some(slot) if slot.state == RequestState::Dropping => {
                *slot = RequestSlot {
                    memory: None,
                    turn: slot.turn,
                    since: 0,
                    state: RequestState::Vacant,
                };
                true
            }
            _ => false,
        }
    }

    /// Segments that there are.
    pub(crate) fn count(&self) -> usize {
        let is_there = |slot: &&RequestSlot| slot.state != RequestState::Vacant;
        self.slots.iter().filter(is_there).count()
    }

    /// No segment is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.count() == 0
    }
}

/// Segments for results of one worker process; the worker writes them, the host copies out.
#[derive(Default)]
pub(crate) struct ResponseSegments {
    slots: Vec<Option<ResponseSlot>>,
    /// Segments that are being made.
    promised: usize,
}

struct ResponseSlot {
    memory: Arc<SegmentMemory>,
    turn: u32,
    since: Nanos,
    used: bool,
    reading: bool,
    dropping: bool,
}

impl ResponseSegments {
    /// Takes note that a segment is going to be made; `false` when the worker has asked for more than
    /// it uses: what it holds, others cannot have.
    pub(crate) fn promise(&mut self) -> bool {
        let unused = self
            .slots
            .iter()
            .flatten()
            .filter(|slot| !slot.used)
            .count();
        let granted = unused + self.promised < UNUSED;
        self.promised += usize::from(granted);
        granted
    }

    /// What was promised has been made, or could not be.
    pub(crate) fn made(&mut self) {
        self.promised = self.promised.saturating_sub(1);
    }

    /// Takes in a segment that is about to be granted; `None` when the worker has as many as it can.
    pub(crate) fn grant(
        &mut self,
        now: Nanos,
        memory: SegmentMemory,
    ) -> Option<(u32, &Arc<SegmentMemory>)> {
        let free = self.slots.iter().position(Option::is_none);
        let number = free.unwrap_or(self.slots.len());
        if number >= SEGMENTS {
            return None;
        }
        if free.is_none() {
            self.slots.push(None);
        }
        let slot = ResponseSlot {
            memory: Arc::new(memory),
            turn: 0,
            since: now,
            used: false,
            reading: false,
            dropping: false,
        };
        let slot = self.slots[number].insert(slot);
        Some((number as u32, &slot.memory))
    }

    /// The memory in which an answer is said to lie; `None` when it cannot lie there.
    pub(crate) fn read(&mut self, reference: SegmentRef) -> Option<Arc<SegmentMemory>> {
        let slot = self.slots.get_mut(reference.number as usize)?.as_mut()?;
        if slot.reading || reference.bytes > slot.memory.memory.bytes() as u64 {
            return None;
        }
        slot.turn = reference.turn;
        slot.used = true;
        slot.reading = true;
        // The worker used it before it heard that it should go: it keeps it.
        slot.dropping = false;
        Some(Arc::clone(&slot.memory))
    }

    /// The answer has been copied out.
    pub(crate) fn done(&mut self, now: Nanos, number: u32) {
        if let Some(Some(slot)) = self.slots.get_mut(number as usize) {
            slot.reading = false;
            slot.since = now;
        }
    }

    /// Segments idle since `before` or longer, as far as the host knows, marked as going.
    pub(crate) fn retire(&mut self, before: Nanos) -> Vec<(u32, u32)> {
        let mut going = Vec::new();
        for (number, slot) in self.slots.iter_mut().enumerate() {
            if let Some(slot) = slot
                && !slot.reading
                && !slot.dropping
                && slot.since <= before
            {
                slot.dropping = true;
                going.push((number as u32, slot.turn));
            }
        }
        going
    }

    /// The worker has unmapped a segment; `false` when it had not been told to.
    pub(crate) fn dropped(&mut self, number: u32) -> bool {
        match self.slots.get_mut(number as usize) {
            Some(slot @ Some(_))
                if slot
                    .as_ref()
                    .is_some_and(|slot| slot.dropping && !slot.reading) =>
            {
                *slot = None;
                true
            }
            _ => false,
        }
    }

    /// Segments that there are.
    pub(crate) fn count(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    /// No segment is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.count() == 0
    }
}
