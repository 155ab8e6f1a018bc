//! The worker's attendant: a thread that listens to the host while the main thread runs Python, and never
//! takes the GIL. It asks the main thread to look up when its call is cancelled, takes in segments, and
//! ends the worker with its whole process group when the host is gone.

mod cancellation;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};

use self::cancellation::{Cancellation, Cancelled};
use crate::clock::now_ns;
use crate::control::ControlSocket;
use crate::doorbell::timespec;
use crate::guard::{self, MainThread};
use crate::message::{Direction, Log, LogLevel, MAX_MESSAGE, ToHost, ToWorker};
use crate::shm::Memory;
use crate::store::SegmentStore;

/// How long after the first interrupt the second follows, if the call goes on, in nanoseconds; each pause doubles.
const PAUSE_FIRST: u64 = 10_000_000;

/// The longest pause between two interrupts.
const PAUSE_LONGEST: u64 = 100_000_000;

/// What the main thread shares with its attendant.
#[derive(Clone)]
pub struct Attendant {
    shared: Arc<Shared>,
}

struct Shared {
    cancellation: Cancellation,
    shutting_down: AtomicBool,
    control: ControlSocket,
}

impl Attendant {
    /// Starts the attendant for the calling thread, which has to be the one that runs plain calls. The
    /// handshake is over: from now on the attendant alone receives. It calls `wake` (quick, never
    /// blocking) when [`Attendant::take_cancelled_async`] or [`Attendant::shutting_down`] has news, and
    /// hands segments to `segments`.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        control: ControlSocket,
        segments: Arc<SegmentStore>,
        wake: Box<dyn Fn() + Send>,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            cancellation: Cancellation::new(),
            shutting_down: AtomicBool::new(false),
            control,
        });
        let listener = Listener {
            shared: Arc::clone(&shared),
            main: MainThread::current(),
            segments,
            wake,
        };
        // The thread starts deaf to signals: none that is meant for the main thread gets lost in it.
        let mask = guard::SignalMask::block_all();
        let thread = std::thread::Builder::new().name("pyproc-attendant".to_owned());
        let (ready, is_ready) = std::sync::mpsc::sync_channel(1);
        let result = thread.stack_size(256 * 1024).spawn(move || {
            guard::become_attendant();
            // Nobody listens only if the caller has ended, and then so has the process.
            let _ = ready.send(());
            listener.run();
        });
        drop(mask);
        // From here on not even a stopped worker outlives its host.
        let _ = result.map(|_| is_ready.recv())?;
        Ok(Self { shared })
    }

    /// The main thread runs this call from now on; 0: none.
    #[inline]
    pub fn set_current(&self, call: u64) {
        if self.shared.cancellation.set_current(call) == Cancelled::Yes {
            MainThread::current().interrupt();
        }
    }

    /// Is the call that runs now cancelled? The question to ask on an interrupt, in the main thread.
    #[inline]
    #[must_use]
    pub fn interrupt_pending(&self) -> bool {
        self.shared.cancellation.interrupt_pending()
    }

    /// Was this plain call, the current one or the last that was, cancelled while it ran?
    #[inline]
    #[must_use]
    pub fn is_cancelled(&self, call: u64) -> bool {
        self.shared.cancellation.is_cancelled(call)
    }

    /// The calls that were cancelled since the last time and were not the current one: coroutine calls,
    /// and others that are over or have yet to begin.
    #[must_use]
    pub fn take_cancelled_async(&self) -> Vec<u64> {
        self.shared.cancellation.take_others()
    }

    /// Has the host asked for the end?
    #[inline]
    #[must_use]
    pub fn shutting_down(&self) -> bool {
        self.shared.shutting_down.load(Ordering::Acquire)
    }

    /// Says something to the host, waiting while the socket is full. Any thread may; without the GIL.
    ///
    /// # Errors
    /// When the host is gone, in which case the end of this process is near.
    pub fn send(&self, message: &ToHost) -> io::Result<()> {
        self.shared.send(message)
    }
}

impl Shared {
    fn send(&self, message: &ToHost) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(256);
        message.encode(&mut bytes);
        self.control.send_blocking(&bytes)
    }
}

/// The thread's own half.
struct Listener {
    shared: Arc<Shared>,
    main: MainThread,
    segments: Arc<SegmentStore>,
    wake: Box<dyn Fn() + Send>,
}

/// Whatever ends the attendant ends the worker: without it, nothing would.
struct EndOfWorker;

