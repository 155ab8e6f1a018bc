//! How fast a hot call is, beside the same decoding, calling and encoding in a plain Python loop and
//! beside the time a cache line takes between two cores.

use crate::calls::{many_at_once, one_at_a_time, one_thread, two_threads};
use crate::options::Options;
use crate::report::{Report, Unit};
use crate::statistics::percentile;
use crate::{Failure, python, round_trip};

const PART: &str = "speed";
const WARM_UP: usize = 20_000;
const ONE_AT_A_TIME: usize = 300_000;
const AT_ONCE: u64 = 1_500_000;
const TWO_THREADS: u64 = 600_000;

/// Where the cores are further apart than this, the throughput bar is lower.
const FAR: f64 = 200.0;

pub(crate) fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    let (mut loops, mut trips) = (Vec::new(), Vec::new());
    let (mut p50, mut p99, mut at_once, mut two) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut time_ratios, mut rate_ratios, mut two_ratios) = (Vec::new(), Vec::new(), Vec::new());

    for _ in 0..options.rounds {
        let per_loop = python::number(&["loop.py"])?;
        let trip_before = round_trip::measure();

        let (mut waits, rate) = one_thread()?.block_on(async {
            let pool = python::pool("worker.py", 1).await?;
            one_at_a_time(&pool, WARM_UP).await?;
            let waits = one_at_a_time(&pool, ONE_AT_A_TIME).await?;
            let rate = many_at_once(&pool, AT_ONCE, 256).await?;
            pool.shutdown().await?;
            Ok::<_, Failure>((waits, rate))
        })?;
        let two_rate = two_threads()?.block_on(async {
            let pool = python::pool("worker.py", 1).await?;
            one_at_a_time(&pool, WARM_UP).await?;
            let rate = many_at_once(&pool, TWO_THREADS, 256).await?;
            pool.shutdown().await?;
            Ok::<_, Failure>(rate)
        })?;

        let trip = round_trip::middle(trip_before, round_trip::measure())?;
        let middle = percentile(&mut waits, 0.5);
        time_ratios.push(middle / (2.0 * per_loop + 3.0 * trip));
        rate_ratios.push(rate * per_loop / 1e9 / if trip > FAR { 0.35 } else { 0.5 });
        two_ratios.push(two_rate * per_loop / 1e9);
        loops.push(per_loop);
        trips.push(trip);
        p50.push(middle);
        p99.push(percentile(&mut waits, 0.99));
        at_once.push(rate);
        two.push(two_rate);
    }

    report.figure(
        PART,
        "cross-core round trip of a cache line (RTT)",
        Unit::Nanoseconds,
        &trips,
    );
    report.figure(
        PART,
        "decode, call, encode in a Python loop (loop)",
        Unit::Nanoseconds,
        &loops,
    );
    let loop_rates: Vec<f64> = loops.iter().map(|per_loop| 1e9 / per_loop).collect();
    report.figure(
        PART,
        "  the same as calls per second",
        Unit::CallsPerSecond,
        &loop_rates,
    );
    report.figure(PART, "pyproc, one at a time: p50", Unit::Nanoseconds, &p50);
    report.figure(PART, "pyproc, one at a time: p99", Unit::Nanoseconds, &p99);
    report.figure(
        PART,
        "pyproc, 256 at once, one runtime thread",
        Unit::CallsPerSecond,
        &at_once,
    );
    report.figure(
        PART,
        "pyproc, 256 at once, two runtime threads",
        Unit::CallsPerSecond,
        &two,
    );
    report.at_most(
        PART,
        "one at a time: p50 / (2 loop + 3 RTT)",
        &time_ratios,
        1.0,
    );
    report.at_least(
        PART,
        "256 at once: share of the loop / 0.5 (0.35 where RTT > 0.2 us)",
        &rate_ratios,
        1.0,
    );
    report.at_least(
        PART,
        "256 at once, two runtime threads: share of the loop",
        &two_ratios,
        0.25,
    );
    Ok(())
}
