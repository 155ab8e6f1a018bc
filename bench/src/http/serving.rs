//! A server that runs: started, found to answer as it should, warmed, and ended with all it has started.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::peers::LIMIT;
use crate::program::Group;

/// What is asked.
const BODY: &str = r#"{"value": 42}"#;
/// How long one connection asks before anything is measured.
const WARM_UP: Duration = Duration::from_millis(300);

/// A server, until it is dropped.
pub(super) struct Serving {
    group: Group,
    port: u16,
    path: &'static str,
    /// The length of an answer, head and body.
    answer: usize,
}

impl Serving {
    /// Starts a server on a port that is free, and waits until it gives this answer.
    pub(super) fn start(
        command: impl FnOnce(u16) -> Result<Command, Failure>,
        path: &'static str,
        expected: &serde_json::Value,
    ) -> Result<Self, Failure> {
        let port = free_port()?;
        let mut server = Self {
            group: Group::spawn(command(port)?, Stdio::null())?,
            port,
            path,
            answer: 0,
        };
        let begin = Instant::now();
        let mut connection = loop {
            if let Some(reason) = server.group.ended()? {
                return Err(reason.into());
            }
            let refusal = match Connection::open(port).and_then(|mut connection| {
                let answer = connection.ask(path)?;
                Ok((connection, answer))
            }) {
                Ok((connection, answer)) if answer.status == 200 => {
                    answer.check(expected)?;
                    server.answer = answer.bytes;
                    break connection;
                }
                Ok((_, answer)) => format!("its answer is {}", answer.status),
                Err(failure) => failure.to_string(),
            };
            if begin.elapsed() > LIMIT {
                return Err(
                    format!("did not serve within {} s: {refusal}", LIMIT.as_secs()).into(),
                );
            }
            thread::sleep(Duration::from_millis(10));
        };
        let begin = Instant::now();
        while begin.elapsed() < WARM_UP {
            connection.ask(path)?.check(expected)?;
        }
        Ok(server)
    }

    pub(super) fn pid(&self) -> u32 {
        self.group.pid()
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}:{}{}", Ipv4Addr::LOCALHOST, self.port, self.path)
    }

    pub(super) fn answer_bytes(&self) -> usize {
        self.answer
    }
}

/// Free at this moment; nobody else is expected to take it in the next.
fn free_port() -> Result<u16, Failure> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

/// A connection that stays open.
struct Connection {
    stream: BufReader<TcpStream>,
}

/// One answer.
struct Answer {
    status: u16,
    body: Vec<u8>,
    /// Of head and body.
    bytes: usize,
}

impl Connection {
    fn open(port: u16) -> Result<Self, Failure> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let stream = TcpStream::connect_timeout(&address, LIMIT)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    fn ask(&mut self, path: &str) -> Result<Answer, Failure> {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{BODY}",
            BODY.len()
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        Answer::read(&mut self.stream)
    }
}

impl Answer {
    fn read(stream: &mut impl BufRead) -> Result<Self, Failure> {
        let mut bytes = 0;
        let mut line = String::new();
        let mut next = |line: &mut String| -> Result<usize, Failure> {
            line.clear();
            match stream.read_line(line)? {
                0 => Err("the connection was closed".into()),
                read => Ok(read),
            }
        };
        bytes += next(&mut line)?;
        let status = line
            .split(' ')
            .nth(1)
            .ok_or_else(|| format!("{line:?} is no status line"))?
            .parse()?;
        let mut length = None;
        loop {
            bytes += next(&mut line)?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(value.trim().parse::<usize>()?);
            }
        }
        let mut body = vec![0; length.ok_or("an answer without a length")?];
        stream.read_exact(&mut body)?;
        bytes += body.len();
        Ok(Self {
            status,
            body,
            bytes,
        })
    }

    fn check(&self, expected: &serde_json::Value) -> Result<(), Failure> {
        match serde_json::from_slice::<serde_json::Value>(&self.body) {
            Ok(body) if self.status == 200 && body == *expected => Ok(()),
            _ => Err(format!(
                "a wrong answer: {} {:?}",
                self.status,
                String::from_utf8_lossy(&self.body)
            )
            .into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_to_its_end_and_looked_at() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{\"result\": 84}HTTP/1.1 ";
        let answer = Answer::read(&mut text.as_bytes()).unwrap();
        assert_eq!((answer.status, answer.bytes), (200, text.len() - 9));
        answer.check(&serde_json::json!({"result": 84})).unwrap();
        let message = answer
            .check(&serde_json::json!({"result": 85}))
            .unwrap_err();
        assert_eq!(
            message.to_string(),
            "a wrong answer: 200 \"{\\\"result\\\": 84}\""
        );
    }

    #[test]
    fn a_program_that_does_not_serve_says_why() {
        let command = |_| {
            let mut command = Command::new(crate::python::interpreter());
            command.args(["-c", "import there_is_no_such_module"]);
            Ok(command)
        };
        let failure = Serving::start(command, "/", &serde_json::Value::Null).err();
        assert_eq!(
            failure.unwrap().to_string(),
            "ModuleNotFoundError: No module named 'there_is_no_such_module'"
        );
    }
}
