//! The pool's shared state, under one lock: scheduler, lanes, and who looks for answers.

mod counting;
mod leader;

use std::mem;
use std::task::Waker;

use pyproc_ipc::lane::{Answer, AnswerBody};
use pyproc_ipc::record::Kind;
use pyproc_ipc::wait::SpinBudget;

use crate::calls::{CallData, Outcome, SegmentAnswer};
use crate::error::CallError;
use crate::lanes::Ends;
use crate::lookout::Post;
use crate::metrics::tally::Tally;
use crate::scheduler::{Answered, Ended, Nanos, Scheduler, Spec};
use crate::slab::Key;
pub(crate) use leader::Waiting;

/// Answers that one drain takes before it lets go of the lock and wakes their callers.
const BATCH: usize = 64;

/// What the pool is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Takes calls.
    Serving,
    /// Takes no more calls, finishes those it has.
    Draining,
    /// Takes no calls; the workers have been told to end.
    Closed,
    /// No handle is left, or the pool could not start: the workers are killed.
    Abandoned,
}

/// What callers want of the driver.
pub(crate) enum Order {
    /// Tell the worker that nobody waits for this call.
    Cancel { worker: usize, call: u64 },
}

/// Everything that calls and the driver share.
pub(crate) struct Core {
    pub(crate) scheduler: Scheduler<CallData>,
    pub(crate) ends: Ends,
    pub(crate) phase: Phase,
    pub(crate) orders: Vec<Order>,
    spin: SpinBudget,
    /// The same for answers of a worker that had to be woken, which takes longer.
    spin_waking: SpinBudget,
    /// The same for the driver, when a worker has rung ahead of its answer.
    pub(crate) spin_rung: SpinBudget,
    spin_cap_ns: u64,
    /// The driver is to wake up and look for the answer of a worker that wakes up at the same time.
    pub(crate) assist: bool,
    /// Who looks for answers.
    leader: Option<Key>,
    /// Looks for them in place of the callers.
    pub(crate) lookout: Option<Post>,
    /// Calls that are done and whose callers have been woken but have not polled yet.
    untaken: usize,
    last_turn: Nanos,
    /// The driver wakes every millisecond.
    pub(crate) ticking: bool,
    /// When the driver wakes by itself.
    pub(crate) next_wake: Nanos,
    /// When the next deadline or limit passes, or before.
    pub(crate) next_due: Nanos,
    /// Callers to wake once the lock is released.
    pub(crate) woken: Vec<Waker>,
    /// The driver has to be woken once the lock is released.
    pub(crate) kick: bool,
    /// Moves with every submission and every drained answer.
    pub(crate) activity: u64,
    /// What has happened, for the metrics.
    pub(crate) tally: Tally,
    /// When the driver hands the tally on; `Nanos::MAX`: nothing has happened since it last did.
    pub(crate) publish_at: Nanos,
    /// `activity` when the driver last did.
    pub(crate) published: u64,
    /// The latest exact time that anybody read here.
    clock: Nanos,
    /// Calls taken in since.
    clock_age: u32,
}

impl Core {
    pub(crate) fn new(scheduler: Scheduler<CallData>, workers: usize, spin_ns: u64) -> Self {
        let mut ends = Ends::default();
        ends.ends.resize_with(workers, || None);
        Self {
            scheduler,
            ends,
            phase: Phase::Serving,
            orders: Vec::new(),
            spin: SpinBudget::new(spin_ns),
            spin_waking: SpinBudget::new(spin_ns),
            spin_rung: SpinBudget::new(spin_ns),
            spin_cap_ns: spin_ns,
            assist: false,
            leader: None,
            lookout: None,
            untaken: 0,
            last_turn: 0,
            ticking: false,
            next_wake: Nanos::MAX,
            next_due: Nanos::MAX,
            woken: Vec::new(),
            kick: false,
            activity: 0,
            tally: Tally::default(),
            publish_at: Nanos::MAX,
            published: 0,
            clock: 0,
            clock_age: 0,
        }
    }

