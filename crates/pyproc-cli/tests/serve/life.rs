//! From the first line to the end: starting, listening, being ready.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::common::server::{Server, serve};
use crate::common::{Marked, pyproc, wait_until};

#[test]
fn a_gateway_says_what_it_serves_and_how_to_try_it() {
    let server = serve(&["--workers", "1"]);
    let mut lines = server.program.lines();
    // On a machine that has much else to do.
    lines.retain(|line| !line.contains("still starting"));
    let [listening, metrics, functions, tried] = lines.as_slice() else {
        unreachable!("four lines, and these came: {lines:#?}");
    };
    assert_eq!(*listening, format!("Listening on {}", server.base));
    assert_eq!(*metrics, format!("Metrics on {}", server.metrics));
    assert!(
        functions.starts_with("Functions: double, length, fail, "),
        "{functions}"
    );
    let tried = tried.strip_prefix("Try: ");
    // The very line that it printed, in a shell.
    let output = std::process::Command::new("sh")
        .args(["-c", tried.expect("a line to try")])
        .output()
        .expect("a shell with curl");
    let answer = String::from_utf8_lossy(&output.stdout);
    assert!(
        answer.contains("result") || answer.contains("the Python function raised KeyError"),
        "{answer}"
    );

    let functions = server.get("/v1/functions").json();
    assert_eq!(functions[0]["name"], "double");
    assert_eq!(functions[0]["doc"], "Doubles a value.");
    server.stop();
}

#[test]
fn whoever_started_it_may_stop_reading() {
    let mut marked = Marked::new();
    let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("unread.sock");
    let listen = format!("unix:{}", place.display());
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    marked
        .command
        .args([
            "serve",
            "gateway.py",
            "--workers",
            "1",
            "--metrics-listen",
            "off",
        ])
        .args(["--listen", &listen])
        .stderr(writer)
        .stdout(Stdio::null());
    let mut child = marked.command.spawn().expect("the program under test");
    wait_until("it to be ready", || {
        assert_eq!(child.try_wait().expect("its child"), None);
        ready_at(&place)
    });
    kill_process(Pid::from_child(&child), Signal::TERM).expect("a running program");
    assert_eq!(child.wait().expect("its child").code(), Some(0));
    marked.nothing_left();
}

/// Whether a gateway at this socket says that it is ready.
fn ready_at(place: &Path) -> bool {
    let Ok(mut stream) = UnixStream::connect(place) else {
        return false;
    };
    let asked = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(asked).expect("a gateway that reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.starts_with("HTTP/1.1 200 ")
}

#[test]
fn probes_tell_starting_from_ready() {
    // What a run that failed has left.
    let _ = std::fs::remove_file(gate());
    let mut marked = Marked::new();
    let ports = ["--listen", "127.0.0.1:0", "--metrics-listen", "off"];
    marked
        .command
        .args(["serve", "slow_start.py", "--workers", "1"])
        .args(ports);
    marked.command.env("SLOW_START_GATE", gate());
    // It listens before its worker is up, and says where only then: the port is found by its socket.
    let mut server = Server::spawn(marked);
    server.until_listening();
    assert_eq!(server.get("/healthz").json(), json!({"ok": true}));
    let waiting = json!({"ok": false, "reason": "the workers are not up yet"});
    server
        .program
        .line(|line| line.contains("the workers are still starting; 127.0.0.1:"));
    for probe in ["/startupz", "/readyz"] {
        let answer = server.get(probe);
        assert_eq!(
            (answer.status, answer.json()),
            (503, waiting.clone()),
            "{probe}"
        );
    }
    let early = server.call("hello", "");
    assert_eq!(
        early.problem(),
        (
            503,
            "not_ready".into(),
            "the workers are not up yet; try again soon".into()
        )
    );
    assert_eq!(early.header("retry-after"), "1");
    std::fs::write(gate(), "").expect("the gate");
    server.until_ready();
    for probe in ["/startupz", "/readyz"] {
        assert_eq!(server.get(probe).json(), json!({"ok": true}), "{probe}");
    }
    assert_eq!(server.call("hello", "").result(), "hello");
    server.stop();
    std::fs::remove_file(gate()).expect("the gate");
}

/// The file for which slow_start.py waits.
fn gate() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("slow-start-gate")
}

#[test]
fn a_start_that_fails_ends_with_its_sentence() {
    let run = pyproc(&[
        "serve",
        "no_function.py",
        "--listen",
        "127.0.0.1:0",
        "--metrics-listen",
        "off",
    ]);
    assert!(run.error(1).starts_with("error: "), "{}", run.stderr);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let place = taken.local_addr().expect("an address").to_string();
    let run = pyproc(&[
        "serve",
        "gateway.py",
        "--listen",
        &place,
        "--metrics-listen",
        "off",
    ]);
    assert_eq!(
        run.error(1),
        format!(
            "error: `listen`: cannot listen on {place}: Address already in use (os error 98); \
             name another with `listen`\n"
        )
    );
}

#[test]
fn a_unix_socket_is_as_good_as_a_port() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("gateway.sock");
    let place = format!("unix:{}", path.display());
    // What a killed program leaves is no obstacle.
    drop(std::os::unix::net::UnixListener::bind(&path));
    let server = serve(&["--workers", "1", "--listen", &place]);
    assert_eq!(server.base, place);
    let mut stream = UnixStream::connect(&path).expect("a socket");
    let request = "POST /v1/call/echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                   Content-Length: 3\r\nConnection: close\r\n\r\n\"x\"";
    stream.write_all(request.as_bytes()).expect("a reader");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n\"x\""),
        "{answer}"
    );
    server.stop();
    assert!(!path.exists(), "the socket's file is left");
}

#[test]
fn metrics_are_where_they_are_said_to_be() {
    let server = serve(&["--workers", "1"]);
    server.call("double", r#"{"value": 1}"#).result();
    let scrape = server.agent.get(&server.metrics).call().expect("metrics");
    let text = crate::common::server::Answer::of(scrape).body;
    let text = String::from_utf8(text).expect("text");
    let counted = r#"pyproc_calls_total{pool="gateway",function="double",outcome="ok"} 1"#;
    assert!(text.contains(counted), "{text}");
    assert_eq!(server.get("/metrics").status, 404);
    server.stop();
}
