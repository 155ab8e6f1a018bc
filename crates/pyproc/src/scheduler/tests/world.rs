//! A pool in virtual time: a scheduler, workers, and callers that come, wait, give up and take answers.
//! Every step ends with a look at everything that has to hold at all times.

use std::collections::HashMap;

use super::super::{Answered, Ended, Holder, Place, Scheduler, Spec, WINDOW_NS};
use super::rings::{Behaviour, Deed, Process, Rings, State, Ticket};
use crate::scheduler::Nanos;
use crate::slab::Key;

/// How a call ended for its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Answered,
    TimedOut { started: bool },
    Lost,
    GivenUp,
}

/// A call from its caller's side.
pub(super) struct Watched {
    key: Key,
    spec: Spec,
    /// Runs so far.
    starts: u32,
    /// The process that it is bound to: worker and generation.
    bound: Option<(usize, u32)>,
    outcome: Option<Outcome>,
    taken: bool,
}

/// Numbers that look random and are the same for the same seed (splitmix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    pub(super) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

/// The sizes of one scenario.
pub(super) struct Shape {
    pub(super) workers: usize,
    pub(super) queue: usize,
    pub(super) max_concurrency: usize,
    pub(super) room: usize,
}

pub(super) struct World {
    pub(super) now: Nanos,
    pub(super) random: Random,
    pub(super) shape: Shape,
    pub(super) scheduler: Scheduler<Ticket>,
    pub(super) rings: Rings,
    pub(super) functions: Vec<Behaviour>,
    pub(super) calls: Vec<Watched>,
    generations: Vec<u32>,
}

impl World {
    pub(super) fn new(shape: Shape, functions: Vec<Behaviour>, seed: u64) -> Self {
        let mut scheduler = Scheduler::new(shape.workers, shape.queue, shape.max_concurrency);
        for function in &functions {
            scheduler.add_function(function.is_async);
        }
        let mut rings = Rings::default();
        rings.processes.resize_with(shape.workers, Process::default);
        let generations = vec![0; shape.workers];
        Self {
            now: 1_000,
            random: Random(seed),
            shape,
            scheduler,
            rings,
            functions,
            calls: Vec::new(),
            generations,
        }
    }

    /// A fresh process for a worker.
    pub(super) fn up(&mut self, worker: usize) {
        self.generations[worker] += 1;
        self.rings.processes[worker] = Process::start(self.shape.room, self.now);
        self.scheduler
            .worker_up(self.now, worker, self.generations[worker], &mut self.rings);
        self.check();
    }

    pub(super) fn up_all(&mut self) {
        for worker in 0..self.shape.workers {
            if !self.rings.processes[worker].alive {
                self.up(worker);
            }
        }
    }

    /// A new call; `None`: the queue is full.
    pub(super) fn submit(&mut self, spec: Spec) -> Option<Ticket> {
        let ticket = self.calls.len();
        let bound = spec
            .bound
            .map(|worker| (worker as usize, self.generations[worker as usize]));
        let queued = self.scheduler.queued();
        match self
            .scheduler
            .submit(self.now, spec, ticket, &mut self.rings)
        {
            Ok(key) => self.calls.push(Watched {
                key,
                spec,
                starts: 0,
                bound,
                outcome: None,
                taken: false,
            }),
            Err((_, data)) => {
                assert_eq!(data, ticket, "a refused call's data comes back");
                assert!(
                    queued >= self.shape.queue,
                    "a call is refused while the queue has room"
                );
                return None;
            }
        }
        self.check();
        Some(ticket)
    }

    /// Time passes for one worker, or for all.
    pub(super) fn advance(&mut self, by: Nanos) {
        self.now += by;
        for worker in 0..self.shape.workers {
            self.work(worker);
        }
    }

    fn work(&mut self, worker: usize) {
        let Self {
            rings,
            random,
            calls,
            functions,
            now,
            generations,
            ..
        } = self;
        let generation = generations[worker];
        let alive: Vec<bool> = rings
            .processes
            .iter()
            .map(|process| process.alive)
            .collect();
        let jitter = |run: u64| run.saturating_add(random.below(run / 2 + 1));
        rings.processes[worker].advance(*now, functions, jitter, |deed, at| match deed {
            Deed::Started(ticket) => {
                let call = &mut calls[ticket];
                assert_eq!(call.outcome, None, "call {ticket} is over, and runs");
                assert!(
                    call.spec.deadline >= at,
                    "call {ticket} runs after its deadline"
                );
                let elsewhere = call.bound.is_some_and(|(bound, born)| {
                    bound != worker && alive[bound] && born == generations[bound]
                });
                assert!(
                    !elsewhere || rings.unbound.contains(&ticket),
                    "call {ticket} is bound to {:?}, runs on {worker}/{generation}",
                    call.bound
                );
                call.starts += 1;
                assert!(
                    call.starts <= call.spec.max_attempts,
                    "call {ticket} runs too often"
                );
            }
            Deed::Expired(ticket) => {
                let call = &calls[ticket];
                assert!(
                    call.outcome.is_none() && call.spec.deadline < at,
                    "call {ticket} is taken for expired"
                );
            }
        });
    }

