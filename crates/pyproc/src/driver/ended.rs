//! The end of a worker process: its calls are answered or given to others, it is replaced.

use std::sync::Arc;
use std::time::Duration;

use pyproc_ipc::clock::now_ns;

use super::worker::Running;
use super::{Driver, Stage, Verdict};
use crate::board::Reason;
use crate::error::{CallError, Exit, OutOfMemory, first_line};

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
        let was_up = !matches!(running.stage, Stage::Handshake { .. });
        // What the one before it has answered is no merit of a process that did not come up.
        let had_answered = self.last_answers(worker, &mut running) && was_up;
        let mut pause = Duration::ZERO;
        if self.stop.is_some() {
            self.shared.board.gone(worker);
        } else if self.started {
            let now = now_ns();
            pause = self.supervisor.died(now, worker, had_answered);
            if was_up {
                // Before its callers hear of it: who asks then is told the truth.
                let (reason, sentence) = running.why(exit, out_of_memory);
                let board = &self.shared.board;
                board.ended(now, worker, pause, reason, sentence);
            }
        }
        self.fail_calls(worker, &running, exit, out_of_memory);
        if !self.started && self.stop.is_none() {
            let error = self.start_error(running, exit, out_of_memory);
            self.start_failed(error);
            return;
        }
        if self.stop.is_some() {
            return;
        }
        let pid = running.source.pid;
        let stderr = running.tail.text();
        let stderr = stderr.trim_end();
        if was_up {
            tracing::warn!(target: "pyproc", worker, pid, %exit, again_in = ?pause, stderr, "a worker ended and is replaced");
        } else {
            let error = self.start_error(running, exit, out_of_memory);
            let sentence = first_line(&error);
            let board = &self.shared.board;
            board.ended(now_ns(), worker, pause, Reason::Start, sentence);
            tracing::error!(target: "pyproc", worker, pid, again_in = ?pause, "a worker did not come up: {error}");
        }
    }

    /// Takes what the process had answered; whether it had ever answered a call.
    fn last_answers(&mut self, worker: usize, running: &mut Running) -> bool {
        let shared = Arc::clone(&self.shared);
        let mut core = shared.core.lock();
        while core.drain_lane(now_ns(), worker, usize::MAX) > 0 {}
        if let Some(message) = core.ends.get(worker).and_then(|end| end.violation.take()) {
            running.verdict.get_or_insert(Verdict::Violation(message));
        }
        let had_answered = core.scheduler.has_answered(worker);
        shared.unlock(core);
        had_answered
    }

    /// Answers what the process had started.
    fn fail_calls(
        &mut self,
        worker: usize,
        running: &Running,
        exit: Exit,
        out_of_memory: OutOfMemory,
    ) {
        let shared = Arc::clone(&self.shared);
        let mut core = shared.core.lock();
        let now = now_ns();
        let inner = &mut *core;
        let lost = inner.scheduler.worker_down(worker, &mut inner.ends);
        core.ends.ends[worker] = None;
        let error = match &running.verdict {
            Some(Verdict::Violation(message)) => CallError::Protocol {
                message: message.clone(),
            },
            _ => CallError::WorkerDied {
                pid: running.source.pid,
                exit,
                out_of_memory,
                stderr_tail: running.tail.text(),
                may_have_run: true,
            },
        };
        for key in lost {
            core.ended_early(now, key, false);
            core.fail(key, error.clone());
        }
        let inner = &mut *core;
        inner.scheduler.refill_all(now, &mut inner.ends);
        core.watched();
        core.publish_soon();
        shared.unlock(core);
    }
}

impl Running {
    /// Why a process that had been up ended: for the metrics, and in a sentence about it.
    fn why(&self, exit: Exit, out_of_memory: OutOfMemory) -> (Reason, String) {
        if let Some(Verdict::Violation(message)) = &self.verdict {
            return (
                Reason::Protocol,
                format!("it broke the protocol: {message}"),
            );
        }
        if matches!(self.stage, Stage::Dying { .. }) {
            let sentence = "a function ran past its time limit and did not stop, so it was killed";
            return (Reason::Limit, sentence.to_owned());
        }
        let reason = match (exit, out_of_memory) {
            (_, OutOfMemory::Probably) => Reason::OutOfMemory,
            (Exit::Status(_), _) => Reason::Exit,
            (Exit::Signal(_), _) => Reason::Signal,
            (Exit::Unknown, _) => Reason::Unknown,
        };
        (reason, format!("it {exit}{out_of_memory}"))
    }

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
