//! Records: what travels through a ring.
//!
//! A record is a 32-byte little-endian header, an optional extension block and a body. It starts
//! on a cache line of its own ([`RECORD_ALIGN`]), so that a small call is exactly one line and the
//! worker's claim of one record never collides with the host's writing of the next.
//!
//! | word | bits | field |
//! |---|---|---|
//! | 0 | 0–31 | length of extension and body, in bytes |
//! | 0 | 32–39 | kind |
//! | 0 | 40–47 | flags |
//! | 0 | 48–63 | function number |
//! | 1 | 0–63 | call id |
//! | 2 | 0–63 | deadline of a call (monotonic ns, 0: none) · run time of an answer (ns) |
//! | 3 | 0–31 | state word |
//! | 3 | 32–39 | content type of the body |
//! | 3 | 40–47 | content type wanted for the reply |
//! | 3 | 48–63 | length of the extension block |
//!
//! A call's extension block says what it belongs to, as up to three lines of text: the W3C
//! `traceparent`, the `tracestate`, the id of the request. A line may be empty, and those at the end may
//! be missing; one that says nothing is left out as a whole. Answers have none.

use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// Bytes of a record's header.
pub const HEADER_BYTES: usize = 32;

/// Every record starts at a multiple of this many bytes.
pub const RECORD_ALIGN: usize = 64;

/// The body is a [`SegmentRef`], not the payload itself.
pub const FLAG_SEGMENT: u8 = 1;

/// Of a call: a result that is bytes is wanted as it is, whatever other results are to be.
pub const FLAG_BYTES: u8 = 2;

/// Bytes that a record with this much extension and body takes in a ring.
#[must_use]
pub const fn record_bytes(payload: usize) -> usize {
    (HEADER_BYTES + payload).next_multiple_of(RECORD_ALIGN)
}

/// What a record is. Unknown numbers are a violation of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum Kind {
    /// Fills the end of the ring; carries nothing.
    Padding = 0,
    /// Host to worker: run a function.
    Call = 1,
    /// Worker to host: what the function returned.
    Result = 2,
    /// Worker to host: why there is no result; the body is a MessagePack map with a `code`.
    Error = 3,
    /// Worker to host: the deadline had passed before the function was run.
    Expired = 4,
}

impl Kind {
    /// The kind with this number, if there is one.
    #[must_use]
    pub const fn from_u8(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Padding),
            1 => Some(Self::Call),
            2 => Some(Self::Result),
            3 => Some(Self::Error),
            4 => Some(Self::Expired),
            _ => None,
        }
    }
}

/// How the bytes of a body are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
#[non_exhaustive]
pub enum ContentType {
    /// No body at all; as a wanted reply: the worker chooses.
    #[default]
    None = 0,
    /// MessagePack, structs as maps by name.
    MsgPack = 1,
    /// JSON text in UTF-8.
    Json = 2,
    /// Bytes that pyproc does not look into.
    Raw = 3,
}

impl ContentType {
    /// The content type with this number, if there is one.
    #[must_use]
    pub const fn from_u8(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::None),
            1 => Some(Self::MsgPack),
            2 => Some(Self::Json),
            3 => Some(Self::Raw),
            _ => None,
        }
    }

    /// The media type under which this content travels elsewhere, HTTP for one.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::None => "",
            Self::MsgPack => "application/msgpack",
            Self::Json => "application/json",
            Self::Raw => "application/octet-stream",
        }
    }
}

/// A record's header, decoded from a private copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of extension and body together.
    pub length: u32,
    /// What the record is.
    pub kind: Kind,
    /// [`FLAG_SEGMENT`], [`FLAG_BYTES`], both or nothing.
    pub flags: u8,
    /// Number of the function, from the handshake.
    pub function: u16,
    /// The call that this record belongs to.
    pub call: u64,
    /// Deadline of a call (monotonic ns, 0: none), run time of an answer (ns).
    pub time: u64,
    /// How the body is to be read.
    pub content: ContentType,
    /// What the caller wants the reply to be.
    pub wanted: ContentType,
    /// Bytes of the extension block, ahead of the body.
    pub extension: u16,
}

impl Header {
    /// The header as it stands in the ring, with the state word at `queued`.
    #[must_use]
    pub const fn encode(&self) -> [u64; 4] {
        [
            self.length as u64
                | (self.kind as u64) << 32
                | (self.flags as u64) << 40
                | (self.function as u64) << 48,
            self.call,
            self.time,
            State::Queued as u64
                | (self.content as u64) << 32
                | (self.wanted as u64) << 40
                | (self.extension as u64) << 48,
        ]
    }

    /// Reads a header; `None` where a field has a value that no honest peer writes.
    #[must_use]
    pub const fn decode(words: [u64; 4]) -> Option<Self> {
        let length = words[0] as u32;
        let extension = (words[3] >> 48) as u16;
        let flags = (words[0] >> 40) as u8;
        let (Some(kind), Some(content), Some(wanted)) = (
            Kind::from_u8((words[0] >> 32) as u8),
            ContentType::from_u8((words[3] >> 32) as u8),
            ContentType::from_u8((words[3] >> 40) as u8),
        ) else {
            return None;
        };
        if flags & !(FLAG_SEGMENT | FLAG_BYTES) != 0 || extension as u32 > length {
            return None;
        }
        Some(Self {
            length,
            kind,
            flags,
            function: (words[0] >> 48) as u16,
            call: words[1],
            time: words[2],
            content,
            wanted,
            extension,
        })
    }
}

/// Who has a call: the word that decides between running it and taking it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum State {
    /// In the ring; nobody has touched it.
    Queued = 0,
    /// The worker has it: user code may have run.
    Started = 1,
    /// The host took it back: the worker skips it.
    Revoked = 2,
}

