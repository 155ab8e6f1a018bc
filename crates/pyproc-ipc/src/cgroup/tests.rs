use super::*;
use crate::testing::Machine;

const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:5 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

fn paths(group: &Cgroup, machine: &Machine) -> Vec<String> {
    let under = |group: Cgroup| {
        group
            .path
            .strip_prefix(machine.root())
            .expect("under the root")
            .display()
            .to_string()
    };
    group.and_parents().map(under).collect()
}

#[test]
fn version_one_has_a_hierarchy_per_controller() {
    let groups = "4:memory:/box/a\n3:cpu,cpuacct:/\n0::/box\n";
    let files = [
        ("sys/fs/cgroup/memory/box/a/x", "1"),
        ("sys/fs/cgroup/cpu,cpuacct/x", "2"),
    ];
    let machine = Machine::new("one", groups, HYBRID, &files);
    let memory = Cgroup::under(machine.root(), "memory").expect("memory");
    assert_eq!(
        (memory.version(), memory.file("x").as_deref()),
        (Version::One, Some("1"))
    );
    assert_eq!(
        paths(&memory, &machine),
        [
            "sys/fs/cgroup/memory/box/a",
            "sys/fs/cgroup/memory/box",
            "sys/fs/cgroup/memory"
        ]
    );
    let cpu = Cgroup::under(machine.root(), "cpu").expect("cpu");
    assert_eq!(
        (cpu.version(), cpu.file("x").as_deref()),
        (Version::One, Some("2"))
    );
    assert_eq!(cpu.file("y"), None);
}

#[test]
fn a_controller_that_version_one_has_not_is_in_version_two() {
    let files = [("sys/fs/cgroup/unified/box/x", "1")];
    let machine = Machine::new("hybrid", "3:cpu,cpuacct:/\n0::/box\n", HYBRID, &files);
    let memory = Cgroup::under(machine.root(), "memory").expect("memory");
    assert_eq!(
        (memory.version(), memory.file("x").as_deref()),
        (Version::Two, Some("1"))
    );
}

#[test]
fn a_container_sees_its_own_group_at_the_mount() {
    let mounts = "41 31 0:38 /docker/abc /sys/fs/c\\040group rw - cgroup2 cgroup2 rw\n";
    let files = [("sys/fs/c group/x", "1"), ("sys/fs/c group/inner/x", "2")];
    for (groups, expected) in [
        ("0::/docker/abc\n", "1"),
        ("0::/docker/abc/inner\n", "2"),
        ("0::/docker/abc/missing\n", "1"),
        ("0::/elsewhere\n", "1"),
        ("0::/../../other\n", "1"),
    ] {
        let machine = Machine::new("container", groups, mounts, &files);
        let group = Cgroup::under(machine.root(), "memory").expect("a group");
        assert_eq!(group.file("x").as_deref(), Some(expected), "{groups}");
    }
}

#[test]
fn a_machine_without_control_groups_has_none() {
    let machine = Machine::new("none", "", "", &[]);
    assert_eq!(Cgroup::under(machine.root(), "memory"), None);
    assert_eq!(Cgroup::under(Path::new("/nowhere"), "memory"), None);
    let machine = Machine::new(
        "strange",
        "x\n::\n0::/a:b\n",
        "x\n - \n1 2 - cgroup2\n",
        &[],
    );
    assert_eq!(Cgroup::under(machine.root(), "memory"), None);
}

#[test]
fn this_machine_has_the_same_group_for_a_process_and_itself() {
    let own = Cgroup::own("memory");
    assert_eq!(own, Cgroup::of_process(std::process::id(), "memory"));
}
