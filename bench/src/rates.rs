//! Calls that come at a fixed rate, with pauses in which both sides fall asleep, beside a plain
//! Unix-socket echo under the same load.

use std::time::{Duration, Instant};

use pyproc::Pool;

use crate::calls::{one_at_a_time, one_thread, predict};
use crate::echo::Echo;
use crate::machine::cpu_seconds_with;
use crate::options::Options;
use crate::report::{Report, Unit};
use crate::statistics::percentile;
use crate::{Failure, python};

pub(crate) const PART: &str = "rates";
pub(crate) const OURS: &str = "pyproc";
pub(crate) const ECHO: &str = "Unix-socket echo";
pub(crate) const RATES: [u32; 3] = [100, 1_000, 10_000];
const STRETCH: Duration = Duration::from_secs(3);

/// What one stretch at a fixed rate gave.
struct Paced {
    p50: f64,
    p99: f64,
    /// CPU seconds of both processes per second.
    cpus: f64,
}

pub(crate) fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    let runtime = one_thread()?;
    let (pool, pid) = runtime.block_on(async {
        let pool = python::pool("worker.py", 1).await?;
        one_at_a_time(&pool, 10_000).await?;
        let pid: u32 = pool.call("pid", &()).await?;
        Ok::<_, Failure>((pool, pid))
    })?;
    let mut echo = runtime.block_on(Echo::start())?;

    for rate in RATES {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..options.rounds {
            ours.push(runtime.block_on(paced(rate, pid, &mut PoolCaller(pool.clone())))?);
            theirs.push(runtime.block_on(paced(rate, echo.pid(), &mut echo))?);
        }
        for (who, rounds) in [(OURS, &ours), (ECHO, &theirs)] {
            let mut row = |what: &str, unit, value: fn(&Paced) -> f64| {
                let values: Vec<f64> = rounds.iter().map(value).collect();
                report.figure(PART, name(rate, who, what), unit, &values);
            };
            row("p50", Unit::Nanoseconds, |paced| paced.p50);
            row("p99", Unit::Nanoseconds, |paced| paced.p99);
            row("CPU of both processes", Unit::Cpus, |paced| paced.cpus);
        }
        let ratios: Vec<f64> = ours
            .iter()
            .zip(&theirs)
            .map(|(ours, theirs)| ours.p50 / theirs.p50)
            .collect();
        report.at_most(
            PART,
            format!("{rate} calls/s: p50 / p50 of the Unix-socket echo"),
            &ratios,
            1.2,
        );
    }
    runtime.block_on(pool.shutdown())?;
    Ok(())
}

/// The name of a figure.
fn name(rate: u32, who: &str, what: &str) -> String {
    format!("{rate} calls/s, {who}: {what}")
}

pub(crate) fn p50(rate: u32, who: &str) -> String {
    name(rate, who, "p50")
}

/// Something that can be called.
trait Caller {
    async fn call(&mut self) -> Result<(), Failure>;
}

struct PoolCaller(Pool);

impl Caller for PoolCaller {
    async fn call(&mut self) -> Result<(), Failure> {
        predict(&self.0).await
    }
}

impl Caller for Echo {
    async fn call(&mut self) -> Result<(), Failure> {
        Echo::call(self).await
    }
}

/// Calls at a fixed rate. Between calls the only thread sleeps, as a program with nothing to do.
/// A call that is late because the one before it took too long is timed from when it was due.
async fn paced(rate: u32, peer: u32, caller: &mut impl Caller) -> Result<Paced, Failure> {
    let interval = Duration::from_secs(1) / rate;
    let calls = (STRETCH.as_secs_f64() * f64::from(rate)) as usize;
    let mut waits = Vec::with_capacity(calls);
    let used = cpu_seconds_with(&[peer])?;
    let begin = Instant::now();
    let mut due = begin;
    for _ in 0..calls {
        let now = Instant::now();
        let start = if now < due {
            std::thread::sleep(due - now);
            Instant::now()
        } else {
            due
        };
        caller.call().await?;
        waits.push(start.elapsed().as_nanos() as f64);
        due += interval;
    }
    let seconds = begin.elapsed().as_secs_f64();
    Ok(Paced {
        p50: percentile(&mut waits, 0.5),
        p99: percentile(&mut waits, 0.99),
        cpus: (cpu_seconds_with(&[peer])? - used) / seconds,
    })
}
