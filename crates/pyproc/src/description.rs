//! [`Call`]: a call described for later, and the terms that it shares with a request.

use std::borrow::Cow;
use std::time::Duration;

use pyproc_ipc::record::ContentType;

use crate::body::Body;
use crate::lanes::ANY;
use crate::request_id::RequestId;
use crate::trace::TraceContext;

/// What a caller may ask for beside the function.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) timeout: Option<Duration>,
    pub(crate) idempotent: bool,
    /// At least 1.
    pub(crate) max_attempts: Option<u32>,
    pub(crate) body: Body,
    pub(crate) wanted: ContentType,
    pub(crate) raw_bytes: bool,
    pub(crate) trace: Option<Box<TraceContext>>,
    pub(crate) request_id: Option<RequestId>,
}

impl Default for Terms {
    #[inline]
    fn default() -> Self {
        Self {
            timeout: None,
            idempotent: false,
            max_attempts: None,
            body: Body::empty(),
            wanted: ANY,
            raw_bytes: false,
            trace: None,
            request_id: None,
        }
    }
}

/// A call that is described in one place and made in another: a value that can be queued, sent to
/// another thread, or passed through middleware. [`Pool::send`](crate::Pool::send) makes it.
///
/// Where the call is made at once, [`Pool::request`](crate::Pool::request) is shorter.
///
/// ```
/// use std::time::Duration;
///
/// use pyproc::{Body, Call};
///
/// # fn main() -> Result<(), pyproc::CallError> {
/// let call = Call::new("predict")
///     .body(Body::encode(&[1.0, 2.0])?)
///     .timeout(Duration::from_millis(50))
///     .idempotent();
/// assert_eq!(call.function(), "predict");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a call does nothing until it is sent"]
pub struct Call {
    pub(crate) function: Cow<'static, str>,
    pub(crate) terms: Terms,
}

impl Call {
    /// A call of this function, without a body, with the function's own time limit.
    pub fn new(function: impl Into<Cow<'static, str>>) -> Self {
        Self {
            function: function.into(),
            terms: Terms::default(),
        }
    }

    /// The name of the function.
    #[must_use]
    pub fn function(&self) -> &str {
        &self.function
    }

    /// How long to wait for the answer, from the moment at which the call is made; see
    /// [`Request::timeout`](crate::Request::timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.terms.timeout = Some(timeout);
        self
    }

    /// Running it twice does no harm; see [`Request::idempotent`](crate::Request::idempotent).
    pub fn idempotent(mut self) -> Self {
        self.terms.idempotent = true;
        self
    }

    /// Whether running it twice does no harm: what a policy that retries has to know beside
    /// [`CallError::retry`](crate::CallError::retry).
    #[must_use]
    pub fn is_idempotent(&self) -> bool {
        self.terms.idempotent
    }

    /// How often an idempotent call may be started in all. Default: the pool's `max_attempts` (3).
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.terms.max_attempts = Some(attempts.max(1));
        self
    }

    /// The body, as bytes; typed arguments become one with [`Body::encode`].
    pub fn body(mut self, body: Body) -> Self {
        self.terms.body = body;
        self
    }

    /// What the reply should be; see [`Request::accept`](crate::Request::accept).
    pub fn accept(mut self, content_type: ContentType) -> Self {
        self.terms.wanted = content_type;
        self
    }

    /// Bytes are answered as they are; see [`Request::raw_bytes`](crate::Request::raw_bytes).
    pub fn raw_bytes(mut self) -> Self {
        self.terms.raw_bytes = true;
        self
    }

    /// The trace that the call is part of; see
    /// [`Request::trace_context`](crate::Request::trace_context).
    pub fn trace_context(mut self, context: TraceContext) -> Self {
        self.terms.trace = Some(Box::new(context));
        self
    }

    /// An id of the caller's own; see [`Request::request_id`](crate::Request::request_id).
    pub fn request_id(mut self, id: RequestId) -> Self {
        self.terms.request_id = Some(id);
        self
    }

    /// The same call once more, to be made a second time. The body is shared, not copied.
    ///
    /// `None` when the body was written in place ([`Pool::allocate`](crate::Pool::allocate)): that
    /// memory belongs to one call.
    #[must_use]
    pub fn try_clone(&self) -> Option<Self> {
        Some(Self {
            function: self.function.clone(),
            terms: Terms {
                body: self.terms.body.try_clone()?,
                trace: self.terms.trace.clone(),
                request_id: self.terms.request_id.clone(),
                ..self.terms
            },
        })
    }
}
