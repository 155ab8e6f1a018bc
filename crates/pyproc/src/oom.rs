//! Did the kernel kill for want of memory? It counts such kills per control group; a worker is in the
//! host's group, so a count that has gone up while the worker lived makes memory the probable cause.

use std::path::Path;

use pyproc_ipc::cgroup::{Cgroup, Version};

/// How many processes of this group the kernel had killed for want of memory, at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counter {
    kills: Option<u64>,
}

impl Counter {
    /// Reads the counter; one that can not be read never grows.
    pub(crate) fn read() -> Self {
        Self::under(Path::new("/"))
    }

    /// Has the kernel killed since this counter was read?
    pub(crate) fn has_grown(self) -> bool {
        self.is_below(Self::read())
    }

    fn is_below(self, now: Self) -> bool {
        matches!((self.kills, now.kills), (Some(before), Some(now)) if now > before)
    }

    fn under(root: &Path) -> Self {
        let group = Cgroup::under(root, "memory");
        let kills = group.and_then(|group| match group.version() {
            Version::One => number(&group.file("memory.oom_control")?),
            // Only groups with the controller have the file; it includes those below.
            Version::Two => group
                .and_parents()
                .find_map(|group| number(&group.file("memory.events")?)),
        });
        // No group limits memory here: then it is the machine that ran out.
        let machine = || number(&std::fs::read_to_string(root.join("proc/vmstat")).ok()?);
        Self {
            kills: kills.or_else(machine),
        }
    }
}

/// The number in the line `oom_kill N`.
fn number(text: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::PathBuf;

    struct Machine(PathBuf);

    impl Machine {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let machine = Self(
                std::env::temp_dir().join(format!("pyproc-oom-{}-{name}", std::process::id())),
            );
            for (path, text) in files {
                machine.write(path, text);
            }
            machine
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
            fs::write(path, text).expect("a file");
        }
    }

    impl Drop for Machine {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const ONE: [(&str, &str); 2] = [
        ("proc/self/cgroup", "4:memory:/box\n0::/\n"),
        (
            "proc/self/mountinfo",
            "35 31 0:32 / /memory rw - cgroup cgroup rw,memory\n41 31 0:38 / /all rw - cgroup2 cgroup2 rw\n",
        ),
    ];
    const TWO: [(&str, &str); 2] = [
        ("proc/self/cgroup", "0::/pod/box\n"),
        (
            "proc/self/mountinfo",
            "41 31 0:38 / /all rw - cgroup2 cgroup2 rw\n",
        ),
    ];

    #[test]
    fn version_one() {
        let machine = Machine::new("one", &ONE);
        let file = "memory/box/memory.oom_control";
        machine.write(file, "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
        let before = Counter::under(&machine.0);
        assert_eq!(before.kills, Some(2));
        assert!(!before.is_below(Counter::under(&machine.0)));
        machine.write(file, "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
        assert!(before.is_below(Counter::under(&machine.0)));
    }

    #[test]
    fn version_two() {
        let machine = Machine::new("two", &TWO);
        machine.write(
            "all/pod/box/memory.events",
            "low 0\noom 5\noom_kill 4\noom_group_kill 0\n",
        );
        assert_eq!(Counter::under(&machine.0).kills, Some(4));
    }

    #[test]
    fn version_two_where_a_group_above_has_the_limit() {
        let machine = Machine::new("above", &TWO);
        machine.write("all/pod/box/cgroup.procs", "1\n");
        machine.write("all/pod/memory.events", "oom_kill 7\n");
        assert_eq!(Counter::under(&machine.0).kills, Some(7));
    }

    #[test]
    fn without_a_group_the_machine_counts() {
        let machine = Machine::new("machine", &TWO);
        machine.write("proc/vmstat", "pgfault 12\noom_kill 9\n");
        machine.write("all/cgroup.procs", "1\n");
        assert_eq!(Counter::under(&machine.0).kills, Some(9));
    }

    #[test]
    fn what_can_not_be_read_never_grows() {
        let machine = Machine::new("nothing", &[("proc/vmstat", "oom_kill many\n")]);
        let nothing = Counter::under(&machine.0);
        assert_eq!(nothing.kills, None);
        assert!(!nothing.is_below(Counter { kills: Some(1) }));
        assert!(!Counter { kills: Some(1) }.is_below(nothing));
    }

    #[test]
    fn this_machine_counts() {
        let before = Counter::read();
        assert!(before.kills.is_some());
        // Others may be killed meanwhile: what was read is never more than what is read next.
        assert!(!Counter::read().is_below(before));
    }
}
