//! As the first process of a container, the gateway runs in a child of itself, and the first process does what
//! is owed by one: it passes signals on and reaps whatever orphans the kernel gives to it.
//!
//! Two processes, because a wait for any child takes exits away from those who wait for one: the pool for
//! its workers, the standard library for a program that it ran.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, wait};
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;

/// What a container's engine, a terminal or a person may send, beside SIGKILL.
const PASSED_ON: [Signal; 6] = [
    Signal::TERM,
    Signal::INT,
    Signal::QUIT,
    Signal::HUP,
    Signal::USR1,
    Signal::USR2,
];

/// Whether orphans of this process' namespace become its children.
pub(crate) fn is_first_process() -> bool {
    std::process::id() == 1
}

/// Runs the same command line in a child until that ends, and ends as it did. When the first process
/// is killed, the kernel kills all others of its namespace.
pub(crate) fn run() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match runtime.block_on(supervise())? {
        0 => Ok(()),
        status => Err(Failure::Ended(status)),
    }
}

async fn supervise() -> io::Result<u8> {
    // Before there is a child that could end, or a signal that would be lost.
    let mut children = signal(SignalKind::child())?;
    let (passed_on, mut received) = tokio::sync::mpsc::unbounded_channel();
    for number in PASSED_ON {
        let mut signals = signal(SignalKind::from_raw(number.as_raw()))?;
        let passed_on = passed_on.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() && passed_on.send(number).is_ok() {}
        });
    }
    let child = start()?;
    loop {
        tokio::select! {
            _ = children.recv() => {
                if let Some(status) = reap(child)? {
                    return Ok(status);
                }
            }
            Some(number) = received.recv() => {
                // Not reaped yet, so the number is still its own; one that has ended needs no signal.
                let _ = kill_process(child, number);
            }
        }
    }
}

/// The gateway, in a process group of its own: a terminal's Ctrl-C reaches the first process, which passes
/// it on, and so reaches the gateway once.
fn start() -> io::Result<Pid> {
    let mut arguments = std::env::args_os();
    let mut command = Command::new(std::env::current_exe()?);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    let child = command.args(arguments).process_group(0).spawn()?;
    Ok(Pid::from_child(&child))
}

/// Reaps all that have ended; the gateway's exit status if it is among them.
fn reap(child: Pid) -> io::Result<Option<u8>> {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == child => return Ok(Some(exit_status(status))),
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) | Err(Errno::CHILD) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

/// As a shell says it: a signal is 128 and its number.
fn exit_status(status: WaitStatus) -> u8 {
    let code = status
        .exit_status()
        .or_else(|| status.terminating_signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
