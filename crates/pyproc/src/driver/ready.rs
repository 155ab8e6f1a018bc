//! What workers say over the control socket: the handshake, logs, requests for memory.

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::sync::Arc;

use pyproc_ipc::clock::now_ns;
use pyproc_ipc::message::{Direction, FunctionInfo, PROTOCOL, Ready, ToHost, ToWorker};
use pyproc_ipc::shm::PeerAccess;

use rustix::event::epoll;

use super::output::emit;
use super::worker::Heard;
use super::{Driver, Stage, Verdict};
use crate::functions::{Function, Functions};
use crate::lanes::WorkerEnd;
use crate::segments::SegmentMemory;

/// Messages of one worker between two looks at the others.
const MESSAGES: usize = 256;

/// Functions that one worker may expose.
const FUNCTIONS: usize = 16 * 1024;

/// What their descriptions may take together.
const FUNCTION_BYTES: usize = 64 << 20;

impl Driver {
    /// Reads what a worker has said.
    pub(super) fn control(&mut self, worker: usize) {
        let mut buffer = std::mem::take(&mut self.buffer);
        for _ in 0..MESSAGES {
            let Some(running) = &mut self.workers[worker] else {
                break;
            };
            match running.receive(&mut buffer) {
                Heard::Nothing => break,
                Heard::Message(message, bytes) => self.said(worker, message, bytes),
                Heard::Nonsense(error) => self.condemn(worker, Verdict::Violation(error)),
                Heard::End => {
                    let _ = epoll::delete(&self.shared.epoll, running.control.as_fd());
                    self.hung_up(worker);
                    break;
                }
            }
        }
        self.buffer = buffer;
    }

    fn said(&mut self, worker: usize, message: ToHost, length: usize) {
        let Some(running) = &mut self.workers[worker] else {
            return;
        };
        if running.verdict.is_some() && !matches!(message, ToHost::Log(_)) {
            return;
        }
        match (message, &mut running.stage) {
            (ToHost::Log(log), _) => emit(running.source, &log, &mut running.tail),
            (
                ToHost::Function(info),
                Stage::Handshake {
                    functions, bytes, ..
                },
            ) => {
                functions.push(info);
                *bytes += length;
                if functions.len() > FUNCTIONS || *bytes > FUNCTION_BYTES {
                    let message = format!(
                        "it exposes more than {FUNCTIONS} functions, or too much about them"
                    );
                    self.condemn(worker, Verdict::Violation(message));
                }
            }
            (ToHost::Ready(ready), Stage::Handshake { .. }) => self.ready(worker, &ready),
            (
                refusal @ (ToHost::Rejected { .. } | ToHost::StartFailed { .. }),
                Stage::Handshake { .. },
            ) => {
                // It ends by itself; how it ends says no more than this.
                running.verdict = Some(Verdict::Refused(refusal));
                self.hung_up(worker);
            }
            // A script may go on to raise after it has served; its exit says so.
            (ToHost::StartFailed { .. }, _) => {}
            (ToHost::SegmentRequest { request, bytes }, Stage::Up) => {
                self.grant(worker, request, bytes)
            }
            (ToHost::SegmentDropped { number, direction }, Stage::Up | Stage::Dying { .. }) => {
                self.segment_dropped(worker, number, direction);
            }
            (_, Stage::Dying { .. }) => {}
            _ => self.condemn(
                worker,
                Verdict::Violation("it sent a control message out of turn".to_owned()),
            ),
        }
    }

    fn ready(&mut self, worker: usize, ready: &Ready) {
        if ready.protocol != PROTOCOL {
            let refusal = ToHost::Rejected {
                protocol: ready.protocol,
                version: ready.version.clone(),
                reason: String::new(),
            };
            self.condemn(worker, Verdict::Refused(refusal));
            return;
        }
        let Some(running) = &mut self.workers[worker] else {
            return;
        };
        let Stage::Handshake {
            lane, functions, ..
        } = std::mem::replace(&mut running.stage, Stage::Up)
        else {
            return;
        };
        let settings = &self.shared.settings;
        let known = self.shared.functions.get_or_init(|| {
            let limited = functions.iter().map(|info| Function {
                limit_ns: info
                    .timeout_ns
                    .unwrap_or(settings.timeout.as_nanos() as u64),
                info: info.clone(),
            });
            Functions::new(limited.collect())
        });
        let numbers = match numbers(known, &functions) {
            Ok(numbers) => numbers,
            Err(message) => {
                self.condemn(worker, Verdict::Violation(message));
                return;
            }
        };
        let mut end = WorkerEnd::new(*lane, running.generation, Arc::clone(&running.control));
        end.set_numbers(numbers);
        let (generation, pid, python) = (
            running.generation,
            running.source.pid,
            ready.python.as_str(),
        );
        tracing::debug!(target: "pyproc", worker, pid, python, "a worker is ready");
        let shared = Arc::clone(&self.shared);
        let mut core = shared.core.lock();
        if core.scheduler.functions() == 0 {
            for function in &known.list {
                core.scheduler.add_function(function.info.is_async);
            }
        }
        core.ends.ends[worker] = Some(end);
        if core.lookout.is_some() {
            core.direct_bell(&shared.epoll, worker);
        }
        let now = now_ns();
        let core_now = &mut *core;
        core_now
            .scheduler
            .worker_up(now, worker, generation, &mut core_now.ends);
        core.watched();
        core.publish_soon();
        shared.unlock(core);
        shared.board.up(worker);
        if !self.started && self.all_up() {
            self.started = true;
            self.shared.started.set(Ok(()));
        }
    }

