//! Starting a worker. `std::process::Command` does almost this, but it panics when a program can not be
//! executed while SIGCHLD is ignored, and gives the process's number too late to watch it without a race.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

use rustix::fs::{Mode, OFlags};
use rustix::io::retry_on_intr;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, PidfdFlags, WaitOptions};

use super::Process;
use crate::guard::SignalMask;
use crate::message::CONTROL_FD_VARIABLE;

/// What to start, and how.
#[derive(Debug)]
pub struct Spawn<'a> {
    /// Path of the program; it is not searched for. Symbolic links are kept: an interpreter finds its
    /// virtual environment by the path it is started with.
    pub program: &'a Path,
    /// The arguments after the program's name.
    pub args: &'a [OsString],
    /// What is added to the inherited environment.
    pub env: &'a [(OsString, OsString)],
    /// The working directory; the host's own when there is none.
    pub current_dir: Option<&'a Path>,
    /// The worker's end of the control socket, the only descriptor it inherits besides 0, 1 and 2.
    pub control: OwnedFd,
}

/// A started process and the ends of its standard streams, which never block.
#[derive(Debug)]
pub struct Spawned {
    /// The process.
    pub process: Process,
    /// What it writes to standard output.
    pub stdout: OwnedFd,
    /// What it writes to standard error.
    pub stderr: OwnedFd,
}

impl Spawn<'_> {
    /// Starts the program: leader of a new process group, no signal blocked or ignored, no core dumps, no
    /// new privileges, standard input empty, hung up (SIGHUP) when the calling *thread* ends.
    ///
    /// # Errors
    /// When a resource is missing, or the program or the directory is not what it should be. The error
    /// then names it, and nothing is left behind.
    pub fn spawn(self) -> io::Result<Spawned> {
        let (stdout, stdout_worker) = output()?;
        let (stderr, stderr_worker) = output()?;
        let input = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let (gate, gate_worker) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        let control = above_standard(self.control)?;
        let program = std::path::absolute(self.program)?;
        let child = Child {
            arguments: Strings::new(
                [program.as_os_str()]
                    .into_iter()
                    .chain(self.args.iter().map(OsString::as_os_str))
                    .map(c_string),
            )?,
            environment: Strings::new(
                environment(self.env, control.as_raw_fd()).map(|entry| c_string(&entry)),
            )?,
            directory: self
                .current_dir
                .map(|path| c_string(path.as_os_str()))
                .transpose()?,
            streams: [
                above_standard(input)?,
                above_standard(stdout_worker)?,
                above_standard(stderr_worker)?,
            ],
            gate: above_standard(gate_worker)?,
            host_gate: gate.as_raw_fd(),
            control,
            host: rustix::process::getpid(),
        };
        let pid = child.fork()?;
        // The child waits at the gate, so its number can not have become anybody else's.
        let pidfd = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(error) => {
                // Without its "go" the child ends by itself.
                drop((gate, child));
                let _ = rustix::process::waitpid(Some(pid), WaitOptions::empty());
                return Err(error.into());
            }
        };
        let process = Process::new(pid, pidfd);
        // This process's copies of the child's ends would hide that the child has closed its own.
        drop(child);
        match outcome(&gate) {
            None => Ok(Spawned {
                process,
                stdout,
                stderr,
            }),
            Some((step, number)) => Err(failure(step, number, &program, self.current_dir)),
        }
    }
}

/// Everything that the child needs, made before the fork: afterwards it must not allocate.
struct Child {
    arguments: Strings,
    environment: Strings,
    directory: Option<CString>,
    streams: [OwnedFd; 3],
    gate: OwnedFd,
    host_gate: RawFd,
    control: OwnedFd,
    host: Pid,
}

/// What a child that fails sends: the step in one byte, `errno` in four.
const REPORT: usize = 5;

/// The size of the kernel's signal set: 64 signals.
const SIGSET_BYTES: usize = 8;

/// Where the child failed.
#[derive(Clone, Copy)]
enum Step {
    Prepare = 0,
    Directory = 1,
    Execute = 2,
}

impl Child {
    /// Forks with all signals blocked, so that no handler of the host ever runs in the child.
    fn fork(&self) -> io::Result<Pid> {
        let mask = SignalMask::block_all();
        // SAFETY: the child runs `run` alone, which never returns and does only what is allowed between
        // fork and exec in a process with threads.
        let pid = unsafe {
            let pid = libc::fork();
            if pid == 0 {
                self.run();
            }
            pid
        };
        let error = io::Error::last_os_error();
        drop(mask);
        if pid < 0 {
            return Err(error);
        }
        Pid::from_raw(pid).ok_or_else(|| io::Error::other("fork gave no process"))
    }

    /// # Safety
    /// Only in the child of a fork; it never returns. Async-signal-safe: system calls and memory that
    /// exists already, nothing else.
    unsafe fn run(&self) -> ! {
        // SAFETY: the caller's promise; every pointer is into `self` or to a local.
        unsafe {
            let step = self.become_worker();
            let mut report = [step as u8; REPORT];
            report[1..].copy_from_slice(&(*libc::__errno_location()).to_ne_bytes());
            libc::send(
                self.gate.as_raw_fd(),
                report.as_ptr().cast(),
                REPORT,
                libc::MSG_NOSIGNAL,
            );
            libc::_exit(127)
        }
    }

