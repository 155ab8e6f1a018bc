//! HTTP/2 frame by frame: frames and requests that no client may send.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use crate::client::{exchange, is_end};
use crate::gateway::{Gateway, PATIENCE};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;

pub(crate) const TIMEOUTS: [&str; 3] = [
    "--header-timeout=1s",
    "--body-timeout=1s",
    "--idle-timeout=1s",
];

/// A frame as it is sent.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len())
        .expect("a short payload")
        .to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Headers, each spelled out.
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).expect("a short text"));
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// The head of a call that is counted, with these fields beside the usual ones.
pub(crate) fn head(fields: &[(&str, &str)]) -> Vec<u8> {
    let usual = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/v1/call/smuggled"),
        (":authority", "localhost"),
    ];
    block(&[&usual, fields].concat())
}

/// A connection over which any frame goes.
pub(crate) struct Wire(TcpStream);

impl Wire {
    pub(crate) fn open(gateway: &Gateway) -> Self {
        let stream = TcpStream::connect(gateway.address).expect("a connection");
        stream.set_write_timeout(Some(PATIENCE)).expect("an option");
        stream.set_read_timeout(Some(PATIENCE)).expect("an option");
        let mut wire = Self(stream);
        wire.send(PREFACE);
        wire.send(&frame(SETTINGS, 0, 0, &[]));
        wire
    }

    /// Whether the gateway still takes something.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).is_ok()
    }

    /// Sends something again and again, so often or until the gateway has had enough.
    pub(crate) fn flood(&mut self, times: u32, mut frames: impl FnMut(u32) -> Vec<u8>) {
        const AT_ONCE: u32 = 100;
        let watchdog = Instant::now() + PATIENCE;
        for first in (0..times).step_by(AT_ONCE as usize) {
            let bytes: Vec<u8> = (first..first + AT_ONCE).flat_map(&mut frames).collect();
            if !self.send(&bytes) {
                return;
            }
            assert!(Instant::now() < watchdog, "it takes everything, slowly");
        }
    }

    /// Takes what comes until the gateway ends the connection.
    #[track_caller]
    pub(crate) fn ends(mut self, what: &str) {
        let mut bytes = vec![0; 64 << 10];
        let watchdog = Instant::now() + PATIENCE;
        loop {
            match self.0.read(&mut bytes) {
                Ok(0) => return,
                Ok(_) => assert!(Instant::now() < watchdog, "{what}: it goes on"),
                Err(error) => {
                    assert!(is_end(&error), "{what}: {error}");
                    return;
                }
            }
        }
    }
}

#[test]
fn frames_that_may_not_be_end_the_connection() {
    let gateway = Gateway::start(&TIMEOUTS);
    let other = frame(HEADERS, END_HEADERS | END_STREAM, 3, &head(&[]));
    let cases: &[(&str, Vec<u8>)] = &[
        ("data without a stream", frame(DATA, 0, 0, b"x")),
        (
            "data of a stream that was not opened",
            frame(DATA, 0, 5, b"x"),
        ),
        (
            "headers without a stream",
            frame(HEADERS, END_HEADERS, 0, &head(&[])),
        ),
        (
            "a stream of the server's",
            frame(HEADERS, END_HEADERS, 2, &head(&[])),
        ),
        ("a frame that is too large", frame(DATA, 0, 1, &[0; 20_000])),
        (
            "a length of 16 MiB",
            vec![0xff, 0xff, 0xff, DATA, 0, 0, 0, 0, 1],
        ),
        (
            "more padding than frame",
            frame(HEADERS, END_HEADERS | PADDED, 1, &[200, 1]),
        ),
        (
            "headers that cannot be read",
            frame(HEADERS, END_HEADERS, 1, &[0xff; 100]),
        ),
        (
            "a place in an empty table",
            frame(HEADERS, END_HEADERS, 1, &[0xfe]),
        ),
        (
            "a table of 4 G",
            frame(
                HEADERS,
                END_HEADERS,
                1,
                &[0x3f, 0xff, 0xff, 0xff, 0xff, 0x0f],
            ),
        ),
        (
            "something within headers",
            [frame(HEADERS, 0, 1, &head(&[])), frame(PING, 0, 0, &[0; 8])].concat(),
        ),
        (
            "headers of another stream within headers",
            [frame(HEADERS, 0, 1, &head(&[])), other].concat(),
        ),
        (
            "more headers without any",
            frame(CONTINUATION, END_HEADERS, 1, &head(&[])),
        ),
        (
            "a promise",
            frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2]),
        ),
        ("a reset without a stream", frame(RST_STREAM, 0, 0, &[0; 4])),
        (
            "a reset that is too short",
            frame(RST_STREAM, 0, 1, &[0; 3]),
        ),
        ("settings of a stream", frame(SETTINGS, 0, 1, &[])),
        ("settings that are cut", frame(SETTINGS, 0, 0, &[0; 5])),
        (
            "a window that is too large",
            frame(SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff]),
        ),
        (
            "frames that are too small",
            frame(SETTINGS, 0, 0, &[0, 5, 0, 0, 0, 1]),
        ),
        ("a ping that is too short", frame(PING, 0, 0, &[0; 7])),
        ("a window of nothing", frame(WINDOW_UPDATE, 0, 0, &[0; 4])),
        (
            "a window that overflows",
            frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]),
        ),
        ("a farewell", frame(GOAWAY, 0, 0, &[0; 8])),
        ("a farewell that is too short", frame(GOAWAY, 0, 0, &[0; 3])),
    ];
    for (what, bytes) in cases {
        let mut wire = Wire::open(&gateway);
        wire.send(bytes);
        wire.ends(what);
    }
    assert_eq!(gateway.count("smuggled"), 0);
    gateway.is_unharmed();
}

