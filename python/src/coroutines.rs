//! Calls of coroutines: begun here, run by the event loop, answered here.

use pyo3::prelude::*;
use pyproc_ipc::clock::now_ns;
use pyproc_ipc::worker::Wanted;

use crate::answer::{Outcome, Phase, violation};
use crate::object::{call0, call1};
use crate::worker::Worker;

/// A call whose coroutine has been made.
#[pyclass(frozen, module = "pyproc_worker._native")]
pub(crate) struct Started {
    /// The call's id.
    #[pyo3(get)]
    call: u64,
    /// When its caller stops waiting, in monotonic nanoseconds; 0 for never.
    #[pyo3(get)]
    deadline_ns: u64,
    /// What to await.
    #[pyo3(get)]
    coroutine: Py<PyAny>,
    /// The function's name.
    #[pyo3(get)]
    function: Py<PyAny>,
    /// What it belongs to, as its record says it.
    #[pyo3(get)]
    context: Option<String>,
    pub(crate) wanted: Wanted,
    began_ns: u64,
}

impl Worker {
    /// One record from the ring: a plain call is run (True), a coroutine begun; None when it is empty.
    pub(crate) fn next_for_loop(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let Some(incoming) = self.lane.poll().map_err(violation)? else {
            return Ok(None);
        };
        let done = || Ok(Some(true.into_pyobject(py)?.to_owned().into_any().unbind()));
        let now = now_ns();
        let number = usize::from(incoming.function());
        if incoming.expired(now) || !self.table.get(number).is_some_and(|entry| entry.is_async) {
            self.run(py, &incoming, now)?;
            return done();
        }
        let context = self.context(&incoming);
        let body = self.take_body(py, &incoming);
        let entry = &self.table[number];
        // Not the current call: a coroutine is cancelled through its task, never by the signal.
        let made = match body {
            Err(error) => Err((error, Phase::Decode)),
            Ok(None) => call0(py, &entry.call_empty).ok_or_else(|| (PyErr::fetch(py), Phase::Call)),
            Ok(Some(body)) => match call1(py, entry.decoder(incoming.content()), &body) {
                None => Err((PyErr::fetch(py), Phase::Decode)),
                Some(value) => {
                    call1(py, &entry.target, &value).ok_or_else(|| (PyErr::fetch(py), Phase::Call))
                }
            },
        };
        match made {
            Ok(coroutine) => {
                let started = Started {
                    call: incoming.call(),
                    deadline_ns: incoming.deadline(),
                    coroutine: coroutine.into_py(py),
                    function: entry.name.clone_ref(py),
                    context,
                    wanted: incoming.wanted(),
                    began_ns: now,
                };
                Ok(Some(Py::new(py, started)?.into_any()))
            }
            Err((error, phase)) => {
                self.answer(
                    py,
                    incoming.call(),
                    now_ns() - now,
                    &Outcome::Failed(error, phase),
                )?;
                done()
            }
        }
    }

    /// Answers a call that the event loop has finished.
    pub(crate) fn answer_started(
        &mut self,
        py: Python<'_>,
        started: &Started,
        outcome: &Outcome,
    ) -> PyResult<()> {
        let run_ns = now_ns().saturating_sub(started.began_ns);
        self.answer(py, started.call, run_ns, outcome)
    }
}
