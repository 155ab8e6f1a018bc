//! Work that moves: from the queue and from stalled workers to idle ones.

use super::{Holder, Lanes, Nanos, Place, STALL_NS, Scheduler, Worker};
use crate::slab::Key;

impl<D> Scheduler<D> {
    /// Sends what waits to every worker with room.
    pub(crate) fn refill_all(&mut self, now: Nanos, lanes: &mut impl Lanes<D>) {
        for index in 0..self.workers.len() {
            if self.waiting == 0 {
                break;
            }
            if self.workers[index].up {
                self.refill(now, index, lanes);
            }
        }
    }

    /// Is some worker idle while calls wait that it could have: in the queue, or with another worker
    /// that has perhaps not started them?
    pub(crate) fn unbalanced(&self) -> bool {
        if self.workers.len() == 1 && self.waiting == 0 {
            return false;
        }
        // What is bound to a worker counts too: that one may turn out to be stalled.
        let movable = self.waiting > 0
            || self
                .workers
                .iter()
                .any(|worker| worker.outstanding > worker.settled);
        let is_idle = |worker: &Worker| worker.up && worker.outstanding == 0;
        movable && self.workers.iter().any(is_idle)
    }

    /// Gives idle workers what waits: in the queue because a ring was full, or with workers that
    /// have stalled and not started it.
    pub(crate) fn rebalance(&mut self, now: Nanos, lanes: &mut impl Lanes<D>) {
        self.refill_all(now, lanes);
        let idle: Vec<usize> = (0..self.workers.len())
            .filter(|&index| self.workers[index].up && self.workers[index].outstanding == 0)
            .collect();
        if idle.is_empty() {
            return;
        }
        for index in 0..self.workers.len() {
            let worker = &self.workers[index];
            if worker.outstanding > worker.settled && self.is_stalled(now, index as u32) {
                self.relieve(now, index, &idle, lanes);
            }
        }
    }

    /// Takes back what one worker has not started, the oldest first, as far as `idle` workers have room.
    fn relieve(&mut self, now: Nanos, index: usize, idle: &[usize], lanes: &mut impl Lanes<D>) {
        let mut held: Vec<(u64, u16, Key)> = Vec::new();
        for (entry, slot) in self.workers[index].entries.iter().enumerate() {
            if let Holder::Live(key) = slot.holder
                && !slot.settled
                && let Some(call) = self.calls.peek(key)
                && let Place::Sent { position, at, .. } = call.place
                && now.saturating_sub(at) >= STALL_NS
            {
                held.push((position, entry as u16, key));
            }
        }
        held.sort_unstable_by_key(|&(position, ..)| position);
        for (position, entry, key) in held {
            let Some(spec) = self.spec(key) else { continue };
            let room = |&&other: &&usize| {
                other != index && self.has_room(&self.workers[other], spec.function)
            };
            let Some(&other) = idle
                .iter()
                .filter(room)
                .min_by_key(|&&other| self.workers[other].outstanding)
            else {
                continue;
            };
            if lanes.revoke(index, position) {
                self.release(index, entry);
                if let Some(call) = self.calls.get(key) {
                    call.spec.bound = None;
                }
                if self.send(now, key, other, lanes) {
                    lanes.publish(other, 0);
                } else {
                    if let Some(call) = self.calls.get(key) {
                        call.spec.bound = spec.bound;
                    }
                    self.enqueue(key, true);
                }
            } else {
                let worker = &mut self.workers[index];
                worker.entries[usize::from(entry)].settled = true;
                worker.settled += 1;
            }
        }
        self.refill(now, index, lanes);
    }
}
