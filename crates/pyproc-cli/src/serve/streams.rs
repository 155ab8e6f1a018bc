//! The tasks of HTTP/2: one per request, until its answer is taken.
//!
//! A client grants each answer a window and may leave it at nothing while the connection lives on, so
//! that no write to the socket ever waits. Such a stream is reset; the others of its connection go on.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::rt::Executor;
use tokio::time::{Sleep, sleep};

thread_local! {
    /// Whether the task that this thread polls has handed on a piece of its answer meanwhile.
    static TAKEN: Cell<bool> = const { Cell::new(false) };
}

/// Bytes of an answer that are handed on at a time: so many lie where a reset does not reach them.
pub(super) const PIECE: usize = 32 << 10;

/// Runs hyper's tasks.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    patience: Duration,
}

impl Streams {
    /// `patience` is how long a client may leave an answer where it is.
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience }
    }
}

impl<F> Executor<F> for Streams
where
    F: Future + Send + 'static,
{
    fn execute(&self, stream: F) {
        let patience = self.patience;
        tokio::spawn(async move {
            let mut stream = pin!(stream);
            let mut waiting: Option<Pin<Box<Sleep>>> = None;
            poll_fn(|context| {
                TAKEN.set(false);
                if stream.as_mut().poll(context).is_ready() {
                    return Poll::Ready(());
                }
                if TAKEN.get() {
                    // Only now is there something to wait for: most answers go at once.
                    waiting = Some(Box::pin(sleep(patience)));
                }
                match &mut waiting {
                    Some(waiting) => waiting.as_mut().poll(context),
                    None => Poll::Pending,
                }
            })
            .await;
        });
    }
}

/// A body that is handed on in pieces of limited size.
pub(super) struct Pieces<B> {
    body: B,
    rest: Bytes,
    size: usize,
}

impl<B> Pieces<B> {
    pub(super) fn new(body: B, size: usize) -> Self {
        Self {
            body,
            rest: Bytes::new(),
            size,
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Pieces<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        TAKEN.set(true);
        if self.rest.is_empty() {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                other => return Poll::Ready(other),
            };
            match frame.into_data() {
                Ok(data) => self.rest = data,
                Err(frame) => return Poll::Ready(Some(Ok(frame))),
            }
        }
        let size = self.size.min(self.rest.len());
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(size)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let rest = self.rest.len() as u64;
        if let Some(most) = hint.upper() {
            hint.set_upper(most.saturating_add(rest));
        }
        hint.set_lower(hint.lower().saturating_add(rest));
        hint
    }
}
