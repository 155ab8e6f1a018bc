//! Which call runs where: a state machine without IO or clock.
//!
//! Events and `now` (monotonic nanoseconds) come in as method calls; writing to rings goes out
//! through [`Lanes`], which the pool implements over shared memory and the tests over a simulation.
//!
//! A call is *queued* in the host, *sent* to a worker's ring, or *done* and waiting for its caller.
//! One whose caller is gone while it runs is *abandoned*: only the worker's entry remembers it.

mod balance;
mod cost;
mod deadlines;
mod lives;
mod queue;

use std::collections::VecDeque;

use crate::slab::{Key, Slab};
use cost::Function;

/// Monotonic nanoseconds.
pub(crate) type Nanos = u64;

/// How much work a worker may have in its ring ahead of what it runs: enough that it never waits
/// for the host between two short calls, little enough that nothing waits long behind a slow one.
const WINDOW_NS: u64 = 100_000;

/// Calls that one worker can have at a time, whatever they cost.
pub(crate) const ENTRIES: usize = 1024;

/// How far the times that go into a call's duration may be off: some are read from a coarse clock.
const CLOCK_SLACK_NS: u64 = 10_000_000;

/// A worker that has not answered for this long counts as stalled: what it has not started may go elsewhere.
const STALL_NS: u64 = 200_000;

/// What the scheduler needs to know of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec {
    /// The pool's number of the function.
    pub(crate) function: u32,
    /// When the call was made, as exactly as is known without asking; only what is measured needs it.
    pub(crate) made: Nanos,
    /// When the caller gives up.
    pub(crate) deadline: Nanos,
    /// How long the caller was willing to wait, for the error's sentence.
    pub(crate) timeout: Nanos,
    /// How long the function itself may run before its worker is killed, grace included.
    pub(crate) limit: Nanos,
    /// How often the call may be started in all; 1 for calls that are not idempotent.
    pub(crate) max_attempts: u32,
    /// The worker that should take the call, because its body is in that worker's segment, unless
    /// that one stalls.
    pub(crate) bound: Option<u32>,
}

/// The workers' rings.
pub(crate) trait Lanes<D> {
    /// Writes a call; its position in the ring, or `None` when there is no room.
    fn push(
        &mut self,
        worker: usize,
        id: u64,
        function: usize,
        deadline: Nanos,
        data: &mut D,
    ) -> Option<u64>;
    /// Makes what was written visible, now or soon; `ahead` calls are with the worker.
    fn publish(&mut self, worker: usize, ahead: usize);
    /// Takes a call back; `false` when the worker has it.
    fn revoke(&mut self, worker: usize, position: u64) -> bool;
}

/// Why a call is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// Where a call's deadline found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It never ran and never will.
    NotStarted,
    /// It runs; the worker is to be told.
    Running {
        /// The worker that has it.
        worker: usize,
        /// The call's id there.
        id: u64,
    },
}

/// What an answer meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// The call that waits for it.
    Live(Key),
    /// Its caller is gone.
    Abandoned,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Queued,
    Sent {
        worker: usize,
        entry: u16,
        position: u64,
        at: Nanos,
    },
    Done,
}

struct Call<D> {
    spec: Spec,
    place: Place,
    attempts: u32,
    data: D,
}

impl<D> Call<D> {
    fn waits(&self) -> bool {
        matches!(self.place, Place::Queued)
    }
}

#[derive(Clone, Copy)]
enum Holder {
    Free,
    Live(Key),
    Abandoned { sent_at: Nanos, limit: Nanos },
}

struct Entry {
    version: u16,
    holder: Holder,
    cost: u64,
    is_async: bool,
    /// It stays with its worker: it is known to have started.
    settled: bool,
}

#[derive(Default)]
struct Worker {
    up: bool,
    generation: u32,
    entries: Vec<Entry>,
    free: Vec<u16>,
    outstanding: usize,
    backlog: u64,
    /// When it last answered, or got a call while it had none.
    progress: Nanos,
    answered: u64,
    abandoned: usize,
    settled: usize,
}

/// The scheduler's whole state.
pub(crate) struct Scheduler<D> {
    calls: Slab<Call<D>>,
    /// Calls in their order, and for a while those that have ended in the queue.
    queue: VecDeque<Key>,
    /// Calls in the queue that wait.
    waiting: usize,
    workers: Vec<Worker>,
    functions: Vec<Function>,
    queue_limit: usize,
    max_concurrency: usize,
    bound_in_queue: usize,
    sent: usize,
    busy: usize,
}

impl<D> Scheduler<D> {
    pub(crate) fn new(workers: usize, queue_limit: usize, max_concurrency: usize) -> Self {
        Self {
            calls: Slab::default(),
            queue: VecDeque::new(),
            waiting: 0,
            workers: (0..workers).map(|_| Worker::default()).collect(),
            functions: Vec::new(),
            queue_limit,
            max_concurrency,
            bound_in_queue: 0,
            sent: 0,
            busy: 0,
        }
    }

