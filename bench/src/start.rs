//! A worker that imports numpy, pandas and scikit-learn: until it is ready, until a killed one is
//! replaced, and how much memory it takes.

use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;

use crate::calls::one_thread;
use crate::machine::proportional_bytes;
use crate::options::Options;
use crate::peers::LIMIT;
use crate::report::{Report, Unit};
use crate::{Failure, program, python};

pub(crate) const PART: &str = "start";
pub(crate) const READY: &str = "pyproc: pool of one worker ready";
pub(crate) const REPLACED: &str = "pyproc: killed worker replaced and answering";
pub(crate) const MEMORY: &str = "pyproc: memory of the worker (PSS)";
pub(crate) const EXECUTOR: &str = "ProcessPoolExecutor: first result of one worker";
pub(crate) const EXECUTOR_MEMORY: &str = "ProcessPoolExecutor: memory of the worker (PSS)";

/// One round of one of them.
#[derive(Deserialize)]
struct Started {
    /// Nanoseconds.
    ready: f64,
    /// Bytes.
    pss: f64,
}

pub(crate) fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    let missing = |module: &str| !report.packages.contains_key(module);
    if let Some(module) = ["numpy", "pandas", "scikit-learn"]
        .into_iter()
        .find(|name| missing(name))
    {
        report.missing(PART, "imports", format!("{module} is not installed"));
        return Ok(());
    }
    let (mut ours, mut replaced, mut executor) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=options.rounds {
        eprintln!("  round {round} of {}", options.rounds);
        let (started, replacement) = one_thread()?.block_on(pool())?;
        ours.push(started);
        replaced.push(replacement);
        let script = python::folder("python/peers/executor_start.py");
        executor.push(serde_json::from_str(&program::output(
            &script,
            &[],
            LIMIT,
        )?)?);
    }
    let ready =
        |rounds: &[Started]| -> Vec<f64> { rounds.iter().map(|started| started.ready).collect() };
    let megabytes = |rounds: &[Started]| -> Vec<f64> {
        rounds.iter().map(|started| started.pss / 1e6).collect()
    };
    report.figure(PART, READY, Unit::Nanoseconds, &ready(&ours));
    report.figure(PART, EXECUTOR, Unit::Nanoseconds, &ready(&executor));
    report.figure(PART, REPLACED, Unit::Nanoseconds, &replaced);
    report.figure(PART, MEMORY, Unit::Megabytes, &megabytes(&ours));
    report.figure(
        PART,
        EXECUTOR_MEMORY,
        Unit::Megabytes,
        &megabytes(&executor),
    );
    Ok(())
}

/// Starts a pool, kills its worker, and calls at once: what waits is answered by the replacement.
async fn pool() -> Result<(Started, f64), Failure> {
    let begin = Instant::now();
    let pool = python::pool("start.py", 1).await?;
    let first: u32 = pool.call("pid", &()).await?;
    let ready = begin.elapsed().as_nanos() as f64;
    let pss = proportional_bytes(first)?;

    let begin = Instant::now();
    let pid = Pid::from_raw(i32::try_from(first)?).ok_or("no process id")?;
    kill_process(pid, Signal::KILL)?;
    // The worker may die with the call in its hands.
    let second: u32 = pool.request("pid").idempotent().call(&()).await?;
    let replaced = begin.elapsed().as_nanos() as f64;
    pool.shutdown().await?;
    if first == second {
        return Err("the killed worker answered".into());
    }
    Ok((Started { ready, pss }, replaced))
}
