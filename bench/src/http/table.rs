//! The servers beside each other.

use super::{CONNECTIONS, CONTENDERS, Kind, OURS, PART, name};
use crate::Failure;
use crate::report::print::text;
use crate::report::table::{Table, times};
use crate::report::{Report, Unit};

/// Requests per second with this many connections are what ratios are of.
const BUSY: usize = 64;

/// pyproc beside the other servers. Ratios are those of the medians.
pub(crate) fn table(report: &Report) -> Result<Table, Failure> {
    let ours = report
        .median(PART, &name(OURS, BUSY, super::RATE))
        .ok_or("pyproc serve was not measured: run make bench ARGS=\"--only http\" first")?;
    let mut head = vec![String::new(), "one connection, p50".to_owned()];
    head.extend(
        CONNECTIONS[1..]
            .iter()
            .map(|connections| format!("requests/s, {connections}")),
    );
    head.extend([16, BUSY].map(|connections| format!("p99, {connections}")));
    head.push(format!("server CPU per request, {BUSY}"));
    head.push(format!("pyproc's / these, {BUSY}"));
    let mut rows = Vec::new();
    for contender in &CONTENDERS {
        let median =
            |connections, what| report.median(PART, &name(contender.name, connections, what));
        let Some(rate) = median(BUSY, super::RATE) else {
            continue;
        };
        let show = |connections, what, unit| {
            median(connections, what).map_or_else(String::new, |value| text(value, unit))
        };
        let mut row = vec![match contender.kind {
            Kind::Pyproc => format!("**{}**", contender.name),
            Kind::Echo | Kind::Peer => contender.name.to_owned(),
        }];
        row.push(show(1, super::P50, Unit::Nanoseconds));
        row.extend(
            CONNECTIONS[1..]
                .iter()
                .map(|&connections| show(connections, super::RATE, Unit::CallsPerSecond)),
        );
        row.extend([16, BUSY].map(|connections| show(connections, super::P99, Unit::Nanoseconds)));
        row.push(show(BUSY, super::CPU, Unit::Nanoseconds));
        row.push(times(ours / rate));
        rows.push(row);
    }
    Ok(Table { head, rows })
}
