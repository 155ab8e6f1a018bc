//! Control groups with a limit, in which a test's process and its workers run. Where this machine lets
//! nobody make them, the test says so in the list of what was not run.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use pyproc_ipc::cgroup::{Cgroup, Version};

use super::isolation::Isolation;
use super::{runtime, wait_until};

/// A limit of a control group.
#[derive(Clone, Copy)]
pub(crate) enum Limit {
    /// Hundredths of one processor.
    Cpu(u32),
    /// Bytes.
    Memory(u64),
}

impl Limit {
    fn controller(self) -> &'static str {
        match self {
            Self::Cpu(_) => "cpu",
            Self::Memory(_) => "memory",
        }
    }

    /// The file that sets it, and what to write there.
    fn setting(self, version: Version) -> (&'static str, String) {
        match (self, version) {
            (Self::Cpu(percent), Version::One) => {
                ("cpu.cfs_quota_us", (percent * 1_000).to_string())
            }
            (Self::Cpu(percent), Version::Two) => {
                ("cpu.max", format!("{} 100000", percent * 1_000))
            }
            (Self::Memory(bytes), Version::One) => ("memory.limit_in_bytes", bytes.to_string()),
            (Self::Memory(bytes), Version::Two) => ("memory.max", bytes.to_string()),
        }
    }
}

/// A test body that awaits, in a process that lives under this limit.
pub(crate) fn scenario_limited<F: AsyncFnOnce()>(limit: Limit, test: F) {
    let isolation = Isolation::of::<F>();
    if isolation.is_inside() {
        isolation.run(|| runtime().block_on(test()));
        return;
    }
    match Group::create(limit) {
        Ok(group) => {
            let enter = format!(
                "echo $$ > {}/cgroup.procs && exec \"$@\"",
                group.path.display()
            );
            isolation.under(&["sh", "-c", &enter, "sh"]).run(|| ());
        }
        Err(error) => not_run(&format!(
            "{}: no control group of {} can be made here ({error})",
            std::any::type_name::<F>(),
            limit.controller()
        )),
    }
}

/// A control group that goes when it is dropped.
struct Group {
    path: PathBuf,
}

impl Group {
    fn create(limit: Limit) -> io::Result<Self> {
        let controller = limit.controller();
        let own = Cgroup::own(controller).ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, "there is no such controller")
        })?;
        let parent = match own.version() {
            Version::One => own.path().to_owned(),
            // A group with processes in it cannot have limited groups below it: only the root can.
            Version::Two => {
                let root = own
                    .and_parents()
                    .last()
                    .map_or_else(|| own.path().to_owned(), |root| root.path().to_owned());
                write(
                    &root.join("cgroup.subtree_control"),
                    &format!("+{controller}"),
                )?;
                root
            }
        };
        let group = Self {
            path: parent.join(format!("pyproc-test-{}-{controller}", std::process::id())),
        };
        fs::create_dir(&group.path)?;
        let (file, value) = limit.setting(own.version());
        write(&group.path.join(file), &value)?;
        Ok(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The kernel may still be busy with the last process.
        wait_until("the control group's end", || {
            !self.path.exists() || fs::remove_dir(&self.path).is_ok()
        });
    }
}

/// Control files are written, never made.
fn write(path: &Path, value: &str) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .open(path)?
        .write_all(value.as_bytes())
}

fn not_run(reason: &str) {
    if let Some(list) = std::env::var_os("TESTS_NOT_RUN") {
        let mut list = OpenOptions::new()
            .append(true)
            .create(true)
            .open(list)
            .expect("the list of what was not run");
        writeln!(list, "{reason}").expect("a line in it");
    }
}
