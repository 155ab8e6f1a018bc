//! The control socket between the host and one worker: whole messages in order (`SOCK_SEQPACKET`), and
//! descriptors from the host to the worker only. What a message says is [`crate::message`]'s business.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::{Errno, FdFlags};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

use crate::message::CONTROL_FD_VARIABLE;

/// The most descriptors that one message carries.
pub const MAX_DESCRIPTORS: usize = 4;

/// One end of the connection. Closed on drop; close-on-exec.
#[derive(Debug)]
pub struct ControlSocket(OwnedFd);

/// Makes a connection: the host's end, and the end that the worker inherits.
///
/// # Errors
/// When the process or the system is out of descriptors.
pub fn pair() -> io::Result<(ControlSocket, OwnedFd)> {
    let (host, worker) = rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?;
    Ok((ControlSocket(host), worker))
}

/// Worker: takes the control socket that this process was started with, once. `None` when it was not
/// started by a pool (or has taken it): the variable is not there, or names something else.
pub fn inherited() -> Option<ControlSocket> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    let number: RawFd = std::env::var(CONTROL_FD_VARIABLE).ok()?.parse().ok()?;
    if number <= 2 || TAKEN.swap(true, Ordering::SeqCst) {
        return None;
    }
    // SAFETY: only borrowed until it is known to be open; closing it meanwhile would be a bug elsewhere.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let is_ours = rustix::net::sockopt::socket_type(borrowed) == Ok(SocketType::SEQPACKET)
        && rustix::io::fcntl_setfd(borrowed, FdFlags::CLOEXEC).is_ok();
    // SAFETY: it is an open socket, and the variable gives it to this process, which takes it only here
    // and only once.
    is_ours.then(|| ControlSocket(unsafe { OwnedFd::from_raw_fd(number) }))
}

impl ControlSocket {
    /// Takes a descriptor that this process was given.
    #[must_use]
    pub fn from_fd(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// Sends one message with descriptors, never waiting.
    ///
    /// # Errors
    /// `WouldBlock` when the other process does not read and the socket is full; `BrokenPipe` when it is
    /// gone; `InvalidInput` for an empty message or more than [`MAX_DESCRIPTORS`].
    pub fn send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.send_with(bytes, fds, SendFlags::DONTWAIT)
    }

    /// Sends one message, waiting for space for as long as it takes (the worker's way: the host reads).
    ///
    /// # Errors
    /// As [`ControlSocket::send`], without `WouldBlock`.
    pub fn send_blocking(&self, bytes: &[u8]) -> io::Result<()> {
        self.send_with(bytes, &[], SendFlags::empty())
    }

