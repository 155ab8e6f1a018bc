//! A gateway with real workers, and what must be the same after every attack.

use std::fs;
use std::net::SocketAddr;
use std::thread;

use crate::client::Client;
use crate::common::Marked;
use crate::common::program::Program;
pub(crate) use crate::common::{PATIENCE, not_run, wait_until};

/// Memory that a process may have more after an attack than before: what allocators keep.
const KEPT: u64 = 48 << 20;

/// Descriptors that may be open beside those of before: a log, a segment.
const DESCRIPTORS: usize = 8;

/// A running `pyproc serve abused.py`.
pub(crate) struct Gateway {
    program: Program,
    pub(crate) address: SocketAddr,
    pub(crate) metrics: SocketAddr,
    before: Before,
}

/// What stays the same.
struct Before {
    workers: Vec<u32>,
    memory: Vec<u64>,
    descriptors: usize,
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

    /// Starts one that may open no more descriptors than this.
    #[track_caller]
    pub(crate) fn start_within(descriptors: usize, flags: &[&str]) -> Self {
        let limit = format!("--nofile={descriptors}:{descriptors}");
        let marked = Marked::through("prlimit", &[&limit]);
        let mut gateway = Self::of(marked, flags);
        gateway.works();
        gateway.before = gateway.now();
        gateway
    }

    #[track_caller]
    pub(crate) fn start_without_a_call(flags: &[&str]) -> Self {
        Self::of(Marked::new(), flags)
    }

    #[track_caller]
    fn of(mut marked: Marked, flags: &[&str]) -> Self {
        let usual = ["--listen=127.0.0.1:0", "--metrics-listen=127.0.0.1:0"];
        if !flags.iter().any(|flag| flag.starts_with("--workers=")) {
            marked.command.env("PYPROC_WORKERS", "1");
        }
        let arguments = marked.command.args(["serve", "abused.py"]);
        arguments.args(usual).args(flags);
        let program = Program::spawn(marked);
        let address = |start: &str| {
            let line = program.line(|line| line.contains(start));
            let (_, address) = line.split_once("http://").expect("an address");
            let address = address.strip_suffix("/metrics").unwrap_or(address);
            address.parse().expect("an address and a port")
        };
        Self {
            address: address("Listening on "),
            metrics: address("Metrics on "),
            program,
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
        self.program
            .line_of_number(times, |said| said.contains(line));
    }

    /// Everything that it and its workers have written.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.program.lines()
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
        let mut now = self.now();
        wait_until("memory and descriptors to be given back", || {
            now = self.now();
            assert_eq!(now.workers, self.before.workers, "other workers");
            now.descriptors <= self.before.descriptors + DESCRIPTORS && kept(&now)
        });
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
        rustix::process::prlimit(
            Some(self.program.pid()),
            rustix::process::Resource::Nofile,
            limit,
        )
        .expect("a limit");
    }

    /// Bytes of memory that the gateway holds.
    pub(crate) fn memory(&self) -> u64 {
        memory(self.pid())
    }

    /// Whether the gateway has ended all connections.
    pub(crate) fn is_left_by_all(&self) -> bool {
        self.more_descriptors() <= DESCRIPTORS
    }

    /// Descriptors that the gateway has beyond those of its start.
    pub(crate) fn more_descriptors(&self) -> usize {
        descriptors(self.pid()).saturating_sub(self.before.descriptors)
    }

    fn pid(&self) -> u32 {
        self.program.pid().as_raw_nonzero().get().unsigned_abs()
    }

    fn now(&self) -> Before {
        let gateway = self.pid();
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
            eprintln!("The gateway said: {:#?}", self.program.lines());
        } else {
            self.program.stop();
        }
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
