//! [`CallError`]: why one call has no result.

use std::time::Duration;

use super::{Exit, OutOfMemory, duration, list};
use crate::config::units::bytes;

/// Why one call failed.
///
/// Every call ends exactly once, with its result or with one of these. Two questions come before
/// all others, and both have exact answers: [`may_have_run`](Self::may_have_run) and
/// [`retry`](Self::retry).
///
/// ```
/// use pyproc::{CallError, Retry};
///
/// fn answer(error: &CallError) -> String {
///     match error {
///         CallError::BadArgument { path, .. } => format!("please mend {path}"),
///         CallError::Python { exception, .. } => format!("it raised {exception}"),
///         error if error.retry() == Retry::Safe => "please try again".to_owned(),
///         error => error.to_string(),
///     }
/// }
///
/// assert_eq!(answer(&CallError::Closed), "the pool is shut down and takes no more calls");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The function raised an exception. The worker goes on.
    #[error(
        "the Python function raised {exception}{}",
        message_after_colon(message)
    )]
    Python {
        /// Name of the exception's class, with its module unless that is `builtins`.
        exception: String,
        /// What `str(exception)` gives.
        message: String,
        /// The traceback as Python prints it.
        traceback: String,
    },

    /// Time ran out: the caller's timeout, or the function's own limit.
    #[error("the call timed out after {} {phase}", duration(*after))]
    Timeout {
        /// Where the call was when its time ran out.
        phase: Phase,
        /// The limit that passed.
        after: Duration,
    },

    /// The worker process died while it had this call.
    #[error(
        "the worker (pid {pid}) {exit}{out_of_memory} {} this call",
        if *may_have_run { "while it ran" } else { "before it started" }
    )]
    WorkerDied {
        /// Process id of the worker that died.
        pid: u32,
        /// How it ended.
        exit: Exit,
        /// Whether the kernel killed it for want of memory.
        out_of_memory: OutOfMemory,
        /// The last lines that it wrote to stderr; with a crash, Python's stack.
        stderr_tail: String,
        /// Whether the function may have run, wholly or in part.
        may_have_run: bool,
    },

    /// All workers are busy and the queue is full; the call was refused at once.
    #[error(
        "the pool is overloaded: {waiting} calls wait already and its queue holds {limit}; \
         try again later, or raise `queue` or `workers`"
    )]
    Overloaded {
        /// Calls that wait in the queue.
        waiting: usize,
        /// Calls that the queue can hold.
        limit: usize,
    },

    /// The worker exposes no function of this name.
    #[error("no function is named `{name}`{}", what_there_is(nearest.as_deref(), available))]
    NoSuchFunction {
        /// The name that was asked for.
        name: String,
        /// The exposed name that looks most like it, if one does.
        nearest: Option<String>,
        /// Every exposed name.
        available: Vec<String>,
    },

    /// The body is not what its content type says, or the arguments cannot be encoded. The function
    /// was not run.
    #[error("the body of the call is malformed: {message}")]
    Malformed {
        /// What is wrong with it, and where.
        message: String,
    },

    /// The body does not fit the function's parameters. The function was not run.
    #[error("{} is wrong: expected {expected}, got {got}", argument(path))]
    BadArgument {
        /// Which part of the arguments: `$.features[2].value`; `$` is the whole body.
        path: String,
        /// What the function takes there.
        expected: String,
        /// What the body has there.
        got: String,
    },

    /// A body is beyond the pool's limit. Arguments are refused before the worker sees anything.
    #[error(
        "{part} too large: {} where `max_body` allows {}; send less or raise `max_body`",
        bytes(*size),
        bytes(*limit)
    )]
    TooLarge {
        /// Which body: the call's or the result's.
        part: Part,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },

    /// The function returned, but its result cannot be encoded, or not read as what the caller
    /// asked for.
    #[error("the function's result cannot be used: {message}")]
    BadResult {
        /// What is wrong with it, and where.
        message: String,
    },

    /// The worker broke the protocol between it and the pool. It was killed and is replaced.
    #[error("the worker broke the protocol and was killed: {message}")]
    Protocol {
        /// What it did.
        message: String,
    },

    /// The pool is shut down; it takes no more calls.
    #[error("the pool is shut down and takes no more calls")]
    Closed,

    /// The call was stopped while it ran, because the pool shut down and the time to finish was
    /// over.
    #[error("the call was stopped while it ran, because the pool was shut down")]
    Cancelled,
}

/// Where a call was when its time ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// No worker had started it; it never runs.
    Queue,
    /// A worker had started it.
    Run,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Queue => "in the queue, before a worker started it",
            Self::Run => "while the function was running",
        })
    }
}

/// Which of a call's two bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Part {
    /// What the caller sent.
    Arguments,
    /// What the function returned.
    Result,
}

impl std::fmt::Display for Part {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Arguments => "the body of the call is",
            Self::Result => "the function's result is",
        })
    }
}

