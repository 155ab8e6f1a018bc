//! Shared memory for large bodies: written in place by the caller, or filled with what it has.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use pyproc_ipc::copy::copy_for_peer;
use pyproc_ipc::record::ContentType;
use pyproc_ipc::shm::PeerAccess;

use crate::body::Body;
use crate::error::{CallError, Part};
use crate::pool::Shared;
use crate::segments::{LargeBody, NoSegment, Owner, SegmentMemory};

/// A segment for a body of `bytes`: an idle one of the least loaded worker, or a fresh one.
pub(crate) fn large_body(shared: &Shared, bytes: usize) -> Result<Box<LargeBody>, CallError> {
    let limit = shared.settings.max_body;
    if bytes > limit {
        return Err(CallError::TooLarge {
            part: Part::Arguments,
            size: bytes as u64,
            limit: limit as u64,
        });
    }
    let mut core = shared.core.lock();
    if let Some(worker) = core.scheduler.least_loaded()
        && let Some(end) = core.ends.get(worker)
    {
        end.lane.rouse();
        if let Some((number, memory)) = end.requests.take(bytes, &end.lane) {
            let owner = Some(Owner {
                worker,
                generation: end.generation,
                number,
            });
            return Ok(Box::new(LargeBody {
                memory,
                bytes,
                owner,
            }));
        }
    }
    let waiting = core.scheduler.queued();
    drop(core);
    match SegmentMemory::create(bytes, PeerAccess::ReadOnly, &shared.allowance) {
        Ok(memory) => Ok(Box::new(LargeBody {
            memory,
            bytes,
            owner: None,
        })),
        Err(error) => {
            if let NoSegment::System(error) = &error {
                tracing::warn!(target: "pyproc", %error, bytes, "no shared memory for a large body");
            }
            Err(CallError::Overloaded {
                waiting,
                limit: shared.settings.queue,
            })
        }
    }
}

/// Copies `body` into its segment. It fits: the segment was made for it.
pub(crate) fn fill(large: &mut LargeBody, body: &[u8]) {
    if let Some(to) = large.memory.memory_mut().as_mut_slice() {
        copy_for_peer(body, to);
    }
}

/// Memory for a body, written in place; from [`Pool::allocate`](crate::Pool::allocate).
///
/// Its contents are not zeroed: a reused piece still holds what the pool's earlier caller wrote.
pub struct BodyMut {
    shared: Arc<Shared>,
    large: Option<Box<LargeBody>>,
}

impl BodyMut {
    pub(crate) fn allocate(shared: &Arc<Shared>, bytes: usize) -> Result<Self, CallError> {
        let large = large_body(shared, bytes)?;
        Ok(Self {
            shared: Arc::clone(shared),
            large: Some(large),
        })
    }

    /// The body of a call, in this content type.
    pub fn into_body(self, content_type: ContentType) -> Body {
        Body::in_place(content_type, self)
    }

    /// Was it allocated by this pool?
    pub(crate) fn is_of(&self, shared: &Shared) -> bool {
        std::ptr::eq(Arc::as_ptr(&self.shared), shared)
    }

    pub(crate) fn into_large(mut self) -> Result<Box<LargeBody>, CallError> {
        self.large.take().ok_or(CallError::Closed)
    }
}

impl Deref for BodyMut {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.large
            .as_ref()
            .and_then(|large| large.memory.memory().as_slice()?.get(..large.bytes))
            .unwrap_or_default()
    }
}

impl DerefMut for BodyMut {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.large
            .as_mut()
            .and_then(|large| {
                let bytes = large.bytes;
                large.memory.memory_mut().as_mut_slice()?.get_mut(..bytes)
            })
            .unwrap_or_default()
    }
}

impl Drop for BodyMut {
    fn drop(&mut self) {
        if let Some(large) = self.large.take() {
            self.shared.core.lock().ends.give_back(*large, false);
        }
    }
}

impl fmt::Debug for BodyMut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("BodyMut")
            .field("bytes", &self.len())
            .finish_non_exhaustive()
    }
}
