//! Which figures are drawn, and how.

use crate::chart::{Dot, Look, OURS, Panel, REFERENCE, Series, Ticks, dots, panels};
use crate::http;
use crate::payloads::{self, SIZES};
use crate::peers::{self, AT_ONCE, CONTENDERS, Kind};
use crate::report::print::text;
use crate::report::{Report, Unit};

/// The charts of a report: file names and SVG. What was not measured is left out.
pub(crate) fn charts(report: &Report) -> Vec<(&'static str, String)> {
    let mut charts = Vec::new();
    if report.rounds(peers::PART) > 0 {
        charts.push(("latency.svg", latency(report)));
        charts.push(("throughput.svg", throughput(report)));
    }
    if report.rounds(http::PART) > 0 {
        charts.push(("http.svg", servers(report)));
    }
    if report.rounds(payloads::PART) > 0 {
        charts.push(("payloads.svg", transfers(report)));
    }
    charts
}

const LIMIT: Look = Look {
    colour: REFERENCE,
    mark: 1,
};

fn latency(report: &Report) -> String {
    let show = |value| text(value, Unit::Nanoseconds);
    let mut rows = Vec::new();
    for (name, figure) in [
        ("cross-core round trip", peers::TRIP),
        ("the function in a Python loop", peers::LOOP),
    ] {
        if let Some(middle) = report.median(peers::PART, figure) {
            rows.push(Dot {
                name: name.into(),
                look: LIMIT,
                middle,
                far: None,
                label: show(middle),
            });
        }
    }
    for contender in &CONTENDERS {
        let value = |name: String| report.median(peers::PART, &name);
        if let Some(middle) = value(peers::p50(contender.name)) {
            rows.push(Dot {
                name: contender.name.into(),
                look: contender.look,
                middle,
                far: value(peers::p99(contender.name)),
                label: show(middle),
            });
        }
    }
    dots(
        "One warm call at a time: median, and a line to the 99th percentile",
        "time of a call, logarithmic",
        &rows,
        time_tick,
    )
}

fn throughput(report: &Report) -> String {
    let mut lines = Vec::new();
    if let Some(nanoseconds) = report.median(peers::PART, peers::LOOP) {
        let rate = 1e9 / nanoseconds;
        lines.push(Series {
            name: "Python loop, the limit".into(),
            look: LIMIT,
            reference: true,
            points: AT_ONCE.map(|at_once| (at_once as f64, rate)).to_vec(),
        });
    }
    for contender in &CONTENDERS {
        let points: Vec<(f64, f64)> = AT_ONCE
            .into_iter()
            .filter_map(|at_once| {
                let rate = report.median(peers::PART, &peers::rate(contender.name, at_once))?;
                Some((at_once as f64, rate))
            })
            .collect();
        if !points.is_empty() {
            lines.push(Series {
                name: short(contender.name),
                look: contender.look,
                reference: contender.kind == Kind::Reference,
                points,
            });
        }
    }
    let panel = Panel {
        title: "calls per second, logarithmic".into(),
        height: 420.0,
        lines,
    };
    let across = AT_ONCE.map(|at_once| (at_once as f64, at_once.to_string()));
    let ticks = Ticks {
        across: &across,
        axis: "calls under way at once",
        up: rate_tick,
    };
    panels("Calls per second of one worker process", &[panel], &ticks)
}

fn servers(report: &Report) -> String {
    let mut lines = Vec::new();
    for contender in &http::CONTENDERS {
        let points: Vec<(f64, f64)> = http::CONNECTIONS
            .into_iter()
            .filter_map(|connections| {
                let name = http::name(contender.name, connections, http::RATE);
                Some((connections as f64, report.median(http::PART, &name)?))
            })
            .collect();
        if !points.is_empty() {
            lines.push(Series {
                name: contender.name.into(),
                look: contender.look,
                reference: contender.kind == http::Kind::Echo,
                points,
            });
        }
    }
    let panel = Panel {
        title: "requests per second, logarithmic".into(),
        height: 360.0,
        lines,
    };
    let across = http::CONNECTIONS.map(|number| (number as f64, number.to_string()));
    let ticks = Ticks {
        across: &across,
        axis: "connections",
        up: rate_tick,
    };
    panels("HTTP requests per second of one worker", &[panel], &ticks)
}

fn transfers(report: &Report) -> String {
    let line = |name: &str, look, reference, figure: &dyn Fn(usize) -> String| {
        let points: Vec<(f64, f64)> = SIZES
            .into_iter()
            .filter_map(|size| {
                let time = report.median(payloads::PART, &payloads::name(size, &figure(size)))?;
                Some((size as f64, time))
            })
            .collect();
        (!points.is_empty()).then(|| Series {
            name: name.into(),
            look,
            reference,
            points,
        })
    };
    let panel = |title: &str, direction: fn(&str) -> String| {
        let ours = Look {
            colour: OURS,
            mark: 0,
        };
        let mut lines = vec![
            line("one plain copy of memory", LIMIT, true, &|_| {
                payloads::COPY.to_owned()
            }),
            line("pyproc", ours, false, &|_| direction(payloads::OURS)),
        ];
        for (number, (peer, _)) in payloads::PEERS.iter().enumerate() {
            let look = Look {
                colour: number + 1,
                mark: number + 1,
            };
            lines.push(line(peer, look, false, &|_| direction(peer)));
        }
        Panel {
            title: title.into(),
            height: 300.0,
            lines: lines.into_iter().flatten().collect(),
        }
    };
    let across = SIZES.map(|size| (size as f64, payloads::size_text(size)));
    // 32 and 64 MiB are too close for two texts.
    let across: Vec<(f64, String)> = across
        .into_iter()
        .filter(|(size, _)| *size != f64::from(32 << 20))
        .collect();
    let ticks = Ticks {
        across: &across,
        axis: "size",
        up: time_tick,
    };
    panels(
        "A call that carries bytes, by size: time, logarithmic",
        &[
            panel("bytes to Python, a number back", payloads::to),
            panel("a number to Python, bytes back", payloads::from),
        ],
        &ticks,
    )
}

/// The name without what stands in brackets.
fn short(name: &str) -> String {
    name.split(" (").next().unwrap_or(name).to_owned()
}

/// A power of ten of nanoseconds.
fn time_tick(nanoseconds: f64) -> String {
    match nanoseconds {
        ..1e3 => format!("{nanoseconds} ns"),
        1e3..1e6 => format!("{} µs", nanoseconds / 1e3),
        1e6..1e9 => format!("{} ms", nanoseconds / 1e6),
        _ => format!("{} s", nanoseconds / 1e9),
    }
}

/// A power of ten of calls per second.
fn rate_tick(rate: f64) -> String {
    match rate {
        ..1e3 => format!("{rate} /s"),
        1e3..1e6 => format!("{} k/s", rate / 1e3),
        _ => format!("{} M/s", rate / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_written_in_the_unit_that_fits() {
        assert_eq!(
            [10.0, 1e4, 1e7, 1e9].map(time_tick),
            ["10 ns", "10 µs", "10 ms", "1 s"]
        );
        assert_eq!(
            [100.0, 1e3, 1e6].map(rate_tick),
            ["100 /s", "1 k/s", "1 M/s"]
        );
    }
}
