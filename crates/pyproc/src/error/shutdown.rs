//! [`ShutdownError`]: what a shutdown could not do gently.

use std::time::Duration;

use super::{count, duration};

/// Why a shutdown was not clean. The pool is down all the same: no process is left.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShutdownError {
    /// Calls were still running when the time to finish was over; they were stopped.
    #[error(
        "{} still running after {} and stopped; raise `shutdown_timeout` to give them longer",
        calls(*stopped),
        duration(*after)
    )]
    Unfinished {
        /// Calls that were stopped.
        stopped: usize,
        /// The time they had been given.
        after: Duration,
    },

    /// Workers did not end when they were told to and were killed.
    #[error(
        "{} did not end within {} and had to be killed; \
         look for background threads or `atexit` handlers that do not return",
        count(*killed, "worker"),
        duration(*after)
    )]
    Killed {
        /// Workers that were killed.
        killed: usize,
        /// The time they had been given.
        after: Duration,
    },
}

fn calls(stopped: usize) -> String {
    format!(
        "{} {}",
        count(stopped, "call"),
        if stopped == 1 { "was" } else { "were" }
    )
}
