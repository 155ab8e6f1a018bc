//! The worker's signals: the one that asks its main thread to look up from its work, the one that makes
//! it show its stacks, and the death of its host, which ends it and everything it has started.

use std::io;
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

/// The signal that interrupts the main thread: whoever handles it asks whether the call that runs *now* is
/// meant ([`crate::attendant::Attendant::interrupt_pending`]). Near the end of the real-time signals, which
/// hardly anybody uses.
#[must_use]
pub fn interrupt_signal() -> i32 {
    libc::SIGRTMAX() - 2
}

/// The signal on which the worker writes the stacks of all its threads to standard error.
#[must_use]
pub fn dump_signal() -> i32 {
    libc::SIGRTMAX() - 3
}

/// The process that has installed the death handler. Its forks inherit the handler, not the role.
static WORKER: AtomicI32 = AtomicI32::new(0);

/// From now on SIGHUP, which the kernel sends when the host is gone, kills this process and its process
/// group at once, whatever runs, holds locks or catches exceptions; in a child that it has forked, SIGHUP
/// ends that child alone.
///
/// # Errors
/// When the system refuses, which it does not.
pub fn install_death_handler() -> io::Result<()> {
    WORKER.store(std::process::id().cast_signed(), Ordering::SeqCst);
    // SAFETY: a plain C structure, for which zeros are valid; the handler has the signature that goes with
    // these flags, and calls only async-signal-safe functions.
    let result = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_death as extern "C" fn(libc::c_int) as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
        libc::sigfillset(&raw mut action.sa_mask);
        libc::sigaction(libc::SIGHUP, &raw const action, ptr::null_mut())
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

extern "C" fn on_death(_signal: libc::c_int) {
    // SAFETY: `getpid` and `_exit` are async-signal-safe.
    unsafe {
        if libc::getpid() != WORKER.load(Ordering::SeqCst) {
            libc::_exit(128 + libc::SIGHUP);
        }
    }
    kill_own_group();
}

/// Kills this process and, if it leads its process group (as every worker does), the whole group. May be
/// called from a signal handler.
pub fn kill_own_group() -> ! {
    // SAFETY: system calls without pointers, all of them async-signal-safe.
    unsafe {
        let pid = libc::getpid();
        if libc::getpgrp() == pid {
            libc::kill(-pid, libc::SIGKILL);
        }
        libc::kill(pid, libc::SIGKILL);
        libc::_exit(128 + libc::SIGKILL)
    }
}

/// The thread that runs the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MainThread {
    process: libc::pid_t,
    thread: libc::pid_t,
}

impl MainThread {
    /// The calling thread.
    #[must_use]
    pub fn current() -> Self {
        // SAFETY: system calls without arguments.
        unsafe {
            Self {
                process: libc::getpid(),
                thread: libc::gettid(),
            }
        }
    }

    /// Sends it [`interrupt_signal`], which also ends sleeps and waits for locks. Nothing happens when the
    /// thread has ended, or in a child of this process.
    pub fn interrupt(self) {
        // SAFETY: a system call without pointers. The number of the process is part of it, so that no
        // thread of another process can be hit.
        unsafe {
            libc::syscall(
                libc::SYS_tgkill,
                self.process,
                self.thread,
                interrupt_signal(),
            )
        };
    }
}

/// While it lives, the calling thread receives no signal, nor do the threads that it starts meanwhile.
pub(crate) struct SignalMask {
    before: libc::sigset_t,
}

impl SignalMask {
    pub(crate) fn block_all() -> Self {
        // SAFETY: plain C structures, for which zeros are valid; the functions only read and write them.
        unsafe {
            let mut all: libc::sigset_t = std::mem::zeroed();
            let mut before: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
            Self { before }
        }
    }
}

impl Drop for SignalMask {
    fn drop(&mut self) {
        // SAFETY: a signal set that `pthread_sigmask` has written.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, ptr::null_mut())
        };
    }
}

/// Opens the calling thread, which was started with all signals blocked, to SIGHUP and its own faults only:
/// signals for the process reach the main thread. And has the kernel send SIGCONT when the host dies, so
/// that a stopped worker comes to see the SIGHUP that its main thread is sent at the same time.
pub(crate) fn become_attendant() {
    // SAFETY: a plain C structure, for which zeros are valid; the functions only read and write it.
    unsafe {
        let mut open: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut open);
        for signal in [
            libc::SIGHUP,
            libc::SIGSEGV,
            libc::SIGBUS,
            libc::SIGFPE,
            libc::SIGILL,
        ] {
            libc::sigaddset(&raw mut open, signal);
        }
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const open, ptr::null_mut());
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGCONT);
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
