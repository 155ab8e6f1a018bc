//! `pyproc serve` as a test runs it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

use crate::common::Marked;

/// Longer than anything takes that does not hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// A gateway that is up.
pub(crate) struct Gateway {
    marked: Marked,
    program: Child,
    pub(crate) client: Client,
    lines: Receiver<String>,
    reader: Option<JoinHandle<()>>,
    seen: Vec<String>,
}

/// Who calls it: its address.
#[derive(Clone, Default)]
pub(crate) struct Client(String);

/// What an HTTP request was answered with.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Client {
    /// Calls a function with a JSON body and these headers.
    pub(crate) fn call(&self, function: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        let mut stream = self.send(function, body, headers);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a whole answer");
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        Answer {
            status: status.expect("a status"),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    /// Calls a function and goes without waiting for the answer.
    pub(crate) fn leave(&self, function: &str, body: &str, headers: &[(&str, &str)]) {
        drop(self.send(function, body, headers));
    }

    fn send(&self, function: &str, body: &str, headers: &[(&str, &str)]) -> TcpStream {
        let mut stream = TcpStream::connect(&self.0).expect("a gateway that listens");
        let headers: String = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let length = body.len();
        write!(
            stream,
            "POST /v1/call/{function} HTTP/1.1\r\nHost: localhost:81\r\nUser-Agent: test/1\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        )
        .expect("a request");
        stream
    }
}

impl Gateway {
    /// Starts it with JSON lines, and these arguments and variables beside.
    pub(crate) fn start(worker: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut marked = Marked::new();
        // What this machine says of collectors and certificates; Python's requests prefers the latter to all else.
        let of_machine = |name: &str| name.starts_with("OTEL_") || name.ends_with("_CA_BUNDLE");
        for (name, _) in std::env::vars().filter(|(name, _)| of_machine(name)) {
            marked.command.env_remove(name);
        }
        let mut program = marked
            .command
            .args(["serve", worker, "--log", "json"])
            .args(["--listen", "127.0.0.1:0", "--metrics-listen", "off"])
            .args(arguments)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program under test");
        let stderr = BufReader::new(program.stderr.take().expect("piped"));
        let (sender, lines) = channel();
        let reader = thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut gateway = Self {
            marked,
            program,
            client: Client::default(),
            lines,
            reader: Some(reader),
            seen: Vec::new(),
        };
        let listening = gateway.line(|line| line["message"] == "listening");
        let url = listening["listen"].as_str().expect("an address");
        gateway.client = Client(url.strip_prefix("http://").expect("over HTTP").to_owned());
        gateway
    }

    /// The first line that fits, once it has come.
    #[track_caller]
    pub(crate) fn line(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        let json = |line: &String| serde_json::from_str::<Value>(line).expect("a JSON line");
        if let Some(line) = self.seen.iter().map(json).find(&fits) {
            return line;
        }
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("{error}: {:#?}", self.seen));
            let value = json(&line);
            self.seen.push(line);
            if fits(&value) {
                return value;
            }
        }
    }

    /// See [`Client::call`].
    pub(crate) fn call(&self, function: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        self.client.call(function, body, headers)
    }

    /// Ends it as a supervisor would; everything that it has logged.
    #[track_caller]
    pub(crate) fn stop(mut self) -> Vec<Value> {
        let pid = i32::try_from(self.program.id()).expect("a process id");
        let pid = rustix::process::Pid::from_raw(pid).expect("a process id");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
        let status = self.program.wait().expect("it ends");
        let reader = self.reader.take().expect("it is stopped once");
        reader.join().expect("lines");
        self.seen.extend(self.lines.try_iter());
        assert!(status.success(), "{status}: {:#?}", self.seen);
        self.marked.nothing_left();
        let json = |line: &String| serde_json::from_str(line).expect("a JSON line");
        self.seen.iter().map(json).collect()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It has ended, unless the test has failed.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
