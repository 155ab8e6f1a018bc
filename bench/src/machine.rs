//! What this machine is, and how much of its CPUs a process has used.

use std::collections::BTreeSet;
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

/// The CPU seconds of a process, of all that it has started and of those of them that have ended and
/// were waited for: to a tick, 10 ms.
pub(crate) fn cpu_seconds_of_tree(root: u32) -> Result<f64, Failure> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // It may end while it is looked at.
        if let Ok(text) = fs::read_to_string(format!("/proc/{pid}/stat")) {
            let (parent, ticks) =
                parent_and_ticks(&text).ok_or("an unknown form of /proc/PID/stat")?;
            parents.push((pid, parent, ticks));
        }
    }
    let mut tree = BTreeSet::from([root]);
    loop {
        let before = tree.len();
        for (pid, parent, _) in &parents {
            if tree.contains(parent) {
                tree.insert(*pid);
            }
        }
        if tree.len() == before {
            break;
        }
    }
    let of_tree = parents.iter().filter(|(pid, ..)| tree.contains(pid));
    let ticks: u64 = of_tree.map(|(.., ticks)| ticks).sum();
    Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// Of a line of `/proc/PID/stat`: the parent, and the ticks of the process and of its children that were
/// waited for, as user and in the kernel.
fn parent_and_ticks(stat: &str) -> Option<(u32, u64)> {
    // The name, in brackets, may hold anything.
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks: Option<u64> = (11..15)
        .map(|field| fields.get(field)?.parse::<u64>().ok())
        .sum();
    Some((fields.get(1)?.parse().ok()?, ticks?))
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

    #[test]
    fn what_a_process_has_started_counts_for_it() {
        let line = "7 (a) b) S 3 7 7 0 -1 4 1 0 0 0 10 20 300 4000 20 0 1 0 5";
        assert_eq!(parent_and_ticks(line), Some((3, 4330)));
        assert_eq!(parent_and_ticks("7 (a"), None);
        // A child that has ended.
        let before = cpu_seconds_of_tree(std::process::id()).unwrap();
        let work = "sum(x * x for x in range(10**6))";
        let status = Command::new(interpreter()).args(["-c", work]).status();
        assert!(status.unwrap().success());
        assert!(cpu_seconds_of_tree(std::process::id()).unwrap() > before);
    }
}