    /// Takes a new call in.
    #[inline]
    pub(crate) fn submit(
        &mut self,
        now: Nanos,
        mut spec: Spec,
        data: CallData,
    ) -> Result<Key, Box<(CallError, CallData)>> {
        if self.phase != Phase::Serving {
            return Err(Box::new((CallError::Closed, data)));
        }
        let deadline = spec.deadline;
        spec.made = self.time(now, spec.timeout);
        let bytes = data.bytes();
        self.ends.may_wait = self.leader.is_some() && self.ticking;
        self.ends.gathers = self.lookout.is_some();
        self.ends.rang = false;
        let submitted = self.scheduler.submit(now, spec, data, &mut self.ends);
        self.ends.may_wait = false;
        self.ends.gathers = false;
        let key = submitted.map_err(|(_, data)| {
            let waiting = self.scheduler.queued();
            Box::new((
                CallError::Overloaded {
                    waiting,
                    limit: self.scheduler.queue_limit(),
                },
                data,
            ))
        })?;
        self.activity += 1;
        self.kick |= mem::take(&mut self.ends.wants_driver);
        self.tally.request_bytes += bytes as u64;
        self.next_due = self.next_due.min(deadline);
        self.wake_driver_by(deadline);
        self.watch_balance();
        Ok(key)
    }

    /// Makes sure that the driver looks at the clock at `at` or before.
    #[inline]
    pub(crate) fn wake_driver_by(&mut self, at: Nanos) {
        if at < self.next_wake {
            self.next_wake = at;
            self.kick = true;
        }
    }

    /// Makes the driver look every millisecond while calls wait that an idle worker could have.
    #[inline]
    fn watch_balance(&mut self) {
        if !self.ticking && self.scheduler.queued() > 0 && self.scheduler.unbalanced() {
            self.tick();
        }
    }

    /// Makes the driver look every millisecond, because callers rely on another caller.
    #[inline]
    fn tick(&mut self) {
        if !self.ticking {
            self.ticking = true;
            self.kick = true;
        }
    }

    /// Takes answers from every lane that has some. `true`: there may be more.
    #[inline]
    pub(crate) fn drain(&mut self, now: Nanos) -> bool {
        self.ends.flush();
        let mut taken = 0;
        for worker in 0..self.ends.ends.len() {
            if self.scheduler.outstanding(worker) > 0 {
                taken += self.drain_lane(now, worker, BATCH - taken);
                if taken >= BATCH {
                    break;
                }
            }
        }
        self.activity += taken as u64;
        taken >= BATCH
    }

    /// Takes at most `limit` answers from one worker's lane.
    pub(crate) fn drain_lane(&mut self, now: Nanos, worker: usize, limit: usize) -> usize {
        self.saw_time(now);
        let mut taken = 0;
        let mut spare = Vec::new();
        while taken < limit {
            let Some(end) = self.ends.get(worker) else {
                break;
            };
            if end.violation.is_some() {
                break;
            }
            let scheduler = &mut self.scheduler;
            let mut holder = None;
            let popped = end.lane.pop(|id| {
                holder = scheduler.lookup(worker, id);
                match holder? {
                    Answered::Live(key) => scheduler.data(key).map(|data| &mut data.body),
                    Answered::Abandoned => Some(&mut spare),
                }
            });
            let answer = match popped {
                Ok(Some(answer)) => answer,
                Ok(None) => break,
                Err(violation) => {
                    end.broke(violation);
                    self.kick = true;
                    break;
                }
            };
            taken += 1;
            self.answered(now, worker, &answer, holder);
        }
        if taken > 0 {
            if let Some(end) = self.ends.get(worker) {
                end.lane.release();
            }
            self.scheduler.refill(now, worker, &mut self.ends);
            self.kick |= mem::take(&mut self.ends.wants_driver);
            if self.phase == Phase::Draining && self.scheduler.is_idle() {
                // The driver waits for this.
                self.kick = true;
            }
            if self.scheduler.outstanding(worker) == 0 && self.scheduler.unbalanced() {
                self.tick();
            }
        }
        taken
    }

    #[inline]
    fn answered(&mut self, now: Nanos, worker: usize, answer: &Answer, holder: Option<Answered>) {
        let live = self
            .scheduler
            .answered(now, worker, answer.call, answer.run_ns);
        if let Some((function, made)) = live {
            let passed = self.clock.saturating_sub(made);
            self.tally.answered(function, passed, answer.run_ns);
        }
        let segment = match answer.body {
            AnswerBody::Inline => None,
            AnswerBody::Segment(reference) => {
                let Some(end) = self.ends.get(worker) else {
                    return;
                };
                let Some(memory) = end.responses.read(reference) else {
                    let message = format!(
                        "an answer lies in segment {}, which cannot hold it",
                        reference.number
                    );
                    end.broke(&message);
                    self.kick = true;
                    // Its body is overwritten: it ends here, and is not tried again.
                    if let Some(Answered::Live(key)) = holder {
                        self.fail(key, CallError::Protocol { message });
                    }
                    return;
                };
                Some(Box::new(SegmentAnswer {
                    memory,
                    reference,
                    worker,
                    generation: end.generation,
                }))
            }
        };
        match holder {
            Some(Answered::Live(key)) => {
                if let Some(data) = self.scheduler.data(key) {
                    self.tally.response_bytes += match &segment {
                        None => data.body.len() as u64,
                        Some(segment) => segment.reference.bytes,
                    };
                    data.outcome = Some(match segment {
                        None => Outcome::Inline(answer.kind, answer.content),
                        Some(segment) => Outcome::Segment(answer.kind, answer.content, segment),
                    });
                    let waker = data.waker.take();
                    let large = data.large.take();
                    self.untaken += 1;
                    self.woken.extend(waker);
                    if let Some(large) = large {
                        // What had expired when the worker took it was not looked at.
                        self.ends.give_back(*large, answer.kind != Kind::Expired);
                    }
                }
            }
            _ => {
                if let Some(segment) = segment {
                    self.answer_copied(&segment);
                }
            }
        }
    }

