//! `pyproc bench` with real Python: every field is there and means something. No speed is asserted.

mod common;

use std::thread;

use common::pyproc;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde_json::{Value, json};

fn bench(arguments: &[&str]) -> Value {
    let fixed = [
        "bench",
        "worker.py",
        "double",
        r#"{"value": 42}"#,
        "--json",
        "--duration",
        "300ms",
    ];
    let run = pyproc(&[&fixed, arguments].concat());
    serde_json::from_str(run.output()).expect("one JSON object")
}

#[track_caller]
fn number(report: &Value, key: &str) -> f64 {
    report[key].as_f64().expect(key)
}

#[test]
fn one_at_a_time_and_the_loop_in_process() {
    let report = bench(&["--compare-in-process"]);
    assert!(number(&report, "calls") > 0.0);
    assert_eq!(report["errors"], 0);
    assert_eq!(
        (&report["concurrency"], &report["workers"]),
        (&json!(1), &json!(1))
    );
    let per_second = number(&report, "calls") / number(&report, "duration_seconds");
    assert!((number(&report, "calls_per_second") / per_second - 1.0).abs() < 1e-6);
    let [p50, p99, p999, most] =
        ["p50_ns", "p99_ns", "p999_ns", "max_ns"].map(|key| number(&report, key));
    assert!(
        0.0 < p50 && p50 <= p99 && p99 <= p999 && p999 <= most,
        "{report}"
    );
    assert!(number(&report, "cpu_seconds") > 0.0);
    assert!(number(&report, "in_process_calls_per_second") > 0.0);
    assert_eq!(report.get("lateness_p50_ns"), None);
}

#[test]
fn many_at_once_on_two_workers() {
    let report = bench(&["--concurrency", "64", "--workers", "2"]);
    assert_eq!(report["errors"], 0);
    assert!(number(&report, "calls") >= 64.0);
    assert_eq!(report.get("in_process_calls_per_second"), None);
}

#[test]
fn a_rate_is_kept_call_by_call() {
    let report = bench(&["--rate", "200"]);
    assert_eq!(
        (&report["calls"], &report["errors"]),
        (&json!(60), &json!(0))
    );
    assert!(
        number(&report, "lateness_p50_ns") <= number(&report, "p50_ns"),
        "{report}"
    );
}

#[test]
fn without_a_second_cpu_the_round_trip_is_missing_for_a_reason() {
    let before = sched_getaffinity(None).expect("our own CPUs");
    let first = (0..CpuSet::MAX_CPU)
        .find(|cpu| before.is_set(*cpu))
        .expect("one CPU at least");
    let report = thread::spawn(move || {
        let mut one = CpuSet::new();
        one.set(first);
        sched_setaffinity(None, &one).expect("fewer CPUs are always allowed");
        bench(&[])
    })
    .join()
    .expect("the run");
    assert_eq!(report["cross_core_rtt_ns"], Value::Null);
    assert_eq!(report["cross_core_rtt_missing"], "only one CPU may be used");
}

#[test]
fn a_function_that_fails_is_not_measured() {
    let run = pyproc(&["bench", "worker.py", "fail", "1", "--duration", "300ms"]);
    let message = run.error(1);
    assert!(
        message.starts_with(
            "error: fail: the Python function raised ValueError: the value is negative\n"
        ),
        "{message}"
    );
}

#[test]
fn the_report_for_people_has_a_line_for_each_figure() {
    let run = pyproc(&[
        "bench",
        "math:hypot",
        "[3,4]",
        "--duration",
        "200ms",
        "--compare-in-process",
    ]);
    let text = run.output();
    let labels: Vec<&str> = text
        .lines()
        .map(|line| line.get(..16).unwrap_or(line).trim_end())
        .collect();
    assert_eq!(
        labels,
        [
            "calls",
            "calls/s",
            "latency p50",
            "latency p99",
            "latency p99.9",
            "latency max",
            "CPU time",
            "core to core",
            "in one process"
        ]
    );
}
