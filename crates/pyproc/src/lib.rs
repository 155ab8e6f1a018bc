#![doc = include_str!("../../../README.md")]

pub mod blocking;
mod body;
mod calls;
mod config;
mod core;
mod driver;
mod error;
mod functions;
mod future;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod lanes;
mod oom;
mod pool;
mod python;
mod replies;
mod request;
mod scheduler;
mod segments;
mod signal;
mod slab;
mod supervisor;

pub use body::{Body, Reply};
pub use config::{Environment, PoolConfig, Settings, Size, Span, Target};
pub use error::{
    CallError, ConfigErrors, Exit, OutOfMemory, Part, Phase, Problem, Retry, ShutdownError,
    StartError,
};
pub use pool::Pool;
pub use pyproc_ipc::message::FunctionInfo;
pub use pyproc_ipc::record::ContentType;
pub use request::{BodyMut, Request};