    /// The host takes a worker's answers.
    pub(super) fn drain(&mut self, worker: usize) {
        let mut any = false;
        while let Some(answer) = self.rings.processes[worker].answers.pop_front() {
            any = true;
            let call = &mut self.calls[answer.ticket];
            match self
                .scheduler
                .lookup(worker, answer.id)
                .expect("an answer to a call that is out")
            {
                Answered::Live(key) => {
                    assert_eq!(
                        self.scheduler.data(key),
                        Some(&mut answer.ticket.clone()),
                        "an answer for another call"
                    );
                    assert_eq!(
                        (key, call.outcome),
                        (call.key, None),
                        "call {} ends twice",
                        answer.ticket
                    );
                    call.outcome = Some(Outcome::Answered);
                }
                Answered::Abandoned => {
                    let expected = matches!(
                        call.outcome,
                        Some(Outcome::TimedOut { started: true } | Outcome::GivenUp)
                    );
                    assert!(expected, "call {} counts as abandoned", answer.ticket);
                }
            }
            self.scheduler
                .answered(self.now, worker, answer.id, answer.run_ns);
            assert_eq!(
                self.scheduler.lookup(worker, answer.id),
                None,
                "an answer counts once"
            );
        }
        if any {
            self.scheduler.refill(self.now, worker, &mut self.rings);
        }
        self.check();
    }

    pub(super) fn drain_all(&mut self) {
        (0..self.shape.workers).for_each(|worker| self.drain(worker));
    }

    /// What the driver does when it looks at the clock.
    pub(super) fn clock(&mut self) {
        self.drain_all();
        let (due, next) = self.scheduler.due(self.now);
        assert!(next > self.now, "nothing in the past is waited for");
        for key in due {
            let ticket = *self.scheduler.data(key).expect("a call that is due exists");
            let ended = self
                .scheduler
                .end(self.now, key, &mut self.rings)
                .expect("a call that is due ends");
            self.scheduler.finish(key);
            let call = &mut self.calls[ticket];
            assert!(
                call.outcome.is_none() && call.spec.deadline <= self.now,
                "call {ticket} times out"
            );
            call.outcome = Some(Outcome::TimedOut {
                started: matches!(ended, Ended::Running { .. }),
            });
            self.ended(ticket, ended);
            self.check();
        }
        for worker in self.scheduler.overdue(self.now) {
            self.overrun(worker);
            self.scheduler.worker_closed(worker);
            self.die(worker);
        }
        self.scheduler.rebalance(self.now, &mut self.rings);
        for process in &mut self.rings.processes {
            process.refused &= process.full();
        }
        self.check();
    }

    /// A worker is about to be killed for a function's limit: one of its calls has had all of that.
    fn overrun(&self, worker: usize) {
        let process = &self.rings.processes[worker];
        let over = process.running().any(|record| {
            let State::Running { since, .. } = record.state else {
                return false;
            };
            let call = &self.calls[record.ticket];
            // A coroutine's time counts from when it was sent: its worker takes it at once.
            let slack = if self.functions[record.function].is_async {
                Nanos::MAX
            } else {
                0
            };
            call.outcome.is_some()
                && self.now.saturating_sub(since).saturating_add(slack) >= call.spec.limit
        });
        assert!(over, "worker {worker} is killed before its limit");
    }

    /// The call of an ended ticket was where it was said to be.
    fn ended(&mut self, ticket: Ticket, ended: Ended) {
        match ended {
            Ended::NotStarted => {
                let mut records = self
                    .rings
                    .processes
                    .iter()
                    .flat_map(|process| &process.records);
                let runs = records.any(|record| {
                    record.ticket == ticket && matches!(record.state, State::Running { .. })
                });
                assert!(!runs, "call {ticket} runs, and is said not to");
            }
            Ended::Running { worker, id } => {
                let record = self.rings.record(worker, id);
                assert_eq!(record.ticket, ticket);
                assert!(
                    matches!(record.state, State::Running { .. } | State::Answered),
                    "call {ticket} had not started"
                );
                assert_eq!(self.scheduler.lookup(worker, id), Some(Answered::Abandoned));
                if self.random.one_in(2) {
                    let now = self.now;
                    self.rings.processes[worker].cancel(id, now);
                }
            }
        }
    }

    /// A caller drops its call, whatever has become of it.
    pub(super) fn give_up(&mut self, ticket: Ticket) {
        let call = &mut self.calls[ticket];
        if std::mem::replace(&mut call.taken, true) {
            return;
        }
        let key = call.key;
        let (ended, data) = self
            .scheduler
            .give_up(self.now, key, &mut self.rings)
            .expect("a call that was not taken");
        assert_eq!(data, ticket);
        assert!(
            self.scheduler.data(key).is_none()
                && self
                    .scheduler
                    .give_up(self.now, key, &mut self.rings)
                    .is_none()
        );
        if self.calls[ticket].outcome.is_none() {
            self.calls[ticket].outcome = Some(Outcome::GivenUp);
            self.ended(ticket, ended);
        } else {
            assert_eq!(ended, Ended::NotStarted);
        }
        self.check();
    }

