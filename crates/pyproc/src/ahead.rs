//! Large answers, copied while the worker is still writing them: the second copy overlaps with the first.
//!
//! The worker says in its lane's header how far it is. That is believed only as far as it goes to waste
//! otherwise: an answer makes use of what was copied if it names the same use of the same segment.

use std::sync::Arc;

use pyproc_ipc::clock::now_ns;
use pyproc_ipc::lane::Watch;

use crate::calls::SegmentAnswer;
use crate::pool::Shared;
use crate::segments::SegmentMemory;

/// Looks between two looks at the clock.
const LOOKS: u32 = 16;

/// The first bytes of a large answer.
pub(crate) struct Ahead {
    worker: usize,
    generation: u32,
    number: u32,
    turn: u32,
    pub(crate) bytes: Vec<u8>,
}

impl Ahead {
    /// Was this copied from where the answer lies?
    pub(crate) fn is_of(&self, answer: &SegmentAnswer) -> bool {
        (self.worker, self.generation, self.number, self.turn)
            == (
                answer.worker,
                answer.generation,
                answer.reference.number,
                answer.reference.turn,
            )
    }
}

/// A worker's process, and what it does with its lane.
pub(crate) struct Watched {
    pub(crate) worker: usize,
    pub(crate) generation: u32,
    pub(crate) watch: Watch,
}

/// Copies what the worker writes as it comes, until it has answered or is slower than a byte per
/// nanosecond after `budget`; what there is then, and the time.
pub(crate) fn follow(
    shared: &Shared,
    watched: &Watched,
    start: u64,
    budget: u64,
) -> (Option<Box<Ahead>>, u64) {
    let mut source: Option<Arc<SegmentMemory>> = None;
    let mut ahead: Option<Box<Ahead>> = None;
    loop {
        for _ in 0..LOOKS {
            if watched.watch.ready() {
                return (ahead, now_ns());
            }
            let result = watched.watch.filling();
            let have = ahead.as_ref().map_or(0, |ahead| ahead.bytes.len());
            if result.bytes as usize <= have {
                core::hint::spin_loop();
                continue;
            }
            if source.is_none() {
                source = segment(shared, watched, result.number);
            }
            let Some(memory) = &source else {
                return (None, now_ns());
            };
            let ahead = ahead.get_or_insert_with(|| {
                let bytes = memory.memory().bytes();
                let mut buffer = shared.replies.take(bytes);
                buffer.reserve_exact(bytes);
                Box::new(Ahead {
                    worker: watched.worker,
                    generation: watched.generation,
                    number: result.number,
                    turn: result.turn,
                    bytes: buffer,
                })
            });
            let same = (ahead.number, ahead.turn) == (result.number, result.turn);
            if !same
                || !memory
                    .memory()
                    .copy_rest(result.bytes as usize, &mut ahead.bytes)
            {
                return (None, now_ns());
            }
        }
        let now = now_ns();
        let copied = ahead.as_ref().map_or(0, |ahead| ahead.bytes.len() as u64);
        if now >= start.saturating_add(budget).saturating_add(copied) {
            return (ahead, now);
        }
    }
}

/// The segment of this number, if the process is still the same.
fn segment(shared: &Shared, watched: &Watched, number: u32) -> Option<Arc<SegmentMemory>> {
    let mut core = shared.core.lock();
    let end = core.ends.get(watched.worker)?;
    if end.generation != watched.generation {
        return None;
    }
    end.responses.memory(number)
}
