//! What is counted while calls are made.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use hdrhistogram::Histogram;
use pyproc::CallError;

/// Calls, their latencies, and what went wrong.
pub(super) struct Tally {
    /// Successful calls.
    pub(super) calls: u64,
    /// Latency of successful calls, in nanoseconds.
    pub(super) latencies: Histogram<u64>,
    /// How late calls were sent, in nanoseconds, where there is a schedule.
    pub(super) lateness: Histogram<u64>,
    /// Failed calls by the label of their error.
    pub(super) errors: BTreeMap<&'static str, u64>,
    /// The first failure's sentence.
    pub(super) first_error: Option<String>,
}

impl Tally {
    pub(super) fn new() -> anyhow::Result<Self> {
        const DIGITS: u8 = 3;
        const LONGEST: u64 = 3600 * 1_000_000_000;
        let histogram = || Histogram::new_with_max(LONGEST, DIGITS).context("making a histogram");
        Ok(Self {
            calls: 0,
            latencies: histogram()?,
            lateness: histogram()?,
            errors: BTreeMap::new(),
            first_error: None,
        })
    }

    pub(super) fn call(&mut self, result: &Result<(), CallError>, latency: Duration) {
        match result {
            Ok(()) => {
                self.calls += 1;
                record(&mut self.latencies, latency);
            }
            Err(error) => self.failure(error),
        }
    }

    /// Calls whose latency was not taken; `last` is how the last of them ended, the others succeeded.
    pub(super) fn more_calls(&mut self, last: &Result<(), CallError>, calls: u64) {
        self.calls += calls;
        if let Err(error) = last
            && calls > 0
        {
            self.calls -= 1;
            self.failure(error);
        }
    }

    fn failure(&mut self, error: &CallError) {
        *self.errors.entry(error.metric_label()).or_default() += 1;
        self.first_error.get_or_insert_with(|| error.to_string());
    }

    pub(super) fn sent(&mut self, late: Duration) {
        record(&mut self.lateness, late);
    }

    pub(super) fn error_count(&self) -> u64 {
        self.errors.values().sum()
    }
}

fn record(histogram: &mut Histogram<u64>, time: Duration) {
    // More than the longest time counts as that.
    histogram.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
}
