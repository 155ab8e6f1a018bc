//! The connection to the host: one per process, from `import pyproc_worker` to the end of the process.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use pyproc_ipc::attendant::Attendant;
use pyproc_ipc::control::ControlSocket;
use pyproc_ipc::doorbell::{Bell, Ringer};
use pyproc_ipc::guard;
use pyproc_ipc::message::{
    Log, LogLevel, LogStream, MAX_MESSAGE, PROTOCOL, ToHost, ToWorker, Welcome,
};
use pyproc_ipc::store::SegmentStore;
use pyproc_ipc::worker::WorkerLane;
use rustix::event::EventfdFlags;

/// The version of this package.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What this process shares with its host.
pub(crate) struct Connection {
    pub(crate) attendant: Attendant,
    pub(crate) segments: Arc<SegmentStore>,
    pub(crate) welcome: Welcome,
    /// Readable when the attendant has news.
    pub(crate) wake: OwnedFd,
    /// The lane, until the worker takes it.
    pub(crate) lane: Mutex<Option<WorkerLane>>,
    /// Descriptors that a forked child has no use for.
    descriptors: [RawFd; 4],
}

static CONNECTION: OnceLock<Connection> = OnceLock::new();

/// Set in children that this process forks.
static FORKED: AtomicBool = AtomicBool::new(false);

/// The plain call that runs, 0 for none, and its deadline: what `current_call()` reads.
static CURRENT: AtomicU64 = AtomicU64::new(0);
static DEADLINE: AtomicU64 = AtomicU64::new(0);

/// What it belongs to, as its record says it: its extension block. Empty for most calls.
static CONTEXT: Mutex<String> = Mutex::new(String::new());

impl Connection {
    /// The main thread runs this call from now on; 0: none.
    #[inline]
    pub(crate) fn set_current(&self, call: u64, deadline: u64) {
        // Relaxed: only read by threads that hold the GIL, as this one does.
        CURRENT.store(call, Ordering::Relaxed);
        DEADLINE.store(deadline, Ordering::Relaxed);
        self.attendant.set_current(call);
    }

    /// The main thread runs no call.
    #[inline]
    pub(crate) fn clear_current(&self) {
        CURRENT.store(0, Ordering::Relaxed);
        self.attendant.set_current(0);
    }

    /// Empties the descriptor that the attendant wakes this process by.
    pub(crate) fn clear_wake(&self) {
        let _ = rustix::io::read(&self.wake, &mut [0; 8]);
    }
}

/// The connection, if this process is a worker.
pub(crate) fn connection() -> PyResult<&'static Connection> {
    CONNECTION
        .get()
        .filter(|_| !forked())
        .ok_or_else(|| PyRuntimeError::new_err("this process has not been started by a pool"))
}

/// Is this a child that the worker has forked?
#[inline]
pub(crate) fn forked() -> bool {
    FORKED.load(Ordering::Relaxed)
}

/// Takes the control socket, reads the welcome and starts the attendant.
#[pyfunction]
pub(crate) fn connect(py: Python<'_>, descriptor: RawFd) -> PyResult<()> {
    if CONNECTION.get().is_some() {
        return Err(PyRuntimeError::new_err("this process is connected already"));
    }
    let connection = py.detach(|| handshake(descriptor))?;
    // Nobody else sets it: this function holds the GIL between the look above and here.
    let _ = CONNECTION.set(connection);
    Ok(())
}

fn handshake(descriptor: RawFd) -> PyResult<Connection> {
    let no_host = |error: io::Error| {
        PyOSError::new_err(format!(
            "descriptor {descriptor} is no connection to a pool: {error}"
        ))
    };
    if descriptor < 0 {
        return Err(PyOSError::new_err(format!(
            "descriptor {descriptor} is no connection to a pool: a descriptor is 0 or more"
        )));
    }
    // SAFETY: a plain system call on a number; it fails when the number is no open descriptor.
    let borrowed = unsafe { std::os::fd::BorrowedFd::borrow_raw(descriptor) };
    rustix::io::fcntl_setfd(borrowed, rustix::io::FdFlags::CLOEXEC)
        .map_err(|error| no_host(error.into()))?;
    // SAFETY: it is open (above), and it was passed to this process for this purpose: the variable
    // that named it has been removed, so that nothing else takes it.
    let control = ControlSocket::from_fd(unsafe { OwnedFd::from_raw_fd(descriptor) });
    guard::install_death_handler().map_err(no_host)?;

    let mut buffer = vec![0; MAX_MESSAGE];
    let mut fds = Vec::new();
    let length = control
        .recv_with_fds(&mut buffer, &mut fds)
        .map_err(no_host)?;
    let welcome = match ToWorker::decode(&buffer[..length]) {
        Ok(ToWorker::Welcome(welcome)) => welcome,
        _ => return Err(reject(&control, &Welcome::default())),
    };
    if welcome.protocol != PROTOCOL {
        return Err(reject(&control, &welcome));
    }
    let [memory, bell, ringer] = <[OwnedFd; 3]>::try_from(fds).map_err(|fds| {
        PyOSError::new_err(format!(
            "the pool passed {} descriptors of 3: too many open files?",
            fds.len()
        ))
    })?;
    let wake = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
        .map_err(io::Error::from)?;
    let descriptors =
        [control.as_fd(), bell.as_fd(), ringer.as_fd(), wake.as_fd()].map(|fd| fd.as_raw_fd());
    let bytes = usize::try_from(welcome.lane_bytes).unwrap_or(0);
    let lane = WorkerLane::open(memory, bytes, Bell::from(bell), Ringer::from(ringer))?;
    let waker = wake.try_clone()?;
    let segments = Arc::new(SegmentStore::default());
    let attendant = Attendant::start(
        control,
        Arc::clone(&segments),
        Box::new(move || {
            // Fails only when its count would overflow: it is readable then anyway.
            let _ = rustix::io::write(&waker, &1u64.to_ne_bytes());
        }),
    )?;
    Ok(Connection {
        attendant,
        segments,
        welcome,
        wake,
        lane: Mutex::new(Some(lane)),
        descriptors,
    })
}

