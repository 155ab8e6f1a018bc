//! CPU time of this program and of its workers, read from the kernel.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// CPU time used so far: by this process, and by each worker process and its children.
pub(super) struct Usage {
    own: Duration,
    workers: BTreeMap<u32, Duration>,
}

impl Usage {
    pub(super) fn now() -> Self {
        let own = clock_gettime(ClockId::ProcessCPUTime);
        Self {
            own: Duration::new(
                own.tv_sec.unsigned_abs(),
                u32::try_from(own.tv_nsec).unwrap_or(0),
            ),
            workers: descendants(std::process::id())
                .into_iter()
                .map(|pid| (pid, process_time(pid)))
                .collect(),
        }
    }

    /// Seconds used between `before` and this. A worker that died in between is counted no further.
    pub(super) fn since(&self, before: &Self) -> f64 {
        let workers = self.workers.iter().map(|(pid, time)| {
            time.saturating_sub(before.workers.get(pid).copied().unwrap_or_default())
        });
        (self.own.saturating_sub(before.own) + workers.sum::<Duration>()).as_secs_f64()
    }
}

/// The interpreter of a worker, as the pool started it.
pub(super) fn worker_program() -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    let worker = *children(std::process::id()).first()?;
    let command = fs::read(format!("/proc/{worker}/cmdline")).ok()?;
    let program = command.split(|byte| *byte == 0).next()?;
    Some(PathBuf::from(std::ffi::OsString::from_vec(
        program.to_vec(),
    )))
}

fn descendants(pid: u32) -> Vec<u32> {
    let children = children(pid);
    let grandchildren: Vec<u32> = children
        .iter()
        .flat_map(|child| descendants(*child))
        .collect();
    [children, grandchildren].concat()
}

/// Children of every thread of a process. One that is gone meanwhile has none.
fn children(pid: u32) -> Vec<u32> {
    per_task(pid, "children")
        .iter()
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Time that the threads of a process spent on a CPU; its first number in nanoseconds.
fn process_time(pid: u32) -> Duration {
    let nanoseconds = per_task(pid, "schedstat")
        .iter()
        .filter_map(|line| line.split_whitespace().next()?.parse::<u64>().ok())
        .sum();
    Duration::from_nanos(nanoseconds)
}

/// A file of every thread of a process.
fn per_task(pid: u32, file: &str) -> Vec<String> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join(file)).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Instant;

    use super::*;

    #[test]
    fn counts_this_process_and_its_children() {
        let before = Usage::now();
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(20) {
            std::hint::spin_loop();
        }
        assert!(Usage::now().since(&before) > 0.0);

        let mut child = Command::new("sleep").arg("60").spawn().expect("sleep");
        assert!(Usage::now().workers.contains_key(&child.id()));
        child.kill().expect("our child");
        child.wait().expect("our child");
        assert!(!Usage::now().workers.contains_key(&child.id()));
    }
}
