//! More workers than cores: what eight workers lose against two.

use std::time::Duration;

use crate::calls::{one_thread, repeat};
use crate::options::Options;
use crate::report::{Report, Unit};
use crate::{Failure, python};

const PART: &str = "workers";
const AT_ONCE: usize = 64;

/// What the function does for how long, and how many calls of it are made.
const HANDLERS: [(&str, Duration, u64); 2] = [
    ("1 us", Duration::from_micros(1), 600_000),
    ("1 ms", Duration::from_millis(1), 3_000),
];

pub(crate) fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    for (name, handler, calls) in HANDLERS {
        let (mut two, mut eight) = (Vec::new(), Vec::new());
        for _ in 0..options.rounds {
            two.push(rate(2, handler, calls)?);
            eight.push(rate(8, handler, calls)?);
        }
        report.figure(
            PART,
            format!("{name} of work, 2 workers"),
            Unit::CallsPerSecond,
            &two,
        );
        report.figure(
            PART,
            format!("{name} of work, 8 workers"),
            Unit::CallsPerSecond,
            &eight,
        );
        let ratios: Vec<f64> = eight
            .iter()
            .zip(&two)
            .map(|(eight, two)| eight / two)
            .collect();
        report.at_least(
            PART,
            format!("{name} of work: 8 workers / 2 workers, {AT_ONCE} calls at once"),
            &ratios,
            0.8,
        );
    }
    Ok(())
}

fn rate(workers: u32, handler: Duration, calls: u64) -> Result<f64, Failure> {
    let nanoseconds = u64::try_from(handler.as_nanos())?;
    one_thread()?.block_on(async {
        let pool = python::pool("worker.py", workers).await?;
        let work = {
            let pool = pool.clone();
            move || {
                let pool = pool.clone();
                async move { Ok(pool.call::<_, ()>("spin", &nanoseconds).await?) }
            }
        };
        repeat(calls / 10, AT_ONCE, work.clone()).await?;
        let rate = repeat(calls, AT_ONCE, work).await?;
        pool.shutdown().await?;
        Ok(rate)
    })
}