    /// A large answer is in private memory: its segment is free for the next.
    pub(crate) fn answer_copied(&mut self, answer: &SegmentAnswer) {
        if let Some(end) = self.ends.get(answer.worker)
            && end.generation == answer.generation
        {
            end.responses
                .done(pyproc_ipc::clock::now_ns(), answer.reference.number);
            end.lane.free_response_segment(answer.reference);
        }
    }

    /// Ends a call with an error and wakes its caller.
    pub(crate) fn fail(&mut self, key: Key, error: CallError) {
        self.scheduler.finish(key);
        if let Some(data) = self.scheduler.data(key) {
            if data.outcome.is_none() {
                data.outcome = Some(Outcome::Failed(Box::new(error)));
            }
            let waker = data.waker.take();
            self.untaken += 1;
            self.woken.extend(waker);
        }
    }

    /// The call's outcome, if it is done; it leaves the table.
    #[inline]
    pub(crate) fn take(&mut self, key: Key) -> Option<(Outcome, CallData)> {
        let (function, mut data) = self.scheduler.take_done(key)?;
        self.untaken = self.untaken.saturating_sub(1);
        let outcome = data.outcome.take()?;
        if let Outcome::Inline(Kind::Result, _) = outcome {
            self.tally.ok(function);
        }
        self.publish_soon();
        if let Some(large) = data.large.take() {
            let seen = data.seen;
            self.ends.give_back(*large, seen);
        }
        self.leave(key);
        Some((outcome, data))
    }

    /// Gives a call up: its caller is gone or its time is over.
    pub(crate) fn give_up(&mut self, now: Nanos, key: Key) -> Option<Ended> {
        let done = self.scheduler.is_done(key);
        if let Some(spec) = self.scheduler.spec(key) {
            self.tally.dropped(spec.function);
            self.publish_soon();
        }
        let (ended, mut data) = self.scheduler.give_up(now, key, &mut self.ends)?;
        if done {
            self.untaken = self.untaken.saturating_sub(1);
        }
        if let Some(Outcome::Segment(_, _, segment)) = data.outcome.take() {
            self.answer_copied(&segment);
        }
        self.ended(ended);
        if let Some(large) = data.large.take() {
            self.ends
                .give_back(*large, data.seen && matches!(ended, Ended::Running { .. }));
        }
        self.leave(key);
        self.watch_balance();
        Some(ended)
    }

    /// A call's time is up: its caller gets the error, a worker that runs it is told.
    pub(crate) fn time_out(&mut self, now: Nanos, key: Key) {
        let Some(spec) = self.scheduler.spec(key) else {
            return;
        };
        let Some(ended) = self.end(now, key) else {
            return;
        };
        let phase = match ended {
            Ended::NotStarted => crate::error::Phase::Queue,
            Ended::Running { .. } => crate::error::Phase::Run,
        };
        self.ended_early(now, key, ended == Ended::NotStarted);
        let after = std::time::Duration::from_nanos(spec.timeout);
        self.fail(key, CallError::Timeout { phase, after });
    }

    /// Ends a call wherever it is; the caller of this gives it its error.
    pub(crate) fn end(&mut self, now: Nanos, key: Key) -> Option<Ended> {
        let ended = self.scheduler.end(now, key, &mut self.ends)?;
        if ended == Ended::NotStarted
            && let Some(data) = self.scheduler.data(key)
        {
            data.seen = false;
        }
        self.ended(ended);
        self.watch_balance();
        Some(ended)
    }

    fn ended(&mut self, ended: Ended) {
        if let Ended::Running { worker, id } = ended {
            self.orders.push(Order::Cancel { worker, call: id });
            self.kick = true;
            // Its limit may come before anything else that the driver waits for.
            self.next_due = 0;
        }
    }
}
