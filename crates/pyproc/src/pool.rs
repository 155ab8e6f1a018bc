//! [`Pool`]: worker processes to call Python functions in.

use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::{Arc, OnceLock};
use std::task::Waker;

use parking_lot::{Mutex, MutexGuard};
use pyproc_ipc::clock::now_ns;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::allocate::BodyMut;
use crate::board::Board;
use crate::body::Reply;
use crate::config::{PoolConfig, Settings};
use crate::core::{Core, Phase};
use crate::description::{Call, Terms};
use crate::driver::Driver;
use crate::error::{CallError, ShutdownError, StartError};
use crate::functions::{FunctionInfo, Functions};
use crate::health::Health;
use crate::lookout::Lookout;
use crate::metrics::publish::Publisher;
use crate::replies::ReplyMemory;
use crate::request::Request;
use crate::segments::Allowance;
use crate::signal::Signal;
use crate::watch::HealthWatch;

/// What every handle, every call and the driver thread share.
pub(crate) struct Shared {
    pub(crate) core: Mutex<Core>,
    pub(crate) settings: Settings,
    pub(crate) board: Board,
    pub(crate) publisher: Mutex<Publisher>,
    pub(crate) allowance: Arc<Allowance>,
    pub(crate) replies: Arc<ReplyMemory>,
    /// Fixed once the first worker is up.
    pub(crate) functions: OnceLock<Functions>,
    /// Wakes the driver thread.
    pub(crate) kick: OwnedFd,
    /// What the driver thread waits at.
    pub(crate) epoll: OwnedFd,
    pub(crate) started: Signal<Result<(), Arc<Mutex<Option<StartError>>>>>,
    pub(crate) stopped: Signal<Result<(), ShutdownError>>,
}

impl Shared {
    /// Lets go of the lock, then wakes whoever is to be woken: no foreign code runs under it.
    #[inline]
    pub(crate) fn unlock(&self, mut core: MutexGuard<'_, Core>) {
        if core.woken.is_empty() && !core.kick {
            return;
        }
        let kick = std::mem::take(&mut core.kick);
        let woken = std::mem::take(&mut core.woken);
        drop(core);
        woken.into_iter().for_each(Waker::wake);
        if kick {
            self.kick();
        }
    }

    /// Wakes the driver thread.
    pub(crate) fn kick(&self) {
        // It fails only when the counter is full, and then the driver is awake.
        let _ = rustix::io::write(&self.kick, &1u64.to_ne_bytes());
    }
}

/// The last handle's drop ends the pool.
struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut core = self.shared.core.lock();
        let former = std::mem::replace(&mut core.phase, Phase::Abandoned);
        drop(core);
        if former == Phase::Closed {
            // The driver is gone, or about to go: the last calls may have ended after its last word.
            self.shared.publish();
        }
        self.shared.kick();
    }
}

/// A pool of Python worker processes.
///
/// Handles are cheap to clone and may be used from any thread and any number of async runtimes; the
/// pool belongs to none of them. Dropping the last handle kills the workers without blocking;
/// [`shutdown`](Self::shutdown) lets them finish first.
///
/// ```no_run
/// use pyproc::{Pool, PoolConfig};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Pool::start(PoolConfig::new("worker.py").workers(4)).await?;
/// let doubled: f64 = pool.call("double", &21.0).await?;
/// pool.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Pool {
    handle: Arc<Handle>,
}

impl Pool {
    /// Starts the workers and waits until all of them can be called.
    ///
    /// # Errors
    /// [`StartError`] when the configuration is wrong, Python or the worker cannot be found, or a
    /// worker does not come up. Nothing is left behind then.
    ///
    /// # Cancel safety
    /// Dropping the future ends what has been started.
    pub async fn start(config: PoolConfig) -> Result<Self, StartError> {
        let settings = config.resolve()?;
        let (shared, driver) = Driver::prepare(settings)?;
        let pool = Self {
            handle: Arc::new(Handle { shared }),
        };
        driver.spawn()?;
        match pool.shared().started.wait().await {
            Ok(()) => Ok(pool),
            Err(error) => {
                // The error is one value, and this the only one who waits for it.
                let error = error.lock().take();
                pool.shared().stopped.wait().await.ok();
                Err(error.unwrap_or_else(|| StartError::System {
                    action: "start its workers",
                    source: std::io::Error::other("the pool was closed meanwhile"),
                }))
            }
        }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.handle.shared
    }

    /// Calls a function: `arguments` become its arguments, what it returns becomes an `R`.
    ///
    /// Structs travel as maps by name; how a body becomes arguments is in the worker's
    /// documentation and in `pyproc list`. For a timeout, retries or bytes use
    /// [`request`](Self::request).
    ///
    /// ```no_run
    /// # async fn example(pool: &pyproc::Pool) -> Result<(), pyproc::CallError> {
    /// // def hypotenuse(a: float, b: float) -> float: ...
    /// let length: f64 = pool.call("hypotenuse", &(3.0, 4.0)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::may_have_run`] tells whether the function may have run.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call: it is taken back if no worker has started it; a
    /// coroutine is cancelled, and a plain function is asked to stop by an exception.
    #[inline]
    pub async fn call<A, R>(&self, function: &str, arguments: &A) -> Result<R, CallError>
    where
        A: Serialize + ?Sized,
        R: DeserializeOwned,
    {
        self.request(function).call(arguments).await
    }

