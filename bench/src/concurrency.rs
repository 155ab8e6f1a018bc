//! Calls per second by how many are under way and how many workers there are.

use crate::calls::{many_at_once, one_thread};
use crate::options::Options;
use crate::peers::AT_ONCE;
use crate::report::{Report, Unit};
use crate::{Failure, python};

const PART: &str = "concurrency";
const WORKERS: [u32; 3] = [1, 2, 8];
const WARM_UP: u64 = 20_000;
const CALLS: u64 = 300_000;

pub(crate) fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    let mut rates = WORKERS.map(|_| AT_ONCE.map(|_| Vec::new()));
    for round in 1..=options.rounds {
        eprintln!("  round {round} of {}", options.rounds);
        for (workers, rates) in WORKERS.into_iter().zip(&mut rates) {
            one_thread()?.block_on(async {
                let pool = python::pool("worker.py", workers).await?;
                many_at_once(&pool, WARM_UP, 64).await?;
                for (at_once, rates) in AT_ONCE.into_iter().zip(rates) {
                    rates.push(many_at_once(&pool, CALLS, at_once).await?);
                }
                Ok::<_, Failure>(pool.shutdown().await?)
            })?;
        }
    }
    for (workers, rates) in WORKERS.into_iter().zip(&rates) {
        for (at_once, rates) in AT_ONCE.into_iter().zip(rates) {
            report.figure(PART, name(workers, at_once), Unit::CallsPerSecond, rates);
        }
    }
    Ok(())
}

fn name(workers: u32, at_once: usize) -> String {
    let s = if workers == 1 { "" } else { "s" };
    format!("{workers} worker{s}, {at_once} at once")
}
