//! The README's figures: written between two marks from a report that is kept beside the charts, so
//! that a test can tell whether README, charts and figures belong together.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Failure;
use crate::charts::charts;
use crate::peers::{self, CONTENDERS, Kind};
use crate::python::folder;
use crate::report::print::text;
use crate::report::table::{Table, times};
use crate::report::{Report, Unit};
use crate::{http, idle, large, payloads, rates, start, syscalls};

const BEGIN: &str = "<!-- What follows is written by `make bench ARGS=--write-readme`. -->\n";
const END: &str = "<!-- End of what is written. -->\n";

/// The report that the README shows.
fn shown() -> PathBuf {
    folder("results/readme.json")
}

fn page() -> PathBuf {
    folder("../README.md")
}

/// Makes the README show the report in `latest`.
pub(crate) fn write(latest: &Path) -> Result<(), Failure> {
    let report = Report::read(latest)?;
    let text = fs::read_to_string(page())?;
    fs::write(page(), replace(&text, &section(&report)?)?)?;
    report.write(&shown())?;
    for (name, svg) in charts(&report) {
        fs::write(folder("results").join(name), svg)?;
    }
    Ok(())
}

/// The page with another text between the marks.
fn replace(page: &str, section: &str) -> Result<String, Failure> {
    let (before, rest) = page
        .split_once(BEGIN)
        .ok_or("README.md lacks the mark where figures begin")?;
    let (_, after) = rest
        .split_once(END)
        .ok_or("README.md lacks the mark where figures end")?;
    Ok(format!("{before}{BEGIN}{section}{END}{after}"))
}

/// Everything between the marks.
fn section(report: &Report) -> Result<String, Failure> {
    let machine = &report.machine;
    let packages: Vec<String> = report
        .packages
        .iter()
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    let mut missing = String::new();
    for peer in &report.missing {
        missing += &format!("\nNot measured: {}, {}.\n", peer.name, peer.reason);
    }
    Ok(format!(
        "On {} cores of {}, kernel {}, {} ({}): one worker process each, `{{\"value\": 42}}`, \
         medians of {} rounds that alternate.\n\n{}{missing}\n\
         ![One warm call at a time](bench/results/latency.svg)\n\n\
         ![Calls per second by how many are under way](bench/results/throughput.svg)\n\n\
         ![Calls that carry bytes, by size](bench/results/payloads.svg)\n\n\
         {}What else was measured, each beside what it is compared with in the same run:\n\n{}",
        machine.cores,
        machine.processor,
        machine.kernel,
        machine.python,
        packages.join(", "),
        report.rounds(peers::PART),
        peers_table(report)?.markdown(),
        http(report)?,
        others(report)?.markdown(),
    ))
}

/// The gateway beside other servers, if that was measured.
fn http(report: &Report) -> Result<String, Failure> {
    let rounds = report.rounds(http::PART);
    if rounds == 0 {
        return Ok(String::new());
    }
    Ok(format!(
        "The same function behind HTTP, one worker and one runtime thread, asked by `wrk` with one thread on the same \
         cores; medians of {rounds} rounds that alternate:\n\n{}\n\
         ![Requests per second by how many connections there are](bench/results/http.svg)\n\n",
        http::table::table(report)?.markdown()
    ))
}

/// pyproc beside its peers. Ratios are those of the medians, against the first row of pyproc.
pub(crate) fn peers_table(report: &Report) -> Result<Table, Failure> {
    let ours = CONTENDERS[0].name;
    let time = value(report, peers::PART, &peers::p50(ours))?;
    let rate = value(report, peers::PART, &peers::rate(ours, 64))?;
    let in_loop = value(report, peers::PART, peers::LOOP)?;
    let mut table = Table::new([
        "",
        "one call, p50",
        "p99",
        "p50 / pyproc's",
        "calls/s, 64 at once",
        "pyproc's / these",
    ]);
    let mut row = |name: &str, p50: f64, p99: Option<f64>, per_second: f64| {
        table.rows.push(vec![
            name.to_owned(),
            text(p50, Unit::Nanoseconds),
            p99.map_or_else(String::new, |p99| text(p99, Unit::Nanoseconds)),
            times(p50 / time),
            text(per_second, Unit::CallsPerSecond),
            times(rate / per_second),
        ]);
    };
    row(
        "decode, call, encode in a Python loop: the limit",
        in_loop,
        None,
        1e9 / in_loop,
    );
    for contender in &CONTENDERS {
        let median = |name: String| report.median(peers::PART, &name);
        let (Some(p50), Some(per_second)) = (
            median(peers::p50(contender.name)),
            median(peers::rate(contender.name, 64)),
        ) else {
            continue;
        };
        let name = match contender.kind {
            Kind::Pyproc => format!("**{}**", contender.name),
            Kind::Reference => format!("{} (a reference: it calls nothing)", contender.name),
            Kind::Peer(_) => contender.name.to_owned(),
        };
        row(&name, p50, median(peers::p99(contender.name)), per_second);
    }
    Ok(table)
}

