//! Log lines as JSON: those of the gateway and those of Python say which request and trace they belong to.

use serde_json::Value;

use crate::collector::Collector;
use crate::gateway::Gateway;
use crate::{client, find};

/// The one line with this message.
#[track_caller]
fn said<'l>(lines: &'l [Value], message: &str) -> &'l Value {
    let mut fits = lines.iter().filter(|line| line["message"] == message);
    let line = fits
        .next()
        .unwrap_or_else(|| panic!("no {message:?}: {lines:#?}"));
    assert!(fits.next().is_none(), "{message:?} twice: {lines:#?}");
    line
}

#[test]
fn lines_of_rust_and_python_carry_the_ids_of_their_request_and_trace() {
    let collector = Collector::start(None);
    let arguments = [
        "--otlp-endpoint",
        &collector.url(),
        "--log-filter",
        "pyproc=debug",
    ];
    let gateway = Gateway::start("traced.py", &arguments, &[]);
    let (trace, _, header) = client(1);
    let headers = [("traceparent", header.as_str()), ("X-Request-Id", "r-4711")];
    assert_eq!(gateway.call("price", r#""tea""#, &headers).status, 200);
    let (failed, _, header) = client(2);
    let answer = gateway.call("fail", "", &[("traceparent", &header)]);
    assert_eq!(answer.status, 500);
    let lines = gateway.stop();
    let spans = collector.spans();

    for line in &lines {
        let time = line["timestamp"].as_str().expect("a time");
        let form: String = time
            .chars()
            .map(|it| if it.is_ascii_digit() { '0' } else { it })
            .collect();
        assert_eq!(form, "0000-00-00T00:00:00.000000Z", "RFC 3339, UTC");
        assert!(
            line["level"].is_string() && line["target"].is_string(),
            "{line}"
        );
    }
    let (inner, server) = (
        find(&spans, &trace, "look up"),
        find(&spans, &trace, "POST /v1/call/{function}"),
    );
    for (message, target, span) in [
        ("looking up tea", "pyproc::worker", inner),
        ("printed for tea", "pyproc::worker", inner),
        ("answered", "pyproc::request", server),
    ] {
        let line = said(&lines, message);
        assert_eq!(line["target"], target);
        assert_eq!(line["request_id"], "r-4711", "{line}");
        assert_eq!(line["trace_id"], trace, "{line}");
        assert_eq!(line["span_id"], span.id, "{line}");
        if target == "pyproc::worker" {
            assert!(
                line["worker"].is_number() && line["pid"].is_number() && line["call"].is_number(),
                "{line}"
            );
        } else {
            assert_eq!(
                (&line["method"], &line["status"]),
                (&"POST".into(), &200.into())
            );
            assert_eq!(line["path"], "/v1/call/price");
            assert!(line["milliseconds"].is_number(), "{line}");
        }
    }
    assert_eq!(said(&lines, "looking up tea")["logger"], "shop");
    assert_eq!(said(&lines, "printed for tea")["stream"], "stdout");

    let line = said(
        &lines,
        "a request failed: the Python function raised ValueError: no such item",
    );
    let id = answer
        .head
        .lines()
        .find_map(|line| line.strip_prefix("x-request-id: "));
    assert_eq!(line["request_id"].as_str(), id);
    assert_eq!(
        (&line["level"], &line["trace_id"]),
        (&"WARN".into(), &failed.into())
    );
    assert_eq!(
        (&line["status"], &line["code"]),
        (&500.into(), &"python".into())
    );
    let traceback = line["traceback"].as_str().expect("where it was raised");
    assert!(traceback.starts_with("Traceback") && traceback.ends_with("ValueError: no such item"));
    assert!(!answer.body.contains("Traceback"), "{}", answer.body);
}

#[test]
fn requests_without_a_trace_have_an_id_which_python_sees() {
    let gateway = Gateway::start("traced.py", &[], &[]);
    let answer = gateway.call("request_id", "", &[("X-Request-Id", "mine")]);
    assert_eq!(answer.body, "\"mine\"");
    let mut ids = Vec::new();
    for bad in ["", "two words", &"x".repeat(129)] {
        let answer = gateway.call("request_id", "", &[("X-Request-Id", bad)]);
        let id: String = serde_json::from_str(&answer.body).expect("an id");
        assert!(
            answer.head.contains(&format!("x-request-id: {id}")),
            "{}",
            answer.head
        );
        assert_ne!(id, bad);
        ids.push(id);
    }
    ids.dedup();
    assert_eq!(ids.len(), 3);

    assert_eq!(
        gateway
            .call("price", r#""tea""#, &[("X-Request-Id", "mine")])
            .status,
        200
    );
    let lines = gateway.stop();
    let line = said(&lines, "printed for tea");
    assert_eq!(line["request_id"], "mine");
    assert!(line.get("trace_id").is_none(), "{line}");
    // Without a filter requests that went well have no line.
    assert!(
        lines.iter().all(|line| line["target"] != "pyproc::request"),
        "{lines:#?}"
    );
}

#[test]
fn a_client_that_goes_has_a_line_too() {
    let gateway = Gateway::start("traced.py", &["--log-filter", "pyproc=debug"], &[]);
    let folder = format!(
        "{}/lonely-{}",
        env!("CARGO_TARGET_TMPDIR"),
        std::process::id()
    );
    std::fs::create_dir_all(&folder).expect("a folder");
    gateway.client.leave(
        "meet",
        &format!(r#"["{folder}", "one"]"#),
        &[("X-Request-Id", "gone")],
    );
    let line = gateway.line(|line| line["target"] == "pyproc::request");
    assert_eq!(line["message"], "the client has gone");
    assert_eq!(line["request_id"], "gone");
    gateway.stop();
}