    /// Returns only on failure, with `errno` set.
    ///
    /// # Safety
    /// As [`Child::run`].
    unsafe fn become_worker(&self) -> Step {
        // SAFETY: the caller's promise.
        unsafe {
            // The kernel's `struct sigaction`, all zeros: the default. Not libc's function, which refuses
            // the two signals that it keeps for itself.
            let default = [0_usize; 8];
            for signal in 1..=libc::SIGRTMAX() {
                // It fails for those that can not be changed.
                libc::syscall(
                    libc::SYS_rt_sigaction,
                    signal,
                    default.as_ptr(),
                    ptr::null::<u8>(),
                    SIGSET_BYTES,
                );
            }
            if libc::setpgid(0, 0) != 0 {
                return Step::Prepare;
            }
            // Until the host has seen this process; if it is gone instead, there is nothing to do here.
            // The copy of its own end would hide that.
            libc::close(self.host_gate);
            let mut go = 0_u8;
            if libc::recv(self.gate.as_raw_fd(), (&raw mut go).cast(), 1, 0) != 1 {
                libc::_exit(127);
            }
            let no_core = libc::rlimit {
                rlim_cur: 0,
                rlim_max: 0,
            };
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGHUP) != 0
                || libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
                || libc::setrlimit(libc::RLIMIT_CORE, &raw const no_core) != 0
            {
                return Step::Prepare;
            }
            // The host may have died before the death signal was set.
            if libc::getppid() != self.host.as_raw_nonzero().get() {
                libc::_exit(127);
            }
            for (stream, number) in self.streams.iter().zip(0..) {
                if libc::dup2(stream.as_raw_fd(), number) < 0 {
                    return Step::Prepare;
                }
            }
            if let Some(directory) = &self.directory
                && libc::chdir(directory.as_ptr()) != 0
            {
                return Step::Directory;
            }
            // Whatever the host's other libraries have left inheritable (kernel 5.11 and later).
            libc::syscall(
                libc::SYS_close_range,
                3_u32,
                u32::MAX,
                libc::CLOSE_RANGE_CLOEXEC,
            );
            if libc::fcntl(self.control.as_raw_fd(), libc::F_SETFD, 0) != 0 {
                return Step::Prepare;
            }
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
            let arguments = self.arguments.pointers.as_ptr();
            libc::execve(*arguments, arguments, self.environment.pointers.as_ptr());
            Step::Execute
        }
    }
}

/// Lets the child go and learns what became of it: `None` when it runs the program (or died on the way,
/// which its pidfd tells), else where it failed and the error's number.
fn outcome(gate: &OwnedFd) -> Option<(u8, i32)> {
    // It fails only when the child is dead, and then there is nothing to be received either.
    let _ = retry_on_intr(|| rustix::net::send(gate, &[1], SendFlags::NOSIGNAL));
    let mut report = [0; REPORT];
    let (_, length) =
        retry_on_intr(|| rustix::net::recv(gate, &mut report, RecvFlags::empty())).ok()?;
    let [step, number @ ..] = report;
    (length == REPORT).then(|| (step, i32::from_ne_bytes(number)))
}

fn failure(step: u8, number: i32, program: &Path, directory: Option<&Path>) -> io::Error {
    let error = io::Error::from_raw_os_error(number);
    let sentence = match directory {
        Some(directory) if step == Step::Directory as u8 => {
            format!(
                "could not change to the folder {}: {error}",
                directory.display()
            )
        }
        _ if step == Step::Execute as u8 => {
            format!("could not execute {}: {error}", program.display())
        }
        _ => format!(
            "could not prepare the process for {}: {error}",
            program.display()
        ),
    };
    io::Error::new(error.kind(), sentence)
}

/// The inherited environment with additions, as `NAME=value`.
fn environment(additions: &[(OsString, OsString)], control: i32) -> impl Iterator<Item = OsString> {
    let mut variables: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    variables.extend(additions.iter().cloned());
    variables.insert(CONTROL_FD_VARIABLE.into(), control.to_string().into());
    variables.into_iter().map(|(mut entry, value)| {
        entry.push("=");
        entry.push(value);
        entry
    })
}

/// A pipe for the worker to write to; this process's end never blocks.
fn output() -> io::Result<(OwnedFd, OwnedFd)> {
    let (host, worker) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    rustix::fs::fcntl_setfl(&host, OFlags::NONBLOCK)?;
    Ok((host, worker))
}

/// The same, but not as descriptor 0, 1 or 2, which the child replaces (a host may have closed them).
fn above_standard(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() > 2 {
        Ok(fd)
    } else {
        Ok(rustix::io::fcntl_dupfd_cloexec(fd.as_fd(), 3)?)
    }
}

fn c_string(text: &OsStr) -> io::Result<CString> {
    CString::new(text.as_bytes()).map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("a zero byte in {}", text.display()),
        )
    })
}

/// Strings and the null-terminated array of pointers to them that `execve` takes.
struct Strings {
    pointers: Vec<*const libc::c_char>,
    /// What the pointers point to.
    _strings: Vec<CString>,
}

impl Strings {
    fn new(strings: impl Iterator<Item = io::Result<CString>>) -> io::Result<Self> {
        let strings = strings.collect::<io::Result<Vec<_>>>()?;
        let pointers = strings
            .iter()
            .map(|string| string.as_ptr())
            .chain([ptr::null()])
            .collect();
        Ok(Self {
            pointers,
            _strings: strings,
        })
    }
}
