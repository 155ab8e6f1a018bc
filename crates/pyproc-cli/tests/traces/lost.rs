//! A collector that is gone, or takes and never answers: spans are lost, requests are not.

use std::net::TcpListener;

use serde_json::Value;

use crate::collector::Collector;
use crate::gateway::Gateway;
use crate::{client, find};

/// Batches leave quickly and fail quickly, so that several of them do.
const IMPATIENT: [(&str, &str); 2] = [
    ("OTEL_BSP_SCHEDULE_DELAY", "50"),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "100"),
];

fn complaints(lines: &[Value]) -> Vec<&Value> {
    let complaint = |line: &&Value| {
        let message = line["message"].as_str().unwrap_or_default();
        message.starts_with("traces do not arrive at the collector")
    };
    lines.iter().filter(complaint).collect()
}

#[test]
fn a_collector_that_is_not_there_is_told_once_and_calls_go_on() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = nobody.local_addr().expect("an address");
    drop(nobody);
    let url = format!("http://{address}");
    let gateway = Gateway::start("traced.py", &["--otlp-endpoint", &url], &IMPATIENT);
    for round in 0..3 {
        assert_eq!(gateway.call("price", r#""tea""#, &[]).status, 200);
        if round == 0 {
            gateway.line(|line| {
                let message = line["message"].as_str().unwrap_or_default();
                message.starts_with("traces do not arrive at the collector")
            });
        }
    }
    let lines = gateway.stop();
    let complaints = complaints(&lines);
    assert_eq!(complaints.len(), 1, "{lines:#?}");
    assert_eq!(complaints[0]["level"], "WARN");
    assert_eq!(complaints[0]["collector"], address.to_string());
    let message = complaints[0]["message"].as_str().unwrap_or_default();
    assert!(message.contains("refused"), "{message}");
    let lost = lines
        .iter()
        .find(|line| line["message"] == "these spans never arrived");
    // Two of each request.
    assert_eq!(lost.expect("what was lost")["lost"], 6);
}

#[test]
fn a_collector_that_never_answers_holds_up_neither_calls_nor_the_end() {
    // Connections are taken by the system, and nobody reads.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    let gateway = Gateway::start("traced.py", &["--otlp-endpoint", &url], &[IMPATIENT[0]]);
    for _ in 0..3 {
        assert_eq!(gateway.call("price", r#""tea""#, &[]).status, 200);
    }
    // It ends, although the exporters would wait for ten seconds, and again for what came after.
    gateway.stop();
}

#[test]
fn a_full_queue_drops_spans_and_says_so() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    let variables = [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "2"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1"),
    ];
    let gateway = Gateway::start("traced.py", &["--otlp-endpoint", &url], &variables);
    for _ in 0..5 {
        assert_eq!(gateway.call("request_id", "", &[]).status, 200);
    }
    let line = gateway.line(|line| line["name"] == "BatchSpanProcessor.SpanDroppingStarted");
    assert_eq!(line["level"], "WARN");
    gateway.stop();
}

#[test]
fn a_collector_that_refuses_is_told_with_its_status() {
    let collector = Collector::start(None);
    // One that refuses: there is nothing at its path.
    let variables = [
        IMPATIENT[0],
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &collector.url()),
    ];
    let gateway = Gateway::start("traced.py", &[], &variables);
    assert_eq!(gateway.call("price", r#""tea""#, &[]).status, 200);
    let line = gateway.line(|line| line["collector"] == collector.address.to_string());
    let message = line["message"].as_str().unwrap_or_default();
    assert!(message.contains("400"), "{message}");
    gateway.stop();
    assert_eq!(collector.spans().len(), 0);
}

#[test]
fn a_collector_that_comes_back_gets_what_is_made_from_then_on() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = nobody.local_addr().expect("an address");
    drop(nobody);
    let url = format!("http://{address}");
    let gateway = Gateway::start("traced.py", &["--otlp-endpoint", &url], &IMPATIENT);
    assert_eq!(gateway.call("price", r#""tea""#, &[]).status, 200);
    let collector = address.to_string();
    gateway.line(|line| line["collector"] == collector);
    let back = Collector::start_at(&collector, None);
    let (trace, _, header) = client(1);
    let answer = gateway.call("price", r#""tea""#, &[("traceparent", &header)]);
    assert_eq!(answer.status, 200);
    let line = gateway.line(|line| line["message"] == "traces arrive at the collector again");
    assert_eq!(line["lost"], 2);
    gateway.stop();
    find(&back.spans(), &trace, "pyproc.call");
}
