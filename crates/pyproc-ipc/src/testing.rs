//! Real processes for the tests: the test program itself, started again in a role.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags};

use crate::control::{self, ControlSocket};
use crate::doorbell::timespec;
use crate::process::{Exit, Spawn, Spawned};

const ROLE: &str = "PYPROC_IPC_TEST_ROLE";

/// Far beyond what anything takes; a test that waits this long has failed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// The role of this process, if it was started by [`in_role`].
pub(crate) fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// Starts this test program again, to run `test` (its full path) in `role`.
pub(crate) fn in_role(test: &str, role: &str) -> (ControlSocket, Spawned) {
    let program = std::env::current_exe().expect("the test program");
    let args = [test, "--exact", "--test-threads=1", "--nocapture"].map(OsString::from);
    start(&program, &args, &[(ROLE.into(), role.into())])
}

/// Runs `test` in `role` to its end and expects it to pass.
pub(crate) fn run_in_role(test: &str, role: &str) {
    let (_control, mut spawned) = in_role(test, role);
    let output = read_to_end(&spawned.stdout);
    let errors = read_to_end(&spawned.stderr);
    let exit = spawned.process.wait_timeout(DEADLINE).expect("wait");
    assert_eq!(exit, Some(Exit::Status(0)), "{output}{errors}");
}

pub(crate) fn shell(script: &str) -> (ControlSocket, Spawned) {
    start(Path::new("/bin/sh"), &["-c".into(), script.into()], &[])
}

pub(crate) fn start(
    program: &Path,
    args: &[OsString],
    env: &[(OsString, OsString)],
) -> (ControlSocket, Spawned) {
    let (host, worker) = control::pair().expect("a control socket");
    let spawn = Spawn {
        program,
        args,
        env,
        current_dir: None,
        control: worker,
    };
    (host, spawn.spawn().expect("it starts"))
}

/// Waits until there is something to read or the other end is gone.
pub(crate) fn wait_readable(fd: impl AsFd) {
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    loop {
        match rustix::event::poll(&mut fds, Some(&timespec(DEADLINE))) {
            Err(rustix::io::Errno::INTR) => {}
            result => return assert_eq!(result, Ok(1), "nothing happened in time"),
        }
    }
}

/// The next bytes from a pipe, in one line.
pub(crate) fn read_line(fd: &OwnedFd) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        wait_readable(fd);
        match rustix::io::read(fd, &mut byte) {
            Ok(1) if byte[0] != b'\n' => line.push(byte[0]),
            Ok(_) => return String::from_utf8(line).expect("text"),
            Err(error) => unreachable!("{error}"),
        }
    }
}

pub(crate) fn read_to_end(fd: &OwnedFd) -> String {
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        wait_readable(fd);
        match rustix::io::read(fd, &mut buffer) {
            Ok(0) => return String::from_utf8_lossy(&text).into_owned(),
            Ok(length) => text.extend(&buffer[..length]),
            Err(error) => unreachable!("{error}"),
        }
    }
}

/// One message, waiting for it; `None` at the end of the connection.
pub(crate) fn receive(control: &ControlSocket) -> Option<Vec<u8>> {
    let mut buffer = vec![0; crate::message::MAX_MESSAGE];
    loop {
        wait_readable(control);
        match control.recv(&mut buffer) {
            Ok(0) => return None,
            Ok(length) => {
                buffer.truncate(length);
                return Some(buffer);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => unreachable!("{error}"),
        }
    }
}

/// Some process, not necessarily a child, whose end can be waited for.
pub(crate) struct Watched(OwnedFd);

impl Watched {
    pub(crate) fn new(pid: &str) -> Self {
        let pid = Pid::from_raw(pid.trim().parse().expect("a number")).expect("a process id");
        Self(rustix::process::pidfd_open(pid, PidfdFlags::empty()).expect("it is there"))
    }

    pub(crate) fn wait_for_end(&self) {
        wait_readable(&self.0);
    }
}

/// How many descriptors this process has.
pub(crate) fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("/proc").count()
}

/// Waits until the process with this number has stopped (SIGSTOP has taken effect).
pub(crate) fn wait_until_stopped(pid: u32) {
    let start = std::time::Instant::now();
    loop {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it is there");
        if stat
            .rsplit(')')
            .next()
            .is_some_and(|rest| rest.trim_start().starts_with('T'))
        {
            return;
        }
        assert!(start.elapsed() < DEADLINE, "it does not stop");
        std::thread::yield_now();
    }
}

/// A made-up machine: what `/proc/self/cgroup` and `mountinfo` say, and some files.
pub(crate) struct Machine(std::path::PathBuf);

impl Machine {
    pub(crate) fn new(name: &str, groups: &str, mounts: &str, files: &[(&str, &str)]) -> Self {
        let root = std::env::temp_dir().join(format!("pyproc-{}-{name}", std::process::id()));
        let machine = Self(root);
        for (path, text) in [
            ("proc/self/cgroup", groups),
            ("proc/self/mountinfo", mounts),
        ]
        .iter()
        .chain(files)
        {
            let path = machine.0.join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
            std::fs::write(path, text).expect("a file");
        }
        machine
    }

    pub(crate) fn root(&self) -> &Path {
        &self.0
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
