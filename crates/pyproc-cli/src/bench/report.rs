//! What `pyproc bench` prints.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use super::round_trip::RoundTrip;
use super::tally::Tally;
use crate::options::BenchOptions;

/// The result of one run, as `--json` prints it. Latencies are those of successful calls.
#[derive(Serialize)]
pub(super) struct Report {
    target: String,
    function: String,
    workers: u32,
    concurrency: u32,
    rate: Option<f64>,
    duration_seconds: f64,
    /// Successful calls.
    calls: u64,
    errors: u64,
    errors_by_kind: BTreeMap<&'static str, u64>,
    first_error: Option<String>,
    calls_per_second: f64,
    p50_ns: u64,
    p99_ns: u64,
    p999_ns: u64,
    max_ns: u64,
    /// With a rate: how late the calls were sent; part of their latency.
    #[serde(skip_serializing_if = "Option::is_none")]
    lateness_p50_ns: Option<u64>,
    /// CPU time of this program and of the workers together.
    cpu_seconds: f64,
    cross_core_rtt_ns: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cross_core_rtt_missing: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_process_calls_per_second: Option<f64>,
}

impl Report {
    pub(super) fn new(
        options: &BenchOptions,
        tally: &Tally,
        elapsed: Duration,
        cpu_seconds: f64,
        round_trip: RoundTrip,
        in_process: Option<f64>,
    ) -> Self {
        let latency = |quantile| tally.latencies.value_at_quantile(quantile);
        Self {
            target: options.target.to_string(),
            function: options.called.function.clone(),
            workers: options.workers,
            concurrency: options.concurrency,
            rate: options.rate,
            duration_seconds: elapsed.as_secs_f64(),
            calls: tally.calls,
            errors: tally.error_count(),
            errors_by_kind: tally.errors.clone(),
            first_error: tally.first_error.clone(),
            calls_per_second: tally.calls as f64 / elapsed.as_secs_f64(),
            p50_ns: latency(0.5),
            p99_ns: latency(0.99),
            p999_ns: latency(0.999),
            max_ns: tally.latencies.max(),
            lateness_p50_ns: options.rate.map(|_| tally.lateness.value_at_quantile(0.5)),
            cpu_seconds,
            cross_core_rtt_ns: round_trip.ok(),
            cross_core_rtt_missing: round_trip.err(),
            in_process_calls_per_second: in_process,
        }
    }

    /// The same for people.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |label: &str, value: String| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{label:<16} {value}");
        };
        line(
            "calls",
            format!(
                "{} in {:.2} s, {} in flight, {} worker(s)",
                thousands(self.calls),
                self.duration_seconds,
                self.concurrency,
                self.workers
            ),
        );
        if self.errors > 0 {
            let kinds: Vec<_> = self
                .errors_by_kind
                .iter()
                .map(|(kind, count)| format!("{kind} {count}"))
                .collect();
            line(
                "errors",
                format!("{} ({})", thousands(self.errors), kinds.join(", ")),
            );
        }
        if let Some(error) = &self.first_error {
            line("first error", error.clone());
        }
        line("calls/s", thousands(self.calls_per_second.round() as u64));
        line("latency p50", time(self.p50_ns as f64));
        line("latency p99", time(self.p99_ns as f64));
        line("latency p99.9", time(self.p999_ns as f64));
        line("latency max", time(self.max_ns as f64));
        if let Some(lateness) = self.lateness_p50_ns {
            line("sent late p50", time(lateness as f64));
        }
        let per_call = self.cpu_seconds * 1e9 / (self.calls + self.errors).max(1) as f64;
        line(
            "CPU time",
            format!("{:.2} s, {} per call", self.cpu_seconds, time(per_call)),
        );
        line(
            "core to core",
            match (self.cross_core_rtt_ns, self.cross_core_rtt_missing) {
                (Some(nanoseconds), _) => format!("{} there and back", time(nanoseconds)),
                (None, reason) => format!("not measured: {}", reason.unwrap_or("unknown")),
            },
        );
        if let Some(in_process) = self.in_process_calls_per_second {
            line(
                "in one process",
                format!(
                    "{} calls/s in a Python loop; the pool makes {:.2} of that",
                    thousands(in_process.round() as u64),
                    self.calls_per_second / in_process
                ),
            );
        }
        text
    }
}

/// A number with its thousands apart: `1,234,567`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time with three digits and a unit: `1.23 µs`.
fn time(nanoseconds: f64) -> String {
    let (value, unit) = match nanoseconds {
        below if below < 1e3 => (nanoseconds, "ns"),
        below if below < 1e6 => (nanoseconds / 1e3, "µs"),
        below if below < 1e9 => (nanoseconds / 1e6, "ms"),
        _ => (nanoseconds / 1e9, "s"),
    };
    let decimals = if value < 10.0 {
        2
    } else if value < 100.0 {
        1
    } else {
        0
    };
    format!("{value:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(thousands),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(
            [0.0, 412.0, 1_234.0, 45_678.0, 2.5e9].map(time),
            ["0.00 ns", "412 ns", "1.23 µs", "45.7 µs", "2.50 s"]
        );
    }
}
