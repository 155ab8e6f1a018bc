//! The loop of a worker with plain functions: take a call, run it, answer it, as long as there is one;
//! then wait, without the GIL.

use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyproc_ipc::clock::{coarse_ns, now_ns};
use pyproc_ipc::lane::Pace;
use pyproc_ipc::record::ContentType;
use pyproc_ipc::worker::{Incoming, IncomingBody};
use rustix::event::{PollFd, PollFlags};

use crate::answer::{Failure, Outcome, Phase, violation};
use crate::body::SegmentBody;
use crate::connection::{Context, forked};
use crate::object::{Object, WithoutGil, call0, call1};
use crate::table::{Codec, Entry};
use crate::worker::Worker;

/// How long a wait keeps the GIL: the time in which the answer to the last answer comes back.
const SPIN_WITH_GIL_NS: u64 = 2_000;

/// How often other Python threads get the GIL while calls come without a pause.
const YIELD_NS: u64 = 5_000_000;

/// A call that takes less than this is short.
const SHORT_NS: u64 = 2_000;

/// How long the descriptor of a request segment may take longer than the call that names it.
const SEGMENT: Duration = Duration::from_secs(30);

impl Worker {
    pub(crate) fn serve_plain(&mut self, py: Python<'_>) -> PyResult<()> {
        let mut now = now_ns();
        let mut yield_at = now + YIELD_NS;
        loop {
            if let Some(incoming) = self.lane.poll().map_err(violation)? {
                now = self.run(py, &incoming, now)?;
                if now < yield_at {
                    continue;
                }
                drop(WithoutGil::new(py));
            } else {
                match self.wait(py)? {
                    Some(found) => {
                        now = found;
                        if now < yield_at {
                            continue;
                        }
                    }
                    None => now = now_ns(),
                }
                if !self.lane.ready() && self.connection.attendant.shutting_down() {
                    return Ok(());
                }
            }
            py.check_signals()?;
            yield_at = now + YIELD_NS;
        }
    }

    /// Runs one call and answers it; the time at which it was over.
    #[inline]
    pub(crate) fn run(&mut self, py: Python<'_>, incoming: &Incoming, began: u64) -> PyResult<u64> {
        if incoming.expired(began) {
            self.lane.skip_body(incoming).map_err(violation)?;
            self.answer_expired(py, incoming.call())?;
            return Ok(began);
        }
        let context = Context::keep(self.lane.extension(incoming));
        let body = self.take_body(py, incoming);
        let Some(entry) = self.table.get(usize::from(incoming.function())) else {
            self.answer_failure(py, incoming.call(), &Failure::NoSuchFunction {})?;
            return Ok(began);
        };
        let outcome = match body {
            Ok(body) => {
                self.connection
                    .set_current(incoming.call(), incoming.deadline());
                let outcome = if context.is_traced {
                    call_traced(py, entry, &self.codec, incoming, body, &context)
                } else {
                    call(py, entry, &self.codec, incoming, body)
                };
                self.connection.clear_current();
                outcome
            }
            Err(error) => Outcome::Failed(error, Phase::Decode),
        };
        if forked() {
            return Err(end_child(py));
        }
        let ended = self.time_after(began);
        self.answer(py, incoming.call(), ended.saturating_sub(began), &outcome)?;
        Ok(ended)
    }

    /// The time after a call that began at `began`. As long as calls are short, the exact clock is
    /// read after every eighth only; in between the coarse one shows whether one was long after all.
    #[inline]
    fn time_after(&mut self, began: u64) -> u64 {
        if self.unmeasured > 0 {
            self.unmeasured -= 1;
            return coarse_ns().max(began);
        }
        let ended = now_ns();
        if ended.saturating_sub(began) < SHORT_NS {
            self.unmeasured = 7;
        }
        ended
    }

    /// What a coroutine's call belongs to; to be asked before its body is taken.
    #[inline]
    pub(crate) fn context(&self, incoming: &Incoming) -> Option<String> {
        let extension = self.lane.extension(incoming);
        if extension.is_empty() {
            return None;
        }
        Some(String::from_utf8_lossy(extension).into_owned())
    }

    /// The body as an object: `bytes` from the ring, a `memoryview` of a segment, None without a body.
    #[inline]
    pub(crate) fn take_body(
        &mut self,
        py: Python<'_>,
        incoming: &Incoming,
    ) -> PyResult<Option<Object>> {
        let body = match self.lane.body(incoming).map_err(violation)? {
            IncomingBody::Inline(_) if incoming.content() == ContentType::None => None,
            IncomingBody::Inline(bytes) => {
                Some(Object::bytes(py, bytes).ok_or_else(|| PyErr::fetch(py))?)
            }
            IncomingBody::Segment(segment) => {
                let released = WithoutGil::new(py);
                let memory = self.connection.segments.request(segment.number, SEGMENT);
                drop(released);
                let view = memory.and_then(|memory| self.lane.view(segment, memory));
                let view = view.ok_or_else(|| {
                    let _ = self.lane.skip_body(incoming);
                    PyRuntimeError::new_err("the memory of this call's body has not arrived")
                })?;
                Some(SegmentBody::memoryview(py, view)?)
            }
        };
        self.lane.done_reading();
        Ok(body)
    }