    fn all_up(&self) -> bool {
        self.workers
            .iter()
            .all(|running| matches!(running, Some(running) if matches!(running.stage, Stage::Up)))
    }

    /// Memory for a large result. Large pieces are made on another thread: zeroing them takes long.
    fn grant(&mut self, worker: usize, request: u32, bytes: u64) {
        const HERE: u64 = 8 << 20;
        let Some(running) = &self.workers[worker] else {
            return;
        };
        let generation = running.generation;
        let limit = self.shared.settings.max_body as u64;
        if bytes > limit {
            self.deny(
                worker,
                request,
                format!("a result of {bytes} bytes is beyond max_body, {limit}"),
            );
            return;
        }
        let mut core = self.shared.core.lock();
        // What it has answered uses what it was granted. Within bounds: it may go on answering.
        for _ in 0..16 {
            if core.drain_lane(now_ns(), worker, 64) < 64 {
                break;
            }
        }
        let end = core.ends.get(worker);
        let promised = end.is_some_and(|end| end.responses.promise());
        core.watched();
        self.shared.unlock(core);
        if !promised {
            self.deny(
                worker,
                request,
                "it holds segments that it does not use".to_owned(),
            );
            return;
        }
        let shared = Arc::clone(&self.shared);
        let give = move || {
            let memory =
                SegmentMemory::create(bytes as usize, PeerAccess::ReadWrite, &shared.allowance);
            let core = &mut *shared.core.lock();
            let Some(end) = core
                .ends
                .get(worker)
                .filter(|end| end.generation == generation)
            else {
                return;
            };
            end.responses.made();
            let granted = match memory {
                Ok(memory) => end.grant(now_ns(), request, memory),
                Err(error) => Err(format!("{error:?}")),
            };
            if let Err(reason) = granted {
                end.tell(&ToWorker::SegmentDenied { request, reason }, None);
            }
        };
        if bytes <= HERE {
            give();
        } else if let Err(error) = std::thread::Builder::new()
            .name("pyproc-memory".to_owned())
            .spawn(give)
        {
            if let Some(end) = self.shared.core.lock().ends.get(worker) {
                end.responses.made();
            }
            self.deny(worker, request, error.to_string());
        }
    }

    fn deny(&mut self, worker: usize, request: u32, reason: String) {
        if let Some(end) = self.shared.core.lock().ends.get(worker) {
            end.tell(&ToWorker::SegmentDenied { request, reason }, None);
        }
    }

    fn segment_dropped(&mut self, worker: usize, number: u32, direction: Direction) {
        let mut core = self.shared.core.lock();
        let Some(end) = core.ends.get(worker) else {
            return;
        };
        let known = match direction {
            Direction::Request => end.requests.dropped(number),
            Direction::Response => end.responses.dropped(number),
        };
        drop(core);
        if !known {
            let message = format!("it gave back segment {number}, which it had not been asked for");
            self.condemn(worker, Verdict::Violation(message));
        }
    }
}

/// The worker's number of each of the pool's functions.
fn numbers(known: &Functions, functions: &[FunctionInfo]) -> Result<Vec<Option<u16>>, String> {
    let by_name: HashMap<&str, &FunctionInfo> = functions
        .iter()
        .map(|info| (info.name.as_str(), info))
        .collect();
    known
        .list
        .iter()
        .map(|function| {
            let name = &function.info.name;
            let same = by_name.get(name.as_str()).filter(|info| info.is_async == function.info.is_async);
            same.map(|info| Some(info.number))
                .ok_or_else(|| format!("it no longer exposes `{name}` as the pool knows it; start a new pool for new code"))
        })
        .collect()
}
