//! Requests whose length two readers may see differently. Each is answered once or not at all, and what
//! is hidden in its body is never run.

use crate::client::exchange;
use crate::gateway::Gateway;

/// What is to be smuggled in.
const HIDDEN: &str = "POST /v1/call/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A call with these headers and this body.
fn call(headers: &str, body: &str) -> String {
    format!(
        "POST /v1/call/length HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n\
         {headers}\r\n{body}"
    )
}

fn statuses(gateway: &Gateway, bytes: &str) -> Vec<u16> {
    let answers = exchange(gateway.address, bytes);
    answers.iter().map(|answer| answer.status).collect()
}

#[test]
fn nothing_is_smuggled_in() {
    let gateway = Gateway::start(&[]);
    let chunked = |body: &str| format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let length = HIDDEN.len();
    let cl = format!("Content-Length: {length}\r\n");
    let te = "Transfer-Encoding: chunked\r\n";
    let ended = format!("0\r\n\r\n{HIDDEN}");
    let cl_ended = format!("Content-Length: {}\r\n", ended.len());

    // What is in a body is a body.
    let taken = [
        call(&cl, HIDDEN),
        call(te, &chunked(HIDDEN)),
        call("transfer-encoding: CHUNKED\r\n", &chunked(HIDDEN)),
        call("Transfer-Encoding: \tchunked\t\r\n", &chunked(HIDDEN)),
        call(&format!("{cl}{cl}"), HIDDEN),
        call(&format!("Content-Length: 000{length}\r\n"), HIDDEN),
    ];
    for bytes in &taken {
        assert_eq!(statuses(&gateway, bytes), [200], "{bytes}");
    }

    // Both lengths: chunks count, and the connection ends whatever follows.
    for bytes in [
        call(&format!("{cl_ended}{te}"), &ended),
        call(&format!("{te}{cl_ended}"), &ended),
        call(
            &format!("{te}Content-Length: 5\r\n"),
            &format!("{}{HIDDEN}", chunked("x")),
        ),
        call(
            &format!("{te}Content-Length: nonsense\r\n"),
            &format!("{}{HIDDEN}", chunked("x")),
        ),
    ] {
        let found = statuses(&gateway, &bytes);
        assert!(matches!(*found, [200 | 422]), "{bytes}: {found:?}");
    }

    // A length that is none.
    let lengths = [
        "-1",
        "+5",
        "0x5",
        "5 5",
        "5,6",
        "5;",
        "5.0",
        "1e3",
        "five",
        "",
        " ",
        "٥",
        "18446744073709551616",
        "18446744073709551615",
        "99999999999999999999999999",
        "5\u{b}",
        "5\0",
    ];
    for length in lengths {
        let bytes = call(&format!("Content-Length: {length}\r\n"), HIDDEN);
        let found = statuses(&gateway, &bytes);
        assert!(matches!(*found, [400 | 413 | 431]), "{bytes}: {found:?}");
    }
    for headers in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\ncontent-length: 0\r\n",
        "Content-Length : 5\r\n",
        "Content-Length: 5\r\n 6\r\n",
        "Content-Length\r\n",
    ] {
        let bytes = call(headers, HIDDEN);
        assert_eq!(statuses(&gateway, &bytes), [400], "{bytes}");
    }

    // A transfer encoding that is none, or another one.
    for encoding in [
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunkedx\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding: chunked\u{b}\r\n",
        "Transfer-Encoding: \u{b}chunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        " Transfer-Encoding: chunked\r\n",
        "X: y\r\n Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked\rX: y\r\n",
        "X: y\rTransfer-Encoding: chunked\r\n",
        "Transfer\u{0}-Encoding: chunked\r\n",
    ] {
        for bytes in [
            call(encoding, &ended),
            call(&format!("{cl_ended}{encoding}"), &ended),
        ] {
            assert_eq!(statuses(&gateway, &bytes), [400], "{bytes}");
        }
    }
    let old = call(te, &ended).replace("HTTP/1.1", "HTTP/1.0");
    assert_eq!(statuses(&gateway, &old), [400]);

    // Chunks that are none.
    for body in [
        "x\r\n",
        "-1\r\nx\r\n",
        "+1\r\nx\r\n",
        "0x1\r\nx\r\n",
        " 1\r\nx\r\n",
        "1\nx\n",
        "1\r\nxx\r\n0\r\n\r\n",
        "1\rx\r\n",
        "1 1\r\nx\r\n",
        "\r\n",
        "1;\nx\r\n0\r\n\r\n",
        "10000000000000000\r\nx\r\n",
        "1;a=\"\r\n\"\r\nx\r\n",
        "1\r\nx0\r\n\r\n",
        "5\r\nx",
    ] {
        let bytes = call(te, &format!("{body}{HIDDEN}"));
        let found = statuses(&gateway, &bytes);
        assert!(matches!(*found, [400] | [413]), "{bytes}: {found:?}");
    }
    for body in [
        "1;name=value\r\nx\r\n0\r\n\r\n",
        "01\r\nx\r\n000\r\n\r\n",
        "1 \r\nx\r\n0\r\n\r\n",
    ] {
        assert_eq!(statuses(&gateway, &call(te, body)), [200], "{body}");
    }

    // Lines that end in another way are lines or they are refused.
    for bytes in [
        call(&cl, HIDDEN).replacen("\r\n", "\n", 2),
        call(&cl, HIDDEN).replacen("\r\n", "\r", 2),
        call(&format!("X: y\n{cl}"), HIDDEN),
        call(&format!("X: y\r\r\n{cl}"), HIDDEN),
        call(&format!("X: y\r\n\n{cl}"), HIDDEN),
    ] {
        let found = statuses(&gateway, &bytes);
        assert!(
            matches!(*found, [200 | 400] | [200 | 422, 400]),
            "{bytes}: {found:?}"
        );
    }

    assert_eq!(gateway.count("smuggled"), 0);
    // It would have been counted.
    assert_eq!(statuses(&gateway, HIDDEN), [200]);
    assert_eq!(gateway.count("smuggled"), 1);
    gateway.is_unharmed();
}

#[test]
fn what_is_refused_before_its_body_does_not_end_in_it() {
    let gateway = Gateway::start(&["--max-request-body=1KiB"]);
    let much = HIDDEN.repeat(1_000);
    let length = format!("Content-Length: {}\r\n", much.len());
    let chunked = format!("{:x}\r\n{much}\r\n0\r\n\r\n", much.len());
    let expecting = format!("{length}Expect: 100-continue\r\n");
    let cases = [
        (call(&length, &much), 413),
        (call("Transfer-Encoding: chunked\r\n", &chunked), 413),
        (call(&expecting, HIDDEN), 413),
        (call(&expecting, &much), 413),
        (
            call(&length, &much).replace("POST /v1/call/length", "PUT /v1/call/length"),
            405,
        ),
        (
            call(&length, &much).replace("POST /v1/call/length", "POST /nowhere"),
            404,
        ),
        (call(&format!("{length}Accept: text/html\r\n"), &much), 406),
        (
            call(&length, &much).replace("localhost", "example.org"),
            403,
        ),
    ];
    for (bytes, status) in &cases {
        assert_eq!(statuses(&gateway, bytes), [*status], "{}", &bytes[..200]);
    }
    assert_eq!(gateway.count("smuggled"), 0);
    gateway.is_unharmed();
}
