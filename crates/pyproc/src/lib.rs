#![doc = include_str!("../../../README.md")]
// What is public can grow without breaking anybody.
#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs)]

mod allocate;
pub mod blocking;
mod board;
mod body;
mod calls;
mod config;
mod core;
mod description;
mod driver;
mod error;
mod functions;
mod future;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod health;
mod lanes;
mod lookout;
pub mod metrics;
mod oom;
mod pool;
mod python;
mod replies;
mod request;
mod request_id;
mod scheduler;
mod segments;
#[cfg(feature = "tower")]
mod service;
mod signal;
mod slab;
mod supervisor;
mod trace;
mod watch;

pub use allocate::BodyMut;
pub use body::{Body, Reply};
#[cfg(feature = "schema")]
pub use config::schema;
pub use config::{Environment, PoolConfig, Settings, Size, Span, Target};
pub use description::Call;
pub use error::{
    CallError, ConfigErrors, Exit, OutOfMemory, Part, Phase, Problem, Retry, ShutdownError,
    StartError,
};
pub use lookout::{Look, Lookout};
// For the program `pyproc`, which misses keys and variables as a pool misses functions.
#[doc(hidden)]
pub use error::nearest;
pub use functions::FunctionInfo;
pub use health::{Health, WorkerHealth, WorkerState};
pub use pool::Pool;
pub use pyproc_ipc::record::ContentType;
pub use request::Request;
pub use request_id::{InvalidRequestId, RequestId};
#[cfg(feature = "tower")]
pub use service::ResponseFuture;
pub use trace::{InvalidTraceContext, TraceContext};
pub use watch::HealthWatch;
