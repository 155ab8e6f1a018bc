//! The worker as the Python package sees it: announce the functions, then serve.

use std::os::fd::AsRawFd;

use pyo3::prelude::*;
use pyproc_ipc::message::{FunctionInfo, PROTOCOL, Ready, ToHost};
use pyproc_ipc::wait::SpinBudget;
use pyproc_ipc::worker::WorkerLane;

use crate::answer::Outcome;
use crate::connection::{Connection, VERSION, connection, take_lane};
use crate::coroutines::Started;
use crate::object::{Object, WithoutGil};
use crate::table::{Codec, Entry, describe};

/// The worker's end of the lane, and the functions that it runs.
#[pyclass(unsendable, module = "pyproc_worker._native")]
pub(crate) struct Worker {
    pub(crate) lane: WorkerLane,
    pub(crate) table: Vec<Entry>,
    pub(crate) codec: Codec,
    pub(crate) connection: &'static Connection,
    pub(crate) budget: SpinBudget,
    /// Calls whose run time need not be taken exactly.
    pub(crate) unmeasured: u32,
    infos: Vec<FunctionInfo>,
}

#[pymethods]
impl Worker {
    #[new]
    fn new(
        functions: Vec<Bound<'_, PyAny>>,
        encode_msgpack: Py<PyAny>,
        encode_json: Py<PyAny>,
        encode_raw: Py<PyAny>,
        describe_error: Py<PyAny>,
        call_traced: Py<PyAny>,
    ) -> PyResult<Self> {
        let connection = connection()?;
        let table = functions.iter().map(Entry::new).collect::<PyResult<_>>()?;
        let infos = functions.iter().map(describe).collect::<PyResult<_>>()?;
        Ok(Self {
            lane: take_lane(connection)?,
            table,
            codec: Codec {
                encode_msgpack,
                encode_json,
                encode_raw,
                describe_error,
                call_traced,
            },
            connection,
            budget: SpinBudget::new(connection.welcome.spin_ns),
            unmeasured: 0,
            infos,
        })
    }

    /// Tells the host what there is to call, and that calls are welcome.
    fn announce(&mut self, py: Python<'_>) -> PyResult<()> {
        let version = py.version_info();
        let ready = Ready {
            protocol: PROTOCOL,
            version: VERSION.to_owned(),
            python: format!("{}.{}.{}", version.major, version.minor, version.patch),
            pid: std::process::id(),
        };
        let infos = std::mem::take(&mut self.infos);
        let _released = WithoutGil::new(py);
        for info in infos {
            self.connection.attendant.send(&ToHost::Function(info))?;
        }
        self.connection.attendant.send(&ToHost::Ready(ready))?;
        Ok(())
    }

    /// Answers calls of plain functions until the host ends this worker.
    fn serve(&mut self, py: Python<'_>) -> PyResult<()> {
        self.serve_plain(py)
    }

    /// For an event loop: runs the next plain call (True), or begins the next coroutine; None when
    /// there is no call.
    fn next(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        self.next_for_loop(py)
    }

    /// Answers a coroutine's call with its result.
    fn finish(&mut self, py: Python<'_>, started: &Started, result: Py<PyAny>) -> PyResult<()> {
        let outcome = self
            .codec
            .encode(py, &Object::from_py(result), started.wanted);
        self.answer_started(py, started, &outcome)
    }

    /// Answers a coroutine's call with its exception.
    fn fail(&mut self, py: Python<'_>, started: &Started, error: Bound<'_, PyAny>) -> PyResult<()> {
        let outcome = Outcome::Failed(PyErr::from_value(error), crate::answer::Phase::Call);
        self.answer_started(py, started, &outcome)
    }

    /// The descriptor that is readable when the host has rung.
    fn bell_fd(&self) -> i32 {
        self.lane.bell().as_raw_fd()
    }

    /// The descriptor that is readable when calls were cancelled, or the end has come.
    fn wake_fd(&self) -> i32 {
        self.connection.wake.as_raw_fd()
    }

    /// Looks for a call for as long as that has been paying; true when there is one.
    fn spin(&mut self, py: Python<'_>) -> bool {
        let _released = WithoutGil::new(py);
        self.spin_released()
    }

    /// Asks to be rung; false when there is a call already.
    fn prepare_sleep(&mut self) -> bool {
        self.lane.prepare_sleep()
    }

    /// Stops the bell.
    fn woken(&mut self) {
        self.lane.woken();
    }

    /// The calls that the host has cancelled since the last time.
    fn take_cancelled(&self) -> Vec<u64> {
        self.connection.attendant.take_cancelled_async()
    }

    /// Has the host asked for the end?
    fn stopping(&self) -> bool {
        self.connection.attendant.shutting_down()
    }
}