/// Tells both sides that they do not fit, in a sentence that names both.
fn reject(control: &ControlSocket, welcome: &Welcome) -> PyErr {
    let host = if welcome.version.is_empty() {
        "unknown"
    } else {
        &welcome.version
    };
    let reason = format!(
        "pyproc-worker {VERSION} (protocol {PROTOCOL}) and pyproc {host} (protocol {}) cannot work together: \
         install the pyproc-worker of version {host}",
        welcome.protocol
    );
    let mut message = Vec::new();
    let rejected = ToHost::Rejected {
        protocol: PROTOCOL,
        version: VERSION.to_owned(),
        reason: reason.clone(),
    };
    rejected.encode(&mut message);
    // The host may be gone; the sentence is in the exception too.
    let _ = control.send_blocking(&message);
    PyRuntimeError::new_err(reason)
}

/// In a forked child: it is no worker, and holds none of the worker's descriptors.
#[pyfunction]
pub(crate) fn forget() {
    if let Some(connection) = CONNECTION
        .get()
        .filter(|_| !FORKED.swap(true, Ordering::Relaxed))
    {
        for descriptor in connection.descriptors {
            // SAFETY: the child's copies. Their owners live in a static and in a thread that the fork
            // did not copy: nothing uses or closes these numbers again.
            drop(unsafe { OwnedFd::from_raw_fd(descriptor) });
        }
    }
}

/// Id, deadline and context of the plain call that runs.
#[pyfunction]
pub(crate) fn running_call() -> Option<(u64, u64, Option<String>)> {
    match CURRENT.load(Ordering::Relaxed) {
        0 => None,
        call => {
            let deadline = DEADLINE.load(Ordering::Relaxed);
            let context = context().clone();
            Some((
                call,
                deadline,
                Some(context).filter(|text| !text.is_empty()),
            ))
        }
    }
}

fn context() -> MutexGuard<'static, String> {
    CONTEXT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a plain call belongs to, kept for as long as this lives.
pub(crate) struct Context {
    kept: bool,
    pub(crate) is_traced: bool,
}

impl Context {
    /// Keeps a call's extension block.
    #[inline]
    pub(crate) fn keep(extension: &[u8]) -> Self {
        if !extension.is_empty() {
            context().push_str(&String::from_utf8_lossy(extension));
        }
        Self {
            kept: !extension.is_empty(),
            // Its first line is the trace's.
            is_traced: extension.first().is_some_and(|&first| first != b'\n'),
        }
    }

    pub(crate) fn text(&self) -> String {
        context().clone()
    }
}

impl Drop for Context {
    #[inline]
    fn drop(&mut self) {
        if self.kept {
            context().clear();
        }
    }
}

/// Is the call that runs now cancelled?
#[pyfunction]
pub(crate) fn interrupt_pending() -> bool {
    connection().is_ok_and(|connection| connection.attendant.interrupt_pending())
}

/// Was this plain call cancelled while it ran?
#[pyfunction]
pub(crate) fn is_cancelled(call: u64) -> bool {
    connection().is_ok_and(|connection| connection.attendant.is_cancelled(call))
}

/// The call in which a line was written, 0 for none, and the ids of its request, trace and span.
type Origin = (u64, Option<String>, Option<String>, Option<String>);

/// Sends one line to the host; false when there is none.
#[pyfunction]
pub(crate) fn log(
    py: Python<'_>,
    level: i64,
    logger: String,
    message: String,
    origin: Origin,
    stream: u8,
) -> bool {
    let Ok(connection) = connection() else {
        return false;
    };
    let level = match level {
        40.. => LogLevel::Error,
        30.. => LogLevel::Warn,
        20.. => LogLevel::Info,
        10.. => LogLevel::Debug,
        _ => LogLevel::Trace,
    };
    let stream = match stream {
        1 => Some(LogStream::Stdout),
        2 => Some(LogStream::Stderr),
        _ => None,
    };
    let (call, request_id, trace_id, span_id) = origin;
    let log = Log {
        level,
        logger,
        message,
        call: (call != 0).then_some(call),
        stream,
        request_id,
        trace_id,
        span_id,
    };
    py.detach(|| connection.attendant.send(&ToHost::Log(log)))
        .is_ok()
}

/// Tells the host why there will be no worker.
#[pyfunction]
pub(crate) fn start_failed(py: Python<'_>, kind: String, message: String, traceback: String) {
    if let Ok(connection) = connection() {
        let failed = ToHost::StartFailed {
            r#type: kind,
            message,
            traceback,
        };
        // When the host is gone there is nobody to tell.
        let _ = py.detach(|| connection.attendant.send(&failed));
    }
}

/// Takes the lane, once.
pub(crate) fn take_lane(connection: &Connection) -> PyResult<WorkerLane> {
    let lane = connection
        .lane
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    lane.ok_or_else(|| PyRuntimeError::new_err("run_worker() can be called once"))
}
