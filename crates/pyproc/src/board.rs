//! What the workers are doing, as the driver writes it and [`Health`] shows it; who waits for a change.

use std::collections::HashMap;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use pyproc_ipc::clock::now_ns;

use crate::core::Phase;
use crate::health::{Health, WorkerHealth, WorkerState};
use crate::pool::Shared;
use crate::scheduler::Nanos;

/// Why a worker is started again: the values of the metrics' label `reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Reason {
    Exit,
    Signal,
    OutOfMemory,
    Limit,
    Protocol,
    Start,
    Unknown,
}

/// The label of every [`Reason`], in order.
pub(crate) const REASONS: [&str; 7] = [
    "exit",
    "signal",
    "out_of_memory",
    "limit",
    "protocol",
    "start",
    "unknown",
];

/// One worker's life so far.
struct Life {
    state: WorkerState,
    pid: Option<u32>,
    generation: u32,
    since: Nanos,
    next_start: Nanos,
    restarts: u64,
    last_error: Option<(Nanos, String)>,
}

/// The lives of all workers of a pool.
pub(crate) struct Board {
    state: Mutex<State>,
}

struct State {
    lives: Vec<Life>,
    restarts: [u64; REASONS.len()],
    /// Moves with every change.
    version: u64,
    /// Nothing will change any more.
    over: bool,
    next_watcher: u64,
    waiting: HashMap<u64, Waker>,
}

/// How many workers are where, and what has happened so far.
pub(crate) struct Standing {
    pub(crate) workers: [usize; WorkerState::ALL.len()],
    pub(crate) restarts: [u64; REASONS.len()],
}

impl Board {
    pub(crate) fn new(workers: usize) -> Self {
        let life = || Life {
            state: WorkerState::Down,
            pid: None,
            generation: 0,
            since: 0,
            next_start: 0,
            restarts: 0,
            last_error: None,
        };
        Self {
            state: Mutex::new(State {
                lives: (0..workers).map(|_| life()).collect(),
                restarts: [0; REASONS.len()],
                version: 0,
                over: false,
                next_watcher: 0,
                waiting: HashMap::new(),
            }),
        }
    }

    /// Makes a change, then wakes whoever waits for one, outside of the lock.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock();
        change(&mut state);
        state.version += 1;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_values().for_each(Waker::wake);
    }

    fn change_life(&self, worker: usize, change: impl FnOnce(&mut Life)) {
        self.change(|state| change(&mut state.lives[worker]));
    }

    /// A process has been started.
    pub(crate) fn started(&self, now: Nanos, worker: usize, pid: u32, generation: u32) {
        self.change_life(worker, |life| {
            life.state = WorkerState::Starting;
            life.pid = Some(pid);
            life.generation = generation;
            life.since = now;
        });
    }

    /// A process takes calls.
    pub(crate) fn up(&self, worker: usize) {
        self.change_life(worker, |life| life.state = WorkerState::Up);
    }

    /// A process takes no more calls and is about to end.
    pub(crate) fn stopping(&self, worker: usize) {
        self.change_life(worker, |life| life.state = WorkerState::Stopping);
    }

    /// A process has ended, or could not be started; the next starts after `pause`.
    pub(crate) fn ended(
        &self,
        now: Nanos,
        worker: usize,
        pause: Duration,
        reason: Reason,
        error: String,
    ) {
        self.change(|state| {
            state.restarts[reason as usize] += 1;
            let life = &mut state.lives[worker];
            life.state = WorkerState::Down;
            life.pid = None;
            life.next_start = now.saturating_add(pause.as_nanos() as Nanos);
            life.restarts += 1;
            life.last_error = Some((now, error));
        });
    }

    /// A process has ended because the pool does.
    pub(crate) fn gone(&self, worker: usize) {
        self.change_life(worker, |life| {
            life.state = WorkerState::Down;
            life.pid = None;
            life.next_start = Nanos::MAX;
        });
    }

    /// What the pool is doing has changed.
    pub(crate) fn touch(&self) {
        self.change(|_| {});
    }

    /// All processes are gone, and none will be started.
    pub(crate) fn over(&self) {
        self.change(|state| state.over = true);
    }

    /// How many workers are where; none once the pool has ended.
    pub(crate) fn standing(&self) -> Standing {
        let state = self.state.lock();
        let workers = WorkerState::ALL.map(|wanted| {
            let fits = |life: &&Life| !state.over && life.state == wanted;
            state.lives.iter().filter(fits).count()
        });
        Standing {
            workers,
            restarts: state.restarts,
        }
    }

    /// A number for somebody who is going to wait, and the version that it has seen.
    pub(crate) fn watcher(&self) -> (u64, u64) {
        let mut state = self.state.lock();
        state.next_watcher += 1;
        (state.next_watcher, state.version)
    }

    /// Waits until the version is not `seen`; `None`: it will not be any other.
    pub(crate) fn poll(
        &self,
        watcher: u64,
        seen: u64,
        context: &mut Context<'_>,
    ) -> Poll<Option<u64>> {
        let waker = context.waker().clone();
        let mut state = self.state.lock();
        if state.version != seen {
            return Poll::Ready(Some(state.version));
        }
        if state.over {
            return Poll::Ready(None);
        }
        let former = state.waiting.insert(watcher, waker);
        drop(state);
        drop(former);
        Poll::Pending
    }

    /// Nobody waits under this number any more.
    pub(crate) fn forget(&self, watcher: u64) {
        let former = self.state.lock().waiting.remove(&watcher);
        drop(former);
    }
}

