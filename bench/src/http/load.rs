//! Many requests from `wrk`, with one thread, and whether all of them were answered as they should be.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::Measured;
use super::serving::Serving;
use crate::machine::cpu_seconds_of_tree;
use crate::{Failure, python};

/// What the script that wrk runs prints at its end.
#[derive(Debug, Deserialize)]
struct Said {
    requests: u64,
    microseconds: u64,
    bytes: u64,
    p50: f64,
    p99: f64,
    failed: u64,
    refused: u64,
}

/// One stretch with so many connections.
pub(super) fn measure(
    server: &Serving,
    connections: usize,
    seconds: u32,
) -> Result<Measured, Failure> {
    let before = cpu_seconds_of_tree(server.pid())?;
    let output = Command::new("wrk")
        .args(["-t1", &format!("-c{connections}"), &format!("-d{seconds}s")])
        .arg("-s")
        .arg(script())
        .arg(server.url())
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("wrk is needed (Debian: apt-get install wrk): {error}"))?;
    let cpu = cpu_seconds_of_tree(server.pid())? - before;
    let text = String::from_utf8_lossy(&output.stdout);
    let said = said(&text).ok_or_else(|| {
        format!(
            "wrk said {text:?}{}",
            String::from_utf8_lossy(&output.stderr)
        )
    })?;
    said.check(server.answer_bytes(), connections)?;
    let requests = said.requests as f64;
    Ok(Measured {
        rate: requests / said.microseconds as f64 * 1e6,
        p50: said.p50 * 1e3,
        p99: said.p99 * 1e3,
        cpu: cpu * 1e9 / requests,
    })
}

fn script() -> PathBuf {
    python::folder("src/http/load.lua")
}

/// The last line of what wrk printed.
fn said(text: &str) -> Option<Said> {
    serde_json::from_str(text.lines().last()?).ok()
}

impl Said {
    /// wrk looks at the status of each answer and at nothing else. All are about as long as the one that
    /// was looked at: a number in the head may have more digits, and the last ones were cut off.
    fn check(&self, answer: usize, connections: usize) -> Result<(), Failure> {
        const DIGITS: u64 = 10;
        let expected = self.requests * answer as u64;
        let slack = (answer * connections) as u64 + self.requests * DIGITS;
        if self.requests == 0 || self.failed > 0 || self.refused > 0 {
            Err(format!(
                "of {} requests {} were refused and {} failed",
                self.requests, self.refused, self.failed
            )
            .into())
        } else if self.bytes.abs_diff(expected) > slack {
            Err(format!(
                "{} answers of {answer} bytes have {} bytes",
                self.requests, self.bytes
            )
            .into())
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(refused: u64, bytes: u64) -> String {
        format!(
            "Running 1s test\nRequests/sec: 100\n{{\"requests\": 100, \"microseconds\": 1000000, \"bytes\": {bytes}, \
             \"p50\": 90, \"p99\": 200, \"failed\": 0, \"refused\": {refused}}}\n"
        )
    }

    #[test]
    fn what_wrk_says_is_understood() {
        let said = said(&text(0, 13_800)).unwrap();
        assert_eq!((said.requests, said.p50, said.p99), (100, 90.0, 200.0));
        said.check(138, 4).unwrap();
        assert!(super::said("unable to connect to 127.0.0.1:1 Connection refused\n").is_none());
    }

    #[test]
    fn answers_that_are_not_right_are_no_measurement() {
        let message = |text: &str| said(text).unwrap().check(138, 4).unwrap_err().to_string();
        assert_eq!(
            message(&text(3, 13_800)),
            "of 100 requests 3 were refused and 0 failed"
        );
        assert_eq!(
            message(&text(0, 20_000)),
            "100 answers of 138 bytes have 20000 bytes"
        );
    }
}
