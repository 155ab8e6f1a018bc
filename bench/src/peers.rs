//! pyproc beside what a program would use instead: the same function, the same payload, one worker
//! process each, in rounds that alternate. A peer that cannot be installed or started is named as
//! missing, and the others are measured all the same.

mod grpc;
mod measured;
mod ours;
mod script;
mod zeromq;

use std::time::Duration;

pub(crate) use measured::AT_ONCE;
use measured::{Laps, Measured};

use crate::calls::one_thread;
use crate::chart::{Look, OURS, REFERENCE};
use crate::echo::Echo;
use crate::options::Options;
use crate::report::{Report, Unit};
use crate::{Failure, python, round_trip};

pub(crate) const PART: &str = "peers";

/// About how long each figure of a round is measured.
const SECONDS: f64 = 0.3;
/// When a peer is given up.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// The MessagePack of `{"value": 42}` and of `{"result": 84}`.
const QUESTION: &[u8] = b"\x81\xa5value\x2a";
const ANSWER: &[u8] = b"\x81\xa6result\x54";

/// What a row is in the comparison.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Pyproc,
    Reference,
    /// Held against pyproc by a bar; those of one name are one peer, called in several ways.
    Peer(&'static str),
}

/// A row of the comparison.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) look: Look,
    /// Measures one round, about so many seconds per figure.
    run: fn(f64) -> Result<Measured, Failure>,
}

/// Judged against the peers: the first.
pub(crate) const CONTENDERS: [Contender; 9] = [
    Contender {
        name: "pyproc, tokio, one thread",
        look: Look {
            colour: OURS,
            mark: 0,
        },
        kind: Kind::Pyproc,
        run: ours::on_one_thread,
    },
    Contender {
        name: "pyproc, tokio, two threads",
        look: Look {
            colour: OURS,
            mark: 1,
        },
        kind: Kind::Pyproc,
        run: ours::on_two_threads,
    },
    Contender {
        name: "pyproc, blocking (a thread per call)",
        look: Look {
            colour: OURS,
            mark: 2,
        },
        kind: Kind::Pyproc,
        run: ours::blocking,
    },
    Contender {
        name: "plain Unix-socket echo in Python",
        look: Look {
            colour: REFERENCE,
            mark: 0,
        },
        kind: Kind::Reference,
        run: echo,
    },
    Contender {
        name: "multiprocessing.Pipe",
        look: Look { colour: 1, mark: 1 },
        kind: Kind::Peer("multiprocessing.Pipe"),
        run: script::pipe,
    },
    Contender {
        name: "ZeroMQ, called from Python (pyzmq)",
        look: Look { colour: 2, mark: 2 },
        kind: Kind::Peer("ZeroMQ"),
        run: script::zeromq,
    },
    Contender {
        name: "ZeroMQ, called from Rust (zeromq)",
        look: Look { colour: 2, mark: 3 },
        kind: Kind::Peer("ZeroMQ"),
        run: zeromq::run,
    },
    Contender {
        name: "gRPC over a Unix socket (tonic, grpcio)",
        look: Look { colour: 3, mark: 0 },
        kind: Kind::Peer("gRPC"),
        run: grpc::run,
    },
    Contender {
        name: "ProcessPoolExecutor",
        look: Look { colour: 4, mark: 3 },
        kind: Kind::Peer("ProcessPoolExecutor"),
        run: script::executor,
    },
];

/// The peers that the bars name.
const PEERS: [&str; 4] = [
    "multiprocessing.Pipe",
    "ZeroMQ",
    "gRPC",
    "ProcessPoolExecutor",
];

/// The names of a row's figures.
pub(crate) fn p50(who: &str) -> String {
    format!("{who}: p50")
}

pub(crate) fn p99(who: &str) -> String {
    format!("{who}: p99")
}

pub(crate) fn rate(who: &str, at_once: usize) -> String {
    format!("{who}: {at_once} at once")
}

pub(crate) const LOOP: &str = "decode, call, encode in a Python loop (loop)";
pub(crate) const TRIP: &str = "cross-core round trip of a cache line (RTT)";

