//! [`Request`]: one call, described step by step.

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use pyproc_ipc::lane::INLINE_MAX;
use pyproc_ipc::record::{ContentType, Kind};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::allocate::{fill, large_body};
use crate::body::{Body, Payload, Reply, decode_result, encode_arguments};
use crate::calls::{CallData, Outcome};
use crate::description::Terms;
use crate::error::{CallError, Part, Phase, worker_error};
use crate::functions::Functions;
use crate::future::Call;
use crate::pool::Shared;
use crate::replies::lend;
use crate::request_id::RequestId;
use crate::scheduler::Spec;
use crate::segments::LargeBody;
use crate::trace::{CallSpan, TraceContext, extension};

/// Buffers kept per thread, so that a call allocates nothing.
const BUFFERS: usize = 64;

/// The outcome of a call that has succeeded, as its span has it.
pub(crate) const OK: &str = "ok";

/// A buffer that grew past this is not kept.
const BUFFER_MAX: usize = 64 * 1024;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

#[inline]
fn buffer() -> Vec<u8> {
    SPARE.with_borrow_mut(Vec::pop).unwrap_or_default()
}

#[inline]
fn keep(mut buffer: Vec<u8>) {
    if buffer.capacity() <= BUFFER_MAX {
        buffer.clear();
        SPARE.with_borrow_mut(|spare| {
            if spare.len() < BUFFERS {
                spare.push(buffer);
            }
        });
    }
}

/// A call that is not made yet; from [`Pool::request`](crate::Pool::request).
///
/// Without further words it has the function's own time limit, is not repeated after a worker's
/// death, has no body, and leaves the reply's content type to the function.
#[must_use = "a request does nothing until `call` or `send` is awaited"]
pub struct Request<'p> {
    shared: &'p Shared,
    function: &'p str,
    terms: Terms,
}

impl<'p> Request<'p> {
    #[inline]
    pub(crate) fn new(shared: &'p Shared, function: &'p str, terms: Terms) -> Self {
        Self {
            shared,
            function,
            terms,
        }
    }

