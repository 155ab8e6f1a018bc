//! A worker process as its host sees it: started in a process group of its own, watched through a
//! pidfd, ended with everything that it has started. Works in hosts that ignore SIGCHLD too.

mod spawn;

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

pub use spawn::{Spawn, Spawned};

/// How long dropping a [`Process`] waits at most for the end that SIGKILL brings.
const DROP_WAIT: Duration = Duration::from_secs(5);

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "there is no other way for a process to end"
)]
pub enum Exit {
    /// By itself, with this status.
    Status(i32),
    /// By this signal.
    Signal(i32),
    /// It ended, but the system kept no record: the host ignores SIGCHLD.
    Unknown,
}

/// A child process and, through its process group, what it started. Dropping it kills both and reaps.
pub struct Process {
    pid: Pid,
    pidfd: OwnedFd,
    exit: Option<Exit>,
}

impl Process {
    fn new(pid: Pid, pidfd: OwnedFd) -> Self {
        Self {
            pid,
            pidfd,
            exit: None,
        }
    }

    /// The process id, which is also that of its group.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Readable as soon as the process has ended.
    #[must_use]
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Sends a signal to the process alone. Nothing happens when it has ended.
    ///
    /// # Errors
    /// For a number that is not a signal, and when the process has changed its user.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        if self.exit.is_some() {
            return Ok(());
        }
        // SAFETY: a system call without pointers to our memory (the siginfo is null); unlike
        // `pidfd_send_signal` of rustix it takes real-time signals. The pidfd can not name a stranger.
        let result = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                std::os::fd::AsRawFd::as_raw_fd(&self.pidfd),
                signal,
                std::ptr::null::<libc::siginfo_t>(),
                0_u32,
            )
        };
        match io::Error::last_os_error() {
            _ if result == 0 => Ok(()),
            error if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            error => Err(error),
        }
    }

    /// Kills the process and every process of its group, if it has not been reaped: afterwards the group's
    /// number may be somebody else's, and [`Process::try_wait`] has killed the group already.
    pub fn kill_group(&self) {
        if self.exit.is_some() {
            return;
        }
        // The process itself first: it may have left its group.
        match rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL) {
            // The host ignores SIGCHLD, so the system has reaped it. A process that has this number now
            // is a stranger with a group of its own; if there is none, the group is still ours.
            Err(Errno::SRCH)
                if rustix::process::test_kill_process(self.pid) != Err(Errno::SRCH) => {}
            _ => {
                // It fails only when there is nobody left.
                let _ = rustix::process::kill_process_group(self.pid, Signal::KILL);
            }
        }
    }

    /// If the process has ended: kills the rest of its group, reaps it and tells how it ended, now and
    /// whenever asked again.
    ///
    /// # Errors
    /// Only when the system refuses to tell, which leaves everything as it is.
    pub fn try_wait(&mut self) -> io::Result<Option<Exit>> {
        if self.exit.is_none() {
            let ended = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
            // A look only: the number stays taken, so the group that it names is still ours.
            match self.wait_id(ended | WaitIdOptions::NOWAIT) {
                Ok(None) => return Ok(None),
                Ok(Some(_)) => {
                    self.kill_group();
                    self.exit = Some(self.wait_id(ended).ok().flatten().unwrap_or(Exit::Unknown));
                }
                Err(Errno::CHILD) => {
                    self.kill_group();
                    self.exit = Some(Exit::Unknown);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(self.exit)
    }

    /// As [`Process::try_wait`], after waiting for the end for at most `timeout`.
    ///
    /// # Errors
    /// As [`Process::try_wait`].
    pub fn wait_timeout(&mut self, timeout: Duration) -> io::Result<Option<Exit>> {
        let start = Instant::now();
        loop {
            if let Some(exit) = self.try_wait()? {
                return Ok(Some(exit));
            }
            let Some(left) = timeout.checked_sub(start.elapsed()) else {
                return Ok(None);
            };
            let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
            match rustix::event::poll(&mut fds, Some(&crate::doorbell::timespec(left))) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn wait_id(&self, options: WaitIdOptions) -> Result<Option<Exit>, Errno> {
        loop {
            match rustix::process::waitid(WaitId::PidFd(self.pidfd.as_fd()), options) {
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
                Ok(status) => {
                    return Ok(status.map(|status| {
                        match (status.exit_status(), status.terminating_signal()) {
                            (Some(status), _) => Exit::Status(status),
                            (None, Some(signal)) => Exit::Signal(signal),
                            (None, None) => Exit::Unknown,
                        }
                    }));
                }
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_group();
        let _ = self.wait_timeout(DROP_WAIT);
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("pid", &self.pid())
            .field("exit", &self.exit)
            .finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
