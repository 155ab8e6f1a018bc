//! The end of a pool: drain, ask, terminate, kill; nothing is left behind.

use std::sync::Arc;
use std::time::Duration;

use pyproc_ipc::clock::now_ns;
use pyproc_ipc::message::ToWorker;

use super::{Driver, Stage};
use crate::core::Phase;
use crate::error::{CallError, ShutdownError, StartError};
use crate::scheduler::Nanos;

/// How long workers have to end after they were asked, and again after SIGTERM.
const PATIENCE_NS: Nanos = 2_000_000_000;

const SIGTERM: i32 = 15;

/// How far a stop is.
#[derive(Clone, Copy)]
pub(super) enum Stop {
    /// Calls finish until this time.
    Draining { until: Nanos },
    /// Workers have been asked to end; they are terminated at this time.
    Asked { until: Nanos, stopped: usize },
    /// Workers have been terminated; they are killed at this time.
    Terminated { until: Nanos, stopped: usize },
    /// Workers have been killed.
    Killed { killed: usize, stopped: usize },
}

impl Driver {
    /// `shutdown` has been called.
    pub(super) fn drain_begins(&mut self, now: Nanos) {
        let until = now.saturating_add(self.shared.settings.shutdown_timeout.as_nanos() as Nanos);
        self.stop = Some(Stop::Draining { until });
    }

    /// The last handle is gone, or the pool could not start: nobody waits for anything.
    pub(super) fn abandoned(&mut self) {
        if !matches!(self.stop, Some(Stop::Killed { .. })) {
            let stopped = match self.stop {
                Some(Stop::Asked { stopped, .. } | Stop::Terminated { stopped, .. }) => stopped,
                _ => 0,
            };
            self.kill_all(stopped);
        }
    }

    pub(super) fn stop_now(&mut self) {
        self.shared.core.lock().phase = Phase::Abandoned;
        self.abandoned();
    }

    fn kill_all(&mut self, stopped: usize) {
        let mut killed = 0;
        for running in self.workers.iter().flatten() {
            running.process.kill_group();
            killed += 1;
        }
        self.stop = Some(Stop::Killed { killed, stopped });
    }

    /// Moves a stop on; when to look again.
    pub(super) fn watch_stop(&mut self, now: Nanos) -> Nanos {
        let any = self.workers.iter().any(Option::is_some);
        match self.stop {
            None => Nanos::MAX,
            Some(Stop::Draining { until }) => {
                let idle = self.shared.core.lock().scheduler.is_idle();
                if idle || until <= now {
                    self.ask(now);
                    return 0;
                }
                until
            }
            Some(Stop::Asked { until, stopped }) if any => {
                if until > now {
                    return until;
                }
                for running in self.workers.iter().flatten() {
                    let _ = running.process.signal(SIGTERM);
                }
                let until = now + PATIENCE_NS;
                self.stop = Some(Stop::Terminated { until, stopped });
                until
            }
            Some(Stop::Terminated { until, stopped }) if any => {
                if until > now {
                    return until;
                }
                self.kill_all(stopped);
                Nanos::MAX
            }
            Some(_) => Nanos::MAX,
        }
    }

    /// Ends what still waits or runs, and tells the workers to go.
    fn ask(&mut self, now: Nanos) {
        let shared = Arc::clone(&self.shared);
        let mut core = shared.core.lock();
        core.phase = Phase::Closed;
        while core.drain(now) {}
        let unfinished = core.scheduler.unfinished();
        let stopped = unfinished.len();
        for key in unfinished {
            core.stop_call(now, key);
        }
        for order in std::mem::take(&mut core.orders) {
            let crate::core::Order::Cancel { worker, call } = order;
            if let Some(end) = core.ends.get(worker) {
                end.tell(&ToWorker::Cancel { call }, None);
            }
        }
        for end in core.ends.ends.iter_mut().flatten() {
            end.tell(&ToWorker::Shutdown, None);
        }
        shared.unlock(core);
        for worker in 0..self.workers.len() {
            if self.workers[worker].is_some() {
                self.shared.board.stopping(worker);
            }
        }
        for running in self.workers.iter().flatten() {
            // One that is still importing, or being killed, has nothing to finish.
            if !matches!(running.stage, Stage::Up) {
                running.process.kill_group();
            }
        }
        self.stop = Some(Stop::Asked {
            until: now + PATIENCE_NS,
            stopped,
        });
    }

    /// All processes are gone and nothing is to be started.
    pub(super) fn is_over(&self) -> bool {
        let past_draining = matches!(
            self.stop,
            Some(Stop::Asked { .. } | Stop::Terminated { .. } | Stop::Killed { .. })
        );
        past_draining && self.workers.iter().all(Option::is_none)
    }

    /// The last words: calls that are left are answered, whoever waits for the end is told.
    pub(super) fn finish(self) {
        let shared = Arc::clone(&self.shared);
        let mut core = shared.core.lock();
        core.phase = Phase::Closed;
        for key in core.scheduler.unfinished() {
            core.stop_call(now_ns(), key);
        }
        core.ends.ends.clear();
        shared.unlock(core);
        shared.board.over();
        shared.publish();
        let after = shared.settings.shutdown_timeout;
        let patience = Duration::from_nanos(2 * PATIENCE_NS);
        let result = match self.stop {
            Some(
                Stop::Asked { stopped, .. }
                | Stop::Terminated { stopped, .. }
                | Stop::Killed { stopped, .. },
            ) if stopped > 0 => Err(ShutdownError::Unfinished { stopped, after }),
            Some(Stop::Killed { killed, .. }) if killed > 0 => Err(ShutdownError::Killed {
                killed,
                after: patience,
            }),
            _ => Ok(()),
        };
        shared
            .started
            .set(Err(Arc::new(parking_lot::Mutex::new(Some(
                StartError::System {
                    action: "start its workers",
                    source: std::io::Error::other("it was closed meanwhile"),
                },
            )))));
        // Descriptors and memory first, the news last.
        drop(self);
        shared.stopped.set(result);
    }
}

impl crate::core::Core {
    /// Ends a call because the pool does.
    fn stop_call(&mut self, now: Nanos, key: crate::slab::Key) {
        let Some(ended) = self.end(now, key) else {
            return;
        };
        let error = match ended {
            crate::scheduler::Ended::NotStarted => CallError::Closed,
            crate::scheduler::Ended::Running { .. } => CallError::Cancelled,
        };
        self.ended_early(now, key, ended == crate::scheduler::Ended::NotStarted);
        self.fail(key, error);
    }
}
