//! The live line on a terminal; nothing anywhere else.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Counts calls and shows the count.
#[derive(Clone)]
pub(super) struct Progress {
    calls: Arc<AtomicU64>,
    display: Option<Arc<Display>>,
}

/// The thread that redraws the line; it ends when the sender goes.
struct Display {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Progress {
    /// Counts without showing anything.
    pub(super) fn hidden() -> Self {
        Self {
            calls: Arc::default(),
            display: None,
        }
    }

    /// Shows a line on stderr if that is a terminal.
    pub(super) fn start(duration: Duration) -> Self {
        if !io::stderr().is_terminal() {
            return Self::hidden();
        }
        let calls = Arc::<AtomicU64>::default();
        let (stop, stopped) = mpsc::channel();
        let counter = Arc::clone(&calls);
        let thread = thread::spawn(move || {
            const REDRAW: Duration = Duration::from_millis(200);
            let begin = Instant::now();
            while stopped.recv_timeout(REDRAW) == Err(RecvTimeoutError::Timeout) {
                draw(begin.elapsed(), duration, counter.load(Ordering::Relaxed));
            }
            erase();
        });
        Self {
            calls,
            display: Some(Arc::new(Display { stop, thread })),
        }
    }

    pub(super) fn more(&self, calls: u64) {
        // Relaxed: a count for the eye.
        self.calls.fetch_add(calls, Ordering::Relaxed);
    }

    /// Removes the line.
    pub(super) fn finish(self) {
        if let Some(display) = self.display.and_then(Arc::into_inner) {
            drop(display.stop);
            // A thread that panicked leaves a line behind, no more.
            let _ = display.thread.join();
        }
    }
}

/// A terminal that is gone is no reason to stop measuring.
fn draw(elapsed: Duration, duration: Duration, calls: u64) {
    let seconds = elapsed.as_secs_f64();
    let rate = calls as f64 / seconds;
    let _ = write!(
        io::stderr(),
        "\r\x1b[K{seconds:.1} s of {:.1} s · {calls} calls · {rate:.0} calls/s",
        duration.as_secs_f64()
    );
}

fn erase() {
    let _ = write!(io::stderr(), "\r\x1b[K");
}
