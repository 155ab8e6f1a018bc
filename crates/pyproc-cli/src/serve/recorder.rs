//! What the page shows of calls: counted by function and status, timed, and the last errors.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hyper::StatusCode;
use parking_lot::Mutex;
use serde::Serialize;

mod errors;
mod window;

use super::problem::Problem;
use errors::Errors;
pub(super) use errors::Failed;
use window::Window;

/// Counts calls. It costs a call two looks at the clock and a short lock.
#[derive(Debug)]
pub(super) struct Recorder {
    begun: Instant,
    /// The functions' numbers; their names are known when the workers are up.
    numbers: OnceLock<Numbers>,
    counts: Mutex<Counts>,
    errors: Mutex<Errors>,
}

/// Clients look names up and never add one, so no hash has to withstand them.
type Numbers = HashMap<Box<str>, usize, foldhash::fast::RandomState>;

/// Every status there can be, from 0.
const STATUSES: usize = 1000;

#[derive(Debug)]
struct Counts {
    /// By number; the last one is of calls that name no function.
    functions: Vec<Counted>,
    /// Answered calls by status.
    statuses: Box<[u64; STATUSES]>,
}

#[derive(Debug, Default)]
struct Counted {
    calls: u64,
    refused: u64,
    failed: u64,
    abandoned: u64,
    window: Window,
}

/// A call under way; one that is dropped was abandoned by its client.
#[derive(Debug)]
pub(super) struct Timed<'r> {
    recorder: &'r Recorder,
    /// The function's, where there is one of that name.
    number: Option<usize>,
    begun: Instant,
    ended: bool,
}

/// Calls as `/v1/status` shows them.
#[derive(Debug, Serialize)]
pub(super) struct Calls {
    calls: u64,
    failed: u64,
    refused: u64,
    abandoned: u64,
    per_second: f64,
    latency_seconds: Option<Latency>,
}

/// Percentiles of the last minute.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Latency {
    p50: f64,
    p90: f64,
    p99: f64,
}

/// One second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Second {
    calls: u32,
    failed: u32,
}

/// Everything that was recorded.
#[derive(Debug, Serialize)]
pub(super) struct Recorded {
    pub(super) calls: All,
    pub(super) functions: Vec<Function>,
    pub(super) errors: Vec<Failed>,
}

/// All functions together.
#[derive(Debug, Serialize)]
pub(super) struct All {
    #[serde(flatten)]
    calls: Calls,
    statuses: BTreeMap<u16, u64>,
    history: Vec<Second>,
}

/// One function.
#[derive(Debug, Serialize)]
pub(super) struct Function {
    name: String,
    #[serde(flatten)]
    calls: Calls,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            numbers: OnceLock::new(),
            counts: Mutex::new(Counts {
                functions: vec![Counted::default()],
                statuses: Box::new([0; STATUSES]),
            }),
            errors: Mutex::default(),
        }
    }
}

impl Recorder {
    /// The functions are known.
    pub(super) fn functions(&self, names: impl IntoIterator<Item = String>) {
        let names = names.into_iter().enumerate();
        let numbers: Numbers = names.map(|(number, name)| (name.into(), number)).collect();
        let mut counts = self.counts.lock();
        let unnamed = counts.functions.pop().unwrap_or_default();
        counts
            .functions
            .resize_with(numbers.len(), Counted::default);
        counts.functions.push(unnamed);
        drop(counts);
        // There is one start.
        let _ = self.numbers.set(numbers);
    }

    /// A call begins.
    #[inline]
    pub(super) fn begin(&self, function: &str) -> Timed<'_> {
        Timed {
            recorder: self,
            number: self.numbers.get().and_then(|it| it.get(function)).copied(),
            begun: Instant::now(),
            ended: false,
        }
    }

    /// Since the program has begun to record.
    pub(super) fn uptime(&self) -> Duration {
        self.begun.elapsed()
    }

    fn record(&self, number: Option<usize>, status: Option<u16>, begun: Instant) {
        let now = Instant::now();
        let duration = now.saturating_duration_since(begun);
        let second = now.saturating_duration_since(self.begun).as_secs();
        let mut counts = self.counts.lock();
        let counts = &mut *counts;
        let unnamed = counts.functions.len() - 1;
        let counted = &mut counts.functions[number.unwrap_or(unnamed)];
        let Some(status) = status else {
            counted.abandoned += 1;
            return;
        };
        counted.calls += 1;
        counted.refused += u64::from((400..500).contains(&status));
        counted.failed += u64::from(status >= 500);
        counted.window.record(second, duration, status >= 500);
        if let Some(count) = counts.statuses.get_mut(usize::from(status)) {
            *count += 1;
        }
    }

    fn error(&self, problem: &Problem, request_id: &str) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let failed = Failed::new(problem, request_id, since.unwrap_or_default().as_secs_f64());
        self.errors.lock().push(failed);
    }

    /// What there is to see now.
    pub(super) fn recorded(&self) -> Recorded {
        let second = self.uptime().as_secs();
        let mut names: Vec<(&str, usize)> = self
            .numbers
            .get()
            .into_iter()
            .flatten()
            .map(|(name, number)| (&**name, *number))
            .collect();
        names.sort_unstable_by_key(|(_, number)| *number);
        let mut counts = self.counts.lock();
        for counted in &mut counts.functions {
            counted.window.forget(second);
        }
        let functions = names.into_iter().map(|(name, number)| Function {
            name: name.to_owned(),
            calls: Calls::of(&[&counts.functions[number]], second),
        });
        let functions = functions.collect();
        let every: Vec<&Counted> = counts.functions.iter().collect();
        let windows: Vec<&Window> = every.iter().map(|counted| &counted.window).collect();
        let calls = All {
            calls: Calls::of(&every, second),
            statuses: (0..)
                .zip(*counts.statuses)
                .filter(|(_, count)| *count > 0)
                .collect(),
            history: window::history(&windows, second),
        };
        drop(counts);
        Recorded {
            calls,
            functions,
            errors: self.errors.lock().newest_first(),
        }
    }
}

impl Timed<'_> {
    /// Whether there is a function of that name.
    #[inline]
    pub(super) fn is_of_a_function(&self) -> bool {
        self.number.is_some()
    }

    /// It is answered with this status.
    pub(super) fn answered(mut self, status: StatusCode) {
        self.ended = true;
        self.recorder
            .record(self.number, Some(status.as_u16()), self.begun);
    }

    /// It is answered with this problem.
    pub(super) fn failed(self, problem: &Problem, request_id: &str) {
        self.recorder.error(problem, request_id);
        self.answered(problem.status());
    }
}

impl Drop for Timed<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.recorder.record(self.number, None, self.begun);
        }
    }
}

impl Calls {
    fn of(counted: &[&Counted], second: u64) -> Self {
        let sum = |of: fn(&Counted) -> u64| counted.iter().map(|it| of(it)).sum();
        let windows: Vec<&Window> = counted.iter().map(|it| &it.window).collect();
        Self {
            calls: sum(|it| it.calls),
            failed: sum(|it| it.failed),
            refused: sum(|it| it.refused),
            abandoned: sum(|it| it.abandoned),
            per_second: window::rate(&windows, second),
            latency_seconds: window::latency(&windows),
        }
    }
}

#[cfg(test)]
mod tests;
