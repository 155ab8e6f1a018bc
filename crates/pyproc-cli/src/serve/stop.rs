//! The signals to stop, and stopping: nothing that was begun is lost.

use std::io;

use pyproc::{Pool, ShutdownError};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep, sleep_until};

use super::app::App;
use super::connections::TICK;
use crate::failure::Failure;

/// SIGTERM, as a supervisor sends it, and SIGINT, as Ctrl-C does.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The next of them, by name.
    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Waits until every request has its answer, but not beyond `shutdown_timeout`; then ends the workers.
/// The listeners are closed already.
pub(super) async fn drain(app: &App, pool: &Pool) -> Result<(), Failure> {
    let deadline = Instant::now() + app.settings.shutdown_timeout;
    app.connections.drain();
    while app.connections.count() > 0 && Instant::now() < deadline {
        sleep_until((Instant::now() + TICK / 10).min(deadline)).await;
    }
    let late = app.connections.busy() > 0;
    // Nothing was called with a body that still comes: its client is told to send it again.
    app.closing.cancel();
    // Calls that still run are stopped by it and answered; so are those that still wait.
    let ended = pool.shutdown().await;
    if late {
        // The last answers are on their way.
        let written = Instant::now() + 4 * TICK;
        while app.connections.count() > 0 && Instant::now() < written {
            sleep(TICK / 10).await;
        }
    }
    let over = format!(
        "when the {} of `shutdown_timeout` were over",
        pyproc::Span::from(app.settings.shutdown_timeout)
    );
    let untaken = app.connections.busy();
    match ended {
        Err(ShutdownError::Unfinished { stopped, .. }) => Err(Failure::Failed(match stopped {
            1 => format!("1 call was stopped, since it had not ended {over}"),
            more => format!("{more} calls were stopped, since they had not ended {over}"),
        })),
        Err(rough) => Err(Failure::Failed(rough.to_string())),
        Ok(()) if untaken == 0 => Ok(()),
        Ok(()) => Err(Failure::Failed(match untaken {
            1 => format!("1 client had not taken all of its answer {over}"),
            more => format!("{more} clients had not taken all of their answers {over}"),
        })),
    }
}