/// Whether to make a failed call again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Retry {
    /// It would fail in the same way.
    Never,
    /// The function has not run: try again, after a pause.
    Safe,
    /// The function may have run: try again only if running it twice does no harm.
    IfIdempotent,
}

impl CallError {
    /// Whether the function may have run, wholly or in part.
    ///
    /// `false` is a promise: a worker had not started the call, and no worker will.
    #[must_use]
    pub fn may_have_run(&self) -> bool {
        match self {
            Self::Python { .. }
            | Self::BadResult { .. }
            | Self::Protocol { .. }
            | Self::Cancelled
            | Self::Timeout {
                phase: Phase::Run, ..
            }
            | Self::TooLarge {
                part: Part::Result, ..
            } => true,
            Self::Timeout {
                phase: Phase::Queue,
                ..
            }
            | Self::TooLarge {
                part: Part::Arguments,
                ..
            }
            | Self::Overloaded { .. }
            | Self::NoSuchFunction { .. }
            | Self::Malformed { .. }
            | Self::BadArgument { .. }
            | Self::Closed => false,
            Self::WorkerDied { may_have_run, .. } => *may_have_run,
        }
    }

    /// Whether the same call could succeed if it were made again.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Python { .. }
            | Self::NoSuchFunction { .. }
            | Self::Malformed { .. }
            | Self::BadArgument { .. }
            | Self::TooLarge { .. }
            | Self::BadResult { .. }
            | Self::Closed => Retry::Never,
            Self::Timeout {
                phase: Phase::Queue,
                ..
            }
            | Self::Overloaded { .. }
            | Self::WorkerDied {
                may_have_run: false,
                ..
            } => Retry::Safe,
            Self::Timeout {
                phase: Phase::Run, ..
            }
            | Self::WorkerDied {
                may_have_run: true, ..
            }
            | Self::Protocol { .. }
            | Self::Cancelled => Retry::IfIdempotent,
        }
    }

    /// The HTTP status that tells a client the same.
    #[must_use]
    pub fn http_status(&self) -> u16 {
        match self {
            Self::Malformed { .. } => 400,
            Self::NoSuchFunction { .. } => 404,
            Self::TooLarge {
                part: Part::Arguments,
                ..
            } => 413,
            Self::BadArgument { .. } => 422,
            Self::Python { .. }
            | Self::BadResult { .. }
            | Self::TooLarge {
                part: Part::Result, ..
            } => 500,
            Self::WorkerDied { .. } | Self::Protocol { .. } => 502,
            Self::Overloaded { .. } | Self::Closed | Self::Cancelled => 503,
            Self::Timeout { .. } => 504,
        }
    }

    /// A short name for this kind of failure, fit for a metric's label.
    #[must_use]
    pub fn metric_label(&self) -> &'static str {
        match self {
            Self::Python { .. } => "python",
            Self::Timeout {
                phase: Phase::Queue,
                ..
            } => "timeout_queue",
            Self::Timeout {
                phase: Phase::Run, ..
            } => "timeout_run",
            Self::WorkerDied { .. } => "worker_died",
            Self::Overloaded { .. } => "overloaded",
            Self::NoSuchFunction { .. } => "no_such_function",
            Self::Malformed { .. } => "malformed",
            Self::BadArgument { .. } => "bad_argument",
            Self::TooLarge { .. } => "too_large",
            Self::BadResult { .. } => "bad_result",
            Self::Protocol { .. } => "protocol",
            Self::Closed => "closed",
            Self::Cancelled => "cancelled",
        }
    }

    /// What a person wants to read after the sentence: the traceback of an exception, the last
    /// lines of a dead worker's stderr.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        let text = match self {
            Self::Python { traceback, .. } => traceback,
            Self::WorkerDied { stderr_tail, .. } => stderr_tail,
            Self::Timeout { .. }
            | Self::Overloaded { .. }
            | Self::NoSuchFunction { .. }
            | Self::Malformed { .. }
            | Self::BadArgument { .. }
            | Self::TooLarge { .. }
            | Self::BadResult { .. }
            | Self::Protocol { .. }
            | Self::Closed
            | Self::Cancelled => return None,
        };
        Some(text.trim_end()).filter(|text| !text.is_empty())
    }

    /// The error for a name that no function has, with the nearest of those there are.
    pub(crate) fn no_such_function(
        name: &str,
        available: impl IntoIterator<Item = String>,
    ) -> Self {
        let available: Vec<String> = available.into_iter().collect();
        Self::NoSuchFunction {
            name: name.to_owned(),
            nearest: super::nearest(name, &available).map(str::to_owned),
            available,
        }
    }
}

fn message_after_colon(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    }
}

fn what_there_is(nearest: Option<&str>, available: &[String]) -> String {
    match nearest {
        Some(nearest) => format!("; did you mean `{nearest}`?"),
        None if available.is_empty() => String::new(),
        None => format!("; there is {}", list(available)),
    }
}

fn argument(path: &str) -> String {
    if path.is_empty() || path == "$" {
        "the argument".to_owned()
    } else {
        format!("argument `{path}`")
    }
}
