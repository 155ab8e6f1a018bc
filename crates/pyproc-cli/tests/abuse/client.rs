//! A client that sends any bytes it likes, and reads answers as they come.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use crate::gateway::PATIENCE;

/// One connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    read: Vec<u8>,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::on(TcpStream::connect(address).expect("a connection"))
    }

    pub(crate) fn on(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("an option");
        stream.set_write_timeout(Some(PATIENCE)).expect("an option");
        Self {
            stream,
            read: Vec::new(),
        }
    }

    /// Sends bytes; the gateway may have closed the connection, which reading tells.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        match self.stream.write_all(bytes.as_ref()) {
            Ok(()) => true,
            Err(error) => {
                assert!(is_end(&error), "{error}");
                false
            }
        }
    }

    /// Sends a call.
    pub(crate) fn call(&mut self, function: &str, json: &str) {
        self.send(request(function, "application/json", json.as_bytes()));
    }

    /// The next answer.
    #[track_caller]
    pub(crate) fn answer(&mut self) -> Answer {
        self.next().expect("an answer, not the connection's end")
    }

    /// The next answer; nothing when the connection ends instead.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Option<Answer> {
        let end = self.read_until(head_end)?;
        let head = String::from_utf8(self.read[..end].to_vec()).expect("text");
        let status = head
            .strip_prefix("HTTP/1.1 ")
            .or(head.strip_prefix("HTTP/1.0 "))
            .and_then(|rest| rest.get(..3)?.parse().ok());
        assert!(status.is_some(), "no answer: {head:?}");
        let mut answer = Answer {
            status: status.unwrap_or_default(),
            head,
            body: Vec::new(),
        };
        let length = match answer.header("content-length") {
            Some(length) => length.parse().expect("a length"),
            None => 0,
        };
        self.read_until(|read| (read.len() >= end + length).then_some(0))?;
        let rest = self.read.split_off(end + length);
        answer.body = self.read.split_off(end);
        self.read = rest;
        Some(answer)
    }

    /// All answers until the gateway ends the connection.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> Vec<Answer> {
        std::iter::from_fn(|| self.next()).collect()
    }

    /// No answer comes any more; the gateway has ended the connection.
    #[track_caller]
    pub(crate) fn is_closed(&mut self) {
        let rest = self.rest();
        assert!(rest.is_empty() && self.read.is_empty(), "{rest:?}");
    }

    /// Sends nothing more, but reads on.
    pub(crate) fn finish(&self) {
        // It may be closed already.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Goes away without a farewell: the gateway sees a reset.
    pub(crate) fn reset(self) {
        rustix::net::sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO))
            .expect("an option");
    }

    #[track_caller]
    fn read_until<T>(&mut self, reached: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
        loop {
            if let Some(found) = reached(&self.read) {
                return Some(found);
            }
            let mut bytes = [0; 16 << 10];
            match self.stream.read(&mut bytes) {
                Ok(0) => return None,
                Ok(count) => self.read.extend_from_slice(&bytes[..count]),
                Err(error) => {
                    assert!(is_end(&error), "no answer: {error}");
                    return None;
                }
            }
        }
    }
}

impl Answer {
    /// A header of the answer.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("text")
    }

    /// The member `code` of a problem document.
    #[track_caller]
    pub(crate) fn code(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        let problem: serde_json::Value = serde_json::from_slice(&self.body).expect("JSON");
        assert_eq!(problem["status"], self.status);
        problem["code"].as_str().expect("a code").to_owned()
    }
}

/// Sends bytes over a connection of their own and gives the answers to them: all there are, known by the
/// answer to one more request, or the connection's end.
#[track_caller]
pub(crate) fn exchange(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Vec<Answer> {
    const LAST: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: last\r\nConnection: close\r\n\r\n";
    let mut client = Client::connect(address);
    client.send(bytes);
    // Only then, since a body that ends too early would take in what follows.
    let first = client.next();
    client.send(LAST);
    let mut answers: Vec<Answer> = first.into_iter().chain(client.rest()).collect();
    answers.pop_if(|answer| answer.header("x-request-id") == Some("last"));
    answers
}

/// The bytes of a call.
pub(crate) fn request(function: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /v1/call/{function} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn head_end(read: &[u8]) -> Option<usize> {
    let found = read.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some(found + 4)
}

/// Whether the other side has gone.
pub(crate) fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
    )
}
