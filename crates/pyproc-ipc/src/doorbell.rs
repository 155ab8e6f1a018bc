//! Doorbells: how one process wakes the other when that one sleeps. A pair of stream sockets: whatever
//! the other process does to its end, ringing never blocks, and a descriptor sent through it is dropped.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType};

/// How many reads [`Bell::clear`] makes at most: a peer that rings without end can not hold it.
const CLEAR_READS: usize = 16;

/// Makes a doorbell: what is rung on the first end is heard on the second. Both are close-on-exec.
///
/// # Errors
/// When the process or the system is out of descriptors.
pub fn doorbell() -> io::Result<(Ringer, Bell)> {
    let (ringer, bell) = rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    // One direction is enough; this also makes the ends what they are called.
    rustix::net::shutdown(&ringer, Shutdown::Read)?;
    Ok((Ringer(ringer), Bell(bell)))
}

/// The end that is rung.
#[derive(Debug)]
pub struct Ringer(OwnedFd);

impl Ringer {
    /// Wakes whoever waits at the [`Bell`], now or later. Never blocks: a bell that is full of rings is
    /// heard anyway, and one whose owner is gone needs none.
    pub fn ring(&self) {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        while rustix::net::send(&self.0, &[1], flags) == Err(Errno::INTR) {}
    }
}

/// The end that is heard.
#[derive(Debug)]
pub struct Bell(OwnedFd);

impl Bell {
    /// Waits until the bell has been rung (or the ringer is gone): true. False after `timeout`, and
    /// when a signal handler ran in this thread, so that the caller can look at what it left.
    /// Without a timeout it waits for as long as it takes. The rings stay until [`Bell::clear`].
    ///
    /// # Errors
    /// Only when the system is out of memory.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<bool> {
        let timeout = timeout.map(timespec);
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        match rustix::event::poll(&mut fds, timeout.as_ref()) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the rings that have arrived, without waiting and in a bounded number of steps. Clear first,
    /// then look at what the ring was about. False when the ringer is gone, and with it all further rings.
    pub fn clear(&self) -> bool {
        let mut buffer = [0; 256];
        for _ in 0..CLEAR_READS {
            match rustix::net::recv(&self.0, &mut buffer, RecvFlags::DONTWAIT) {
                Ok((_, 0)) => return false,
                Ok((_, length)) if length == buffer.len() => {}
                Ok(_) | Err(Errno::AGAIN) => return true,
                Err(Errno::INTR) => {}
                Err(_) => return false,
            }
        }
        true
    }
}

/// A timeout as `poll` takes it; one beyond its range is as good as none.
pub(crate) fn timespec(timeout: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(timeout.subsec_nanos()),
    }
}

impl From<OwnedFd> for Ringer {
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}

impl From<Ringer> for OwnedFd {
    fn from(ringer: Ringer) -> Self {
        ringer.0
    }
}

impl AsFd for Ringer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for Bell {
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}

impl From<Bell> for OwnedFd {
    fn from(bell: Bell) -> Self {
        bell.0
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_ring_is_heard_once_cleared_it_is_gone() {
        let (ringer, bell) = doorbell().expect("doorbell");
        assert!(!bell.wait(Some(Duration::ZERO)).expect("wait"));
        ringer.ring();
        ringer.ring();
        assert!(bell.wait(Some(Duration::ZERO)).expect("wait"));
        assert!(bell.wait(None).expect("wait"));
        assert!(bell.clear());
        assert!(!bell.wait(Some(Duration::ZERO)).expect("wait"));
    }

    #[test]
    fn a_sleeper_is_woken() {
        let (ringer, bell) = doorbell().expect("doorbell");
        let sleeper = thread::spawn(move || bell.wait(None).expect("wait"));
        ringer.ring();
        assert!(sleeper.join().expect("sleeper"));
    }

    #[test]
    fn a_full_bell_never_blocks_and_is_heard() {
        let (ringer, bell) = doorbell().expect("doorbell");
        for _ in 0..10_000 {
            ringer.ring();
        }
        assert!(bell.wait(Some(Duration::ZERO)).expect("wait"));
        for _ in 0..10_000 {
            assert!(bell.clear());
        }
        assert!(!bell.wait(Some(Duration::ZERO)).expect("wait"));
        ringer.ring();
        assert!(bell.wait(Some(Duration::ZERO)).expect("wait"));
    }

    #[test]
    fn a_bell_without_its_other_end() {
        let (ringer, bell) = doorbell().expect("doorbell");
        drop(ringer);
        assert!(bell.wait(None).expect("wait"));
        assert!(!bell.clear());

        let (ringer, bell) = doorbell().expect("doorbell");
        drop(bell);
        ringer.ring();
    }

    #[test]
    fn descriptors_sent_through_it_are_dropped() {
        let (ringer, bell) = doorbell().expect("doorbell");
        let (watched, sent) = rustix::pipe::pipe().expect("pipe");
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = rustix::net::SendAncillaryBuffer::new(&mut space);
        let fds = [sent.as_fd()];
        assert!(control.push(rustix::net::SendAncillaryMessage::ScmRights(&fds)));
        let bytes = [io::IoSlice::new(b"x")];
        rustix::net::sendmsg(ringer.as_fd(), &bytes, &mut control, SendFlags::empty())
            .expect("sendmsg");
        drop(sent);
        assert!(bell.clear());
        // The write end is closed everywhere: the read end is at its end.
        assert_eq!(rustix::io::read(&watched, &mut [0; 8]), Ok(0));
    }

    #[test]
    fn the_listening_end_can_not_talk_back() {
        let (_ringer, bell) = doorbell().expect("doorbell");
        assert!(
            rustix::net::send(
                bell.as_fd(),
                b"x",
                SendFlags::DONTWAIT | SendFlags::NOSIGNAL
            )
            .is_err()
        );
    }
}
