//! What the pool keeps of a call besides its place: its body, who waits for it, how it ended.

use std::sync::Arc;
use std::task::Waker;

use pyproc_ipc::record::{ContentType, Kind, SegmentRef};

use crate::error::CallError;
use crate::segments::{LargeBody, SegmentMemory};

/// How a call ended, as seen under the lock; decoded by its caller outside of it.
pub(crate) enum Outcome {
    /// The answer's body lies in [`CallData::body`].
    Inline(Kind, ContentType),
    /// The answer's body lies in a segment and has to be copied out.
    Segment(Kind, ContentType, Box<SegmentAnswer>),
    /// No answer.
    Failed(Box<CallError>),
}

/// An answer in a segment of a worker.
pub(crate) struct SegmentAnswer {
    pub(crate) memory: Arc<SegmentMemory>,
    pub(crate) reference: SegmentRef,
    pub(crate) worker: usize,
    pub(crate) generation: u32,
}

/// A call's own data.
#[derive(Default)]
pub(crate) struct CallData {
    /// The body of the call until it is answered, then the body of the answer: one buffer for both.
    pub(crate) body: Vec<u8>,
    /// The body of the call when it is large.
    pub(crate) large: Option<Box<LargeBody>>,
    pub(crate) content: ContentType,
    pub(crate) wanted: ContentType,
    pub(crate) raw_bytes: bool,
    /// A worker may have looked at the large body.
    pub(crate) seen: bool,
    /// The worker that had the call last.
    pub(crate) worker: u16,
    /// How often the call was given to a worker.
    pub(crate) attempts: u16,
    /// What it belongs to: the record's extension block. Most calls have none.
    pub(crate) extension: Option<Box<str>>,
    pub(crate) waker: Option<Waker>,
    pub(crate) outcome: Option<Outcome>,
}

impl CallData {
    /// Bytes of the call's body.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        match &self.large {
            None => self.body.len(),
            Some(large) => large.bytes,
        }
    }
}
