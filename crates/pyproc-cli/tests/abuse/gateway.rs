//! A gateway with real workers, and what must be the same after every attack.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::common::Marked;

/// What is waited for at most: a machine that is busy takes long, a gateway that hangs takes for ever.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(120);

/// Memory that a process may have more after an attack than before: what allocators keep.
const KEPT: u64 = 48 << 20;

/// Descriptors that may be open beside those of before: a log, a segment.
const DESCRIPTORS: usize = 8;

/// A running `pyproc serve abused.py`.
pub(crate) struct Gateway {
    marked: Marked,
    process: Child,
    pub(crate) address: SocketAddr,
    pub(crate) metrics: SocketAddr,
    output: Arc<Output>,
    reader: Option<JoinHandle<()>>,
    before: Before,
}

/// What stays the same.
struct Before {
    workers: Vec<u32>,
    memory: Vec<u64>,
    descriptors: usize,
}

/// What the gateway has written to stderr.
#[derive(Default)]
struct Output {
    lines: Mutex<Vec<String>>,
    ended: AtomicBool,
    more: Condvar,
}

impl Gateway {
    /// Starts one on free ports and calls it once.
    #[track_caller]
    pub(crate) fn start(flags: &[&str]) -> Self {
        let mut gateway = Self::start_without_a_call(flags);
        gateway.works();
        gateway.before = gateway.now();
        gateway
    }

    #[track_caller]
    pub(crate) fn start_without_a_call(flags: &[&str]) -> Self {
        let mut marked = Marked::new();
        let usual = [
            "--workers=1",
            "--listen=127.0.0.1:0",
            "--metrics-listen=127.0.0.1:0",
        ];
        let mut process = marked
            .command
            .args(["serve", "abused.py"])
            .args(usual)
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program under test");
        let output = Arc::new(Output::default());
        let stderr = BufReader::new(process.stderr.take().expect("piped"));
        let written = Arc::clone(&output);
        let reader = thread::spawn(move || {
            for line in stderr.lines() {
                written.add(line.expect("text"));
            }
            written.end();
        });
        let address = |line: String| {
            let (_, address) = line.split_once("http://").expect("an address");
            let address = address.strip_suffix("/metrics").unwrap_or(address);
            address.parse().expect("an address and a port")
        };
        Self {
            address: address(output.wait_for("Listening on ", 1)),
            metrics: address(output.wait_for("Metrics on ", 1)),
            marked,
            process,
            output,
            reader: Some(reader),
            before: Before {
                workers: Vec::new(),
                memory: Vec::new(),
                descriptors: 0,
            },
        }
    }

