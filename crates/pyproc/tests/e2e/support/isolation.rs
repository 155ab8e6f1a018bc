//! A process per test: a hung one can be killed, and what it leaves behind can be told.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal};

use super::processes::{children, descriptors};

/// A test that has not ended by then hangs.
const LIMIT: Duration = Duration::from_secs(180);

/// The test that this process runs.
const TEST: &str = "PYPROC_TEST";

/// The folder that belongs to the test.
const SCRATCH: &str = "PYPROC_TEST_SCRATCH";

/// How a test runs in a process of its own.
pub(crate) struct Isolation<'a> {
    name: String,
    under: &'a [&'a str],
    pub(crate) limit: Duration,
}

impl<'a> Isolation<'a> {
    /// For the test in which this type is written, best a closure: `e2e::faults::a_test::{{closure}}`
    /// is of the test `faults::a_test`.
    pub(crate) fn of<Closure>() -> Self {
        let path = std::any::type_name::<Closure>();
        Self::named(path.split("::{{closure}}").next().unwrap_or(path))
    }

    /// For the test with this path, crate included.
    pub(crate) fn named(path: &str) -> Self {
        let name = path
            .split_once("::")
            .map_or(path, |(_, name)| name)
            .to_owned();
        Self {
            name,
            under: &[],
            limit: LIMIT,
        }
    }

    /// Started through this program and its arguments, which executes what follows them.
    pub(crate) fn under(self, under: &'a [&'a str]) -> Self {
        Self { under, ..self }
    }

    /// Is this the process of the test?
    pub(crate) fn is_inside(&self) -> bool {
        env::var(TEST).is_ok_and(|test| test == self.name)
    }

    /// Runs the test's body there, and fails if it panics, hangs, or leaves anything: a process, a
    /// thread, a descriptor, shared memory or a file in `TMPDIR`.
    pub(crate) fn run(self, body: impl FnOnce()) {
        if self.is_inside() {
            let before = Before::now();
            body();
            before.is_restored();
        } else {
            Isolated::start(self).finish();
        }
    }
}

/// The folder of the test that runs, for scripts and marks; it goes with the test.
pub(crate) fn scratch() -> PathBuf {
    env::var_os(SCRATCH).expect("inside of `isolated`").into()
}

/// The process that runs a test.
struct Isolated {
    name: String,
    process: Child,
    folder: PathBuf,
    pub(crate) limit: Duration,
}

impl Isolated {
    fn start(Isolation { name, under, limit }: Isolation<'_>) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!(
            "{}-{}",
            std::process::id(),
            name.replace("::", "-")
        ));
        for part in ["scratch", "tmp"] {
            fs::create_dir_all(folder.join(part)).expect("a folder for the test");
        }
        let output = File::create(folder.join("output")).expect("a file for its output");
        let program = env::current_exe().expect("this program");
        let mut command = match under {
            [] => Command::new(program),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        };
        let process = command
            .args([
                "--exact",
                &name,
                "--nocapture",
                "--test-threads=1",
                "--include-ignored",
            ])
            .env(TEST, &name)
            .env(SCRATCH, folder.join("scratch"))
            .env("TMPDIR", folder.join("tmp"))
            .env("RUST_BACKTRACE", "0")
            .env_remove("PYPROC_PYTHON")
            .stdin(Stdio::null())
            .stderr(output.try_clone().expect("a descriptor"))
            .stdout(output)
            .process_group(0)
            .spawn()
            .expect("this program once more");
        Self {
            name,
            process,
            folder,
            limit,
        }
    }

    fn finish(mut self) {
        let pid = Pid::from_child(&self.process);
        let exit =
            rustix::process::pidfd_open(pid, PidfdFlags::empty()).expect("a process to watch");
        let limit = Timespec {
            tv_sec: self.limit.as_secs() as i64,
            tv_nsec: 0,
        };
        let ended = loop {
            match rustix::event::poll(&mut [PollFd::new(&exit, PollFlags::IN)], Some(&limit)) {
                Ok(count) => break count > 0,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => panic!("poll: {error}"),
            }
        };
        if !ended {
            let _ = rustix::process::kill_process_group(pid, Signal::KILL);
        }
        let status = self.process.wait().expect("its status");
        let output = fs::read_to_string(self.folder.join("output")).unwrap_or_default();
        fs::remove_dir_all(&self.folder).expect("the folder goes");
        assert!(ended, "{} hangs; what it said:\n{output}", self.name);
        assert!(
            status.success(),
            "{} failed ({status}); what it said:\n{output}",
            self.name
        );
        // A name that fits no test would pass without having run.
        assert!(
            output.contains("1 passed"),
            "{} did not run:\n{output}",
            self.name
        );
    }
}

/// What a process has before the test's body runs.
struct Before {
    descriptors: BTreeMap<u32, String>,
}

impl Before {
    fn now() -> Self {
        Self {
            descriptors: descriptors(),
        }
    }

    /// Looks until all is as it was: a pool that was dropped ends on its own time.
    fn is_restored(&self) {
        let watchdog = Instant::now() + Duration::from_secs(20);
        loop {
            let left = self.left();
            if left.is_empty() {
                return;
            }
            assert!(
                Instant::now() < watchdog,
                "the test left behind:\n  {}",
                left.join("\n  ")
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn left(&self) -> Vec<String> {
        let mut left: Vec<String> = children()
            .into_iter()
            .map(|pid| format!("process {pid}: {}", command(pid)))
            .collect();
        left.extend(threads().into_iter().map(|name| format!("thread {name}")));
        let new = descriptors()
            .into_iter()
            .filter(|(fd, _)| !self.descriptors.contains_key(fd));
        left.extend(new.map(|(fd, target)| format!("descriptor {fd}: {target}")));
        let maps = fs::read_to_string("/proc/self/maps").expect("maps");
        left.extend(
            maps.lines()
                .filter(|line| line.contains("pyproc-"))
                .filter(|line| line.contains("memfd:"))
                .map(str::to_owned),
        );
        let files = fs::read_dir(env::temp_dir()).expect("TMPDIR").flatten();
        left.extend(files.map(|file| format!("file {}", file.path().display())));
        left
    }
}

fn command(pid: u32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ")
}

/// Threads of the library.
fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").expect("tasks").flatten();
    tasks
        .filter_map(|task| fs::read_to_string(task.path().join("comm")).ok())
        .map(|name| name.trim_end().to_owned())
        .filter(|name| name.starts_with("pyproc"))
        .collect()
}
