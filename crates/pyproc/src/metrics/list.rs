//! The list of all metrics and labels, and its tables for the documentation.

use std::fmt::{self, Write};

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How many values of which size there were.
    Histogram,
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        })
    }
}

/// One metric that every pool reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its labels beside `pool`, which all have; see [`LABELS`].
    pub labels: &'static [&'static str],
    /// What it counts in: `calls`, `seconds`, `bytes`.
    pub unit: &'static str,
    /// What it says, in one sentence.
    pub meaning: &'static str,
}

/// One label of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Its values.
    pub values: &'static str,
}

/// Every metric that a pool reports.
pub const METRICS: &[Metric] = &[
    Metric {
        name: "pyproc_calls_total",
        kind: Kind::Counter,
        labels: &["function", "outcome"],
        unit: "calls",
        meaning: "Calls that have ended, each of them once.",
    },
    Metric {
        name: "pyproc_call_duration_seconds",
        kind: Kind::Histogram,
        labels: &["function"],
        unit: "seconds",
        meaning: "Time from a call to its end, of calls that the pool has taken and that were not dropped. Of more than 4,096 calls of a function between two publications, a sample of them.",
    },
    Metric {
        name: "pyproc_queue_wait_seconds",
        kind: Kind::Histogram,
        labels: &["function"],
        unit: "seconds",
        meaning: "The part of that time in which the function did not run: in the queue, behind other calls of the worker, on the way there and back. Of calls that were answered, and of those that ended before they were started.",
    },
    Metric {
        name: "pyproc_calls_in_flight",
        kind: Kind::Gauge,
        labels: &[],
        unit: "calls",
        meaning: "Calls that workers have, those included whose callers no longer wait.",
    },
    Metric {
        name: "pyproc_queue_length",
        kind: Kind::Gauge,
        labels: &[],
        unit: "calls",
        meaning: "Calls that wait until a worker has room for them.",
    },
    Metric {
        name: "pyproc_workers",
        kind: Kind::Gauge,
        labels: &["state"],
        unit: "workers",
        meaning: "Workers by what they are doing.",
    },
    Metric {
        name: "pyproc_worker_restarts_total",
        kind: Kind::Counter,
        labels: &["reason"],
        unit: "processes",
        meaning: "Worker processes that have ended, or could not be started, and are replaced; not those of a shutdown.",
    },
    Metric {
        name: "pyproc_ring_occupancy_ratio",
        kind: Kind::Gauge,
        labels: &["worker", "direction"],
        unit: "share, 0 to 1",
        meaning: "How full a worker's ring was when the metrics were published.",
    },
    Metric {
        name: "pyproc_body_bytes_total",
        kind: Kind::Counter,
        labels: &["direction"],
        unit: "bytes",
        meaning: "Bodies of calls that the pool has taken, and of answers to them.",
    },
    Metric {
        name: "pyproc_segments",
        kind: Kind::Gauge,
        labels: &["direction"],
        unit: "segments",
        meaning: "Pieces of shared memory for bodies above 32 KiB that workers have, in use or kept for the next body.",
    },
    Metric {
        name: "pyproc_segment_bytes",
        kind: Kind::Gauge,
        labels: &[],
        unit: "bytes",
        meaning: "Shared memory that bodies above 32 KiB take in all; `segment_memory` bounds it.",
    },
];

/// Every label of [`METRICS`].
pub const LABELS: &[Label] = &[
    Label {
        name: "pool",
        values: "`name` of the configuration; without one the script's file name without `.py`, or the module. Two pools of one program need two names: their gauges would overwrite each other.",
    },
    Label {
        name: "function",
        values: "The function's exposed name; `(unknown)` for calls of names that nothing has.",
    },
    Label {
        name: "outcome",
        values: "`ok`; for a call that failed what `CallError::metric_label()` gives: `python`, `timeout_queue`, `timeout_run`, `worker_died`, `overloaded`, `no_such_function`, `malformed`, `bad_argument`, `too_large`, `bad_result`, `protocol`, `closed`, `cancelled`; `dropped` when its caller dropped the future first.",
    },
    Label {
        name: "state",
        values: "`starting`, `up`, `stopping` (takes no more calls and is about to end), `down` (waits for its next start).",
    },
    Label {
        name: "reason",
        values: "`exit` (it exited), `signal` (it crashed, or was killed from outside), `out_of_memory`, `limit` (a function ran past its limit and did not stop), `protocol` (it broke the protocol), `start` (it did not come up), `unknown` (the kernel did not say).",
    },
    Label {
        name: "worker",
        values: "The worker's place in the pool, from 0.",
    },
    Label {
        name: "direction",
        values: "`request` (to Python), `response` (from Python).",
    },
];

/// The table of [`METRICS`] as Markdown, which the documentation holds.
#[doc(hidden)]
#[must_use]
pub fn metrics_table() -> String {
    let mut table =
        "| metric | kind | labels | unit | meaning |\n|---|---|---|---|---|\n".to_owned();
    for metric in METRICS {
        let labels: Vec<String> = std::iter::once(&"pool")
            .chain(metric.labels)
            .map(|label| format!("`{label}`"))
            .collect();
        let _ = writeln!(
            table,
            "| `{}` | {} | {} | {} | {} |",
            metric.name,
            metric.kind,
            labels.join(", "),
            metric.unit,
            metric.meaning
        );
    }
    table
}

/// The table of [`LABELS`] as Markdown, which the documentation holds.
#[doc(hidden)]
#[must_use]
pub fn labels_table() -> String {
    let mut table = "| label | values |\n|---|---|\n".to_owned();
    for label in LABELS {
        let _ = writeln!(table, "| `{}` | {} |", label.name, label.values);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::REASONS;
    use crate::health::WorkerState;
    use crate::metrics::tally::OUTCOMES;

    #[test]
    fn labels_have_the_values_that_are_listed() {
        let values = |name: &str| -> Vec<&str> {
            let label = LABELS.iter().find(|label| label.name == name);
            let values = label.expect("a label").values;
            values
                .split('`')
                .skip(1)
                .step_by(2)
                .filter(|value| !value.contains('('))
                .collect()
        };
        assert_eq!(values("outcome"), OUTCOMES);
        assert_eq!(values("reason"), REASONS);
        assert_eq!(values("state"), WorkerState::ALL.map(WorkerState::label));
    }

    #[test]
    fn every_label_is_explained_and_used() {
        let used: Vec<&str> = METRICS
            .iter()
            .flat_map(|metric| metric.labels)
            .copied()
            .collect();
        for label in &used {
            assert!(LABELS.iter().any(|known| known.name == *label), "{label}");
        }
        for label in LABELS {
            assert!(
                label.name == "pool" || used.contains(&label.name),
                "{}",
                label.name
            );
        }
        assert_eq!(metrics_table().lines().count(), METRICS.len() + 2);
        assert_eq!(labels_table().lines().count(), LABELS.len() + 2);
    }
}