impl Shared {
    /// What the pool and its workers are doing.
    pub(crate) fn health(&self) -> Health {
        let now = now_ns();
        let (mut workers, last_error, over) = self.workers(now);
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
        let reason = not_ready(phase, &workers, last_error.as_deref());
        Health {
            pool: self.settings.name.clone(),
            ready: reason.is_none(),
            reason,
            queue_length,
            queue_limit: self.settings.queue,
            in_flight,
            workers,
        }
    }

    /// The workers without what is under the pool's lock, and the last error of any of them.
    fn workers(&self, now: Nanos) -> (Vec<WorkerHealth>, Option<String>, bool) {
        let seconds = |from: Nanos, to: Nanos| to.saturating_sub(from) as f64 / 1e9;
        let state = self.board.state.lock();
        let workers = state.lives.iter().enumerate().map(|(worker, life)| {
            let waits = life.state == WorkerState::Down && life.next_start != Nanos::MAX;
            WorkerHealth {
                worker,
                state: life.state,
                pid: life.pid,
                generation: life.generation,
                age_seconds: life.pid.map(|_| seconds(life.since, now)),
                calls: 0,
                in_flight: 0,
                rss_bytes: None,
                restarts: life.restarts,
                starts_in_seconds: waits.then(|| seconds(now, life.next_start)),
                last_error: life.last_error.as_ref().map(|(_, error)| error.clone()),
            }
        });
        let errors = state
            .lives
            .iter()
            .filter_map(|life| life.last_error.as_ref());
        let last = errors.max_by_key(|(at, _)| *at);
        (
            workers.collect(),
            last.map(|(_, error)| error.clone()),
            state.over,
        )
    }
}

/// Resident memory of a process, from `/proc`; it may have ended meanwhile.
fn resident(pid: u32) -> Option<u64> {
    let sizes = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = sizes.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// The sentence for a pool that is not ready.
fn not_ready(phase: Phase, workers: &[WorkerHealth], last_error: Option<&str>) -> Option<String> {
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
    if let Some(error) = last_error {
        sentence += &format!("; the last one: {error}");
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
        let why = |phase, workers: &[WorkerHealth], error| not_ready(phase, workers, error);
        assert_eq!(
            why(
                Phase::Serving,
                &[worker(Down, Some(1.0)), worker(Up, None)],
                None
            ),
            None
        );
        assert_eq!(
            why(Phase::Draining, &[worker(Up, None)], None).as_deref(),
            Some("the pool is shutting down")
        );
        assert_eq!(
            why(Phase::Serving, &[worker(Stopping, None)], None).as_deref(),
            Some("no worker is up")
        );
        assert_eq!(
            why(
                Phase::Serving,
                &[worker(Down, Some(2.0)), worker(Down, Some(0.25))],
                Some("it exited with status 3")
            )
            .as_deref(),
            Some(
                "no worker is up, the next start is in 250ms; the last one: it exited with status 3"
            )
        );
        assert_eq!(
            why(
                Phase::Serving,
                &[worker(Down, Some(2.0)), worker(Starting, None)],
                None
            )
            .as_deref(),
            Some("no worker is up, 1 of 2 are starting")
        );
    }

    #[test]
    fn every_reason_has_its_label() {
        let board = Board::new(1);
        for reason in [
            Reason::Exit,
            Reason::Signal,
            Reason::OutOfMemory,
            Reason::Limit,
            Reason::Protocol,
            Reason::Start,
            Reason::Unknown,
        ] {
            board.ended(0, 0, Duration::ZERO, reason, String::new());
        }
        assert_eq!(board.standing().restarts, [1; REASONS.len()]);
    }
}
