//! `make bench`: what pyproc costs, beside what it is compared with, in the same run.
//!
//! Every figure is measured in several rounds that alternate with the rounds of what it is compared
//! with; a bar is judged by the median of the rounds' ratios, because the same machine runs at
//! different speeds from one minute to the next. Prints tables, writes them as JSON and charts into
//! `bench/results`, and exits with 1 when a bar is missed.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program's output is its purpose"
)]

mod background;
mod calls;
mod chart;
mod charts;
mod concurrency;
mod echo;
mod http;
mod idle;
mod large;
mod machine;
mod observed;
mod options;
mod payloads;
mod peers;
mod program;
mod python;
mod rates;
mod readme;
mod report;
// The cross-core round trip as `pyproc bench` measures it.
#[path = "../../crates/pyproc-cli/src/bench/round_trip.rs"]
mod round_trip;
mod speed;
mod start;
mod statistics;
mod syscalls;
mod workers;

use std::process::ExitCode;

use options::Options;
use report::Report;

/// What can go wrong while measuring; any of it ends the run.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A part of the benchmark: its name on the command line and what runs it.
type Part = (
    &'static str,
    fn(&Options, &mut Report) -> Result<(), Failure>,
);

const PARTS: [Part; 12] = [
    ("speed", speed::run),
    (peers::PART, peers::run),
    (http::PART, http::run),
    ("concurrency", concurrency::run),
    (payloads::PART, payloads::run),
    (start::PART, start::run),
    ("syscalls", syscalls::run),
    ("rates", rates::run),
    ("idle", idle::run),
    ("workers", workers::run),
    ("large", large::run),
    ("background", background::run),
];

fn main() -> ExitCode {
    let options = match Options::parse(
        std::env::args().skip(1),
        PARTS.map(|(name, _)| name).as_slice(),
    ) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    if let Some(port) = options.http_echo {
        return match http::echo::serve(port) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                eprintln!("pyproc-bench: {failure}");
                ExitCode::FAILURE
            }
        };
    }
    let observed = if options.bare {
        Ok(())
    } else {
        observed::install()
    };
    let outcome = observed.and_then(|()| match options.hot_calls {
        Some((calls, at_once)) => syscalls::hot_calls(calls, at_once).map(|()| ExitCode::SUCCESS),
        None if options.write_readme => readme::write(&options.json).map(|()| ExitCode::SUCCESS),
        None => measure(&options),
    });
    outcome.unwrap_or_else(|failure| {
        eprintln!("pyproc-bench: {failure}");
        ExitCode::FAILURE
    })
}

fn measure(options: &Options) -> Result<ExitCode, Failure> {
    let machine = machine::Machine::look()?;
    let mut report = if options.all() {
        Report::new(machine)
    } else {
        Report::resume(&options.json, machine)
    };
    report.packages = python::packages()?;
    for (name, run) in PARTS {
        if options.wants(name) {
            eprintln!("measuring: {name} ...");
            report.begin(name);
            run(options, &mut report).map_err(|failure| format!("{name}: {failure}"))?;
            report.print_part(name);
            match name {
                peers::PART => println!("\n{}", readme::peers_table(&report)?.plain()),
                http::PART => println!("\n{}", http::table::table(&report)?.plain()),
                _ => {}
            }
        }
    }
    report.print_bars();
    report.order(&PARTS.map(|(name, _)| name));
    report.write(&options.json)?;
    for (name, svg) in charts::charts(&report) {
        std::fs::write(options.json.with_file_name(format!("latest-{name}")), svg)?;
    }
    Ok(if report.missed() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What this machine lacks for a test: `make test` lists it.
#[cfg(test)]
fn not_run(what: &str, needs: &str) {
    use std::io::Write;
    let line = format!("bench: {what}: {needs} is not installed");
    eprintln!("{line}");
    if let Some(list) = std::env::var_os("TESTS_NOT_RUN") {
        let mut list = std::fs::File::options()
            .append(true)
            .create(true)
            .open(list)
            .unwrap();
        writeln!(list, "{line}").unwrap();
    }
}
