//! The last minute of one function: calls by second, and how long they took.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::{Latency, Second};

/// Seconds that are kept, the one that has just begun included.
const SECONDS: usize = 64;

/// Seconds of a rate: long enough for a steady figure, short enough to follow a change.
const RATE: u64 = 5;

/// Seconds that are shown one by one.
const HISTORY: u64 = 60;

/// Seconds that share a histogram.
const SPAN: u64 = 10;

/// Histograms that are kept; percentiles are of 60 to 70 seconds.
const SPANS: usize = 7;

/// Calls and durations of the last minute; `second` counts from the start.
#[derive(Debug)]
pub(super) struct Window {
    /// The second up to which the minute goes.
    latest: u64,
    seconds: [Second; SECONDS],
    /// In nanoseconds, to two digits; made when the first call comes.
    spans: [Option<Histogram<u32>>; SPANS],
}

impl Default for Window {
    fn default() -> Self {
        Self {
            latest: 0,
            seconds: [Second::default(); SECONDS],
            spans: [const { None }; SPANS],
        }
    }
}

impl Window {
    #[inline]
    pub(super) fn record(&mut self, second: u64, duration: Duration, failed: bool) {
        if second != self.latest {
            self.forget(second);
        }
        // A thread may be late by a moment.
        let entry = &mut self.seconds[place(self.latest)];
        entry.calls += 1;
        entry.failed += u32::from(failed);
        let span = &mut self.spans[span(self.latest)];
        // It grows with what it holds; two digits are always possible.
        if let Some(histogram) = span {
            record(histogram, duration);
        } else if let Ok(mut histogram) = Histogram::new(2) {
            record(&mut histogram, duration);
            *span = Some(histogram);
        }
    }

    /// Forgets what is older than a minute.
    pub(super) fn forget(&mut self, second: u64) {
        if second <= self.latest {
            return;
        }
        for passed in (self.latest + 1..=second).rev().take(SECONDS) {
            self.seconds[place(passed)] = Second::default();
        }
        for passed in (self.latest / SPAN + 1..=second / SPAN).rev().take(SPANS) {
            if let Some(histogram) = &mut self.spans[span(passed * SPAN)] {
                histogram.reset();
            }
        }
        self.latest = second;
    }

    fn at(&self, second: u64) -> Second {
        self.seconds[place(second)]
    }
}

fn place(second: u64) -> usize {
    usize::try_from(second).unwrap_or_default() % SECONDS
}

fn span(second: u64) -> usize {
    usize::try_from(second / SPAN).unwrap_or_default() % SPANS
}

fn record(histogram: &mut Histogram<u32>, duration: Duration) {
    // A duration beyond 500 years is not seen.
    let _ = histogram.record(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
}

/// Calls of these functions second by second, the oldest first, without the one that has just begun.
pub(super) fn history(windows: &[&Window], second: u64) -> Vec<Second> {
    (second.saturating_sub(HISTORY)..second)
        .map(|second| {
            windows.iter().fold(Second::default(), |sum, window| {
                let of = window.at(second);
                Second {
                    calls: sum.calls + of.calls,
                    failed: sum.failed + of.failed,
                }
            })
        })
        .collect()
}

/// Calls of these functions a second, lately.
pub(super) fn rate(windows: &[&Window], second: u64) -> f64 {
    let from = second.saturating_sub(RATE);
    let calls: u64 = windows
        .iter()
        .flat_map(|window| (from..second).map(|second| u64::from(window.at(second).calls)))
        .sum();
    calls as f64 / (second - from).max(1) as f64
}

/// Percentiles of these functions together.
pub(super) fn latency(windows: &[&Window]) -> Option<Latency> {
    let mut all: Histogram<u64> = Histogram::new(2).ok()?;
    let spans = windows.iter().flat_map(|window| &window.spans).flatten();
    for histogram in spans {
        for value in histogram.iter_recorded() {
            let count = u64::from(value.count_at_value());
            let _ = all.record_n(value.value_iterated_to(), count);
        }
    }
    let seconds = |quantile| Duration::from_nanos(all.value_at_quantile(quantile)).as_secs_f64();
    (!all.is_empty()).then(|| Latency {
        p50: seconds(0.5),
        p90: seconds(0.9),
        p99: seconds(0.99),
    })
}
