//! System calls per hot call, of both processes, counted by strace.
//!
//! Two runs that differ only in the number of calls: what they share (start, warm-up, end) cancels out.

use std::fs;
use std::process::{Command, Stdio};

use crate::calls::{many_at_once, one_at_a_time, one_thread};
use crate::options::Options;
use crate::report::{Report, Unit};
use crate::{Failure, python};

pub(crate) const PART: &str = "syscalls";
pub(crate) const ONE: &str = "one at a time";
pub(crate) const MANY_AT_ONCE: &str = "256 at once";
const FEW: u64 = 50_000;
const MANY: u64 = 550_000;

pub(crate) fn run(_: &Options, report: &mut Report) -> Result<(), Failure> {
    for (name, at_once) in [(ONE, 1), (MANY_AT_ONCE, 256)] {
        let few = system_calls(FEW, at_once)?;
        let many = system_calls(MANY, at_once)?;
        let per_call = [(many - few).max(0.0) / (MANY - FEW) as f64];
        report.figure(PART, self::name(name), Unit::Number, &per_call);
        report.at_most(
            PART,
            format!("system calls per hot call, {name}"),
            &per_call,
            0.01,
        );
    }
    Ok(())
}

/// The name of a figure.
pub(crate) fn name(how: &str) -> String {
    format!("system calls per call, {how}")
}

/// What the traced program does: `calls` calls, `at_once` under way.
pub(crate) fn hot_calls(calls: u64, at_once: usize) -> Result<(), Failure> {
    one_thread()?.block_on(async {
        let pool = python::pool("worker.py", 1).await?;
        if at_once == 1 {
            one_at_a_time(&pool, usize::try_from(calls)?).await?;
        } else {
            many_at_once(&pool, calls, at_once).await?;
        }
        Ok(pool.shutdown().await?)
    })
}

/// Runs this program under strace and reads the total of its table.
fn system_calls(calls: u64, at_once: usize) -> Result<f64, Failure> {
    let table = std::env::temp_dir().join(format!("pyproc-bench-strace-{}", std::process::id()));
    let status = Command::new("strace")
        .args(["--follow-forks", "--summary-only", "--output"])
        .arg(&table)
        .arg(std::env::current_exe()?)
        .arg("--hot-calls")
        .args([calls.to_string(), at_once.to_string()])
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("strace is needed (Debian: apt-get install strace): {error}"))?;
    let text = fs::read_to_string(&table)?;
    fs::remove_file(&table)?;
    if !status.success() {
        return Err(format!("the traced program failed: {status}").into());
    }
    total(&text).ok_or_else(|| format!("no total in strace's table:\n{text}").into())
}

/// The calls in the line "total" of `strace -c`: `% time, seconds, usecs/call, calls, errors, syscall`.
fn total(table: &str) -> Option<f64> {
    let line = table
        .lines()
        .find(|line| line.trim_end().ends_with(" total"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::total;

    #[test]
    fn the_total_of_straces_table_is_found() {
        let table = "% time     seconds  usecs/call     calls    errors syscall\n\
                     ------ ----------- ----------- --------- --------- ----------------\n \
                     41.20    0.000412           4       103         2 read\n\
                     ------ ----------- ----------- --------- --------- ----------------\n\
                     100.00    0.001000           4       250         7 total\n";
        assert_eq!(total(table), Some(250.0));
        assert_eq!(total("strace: no such file"), None);
    }
}