    fn send_with(&self, bytes: &[u8], fds: &[BorrowedFd<'_>], flags: SendFlags) -> io::Result<()> {
        if bytes.is_empty() || fds.len() > MAX_DESCRIPTORS {
            // An empty message could not be told from the end of the connection.
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "an empty control message",
            ));
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        loop {
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "too many descriptors",
                ));
            }
            let slices = [IoSlice::new(bytes)];
            match rustix::net::sendmsg(&self.0, &slices, &mut control, flags | SendFlags::NOSIGNAL)
            {
                Ok(_) => return Ok(()),
                // A reset is reported once, before the next send finds the broken pipe.
                Err(Errno::INTR | Errno::CONNRESET) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Receives one message without waiting and without descriptors: any that the worker attached are
    /// closed by the kernel. Zero is the end: the worker is gone, or sent an empty message, which it must
    /// not. What was sent before the end is received first.
    ///
    /// # Errors
    /// `WouldBlock` when there is none now; `InvalidData` when it is longer than `buffer`.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match rustix::net::recv(
                &self.0,
                &mut *buffer,
                RecvFlags::DONTWAIT | RecvFlags::TRUNC,
            ) {
                Ok((_, length)) if length > buffer.len() => return Err(too_long(length)),
                Ok((_, length)) => return Ok(length),
                // A reset is reported once, ahead of what is still to be received.
                Err(Errno::INTR | Errno::CONNRESET) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits for one message and the descriptors that came with it, which are appended to `fds` and
    /// close-on-exec (fewer than were sent when this process is out of descriptors). Zero is the end.
    ///
    /// # Errors
    /// `InvalidData` when the message is longer than `buffer`.
    pub fn recv_with_fds(&self, buffer: &mut [u8], fds: &mut Vec<OwnedFd>) -> io::Result<usize> {
        loop {
            let mut space =
                [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let mut slices = [IoSliceMut::new(buffer)];
            let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::TRUNC;
            match rustix::net::recvmsg(&self.0, &mut slices, &mut control, flags) {
                Ok(message) => {
                    let received = control.drain().filter_map(|message| match message {
                        RecvAncillaryMessage::ScmRights(received) => Some(received),
                        _ => None,
                    });
                    fds.extend(received.flatten());
                    return if message.bytes > buffer.len() {
                        Err(too_long(message.bytes))
                    } else {
                        Ok(message.bytes)
                    };
                }
                Err(Errno::INTR | Errno::CONNRESET) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsFd for ControlSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<ControlSocket> for OwnedFd {
    fn from(socket: ControlSocket) -> Self {
        socket.0
    }
}

fn too_long(length: usize) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("a control message of {length} bytes"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends() -> (ControlSocket, ControlSocket) {
        let (host, worker) = pair().expect("a pair");
        (host, ControlSocket::from_fd(worker))
    }

    #[test]
    fn messages_and_descriptors_arrive_whole_and_in_order() {
        let (host, worker) = ends();
        let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
        host.send(b"one", &[]).expect("send");
        host.send(b"two", &[writer.as_fd(), reader.as_fd()])
            .expect("send");
        let mut buffer = [0; 64];
        let mut fds = Vec::new();
        assert_eq!(
            worker.recv_with_fds(&mut buffer, &mut fds).expect("recv"),
            3
        );
        assert_eq!((&buffer[..3], fds.len()), (&b"one"[..], 0));
        assert_eq!(
            worker.recv_with_fds(&mut buffer, &mut fds).expect("recv"),
            3
        );
        assert_eq!((&buffer[..3], fds.len()), (&b"two"[..], 2));
        rustix::io::write(&fds[0], b"hello").expect("write");
        assert_eq!(rustix::io::read(&reader, &mut buffer), Ok(5));
        for fd in &fds {
            assert!(
                rustix::io::fcntl_getfd(fd)
                    .expect("flags")
                    .contains(rustix::io::FdFlags::CLOEXEC)
            );
        }
        worker.send_blocking(b"three").expect("send");
        assert_eq!(host.recv(&mut buffer).expect("recv"), 5);
        assert_eq!(
            host.recv(&mut buffer).expect_err("empty").kind(),
            io::ErrorKind::WouldBlock
        );
    }

    #[test]
    fn a_full_socket_never_blocks_the_host() {
        let (host, worker) = ends();
        let message = [7; 1000];
        let error = (0..100_000)
            .find_map(|_| host.send(&message, &[]).err())
            .expect("it fills up");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        drop(worker);
        assert_eq!(
            host.send(&message, &[]).expect_err("gone").kind(),
            io::ErrorKind::BrokenPipe
        );
    }

    #[test]
    fn descriptors_sent_by_a_worker_are_closed() {
        let (host, worker) = ends();
        let (watched, sent) = rustix::pipe::pipe().expect("a pipe");
        worker.send(b"take this", &[sent.as_fd()]).expect("send");
        drop(sent);
        assert_eq!(host.recv(&mut [0; 64]).expect("recv"), 9);
        assert_eq!(rustix::io::read(&watched, &mut [0; 8]), Ok(0));
    }

    #[test]
    fn what_was_sent_before_the_end_is_received_first() {
        let (host, worker) = ends();
        host.send(b"never read", &[]).expect("send");
        worker.send_blocking(b"last words").expect("send");
        drop(worker);
        let mut buffer = [0; 64];
        assert_eq!(host.recv(&mut buffer).expect("recv"), 10);
        assert_eq!(host.recv(&mut buffer).expect("end"), 0);
        assert_eq!(host.recv(&mut buffer).expect("end"), 0);
    }

    #[test]
    fn a_worker_sees_the_end_of_its_host() {
        let (host, worker) = ends();
        worker.send_blocking(b"never read").expect("send");
        drop(host);
        assert_eq!(
            worker
                .recv_with_fds(&mut [0; 8], &mut Vec::new())
                .expect("end"),
            0
        );
        assert_eq!(
            worker.send_blocking(b"x").expect_err("gone").kind(),
            io::ErrorKind::BrokenPipe
        );
    }

    #[test]
    fn empty_and_overlong_messages_are_errors() {
        let (host, worker) = ends();
        assert_eq!(
            host.send(b"", &[]).expect_err("empty").kind(),
            io::ErrorKind::InvalidInput
        );
        worker.send_blocking(&[1; 65]).expect("send");
        assert_eq!(
            host.recv(&mut [0; 64]).expect_err("long").kind(),
            io::ErrorKind::InvalidData
        );
        host.send(&[1; 65], &[]).expect("send");
        let result = worker.recv_with_fds(&mut [0; 64], &mut Vec::new());
        assert_eq!(result.expect_err("long").kind(), io::ErrorKind::InvalidData);
    }
}