/// What is not a comparison with the peers.
fn others(report: &Report) -> Result<Table, Failure> {
    let mut table = Table::new(["", "measured", "beside it"]);
    let mut row = |name: &str, measured: String, beside: String| {
        table.rows.push(vec![name.to_owned(), measured, beside]);
    };
    let time = |part: &str, name: &str| -> Result<String, Failure> {
        Ok(text(value(report, part, name)?, Unit::Nanoseconds))
    };
    row(
        "cross-core round trip of a cache line",
        time(peers::PART, peers::TRIP)?,
        "the floor under any call between two processes".into(),
    );
    for rate in rates::RATES {
        row(
            &format!("{} calls/s, p50", thousands(rate)),
            time(rates::PART, &rates::p50(rate, rates::OURS))?,
            format!(
                "{} over a plain Unix socket",
                time(rates::PART, &rates::p50(rate, rates::ECHO))?
            ),
        );
    }
    let calls = |name| value(report, syscalls::PART, &syscalls::name(name));
    row(
        "system calls per call, one at a time · 256 at once",
        format!(
            "{:.4} · {:.4}",
            calls(syscalls::ONE)?,
            calls(syscalls::MANY_AT_ONCE)?
        ),
        String::new(),
    );
    row(
        "processor time of an idle pool of 4 workers",
        text(value(report, idle::PART, idle::NAME)?, Unit::Cpus),
        String::new(),
    );
    row(
        "echo of 1 MiB through Python",
        time(large::PART, large::ECHO)?,
        format!("{} for one plain copy", time(large::PART, large::COPY)?),
    );
    let size = 64 << 20;
    let transfer = |what: &str| time(payloads::PART, &payloads::name(size, what));
    for (name, direction) in [
        ("64 MiB to Python", payloads::to as fn(&str) -> String),
        ("64 MiB from Python", payloads::from),
    ] {
        row(
            name,
            transfer(&direction(payloads::OURS))?,
            format!("{} for one plain copy", transfer(payloads::COPY)?),
        );
    }
    row(
        "start of a worker that imports numpy, pandas and scikit-learn",
        time(start::PART, start::READY)?,
        format!(
            "{} until ProcessPoolExecutor's first result",
            time(start::PART, start::EXECUTOR)?
        ),
    );
    row(
        "the same worker killed: until its replacement answers",
        time(start::PART, start::REPLACED)?,
        String::new(),
    );
    row(
        "memory of that worker (PSS)",
        text(value(report, start::PART, start::MEMORY)?, Unit::Megabytes),
        format!(
            "{} of ProcessPoolExecutor's",
            text(
                value(report, start::PART, start::EXECUTOR_MEMORY)?,
                Unit::Megabytes
            )
        ),
    );
    Ok(table)
}

fn thousands(number: u32) -> String {
    match number {
        0..1000 => number.to_string(),
        _ => format!("{},{:03}", number / 1000, number % 1000),
    }
}

/// A figure that the README needs.
fn value(report: &Report, part: &str, name: &str) -> Result<f64, Failure> {
    report.median(part, name).ok_or_else(|| {
        format!("{name:?} of the part {part} was not measured: run make bench ARGS=\"--only {part}\" first").into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readme_and_charts_are_what_the_kept_report_gives() {
        let report = Report::read(&shown()).unwrap();
        let page = fs::read_to_string(page()).unwrap();
        let advice = "make bench ARGS=--write-readme writes them";
        assert!(
            page == replace(&page, &section(&report).unwrap()).unwrap(),
            "README.md is not what bench/results/readme.json gives: {advice}"
        );
        for (name, svg) in charts(&report) {
            let kept = fs::read_to_string(folder("results").join(name)).unwrap();
            assert!(
                kept == svg,
                "bench/results/{name} is not what readme.json gives: {advice}"
            );
        }
    }

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let page = format!("before\n{BEGIN}old\n{END}after\n");
        assert_eq!(
            replace(&page, "new\n").unwrap(),
            format!("before\n{BEGIN}new\n{END}after\n")
        );
        assert!(replace("no marks", "new").is_err());
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(
            [100, 1000, 10_000].map(thousands),
            ["100", "1,000", "10,000"]
        );
    }

    #[test]
    fn what_was_not_measured_is_said_with_what_to_do() {
        let report = Report::read(&shown()).unwrap();
        let message = value(&report, "idle", "no such figure")
            .unwrap_err()
            .to_string();
        assert!(
            message.ends_with("run make bench ARGS=\"--only idle\" first"),
            "{message}"
        );
    }
}
