//! Shared memory without a name: a memfd, mapped once, sealed so that the other process can neither
//! resize it nor (where it only reads) write to it. Nothing appears in the file system, and the memory
//! is gone when both processes have closed it.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::{self, NonNull};

use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags};
use rustix::mm::{MapFlags, ProtFlags};

/// What the process that is given the descriptor may do with the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerAccess {
    /// It may read and write.
    ReadWrite,
    /// It may only read: `F_SEAL_FUTURE_WRITE` denies every later writable mapping, `write` and hole.
    ReadOnly,
}

/// A memfd and its mapping into this process; unmapped and closed on drop.
///
/// The bytes may be changed by the other process at any time, so no method gives a slice of them.
pub struct Memory {
    fd: OwnedFd,
    address: NonNull<u8>,
    bytes: usize,
    /// Only this process can write: made here for a peer that may only read.
    sole_writer: bool,
}

// SAFETY: the mapping belongs to this value alone and stays where it is until drop; the value gives out
// its address only as a raw pointer, whose users answer for the accesses they make through it.
unsafe impl Send for Memory {}
// SAFETY: as above; no method takes `&self` and touches the mapped bytes.
unsafe impl Sync for Memory {}

impl Memory {
    /// Creates `bytes` of shared memory, allocated now (not at first touch), zeroed, mapped readable and
    /// writable here, then sealed against shrinking, growing and further seals, and for a
    /// [`PeerAccess::ReadOnly`] peer against every later way to write.
    ///
    /// # Errors
    /// When the system has not got the memory (`ENOSPC`, `ENOMEM`), the descriptor (`EMFILE`, `ENFILE`)
    /// or the address space, and for a size of zero.
    pub fn create(name: &str, bytes: usize, peer: PeerAccess) -> io::Result<Self> {
        let fd = anonymous_file(name)?;
        let length = file_length(bytes)?;
        rustix::fs::ftruncate(&fd, length)?;
        retry(|| rustix::fs::fallocate(&fd, FallocateFlags::empty(), 0, length))?;
        let mut memory = Self::map(fd, bytes, ProtFlags::READ | ProtFlags::WRITE)?;
        let mut seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        if peer == PeerAccess::ReadOnly {
            seals |= SealFlags::FUTURE_WRITE;
        }
        rustix::fs::fcntl_add_seals(&memory.fd, seals)?;
        memory.sole_writer = peer == PeerAccess::ReadOnly;
        Ok(memory)
    }

    /// Maps memory that the other process created and passed as `fd`.
    ///
    /// # Errors
    /// `InvalidData` when it has not exactly the announced size or could still shrink (an access beyond
    /// its end would then be a SIGBUS); else what the mapping fails with.
    pub fn open(fd: OwnedFd, bytes: usize, writable: bool) -> io::Result<Self> {
        let length = file_length(bytes)?;
        let actual = rustix::fs::fstat(&fd)?.st_size;
        if u64::try_from(actual) != Ok(length) {
            return Err(invalid(format!(
                "shared memory of {actual} bytes where {length} were announced"
            )));
        }
        if !rustix::fs::fcntl_get_seals(&fd)?.contains(SealFlags::SHRINK) {
            return Err(invalid(
                "shared memory that is not sealed against shrinking".to_owned(),
            ));
        }
        let protection = if writable {
            ProtFlags::READ | ProtFlags::WRITE
        } else {
            ProtFlags::READ
        };
        Self::map(fd, bytes, protection)
    }

    fn map(fd: OwnedFd, bytes: usize, protection: ProtFlags) -> io::Result<Self> {
        // SAFETY: a new mapping at an address that the kernel chooses; it replaces nothing.
        let address = unsafe {
            rustix::mm::mmap(ptr::null_mut(), bytes, protection, MapFlags::SHARED, &fd, 0)?
        };
        let address = NonNull::new(address.cast())
            .ok_or_else(|| invalid("a mapping at address zero".to_owned()))?;
        Ok(Self {
            fd,
            address,
            bytes,
            sole_writer: false,
        })
    }

    /// The descriptor, to be passed to the other process.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// The size in bytes, as created (not rounded up to pages).
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The bytes, for writing in place: only memory that was created for a [`PeerAccess::ReadOnly`]
    /// peer has them as a slice, since nobody else can change it.
    #[must_use]
    pub fn as_mut_slice(&mut self) -> Option<&mut [u8]> {
        if !self.sole_writer {
            return None;
        }
        // SAFETY: the whole mapping, writable here; sealed against every other writer, and `&mut`
        // keeps this process to one. A peer that reads meanwhile sees the old bytes or the new.
        Some(unsafe { std::slice::from_raw_parts_mut(self.address.as_ptr(), self.bytes) })
    }

    /// The bytes, for reading, under the conditions of [`as_mut_slice`](Self::as_mut_slice).
    #[must_use]
    pub fn as_slice(&self) -> Option<&[u8]> {
        if !self.sole_writer {
            return None;
        }
        // SAFETY: the whole mapping; nobody but this process can write, and `&self` says that it does not.
        Some(unsafe { std::slice::from_raw_parts(self.address.as_ptr(), self.bytes) })
    }

    /// Replaces what `to` holds by the first `bytes`; `false`, and nothing, when there are not so many.
    ///
    /// The peer may write meanwhile: what arrives is some mixture, and cannot change any more.
    #[must_use]
    pub fn copy_to(&self, bytes: usize, to: &mut Vec<u8>) -> bool {
        to.clear();
        if bytes > self.bytes {
            return false;
        }
        to.reserve_exact(bytes);
        // SAFETY: `bytes` bytes are mapped, and the vector has just been given room for them.
        unsafe {
            to.as_mut_ptr()
                .copy_from_nonoverlapping(self.address.as_ptr(), bytes);
            to.set_len(bytes);
        }
        true
    }

    /// The first byte of the mapping, which is page-aligned and lives as long as this value. Writing
    /// through it is undefined where the memory was opened read-only (the process gets SIGSEGV).
    #[must_use]
    pub fn as_ptr(&self) -> *mut u8 {
        self.address.as_ptr()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: exactly the range that `map` created; nobody uses it after the value is gone.
        // It fails only for arguments that `map` would not have produced.
        let _ = unsafe { rustix::mm::munmap(self.address.as_ptr().cast(), self.bytes) };
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("fd", &self.fd)
            .field("bytes", &self.bytes)
            .finish()
    }
}

/// A memfd that can never be executed where the kernel knows how (6.3 and later), else a plain one.
fn anonymous_file(name: &str) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match rustix::fs::memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
        Err(rustix::io::Errno::INVAL) => Ok(rustix::fs::memfd_create(name, flags)?),
        result => Ok(result?),
    }
}

fn file_length(bytes: usize) -> io::Result<u64> {
    match u64::try_from(bytes) {
        Ok(length) if length > 0 && i64::try_from(length).is_ok() => Ok(length),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{bytes} bytes of shared memory"),
        )),
    }
}

/// `fallocate` gives up and undoes its work when a signal arrives.
fn retry(mut call: impl FnMut() -> rustix::io::Result<()>) -> io::Result<()> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests;