    /// A new connection.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// An ordinary client gets an ordinary answer.
    #[track_caller]
    pub(crate) fn works(&self) {
        assert_eq!(
            self.call("typed", r#"{"x": 1.5, "y": 2}"#),
            (200, "3.5".to_owned())
        );
    }

    /// Calls a function over a connection of its own.
    #[track_caller]
    pub(crate) fn call(&self, function: &str, json: &str) -> (u16, String) {
        let mut client = self.connect();
        client.call(function, json);
        let answer = client.answer();
        (answer.status, answer.text())
    }

    /// What `state` of the worker says.
    #[track_caller]
    pub(crate) fn count(&self, of: &str) -> u64 {
        let (status, text) = self.call("state", "{}");
        assert_eq!(status, 200, "{text}");
        let state: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        state[of].as_u64().expect("a count")
    }

    /// Waits until the worker has written a line so many times.
    #[track_caller]
    pub(crate) fn said(&self, line: &str, times: usize) {
        self.output.wait_for(line, times);
    }

    /// Everything is as it was before: the workers are the same and serve; memory, but for this much
    /// more than usual, and descriptors have come back.
    #[track_caller]
    pub(crate) fn is_unharmed_but(&self, more: u64) {
        self.works();
        let kept = |now: &Before| {
            let mut memory = now.memory.iter().zip(&self.before.memory);
            memory.all(|(now, before)| *now <= before + KEPT + more)
        };
        let watchdog = Instant::now() + WATCHDOG;
        loop {
            let now = self.now();
            assert_eq!(now.workers, self.before.workers, "other workers");
            let descriptors = now.descriptors <= self.before.descriptors + DESCRIPTORS;
            if descriptors && kept(&now) {
                return;
            }
            assert!(
                Instant::now() < watchdog,
                "descriptors: {}, before {}; memory: {:?}, before {:?}",
                now.descriptors,
                self.before.descriptors,
                now.memory,
                self.before.memory
            );
            // The kernel tells nobody when a process' memory or descriptors get fewer.
            thread::sleep(Duration::from_millis(50));
        }
    }

    #[track_caller]
    pub(crate) fn is_unharmed(&self) {
        self.is_unharmed_but(0);
    }

    /// Lets the gateway open only so many more descriptors than it has.
    pub(crate) fn limit_descriptors(&self, more: usize) {
        let most = (self.before.descriptors + more) as u64;
        let limit = rustix::process::Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        let process = rustix::process::Pid::from_child(&self.process);
        rustix::process::prlimit(Some(process), rustix::process::Resource::Nofile, limit)
            .expect("a limit");
    }

    /// Bytes of memory that the gateway holds.
    pub(crate) fn memory(&self) -> u64 {
        memory(self.process.id())
    }

    /// Whether the gateway has ended all connections.
    pub(crate) fn is_left_by_all(&self) -> bool {
        self.more_descriptors() <= DESCRIPTORS
    }

    /// Descriptors that the gateway has beyond those of its start.
    pub(crate) fn more_descriptors(&self) -> usize {
        descriptors(self.process.id()).saturating_sub(self.before.descriptors)
    }

    fn now(&self) -> Before {
        let gateway = self.process.id();
        let workers = children(gateway);
        let all = [&[gateway][..], &workers].concat();
        Before {
            memory: all.into_iter().map(memory).collect(),
            descriptors: descriptors(gateway),
            workers,
        }
    }
}

impl Drop for Gateway {
    /// Stops it as a supervisor does; it has to end well, with everything it started.
    #[expect(clippy::print_stderr, reason = "a test that fails has to say why")]
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("The gateway said: {:#?}", self.output.lines());
            let _ = self.process.kill();
            let _ = self.process.wait();
            return;
        }
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
        let status = self.process.wait().expect("a status");
        let _ = self.reader.take().map(JoinHandle::join);
        assert!(status.success(), "{status}: {:?}", self.output.lines());
        self.marked.nothing_left();
    }
}

impl Output {
    fn add(&self, line: String) {
        self.lines.lock().expect("a lock").push(line);
        self.more.notify_all();
    }

    /// Nothing more comes.
    fn end(&self) {
        let _lines = self.lines.lock().expect("a lock");
        self.ended.store(true, Relaxed);
        self.more.notify_all();
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("a lock").clone()
    }

    /// The line of this number that contains a text.
    #[track_caller]
    fn wait_for(&self, text: &str, number: usize) -> String {
        let mut lines = self.lines.lock().expect("a lock");
        let watchdog = Instant::now() + WATCHDOG;
        loop {
            let found = lines
                .iter()
                .filter(|line| line.contains(text))
                .nth(number - 1);
            if let Some(line) = found {
                return line.clone();
            }
            let left = watchdog.saturating_duration_since(Instant::now());
            let over = left.is_zero() || self.ended.load(Relaxed);
            assert!(!over, "{text:?} was not said: {lines:?}");
            lines = self.more.wait_timeout(lines, left).expect("a lock").0;
        }
    }
}

/// Waits for what nobody tells.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut reached: impl FnMut() -> bool) {
    let watchdog = Instant::now() + WATCHDOG;
    while !reached() {
        assert!(Instant::now() < watchdog, "{what}: waited for in vain");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Says that something could not be tested here.
pub(crate) fn not_run(reason: &str) {
    use std::io::Write;
    if let Some(list) = std::env::var_os("TESTS_NOT_RUN") {
        let mut list = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(list)
            .expect("the list of what was not run");
        writeln!(list, "{reason}").expect("a line in it");
    }
}

/// Child processes, in the order of their ids.
fn children(parent: u32) -> Vec<u32> {
    let mut children: Vec<u32> = fs::read_dir("/proc")
        .expect("a list of processes")
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| field(*pid, "PPid:") == Some(u64::from(parent)))
        .collect();
    children.sort_unstable();
    children
}

fn memory(pid: u32) -> u64 {
    field(pid, "VmRSS:").unwrap_or_default() << 10
}

fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// A number of `/proc/PID/status`.
fn field(pid: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
