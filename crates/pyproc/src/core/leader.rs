//! Who looks for answers: the leader, whoever takes over from it, or the bells.
//!
//! The *leader* is the first caller that waits while nobody else does. It drains every lane, for itself
//! and for all others, and spins for a while before it sleeps. When it leaves, the next caller that polls
//! takes over; when nobody is left to look, the lanes are *armed*: workers ring, and the driver thread
//! drains. While callers rely on a leader, the driver ticks every millisecond, so that a leader whose
//! runtime stalls delays others by no more than that.

use std::mem;

use super::{BATCH, Core};
use crate::lookout::Post;
use crate::scheduler::Nanos;
use crate::slab::Key;

/// How long calls may go on without giving the runtime a turn.
const TURN_NS: u64 = 1_000_000;

impl Core {
    /// A caller no longer looks for answers; if nobody else will, the workers are to ring.
    #[inline]
    pub(super) fn leave(&mut self, key: Key) {
        if self.leader == Some(key) {
            self.leader = None;
            self.ends.flush();
        }
        if self.leader.is_none() && self.scheduler.busy() > 0 {
            self.watched();
        }
    }

    /// Are there calls whose answers no caller looks for?
    pub(crate) fn nobody_looks(&self) -> bool {
        let lookout = self.lookout.as_ref();
        self.leader.is_none() && self.scheduler.busy() > 0 && lookout.is_none_or(Post::is_asleep)
    }

    /// Makes sure that somebody notices the next answer.
    pub(crate) fn watched(&mut self) {
        if !self.nobody_looks() {
            return;
        }
        if self.untaken == 0 || self.lookout.is_some() {
            self.arm();
        } else {
            self.tick();
        }
    }

    /// Asks the workers to ring at their next answer. What has come meanwhile is drained.
    pub(crate) fn arm(&mut self) {
        for worker in 0..self.ends.ends.len() {
            if self.scheduler.outstanding(worker) == 0 {
                continue;
            }
            while let Some(end) = self.ends.get(worker) {
                if end.violation.is_some() || end.armed {
                    break;
                }
                end.armed = true;
                if end.lane.arm() {
                    break;
                }
                end.armed = false;
                if self.drain_lane(pyproc_ipc::clock::now_ns(), worker, BATCH) == 0 {
                    break;
                }
                if self.scheduler.outstanding(worker) == 0 {
                    break;
                }
            }
        }
    }

    /// The workers need not ring: somebody looks.
    #[inline]
    pub(crate) fn disarm(&mut self) {
        for end in self.ends.ends.iter_mut().flatten() {
            if mem::take(&mut end.armed) {
                end.lane.disarm();
            }
        }
    }

    /// Is this caller the leader, or could it be?
    #[inline]
    pub(crate) fn may_lead(&self, key: Key) -> bool {
        self.lookout.is_none() && self.leader.is_none_or(|leader| leader == key)
    }

    /// Makes this caller the leader.
    #[inline]
    pub(crate) fn lead(&mut self, key: Key) {
        if self.leader.is_none() {
            self.leader = Some(key);
            self.disarm();
        }
    }

    /// What a caller whose call is not done should do.
    #[inline]
    pub(crate) fn waiting(&mut self, now: Nanos, key: Key, first: bool) -> Waiting {
        if self.lookout.is_some() {
            self.rouse();
            return Waiting::Follow;
        }
        if !self.may_lead(key) {
            self.tick();
            return Waiting::Follow;
        }
        if self.scheduler.sent() == 0 {
            // It waits for a worker to come up, or to be done with calls that nobody waits for: the
            // driver's business.
            self.leader = None;
            self.watched();
            return Waiting::Follow;
        }
        self.lead(key);
        let alone = self.scheduler.sent() + self.scheduler.queued() <= 1;
        if (first && !alone) || now.saturating_sub(self.last_turn) > TURN_NS {
            self.last_turn = now;
            if !alone {
                self.tick();
            }
            return Waiting::Yield;
        }
        if !self.ends.rang {
            return Waiting::Spin(self.spin.nanoseconds());
        }
        let budget = self.spin_waking.nanoseconds();
        if budget < self.spin_cap_ns / 2 {
            // It takes longer to wake up than may be spun: sleep at once, and let the driver, which
            // wakes up meanwhile, do the looking. One wake-up after another becomes two at a time.
            self.spin_waking.failed();
            self.leader = None;
            self.arm();
            self.assist = true;
            self.kick = true;
            return Waiting::Follow;
        }
        Waiting::Spin(budget)
    }

    /// A spin has ended.
    #[inline]
    pub(crate) fn spun(&mut self, found: bool) {
        let budget = if self.ends.rang {
            &mut self.spin_waking
        } else {
            &mut self.spin
        };
        if found {
            budget.succeeded();
        } else {
            budget.failed();
        }
    }

    /// How long a look for answers may take.
    #[inline]
    pub(crate) fn spin_ns(&self) -> u64 {
        if self.ends.rang {
            self.spin_waking.nanoseconds()
        } else {
            self.spin.nanoseconds()
        }
    }

    /// How long any one side may spin.
    pub(crate) fn spin_cap(&self) -> u64 {
        self.spin_cap_ns
    }

    /// The leader's spin found nothing: it sleeps like everybody else, and the workers ring.
    pub(crate) fn sleep(&mut self, now: Nanos) {
        self.last_turn = now;
        self.leader = None;
        self.arm();
        self.publish_soon();
        if !self.ticking && self.scheduler.unbalanced() {
            // What a worker has not started although it had time may go to one that is idle.
            self.tick();
        }
    }

    /// The leader lets the callers that it has woken run before it looks again.
    pub(crate) fn lead_later(&mut self, now: Nanos) {
        self.last_turn = now;
        self.tick();
    }

    /// The driver's look at things while callers rely on a leader: takes over from one that stalls.
    pub(crate) fn take_over(&mut self, now: Nanos) {
        while self.drain(now) {}
        self.leader = None;
        if self.nobody_looks() {
            self.arm();
        }
    }
}

/// What a caller whose call is not done should do.
pub(crate) enum Waiting {
    /// Another caller looks for answers: sleep.
    Follow,
    /// Let other tasks run, then look again.
    Yield,
    /// Look for this long, then [`Core::sleep`].
    Spin(u64),
}
