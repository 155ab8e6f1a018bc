//! The lane's memory as bytes at offsets, without any of the rules of `pyproc_ipc::lane`.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use pyproc_ipc::record::{Header, record_bytes};

/// Offsets in the header page: see `pyproc_ipc::lane::LaneHeader`.
pub(crate) const REQUEST_TAIL: u64 = 0;
pub(crate) const REQUEST_HEAD: u64 = 128;
pub(crate) const RESPONSE_TAIL: u64 = 384;
pub(crate) const RESPONSE_HEAD: u64 = 512;
pub(crate) const REQUEST_RELEASED: u64 = 768;
pub(crate) const SEGMENTS: u64 = 256;
const RINGS: u64 = 4096;

/// The memory, and how far this process has written its answers.
pub(crate) struct Raw {
    pub(crate) memory: File,
    /// Bytes of each ring.
    pub(crate) ring: u64,
    pub(crate) tail: u64,
}

impl Raw {
    pub(crate) fn new(memory: OwnedFd, lane_bytes: u64) -> Self {
        Self {
            memory: File::from(memory),
            ring: (lane_bytes - RINGS) / 2,
            tail: 0,
        }
    }

    pub(crate) fn store(&self, offset: u64, word: u64) -> io::Result<()> {
        self.memory.write_all_at(&word.to_le_bytes(), offset)
    }

    pub(crate) fn load(&self, offset: u64) -> io::Result<u64> {
        let mut word = [0; 8];
        self.memory.read_exact_at(&mut word, offset)?;
        Ok(u64::from_le_bytes(word))
    }

    /// A record of the request ring: its header's words, and where the state word lies.
    pub(crate) fn request(&self, position: u64) -> io::Result<([u64; 4], u64)> {
        let offset = RINGS + position % self.ring;
        let word = |index: u64| self.load(offset + 8 * index);
        Ok(([word(0)?, word(1)?, word(2)?, word(3)?], offset + 24))
    }

    /// Writes these words and this body as the next record, and publishes it.
    pub(crate) fn put(&mut self, words: [u64; 4], body: &[u8]) -> io::Result<()> {
        let offset = RINGS + self.ring + self.tail % self.ring;
        for (index, word) in words.iter().enumerate() {
            self.store(offset + 8 * index as u64, *word)?;
        }
        self.memory.write_all_at(body, offset + 32)?;
        self.tail += record_bytes(body.len()) as u64;
        self.store(RESPONSE_TAIL, self.tail)
    }

    pub(crate) fn put_header(&mut self, header: &Header, body: &[u8]) -> io::Result<()> {
        self.put(header.encode(), body)
    }
}
