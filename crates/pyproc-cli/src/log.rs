//! What the workers print and log, and at `PYPROC_LOG_FILTER` what the pool does, on stderr.
//!
//! While a pool starts, lines are held back: a start that fails has one message, which ends with the
//! lines that matter.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::failure::Failure;

/// The variable that chooses what is shown, in the syntax of `RUST_LOG`: `debug`, `pyproc=trace`.
/// Who sets it sees every line at once.
const VARIABLE: &str = "PYPROC_LOG_FILTER";

/// What Python code wrote; failures of the pool itself reach the user as the program's one message.
const DEFAULT: &str = "pyproc::worker=info";

/// Bytes that are held back at most; a start that says more shows it.
const HELD_MAX: usize = 64 * 1024;

/// The lines of a start that is not over; `None` when lines go straight to stderr.
static HELD: Mutex<Option<Vec<u8>>> = Mutex::new(None);

/// Sends events to stderr, one plain line each, those of a start once it has succeeded. The filter is the
/// configuration's, where there is one.
pub(crate) fn start(configured: Option<&str>) -> Result<(), Failure> {
    let chosen = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty());
    let text = configured.or(chosen.as_deref()).unwrap_or(DEFAULT);
    let targets: Targets = text.parse().map_err(|error| {
        Failure::Usage(format!(
            "{VARIABLE} is {text:?}, which is no filter: {error}"
        ))
    })?;
    if chosen.is_none() {
        *HELD.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
    }
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(|| Lines)
        .with_ansi(false)
        .without_time()
        .compact();
    tracing_subscriber::registry()
        .with(lines)
        .with(targets)
        .init();
    Ok(())
}

/// The pool has started: shows what was held back and holds nothing back any more.
pub(crate) fn release() {
    let held = HELD.lock().unwrap_or_else(PoisonError::into_inner).take();
    // Nobody reads stderr: there is nobody to tell.
    let _ = io::stderr().write_all(&held.unwrap_or_default());
}

/// Where formatted lines go.
struct Lines;

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        match held.as_mut() {
            Some(lines) if lines.len() + line.len() <= HELD_MAX => lines.extend_from_slice(line),
            Some(lines) => {
                let lines = std::mem::take(lines);
                *held = None;
                io::stderr().write_all(&lines)?;
                io::stderr().write_all(line)?;
            }
            None => io::stderr().write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
