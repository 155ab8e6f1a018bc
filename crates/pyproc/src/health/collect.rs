//! How a pool's health is collected, and the sentence for one that is not ready.

use std::time::Duration;

use pyproc_ipc::clock::now_ns;

use super::{Health, WorkerHealth, WorkerState};
use crate::core::Phase;
use crate::pool::Shared;

impl Shared {
    /// What the pool and its workers are doing.
    pub(crate) fn health(&self) -> Health {
        let now = now_ns();
        let (mut workers, last_error, over) = self.board.workers(now);
        let core = self.core.lock();
        let phase = if over { Phase::Closed } else { core.phase };
        let (queue_length, in_flight) = (core.scheduler.queued(), core.scheduler.busy());
        for worker in &mut workers {
            if matches!(worker.state, WorkerState::Up | WorkerState::Stopping) {
                worker.calls = core.scheduler.calls(worker.worker);
                worker.in_flight = core.scheduler.outstanding(worker.worker);
            }
        }
        drop(core);
        for worker in &mut workers {
            worker.rss_bytes = worker.pid.and_then(resident);
        }
        let reason = not_ready(phase, &workers);
        Health {
            pool: self.settings.name.clone(),
            ready: reason.is_none(),
            reason,
            last_error,
            queue_length,
            queue_limit: self.settings.queue,
            in_flight,
            workers,
        }
    }
}

/// Resident memory of a process, from `/proc`; it may have ended meanwhile.
fn resident(pid: u32) -> Option<u64> {
    let sizes = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = sizes.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// The sentence for a pool that is not ready. Probes show it to everybody, so nothing that Python said is in it.
fn not_ready(phase: Phase, workers: &[WorkerHealth]) -> Option<String> {
    match phase {
        Phase::Serving => {}
        Phase::Draining => return Some("the pool is shutting down".to_owned()),
        Phase::Closed | Phase::Abandoned => return Some("the pool is shut down".to_owned()),
    }
    let count = |state| {
        workers
            .iter()
            .filter(|worker| worker.state == state)
            .count()
    };
    if count(WorkerState::Up) > 0 {
        return None;
    }
    let mut sentence = "no worker is up".to_owned();
    let (starting, total) = (count(WorkerState::Starting), workers.len());
    if starting > 0 {
        sentence += &format!(", {starting} of {total} are starting");
    } else if let Some(pause) = workers
        .iter()
        .filter_map(|worker| worker.starts_in_seconds)
        .min_by(f64::total_cmp)
    {
        let pause = Duration::from_millis((pause * 1e3) as u64);
        sentence += &format!(
            ", the next start is in {}",
            crate::config::units::duration(pause)
        );
    }
    Some(sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(state: WorkerState, starts_in_seconds: Option<f64>) -> WorkerHealth {
        WorkerHealth {
            worker: 0,
            state,
            pid: None,
            generation: 1,
            age_seconds: None,
            calls: 0,
            in_flight: 0,
            rss_bytes: None,
            restarts: 0,
            starts_in_seconds,
            last_error: None,
        }
    }

    #[test]
    fn why_a_pool_is_not_ready_is_one_sentence() {
        use WorkerState::{Down, Starting, Stopping, Up};
        let why = |workers: &[WorkerHealth]| not_ready(Phase::Serving, workers);
        assert_eq!(why(&[worker(Down, Some(1.0)), worker(Up, None)]), None);
        assert_eq!(
            not_ready(Phase::Draining, &[worker(Up, None)]).as_deref(),
            Some("the pool is shutting down")
        );
        assert_eq!(
            why(&[worker(Stopping, None)]).as_deref(),
            Some("no worker is up")
        );
        assert_eq!(
            why(&[worker(Down, Some(2.0)), worker(Down, Some(0.25))]).as_deref(),
            Some("no worker is up, the next start is in 250ms")
        );
        assert_eq!(
            why(&[worker(Down, Some(2.0)), worker(Starting, None)]).as_deref(),
            Some("no worker is up, 1 of 2 are starting")
        );
    }
}
