//! What this machine is, and how much of its CPUs a process has used.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::python::interpreter;

/// What the figures depend on.
#[derive(Deserialize, PartialEq, Serialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) processor: String,
    pub(crate) kernel: String,
    pub(crate) python: String,
}

impl Machine {
    pub(crate) fn look() -> Result<Self, Failure> {
        let processor = fs::read_to_string("/proc/cpuinfo")?
            .lines()
            .find_map(|line| {
                line.strip_prefix("model name")?
                    .split_once(':')
                    .map(|(_, name)| name.trim().to_owned())
            })
            .unwrap_or_else(|| std::env::consts::ARCH.to_owned());
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?
            .trim()
            .to_owned();
        let version = Command::new(interpreter())
            .arg("--version")
            .output()?
            .stdout;
        Ok(Self {
            cores: std::thread::available_parallelism()?.get(),
            processor,
            kernel,
            python: String::from_utf8(version)?.trim().to_owned(),
        })
    }
}

/// The CPU seconds that the living threads of a process have used, to the nanosecond.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64, Failure> {
    let mut nanoseconds = 0.0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end while it is looked at.
        let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else {
            continue;
        };
        let ran: f64 = text
            .split_whitespace()
            .next()
            .ok_or("an empty schedstat")?
            .parse()?;
        nanoseconds += ran;
    }
    Ok(nanoseconds / 1e9)
}

/// The CPU seconds of this process and of others.
pub(crate) fn cpu_seconds_with(others: &[u32]) -> Result<f64, Failure> {
    let mut sum = cpu_seconds(std::process::id())?;
    for &pid in others {
        sum += cpu_seconds(pid)?;
    }
    Ok(sum)
}

/// The memory of a process, with its share of what it shares with others, in bytes.
pub(crate) fn proportional_bytes(pid: u32) -> Result<f64, Failure> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let kibibytes: f64 = text
        .lines()
        .find_map(|line| line.strip_prefix("Pss:")?.split_whitespace().next())
        .ok_or("no Pss in smaps_rollup")?
        .parse()?;
    Ok(kibibytes * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory_and_time() {
        assert!(proportional_bytes(std::process::id()).unwrap() > 1024.0);
        assert!(cpu_seconds(std::process::id()).unwrap() > 0.0);
    }
}
