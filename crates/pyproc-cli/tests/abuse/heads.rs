//! Heads of requests: too large, too many fields, strange methods, paths and names; many at once.

use crate::client::exchange;
use crate::gateway::Gateway;

const HOST: &str = "Host: localhost\r\n";

#[test]
fn a_head_that_is_too_large_is_refused() {
    let gateway = Gateway::start(&[]);
    let fields = |count: usize| -> String {
        (0..count)
            .map(|number| format!("X-{number}: {number}\r\n"))
            .collect()
    };
    let long = "a".repeat(100_000);
    let cases: &[(&str, String, &[u16])] = &[
        (
            "99 fields",
            format!("GET /healthz HTTP/1.1\r\n{HOST}{}\r\n", fields(99)),
            &[200],
        ),
        (
            "101 fields",
            format!("GET /healthz HTTP/1.1\r\n{HOST}{}\r\n", fields(100)),
            &[431],
        ),
        (
            "10,000 fields",
            format!("GET /healthz HTTP/1.1\r\n{HOST}{}\r\n", fields(10_000)),
            &[431],
        ),
        (
            "a large field",
            format!("GET /healthz HTTP/1.1\r\n{HOST}X: {long}\r\n\r\n"),
            &[431],
        ),
        (
            "a large name",
            format!("GET /healthz HTTP/1.1\r\n{HOST}{long}: x\r\n\r\n"),
            &[431],
        ),
        // The whole head counts; 414 is for lines that are too long within a larger limit of heads.
        (
            "a large path",
            format!("GET /{long} HTTP/1.1\r\n{HOST}\r\n"),
            &[414, 431],
        ),
        (
            "a large method",
            format!("{long} / HTTP/1.1\r\n{HOST}\r\n"),
            &[400, 431],
        ),
        (
            "nothing but blank lines",
            "\r\n".repeat(100_000),
            &[400, 431],
        ),
    ];
    for (what, head, statuses) in cases {
        let mut client = gateway.connect();
        client.send(head);
        let answer = client.answer();
        assert!(statuses.contains(&answer.status), "{what}: {answer:?}");
        if answer.status != 200 {
            client.is_closed();
        }
    }
    gateway.is_unharmed();
}

#[test]
fn strange_requests_are_refused_one_by_one() {
    let gateway = Gateway::start(&[]);
    let cases: &[(&str, u16)] = &[
        // No HTTP.
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\r\n\r\n", 400),
        ("hello\r\n\r\n", 400),
        ("GET /healthz\r\n\r\n", 400),
        ("GET /healthz HTTP/0.9\r\n\r\n", 400),
        ("GET /healthz HTTP/1.2\r\nHost: a\r\n\r\n", 400),
        ("GET /healthz HTTP/3\r\nHost: a\r\n\r\n", 400),
        ("GET  /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /health z HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        // A host's name and no path.
        ("GET healthz HTTP/1.1\r\nHost: a\r\n\r\n", 403),
        (" GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("G(T /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("G\0T /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /health\0z HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n", 400),
        (
            "GET /healthz HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
            400,
        ),
        ("GET /healthz HTTP/1.1\r\n X: b\r\nHost: a\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", 400),
        // Whom it is for.
        ("GET /healthz HTTP/1.1\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        ("GET /healthz HTTP/1.0\r\n\r\n", 200),
        (
            "GET http://localhost/healthz HTTP/1.1\r\nHost: a\r\n\r\n",
            200,
        ),
        ("GET http://[/healthz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (
            "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
            404,
        ),
        // What it is for.
        ("TRACE /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("PURGE /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("GET /v1/call/echo HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        ("POST /v1/call/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (
            "POST /v1/call/echo/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
            404,
        ),
        (
            "POST /v1/call//state HTTP/1.1\r\nHost: localhost\r\n\r\n",
            404,
        ),
        (
            "POST /v1/call/../call/state HTTP/1.1\r\nHost: localhost\r\n\r\n",
            404,
        ),
        (
            "POST /v1/call/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
            404,
        ),
        (
            "POST /v1/call/..%2f..%2fhealthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
            404,
        ),
        ("POST /v1/call/%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (
            "POST /v1/call/state%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
            404,
        ),
        (
            "POST /v1/call/state%0d%0aX:%20y HTTP/1.1\r\nHost: localhost\r\n\r\n",
            404,
        ),
        (
            "POST /v1/call/%ff%fe HTTP/1.1\r\nHost: localhost\r\n\r\n",
            404,
        ),
        ("POST /v1/call/%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        ("POST /v1/call/% HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (
            "POST /v1/call/__class__ HTTP/1.1\r\nHost: localhost\r\n\r\n",
            404,
        ),
        (
            "POST /v1/call/st%61te HTTP/1.1\r\nHost: localhost\r\n\r\n",
            200,
        ),
        (
            "POST /v1/call/state?x=%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
            200,
        ),
        (
            "POST /V1/CALL/state HTTP/1.1\r\nHost: localhost\r\n\r\n",
            404,
        ),
        // How long it may take.
        (
            "POST /v1/call/state HTTP/1.1\r\nHost: localhost\r\nX-Request-Timeout: soon\r\n\r\n",
            400,
        ),
        (
            "POST /v1/call/state HTTP/1.1\r\nHost: localhost\r\nX-Request-Timeout: 5\r\n\r\n",
            400,
        ),
        (
            "POST /v1/call/state HTTP/1.1\r\nHost: localhost\r\nX-Request-Timeout: 9999999y\r\n\r\n",
            200,
        ),
        (
            "POST /v1/call/state HTTP/1.1\r\nHost: localhost\r\ntraceparent: nonsense\r\n\r\n",
            200,
        ),
        (
            "POST /v1/call/state HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
            200,
        ),
    ];
    let mut wrong = Vec::new();
    for (request, status) in cases {
        let answers = exchange(gateway.address, request);
        if !matches!(&*answers, [answer] if answer.status == *status) {
            let found: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
            wrong.push((request, status, found));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    gateway.is_unharmed();
}

#[test]
fn a_name_as_long_as_a_head_allows_is_not_found() {
    let gateway = Gateway::start(&[]);
    let mut client = gateway.connect();
    for name in ["a".repeat(60_000), "%41".repeat(20_000), "/".repeat(60_000)] {
        client.call(&name, "1");
        assert_eq!(client.answer().code(), "no_such_function");
    }
    drop(client);
    gateway.is_unharmed();
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let gateway = Gateway::start(&[]);
    let mut client = gateway.connect();
    for round in 0..10 {
        let numbers = || (0..1_000).map(|number| round * 1_000 + number);
        for number in numbers() {
            client.call("echo", &number.to_string());
        }
        for number in numbers() {
            let answer = client.answer();
            assert_eq!((answer.status, answer.text()), (200, number.to_string()));
        }
    }
    // One that is refused does not mix up the others.
    client.call("echo", "1");
    client.call("echo", "[");
    client.call("nobody", "2");
    client.call("echo", "3");
    let statuses: Vec<u16> = (0..4).map(|_| client.answer().status).collect();
    assert_eq!(statuses, [200, 400, 404, 200]);
    drop(client);
    gateway.is_unharmed();
}