    /// A caller takes its outcome; `false` when there is none yet.
    pub(super) fn take(&mut self, ticket: Ticket) -> bool {
        let call = &mut self.calls[ticket];
        if call.taken {
            return true;
        }
        let taken = self.scheduler.take_done(call.key).map(|(_, ticket)| ticket);
        assert_eq!(
            taken,
            call.outcome.is_some().then_some(ticket),
            "call {ticket}: {:?}",
            call.outcome
        );
        call.taken = taken.is_some();
        call.taken
    }

    /// A worker's process ends, whatever it does. The driver drains before it counts the losses.
    pub(super) fn die(&mut self, worker: usize) {
        self.work(worker);
        self.rings.processes[worker].alive = false;
        // What this still sends there comes back at once.
        self.drain(worker);
        let mut expected: Vec<Ticket> = self.rings.processes[worker]
            .running()
            .map(|record| record.ticket)
            .filter(|&ticket| self.calls[ticket].outcome.is_none())
            .filter(|&ticket| self.calls[ticket].starts == self.calls[ticket].spec.max_attempts)
            .collect();
        let lost = self.scheduler.worker_down(worker, &mut self.rings);
        self.rings.processes[worker] = Process::default();
        let mut tickets: Vec<Ticket> = Vec::new();
        for key in lost {
            let ticket = *self.scheduler.data(key).expect("a lost call exists");
            assert_eq!(self.calls[ticket].outcome, None, "call {ticket} ends twice");
            self.scheduler.finish(key);
            self.calls[ticket].outcome = Some(Outcome::Lost);
            tickets.push(ticket);
        }
        expected.sort_unstable();
        tickets.sort_unstable();
        assert_eq!(
            tickets, expected,
            "exactly the calls that had started, and may not again, are lost"
        );
        assert_eq!(self.scheduler.outstanding(worker), 0);
        self.scheduler.refill_all(self.now, &mut self.rings);
        self.check();
    }

    pub(super) fn outcome(&self, ticket: Ticket) -> Option<Outcome> {
        self.calls[ticket].outcome
    }

    pub(super) fn generation(&self, worker: usize) -> u32 {
        self.generations[worker]
    }

    /// What has to hold after every step.
    pub(super) fn check(&mut self) {
        let scheduler = &self.scheduler;
        let mut places: HashMap<Ticket, u32> = HashMap::new();
        let (mut sent, mut busy) = (0, 0);
        for (index, worker) in scheduler.workers.iter().enumerate() {
            let held = worker
                .entries
                .iter()
                .filter(|entry| !matches!(entry.holder, Holder::Free));
            let live = held.clone().filter_map(|entry| match entry.holder {
                Holder::Live(key) => Some(key),
                _ => None,
            });
            for key in live.clone() {
                let call = scheduler.calls.peek(key).expect("a call that a worker has");
                assert!(matches!(call.place, Place::Sent { worker, .. } if worker == index));
                *places.entry(call.data).or_default() += 1;
            }
            sent += live.count();
            busy += held.clone().count();
            assert_eq!(worker.outstanding, held.clone().count());
            assert_eq!(
                worker.backlog,
                held.clone().map(|entry| entry.cost).sum::<u64>()
            );
            assert_eq!(
                worker.settled,
                held.clone().filter(|entry| entry.settled).count()
            );
            assert_eq!(worker.free.len() + worker.outstanding, worker.entries.len());
            let plain = held.filter(|entry| entry.cost > 0).count();
            assert!(
                worker.backlog <= WINDOW_NS || plain == 1,
                "{plain} plain calls of {} ns",
                worker.backlog
            );
        }
        assert_eq!((scheduler.sent(), scheduler.busy()), (sent, busy));
        let (mut bound, mut waiting) = (0, 0);
        for &key in &scheduler.queue {
            let call = scheduler.calls.peek(key);
            let Some(call) = call.filter(|call| call.waits()) else {
                continue;
            };
            waiting += 1;
            *places.entry(call.data).or_default() += 1;
            bound += usize::from(call.spec.bound.is_some());
            for (index, worker) in scheduler.workers.iter().enumerate() {
                let may = call.spec.bound.is_none_or(|bound| bound as usize == index);
                let idle = worker.up && worker.outstanding == 0;
                assert!(
                    !(may && idle)
                        || (scheduler.unbalanced() && self.rings.processes[index].refused),
                    "call {} waits while worker {index} has nothing to do",
                    call.data
                );
            }
        }
        assert_eq!(
            (scheduler.bound_in_queue, scheduler.queued()),
            (bound, waiting)
        );
        for (ticket, call) in self.calls.iter().enumerate() {
            let expected = u32::from(call.outcome.is_none());
            assert_eq!(
                places.get(&ticket).copied().unwrap_or(0),
                expected,
                "places of call {ticket}"
            );
        }
    }
}
