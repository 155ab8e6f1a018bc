//! Runs the program as a shell would, and checks after every run that no process of it is left.
#![allow(dead_code, reason = "each test program uses its part of this")]

pub(crate) mod program;
pub(crate) mod server;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What is waited for at most: a machine that is busy takes long, a program that hangs takes for ever.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// What a run left behind.
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Run {
    /// Standard output as text, when the run went well and said nothing else.
    #[track_caller]
    pub(crate) fn output(&self) -> &str {
        assert_eq!((self.status, self.stderr.as_str()), (0, ""));
        std::str::from_utf8(&self.stdout).expect("text")
    }

    /// Standard error, when the run failed with this status and printed no result.
    #[track_caller]
    pub(crate) fn error(&self, status: i32) -> &str {
        assert_eq!(self.status, status, "{}", self.stderr);
        assert_eq!(self.stdout, b"");
        &self.stderr
    }
}

/// The program with these arguments, nothing on stdin.
#[track_caller]
pub(crate) fn pyproc(arguments: &[&str]) -> Run {
    pyproc_reading(arguments, b"")
}

/// The program with these arguments and this on stdin.
#[track_caller]
pub(crate) fn pyproc_reading(arguments: &[&str], input: &[u8]) -> Run {
    run(Marked::new(), arguments, input)
}

/// The program with these arguments and this filter in `PYPROC_LOG_FILTER`.
#[track_caller]
pub(crate) fn pyproc_logging(filter: &str, arguments: &[&str]) -> Run {
    let mut marked = Marked::new();
    marked.command.env("PYPROC_LOG_FILTER", filter);
    run(marked, arguments, b"")
}

/// The program as it was prepared, with these arguments and this on stdin.
#[track_caller]
pub(crate) fn run(mut marked: Marked, arguments: &[&str], input: &[u8]) -> Run {
    let mut program = marked
        .command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program under test");
    // A program that does not want its input may close it.
    let _ = program.stdin.take().expect("piped").write_all(input);
    let output = program.wait_with_output().expect("a program that ends");
    marked.nothing_left();
    Run {
        status: output.status.code().expect("an exit status, not a signal"),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_pyproc");

/// A command whose processes, grandchildren included, can be told from all others.
pub(crate) struct Marked {
    pub(crate) command: Command,
    mark: String,
}

impl Marked {
    pub(crate) fn new() -> Self {
        Self::of(Command::new(PROGRAM))
    }

    /// The program, started by another one that gets these arguments first.
    pub(crate) fn through(starter: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(starter);
        command.args(arguments).arg(PROGRAM);
        Self::of(command)
    }

    fn of(mut command: Command) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mark = format!("TEST_OF_PYPROC={}-{count}", std::process::id());
        let (name, value) = mark.split_once('=').expect("written above");
        command
            .env(name, value)
            .env("PYPROC_PYTHON", python())
            .env_remove("PYPROC_LOG_FILTER")
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workers"));
        Self { command, mark }
    }

    /// Fails if a process of this command is still there; the kernel may take a moment to bury one.
    #[track_caller]
    pub(crate) fn nothing_left(&self) {
        wait_until("the end of all its processes", || self.process().is_none());
    }

    fn process(&self) -> Option<PathBuf> {
        fs::read_dir("/proc")
            .ok()?
            .flatten()
            .map(|entry| entry.path())
            .find(|process| {
                fs::read(process.join("environ")).is_ok_and(|environment| {
                    environment
                        .split(|byte| *byte == 0)
                        .any(|variable| variable == self.mark.as_bytes())
                })
            })
    }
}

/// Waits for what nobody tells: what the kernel knows of processes that are no children of the test, and
/// what only a request to the program shows.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let watchdog = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < watchdog, "waited in vain for {what}");
        // There is no event to wait for: see above.
        thread::sleep(Duration::from_millis(10));
    }
}

/// Says that something could not be tested on this machine.
pub(crate) fn not_run(reason: &str) {
    if let Some(list) = std::env::var_os("TESTS_NOT_RUN") {
        let mut list = OpenOptions::new()
            .append(true)
            .create(true)
            .open(list)
            .expect("the list of what was not run");
        writeln!(list, "{reason}").expect("a line in it");
    }
}

/// The interpreter of the checkout's `.venv`, which has the package.
pub(crate) fn python() -> PathBuf {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin/python");
    assert!(
        python.exists(),
        "there is no {}: run `make build` first",
        python.display()
    );
    python
}