/// The worker's claim. `true`: the call is ours and may run.
#[inline]
pub fn claim(state: &AtomicU32) -> bool {
    // Relaxed: the record was published by the ring's tail, and the word guards nothing but itself.
    state
        .compare_exchange(
            State::Queued as u32,
            State::Started as u32,
            Ordering::Relaxed,
            Ordering::Relaxed,
        )
        .is_ok()
}

/// The host's attempt to take a call back.
///
/// `Ok(true)`: it will never run. `Ok(false)`: the worker has it.
///
/// # Errors
/// The word, when it holds neither.
#[inline]
pub fn revoke(state: &AtomicU32) -> Result<bool, u32> {
    match state.compare_exchange(
        State::Queued as u32,
        State::Revoked as u32,
        Ordering::Relaxed,
        Ordering::Relaxed,
    ) {
        Ok(_) => Ok(true),
        Err(word) if word == State::Started as u32 => Ok(false),
        Err(word) => Err(word),
    }
}

/// Where a large body is: in a segment of the worker that the record belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentRef {
    /// Number of the segment within its direction.
    pub number: u32,
    /// Which use of the segment this is; written to its release word when it is free again.
    pub turn: u32,
    /// Bytes of the body.
    pub bytes: u64,
}

impl SegmentRef {
    /// Bytes of an encoded reference.
    pub const BYTES: usize = 16;

    /// The reference as it stands in a record's body.
    #[must_use]
    pub fn encode(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[0..4].copy_from_slice(&self.number.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.turn.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.bytes.to_le_bytes());
        bytes
    }

    /// Reads a reference; `None` when the body is not one.
    #[must_use]
    pub fn decode(body: &[u8]) -> Option<Self> {
        let body: &[u8; Self::BYTES] = body.try_into().ok()?;
        let word =
            |at: usize| u32::from_le_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]]);
        Some(Self {
            number: word(0),
            turn: word(4),
            bytes: u64::from(word(8)) | u64::from(word(12)) << 32,
        })
    }
}

/// The four words of a header in shared memory.
///
/// Atomics, because the peer may write them at any time: each is read once, into a private copy.
#[repr(C)]
pub(crate) struct RawHeader {
    words: [AtomicU64; 3],
    pub(crate) state: AtomicU32,
    tags: AtomicU32,
}

impl RawHeader {
    #[inline]
    pub(crate) fn store(&self, words: [u64; 4]) {
        // Relaxed: the ring's tail publishes the record as a whole.
        self.words[0].store(words[0], Ordering::Relaxed);
        self.words[1].store(words[1], Ordering::Relaxed);
        self.words[2].store(words[2], Ordering::Relaxed);
        self.state.store(words[3] as u32, Ordering::Relaxed);
        self.tags.store((words[3] >> 32) as u32, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn load(&self) -> [u64; 4] {
        [
            self.words[0].load(Ordering::Relaxed),
            self.words[1].load(Ordering::Relaxed),
            self.words[2].load(Ordering::Relaxed),
            u64::from(self.tags.load(Ordering::Relaxed)) << 32,
        ]
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> impl Strategy<Value = Header> {
        (
            any::<u32>(),
            0u8..=4,
            0u8..=1,
            any::<u16>(),
            any::<u64>(),
            any::<u64>(),
            0u8..=3,
            0u8..=3,
            any::<u16>(),
        )
            .prop_map(
                |(length, kind, flags, function, call, time, content, wanted, extension)| Header {
                    length: length.max(u32::from(extension)),
                    kind: Kind::from_u8(kind).expect("0 to 4 are kinds"),
                    flags,
                    function,
                    call,
                    time,
                    content: ContentType::from_u8(content).expect("0 to 3 are content types"),
                    wanted: ContentType::from_u8(wanted).expect("0 to 3 are content types"),
                    extension,
                },
            )
    }

    proptest! {
        #[test]
        fn a_header_survives_the_ring(header in header()) {
            prop_assert_eq!(Header::decode(header.encode()), Some(header));
        }

        #[test]
        fn any_words_decode_to_what_encodes_back_or_to_nothing(words: [u64; 4]) {
            if let Some(header) = Header::decode(words) {
                let mut expected = words;
                expected[3] &= !0xffff_ffff;
                prop_assert_eq!(header.encode(), expected);
            }
        }

        #[test]
        fn a_segment_reference_survives(number: u32, turn: u32, bytes: u64) {
            let reference = SegmentRef { number, turn, bytes };
            prop_assert_eq!(SegmentRef::decode(&reference.encode()), Some(reference));
        }
    }

    #[test]
    fn the_header_is_what_the_protocol_page_says() {
        assert_eq!(core::mem::size_of::<RawHeader>(), HEADER_BYTES);
        let header = Header {
            length: 0x0000_0109,
            kind: Kind::Call,
            flags: FLAG_SEGMENT,
            function: 0x0203,
            call: 0x1122_3344_5566_7788,
            time: 9,
            content: ContentType::MsgPack,
            wanted: ContentType::Json,
            extension: 0x0102,
        };
        assert_eq!(
            header.encode(),
            [
                0x0203_0101_0000_0109,
                0x1122_3344_5566_7788,
                9,
                0x0102_0201_0000_0000
            ]
        );
    }

    #[test]
    fn a_call_is_either_run_or_taken_back() {
        let state = AtomicU32::new(State::Queued as u32);
        assert!(claim(&state));
        assert!(!claim(&state));
        assert_eq!(revoke(&state), Ok(false));
        let state = AtomicU32::new(State::Queued as u32);
        assert_eq!(revoke(&state), Ok(true));
        assert!(!claim(&state));
        assert_eq!(revoke(&AtomicU32::new(77)), Err(77));
    }
}