    /// Makes room for a function with the next number.
    pub(crate) fn add_function(&mut self, is_async: bool) {
        self.functions.push(Function::new(is_async));
    }

    /// How many functions there are.
    pub(crate) fn functions(&self) -> usize {
        self.functions.len()
    }

    /// Calls that workers have and somebody waits for.
    pub(crate) fn sent(&self) -> usize {
        self.sent
    }

    /// Calls that workers have, abandoned ones included.
    pub(crate) fn busy(&self) -> usize {
        self.busy
    }

    /// How many calls may wait in the host.
    pub(crate) fn queue_limit(&self) -> usize {
        self.queue_limit
    }

    /// Calls that wait in the host.
    pub(crate) fn queued(&self) -> usize {
        self.waiting
    }

    /// Nothing runs and nothing waits, abandoned calls included.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting == 0 && self.busy == 0
    }

    /// Calls that a worker has, abandoned ones included.
    pub(crate) fn outstanding(&self, worker: usize) -> usize {
        self.workers[worker].outstanding
    }

    /// Has this process of the worker answered a call?
    pub(crate) fn has_answered(&self, worker: usize) -> bool {
        self.workers[worker].answered > 0
    }

    /// How many calls this process of the worker has answered.
    pub(crate) fn calls(&self, worker: usize) -> u64 {
        self.workers[worker].answered
    }

    /// The data of a call that has not been removed.
    pub(crate) fn data(&mut self, key: Key) -> Option<&mut D> {
        self.calls.get(key).map(|call| &mut call.data)
    }

    /// Is the call done, its outcome waiting?
    pub(crate) fn is_done(&mut self, key: Key) -> bool {
        self.calls
            .get(key)
            .is_some_and(|call| matches!(call.place, Place::Done))
    }

    /// Takes a call that is done out of the table: its function and its data.
    pub(crate) fn take_done(&mut self, key: Key) -> Option<(u32, D)> {
        if !self.is_done(key) {
            return None;
        }
        self.calls
            .remove(key)
            .map(|call| (call.spec.function, call.data))
    }

    /// The time at which a call was made is known better now.
    #[inline]
    pub(crate) fn made(&mut self, key: Key, at: Nanos) {
        if let Some(call) = self.calls.get(key) {
            call.spec.made = at;
        }
    }

    /// Ends a call that no worker has and that does not wait; its caller still has to take it.
    pub(crate) fn finish(&mut self, key: Key) {
        if let Some(call) = self.calls.get(key) {
            call.place = Place::Done;
        }
    }

    /// Every call that is not done, for a pool that closes.
    pub(crate) fn unfinished(&self) -> Vec<Key> {
        self.calls
            .iter()
            .filter(|(_, call)| !matches!(call.place, Place::Done))
            .map(|(key, _)| key)
            .collect()
    }

    /// The worker that a new large call should be bound to.
    pub(crate) fn least_loaded(&self) -> Option<usize> {
        (0..self.workers.len())
            .filter(|&index| self.workers[index].up)
            .min_by_key(|&index| self.workers[index].outstanding)
    }

    /// A new call: sent if a worker has room, queued otherwise.
    pub(crate) fn submit(
        &mut self,
        now: Nanos,
        mut spec: Spec,
        data: D,
        lanes: &mut impl Lanes<D>,
    ) -> Result<Key, (Full, D)> {
        // The process that it was bound to may be gone, and the segment nobody's.
        let bound = spec.bound.filter(|&bound| self.workers[bound as usize].up);
        spec.bound = bound.filter(|&bound| !self.is_stalled(now, bound));
        // Calls that wait for one worker do not hold up those that any can take.
        let target = if self.waiting == self.bound_in_queue {
            self.choose(&spec)
        } else {
            None
        };
        if target.is_none() && self.waiting >= self.queue_limit {
            return Err((Full, data));
        }
        let key = self.calls.insert(Call {
            spec,
            place: Place::Queued,
            attempts: 0,
            data,
        });
        if let Some(worker) = target
            && self.send(now, key, worker, lanes)
        {
            lanes.publish(worker, self.workers[worker].outstanding);
            return Ok(key);
        }
        // The worker's ring may have been full: the limit counts all the same.
        if self.waiting >= self.queue_limit
            && let Some(call) = self.calls.remove(key)
        {
            return Err((Full, call.data));
        }
        if let Some(call) = self.calls.get(key) {
            // For all that is known its body cannot be moved.
            call.spec.bound = bound;
        }
        self.enqueue(key, false);
        if target.is_some() {
            // One ring was full; another may have room.
            self.refill_all(now, lanes);
        }
        Ok(key)
    }

    /// The worker with the fewest calls among those with room; of equals the one that answered
    /// last, whose caches are warm and which may still be awake.
    fn choose(&self, spec: &Spec) -> Option<usize> {
        let mut best: Option<usize> = None;
        for (index, worker) in self.workers.iter().enumerate() {
            if !self.has_room(worker, spec.function)
                || spec.bound.is_some_and(|bound| bound as usize != index)
            {
                continue;
            }
            let better = best.is_none_or(|best| {
                let best = &self.workers[best];
                (worker.outstanding, u64::MAX - worker.progress)
                    < (best.outstanding, u64::MAX - best.progress)
            });
            if better {
                best = Some(index);
            }
        }
        best
    }

    #[inline]
    fn has_room(&self, worker: &Worker, function: u32) -> bool {
        if !worker.up || worker.outstanding >= ENTRIES {
            return false;
        }
        if worker.outstanding == 0 {
            return true;
        }
        let function = &self.functions[function as usize];
        if function.is_async {
            return worker.outstanding < self.max_concurrency;
        }
        worker.backlog == 0 || worker.backlog + function.cost() <= WINDOW_NS
    }

    fn send(&mut self, now: Nanos, key: Key, index: usize, lanes: &mut impl Lanes<D>) -> bool {
        let Some(call) = self.calls.get(key) else {
            return false;
        };
        let function = self.functions[call.spec.function as usize];
        let worker = &mut self.workers[index];
        let entry = match worker.free.pop() {
            Some(entry) => entry,
            None => {
                worker.entries.push(Entry {
                    version: 0,
                    holder: Holder::Free,
                    cost: 0,
                    is_async: false,
                    settled: false,
                });
                (worker.entries.len() - 1) as u16
            }
        };
        let slot = &mut worker.entries[usize::from(entry)];
        slot.version = slot.version.wrapping_add(1);
        let id = call_id(worker.generation, slot.version, entry);
        let Some(position) = lanes.push(
            index,
            id,
            call.spec.function as usize,
            call.spec.deadline,
            &mut call.data,
        ) else {
            worker.free.push(entry);
            return false;
        };
        slot.holder = Holder::Live(key);
        slot.cost = function.cost();
        slot.is_async = function.is_async;
        slot.settled = false;
        if worker.outstanding == 0 {
            worker.progress = now;
        }
        worker.outstanding += 1;
        worker.backlog += slot.cost;
        call.place = Place::Sent {
            worker: index,
            entry,
            position,
            at: now,
        };
        self.sent += 1;
        self.busy += 1;
        true
    }

    /// The call that an id stands for at a worker; `None`: no such call is out.
    #[inline]
    pub(crate) fn lookup(&self, worker: usize, id: u64) -> Option<Answered> {
        let worker = &self.workers[worker];
        let (generation, version, entry) = call_parts(id);
        let slot = worker.entries.get(usize::from(entry))?;
        if generation != worker.generation || version != slot.version {
            return None;
        }
        match slot.holder {
            Holder::Free => None,
            Holder::Live(key) => Some(Answered::Live(key)),
            Holder::Abandoned { .. } => Some(Answered::Abandoned),
        }
    }

    /// An answer that [`lookup`](Self::lookup) knew. A live call becomes done; its function, and when it
    /// was made.
    pub(crate) fn answered(
        &mut self,
        now: Nanos,
        index: usize,
        id: u64,
        run_ns: u64,
    ) -> Option<(u32, Nanos)> {
        let mut live = None;
        let (_, _, entry) = call_parts(id);
        let holder = self.workers[index].entries[usize::from(entry)].holder;
        if let Holder::Live(key) = holder
            && let Some(call) = self.calls.get(key)
        {
            live = Some((call.spec.function, call.spec.made));
            let place = std::mem::replace(&mut call.place, Place::Done);
            // One that had expired when the worker took it did not run, and says nothing.
            if run_ns > 0
                && let Place::Sent { at, .. } = place
            {
                // No worker is believed that it took longer than the clock says.
                let passed = now.saturating_sub(at).saturating_add(CLOCK_SLACK_NS);
                self.functions[call.spec.function as usize].learn(run_ns.min(passed));
            }
        }
        self.release(index, entry);
        let worker = &mut self.workers[index];
        worker.progress = now;
        worker.answered += 1;
        live
    }

    fn release(&mut self, index: usize, entry: u16) {
        let worker = &mut self.workers[index];
        let slot = &mut worker.entries[usize::from(entry)];
        match slot.holder {
            Holder::Free => return,
            Holder::Live(_) => self.sent -= 1,
            Holder::Abandoned { .. } => worker.abandoned -= 1,
        }
        slot.holder = Holder::Free;
        worker.settled -= usize::from(slot.settled);
        self.busy -= 1;
        worker.outstanding -= 1;
        worker.backlog -= slot.cost;
        worker.free.push(entry);
    }
}

fn call_id(generation: u32, version: u16, entry: u16) -> u64 {
    u64::from(generation) << 32 | u64::from(version) << 16 | u64::from(entry)
}

fn call_parts(id: u64) -> (u32, u16, u16) {
    ((id >> 32) as u32, (id >> 16) as u16, id as u16)
}

#[cfg(test)]
mod tests;
