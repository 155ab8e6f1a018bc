//! Stopping under load: every request that was accepted has its answer.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use rustix::process::Signal;

use crate::common::server::{Answer, agent, serve};
use crate::common::{PATIENCE, wait_until};

/// What happened to the requests of some clients.
#[derive(Default)]
struct Count {
    answered: AtomicU32,
    told_to_close: AtomicU32,
    refused: AtomicU32,
}

#[test]
fn every_request_that_was_accepted_is_answered() {
    let mut server = serve(&["--workers", "2"]);
    let (count, stopping) = (Count::default(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for client in 0..16 {
            let (base, count, stopping) = (&server.base, &count, &stopping);
            scope.spawn(move || client_until_refused(base, client, count, stopping));
        }
        wait_until("answers", || count.answered.load(Relaxed) >= 500);
        stopping.store(true, Relaxed);
        server.signal(Signal::TERM);
    });
    let ended = server.ended();
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert_eq!(
        count.refused.load(Relaxed),
        16,
        "every client came to an end"
    );
    assert!(
        count.told_to_close.load(Relaxed) > 0,
        "nobody was told that the connection closes"
    );
}

/// Sends requests over one connection after another, until none is accepted any more. A request on an
/// accepted connection has an answer, and it is the right one.
fn client_until_refused(base: &str, client: u32, count: &Count, stopping: &AtomicBool) {
    let address = base.strip_prefix("http://").expect("an address");
    let mut value = client * 1_000_000;
    while let Ok(mut stream) = TcpStream::connect(address) {
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let mut first = true;
        loop {
            value += 1;
            let body = format!(r#"{{"seconds": 0.002, "value": {value}}}"#);
            let request = format!(
                "POST /v1/call/pause_async HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let sent = stream.write_all(request.as_bytes());
            let Some((head, answer)) = sent.ok().and_then(|()| read_answer(&mut stream)) else {
                // Only a connection that waited in the listener's queue when it closed may end so.
                let stopping = stopping.load(Relaxed);
                assert!(stopping && first, "a request without an answer");
                break;
            };
            first = false;
            assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
            assert_eq!(answer, value.to_string());
            count.answered.fetch_add(1, Relaxed);
            if head.to_ascii_lowercase().contains("connection: close") {
                count.told_to_close.fetch_add(1, Relaxed);
                break;
            }
        }
    }
    count.refused.fetch_add(1, Relaxed);
}

/// Head and body of one answer; nothing if the connection ends before its first byte.
fn read_answer(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => bytes.push(byte[0]),
            end => {
                assert!(bytes.is_empty(), "an answer broke off: {end:?}");
                return None;
            }
        }
    }
    let head = String::from_utf8(bytes).expect("text");
    let length = head
        .to_ascii_lowercase()
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
        .expect("a length");
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("a whole answer");
    Some((head, String::from_utf8(body).expect("text")))
}

#[test]
fn a_delay_goes_on_accepting_while_readiness_is_false() {
    let mut server = serve(&["--workers", "1", "--shutdown-delay", "1h"]);
    server.signal(Signal::TERM);
    wait_until("readiness to be false", || {
        server.get("/readyz").status != 200
    });
    assert_eq!(
        server.get("/readyz").json()["reason"],
        "the gateway is shutting down"
    );
    assert_eq!(server.get("/healthz").status, 200);
    assert_eq!(server.call("echo", "7").result(), 7);
    // Another signal cuts the hour short.
    server.signal(Signal::TERM);
    assert_eq!(server.ended().status, Some(1));
}

#[test]
fn a_delay_is_over_when_it_is_over() {
    let mut server = serve(&["--workers", "1", "--shutdown-delay", "50ms"]);
    server.signal(Signal::TERM);
    assert_eq!(server.ended().status, Some(0));
}

#[test]
fn what_does_not_end_in_time_is_stopped_and_answered() {
    let mut server = serve(&["--workers", "1", "--shutdown-timeout", "300ms"]);
    let answer = std::thread::scope(|scope| {
        let base = server.base.clone();
        let call = scope.spawn(move || {
            let request = agent()
                .post(format!("{base}/v1/call/pause"))
                .content_type("application/json");
            Answer::of(request.send(r#"{"seconds": 60}"#).expect("an answer"))
        });
        let in_flight = r#"pyproc_calls_in_flight{pool="gateway"} 1"#;
        wait_until("the call to be taken", || {
            let scrape = Answer::of(server.agent.get(&server.metrics).call().expect("metrics"));
            String::from_utf8_lossy(&scrape.body).contains(in_flight)
        });
        server.signal(Signal::TERM);
        call.join().expect("a thread")
    });
    assert_eq!(
        answer.problem(),
        (
            503,
            "cancelled".into(),
            "the call was stopped while it ran, because the pool was shut down".into()
        )
    );
    let ended = server.ended();
    assert_eq!(ended.status, Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("1 call was stopped"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_body_that_does_not_come_is_refused_and_no_call_was_stopped() {
    let mut server = serve(&["--workers", "1", "--shutdown-timeout", "300ms"]);
    let address = server.base.strip_prefix("http://").expect("an address");
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let head = "POST /v1/call/echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                Content-Length: 100\r\nExpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("a reader");
    // It is asked for: the request has been taken.
    let mut asked = [0; 25];
    stream.read_exact(&mut asked).expect("an answer");
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"[1, ").expect("a reader");
    server.signal(Signal::TERM);
    let (head, problem) = read_answer(&mut stream).expect("an answer");
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    let problem: serde_json::Value = serde_json::from_str(&problem).expect("JSON");
    assert_eq!(
        (&problem["code"], &problem["may_have_run"]),
        (&"closed".into(), &false.into())
    );
    assert_eq!(
        problem["detail"],
        "the gateway shuts down and the body of the request has not come whole; send it again"
    );
    let ended = server.ended();
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut server = serve(&["--workers", "1", "--shutdown-delay", "1h"]);
    server.signal(Signal::INT);
    wait_until("readiness to be false", || {
        server.get("/readyz").status != 200
    });
    server.signal(Signal::INT);
    let ended = server.ended();
    assert_eq!(ended.status, Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("SIGINT once more"),
        "{}",
        ended.stderr
    );
}
