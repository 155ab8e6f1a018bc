//! Traces of the gateway and its workers, as a collector sees them, and log lines that belong to them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to panic")]
#![allow(clippy::panic, reason = "a test that cannot go on is to panic")]

mod collector;
#[path = "../common/mod.rs"]
mod common;
mod environment;
mod gateway;
mod lines;
mod lost;

use std::collections::BTreeSet;
use std::thread;

use collector::{Collector, Span};
use gateway::Gateway;

/// A client's trace, its span in it, and the header that says so.
fn client(number: u32) -> (String, String, String) {
    let (trace, span) = (
        format!("{:032x}", 0xabc0 + number),
        format!("{:016x}", 0xdef0 + number),
    );
    let header = format!("00-{trace}-{span}-01");
    (trace, span, header)
}

/// The span of this name in this trace; there is one.
#[track_caller]
fn find<'s>(spans: &'s [Span], trace: &str, name: &str) -> &'s Span {
    let mut fits = spans
        .iter()
        .filter(|span| span.trace == trace && span.name == name);
    let span = fits
        .next()
        .unwrap_or_else(|| panic!("no {name} in {trace}: {spans:#?}"));
    assert!(fits.next().is_none(), "{name} twice: {spans:#?}");
    span
}

#[track_caller]
fn attributes(span: &Span, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        assert_eq!(
            span.attributes.get(*name).map(String::as_str),
            Some(*value),
            "{name}: {span:#?}"
        );
    }
}

#[test]
fn one_trace_goes_through_the_gateway_and_both_workers() {
    let collector = Collector::start(None);
    let arguments = ["--workers", "2", "--otlp-endpoint", &collector.url()];
    let gateway = Gateway::start("traced.py", &arguments, &[]);

    // Two calls that wait for each other are in two workers.
    let folder = tempfile();
    let (trace, parent, header) = client(0);
    thread::scope(|scope| {
        for name in ["one", "two"] {
            let (client, header, folder) =
                (gateway.client.clone(), header.as_str(), folder.as_str());
            scope.spawn(move || {
                let body = format!(r#"["{folder}", "{name}"]"#);
                let answer = client.call("meet", &body, &[("traceparent", header)]);
                assert_eq!(
                    (answer.status, answer.body.as_str()),
                    (200, "2"),
                    "{}",
                    answer.body
                );
            });
        }
    });
    for (number, function) in [(1, "price"), (2, "price_async")] {
        let (_, _, header) = client(number);
        let headers = [
            ("traceparent", header.as_str()),
            ("tracestate", "vendor=opaque"),
            ("X-Request-Id", "r-4711"),
        ];
        let answer = gateway.call(function, r#""tea""#, &headers);
        assert_eq!((answer.status, answer.body.as_str()), (200, "4.5"));
        assert!(
            answer.head.contains("x-request-id: r-4711"),
            "{}",
            answer.head
        );
    }
    gateway.stop();

    let spans = collector.spans();
    assert_eq!(spans.len(), 2 * 3 + 2 * 4, "{spans:#?}");

    // Of the two that met.
    let of = |name: &str| -> Vec<&Span> {
        let fits = spans
            .iter()
            .filter(|span| span.trace == trace && span.name == name);
        fits.collect()
    };
    let (servers, calls, functions) = (
        of("POST /v1/call/{function}"),
        of("pyproc.call"),
        of("meet"),
    );
    assert_eq!((servers.len(), calls.len(), functions.len()), (2, 2, 2));
    assert!(servers.iter().all(|span| span.parent == parent));
    for function in &functions {
        let call = calls.iter().find(|call| call.id == function.parent);
        let call = call.expect("the function's parent is a call");
        assert!(servers.iter().any(|server| server.id == call.parent));
    }
    let processes: BTreeSet<&String> = spans
        .iter()
        .map(|span| &span.resource["process.pid"])
        .collect();
    assert_eq!(
        processes.len(),
        3,
        "the gateway and two workers: {spans:#?}"
    );
    let workers: BTreeSet<&String> = calls
        .iter()
        .map(|call| &call.attributes["worker"])
        .collect();
    assert_eq!(workers.len(), 2);
    for span in &spans {
        assert_eq!(span.resource["service.name"], "traced", "the pool's name");
    }

    // Of the two with spans of the user's own.
    for (number, function) in [(1, "price"), (2, "price_async")] {
        let (trace, parent, _) = client(number);
        let server = find(&spans, &trace, "POST /v1/call/{function}");
        let call = find(&spans, &trace, "pyproc.call");
        let python = find(&spans, &trace, function);
        let inner = find(&spans, &trace, "look up");
        assert_eq!(server.parent, parent);
        assert_eq!(call.parent, server.id);
        assert_eq!(python.parent, call.id);
        assert_eq!(inner.parent, python.id);
        assert_eq!(
            [server.kind, call.kind, python.kind, inner.kind],
            [2, 3, 2, 1]
        );
        for span in [server, call, python, inner] {
            assert_eq!(
                (span.status, span.state.as_str()),
                (0, "vendor=opaque"),
                "{span:#?}"
            );
        }
        let path = format!("/v1/call/{function}");
        attributes(
            server,
            &[
                ("http.request.method", "POST"),
                ("http.route", "/v1/call/{function}"),
                ("http.response.status_code", "200"),
                ("url.path", &path),
                ("url.scheme", "http"),
                ("server.address", "localhost"),
                ("server.port", "81"),
                ("network.protocol.version", "1.1"),
                ("user_agent.original", "test/1"),
                ("pyproc.request_id", "r-4711"),
            ],
        );
        assert!(!server.attributes.contains_key("error.type"));
        attributes(
            call,
            &[("function", function), ("outcome", "ok"), ("attempts", "1")],
        );
        assert_eq!(
            server.resource["service.version"],
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(server.resource["telemetry.sdk.language"], "rust");
        assert_eq!(python.resource["telemetry.sdk.language"], "python");
    }
}

#[test]
fn failures_mark_the_spans_of_whoever_failed() {
    let collector = Collector::start(None);
    let gateway = Gateway::start("traced.py", &["--otlp-endpoint", &collector.url()], &[]);
    for (number, function, body, status) in [
        (1, "fail", "", 500),
        (2, "price", "[1, 2, 3]", 422),
        (3, "nobody", "", 404),
        (4, "price", "\"tea", 400),
    ] {
        let (_, _, header) = client(number);
        let answer = gateway.call(function, body, &[("traceparent", &header)]);
        assert_eq!(answer.status, status, "{}", answer.body);
    }
    gateway.stop();

    let spans = collector.spans();
    for (number, status, code, is_ours) in [
        (1, "500", "python", true),
        (2, "422", "bad_argument", false),
        (3, "404", "no_such_function", false),
        (4, "400", "malformed", false),
    ] {
        let (trace, _, _) = client(number);
        let server = find(&spans, &trace, "POST /v1/call/{function}");
        attributes(
            server,
            &[("http.response.status_code", status), ("error.type", code)],
        );
        assert_eq!(server.status, if is_ours { 2 } else { 0 }, "{server:#?}");
        let call = find(&spans, &trace, "pyproc.call");
        attributes(call, &[("outcome", code), ("error.type", code)]);
        assert_eq!(call.status, 2);
    }
    let (trace, _, _) = client(1);
    assert_eq!(find(&spans, &trace, "fail").status, 2);
}

/// An empty folder of this test's.
fn tempfile() -> String {
    let folder = format!(
        "{}/meet-{}",
        env!("CARGO_TARGET_TMPDIR"),
        std::process::id()
    );
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}
