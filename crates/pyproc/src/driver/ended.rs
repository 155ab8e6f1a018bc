//! The end of a worker process: its calls are answered or given to others, it is replaced.

use std::sync::Arc;

use pyproc_ipc::clock::now_ns;

use super::worker::Running;
use super::{Driver, Stage, Verdict};
use crate::error::{CallError, Exit, OutOfMemory};

impl Driver {
    /// The pidfd says that a process has ended.
    pub(super) fn exited(&mut self, worker: usize) {
        // What it said last counts.
        self.control(worker);
        let Some(running) = &mut self.workers[worker] else {
            return;
        };
        let exit = match running.process.try_wait() {
            Ok(None) => return,
            Ok(Some(exit)) => Exit::new(exit),
            Err(error) => {
                tracing::error!(target: "pyproc", worker, %error, "a worker's end could not be read");
                Exit::Unknown
            }
        };
        let Some(mut running) = self.workers[worker].take() else {
            return;
        };
        running.read_rest();
        let out_of_memory = running.out_of_memory(exit);
        let had_answered = self.fail_calls(worker, &running, exit, out_of_memory);
        if !self.started && self.stop.is_none() {
            let error = self.start_error(running, exit, out_of_memory);
            self.start_failed(error);
            return;
        }
        if self.stop.is_some() {
            return;
        }
        let was_up = !matches!(running.stage, Stage::Handshake { .. });
        let pause = self.supervisor.died(now_ns(), worker, had_answered);
        let pid = running.source.pid;
        let stderr = running.tail.text();
        let stderr = stderr.trim_end();
        if was_up {
            tracing::warn!(target: "pyproc", worker, pid, %exit, again_in = ?pause, stderr, "a worker ended and is replaced");
        } else {
            let error = self.start_error(running, exit, out_of_memory);
            tracing::error!(target: "pyproc", worker, pid, again_in = ?pause, "a worker did not come up: {error}");
        }
    }

    /// Answers what the process had started; whether it had ever answered a call.
    fn fail_calls(
        &mut self,
        worker: usize,
        running: &Running,
        exit: Exit,
        out_of_memory: OutOfMemory,
    ) -> bool {
        let shared = Arc::clone(&self.shared);
        let mut core = shared.core.lock();
        let now = now_ns();
        while core.drain_lane(now, worker, usize::MAX) > 0 {}
        let had_answered = core.scheduler.has_answered(worker);
        let late_violation = core.ends.get(worker).and_then(|end| end.violation.take());
        let inner = &mut *core;
        let lost = inner.scheduler.worker_down(worker, &mut inner.ends);
        core.ends.ends[worker] = None;
        let violation = match &running.verdict {
            Some(Verdict::Violation(message)) => Some(message.clone()),
            _ => late_violation,
        };
        let error = match violation {
            Some(message) => CallError::Protocol { message },
            None => CallError::WorkerDied {
                pid: running.source.pid,
                exit,
                out_of_memory,
                stderr_tail: running.tail.text(),
                may_have_run: true,
            },
        };
        for key in lost {
            core.fail(key, error.clone());
        }
        let inner = &mut *core;
        inner.scheduler.refill_all(now, &mut inner.ends);
        core.watched();
        shared.unlock(core);
        had_answered
    }
}

impl Running {
    fn out_of_memory(&self, exit: Exit) -> OutOfMemory {
        // The kernel's killer uses SIGKILL; a host that ignores SIGCHLD learns no more than the counter.
        let killed = matches!(exit, Exit::Signal(9) | Exit::Unknown);
        if killed && self.verdict.is_none() && self.out_of_memory.has_grown() {
            OutOfMemory::Probably
        } else {
            OutOfMemory::No
        }
    }
}