    /// A call to be described further before it is made.
    ///
    /// ```no_run
    /// # async fn example(pool: &pyproc::Pool) -> Result<(), pyproc::CallError> {
    /// use std::time::Duration;
    ///
    /// let answer: f64 = pool.request("predict").timeout(Duration::from_millis(50)).idempotent().call(&[1.0, 2.0]).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    pub fn request<'p>(&'p self, function: &'p str) -> Request<'p> {
        Request::new(self.shared(), function, Terms::default())
    }

    /// Makes a call that was described elsewhere: bytes in, bytes out.
    ///
    /// ```no_run
    /// # async fn example(pool: &pyproc::Pool) -> Result<(), pyproc::CallError> {
    /// use pyproc::{Body, Call};
    ///
    /// let call = Call::new("predict").body(Body::json("[1.0, 2.0]")).idempotent();
    /// let answer: f64 = pool.send(call).await?.decode()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::may_have_run`] tells whether the function may have run.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call.
    pub async fn send(&self, call: Call) -> Result<Reply, CallError> {
        Request::new(self.shared(), &call.function, call.terms)
            .send()
            .await
    }

    /// Memory for a large body, to be written in place: what is written there reaches Python
    /// without another copy.
    ///
    /// ```no_run
    /// # async fn example(pool: &pyproc::Pool) -> Result<(), pyproc::CallError> {
    /// use pyproc::ContentType;
    ///
    /// let mut image = pool.allocate(1 << 20)?;
    /// image.fill(0x7f);
    /// let reply = pool.request("resize").body(image.into_body(ContentType::Raw)).send().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`CallError::TooLarge`] beyond `max_body`, [`CallError::Overloaded`] when the pool's
    /// `segment_memory` or the system's memory is used up.
    pub fn allocate(&self, bytes: usize) -> Result<BodyMut, CallError> {
        BodyMut::allocate(&self.handle.shared, bytes)
    }

    /// The functions that the workers expose.
    ///
    /// ```no_run
    /// # fn example(pool: &pyproc::Pool) {
    /// for function in pool.functions() {
    ///     println!("{}{}", function.name, function.signature);
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn functions(&self) -> Vec<FunctionInfo> {
        let functions = self.shared().functions.get();
        functions.map(Functions::described).unwrap_or_default()
    }

    /// Fails with [`CallError::Closed`] from the moment at which the pool is shut down.
    #[cfg(feature = "tower")]
    pub(crate) fn takes_calls(&self) -> Result<(), CallError> {
        if self.shared().core.lock().phase == Phase::Serving {
            Ok(())
        } else {
            Err(CallError::Closed)
        }
    }

    /// Takes no more calls, lets those it has finish within `shutdown_timeout`, then ends the
    /// workers. Afterwards no process, file or memory is left.
    ///
    /// # Errors
    /// [`ShutdownError`] when calls had to be stopped or workers to be killed; the pool is down all
    /// the same.
    ///
    /// ```no_run
    /// # async fn example(pool: pyproc::Pool) {
    /// if let Err(rough) = pool.shutdown().await {
    ///     eprintln!("{rough}");
    /// }
    /// # }
    /// ```
    ///
    /// # Cancel safety
    /// The shutdown goes on when the future is dropped.
    pub async fn shutdown(&self) -> Result<(), ShutdownError> {
        let shared = self.shared();
        {
            let mut core = shared.core.lock();
            if core.phase == Phase::Serving {
                core.phase = Phase::Draining;
                let deadline =
                    now_ns().saturating_add(shared.settings.shutdown_timeout.as_nanos() as u64);
                core.wake_driver_by(deadline);
            }
        }
        shared.board.touch();
        shared.kick();
        let result = shared.stopped.wait().await;
        shared.publish();
        result
    }

    /// What the pool and its workers are doing, and whether calls have a chance. Blocks for no longer
    /// than it takes to read each worker's memory use from `/proc`.
    ///
    /// ```no_run
    /// # fn example(pool: &pyproc::Pool) {
    /// let health = pool.health();
    /// if !health.ready {
    ///     eprintln!("{}", health.reason.unwrap_or_default());
    /// }
    /// for worker in &health.workers {
    ///     println!("{} is {}, {:?} bytes", worker.worker, worker.state, worker.rss_bytes);
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn health(&self) -> Health {
        self.shared().health()
    }

    /// Tells when a worker's state or the pool's readiness changes.
    #[must_use]
    pub fn watch(&self) -> HealthWatch {
        HealthWatch::new(&self.handle.shared)
    }

    /// Takes over from callers the looking for answers: for a server whose runtime has many other tasks.
    /// See [`Lookout`].
    ///
    /// # Errors
    /// Out of descriptors; or the pool has one already.
    pub fn lookout(&self) -> std::io::Result<Lookout> {
        Lookout::new(&self.handle.shared)
    }

    /// Hands on to the program's recorder everything that has happened until now: call it before a
    /// scrape that is to be exact. It also happens by itself, within a second of what has changed;
    /// see [`metrics`](crate::metrics).
    pub fn publish_metrics(&self) {
        self.shared().publish();
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Pool")
            .field("target", &self.shared().settings.target)
            .field("workers", &self.shared().settings.workers)
            .finish_non_exhaustive()
    }
}