    /// How long to wait for the answer, from the call on. It can only be shorter than the function's
    /// own limit. When it passes, the caller is answered at once and the function is asked to stop;
    /// the worker is never killed for it.
    #[inline]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.terms.timeout = Some(timeout);
        self
    }

    /// Running it twice does no harm: after the death of its worker it is given to another, up to
    /// `max_attempts` times in all.
    #[inline]
    pub fn idempotent(mut self) -> Self {
        self.terms.idempotent = true;
        self
    }

    /// How often an idempotent call may be started in all. Default: the pool's `max_attempts` (3).
    #[inline]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.terms.max_attempts = Some(attempts.max(1));
        self
    }

    /// The body, as bytes. Used by [`send`](Self::send); [`call`](Self::call) encodes its argument and
    /// does not look at it.
    #[inline]
    pub fn body(mut self, body: Body) -> Self {
        self.terms.body = body;
        self
    }

    /// What the reply should be: [`ContentType::MsgPack`], [`ContentType::Json`] or
    /// [`ContentType::Raw`] (which only a function that returns bytes can give).
    /// Default: MessagePack, raw bytes for a function that returns bytes.
    #[inline]
    pub fn accept(mut self, content_type: ContentType) -> Self {
        self.terms.wanted = content_type;
        self
    }

    /// A function that returns bytes answers with them as they are, in [`ContentType::Raw`], whatever
    /// else is [accepted](Self::accept). Without it they are base64 text in JSON.
    #[inline]
    pub fn raw_bytes(mut self) -> Self {
        self.terms.raw_bytes = true;
        self
    }

    /// The trace that the call is part of: it travels to Python with it.
    ///
    /// ```no_run
    /// # async fn example(pool: &pyproc::Pool, traceparent: Option<&str>) -> Result<(), Box<dyn std::error::Error>> {
    /// use pyproc::TraceContext;
    ///
    /// let mut request = pool.request("predict");
    /// if let Some(context) = TraceContext::from_headers(traceparent, None) {
    ///     request = request.trace_context(context);
    /// }
    /// let answer: f64 = request.call(&[1.0, 2.0]).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    pub fn trace_context(mut self, context: TraceContext) -> Self {
        self.terms.trace = Some(Box::new(context));
        self
    }

    /// An id of the caller's own, such as that of the request which it answers: `current_call()` shows it
    /// in Python, and every line that Python writes during the call has it as the field `request_id`.
    #[inline]
    pub fn request_id(mut self, id: RequestId) -> Self {
        self.terms.request_id = Some(id);
        self
    }

    /// Makes the call with `arguments`, typed; a [`body`](Self::body) is not looked at.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::may_have_run`] tells whether the function may have run.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call.
    #[inline]
    pub async fn call<A, R>(mut self, arguments: &A) -> Result<R, CallError>
    where
        A: Serialize + ?Sized,
        R: DeserializeOwned,
    {
        let mut span = CallSpan::new(self.function);
        let mut body = buffer();
        if let Err(error) = encode_arguments(arguments, &mut body) {
            return Err(self.failed(&mut span, error));
        }
        let spec = self.spec(&mut span)?;
        let large = if body.len() <= INLINE_MAX {
            None
        } else {
            Some(self.large(&mut span, &body)?)
        };
        if large.is_some() {
            body = Vec::new();
        }
        let mut data = self.data(&span, ContentType::MsgPack, body, large);
        let outcome = self.run(spec, &mut data).await;
        span.ran(&data);
        match outcome {
            Ok(Outcome::Inline(Kind::Result, content)) => {
                let result = decode_result(content, &data.body);
                keep(data.body);
                match &result {
                    Ok(_) => span.end(OK),
                    Err(error) => self.count(&mut span, error, true),
                }
                result
            }
            Ok(outcome) => {
                let (content, bytes) = self.finish(&mut span, spec, outcome, data)?;
                let result = decode_result(content, &bytes);
                self.shared.replies.give_back(bytes);
                match &result {
                    Ok(_) => self.succeeded(&mut span, spec),
                    Err(error) => self.count(&mut span, error, false),
                }
                result
            }
            Err(error) => Err(self.failed(&mut span, error)),
        }
    }

    /// Makes the call with the [`body`](Self::body): bytes in, bytes out.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::may_have_run`] tells whether the function may have run.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call.
    pub async fn send(mut self) -> Result<Reply, CallError> {
        let mut span = CallSpan::new(self.function);
        let spec = self.spec(&mut span)?;
        let content = self.terms.body.content_type();
        let (body, large) = match std::mem::take(&mut self.terms.body).into_payload() {
            Payload::Bytes(bytes) if bytes.len() <= INLINE_MAX => {
                let mut body = buffer();
                body.extend_from_slice(&bytes);
                (body, None)
            }
            Payload::Bytes(bytes) => (Vec::new(), Some(self.large(&mut span, &bytes)?)),
            // Memory of another pool means nothing to this one's workers.
            Payload::InPlace(body) if !body.is_of(self.shared) => {
                (Vec::new(), Some(self.large(&mut span, &body)?))
            }
            Payload::InPlace(body) => match body.into_large() {
                Ok(large) => (Vec::new(), Some(large)),
                Err(error) => return Err(self.failed(&mut span, error)),
            },
        };
        let mut data = self.data(&span, content, body, large);
        let outcome = self.run(spec, &mut data).await;
        span.ran(&data);
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) => return Err(self.failed(&mut span, error)),
        };
        if let Outcome::Inline(Kind::Result, content) = outcome {
            let bytes = Bytes::copy_from_slice(&data.body);
            keep(data.body);
            span.end(OK);
            return Ok(Reply::new(content, bytes));
        }
        let (content, bytes) = self.finish(&mut span, spec, outcome, data)?;
        self.succeeded(&mut span, spec);
        Ok(Reply::new(content, lend(bytes, &self.shared.replies)))
    }

    #[inline]
    fn data(
        &mut self,
        span: &CallSpan,
        content: ContentType,
        body: Vec<u8>,
        large: Option<Box<LargeBody>>,
    ) -> CallData {
        CallData {
            body,
            large,
            content,
            wanted: self.terms.wanted,
            raw_bytes: self.terms.raw_bytes,
            extension: extension(
                self.terms.trace.take().or_else(|| span.context()),
                self.terms.request_id.take(),
            ),
            ..CallData::default()
        }
    }

    #[inline]
    fn run<'d>(&self, mut spec: Spec, data: &'d mut CallData) -> Call<'p, 'd> {
        spec.bound = data
            .large
            .as_ref()
            .and_then(|large| large.owner)
            .map(|owner| owner.worker as u32);
        Call::new(self.shared, spec, data)
    }

    /// What the scheduler has to know; the deadline is relative until the
    /// call is submitted.
    #[inline]
    fn spec(&self, span: &mut CallSpan) -> Result<Spec, CallError> {
        // A pool that can be called has started, and then the functions are known.
        let Some(functions) = self.shared.functions.get() else {
            return Err(self.failed(span, CallError::Closed));
        };
        let Some(function) = functions.number(self.function) else {
            let error = CallError::no_such_function(self.function, functions.names());
            return Err(self.failed(span, error));
        };
        let limit = functions.list[function].limit_ns;
        let settings = &self.shared.settings;
        let timeout = self.terms.timeout.map_or(limit, |timeout| {
            // Beyond what the clock can tell there is the limit anyhow.
            u64::try_from(timeout.as_nanos()).map_or(limit, |timeout| limit.min(timeout))
        });
        let max_attempts = if self.terms.idempotent {
            self.terms.max_attempts.unwrap_or(settings.max_attempts)
        } else {
            1
        };
        let limit = limit.saturating_add(settings.grace.as_nanos() as u64);
        Ok(Spec {
            function: function as u32,
            made: 0,
            deadline: timeout,
            timeout,
            limit,
            max_attempts,
            bound: None,
        })
    }

    fn large(&self, span: &mut CallSpan, body: &[u8]) -> Result<Box<LargeBody>, CallError> {
        let mut large = match large_body(self.shared, body.len()) {
            Ok(large) => large,
            Err(error) => return Err(self.failed(span, error)),
        };
        fill(&mut large, body);
        Ok(large)
    }

    /// Counts a call that has failed.
    #[cold]
    fn failed(&self, span: &mut CallSpan, error: CallError) -> CallError {
        self.count(span, &error, false);
        error
    }

    /// The same; `taken`: it has been counted as a success.
    #[cold]
    fn count(&self, span: &mut CallSpan, error: &CallError, taken: bool) {
        span.end(error.metric_label());
        let functions = self.shared.functions.get();
        let function = functions.and_then(|functions| functions.number(self.function));
        let mut core = self.shared.core.lock();
        core.tally
            .failed(function.map(|number| number as u32), error, taken);
        core.publish_soon();
        self.shared.unlock(core);
    }

    /// Counts a call that has succeeded, unless it was counted when its result was taken from the core.
    fn succeeded(&self, span: &mut CallSpan, spec: Spec) {
        span.end(OK);
        let mut core = self.shared.core.lock();
        core.tally.ok(spec.function);
        core.publish_soon();
        self.shared.unlock(core);
    }

    /// What an outcome means, outside of the lock. A failure is counted here.
    fn finish(
        &self,
        span: &mut CallSpan,
        spec: Spec,
        outcome: Outcome,
        data: CallData,
    ) -> Result<(ContentType, Vec<u8>), CallError> {
        self.read(spec, outcome, data)
            .map_err(|error| self.failed(span, error))
    }

    fn read(
        &self,
        spec: Spec,
        outcome: Outcome,
        data: CallData,
    ) -> Result<(ContentType, Vec<u8>), CallError> {
        let (kind, content, bytes) = match outcome {
            Outcome::Failed(error) => return Err(*error),
            Outcome::Inline(kind, content) => (kind, content, data.body),
            Outcome::Segment(kind, content, answer) => {
                let limit = self.shared.settings.max_body as u64;
                let size = answer.reference.bytes;
                let mut bytes = self.shared.replies.take(size as usize);
                let copied =
                    size <= limit && answer.memory.memory().copy_to(size as usize, &mut bytes);
                self.shared.core.lock().answer_copied(&answer);
                if !copied {
                    return Err(CallError::TooLarge {
                        part: Part::Result,
                        size,
                        limit,
                    });
                }
                (kind, content, bytes)
            }
        };
        match kind {
            Kind::Result => Ok((content, bytes)),
            Kind::Expired => Err(CallError::Timeout {
                phase: Phase::Queue,
                after: Duration::from_nanos(spec.timeout),
            }),
            _ => {
                let names = self
                    .shared
                    .functions
                    .get()
                    .map(Functions::names)
                    .unwrap_or_default();
                Err(worker_error(&bytes, self.function, names))
            }
        }
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Request")
            .field("function", &self.function)
            .field("timeout", &self.terms.timeout)
            .field("idempotent", &self.terms.idempotent)
            .finish_non_exhaustive()
    }
}
