//! `pyproc serve` as a test runs it.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::common::Marked;
use crate::common::program::Program;

/// A gateway that is up.
pub(crate) struct Gateway {
    program: Program,
    pub(crate) client: Client,
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
        let places = ["--listen", "127.0.0.1:0", "--metrics-listen", "off"];
        marked
            .command
            .args(["serve", worker, "--log", "json"])
            .args(places)
            .args(arguments)
            .envs(variables.iter().copied());
        let mut gateway = Self {
            program: Program::spawn(marked),
            client: Client::default(),
        };
        let listening = gateway.line(|line| line["message"] == "listening");
        let url = listening["listen"].as_str().expect("an address");
        gateway.client = Client(url.strip_prefix("http://").expect("over HTTP").to_owned());
        gateway
    }

    /// The first line that fits, once it has come.
    #[track_caller]
    pub(crate) fn line(&self, fits: impl Fn(&Value) -> bool) -> Value {
        json(&self.program.line(|line| fits(&json(line))))
    }

    /// See [`Client::call`].
    pub(crate) fn call(&self, function: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        self.client.call(function, body, headers)
    }

    /// Ends it as a supervisor would; everything that it has logged.
    #[track_caller]
    pub(crate) fn stop(mut self) -> Vec<Value> {
        self.program.stop();
        self.program.lines().iter().map(|line| json(line)).collect()
    }
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).expect("a JSON line")
}
