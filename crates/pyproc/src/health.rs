//! [`Health`]: what a pool and its workers are doing, and whether calls have a chance.

mod collect;

use std::fmt;

use serde::Serialize;

/// A pool at one moment; from [`Pool::health`](crate::Pool::health).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Health {
    /// The pool's name, as in the metrics' label `pool`.
    pub pool: String,
    /// A call that is made now has a worker to run it: one is up, and the pool takes calls.
    pub ready: bool,
    /// Why the pool is not ready, in one sentence that anybody may read; nothing when it is.
    pub reason: Option<String>,
    /// Why the last worker that ended or did not come up did so, in one sentence. It may hold what Python said.
    pub last_error: Option<String>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_one_word_each() {
        for state in WorkerState::ALL {
            assert_eq!(serde_json::to_value(state).expect("a word"), state.label());
        }
    }
}
