//! Lies through the control socket and the doorbells.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;
use std::time::Duration;

use pyproc_ipc::control::ControlSocket;
use pyproc_ipc::message::{Direction, FunctionInfo, Log, LogLevel, PROTOCOL, ToHost};
use pyproc_ipc::worker::Incoming;
use rustix::net::SendFlags;

use crate::{Worker, ready};

fn log(message: &str) -> ToHost {
    ToHost::Log(Log {
        level: LogLevel::Trace,
        logger: "hostile".to_owned(),
        message: message.to_owned(),
        call: Some(u64::MAX),
        stream: None,
        request_id: Some("\n".repeat(1000)),
        trace_id: Some("no trace".to_owned()),
        span_id: Some("é".to_owned()),
    })
}

/// What this worker does when it gets a call; `false`: it goes on and answers.
pub(crate) fn lies(worker: &mut Worker, incoming: &Incoming) -> io::Result<bool> {
    let first = worker.calls == 1;
    match worker.lie.as_str() {
        "control-garbage" => worker.say_bytes(&[0xff; 1000])?,
        "control-oversize" => worker.say_bytes(&vec![0; 100_000])?,
        "control-empty" => {
            if let Some(control) = &worker.control {
                rustix::net::send(control.as_fd(), &[], SendFlags::NOSIGNAL)?;
            }
        }
        "ready-twice" => worker.say(&ready(PROTOCOL, ""))?,
        "function-after-ready" => worker.say(&ToHost::Function(FunctionInfo::default()))?,
        "control-close" if first => {
            worker.control = None;
            return Ok(false);
        }
        "segment-dropped" => worker.say(&ToHost::SegmentDropped {
            number: 3,
            direction: Direction::Request,
        })?,
        "segment-dropped-max" => {
            worker.say(&ToHost::SegmentDropped {
                number: u32::MAX,
                direction: Direction::Response,
            })?;
        }
        "bell-close" if first => {
            worker.ringer = None;
            return Ok(false);
        }
        "bell-full" => {
            fill_bell(worker);
            return Ok(false);
        }
        "bell-endless" if first => {
            let ringer = worker
                .ringer
                .as_ref()
                .map(|ringer| ringer.try_clone())
                .transpose()?;
            thread::spawn(move || {
                while let Some(ringer) = &ringer {
                    let _ = rustix::net::send(ringer, &[7; 4096], SendFlags::NOSIGNAL);
                }
            });
            return Ok(false);
        }
        "talk-endless" if first => {
            let control = worker
                .control
                .as_ref()
                .map(|control| control.as_fd().try_clone_to_owned())
                .transpose()?;
            let mut bytes = Vec::new();
            log("and on\nand on").encode(&mut bytes);
            thread::spawn(move || {
                if let Some(control) = control.map(ControlSocket::from_fd) {
                    while control.send_blocking(&bytes).is_ok() {}
                }
            });
            return Ok(false);
        }
        "descriptors" => {
            send_descriptors(worker)?;
            return Ok(false);
        }
        "control-unread" => {
            // The caller has given up by then, and the host has said so, to nobody.
            thread::sleep(Duration::from_millis(2));
            return Ok(false);
        }
        _ => return Ok(false),
    }
    let _ = incoming;
    worker.hang()
}

fn fill_bell(worker: &Worker) {
    if let Some(ringer) = &worker.ringer {
        while rustix::net::send(
            ringer,
            &[7; 4096],
            SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
        )
        .is_ok()
        {}
    }
}

/// Attaches descriptors to everything that can carry them.
fn send_descriptors(worker: &Worker) -> io::Result<()> {
    let null = std::fs::File::open("/dev/null")?;
    let fds: [BorrowedFd<'_>; 4] = [null.as_fd(); 4];
    let mut bytes = Vec::new();
    log("with descriptors").encode(&mut bytes);
    if let Some(control) = &worker.control {
        let _ = control.send(&bytes, &fds);
    }
    if let Some(ringer) = &worker.ringer {
        let _ = ControlSocket::from_fd(ringer.try_clone()?).send(&[1], &fds);
    }
    Ok(())
}
