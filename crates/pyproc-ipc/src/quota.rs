//! How much processor time this process may use: fewer processors than the machine has when it is bound
//! to some of them, or when its control group has a quota.

use std::path::Path;

use crate::cgroup::{Cgroup, Version};

/// Processors that this process may use at the same time, at least a little more than none: those it is
/// bound to, or its quota when that is less. Reads files; ask once, not per call.
#[must_use]
pub fn available_cpus() -> f64 {
    let bound = match rustix::thread::sched_getaffinity(None) {
        Ok(set) => f64::from(set.count()),
        // A machine with more processors than the set holds.
        Err(_) => std::thread::available_parallelism().map_or(1.0, |count| count.get() as f64),
    };
    quota().map_or(bound, |quota| bound.min(quota)).max(0.01)
}

/// The processors that the quota of the control group, or of one that contains it, amounts to. `None`
/// without a quota.
#[must_use]
pub fn quota() -> Option<f64> {
    quota_under(Path::new("/"))
}

fn quota_under(root: &Path) -> Option<f64> {
    let group = Cgroup::under(root, "cpu")?;
    group
        .and_parents()
        .filter_map(|group| quota_of(&group))
        .reduce(f64::min)
}

/// Time per period, each in microseconds.
fn quota_of(group: &Cgroup) -> Option<f64> {
    let (time, period) = match group.version() {
        Version::One => (
            group.file("cpu.cfs_quota_us")?,
            group.file("cpu.cfs_period_us")?,
        ),
        Version::Two => {
            let text = group.file("cpu.max")?;
            let (time, period) = text.split_once(' ')?;
            (time.to_owned(), period.to_owned())
        }
    };
    // "max" and -1 are no quota.
    let (time, period): (u64, u64) = (time.trim().parse().ok()?, period.trim().parse().ok()?);
    (period > 0).then(|| time as f64 / period as f64)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::testing::Machine;

    const ONE: &str = "33 31 0:30 / /cpu rw - cgroup cgroup rw,cpu\n";
    const TWO: &str = "41 31 0:38 / /all rw - cgroup2 cgroup2 rw\n";

    #[test]
    fn version_one() {
        let files = [
            ("cpu/a/cpu.cfs_quota_us", "-1\n"),
            ("cpu/a/cpu.cfs_period_us", "100000\n"),
            ("cpu/cpu.cfs_quota_us", "150000\n"),
            ("cpu/cpu.cfs_period_us", "100000\n"),
        ];
        let machine = Machine::new("quota-one", "3:cpu:/a\n", ONE, &files);
        assert_eq!(quota_under(machine.root()), Some(1.5));
        let machine = Machine::new("quota-one-none", "3:cpu:/a\n", ONE, &files[..2]);
        assert_eq!(quota_under(machine.root()), None);
    }

    #[test]
    fn version_two_takes_the_tightest() {
        let files = [
            ("all/a/b/cpu.max", "max 100000\n"),
            ("all/a/cpu.max", "50000 100000\n"),
            ("all/cpu.max", "300000 100000\n"),
        ];
        let machine = Machine::new("quota-two", "0::/a/b\n", TWO, &files);
        assert_eq!(quota_under(machine.root()), Some(0.5));
    }

    #[test]
    fn nonsense_is_no_quota() {
        for text in ["", "max", "1", "1 0", "x y", "-5 100"] {
            let machine = Machine::new("quota-bad", "0::/\n", TWO, &[("all/cpu.max", text)]);
            assert_eq!(quota_under(machine.root()), None, "{text}");
        }
    }

    #[test]
    fn this_machine_has_some() {
        let cpus = available_cpus();
        assert!(cpus > 0.0 && cpus <= 100_000.0, "{cpus}");
    }
}
