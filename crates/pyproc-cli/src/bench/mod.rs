//! `pyproc bench`: how fast one function can be called, beside what the machine can do.

mod closed;
mod compare;
mod cpu;
mod open;
mod progress;
mod report;
mod round_trip;
mod tally;

use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use pyproc::{Body, CallError, ContentType, Pool};

use crate::failure::Failure;
use crate::options::BenchOptions;
use crate::output;
use progress::Progress;
use report::Report;

/// The longest time of calls that are made before counting, so that caches and windows are warm.
const WARM_UP: Duration = Duration::from_millis(500);

/// One call, again and again.
#[derive(Clone)]
struct Call {
    pool: Pool,
    function: String,
    /// MessagePack, or nothing to call with the defaults.
    argument: Option<Bytes>,
}

impl Call {
    /// Makes the call; the result is received whole, and not decoded.
    async fn make(&self) -> Result<(), CallError> {
        self.pool
            .request(&self.function)
            .body(
                self.argument
                    .clone()
                    .map_or_else(Body::empty, Body::msgpack),
            )
            .accept(ContentType::MsgPack)
            .send()
            .await
            .map(drop)
    }
}

pub(crate) fn run(options: BenchOptions) -> Result<(), Failure> {
    // Typed calls send MessagePack, so that is what is measured.
    let argument = options
        .called
        .argument
        .as_deref()
        .map(message_pack)
        .transpose()?;
    let round_trip_before = round_trip::measure();

    let runtime = tokio::runtime::Builder::new_current_thread()
        // The runtime looks at the operating system's events every so many turns. The default of 61
        // would be a system call for every few calls when hundreds are in flight.
        .event_interval(4096)
        .build()?;
    let pool = runtime.block_on(crate::start(options.config.clone()))?;
    let call = Call {
        pool: pool.clone(),
        function: options.called.function.clone(),
        argument: argument.clone(),
    };
    runtime
        .block_on(call.make())
        .map_err(|error| Failure::of_call(&options.called.function, &error))?;
    let warm_up = WARM_UP.min(options.duration / 10);
    closed::run(
        &runtime,
        &call,
        options.concurrency,
        warm_up,
        &Progress::hidden(),
    )?;

    let progress = Progress::start(options.duration);
    let cpu_before = cpu::Usage::now();
    let begin = Instant::now();
    let tally = match options.rate {
        Some(rate) => open::run(
            &call,
            rate,
            options.concurrency,
            options.duration,
            &progress,
        ),
        None => closed::run(
            &runtime,
            &call,
            options.concurrency,
            options.duration,
            &progress,
        ),
    }?;
    let elapsed = begin.elapsed();
    let cpu = cpu::Usage::now().since(&cpu_before);
    progress.finish();

    let python = options
        .compare_in_process
        .then(cpu::worker_program)
        .flatten();
    drop(runtime.block_on(pool.shutdown()));
    let round_trip = round_trip::middle(round_trip_before, round_trip::measure());
    let in_process = if options.compare_in_process {
        let python = python.context("the workers' interpreter could not be found out")?;
        Some(compare::run(
            &python,
            &options.target,
            &options.called.function,
            argument.as_deref(),
        )?)
    } else {
        None
    };

    let report = Report::new(&options, &tally, elapsed, cpu, round_trip, in_process);
    if options.json {
        output::json(&report)
    } else {
        output::text(&report.text())
    }
}

/// The JSON argument as MessagePack.
fn message_pack(json: &[u8]) -> Result<Bytes, Failure> {
    let value: serde_json::Value = serde_json::from_slice(json).context("reading the argument")?;
    Ok(rmp_serde::to_vec(&value)
        .context("encoding the argument")?
        .into())
}