    /// Waits for a call, a signal or the end. The time, when it came so soon that the GIL was kept.
    fn wait(&mut self, py: Python<'_>) -> PyResult<Option<u64>> {
        let spins = self.connection.welcome.spin_ns > 0;
        if spins && let Some(found) = self.lane.spin(SPIN_WITH_GIL_NS) {
            return Ok(Some(found));
        }
        let _released = WithoutGil::new(py);
        if self.spin_released() || !self.lane.prepare_sleep() {
            return Ok(None);
        }
        let mut news = false;
        if !self.connection.attendant.shutting_down() {
            let bell = self.lane.bell();
            let mut fds = [
                PollFd::from_borrowed_fd(bell, PollFlags::IN),
                PollFd::new(&self.connection.wake, PollFlags::IN),
            ];
            // An interrupted wait is over too: its signal's handler runs next.
            let _ = rustix::event::poll(&mut fds, None);
            news = !fds[1].revents().is_empty();
        }
        self.lane.woken();
        if news {
            self.connection.clear_wake();
            // Cancelled calls that are over: nothing to be done about them.
            drop(self.connection.attendant.take_cancelled_async());
        }
        Ok(None)
    }

    /// Spins for as long as it has been paying and the host wants; without the GIL.
    pub(crate) fn spin_released(&mut self) -> bool {
        let budget = match self.lane.pace() {
            Pace::Own => self.budget.nanoseconds(),
            // The way to a client and back takes longer than a caller in the host.
            Pace::Patient => self.budget.nanoseconds() * 2,
            Pace::Crowded => return false,
        };
        if budget == 0 {
            self.budget.failed();
            return false;
        }
        let found = self.lane.spin(budget).is_some();
        if found {
            self.budget.succeeded();
        } else {
            self.budget.failed();
        }
        found
    }
}

impl Entry {
    /// What turns a body of this content into a value.
    #[inline]
    pub(crate) fn decoder(&self, content: ContentType) -> &Py<PyAny> {
        match content {
            _ if self.wants_raw => &self.decode_raw,
            ContentType::MsgPack => &self.decode_msgpack,
            ContentType::Json => &self.decode_json,
            _ => &self.decode_raw,
        }
    }
}

/// Decode, call, encode.
#[inline]
fn call(
    py: Python<'_>,
    entry: &Entry,
    codec: &Codec,
    incoming: &Incoming,
    body: Option<Object>,
) -> Outcome {
    let result = match body {
        Some(body) => {
            let Some(value) = call1(py, entry.decoder(incoming.content()), &body) else {
                return Outcome::Failed(PyErr::fetch(py), Phase::Decode);
            };
            drop(body);
            call1(py, &entry.target, &value)
        }
        None => call0(py, &entry.call_empty),
    };
    match result {
        Some(result) => codec.encode(py, &result, incoming.wanted()),
        None => Outcome::Failed(PyErr::fetch(py), Phase::Call),
    }
}

/// The same as part of a trace.
#[cold]
fn call_traced(
    py: Python<'_>,
    entry: &Entry,
    codec: &Codec,
    incoming: &Incoming,
    body: Option<Object>,
    context: &Context,
) -> Outcome {
    let traced = &codec.call_traced;
    let context = context.text();
    let result = match body {
        Some(body) => {
            let Some(value) = call1(py, entry.decoder(incoming.content()), &body) else {
                return Outcome::Failed(PyErr::fetch(py), Phase::Decode);
            };
            drop(body);
            traced.call1(py, (context, &entry.name, &entry.target, value.into_py(py)))
        }
        None => traced.call1(py, (context, &entry.name, &entry.call_empty)),
    };
    match result {
        Ok(result) => codec.encode(py, &Object::from_py(result), incoming.wanted()),
        Err(error) => Outcome::Failed(error, Phase::Call),
    }
}

/// A handler has forked and both processes came back from it: this one is not the worker.
#[cold]
fn end_child(py: Python<'_>) -> PyErr {
    // The lane and everything else that an orderly exit would clean up belongs to the parent.
    match py
        .import("os")
        .and_then(|os| os.call_method1("_exit", (0,)))
    {
        Ok(_) => PyRuntimeError::new_err("os._exit() returned"),
        Err(error) => error,
    }
}
