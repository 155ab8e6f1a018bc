//! [`Health`]: what a pool and its workers are doing, and whether calls have a chance.

mod collect;

use std::fmt::{self, Write};

use serde::Serialize;

/// A pool at one moment; from [`Pool::health`](crate::Pool::health).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Health {
    /// The pool's name, as in the metrics' label `pool`.
    pub pool: String,
    /// A call that is made now has a worker to run it: one is up, and the pool takes calls.
    pub ready: bool,
    /// Why the pool is not ready, in one sentence; nothing when it is.
    pub reason: Option<String>,
    /// Calls that wait until a worker has room for them.
    pub queue_length: usize,
    /// How many may wait: `queue` of the configuration.
    pub queue_limit: usize,
    /// Calls that workers have, those included whose callers no longer wait.
    pub in_flight: usize,
    /// Every worker, by its place in the pool.
    pub workers: Vec<WorkerHealth>,
}

/// One worker at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WorkerHealth {
    /// Its place in the pool, from 0.
    pub worker: usize,
    /// What it is doing.
    pub state: WorkerState,
    /// Its process, while there is one.
    pub pid: Option<u32>,
    /// Counts the processes that this worker has had; 1 is the first.
    pub generation: u32,
    /// Seconds since its process was started.
    pub age_seconds: Option<f64>,
    /// Calls that its process has answered.
    pub calls: u64,
    /// Calls that it has now.
    pub in_flight: usize,
    /// Memory of its process that is resident, shared pages included.
    pub rss_bytes: Option<u64>,
    /// How often it has ended, or could not be started, and was replaced.
    pub restarts: u64,
    /// Seconds until its next start, while it is down.
    pub starts_in_seconds: Option<f64>,
    /// Why its last process ended or did not come up, in one sentence.
    pub last_error: Option<String>,
}

/// What a worker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WorkerState {
    /// Its process imports what it needs.
    Starting,
    /// It takes calls.
    Up,
    /// It takes no more calls and is about to end.
    Stopping,
    /// It has no process and waits for its next start.
    Down,
}

impl WorkerState {
    /// Every state.
    pub(crate) const ALL: [Self; 4] = [Self::Starting, Self::Up, Self::Stopping, Self::Down];

    /// The word for it in metrics and JSON.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Up => "up",
            Self::Stopping => "stopping",
            Self::Down => "down",
        }
    }
}

impl fmt::Display for WorkerState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.label())
    }
}

/// Every field of a pool's and of its workers' health, with its meaning, for the documentation.
#[doc(hidden)]
pub const FIELDS: &[(&str, &str)] = &[
    ("pool", "The pool's name, as in the metrics' label `pool`."),
    (
        "ready",
        "Whether a call that is made now has a worker to run it: one is up, and the pool takes calls.",
    ),
    (
        "reason",
        "Why the pool is not ready, in one sentence; nothing when it is.",
    ),
    (
        "queue_length",
        "Calls that wait until a worker has room for them.",
    ),
    (
        "queue_limit",
        "How many may wait: `queue` of the configuration.",
    ),
    (
        "in_flight",
        "Calls that workers have, those included whose callers no longer wait.",
    ),
    (
        "workers[].worker",
        "The worker's place in the pool, from 0.",
    ),
    (
        "workers[].state",
        "`starting`, `up`, `stopping` (takes no more calls and is about to end) or `down` (waits for its next start).",
    ),
    ("workers[].pid", "Its process, while there is one."),
    (
        "workers[].generation",
        "Counts the processes that this worker has had; 1 is the first.",
    ),
    (
        "workers[].age_seconds",
        "Seconds since its process was started.",
    ),
    ("workers[].calls", "Calls that its process has answered."),
    ("workers[].in_flight", "Calls that it has now."),
    (
        "workers[].rss_bytes",
        "Memory of its process that is resident, shared pages included.",
    ),
    (
        "workers[].restarts",
        "How often it has ended, or could not be started, and was replaced.",
    ),
    (
        "workers[].starts_in_seconds",
        "Seconds until its next start, while it is down.",
    ),
    (
        "workers[].last_error",
        "Why its last process ended or did not come up, in one sentence.",
    ),
];

/// The table of [`FIELDS`] as Markdown, which the documentation holds.
#[doc(hidden)]
#[must_use]
pub fn health_table() -> String {
    let mut table = "| field | meaning |\n|---|---|\n".to_owned();
    for (field, meaning) in FIELDS {
        let _ = writeln!(table, "| `{field}` | {meaning} |");
    }
    table
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_has_every_field_and_no_other() {
        let worker = WorkerHealth {
            worker: 0,
            state: WorkerState::Stopping,
            pid: None,
            generation: 1,
            age_seconds: None,
            calls: 0,
            in_flight: 0,
            rss_bytes: None,
            restarts: 0,
            starts_in_seconds: None,
            last_error: None,
        };
        let health = Health {
            pool: "worker".to_owned(),
            ready: false,
            reason: None,
            queue_length: 0,
            queue_limit: 0,
            in_flight: 0,
            workers: vec![worker],
        };
        let value = serde_json::to_value(&health).expect("plain data");
        assert_eq!(value["workers"][0]["state"], "stopping");
        let names = |value: &serde_json::Value, prefix: &str| -> Vec<String> {
            let fields = value.as_object().expect("an object");
            fields
                .keys()
                .map(|name| format!("{prefix}{name}"))
                .collect()
        };
        let mut fields: BTreeSet<String> = names(&value, "").into_iter().collect();
        fields.remove("workers");
        fields.extend(names(&value["workers"][0], "workers[]."));
        let table: BTreeSet<String> = FIELDS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(table, fields);
        assert_eq!(health_table().lines().count(), FIELDS.len() + 2);
    }

    #[test]
    fn states_have_one_word_each() {
        for state in WorkerState::ALL {
            assert_eq!(serde_json::to_value(state).expect("a word"), state.label());
        }
    }
}
