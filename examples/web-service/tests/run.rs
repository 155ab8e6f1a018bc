//! The program, run as a person runs it, and a client on plain sockets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

/// The program, killed if a test fails.
struct Service {
    process: Child,
    output: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Service {
    fn start() -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_web-service"))
            .arg("127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program");
        let mut output = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut line = String::new();
        output.read_line(&mut line).expect("its first line");
        let address = line
            .strip_prefix("Listening on http://")
            .and_then(|rest| rest.split(',').next())
            .and_then(|address| address.parse().ok())
            .expect("an address in its first line");
        Self {
            process,
            output,
            address,
        }
    }

    fn post(&self, function: &str, body: &str) -> (u16, String) {
        post(self.address, function, body).expect("an answer")
    }

    /// Presses Ctrl-C, and waits for the end: what it said, and whether it was content.
    fn interrupt(mut self) -> (String, bool) {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, Signal::INT).expect("it runs");
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).expect("its output");
        let status = self.process.wait().expect("its status");
        (rest, status.success())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Status and body; none if the server has closed the connection without a word.
fn post(address: SocketAddr, function: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    let length = body.len();
    let request = format!(
        "POST /v1/{function} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut response = String::new();
    stream.read_to_string(&mut response).ok()?;
    let status = response.split(' ').nth(1)?.parse().ok()?;
    Some((status, response.split_once("\r\n\r\n")?.1.to_owned()))
}

#[test]
fn results_and_failures_have_their_status() {
    let service = Service::start();
    let (status, stored) = service.post("hash_password", r#""correct horse""#);
    assert_eq!(status, 200, "{stored}");
    let verify = |password: &str| {
        let body = format!(r#"{{"password": "{password}", "stored": {stored}}}"#);
        service.post("verify_password", &body)
    };
    assert_eq!(verify("correct horse"), (200, "true".to_owned()));
    assert_eq!(verify("battery staple"), (200, "false".to_owned()));

    let (status, body) = service.post("hash_pasword", r#""x""#);
    assert_eq!(status, 404);
    assert!(body.contains("did you mean `hash_password`?"), "{body}");
    let (status, body) = service.post("hash_password", "42");
    assert_eq!(status, 422, "{body}");
    let (status, body) = service.post("hash_password", "\"x");
    assert_eq!(status, 400, "{body}");
    let (status, body) = service.post("verify_password", r#"["x", "AAAA"]"#);
    assert_eq!(status, 500, "{body}");
    assert!(
        body.contains("ValueError") && !body.contains("Traceback"),
        "{body}"
    );

    let (said, content) = service.interrupt();
    assert!(content && said.contains("All calls have ended"), "{said}");
}

#[test]
fn overload_is_503_and_what_was_begun_is_finished_after_an_interrupt() {
    let service = Service::start();
    let address = service.address;
    let (answers, all) = mpsc::channel();
    for _ in 0..24 {
        let answers = answers.clone();
        thread::spawn(move || {
            // A connection that the server had not read from when it was interrupted is just closed.
            let status = post(address, "hash_password", r#""x""#).map(|answer| answer.0);
            answers.send(status).expect("a test that listens");
        });
    }
    drop(answers);
    // The first that is turned away: now the queue is full, and a worker busy.
    let before: Vec<_> = all
        .iter()
        .take_while(|&status| status != Some(503))
        .collect();
    assert!(
        before.iter().all(|&status| status == Some(200)),
        "{before:?}"
    );
    let (said, content) = service.interrupt();
    assert!(content && said.contains("All calls have ended"), "{said}");
    let after: Vec<_> = all.iter().collect();
    let finished = after.iter().filter(|&&status| status == Some(200)).count();
    assert!(finished >= 1, "{after:?}");
    let known = |status: &Option<u16>| matches!(status, None | Some(200 | 503));
    assert!(after.iter().all(known), "{after:?}");
}
