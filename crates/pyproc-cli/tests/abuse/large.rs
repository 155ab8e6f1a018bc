//! Bodies that are too large, one by one and all together.

use std::time::{Duration, Instant};

use crate::client::{Client, request};
use crate::gateway::{Gateway, PATIENCE};

const MIB: usize = 1 << 20;
const GIB: usize = 1 << 30;

fn head(headers: &str) -> String {
    format!(
        "POST /v1/call/length HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n\
         {headers}\r\n"
    )
}

#[test]
fn a_body_that_says_it_is_too_large_is_refused_before_it_comes() {
    let gateway = Gateway::start(&[]);
    let mut clients: Vec<Client> = (0..100).map(|_| gateway.connect()).collect();
    for client in &mut clients {
        client.send(head(&format!("Content-Length: {GIB}\r\n")));
    }
    for client in &mut clients {
        let answer = client.answer();
        assert_eq!((answer.status, answer.code().as_str()), (413, "too_large"));
        assert_eq!(answer.header("connection"), Some("close"));
    }
    drop(clients);

    // Who waits to be asked for it is not asked.
    let mut client = gateway.connect();
    client.send(head(&format!(
        "Content-Length: {GIB}\r\nExpect: 100-continue\r\n"
    )));
    assert_eq!(client.answer().status, 413);
    drop(client);
    gateway.is_unharmed();
}

#[test]
fn who_sends_all_before_reading_sees_the_answer_too() {
    let gateway = Gateway::start(&["--max-request-body=1MiB"]);
    let mut client = gateway.connect();
    client.send(request(
        "length",
        "application/octet-stream",
        &vec![b'x'; 32 * MIB],
    ));
    assert_eq!(client.answer().code(), "too_large");
    client.is_closed();
    gateway.is_unharmed();
}

#[test]
fn a_body_that_nothing_is_called_with_is_not_asked_for() {
    let gateway = Gateway::start(&[]);
    let expected = "Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n";
    for (function, headers, status) in [
        ("length", "Content-Type: text/plain\r\n", 415),
        ("length", "", 415),
        (
            "length",
            "Content-Type: application/octet-stream\r\nContent-Encoding: gzip\r\n",
            415,
        ),
        ("lenght", "Content-Type: application/octet-stream\r\n", 404),
        (
            "length",
            "Content-Type: application/octet-stream\r\nAccept: application/octet-stream\r\n",
            406,
        ),
    ] {
        let mut client = gateway.connect();
        client.send(format!(
            "POST /v1/call/{function} HTTP/1.1\r\nHost: localhost\r\n{headers}{expected}"
        ));
        let answer = client.answer();
        assert_eq!(answer.status, status, "{headers}");
        assert_eq!(answer.header("connection"), Some("close"), "{headers}");
    }
    // Of one without a length the first byte tells.
    let mut client = gateway.connect();
    client.send(
        "POST /v1/call/length HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n\
         Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
    );
    assert_eq!(client.answer().status, 415);
    // An empty one need not say what it is.
    let mut client = gateway.connect();
    client.send(
        "POST /v1/call/state HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    );
    assert_eq!(client.answer().status, 200);
    drop(client);
    gateway.is_unharmed();
}

#[test]
fn who_sends_all_to_a_page_sees_its_answer_too() {
    let gateway = Gateway::start(&[]);
    for path in ["/nowhere", "/healthz"] {
        let mut client = gateway.connect();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
            64 * MIB
        );
        client.send(head);
        client.send(vec![b'x'; 64 * MIB]);
        let answer = client.answer();
        assert!([404, 405].contains(&answer.status), "{answer:?}");
        assert_eq!(answer.header("connection"), Some("close"));
        client.is_closed();
    }
    gateway.is_unharmed();
}

#[test]
fn a_body_of_any_length_in_chunks_is_refused_at_the_limit() {
    let gateway = Gateway::start(&["--max-request-body=4MiB"]);
    let mut clients: Vec<Client> = (0..16).map(|_| gateway.connect()).collect();
    let chunk = [format!("{MIB:x}\r\n").as_bytes(), &vec![b'x'; MIB], b"\r\n"].concat();
    for client in &mut clients {
        client.send(head("Transfer-Encoding: chunked\r\n"));
        for _ in 0..5 {
            client.send(&chunk);
        }
    }
    for client in &mut clients {
        let answer = client.answer();
        assert_eq!((answer.status, answer.code().as_str()), (413, "too_large"));
    }
    // They go on, up to 1 GiB, until the gateway has had enough.
    let mut sending = clients;
    let mut sent = 5;
    while sent < GIB / MIB && !sending.is_empty() {
        sending.retain_mut(|client| client.send(&chunk));
        sent += 1;
    }
    drop(sending);
    gateway.is_unharmed();
}

#[test]
fn the_bodies_of_all_requests_have_one_bound() {
    let flags = ["--max-request-body=4MiB", "--request-memory=16MiB"];
    let gateway = Gateway::start(&flags);
    let body = vec![b'x'; 4 * MIB];
    let bytes = request("length", "application/octet-stream", &body);
    let (nearly_all, last) = bytes.split_at(bytes.len() - 1);
    let mut clients: Vec<Client> = (0..16).map(|_| gateway.connect()).collect();
    let mut refused = 0;
    for client in &mut clients {
        client.send(nearly_all);
    }
    for client in &mut clients {
        client.send(last);
        let answer = client.answer();
        match answer.status {
            200 => assert_eq!(answer.text(), body.len().to_string()),
            503 => {
                refused += 1;
                assert_eq!(answer.code(), "overloaded");
                assert!(answer.header("retry-after").is_some());
            }
            other => panic!("{other}"),
        }
    }
    assert!((12..16).contains(&refused), "{refused}");
    drop(clients);
    // Everything was given back.
    let mut client = gateway.connect();
    for _ in 0..8 {
        client.send(&bytes);
        assert_eq!(client.answer().status, 200);
    }
    drop(client);
    gateway.is_unharmed();
}

#[test]
fn a_body_is_asked_for_when_it_is_wanted() {
    let gateway = Gateway::start(&[]);
    let mut client = gateway.connect();
    client.send(head("Content-Length: 3\r\nExpect: 100-continue\r\n"));
    assert_eq!(client.answer().status, 100);
    client.send("abc");
    assert_eq!(client.answer().text(), "3");
    client.send(head("Content-Length: 3\r\nExpect: 200-ok\r\n"));
    client.send("abc");
    assert_eq!(client.answer().text(), "3");
    drop(client);
    gateway.is_unharmed();
}

#[test]
fn a_refused_body_is_not_read_for_ever() {
    let gateway = Gateway::start(&["--max-request-body=1KiB"]);
    let mut client = gateway.connect();
    client.send(head("Transfer-Encoding: chunked\r\n"));
    client.send([b"800\r\n".as_slice(), &[b'x'; 2048], b"\r\n"].concat());
    assert_eq!(client.answer().status, 413);
    let watchdog = Instant::now() + PATIENCE;
    client
        .stream
        .set_read_timeout(Some(Duration::from_millis(20)))
        .expect("an option");
    // It keeps sending, slowly; the gateway ends that.
    while client.send("1\r\nx\r\n") {
        assert!(Instant::now() < watchdog, "it reads on");
        let mut byte = [0];
        if let Ok(0) = std::io::Read::read(&mut client.stream, &mut byte) {
            break;
        }
    }
    drop(client);
    gateway.is_unharmed();
}
