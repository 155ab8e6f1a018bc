//! Worker processes in virtual time: they claim calls in ring order, run them, answer, stall and die.

use std::collections::VecDeque;

use crate::scheduler::{Lanes, Nanos};

/// A call that the tests keep an eye on: its number is what travels in its body.
pub(super) type Ticket = usize;

/// Where a record is, as its state word and the worker's memory have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Queued,
    Revoked,
    Running { since: Nanos, until: Nanos },
    Answered,
}

pub(super) struct Record {
    pub(super) id: u64,
    pub(super) ticket: Ticket,
    pub(super) function: usize,
    pub(super) deadline: Nanos,
    pub(super) state: State,
}

/// An answer that the host has not taken yet.
pub(super) struct Answer {
    pub(super) id: u64,
    pub(super) ticket: Ticket,
    pub(super) run_ns: u64,
}

/// What a worker did, for the checker.
pub(super) enum Deed {
    Started(Ticket),
    Expired(Ticket),
}

/// How a function behaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Behaviour {
    pub(super) is_async: bool,
    pub(super) run_ns: u64,
}

/// One process and its ring.
#[derive(Default)]
pub(super) struct Process {
    pub(super) alive: bool,
    pub(super) stalled: bool,
    pub(super) records: Vec<Record>,
    pub(super) answers: VecDeque<Answer>,
    /// A call did not fit; only a look at the clock finds out that there is room again.
    pub(super) refused: bool,
    room: usize,
    published: usize,
    next: usize,
    clock: Nanos,
}

impl Process {
    pub(super) fn start(room: usize, now: Nanos) -> Self {
        Self {
            alive: true,
            room,
            clock: now,
            ..Self::default()
        }
    }

    /// Has the ring no room for another record?
    pub(super) fn full(&self) -> bool {
        self.records.len() - self.next >= self.room
    }

    /// Calls that run.
    pub(super) fn running(&self) -> impl Iterator<Item = &Record> {
        self.records
            .iter()
            .filter(|record| matches!(record.state, State::Running { .. }))
    }

    /// Works until `to`; `jitter` scales each run.
    pub(super) fn advance(
        &mut self,
        to: Nanos,
        functions: &[Behaviour],
        mut jitter: impl FnMut(u64) -> u64,
        mut deed: impl FnMut(Deed, Nanos),
    ) {
        while self.alive && !self.stalled {
            let plain = self
                .running()
                .find(|record| !functions[record.function].is_async);
            if plain.is_none() && self.next < self.published {
                let clock = self.clock;
                let record = &mut self.records[self.next];
                self.next += 1;
                match record.state {
                    State::Revoked => {}
                    State::Queued if record.deadline < clock => {
                        record.state = State::Answered;
                        deed(Deed::Expired(record.ticket), clock);
                        self.answers.push_back(Answer {
                            id: record.id,
                            ticket: record.ticket,
                            run_ns: 0,
                        });
                    }
                    State::Queued => {
                        let until = clock.saturating_add(jitter(functions[record.function].run_ns));
                        record.state = State::Running {
                            since: clock,
                            until,
                        };
                        deed(Deed::Started(record.ticket), clock);
                    }
                    State::Running { .. } | State::Answered => {
                        unreachable!("a record is taken once")
                    }
                }
                continue;
            }
            // The thread belongs to a plain call until that ends.
            let end_of = |record: &Record| match record.state {
                State::Running { until, .. } => until,
                _ => Nanos::MAX,
            };
            let first = plain.map_or_else(
                || self.running().map(end_of).min(),
                |plain| Some(end_of(plain)),
            );
            let plain_runs = plain.is_some();
            let Some(until) = first.filter(|&until| until <= to) else {
                break;
            };
            self.clock = self.clock.max(until);
            let ended = self.records.iter_mut().find(|record| {
                end_of(record) == until && plain_runs != functions[record.function].is_async
            });
            let Some(record) = ended else { break };
            let State::Running { since, .. } = record.state else {
                break;
            };
            record.state = State::Answered;
            self.answers.push_back(Answer {
                id: record.id,
                ticket: record.ticket,
                run_ns: self.clock - since,
            });
        }
        self.clock = self.clock.max(to);
    }

    /// A call that heeds its cancellation ends now.
    pub(super) fn cancel(&mut self, id: u64, now: Nanos) {
        for record in &mut self.records {
            if let State::Running { until, .. } = &mut record.state
                && record.id == id
            {
                *until = now.max(self.clock).min(*until);
            }
        }
    }
}

/// The rings of all workers.
#[derive(Default)]
pub(super) struct Rings {
    pub(super) processes: Vec<Process>,
    /// Calls that a worker had and did not start, or that found others busy: what bound them to a
    /// worker is perhaps undone.
    pub(super) unbound: std::collections::HashSet<Ticket>,
}

impl Rings {
    /// The record under which a worker has a call.
    pub(super) fn record(&self, worker: usize, id: u64) -> &Record {
        self.processes[worker]
            .records
            .iter()
            .find(|record| record.id == id)
            .expect("a record of this id")
    }
}

impl Lanes<Ticket> for Rings {
    fn push(
        &mut self,
        worker: usize,
        id: u64,
        function: usize,
        deadline: Nanos,
        data: &mut Ticket,
    ) -> Option<u64> {
        let held = |record: &Record| matches!(record.state, State::Queued | State::Running { .. });
        let busy = |process: &Process| {
            process.stalled || !process.answers.is_empty() || process.records.iter().any(held)
        };
        let mut others = self.processes.iter().enumerate();
        if others.any(|(other, process)| other != worker && busy(process)) {
            self.unbound.insert(*data);
        }
        let process = &mut self.processes[worker];
        process.refused = process.full();
        if process.refused {
            return None;
        }
        assert!(
            process.records.iter().all(|record| record.id != id),
            "the id {id:#x} is used twice"
        );
        process.records.push(Record {
            id,
            ticket: *data,
            function,
            deadline,
            state: State::Queued,
        });
        Some(process.records.len() as u64 - 1)
    }

    fn publish(&mut self, worker: usize, _ahead: usize) {
        self.processes[worker].published = self.processes[worker].records.len();
    }

    fn revoke(&mut self, worker: usize, position: u64) -> bool {
        let record = &mut self.processes[worker].records[position as usize];
        assert_ne!(
            record.state,
            State::Revoked,
            "call {} is taken back twice",
            record.ticket
        );
        let revoked = record.state == State::Queued;
        if revoked {
            record.state = State::Revoked;
            self.unbound.insert(record.ticket);
        }
        revoked
    }
}
