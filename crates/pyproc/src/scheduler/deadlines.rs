//! Calls that end before their answer: the caller is gone, or the time is up.

use super::{Ended, Holder, Lanes, Nanos, Place, Scheduler, Spec, call_id};
use crate::slab::Key;

impl<D> Scheduler<D> {
    /// The caller is gone: the call leaves the table.
    pub(crate) fn give_up(
        &mut self,
        now: Nanos,
        key: Key,
        lanes: &mut impl Lanes<D>,
    ) -> Option<(Ended, D)> {
        let ended = self.end(now, key, lanes)?;
        self.calls.remove(key).map(|call| (ended, call.data))
    }

    /// Ends a call whose time is up, wherever it is: it is done, and its caller still has to take it.
    pub(crate) fn end(&mut self, now: Nanos, key: Key, lanes: &mut impl Lanes<D>) -> Option<Ended> {
        let call = self.calls.get(key)?;
        let spec = call.spec;
        let ended = match std::mem::replace(&mut call.place, Place::Done) {
            Place::Done => Ended::NotStarted,
            Place::Queued => {
                self.unqueue(spec);
                Ended::NotStarted
            }
            Place::Sent {
                worker,
                entry,
                position,
                at,
            } => {
                if lanes.revoke(worker, position) {
                    self.release(worker, entry);
                    self.refill(now, worker, lanes);
                    Ended::NotStarted
                } else {
                    self.abandon(worker, entry, spec.limit, at)
                }
            }
        };
        Some(ended)
    }

    /// What is known of a call.
    pub(crate) fn spec(&self, key: Key) -> Option<Spec> {
        self.calls.peek(key).map(|call| call.spec)
    }

    fn abandon(&mut self, index: usize, entry: u16, limit: Nanos, sent_at: Nanos) -> Ended {
        let worker = &mut self.workers[index];
        let slot = &mut worker.entries[usize::from(entry)];
        slot.holder = Holder::Abandoned { sent_at, limit };
        worker.settled += usize::from(!slot.settled);
        slot.settled = true;
        worker.abandoned += 1;
        self.sent -= 1;
        Ended::Running {
            worker: index,
            id: call_id(worker.generation, slot.version, entry),
        }
    }

    /// Calls whose deadline has passed, and the next deadline or kill after `now`.
    pub(crate) fn due(&self, now: Nanos) -> (Vec<Key>, Nanos) {
        let mut due = Vec::new();
        let mut next = Nanos::MAX;
        for (key, call) in self.calls.iter() {
            if matches!(call.place, Place::Done) {
                continue;
            }
            if call.spec.deadline <= now {
                due.push(key);
            } else {
                next = next.min(call.spec.deadline);
            }
        }
        for kill_at in self.kills().map(|(_, at)| at).filter(|&at| at > now) {
            next = next.min(kill_at);
        }
        (due, next)
    }

    /// Workers that run an abandoned call past its function's own limit, and since when.
    pub(crate) fn overdue(&self, now: Nanos) -> Vec<usize> {
        let mut workers: Vec<usize> = self
            .kills()
            .filter(|&(_, at)| at <= now)
            .map(|(worker, _)| worker)
            .collect();
        workers.dedup();
        workers
    }

    fn kills(&self) -> impl Iterator<Item = (usize, Nanos)> {
        self.workers
            .iter()
            .enumerate()
            .filter(|(_, worker)| worker.abandoned > 0)
            .flat_map(|(index, worker)| {
                worker
                    .entries
                    .iter()
                    .filter_map(move |entry| match entry.holder {
                        Holder::Abandoned { sent_at, limit } => {
                            // A plain function starts when the one before it has been answered, a coroutine at once.
                            let started = if entry.is_async {
                                sent_at
                            } else {
                                sent_at.max(worker.progress)
                            };
                            Some((index, started.saturating_add(limit)))
                        }
                        _ => None,
                    })
            })
    }
}
