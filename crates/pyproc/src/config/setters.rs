//! The chainable setters of [`PoolConfig`], one per field; the fields say what they mean.

use std::path::PathBuf;
use std::time::Duration;

use super::{PoolConfig, Size, Span};

impl PoolConfig {
    /// A pool of workers that run `target`: `path.py`, `module` or `module:function`.
    #[must_use]
    pub fn new(target: impl Into<String>) -> Self {
        Self {
            target: target.into(),
            ..Self::default()
        }
    }

    /// Sets the pool's [`name`](Self::name) in metrics and health.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets [`python`](Self::python), the interpreter.
    #[must_use]
    pub fn python(mut self, python: impl Into<PathBuf>) -> Self {
        self.python = Some(python.into());
        self
    }

    /// Adds one of [`args`](Self::args), the script's arguments.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Sets all [`args`](Self::args), the script's arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.args = args.into_iter().map(Into::into).collect();
        self
    }

    /// Adds a variable to [`env`](Self::env), the environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Sets [`working_dir`](Self::working_dir), the folder in which the workers run.
    #[must_use]
    pub fn working_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.working_dir = Some(folder.into());
        self
    }

    /// Sets the number of [`workers`](Self::workers).
    #[must_use]
    pub fn workers(mut self, workers: u32) -> Self {
        self.workers = Some(workers);
        self
    }

    /// Sets the length of the [`queue`](Self::queue).
    #[must_use]
    pub fn queue(mut self, calls: u32) -> Self {
        self.queue = calls;
        self
    }

    /// Sets [`max_concurrency`](Self::max_concurrency), the coroutines at once per worker.
    #[must_use]
    pub fn max_concurrency(mut self, coroutines: u32) -> Self {
        self.max_concurrency = coroutines;
        self
    }

    /// Sets [`timeout`](Self::timeout), the functions' own limit.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Span::from(timeout);
        self
    }

    /// Sets [`grace`](Self::grace), the time to stop at the limit.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = Span::from(grace);
        self
    }

    /// Sets [`start_timeout`](Self::start_timeout), the time until a worker is ready.
    #[must_use]
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.start_timeout = Span::from(timeout);
        self
    }

    /// Sets [`shutdown_timeout`](Self::shutdown_timeout), the time to finish at a shutdown.
    #[must_use]
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = Span::from(timeout);
        self
    }

    /// Sets [`max_attempts`](Self::max_attempts) of idempotent calls.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Sets [`max_body`](Self::max_body) in bytes.
    #[must_use]
    pub fn max_body(mut self, bytes: u64) -> Self {
        self.max_body = Size::from(bytes);
        self
    }

    /// Sets the size of each [`ring`](Self::ring) in bytes.
    #[must_use]
    pub fn ring(mut self, bytes: u64) -> Self {
        self.ring = Size::from(bytes);
        self
    }

    /// Sets [`segment_memory`](Self::segment_memory), the bound of shared memory for large bodies,
    /// in bytes.
    #[must_use]
    pub fn segment_memory(mut self, bytes: u64) -> Self {
        self.segment_memory = Size::from(bytes);
        self
    }

    /// Sets [`segment_idle`](Self::segment_idle), how long unused shared memory is kept.
    #[must_use]
    pub fn segment_idle(mut self, idle: Duration) -> Self {
        self.segment_idle = Span::from(idle);
        self
    }

    /// Sets [`spin`](Self::spin), how long each side waits actively.
    #[must_use]
    pub fn spin(mut self, spin: Duration) -> Self {
        self.spin = Span::from(spin);
        self
    }

    /// Sets [`restart_backoff_initial`](Self::restart_backoff_initial), the first pause.
    #[must_use]
    pub fn restart_backoff_initial(mut self, pause: Duration) -> Self {
        self.restart_backoff_initial = Span::from(pause);
        self
    }

    /// Sets [`restart_backoff_max`](Self::restart_backoff_max), the longest pause.
    #[must_use]
    pub fn restart_backoff_max(mut self, pause: Duration) -> Self {
        self.restart_backoff_max = Span::from(pause);
        self
    }
}
