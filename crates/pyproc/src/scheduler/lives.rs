//! Workers that come up and go down.

use super::{Holder, Lanes, Nanos, Place, Scheduler, Worker};
use crate::slab::Key;

impl<D> Scheduler<D> {
    /// A fresh process stands behind this worker.
    pub(crate) fn worker_up(
        &mut self,
        now: Nanos,
        index: usize,
        generation: u32,
        lanes: &mut impl Lanes<D>,
    ) {
        let worker = &mut self.workers[index];
        *worker = Worker {
            up: true,
            generation,
            progress: now,
            ..Worker::default()
        };
        self.refill(now, index, lanes);
        self.rebalance(now, lanes);
    }

    /// No new calls for this worker, which goes on with what it has.
    pub(crate) fn worker_closed(&mut self, index: usize) {
        self.workers[index].up = false;
    }

    /// The worker's process is gone. What it had not started, or may be started again, goes back to
    /// the head of the queue; the rest is returned, to be failed.
    pub(crate) fn worker_down(&mut self, index: usize, lanes: &mut impl Lanes<D>) -> Vec<Key> {
        self.workers[index].up = false;
        let mut lost = Vec::new();
        let mut back = Vec::new();
        for entry in 0..self.workers[index].entries.len() as u16 {
            let holder = self.workers[index].entries[usize::from(entry)].holder;
            self.release(index, entry);
            let Holder::Live(key) = holder else { continue };
            let Some(call) = self.calls.get(key) else {
                continue;
            };
            let Place::Sent { position, .. } = call.place else {
                continue;
            };
            // What was bound to this process' segment may go anywhere now: the segment is nobody's.
            if call.spec.bound == Some(index as u32) {
                call.spec.bound = None;
            }
            if lanes.revoke(index, position) {
                back.push((position, key));
                continue;
            }
            call.attempts += 1;
            if call.attempts < call.spec.max_attempts {
                back.push((position, key));
            } else {
                lost.push(key);
            }
        }
        back.sort_unstable_by_key(|&(position, _)| std::cmp::Reverse(position));
        for (_, key) in back {
            self.enqueue(key, true);
        }
        self.unbind(index);
        let worker = &mut self.workers[index];
        worker.entries.clear();
        worker.free.clear();
        lost
    }

    fn unbind(&mut self, index: usize) {
        if self.bound_in_queue == 0 {
            return;
        }
        for at in 0..self.queue.len() {
            let key = self.queue[at];
            if let Some(call) = self.calls.get(key)
                && call.waits()
                && call.spec.bound == Some(index as u32)
            {
                call.spec.bound = None;
                self.bound_in_queue -= 1;
            }
        }
    }
}