impl Drop for EndOfWorker {
    fn drop(&mut self) {
        guard::kill_own_group();
    }
}

impl Listener {
    /// Listens until the host is gone. Wakes up by itself only while an interrupt has not worked, or
    /// shortly after a cancellation that found no call.
    fn run(self) {
        let _end = EndOfWorker;
        let mut buffer = vec![0; MAX_MESSAGE];
        let mut fds = Vec::new();
        let mut pause = PAUSE_FIRST;
        let mut due = None;
        loop {
            let now = now_ns();
            if !self.shared.cancellation.needs_attention(now) {
                due = None;
            } else if due.is_none() {
                pause = PAUSE_FIRST;
                due = Some(now + pause);
            } else if due.is_some_and(|at| at <= now) {
                if self.shared.cancellation.interrupt_due() {
                    self.main.interrupt();
                }
                pause = (pause * 2).min(PAUSE_LONGEST);
                due = Some(now + pause);
            }
            match self.wait(due.map(|at| Duration::from_nanos(at.saturating_sub(now)))) {
                Ok(false) => continue,
                Ok(true) => {}
                Err(_) => return,
            }
            fds.clear();
            let length = match self.shared.control.recv_with_fds(&mut buffer, &mut fds) {
                Ok(0) | Err(_) => return,
                Ok(length) => length,
            };
            // What a newer host says beyond this protocol is not for this worker.
            let Ok(message) = ToWorker::decode(&buffer[..length]) else {
                continue;
            };
            if matches!(message, ToWorker::Cancel { .. }) {
                // A call that begins at this very moment is looked for again soon.
                pause = PAUSE_FIRST;
                due = due.map(|at| at.min(now + PAUSE_FIRST));
            }
            self.obey(message, fds.pop());
        }
    }

    fn wait(&self, timeout: Option<Duration>) -> io::Result<bool> {
        let mut fds = [PollFd::new(&self.shared.control, PollFlags::IN)];
        match rustix::event::poll(&mut fds, timeout.map(timespec).as_ref()) {
            Ok(ready) => Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn obey(&self, message: ToWorker, fd: Option<OwnedFd>) {
        match message {
            ToWorker::Welcome(_) => {}
            ToWorker::Cancel { call } => match self.shared.cancellation.cancel(call, now_ns()) {
                Cancelled::Yes => self.main.interrupt(),
                Cancelled::NotCurrent => (self.wake)(),
            },
            ToWorker::SegmentGrant {
                number,
                bytes,
                direction,
                request,
            } => {
                let taken = self.take_in(number, bytes, direction, fd);
                if direction == Direction::Response {
                    self.segments.answer(request, taken);
                }
            }
            ToWorker::SegmentDenied { request, .. } => self.segments.answer(request, false),
            ToWorker::SegmentDrop {
                number,
                direction,
                turn,
            } => {
                let dropped = match direction {
                    Direction::Request => {
                        self.segments.drop_request(number);
                        true
                    }
                    Direction::Response => self.segments.drop_response(number, turn),
                };
                if dropped {
                    // When the host is gone, the next receive says so.
                    let _ = self
                        .shared
                        .send(&ToHost::SegmentDropped { number, direction });
                }
            }
            ToWorker::Shutdown => {
                self.shared.shutting_down.store(true, Ordering::Release);
                (self.wake)();
            }
        }
    }

    fn take_in(&self, number: u32, bytes: u64, direction: Direction, fd: Option<OwnedFd>) -> bool {
        let memory = match (fd, usize::try_from(bytes)) {
            (Some(fd), Ok(bytes)) => Memory::open(fd, bytes, direction == Direction::Response),
            _ => Err(io::Error::other(
                "its descriptor is missing: are there too many open files?",
            )),
        };
        match (memory, direction) {
            (Ok(memory), Direction::Request) => self.segments.add_request(number, memory),
            (Ok(memory), Direction::Response) => self.segments.add_response(number, memory),
            (Err(error), direction) => {
                let log = Log {
                    level: LogLevel::Error,
                    logger: "pyproc_worker".to_owned(),
                    message: format!("could not map segment {number} of {bytes} bytes: {error}"),
                    call: None,
                    stream: None,
                    request_id: None,
                    trace_id: None,
                    span_id: None,
                };
                let _ = self.shared.send(&ToHost::Log(log));
                if direction == Direction::Response {
                    let _ = self
                        .shared
                        .send(&ToHost::SegmentDropped { number, direction });
                }
                return false;
            }
        }
        true
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
