//! What is measured of pyproc and of every peer alike.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Deserialize;

use crate::Failure;
use crate::calls::repeat;
use crate::statistics::percentile;

/// How many calls are under way.
pub(crate) const AT_ONCE: [usize; 4] = [1, 8, 64, 256];

/// One round of one peer. A peer whose caller is a Python program prints this as JSON.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Measured {
    /// Nanoseconds of a call, one at a time.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Calls per second, by how many are under way.
    pub(crate) rates: BTreeMap<usize, f64>,
}

impl Measured {
    /// The percentiles of calls that were made one at a time.
    pub(super) fn of(laps: Laps) -> Self {
        let mut waits = laps.nanoseconds;
        Self {
            p50: percentile(&mut waits, 0.5),
            p99: percentile(&mut waits, 0.99),
            rates: BTreeMap::new(),
        }
    }

    /// How many calls take about so long when they overlap.
    pub(crate) fn calls_within(&self, seconds: f64) -> usize {
        const OVERLAP: f64 = 2.0;
        (OVERLAP * seconds * 1e9 / self.p50) as usize + 1
    }
}

/// Measures something that tasks can call at the same time, for about `seconds` per figure.
pub(crate) async fn measure<W, F>(seconds: f64, work: W) -> Result<Measured, Failure>
where
    W: Fn() -> F + Clone + Send + 'static,
    F: Future<Output = Result<(), Failure>> + Send,
{
    // A task, so that it runs where the others do.
    let alone = work.clone();
    let mut measured = tokio::spawn(async move {
        let mut warm_up = Laps::within(seconds / 2.0);
        while warm_up.another() {
            alone().await?;
            warm_up.lap();
        }
        let mut laps = Laps::within(seconds);
        while laps.another() {
            alone().await?;
            laps.lap();
        }
        Ok::<_, Failure>(Measured::of(laps))
    })
    .await??;
    let calls = measured.calls_within(seconds) as u64;
    for at_once in AT_ONCE {
        let rate = repeat(calls, at_once, work.clone()).await?;
        measured.rates.insert(at_once, rate);
    }
    Ok(measured)
}

/// Times calls that are made one after the other.
pub(super) struct Laps {
    begin: Instant,
    before: Instant,
    seconds: f64,
    nanoseconds: Vec<f64>,
}

impl Laps {
    pub(super) fn within(seconds: f64) -> Self {
        let now = Instant::now();
        Self {
            begin: now,
            before: now,
            seconds,
            nanoseconds: Vec::new(),
        }
    }

    /// Whether there is time for another call.
    pub(super) fn another(&self) -> bool {
        (self.before - self.begin).as_secs_f64() < self.seconds
    }

    /// A call is done.
    pub(super) fn lap(&mut self) {
        let now = Instant::now();
        self.nanoseconds.push((now - self.before).as_nanos() as f64);
        self.before = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_script_prints_is_understood() {
        let text = r#"{"p50": 21262, "p99": 44285.5, "rates": {"1": 46032.5, "64": 67880.9}}"#;
        let measured: Measured = serde_json::from_str(text).unwrap();
        assert_eq!((measured.p50, measured.p99), (21262.0, 44285.5));
        assert_eq!(measured.rates[&64], 67880.9);
    }

    #[tokio::test]
    async fn every_figure_is_measured() {
        let measured = measure(0.001, || async { Ok(()) }).await.unwrap();
        assert!(measured.p50 <= measured.p99);
        assert!(measured.rates.keys().eq(&AT_ONCE));
        let failed = measure(0.001, || async { Err("no".into()) }).await;
        assert_eq!(failed.unwrap_err().to_string(), "no");
    }
}
