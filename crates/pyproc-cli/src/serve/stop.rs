//! The signals to stop, and stopping: nothing that was begun is lost.

use std::io;

use pyproc::Pool;
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
    let busy = app.connections.busy();
    // Calls that still run are stopped by it and answered; so are those that still wait.
    let ended = pool.shutdown().await;
    if busy == 0 {
        return ended.map_err(|rough| Failure::Failed(rough.to_string()));
    }
    // The last answers are on their way.
    let written = Instant::now() + 4 * TICK;
    while app.connections.count() > 0 && Instant::now() < written {
        sleep(TICK / 10).await;
    }
    Err(Failure::Failed(format!(
        "{} stopped, since it ran when the {} of `shutdown_timeout` were over",
        if busy == 1 {
            "1 call was".to_owned()
        } else {
            format!("the calls of {busy} connections were")
        },
        pyproc::Span::from(app.settings.shutdown_timeout)
    )))
}
