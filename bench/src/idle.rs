//! What a pool costs that has nothing to do.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::calls::{many_at_once, two_threads};
use crate::machine::cpu_seconds_with;
use crate::options::Options;
use crate::report::{Report, Unit};
use crate::{Failure, python};

pub(crate) const PART: &str = "idle";
pub(crate) const NAME: &str = "4 workers, 10 s right after a million calls";
const WORKERS: usize = 4;
const BURST: u64 = 1_000_000;
const WATCHED: Duration = Duration::from_secs(10);

pub(crate) fn run(_: &Options, report: &mut Report) -> Result<(), Failure> {
    let cpus = two_threads()?.block_on(async {
        let pool = python::pool("worker.py", WORKERS as u32).await?;
        let mut workers = BTreeSet::new();
        while workers.len() < WORKERS {
            let asked: Vec<_> = (0..64)
                .map(|_| {
                    let pool = pool.clone();
                    tokio::spawn(async move { pool.call::<_, u32>("pid", &()).await })
                })
                .collect();
            for pid in asked {
                workers.insert(pid.await??);
            }
        }
        let workers: Vec<u32> = workers.into_iter().collect();
        many_at_once(&pool, BURST, 256).await?;
        let used = cpu_seconds_with(&workers)?;
        tokio::time::sleep(WATCHED).await;
        let used = cpu_seconds_with(&workers)? - used;
        pool.shutdown().await?;
        Ok::<_, Failure>([used / WATCHED.as_secs_f64()])
    })?;
    report.figure(PART, NAME, Unit::Cpus, &cpus);
    report.at_most(
        PART,
        "idle pool of 4 workers, after a million calls: CPUs used",
        &cpus,
        0.001,
    );
    Ok(())
}
