//! A running gateway, and a client for it.

use rustix::process::Signal;
use serde_json::Value;
use ureq::Agent;
use ureq::http::Response;

use super::program::{Ended, Program};
use super::{Marked, PATIENCE, wait_until};

/// `pyproc serve`, up and ready. Stop it with [`Server::stop`], which checks what it left behind.
pub(crate) struct Server {
    pub(crate) program: Program,
    /// `http://127.0.0.1:PORT`
    pub(crate) base: String,
    /// The same of the metrics.
    pub(crate) metrics: String,
    pub(crate) agent: Agent,
}

/// A gateway for `gateway.py` of the tests, on free ports.
#[track_caller]
pub(crate) fn serve(arguments: &[&str]) -> Server {
    let mut marked = Marked::new();
    marked.command.arg("serve").arg("gateway.py");
    marked.command.args(["--metrics-listen", "127.0.0.1:0"]);
    if !arguments.contains(&"--listen") {
        marked.command.args(["--listen", "127.0.0.1:0"]);
    }
    marked.command.args(arguments);
    let mut server = Server::spawn(marked);
    server.until_ready();
    server
}

impl Server {
    /// Starts a command and waits for nothing.
    pub(crate) fn spawn(marked: Marked) -> Self {
        Self {
            program: Program::spawn(marked),
            base: String::new(),
            metrics: String::new(),
            agent: agent(),
        }
    }

    /// Waits for the line that says how to try it; all that it has said until then.
    #[track_caller]
    pub(crate) fn until_ready(&mut self) -> Vec<String> {
        self.program.line(|line| line.starts_with("Try: "));
        let lines = self.program.lines();
        let after = |start: &str| {
            let found = lines.iter().find_map(|line| line.strip_prefix(start));
            found.unwrap_or_default().to_owned()
        };
        self.base = after("Listening on ");
        self.metrics = after("Metrics on ");
        lines
    }

    /// Waits for its socket, which is there before it is ready and said then only. It is to have one.
    #[track_caller]
    pub(crate) fn until_listening(&mut self) {
        let port = listening_port(self.program.pid().as_raw_nonzero().get());
        self.base = format!("http://127.0.0.1:{port}");
    }

    /// Calls a function with JSON.
    #[track_caller]
    pub(crate) fn call(&self, function: &str, body: &str) -> Answer {
        self.post(function, "application/json", body.as_bytes())
    }

    #[track_caller]
    pub(crate) fn post(&self, function: &str, content_type: &str, body: &[u8]) -> Answer {
        let request = self
            .agent
            .post(format!("{}/v1/call/{function}", self.base))
            .header("content-type", content_type);
        Answer::of(request.send(body).expect("an answer"))
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        let url = format!("{}{path}", self.base);
        Answer::of(self.agent.get(url).call().expect("an answer"))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.program.signal(signal);
    }

    /// Waits for its end; nothing of it is left then.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> Ended {
        self.program.ended()
    }

    /// Stops it as a supervisor would; it ends well.
    #[track_caller]
    pub(crate) fn stop(mut self) {
        self.program.stop();
    }
}

/// The port at which a process listens, once it does.
fn listening_port(pid: i32) -> u16 {
    let mut port = None;
    wait_until("it to listen", || {
        let sockets: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
            .expect("a process")
            .flatten()
            .filter_map(|file| {
                std::fs::read_link(file.path())
                    .ok()?
                    .to_str()
                    .map(str::to_owned)
            })
            .filter_map(|link| Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
            .collect();
        let table = std::fs::read_to_string(format!("/proc/{pid}/net/tcp")).expect("a table");
        port = table.lines().skip(1).find_map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let listens = columns.get(3) == Some(&"0A");
            let ours = listens
                && sockets
                    .iter()
                    .any(|inode| columns.get(9) == Some(&inode.as_str()));
            ours.then(|| u16::from_str_radix(columns[1].split_once(':')?.1, 16).ok())?
        });
        port.is_some()
    });
    port.expect("seen above")
}

/// A client whose connections are used again, for which every status is an answer.
pub(crate) fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .allow_non_standard_methods(true)
        .build()
        .into()
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    #[track_caller]
    pub(crate) fn of(mut response: Response<ureq::Body>) -> Self {
        let body = response
            .body_mut()
            .with_config()
            .limit(u64::MAX)
            .read_to_vec();
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: body.expect("a whole body"),
        }
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(|value| value.to_str());
        value.unwrap_or(Ok("")).expect("text")
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let value = serde_json::from_slice(&self.body);
        assert!(value.is_ok(), "{}", String::from_utf8_lossy(&self.body));
        value.unwrap_or_default()
    }

    /// The result, of a call that went well.
    #[track_caller]
    pub(crate) fn result(&self) -> Value {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }

    /// The `code` and `detail` of a problem document that is as such documents have to be.
    #[track_caller]
    pub(crate) fn problem(&self) -> (u16, String, String) {
        assert_eq!(self.header("content-type"), "application/problem+json");
        let document = self.json();
        assert_eq!(document["status"], self.status, "{document}");
        let text = |member: &str| document[member].as_str().expect(member).to_owned();
        assert_eq!(text("type"), "about:blank");
        (self.status, text("code"), text("detail"))
    }
}
