//! What is counted under the pool's lock: plain integers, handed on by the
//! [`Publisher`](super::publish::Publisher).

use super::histogram::Histogram;
use crate::error::CallError;
use crate::scheduler::Nanos;

/// Every value of the label `outcome`.
pub(crate) const OUTCOMES: [&str; 15] = [
    "ok",
    "python",
    "timeout_queue",
    "timeout_run",
    "worker_died",
    "overloaded",
    "no_such_function",
    "malformed",
    "bad_argument",
    "too_large",
    "bad_result",
    "protocol",
    "closed",
    "cancelled",
    "dropped",
];

pub(crate) const OK: usize = 0;
const DROPPED: usize = OUTCOMES.len() - 1;

/// Calls of one function since the last time they were handed on.
#[derive(Default)]
pub(crate) struct FunctionTally {
    /// Below zero: what was handed on as `ok` turned out to be something else.
    pub(crate) outcomes: [i64; OUTCOMES.len()],
    pub(crate) duration: Histogram,
    pub(crate) wait: Histogram,
    touched: bool,
}

/// A function's tally is taken away and a fresh one left, without a copy under the lock.
pub(crate) type Sheet = Box<FunctionTally>;

/// Everything since the pool has started, or since it was handed on.
#[derive(Default)]
pub(crate) struct Tally {
    /// The first is for names that no function has, then by the pool's number of the function.
    functions: Vec<Option<Sheet>>,
    pub(crate) request_bytes: u64,
    pub(crate) response_bytes: u64,
}

impl Tally {
    #[inline]
    fn function(&mut self, number: u32) -> &mut FunctionTally {
        self.slot(number as usize + 1)
    }

    #[inline]
    fn slot(&mut self, slot: usize) -> &mut FunctionTally {
        if slot >= self.functions.len() {
            self.functions.resize_with(slot + 1, || None);
        }
        let tally = self.functions[slot].get_or_insert_default();
        tally.touched = true;
        tally
    }

    /// A worker has answered a call, `passed` after it was made.
    #[inline]
    pub(crate) fn answered(&mut self, function: u32, passed: Nanos, run_ns: Nanos) {
        let tally = self.function(function);
        tally.duration.add(passed);
        tally.wait.add(passed.saturating_sub(run_ns));
    }

    /// A call has ended without an answer; `waited`: it had never been started.
    pub(crate) fn ended(&mut self, function: u32, passed: Nanos, waited: bool) {
        let tally = self.function(function);
        tally.duration.add(passed);
        if waited {
            tally.wait.add(passed);
        }
    }

    /// A caller has got its result.
    #[inline]
    pub(crate) fn ok(&mut self, function: u32) {
        self.function(function).outcomes[OK] += 1;
    }

    /// A caller has got an error. `taken`: the call was counted as [`ok`](Self::ok) before its result
    /// turned out not to be what the caller can read.
    pub(crate) fn failed(&mut self, function: Option<u32>, error: &CallError, taken: bool) {
        let label = error.metric_label();
        let outcome = OUTCOMES.iter().position(|&outcome| outcome == label);
        let tally = self.slot(function.map_or(0, |number| number as usize + 1));
        if let Some(outcome) = outcome {
            tally.outcomes[outcome] += 1;
            tally.outcomes[OK] -= i64::from(taken);
        }
    }

    /// A caller has gone before it had its outcome.
    pub(crate) fn dropped(&mut self, function: u32) {
        self.function(function).outcomes[DROPPED] += 1;
    }

    /// Takes the tallies that have moved, by slot, and leaves fresh ones.
    pub(crate) fn take(&mut self, fresh: &mut Vec<Sheet>) -> Vec<(usize, Sheet)> {
        let mut taken = Vec::new();
        for (slot, place) in self.functions.iter_mut().enumerate() {
            if let Some(tally) = place.take_if(|tally| tally.touched) {
                *place = fresh.pop();
                taken.push((slot, tally));
            }
        }
        taken
    }
}

impl FunctionTally {
    /// Everything has been handed on: fit for the next function.
    pub(crate) fn clear(&mut self) {
        self.touched = false;
        self.outcomes = Default::default();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::error::{Exit, OutOfMemory, Part, Phase};

    #[test]
    fn every_label_of_an_error_is_an_outcome() {
        let timeout = |phase| CallError::Timeout {
            phase,
            after: Duration::ZERO,
        };
        let text = String::new;
        let errors = [
            CallError::Python {
                exception: text(),
                message: text(),
                traceback: text(),
            },
            timeout(Phase::Queue),
            timeout(Phase::Run),
            CallError::WorkerDied {
                pid: 1,
                exit: Exit::Unknown,
                out_of_memory: OutOfMemory::No,
                stderr_tail: text(),
                may_have_run: true,
            },
            CallError::Overloaded {
                waiting: 0,
                limit: 0,
            },
            CallError::no_such_function("f", []),
            CallError::Malformed { message: text() },
            CallError::BadArgument {
                path: text(),
                expected: text(),
                got: text(),
            },
            CallError::TooLarge {
                part: Part::Result,
                size: 2,
                limit: 1,
            },
            CallError::BadResult { message: text() },
            CallError::Protocol { message: text() },
            CallError::Closed,
            CallError::Cancelled,
        ];
        let labels: Vec<_> = errors.iter().map(CallError::metric_label).collect();
        assert_eq!(labels, OUTCOMES[1..DROPPED]);
        let mut tally = Tally::default();
        for error in &errors {
            tally.failed(Some(3), error, false);
        }
        tally.failed(None, &CallError::Closed, false);
        let taken = tally.take(&mut Vec::new());
        assert_eq!(
            taken.iter().map(|&(slot, _)| slot).collect::<Vec<_>>(),
            [0, 4]
        );
        let mut expected = [1; OUTCOMES.len()];
        (expected[OK], expected[DROPPED]) = (0, 0);
        assert_eq!(taken[1].1.outcomes, expected);
        assert!(tally.take(&mut Vec::new()).is_empty());
    }
}
