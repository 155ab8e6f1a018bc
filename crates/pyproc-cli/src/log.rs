//! What the workers print and log, and at `PYPROC_LOG` what the pool does, on stderr.

use std::io;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::failure::Failure;

/// The variable that chooses what is shown, in the syntax of `RUST_LOG`: `debug`, `pyproc=trace`.
const VARIABLE: &str = "PYPROC_LOG";

/// What Python code wrote; failures of the pool itself reach the user as the program's one message.
const DEFAULT: &str = "pyproc::worker=info";

/// Sends events to stderr, one plain line each.
pub(crate) fn start() -> Result<(), Failure> {
    let text = std::env::var(VARIABLE).unwrap_or_else(|_| DEFAULT.to_owned());
    let targets: Targets = text.parse().map_err(|error| {
        Failure::Usage(format!(
            "{VARIABLE} is {text:?}, which is no filter: {error}"
        ))
    })?;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(false)
        .without_time()
        .compact();
    tracing_subscriber::registry()
        .with(lines)
        .with(targets)
        .init();
    Ok(())
}
