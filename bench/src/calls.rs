//! The call that is measured, one at a time and many at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use pyproc::Pool;
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};

use crate::Failure;

/// The argument of `predict`.
#[derive(Serialize)]
pub(crate) struct Features {
    value: u32,
}

/// What `predict` returns.
#[derive(Deserialize)]
pub(crate) struct Prediction {
    result: u32,
}

impl Prediction {
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.result == 84 {
            Ok(())
        } else {
            Err("a wrong answer".into())
        }
    }
}

/// What every call is given.
pub(crate) const FEATURES: Features = Features { value: 42 };

/// A runtime whose tasks all run on the thread that waits for them.
///
/// By default tokio asks the system for IO events after every 61 polls, which alone would be one system
/// call in sixty calls; what is measured here has no IO.
pub(crate) fn one_thread() -> Result<Runtime, Failure> {
    const POLLS: u32 = 1024;
    Ok(Builder::new_current_thread()
        .event_interval(POLLS)
        .enable_all()
        .build()?)
}

/// A runtime with two threads for tasks.
pub(crate) fn two_threads() -> Result<Runtime, Failure> {
    Ok(Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?)
}

/// One call, its answer checked.
pub(crate) async fn predict(pool: &Pool) -> Result<(), Failure> {
    let prediction: Prediction = pool.call("predict", &FEATURES).await?;
    prediction.check()
}

/// Calls one after the other: nanoseconds of each.
pub(crate) async fn one_at_a_time(pool: &Pool, calls: usize) -> Result<Vec<f64>, Failure> {
    let mut waits = Vec::with_capacity(calls);
    let mut before = Instant::now();
    for _ in 0..calls {
        predict(pool).await?;
        let now = Instant::now();
        waits.push((now - before).as_nanos() as f64);
        before = now;
    }
    Ok(waits)
}

/// Keeps `at_once` calls under way until `calls` are done: calls per second.
pub(crate) async fn many_at_once(pool: &Pool, calls: u64, at_once: usize) -> Result<f64, Failure> {
    repeat(calls, at_once, {
        let pool = pool.clone();
        move || {
            let pool = pool.clone();
            async move { predict(&pool).await }
        }
    })
    .await
}

/// Keeps `at_once` of what `work` makes under way until `times` are done: so many per second.
pub(crate) async fn repeat<W, F>(times: u64, at_once: usize, work: W) -> Result<f64, Failure>
where
    W: Fn() -> F + Clone + Send + 'static,
    F: Future<Output = Result<(), Failure>> + Send,
{
    let begun = Arc::new(AtomicU64::new(0));
    let begin = Instant::now();
    let callers: Vec<_> = (0..at_once)
        .map(|_| {
            let (begun, work) = (begun.clone(), work.clone());
            tokio::spawn(async move {
                while begun.fetch_add(1, Ordering::Relaxed) < times {
                    work().await?;
                }
                Ok::<_, Failure>(())
            })
        })
        .collect();
    for caller in callers {
        caller.await??;
    }
    Ok(times as f64 / begin.elapsed().as_secs_f64())
}
