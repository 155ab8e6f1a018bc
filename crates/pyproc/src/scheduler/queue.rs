//! Calls that wait in the host, in their order.

use super::{Call, Lanes, Nanos, Place, STALL_NS, Scheduler, Spec};
use crate::slab::Key;

impl<D> Scheduler<D> {
    /// Puts a call that no worker has into the queue.
    pub(super) fn enqueue(&mut self, key: Key, front: bool) {
        if let Some(call) = self.calls.get(key) {
            call.place = Place::Queued;
            self.bound_in_queue += usize::from(call.spec.bound.is_some());
        }
        self.waiting += 1;
        if front {
            self.queue.push_front(key);
        } else {
            self.queue.push_back(key);
        }
    }

    /// Sends what waits to a worker with room. Call after answers and when a worker comes up.
    pub(crate) fn refill(&mut self, now: Nanos, index: usize, lanes: &mut impl Lanes<D>) {
        let mut sent = false;
        let mut from = 0;
        while let Some(at) = self.next_for(now, index, from) {
            let key = self.queue[at];
            let waits = self.calls.peek(key).filter(|call| call.waits());
            let Some(spec) = waits.map(|call| call.spec) else {
                self.queue.remove(at);
                continue;
            };
            if !self.has_room(&self.workers[index], spec.function) {
                break;
            }
            if !self.send(now, key, index, lanes) {
                if spec.bound.is_none_or(|bound| bound as usize == index) {
                    break;
                }
                // There is no memory for a copy of its body; others need none.
                from = at + 1;
                continue;
            }
            self.queue.remove(at);
            self.waiting -= 1;
            self.bound_in_queue -= usize::from(spec.bound.is_some());
            if let Some(call) = self.calls.get(key) {
                call.spec.bound = spec.bound.filter(|&bound| bound as usize == index);
            }
            sent = true;
        }
        if sent {
            lanes.publish(index, 0);
        }
    }

    /// A call in the queue has ended: it leaves with the next it meets there, or with many others.
    pub(super) fn unqueue(&mut self, spec: Spec) {
        self.waiting -= 1;
        self.bound_in_queue -= usize::from(spec.bound.is_some());
        if self.queue.len() > 2 * self.waiting + 64 {
            let calls = &self.calls;
            self.queue
                .retain(|&key| calls.peek(key).is_some_and(Call::waits));
        }
    }

    /// Place in the queue, `from` on, of the first call that this worker may take, or that is over.
    fn next_for(&self, now: Nanos, index: usize, from: usize) -> Option<usize> {
        if self.bound_in_queue == 0 {
            return (from < self.queue.len()).then_some(from);
        }
        let may_take = |&key: &Key| {
            let bound = self.calls.peek(key).and_then(|call| call.spec.bound);
            bound.is_none_or(|bound| bound as usize == index || self.is_stalled(now, bound))
        };
        let at = self.queue.iter().skip(from).position(may_take)?;
        Some(from + at)
    }

    /// Has this worker had calls for a while without answering any?
    pub(super) fn is_stalled(&self, now: Nanos, index: u32) -> bool {
        let worker = &self.workers[index as usize];
        worker.outstanding > 0 && now.saturating_sub(worker.progress) >= STALL_NS
    }
}
