//! `pyproc serve` beside servers that run Python themselves, and beside an echo without Python: the same
//! function, the same JSON, one worker each, driven by `wrk` with one thread, in rounds that alternate. A
//! server that cannot be installed or started is named as missing, and the others are measured all the same.

pub(crate) mod echo;
mod load;
mod servers;
mod serving;
pub(crate) mod table;

use std::collections::BTreeMap;
use std::process::Command;

use serving::Serving;

use crate::Failure;
use crate::chart::{self, Look};
use crate::options::Options;
use crate::report::{Report, Unit};

pub(crate) const PART: &str = "http";

/// How many connections ask at the same time.
pub(crate) const CONNECTIONS: [usize; 4] = [1, 16, 64, 256];
/// How long each of them is measured in a round.
const SECONDS: u32 = 1;

/// What a row is in the comparison.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Pyproc,
    /// Without Python: as much as can be expected.
    Echo,
    /// Held against pyproc by the bars.
    Peer,
}

/// A row of the comparison.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) look: Look,
    /// How it is started on a port.
    command: fn(u16) -> Result<Command, Failure>,
    path: &'static str,
}

pub(crate) const OURS: &str = "pyproc serve";

pub(crate) const CONTENDERS: [Contender; 7] = [
    Contender {
        name: "axum echo without Python: the limit",
        kind: Kind::Echo,
        look: Look {
            colour: chart::REFERENCE,
            mark: 0,
        },
        command: servers::echo,
        path: echo::PATH,
    },
    Contender {
        name: OURS,
        kind: Kind::Pyproc,
        look: Look {
            colour: chart::OURS,
            mark: 0,
        },
        command: servers::pyproc,
        path: "/v1/call/predict",
    },
    peer("raw ASGI on uvicorn", 1, servers::raw_asgi),
    peer("RSGI on Granian", 2, servers::granian),
    peer("FastAPI on uvicorn", 3, servers::fastapi),
    peer("mosec", 4, servers::mosec),
    peer("LitServe", 5, servers::litserve),
];

const fn peer(
    name: &'static str,
    colour: usize,
    command: fn(u16) -> Result<Command, Failure>,
) -> Contender {
    Contender {
        name,
        kind: Kind::Peer,
        look: Look {
            colour,
            mark: colour,
        },
        command,
        path: "/predict",
    }
}

/// What is measured of a server with some number of connections.
#[derive(Clone, Copy, Debug)]
struct Measured {
    /// Requests per second.
    rate: f64,
    /// Nanoseconds from a request to its answer.
    p50: f64,
    p99: f64,
    /// Nanoseconds of processor time that the server and its workers spend on a request.
    cpu: f64,
}

/// One round of a server, by the number of connections.
type Round = BTreeMap<usize, Measured>;

/// The rounds of a server, or why it is missing.
type Outcome = Result<Vec<Round>, String>;

pub(crate) const RATE: &str = "requests/s";
pub(crate) const P50: &str = "p50";
pub(crate) const P99: &str = "p99";
pub(crate) const CPU: &str = "server CPU per request";

/// The name of a figure.
pub(crate) fn name(who: &str, connections: usize, what: &str) -> String {
    format!("{who}, {connections}: {what}")
}

pub(crate) fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    let mut outcomes: Vec<Outcome> = CONTENDERS.iter().map(|_| Ok(Vec::new())).collect();
    for round in 1..=options.rounds {
        for (contender, outcome) in CONTENDERS.iter().zip(&mut outcomes) {
            eprintln!("  round {round} of {}: {}", options.rounds, contender.name);
            add_round(contender, outcome)?;
        }
    }
    record(report, &outcomes);
    judge(report, &outcomes);
    Ok(())
}

/// Measures a server once more, unless it is already known to be missing.
fn add_round(contender: &Contender, outcome: &mut Outcome) -> Result<(), Failure> {
    if let Ok(rounds) = outcome {
        match contender.round(SECONDS) {
            Ok(round) => rounds.push(round),
            Err(failure) if contender.kind != Kind::Peer => {
                return Err(format!("{}: {failure}", contender.name).into());
            }
            Err(failure) => {
                eprintln!("  {} is missing: {failure}", contender.name);
                *outcome = Err(failure.to_string());
            }
        }
    }
    Ok(())
}

