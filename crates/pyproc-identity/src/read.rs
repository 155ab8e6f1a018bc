//! Files that others mounted: read without waiting and without an end to how much.

use std::fs::{Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;
use zeroize::Zeroizing;

/// What a file held, wiped when it is dropped.
pub(crate) struct Contents {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    pub(crate) metadata: Metadata,
}

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// What the operating system says.
    #[error("{0}")]
    Failed(#[from] io::Error),
    /// The path names something else.
    #[error("it is {0}, not a file")]
    NotAFile(&'static str),
    /// It has more bytes than any good one.
    #[error("it has more than {0} bytes")]
    TooLarge(u64),
}

/// Reads a file of `largest` bytes at most; a pipe or a device is none.
pub(crate) fn read(place: &Path, largest: u64) -> Result<Contents, ReadError> {
    // A pipe without a writer would hold an ordinary open for ever.
    let flags = i32::from_ne_bytes(OFlags::NONBLOCK.bits().to_ne_bytes());
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(place)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(ReadError::NotAFile("a folder"));
    }
    if !metadata.is_file() {
        return Err(ReadError::NotAFile("a device or a pipe"));
    }
    if metadata.len() > largest {
        return Err(ReadError::TooLarge(largest));
    }
    // With one byte to spare nothing is copied while it is read.
    let room = usize::try_from(metadata.len()).unwrap_or(0);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room + 64));
    file.take(largest + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > largest {
        return Err(ReadError::TooLarge(largest));
    }
    Ok(Contents { bytes, metadata })
}
