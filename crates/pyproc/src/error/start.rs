//! [`StartError`]: why a pool could not come up.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{ConfigErrors, Exit, OutOfMemory, duration, indented};
use crate::config::{Target, units::bytes};

/// Why a pool could not come up. Nothing of it is left behind: no process, file or descriptor.
///
/// `Display` includes what the worker wrote before it ended, or Python's traceback, indented under
/// the sentence: a start fails in front of a person.
///
/// ```
/// use pyproc::PoolConfig;
/// use pyproc::blocking::Pool;
///
/// let error = Pool::start(PoolConfig::new("worker.py").workers(0)).expect_err("no workers");
/// println!("{error}");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration is wrong; every problem is listed.
    #[error(transparent)]
    Config(#[from] ConfigErrors),

    /// No Python interpreter was found.
    #[error(
        "no Python interpreter was found; tried, in this order:{}\n\
         install Python 3.11 or later, or name one with `python` or PYPROC_PYTHON",
        indented(&tried.join("\n"))
    )]
    NoPython {
        /// Every place that was tried, and what was wrong with it.
        tried: Vec<String>,
    },

    /// The interpreter that was found or named cannot be used.
    #[error("{} cannot run workers: {problem}", python.display())]
    UnusablePython {
        /// The interpreter.
        python: PathBuf,
        /// What is wrong with it.
        problem: String,
    },

    /// The interpreter is older than Python 3.11.
    #[error(
        "{} is Python {version}, and workers need Python 3.11 or later; \
         name another with `python` or PYPROC_PYTHON",
        python.display()
    )]
    OldPython {
        /// The interpreter.
        python: PathBuf,
        /// Its version.
        version: String,
    },

    /// The interpreter is a build without the global lock.
    #[error(
        "{} is a free-threaded build of Python, which workers cannot use yet; \
         name an ordinary build with `python` or PYPROC_PYTHON",
        python.display()
    )]
    FreeThreadedPython {
        /// The interpreter.
        python: PathBuf,
    },

    /// The package `pyproc_worker` is not installed for the interpreter.
    #[error(
        "the package pyproc-worker is not installed for {python}; \
         install its wheel: {python} -m pip install pyproc_worker-*.whl",
        python = python.display()
    )]
    PackageMissing {
        /// The interpreter.
        python: PathBuf,
    },

    /// The package in the worker and this library are of versions that cannot work together.
    #[error(
        "pyproc {pyproc} cannot work with pyproc-worker {worker}, which is installed for {}; \
         install pyproc-worker {pyproc} there",
        python.display()
    )]
    VersionMismatch {
        /// Version of this library.
        pyproc: String,
        /// Version of the package that the worker has.
        worker: String,
        /// The interpreter.
        python: PathBuf,
    },

    /// The worker script does not exist, is no file or cannot be read.
    #[error("{}", no_script(script, source))]
    ScriptMissing {
        /// The script.
        script: PathBuf,
        /// Why not.
        source: io::Error,
    },

    /// The script or module raised an exception before it served anything.
    #[error("{target} raised {exception}: {message}{}", indented(traceback))]
    ScriptRaised {
        /// The script or module.
        target: String,
        /// Name of the exception's class.
        exception: String,
        /// What `str(exception)` gives.
        message: String,
        /// The traceback as Python prints it.
        traceback: String,
    },

    /// The script ended without ever calling `run_worker()`.
    #[error(
        "{target} ended without calling run_worker(); end it with\n  \
         if __name__ == \"__main__\":\n      run_worker()"
    )]
    NeverServed {
        /// The script or module.
        target: String,
    },

    /// The script ended before its worker was ready.
    #[error("{target} {exit} before it was ready{}", last_lines(stderr_tail))]
    ScriptExited {
        /// The script or module.
        target: String,
        /// How it ended.
        exit: Exit,
        /// The last lines that it wrote to stderr.
        stderr_tail: String,
    },

    /// The worker was killed before it was ready.
    #[error(
        "the worker of {target} {exit}{out_of_memory} before it was ready{}",
        last_lines(stderr_tail)
    )]
    WorkerDied {
        /// The script or module.
        target: String,
        /// How it ended.
        exit: Exit,
        /// Whether the kernel killed it for want of memory.
        out_of_memory: OutOfMemory,
        /// The last lines that it wrote to stderr; with a crash, Python's stack.
        stderr_tail: String,
    },

    /// The script or module exposes no function.
    #[error(
        "{target} exposes no function; put `@expose` above those that are to be called{}",
        or_name_one(target)
    )]
    NoFunctions {
        /// The script or module.
        target: String,
    },

    /// The script or module was loaded, but what it exposes cannot be called, or what was named is
    /// not in it.
    #[error("{target} cannot be served: {message}")]
    Unservable {
        /// The script, module or function.
        target: String,
        /// What is wrong, and where.
        message: String,
    },

    /// The worker was not ready in time.
    #[error(
        "{target} was not ready within {}; raise `start_timeout` if its imports take that long{}",
        duration(*after),
        last_lines(stderr_tail)
    )]
    Timeout {
        /// The script or module.
        target: String,
        /// The time it had been given.
        after: Duration,
        /// The last lines that it wrote to stderr.
        stderr_tail: String,
    },

    /// The machine or its container has too little shared memory for the pool's rings.
    #[error(
        "there is not enough shared memory for {} (the rings of one worker); \
         lower `ring` or `workers`, or give the container more memory",
        bytes(*needed)
    )]
    SharedMemory {
        /// Bytes that could not be had.
        needed: u64,
        /// What the system said.
        source: io::Error,
    },

    /// The program has no file descriptors left for the pool.
    #[error(
        "there are not enough file descriptors for the pool; raise the limit with `ulimit -n` or lower `workers`"
    )]
    Descriptors {
        /// What the system said.
        source: io::Error,
    },

    /// The worker process could not be started.
    #[error("{} could not be started", program.display())]
    Spawn {
        /// The program that was to be executed.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// The worker broke the protocol of the handshake.
    #[error("the worker of {target} broke the protocol of the handshake: {message}")]
    Protocol {
        /// The script or module.
        target: String,
        /// What it did.
        message: String,
    },

    /// The operating system refused something that the pool cannot do without.
    #[error("the pool could not {action}")]
    System {
        /// What was tried: `create an epoll instance`.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// A module's function can be named without its consent.
fn or_name_one(target: &str) -> String {
    match Target::parse(target) {
        Ok(Target::Module { module, .. }) => format!(", or name one as {module}:FUNCTION"),
        Ok(Target::Script(_)) | Err(_) => String::new(),
    }
}

fn no_script(script: &Path, source: &io::Error) -> String {
    let script = script.display();
    match source.kind() {
        io::ErrorKind::NotFound => format!("there is no worker script {script}"),
        io::ErrorKind::IsADirectory => {
            format!("the worker script {script} is a folder; name a file in it")
        }
        _ => format!("the worker script {script} cannot be read"),
    }
}

/// What stands before them.
pub(super) const LAST_LINES: &str = "; its last lines on stderr:";

fn last_lines(stderr_tail: &str) -> String {
    if stderr_tail.trim().is_empty() {
        "; it wrote nothing to stderr".to_owned()
    } else {
        format!("{LAST_LINES}{}", indented(stderr_tail))
    }
}
