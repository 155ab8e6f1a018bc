//! The control group of a process, version 1 or 2, whichever holds the controller that is asked for.

use std::path::{Path, PathBuf};

/// Which of the kernel's two interfaces a [`Cgroup`] has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// A hierarchy per controller.
    One,
    /// The unified hierarchy.
    Two,
}

/// The folder of a control group, as far as this process can see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cgroup {
    version: Version,
    path: PathBuf,
    mount: PathBuf,
}

impl Cgroup {
    /// The group that controls `controller` (such as `memory`) for this process.
    #[must_use]
    pub fn own(controller: &str) -> Option<Self> {
        Self::read(Path::new("/"), "self", controller)
    }

    /// The same for another process.
    #[must_use]
    pub fn of_process(pid: u32, controller: &str) -> Option<Self> {
        Self::read(Path::new("/"), &pid.to_string(), controller)
    }

    /// As [`Cgroup::own`], of a machine whose files lie under `root`: for tests.
    #[must_use]
    pub fn under(root: &Path, controller: &str) -> Option<Self> {
        Self::read(root, "self", controller)
    }

    fn read(root: &Path, process: &str, controller: &str) -> Option<Self> {
        let groups =
            std::fs::read_to_string(root.join("proc").join(process).join("cgroup")).ok()?;
        let mounts = std::fs::read_to_string(root.join("proc/self/mountinfo")).ok()?;
        let find = |version, name: &str| {
            let group = group(&groups, name)?;
            let (mount_root, mount) = mount(&mounts, version, name)?;
            let mount = root.join(unescape(mount).trim_start_matches('/'));
            // In a container the group's path may lead outside of what is mounted there; then the mount
            // is the container's own group.
            let below = Path::new(group)
                .strip_prefix(unescape(mount_root))
                .unwrap_or(Path::new(""));
            let inside = below
                .components()
                .all(|part| matches!(part, std::path::Component::Normal(_)));
            let path = mount.join(if inside { below } else { Path::new("") });
            let path = if path.is_dir() { path } else { mount.clone() };
            Some(Self {
                version,
                path,
                mount,
            })
        };
        find(Version::One, controller).or_else(|| find(Version::Two, ""))
    }

    /// Which interface its files have.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The group's folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads one of the group's files.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.path.join(name)).ok()
    }

    /// The group, then the groups that contain it, as far as they can be seen.
    pub fn and_parents(&self) -> impl Iterator<Item = Self> {
        let Self { version, mount, .. } = self.clone();
        let paths: Vec<_> = self.path.ancestors().map(Path::to_owned).collect();
        paths
            .into_iter()
            .take_while({
                let mount = mount.clone();
                move |path| path.starts_with(&mount)
            })
            .map(move |path| Self {
                version,
                path,
                mount: mount.clone(),
            })
    }
}

/// The group's path in a `/proc/PID/cgroup`: lines of `number:controllers:path`, without controllers for
/// version 2.
fn group<'a>(groups: &'a str, controller: &str) -> Option<&'a str> {
    groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let controllers = fields.next()?;
        fields
            .next()
            .filter(|_| controllers.split(',').any(|name| name == controller))
    })
}

/// Which part of the hierarchy is mounted, and where: from a `/proc/PID/mountinfo`.
fn mount<'a>(mounts: &'a str, version: Version, controller: &str) -> Option<(&'a str, &'a str)> {
    mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let mut after = after.split(' ');
        let found = match (after.next()?, version) {
            ("cgroup2", Version::Two) => true,
            ("cgroup", Version::One) => after.nth(1)?.split(',').any(|option| option == controller),
            _ => false,
        };
        let mut before = before.split(' ').skip(3);
        found.then_some((before.next()?, before.next()?))
    })
}

/// The kernel writes blanks and backslashes of paths as octal numbers.
fn unescape(path: &str) -> String {
    path.replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\012", "\n")
        .replace("\\134", "\\")
}

#[cfg(all(test, not(loom)))]
mod tests;
