//! pyproc.

mod body;
mod config;
mod error;

pub use body::{Body, Reply};
pub use config::{Environment, PoolConfig, Settings, Size, Span, Target};
pub use error::{
    CallError, ConfigErrors, Exit, OutOfMemory, Part, Phase, Problem, Retry, ShutdownError, StartError,
};
pub use pyproc_ipc::record::ContentType;
