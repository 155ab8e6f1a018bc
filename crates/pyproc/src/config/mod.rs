//! What a pool is made of, as plain data: [`PoolConfig`], checked into [`Settings`].
//!
//! A `PoolConfig` holds what was given and knows nothing about right and wrong, so it can come from
//! setters, a file or variables alike; [`PoolConfig::resolve`] checks all of it and reports every
//! problem at once. It looks at nothing outside itself but the number of cores.

mod bounds;
mod defaults;
mod environment;
mod quantity;
mod resolve;
#[cfg(feature = "schema")]
pub mod schema;
mod setters;
mod target;
pub(crate) mod units;

#[cfg(test)]
mod tests;

pub use environment::Environment;
pub use quantity::{Size, Span};
pub use resolve::Settings;
pub use target::Target;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How a pool is to be: which worker, how many, and the bounds of everything.
///
/// Plain data: every field has a default but `target`, every field has a setter of its name, and
/// the same keys stand in a configuration file. Unknown keys are refused. Durations and sizes are
/// text with a unit there: `"250ms"`, `"1m"`, `"64MiB"`.
///
/// ```
/// use std::time::Duration;
/// use pyproc::PoolConfig;
///
/// let config = PoolConfig::new("worker.py").workers(4).timeout(Duration::from_secs(10));
/// assert_eq!(config.resolve()?.workers, 4);
/// # Ok::<(), pyproc::ConfigErrors>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transform = schema::pool))]
#[non_exhaustive]
pub struct PoolConfig {
    /// What the workers run: `path.py`, `module` or `module:function`.
    ///
    /// A script calls `run_worker()` itself. Of a module, what is under `@expose` can be called, or
    /// the one function that is named, even where the module never heard of pyproc. No default.
    pub target: String,

    /// What the pool is called in metrics and health.
    ///
    /// Default: the script's file name without `.py`, or the module. Two pools of one program with the
    /// same target need two names: their metrics would overwrite each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,

    /// The Python interpreter, 3.11 or later.
    ///
    /// Default: `PYPROC_PYTHON`, the active virtual environment, `.venv` in the current folder or a
    /// parent, then beside the script, then `python3` on the `PATH`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python: Option<PathBuf>,

    /// Arguments for the script, its `sys.argv[1:]`. Default: none.
    pub args: Vec<String>,

    /// Variables added to the environment that the workers inherit. Default: none.
    ///
    /// Values are left out of `Debug` output, since they may be secret.
    pub env: Environment,

    /// The folder in which the workers run. Default: the program's own.
    ///
    /// A script of `target` that is not absolute is looked for there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<PathBuf>,

    /// Worker processes, 1 to 1024. Default: the cores that the program may use.
    ///
    /// Each worker has one interpreter with a lock of its own, so plain functions run on as many
    /// cores as there are workers. More workers than cores help functions that wait; each costs the
    /// memory of everything that the script imports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<u32>,

    /// Calls that may wait for a worker, 0 to 1,000,000. Default: 1024.
    ///
    /// Beyond it, calls are refused with [`CallError::Overloaded`](crate::CallError::Overloaded). A
    /// long queue answers late, a short one refuses bursts.
    pub queue: u32,

    /// Coroutines that one worker may run at the same time, 1 to 1024. Default: 64.
    ///
    /// Plain functions run one at a time whatever this says.
    pub max_concurrency: u32,

    /// How long a function may run, 1 ms to 1 year. Default: 1 minute.
    ///
    /// A caller that names no timeout waits so long for its answer in all, the queue included.
    /// This is the function's own limit, which `@expose(timeout=…)` overrides for one function: a
    /// function that does not end within it and `grace` costs its worker. A caller's timeout can
    /// only be shorter, and never costs a worker.
    pub timeout: Span,

    /// How long a function that was told to stop at its limit may take to do so, 0 to 1 hour.
    /// Default: 1 second.
    ///
    /// Too short, and functions that would have cleaned up are killed; too long, and a function
    /// that is stuck in C code holds its worker longer.
    pub grace: Span,

    /// How long a worker may take until it is ready, 10 ms to 1 day. Default: 5 minutes.
    ///
    /// Imports and the loading of models count.
    pub start_timeout: Span,

    /// How long calls may go on at a shutdown, 0 to 1 day. Default: 10 seconds.
    ///
    /// Workers then have 2 seconds more to end, and another 2 after SIGTERM, before they are killed.
    pub shutdown_timeout: Span,

    /// How often an idempotent call is tried when workers die under it, 1 to 1,000,000. Default: 3.
    ///
    /// Calls that are not marked idempotent are tried again only if they had not started.
    pub max_attempts: u32,

    /// Bytes of arguments, and of a result, that one call may have, 1 KiB to 1 TiB. Default: 1 GiB.
    ///
    /// Larger ones are refused with [`CallError::TooLarge`](crate::CallError::TooLarge), before the
    /// worker sees anything.
    pub max_body: Size,

    /// Bytes of each of a worker's two rings, 128 KiB to 256 MiB, a power of two. Default: 1 MiB.
    ///
    /// Bodies of up to 32 KiB travel in the rings. Larger rings let more calls wait inside a worker;
    /// the memory is allocated at the start, twice per worker.
    pub ring: Size,

    /// Bytes of shared memory that larger bodies may take in the whole pool, 1 MiB to 16 TiB.
    /// Default: 8 GiB.
    ///
    /// Memory is taken when it is needed, in powers of two. Beyond the bound arguments are refused
    /// with [`CallError::Overloaded`](crate::CallError::Overloaded), and a result is a
    /// [`CallError::BadResult`](crate::CallError::BadResult).
    pub segment_memory: Size,

    /// How long shared memory of larger bodies is kept for reuse before it is given back,
    /// 0 to 1 day. Default: 10 seconds.
    pub segment_idle: Span,

    /// How long each side waits actively before it sleeps, 0 to 10 ms. Default: 50 µs.
    ///
    /// Waiting actively makes a call faster by the time a wake-up takes, and costs the time of a
    /// core meanwhile. 0 always sleeps at once.
    pub spin: Span,

    /// The first pause before a worker is started again that died before it answered anything,
    /// 1 ms to 1 hour. Default: 100 ms.
    ///
    /// It doubles with every such death. A worker that had answered a call is replaced at once.
    pub restart_backoff_initial: Span,

    /// The longest such pause, `restart_backoff_initial` to 1 day. Default: 30 seconds.
    pub restart_backoff_max: Span,
}