impl Contender {
    /// Starts it, measures with each number of connections and ends it.
    fn round(&self, seconds: u32) -> Result<Round, Failure> {
        let answer = match self.kind {
            Kind::Echo => serde_json::json!({"value": 42}),
            Kind::Pyproc | Kind::Peer => serde_json::json!({"result": 84}),
        };
        let server = Serving::start(self.command, self.path, &answer)?;
        CONNECTIONS
            .into_iter()
            .map(|connections| Ok((connections, load::measure(&server, connections, seconds)?)))
            .collect()
    }
}

/// Writes the rows.
fn record(report: &mut Report, outcomes: &[Outcome]) {
    for (contender, outcome) in CONTENDERS.iter().zip(outcomes) {
        let rounds = match outcome {
            Ok(rounds) => rounds,
            Err(reason) => {
                report.missing(PART, contender.name, reason);
                continue;
            }
        };
        for connections in CONNECTIONS {
            let mut row = |what, unit, value: fn(&Measured) -> f64| {
                let values: Vec<f64> = rounds
                    .iter()
                    .map(|round| value(&round[&connections]))
                    .collect();
                report.figure(PART, name(contender.name, connections, what), unit, &values);
            };
            row(RATE, Unit::CallsPerSecond, |measured| measured.rate);
            row(P50, Unit::Nanoseconds, |measured| measured.p50);
            row(P99, Unit::Nanoseconds, |measured| measured.p99);
            row(CPU, Unit::Nanoseconds, |measured| measured.cpu);
        }
    }
}

/// Writes the bars: each round of pyproc against the best that any other server reached in that round.
fn judge(report: &mut Report, outcomes: &[Outcome]) {
    let of = |kind| {
        CONTENDERS
            .iter()
            .zip(outcomes)
            .filter(move |(contender, _)| contender.kind == kind)
            .filter_map(|(_, outcome)| outcome.as_ref().ok())
    };
    let (Some(ours), Some(echo)) = (of(Kind::Pyproc).next(), of(Kind::Echo).next()) else {
        return;
    };
    let ratios = |connections: usize, value: fn(&Measured) -> f64, best: fn(f64, f64) -> f64| {
        let of_round = |(round, ours): (usize, &Round)| {
            let others = of(Kind::Peer).map(|rounds| value(&rounds[round][&connections]));
            Some(value(&ours[&connections]) / others.reduce(best)?)
        };
        ours.iter()
            .enumerate()
            .map(of_round)
            .collect::<Option<Vec<f64>>>()
    };
    // A bar may be kept because the one that would have broken it is not there.
    let missing: Vec<&str> = CONTENDERS
        .iter()
        .zip(outcomes)
        .filter_map(|(contender, outcome)| outcome.is_err().then_some(contender.name))
        .collect();
    let without = if missing.is_empty() {
        String::new()
    } else {
        format!(" (without {})", missing.join(", "))
    };
    for (connections, limit) in [(16, 1.5), (64, 2.0)] {
        // Without any peer there is nothing to judge.
        if let Some(rates) = ratios(connections, |measured| measured.rate, f64::max) {
            let what = format!(
                "{connections} connections: requests/s / those of the best Python server{without}"
            );
            report.at_least(PART, what, &rates, limit);
        }
        if let Some(times) = ratios(connections, |measured| measured.p99, f64::min) {
            let what = format!(
                "{connections} connections: p99 / the lowest of any Python server{without}"
            );
            report.at_most(PART, what, &times, 1.0);
        }
    }
    if let Some(times) = ratios(1, |measured| measured.p50, f64::min) {
        let what = format!("1 connection: p50 / the lowest of any Python server{without}");
        report.at_most(PART, what, &times, 1.0);
    }
    for connections in [16, 64, 256] {
        let shares: Vec<f64> = ours
            .iter()
            .zip(echo)
            .map(|(ours, echo)| ours[&connections].rate / echo[&connections].rate)
            .collect();
        let what = format!("{connections} connections: requests/s / those of the axum echo");
        report.at_least(PART, what, &shares, 0.75);
    }
}

#[cfg(test)]
mod tests;