#[test]
fn requests_that_may_not_be_are_never_called() {
    let gateway = Gateway::start(&TIMEOUTS);
    let wrong: &[(&str, Vec<u8>)] = &[
        ("capitals", head(&[("X-Name", "y")])),
        ("a name with a blank", head(&[("x name", "y")])),
        ("a name with a line's end", head(&[("x\r\ny", "z")])),
        ("a value with a line's end", head(&[("x", "y\r\nz: z")])),
        ("a value with a NUL", head(&[("x", "\0")])),
        ("an empty name", head(&[("", "y")])),
        ("a connection's header", head(&[("connection", "close")])),
        (
            "transfer-encoding",
            head(&[("transfer-encoding", "chunked")]),
        ),
        ("upgrade", head(&[("upgrade", "h2c")])),
        ("te", head(&[("te", "gzip")])),
        ("a second path", head(&[(":path", "/healthz")])),
        ("a second method", head(&[(":method", "GET")])),
        ("a pseudo-header that is none", head(&[(":x", "y")])),
        (
            "a pseudo-header too late",
            head(&[("x", "y"), (":scheme", "http")]),
        ),
        ("a status", head(&[(":status", "200")])),
        (
            "no path",
            block(&[
                (":method", "POST"),
                (":scheme", "http"),
                (":authority", "localhost"),
            ]),
        ),
        (
            "no method",
            block(&[
                (":path", "/v1/call/smuggled"),
                (":scheme", "http"),
                (":authority", "localhost"),
            ]),
        ),
        (
            "a foreign authority",
            block(&[
                (":method", "POST"),
                (":scheme", "http"),
                (":path", "/v1/call/smuggled"),
                (":authority", "example.org"),
            ]),
        ),
        (
            "two hosts",
            head(&[("host", "localhost"), ("host", "localhost")]),
        ),
        ("a foreign host", head(&[("host", "example.org")])),
        ("a length that is none", head(&[("content-length", "five")])),
        ("a length without a body", head(&[("content-length", "5")])),
    ];
    for (what, block) in wrong {
        let mut wire = Wire::open(&gateway);
        wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, block));
        wire.ends(what);
        assert_eq!(gateway.count("smuggled"), 0, "{what}");
    }
    for length in ["1", "100"] {
        let mut wire = Wire::open(&gateway);
        let fields = [
            ("content-length", length),
            ("content-type", "application/json"),
        ];
        wire.send(&frame(HEADERS, END_HEADERS, 1, &head(&fields)));
        wire.send(&frame(DATA, END_STREAM, 1, b"[ ]"));
        wire.ends(length);
        assert_eq!(gateway.count("smuggled"), 0, "a length of {length}");
    }
    let mut wire = Wire::open(&gateway);
    wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &head(&[])));
    wire.ends("a good one");
    assert_eq!(gateway.count("smuggled"), 1, "a good one");
    gateway.is_unharmed();
}

#[test]
fn a_preface_that_is_broken_is_no_http() {
    let gateway = Gateway::start(&TIMEOUTS);
    for preface in [
        "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
        "PRI * HTTP/2.0\r\nHost: localhost\r\n\r\n",
        "PRI * HTTP/1.1\r\n\r\nSM\r\n\r\n",
    ] {
        let answers = exchange(gateway.address, preface);
        assert!(
            answers.iter().all(|answer| answer.status == 400),
            "{preface}: {answers:?}"
        );
    }
    // It stops in the middle, and is late.
    for cut in 1..PREFACE.len() {
        let mut wire = Wire(TcpStream::connect(gateway.address).expect("a connection"));
        wire.send(&PREFACE[..cut]);
        if cut % 8 == 0 {
            wire.ends("a part of the preface");
        }
    }
    gateway.is_unharmed();
}
