//! The pool for programs without an async runtime: the same calls, made by blocking the thread.
//!
//! ```no_run
//! use pyproc::PoolConfig;
//! use pyproc::blocking::Pool;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let pool = Pool::start(PoolConfig::new("worker.py"))?;
//!     let doubled: f64 = pool.call("double", &21.0)?;
//!     println!("{doubled}");
//!     pool.shutdown()?;
//!     Ok(())
//! }
//! ```
//!
//! There is no runtime behind it and no further thread: the calling thread itself drives the call,
//! and sleeps where a task would. So a call costs what it costs from async code, and any number of
//! threads may call at once.
//!
//! Inside of an async runtime it works too, but everything else on that thread stands still
//! meanwhile: async code is better off with [`Pool::as_async`].

mod park;

use std::time::Duration;

use pyproc_ipc::record::ContentType;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::allocate::BodyMut;
use crate::body::{Body, Reply};
use crate::config::PoolConfig;
use crate::description::Call;
use crate::error::{CallError, ShutdownError, StartError};
use crate::functions::FunctionInfo;
use crate::health::Health;
use crate::request_id::RequestId;
use crate::trace::TraceContext;
use park::block_on;

/// A pool of Python worker processes, for code that blocks. The counterpart of [`crate::Pool`].
///
/// A handle like that one: cheap to clone, usable from any thread. Dropping the last handle of
/// either kind kills the workers without blocking; [`shutdown`](Self::shutdown) lets them finish
/// first.
#[derive(Clone, Debug)]
pub struct Pool {
    pool: crate::Pool,
}

impl Pool {
    /// Starts the workers and waits until all of them can be called.
    ///
    /// # Errors
    /// [`StartError`] when the configuration is wrong, Python or the worker cannot be found, or a
    /// worker does not come up. Nothing is left behind then.
    pub fn start(config: PoolConfig) -> Result<Self, StartError> {
        block_on(crate::Pool::start(config)).map(Self::from)
    }

    /// Calls a function: `arguments` become its arguments, what it returns becomes an `R`.
    ///
    /// It waits no longer than the function's own time limit; for a shorter one, retries or bytes
    /// use [`request`](Self::request).
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::may_have_run`] tells whether the function may have run.
    #[inline]
    pub fn call<A, R>(&self, function: &str, arguments: &A) -> Result<R, CallError>
    where
        A: Serialize + ?Sized,
        R: DeserializeOwned,
    {
        self.request(function).call(arguments)
    }

    /// A call to be described further before it is made.
    ///
    /// ```no_run
    /// # fn example(pool: &pyproc::blocking::Pool) -> Result<(), pyproc::CallError> {
    /// use std::time::Duration;
    ///
    /// let answer: f64 = pool.request("predict").timeout(Duration::from_millis(50)).idempotent().call(&[1.0, 2.0])?;
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    pub fn request<'p>(&'p self, function: &'p str) -> Request<'p> {
        Request {
            request: self.pool.request(function),
        }
    }

    /// Makes a call that was described elsewhere: bytes in, bytes out.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::may_have_run`] tells whether the function may have run.
    pub fn send(&self, call: Call) -> Result<Reply, CallError> {
        block_on(self.pool.send(call))
    }

    /// Memory for a large body, to be written in place; see [`crate::Pool::allocate`].
    ///
    /// # Errors
    /// [`CallError::TooLarge`] beyond `max_body`, [`CallError::Overloaded`] when the pool's
    /// `segment_memory` or the system's memory is used up.
    pub fn allocate(&self, bytes: usize) -> Result<BodyMut, CallError> {
        self.pool.allocate(bytes)
    }

    /// The functions that the workers expose.
    #[must_use]
    pub fn functions(&self) -> Vec<FunctionInfo> {
        self.pool.functions()
    }

    /// Takes no more calls, lets those it has finish within `shutdown_timeout`, then ends the
    /// workers. Afterwards no process, file or memory is left.
    ///
    /// # Errors
    /// [`ShutdownError`] when calls had to be stopped or workers to be killed; the pool is down all
    /// the same.
    pub fn shutdown(&self) -> Result<(), ShutdownError> {
        block_on(self.pool.shutdown())
    }

    /// What the pool and its workers are doing; see [`crate::Pool::health`].
    #[must_use]
    pub fn health(&self) -> Health {
        self.pool.health()
    }

    /// Hands on to the program's recorder everything that has happened until now; see
    /// [`crate::Pool::publish_metrics`].
    pub fn publish_metrics(&self) {
        self.pool.publish_metrics();
    }

    /// The same pool, for async code.
    #[must_use]
    pub fn as_async(&self) -> &crate::Pool {
        &self.pool
    }
}

impl crate::Pool {
    /// The same pool, for code that blocks.
    ///
    /// ```no_run
    /// # fn example(pool: &pyproc::Pool) {
    /// let pool = pool.blocking();
    /// std::thread::spawn(move || pool.call::<_, f64>("double", &21.0));
    /// # }
    /// ```
    #[must_use]
    pub fn blocking(&self) -> Pool {
        Pool { pool: self.clone() }
    }
}

impl From<crate::Pool> for Pool {
    fn from(pool: crate::Pool) -> Self {
        Self { pool }
    }
}

impl From<Pool> for crate::Pool {
    fn from(pool: Pool) -> Self {
        pool.pool
    }
}

/// A call that is not made yet; from [`Pool::request`]. The counterpart of [`crate::Request`].
#[derive(Debug)]
#[must_use = "a request does nothing until `call` or `send`"]
pub struct Request<'p> {
    request: crate::Request<'p>,
}

impl Request<'_> {
    /// How long to wait for the answer, from the call on; see [`crate::Request::timeout`].
    #[inline]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.request = self.request.timeout(timeout);
        self
    }

    /// Running it twice does no harm: after the death of its worker it is given to another, up to
    /// `max_attempts` times in all.
    #[inline]
    pub fn idempotent(mut self) -> Self {
        self.request = self.request.idempotent();
        self
    }

    /// How often an idempotent call may be started in all. Default: the pool's `max_attempts` (3).
    #[inline]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.request = self.request.max_attempts(attempts);
        self
    }

    /// The body, as bytes. Used by [`send`](Self::send).
    #[inline]
    pub fn body(mut self, body: Body) -> Self {
        self.request = self.request.body(body);
        self
    }

    /// What the reply should be; see [`crate::Request::accept`].
    #[inline]
    pub fn accept(mut self, content_type: ContentType) -> Self {
        self.request = self.request.accept(content_type);
        self
    }

    /// The trace that the call is part of; see [`crate::Request::trace_context`].
    #[inline]
    pub fn trace_context(mut self, context: TraceContext) -> Self {
        self.request = self.request.trace_context(context);
        self
    }

    /// An id of the caller's own; see [`crate::Request::request_id`].
    #[inline]
    pub fn request_id(mut self, id: RequestId) -> Self {
        self.request = self.request.request_id(id);
        self
    }

    /// Makes the call with `arguments`, typed; a [`body`](Self::body) is not looked at.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::may_have_run`] tells whether the function may have run.
    #[inline]
    pub fn call<A, R>(self, arguments: &A) -> Result<R, CallError>
    where
        A: Serialize + ?Sized,
        R: DeserializeOwned,
    {
        block_on(self.request.call(arguments))
    }

    /// Makes the call with the [`body`](Self::body): bytes in, bytes out.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::may_have_run`] tells whether the function may have run.
    #[inline]
    pub fn send(self) -> Result<Reply, CallError> {
        block_on(self.request.send())
    }
}
