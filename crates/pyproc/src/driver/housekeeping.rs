//! What the driver does each time it is awake, whatever woke it.

use std::sync::Arc;

use pyproc_ipc::clock::now_ns;
use pyproc_ipc::guard::dump_signal;
use pyproc_ipc::message::ToWorker;

use super::{Driver, Stage, TICK_NS, Verdict};
use crate::core::{Order, Phase};
use crate::lanes::WorkerEnd;
use crate::metrics::INTERVAL_NS;
use crate::scheduler::Nanos;

/// How long a worker that is to be killed has for beginning to write its stack: a stopped one cannot.
const DUMP_START_NS: Nanos = 300_000_000;

/// How long it has for writing all of it.
const DUMP_NS: Nanos = 1_000_000_000;

/// How soon to try again to send what a worker's control socket had no room for.
const RETRY_NS: Nanos = 10_000_000;

/// Ticks without any call before the driver stops ticking.
const IDLE_TICKS: u32 = 5;

impl Driver {
    /// Looks after everything; when to look again.
    pub(super) fn housekeeping(&mut self) -> Nanos {
        let now = now_ns();
        self.start_due(now);
        let broken = self.serve(now);
        for (worker, message) in broken {
            tracing::error!(target: "pyproc", worker, "a worker broke the protocol and is killed: {message}");
            self.condemn(worker, Verdict::Violation(message));
        }
        if std::mem::take(&mut self.publish_due) {
            self.shared.try_publish(now);
        }
        let mut next = self.watch_processes(now);
        next = next.min(self.watch_stop(now));
        if self.stop.is_none() {
            next = next.min(self.supervisor.next());
        }
        let mut core = self.shared.core.lock();
        if core.kick {
            // Ordered by this very look.
            core.kick = false;
            return 0;
        }
        if core.publish_at == Nanos::MAX && core.activity != core.published {
            core.publish_at = now.saturating_add(INTERVAL_NS);
        }
        next = next.min(core.publish_at);
        if core.ticking {
            next = next.min(now + TICK_NS);
        }
        next = next.min(self.next_retire);
        if core.ends.ends.iter().flatten().any(WorkerEnd::backlogged) {
            next = next.min(now + RETRY_NS);
        }
        // Callers with an earlier deadline kick.
        next = next.min(core.next_due);
        core.next_wake = next;
        next
    }

    /// Everything under the lock: orders, deadlines, limits, segments, stalled leaders.
    fn serve(&mut self, now: Nanos) -> Vec<(usize, String)> {
        let shared = Arc::clone(&self.shared);
        let mut core = shared.core.lock();
        core.kick = false;
        for Order::Cancel { worker, call } in std::mem::take(&mut core.orders) {
            if let Some(end) = core.ends.get(worker)
                && end.generation == (call >> 32) as u32
            {
                end.tell(&ToWorker::Cancel { call }, None);
            }
        }
        if core.next_due <= now {
            let (due, _) = core.scheduler.due(now);
            if !due.is_empty() || !core.scheduler.overdue(now).is_empty() {
                // What has been answered in time counts, even if nobody has looked yet.
                while core.drain(now) {}
            }
            let (due, _) = core.scheduler.due(now);
            for key in due {
                core.time_out(now, key);
            }
            let (_, next) = core.scheduler.due(now);
            core.next_due = next;
        }
        let overdue = core.scheduler.overdue(now);
        for &worker in &overdue {
            core.scheduler.worker_closed(worker);
        }
        core.ends.flush();
        if core.ticking {
            self.tick(now, &mut core);
        }
        let mut broken = Vec::new();
        for (worker, end) in core.ends.ends.iter_mut().enumerate() {
            let Some(end) = end else { continue };
            end.flush();
            if let Some(message) = &end.violation
                && !std::mem::replace(&mut end.condemned, true)
            {
                broken.push((worker, message.clone()));
            }
        }
        self.retire_segments(now, &mut core);
        if core.phase == Phase::Draining && self.stop.is_none() {
            self.drain_begins(now);
        }
        if core.phase == Phase::Abandoned {
            self.abandoned();
        }
        core.watched();
        self.publish_due = core.publish_at <= now;
        shared.unlock(core);
        for worker in overdue {
            self.kill_for_limit(now, worker);
        }
        broken
    }

    fn tick(&mut self, now: Nanos, core: &mut crate::core::Core) {
        core.scheduler.rebalance(now, &mut core.ends);
        if core.activity != self.seen_activity {
            self.seen_activity = core.activity;
            self.idle_ticks = 0;
            return;
        }
        // Nothing moved for a tick: a leader may have stalled.
        core.take_over(now);
        self.idle_ticks += 1;
        if self.idle_ticks >= IDLE_TICKS && !core.scheduler.unbalanced() {
            self.idle_ticks = 0;
            core.ticking = false;
        }
    }

    fn retire_segments(&mut self, now: Nanos, core: &mut crate::core::Core) {
        let idle = self.shared.settings.segment_idle.as_nanos() as Nanos;
        let any = core.ends.ends.iter().flatten().any(WorkerEnd::has_segments);
        if !any {
            if self.next_retire != Nanos::MAX {
                // The last segment has gone for want of use: so has the reason to keep this.
                self.shared.replies.clear();
            }
            self.next_retire = Nanos::MAX;
            return;
        }
        if self.next_retire == Nanos::MAX {
            self.next_retire = now.saturating_add(idle / 2 + TICK_NS);
        } else if self.next_retire <= now {
            for end in core.ends.ends.iter_mut().flatten() {
                end.retire_segments(now.saturating_sub(idle));
            }
            self.next_retire = now.saturating_add(idle / 2 + TICK_NS);
        }
    }

    /// A function has run past its limit and the grace: its stack is written, then the worker dies.
    fn kill_for_limit(&mut self, now: Nanos, worker: usize) {
        let Some(running) = &mut self.workers[worker] else {
            return;
        };
        if !matches!(running.stage, Stage::Up) {
            return;
        }
        let pid = running.source.pid;
        tracing::warn!(target: "pyproc", worker, pid, "a function ran past its time limit and did not stop; its worker is killed");
        let _ = running.process.signal(dump_signal());
        running.stage = Stage::Dying {
            kill_at: now + DUMP_START_NS,
            latest: now + DUMP_NS,
        };
        self.shared.board.stopping(worker);
    }

    /// Start timeouts and executions; when to look again.
    fn watch_processes(&mut self, now: Nanos) -> Nanos {
        let limit = self.shared.settings.start_timeout.as_nanos() as Nanos;
        let mut next = Nanos::MAX;
        for worker in 0..self.workers.len() {
            let Some(running) = &self.workers[worker] else {
                continue;
            };
            if self.stop.is_none() && running.ends_by <= now {
                let message = "it closed its connection to the pool and went on";
                self.condemn(worker, Verdict::Violation(message.to_owned()));
                continue;
            }
            if self.stop.is_none() {
                next = next.min(running.ends_by);
            }
            match running.stage {
                Stage::Handshake { .. } => {
                    let until = running.since.saturating_add(limit);
                    if until <= now {
                        self.condemn(worker, Verdict::Late);
                    } else {
                        next = next.min(until);
                    }
                }
                Stage::Dying { kill_at, .. } => {
                    if kill_at <= now {
                        running.process.kill_group();
                    } else {
                        next = next.min(kill_at);
                    }
                }
                Stage::Up => {}
            }
        }
        next
    }
}
