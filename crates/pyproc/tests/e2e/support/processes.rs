//! What /proc tells of processes.

use std::collections::BTreeMap;
use std::fs;

use rustix::process::{Pid, Signal};

/// Open descriptors of this process and what they are.
pub(crate) fn descriptors() -> BTreeMap<u32, String> {
    let folder = fs::read_dir("/proc/self/fd").expect("descriptors");
    folder
        .flatten()
        .filter_map(|entry| {
            // The one that reads the folder is gone by now.
            let target = fs::read_link(entry.path()).ok()?;
            Some((
                entry.file_name().to_str()?.parse().ok()?,
                target.display().to_string(),
            ))
        })
        .filter(|(_, target)| !target.ends_with("/fd"))
        .collect()
}

/// The processes whose parent is this one, zombies included.
pub(crate) fn children() -> Vec<u32> {
    let tasks = fs::read_dir("/proc/self/task").expect("tasks").flatten();
    tasks
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|children| {
            children
                .split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<u32>>()
        })
        .collect()
}

/// The state of a process as `ps` shows it; `None` when there is none.
pub(crate) fn state_of(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Does the process run, sleep or stand still? A zombie does not.
pub(crate) fn is_alive(pid: u32) -> bool {
    state_of(pid).is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// The mappings of a process that have `name` in their line.
pub(crate) fn maps_of(pid: u32, name: &str) -> usize {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    maps.lines().filter(|line| line.contains(name)).count()
}

/// Sends a signal.
pub(crate) fn kill(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.cast_signed()).expect("a process");
    rustix::process::kill_process(pid, signal).expect("a process that is there");
}
