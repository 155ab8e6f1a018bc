//! pyproc, as async programs and as programs with threads call it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use pyproc::blocking;
use tokio::runtime::Runtime;

use super::measured::{AT_ONCE, Laps, Measured, measure};
use crate::calls::{FEATURES, Prediction, one_thread, predict, two_threads};
use crate::{Failure, python};

pub(super) fn on_one_thread(seconds: f64) -> Result<Measured, Failure> {
    tokio_tasks(&one_thread()?, seconds)
}

pub(super) fn on_two_threads(seconds: f64) -> Result<Measured, Failure> {
    tokio_tasks(&two_threads()?, seconds)
}

fn tokio_tasks(runtime: &Runtime, seconds: f64) -> Result<Measured, Failure> {
    runtime.block_on(async {
        let pool = python::pool("worker.py", 1).await?;
        let measured = measure(seconds, {
            let pool = pool.clone();
            move || {
                let pool = pool.clone();
                async move { predict(&pool).await }
            }
        })
        .await?;
        pool.shutdown().await?;
        Ok(measured)
    })
}

/// One thread for each call that is under way.
pub(super) fn blocking(seconds: f64) -> Result<Measured, Failure> {
    let pool = blocking::Pool::start(python::config("worker.py", 1))?;
    one_at_a_time(&pool, seconds / 2.0)?;
    let mut measured = Measured::of(one_at_a_time(&pool, seconds)?);
    let calls = measured.calls_within(seconds);
    for at_once in AT_ONCE {
        let rate = many_at_once(&pool, calls, at_once)?;
        measured.rates.insert(at_once, rate);
    }
    pool.shutdown()?;
    Ok(measured)
}

fn call(pool: &blocking::Pool) -> Result<(), Failure> {
    let prediction: Prediction = pool.call("predict", &FEATURES)?;
    prediction.check()
}

fn one_at_a_time(pool: &blocking::Pool, seconds: f64) -> Result<Laps, Failure> {
    let mut laps = Laps::within(seconds);
    while laps.another() {
        call(pool)?;
        laps.lap();
    }
    Ok(laps)
}

fn many_at_once(pool: &blocking::Pool, calls: usize, at_once: usize) -> Result<f64, Failure> {
    let begun = AtomicUsize::new(0);
    let begin = Instant::now();
    thread::scope(|scope| {
        let callers: Vec<_> = (0..at_once)
            .map(|_| {
                scope.spawn(|| {
                    while begun.fetch_add(1, Ordering::Relaxed) < calls {
                        call(pool)?;
                    }
                    Ok::<_, Failure>(())
                })
            })
            .collect();
        for caller in callers {
            caller.join().map_err(|_| "a caller panicked")??;
        }
        Ok::<_, Failure>(())
    })?;
    Ok(calls as f64 / begin.elapsed().as_secs_f64())
}
