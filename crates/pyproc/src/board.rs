//! What the workers are doing, as the driver writes it and a pool's health shows it; who waits for a change.

use std::collections::HashMap;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;

use crate::health::{WorkerHealth, WorkerState};
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

    /// The workers without what is under the pool's lock, and the last error of any of them.
    pub(crate) fn workers(&self, now: Nanos) -> (Vec<WorkerHealth>, Option<String>, bool) {
        let seconds = |from: Nanos, to: Nanos| to.saturating_sub(from) as f64 / 1e9;
        let state = self.state.lock();
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

#[cfg(test)]
mod tests {
    use super::*;

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
