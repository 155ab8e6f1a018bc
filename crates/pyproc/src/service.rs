//! A pool as a [`tower_service::Service`]: middleware of that ecosystem applies to calls.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tower_service::Service;

use crate::body::Reply;
use crate::description::Call;
use crate::error::CallError;
use crate::pool::Pool;

/// A call that a [`Service`] has taken; see [`Pool`]'s implementation.
///
/// # Cancel safety
/// Dropping it cancels the call.
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture {
    call: Pin<Box<dyn Future<Output = Result<Reply, CallError>> + Send>>,
}

impl Future for ResponseFuture {
    type Output = Result<Reply, CallError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.call.as_mut().poll(context)
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ResponseFuture")
            .finish_non_exhaustive()
    }
}

/// With the feature `tower`.
///
/// `poll_ready` says whether the pool takes calls at all: it is ready until the pool is shut down and
/// fails with [`CallError::Closed`] from then on. It reserves nothing and never waits. Under overload
/// it is the call that fails, at once, with [`CallError::Overloaded`]: a policy for `retry` sees that
/// and may try again after a pause ([`CallError::retry`] says `Safe`). To make callers wait instead,
/// or to turn them away earlier, put `concurrency_limit` (and `load_shed` around it) before the pool.
///
/// A pool by itself is called by `Service::call(&mut pool, call)` or tower's `oneshot`, since
/// [`Pool::call`] is the typed call.
///
/// Dropping the future cancels the call, which is what tower's `timeout` does; a limit that Python is
/// to know of as well is [`Call::timeout`].
///
/// ```no_run
/// # async fn example(pool: &pyproc::Pool) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// use pyproc::{Body, Call};
/// use tower::{ServiceBuilder, ServiceExt};
///
/// let service = ServiceBuilder::new().load_shed().concurrency_limit(64).service(pool.clone());
/// let reply = service.oneshot(Call::new("predict").body(Body::json("[1.0, 2.0]"))).await?;
/// let answer: f64 = reply.decode()?;
/// # Ok(())
/// # }
/// ```
impl Service<Call> for Pool {
    type Response = Reply;
    type Error = CallError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        Poll::Ready(self.takes_calls())
    }

    fn call(&mut self, call: Call) -> ResponseFuture {
        response(self, call)
    }
}

/// The same for a shared reference: any number of callers can use one pool.
impl Service<Call> for &Pool {
    type Response = Reply;
    type Error = CallError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        Poll::Ready(self.takes_calls())
    }

    fn call(&mut self, call: Call) -> ResponseFuture {
        response(self, call)
    }
}

fn response(pool: &Pool, call: Call) -> ResponseFuture {
    let pool = pool.clone();
    ResponseFuture {
        call: Box::pin(async move { pool.send(call).await }),
    }
}