pub(crate) fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    let (mut loops, mut trips) = (Vec::new(), Vec::new());
    let mut outcomes: Vec<Outcome> = CONTENDERS.iter().map(|_| Ok(Vec::new())).collect();
    for round in 1..=options.rounds {
        loops.push(python::number(&["loop.py"])?);
        let before = round_trip::measure();
        for (contender, outcome) in CONTENDERS.iter().zip(&mut outcomes) {
            eprintln!("  round {round} of {}: {}", options.rounds, contender.name);
            add_round(contender, outcome, SECONDS)?;
        }
        trips.push(round_trip::middle(before, round_trip::measure())?);
    }
    report.figure(PART, TRIP, Unit::Nanoseconds, &trips);
    report.figure(PART, LOOP, Unit::Nanoseconds, &loops);
    record(report, &outcomes);
    Ok(())
}

/// The rounds of a contender, or why it is missing.
type Outcome = Result<Vec<Measured>, String>;

/// Measures a contender once more, unless it is already known to be missing.
fn add_round(contender: &Contender, outcome: &mut Outcome, seconds: f64) -> Result<(), Failure> {
    if let Ok(rounds) = outcome {
        match (contender.run)(seconds) {
            Ok(measured) => rounds.push(measured),
            Err(failure) if contender.kind == Kind::Pyproc => return Err(failure),
            Err(failure) => {
                eprintln!("  {} is missing: {failure}", contender.name);
                *outcome = Err(failure.to_string());
            }
        }
    }
    Ok(())
}

/// Writes rows and bars.
fn record(report: &mut Report, outcomes: &[Outcome]) {
    for (Contender { name, .. }, outcome) in CONTENDERS.iter().zip(outcomes) {
        match outcome {
            Err(reason) => report.missing(PART, *name, reason),
            Ok(rounds) => {
                let mut row = |what: String, unit, value: &dyn Fn(&Measured) -> f64| {
                    let values: Vec<f64> = rounds.iter().map(value).collect();
                    report.figure(PART, what, unit, &values);
                };
                row(p50(name), Unit::Nanoseconds, &|measured| measured.p50);
                row(p99(name), Unit::Nanoseconds, &|measured| measured.p99);
                for at_once in AT_ONCE {
                    let value = |measured: &Measured| {
                        measured.rates.get(&at_once).copied().unwrap_or(f64::NAN)
                    };
                    row(rate(name, at_once), Unit::CallsPerSecond, &value);
                }
            }
        }
    }
    let Some(Ok(ours)) = outcomes.first() else {
        return;
    };
    for peer in PEERS {
        let ways: Vec<&Vec<Measured>> = CONTENDERS
            .iter()
            .zip(outcomes)
            .filter(|(contender, _)| contender.kind == Kind::Peer(peer))
            .filter_map(|(_, outcome)| outcome.as_ref().ok())
            .collect();
        // A peer that is missing is named above; there is nothing to judge.
        if ways.is_empty() {
            continue;
        }
        let (times, rates): (Vec<f64>, Vec<f64>) = ours
            .iter()
            .enumerate()
            .map(|(round, ours)| {
                // Held against the better of the ways in which the peer is called.
                let best = |value: fn(&Measured) -> f64| {
                    ways.iter().map(move |rounds| value(&rounds[round]))
                };
                let time = best(|measured| measured.p50).fold(f64::INFINITY, f64::min);
                let rate = best(|measured| measured.rates[&64]).fold(0.0, f64::max);
                (time / ours.p50, ours.rates[&64] / rate)
            })
            .unzip();
        report.at_least(
            PART,
            format!("one at a time: p50 of {peer} / p50 of pyproc"),
            &times,
            20.0,
        );
        report.at_least(
            PART,
            format!("64 at once: calls/s of pyproc / those of {peer}"),
            &rates,
            2.0,
        );
    }
}

/// The reference: bytes back and forth.
fn echo(seconds: f64) -> Result<Measured, Failure> {
    one_thread()?.block_on(async {
        let mut echo = Echo::start().await?;
        let mut laps = Laps::within(seconds);
        while laps.another() {
            echo.call().await?;
            laps.lap();
        }
        let mut measured = Measured::of(laps);
        let messages = measured.calls_within(seconds);
        for at_once in AT_ONCE {
            let rate = echo.many(messages, at_once).await?;
            measured.rates.insert(at_once, rate);
        }
        Ok(measured)
    })
}

#[cfg(test)]
mod tests;
