//! A worker whose module started a thread of its own: how fast that thread is while no call runs.

use std::time::{Duration, Instant};

use crate::calls::one_thread;
use crate::options::Options;
use crate::report::{Report, Unit};
use crate::{Failure, python};

const PART: &str = "background";

pub(crate) fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    let (mut alone, mut idle) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        alone.push(python::number(&[
            "-c",
            "import background; background.solo()",
        ])?);
        idle.push(one_thread()?.block_on(counts_per_second())?);
    }
    report.figure(
        PART,
        "counts of a background thread, without a pool",
        Unit::CallsPerSecond,
        &alone,
    );
    report.figure(
        PART,
        "counts of a background thread, in an idle worker",
        Unit::CallsPerSecond,
        &idle,
    );
    let ratios: Vec<f64> = idle
        .iter()
        .zip(&alone)
        .map(|(idle, alone)| idle / alone)
        .collect();
    report.at_least(
        PART,
        "background thread in an idle worker: share of its solo speed",
        &ratios,
        0.8,
    );
    Ok(())
}

async fn counts_per_second() -> Result<f64, Failure> {
    let pool = python::pool("background.py", 1).await?;
    let before: u64 = pool.call("count", &()).await?;
    let begin = Instant::now();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let after: u64 = pool.call("count", &()).await?;
    let seconds = begin.elapsed().as_secs_f64();
    pool.shutdown().await?;
    Ok((after - before) as f64 / seconds)
}
