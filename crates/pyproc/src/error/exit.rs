//! How a worker process ended.

use std::fmt;

/// How a worker process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Exit {
    /// It exited with this status.
    Status(i32),
    /// This signal killed it.
    Signal(i32),
    /// Something else in this program reaped it first, or the program ignores SIGCHLD: the kernel
    /// no longer says how it ended.
    Unknown,
}

impl Exit {
    /// What the process was seen to end with.
    pub(crate) fn new(exit: pyproc_ipc::process::Exit) -> Self {
        match exit {
            pyproc_ipc::process::Exit::Status(status) => Self::Status(status),
            pyproc_ipc::process::Exit::Signal(signal) => Self::Signal(signal),
            pyproc_ipc::process::Exit::Unknown => Self::Unknown,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Status(status) => write!(formatter, "exited with status {status}"),
            Self::Signal(signal) => match signal_name(signal) {
                Some(name) => write!(formatter, "was killed by {name}"),
                None => write!(formatter, "was killed by signal {signal}"),
            },
            Self::Unknown => formatter.write_str("ended"),
        }
    }
}

/// Whether a worker died because memory ran out, as far as the kernel tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OutOfMemory {
    /// Nothing points to it.
    #[default]
    No,
    /// It was killed by SIGKILL, and the control group's out-of-memory counter went up meanwhile;
    /// another process of the group may have been the cause.
    Probably,
}

impl fmt::Display for OutOfMemory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::No => "",
            Self::Probably => ", probably because memory ran out,",
        })
    }
}

/// Linux's names of the signals that end workers; the numbers are those of x86-64 and arm64.
fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        10 => "SIGUSR1",
        11 => "SIGSEGV",
        12 => "SIGUSR2",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        16 => "SIGSTKFLT",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        _ => return None,
    })
}
